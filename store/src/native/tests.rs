//! Native blocks of small rows, byte by byte, and rows that are refused.

use super::*;
use crate::wire::{Wire, column};
use crate::{Table, measurements};

fn measurement(value: f64) -> Vec<u8> {
    let mut out = Vec::new();
    measurements::Row { metric: "m", unit_id: "u1", ts_us: 1, value, event_id: "e", ingested_at_us: 2 }
        .encode(&mut out);
    out
}

#[test]
fn a_word_column_is_a_dictionary_and_indices() {
    let mut rows = Vec::new();
    for word in ["a", "", "bb", "a"] {
        crate::rowbinary::string(&mut rows, word);
    }
    let pieces = encode(&[column("w", Wire::Word)], &[Bytes::from(rows)], 4).unwrap();
    let mut expected = vec![1, 4, 1, b'w', 22];
    expected.extend(b"LowCardinality(String)");
    for n in [1_u64, 0x600, 3] {
        expected.extend(n.to_le_bytes());
    }
    expected.extend([0, 1, b'a', 2, b'b', b'b']);
    expected.extend(4_u64.to_le_bytes());
    expected.extend([1, 0, 2, 1]);
    assert_eq!(pieces.concat(), expected);
}

#[test]
fn rows_may_lie_in_several_chunks() {
    let columns = Table::Measurements.columns(1).unwrap();
    let chunks = [Bytes::from(measurement(1.0)), Bytes::new(), Bytes::from(measurement(2.0))];
    let joined = Bytes::from([measurement(1.0), measurement(2.0)].concat());
    assert_eq!(
        encode(columns, &chunks, 2).unwrap().concat(),
        encode(columns, &[joined], 2).unwrap().concat()
    );
}

#[test]
fn a_row_that_is_cut_off_anywhere_is_refused() {
    let columns = Table::Measurements.columns(1).unwrap();
    let row = measurement(1.0);
    for end in 1..row.len() {
        let cut = Bytes::copy_from_slice(&row[..end]);
        assert!(matches!(encode(columns, &[cut], 1), Err(Malformed::CutOff { .. })), "cut at {end}");
    }
    let huge = Bytes::from_static(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]);
    assert!(matches!(encode(columns, &[huge], 1), Err(Malformed::CutOff { .. })));
    let endless = Bytes::from_static(&[0xff; 32]);
    assert!(matches!(encode(columns, &[endless], 1), Err(Malformed::Value { .. })));
}

#[test]
fn a_wrong_number_of_rows_is_refused() {
    let columns = Table::Measurements.columns(1).unwrap();
    let one = [Bytes::from(measurement(1.0))];
    assert_eq!(encode(columns, &one, 2), Err(Malformed::RowCount { found: 1, said: 2 }));
}

mod engine;
