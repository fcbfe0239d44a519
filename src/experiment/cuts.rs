//! Into which parts the rows of a file are cut: segments, strata, days; and the segments and strata of an experiment over the store.

use clap::Args;
use windvane_analyzer::experiment::Cuts;
use windvane_types::distinct::distinct;
use windvane_types::span::length_us;

use super::arguments::usage;
use crate::exit::Failure;

/// Columns at most that together make a segment.
const SEGMENT_COLUMNS_MAX: usize = 3;

/// The least units of a segment, where nothing else is said.
pub const SEGMENT_UNITS_MIN: u64 = 100;

/// Segments and strata of an experiment of the configuration, in place of its own.
#[derive(Debug, Default)]
pub struct SegmentsAsked {
    /// What units are cut by; as the configuration says where it is empty.
    pub by: Vec<String>,
    /// The least units of a segment; as the configuration says where `None`.
    pub units_min: Option<u64>,
    /// What strata are; as the configuration says where `None`.
    pub stratify: Option<String>,
}

/// Options that name columns of parts.
#[derive(Debug, Args)]
pub struct CutArguments {
    /// Compare the arms within each value of these columns too: the 50 largest segments. All p-values are one family. Of an experiment
    /// of the configuration: `version`, `environment`, a categorical feature or a tag of the unit's predictions.
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',', conflicts_with = "summary")]
    segment_by: Vec<String>,
    /// The least units of a segment; 100, or as an experiment of the configuration says, unless given.
    #[arg(long, value_name = "UNITS")]
    segment_min: Option<u64>,
    /// A column that tells units apart before they get their arm, such as a country: means and proportions are compared within its
    /// values (post-stratification). Of an experiment of the configuration as for --segment-by.
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
    /// The options that go with a file only, for messages.
    pub const OF_FILES: &str = "--timestamp, --outliers";

    /// Whether anything is to be cut that goes with a file only.
    pub fn of_files(&self) -> bool {
        self.timestamp.is_some() || self.outliers
    }

    /// The segments and strata of an experiment of the configuration.
    ///
    /// # Errors
    /// A usage error that says how segments are named.
    pub fn segments(self) -> Result<SegmentsAsked, Failure> {
        let by = self.named()?;
        Ok(SegmentsAsked { by, units_min: self.segment_min, stratify: self.stratify })
    }

    /// The columns that make a segment, each once.
    fn named(&self) -> Result<Vec<String>, Failure> {
        let named = distinct(self.segment_by.iter().cloned());
        if named.len() > SEGMENT_COLUMNS_MAX || named.iter().any(String::is_empty) {
            let given = self.segment_by.join(",");
            return Err(usage(format!(
                "`--segment-by {given}` names no segments: give one to {SEGMENT_COLUMNS_MAX} columns, as in country,platform"
            )));
        }
        Ok(named)
    }

    /// What is cut into what.
    ///
    /// # Errors
    /// A usage error that says what is accepted, or what contradicts what.
    pub fn check(self, covariate: bool) -> Result<Cuts, Failure> {
        let segment_by = self.named()?;
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
            segment_by,
            segment_units_min: self.segment_min.unwrap_or(SEGMENT_UNITS_MIN),
            stratify: self.stratify,
            timestamp: self.timestamp,
            assigned: self.assigned,
            received: self.received.map(|column| (column, late_after_us)),
            outliers: self.outliers,
        })
    }
}
