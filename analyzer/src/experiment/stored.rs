//! Experiments over the store: a definition in, the same document as over a file out.

use std::collections::BTreeMap;
use std::time::Duration;

use windvane_stats::experiment::sums::Sums;
use windvane_store::{
    Reader,
    experiment::{
        ARM, Exposed, ExposedBy, FIRST, RecordColumn, RecordTable, Recorded, SEGMENT, UNIT, When, Without,
        alone, arms_of_units, stored, whole,
    },
};
use windvane_types::experiment::Document;
use windvane_types::span::in_words;

use super::{
    Cuts, ExperimentError, Metric,
    anytime::AnytimeQuantile,
    facts::{Extremes, Facts, MetricFacts, Part, Parts},
    gather,
    metric::{Before, Measured},
    request::{ExperimentRequest, Rule},
    stored_timing,
};

/// What is said of the option or key that asks for strata which an arm may have made.
const STRATUM_OF_THE_ARM: &str = "cannot be `version` or `environment` where predictions expose units: they may be \
     what the arm chose, and strata have to be known before; give a tag or a categorical feature";
/// What is said of the option or key that asks for strata beside a covariate.
const STRATIFY_OR_COVARIATE: &str =
    "and a covariate (`covariate_window`) both take out what was there before: give one of them";

/// An experiment as the configuration defines it.
#[derive(Debug, Clone)]
pub struct StoredExperiment {
    /// Whose exposures count, and for how long.
    pub exposed: Exposed,
    /// The metrics with where they are recorded, at least one.
    pub metrics: Vec<StoredMetric>,
    /// Means, proportions and ratios are adjusted by the unit's own value this long before its first exposure, microseconds; not at all
    /// where `None`.
    pub covariate_us: Option<i64>,
    /// The least units of a segment, where [`Exposed::segment_by`] names any.
    pub segment_units_min: u64,
    /// Within what means and proportions are compared (post-stratification), told as a segment is; not at all where `None`.
    pub stratify: Option<String>,
    /// Which checks are made that take another scan of the records.
    pub checks: StoredChecks,
    /// How answers become verdicts.
    pub rule: Rule,
}

/// Checks of an experiment over the store that are not made by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoredChecks {
    /// Whether the effect lasts, by the day of a unit's first exposure.
    pub novelty: bool,
    /// Whether the extreme units of means carry their effect.
    pub outliers: bool,
    /// Whether units met an arm before the exposure that counts, and whether one arm's records come late more often: later than this
    /// after their time, microseconds.
    pub late_after_us: Option<i64>,
}

impl StoredExperiment {
    /// Why the strata that are asked for cannot be: what is to be said of the option or key.
    #[must_use]
    pub fn strata_refused(&self) -> Option<&'static str> {
        let stratify = self.stratify.as_deref()?;
        match () {
            () if self.covariate_us.is_some() => Some(STRATIFY_OR_COVARIATE),
            () if ["version", "environment"].contains(&stratify)
                && self.exposed.by == ExposedBy::Predictions =>
            {
                Some(STRATUM_OF_THE_ARM)
            }
            () => None,
        }
    }

    /// Whose exposures count, with everything that units are cut by.
    fn exposed(&self) -> Exposed {
        let mut exposed = self.exposed.clone();
        if let Some(stratify) = self.stratify.as_ref().filter(|name| !exposed.segment_by.contains(name)) {
            exposed.segment_by.push(stratify.clone());
        }
        exposed
    }

    /// The experiment as it was at a time: exposures and records before it, microseconds since 1970 UTC.
    #[must_use]
    pub fn as_of(&self, us: i64) -> Self {
        Self { exposed: Exposed { end_us: us, ..self.exposed.clone() }, ..self.clone() }
    }
}

/// A metric and where its numbers are.
#[derive(Debug, Clone)]
pub struct StoredMetric {
    /// The metric; a ratio's denominator is a column of the same table.
    pub metric: Metric,
    /// The table.
    pub table: RecordTable,
    /// The column of the value or of the numerator.
    pub column: String,
}

/// What a metric needs of a unit's records. Metrics of one table that need the same are read together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Needs {
    /// Their sums.
    Sums,
    /// Each of them.
    Records,
}

impl StoredMetric {
    fn source(&self) -> (&RecordTable, Needs) {
        let needs = match self.metric.measured {
            Measured::Quantile { .. } => Needs::Records,
            Measured::Mean | Measured::Proportion | Measured::Ratio { .. } => Needs::Sums,
        };
        (&self.table, needs)
    }

    /// The first of its columns that its table does not have.
    #[must_use]
    pub fn unknown_column(&self) -> Option<&str> {
        let denominator = match &self.metric.measured {
            Measured::Ratio { denominator } => Some(denominator.as_str()),
            _ => None,
        };
        [Some(self.column.as_str()), denominator]
            .into_iter()
            .flatten()
            .find(|column| self.table.expression(column).is_none())
    }
}

