//! Each method by itself, also where the sizes differ and values are tied; segments; columns that move together.

use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use windvane_types::drift::Kind;

use super::{Draw, Drawn, Law, Part, UNCHANGED, bound, drawn, measured, measured_by, rows, share_of_runs};
use crate::drift::Method;

/// What a cell of the table is measured at.
#[derive(Debug, Clone, Copy)]
struct Cell {
    sizes: [usize; 2],
    runs: u32,
    seed: u64,
}

impl Cell {
    fn share(self, parts: impl Fn(&mut ChaCha8Rng) -> Vec<Part>) -> f64 {
        share_of_runs(self.runs, self.seed, parts)
    }

    /// Every unchanged column that the method fits, by that method alone.
    fn of_method(self, method: Method) -> f64 {
        self.share(|rng| {
            let fitting = UNCHANGED.iter().filter(|draw| method.fits(draw.kind()));
            let columns = fitting
                .map(|draw| measured_by(&[method], draw.kind(), &drawn(*draw, *draw, self.sizes, rng)))
                .collect();
            vec![Part { rows: rows(self.sizes), columns }]
        })
    }

    /// Segments, each with every unchanged column.
    fn of_segments(self, segments: usize) -> f64 {
        self.share(|rng| {
            let part = |rng: &mut ChaCha8Rng| Part {
                rows: rows(self.sizes),
                columns: UNCHANGED
                    .iter()
                    .map(|draw| measured(draw.kind(), &drawn(*draw, *draw, self.sizes, rng)))
                    .collect(),
            };
            (0..segments).map(|_| part(rng)).collect()
        })
    }

    /// Normal columns of which every two have this correlation.
    fn of_correlated(self, columns: usize, correlation: f64) -> f64 {
        self.share(|rng| {
            let common: [Vec<f64>; 2] =
                self.sizes.map(|size| (0..size).map(|_| StandardNormal.sample(rng)).collect());
            let column = |rng: &mut ChaCha8Rng| -> Drawn {
                common.each_ref().map(|common| {
                    let own = |shared: &f64| {
                        let own: f64 = StandardNormal.sample(rng);
                        Some(correlation.sqrt() * shared + (1.0 - correlation).sqrt() * own)
                    };
                    common.iter().map(own).collect()
                })
            };
            let columns = (0..columns).map(|_| measured(Kind::Numeric, &column(rng))).collect();
            vec![Part { rows: rows(self.sizes), columns }]
        })
    }
}

// SciPy's p-value of Cramér-von Mises is below .001 for most such pairs, and that of Epps-Singleton for one in ten. Of so many
// cells some are above two standard errors; the table has runs enough for that.
#[test]
fn ties_and_unequal_sizes_are_no_drift_by_any_method() {
    for method in Method::ALL {
        for sizes in [[60, 1000], [1000, 60]] {
            let share = Cell { sizes, runs: 20, seed: 31 }.of_method(method);
            assert!(
                share <= 0.05 + 4.0 * (bound(20) - 0.05) / 2.0,
                "{}, {sizes:?} rows: {share}",
                method.as_str()
            );
        }
    }
}

// The same at sizes at which a shift of a standard deviation is plain, by every method that compares where values lie.
#[test]
fn a_plain_shift_is_found_by_every_method_of_numbers_at_unequal_sizes() {
    let of = |shift| Draw { law: Law::Normal { shift, scale: 1.0 }, missing: 0.0 };
    let poisson = |mean| Draw { law: Law::Poisson { mean }, missing: 0.0 };
    for method in Method::ALL.into_iter().filter(|method| method.fits(Kind::Numeric)) {
        if method == Method::MissingRate {
            continue;
        }
        for (reference, current) in [(of(0.0), of(1.0)), (poisson(2.0), poisson(4.0))] {
            let share = Cell { sizes: [60, 1000], runs: 2, seed: 32 }.share(|rng| {
                let drawn = drawn(reference, current, [60, 1000], rng);
                let columns = vec![measured_by(&[method], Kind::Numeric, &drawn)];
                vec![Part { rows: rows([60, 1000]), columns }]
            });
            assert!(share >= 1.0, "{} of {:?}: found in {share}", method.as_str(), reference.law);
        }
    }
}

#[test]
#[ignore = "takes minutes: `make calibrate` runs it"]
fn table() {
    let mut failures = Vec::new();
    let mut cell = |name: String, runs: u32, share: f64| {
        println!("{name},{runs},{share:.4},{:.4}", bound(runs));
        if share > bound(runs) {
            failures.push(format!("{name}: {share}"));
        }
    };
    println!("\nno change, each method alone: share of runs that say drift at alpha 0.05");
    println!("method,reference,current,runs,share,bound");
    for method in Method::ALL {
        for (sizes, runs) in [([30, 30], 600), ([60, 1000], 400), ([1000, 60], 400), ([1000, 1000], 200)] {
            let share = Cell { sizes, runs, seed: 500 }.of_method(method);
            cell(format!("{},{},{}", method.as_str(), sizes[0], sizes[1]), runs, share);
        }
    }
    println!(
        "\nno change, ten columns in each of several segments\nsegments,reference,current,runs,share,bound"
    );
    for (segments, sizes, runs) in [(5, [100, 100], 300), (20, [60, 1000], 60), (50, [30, 30], 60)] {
        let share = Cell { sizes, runs, seed: 501 }.of_segments(segments);
        cell(format!("{segments},{},{}", sizes[0], sizes[1]), runs, share);
    }
    println!(
        "\nno change, 20 normal columns that move together\ncorrelation,reference,current,runs,share,bound"
    );
    for correlation in [0.5, 0.9, 0.99] {
        let share = Cell { sizes: [300, 1000], runs: 400, seed: 502 }.of_correlated(20, correlation);
        cell(format!("{correlation},300,1000"), 400, share);
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
