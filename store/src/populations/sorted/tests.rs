//! Blocks of sorted values, however they are cut, and what is asked for.

use std::collections::BTreeMap;

use super::super::{Origin, Population, PopulationColumn, SegmentKeys, Sql, Storage};
use super::{SortedRows, sorted};
use crate::{Consume, rowbinary};

/// The arrays of a column: by row, then by item.
type Arrays = Vec<Vec<Vec<u8>>>;

/// A block of Native: the segments, then the arrays of each column.
fn block(segments: &[u32], columns: &[(&str, Arrays)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    rowbinary::varint(&mut bytes, columns.len() + 1);
    rowbinary::varint(&mut bytes, segments.len());
    rowbinary::string(&mut bytes, "segment");
    rowbinary::string(&mut bytes, "UInt32");
    segments.iter().for_each(|segment| bytes.extend(segment.to_le_bytes()));
    for (type_name, rows) in columns {
        rowbinary::string(&mut bytes, &"a long name ".repeat(20));
        rowbinary::string(&mut bytes, type_name);
        let mut end = 0_u64;
        for row in rows {
            end += row.len() as u64;
            bytes.extend(end.to_le_bytes());
        }
        rows.iter().flatten().for_each(|item| bytes.extend(item));
    }
    bytes
}

fn thirds(count: u16) -> Vec<f32> {
    (0..count).map(|i| f32::from(i) / 3.0).collect()
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

#[test]
fn arrays_survive_any_cut_between_chunks() {
    let singles = |values: &[f32]| values.iter().map(|value| value.to_le_bytes().to_vec()).collect();
    let whole = |values: &[i64]| values.iter().map(|value| value.to_le_bytes().to_vec()).collect();
    let mut bytes = block(
        &[2, 0],
        &[
            ("Array(Float32)", vec![singles(&thirds(3)), singles(&thirds(130))]),
            ("Array(Int64)", vec![whole(&[]), whole(&[-1, i64::MAX])]),
        ],
    );
    bytes.extend(block(&[], &[("Array(Float32)", Vec::new()), ("Array(Int64)", Vec::new())]));
    bytes.extend(block(&[1], &[("Array(Float32)", vec![singles(&[])]), ("Array(Int64)", vec![whole(&[7])])]));
    let expected = vec![
        vec![wide(&thirds(130)), vec![-1.0, i64::MAX as f64]],
        vec![Vec::new(), vec![7.0]],
        vec![wide(&thirds(3)), Vec::new()],
    ];
    for size in 1..=bytes.len() {
        let mut reader = SortedRows::new(3, 2);
        bytes.chunks(size).for_each(|chunk| reader.consume(chunk));
        assert_eq!(reader.values, expected, "chunks of {size} bytes");
    }
    let mut fewer = SortedRows::new(2, 2);
    fewer.consume(&bytes);
    assert_eq!(fewer.values, expected[..2], "a segment beyond those asked for");
}

#[test]
fn every_type_of_numbers_is_read() {
    let read = |type_name: &str, item: &[u8]| {
        let mut reader = SortedRows::new(1, 1);
        reader.consume(&block(&[0], &[(type_name, vec![vec![item.to_vec(); 2]])]));
        reader.values.remove(0).remove(0)
    };
    for (type_name, item, value) in [
        ("Array(Int8)", (-3_i8).to_le_bytes().to_vec(), -3.0),
        ("Array(Int16)", (-300_i16).to_le_bytes().to_vec(), -300.0),
        ("Array(Int32)", (-70_000_i32).to_le_bytes().to_vec(), -70_000.0),
        ("Array(Int64)", (-5_000_000_000_i64).to_le_bytes().to_vec(), -5e9),
        ("Array(UInt8)", 200_u8.to_le_bytes().to_vec(), 200.0),
        ("Array(UInt16)", 60_000_u16.to_le_bytes().to_vec(), 60_000.0),
        ("Array(UInt32)", 4_000_000_000_u32.to_le_bytes().to_vec(), 4e9),
        ("Array(UInt64)", 5_000_000_000_u64.to_le_bytes().to_vec(), 5e9),
        ("Array(Float32)", 0.1_f32.to_le_bytes().to_vec(), f64::from(0.1_f32)),
        ("Array(Float64)", f64::NEG_INFINITY.to_le_bytes().to_vec(), f64::NEG_INFINITY),
    ] {
        assert_eq!(read(type_name, &item), [value; 2], "{type_name}");
    }
    assert!(read("Array(Decimal(9, 2))", &[0; 4]).is_empty(), "no type of ours");
}

#[test]
fn only_numbers_of_files_keep_their_type() {
    let types = [("f", "Nullable(Float32)"), ("i", "Int64"), ("d", "Nullable(Decimal(9, 2))")];
    let columns: Vec<PopulationColumn> = types
        .iter()
        .map(|(name, _)| PopulationColumn {
            name: (*name).to_owned(),
            storage: Storage::Number(Sql((*name).to_owned())),
        })
        .collect();
    let mut population = Population::of_sql("rows".to_owned(), "t".to_owned(), columns.clone());
    let asked: Vec<&PopulationColumn> = columns.iter().collect();
    let text = |population: &Population| sorted(population, &asked, &SegmentKeys::default()).sql().to_owned();
    let number = |sql: &str| format!("(if(isNaN(toFloat64({sql})), NULL, toFloat64({sql})))");
    let wide = |sql: &str| format!("arraySort(groupArray({}))", number(sql));
    assert_eq!(
        text(&population),
        format!("SELECT toUInt32(0) AS segment, {}, {}, {} FROM t", wide("f"), wide("i"), wide("d"))
    );
    let types: BTreeMap<String, String> =
        types.iter().map(|(name, of)| ((*name).to_owned(), (*of).to_owned())).collect();
    population.from = Origin::File { function: "file('/a.parquet', 'Parquet')".to_owned(), types };
    assert!(text(&population).starts_with(&format!(
        "SELECT toUInt32(0) AS segment, arraySort(groupArrayIf(f, NOT isNaN(f))), arraySort(groupArray(i)), {} FROM file(",
        wide("d")
    )));
}
