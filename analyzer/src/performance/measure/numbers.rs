//! Metrics of regressions: sums of errors.

use std::collections::BTreeMap;

use windvane_stats::performance::Measured;
use windvane_stats::performance::errors::{ErrorSums, LossSums, Moments};
use windvane_store::Real;
use windvane_store::performance::{ErrorRow, ErrorsAsked, Frame, MomentsRow, errors};

use crate::performance::PerformanceError;
use crate::performance::estimator::Estimator;
use crate::performance::part::{Parts, Place, places};
use crate::performance::side::Side;

/// A metric of sums at a confidence.
type Metric = fn(&ErrorSums, f64) -> Measured;

/// Every metric, in the order of the output.
const NUMBERS: [(&str, Metric); 9] = [
    ("mae", ErrorSums::mae),
    ("mape", ErrorSums::mape),
    ("mse", ErrorSums::mse),
    ("rmse", |sums, confidence| sums.mse(confidence).map(f64::sqrt)),
    ("msle", ErrorSums::msle),
    ("rmsle", |sums, confidence| sums.msle(confidence).map(f64::sqrt)),
    ("r2", ErrorSums::r2),
    ("mean_error", ErrorSums::mean_error),
    ("pinball", ErrorSums::pinball),
];

/// Measures all parts.
pub(super) async fn measure(
    side: &Side<'_>,
    frame: &Frame,
    estimator: Option<&Estimator>,
    parts: &mut Parts,
) -> Result<(), PerformanceError> {
    let mut sums = error_sums(side, frame).await?;
    let mut estimates = match estimator.and_then(Estimator::losses) {
        Some(losses) => losses.estimate(side).await?,
        None => BTreeMap::new(),
    };
    let confidence = side.question.rule.confidence;
    for (place, part) in parts.iter_mut() {
        let sums = sums.remove(place).unwrap_or_default();
        for (name, metric) in NUMBERS {
            part.push(name, metric(&sums, confidence));
        }
        part.estimates = estimates.remove(place).unwrap_or_default();
    }
    Ok(())
}

/// The sums of all parts.
async fn error_sums(side: &Side<'_>, frame: &Frame) -> Result<BTreeMap<Place, ErrorSums>, PerformanceError> {
    let origin = side.survey.target_mean.unwrap_or(0.0);
    let asked = ErrorsAsked { quantile: side.question.quantile, origin };
    let rows: Vec<ErrorRow> = side.ask(&errors(frame, asked)).await?;
    let mut sums: BTreeMap<Place, ErrorSums> = BTreeMap::new();
    for row in &rows {
        for place in places(row.segment, row.chunk, side.segments.keys.len()) {
            add(sums.entry(place).or_default(), row);
        }
    }
    Ok(sums)
}

fn add(sums: &mut ErrorSums, row: &ErrorRow) {
    sums.weight += row.weight[0].0;
    sums.squares += row.weight[1].0;
    sums.below_minus_one += row.below_minus_one;
    add_moments(&mut sums.by_weight, &row.by_weight);
    add_moments(&mut sums.by_square, &row.by_square);
}

fn add_moments(sums: &mut Moments, row: &MomentsRow) {
    let MomentsRow(of_losses, of_squares, target, cross) = row;
    let Moments { absolute, percentage, squared, signed, logarithmic, pinball, .. } = sums;
    let losses: [&mut LossSums; 6] = [absolute, percentage, squared, signed, logarithmic, pinball];
    for ((loss, Real(sum)), Real(sum_sq)) in losses.into_iter().zip(of_losses).zip(of_squares) {
        loss.sum += sum;
        loss.sum_sq += sum_sq;
    }
    sums.target.sum += target[0].0;
    sums.target.sum_sq += target[1].0;
    sums.target_higher[0] += target[2].0;
    sums.target_higher[1] += target[3].0;
    sums.cross[0] += cross[0].0;
    sums.cross[1] += cross[1].0;
}
