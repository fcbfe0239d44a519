//! The default rules of Evidently and NannyML beside ours: false alarms as they come, and power at equal false alarms.
//!
//! The rules are written here from what the tools do (Evidently 0.7.23, NannyML 0.13.1), on their own kernels, which stand
//! in `stats/src/distances/peers.rs`. A rule is a score of a run and a limit; to compare power at equal false alarms every rule gets the
//! limit that its own scores pass in one of twenty runs without change, over the same columns: that in which the change will be has not
//! changed there. Evidently's goodness of fit takes the reference's shares as given, and so says drift of 50 unchanged
//! categories in three of five runs of 300 rows a side, at a limit that other columns pass in one of twenty.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use windvane_stats::{
    cells::{Cell, Cells},
    chi_square, divergence,
    edges::Binned,
    peers,
    walk::{Sizes, Walk},
};
use windvane_types::drift::Kind;

use super::{Draw, Drawn, Part, Rows, changes, drawn, measured, sorted, unchanged};
use crate::drift::{request::Rule, verdict};

/// NannyML cuts both periods into this many chunks.
const CHUNKS: usize = 10;
/// Reference rows up to which Evidently tests; beyond it, distances have a fixed limit.
const EVIDENTLY_TESTS_MAX: usize = 1000;

/// Columns as `Draw`s of both sides.
type Columns = [(Draw, Draw)];

/// What a run over columns scores by each rule; it says drift above the rule's limit.
#[derive(Debug, Clone, Copy)]
struct Scores {
    windvane: f64,
    evidently: f64,
    nannyml: f64,
}

