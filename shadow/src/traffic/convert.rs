//! Columns of Arrow into the elements that a model takes.
//!
//! Tables are written by tools that have their own ideas of numbers, so numbers may become the declared float or integer
//! type where that holds them, whole floats among them; a number never becomes a text, nor a text a number.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::error::ArrowError;

use crate::tensor::{Element, Values};

/// The elements of some rows, and the shape of each.
#[derive(Debug)]
pub(super) struct Converted {
    pub(super) values: Values,
    pub(super) shape: Vec<usize>,
}

/// Why a column does not become an input.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The column as a whole: a sentence about it.
    Column(String),
    /// Some of its rows: the number of each in the array, and what is in it. Without them further rows may turn out to be wrong.
    Cells(Vec<(usize, String)>),
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
    let values = leaf_values(&leaf, element, width)?;
    Ok(Converted { values, shape })
}

/// Refuses the rows that have an element at fault, each once and by its first; a row has `width` elements.
fn refuse(
    at_fault: impl Iterator<Item = usize>,
    width: usize,
    word: impl Fn(usize) -> String,
) -> Result<(), Refusal> {
    let mut cells: Vec<(usize, String)> = Vec::new();
    for at in at_fault {
        if cells.last().is_none_or(|(row, _)| *row != at / width) {
            cells.push((at / width, word(at)));
        }
    }
    if cells.is_empty() { Ok(()) } else { Err(Refusal::Cells(cells)) }
}

