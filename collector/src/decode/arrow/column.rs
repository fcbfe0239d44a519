//! A column of a record batch in the few shapes that an event's fields can have.

use std::ops::Range;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, LargeStringArray, RecordBatch,
    StringArray, StringViewArray, StructArray, UInt64Array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit, UInt64Type};
use arrow::error::ArrowError;

/// The values of a column, and which of them are missing.
#[derive(Debug)]
pub(in crate::decode) struct Column {
    nulls: Option<NullBuffer>,
    pub(super) values: Values,
    /// Whether every row is known to have a value, so that none needs to be asked.
    is_full: bool,
}

/// The shapes. Arrays are shared with the record batch, so that they cost nothing to keep.
#[derive(Debug)]
pub(super) enum Values {
    /// The column has no values at all.
    Missing,
    Flag(BooleanArray),
    Integer(Int64Array),
    Unsigned(UInt64Array),
    Number(Float64Array),
    Text(StringArray),
    LargeText(LargeStringArray),
    TextView(StringViewArray),
    /// Dictionary-encoded: where the value of each row is among the values.
    Coded {
        places: Vec<usize>,
        values: Box<Column>,
    },
    /// One column a key.
    Struct(Vec<(String, Column)>),
    Map {
        ends: OffsetBuffer<i32>,
        keys: Box<Column>,
        values: Box<Column>,
    },
    List {
        ends: Ends,
        values: Box<Column>,
    },
    /// A type that no field takes.
    Other(DataType),
}

/// Where the elements of each row are.
#[derive(Debug)]
pub(super) enum Ends {
    Short(OffsetBuffer<i32>),
    Long(OffsetBuffer<i64>),
    Fixed(usize),
}

impl Ends {
    pub(super) fn of(&self, row: usize) -> Range<usize> {
        match self {
            Self::Short(offsets) => range(offsets, row),
            Self::Long(offsets) => {
                // The reader has checked that offsets are within the values.
                let place = |at: usize| usize::try_from(offsets[at]).unwrap_or_default();
                place(row)..place(row + 1)
            }
            Self::Fixed(size) => row * size..(row + 1) * size,
        }
    }
}

/// The entries of a row.
pub(super) fn range(offsets: &OffsetBuffer<i32>, row: usize) -> Range<usize> {
    let place = |at: usize| usize::try_from(offsets[at]).unwrap_or_default();
    place(row)..place(row + 1)
}

/// Objects whose keys may also stand as columns of their own: `features.distance`.
const SPREADABLE: [&str; 5] = ["features", "tags", "arms", "embeddings", "prediction"];

impl Column {
    /// The columns of a batch as one, in which each row is a record.
    pub(super) fn root(batch: &RecordBatch) -> Result<Self, ArrowError> {
        let mut fields: Vec<(String, Self)> = Vec::with_capacity(batch.num_columns());
        for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            let column = Self::of(array)?;
            match field.name().split_once('.').filter(|(object, _)| SPREADABLE.contains(object)) {
                Some((object, key)) => gather(&mut fields, object, (key, column)),
                None => fields.push((field.name().clone(), column)),
            }
        }
        Ok(Self::new(None, Values::Struct(fields)))
    }

    fn new(nulls: Option<NullBuffer>, values: Values) -> Self {
        let is_full = nulls.as_ref().is_none_or(|nulls| nulls.null_count() == 0) && values.are_all_there();
        Self { nulls, values, is_full }
    }

    fn of(array: &ArrayRef) -> Result<Self, ArrowError> {
        let values = values(array)?;
        // A dictionary's nulls may also lie in its values; those are asked for value by value.
        Ok(Self::new(array.nulls().cloned(), values))
    }

    /// Whether a row has no value: it is null, or an object none of whose keys has one. Not every writer marks such an object as null.
    #[inline]
    pub(super) fn is_missing(&self, row: usize) -> bool {
        !self.is_full && self.lacks(row)
    }

    fn lacks(&self, row: usize) -> bool {
        self.is_null(row)
            || match &self.values {
                Values::Struct(fields) => fields.iter().all(|(_, column)| column.is_missing(row)),
                _ => false,
            }
    }

    /// Whether a row is null, or a number that is not a number.
    #[inline]
    pub(super) fn is_null(&self, row: usize) -> bool {
        !self.is_full && self.holds_null(row)
    }

    fn holds_null(&self, row: usize) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
            || match &self.values {
                Values::Missing => true,
                Values::Number(numbers) => numbers.values()[row].is_nan(),
                Values::Coded { places, values } => values.is_missing(places[row]),
                _ => false,
            }
    }
}

