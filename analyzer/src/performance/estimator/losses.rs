//! Direct loss estimation: models of what a row loses by its features and its prediction, fitted on a sample of the reference.

use std::collections::BTreeMap;
use std::sync::Arc;

use windvane_stats::experiment::effect::Interval;
use windvane_stats::performance::estimate::SamplingError;
use windvane_stats::performance::loss_model::LossModel;
use windvane_store::performance::{FeatureRow, FeatureSink};

use crate::performance::PerformanceError;
use crate::performance::features::Features;
use crate::performance::part::{Estimate, Place, places};
use crate::performance::side::Side;

/// Rows of the reference that models are fitted on.
const ROWS_MAX: u64 = 5_000;
/// Rows that are predicted at once.
const BATCH: usize = 2_048;

/// A loss of a row by truth and prediction.
type RowLoss = fn(f64, f64) -> f64;

/// Losses whose means are metrics.
const LOSSES: [(&str, RowLoss); 4] = [
    ("mae", |y, v| (v - y).abs()),
    ("mape", |y, v| (v - y).abs() / y.abs().max(f64::EPSILON)),
    ("mse", |y, v| (v - y) * (v - y)),
    ("msle", |y, v| (v.ln_1p() - y.ln_1p()) * (v.ln_1p() - y.ln_1p())),
];

/// The models of a reference.
#[derive(Debug, Clone)]
pub(in crate::performance) struct Losses {
    features: Features,
    models: Arc<Vec<Model>>,
}

/// The model of one loss.
#[derive(Debug)]
struct Model {
    name: &'static str,
    trees: LossModel,
    error: SamplingError,
}

impl Losses {
    /// Fits models on a sample of the reference.
    pub(in crate::performance) async fn learn(side: &Side<'_>) -> Result<Self, PerformanceError> {
        let features = Features::learn(side, &[]).await?;
        let rows = features.sample(side, (&[], ROWS_MAX)).await?;
        let inputs: Vec<Vec<f64>> = rows.iter().map(inputs).collect();
        let model = |(name, loss): (&'static str, RowLoss)| {
            let losses: Vec<f64> = rows.iter().map(|row| loss(row.truth, row.predicted)).collect();
            // A number at or below -1 has no logarithmic loss.
            if losses.iter().any(|loss| !loss.is_finite()) {
                return None;
            }
            let n = losses.len() as f64;
            let mean = losses.iter().sum::<f64>() / n;
            let variance = losses.iter().map(|loss| (loss - mean) * (loss - mean)).sum::<f64>() / n;
            let error = SamplingError { deviation: variance.sqrt(), share: 1.0 };
            Some(Model { name, trees: LossModel::fit(&inputs, &losses)?, error })
        };
        let models = LOSSES.into_iter().filter_map(model).collect();
        Ok(Self { features, models: Arc::new(models) })
    }

    /// The estimated metrics of every part of a side.
    pub(in crate::performance) async fn estimate(
        &self,
        side: &Side<'_>,
    ) -> Result<BTreeMap<Place, BTreeMap<&'static str, Estimate>>, PerformanceError> {
        let sink = Predicting {
            models: Arc::clone(&self.models),
            segments: side.segments.keys.len(),
            batch: Vec::with_capacity(BATCH),
            sums: BTreeMap::new(),
        };
        let mut read = self.features.read(side, (&[], None), sink).await?;
        read.predict();
        Ok(read.sums.iter().map(|(place, sums)| (*place, self.metrics(sums))).collect())
    }

    fn metrics(&self, sums: &Sums) -> BTreeMap<&'static str, Estimate> {
        let mut estimates = BTreeMap::new();
        for (model, sum) in self.models.iter().zip(sums.losses) {
            if sums.weight <= 0.0 {
                continue;
            }
            let value = sum / sums.weight;
            let rows = sums.weight * sums.weight / sums.squares;
            let band = model.error.band(value, rows, [0.0, f64::INFINITY]);
            estimates.insert(model.name, Estimate { value, band });
            let root = |band: Interval| Interval { lo: band.lo.sqrt(), hi: band.hi.sqrt() };
            let rooted = Estimate { value: value.sqrt(), band: band.map(root) };
            match model.name {
                "mse" => estimates.insert("rmse", rooted),
                "msle" => estimates.insert("rmsle", rooted),
                _ => None,
            };
        }
        estimates
    }
}

/// Expected losses of one part, summed.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    weight: f64,
    /// Σw².
    squares: f64,
    losses: [f64; LOSSES.len()],
}

/// Predicts the losses of rows, a batch at a time.
#[derive(Debug)]
struct Predicting {
    models: Arc<Vec<Model>>,
    segments: usize,
    batch: Vec<FeatureRow>,
    sums: BTreeMap<Place, Sums>,
}

impl FeatureSink for Predicting {
    fn push(&mut self, row: FeatureRow) {
        self.batch.push(row);
        if self.batch.len() >= BATCH {
            self.predict();
        }
    }
}

impl Predicting {
    fn predict(&mut self) {
        let inputs: Vec<Vec<f64>> = self.batch.iter().map(inputs).collect();
        let losses: Vec<Vec<f64>> = self.models.iter().map(|model| model.trees.predict(&inputs)).collect();
        for (i, row) in self.batch.drain(..).enumerate() {
            for place in places(row.segment, row.chunk, self.segments) {
                let sums = self.sums.entry(place).or_default();
                sums.weight += row.weight;
                sums.squares += row.weight * row.weight;
                for (sum, losses) in sums.losses.iter_mut().zip(&losses) {
                    // Trees may say less than nothing; no row does.
                    *sum += row.weight * losses.get(i).copied().unwrap_or_default().max(0.0);
                }
            }
        }
    }
}

/// What models read of a row: its features and its prediction.
fn inputs(row: &FeatureRow) -> Vec<f64> {
    row.features.iter().copied().chain([row.predicted]).collect()
}
