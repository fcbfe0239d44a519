//! How the columns of wire rows are encoded, and what ClickHouse calls those types.

/// A column of a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name in the table.
    pub name: &'static str,
    /// How its values are encoded.
    pub wire: Wire,
}

/// The encoding of a value. It belongs to the layout, not to the table: where a later migration gives the column
/// another type, ClickHouse converts what older layouts send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// Any text.
    Text,
    /// Text of few values.
    Word,
    /// Text of few values, or none.
    OptionalWord,
    /// Microseconds since 1970 UTC.
    Micros,
    /// Nanoseconds since 1970 UTC.
    Nanos,
    /// A number.
    Number,
    /// A count.
    Count,
    /// A whole number, which may be negative.
    Integer,
    /// Yes or no.
    Flag,
    /// A number, or none.
    OptionalNumber,
    /// A count, or none.
    OptionalCount,
    /// Word to word.
    Words,
    /// Word to number.
    Numbers,
    /// Word to vector of 32-bit floats.
    Vectors,
    /// Word to any text.
    Attributes,
    /// A list of times in nanoseconds.
    NanosList,
    /// A list of texts of few values.
    WordList,
    /// A list of texts.
    TextList,
    /// A list of maps from word to any text.
    AttributesList,
    /// A list of counts.
    CountList,
    /// A list of numbers.
    NumberList,
}

impl Wire {
    /// ClickHouse's name of the type.
    pub(crate) const fn type_name(self) -> &'static str {
        match self {
            Self::Text => "String",
            Self::Word => "LowCardinality(String)",
            Self::OptionalWord => "LowCardinality(Nullable(String))",
            Self::Micros => "DateTime64(6, 'UTC')",
            Self::Nanos => "DateTime64(9, 'UTC')",
            Self::Number => "Float64",
            Self::Count => "UInt64",
            Self::Integer => "Int64",
            Self::Flag => "Bool",
            Self::OptionalNumber => "Nullable(Float64)",
            Self::OptionalCount => "Nullable(UInt64)",
            Self::Words => "Map(LowCardinality(String), LowCardinality(String))",
            Self::Numbers => "Map(LowCardinality(String), Float64)",
            Self::Vectors => "Map(LowCardinality(String), Array(Float32))",
            Self::Attributes => "Map(LowCardinality(String), String)",
            Self::NanosList => "Array(DateTime64(9, 'UTC'))",
            Self::WordList => "Array(LowCardinality(String))",
            Self::TextList => "Array(String)",
            Self::AttributesList => "Array(Map(LowCardinality(String), String))",
            Self::CountList => "Array(UInt64)",
            Self::NumberList => "Array(Float64)",
        }
    }
}

/// A column of a layout, for the tables of layouts.
pub(crate) const fn column(name: &'static str, wire: Wire) -> Column {
    Column { name, wire }
}
