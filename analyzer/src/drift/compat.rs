//! Whose numbers are reproduced: the conventions of other tools, for people who migrate.

use windvane_stats::{
    cells::Cells,
    chi_square::chi_square,
    comparison::Comparison,
    divergence, peers,
    walk::{Sizes, Walked},
};

use super::{Method, measure::Side};

/// Reference rows from which NannyML bins before it compares distribution functions, and into how many bins.
const NANNYML_BINS: u32 = 10_000;
/// Different values of the reference up to which Evidently has one bin a value.
const EVIDENTLY_VALUES: u64 = 20;
/// The standard deviation below which Evidently does not divide.
const EVIDENTLY_DEVIATION: f64 = 0.001;

/// A tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compat {
    /// SciPy with its defaults.
    Scipy,
    /// Evidently's statistical tests.
    Evidently,
    /// NannyML's univariate drift.
    Nannyml,
}

impl Compat {
    /// The word of the command line and of the output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scipy => "scipy",
            Self::Evidently => "evidently",
            Self::Nannyml => "nannyml",
        }
    }

    /// Edges of binned methods; `None` for the quantiles of the reference.
    pub(super) fn edges(self, reference: &Side, current: &Side) -> Option<Vec<f64>> {
        match self {
            Self::Scipy => None,
            Self::Evidently => {
                let (low, high) = (reference.low.min(current.low), reference.high.max(current.high));
                Some(peers::sturges(low, high, reference.numbers + current.numbers))
            }
            Self::Nannyml => {
                Some(peers::doane(reference.low, reference.high, reference.numbers, reference.skewness))
            }
        }
    }

    /// Edges of further sets of bins for these methods: where the tool bins what others rank, or bins by what is known only at the
    /// end.
    pub(super) fn further_edges(self, methods: &[Method], [reference, current]: &[Side; 2]) -> Vec<Vec<f64>> {
        let equal = |low: f64, high: f64, bins: u32| peers::equal_width(low, high, f64::from(bins));
        match self {
            Self::Evidently if methods.contains(&Method::Hellinger) => {
                let (low, high) = (reference.low.min(current.low), reference.high.max(current.high));
                (1..=sturges_bins(reference.numbers + current.numbers))
                    .map(|bins| equal(low, high, bins))
                    .collect()
            }
            Self::Nannyml
                if methods.contains(&Method::Ks) && reference.numbers >= u64::from(NANNYML_BINS) =>
            {
                vec![equal(reference.low, reference.high, NANNYML_BINS)]
            }
            _ => Vec::new(),
        }
    }

    /// The bins of a walked column.
    pub(super) fn bins(self, walked: &Walked) -> Cells {
        let Some(binned) = walked.binned.first() else { return Cells::default() };
        let values = walked.grid.iter().filter(|cell| cell.a > 0).count() as u64;
        match self {
            Self::Evidently if walked.distinct == walked.grid.len() as u64 && values <= EVIDENTLY_VALUES => {
                walked.grid.iter().map(|cell| windvane_stats::cells::Cell::new(cell.a, cell.b)).collect()
            }
            Self::Nannyml => {
                // What lies below and above the reference is one left-over bin.
                let counts = binned.counts();
                let (Some(first), Some(last)) = (counts.first(), counts.last()) else {
                    return Cells::default();
                };
                let inside = counts.get(1..counts.len() - 1).unwrap_or_default();
                inside
                    .iter()
                    .copied()
                    .chain([(first.0 + last.0, first.1 + last.1)])
                    .map(|(a, b)| windvane_stats::cells::Cell::new(a, b))
                    .collect()
            }
            Self::Scipy | Self::Evidently => binned.cells().collect(),
        }
    }

    /// The tool's own kernel on a walked column, where it differs.
    pub(super) fn numeric(self, method: Method, walked: &Walked) -> Option<Comparison> {
        match (self, method) {
            (Self::Evidently, Method::MannWhitney) => Some(walked.mann_whitney_less()),
            (Self::Evidently, Method::WassersteinNormed) => {
                let distance = walked.wasserstein().statistic?;
                let deviation = walked.moments_a.variance(0)?.sqrt().max(EVIDENTLY_DEVIATION);
                Some(Comparison::of(distance / deviation, distance / deviation))
            }
            // By Sturges' rule over the different values, and not over all of them as in its other methods.
            (Self::Evidently, Method::Hellinger) => {
                let bins = walked.binned.get(sturges_bins(walked.distinct) as usize)?;
                Some(divergence::hellinger(&bins.closed()))
            }
            (Self::Nannyml, Method::Ks) => {
                let (mut a, mut b, mut largest) = (0, 0, 0.0_f64);
                let Sizes { a: n, b: m } = walked.sizes;
                for (in_a, in_b) in walked.binned.get(1)?.counts() {
                    a += in_a;
                    b += in_b;
                    largest = largest.max((a as f64 / n as f64 - b as f64 / m as f64).abs());
                }
                Some(Comparison::of(largest, largest))
            }
            _ => None,
        }
    }

    /// The tool's own kernel on categories or bins, where it differs.
    pub(super) fn discrete(self, method: Method, cells: &Cells) -> Option<Comparison> {
        let kernel = match (self, method) {
            (Self::Scipy, Method::ChiSquare) | (Self::Nannyml, Method::ChiSquare) => peers::chi_square_yates,
            (Self::Scipy, Method::GTest) => peers::g_test_yates,
            (Self::Scipy, Method::Psi) => peers::psi_plain,
            (Self::Scipy, Method::Kl) => peers::kl_plain,
            (Self::Scipy | Self::Evidently, Method::JensenShannon) => peers::jensen_shannon_nats,
            (Self::Evidently, Method::ChiSquare) => peers::chi_square_of_fit,
            (Self::Evidently, Method::GTest) => peers::g_test_of_fit,
            (Self::Evidently, Method::Psi) => peers::psi_filled,
            (Self::Evidently, Method::Kl) => peers::kl_filled,
            (Self::Nannyml, Method::JensenShannon) => divergence::jensen_shannon,
            (Self::Nannyml, Method::Hellinger) => divergence::hellinger,
            (Self::Nannyml, Method::GTest) => chi_square,
            _ => return None,
        };
        Some(kernel(cells))
    }

    /// The tool's threshold: on the statistic, or on the p-value where it tests.
    pub(super) fn threshold(self, method: Method) -> Option<Threshold> {
        match (self, method) {
            (
                Self::Evidently,
                Method::Psi
                | Method::Kl
                | Method::JensenShannon
                | Method::Hellinger
                | Method::WassersteinNormed
                | Method::Energy,
            ) => Some(Threshold::Statistic(0.1)),
            (
                Self::Evidently,
                Method::AndersonDarling
                | Method::CramerVonMises
                | Method::GTest
                | Method::FisherExact
                | Method::TotalVariation,
            ) => Some(Threshold::PValue(0.1)),
            (
                Self::Evidently,
                Method::Ks | Method::ChiSquare | Method::MannWhitney | Method::EppsSingleton | Method::TTest,
            )
            | (Self::Nannyml, Method::ChiSquare) => Some(Threshold::PValue(0.05)),
            _ => None,
        }
    }
}

/// How many bins Sturges' rule has for so many values.
fn sturges_bins(values: u64) -> u32 {
    values.max(1).next_power_of_two().ilog2() + 1
}

/// How a tool decides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Threshold {
    /// Drift where the statistic reaches it.
    Statistic(f64),
    /// Drift where the p-value is below it.
    PValue(f64),
}
