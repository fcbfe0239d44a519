//! Reading RowBinary rows as JSON objects: for people who look at rows that ClickHouse did not take.

use serde_json::{Map, Value, json};

use super::cursor::{Cursor, Malformed};
use crate::wire::{Column, Wire};

/// The rows of a chunk, each an object by column; times as RFC 3339, numbers that JSON does not have as null.
///
/// # Errors
/// Where the chunk does not hold whole rows of these columns.
pub fn read_rows(columns: &[Column], chunk: &[u8]) -> Result<Vec<Map<String, Value>>, Malformed> {
    let mut rows = Vec::new();
    walk_rows(columns, chunk, |row, _| rows.push(row))?;
    Ok(rows)
}

/// Where each row of a chunk ends, bytes from its start.
///
/// # Errors
/// As [`read_rows`].
pub fn row_ends(columns: &[Column], chunk: &[u8]) -> Result<Vec<usize>, Malformed> {
    let mut ends = Vec::new();
    walk_rows(columns, chunk, |_, end| ends.push(end))?;
    Ok(ends)
}

fn walk_rows(
    columns: &[Column],
    chunk: &[u8],
    mut visit: impl FnMut(Map<String, Value>, usize),
) -> Result<(), Malformed> {
    let mut cursor = Cursor::new(chunk);
    while !cursor.is_at_end() {
        let mut row = Map::new();
        for column in columns {
            row.insert(column.name.to_owned(), value(column.wire, &mut cursor)?);
        }
        visit(row, cursor.at());
    }
    Ok(())
}

fn value(wire: Wire, cursor: &mut Cursor<'_>) -> Result<Value, Malformed> {
    Ok(match wire {
        Wire::Text | Wire::Word => json!(text(cursor)?),
        Wire::Micros => {
            json!(windvane_types::span::shown(i64::from_le_bytes(eight(cursor)?)))
        }
        Wire::Nanos => {
            let ns = i64::from_le_bytes(eight(cursor)?);
            json!(
                jiff::Timestamp::from_nanosecond(ns.into())
                    .map_or_else(|_| ns.to_string(), |time| time.to_string())
            )
        }
        Wire::Number => json!(f64::from_le_bytes(eight(cursor)?)),
        Wire::Count => json!(u64::from_le_bytes(eight(cursor)?)),
        Wire::Integer => json!(i64::from_le_bytes(eight(cursor)?)),
        Wire::Flag => json!(cursor.take(1)?[0] != 0),
        Wire::OptionalWord => optional(Wire::Word, cursor)?,
        Wire::OptionalNumber => optional(Wire::Number, cursor)?,
        Wire::OptionalCount => optional(Wire::Count, cursor)?,
        Wire::NanosList => list(Wire::Nanos, cursor)?,
        Wire::WordList | Wire::TextList => list(Wire::Text, cursor)?,
        Wire::AttributesList => list(Wire::Attributes, cursor)?,
        Wire::CountList => list(Wire::Count, cursor)?,
        Wire::NumberList => list(Wire::Number, cursor)?,
        Wire::Words | Wire::Attributes => map(cursor, |cursor| value(Wire::Word, cursor))?,
        Wire::Numbers => map(cursor, |cursor| value(Wire::Number, cursor))?,
        Wire::Vectors => map(cursor, vector)?,
    })
}

fn optional(wire: Wire, cursor: &mut Cursor<'_>) -> Result<Value, Malformed> {
    if cursor.is_some()? { value(wire, cursor) } else { Ok(Value::Null) }
}

fn map(
    cursor: &mut Cursor<'_>,
    read: impl Fn(&mut Cursor<'_>) -> Result<Value, Malformed>,
) -> Result<Value, Malformed> {
    let mut entries = Map::new();
    for _ in 0..cursor.length()? {
        let key = text(cursor)?;
        entries.insert(key, read(cursor)?);
    }
    Ok(Value::Object(entries))
}

fn list(wire: Wire, cursor: &mut Cursor<'_>) -> Result<Value, Malformed> {
    let mut entries = Vec::new();
    for _ in 0..cursor.length()? {
        entries.push(value(wire, cursor)?);
    }
    Ok(Value::Array(entries))
}

fn vector(cursor: &mut Cursor<'_>) -> Result<Value, Malformed> {
    let n = cursor.length()?;
    let bytes = cursor.take(n.saturating_mul(4))?;
    let floats = bytes.chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]));
    Ok(floats.map(|float| json!(float)).collect())
}

fn text(cursor: &mut Cursor<'_>) -> Result<String, Malformed> {
    Ok(String::from_utf8_lossy(cursor.string()?).into_owned())
}

fn eight(cursor: &mut Cursor<'_>) -> Result<[u8; 8], Malformed> {
    let mut eight = [0; 8];
    eight.copy_from_slice(cursor.take(8)?);
    Ok(eight)
}
