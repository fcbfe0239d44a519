//! How much more likely counts are under shares drawn around a plan than under the plan itself: the evidence of the sequential
//! tests of proportions.

use statrs::function::gamma::ln_gamma;

/// ln B(kθ + c) - ln B(kθ) - Σ c ln θ for pairs of count c and share θ, with the prior weight k; shares are above 0 and sum to 1.
///
/// With x = kθ + c and X their sum, ln B(x) - Σ c ln θ is Σ x ln(x/(Xθ)) + kΣ θ ln θ and small terms of Stirling's formula: the
/// logarithms of factorials of millions never appear, so their digits are not lost.
pub(super) fn log_bayes_factor(counts_and_shares: &[(f64, f64)], prior_weight: f64) -> f64 {
    let n: f64 = counts_and_shares.iter().map(|(count, _)| count).sum();
    let total = prior_weight + n;
    let constant = (counts_and_shares.len() as f64 - 1.0) * HALF_LN_TAU;
    let mut log =
        constant + 0.5 * total.ln() - stirling_rest(total) - ln_beta_of(counts_and_shares, prior_weight);
    for (count, share) in counts_and_shares {
        let after = prior_weight * share + count;
        let excess = (count - n * share) / (total * share);
        log += after * excess.ln_1p() - 0.5 * after.ln() + stirling_rest(after);
    }
    log
}

/// ln B(kθ) - kΣ θ ln θ, in the same terms.
pub(super) fn ln_beta_of(counts_and_shares: &[(f64, f64)], k: f64) -> f64 {
    let constant = (counts_and_shares.len() as f64 - 1.0) * HALF_LN_TAU;
    let parts = counts_and_shares.iter().map(|(_, share)| stirling_rest(k * share) - 0.5 * (k * share).ln());
    constant + 0.5 * k.ln() - stirling_rest(k) + parts.sum::<f64>()
}

/// ½ ln 2π.
const HALF_LN_TAU: f64 = 0.918_938_533_204_672_8;

/// ln Γ(x) - ((x - ½) ln x - x + ½ ln 2π).
fn stirling_rest(x: f64) -> f64 {
    if x < 10.0 {
        return ln_gamma(x) - ((x - 0.5) * x.ln() - x + HALF_LN_TAU);
    }
    let w = 1.0 / (x * x);
    (1.0 / 12.0 - w * (1.0 / 360.0 - w * (1.0 / 1260.0 - w * (1.0 / 1680.0 - w / 1188.0)))) / x
}
