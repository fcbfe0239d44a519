//! The document `windvane.drift/1`: what `windvane drift` prints, and what findings of drift are made of.
//!
//! The order of the fields is the order of the output; fields may be added, never renamed or moved.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The value of [`Document::schema`].
pub const SCHEMA: &str = "windvane.drift/1";

/// The answer to "did these two populations drift apart?".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// What the current population is compared with.
    pub reference: Side,
    /// The population in question.
    pub current: Side,
    /// Drift if any column of any segment drifted.
    pub verdict: Verdict,
    /// The bound on the chance that a run without any change says drift.
    pub alpha: f64,
    /// The multiple-testing correction over columns × segments × methods.
    pub correction: String,
    /// How many p-values the correction was made over.
    pub tests: usize,
    /// Values a side needs before a column is judged.
    pub min_rows: u64,
    /// Whose numbers are reproduced, where `--compat` asked for it.
    pub compat: Option<String>,
    /// The seed of every simulated null distribution.
    pub seed: u64,
    /// One entry a column, in the order of the reference.
    pub columns: Vec<Column>,
    /// The same per segment, for segments asked for with `--segment-by`.
    pub segments: Vec<Segment>,
    /// Segments that were left out: the smallest ones beyond the bound on their number, and those with too few rows.
    pub segments_left_out: u64,
    /// Columns that could not be compared, and why.
    pub skipped: Vec<Skipped>,
}

/// One of the two populations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Side {
    /// A file name, or a description of a part of the store.
    pub source: String,
    /// How many rows it has.
    pub rows: u64,
    /// Whether the profile of a baseline stood for its rows.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub stored_profile: bool,
}

/// What a comparison says in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// An effect above its floor that chance does not explain.
    Drift,
    /// Enough rows, and no such effect.
    NoDrift,
    /// Too few rows to say either.
    InsufficientData,
}

impl Verdict {
    /// The word of the JSON document.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Drift => "drift",
            Self::NoDrift => "no_drift",
            Self::InsufficientData => "insufficient_data",
        }
    }
}

/// How the values of a column are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Numbers.
    Numeric,
    /// Strings and booleans.
    Categorical,
    /// Vectors of one length.
    Embedding,
    /// Free text, only where it was asked for.
    Text,
}

impl Kind {
    /// The word of the JSON document.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Numeric => "numeric",
            Self::Categorical => "categorical",
            Self::Embedding => "embedding",
            Self::Text => "text",
        }
    }
}

/// Which way a numeric column went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The location moved and the mean grew.
    Up,
    /// The location moved and the mean shrank.
    Down,
    /// Only the shape changed.
    Mixed,
    /// No drift, or no order among the values.
    None,
}

impl Direction {
    /// The word of the JSON document.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Mixed => "mixed",
            Self::None => "none",
        }
    }
}

/// One column of both populations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub column: String,
    /// How it was compared.
    pub kind: Kind,
    /// Values in the reference, missing ones not counted.
    pub n_reference: u64,
    /// Values in the current population, missing ones not counted.
    pub n_current: u64,
    /// Missing values in the reference.
    pub missing_reference: u64,
    /// Missing values in the current population.
    pub missing_current: u64,
    /// Drift if any method drifted.
    pub verdict: Verdict,
    /// Which way it went.
    pub direction: Direction,
    /// The mean of the reference: finite numeric values only.
    pub mean_reference: Option<f64>,
    /// The mean of the current population: finite numeric values only.
    pub mean_current: Option<f64>,
    /// The category or bin whose share changed most.
    pub largest_change: Option<Change>,
    /// What changed in the vectors of an embedding.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub embedding: Option<EmbeddingChange>,
    /// What changed in a column of text.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub text: Option<TextChange>,
    /// How the values of both sides lie, for plots; columns of the whole populations only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub distribution: Option<Distribution>,
    /// One entry a method that fits the kind.
    pub methods: Vec<Method>,
}

/// Counts of both sides on the same bins: a picture, which no verdict hangs on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// Numeric columns: edges of bins of equal width, ascending. Counts begin with the bin below the first edge and end
    /// with the one above the last, so that there is one count more than edges.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub edges: Vec<f64>,
    /// Categorical columns: the most frequent categories. Counts have one more entry: all other categories together.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub categories: Vec<String>,
    /// Values of the reference, missing ones not counted.
    pub reference: Vec<u64>,
    /// Values of the current population, missing ones not counted.
    pub current: Vec<u64>,
}

/// The change of the share of one category.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The category; null for missing values.
    pub category: Option<String>,
    /// Its share of the reference's rows.
    pub share_reference: f64,
    /// Its share of the current rows.
    pub share_current: f64,
}

/// What changed in the vectors of an embedding: a description, which no verdict hangs on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EmbeddingChange {
    /// Components of a vector.
    pub width: u64,
    /// Between the mean vectors of both sides.
    pub centroid_distance: f64,
    /// Of the angle between the mean vectors; null where one of them is zero.
    pub centroid_cosine: Option<f64>,
    /// The length of a vector.
    pub norm: MeanChange,
    /// Dimensions whose mean moved by a tenth of a standard deviation or more, after correction over all dimensions.
    pub dimensions_moved: u64,
    /// The dimension that moved furthest in standard deviations.
    pub largest_dimension: Option<DimensionChange>,
    /// Vectors of the reference that `mmd` and `domain_classifier` looked at.
    pub sampled_reference: u64,
    /// Vectors of the current population that they looked at.
    pub sampled_current: u64,
}

