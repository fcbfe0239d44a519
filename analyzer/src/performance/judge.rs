//! From measured parts to chunks of the document: thresholds from the reference's chunks, alerts, trust. Pure.

use std::collections::{BTreeMap, BTreeSet};

use windvane_stats::experiment::effect::Interval;
use windvane_stats::performance::{ranked::Gain, threshold};
use windvane_store::findings::performance::Compared;
use windvane_store::performance::{Chunking, Period};
use windvane_types::performance::{
    CalibrationBin, Change, Chunk, Lift, Metric, Task, Trust, TrustVerdict, Verdict,
};
use windvane_types::span;

use super::part::{Named, Part};
use super::request::Rule;

/// Chunks that an estimator needs with truth before it is trusted or muted.
const TRUST_CHUNKS_MIN: u64 = 3;
/// The share of them whose truth has to lie within the band.
const TRUST_COVERAGE_MIN: f64 = 0.9;
/// How much wider the band of an area, and of a mean of areas, is where it is held against the truth: it is by the rows of the rarer class, as
/// NannyML's, and those of the other one add up to as much.
const AREA_WIDENED: f64 = std::f64::consts::SQRT_2;

/// Chunks of the reference from which on they fix a standard deviation. Of two chunks that scatter by chance alone a third one lies
/// beyond three standard deviations in one of three cases, of three in one of six, of six in one of twenty.
const THRESHOLD_CHUNKS_MIN: u64 = 6;

/// What is usual of each metric.
pub(super) type Thresholds = BTreeMap<&'static str, Usual>;

/// What is usual of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Usual {
    ends: [Option<f64>; 2],
    /// Which ends were given.
    given: [bool; 2],
    /// Chunks of the reference that the others were learnt from.
    chunks: u64,
    /// Measured rows of such a chunk, on average.
    rows: u64,
    /// How many classes occur in each of them at least, as truth or prediction.
    classes: usize,
}

/// The metric that stands for a task where one has to.
pub(crate) fn main_metric(task: Task) -> &'static str {
    match task {
        Task::Binary => "roc_auc",
        Task::Multiclass => "roc_auc_macro",
        Task::Regression => "mae",
        Task::Ranking => "ndcg",
    }
}

/// The values that a metric can have.
fn range(metric: &str) -> [f64; 2] {
    match metric {
        "r2" => [f64::NEG_INFINITY, 1.0],
        "mean_error" => [f64::NEG_INFINITY, f64::INFINITY],
        "mae" | "mape" | "mse" | "rmse" | "msle" | "rmsle" | "pinball" | "log_loss" => [0.0, f64::INFINITY],
        "brier" => [0.0, 2.0],
        _ => [0.0, 1.0],
    }
}

/// Whether a chunk of the reference with so many measured rows is one of those that say what is usual. Of chunks cut by time some have a few
/// rows, as at night or at the ends of the reference: chance alone scatters these so widely that every metric would lie within.
pub(super) fn tells(measured: u64, chunking: Chunking, rule: &Rule) -> bool {
    let by_time = matches!(chunking, Chunking::Period(_) | Chunking::Length { .. });
    !by_time || measured >= rule.min_rows
}

/// Bands around what the chunks of the reference have, cut to what a metric can be, with the ends that were given.
pub(super) fn thresholds(reference: &[&Part], names: &[&'static str], rule: &Rule) -> Thresholds {
    let rows = mean_rows(reference.iter().map(|part| part.measured));
    let classes = reference.iter().map(|part| occurring(&part.confusion)).min().unwrap_or_default();
    let of = |name: &&'static str| {
        let own = |part: &&Part| part.metrics.iter().find(|named| named.name == *name)?.measured.value;
        let values: Vec<f64> = reference.iter().filter_map(own).collect();
        let band = threshold::band(&values, rule.deviations);
        let [low, high] = range(name);
        let usual = [band.map(|band| band[0].max(low)), band.map(|band| band[1].min(high))];
        let given = rule.fixed.get(*name).copied().unwrap_or_default();
        let ends = [given[0].or(usual[0]), given[1].or(usual[1])];
        let chunks = values.iter().filter(|value| value.is_finite()).count() as u64;
        let usual = Usual { ends, given: given.map(|end| end.is_some()), chunks, rows, classes };
        ends.iter().any(Option::is_some).then_some((*name, usual))
    };
    names.iter().filter_map(of).collect()
}

