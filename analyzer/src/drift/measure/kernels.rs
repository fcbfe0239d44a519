//! From what was read to what each method says: the table of method and kernel.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use windvane_stats::{
    cells::{Cell, Cells},
    chi_square::chi_square,
    comparison::{Comparison, PMethod},
    divergence,
    missing_rate::missing_rate,
    new_categories::new_categories,
    permutation,
    walk::Walked,
    wasserstein,
};

use super::{Measured, Rows};
use crate::drift::Method;

/// Both samples of a numeric column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbers<'a> {
    /// `None` where no method needs the values themselves.
    pub(super) walked: Option<&'a Walked>,
    pub(super) values: Rows,
    pub(super) missing: Rows,
    pub(super) seed: u64,
}

/// Both samples of a categorical column.
#[derive(Debug, Clone)]
pub(super) struct Categories {
    /// Without missing values.
    pub(super) cells: Cells,
    pub(super) values: Rows,
    pub(super) missing: Rows,
    pub(super) seed: u64,
}

impl Numbers<'_> {
    pub(super) fn measure(&self, method: Method) -> Measured {
        if method == Method::MissingRate {
            return of_missing(self.values, self.missing);
        }
        let Some(walked) = self.walked else { return undefined(method, "the values were not read") };
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let comparison = match method {
            Method::Ks => walked.ks(),
            Method::Wasserstein => {
                with_simulated_p(walked.wasserstein(), || wasserstein::p_value(walked, &mut rng))
            }
            Method::WassersteinNormed => {
                with_simulated_p(walked.wasserstein_normed(), || wasserstein::p_value(walked, &mut rng))
            }
            Method::Psi | Method::JensenShannon => {
                let bins = walked.binned.iter().flat_map(|binned| binned.cells());
                return discrete(method, with_missing(bins, self.missing), &mut rng);
            }
            Method::ChiSquare | Method::NewCategories | Method::MissingRate => Comparison::UNDEFINED,
        };
        let reason = comparison.statistic.is_none().then(|| {
            if self.values.reference == 0 || self.values.current == 0 {
                "one side has no values"
            } else if walked.moments_a.mean().is_none() || walked.moments_b.mean().is_none() {
                "infinite values"
            } else {
                "the reference does not vary"
            }
        });
        Measured { method, comparison, smoothing: None, bins: None, reason }
    }
}

impl Categories {
    pub(super) fn measure(&self, method: Method) -> Measured {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let reason = "one side has no values";
        match method {
            Method::MissingRate => of_missing(self.values, self.missing),
            Method::NewCategories => {
                let comparison = new_categories(&self.cells);
                let reason = comparison.statistic.is_none().then_some(reason);
                Measured { method, comparison, smoothing: None, bins: Some(self.cells.count()), reason }
            }
            _ => {
                discrete(method, with_missing(self.cells.as_slice().iter().copied(), self.missing), &mut rng)
            }
        }
    }
}

/// The categories or bins, and one for missing values where either side has any.
fn with_missing(cells: impl Iterator<Item = Cell>, missing: Rows) -> Cells {
    cells.chain(std::iter::once(Cell::new(missing.reference, missing.current))).collect()
}

fn discrete(method: Method, cells: Cells, rng: &mut ChaCha8Rng) -> Measured {
    let (comparison, smoothing) = match method {
        Method::Psi => (divergence::psi(&cells), Some("jeffreys")),
        Method::JensenShannon => (permutation::on_cells(&cells, rng, divergence::jensen_shannon), None),
        Method::ChiSquare => (chi_square(&cells), None),
        _ => (Comparison::UNDEFINED, None),
    };
    let reason = comparison.statistic.is_none().then_some("one side has no rows");
    Measured { method, comparison, smoothing, bins: Some(cells.count()), reason }
}

fn of_missing(values: Rows, missing: Rows) -> Measured {
    let comparison = missing_rate(
        Cell::new(missing.reference, missing.current),
        Cell::new(values.reference, values.current),
    );
    let reason = comparison.statistic.is_none().then_some("one side has no rows");
    Measured { method: Method::MissingRate, comparison, smoothing: None, bins: None, reason }
}

fn with_simulated_p(comparison: Comparison, p_value: impl FnOnce() -> Option<f64>) -> Comparison {
    match comparison.statistic {
        None => comparison,
        Some(0.0) => comparison.with_p(1.0, PMethod::Exact),
        Some(_) => p_value().map_or(comparison, |p| comparison.with_p(p, PMethod::Permutation)),
    }
}

fn undefined(method: Method, reason: &'static str) -> Measured {
    Measured { method, comparison: Comparison::UNDEFINED, smoothing: None, bins: None, reason: Some(reason) }
}