/// The change of a mean.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MeanChange {
    /// In the reference; null without values.
    pub mean_reference: Option<f64>,
    /// In the current population.
    pub mean_current: Option<f64>,
    /// The change in standard deviations.
    pub effect: Option<f64>,
    /// Welch's, of this mean alone: not part of the correction.
    pub p_value: Option<f64>,
}

/// The change of one dimension.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DimensionChange {
    /// Which one, from 0.
    pub dimension: u64,
    /// How its mean changed.
    #[serde(flatten)]
    pub change: MeanChange,
}

/// What changed in a column of text: a description, which no verdict hangs on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TextChange {
    /// Characters of a text.
    pub length: MeanChange,
    /// Words of a text that are not among the words of one half of the reference: of the other half, and of the current population.
    pub out_of_vocabulary: MeanChange,
    /// Different words in that half of the reference.
    pub vocabulary: u64,
    /// Runs of characters whose share of texts changed most surely.
    pub ngrams: Vec<NgramChange>,
    /// Texts of the reference that were looked into.
    pub sampled_reference: u64,
    /// Texts of the current population that were looked into.
    pub sampled_current: u64,
}

/// The change of the share of texts that hold a run of characters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NgramChange {
    /// The characters, in lower case.
    pub ngram: String,
    /// Share of the reference's texts.
    pub share_reference: f64,
    /// Share of the current texts.
    pub share_current: f64,
}

/// What one method says of one column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Method {
    /// Its name in the contract.
    pub method: String,
    /// Its statistic; null where it is not defined on these values.
    pub statistic: Option<f64>,
    /// The floor that the effect must reach for drift.
    pub threshold: Option<f64>,
    /// The chance of at least this statistic without any change, where the method has one.
    pub p_value: Option<f64>,
    /// The p-value that is judged and corrected in place of `p_value`, where that cannot be trusted on these values.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub p_judged: Option<f64>,
    /// The judged p-value after correction; null where it was not part of the family.
    pub p_adjusted: Option<f64>,
    /// How large the change is, on a scale that does not depend on the sample sizes.
    pub effect: Option<f64>,
    /// Whether this method says drift.
    pub drifted: bool,
    /// How much larger than found the statistic may be, where a stored profile has kept less than every value.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub statistic_error: Option<f64>,
    /// How the p-value was computed: `exact`, `asymptotic`, `permutation`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub p_method: Option<String>,
    /// What was added to empty bins.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub smoothing: Option<String>,
    /// How many bins or categories were compared.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bins: Option<u64>,
    /// Why the statistic is null; else what was judged in place of the p-value, or why no change can be shown.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

/// The columns of the rows that share the values of the segment's columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// Column → value; null for missing.
    pub segment: BTreeMap<String, Option<String>>,
    /// Rows of the reference in it.
    pub rows_reference: u64,
    /// Rows of the current population in it.
    pub rows_current: u64,
    /// Drift if any of its columns drifted.
    pub verdict: Verdict,
    /// One entry a column.
    pub columns: Vec<Column>,
}

/// A column that was not compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Its name.
    pub column: String,
    /// A stable word.
    pub reason: SkipReason,
    /// The same for a person.
    pub detail: String,
}

/// Why a column was not compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// Only the reference has it.
    OnlyInReference,
    /// Only the current population has it.
    OnlyInCurrent,
    /// Numeric on one side and categorical on the other.
    DifferentKinds,
    /// Dates, times, lists, nested values.
    UnsupportedType,
    /// Vectors of more than one width.
    DifferentWidths,
    /// None of the methods asked for fits its kind.
    NoMethod,
}

impl SkipReason {
    /// The word of the JSON document.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OnlyInReference => "only_in_reference",
            Self::OnlyInCurrent => "only_in_current",
            Self::DifferentKinds => "different_kinds",
            Self::UnsupportedType => "unsupported_type",
            Self::DifferentWidths => "different_widths",
            Self::NoMethod => "no_method",
        }
    }
}

/// The shares of missing values of the reference and of the current population, each given as missing ones and values: where they differ by a
/// thousandth or more, so that it is worth a word. A side without a row has no share.
pub fn missing_moved(reference: (u64, u64), current: (u64, u64)) -> Option<(f64, f64)> {
    let share = |(missing, values): (u64, u64)| match missing + values {
        0 => None,
        rows => Some(missing as f64 / rows as f64),
    };
    let (before, now) = (share(reference)?, share(current)?);
    ((before - now).abs() >= 0.001).then_some((before, now))
}

#[cfg(test)]
mod tests {
    use super::missing_moved;

    #[test]
    fn missing_values_moved_only_between_sides_that_have_rows() {
        assert_eq!(missing_moved((1, 3), (0, 4)), Some((0.25, 0.0)));
        assert_eq!(missing_moved((0, 4), (4, 0)), Some((0.0, 1.0)));
        assert_eq!(missing_moved((1, 3), (0, 0)), None);
        assert_eq!(missing_moved((0, 0), (1, 3)), None);
        assert_eq!(missing_moved((1, 9_999), (2, 9_998)), None);
    }
}
