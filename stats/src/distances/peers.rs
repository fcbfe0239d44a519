//! The same questions as other tools answer them, for people who migrate.
//!
//! Question: which number did SciPy's defaults, Evidently or NannyML give on these samples?
//! Input: counts of each category or bin on both sides; range, size and skewness of a sample for its edges.
//! Formula: Yates' correction moves each count of a 2×2 table by at most ½ towards its expectation; goodness of fit takes the
//! reference's shares as given; filled shares put 0.0001 in place of 0 (a millionth of the smallest share where that is at most
//! 0.0001), side by side and without renormalising; Sturges and Doane as in NumPy.
//! Valid when: the tool's own conventions are wanted; for judging drift the kernels without a tool's name are better.
//! Reference: Yates 1934, doi:10.2307/2983604; Sturges 1926, doi:10.1080/01621459.1926.10502161; Doane 1976,
//! doi:10.1080/00031305.1976.10479172.
//! Oracle: SciPy 1.17 `chi2_contingency(table)`, `chisquare(current, expected)`; NumPy 2 `histogram_bin_edges(x, 'doane')`.
//! Cost: linear in the categories.

use crate::{
    cells::Cells,
    comparison::{Comparison, PMethod},
    survival,
};

/// Pearson's chi-square with Yates' correction where there are two categories, SciPy's default.
#[must_use]
pub fn chi_square_yates(cells: &Cells) -> Comparison {
    contingency(cells, |observed, expected| (observed - expected).powi(2) / expected)
}

/// The G-test with the same correction.
#[must_use]
pub fn g_test_yates(cells: &Cells) -> Comparison {
    contingency(
        cells,
        |observed, expected| {
            if observed > 0.0 { 2.0 * observed * (observed / expected).ln() } else { 0.0 }
        },
    )
}

/// Chi-square of the current counts against the shares of the reference.
#[must_use]
pub fn chi_square_of_fit(cells: &Cells) -> Comparison {
    of_fit(cells, |observed, expected| (observed - expected).powi(2) / expected)
}

/// The G-test of the current counts against the shares of the reference.
#[must_use]
pub fn g_test_of_fit(cells: &Cells) -> Comparison {
    of_fit(
        cells,
        |observed, expected| {
            if observed > 0.0 { 2.0 * observed * (observed / expected).ln() } else { 0.0 }
        },
    )
}

/// Population stability index without smoothing; undefined where a share is zero on one side.
#[must_use]
pub fn psi_plain(cells: &Cells) -> Comparison {
    on_two_sides(cells, || plain(cells.sum(|p, q| (q - p) * (q / p).ln())))
}

/// Kullback-Leibler divergence without smoothing; undefined where the current side lacks a category of the reference.
#[must_use]
pub fn kl_plain(cells: &Cells) -> Comparison {
    on_two_sides(cells, || plain(cells.sum(|p, q| if p > 0.0 { p * (p / q).ln() } else { 0.0 })))
}

/// Population stability index on filled shares.
#[must_use]
pub fn psi_filled(cells: &Cells) -> Comparison {
    on_two_sides(cells, || {
        let fill = Fill::of(cells);
        plain(cells.sum(|p, q| {
            let (p, q) = fill.shares(p, q);
            (q - p) * (q / p).ln()
        }))
    })
}

/// Kullback-Leibler divergence on filled shares, normalised as SciPy's `entropy` does.
#[must_use]
pub fn kl_filled(cells: &Cells) -> Comparison {
    on_two_sides(cells, || {
        let fill = Fill::of(cells);
        let total_p = cells.sum(|p, q| fill.shares(p, q).0);
        let total_q = cells.sum(|p, q| fill.shares(p, q).1);
        plain(cells.sum(|p, q| {
            let (p, q) = fill.shares(p, q);
            p / total_p * (p / total_p / (q / total_q)).ln()
        }))
    })
}

/// Jensen-Shannon distance with the natural logarithm, at most √ln 2.
#[must_use]
pub fn jensen_shannon_nats(cells: &Cells) -> Comparison {
    let base_2 = crate::divergence::jensen_shannon(cells);
    let scale = std::f64::consts::LN_2.sqrt();
    Comparison { statistic: base_2.statistic.map(|distance| distance * scale), ..base_2 }
}

/// Edges of equal width by Sturges' rule over both samples together, as NumPy counts them.
#[must_use]
pub fn sturges(low: f64, high: f64, size: u64) -> Vec<f64> {
    equal_width(low, high, (size as f64).log2() + 1.0)
}

/// Edges of equal width by Doane's rule over the reference, as NumPy counts them.
#[must_use]
pub fn doane(low: f64, high: f64, size: u64, skewness: f64) -> Vec<f64> {
    let n = size as f64;
    if size < 3 || !skewness.is_finite() {
        return equal_width(low, high, 1.0);
    }
    let error = (6.0 * (n - 2.0) / ((n + 1.0) * (n + 3.0))).sqrt();
    equal_width(low, high, 1.0 + n.log2() + (1.0 + skewness.abs() / error).log2())
}

/// Edges of `bins` bins of equal width.
#[must_use]
pub fn equal_width(low: f64, high: f64, bins: f64) -> Vec<f64> {
    let bins = bins.ceil().max(1.0);
    if low.is_nan() || high.is_nan() || low >= high {
        return vec![low];
    }
    let mut edges: Vec<f64> =
        (0..).map(f64::from).take_while(|i| *i < bins).map(|i| low + (high - low) * (i / bins)).collect();
    edges.push(high);
    edges
}

