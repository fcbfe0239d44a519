//! How often the default rule says drift where there is none, and how often it finds what it should.
//!
//! The populations are drawn here and measured by the same kernels and judged by the same rule as those of a command; only
//! the engine is left out, because sorting and counting have tests of their own. `make calibrate` runs the large table; a
//! small one runs with every test.

mod methods;
mod peers;
mod unstructured;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Cauchy, Distribution, Exp1, Poisson, StandardNormal};
use windvane_stats::{
    cells::{Cell, Cells},
    edges::Binned,
    epps_singleton::Characteristic,
    walk::{Sizes, Walk},
};
use windvane_types::drift::{Kind, Verdict};

use super::{
    Method, Part,
    measure::{MeasuredColumn, Rows, kernels, location},
    request::Rule,
    verdict,
};

/// What a column's values are like.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Law {
    Normal {
        shift: f64,
        scale: f64,
    },
    Exponential,
    Cauchy,
    Poisson {
        mean: f64,
    },
    /// A heap at zero and a tail.
    Zeros,
    /// Categories of equal share, one of them grown by `more` at the cost of the others.
    Uniform {
        categories: u64,
        more: f64,
    },
    /// As many categories of equal share, the first half of them grown by `more` together at the cost of the others.
    Halves {
        categories: u64,
        more: f64,
    },
    /// Shares that fall as 1/rank: many rare categories.
    Zipf {
        categories: u64,
    },
    /// Every value once or twice.
    Identifiers,
    /// Five equal categories, and a sixth with this share.
    WithNew {
        share: f64,
    },
}

/// A column of one side.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Draw {
    law: Law,
    missing: f64,
}

const UNCHANGED: [Draw; 10] = [
    Draw { law: Law::Normal { shift: 0.0, scale: 1.0 }, missing: 0.0 },
    Draw { law: Law::Exponential, missing: 0.02 },
    Draw { law: Law::Cauchy, missing: 0.0 },
    Draw { law: Law::Poisson { mean: 2.0 }, missing: 0.0 },
    Draw { law: Law::Zeros, missing: 0.2 },
    Draw { law: Law::Uniform { categories: 2, more: 0.0 }, missing: 0.0 },
    Draw { law: Law::Uniform { categories: 8, more: 0.0 }, missing: 0.05 },
    Draw { law: Law::Zipf { categories: 50 }, missing: 0.0 },
    Draw { law: Law::Zipf { categories: 2000 }, missing: 0.01 },
    Draw { law: Law::Identifiers, missing: 0.0 },
];

impl Draw {
    /// A value, `None` where it is missing; categories are whole numbers.
    fn value(self, rng: &mut ChaCha8Rng, size: usize) -> Option<f64> {
        if rng.random::<f64>() < self.missing {
            return None;
        }
        let pick = |rng: &mut ChaCha8Rng, count: u64| rng.random_range(0..count) as f64;
        Some(match self.law {
            Law::Normal { shift, scale } => {
                let normal: f64 = StandardNormal.sample(rng);
                shift + scale * normal
            }
            Law::Exponential => Exp1.sample(rng),
            Law::Cauchy => Cauchy::new(0.0, 1.0).unwrap().sample(rng),
            Law::Poisson { mean } => Poisson::new(mean).unwrap().sample(rng),
            Law::Zeros => {
                if rng.random::<f64>() < 0.7 {
                    0.0
                } else {
                    Exp1.sample(rng)
                }
            }
            Law::Uniform { categories, more } => {
                if rng.random::<f64>() < more {
                    0.0
                } else {
                    pick(rng, categories)
                }
            }
            Law::Halves { categories, more } => {
                let first = if rng.random::<f64>() < 0.5 + more { 0 } else { categories / 2 };
                first as f64 + pick(rng, categories / 2)
            }
            Law::Zipf { categories } => {
                // P(rank > k) falls as ln: the inverse of ln(1+k)/ln(1+K).
                ((categories as f64 + 1.0).powf(rng.random::<f64>()) - 1.0).floor()
            }
            Law::Identifiers => pick(rng, 20 * size as u64),
            Law::WithNew { share } => {
                if rng.random::<f64>() < share {
                    5.0
                } else {
                    pick(rng, 5)
                }
            }
        })
    }

    fn kind(self) -> Kind {
        match self.law {
            Law::Uniform { .. }
            | Law::Halves { .. }
            | Law::Zipf { .. }
            | Law::Identifiers
            | Law::WithNew { .. } => Kind::Categorical,
            _ => Kind::Numeric,
        }
    }
}

/// The rows of both sides of a column, in the order in which they came; `None` where a value is missing.
type Drawn = [Vec<Option<f64>>; 2];

fn drawn(reference: Draw, current: Draw, sizes: [usize; 2], rng: &mut ChaCha8Rng) -> Drawn {
    [(reference, sizes[0]), (current, sizes[1])]
        .map(|(draw, size)| (0..size).map(|_| draw.value(rng, size)).collect())
}

