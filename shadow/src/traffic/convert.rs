//! Columns of Arrow into the elements that a model takes.
//!
//! Tables are written by tools that have their own ideas of numbers, so numbers may become the declared float or integer
//! type where that holds them; a number never becomes a text, nor a text a number.

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{
    DataType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::error::ArrowError;

use crate::tensor::{Element, Values};

/// The elements of some rows, and the shape of each.
pub(super) struct Converted {
    pub(super) values: Values,
    pub(super) shape: Vec<usize>,
}

/// Why a column does not become an input.
pub(super) enum Refusal {
    /// The column as a whole: a sentence about it.
    Column(String),
    /// A row: its number in the array, and what is in it.
    Cell(usize, String),
}

impl From<ArrowError> for Refusal {
    fn from(error: ArrowError) -> Self {
        Self::Column(format!("cannot be converted: {error}"))
    }
}

/// The rows of a column as elements of a type. A missing float is NaN, a missing text is empty.
pub(super) fn convert(column: &ArrayRef, element: Element) -> Result<Converted, Refusal> {
    let (leaf, shape) = flatten(column)?;
    if !holds(leaf.data_type(), element) {
        return Err(Refusal::Column(format!(
            "has the type {}, which does not become {element}",
            column.data_type()
        )));
    }
    let width = shape.iter().product::<usize>().max(1);
    let values = leaf_values(&leaf, element).map_err(|refusal| match refusal {
        Refusal::Cell(at, value) => Refusal::Cell(at / width, value),
        other => other,
    })?;
    Ok(Converted { values, shape })
}

/// Takes lists of one length apart: the elements of all rows, and the shape of a row.
fn flatten(column: &ArrayRef) -> Result<(ArrayRef, Vec<usize>), Refusal> {
    let (mut leaf, mut shape) = (column.clone(), Vec::new());
    loop {
        let missing = |leaf: &ArrayRef| match leaf
            .nulls()
            .and_then(|nulls| (0..leaf.len()).find(|i| nulls.is_null(*i)))
        {
            Some(row) => {
                Err(Refusal::Cell(row / shape.iter().product::<usize>().max(1), "a missing list".to_owned()))
            }
            None => Ok(()),
        };
        let inner = match leaf.data_type() {
            DataType::FixedSizeList(_, width) => {
                missing(&leaf)?;
                let list = leaf.as_fixed_size_list();
                let width = usize::try_from(*width).unwrap_or(0);
                let first = if leaf.is_empty() { 0 } else { list.value_offset_at(0) };
                (list.values().slice(first, leaf.len() * width), width)
            }
            DataType::List(_) => {
                missing(&leaf)?;
                let list = leaf.as_list::<i32>();
                let width = list.iter().next().flatten().map_or(0, |row| row.len());
                if let Some(row) = (0..leaf.len()).find(|row| list.value(*row).len() != width) {
                    return Err(Refusal::Cell(
                        row,
                        format!("a list of {} where the row before has {width}", list.value(row).len()),
                    ));
                }
                let first = usize::try_from(list.offsets()[0]).unwrap_or(0);
                (list.values().slice(first, leaf.len() * width), width)
            }
            DataType::LargeList(field) => {
                leaf = cast(&leaf, &DataType::List(field.clone()))?;
                continue;
            }
            DataType::Dictionary(_, values) => {
                leaf = cast(&leaf, values)?;
                continue;
            }
            _ => return Ok((leaf, shape)),
        };
        shape.push(inner.1);
        leaf = inner.0;
    }
}

/// Whether a column of this type may become elements of that one.
fn holds(from: &DataType, to: Element) -> bool {
    match to {
        Element::Text => from.is_string(),
        Element::Bool => *from == DataType::Boolean,
        to if to.is_float() => from.is_numeric() || *from == DataType::Null,
        _ => from.is_integer(),
    }
}

fn leaf_values(leaf: &ArrayRef, element: Element) -> Result<Values, Refusal> {
    let target = match element {
        Element::F16 => DataType::Float16,
        Element::F32 => DataType::Float32,
        Element::F64 => DataType::Float64,
        Element::I8 => DataType::Int8,
        Element::I16 => DataType::Int16,
        Element::I32 => DataType::Int32,
        Element::I64 => DataType::Int64,
        Element::U8 => DataType::UInt8,
        Element::U16 => DataType::UInt16,
        Element::U32 => DataType::UInt32,
        Element::U64 => DataType::UInt64,
        Element::Bool => DataType::Boolean,
        Element::Text => DataType::Utf8,
    };
    let options = CastOptions { safe: false, ..CastOptions::default() };
    let cast = cast_with_options(leaf, &target, &options)?;
    let missing = |cast: &ArrayRef| (0..cast.len()).find(|row| cast.is_null(*row));
    if let (false, Some(row)) = (element.is_float() || element == Element::Text, missing(&cast)) {
        return Err(Refusal::Cell(row, "missing".to_owned()));
    }
    fn whole<T: ArrowPrimitiveType>(array: &ArrayRef) -> Vec<T::Native> {
        array.as_primitive::<T>().values().to_vec()
    }
    fn real<T: ArrowPrimitiveType>(array: &ArrayRef, nan: T::Native) -> Vec<T::Native> {
        array.as_primitive::<T>().iter().map(|value| value.unwrap_or(nan)).collect()
    }
    Ok(match element {
        Element::F16 => Values::F16(real::<Float16Type>(&cast, half::f16::NAN)),
        Element::F32 => Values::F32(real::<Float32Type>(&cast, f32::NAN)),
        Element::F64 => Values::F64(real::<Float64Type>(&cast, f64::NAN)),
        Element::I8 => Values::I8(whole::<Int8Type>(&cast)),
        Element::I16 => Values::I16(whole::<Int16Type>(&cast)),
        Element::I32 => Values::I32(whole::<Int32Type>(&cast)),
        Element::I64 => Values::I64(whole::<Int64Type>(&cast)),
        Element::U8 => Values::U8(whole::<UInt8Type>(&cast)),
        Element::U16 => Values::U16(whole::<UInt16Type>(&cast)),
        Element::U32 => Values::U32(whole::<UInt32Type>(&cast)),
        Element::U64 => Values::U64(whole::<UInt64Type>(&cast)),
        Element::Bool => Values::Bool(cast.as_boolean().iter().map(|flag| flag.unwrap_or(false)).collect()),
        Element::Text => Values::Text(
            cast.as_string::<i32>().iter().map(|text| text.unwrap_or_default().to_owned()).collect(),
        ),
    })
}

/// The rows of a column as words; times as microseconds since 1970 UTC.
pub(super) fn words(column: &ArrayRef) -> Result<Vec<Option<String>>, ArrowError> {
    let column = match column.data_type() {
        DataType::Timestamp(_, zone) => {
            cast(&cast(column, &DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))?, &DataType::Int64)?
        }
        _ => column.clone(),
    };
    let texts = cast(&column, &DataType::Utf8)?;
    let word = |text: Option<&str>| text.filter(|text| !text.is_empty() && *text != "NaN").map(str::to_owned);
    Ok(texts.as_string::<i32>().iter().map(word).collect())
}
