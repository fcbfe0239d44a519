//! From statistics to words: correction, floors, insufficient data, direction. Pure.

use windvane_stats::correction::Correction;
use windvane_types::drift::{Column, Direction, Kind, Method as Said, Segment, Verdict};

use super::{
    Method, Part,
    compat::Threshold,
    measure::{Location, Measured, MeasuredColumn, Rows},
    request::Rule,
};

/// The level at which a location counts as moved, for the word in `direction` alone: stricter than usual, so that a change
/// of shape is seldom called a move.
const MOVED: f64 = 0.01;

/// A population or a segment of it, judged.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) rows: Rows,
    pub(super) verdict: Verdict,
    pub(super) columns: Vec<Column>,
    /// P-values in the family of the correction.
    pub(super) tests: usize,
}

impl Default for Judged {
    fn default() -> Self {
        Self { rows: Rows::default(), verdict: Verdict::InsufficientData, columns: Vec::new(), tests: 0 }
    }
}

/// Judges all parts as one family.
pub(super) fn judge(parts: Vec<Part>, rule: &Rule) -> Vec<Judged> {
    let family = family(&parts, rule, judged_p);
    let mut adjusted = rule.correction.adjust(&family).into_iter();
    let level = level_of_labels(&parts, rule);
    parts
        .into_iter()
        .map(|part| {
            let columns: Vec<Column> = part
                .columns
                .into_iter()
                .map(|column| {
                    let methods = column
                        .methods
                        .iter()
                        .map(|measured| {
                            let counts = is_judged(&column, measured, rule) && judged_p(measured).is_some();
                            let p_adjusted = counts.then(|| adjusted.next()).flatten();
                            Said {
                                statistic_error: ks_error(&column, measured),
                                ..say(measured, p_adjusted, (level, rule))
                            }
                        })
                        .collect();
                    finish(column, methods, rule)
                })
                .collect();
            Judged { rows: part.rows, verdict: of_columns(&columns), columns, tests: family.len() }
        })
        .collect()
}

/// The verdict of the document: drift anywhere is drift.
pub(super) fn overall(whole: Verdict, segments: &[Segment]) -> Verdict {
    if segments.iter().any(|segment| segment.verdict == Verdict::Drift) { Verdict::Drift } else { whole }
}

/// The p-values of all comparisons that had enough rows, in order.
fn family(parts: &[Part], rule: &Rule, p_value: fn(&Measured) -> Option<f64>) -> Vec<f64> {
    let columns = parts.iter().flat_map(|part| &part.columns);
    let judged = columns.flat_map(|column| {
        let methods = column.methods.iter();
        methods.filter(move |measured| is_judged(column, measured, rule)).filter_map(p_value)
    });
    judged.collect()
}

fn judged_p(measured: &Measured) -> Option<f64> {
    measured.judged_p.or(measured.comparison.p_value)
}

/// The same, by exchanged labels where a category is too rare for the limiting p-value. Where no relabelling reached the effect, the
/// limiting one stands for how small it may be.
fn p_by_labels(measured: &Measured) -> Option<f64> {
    let p_value = judged_p(measured)?;
    let Some((nulls, effect)) = measured.null_effects.as_ref().zip(measured.comparison.effect) else {
        return Some(p_value);
    };
    Some(nulls.p_value(effect.abs()).unwrap_or_else(|| p_value.min(nulls.smallest_p())))
}

/// The level that the correction leaves a single comparison, when rare categories are judged by exchanged labels: the largest p-value that
/// is significant, or that of the first step where none is. Limiting p-values that are too small do not raise it.
fn level_of_labels(parts: &[Part], rule: &Rule) -> f64 {
    let family = family(parts, rule, p_by_labels);
    let least = rule.alpha / rule.correction.of_smallest(family.len().max(1));
    let adjusted = rule.correction.adjust(&family);
    let significant = family.iter().zip(adjusted).filter(|(_, adjusted)| *adjusted < rule.alpha);
    significant.map(|(p_value, _)| *p_value).fold(least, f64::max)
}

/// Whether a method had enough rows to judge by: values for most, rows for the share of missing ones.
fn is_judged(column: &MeasuredColumn, measured: &Measured, rule: &Rule) -> bool {
    match measured.method {
        Method::MissingRate => {
            let reference = column.values.reference + column.missing.reference;
            let current = column.values.current + column.missing.current;
            reference.min(current) >= rule.min_rows
        }
        _ => has_values(column, rule),
    }
}

fn has_values(column: &MeasuredColumn, rule: &Rule) -> bool {
    column.values.reference.min(column.values.current) >= rule.min_rows
}