/// How many classes occur in a confusion matrix, as truth or prediction.
fn occurring(confusion: &[Vec<f64>]) -> usize {
    let is_true = |class: usize| confusion[class].iter().any(|weight| *weight > 0.0);
    let is_said =
        |class: usize| confusion.iter().any(|row| row.get(class).is_some_and(|weight| *weight > 0.0));
    (0..confusion.len()).filter(|class| is_true(*class) || is_said(*class)).count()
}

/// Whether a metric is of the classes that occur: without a rare one it is another mean.
fn is_of_occurring(metric: &str) -> bool {
    metric.ends_with("_macro") || metric == "specificity_micro"
}

/// Measured rows of a chunk, on average; 0 without any.
pub(super) fn mean_rows(measured: impl Iterator<Item = u64>) -> u64 {
    let (chunks, rows) = measured.fold((0_u64, 0_u64), |(chunks, sum), rows| (chunks + 1, sum + rows));
    rows / chunks.max(1)
}

/// Whether a chunk of so many rows is as large as those of the reference, or half as large: fewer rows scatter more widely than these have shown.
/// Of a chunk of half the rows, without any change, a metric lies beyond three standard deviations of ten chunks in one of twelve cases, of a
/// third in one of six, of a twelfth in two of five.
fn is_as_large(rows: u64, usual: u64) -> bool {
    rows.saturating_mul(2) >= usual
}

/// What is added to the rule of thresholds where chunks that may alert are much smaller than those of the reference.
pub(super) fn small(chunks: &[Chunk], usual: u64, rule: &Rule) -> String {
    let is_small = |chunk: &&Chunk| chunk.measured >= rule.min_rows && !is_as_large(chunk.measured, usual);
    match chunks.iter().filter(is_small).count() {
        0 => String::new(),
        1 => "; 1 chunk has less than half as many rows as those of the reference, so that a metric alerts there only where \
              its interval lies beyond as well"
            .to_owned(),
        chunks => format!(
            "; {chunks} chunks have less than half as many rows as those of the reference, so that a metric alerts there \
             only where its interval lies beyond as well"
        ),
    }
}

/// What is added to the rule of thresholds where they stand on few chunks.
pub(super) fn caution(chunks: usize) -> String {
    match chunks as u64 {
        chunks if (2..THRESHOLD_CHUNKS_MIN).contains(&chunks) => format!(
            "; {chunks} chunks are few, so that a metric alerts only where its interval lies beyond as well"
        ),
        _ => String::new(),
    }
}

/// What is added to it where some chunks of the reference do not count.
pub(super) fn left_out(chunks: usize, rule: &Rule) -> String {
    match chunks {
        0 => String::new(),
        chunks => {
            format!("; chunks of the reference with fewer than {} rows do not count: {chunks}", rule.min_rows)
        }
    }
}

impl Usual {
    /// Which way a value of so many rows has left. Beyond an end that was learnt from few chunks, or from much larger ones, its interval has to
    /// lie, too.
    fn left(&self, metric: &str, (value, interval): (f64, Option<Interval>), rows: u64) -> Option<Change> {
        let ends = self.ends_for(metric, rows);
        let change = Change::of(metric, value, ends)?;
        let below = ends[0].is_some_and(|low| value < low);
        let is_fixed = self.chunks >= THRESHOLD_CHUNKS_MIN && is_as_large(rows, self.rows);
        if is_fixed || self.given[usize::from(!below)] {
            return Some(change);
        }
        let [low, high] = self.ends;
        let interval = interval?;
        let beyond = match below {
            true => low.is_some_and(|low| interval.hi < low),
            false => high.is_some_and(|high| interval.lo > high),
        };
        beyond.then_some(change)
    }

    /// The ends as chunks of so many rows have them. The calibration error of few rows is too large and that of many small, because chance never
    /// makes a gap of 0: of right scores it goes by the root of the rows, of wrong ones by less. Ends that were given stay.
    fn ends_for(&self, metric: &str, rows: u64) -> [Option<f64>; 2] {
        if metric != "ece" || rows == 0 || self.rows == 0 {
            return self.ends;
        }
        let by_rows = (self.rows as f64 / rows as f64).sqrt();
        let [low, high] = self.ends;
        let [is_low, is_high] = self.given;
        [
            low.map(|low| if is_low { low } else { low * by_rows.min(1.0) }),
            high.map(|high| if is_high { high } else { high * by_rows.max(1.0) }),
        ]
    }