fn on_two_sides(cells: &Cells, compare: impl FnOnce() -> Comparison) -> Comparison {
    match (cells.comparable(), cells.count()) {
        (false, _) => Comparison::UNDEFINED,
        (true, 1) => Comparison::SAME,
        (true, _) => compare(),
    }
}

fn plain(statistic: f64) -> Comparison {
    Comparison::of(statistic, statistic)
}

fn contingency(cells: &Cells, term: impl Fn(f64, f64) -> f64) -> Comparison {
    on_two_sides(cells, || {
        let sizes = cells.sizes();
        let (n, m, total) = (sizes.a as f64, sizes.b as f64, sizes.total() as f64);
        let most = if cells.count() == 2 { 0.5 } else { 0.0 };
        let part = |observed: u64, expected: f64| {
            let off = expected - observed as f64;
            term(observed as f64 + off.clamp(-most, most), expected)
        };
        let both = |cell: &crate::cells::Cell| (cell.a + cell.b) as f64;
        let statistic: f64 = cells
            .as_slice()
            .iter()
            .map(|cell| {
                let (a, b) = (both(cell) * n / total, both(cell) * m / total);
                cell.times as f64 * (part(cell.a, a) + part(cell.b, b))
            })
            .sum();
        let p_value = survival::chi_square(statistic, (cells.count() - 1) as f64);
        Comparison::of(statistic, 0.5 * (statistic.max(0.0) * sizes.harmonic()).sqrt())
            .with_p(p_value, PMethod::Asymptotic)
    })
}

fn of_fit(cells: &Cells, term: impl Fn(f64, f64) -> f64) -> Comparison {
    on_two_sides(cells, || {
        let m = cells.sizes().b as f64;
        let statistic = m * cells.sum(|p, q| term(q, p));
        let p_value = survival::chi_square(statistic, (cells.count() - 1) as f64);
        Comparison::of(statistic, (statistic.max(0.0) / m).sqrt()).with_p(p_value, PMethod::Asymptotic)
    })
}

/// What stands in for a share of zero.
struct Fill {
    p: f64,
    q: f64,
}

impl Fill {
    fn of(cells: &Cells) -> Self {
        let sizes = cells.sizes();
        let of = |counts: &dyn Fn(&crate::cells::Cell) -> u64, size: u64| {
            let smallest = cells.as_slice().iter().map(counts).filter(|count| *count > 0).min().unwrap_or(0);
            let share = smallest as f64 / size as f64;
            if share <= 1e-4 { share / 1e6 } else { 1e-4 }
        };
        Self { p: of(&|cell| cell.a, sizes.a), q: of(&|cell| cell.b, sizes.b) }
    }

    fn shares(&self, p: f64, q: f64) -> (f64, f64) {
        (if p > 0.0 { p } else { self.p }, if q > 0.0 { q } else { self.q })
    }
}

#[cfg(test)]
mod tests {
    use super::{chi_square_of_fit, doane, g_test_of_fit, jensen_shannon_nats, kl_plain, psi_plain, sturges};
    use crate::cells::{Cell, Cells};

    fn check(actual: Option<f64>, expected: f64) {
        assert!((actual.unwrap() - expected).abs() < 1e-9, "{actual:?} instead of {expected}");
    }

    // Evidently, tests/stattests/test_stattests.py.
    #[test]
    fn evidently_gets_its_published_values() {
        let six: Cells = [16, 18, 16, 14, 12, 12]
            .into_iter()
            .zip([16, 16, 16, 16, 16, 8])
            .map(|(a, b)| Cell::new(a, b))
            .collect();
        check(chi_square_of_fit(&six).statistic, 3.174_603_174_6);
        check(chi_square_of_fit(&six).p_value, 0.673_087_600_7);
        check(jensen_shannon_nats(&six).statistic, 0.068_048_196_2);
        check(kl_plain(&six).statistic, 0.018_909_677_0);
        check(psi_plain(&six).statistic, 0.037_218_381_6);
        let three: Cells = [Cell::new(5, 4), Cell::new(5, 6), Cell::new(8, 8)].into_iter().collect();
        check(g_test_of_fit(&three).statistic, 0.402_710_271_0);
        check(g_test_of_fit(&three).p_value, 0.817_622_013_4);
    }

    // Yurdakul 2018, as in Scouter's tests.
    #[test]
    fn plain_psi_agrees_with_published_values() {
        let shares =
            |a: &[u64], b: &[u64]| -> Cells { a.iter().zip(b).map(|(a, b)| Cell::new(*a, *b)).collect() };
        check(psi_plain(&shares(&[3, 4, 3], &[2, 4, 4])).statistic, 0.069_314_718_1);
        check(psi_plain(&shares(&[20, 30, 24, 26], &[16, 28, 32, 24])).statistic, 0.034_921_019_4);
    }

    // Oracle: NumPy 2 `len(np.histogram_bin_edges(np.arange(100.), rule))`.
    #[test]
    fn edges_are_counted_as_in_numpy() {
        assert_eq!(sturges(0.0, 99.0, 100).len(), 9);
        assert_eq!(doane(0.0, 99.0, 100, 0.0).len(), 9);
        assert_eq!(sturges(3.0, 3.0, 100), [3.0]);
    }
}
