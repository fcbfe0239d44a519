//! Concept drift: whether the relation between features and truth changed, and what that does to the model's performance.
//!
//! A model of the monitored window says what would be true of the rows of the reference if the window's relation held there; the monitored
//! model's predictions of those rows are measured against that, and against what models of the reference itself say. Both are measured on
//! the same rows. Trees know nothing beyond the rows that they were made of, so the window has to cover the reference's features. The difference is the effect; how much it scatters without any
//! change is what models of different parts of the reference differ by: over their standard deviation it is Student's t, on one degree of
//! freedom less than there are of them.

use windvane_stats::performance::estimate::{Expected, Supposed};
use windvane_stats::performance::loss_model::LossModel;
use windvane_stats::survival;
use windvane_store::performance::FeatureRow;
use windvane_types::drift::Verdict;
use windvane_types::performance::{ConceptDrift, Task};

use super::PerformanceError;
use super::features::Features;
use super::side::Side;

/// Parts of the reference that models are made of, one that is measured included: as many as have the rows of the window each, within these
/// bounds. Of more parts the scatter is known better, and smaller effects are told from it.
const PARTS_MIN: usize = 6;
const PARTS_MAX: usize = 12;
/// Rows of each part, and of the window, at most.
const ROWS_MAX: usize = 2_000;
/// Rows that each needs.
const ROWS_MIN: usize = 200;
/// The share of windows without any change that are called drift.
const ALPHA: f64 = 0.01;
/// Up to this share of what is measured a difference is rounding.
const ROUNDING: f64 = 1e-12;

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
        chance: None,
        p_value: None,
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
    let before = features.sample(reference, (classes, (ROWS_MAX * PARTS_MAX) as u64)).await?;
    let mut now = features.sample(current, (classes, ROWS_MAX as u64)).await?;
    let number = parts(before.len(), now.len());
    // All models are made of as many rows.
    let size = now.len().min(before.len() / number);
    if size < ROWS_MIN {
        return Ok(nothing("too few rows with a target", size));
    }
    now.truncate(size);
    let mut parts: Vec<&[FeatureRow]> = before.chunks(before.len() / number).take(number).collect();
    let Some(measured) = parts.pop() else { return Ok(nothing("too few rows with a target", 0)) };
    let of = |rows: &[FeatureRow]| metric_under(measured, &rows[..size.min(rows.len())], task);
    let known: Vec<f64> = parts.iter().filter_map(|rows| of(rows)).collect();
    let (Some(under_new), true) = (of(&now), known.len() == number - 1) else {
        return Ok(nothing("the models say nothing", size));
    };
    Ok(judge((&known, under_new), (metric, size)))
}

/// Into how many parts so many rows of the reference are cut for so many of the window.
fn parts(before: usize, now: usize) -> usize {
    (before / now.max(ROWS_MIN)).clamp(PARTS_MIN, PARTS_MAX)
}

