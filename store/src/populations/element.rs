//! The numbers that arrays and columns are of, as they lie in memory.

/// A type of numbers, each of which is a number of 64 bits or the nearest one to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    Int8,
    Int16,
    Int32,
    Int64,
    UInt8,
    UInt16,
    UInt32,
    UInt64,
    Float32,
    Float64,
}

impl Element {
    /// The type of this name in ClickHouse.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "Int8" => Self::Int8,
            "Int16" => Self::Int16,
            "Int32" => Self::Int32,
            "Int64" => Self::Int64,
            "UInt8" => Self::UInt8,
            "UInt16" => Self::UInt16,
            "UInt32" => Self::UInt32,
            "UInt64" => Self::UInt64,
            "Float32" => Self::Float32,
            "Float64" => Self::Float64,
            _ => return None,
        })
    }

    /// What an array of this type is of.
    pub(super) fn of_array(name: &[u8]) -> Option<Self> {
        let name = std::str::from_utf8(name).ok()?;
        Self::named(name.strip_prefix("Array(")?.strip_suffix(')')?)
    }

    /// What a column of this type is of, and whether it says of each row whether its value is missing.
    pub(super) fn of_column(name: &[u8]) -> Option<(Self, bool)> {
        let name = std::str::from_utf8(name).ok()?;
        match name.strip_prefix("Nullable(") {
            None => Some((Self::named(name)?, false)),
            Some(of_values) => Some((Self::named(of_values.strip_suffix(')')?)?, true)),
        }
    }

    /// Bytes of a value.
    pub(super) const fn width(self) -> usize {
        match self {
            Self::Int8 | Self::UInt8 => 1,
            Self::Int16 | Self::UInt16 => 2,
            Self::Int32 | Self::UInt32 | Self::Float32 => 4,
            Self::Int64 | Self::UInt64 | Self::Float64 => 8,
        }
    }

    /// Whether a value may be no number.
    pub(super) const fn has_nan(self) -> bool {
        matches!(self, Self::Float32 | Self::Float64)
    }

    /// Appends the values of whole items.
    pub(super) fn read(self, bytes: &[u8], values: &mut Vec<f64>) {
        fn each<const WIDTH: usize>(bytes: &[u8], values: &mut Vec<f64>, of: impl Fn([u8; WIDTH]) -> f64) {
            values.extend(bytes.as_chunks::<WIDTH>().0.iter().map(|item| of(*item)));
        }
        match self {
            Self::Int8 => each(bytes, values, |item| f64::from(i8::from_le_bytes(item))),
            Self::Int16 => each(bytes, values, |item| f64::from(i16::from_le_bytes(item))),
            Self::Int32 => each(bytes, values, |item| f64::from(i32::from_le_bytes(item))),
            Self::Int64 => each(bytes, values, |item| i64::from_le_bytes(item) as f64),
            Self::UInt8 => each(bytes, values, |item| f64::from(u8::from_le_bytes(item))),
            Self::UInt16 => each(bytes, values, |item| f64::from(u16::from_le_bytes(item))),
            Self::UInt32 => each(bytes, values, |item| f64::from(u32::from_le_bytes(item))),
            Self::UInt64 => each(bytes, values, |item| u64::from_le_bytes(item) as f64),
            Self::Float32 => each(bytes, values, |item| f64::from(f32::from_le_bytes(item))),
            Self::Float64 => each(bytes, values, f64::from_le_bytes),
        }
    }
}
