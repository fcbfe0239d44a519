//! How much metrics of a few rows scatter, as the reference shows it: the sampling errors of estimates.

use std::collections::BTreeMap;

use windvane_stats::performance::estimate::SamplingError;
use windvane_stats::performance::mean::WeightedMean;
use windvane_stats::performance::ranked::{Ranked, Scored};
use windvane_store::performance::ScoreRow;

/// By how much a mean of areas scatters more than independent classes would: they share their rows. NannyML's number, from its experiments.
const AREAS_WIDENED: f64 = 1.2;

/// What one class's rows show.
#[derive(Debug, Clone, Default)]
struct Class {
    ranked: Ranked,
    /// By truth and predicted class, of rows that have one: hits, misses, false alarms, right rejections.
    counts: [f64; 4],
    log_loss: WeightedMean,
    brier: WeightedMean,
}

/// All classes.
#[derive(Debug, Clone)]
pub(super) struct Scatter {
    classes: Vec<Class>,
}

impl Scatter {
    pub(super) fn new(classes: usize) -> Self {
        Self { classes: vec![Class::default(); classes] }
    }

    pub(super) fn push(&mut self, row: &ScoreRow, positive: bool) {
        let Some(class) = self.classes.get_mut(usize::from(row.class)) else { return };
        class.ranked.push(Scored { score: row.score, weight: 1.0, positive });
        if let Some(predicted) = row.predicted {
            let at = match (positive, predicted) {
                (true, true) => 0,
                (true, false) => 1,
                (false, true) => 2,
                (false, false) => 3,
            };
            class.counts[at] += 1.0;
        }
        let p = row.score.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
        let given = if positive { p } else { 1.0 - p };
        class.log_loss.push(-given.ln(), 1.0);
        class.brier.push((1.0 - given) * (1.0 - given), 1.0);
    }

    /// The area of each class.
    pub(super) fn areas(&self) -> Vec<Option<f64>> {
        self.classes.iter().map(|class| class.ranked.clone().finish().roc_auc(0.95).value).collect()
    }

    /// The sampling errors by metric.
    pub(super) fn finish(self, several: bool) -> BTreeMap<&'static str, SamplingError> {
        let of: Vec<BTreeMap<&'static str, SamplingError>> =
            self.classes.into_iter().map(Class::finish).collect();
        if !several {
            return of.into_iter().next().unwrap_or_default();
        }
        // A mean over classes scatters as the mean of variances over the number of classes would if classes were independent.
        let names = [
            ("roc_auc", "roc_auc_macro"),
            ("precision", "precision_macro"),
            ("recall", "recall_macro"),
            ("specificity", "specificity_macro"),
            ("f1", "f1_macro"),
        ];
        let mut errors: BTreeMap<&'static str, SamplingError> = names
            .into_iter()
            .filter_map(|(one, averaged)| {
                let errors: Option<Vec<SamplingError>> =
                    of.iter().map(|class| class.get(one).copied()).collect();
                let errors = errors?;
                let n = errors.len() as f64;
                let variance: f64 =
                    errors.iter().map(|error| error.deviation * error.deviation / error.share).sum();
                let widened = if one == "roc_auc" { AREAS_WIDENED } else { 1.0 };
                Some((averaged, SamplingError { deviation: widened * variance.sqrt() / n, share: 1.0 }))
            })
            .collect();
        let hits: Option<f64> = of.iter().map(|class| Some(class.get("hits")?.deviation)).sum();
        if let Some(hits) = hits {
            errors.insert("accuracy", SamplingError::of_share(hits, 1.0));
        }
        errors
    }
}

impl Class {
    fn finish(self) -> BTreeMap<&'static str, SamplingError> {
        let [hits, misses, false_alarms, rejections] = self.counts;
        let total = hits + misses + false_alarms + rejections;
        let share = |part: f64, of: f64| (of > 0.0).then(|| SamplingError::of_share(part / of, of / total));
        let union = hits + misses + false_alarms;
        let mut errors = BTreeMap::new();
        let mut keep = |name: &'static str, error: Option<SamplingError>| {
            if let Some(error) = error.filter(|error| error.deviation.is_finite() && error.share > 0.0) {
                errors.insert(name, error);
            }
        };
        keep("accuracy", share(hits + rejections, total));
        keep("precision", share(hits, hits + false_alarms));
        keep("recall", share(hits, hits + misses));
        keep("specificity", share(rejections, rejections + false_alarms));
        // F1 is Jaccard's share of the union, stretched so that its mean is F1.
        let stretch = union / ((misses + false_alarms) / 2.0 + hits);
        keep(
            "f1",
            share(hits, union).map(|error| SamplingError { deviation: stretch * error.deviation, ..error }),
        );
        // What several classes add up: the share of all rows that are hits of this class.
        keep("hits", (total > 0.0).then_some(SamplingError { deviation: hits / total, share: 1.0 }));
        let of_mean = |mean: &WeightedMean| {
            mean.variance().map(|variance| SamplingError { deviation: variance.sqrt(), share: 1.0 })
        };
        keep("log_loss", of_mean(&self.log_loss));
        keep("brier", of_mean(&self.brier));
        let walked = self.ranked.finish();
        keep("roc_auc", walked.auc_scatter().map(|[deviation, share]| SamplingError { deviation, share }));
        let positives = walked.positives() / walked.weight();
        keep("pr_auc", walked.pr_auc(0.95).value.map(|value| SamplingError::of_share(value, positives)));
        errors
    }
}
