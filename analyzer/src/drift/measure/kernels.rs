//! From what was read to what each method says: the table of method and kernel.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use windvane_stats::{
    anderson_darling,
    cells::{Cell, Cells},
    chi_square::chi_square,
    comparison::{Comparison, PMethod},
    cramer_von_mises,
    cramers_v::cramers_v,
    divergence,
    domain_classifier::domain_classifier,
    energy,
    epps_singleton::{self, Characteristic},
    fisher_exact::fisher_exact,
    g_test::g_test,
    missing_rate::missing_rate,
    mmd::{self, mmd},
    new_categories::new_categories,
    permutation::{self, NullEffects},
    t_test,
    walk::Walked,
    wasserstein,
};

use super::{Measured, Rows};
use crate::drift::{Compat, Method};

/// A p-value above this, or above alpha where that is larger, cannot become drift: then nothing is simulated to check it.
const SUSPICIOUS: f64 = 0.1;

/// What of the chance of a false alarm the bins inside the reference's range get; values beyond it get the rest.
const INSIDE: f64 = 0.9;

/// Both samples of a numeric column.
#[derive(Debug, Clone, Copy)]
pub(in crate::drift) struct Numbers<'a> {
    /// `None` where no method needs the values themselves.
    pub(in crate::drift) walked: Option<&'a Walked>,
    /// `None` where Epps-Singleton was not asked for, or the quartiles do not differ.
    pub(in crate::drift) characteristic: Option<&'a Characteristic>,
    pub(in crate::drift) values: Rows,
    pub(in crate::drift) missing: Rows,
    pub(in crate::drift) seed: u64,
    pub(in crate::drift) alpha: f64,
    pub(in crate::drift) compat: Option<Compat>,
}

/// Both samples of a categorical column.
#[derive(Debug, Clone)]
pub(in crate::drift) struct Categories {
    /// Without missing values.
    pub(in crate::drift) cells: Cells,
    /// The same with two categories in the order of their names: an odds ratio is of the first one.
    pub(in crate::drift) by_name: Cells,
    pub(in crate::drift) values: Rows,
    pub(in crate::drift) missing: Rows,
    pub(in crate::drift) seed: u64,
    pub(in crate::drift) alpha: f64,
    pub(in crate::drift) compat: Option<Compat>,
}

impl Numbers<'_> {
    pub(in crate::drift) fn measure(&self, method: Method) -> Measured {
        if method == Method::MissingRate {
            return of_missing(self.values, self.missing);
        }
        let Some(walked) = self.walked else { return undefined(method, "the values were not read") };
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let peer = self.compat.and_then(|compat| compat.numeric(method, walked));
        let comparison = match method {
            _ if peer.is_some() => peer.unwrap_or(Comparison::UNDEFINED),
            Method::Ks => walked.ks(),
            Method::Wasserstein => {
                with_simulated_p(walked.wasserstein(), || wasserstein::p_value(walked, &mut rng))
            }
            Method::WassersteinNormed => {
                with_simulated_p(walked.wasserstein_normed(), || wasserstein::p_value(walked, &mut rng))
            }
            Method::CramerVonMises => walked.cramer_von_mises(),
            Method::AndersonDarling => walked.anderson_darling(),
            Method::MannWhitney => walked.mann_whitney(),
            Method::Energy => with_simulated_p(walked.energy(), || energy::p_value(walked, &mut rng)),
            Method::EppsSingleton => self.epps_singleton(walked),
            Method::TTest => walked.t_test(),
            Method::Welch => walked.welch(),
            Method::Mmd => mmd(walked, &mut rng),
            _ => return self.discrete(method, walked, &mut rng),
        };
        let reason = comparison.statistic.is_none().then(|| self.reason(method, walked));
        let judged_p = comparison
            .p_value
            .filter(|p| *p < SUSPICIOUS.max(self.alpha) && self.compat.is_none())
            .and_then(|_| self.p_by_labels(method, walked, &mut rng));
        let by_labels = judged_p.is_some() || comparison.p_method == Some(PMethod::Permutation);
        let relabelled = |first| permutation::smallest_p(walked.grid.len() as u64, first);
        let least_p = match method {
            Method::Mmd if by_labels => Some(relabelled(mmd::RELABELLINGS)),
            // Twice the chance of one direction.
            Method::TTest | Method::Welch if by_labels => Some(2.0 * relabelled(permutation::RELABELLINGS)),
            _ if by_labels => Some(relabelled(permutation::RELABELLINGS)),
            Method::AndersonDarling => Some(anderson_darling::SMALLEST_P),
            _ => None,
        };
        Measured { reason, judged_p, least_p, ..Measured::of(method, comparison) }
    }
}

