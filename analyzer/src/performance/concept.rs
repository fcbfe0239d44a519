//! Concept drift: whether the relation between features and truth changed, and what that does to the model's performance.
//!
//! A model of the monitored window says what would be true of the rows of the reference if the window's relation held there; the monitored
//! model's predictions of those rows are measured against that, and against what models of the reference itself say. Both are measured on
//! the same rows. Trees know nothing beyond the rows that they were made of, so the window has to cover the reference's features. The difference is the effect; how much it scatters without any
//! change is what models of different parts of the reference differ by.

use windvane_stats::performance::estimate::{Expected, Supposed};
use windvane_stats::performance::loss_model::LossModel;
use windvane_store::performance::FeatureRow;
use windvane_types::drift::Verdict;
use windvane_types::performance::{ConceptDrift, Task};

use super::PerformanceError;
use super::features::Features;
use super::side::Side;

/// Parts of the reference that models are made of, and that are measured.
const PARTS: usize = 6;
/// Rows of each part, and of the window, at most.
const ROWS_MAX: usize = 2_000;
/// Rows that each needs.
const ROWS_MIN: usize = 200;
/// How many standard deviations of the scatter an effect has to be.
const DEVIATIONS: f64 = 3.0;

/// Looks for concept drift.
pub(super) async fn look(
    reference: &Side<'_>,
    current: &Side<'_>,
    classes: &[String],
) -> Result<ConceptDrift, PerformanceError> {
    let task = reference.question.task;
    let metric = if task == Task::Regression { "mae" } else { "roc_auc" };
    let nothing = |reason: &str, fitted_on: usize| ConceptDrift {
        verdict: Verdict::InsufficientData,
        metric: metric.to_owned(),
        reference: None,
        under_new_concept: None,
        estimated_effect: None,
        noise: None,
        fitted_on: fitted_on as u64,
        reason: Some(reason.to_owned()),
    };
    let scored = reference.question.roles.score.is_some() || reference.question.roles.value.is_some();
    if !matches!(task, Task::Binary | Task::Regression) || !scored {
        return Ok(nothing("only of scores of two classes, and of numbers", 0));
    }
    let features = Features::learn(reference, classes).await?;
    if features.width() == 0 {
        return Ok(nothing("there are no features", 0));
    }
    let before = features.sample(reference, (classes, (ROWS_MAX * PARTS) as u64)).await?;
    let mut now = features.sample(current, (classes, ROWS_MAX as u64)).await?;
    // All models are made of as many rows.
    let size = now.len().min(before.len() / PARTS);
    if size < ROWS_MIN {
        return Ok(nothing("too few rows with a target", size));
    }
    now.truncate(size);
    let mut parts: Vec<&[FeatureRow]> = before.chunks(before.len() / PARTS).take(PARTS).collect();
    let Some(measured) = parts.pop() else { return Ok(nothing("too few rows with a target", 0)) };
    let of = |rows: &[FeatureRow]| metric_under(measured, &rows[..size.min(rows.len())], task);
    let known: Vec<f64> = parts.iter().filter_map(|rows| of(rows)).collect();
    let (Some(under_new), true) = (of(&now), known.len() == PARTS - 1) else {
        return Ok(nothing("the models say nothing", size));
    };
    let n = known.len() as f64;
    let mean = known.iter().sum::<f64>() / n;
    let noise =
        (known.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (n - 1.0) * (1.0 + 1.0 / n)).sqrt();
    let effect = under_new - mean;
    let verdict = if effect.abs() > DEVIATIONS * noise { Verdict::Drift } else { Verdict::NoDrift };
    Ok(ConceptDrift {
        verdict,
        metric: metric.to_owned(),
        reference: Some(mean),
        under_new_concept: Some(under_new),
        estimated_effect: Some(effect),
        noise: Some(noise),
        fitted_on: size as u64,
        reason: None,
    })
}

/// The metric of the predictions of some rows, if truth were what a model of other rows says.
fn metric_under(measured: &[FeatureRow], fitted: &[FeatureRow], task: Task) -> Option<f64> {
    let features = |rows: &[FeatureRow]| rows.iter().map(|row| row.features.clone()).collect::<Vec<_>>();
    let truths: Vec<f64> = fitted.iter().map(|row| row.truth).collect();
    let supposed = LossModel::fit(&features(fitted), &truths)?.predict(&features(measured));
    let rows = measured.iter().zip(&supposed);
    if task == Task::Regression {
        let (sum, weight) = rows.fold((0.0, 0.0), |(sum, weight), (row, truth)| {
            (sum + row.weight * (row.predicted - truth).abs(), weight + row.weight)
        });
        return (weight > 0.0).then(|| sum / weight);
    }
    let mut rows: Vec<(&FeatureRow, &f64)> = rows.collect();
    rows.sort_by(|a, b| b.0.predicted.total_cmp(&a.0.predicted));
    let mut expected = Expected::default();
    for (row, probability) in rows {
        let FeatureRow { predicted: score, weight, .. } = *row;
        let probability = probability.clamp(0.0, 1.0);
        expected.push(Supposed { score, probability, weight, predicted: false });
    }
    expected.finish().roc_auc
}
