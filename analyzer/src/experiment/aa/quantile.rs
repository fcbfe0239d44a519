//! The A/A simulation of a quantile: the same estimator as of a comparison, over halves whose rows stay where they are.

use serde::de::DeserializeOwned;
use windvane_stats::experiment::{
    quantile::{self, QuantileArm, Ranks},
    sums::Joint,
};
use windvane_store::{
    Reader, Real, Statement,
    experiment::{
        HALVES, HalfCountedRow, HalfRowsRow, Measure, OrderRow, QUANTILE_SPLITS, QuantileSplit, RanksOfArm,
    },
};

use super::{AaRequest, Simulated, unknown_unit};
use crate::experiment::{ExperimentError, compare, quantiles::wanted_ranks, request::Rule};

/// Both halves of one split.
type Halves<T> = [T; HALVES];

/// Deals the units out again and again; `progress` hears how many splits are done.
pub(super) async fn simulate(
    reader: &Reader,
    (request, measure, q): (&AaRequest, &Measure, f64),
    rule: &Rule,
    mut progress: impl FnMut(usize),
) -> Result<Simulated, ExperimentError> {
    let mut simulated = Simulated::default();
    let mut done = 0;
    for round in 0.. {
        if done >= request.splits {
            break;
        }
        let split = QuantileSplit {
            population: &request.population,
            unit: &request.unit,
            measure,
            seed: request.seed_of(round),
        };
        let dealt = Dealt { reader, request, split: &split, q };
        let (units, splits) = dealt.splits().await?;
        simulated.units = units;
        for [control, arm] in splits.into_iter().take(request.splits - done) {
            let contrast = quantile::quantiles(control.as_ref(), arm.as_ref());
            let tested = contrast.absolute(compare::level(rule)).and_then(|effect| effect.p_value);
            simulated.count(tested, request.alpha);
        }
        done = (done + QUANTILE_SPLITS).min(request.splits);
        progress(done);
    }
    Ok(simulated)
}

/// The splits that one round deals out.
struct Dealt<'a> {
    reader: &'a Reader,
    request: &'a AaRequest,
    split: &'a QuantileSplit<'a>,
    q: f64,
}

impl Dealt<'_> {
    /// The units, and the quantile of each half of each split; `None` for a half without rows.
    async fn splits(&self) -> Result<(f64, Vec<Halves<Option<QuantileArm>>>), ExperimentError> {
        let counted: HalfRowsRow = self.ask(self.split.half_rows()).await?;
        let rows = |split: usize| -> Halves<u64> {
            let set = counted.half.get(split).copied().unwrap_or(0);
            [counted.rows.saturating_sub(set), set]
        };
        let ranks: Vec<Halves<Option<Ranks>>> =
            (0..QUANTILE_SPLITS).map(|split| rows(split).map(|rows| quantile::ranks(rows, self.q))).collect();
        let wanted: Vec<Halves<RanksOfArm>> = (0..QUANTILE_SPLITS)
            .map(|split| {
                let of = |half: usize| RanksOfArm {
                    rows: rows(split)[half],
                    ranks: ranks[split][half].map(|ranks| wanted_ranks(&ranks)).unwrap_or_default(),
                };
                std::array::from_fn(of)
            })
            .collect();
        let orders: OrderRow = self.ask(self.split.half_orders(&wanted)).await?;
        let found = |split: usize, half: usize| -> Option<&[Real]> {
            orders.values.get(split)?.get(half).map(Vec::as_slice)
        };
        let estimate = |split: usize, half: usize| -> Option<f64> {
            let found = found(split, half)?;
            Some(ranks[split][half]?.estimate(found.first()?.0, found.get(1)?.0))
        };
        let estimates: Vec<Halves<f64>> = (0..QUANTILE_SPLITS)
            .map(|split| std::array::from_fn(|half| estimate(split, half).unwrap_or(f64::NAN)))
            .collect();
        let below: HalfCountedRow = self.ask(self.split.half_counted(&estimates)).await?;
        let arm = |split: usize, half: usize| -> Option<QuantileArm> {
            let found = found(split, half)?;
            let ends = match ranks[split][half]?.ends {
                None => None,
                Some(_) => Some((found.get(2)?.0, found.get(3)?.0)),
            };
            let clusters = clusters(&below, split, half)?;
            Some(QuantileArm { q: self.q, estimate: estimate(split, half)?, ends, clusters })
        };
        let splits = (0..QUANTILE_SPLITS).map(|split| std::array::from_fn(|half| arm(split, half)));
        Ok((counted.units as f64, splits.collect()))
    }

    async fn ask<T: DeserializeOwned + Send + 'static>(
        &self,
        statement: Option<Statement>,
    ) -> Result<T, ExperimentError> {
        let statement = statement.ok_or_else(|| unknown_unit(self.request))?;
        let rows: Vec<T> = self.reader.rows(&statement).await?;
        rows.into_iter().next().ok_or_else(|| unknown_unit(self.request))
    }
}

#[expect(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "a count of units")]
fn clusters(below: &HalfCountedRow, split: usize, half: usize) -> Option<Joint<2>> {
    let lists = below.halves.get(half)?;
    let sum = |at: usize| Some(lists.get(at)?.get(split)?.0);
    let (n, below, rows) = (sum(0)?, sum(1)?, sum(3)?);
    let products = [[sum(2)?, sum(5)?], [sum(5)?, sum(4)?]];
    Joint::of_shifted(n as u64, [0.0; 2], [below, rows], products).ok()
}