fn sorted(rows: &[Option<f64>]) -> Vec<f64> {
    let mut values: Vec<f64> = rows.iter().copied().flatten().collect();
    values.sort_by(f64::total_cmp);
    values
}

/// Measures one column as the default rule does.
fn measured(kind: Kind, drawn: &Drawn) -> MeasuredColumn {
    measured_by(Method::defaults(kind), kind, drawn)
}

/// Measures one column by these methods.
fn measured_by(methods: &[Method], kind: Kind, drawn: &Drawn) -> MeasuredColumn {
    let sizes = [drawn[0].len(), drawn[1].len()];
    let [a, b] = [sorted(&drawn[0]), sorted(&drawn[1])];
    let values = Rows { reference: a.len() as u64, current: b.len() as u64 };
    let missing =
        Rows { reference: sizes[0] as u64 - values.reference, current: sizes[1] as u64 - values.current };
    let mut pairs: Vec<(f64, u64, u64)> =
        a.iter().map(|x| (*x, 1, 0)).chain(b.iter().map(|x| (*x, 0, 1))).collect();
    pairs.sort_by(|x, y| x.0.total_cmp(&y.0));
    let (methods, place) = if kind == Kind::Numeric {
        let mut walk =
            Walk::new(Sizes { a: values.reference, b: values.current }, vec![Binned::new(quantiles(&a))]);
        pairs.iter().for_each(|(value, a, b)| walk.push(*value, *a, *b));
        let walked = walk.finish().unwrap();
        let mut characteristic = walked.half_iqr.filter(|half| *half > 0.0).map(Characteristic::new);
        let of_characteristic =
            characteristic.iter_mut().filter(|_| methods.contains(&Method::EppsSingleton));
        of_characteristic.for_each(|it| pairs.iter().for_each(|(value, a, b)| it.push(*value, *a, *b)));
        let numbers = kernels::Numbers {
            walked: Some(&walked),
            characteristic: characteristic.as_ref(),
            values,
            missing,
            seed: 1,
            alpha: Rule::default().alpha,
            compat: None,
        };
        let methods = methods.iter().map(|method| numbers.measure(*method)).collect();
        (methods, Some(location(&walked)))
    } else {
        let mut cells: Vec<(f64, Cell)> = Vec::new();
        for (value, a, b) in pairs {
            match cells.last_mut() {
                Some((last, cell)) if *last == value => {
                    cell.a += a;
                    cell.b += b;
                }
                _ => cells.push((value, Cell::new(a, b))),
            }
        }
        let cells: Cells = cells.into_iter().map(|(_, cell)| cell).collect();
        let categories = kernels::Categories {
            by_name: cells.clone(),
            cells,
            values,
            missing,
            seed: 1,
            alpha: Rule::default().alpha,
            compat: None,
        };
        (methods.iter().map(|method| categories.measure(*method)).collect(), None)
    };
    MeasuredColumn {
        name: String::new(),
        kind,
        values,
        missing,
        methods,
        location: place,
        ks_error: None,
        largest_change: None,
        embedding: None,
        text: None,
        distribution: None,
    }
}

/// Ten bins between quantiles of sorted values, type 7.
#[expect(clippy::cast_sign_loss, reason = "positions are not below 0")]
fn quantiles(sorted: &[f64]) -> Vec<f64> {
    (0..=10)
        .filter_map(|i| {
            let at = f64::from(i) / 10.0 * sorted.len().checked_sub(1)? as f64;
            let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
            Some(low + (high - low) * at.fract())
        })
        .collect()
}

/// The share of runs that say drift anywhere, by the default rule; `parts` draws the segments of one run.
fn share_of_runs(runs: u32, seed: u64, parts: impl Fn(&mut ChaCha8Rng) -> Vec<Part>) -> f64 {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let drifted = (0..runs)
        .filter(|_| {
            let judged = verdict::judge(parts(&mut rng), &Rule::default());
            judged.iter().any(|part| part.verdict == Verdict::Drift)
        })
        .count();
    drifted as f64 / f64::from(runs)
}

/// The rows of both sides.
fn rows(sizes: [usize; 2]) -> Rows {
    Rows { reference: sizes[0] as u64, current: sizes[1] as u64 }
}

/// The share of runs over these columns that say drift, by the default methods and rule.
fn share_of_drift(columns: &[(Draw, Draw)], sizes: [usize; 2], runs: u32, seed: u64) -> f64 {
    share_of_runs(runs, seed, |rng| {
        let measured = |(reference, current): &(Draw, Draw)| {
            measured(reference.kind(), &drawn(*reference, *current, sizes, rng))
        };
        vec![Part { rows: rows(sizes), columns: columns.iter().map(measured).collect() }]
    })
}

fn unchanged(columns: usize) -> Vec<(Draw, Draw)> {
    UNCHANGED.iter().copied().cycle().take(columns).map(|draw| (draw, draw)).collect()
}

