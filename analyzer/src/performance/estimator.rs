//! Estimators: what the reference teaches about rows whose truth is not known.
//!
//! Of numbers: models of what a row loses (`losses`). Of classes: a calibration of each class's scores, and how much metrics scatter. The calibration is used only where it makes
//! probabilities truer on rows that it was not fitted on: ten folds, each calibrated by the nine others, compared by the expected
//! calibration error in ten bins of equal counts.

use std::collections::BTreeMap;
use std::sync::Arc;

use windvane_stats::performance::estimate::{Estimates, SamplingError};
use windvane_stats::performance::isotonic::{Fitting, Isotonic};
use windvane_store::performance::{
    Calibrated, Chunking, FOLDS, Frame, ScoreRow, ScoreRows, ScoreSink, ScoresAsked, scores,
};
use windvane_store::populations::SegmentKeys;
use windvane_types::performance::Task;

use super::PerformanceError;
use super::measure::class_count;
use super::part::Estimate;
use super::side::Side;
use super::walks::Probability;

mod losses;
mod scatter;

use losses::Losses;
use scatter::Scatter;

/// Bins of equal counts in which two calibrations are compared.
const BINS: u64 = 10;
/// What needs a score and no predicted class.
const OF_SCORES: [&str; 5] = ["roc_auc", "pr_auc", "log_loss", "brier", "roc_auc_macro"];
/// A classifier that is better than this is left as it is: there is too little to learn from.
const NEARLY_PERFECT: f64 = 0.999;

/// What the reference has taught.
#[derive(Debug, Clone)]
pub(super) struct Estimator {
    /// Of each class; `None` where its scores are left as they are.
    calibrations: Vec<Option<Arc<Isotonic>>>,
    scatter: BTreeMap<&'static str, SamplingError>,
    several: bool,
    /// Of regressions.
    losses: Option<Losses>,
}

impl Estimator {
    /// The models of a regression.
    pub(super) fn losses(&self) -> Option<&Losses> {
        self.losses.as_ref()
    }

    /// What makes a score of a walk a probability.
    pub(super) fn probability(&self, by_class: bool) -> Probability {
        match self.calibrations.first() {
            _ if by_class => Probability::InRow,
            Some(Some(lines)) => Probability::Lines(Arc::clone(lines)),
            _ => Probability::AsIs,
        }
    }

    /// The estimated metrics of a part.
    pub(super) fn of_classes(&self, expected: &[Estimates]) -> BTreeMap<&'static str, Estimate> {
        let values = match self.several {
            false => expected.first().map(two_classes).unwrap_or_default(),
            true => several_classes(expected),
        };
        let (rows, classed) =
            expected.first().map_or((0.0, 0.0), |expected| (expected.rows, expected.rows_classed));
        let estimate = |(name, value): (&'static str, Option<f64>)| {
            let value = value?;
            let rows = if OF_SCORES.contains(&name) { rows } else { classed };
            let range = if name == "log_loss" { [0.0, f64::INFINITY] } else { [0.0, 1.0] };
            let band = self.scatter.get(name).and_then(|error| error.band(value, rows, range));
            Some((name, Estimate { value, band }))
        };
        values.into_iter().filter_map(estimate).collect()
    }
}

/// The lines of all classes, for the statement.
pub(super) fn calibrated(estimator: &Estimator) -> Option<Calibrated> {
    let knots = |lines: &Arc<Isotonic>| lines.knots().map(<[f64]>::to_vec);
    Some(Calibrated {
        classes: estimator.calibrations.iter().map(|lines| lines.as_ref().map(knots)).collect(),
    })
}

fn two_classes(found: &Estimates) -> Vec<(&'static str, Option<f64>)> {
    vec![
        ("roc_auc", found.roc_auc),
        ("pr_auc", found.pr_auc),
        ("accuracy", found.accuracy),
        ("precision", found.precision),
        ("recall", found.recall),
        ("specificity", found.specificity),
        ("f1", found.f1),
        ("log_loss", found.log_loss),
        ("brier", found.brier),
    ]
}

/// Means over classes, one against the rest; every class needs a value.
fn several_classes(found: &[Estimates]) -> Vec<(&'static str, Option<f64>)> {
    let mean = |of: fn(&Estimates) -> Option<f64>| {
        let sum: Option<f64> = found.iter().map(of).sum();
        sum.map(|sum| sum / found.len() as f64).filter(|mean| mean.is_finite())
    };
    // Of one class against the rest a right prediction counts as the class itself: Σ over classes of expected hits.
    let hits: Option<f64> = found.iter().map(|class| class.hit_share).sum();
    vec![
        ("roc_auc_macro", mean(|class| class.roc_auc)),
        ("accuracy", hits),
        ("precision_macro", mean(|class| class.precision)),
        ("recall_macro", mean(|class| class.recall)),
        ("specificity_macro", mean(|class| class.specificity)),
        ("f1_macro", mean(|class| class.f1)),
    ]
}