/// Takes lists of one length apart: the elements of all rows, and the shape of a row.
fn flatten(column: &ArrayRef) -> Result<(ArrayRef, Vec<usize>), Refusal> {
    let (mut leaf, mut shape) = (column.clone(), Vec::new());
    loop {
        let lists = shape.iter().product::<usize>().max(1);
        let missing = |leaf: &ArrayRef| {
            refuse((0..leaf.len()).filter(|at| leaf.is_null(*at)), lists, |_| "a missing list".to_owned())
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
                let length = |at: usize| usize::try_from(list.value_length(at)).unwrap_or(0);
                let width = usual((0..leaf.len()).map(length));
                refuse((0..leaf.len()).filter(|at| length(*at) != width), lists, |at| {
                    format!("a list of {} where most rows around it have one of {width}", length(at))
                })?;
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

/// The length that most have, the first of them where several are as frequent.
fn usual(lengths: impl Iterator<Item = usize>) -> usize {
    let mut seen: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
    for (at, length) in lengths.enumerate() {
        seen.entry(length).or_insert((0, at)).0 += 1;
    }
    let most = seen.into_iter().max_by_key(|(_, (n, first))| (*n, std::cmp::Reverse(*first)));
    most.map_or(0, |(length, _)| length)
}

/// Whether a column of this type may become elements of that one.
fn holds(from: &DataType, to: Element) -> bool {
    match to {
        Element::Text => from.is_string(),
        Element::Bool => *from == DataType::Boolean,
        to if to.is_float() => from.is_numeric() || *from == DataType::Null,
        // A column of integers of which some are missing is often written as floats.
        _ => from.is_integer() || from.is_floating(),
    }
}

fn leaf_values(leaf: &ArrayRef, element: Element, width: usize) -> Result<Values, Refusal> {
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
    if !element.is_float() && leaf.data_type().is_floating() {
        let reals = cast(leaf, &DataType::Float64)?;
        let reals = reals.as_primitive::<Float64Type>().values();
        // What is not finite is refused below: no integer holds it.
        let parts = (0..reals.len())
            .filter(|at| leaf.is_valid(*at) && reals[*at].is_finite() && reals[*at].fract() != 0.0);
        refuse(parts, width, |at| shown(leaf, at))?;
    }
    // What the type cannot hold becomes missing, and is told from what was missing before.
    let cast = cast(leaf, &target)?;
    let missing = leaf.logical_nulls();
    let is_missing = |at: usize| missing.as_ref().is_some_and(|nulls| nulls.is_null(at));
    let may_miss = element.is_float() || element == Element::Text;
    if let Some(nulls) = cast.nulls().filter(|nulls| nulls.null_count() > 0) {
        let at_fault = (0..nulls.len()).filter(|at| nulls.is_null(*at) && !(may_miss && is_missing(*at)));
        refuse(at_fault, width, |at| if is_missing(at) { "missing".to_owned() } else { shown(leaf, at) })?;
    }
    refuse(overflown(leaf, &cast)?.into_iter(), width, |at| shown(leaf, at))?;
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

/// The finite elements that have become infinite, because the type that they were converted to is too small for them.
fn overflown(leaf: &ArrayRef, converted: &ArrayRef) -> Result<Vec<usize>, ArrowError> {
    fn places<T: ArrowPrimitiveType>(array: &ArrayRef, is: fn(T::Native) -> bool) -> Vec<usize> {
        let values = array.as_primitive::<T>().values();
        (0..values.len()).filter(|at| is(values[*at])).collect()
    }
    let infinite = match converted.data_type() {
        DataType::Float16 => places::<Float16Type>(converted, half::f16::is_infinite),
        DataType::Float32 => places::<Float32Type>(converted, f32::is_infinite),
        _ => Vec::new(),
    };
    if infinite.is_empty() {
        return Ok(infinite);
    }
    let reals = cast(leaf, &DataType::Float64)?;
    let reals = reals.as_primitive::<Float64Type>();
    Ok(infinite.into_iter().filter(|at| reals.is_valid(*at) && reals.value(*at).is_finite()).collect())
}

/// One element, for a message about it.
fn shown(leaf: &ArrayRef, at: usize) -> String {
    let word = words(&leaf.slice(at, 1)).ok().and_then(|words| words.into_iter().next().flatten());
    word.unwrap_or_else(|| "NaN".to_owned())
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        BooleanArray, FixedSizeListArray, Float64Array, Int64Array, ListArray, NullArray, StringArray,
    };

    use super::*;

    /// The rows that are refused, with what is in each.
    fn refused(column: &ArrayRef, element: Element) -> Vec<(usize, String)> {
        match convert(column, element) {
            Err(Refusal::Cells(cells)) => cells,
            other => panic!("no rows are refused: {other:?}"),
        }
    }

    fn cell(row: usize, value: &str) -> (usize, String) {
        (row, value.to_owned())
    }

    #[test]
    fn every_row_with_a_cell_that_the_type_cannot_hold_is_named_with_it() {
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), Some(300), None, Some(-1), Some(2)]));
        let expected = [cell(1, "300"), cell(2, "missing"), cell(3, "-1")];
        assert_eq!(refused(&numbers, Element::U8), expected);
        assert_eq!(refused(&numbers, Element::I64), [cell(2, "missing")]);
        let flags: ArrayRef = Arc::new(BooleanArray::from(vec![Some(true), None]));
        assert_eq!(refused(&flags, Element::Bool), [cell(1, "missing")]);
    }

    #[test]
    fn floats_become_integers_where_they_are_whole() {
        let floats = |values: Vec<Option<f64>>| -> ArrayRef { Arc::new(Float64Array::from(values)) };
        let whole = convert(&floats(vec![Some(3.0), Some(-2.0)]), Element::I64).unwrap().values;
        assert_eq!(whole, Values::I64(vec![3, -2]));
        let missing = floats(vec![Some(1.0), None, Some(f64::NAN), Some(1e30)]);
        let cells: Vec<usize> = refused(&missing, Element::I64).into_iter().map(|(row, _)| row).collect();
        assert_eq!(cells, [1, 2, 3]);
        assert_eq!(refused(&floats(vec![Some(1.0), Some(0.5)]), Element::I64), [cell(1, "0.5")]);
    }

    #[test]
    fn numbers_beyond_a_smaller_float_are_refused_and_infinities_are_kept() {
        let numbers: ArrayRef =
            Arc::new(Float64Array::from(vec![Some(1e39), Some(f64::INFINITY), None, Some(0.5)]));
        let told: Vec<usize> = refused(&numbers, Element::F32).into_iter().map(|(row, _)| row).collect();
        assert_eq!(told, [0]);
        let whole: ArrayRef = Arc::new(Int64Array::from(vec![70_000, 1]));
        assert_eq!(refused(&whole, Element::F16), [cell(0, "70000")]);
        let Values::F32(kept) = convert(&numbers.slice(1, 3), Element::F32).unwrap().values else { panic!() };
        assert!(kept[0] == f32::INFINITY && kept[1].is_nan() && kept[2] == 0.5, "{kept:?}");
    }

    #[test]
    fn a_missing_float_is_nan_and_a_missing_text_is_empty() {
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
        for column in [numbers, Arc::new(NullArray::new(2))] {
            let Values::F32(found) = convert(&column, Element::F32).unwrap().values else { panic!() };
            assert!(found[1].is_nan(), "{found:?}");
        }
        let texts: ArrayRef = Arc::new(StringArray::from(vec![None, Some("a")]));
        let found = convert(&texts, Element::Text).unwrap().values;
        assert_eq!(found, Values::Text(vec![String::new(), "a".to_owned()]));
    }

    #[test]
    fn a_row_of_several_elements_is_named_once_by_its_first() {
        let list = |row: [Option<i64>; 2]| Some(row);
        let lists: ArrayRef = Arc::new(FixedSizeListArray::from_iter_primitive::<Int64Type, _, _>(
            [list([Some(1), Some(2)]), list([Some(-3), Some(999)]), list([Some(4), None])],
            2,
        ));
        assert_eq!(refused(&lists, Element::U8), [cell(1, "-3"), cell(2, "missing")]);
    }

    #[test]
    fn lists_of_another_length_than_most_are_refused_and_missing_ones_before_them() {
        let list = |lengths: &[Option<usize>]| -> ArrayRef {
            let rows = lengths.iter().map(|length| length.map(|length| vec![Some(0.5); length]));
            Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>(rows))
        };
        // The first is not always the one that is right.
        let ragged = [Some(2), Some(3), Some(3), Some(1)];
        let told = |length| format!("a list of {length} where most rows around it have one of 3");
        assert_eq!(refused(&list(&ragged), Element::F32), [(0, told(2)), (3, told(1))]);
        assert_eq!(refused(&list(&[Some(3), None, Some(2)]), Element::F32), [cell(1, "a missing list")]);
        let whole = convert(&list(&[Some(3), Some(3)]), Element::F32).unwrap();
        assert_eq!((whole.shape, whole.values.len()), (vec![3], 6));
    }

    #[test]
    fn a_column_of_another_type_is_refused_as_a_whole() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["1"]));
        let Err(Refusal::Column(problem)) = convert(&texts, Element::F32) else { panic!() };
        assert_eq!(problem, "has the type Utf8, which does not become float32");
    }
}