/// Compares the arms of an experiment over the store.
///
/// # Errors
/// As [`super::run`]; strata that cannot be.
pub async fn run_stored(reader: &Reader, experiment: &StoredExperiment) -> Result<Document, ExperimentError> {
    if let Some(refused) = experiment.strata_refused() {
        return Err(ExperimentError::Summary { problem: format!("`stratify` {refused}") });
    }
    let mut sources: Vec<(&RecordTable, Needs)> =
        experiment.metrics.iter().map(StoredMetric::source).collect();
    sources.sort();
    sources.dedup();
    let mut whole: Option<Facts> = None;
    let mut found = vec![None; experiment.metrics.len()];
    let mut parts = StoredParts::default();
    for source in sources {
        let table = source.0;
        let places: Vec<usize> = (0..experiment.metrics.len())
            .filter(|place| experiment.metrics[*place].source() == source)
            .collect();
        let asked = request(experiment, table, &places)?;
        let facts = gather::gather(reader, &asked).await;
        let facts = facts.map_err(|error| in_own_words(experiment, (&asked, &places), error))?;
        for (place, metric) in places.iter().zip(&facts.metrics) {
            let mut metric = named(experiment, *place, metric.clone());
            metric.notes.extend(strata_told(experiment, *place));
            found[*place] = Some(metric);
        }
        parts.add(&facts.parts, &places, experiment);
        // Every source's population has the same exposed units.
        whole.get_or_insert(facts);
    }
    let Some(facts) = whole else {
        return Err(ExperimentError::Summary { problem: "the experiment has no metrics".to_owned() });
    };
    let metrics = found.into_iter().flatten().collect();
    let timed = stored_timing::timed(reader, experiment, &facts.arms).await?;
    let facts = Facts { rows: None, metrics, parts: Parts { timed, ..parts.whole() }, ..facts };
    super::judged(&facts, &experiment.rule)
}

/// The error about a metric by its own name, in place of that of a column of the population.
fn in_own_words(
    experiment: &StoredExperiment,
    (asked, places): (&ExperimentRequest, &[usize]),
    error: ExperimentError,
) -> ExperimentError {
    match error {
        ExperimentError::NotAProportion { metric, units } => {
            let found = asked.metrics.iter().zip(places).find(|(asked, _)| asked.name == metric);
            let own = found.map(|(_, place)| experiment.metrics[*place].metric.name.clone());
            ExperimentError::NotAProportion { metric: own.unwrap_or(metric), units }
        }
        other => other,
    }
}

/// A metric of the experiment under its own names, with what was attributed to units.
fn named(experiment: &StoredExperiment, place: usize, mut metric: MetricFacts) -> MetricFacts {
    let StoredMetric { metric: own, table, .. } = &experiment.metrics[place];
    metric.metric = own.clone();
    if let (Some(_), Some(us)) = (&metric.covariate, experiment.covariate_us) {
        let before = in_words(Duration::from_micros(us.unsigned_abs()));
        metric.covariate = Some(format!("{} in the {before} before", own.name));
    }
    metric.notes.insert(0, attributed(experiment, table));
    metric
}

/// Where the strata of a metric come from, for the ledger; segments have none.
fn strata_told(experiment: &StoredExperiment, place: usize) -> Option<String> {
    let stratify = experiment.stratify.as_ref().filter(|_| experiment.metrics[place].metric.has_strata())?;
    let told = match experiment.exposed.by {
        ExposedBy::Predictions => "of the prediction that first exposed a unit",
        ExposedBy::Exposures | ExposedBy::Records => {
            "of a unit's latest prediction before its first exposure"
        }
    };
    Some(format!("strata: `{stratify}` {told}"))
}

/// The values of a segment: column → value.
type Values = BTreeMap<String, Option<String>>;

/// A segment that one source has, with the metrics of the sources so far.
struct StoredSegment {
    facts: Facts,
    metrics: Vec<Option<MetricFacts>>,
}