impl Numbers<'_> {
    /// Why a method has no statistic.
    fn reason(&self, method: Method, walked: &Walked) -> &'static str {
        let moments = [&walked.moments_a, &walked.moments_b];
        let fewest = self.values.reference.min(self.values.current);
        if fewest == 0 {
            "one side has no values"
        } else if moments.iter().any(|side| side.mean().is_none()) {
            "infinite values"
        } else if moments.iter().any(|side| side.variance(0).is_none()) {
            "values too large to be squared"
        } else {
            match method {
                Method::TTest | Method::Welch if fewest < 2 => "too few values for a variance",
                Method::TTest | Method::Welch => "neither side varies",
                Method::EppsSingleton if fewest < epps_singleton::SIZE_MIN => "too few values",
                Method::EppsSingleton => "the values do not vary enough",
                _ => "the reference does not vary",
            }
        }
    }

    /// The p-value by exchanged labels, of methods whose own cannot be trusted with ties or at these sizes.
    fn p_by_labels(&self, method: Method, walked: &Walked, rng: &mut ChaCha8Rng) -> Option<f64> {
        match method {
            Method::CramerVonMises => cramer_von_mises::p_by_labels(walked, rng),
            Method::AndersonDarling => anderson_darling::p_by_labels(walked, rng),
            Method::EppsSingleton => self.characteristic?.p_by_labels(walked, rng),
            Method::TTest | Method::Welch => t_test::p_by_labels(walked, rng),
            _ => None,
        }
    }

    fn discrete(&self, method: Method, walked: &Walked, rng: &mut ChaCha8Rng) -> Measured {
        let with_missing = |cells: &Cells| with_missing(cells, self.missing, self.compat);
        let binned = walked.binned.first();
        let bins = match self.compat {
            None => binned.map(|binned| binned.cells().collect()).unwrap_or_default(),
            Some(compat) => compat.bins(walked),
        };
        let cells = with_missing(&bins);
        let ours = binned.filter(|_| self.compat.is_none());
        let closed = ours.map(|binned| with_missing(&binned.closed()));
        let tested = closed.as_ref().unwrap_or(&cells);
        let measured =
            discrete(Asked { method, compat: self.compat, alpha: self.alpha, tested }, &cells, rng);
        // The reference has nothing beyond its own ends, so that labels exchanged over these bins reach less than chance does.
        let null_effects = measured.null_effects.map(NullEffects::strict);
        let measured = Measured { null_effects, ..measured };
        let relabelled = matches!(
            method,
            Method::JensenShannon | Method::Hellinger | Method::TotalVariation | Method::LInfinity
        );
        match ours.filter(|_| relabelled) {
            Some(binned) => beside_what_is_outside(measured, binned.p_outside()),
            None => measured,
        }
    }

    fn epps_singleton(&self, walked: &Walked) -> Comparison {
        match self.characteristic {
            _ if walked.is_same() => Comparison::SAME,
            None => Comparison::UNDEFINED,
            Some(characteristic) => characteristic.test(),
        }
    }
}

