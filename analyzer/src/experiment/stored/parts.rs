//! The segments, days and strata of several sources as those of one experiment, with the metrics of all of them.

use std::collections::BTreeMap;

use windvane_stats::experiment::sums::Sums;
use windvane_store::experiment::SEGMENT;

use super::super::{
    anytime::AnytimeQuantile,
    facts::{Extremes, Facts, MetricFacts, Part, Parts},
};
use super::{StoredExperiment, named};

/// The values of a segment: column → value.
type Values = BTreeMap<String, Option<String>>;

/// A segment that one source has, with the metrics of the sources so far.
struct StoredSegment {
    facts: Facts,
    metrics: Vec<Option<MetricFacts>>,
}

/// The parts of all sources, with the metrics in the order of the experiment.
#[derive(Default)]
pub(super) struct StoredParts {
    segments: BTreeMap<Values, StoredSegment>,
    /// Segments of the source that has most, those that are left out among them.
    segments_there: u64,
    days: BTreeMap<i32, Vec<Option<MetricFacts>>>,
    extremes: Vec<Extremes>,
    anytime: Vec<AnytimeQuantile>,
    /// For each metric, for each stratum, the sums by arm; empty where no source has strata.
    strata: Vec<Vec<Vec<Sums>>>,
    /// For each stratum the units by arm, of the first source that has strata.
    strata_units: Vec<Vec<u64>>,
}

impl StoredParts {
    /// Adds those of one source, whose metrics have these places.
    pub(super) fn add(&mut self, parts: &Parts, places: &[usize], experiment: &StoredExperiment) {
        let metrics = experiment.metrics.len();
        let there = parts.segments.len() as u64 + parts.segments_left_out;
        self.segments_there = self.segments_there.max(there);
        let anytime = |found: &[AnytimeQuantile]| -> Vec<AnytimeQuantile> {
            let placed = |it: &AnytimeQuantile| AnytimeQuantile { metric: places[it.metric], ..it.clone() };
            found.iter().map(placed).collect()
        };
        for part in &parts.segments {
            let known = self.segments.entry(own_names(&part.values)).or_insert_with(|| StoredSegment {
                facts: Facts { parts: Parts::default(), ..part.facts.clone() },
                metrics: vec![None; metrics],
            });
            known.facts.parts.anytime.extend(anytime(&part.facts.parts.anytime));
            for (place, metric) in places.iter().zip(&part.facts.metrics) {
                known.metrics[*place] = Some(named(experiment, *place, metric.clone()));
            }
        }
        for (day, found) in &parts.days {
            let of_day = self.days.entry(*day).or_insert_with(|| vec![None; metrics]);
            for (place, metric) in places.iter().zip(found) {
                of_day[*place] = Some(metric.clone());
            }
        }
        if self.strata_units.is_empty() {
            self.strata_units.clone_from(&parts.strata_units);
        }
        if !parts.strata.is_empty() {
            self.strata.resize(metrics, Vec::new());
            for (place, found) in places.iter().zip(&parts.strata) {
                self.strata[*place].clone_from(found);
            }
        }
        let placed = |found: &Extremes| Extremes { metric: places[found.metric], ..found.clone() };
        self.extremes.extend(parts.extremes.iter().map(placed));
        self.anytime.extend(anytime(&parts.anytime));
    }

    /// Every source has the same exposed units, so a day that one lacks has none; and a segment that one lacks, because units came
    /// between two statements, is left out.
    pub(super) fn whole(self) -> Parts {
        let whole = |(day, metrics): (i32, Vec<Option<MetricFacts>>)| {
            Some((day, metrics.into_iter().collect::<Option<Vec<_>>>()?))
        };
        let segment = |(values, StoredSegment { facts, metrics }): (Values, StoredSegment)| {
            let metrics = metrics.into_iter().collect::<Option<Vec<_>>>()?;
            Some(Part { values, facts: Facts { metrics, ..facts } })
        };
        let segments: Vec<Part> = self.segments.into_iter().filter_map(segment).collect();
        Parts {
            segments_left_out: self.segments_there.saturating_sub(segments.len() as u64),
            segments,
            days: self.days.into_iter().filter_map(whole).collect(),
            extremes: self.extremes,
            anytime: self.anytime,
            strata: self.strata,
            strata_units: self.strata_units,
            ..Parts::default()
        }
    }
}

/// The names that people gave for those of the population's columns.
fn own_names(values: &Values) -> Values {
    let own = |name: &String| name.strip_suffix(SEGMENT).unwrap_or(name).to_owned();
    values.iter().map(|(name, value)| (own(name), value.clone())).collect()
}
