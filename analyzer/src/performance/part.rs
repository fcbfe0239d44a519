//! What is known of one chunk, of the whole population or of one segment, before it is judged.

use std::collections::BTreeMap;

use windvane_stats::experiment::effect::Interval;
use windvane_stats::performance::Measured;
use windvane_stats::performance::calibration::CurveBin;
use windvane_stats::performance::ranked::Gain;
use windvane_store::performance::TallyRow;
use windvane_types::performance::METRICS;

/// Which chunk of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// The number of the segment; `None` for the whole population.
    pub(super) segment: Option<u16>,
    /// The key of the chunk.
    pub(super) chunk: i32,
}

/// Parts by their place.
pub(super) type Parts = BTreeMap<Place, Part>;

/// One chunk of one segment, measured.
#[derive(Debug, Clone, Default)]
pub(super) struct Part {
    pub(super) rows: u64,
    pub(super) labelled: u64,
    pub(super) unscored: u64,
    /// Rows with a target and a prediction.
    pub(super) measured: u64,
    pub(super) first_us: Option<i64>,
    pub(super) last_us: Option<i64>,
    pub(super) groups: Option<[u64; 2]>,
    pub(super) metrics: Vec<Named>,
    pub(super) estimates: BTreeMap<&'static str, Estimate>,
    pub(super) confusion: Vec<Vec<f64>>,
    pub(super) curve: Vec<CurveBin>,
    pub(super) gains: Vec<Gain>,
}

/// A metric with its name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Named {
    pub(super) name: &'static str,
    pub(super) measured: Measured,
}

/// An estimated metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Estimate {
    pub(super) value: f64,
    pub(super) band: Option<Interval>,
}

impl Part {
    /// Rows with a prediction.
    pub(super) fn scored(&self) -> u64 {
        self.rows.saturating_sub(self.unscored)
    }

    pub(super) fn push(&mut self, name: &'static str, measured: Measured) {
        debug_assert!(METRICS.contains(&name), "`{name}` is none that can be asked for");
        self.metrics.push(Named { name, measured });
    }
}

/// The parts of a tally: each segment, and the whole that they make with the rows outside of all segments.
pub(super) fn outlined(rows: &[TallyRow], segments: usize) -> Parts {
    let mut parts = Parts::new();
    for row in rows {
        let own = (usize::from(row.segment) < segments).then_some(Some(row.segment));
        for segment in [Some(None), own].into_iter().flatten() {
            let part = parts.entry(Place { segment, chunk: row.chunk }).or_default();
            part.rows += row.rows;
            part.labelled += row.labelled;
            part.unscored += row.unscored;
            part.measured += row.measured;
            part.first_us = [part.first_us, row.first_us].into_iter().flatten().min();
            part.last_us = [part.last_us, row.last_us].into_iter().flatten().max();
        }
    }
    parts
}

/// The places that a row of a segment belongs to: the whole, and its segment if it is one that is looked at.
pub(super) fn places(segment: u16, chunk: i32, segments: usize) -> impl Iterator<Item = Place> {
    let own = (usize::from(segment) < segments).then_some(Place { segment: Some(segment), chunk });
    [Some(Place { segment: None, chunk }), own].into_iter().flatten()
}