/// The parts of all sources, with the metrics in the order of the experiment.
#[derive(Default)]
struct StoredParts {
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
    fn add(&mut self, parts: &Parts, places: &[usize], experiment: &StoredExperiment) {
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
    fn whole(self) -> Parts {
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

/// The request over one table: metrics under the names that its population gives them.
pub(super) fn request(
    experiment: &StoredExperiment,
    table: &RecordTable,
    places: &[usize],
) -> Result<ExperimentRequest, ExperimentError> {
    let strata = places.iter().any(|place| experiment.metrics[*place].metric.has_strata());
    let mut columns: Vec<RecordColumn> = Vec::new();
    let mut name_of = |column: &str, (without, when): (Without, When)| {
        let known = columns
            .iter()
            .find(|known| known.column == column && known.without == without && known.when == when);
        known.map(|known| known.name.clone()).unwrap_or_else(|| {
            let name = format!("{column} #{}", columns.len());
            columns.push(RecordColumn { name: name.clone(), column: column.to_owned(), without, when });
            name
        })
    };
    let metrics = places
        .iter()
        .map(|place| {
            let StoredMetric { metric, column, .. } = &experiment.metrics[*place];
            let without = match metric.measured {
                Measured::Quantile { .. } => Without::Nothing,
                _ => Without::Zero,
            };
            let measured = match &metric.measured {
                Measured::Ratio { denominator } => {
                    Measured::Ratio { denominator: name_of(denominator, (without, When::After)) }
                }
                other => other.clone(),
            };
            let before = experiment.covariate_us.map(|us| (Without::Zero, When::Before(us)));
            let (covariate, before) = match (&metric.measured, before) {
                (Measured::Mean | Measured::Proportion, Some(before)) => {
                    (Some(name_of(column, before)), None)
                }
                (Measured::Ratio { denominator }, Some(before)) => {
                    let numerator = name_of(column, before);
                    (None, Some(Before { numerator, denominator: name_of(denominator, before) }))
                }
                _ => (None, None),
            };
            let name = name_of(column, (without, When::After));
            Metric { name, measured, covariate, before, ..metric.clone() }
        })
        .collect();
    let recorded = Recorded { table: table.clone(), columns };
    let exposed = experiment.exposed();
    let population = stored(&exposed, &recorded).ok_or_else(|| ExperimentError::Summary {
        problem: "a metric names a column that its table does not have".to_owned(),
    })?;
    Ok(ExperimentRequest {
        population,
        whole: whole(&exposed, &recorded),
        alone: alone(&exposed, &recorded),
        arms: recorded.of_units().then(|| arms_of_units(&exposed, &recorded)),
        unit: UNIT.to_owned(),
        arm: ARM.to_owned(),
        metrics,
        covariate: None,
        cuts: Cuts {
            segment_by: experiment.exposed.segment_by.iter().map(|name| format!("{name}{SEGMENT}")).collect(),
            segment_units_min: experiment.segment_units_min,
            stratify: experiment.stratify.as_ref().filter(|_| strata).map(|name| format!("{name}{SEGMENT}")),
            timestamp: experiment.checks.novelty.then(|| FIRST.to_owned()),
            outliers: experiment.checks.outliers,
            ..Cuts::default()
        },
        rule: experiment.rule.clone(),
    })
}

fn attributed(experiment: &StoredExperiment, table: &RecordTable) -> String {
    let what = match table {
        RecordTable::Measurements => "measurements".to_owned(),
        RecordTable::Predictions { model } => format!("predictions of `{model}`"),
        RecordTable::Outcomes { model } => format!("outcomes of `{model}`"),
    };
    format!(
        "attributed: {what} within {} after a unit's first exposure; none counts as 0 except in a quantile",
        in_words(Duration::from_micros(experiment.exposed.window_us.unsigned_abs()))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn experiment() -> StoredExperiment {
        let metric = |name: &str, table| StoredMetric {
            metric: Metric::new(name, Measured::Mean),
            table,
            column: name.to_owned(),
        };
        StoredExperiment {
            exposed: Exposed {
                experiment: "e".to_owned(),
                by: ExposedBy::Predictions,
                start_us: None,
                end_us: 0,
                window_us: 86_400_000_000,
                segment_by: vec!["unit".to_owned()],
            },
            metrics: vec![
                metric("revenue", RecordTable::Measurements),
                metric("score", RecordTable::Predictions { model: "m".to_owned() }),
            ],
            covariate_us: None,
            segment_units_min: 1,
            stratify: None,
            checks: StoredChecks::default(),
            rule: Rule::against("A"),
        }
    }

    /// A segment as one source tells it, under the column's name in the population.
    fn part(value: &str, column: &str) -> Part {
        let metric = MetricFacts {
            metric: Metric::new(column, Measured::Mean),
            covariate: None,
            arms: Vec::new(),
            notes: Vec::new(),
            reason: None,
        };
        Part {
            values: BTreeMap::from([(format!("unit{SEGMENT}"), Some(value.to_owned()))]),
            facts: Facts {
                source: "e".to_owned(),
                rows: None,
                unassigned: 0,
                units: 0,
                several: 0,
                arms: Vec::new(),
                metrics: vec![metric],
                parts: Parts::default(),
            },
        }
    }

    #[test]
    fn a_segment_has_the_metrics_of_every_source_and_is_left_out_where_one_lacks_it() {
        let experiment = experiment();
        let mut parts = StoredParts::default();
        let of = |segments: Vec<Part>, segments_left_out| Parts {
            segments,
            segments_left_out,
            ..Parts::default()
        };
        parts.add(&of(vec![part("x", "revenue #0"), part("y", "revenue #0")], 1), &[0], &experiment);
        parts.add(&of(vec![part("x", "score #0")], 2), &[1], &experiment);
        let whole = parts.whole();
        assert_eq!((whole.segments.len(), whole.segments_left_out), (1, 2));
        let [segment] = whole.segments.as_slice() else { panic!("{:?}", whole.segments) };
        assert_eq!(segment.values, BTreeMap::from([("unit".to_owned(), Some("x".to_owned()))]));
        let names: Vec<&str> =
            segment.facts.metrics.iter().map(|metric| metric.metric.name.as_str()).collect();
        assert_eq!(names, ["revenue", "score"]);
        assert!(segment.facts.metrics[1].notes[0].contains("predictions of `m`"));
    }

    #[test]
    fn an_error_names_the_metric_and_not_its_column() {
        let mut experiment = experiment();
        experiment.metrics[1].metric = Metric::new("bought", Measured::Proportion);
        let table = RecordTable::Predictions { model: "m".to_owned() };
        let asked = request(&experiment, &table, &[1]).unwrap();
        let error = ExperimentError::NotAProportion { metric: asked.metrics[0].name.clone(), units: 3 };
        let told = in_own_words(&experiment, (&asked, &[1]), error).to_string();
        assert!(told.starts_with("metric `bought` is a proportion, but 3 units"), "{told}");
    }

    #[test]
    fn a_ratio_is_adjusted_by_its_own_two_sums_before() {
        let mut experiment = experiment();
        experiment.covariate_us = Some(86_400_000_000);
        experiment.metrics[1].metric.measured = Measured::Ratio { denominator: "rows".to_owned() };
        let table = RecordTable::Predictions { model: "m".to_owned() };
        let asked = request(&experiment, &table, &[1]).unwrap();
        let [metric] = asked.metrics.as_slice() else { panic!("{:?}", asked.metrics) };
        let before = metric.before.clone().unwrap();
        let mut names = vec![before.numerator, before.denominator, metric.name.clone()];
        names.extend(metric.denominator().map(str::to_owned));
        assert!(names.iter().all(|name| asked.population.column(name).is_some()), "{names:?}");
        names.sort();
        names.dedup();
        assert_eq!((names.len(), &metric.covariate), (4, &None));
        assert!(request(&experiment, &RecordTable::Measurements, &[0]).unwrap().metrics[0].before.is_none());
    }

    // The first source has the second metric, the other one has the first.
    #[test]
    fn strata_keep_the_places_of_their_metrics() {
        let sums = |mean: f64| vec![vec![Sums::of(2, 2.0 * mean, 2.0 * mean * mean + 1.0).unwrap()]];
        let experiment = experiment();
        let mut parts = StoredParts::default();
        let of = |mean| Parts { strata: vec![sums(mean)], ..Parts::default() };
        parts.add(&of(7.0), &[1], &experiment);
        parts.add(&of(3.0), &[0], &experiment);
        assert_eq!(parts.whole().strata, [sums(3.0), sums(7.0)]);
    }

    #[test]
    fn strata_are_columns_of_their_own_and_are_refused_where_an_arm_may_have_made_them() {
        let mut experiment = StoredExperiment { stratify: Some("region".to_owned()), ..experiment() };
        let asked = request(&experiment, &RecordTable::Measurements, &[0]).unwrap();
        assert_eq!(
            (asked.cuts.segment_by.len(), asked.cuts.stratify.as_deref()),
            (1, Some("region #segment"))
        );
        assert!(asked.population.column("region #segment").is_some());
        assert_eq!(experiment.strata_refused(), None);
        for chosen in ["version", "environment"] {
            experiment.stratify = Some(chosen.to_owned());
            assert!(experiment.strata_refused().unwrap().contains("what the arm chose"));
        }
        experiment.exposed.by = ExposedBy::Exposures;
        assert_eq!(experiment.strata_refused(), None);
        experiment.covariate_us = Some(1);
        assert!(experiment.strata_refused().unwrap().contains("covariate_window"));
    }

    /// A tag may be called as a column of the population is.
    #[test]
    fn a_segment_called_unit_is_not_the_unit() {
        let asked = request(&experiment(), &RecordTable::Measurements, &[0]).unwrap();
        assert_eq!(asked.cuts.segment_by, ["unit #segment"]);
        let units = asked.population.column(UNIT).unwrap();
        let segment = asked.population.column(&asked.cuts.segment_by[0]).unwrap();
        assert_ne!(units.storage, segment.storage);
    }
}