impl Categories {
    pub(in crate::drift) fn measure(&self, method: Method) -> Measured {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let reason = "one side has no values";
        match method {
            Method::MissingRate => of_missing(self.values, self.missing),
            Method::NewCategories => {
                let comparison = new_categories(&self.cells);
                let reason = comparison.statistic.is_none().then_some(reason);
                Measured { bins: Some(self.cells.count()), reason, ..Measured::of(method, comparison) }
            }
            _ => {
                let cells = if method == Method::FisherExact { &self.by_name } else { &self.cells };
                let cells = with_missing(cells, self.missing, self.compat);
                discrete(
                    Asked { method, compat: self.compat, alpha: self.alpha, tested: &cells },
                    &cells,
                    &mut rng,
                )
            }
        }
    }
}

/// The categories or bins, and one for missing values where either side has any; other tools leave them out.
fn with_missing(cells: &Cells, missing: Rows, compat: Option<Compat>) -> Cells {
    let mut all = cells.clone();
    if compat.is_none() {
        all.push(Cell::new(missing.reference, missing.current));
    }
    all
}

/// A method, whose, and the cells that its p-value is of where labels are exchanged.
#[derive(Debug, Clone, Copy)]
struct Asked<'a> {
    method: Method,
    compat: Option<Compat>,
    alpha: f64,
    tested: &'a Cells,
}

fn discrete(
    Asked { method, compat, alpha, tested }: Asked<'_>,
    cells: &Cells,
    rng: &mut ChaCha8Rng,
) -> Measured {
    if let Some(comparison) = compat.and_then(|compat| compat.discrete(method, cells)) {
        let reason = comparison.statistic.is_none().then_some("infinite, or one side has no rows");
        return Measured { bins: Some(cells.count()), reason, ..Measured::of(method, comparison) };
    }
    let comparison = match method {
        Method::Psi => divergence::psi(cells),
        Method::Kl => divergence::kl(cells),
        Method::JensenShannon => permutation::on_cells(cells, tested, rng, divergence::jensen_shannon),
        Method::Hellinger => permutation::on_cells(cells, tested, rng, divergence::hellinger),
        Method::TotalVariation => permutation::on_cells(cells, tested, rng, divergence::total_variation),
        Method::LInfinity => permutation::on_cells(cells, tested, rng, divergence::l_infinity),
        Method::ChiSquare => chi_square(cells),
        Method::GTest => g_test(cells),
        Method::CramersV => cramers_v(cells),
        Method::FisherExact => fisher_exact(cells),
        Method::DomainClassifier => domain_classifier(cells, rng),
        _ => Comparison::UNDEFINED,
    };
    let kernel: Option<fn(&Cells) -> Comparison> = match method {
        Method::Psi => Some(divergence::psi),
        Method::Kl => Some(divergence::kl),
        Method::ChiSquare => Some(chi_square),
        Method::CramersV => Some(cramers_v),
        _ => None,
    };
    let matters = comparison.p_value.is_some_and(|p| p < SUSPICIOUS.max(alpha));
    // With rare categories the limiting p-value is too small too often; only then, and only where it matters, the floor
    // rises to what exchanged labels reach.
    let null_effects =
        kernel.filter(|_| matters).and_then(|kernel| permutation::null_effects(cells, rng, kernel));
    // That of the G-test is so small there that the correction would leave other columns a larger level for it.
    let judged_p = (method == Method::GTest && matters)
        .then(|| permutation::on_cells(cells, tested, rng, g_test))
        .filter(|relabelled| relabelled.p_method == Some(PMethod::Permutation))
        .and_then(|relabelled| relabelled.p_value);
    let smoothing = matches!(method, Method::Psi | Method::Kl).then_some("jeffreys");
    let reason = comparison.statistic.is_none().then_some(match (method, cells.comparable()) {
        (_, false) => "one side has no rows",
        (Method::FisherExact, true) if cells.count() != 2 => "not two categories",
        (Method::FisherExact, true) => "a count is zero",
        _ => "too few rows",
    });
    let bins = Some(cells.count());
    let least_p = (judged_p.is_some() || comparison.p_method == Some(PMethod::Permutation))
        .then(|| permutation::smallest_p(tested.count(), permutation::RELABELLINGS));
    Measured { least_p, smoothing, bins, reason, null_effects, judged_p, ..Measured::of(method, comparison) }
}

