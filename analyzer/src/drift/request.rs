//! What is compared with what, and by which rule.

use std::sync::Arc;

use windvane_stats::correction::Correction;
use windvane_store::KeptAnswers;
use windvane_store::populations::{Population, SegmentRow};
use windvane_types::baseline::Profile;

use super::{Compat, Method};

/// Segments that are looked at; smaller ones beyond them are counted and left out.
pub const SEGMENTS_MAX: usize = 100;

/// A comparison to make.
#[derive(Debug, Clone)]
pub struct DriftRequest {
    /// What the current population is compared with.
    pub reference: Population,
    /// The population in question.
    pub current: Population,
    /// The profile that stands for the rows of the reference; it must answer what is asked ([`super::unanswered`]).
    pub baseline: Option<Arc<Profile>>,
    /// What was answered of the reference before, as long as its rows are the same ones.
    pub answers: Option<KeptAnswers>,
    /// The columns; all of them where `None`.
    pub columns: Option<Vec<String>>,
    /// The methods; the default ones of each kind where `None`.
    pub methods: Option<Vec<Method>>,
    /// Bins between the reference's quantiles, 2 or more.
    pub bins: u32,
    /// Columns that hold free text.
    pub text: Vec<String>,
    /// Columns whose lists of numbers are vectors.
    pub embedding: Vec<String>,
    /// The columns that cut segments.
    pub segment_by: Vec<String>,
    /// Which of the segments are looked at.
    pub segments: SegmentBounds,
    /// How statistics become verdicts.
    pub rule: Rule,
    /// The seed of simulated null distributions.
    pub seed: u64,
}

/// Which segments are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentBounds {
    /// How many: the largest ones, at most [`SEGMENTS_MAX`].
    pub number_max: usize,
    /// Rows that a segment needs on one side.
    pub rows_min: u64,
}

impl SegmentBounds {
    /// The segments that are looked at, the largest that are large enough, in the order of their keys; and how many others there are.
    pub(crate) fn chosen(&self, mut rows: Vec<SegmentRow>) -> (Vec<SegmentRow>, u64) {
        let all = rows.first().map_or(0, |row| row.segments);
        rows.retain(|row| row.reference.max(row.current) >= self.rows_min);
        rows.sort_by(|a, b| {
            (b.reference + b.current).cmp(&(a.reference + a.current)).then_with(|| a.key.cmp(&b.key))
        });
        rows.truncate(self.number_max.min(SEGMENTS_MAX));
        rows.sort_by(|a, b| a.key.cmp(&b.key));
        let left_out = all - rows.len() as u64;
        (rows, left_out)
    }
}

impl Default for SegmentBounds {
    fn default() -> Self {
        Self { number_max: SEGMENTS_MAX, rows_min: 0 }
    }
}

/// How statistics become verdicts.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// The bound on the chance that a run without any change says drift.
    pub alpha: f64,
    /// The multiple-testing correction.
    pub correction: Correction,
    /// Values that a side needs before a column is judged.
    pub min_rows: u64,
    /// Whose conventions replace ours.
    pub compat: Option<Compat>,
}

impl Default for Rule {
    fn default() -> Self {
        Self { alpha: 0.05, correction: Correction::default(), min_rows: 30, compat: None }
    }
}