impl Values {
    /// Whether no row lacks a value for what it is; nulls are another matter.
    fn are_all_there(&self) -> bool {
        match self {
            Self::Missing => false,
            Self::Number(numbers) => !numbers.values().iter().any(|number| number.is_nan()),
            Self::Coded { values, .. } => values.is_full,
            Self::Struct(fields) => fields.iter().any(|(_, column)| column.is_full),
            _ => true,
        }
    }
}

/// Adds a column to the object that its name says it belongs to.
fn gather(fields: &mut Vec<(String, Column)>, object: &str, (key, column): (&str, Column)) {
    let entry = (key.to_owned(), column);
    // Only one that was gathered has no nulls of its own and the name; a struct column of the same name stands twice, which the
    // record's reader refuses.
    let gathered = fields.iter_mut().find_map(|(name, column)| match column {
        Column { nulls: None, values: Values::Struct(inner), is_full } if name == object => {
            Some((inner, is_full))
        }
        _ => None,
    });
    match gathered {
        Some((inner, is_full)) => {
            *is_full |= entry.1.is_full;
            inner.push(entry);
        }
        None => fields.push((object.to_owned(), Column::new(None, Values::Struct(vec![entry])))),
    }
}

fn values(array: &ArrayRef) -> Result<Values, ArrowError> {
    let boxed = |array: &ArrayRef| Column::of(array).map(Box::new);
    Ok(match array.data_type() {
        DataType::Null => Values::Missing,
        DataType::Boolean => Values::Flag(array.as_boolean().clone()),
        DataType::Int64 => Values::Integer(array.as_primitive::<Int64Type>().clone()),
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32 => {
            Values::Integer(cast(array, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
        }
        DataType::UInt64 => Values::Unsigned(array.as_primitive::<UInt64Type>().clone()),
        DataType::Float64 => Values::Number(array.as_primitive::<Float64Type>().clone()),
        DataType::Float16 | DataType::Float32 | DataType::Decimal128(..) | DataType::Decimal256(..) => {
            Values::Number(cast(array, &DataType::Float64)?.as_primitive::<Float64Type>().clone())
        }
        DataType::Timestamp(unit, _) => micros(array, *unit)?,
        DataType::Utf8 => Values::Text(array.as_string::<i32>().clone()),
        DataType::LargeUtf8 => Values::LargeText(array.as_string::<i64>().clone()),
        DataType::Utf8View => Values::TextView(array.as_string_view().clone()),
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            if dictionary.values().is_empty() {
                return Ok(Values::Missing);
            }
            Values::Coded { places: dictionary.normalized_keys(), values: boxed(dictionary.values())? }
        }
        DataType::Struct(_) => Values::Struct(fields(array.as_struct())?),
        DataType::Map(..) => {
            let map = array.as_map();
            Values::Map {
                ends: map.offsets().clone(),
                keys: boxed(map.keys())?,
                values: boxed(map.values())?,
            }
        }
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            Values::List { ends: Ends::Short(list.offsets().clone()), values: boxed(list.values())? }
        }
        DataType::LargeList(_) => {
            let list = array.as_list::<i64>();
            Values::List { ends: Ends::Long(list.offsets().clone()), values: boxed(list.values())? }
        }
        DataType::FixedSizeList(_, size) => {
            let ends = Ends::Fixed(usize::try_from(*size).unwrap_or_default());
            Values::List { ends, values: boxed(array.as_fixed_size_list().values())? }
        }
        other => Values::Other(other.clone()),
    })
}

fn fields(array: &StructArray) -> Result<Vec<(String, Column)>, ArrowError> {
    let columns = array.fields().iter().zip(array.columns());
    columns.map(|(field, array)| Ok((field.name().clone(), Column::of(array)?))).collect()
}

/// Times as integer microseconds; what is finer is cut off, and what does not fit becomes a time out of range.
fn micros(array: &ArrayRef, unit: TimeUnit) -> Result<Values, ArrowError> {
    let counts = cast(array, &DataType::Int64)?;
    let counts = counts.as_primitive::<Int64Type>();
    Ok(Values::Integer(match unit {
        TimeUnit::Second => counts.unary(|seconds| seconds.saturating_mul(1_000_000)),
        TimeUnit::Millisecond => counts.unary(|millis| millis.saturating_mul(1_000)),
        TimeUnit::Microsecond => counts.clone(),
        TimeUnit::Nanosecond => counts.unary(|nanos| nanos.div_euclid(1_000)),
    }))
}