/// The p-value of the bins inside the reference's range and that of what lies beyond it as one, by Bonferroni with shares: the
/// reference has nothing beyond its own extremes, so that those bins cannot be relabelled with the others.
fn beside_what_is_outside(measured: Measured, outside: f64) -> Measured {
    let Some((p_value, method)) = measured.comparison.p_value.zip(measured.comparison.p_method) else {
        return measured;
    };
    let both = (p_value / INSIDE).min(outside / (1.0 - INSIDE)).min(1.0);
    let least_p = measured.least_p.map(|p| p / INSIDE);
    Measured { comparison: measured.comparison.with_p(both, method), least_p, ..measured }
}

pub(super) fn of_missing(values: Rows, missing: Rows) -> Measured {
    let comparison = missing_rate(
        Cell::new(missing.reference, missing.current),
        Cell::new(values.reference, values.current),
    );
    let reason = comparison.statistic.is_none().then_some("one side has no rows");
    Measured { reason, ..Measured::of(Method::MissingRate, comparison) }
}

fn with_simulated_p(comparison: Comparison, p_value: impl FnOnce() -> Option<f64>) -> Comparison {
    match comparison.statistic {
        None => comparison,
        Some(0.0) => comparison.with_p(1.0, PMethod::Exact),
        Some(_) => p_value().map_or(comparison, |p| comparison.with_p(p, PMethod::Permutation)),
    }
}

fn undefined(method: Method, reason: &'static str) -> Measured {
    Measured { reason: Some(reason), ..Measured::of(method, Comparison::UNDEFINED) }
}

#[cfg(test)]
mod tests {
    use windvane_stats::walk::{Sizes, Walk};

    use super::*;

    #[test]
    fn a_missing_statistic_says_why() {
        let wide: &[f64] = &[-1e300, 1e300, 1e300];
        for (method, a, b, reason) in [
            (Method::TTest, &[] as &[f64], &[1.0] as &[f64], "one side has no values"),
            (Method::TTest, &[1.0], &[2.0], "too few values for a variance"),
            (Method::Welch, &[1.0], &[2.0, 3.0], "too few values for a variance"),
            (Method::Welch, &[1.0, 1.0], &[2.0, 2.0], "neither side varies"),
            (Method::Welch, wide, wide, "values too large to be squared"),
            (Method::WassersteinNormed, &[1.0, 1.0], &[2.0, 3.0], "the reference does not vary"),
            (Method::WassersteinNormed, &[f64::INFINITY], &[2.0], "infinite values"),
            (Method::EppsSingleton, &[1.0, 2.0], &[2.0, 3.0], "too few values"),
        ] {
            let sizes = Sizes { a: a.len() as u64, b: b.len() as u64 };
            let mut values: Vec<(f64, u64, u64)> =
                a.iter().map(|x| (*x, 1, 0)).chain(b.iter().map(|x| (*x, 0, 1))).collect();
            values.sort_by(|one, other| one.0.total_cmp(&other.0));
            let mut walk = Walk::new(sizes, Vec::new());
            values.iter().for_each(|(value, a, b)| walk.push(*value, *a, *b));
            let walked = walk.finish().unwrap();
            let numbers = Numbers {
                walked: Some(&walked),
                characteristic: None,
                values: Rows { reference: sizes.a, current: sizes.b },
                missing: Rows::default(),
                seed: 1,
                alpha: 0.05,
                compat: None,
            };
            let measured = numbers.measure(method);
            assert_eq!((measured.comparison.statistic, measured.reason), (None, Some(reason)), "{method:?}");
        }
    }
}
