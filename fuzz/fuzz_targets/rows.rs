//! Rows of all tables, as dead letters hold them: the first byte chooses the table.
#![no_main]

use windvane_store::{Table, read_rows, row_ends};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((first, rows)) = bytes.split_first() else { return };
    let table = Table::ALL[usize::from(*first) % Table::ALL.len()];
    let Some(columns) = table.columns(table.layout()) else { return };
    let (read, ends) = (read_rows(columns, rows), row_ends(columns, rows));
    assert_eq!(read.map(|rows| rows.len()).ok(), ends.map(|ends| ends.len()).ok());
});
