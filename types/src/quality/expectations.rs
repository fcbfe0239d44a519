//! What is expected of data: learnt from a reference, edited by people, kept in git.
//!
//! A bound that was learnt carries the counts it was learnt from, so that a check knows how far chance reaches. A bound without
//! them was written by a person and holds as it stands.

use serde::{Deserialize, Serialize};

/// What is expected of a table and its columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectations {
    /// Where they were learnt.
    pub source: String,
    /// How many rows that had.
    pub rows: u64,
    /// The bound on the chance that unchanged data fail any check that chance can fail.
    pub alpha: f64,
    /// How far shares may move beyond chance, as a share of themselves.
    pub tolerance: f64,
    /// Of the whole table.
    pub table: TableExpectations,
    /// Of the columns, in the order of the reference.
    pub columns: Vec<(String, ColumnExpectations)>,
}

/// What is expected of the whole table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TableExpectations {
    /// Rows at least.
    pub rows_min: u64,
    /// What becomes of columns that are not expected.
    pub added_columns: AddedColumns,
    /// Columns that together tell one row from another.
    pub key: Vec<String>,
    /// How many rows may repeat a key.
    pub duplicates: Option<ShareBound>,
    /// When events were and when they came in.
    pub times: Option<TimeExpectations>,
}

/// What becomes of columns that are not expected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AddedColumns {
    /// They fail.
    #[default]
    Fail,
    /// They are welcome.
    Allow,
}

/// What is expected of times.
#[derive(Debug, Clone, PartialEq)]
pub struct TimeExpectations {
    /// The column that says when an event was.
    pub timestamp: String,
    /// The column that says when it came in.
    pub arrival: Option<String>,
    /// By how much a clock may be ahead, microseconds.
    pub ahead_us: i64,
    /// After how long an event is late, microseconds.
    pub late_us: i64,
    /// How many may be late.
    pub late: Option<ShareBound>,
    /// How many may come after one with a later time.
    pub out_of_order: Option<ShareBound>,
}

impl TimeExpectations {
    /// The columns that say when.
    pub fn columns(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.timestamp).chain(&self.arrival)
    }
}

/// What is expected of a column. What is absent is not checked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ColumnExpectations {
    /// What it holds.
    pub holds: Option<Holds>,
    /// Whether it may be absent altogether.
    pub optional: bool,
    /// How many values may be missing.
    pub missing: Option<ShareBound>,
    /// Between what its numbers lie.
    pub range: Option<Range>,
    /// Whether numbers below 0 fail.
    pub non_negative: bool,
    /// How many numbers may be infinite.
    pub infinite: Option<ShareBound>,
    /// How many texts may be empty.
    pub empty: Option<ShareBound>,
    /// How long its texts are.
    pub length: Option<Lengths>,
    /// Occurrences of the most frequent value: a column that varied must not become constant.
    pub most_frequent: Option<ShareBound>,
    /// How many different values there are.
    pub distinct: Option<ShareBound>,
    /// Whether a category beyond those below fails at its first occurrence.
    pub closed: bool,
    /// The categories with how often each was seen.
    pub categories: Option<Vec<CategoryCount>>,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holds {
    /// Whole numbers.
    Integer,
    /// Numbers.
    Number,
    /// `true` and `false`.
    Boolean,
    /// Text.
    Text,
    /// Dates or times.
    Time,
    /// Lists of numbers.
    Vector,
    /// Something else.
    Other,
}

impl Holds {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 7] =
        [Self::Integer, Self::Number, Self::Boolean, Self::Text, Self::Time, Self::Vector, Self::Other];

    /// The word in files of expectations.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Text => "text",
            Self::Time => "time",
            Self::Vector => "vector",
            Self::Other => "other",
        }
    }
}

/// How often something may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ShareBound {
    /// As often as it was: so many times among so many.
    Seen {
        /// How often it was.
        seen: u64,
        /// Among how many.
        of: u64,
    },
    /// Between two shares (or, of different values, numbers of them) that a person gave.
    Limits {
        /// The least.
        min: f64,
        /// The most.
        max: f64,
    },
}

/// Between what numbers lie.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// How many values that was learnt from; where absent, no value may lie outside.
    pub of: Option<u64>,
    /// The share of values that must lie inside, where a person says so.
    pub share: Option<f64>,
}

/// How long texts are, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lengths {
    /// The shortest.
    pub min: u64,
    /// The longest.
    pub max: u64,
    /// How many values that was learnt from; where absent, none may be outside.
    pub of: Option<u64>,
}

/// A category with how often it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CategoryCount {
    /// The category.
    pub category: String,
    /// Occurrences; 0 for one that is allowed and was never seen.
    pub seen: u64,
}