impl Scores {
    /// By name, with the limit that the tool has.
    fn named(self) -> [(&'static str, f64, f64); 3] {
        [
            ("windvane", self.windvane, -Rule::default().alpha.ln()),
            ("evidently", self.evidently, 1.0),
            ("nannyml", self.nannyml, 3.0),
        ]
    }
}

fn scores(columns: &Columns, sizes: [usize; 2], rng: &mut ChaCha8Rng) -> Scores {
    let (mut evidently_most, mut nannyml_most) = (0.0_f64, f64::NEG_INFINITY);
    let mut ours = Vec::new();
    for (reference, current) in columns {
        let rows = drawn(*reference, *current, sizes, rng);
        evidently_most = evidently_most.max(evidently(reference.kind(), &rows));
        nannyml_most = nannyml_most.max(nannyml(reference.kind(), &rows));
        ours.push(measured(reference.kind(), &rows));
    }
    let rows = Rows { reference: sizes[0] as u64, current: sizes[1] as u64 };
    let judged = verdict::judge(vec![Part { rows, columns: ours }], &Rule::default());
    let windvane = judged[0]
        .columns
        .iter()
        .flat_map(|column| &column.methods)
        .filter(|method| {
            method.effect.zip(method.threshold).is_some_and(|(effect, floor)| effect.abs() >= floor)
        })
        .filter_map(|method| method.p_adjusted)
        .fold(0.0_f64, |most, p| most.max(-p.ln()));
    Scores { windvane, evidently: evidently_most, nannyml: nannyml_most }
}

/// Evidently's test of a column as a share of its limit: above 1 the column drifts. Missing values are dropped.
fn evidently(kind: Kind, rows: &Drawn) -> f64 {
    let [a, b] = [sorted(&rows[0]), sorted(&rows[1])];
    if a.is_empty() || b.is_empty() {
        return 0.0;
    }
    let by_p = |p: Option<f64>| p.map_or(0.0, |p| p.max(f64::MIN_POSITIVE).ln() / 0.05_f64.ln());
    let by_distance = |distance: Option<f64>| distance.map_or(0.0, |distance| distance / 0.1);
    let cells = counted(&a, &b);
    match (a.len() <= EVIDENTLY_TESTS_MAX, kind, cells.len()) {
        // Its test of two proportions is Pearson's of the table.
        (true, _, 0..=2) => by_p(chi_square::chi_square(&cells.into_iter().collect()).p_value),
        (true, Kind::Numeric, 6..) => by_p(walked(&a, &b).ks().p_value),
        (true, ..) => by_p(peers::chi_square_of_fit(&cells.into_iter().collect()).p_value),
        (false, Kind::Numeric, 6..) => by_distance(walked(&a, &b).wasserstein_normed().statistic),
        (false, ..) => by_distance(peers::jensen_shannon_nats(&cells.into_iter().collect()).statistic),
    }
}

/// How far the worst of NannyML's chunks of a column is from the mean of the reference's own chunks, in their standard
/// deviations: above 3 it alerts. Each chunk is compared with the whole reference, those of the reference too.
fn nannyml(kind: Kind, rows: &Drawn) -> f64 {
    let reference = sorted(&rows[0]);
    let distance = |chunk: &[Option<f64>]| {
        let chunk = sorted(chunk);
        let cells: Cells = match kind {
            Kind::Numeric => binned(&reference, &chunk).into_iter().collect(),
            _ => counted(&reference, &chunk).into_iter().collect(),
        };
        divergence::jensen_shannon(&cells).statistic
    };
    let chunks = |rows: &[Option<f64>]| -> Vec<f64> {
        rows.chunks(rows.len().div_ceil(CHUNKS)).filter_map(distance).collect()
    };
    let own = chunks(&rows[0]);
    let mean = own.iter().sum::<f64>() / own.len() as f64;
    let deviation = (own.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / own.len() as f64).sqrt();
    chunks(&rows[1])
        .into_iter()
        .map(|distance| (distance - mean) / deviation)
        .fold(f64::NEG_INFINITY, f64::max)
}

/// A cell a value.
fn counted(a: &[f64], b: &[f64]) -> Vec<Cell> {
    let mut cells: Vec<(f64, Cell)> = Vec::new();
    let mut pairs: Vec<(f64, u64, u64)> =
        a.iter().map(|x| (*x, 1, 0)).chain(b.iter().map(|x| (*x, 0, 1))).collect();
    pairs.sort_by(|x, y| x.0.total_cmp(&y.0));
    for (value, in_a, in_b) in pairs {
        match cells.last_mut() {
            Some((last, cell)) if *last == value => {
                cell.a += in_a;
                cell.b += in_b;
            }
            _ => cells.push((value, Cell::new(in_a, in_b))),
        }
    }
    cells.into_iter().map(|(_, cell)| cell).collect()
}

/// Doane's bins of the reference, and one for what lies outside of them.
fn binned(reference: &[f64], chunk: &[f64]) -> Vec<Cell> {
    let n = reference.len() as f64;
    let mean = reference.iter().sum::<f64>() / n;
    let moment = |power| reference.iter().map(|x| (x - mean).powi(power)).sum::<f64>() / n;
    let skewness = moment(3) / moment(2).powf(1.5);
    let (low, high) = (reference[0], reference[reference.len() - 1]);
    let edges = Binned::new(peers::doane(low, high, reference.len() as u64, skewness)).edges().to_vec();
    let mut cells = vec![Cell::new(0, 0); edges.len()];
    let outside = cells.len() - 1;
    let place = |value: f64| match value {
        value if value < low || value > high => outside,
        value => {
            edges.partition_point(|edge| *edge <= value).saturating_sub(1).min(outside.saturating_sub(1))
        }
    };
    reference.iter().for_each(|value| cells[place(*value)].a += 1);
    chunk.iter().for_each(|value| cells[place(*value)].b += 1);
    cells
}

fn walked(a: &[f64], b: &[f64]) -> windvane_stats::walk::Walked {
    let mut pairs: Vec<(f64, u64, u64)> =
        a.iter().map(|x| (*x, 1, 0)).chain(b.iter().map(|x| (*x, 0, 1))).collect();
    pairs.sort_by(|x, y| x.0.total_cmp(&y.0));
    let mut walk = Walk::new(Sizes { a: a.len() as u64, b: b.len() as u64 }, Vec::new());
    pairs.iter().for_each(|(value, a, b)| walk.push(*value, *a, *b));
    walk.finish().unwrap()
}

/// Columns without change that no rule is blind to: identifiers and many rare categories alarm NannyML in every run, which
/// would leave it no power at all.
fn kind_to_peers(columns: usize) -> Vec<(Draw, Draw)> {
    super::UNCHANGED[..8].iter().copied().cycle().take(columns).map(|draw| (draw, draw)).collect()
}

fn many(columns: &Columns, sizes: [usize; 2], runs: u32, seed: u64) -> Vec<Scores> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..runs).map(|_| scores(columns, sizes, &mut rng)).collect()
}

