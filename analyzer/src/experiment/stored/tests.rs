//! Requests over the store, and what sources say of one experiment together.

use std::collections::BTreeMap;

use windvane_stats::experiment::sums::Sums;

use super::super::facts::Part;
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

// The option `--weights` does not go with an experiment of the configuration.
#[test]
fn an_arm_without_a_share_is_told_by_the_table_that_gives_it_one() {
    let experiment = experiment();
    let asked = request(&experiment, &experiment.metrics[0].table, &[0]).unwrap();
    let error = ExperimentError::NoWeight { arm: "C".to_owned() };
    let told = in_own_words(&experiment, (&asked, &[0]), error).to_string();
    assert!(told.contains("arm `C`") && told.contains("[experiments.e.arms]"), "{told}");
}

// Nobody over the store gave a column of arms.
#[test]
fn too_many_arms_are_told_as_what_was_sent() {
    let experiment = experiment();
    let asked = request(&experiment, &experiment.metrics[0].table, &[0]).unwrap();
    let error = ExperimentError::TooManyArms { column: asked.arm.clone(), max: 64 };
    let told = in_own_words(&experiment, (&asked, &[0]), error).to_string();
    assert!(told.starts_with("units of experiment `e` are in more than 64 arms"), "{told}");
}

#[test]
fn a_segment_has_the_metrics_of_every_source_and_is_left_out_where_one_lacks_it() {
    let experiment = experiment();
    let mut parts = StoredParts::default();
    let of =
        |segments: Vec<Part>, segments_left_out| Parts { segments, segments_left_out, ..Parts::default() };
    parts.add(&of(vec![part("x", "revenue #0"), part("y", "revenue #0")], 1), &[0], &experiment);
    parts.add(&of(vec![part("x", "score #0")], 2), &[1], &experiment);
    let whole = parts.whole();
    assert_eq!((whole.segments.len(), whole.segments_left_out), (1, 2));
    let [segment] = whole.segments.as_slice() else { panic!("{:?}", whole.segments) };
    assert_eq!(segment.values, BTreeMap::from([("unit".to_owned(), Some("x".to_owned()))]));
    let names: Vec<&str> = segment.facts.metrics.iter().map(|metric| metric.metric.name.as_str()).collect();
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
    assert_eq!((asked.cuts.segment_by.len(), asked.cuts.stratify.as_deref()), (1, Some("region #segment")));
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