fn say(measured: &Measured, p_adjusted: Option<f64>, (level, rule): (f64, &Rule)) -> Said {
    let comparison = measured.comparison;
    let by_labels = measured.null_effects.as_ref().map_or(0.0, |nulls| nulls.floor(level));
    let floor = measured.method.floor().max(by_labels);
    let peer = rule.compat.and_then(|compat| compat.threshold(measured.method));
    let (threshold, drifted) = match (peer, comparison.effect) {
        (Some(Threshold::Statistic(least)), _) => {
            (least, comparison.statistic.is_some_and(|size| size >= least))
        }
        (Some(Threshold::PValue(below)), _) => (below, comparison.p_value.is_some_and(|p| p < below)),
        (None, Some(effect)) => (floor, p_adjusted.is_some_and(|p| p < rule.alpha) && effect.abs() >= floor),
        (None, None) => (floor, false),
    };
    // Too few rows are not judged by either p-value.
    let p_judged = p_adjusted.and(measured.judged_p);
    Said {
        method: measured.method.as_str().to_owned(),
        statistic: comparison.statistic,
        statistic_error: None,
        threshold: Some(threshold),
        p_value: comparison.p_value,
        p_judged,
        // Without a correction the contract has the reported p-value here, whichever was judged.
        p_adjusted: p_adjusted.map(|p| match rule.correction {
            Correction::None => comparison.p_value.unwrap_or(p),
            _ => p,
        }),
        effect: comparison.effect,
        drifted,
        p_method: comparison.p_method.map(|method| method.as_str().to_owned()),
        smoothing: measured.smoothing.map(str::to_owned),
        bins: measured.bins,
        reason: measured.reason.map(str::to_owned).or_else(|| {
            let unfinished =
                !drifted && peer.is_none() && comparison.effect.is_some_and(|e| e.abs() >= floor);
            let insignificant = p_adjusted.is_some_and(|p| p >= rule.alpha);
            let coarse = (unfinished && insignificant).then(|| coarse(measured, rule)).flatten();
            coarse.or_else(|| p_judged.map(|p| format!("judged by exchanged labels, p {}", short(p))))
        }),
    }
}

/// Why a change may be there that the method cannot show: its p-value is the smallest that it has, and too large for so many
/// comparisons.
fn coarse(measured: &Measured, rule: &Rule) -> Option<String> {
    let smallest = measured.least_p?;
    let p_value = measured.judged_p.or(measured.comparison.p_value)?;
    (p_value < rule.alpha && p_value <= smallest * (1.0 + 1e-9)).then(|| {
        format!("its smallest p-value, {}, cannot be significant among so many comparisons", short(smallest))
    })
}

/// Two digits that count.
fn short(p: f64) -> String {
    let zeros = [0.1, 0.01, 0.001, 1e-4].iter().filter(|bound| p < **bound).count();
    format!("{p:.*}", zeros + 2)
}

fn ks_error(column: &MeasuredColumn, measured: &Measured) -> Option<f64> {
    column.ks_error.filter(|_| measured.method == Method::Ks && measured.comparison.statistic.is_some())
}

fn finish(column: MeasuredColumn, methods: Vec<Said>, rule: &Rule) -> Column {
    let verdict = match methods.iter().any(|method| method.drifted) {
        true => Verdict::Drift,
        false if has_values(&column, rule) => Verdict::NoDrift,
        false => Verdict::InsufficientData,
    };
    let values_drifted =
        methods.iter().any(|method| method.drifted && method.method != Method::MissingRate.as_str());
    let direction = match (column.kind, column.location) {
        (Kind::Numeric, Some(location)) if values_drifted => direction(&location),
        _ => Direction::None,
    };
    Column {
        column: column.name,
        kind: column.kind,
        n_reference: column.values.reference,
        n_current: column.values.current,
        missing_reference: column.missing.reference,
        missing_current: column.missing.current,
        verdict,
        direction,
        mean_reference: column.location.and_then(|location| location.mean_reference),
        mean_current: column.location.and_then(|location| location.mean_current),
        largest_change: column.largest_change,
        embedding: column.embedding,
        text: column.text,
        distribution: column.distribution,
        methods,
    }
}

fn direction(location: &Location) -> Direction {
    let moved = |comparison: windvane_stats::comparison::Comparison| {
        comparison.p_value.filter(|p| *p < MOVED).and(comparison.effect).filter(|effect| *effect != 0.0)
    };
    // Where the ranks moved the means say which way; without means (infinite values) the ranks do.
    let change = match (moved(location.ranks), moved(location.means)) {
        (None, None) => None,
        (ranks, means) => location.means.effect.filter(|effect| *effect != 0.0).or(means).or(ranks),
    };
    match change {
        None => Direction::Mixed,
        Some(change) if change > 0.0 => Direction::Up,
        Some(_) => Direction::Down,
    }
}