/// The limit that one of twenty of these runs passes.
fn limit_of_null(mut null: Vec<f64>) -> f64 {
    null.sort_by(f64::total_cmp);
    null[null.len() - 1 - null.len() / 20]
}

fn share(scores: &[Scores], rule: usize, limit: f64) -> f64 {
    scores.iter().filter(|scores| scores.named()[rule].1 > limit).count() as f64 / scores.len() as f64
}

#[test]
fn the_default_rules_of_peers_raise_false_alarms_where_ours_does_not() {
    let null = many(&unchanged(20), [1000, 1000], 40, 21);
    let [ours, evidently, nannyml] = [0, 1, 2].map(|rule| share(&null, rule, null[0].named()[rule].2));
    assert!(ours <= 0.05, "{ours}");
    // The share of runs with any of 20 columns beyond p 0.05, and of 200 chunks beyond three deviations: nearly one.
    assert!(evidently > 0.3 && nannyml > 0.3, "{evidently} {nannyml}");
}

#[test]
fn a_rule_on_its_own_limit_says_what_the_judge_says() {
    let columns = [unchanged(4), vec![(changes()[0].1, changes()[0].2)]].concat();
    let sizes = [200, 200];
    let share_by_score = share(&many(&columns, sizes, 30, 22), 0, -Rule::default().alpha.ln());
    assert_eq!(share_by_score, super::share_of_drift(&columns, sizes, 30, 22));
}

#[test]
#[ignore = "takes minutes: `make calibrate` runs it"]
fn table() {
    println!(
        "no change: share of runs that raise anything, by default rules\nreference,current,columns,runs,rule,share"
    );
    let sizes = [[100, 100], [1000, 100], [1000, 1000], [2000, 200], [10_000, 1000], [10_000, 10_000]];
    for sizes in sizes {
        for (columns, runs) in [(5, 200), (20, 100), (100, 20)] {
            let null = many(&unchanged(columns), sizes, runs, 300 + columns as u64);
            for (rule, (name, _, limit)) in null[0].named().into_iter().enumerate() {
                println!(
                    "{},{},{columns},{runs},{name},{:.3}",
                    sizes[0],
                    sizes[1],
                    share(&null, rule, limit)
                );
            }
        }
    }
}

#[test]
#[ignore = "takes minutes: `make calibrate` runs it"]
fn power() {
    println!(
        "one of 20 columns changed: share of runs that find it, by limits that 5 % of runs without change pass\n\
         reference,current,change,runs,rule,limit,share,share by default rule"
    );
    let mut failures = Vec::new();
    for (sizes, runs) in [([300, 300], 400), ([1000, 1000], 100), ([10_000, 1000], 100)] {
        let mut nulls: Vec<(Draw, Vec<Scores>)> = Vec::new();
        for (change, reference, current) in changes() {
            let with = |current| [kind_to_peers(19), vec![(reference, current)]].concat();
            let known = nulls.iter().position(|(column, _)| *column == reference).unwrap_or_else(|| {
                nulls.push((reference, many(&with(reference), sizes, 400, 400)));
                nulls.len() - 1
            });
            let null = &nulls[known].1;
            let found = many(&with(current), sizes, runs, 401);
            let powers: Vec<f64> = (0..3)
                .map(|rule| {
                    let limit = limit_of_null(null.iter().map(|scores| scores.named()[rule].1).collect());
                    let (name, _, default) = null[0].named()[rule];
                    let power = share(&found, rule, limit);
                    let by_default = share(&found, rule, default);
                    let [n, m] = sizes;
                    println!("{n},{m},{change},{runs},{name},{limit:.3},{power:.3},{by_default:.3}");
                    power
                })
                .collect();
            // Two standard errors of a difference of shares, at most.
            let slack = 2.0 * (0.5 / f64::from(runs)).sqrt();
            if powers[0] < powers[1].max(powers[2]) - slack {
                failures.push(format!("{sizes:?} {change}: {powers:?}"));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
