//! Quantiles that may be looked at any time: counts of rows about candidate values in, the always-valid test of `stats` out.
//!
//! The test counts rows as independent, so it is made where every unit has one. Candidates are order statistics of each arm, most of
//! them near its quantile; between two of them the p-value takes the side that says less, so that it is never too small.

use windvane_stats::experiment::{
    effect::{Alternative, Interval},
    quantile_sequence::{self, Passed, QuantilePlan, Step},
};
use windvane_store::experiment::{self, AroundRow, OrderRow, RanksOfArm};

use super::{
    ExperimentError, compare,
    forms::{Summed, form_of},
    gather::Scan,
    inference::Inference,
    metric::Measured,
    request::{ExperimentRequest, Rule},
};

/// Order statistics at most that one statement asks for; their levels are a fraction of what ClickHouse reads of a statement.
const RANKS_MAX: usize = 4096;
/// Order statistics of one arm at most: those within reach of chance take three of four, and a step between two is then some 4 % of a
/// standard error wide.
const RANKS_OF_ARM_MAX: usize = 256;
/// What lies beyond the confidence sequence at this level is out of reach of chance.
const NEAR: f64 = 1e-4;
/// Beyond this one no p-value comes that is worth telling apart.
const FAR: f64 = 1e-20;

/// A quantile of rows in all arms.
#[derive(Debug, Clone)]
pub(super) struct AnytimeQuantile {
    /// The metric's place.
    pub(super) metric: usize,
    /// The level.
    pub(super) q: f64,
    /// One entry an arm.
    pub(super) arms: Vec<ArmRows>,
}

/// The rows of one arm.
#[derive(Debug, Clone, Default)]
pub(super) struct ArmRows {
    rows: u64,
    /// For each candidate value, rows below it and rows up to it.
    passed: Vec<Passed>,
    /// The ends of its quantile's confidence sequence; `None` for one that no row bounds yet.
    ends: (Option<f64>, Option<f64>),
}

/// What holds of a comparison at every look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Anytime {
    /// Of no difference; `None` where an arm has no rows.
    pub(super) p_value: Option<f64>,
    /// The difference.
    pub(super) absolute: Interval,
    /// The difference over the control; `None` where the control's quantile is not shown to be above 0.
    pub(super) relative: Option<Interval>,
}

/// Counts the rows of every quantile that has one row a unit, where the answer has to hold at every look.
pub(super) async fn anytime(
    scan: &Scan<'_>,
    request: &ExperimentRequest,
    sums: &Summed,
) -> Result<Vec<AnytimeQuantile>, ExperimentError> {
    let mut found = Vec::new();
    if request.rule.inference != Inference::Sequential {
        return Ok(found);
    }
    let several = sums.rows.iter().any(|row| row.arm as usize >= scan.arms.len());
    for (metric, asked) in request.metrics.iter().enumerate() {
        let Measured::Quantile { q } = asked.measured else { continue };
        let rows: Option<Vec<u64>> = (0..scan.arms.len()).map(|arm| single(sums, metric, arm)).collect();
        let Some(rows) = rows else { continue };
        let counting = Counting { scan, rule: &request.rule, metric, q, several };
        found.push(counting.count(&rows).await?);
    }
    Ok(found)
}

/// The rows of an arm whose units have one each; `None` where one has more.
fn single(sums: &Summed, metric: usize, arm: usize) -> Option<u64> {
    match form_of(&sums.rows, metric, arm) {
        None => Some(0),
        Some(form) => (form.values == form.n).then_some(form.n),
    }
}

struct Counting<'a> {
    scan: &'a Scan<'a>,
    rule: &'a Rule,
    metric: usize,
    q: f64,
    several: bool,
}