fn of_columns(columns: &[Column]) -> Verdict {
    let any = |verdict| columns.iter().any(|column| column.verdict == verdict);
    if any(Verdict::Drift) {
        Verdict::Drift
    } else if any(Verdict::NoDrift) {
        Verdict::NoDrift
    } else {
        Verdict::InsufficientData
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use windvane_stats::{
        anderson_darling::SMALLEST_P,
        cells::{Cell, Cells},
        chi_square::chi_square,
        comparison::{Comparison, PMethod},
        permutation,
    };

    use super::*;

    fn column(method: Method, comparison: Comparison) -> MeasuredColumn {
        MeasuredColumn {
            name: String::new(),
            kind: Kind::Numeric,
            values: Rows { reference: 1000, current: 1000 },
            missing: Rows::default(),
            methods: vec![Measured { least_p: Some(SMALLEST_P), ..Measured::of(method, comparison) }],
            location: None,
            ks_error: None,
            largest_change: None,
            embedding: None,
            text: None,
            distribution: None,
        }
    }

    #[test]
    fn what_is_judged_in_place_of_the_p_value_is_told_beside_it() {
        let skewed = || {
            let welch = Comparison::of(3.0, 0.5).with_p(0.004, PMethod::Asymptotic);
            let mut column = column(Method::Welch, welch);
            column.methods[0].judged_p = Some(0.07);
            column
        };
        for (correction, adjusted) in [(Correction::Bh, 0.07), (Correction::None, 0.004)] {
            let rule = Rule { correction, ..Rule::default() };
            let judged = judge(vec![Part { rows: Rows::default(), columns: vec![skewed()] }], &rule);
            let said = &judged[0].columns[0].methods[0];
            assert_eq!(
                (said.p_value, said.p_judged, said.p_adjusted),
                (Some(0.004), Some(0.07), Some(adjusted))
            );
            assert!(!said.drifted, "judged by .07");
            assert_eq!(said.reason.as_deref(), Some("judged by exchanged labels, p 0.070"));
        }
        let few = MeasuredColumn { values: Rows { reference: 29, current: 1000 }, ..skewed() };
        let judged = judge(vec![Part { rows: Rows::default(), columns: vec![few] }], &Rule::default());
        let said = &judged[0].columns[0].methods[0];
        assert_eq!((said.p_value, said.p_judged, said.p_adjusted), (Some(0.004), None, None));
        assert_eq!(said.reason, None, "too few rows are not judged");
    }

    #[test]
    fn a_method_whose_smallest_p_is_too_large_for_so_many_columns_says_so() {
        let moved = Comparison::of(9.0, 0.5).with_p(SMALLEST_P, PMethod::Asymptotic);
        let unmoved = Comparison::of(0.0, 0.01).with_p(0.9, PMethod::Asymptotic);
        for (others, drifted) in [(9, true), (99, false)] {
            let columns = std::iter::once(moved).chain(std::iter::repeat_n(unmoved, others));
            let columns = columns.map(|said| column(Method::AndersonDarling, said)).collect();
            let judged = judge(vec![Part { rows: Rows::default(), columns }], &Rule::default());
            let said = &judged[0].columns[0].methods[0];
            assert_eq!((said.drifted, said.reason.is_none()), (drifted, drifted), "{others} others");
            assert!(judged[0].columns[1].methods[0].reason.is_none(), "nothing moved there");
        }
    }

    #[test]
    fn rare_categories_are_held_against_the_level_that_the_correction_leaves() {
        let cells: Cells = (1..=30).map(|i| Cell::new(i / 3, i - i / 3)).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let nulls = permutation::null_effects(&cells, &mut rng, chi_square).unwrap();
        // Four relabellings of five thousand reach it in all: p .001, whatever the limiting distribution says.
        let effect = nulls.floor(0.001);
        assert!(nulls.floor(5e-4) > effect && effect > 0.05);
        let rare = || {
            let limiting = Comparison::of(9.0, effect).with_p(1e-9, PMethod::Asymptotic);
            let mut column = column(Method::ChiSquare, limiting);
            column.methods[0].null_effects = Some(nulls.clone());
            column
        };
        let unmoved = || column(Method::Ks, Comparison::of(0.0, 0.01).with_p(0.9, PMethod::Asymptotic));
        for (others, drifted, level) in [(0, true, 0.05), (9, true, 0.005), (99, false, 5e-4)] {
            let columns = std::iter::once(rare()).chain((0..others).map(|_| unmoved())).collect();
            let judged = judge(vec![Part { rows: Rows::default(), columns }], &Rule::default());
            let said = &judged[0].columns[0].methods[0];
            assert_eq!(
                (said.drifted, said.threshold),
                (drifted, Some(nulls.floor(level))),
                "{others} others"
            );
            assert_eq!(said.p_value, Some(1e-9), "{others} others");
        }
        // P .001 of forty is significant but for Benjamini-Yekutieli, which leaves the smallest one a fourth of what the others do.
        for (correction, drifted) in [
            (Correction::Bh, true),
            (Correction::By, false),
            (Correction::Bonferroni, true),
            (Correction::None, true),
        ] {
            let rule = Rule { correction, ..Rule::default() };
            let columns = std::iter::once(rare()).chain((0..39).map(|_| unmoved())).collect();
            let judged = judge(vec![Part { rows: Rows::default(), columns }], &rule);
            let said = &judged[0].columns[0].methods[0];
            assert_eq!(said.drifted, drifted, "{correction:?}");
            let level = rule.alpha / correction.of_smallest(40);
            assert_eq!(said.threshold, Some(nulls.floor(level)), "{correction:?}");
        }
    }
}
