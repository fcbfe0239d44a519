//! Quantiles by arm: first the order statistics, then how many rows of each unit lie below the estimate.

use std::collections::BTreeMap;

use windvane_stats::experiment::{
    quantile::{self, QuantileArm},
    sums::Joint,
};
use windvane_store::experiment::{self, CountedRow, Measure, OrderRow, RanksOfArm, SumsRow};

use super::{ExperimentError, Metric, forms::form_of, gather::Scan, metric::Measured};

/// The quantiles by the metric's place and the arm's; `None` of an arm without rows.
pub(super) type Quantiles = BTreeMap<usize, Vec<Option<QuantileArm>>>;

/// The quantiles of the metrics that ask for them: first the order statistics, then how many
/// rows of each unit lie below the estimate.
pub(super) async fn quantiles(
    scan: &Scan<'_>,
    metrics: &[Metric],
    rows: &[SumsRow],
) -> Result<Quantiles, ExperimentError> {
    let asked: Vec<(usize, f64)> = metrics
        .iter()
        .enumerate()
        .filter_map(|(i, metric)| match metric.measured {
            Measured::Quantile { q } => Some((i, q)),
            _ => None,
        })
        .collect();
    if asked.is_empty() {
        return Ok(Quantiles::new());
    }
    let measures: Vec<Measure> =
        asked.iter().map(|(i, _)| scan.opened.measures[scan.opened.places[*i].value].clone()).collect();
    let ranks: Vec<Vec<Option<quantile::Ranks>>> = asked
        .iter()
        .map(|(i, q)| {
            (0..scan.arms.len())
                .map(|arm| quantile::ranks(form_of(rows, *i, arm).map_or(0, |form| form.values), *q))
                .collect()
        })
        .collect();
    let wanted: Vec<Vec<RanksOfArm>> = asked
        .iter()
        .zip(&ranks)
        .map(|((i, _), arms)| {
            let of_arm = |(arm, ranks): (usize, &Option<quantile::Ranks>)| RanksOfArm {
                rows: form_of(rows, *i, arm).map_or(0, |form| form.values),
                ranks: ranks.map(|ranks| wanted_ranks(&ranks)).unwrap_or_default(),
            };
            arms.iter().enumerate().map(of_arm).collect()
        })
        .collect();
    let several = rows.iter().any(|row| row.arm as usize >= scan.arms.len());
    let question = scan.question(&measures, &[]);
    let orders: Vec<OrderRow> =
        scan.reader.rows(&experiment::order_statistics(question, &wanted, several)).await?;
    let orders = orders.into_iter().next().map(|row| row.values).unwrap_or_default();
    let estimate = |measure: usize, arm: usize| {
        let (ranks, found) = (ranks[measure][arm]?, orders.get(measure)?.get(arm)?);
        Some(ranks.estimate(found.first()?.0, found.get(1)?.0))
    };
    let estimates: Vec<Vec<f64>> = (0..asked.len())
        .map(|measure| (0..scan.arms.len()).map(|arm| estimate(measure, arm).unwrap_or(f64::NAN)).collect())
        .collect();
    let counted: Vec<CountedRow> = scan.reader.rows(&experiment::counted_below(question, &estimates)).await?;
    let mut quantiles = Quantiles::new();
    for (measure, (i, q)) in asked.iter().enumerate() {
        let arms = (0..scan.arms.len()).map(|arm| {
            let ends = ranks[measure][arm]?.ends;
            let found = &orders[measure][arm];
            Some(QuantileArm {
                q: *q,
                estimate: estimate(measure, arm)?,
                ends: ends.map(|_| (found[2].0, found[3].0)),
                clusters: clusters(&counted, measure, arm)?,
            })
        });
        quantiles.insert(*i, arms.collect());
    }
    Ok(quantiles)
}

/// The ranks that are fetched: around the estimate, then the ends of the interval.
pub(super) fn wanted_ranks(ranks: &quantile::Ranks) -> Vec<u64> {
    let mut wanted = vec![ranks.below, ranks.above];
    wanted.extend(ranks.ends.iter().flat_map(|(lo, hi)| [*lo, *hi]));
    wanted
}

fn clusters(counted: &[CountedRow], measure: usize, arm: usize) -> Option<Joint<2>> {
    let found = counted.iter().find(|row| row.arm as usize == arm)?.measures.get(measure)?;
    let products = [[found.below_sq, found.cross], [found.cross, found.rows_sq]];
    Joint::of_shifted(found.n, [0.0; 2], [found.below, found.rows], products).ok()
}
