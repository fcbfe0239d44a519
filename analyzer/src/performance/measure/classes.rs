//! Metrics of classifiers: counts of true and predicted classes, and walks over scores.

use std::collections::BTreeMap;

use windvane_stats::experiment::effect::Interval;
use windvane_stats::performance::confusion::{Average, ClassMetric, Confusion};
use windvane_stats::performance::{Measured, Undefined};
use windvane_store::performance::{ClassCount, Frame, ScoreRows, ScoresAsked, TallyRow, scores};
use windvane_types::performance::Task;

use crate::performance::PerformanceError;
use crate::performance::estimator::{Estimator, calibrated};
use crate::performance::part::{Part, Parts, Place, places};
use crate::performance::side::Side;
use crate::performance::walks::{ClassFound, Found, Plan, Walks};

/// Names of averages, by metric: macro, micro, weighted.
const AVERAGED: [(ClassMetric, [&str; 3]); 4] = [
    (ClassMetric::Precision, ["precision_macro", "precision_micro", "precision_weighted"]),
    (ClassMetric::Recall, ["recall_macro", "recall_micro", "recall_weighted"]),
    (ClassMetric::Specificity, ["specificity_macro", "specificity_micro", "specificity_weighted"]),
    (ClassMetric::F1, ["f1_macro", "f1_micro", "f1_weighted"]),
];
const AVERAGES: [Average; 3] = [Average::Macro, Average::Micro, Average::Weighted];

/// Measures all parts.
pub(super) async fn measure(
    side: &Side<'_>,
    frame: &Frame,
    (classes, estimator): (&[String], Option<&Estimator>),
    parts: &mut Parts,
) -> Result<(), PerformanceError> {
    let mut confusions = confusions(side, classes);
    let binary = side.question.task == Task::Binary;
    let has_scores = match binary {
        true => side.question.roles.score.is_some(),
        false => !side.question.roles.probabilities.is_empty(),
    };
    let mut found = match &side.walked {
        Some(walked) if estimator.is_none() => walked.clone(),
        _ if has_scores => walk(side, frame, (classes, estimator)).await?,
        _ => BTreeMap::new(),
    };
    let confidence = side.question.rule.confidence;
    for (place, part) in parts.iter_mut() {
        if has_scores {
            let found = found.remove(place);
            match binary {
                true => of_scores(part, found.as_ref()),
                false => of_probabilities(part, found.as_ref()),
            }
            if let (Some(estimator), Some(found)) = (estimator, &found) {
                part.estimates = estimator.of_classes(&found.expected);
            }
        }
        let confusion = confusions.remove(place).unwrap_or_else(|| Confusion::new(classes.len()));
        match binary {
            true => of_two_classes(part, &confusion, confidence),
            false => of_classes(part, &confusion, confidence),
        }
        part.confusion = confusion.rows();
    }
    Ok(())
}

/// How true and predicted classes go together, of rows that have both.
fn confusions(side: &Side<'_>, classes: &[String]) -> BTreeMap<Place, Confusion> {
    let by_score = side.question.task == Task::Binary && side.question.roles.label.is_none();
    let place = |class: &Option<String>| {
        let class = class.as_ref()?;
        classes.iter().position(|known| known == class)
    };
    // What a score says is not called by the names of the classes.
    let said = |row: &TallyRow| match row.said.as_deref() {
        Some(word) if by_score => Some(usize::from(word == "1")),
        _ => place(&row.said),
    };
    let mut confusions: BTreeMap<Place, Confusion> = BTreeMap::new();
    for row in &side.tally {
        let (Some(truth), Some(predicted)) = (place(&row.truth), said(row)) else { continue };
        for place in places(row.segment, row.chunk, side.segments.keys.len()) {
            let confusion = confusions.entry(place).or_insert_with(|| Confusion::new(classes.len()));
            confusion.push(truth, predicted, [row.weight.0, row.squares.0]);
        }
    }
    confusions
}

/// How classes are told.
pub(in crate::performance) fn class_count<'a>(side: &Side<'_>, classes: &'a [String]) -> ClassCount<'a> {
    let from_label = side.question.roles.label.is_some();
    ClassCount { classes, from_label, threshold: side.question.threshold }
}

/// Walks over the scores of a side.
async fn walk(
    side: &Side<'_>,
    frame: &Frame,
    (classes, estimator): (&[String], Option<&Estimator>),
) -> Result<BTreeMap<Place, Found>, PerformanceError> {
    let by_class = side.question.task == Task::Multiclass;
    let in_rows = estimator.filter(|_| by_class).and_then(calibrated);
    let asked = ScoresAsked {
        classes: class_count(side, classes),
        by_class,
        unlabelled: estimator.is_some(),
        calibrated: in_rows.as_ref(),
    };
    let plan = Plan {
        segments: side.segments.keys.len(),
        classes: if by_class { classes.len() } else { 1 },
        confidence: side.question.rule.confidence,
        estimate: estimator.map(|estimator| estimator.probability(by_class)),
    };
    let rows = ScoreRows::new(Walks::new(plan));
    Ok(side.reader.fold(&scores(frame, asked), "RowBinary", rows).await?.sink.finish())
}