impl Counting<'_> {
    /// First the order statistics, then the rows about them.
    async fn count(&self, rows: &[u64]) -> Result<AnytimeQuantile, ExperimentError> {
        let measures = [self.scan.opened.measures[self.scan.opened.places[self.metric].value].clone()];
        let question = self.scan.question(&measures, &[]);
        let ends: Vec<[Option<u64>; 2]> =
            rows.iter().map(|rows| self.ends(*rows, self.rule.alpha / 2.0)).collect();
        let most = (RANKS_MAX / rows.len().max(1)).min(RANKS_OF_ARM_MAX);
        let wanted = |(rows, ends): (&u64, &[Option<u64>; 2])| RanksOfArm {
            rows: *rows,
            ranks: ends.iter().flatten().copied().chain(self.candidates(*rows, most)).collect(),
        };
        let wanted: Vec<RanksOfArm> = rows.iter().zip(&ends).map(wanted).collect();
        let statement = experiment::order_statistics(question, std::slice::from_ref(&wanted), self.several);
        let orders: Vec<OrderRow> = self.scan.reader.rows(&statement).await?;
        let values: Vec<Vec<f64>> = orders
            .into_iter()
            .flat_map(|row| row.values.into_iter().next().unwrap_or_default())
            .map(|arm| arm.into_iter().map(|value| value.0).collect())
            .collect();
        let mut arms: Vec<ArmRows> = Vec::new();
        let mut candidates: Vec<f64> = Vec::new();
        for (arm, ends) in ends.iter().enumerate() {
            let mut values = values.get(arm).into_iter().flatten().copied();
            let mut end = |rank: Option<u64>| rank.and_then(|_| values.next());
            let ends = (end(ends[0]), end(ends[1]));
            // No negative zero, which JSON does not keep.
            candidates.extend(values.map(|value| value + 0.0));
            arms.push(ArmRows { rows: rows[arm], passed: Vec::new(), ends });
        }
        candidates.sort_by(f64::total_cmp);
        candidates.dedup();
        if !candidates.is_empty() {
            let statement = experiment::around(question, &candidates, self.several);
            let counted: Vec<AroundRow> = self.scan.reader.rows(&statement).await?;
            for (arm, found) in arms.iter_mut().enumerate() {
                found.passed = passed(&counted, arm, &candidates);
            }
        }
        Ok(AnytimeQuantile { metric: self.metric, q: self.q, arms })
    }

    /// The ranks of the ends of an arm's confidence sequence.
    fn ends(&self, rows: u64, alpha: f64) -> [Option<u64>; 2] {
        let found = quantile_sequence::sequence_ranks(rows, self.q, tuning(self.rule), alpha);
        [found.lower, found.upper]
    }

    /// At most so many ranks of an arm: most of them within reach of chance, the others around that.
    fn candidates(&self, rows: u64, most: usize) -> Vec<u64> {
        if rows == 0 {
            return Vec::new();
        }
        let mut ranks = Vec::new();
        for (alpha, count) in [(NEAR, most / 4 * 3), (FAR, most / 4)] {
            let [lower, upper] = self.ends(rows, alpha);
            let (first, last) = (lower.unwrap_or(1), upper.unwrap_or(rows));
            let step = (last - first).div_ceil(count.max(2) as u64 - 1).max(1);
            ranks.extend((first..last).step_by(usize::try_from(step).unwrap_or(usize::MAX)));
            ranks.push(last);
        }
        ranks.sort_unstable();
        ranks.dedup();
        ranks
    }
}

/// Rows an arm at which the test finds most.
fn tuning(rule: &Rule) -> f64 {
    rule.tuning / 2.0
}

/// For each candidate value, the arm's rows below it and up to it.
fn passed(counted: &[AroundRow], arm: usize, candidates: &[f64]) -> Vec<Passed> {
    let mut rows = vec![[0_u64; 3]; candidates.len()];
    for row in counted.iter().filter(|row| row.arm as usize == arm) {
        let place = candidates.binary_search_by(|value| value.total_cmp(&(row.value.0 + 0.0)));
        if let (Ok(place), Ok(side)) = (place, usize::try_from(row.side + 1)) {
            rows[place][side.min(2)] += row.rows;
        }
    }
    let mut before = 0;
    rows.into_iter()
        .map(|[below, at, after]| {
            let below = before + below;
            before = below + at + after;
            Passed { below, upto: below + at }
        })
        .collect()
}

impl AnytimeQuantile {
    /// The arm against the control.
    pub(super) fn compare(&self, (control, arm): (usize, usize), rule: &Rule) -> Anytime {
        let none = ArmRows::default();
        let control = self.arms.get(control).unwrap_or(&none);
        let arm = self.arms.get(arm).unwrap_or(&none);
        let plan = QuantilePlan {
            q: self.q,
            n_control: control.rows,
            n: arm.rows,
            tuning: tuning(rule),
            level: compare::level(rule),
        };
        let known = control.rows > 0 && arm.rows > 0;
        let p_value =
            known.then(|| quantile_sequence::quantile_p_value(&steps(control, arm), &plan)).flatten();
        let one_side = |interval: Interval| match rule.alternative {
            Alternative::TwoSided => interval,
            Alternative::Greater => Interval { hi: f64::INFINITY, ..interval },
            Alternative::Less => Interval { lo: f64::NEG_INFINITY, ..interval },
        };
        let of = |ends: (Option<f64>, Option<f64>)| Interval {
            lo: ends.0.unwrap_or(f64::NEG_INFINITY),
            hi: ends.1.unwrap_or(f64::INFINITY),
        };
        let (own, other) = (of(arm.ends), of(control.ends));
        Anytime {
            p_value,
            absolute: one_side(Interval { lo: own.lo - other.hi, hi: own.hi - other.lo }),
            relative: relative(own, other).map(one_side),
        }
    }
}