/// Whether a model of the window says more than chance makes of what models of the reference say, two of them or more.
fn judge((known, under_new): (&[f64], f64), (metric, fitted_on): (&str, usize)) -> ConceptDrift {
    let n = known.len() as f64;
    let mean = known.iter().sum::<f64>() / n;
    let variance = known.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (n - 1.0);
    // Models that say the same, as of features that never vary, differ by what rounding makes of it.
    let beyond_rounding = |x: f64| if x.abs() > ROUNDING * mean.abs() { x } else { 0.0 };
    let noise = beyond_rounding((variance * (1.0 + 1.0 / n)).sqrt());
    let effect = beyond_rounding(under_new - mean);
    let chance = survival::student_exceeded(ALPHA / 2.0, n - 1.0) * noise;
    ConceptDrift {
        verdict: if effect.abs() > chance { Verdict::Drift } else { Verdict::NoDrift },
        metric: metric.to_owned(),
        reference: Some(mean),
        under_new_concept: Some(under_new),
        estimated_effect: Some(effect),
        noise: Some(noise),
        chance: Some(chance),
        p_value: (noise > 0.0).then(|| survival::student_two_sided(effect / noise, n - 1.0)),
        fitted_on: fitted_on as u64,
        reason: None,
    }
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
        return (weight > 0.0).then(|| sum / weight).filter(|mean: &f64| mean.is_finite());
    }
    let mut rows: Vec<(&FeatureRow, &f64)> = rows.collect();
    rows.sort_by(|a, b| b.0.predicted.total_cmp(&a.0.predicted));
    let mut expected = Expected::default();
    for (row, probability) in rows {
        let FeatureRow { predicted: score, weight, .. } = *row;
        let probability = probability.clamp(0.0, 1.0);
        expected.push(Supposed { score, probability, weight, predicted: None });
    }
    expected.finish().roc_auc
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use windvane_stats::survival;
    use windvane_store::performance::FeatureRow;
    use windvane_types::drift::Verdict;
    use windvane_types::performance::Task;

    use super::{ALPHA, judge, metric_under, parts};

    #[test]
    fn the_reference_is_cut_by_the_size_of_the_window() {
        for (before, now, expected) in [
            (1_200, 200, 6),
            (1_200, 50, 6),
            (2_000, 200, 10),
            (9_000, 1_000, 9),
            (24_000, 2_000, 12),
            (24_000, 200, 12),
            (0, 0, 6),
        ] {
            assert_eq!(parts(before, now), expected, "{before} {now}");
        }
    }

    // SciPy 1.17: `t.ppf(.995, 4)` = 4.604094871415896; of a mean of .8 and a variance of .00025·6/5 = .0003.
    #[test]
    fn an_effect_is_judged_by_what_models_of_the_reference_differ_by() {
        let known = [0.78, 0.79, 0.8, 0.81, 0.82];
        let chance = 4.604_094_871_415_896 * 0.0003_f64.sqrt();
        for (under_new, verdict) in [
            (0.8 - 1.001 * chance, Verdict::Drift),
            (0.8 + 1.001 * chance, Verdict::Drift),
            (0.8 - 0.999 * chance, Verdict::NoDrift),
        ] {
            let found = judge((&known, under_new), ("roc_auc", 200));
            assert_eq!(found.verdict, verdict, "{found:?}");
            assert!((found.chance.unwrap() / chance - 1.0).abs() < 1e-9, "{found:?}");
            assert!((found.p_value.unwrap() / ALPHA - 1.0).abs() < 0.01, "{found:?}");
        }
        let same = judge((&[0.5; 5], 0.5), ("mae", 200));
        assert_eq!((same.verdict, same.p_value), (Verdict::NoDrift, None));
        // Of a constant feature: rounding was one model in a hundred's drift.
        let rounded = [0.5, 0.5 + 2e-16, 0.5 - 1e-16, 0.5, 0.5 + 1e-16];
        let same = judge((&rounded, 0.5 + 2e-15), ("mae", 200));
        assert_eq!((same.verdict, same.estimated_effect, same.p_value), (Verdict::NoDrift, Some(0.0), None));
        assert_eq!(judge((&[0.5; 5], 0.6), ("mae", 200)).verdict, Verdict::Drift);
    }

    #[test]
    fn one_window_of_a_hundred_is_called_drift_without_any() {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut normal = || survival::normal_exceeded(rng.random_range(1e-12..1.0));
        for models in [5, 11] {
            let is_drift = |_: &u32| {
                let known: Vec<f64> = (0..models).map(|_| normal()).collect();
                judge((&known, normal()), ("mae", 200)).verdict == Verdict::Drift
            };
            let share = (0..20_000_u32).filter(is_drift).count() as f64 / 20_000.0;
            // Three standard errors.
            assert!((share - ALPHA).abs() < 0.0021, "{share} of {models}");
        }
    }

    /// A row whose truth follows two of three features: a class, or a number with errors that grow.
    fn row(rng: &mut ChaCha8Rng, task: Task) -> FeatureRow {
        let features: Vec<f64> = (0..3).map(|_| rng.random_range(0.0..1.0)).collect();
        let [x, y, u] = [features[0], features[1], rng.random_range(0.0..1.0)];
        let (truth, predicted) = match task {
            Task::Regression => (10.0 * x + 3.0 * y * y + (0.2 + 3.0 * x) * (2.0 * u - 1.0), 10.0 * x + 1.0),
            _ => {
                let likely = 1.0 / (1.0 + (2.5 - 3.0 * x - 2.0 * y).exp());
                (f64::from(u8::from(u < likely)), likely)
            }
        };
        FeatureRow { chunk: 0, segment: 0, truth, predicted, weight: 1.0, features }
    }

    #[test]
    #[ignore = "takes minutes: `make calibrate` runs it"]
    fn calibration_of_an_unchanged_relation() {
        println!("cell,runs,errors,share,bound,holds");
        let mut failures = Vec::new();
        for (name, task, before, now, runs) in [
            ("classes 200 of 1200", Task::Binary, 1_200, 200, 2_000),
            ("classes 1000 of 12000", Task::Binary, 12_000, 1_000, 500),
            ("numbers 200 of 2400", Task::Regression, 2_400, 200, 2_000),
            ("numbers 1000 of 6000", Task::Regression, 6_000, 1_000, 500),
        ] {
            let mut rng = ChaCha8Rng::seed_from_u64(before as u64 + now as u64);
            let number = parts(before, now);
            let mut rows = |n: usize| (0..n).map(|_| row(&mut rng, task)).collect::<Vec<FeatureRow>>();
            let is_drift = |_: &u32| {
                let measured = rows(before / number);
                let known: Vec<f64> =
                    (1..number).map(|_| metric_under(&measured, &rows(now), task).unwrap()).collect();
                let under_new = metric_under(&measured, &rows(now), task).unwrap();
                judge((&known, under_new), ("", now)).verdict == Verdict::Drift
            };
            let errors = (0..runs).filter(is_drift).count();
            let share = errors as f64 / f64::from(runs);
            let bound = ALPHA + 3.0 * (ALPHA * (1.0 - ALPHA) / f64::from(runs)).sqrt();
            println!("{name},{runs},{errors},{share:.4},{bound:.4},{}", share <= bound);
            if share > bound {
                failures.push(name);
            }
        }
        assert!(failures.is_empty(), "{failures:?}");
    }
}
