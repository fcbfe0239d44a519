//! An A/A simulation: the same units, dealt out at random again and again. How often does the comparison find what is not there?

mod quantile;

use windvane_stats::{
    binomial::{Share, clopper_pearson},
    experiment::{
        proportion::Proportion,
        sums::{Joint, SumsError},
    },
};
use windvane_store::{
    Reader,
    experiment::{
        self, ColumnFault, FrameColumns, Measure, ProbeRow, SPLITS, Split, SplitsRow, UnitQuantilesRow,
    },
    populations::Population,
};
use windvane_types::experiment_aa::{Document, SCHEMA};

use super::{
    Cap, ExperimentError, Metric, compare,
    facts::{ArmMetric, ArmSums},
    gather,
    metric::Measured,
    opened,
    request::Rule,
};

/// How many splits are made, and which, where nothing else is said.
pub const SPLITS_DEFAULT: usize = 1024;
/// See [`SPLITS_DEFAULT`].
pub const SEED: u64 = 20_130_101;

/// What is simulated.
#[derive(Debug, Clone)]
pub struct AaRequest {
    /// The rows.
    pub population: Population,
    /// The column of units.
    pub unit: String,
    /// The metric.
    pub metric: Metric,
    /// What people call it, where `metric` names a column that was made for it.
    pub told: String,
    /// The accepted chance of a false verdict.
    pub alpha: f64,
    /// How many random splits.
    pub splits: usize,
    /// Which ones.
    pub seed: u64,
}