    /// The ends that were given, and no other.
    fn given_alone(self) -> Self {
        let [low, high] = self.ends;
        let [is_low, is_high] = self.given;
        Self { ends: [low.filter(|_| is_low), high.filter(|_| is_high)], ..self }
    }

    /// How many chunks the ends stand on that were not given.
    fn learnt_from(&self) -> Option<u64> {
        let learnt = self.ends.iter().zip(self.given).any(|(end, given)| end.is_some() && !given);
        learnt.then_some(self.chunks)
    }
}

/// What chunks are judged by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judge<'a> {
    pub(super) thresholds: &'a Thresholds,
    pub(super) rule: &'a Rule,
    pub(super) chunking: Chunking,
    /// Whether estimates may raise alerts.
    pub(super) estimates_alert: bool,
    /// Metrics whose estimates may not.
    pub(super) muted: &'a BTreeSet<&'static str>,
}

impl Judge<'_> {
    /// The chunk of a part; `number` counts chunks from 0, `key` is that of the part.
    pub(super) fn chunk(&self, number: u64, key: i32, part: &Part) -> Chunk {
        let [start, end] = bounds(self.chunking, key, part);
        let enough = self.enough(part.measured)
            || self.enough(part.scored()) && part.estimates.keys().any(|name| self.may_alert(name));
        Chunk {
            chunk: number,
            start: start.map(span::shown),
            end: end.map(span::shown),
            n: part.rows,
            labelled: part.labelled,
            coverage: (part.rows > 0).then(|| part.labelled as f64 / part.rows as f64),
            unscored: part.unscored,
            measured: part.measured,
            groups: part.groups.map(|[all, _]| all),
            groups_without_relevant: part.groups.map(|[_, without]| without),
            insufficient_data: !enough,
            metrics: part.metrics.iter().map(|named| self.metric(part, named)).collect(),
            confusion_matrix: part.confusion.clone(),
            calibration: part
                .curve
                .iter()
                .map(|bin| CalibrationBin {
                    low: bin.low,
                    high: bin.high,
                    n: bin.weight,
                    mean_score: bin.mean_score,
                    observed: bin.observed,
                    ci: bin.interval.map(|interval| [interval.lo, interval.hi]),
                })
                .collect(),
            lift: part.gains.iter().map(lift).collect(),
        }
    }

    fn enough(&self, rows: u64) -> bool {
        rows >= self.rule.min_rows
    }

    /// Whether the estimate of a metric may raise an alert.
    fn may_alert(&self, name: &str) -> bool {
        self.estimates_alert && !self.muted.contains(name)
    }

    fn metric(&self, part: &Part, named: &Named) -> Metric {
        let Named { name, measured } = *named;
        let estimate = part.estimates.get(name);
        let usual = self.thresholds.get(name);
        let realised = measured.value.filter(|_| self.enough(part.measured));
        // The first few targets do not silence an estimate.
        let supposed = || {
            let estimate = estimate.filter(|_| self.may_alert(name) && self.enough(part.scored()))?;
            Some(((estimate.value, estimate.band), part.scored()))
        };
        let judged = realised.map(|value| ((value, measured.interval), part.measured)).or_else(supposed);
        let is_alike = |usual: &Usual| {
            realised.is_none() || !is_of_occurring(name) || occurring(&part.confusion) >= usual.classes
        };
        let held_to = usual.map(|usual| if is_alike(usual) { *usual } else { usual.given_alone() });
        let change = judged.zip(held_to).and_then(|((found, rows), usual)| usual.left(name, found, rows));
        let pair = |interval: Interval| [interval.lo, interval.hi];
        Metric {
            metric: name.to_owned(),
            realised: measured.value,
            ci: measured.interval.map(pair),
            estimated: estimate.map(|estimate| estimate.value),
            estimate_band: estimate
                .and_then(|estimate| estimate.band)
                .map(pair)
                .filter(|band| band.iter().all(|end| end.is_finite())),
            threshold: usual.map(|usual| usual.ends),
            threshold_chunks: usual.and_then(Usual::learnt_from),
            alert: change.is_some(),
            change,
            ci_method: Some(measured.method.to_owned()).filter(|method| !method.is_empty()),
            reason: measured.reason.map(|reason| reason.as_str().to_owned()),
        }
    }
}