fn of_scores(part: &mut Part, found: Option<&Found>) {
    let none = Measured::undefined(Undefined::NoRows);
    let class = found.and_then(|found| found.walked.first());
    let of = |metric: fn(&ClassFound) -> Measured| class.map_or(none, metric);
    part.push("roc_auc", of(|class| class.roc_auc));
    part.push("pr_auc", of(|class| class.pr_auc));
    part.push("log_loss", of(|class| class.log_loss));
    part.push("brier", of(|class| class.brier));
    part.push("ece", of(|class| class.ece));
    if let Some(class) = class {
        part.curve.clone_from(&class.curve);
        part.gains.clone_from(&class.gains);
    }
}

fn of_two_classes(part: &mut Part, confusion: &Confusion, confidence: f64) {
    part.push("accuracy", confusion.accuracy(confidence));
    for (name, metric) in [
        ("precision", ClassMetric::Precision),
        ("recall", ClassMetric::Recall),
        ("specificity", ClassMetric::Specificity),
        ("f1", ClassMetric::F1),
    ] {
        part.push(name, confusion.of_class(metric, 1, confidence));
    }
}

fn of_classes(part: &mut Part, confusion: &Confusion, confidence: f64) {
    part.push("accuracy", confusion.accuracy(confidence));
    for (metric, names) in AVERAGED {
        for (average, name) in AVERAGES.into_iter().zip(names) {
            part.push(name, confusion.average(metric, average, confidence));
        }
    }
}

/// One against the rest, averaged. Areas are of no class that does not occur, and so neither are their means.
fn of_probabilities(part: &mut Part, found: Option<&Found>) {
    let none = Measured::undefined(Undefined::NoRows);
    let (own, all) = match found {
        Some(Found { walked, .. }) => match walked.split_last() {
            Some((all, own)) => (own, Some(all)),
            None => (&[][..], None),
        },
        None => (&[][..], None),
    };
    let even = |_: &ClassFound| 1.0;
    let by_truth = |class: &ClassFound| class.positives;
    let areas = |weigh: &dyn Fn(&ClassFound) -> f64| averaged(own, weigh, &|class| class.roc_auc);
    part.push("roc_auc_macro", areas(&even));
    part.push("roc_auc_micro", all.map_or(none, |all| all.roc_auc));
    part.push("roc_auc_weighted", areas(&by_truth));
    let precisions = |weigh: &dyn Fn(&ClassFound) -> f64| averaged(own, weigh, &|class| class.pr_auc);
    part.push("pr_auc_macro", precisions(&even));
    part.push("pr_auc_micro", all.map_or(none, |all| all.pr_auc));
    part.push("pr_auc_weighted", precisions(&by_truth));
    part.push("log_loss", found.map_or(none, |found| found.log_loss));
    part.push("brier", found.map_or(none, |found| found.brier));
    part.push("ece", averaged(own, &even, &|class| class.ece));
}

/// The mean over classes. Metrics of classes go together, so their errors are added as if they did so wholly: the interval is too
/// wide rather than too narrow.
fn averaged(
    classes: &[ClassFound],
    weigh: &dyn Fn(&ClassFound) -> f64,
    of: &dyn Fn(&ClassFound) -> Measured,
) -> Measured {
    if classes.is_empty() || classes.iter().all(|class| class.weight <= 0.0) {
        return Measured::undefined(Undefined::NoRows);
    }
    let total: f64 = classes.iter().map(weigh).sum();
    let (mut value, mut errors) = (0.0, Some([0.0; 2]));
    for class in classes {
        let measured = of(class);
        let Some(of_class) = measured.value else {
            let reason = measured.reason.filter(|reason| *reason == Undefined::ScoreOutsideUnit);
            return Measured::undefined(reason.unwrap_or(Undefined::MissingClass));
        };
        let share = weigh(class) / total;
        value += share * of_class;
        let own = measured.interval.map(|ends| [of_class - ends.lo, ends.hi - of_class]);
        errors = errors.zip(own).map(|(sum, own)| [0, 1].map(|end| sum[end] + share * own[end]));
    }
    let interval = errors.map(|[below, above]| Interval { lo: value - below, hi: value + above });
    Measured::new(value, interval, "errors_added").within(0.0, 1.0)
}
