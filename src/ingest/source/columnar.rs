//! Rows out of Arrow record batches: nested structs become dotted columns, and each type becomes one of a few.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StructArray, make_array};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Field, Fields, Float64Type, Int64Type, Schema, TimeUnit, TimestampMicrosecondType,
};
use arrow::error::ArrowError;

use super::super::cell::{Cell, Column, Kind};
use super::{At, Item, Sink};

/// The columns of a schema, structs taken apart.
pub fn columns(schema: &Schema) -> Vec<Column> {
    let mut columns = Vec::new();
    flatten_fields("", schema.fields(), &mut columns);
    columns
}

fn flatten_fields(prefix: &str, fields: &Fields, into: &mut Vec<Column>) {
    for field in fields {
        let name = format!("{prefix}{}", field.name());
        match field.data_type() {
            DataType::Struct(inner) => flatten_fields(&format!("{name}."), inner, into),
            other => into.push(Column { name, kind: kind(other) }),
        }
    }
}

fn kind(data_type: &DataType) -> Kind {
    match data_type {
        DataType::Null => Kind::Unknown,
        DataType::Boolean => Kind::Flag,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Kind::Text,
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => Kind::Time,
        DataType::Dictionary(_, values) => kind(values),
        DataType::List(f) | DataType::LargeList(f) | DataType::FixedSizeList(f, _)
            if f.data_type().is_numeric() =>
        {
            Kind::Numbers
        }
        other if other.is_numeric() => Kind::Number,
        _ => Kind::Other,
    }
}

/// Hands the rows of a batch over; `first` is the number of its first row.
pub fn rows(
    batch: &RecordBatch,
    columns: &[Column],
    first: At,
    sink: &mut Sink<'_>,
) -> Result<ControlFlow<()>, ArrowError> {
    let mut arrays = Vec::with_capacity(columns.len());
    flatten_arrays(&StructArray::from(batch.clone()), &mut arrays)?;
    let mut cells = Vec::with_capacity(arrays.len());
    for row in 0..batch.num_rows() {
        cells.clear();
        cells.extend(arrays.iter().map(|array| cell(array, row)));
        let at = At { number: first.number + row as u64, bytes: first.bytes };
        if sink(Item::Row { columns, cells: &cells, at }).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// The arrays behind [`columns`], in the same order, cast to the few types that [`cell`] knows.
fn flatten_arrays(array: &StructArray, into: &mut Vec<ArrayRef>) -> Result<(), ArrowError> {
    for column in array.columns() {
        match column.data_type() {
            DataType::Struct(_) => {
                let inner = column.as_struct();
                let masked: StructArray = match inner.nulls() {
                    None => inner.clone(),
                    Some(_) => masked(inner)?,
                };
                flatten_arrays(&masked, into)?;
            }
            other => into.push(match target(other) {
                Some(target) if target != *other => cast(column, &target)?,
                _ => Arc::clone(column),
            }),
        }
    }
    Ok(())
}

/// A struct whose fields are null where the struct is.
fn masked(array: &StructArray) -> Result<StructArray, ArrowError> {
    let nulls = array.nulls();
    let mut columns = Vec::with_capacity(array.num_columns());
    for column in array.columns() {
        let merged = arrow::buffer::NullBuffer::union(nulls, column.nulls());
        let data = column.to_data().into_builder().nulls(merged).build()?;
        columns.push(make_array(data));
    }
    StructArray::try_new(array.fields().clone(), columns, None)
}

fn target(data_type: &DataType) -> Option<DataType> {
    let microseconds = || DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    Some(match data_type {
        DataType::Dictionary(_, values) => return target(values).or_else(|| Some((**values).clone())),
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32 => DataType::Int64,
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        // A time without a zone is taken as UTC.
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => microseconds(),
        DataType::List(f) | DataType::LargeList(f) | DataType::FixedSizeList(f, _)
            if f.data_type().is_numeric() =>
        {
            DataType::List(Arc::new(Field::new_list_field(DataType::Float64, true)))
        }
        DataType::Int64 => return None,
        other if other.is_numeric() => DataType::Float64,
        _ => return None,
    })
}

fn cell(array: &ArrayRef, row: usize) -> Cell<'_> {
    if array.is_null(row) {
        return Cell::Missing;
    }
    match array.data_type() {
        DataType::Null => Cell::Missing,
        DataType::Int64 => Cell::Integer(array.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => Cell::number(array.as_primitive::<Float64Type>().value(row)),
        DataType::Boolean => Cell::Flag(array.as_boolean().value(row)),
        DataType::Utf8 => Cell::Text(Cow::Borrowed(array.as_string::<i32>().value(row))),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            Cell::Instant(array.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        DataType::List(_) => {
            let inner = array.as_list::<i32>().value(row);
            match inner.as_primitive_opt::<Float64Type>() {
                Some(numbers) => Cell::Numbers(numbers.values().to_vec()),
                None => Cell::Other,
            }
        }
        _ => Cell::Other,
    }
}