/// What the contract says must be found at 1,000 rows against 1,000, nine times in ten.
fn changes() -> Vec<(&'static str, Draw, Draw)> {
    let of = |law| Draw { law, missing: 0.0 };
    let normal = of(Law::Normal { shift: 0.0, scale: 1.0 });
    let uniform = |categories, more| of(Law::Uniform { categories, more });
    let halves = |categories, more| of(Law::Halves { categories, more });
    vec![
        ("shift of 0.5 standard deviations", normal, of(Law::Normal { shift: 0.5, scale: 1.0 })),
        ("standard deviation doubled", normal, of(Law::Normal { shift: 0.0, scale: 2.0 })),
        ("Poisson 2 to 3", of(Law::Poisson { mean: 2.0 }), of(Law::Poisson { mean: 3.0 })),
        // One category grows by `more`·(1 - 1/k): 0.18 in total variation.
        ("total variation .18 in 2 categories", uniform(2, 0.0), uniform(2, 0.36)),
        ("total variation .18 in 10 categories", uniform(10, 0.0), uniform(10, 0.2)),
        ("total variation .18 in 50 categories", uniform(50, 0.0), uniform(50, 0.18 / 0.98)),
        ("total variation .18 over all of 10 categories", halves(10, 0.0), halves(10, 0.18)),
        ("5 % in a new category", of(Law::WithNew { share: 0.0 }), of(Law::WithNew { share: 0.05 })),
        ("14 points more missing", Draw { missing: 0.1, ..normal }, Draw { missing: 0.24, ..normal }),
    ]
}

// Few rows a category: much of the change is lost in the sum over all of them.
#[test]
fn a_change_of_one_of_many_categories_is_found_in_few_rows() {
    let uniform = |more| Draw { law: Law::Uniform { categories: 50, more }, missing: 0.0 };
    let columns = [unchanged(19), vec![(uniform(0.0), uniform(0.18 / 0.98))]].concat();
    let share = share_of_drift(&columns, [300, 300], 40, 13);
    assert!(share >= 0.85, "found in {share} of runs");
}

/// Alpha and two standard errors of the share over these runs.
fn bound(runs: u32) -> f64 {
    let alpha = Rule::default().alpha;
    alpha + 2.0 * (alpha * (1.0 - alpha) / f64::from(runs)).sqrt()
}

#[test]
fn without_change_runs_seldom_say_drift() {
    for (sizes, columns) in [([30, 30], 10), ([300, 1000], 10), ([2000, 60], 20)] {
        let share = share_of_drift(&unchanged(columns), sizes, 60, 11);
        assert!(share <= bound(60), "{sizes:?} rows, {columns} columns: {share}");
    }
}

#[test]
fn what_must_be_found_is_found() {
    for (name, reference, current) in changes() {
        let mut columns = unchanged(9);
        columns.push((reference, current));
        let share = share_of_drift(&columns, [1000, 1000], 30, 12);
        assert!(share >= 0.9, "{name}: found in {share} of runs");
    }
}

#[test]
#[ignore = "takes minutes: `make calibrate` runs it"]
fn table() {
    let mut failures = Vec::new();
    println!(
        "no change: share of runs that say drift at alpha 0.05\nreference,current,columns,runs,share,bound"
    );
    for (sizes, runs) in [
        ([30, 30], [4000, 1000, 200, 60]),
        ([30, 100_000], [40, 10, 2, 1]),
        ([100, 100], [1000, 500, 150, 40]),
        ([1000, 30], [1000, 300, 100, 20]),
        ([1000, 1000], [600, 200, 60, 20]),
        ([10_000, 1000], [200, 60, 20, 4]),
        ([10_000, 10_000], [100, 40, 12, 2]),
        ([100_000, 100_000], [20, 8, 2, 1]),
        ([1_000_000, 1_000_000], [8, 2, 1, 1]),
    ] {
        for (columns, runs) in [5, 20, 100, 500].into_iter().zip(runs) {
            let share = share_of_drift(&unchanged(columns), sizes, runs, 100 + columns as u64);
            println!("{},{},{columns},{runs},{share:.4},{:.4}", sizes[0], sizes[1], bound(runs));
            if share > bound(runs) {
                failures.push(format!("{sizes:?} {columns}: {share}"));
            }
        }
    }
    println!(
        "\nchange in one column, 1,000 rows against 1,000: share of runs that find it\nchange,columns,runs,share"
    );
    for (name, reference, current) in changes() {
        for (others, runs) in [(0, 200), (19, 100), (99, 20)] {
            let mut columns = unchanged(others);
            columns.push((reference, current));
            let share = share_of_drift(&columns, [1000, 1000], runs, 200 + others as u64);
            println!("{name},{},{runs},{share:.3}", others + 1);
            if share < 0.9 {
                failures.push(format!("{name} with {others} others: {share}"));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