/// Learns from a reference.
pub(super) async fn learn(side: &Side<'_>, classes: &[String]) -> Result<Estimator, PerformanceError> {
    if side.question.task == Task::Regression {
        let losses = Some(Losses::learn(side).await?);
        return Ok(Estimator { calibrations: Vec::new(), scatter: BTreeMap::new(), several: false, losses });
    }
    let none = SegmentKeys::default();
    let frame = side.framed(Chunking::Whole, &none, &[])?;
    let several = side.question.task == Task::Multiclass;
    let scored = if several { classes.len() } else { 1 };
    let first = First { folds: vec![Folds::default(); scored], scatter: Scatter::new(scored) };
    let first = read(side, (&frame, classes), first).await?;
    let areas = first.scatter.areas();
    let calibrations: Vec<Calibration> = first.folds.into_iter().map(Folds::finish).collect();
    let second =
        Second { compared: calibrations.iter().map(|c| Compared::new(c.rows)).collect(), calibrations };
    let second = read(side, (&frame, classes), second).await?;
    let calibrations = second.calibrations.into_iter().zip(second.compared).zip(areas);
    let chosen = calibrations.map(|((calibration, compared), area)| {
        let worth = compared.improves() && area.is_some_and(|area| area <= NEARLY_PERFECT);
        calibration.whole.filter(|_| worth).map(Arc::new)
    });
    Ok(Estimator {
        calibrations: chosen.collect(),
        scatter: first.scatter.finish(several),
        several,
        losses: None,
    })
}

async fn read<S: ScoreSink>(
    side: &Side<'_>,
    (frame, classes): (&Frame, &[String]),
    sink: S,
) -> Result<S, PerformanceError> {
    let asked = ScoresAsked {
        classes: class_count(side, classes),
        by_class: side.question.task == Task::Multiclass,
        unlabelled: false,
        calibrated: None,
    };
    Ok(side.reader.fold(&scores(frame, asked), "RowBinary", ScoreRows::new(sink)).await?.sink)
}

/// The fits of one class: of all rows, and of all but each fold.
#[derive(Debug, Clone, Default)]
struct Folds {
    whole: Fitting,
    without: [Fitting; FOLDS],
    rows: u64,
}

/// The calibrations of one class.
#[derive(Debug)]
struct Calibration {
    whole: Option<Isotonic>,
    without: [Option<Isotonic>; FOLDS],
    rows: u64,
}

impl Folds {
    fn finish(self) -> Calibration {
        Calibration {
            whole: self.whole.finish(),
            without: self.without.map(Fitting::finish),
            rows: self.rows,
        }
    }
}

/// The first reading: fits, and how metrics scatter.
#[derive(Debug)]
struct First {
    folds: Vec<Folds>,
    scatter: Scatter,
}

impl ScoreSink for First {
    fn push(&mut self, row: ScoreRow) {
        let Some(positive) = row.truth else { return };
        if let Some(folds) = self.folds.get_mut(usize::from(row.class)) {
            folds.rows += 1;
            folds.whole.push(row.score, row.weight, positive);
            for (fold, fitting) in folds.without.iter_mut().enumerate() {
                if fold != usize::from(row.fold) {
                    fitting.push(row.score, row.weight, positive);
                }
            }
        }
        self.scatter.push(&row, positive);
    }
}

/// The second reading: whether calibration helps on rows that it was not fitted on.
#[derive(Debug)]
struct Second {
    calibrations: Vec<Calibration>,
    compared: Vec<Compared>,
}

impl ScoreSink for Second {
    fn push(&mut self, row: ScoreRow) {
        let (Some(positive), class) = (row.truth, usize::from(row.class)) else { return };
        let (Some(calibration), Some(compared)) =
            (self.calibrations.get(class), self.compared.get_mut(class))
        else {
            return;
        };
        let fitted = calibration.without.get(usize::from(row.fold)).and_then(Option::as_ref);
        let probability = fitted.map_or(row.score, |fitted| fitted.at(row.score));
        compared.push(row.score, probability, f64::from(u8::from(positive)));
    }
}

/// Bins of equal counts by score: what was said, what calibration makes of it, what came true.
#[derive(Debug)]
struct Compared {
    rows: u64,
    seen: u64,
    bins: Vec<[f64; 3]>,
}

impl Compared {
    fn new(rows: u64) -> Self {
        Self { rows, seen: 0, bins: vec![[0.0; 3]; usize::try_from(BINS).unwrap_or(1)] }
    }

    fn push(&mut self, score: f64, probability: f64, truth: f64) {
        let at = self.seen * BINS / self.rows.max(1);
        self.seen += 1;
        if let Some(bin) = usize::try_from(at).ok().and_then(|at| self.bins.get_mut(at)) {
            bin.iter_mut().zip([score, probability, truth]).for_each(|(sum, x)| *sum += x);
        }
    }

    /// Whether calibrated probabilities are truer than the scores.
    fn improves(&self) -> bool {
        let gap = |place: usize| self.bins.iter().map(|bin| (bin[place] - bin[2]).abs()).sum::<f64>();
        let (before, after) = (gap(0), gap(1));
        after < before || !before.is_finite()
    }
}