/// How much richer in positives the highest scores are, with the gain's interval on that scale.
fn lift(gain: &Gain) -> Lift {
    Lift {
        share: gain.share,
        gain: gain.gain,
        lift: gain.gain / gain.share,
        ci: gain.interval.map(|interval| [interval.lo / gain.share, interval.hi / gain.share]),
    }
}

/// The start and the end of a chunk, microseconds since 1970 UTC.
fn bounds(chunking: Chunking, key: i32, part: &Part) -> [Option<i64>; 2] {
    const DAY_US: i64 = 86_400_000_000;
    let key = i64::from(key);
    match chunking {
        Chunking::Period(Period::Day) => [Some(key * DAY_US), Some((key + 1) * DAY_US)],
        Chunking::Period(Period::Week) => [Some((7 * key - 3) * DAY_US), Some((7 * key + 4) * DAY_US)],
        Chunking::Period(Period::Month) => [month_start(key), month_start(key + 1)],
        Chunking::Length { anchor_us, length_us } => {
            [Some(anchor_us + key * length_us), Some(anchor_us + (key + 1) * length_us)]
        }
        Chunking::Rows { .. } | Chunking::Whole => [part.first_us, part.last_us],
    }
}

fn month_start(months: i64) -> Option<i64> {
    let text = format!("{:04}-{:02}-01", months.div_euclid(12), months.rem_euclid(12) + 1);
    span::instant(&text)
}

/// The verdict of some chunks: alert anywhere is alert.
pub(super) fn verdict(chunks: &[Chunk]) -> Verdict {
    let metrics = || chunks.iter().filter(|chunk| !chunk.insufficient_data).flat_map(|chunk| &chunk.metrics);
    if chunks.iter().flat_map(|chunk| &chunk.metrics).any(|metric| metric.alert) {
        Verdict::Alert
    } else if metrics()
        .any(|metric| metric.threshold.is_some() && (metric.realised.is_some() || metric.estimated.is_some()))
    {
        Verdict::NoAlert
    } else {
        Verdict::InsufficientData
    }
}

/// Whether estimates have been near the truth, on parts that have both, and on earlier windows.
pub(super) fn trust((parts, past): (&[&Part], &[Compared]), metric: &'static str, rule: &Rule) -> Trust {
    let now = parts.iter().filter_map(|part| compared(part, metric));
    let (mut chunks, mut covered, mut distance) = (0_u64, 0_u64, 0.0);
    for one in now.chain(past.iter().copied()).filter(|one| one.labelled >= rule.min_rows) {
        chunks += 1;
        distance += (one.realised - one.estimated).abs();
        covered += u64::from(is_near(&one, metric));
    }
    let coverage = (chunks > 0).then(|| covered as f64 / chunks as f64);
    let verdict = match coverage {
        Some(coverage) if chunks >= TRUST_CHUNKS_MIN && coverage >= TRUST_COVERAGE_MIN => {
            TrustVerdict::Trusted
        }
        Some(_) if chunks >= TRUST_CHUNKS_MIN => TrustVerdict::Muted,
        _ => TrustVerdict::Unknown,
    };
    Trust {
        metric: metric.to_owned(),
        mean_absolute_error: (chunks > 0).then(|| distance / chunks as f64),
        coverage_of_band: coverage,
        verdict,
        chunks,
    }
}

/// The truth and the estimate of a part that has both, of rows with a prediction; an estimate without a band is never near.
fn compared(part: &Part, metric: &str) -> Option<Compared> {
    let realised = part.metrics.iter().find(|named| named.name == metric)?.measured.value?;
    let estimate = part.estimates.get(metric)?;
    let [band_low, band_high] = estimate.band.map_or([f64::INFINITY; 2], |band| [band.lo, band.hi]);
    Some(Compared {
        realised,
        estimated: estimate.value,
        band_low,
        band_high,
        n: part.rows.saturating_sub(part.unscored),
        labelled: part.measured,
    })
}

/// Whether the truth of a share of the rows lies in the band, which is wider for fewer rows.
fn is_near(one: &Compared, metric: &str) -> bool {
    let whole = if metric.starts_with("roc_auc") { AREA_WIDENED } else { 1.0 };
    let wider = whole / (one.labelled as f64 / one.n as f64).clamp(1e-9, 1.0).sqrt();
    let low = one.estimated - (one.estimated - one.band_low) * wider;
    let high = one.estimated + (one.band_high - one.estimated) * wider;
    (low..=high).contains(&one.realised)
}

#[cfg(test)]
mod tests;