impl AaRequest {
    /// The seed of a round, none of which has the splits of another.
    fn seed_of(&self, round: u64) -> u64 {
        self.seed.wrapping_add(round).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

/// What was found.
#[derive(Debug, Clone, Copy, Default)]
struct Simulated {
    /// Units with a value.
    units: f64,
    /// Splits that have a p-value.
    tested: u64,
    /// Those of them that differ.
    found: u64,
}

impl Simulated {
    fn count(&mut self, p_value: Option<f64>, alpha: f64) {
        self.tested += u64::from(p_value.is_some());
        self.found += u64::from(p_value.is_some_and(|p| p < alpha));
    }
}

/// Deals the units out again and again; `progress` hears how many splits are done.
///
/// # Errors
/// As [`super::run`].
pub async fn run_aa(
    reader: &Reader,
    request: &AaRequest,
    mut progress: impl FnMut(usize),
) -> Result<Document, ExperimentError> {
    let measures = measures(request)?;
    check_numbers(reader, request, &measures).await?;
    let rule = Rule { alpha: request.alpha, ..Rule::against("") };
    if let Measured::Quantile { q } = request.metric.measured {
        let asked = (request, &measures[0], q);
        return Ok(document(request, quantile::simulate(reader, asked, &rule, progress).await?));
    }
    let (mut split, units) = centred(reader, request, &measures).await?;
    let (mut simulated, mut done) = (Simulated { units, ..Simulated::default() }, 0);
    for round in 0.. {
        if done >= request.splits {
            break;
        }
        split.seed = request.seed_of(round);
        let row = ask(reader, request, &split).await?;
        for bit in 0..SPLITS.min(request.splits - done) {
            simulated.count(p_value(request, &split, (&row, bit), &rule), request.alpha);
        }
        done = (done + SPLITS).min(request.splits);
        progress(done);
    }
    Ok(document(request, simulated))
}

/// The sums of all units, and how many there are.
///
/// # Errors
/// As [`super::run`].
pub(super) async fn whole(reader: &Reader, request: &AaRequest) -> Result<(ArmSums, u64), ExperimentError> {
    let measures = measures(request)?;
    let (split, _) = centred(reader, request, &measures).await?;
    let row = ask(reader, request, &split).await?;
    let total: Vec<f64> = row.total.iter().map(|sum| sum.0).collect();
    let problem = |_error| ExperimentError::Summary {
        problem: "a value is infinite, or too large to be squared".to_owned(),
    };
    let sums = arm_sums(request, &split, &total).map_err(problem)?;
    let units = arm_of(sums.clone(), total[0]).n;
    Ok((sums, units))
}

/// The first answer only tells where the values lie, so that sums are taken around there.
async fn centred<'a>(
    reader: &Reader,
    request: &'a AaRequest,
    measures: &'a [Measure],
) -> Result<(Split<'a>, f64), ExperimentError> {
    let split = Split {
        population: &request.population,
        unit: &request.unit,
        measures,
        origins: [0.0; 2],
        limits: [None; 2],
        seed: request.seed,
    };
    let split = Split { limits: limits(reader, request, &split).await?, ..split };
    let first = ask(reader, request, &split).await?;
    if request.metric.measured == Measured::Proportion && first.fractional > 0 {
        let (metric, units) = (request.told.clone(), first.fractional);
        return Err(ExperimentError::NotAProportion { metric, units });
    }
    let n = first.total[0].0;
    let mean =
        |sum: usize| if n > 0.0 && first.total[sum].0.is_finite() { first.total[sum].0 / n } else { 0.0 };
    Ok((Split { origins: [mean(1), mean(3)], ..split }, n))
}

/// The cap and the floor of the units' values; percentiles are those of all units, as in the experiment.
async fn limits(
    reader: &Reader,
    request: &AaRequest,
    split: &Split<'_>,
) -> Result<[Option<f64>; 2], ExperimentError> {
    let asked = [request.metric.cap, request.metric.floor];
    let level = |limit: &Cap| match limit {
        Cap::Quantile(q) => Some(*q),
        Cap::Value(_) => None,
    };
    let levels: Vec<f64> = asked.iter().flatten().filter_map(level).collect();
    let mut found = Vec::new();
    if !levels.is_empty() {
        let statement = experiment::split_quantiles(split, &levels).ok_or_else(|| unknown_unit(request))?;
        let rows: Vec<UnitQuantilesRow> = reader.rows(&statement).await?;
        found = rows.into_iter().next().map(|row| row.quantiles).unwrap_or_default();
    }
    let mut found = found.into_iter();
    let limits = asked.map(|limit| match limit? {
        Cap::Value(value) => Some(value),
        Cap::Quantile(_) => found.next().and_then(|quantile| quantile.finite()),
    });
    gather::uncrossed(&request.metric, limits)
}

fn measures(request: &AaRequest) -> Result<Vec<Measure>, ExperimentError> {
    let failed = |fault: ColumnFault| column(request, fault);
    if request.population.column(&request.unit).is_none() {
        return Err(failed(ColumnFault::Unknown { column: request.unit.clone() }));
    }
    let mut measures = vec![experiment::measure(&request.population, &request.metric.name).map_err(failed)?];
    if let Measured::Ratio { denominator } = &request.metric.measured {
        measures.push(experiment::measure(&request.population, denominator).map_err(failed)?);
    }
    Ok(measures)
}

fn column(request: &AaRequest, fault: ColumnFault) -> ExperimentError {
    let known = request.population.columns.iter().map(|column| column.name.clone()).collect();
    ExperimentError::Column { fault, known }
}

/// Refuses values that are no numbers, as the experiment does; there are no arms yet, and any column stands in for theirs.
async fn check_numbers(
    reader: &Reader,
    request: &AaRequest,
    measures: &[Measure],
) -> Result<(), ExperimentError> {
    if !measures.iter().any(Measure::may_be_text) {
        return Ok(());
    }
    let (unit, arm) = (request.unit.as_str(), request.unit.as_str());
    let columns = FrameColumns { unit, arm, segment_by: &[], timestamp: None };
    let frame = experiment::frame(&request.population, &columns).map_err(|fault| column(request, fault))?;
    let rows: Vec<ProbeRow> = reader.rows(&experiment::probe_units(&frame, measures)).await?;
    rows.first().map_or(Ok(()), |probe| opened::are_numbers(measures, probe))
}

async fn ask(reader: &Reader, request: &AaRequest, split: &Split<'_>) -> Result<SplitsRow, ExperimentError> {
    let statement = experiment::splits(split).ok_or_else(|| unknown_unit(request))?;
    let rows: Vec<SplitsRow> = reader.rows(&statement).await?;
    rows.into_iter().next().ok_or_else(|| unknown_unit(request))
}

fn unknown_unit(request: &AaRequest) -> ExperimentError {
    let fault = ColumnFault::Unknown { column: request.unit.clone() };
    ExperimentError::Column { fault, known: Vec::new() }
}

/// The p-value of one split; `None` where there is none.
fn p_value(
    request: &AaRequest,
    split: &Split<'_>,
    (row, bit): (&SplitsRow, usize),
    rule: &Rule,
) -> Option<f64> {
    let half: Vec<f64> = row.half.iter().map(|sums| sums.get(bit).map_or(0.0, |sum| sum.0)).collect();
    let rest: Vec<f64> = row.total.iter().zip(&half).map(|(total, half)| total.0 - half).collect();
    let arm = arm(request, split, &half).ok()?;
    let control = arm_of(arm_sums(request, split, &rest).ok()?, rest[0]);
    compare::compare(&control, &arm).contrast.absolute(compare::level(rule))?.p_value
}

fn arm(request: &AaRequest, split: &Split<'_>, sums: &[f64]) -> Result<ArmMetric, SumsError> {
    Ok(arm_of(arm_sums(request, split, sums)?, sums[0]))
}

#[expect(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "a count of units")]
fn arm_of(sums: ArmSums, n: f64) -> ArmMetric {
    ArmMetric { sums, n: n as u64, missing: 0, partial: 0, capped: 0, floored: 0, values: n as u64 }
}

#[expect(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "a count of units")]
fn arm_sums(request: &AaRequest, split: &Split<'_>, sums: &[f64]) -> Result<ArmSums, SumsError> {
    let n = sums[0] as u64;
    Ok(match request.metric.measured {
        Measured::Ratio { .. } => {
            let products = [[sums[2], sums[5]], [sums[5], sums[4]]];
            ArmSums::Ratio(Joint::of_shifted(n, split.origins, [sums[1], sums[3]], products)?)
        }
        Measured::Proportion => {
            ArmSums::Proportion(Proportion::of(n, (sums[1] + split.origins[0] * sums[0]).round())?)
        }
        Measured::Mean | Measured::Quantile { .. } => {
            ArmSums::Mean(Joint::of_shifted(n, [split.origins[0]], [sums[1]], [[sums[2]]])?)
        }
    })
}

fn document(request: &AaRequest, Simulated { units, tested, found }: Simulated) -> Document {
    let share = Share::new(found, tested);
    let ci = share
        .and_then(|share| clopper_pearson::clopper_pearson(share, 0.95))
        .map(|found| [found.interval.lo, found.interval.hi]);
    let holds = ci.map(|ci| ci[0] <= request.alpha && request.alpha <= ci[1]);
    Document {
        schema: SCHEMA.to_owned(),
        source: request.population.source.clone(),
        metric: request.told.clone(),
        kind: request.metric.kind(),
        units,
        splits: tested,
        alpha: request.alpha,
        false_positives: found,
        false_positive_rate: share.map(Share::estimate),
        ci,
        alpha_within: holds,
        seed: request.seed,
    }
}
