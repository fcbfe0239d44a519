//! Into which parts the rows of a file are cut: segments, strata, days.

use clap::Args;
use windvane_analyzer::experiment::Cuts;
use windvane_types::span::length_us;

use super::arguments::usage;
use crate::exit::Failure;

/// Columns at most that together make a segment.
const SEGMENT_COLUMNS_MAX: usize = 3;

/// Options that name columns of parts.
#[derive(Debug, Args)]
pub struct CutArguments {
    /// Compare the arms within each value of these columns too: the 50 largest segments. All p-values are one family.
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',', conflicts_with = "summary")]
    segment_by: Vec<String>,
    /// The least units of a segment.
    #[arg(long, value_name = "UNITS", default_value_t = 100)]
    segment_min: u64,
    /// A column that tells units apart before they get their arm, such as a country: means and proportions are compared within its
    /// values (post-stratification).
    #[arg(long, value_name = "COLUMN", conflicts_with = "summary")]
    stratify: Option<String>,
    /// The column that says when a row was seen: tells whether the effect fades from the first days on.
    #[arg(long, value_name = "COLUMN", conflicts_with = "summary")]
    timestamp: Option<String>,
    /// The column that says when a unit was assigned: tells whether rows from before are counted.
    #[arg(long, value_name = "COLUMN", requires = "timestamp")]
    assigned: Option<String>,
    /// The column that says when a row arrived: tells whether one arm's data are late more often.
    #[arg(long, value_name = "COLUMN", requires = "timestamp")]
    received: Option<String>,
    /// How long after --timestamp a row is late, such as 15m or 1d.
    #[arg(long, value_name = "LENGTH", default_value = "1d")]
    late_after: String,
    /// Tell whether the most extreme units, one of a thousand in each arm, carry the effect of a mean.
    #[arg(long, conflicts_with = "summary")]
    outliers: bool,
}

impl CutArguments {
    /// The options, for messages.
    pub const NAMES: &str = "--segment-by, --stratify, --timestamp, --outliers";

    /// Whether anything is to be cut.
    pub fn given(&self) -> bool {
        !self.segment_by.is_empty() || self.stratify.is_some() || self.timestamp.is_some() || self.outliers
    }

    /// What is cut into what.
    ///
    /// # Errors
    /// A usage error that says what is accepted, or what contradicts what.
    pub fn check(self, covariate: bool) -> Result<Cuts, Failure> {
        if self.segment_by.len() > SEGMENT_COLUMNS_MAX || self.segment_by.iter().any(String::is_empty) {
            let given = self.segment_by.join(",");
            return Err(usage(format!(
                "`--segment-by {given}` names no segments: give one to {SEGMENT_COLUMNS_MAX} columns, as in country,platform"
            )));
        }
        if covariate && self.stratify.is_some() {
            return Err(usage(
                "--stratify and --covariate both take out what was there before: give one of them".to_owned(),
            ));
        }
        let late_after_us = length_us(&self.late_after).ok_or_else(|| {
            usage(format!(
                "`--late-after {}` is no length of time: give one such as 15m, 24h or 7d",
                self.late_after
            ))
        })?;
        Ok(Cuts {
            segment_by: self.segment_by,
            segment_units_min: self.segment_min,
            stratify: self.stratify,
            timestamp: self.timestamp,
            assigned: self.assigned,
            received: self.received.map(|column| (column, late_after_us)),
            outliers: self.outliers,
        })
    }
}
