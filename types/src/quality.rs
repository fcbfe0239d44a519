//! The document `windvane.quality/1`: what `windvane quality` prints, and what findings of quality are made of.
//!
//! The order of the fields is the order of the output; fields may be added, never renamed or moved.

mod expectations;
pub mod words;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use expectations::{
    AddedColumns, CategoryCount, ColumnExpectations, Expectations, Holds, Lengths, Range, ShareBound,
    TableExpectations, TimeExpectations,
};

use crate::drift::Side;

/// The value of [`Document::schema`].
pub const SCHEMA: &str = "windvane.quality/1";

/// The answer to "are these data what they were expected to be?".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Fail if any check fails.
    pub verdict: Verdict,
    /// What was expected was learnt from these rows.
    pub reference: Side,
    /// The rows in question.
    pub current: Side,
    /// The bound on the chance that unchanged data fail any of the checks that chance can fail.
    pub alpha: f64,
    /// How many bounds share `alpha`.
    pub tests: usize,
    /// Checks of the whole table first, then column by column.
    pub checks: Vec<Check>,
}

/// What a check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As expected.
    Pass,
    /// Not as expected, and not by chance.
    Fail,
}

impl Verdict {
    /// The word of the JSON document.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
        }
    }
}

/// What is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckName {
    /// There are rows enough.
    RowCount,
    /// A column that was expected is there.
    ColumnRemoved,
    /// No column is there that was not expected.
    ColumnAdded,
    /// Every version sends the features that the reference has.
    VersionSchema,
    /// No two rows share a key.
    DuplicateKeys,
    /// Events come in soon.
    LateEvents,
    /// Events come in by their time.
    OutOfOrder,
    /// No event lies in the future.
    FutureTimestamps,
    /// A column holds what it held.
    Type,
    /// As many values are missing as were.
    MissingRate,
    /// Numbers lie within the range.
    Range,
    /// No number is below 0.
    NonNegative,
    /// No number is infinite.
    Infinite,
    /// As few texts are empty as were.
    EmptyStrings,
    /// Texts are about as long as they were.
    StringLength,
    /// No category is there that was not expected.
    NewCategories,
    /// Every category that was frequent is still there.
    VanishedCategories,
    /// A column that varied still does.
    Constant,
    /// There are not many more different values than there were.
    Cardinality,
}

/// The words of all checks, in the order of [`CheckName`].
pub const CHECKS: [&str; 19] = [
    "row_count",
    "column_removed",
    "column_added",
    "version_schema",
    "duplicate_keys",
    "late_events",
    "out_of_order",
    "future_timestamps",
    "type",
    "missing_rate",
    "range",
    "non_negative",
    "infinite",
    "empty_strings",
    "string_length",
    "new_categories",
    "vanished_categories",
    "constant",
    "cardinality",
];

impl CheckName {
    /// The word of the JSON document.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RowCount => "row_count",
            Self::ColumnRemoved => "column_removed",
            Self::ColumnAdded => "column_added",
            Self::VersionSchema => "version_schema",
            Self::DuplicateKeys => "duplicate_keys",
            Self::LateEvents => "late_events",
            Self::OutOfOrder => "out_of_order",
            Self::FutureTimestamps => "future_timestamps",
            Self::Type => "type",
            Self::MissingRate => "missing_rate",
            Self::Range => "range",
            Self::NonNegative => "non_negative",
            Self::Infinite => "infinite",
            Self::EmptyStrings => "empty_strings",
            Self::StringLength => "string_length",
            Self::NewCategories => "new_categories",
            Self::VanishedCategories => "vanished_categories",
            Self::Constant => "constant",
            Self::Cardinality => "cardinality",
        }
    }
}

/// One check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// What is checked.
    pub check: CheckName,
    /// Of which column; null for the whole table.
    pub column: Option<String>,
    /// What was found: a share, a count, a word; null where there was nothing to look at.
    pub observed: Value,
    /// What was expected: the ends of a band, a word, a list. An open end is null.
    pub expected: Value,
    /// Whether that agrees.
    pub verdict: Verdict,
    /// The rows, values or categories that are not as expected, whether or not chance explains them.
    pub count: u64,
    /// Some of them.
    pub examples: Vec<Value>,
    /// What else there is to say, in words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

impl Document {
    /// The checks that fail.
    pub fn failed(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| check.verdict == Verdict::Fail)
    }

    /// Whether nothing of what is expected was learnt from rows that the file of expectations names.
    #[must_use]
    pub fn is_written_by_hand(&self) -> bool {
        self.reference.source.is_empty() && self.reference.rows == 0
    }

    /// Whether rows pass or fail by their number and their columns alone, because what is expected was learnt from no rows.
    #[must_use]
    pub fn is_learnt_from_nothing(&self) -> bool {
        let is_of_values = |check: &Check| {
            let of_the_column = [CheckName::ColumnRemoved, CheckName::ColumnAdded, CheckName::Type];
            check.column.is_some() && !of_the_column.contains(&check.check)
        };
        let rows = (self.reference.rows, self.current.rows);
        matches!(rows, (0, 1..))
            && !self.is_written_by_hand()
            && self.tests == 0
            && !self.checks.iter().any(is_of_values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_has_the_fields_of_the_contract() {
        let check = Check {
            check: CheckName::MissingRate,
            column: Some("salary".to_owned()),
            observed: 0.21.into(),
            expected: serde_json::json!([0.08, 0.12]),
            verdict: Verdict::Fail,
            count: 21,
            examples: Vec::new(),
            reason: None,
        };
        let text = serde_json::to_string(&check).unwrap();
        insta::assert_snapshot!(text, @r#"{"check":"missing_rate","column":"salary","observed":0.21,"expected":[0.08,0.12],"verdict":"fail","count":21,"examples":[]}"#);
        assert_eq!(serde_json::from_str::<Check>(&text).unwrap(), check);
    }

    #[test]
    fn the_word_of_a_check_is_the_one_in_json() {
        for word in CHECKS {
            let name: CheckName = serde_json::from_value(word.into()).unwrap();
            assert_eq!(name.as_str(), word);
        }
    }
}