/// The arm's quantile over the control's less 1; `None` unless the control's is above 0.
fn relative(arm: Interval, control: Interval) -> Option<Interval> {
    if control.lo <= 0.0 {
        return None;
    }
    let lo = arm.lo / if arm.lo >= 0.0 { control.hi } else { control.lo };
    let hi = arm.hi / if arm.hi >= 0.0 { control.lo } else { control.hi };
    Some(Interval { lo: lo - 1.0, hi: hi - 1.0 })
}

/// Every candidate value, and everything between two of them and beyond them.
fn steps(control: &ArmRows, arm: &ArmRows) -> Vec<Step> {
    let (mut steps, mut before) = (Vec::new(), (0, 0));
    for (control, arm) in control.passed.iter().zip(&arm.passed) {
        let gap = |below: u64, upto: u64| Passed { below, upto };
        steps.push(Step { control: gap(before.0, control.below), arm: gap(before.1, arm.below) });
        steps.push(Step { control: *control, arm: *arm });
        before = (control.upto, arm.upto);
    }
    let beyond = |before: u64, rows: u64| Passed { below: before, upto: rows };
    steps.push(Step { control: beyond(before.0, control.rows), arm: beyond(before.1, arm.rows) });
    steps
}

#[cfg(test)]
mod tests {
    use windvane_stats::experiment::{effect::Interval, quantile_sequence::Passed};
    use windvane_store::{Real, experiment::AroundRow};

    use super::{AnytimeQuantile, ArmRows, passed, relative};
    use crate::experiment::Rule;

    fn around(arm: u32, value: f64, side: i8, rows: u64) -> AroundRow {
        AroundRow { arm, value: Real(value), side, rows }
    }

    #[test]
    fn rows_are_counted_up_to_each_candidate() {
        let counted = [
            around(0, 1.0, -1, 3),
            around(0, 1.0, 1, 2),
            around(0, 4.0, 0, 5),
            around(1, 1.0, 0, 9),
            around(0, 4.0, 1, 1),
        ];
        let of = |below, upto| Passed { below, upto };
        assert_eq!(passed(&counted, 0, &[1.0, 4.0]), [of(3, 3), of(5, 10)]);
        assert_eq!(passed(&counted, 1, &[1.0, 4.0]), [of(0, 9), of(9, 9)]);
    }

    /// Arms of 1000 rows with the values 0 to 999, those of the second moved up, at every `nth` candidate.
    fn moved(by: u64, nth: u64) -> AnytimeQuantile {
        let arm = |from: u64| ArmRows {
            rows: 1000,
            passed: (0..1000 + by)
                .step_by(usize::try_from(nth).unwrap())
                .map(|value| Passed {
                    below: value.saturating_sub(from).min(1000),
                    upto: (value + 1).saturating_sub(from).min(1000),
                })
                .collect(),
            ends: (Some(450.0 + from as f64), Some(550.0 + from as f64)),
        };
        AnytimeQuantile { metric: 0, q: 0.5, arms: vec![arm(0), arm(by)] }
    }

    #[test]
    fn few_candidates_never_find_more_than_all() {
        let rule = Rule { tuning: 2000.0, ..Rule::against("A") };
        let p = |by, nth| moved(by, nth).compare((0, 1), &rule).p_value.unwrap();
        assert_eq!((p(0, 1), p(0, 7)), (1.0, 1.0));
        assert!(
            p(150, 1) < 1e-4 && p(150, 1) <= p(150, 7) && p(150, 7) < 1e-3,
            "{} {}",
            p(150, 1),
            p(150, 7)
        );
    }

    #[test]
    fn intervals_hold_every_difference_of_the_ends() {
        let found = moved(200, 1).compare((0, 1), &Rule::against("A"));
        assert_eq!(found.absolute, Interval { lo: 100.0, hi: 300.0 });
        assert_eq!(found.relative, Some(Interval { lo: 650.0 / 550.0 - 1.0, hi: 750.0 / 450.0 - 1.0 }));
        let of = |lo, hi| Interval { lo, hi };
        assert_eq!(relative(of(1.0, 2.0), of(0.0, 1.0)), None);
        assert_eq!(relative(of(-2.0, -1.0), of(1.0, 2.0)), Some(of(-3.0, -1.5)));
        let open = relative(of(1.0, f64::INFINITY), of(1.0, f64::INFINITY)).unwrap();
        assert_eq!((open.lo, open.hi), (-1.0, f64::INFINITY));
    }
}
