//! Post-stratification: arms are compared within strata, and strata are weighed as all units together have them.
//!
//! Question: how large is the difference when an arm that happened to get more of one kind of unit is put right?
//! Input: for each stratum the [`Sums`] of both arms; strata must not depend on the arm.
//! Formula: w = units of the stratum over all units; means Σwȳ; difference Σwδ with variance Σw²(s²/n + s₀²/n₀) + Σw(δₖ-δ)²/N: the
//! second part because the next sample has other weights. Relative: the delta method with the covariance Σw(μₖ-μ)(νₖ-ν)/N that
//! both means share. Degrees of freedom by Satterthwaite over the strata and arms, since a stratum of few units may make most of the variance.
//! Valid when: every stratum has some units in both arms. Strata that expect fewer than five in an arm are merged, and told, and so is one that has
//! fewer than two in one. Merging by what came alone would merge the strata whose units happened to be dealt out unevenly, and what
//! that makes of the difference is in no variance: of arms that are alike, 100 units in 20 strata each whose means are a deviation apart, 13 % differed.
//! Shares over many looks and against margins have the error of shares that differ by the margin in each stratum, as [`proportion::beyond`] says
//! for all units: of a small arm that met no success by chance the error above is that of the control alone.
//! Degenerate: one stratum, or none with two units in both arms, is Welch's comparison of all units.
//! Reference: Miratrix, Sekhon, Yu 2013, doi:10.1111/j.1467-9868.2012.01048.x; Xie, Aurisset 2016, doi:10.1145/2939672.2939733.
//! Oracle: NumPy 2 by the formula; regression with all interactions in statsmodels 0.15 gives the same estimate.
//! Cost: a few operations a stratum.

use super::{
    effect::{Arm, Contrast, ControlError, Estimate, finite},
    mean,
    proportion::{self, Proportion},
    sums::Sums,
};

/// Units that a stratum needs in each arm.
pub const UNITS_MIN: u64 = 2;

/// Units that a stratum is to expect in the smaller arm.
pub const EXPECTED_MIN: f64 = 5.0;

/// One stratum.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Stratum {
    /// The control's units.
    pub control: Sums,
    /// The arm's.
    pub arm: Sums,
}

/// The difference over strata.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PostStratified {
    /// The differences; means are the weighed ones.
    pub contrast: Contrast,
    /// Strata that were compared.
    pub strata: usize,
    /// Strata that had too few units in an arm and were merged.
    pub merged: usize,
    /// The share of the variance of the absolute difference that is gone; below 0 where strata only cost.
    pub variance_reduction: Option<f64>,
}

impl Stratum {
    /// Whether it can be compared, where the smaller arm has this share of all units.
    fn usable(&self, share: f64) -> bool {
        self.smaller() >= UNITS_MIN && self.n() as f64 * share >= EXPECTED_MIN
    }

    fn smaller(&self) -> u64 {
        self.control.n().min(self.arm.n())
    }

    fn n(&self) -> u64 {
        self.control.n() + self.arm.n()
    }

    fn merge(&mut self, other: &Self) {
        self.control.merge(&other.control);
        self.arm.merge(&other.arm);
    }
}

/// The arm against the control.
#[must_use]
pub fn post_stratified(strata: &[Stratum]) -> PostStratified {
    let mut all = Stratum::default();
    strata.iter().for_each(|stratum| all.merge(stratum));
    let (usable, merged) = usable(strata, &all);
    of_strata(&usable, merged, &all)
}

/// The arm's share beyond 1 + `null` times the control's, where units have the value 1 or 0, with the error that it has if that is 0; `None` as for
/// [`proportion::beyond`].
#[must_use]
pub fn shares_beyond(strata: &[Stratum], null: f64) -> Option<Estimate> {
    let mut all = Stratum::default();
    strata.iter().for_each(|stratum| all.merge(stratum));
    let (usable, _) = usable(strata, &all);
    let of = |stratum: &Stratum| {
        proportion::beyond(&successes(&stratum.control)?, &successes(&stratum.arm)?, null)
    };
    if usable.len() < 2 {
        return of(&all);
    }
    let weight = |stratum: &Stratum| stratum.n() as f64 / all.n() as f64;
    let (mut value, mut within) = (0.0, 0.0);
    for stratum in &usable {
        let (found, w, n) = (of(stratum)?, weight(stratum), stratum.n() as f64);
        value += w * found.value;
        // Shares that are estimated from n units have (n - 1)/n of their spread.
        within += w * w * found.se?.powi(2) * n / (n - 1.0);
    }
    let mut between = 0.0;
    for stratum in &usable {
        between += weight(stratum) * (of(stratum)?.value - value).powi(2) / all.n() as f64;
    }
    Some(Estimate { value, se: finite((within + between).sqrt()) })
}

fn successes(sums: &Sums) -> Option<Proportion> {
    let n = sums.n() as f64;
    Proportion::of(sums.n(), (sums.mean(0)? * n).clamp(0.0, n)).ok()
}

/// The same of strata that have units enough.
fn of_strata(usable: &[Stratum], merged: usize, all: &Stratum) -> PostStratified {
    let plain = mean::welch(&all.control, &all.arm);
    let contrast = if usable.len() > 1 { weighed(usable, all, plain) } else { None };
    let strata = if contrast.is_some() { usable.len() } else { 1 };
    let contrast = contrast.unwrap_or(plain);
    let se = |contrast: &Contrast| contrast.absolute.and_then(|estimate| estimate.se);
    let reduction = se(&contrast).zip(se(&plain)).and_then(|(after, before)| {
        let ratio = after / before;
        finite(1.0 - ratio * ratio)
    });
    PostStratified { contrast, strata, merged, variance_reduction: reduction }
}

/// Strata with units enough; the others together are one, which joins the smallest if it is still too small.
fn usable(strata: &[Stratum], all: &Stratum) -> (Vec<Stratum>, usize) {
    let share = all.smaller() as f64 / all.n().max(1) as f64;
    let mut kept: Vec<Stratum> = strata.iter().filter(|stratum| stratum.usable(share)).copied().collect();
    let mut rest = Stratum::default();
    let few = strata.iter().filter(|stratum| !stratum.usable(share) && stratum.n() > 0);
    let merged = few.clone().count();
    few.for_each(|stratum| rest.merge(stratum));
    if rest.usable(share) {
        kept.push(rest);
    } else if rest.n() > 0
        && let Some(smallest) = kept.iter_mut().min_by_key(|stratum| stratum.n())
    {
        smallest.merge(&rest);
    }
    (kept, merged)
}

fn weighed(strata: &[Stratum], all: &Stratum, plain: Contrast) -> Option<Contrast> {
    let total = all.n() as f64;
    let weight = |stratum: &Stratum| stratum.n() as f64 / total;
    // Relative to one origin, so that a large offset costs no digits.
    let origin = all.control.mean(0)?;
    let part = |sums: &Sums| Some((sums.mean(0)? - origin, sums.variance()? / sums.n() as f64));
    let mut found = Weighed::default();
    for stratum in strata {
        let w = weight(stratum);
        let ((control, v_control), (arm, v_arm)) = (part(&stratum.control)?, part(&stratum.arm)?);
        found.control += w * control;
        found.arm += w * arm;
        found.v_control += w * w * v_control;
        found.v_arm += w * w * v_arm;
        let degrees = |sums: &Sums| sums.n() as f64 - 1.0;
        let squares =
            v_control * v_control / degrees(&stratum.control) + v_arm * v_arm / degrees(&stratum.arm);
        found.squares += w * w * w * w * squares;
    }
    let mut shared = Shared::default();
    for stratum in strata {
        let w = weight(stratum) / total;
        let control = part(&stratum.control)?.0 - found.control;
        let arm = part(&stratum.arm)?.0 - found.arm;
        shared.control += w * control * control;
        shared.arm += w * arm * arm;
        shared.both += w * control * arm;
    }
    let of =
        |n: u64, mean: f64, variance: f64| Arm { n, mean: finite(origin + mean), variance: finite(variance) };
    let control = of(all.control.n(), found.control, found.v_control);
    let arm = of(all.arm.n(), found.arm, found.v_arm);
    let mut contrast = Contrast::with_change(control, arm, Some(found.arm - found.control));
    let (base, mean) = (control.mean?, arm.mean?);
    let combined = |a: f64, b: f64| {
        let own = a * a * (found.v_arm + shared.arm) + b * b * (found.v_control + shared.control);
        finite((own + 2.0 * a * b * shared.both).max(0.0).sqrt())
    };
    contrast.absolute = contrast.absolute.map(|absolute| Estimate { se: combined(1.0, -1.0), ..absolute });
    contrast.relative = contrast
        .relative
        .map(|relative| Estimate { se: combined(1.0 / base, -mean / base / base), ..relative });
    let variance = found.v_control + shared.control;
    contrast.control_error = Some(ControlError { variance, covariance: shared.both - variance });
    let within = found.v_arm + found.v_control;
    let between = (shared.arm + shared.control - 2.0 * shared.both).max(0.0);
    let squares = found.squares + between * between / (total - 1.0);
    contrast.df = finite((within + between) * (within + between) / squares).or(contrast.df).or(plain.df);
    Some(contrast)
}

#[derive(Default)]
struct Weighed {
    control: f64,
    arm: f64,
    v_control: f64,
    v_arm: f64,
    /// Σ of the squared variances over their degrees of freedom.
    squares: f64,
}

/// The variance that the weights bring into both means.
#[derive(Default)]
struct Shared {
    control: f64,
    arm: f64,
    both: f64,
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, StandardNormal};

    use super::{PostStratified, Stratum, of_strata, post_stratified, shares_beyond};
    use crate::experiment::{
        effect::Level,
        mean::welch,
        proportion::{self, Proportion},
        sums::Sums,
    };

    fn sums(values: &[f64]) -> Sums {
        let mut sums = Sums::default();
        values.iter().for_each(|value| sums.push([*value]));
        sums
    }

    fn stratum(control: &[f64], arm: &[f64]) -> Stratum {
        Stratum { control: sums(control), arm: sums(arm) }
    }

    /// None of them merged, however few units they have.
    fn compared(strata: &[Stratum]) -> PostStratified {
        let mut all = Stratum::default();
        strata.iter().for_each(|stratum| all.merge(stratum));
        of_strata(strata, 0, &all)
    }

    /// So many units of each arm.
    fn many(control: u32, arm: u32) -> Stratum {
        let values = |n: u32| (0..n).map(|i| f64::from(i % 3)).collect::<Vec<f64>>();
        stratum(&values(control), &values(arm))
    }

    // By hand: weights 5/11 and 6/11, differences 1 and 2, variances of the means 1/3 + 1 and 1 + 1/2.
    #[test]
    fn a_small_example_by_hand() {
        let strata =
            [stratum(&[1.0, 2.0, 3.0], &[2.0, 4.0]), stratum(&[10.0, 12.0], &[11.0, 13.0, 14.0, 14.0])];
        let found = compared(&strata);
        let (w1, w2) = (5.0 / 11.0, 6.0 / 11.0);
        let delta = w1 * 1.0 + w2 * 2.0;
        let absolute = found.contrast.absolute.unwrap();
        assert!((absolute.value - delta).abs() < 1e-12);
        let within = w1 * w1 * (1.0 / 3.0 + 2.0 / 2.0) + w2 * w2 * (2.0 / 2.0 + 2.0 / 4.0);
        let between = (w1 * (1.0 - delta).powi(2) + w2 * (2.0 - delta).powi(2)) / 11.0;
        assert!((absolute.se.unwrap() - (within + between).sqrt()).abs() < 1e-12);
        assert_eq!((found.strata, found.merged), (2, 0));
        // Each variance over its units less one: 2 and 1 of the first stratum, 1 and 3 of the second; that of the weights over 10.
        let squares = f64::powi(w1, 4) * (1.0 / 9.0 / 2.0 + 1.0)
            + f64::powi(w2, 4) * (1.0 + 0.25 / 3.0)
            + between * between / 10.0;
        let df = f64::powi(within + between, 2) / squares;
        assert!((found.contrast.df.unwrap() - df).abs() < 1e-9, "{:?} {df}", found.contrast.df);
        // The imbalance alone made 5.6 of the raw difference.
        let raw = welch(&sums(&[1.0, 2.0, 3.0, 10.0, 12.0]), &sums(&[2.0, 4.0, 11.0, 13.0, 14.0, 14.0]));
        assert!(raw.absolute.unwrap().value > 4.0 && found.variance_reduction.unwrap() > 0.5);
    }

    // Against -10 % the control counts nine tenths: Σwδ + Σwμ₀/10 is the arm's weighed mean less 0.9 of the control's, whose variance is by
    // the formula with δ + μ₀/10 in place of δ and 0.81 of the control's variances.
    #[test]
    fn beyond_a_margin_the_weights_vary_as_well() {
        let strata =
            [stratum(&[1.0, 2.0, 3.0], &[2.0, 4.0]), stratum(&[10.0, 12.0], &[11.0, 13.0, 14.0, 14.0])];
        let contrast = compared(&strata).contrast;
        let (w1, w2) = (5.0 / 11.0, 6.0 / 11.0);
        let (one, two) = (3.0 - 0.9 * 2.0, 13.0 - 0.9 * 11.0);
        let mean = w1 * one + w2 * two;
        let within = w1 * w1 * (0.81 / 3.0 + 2.0 / 2.0) + w2 * w2 * (0.81 * 2.0 / 2.0 + 2.0 / 4.0);
        let between = (w1 * f64::powi(one - mean, 2) + w2 * f64::powi(two - mean, 2)) / 11.0;
        let base = contrast.mean_control.unwrap();
        let beyond = contrast.beyond(-0.1).unwrap();
        assert!((beyond.value - mean / base).abs() < 1e-12, "{beyond:?}");
        assert!((beyond.se.unwrap() - (within + between).sqrt() / base).abs() < 1e-12, "{beyond:?}");
    }

    /// So many units, of which so many succeeded.
    fn shares(control: (u64, u64), arm: (u64, u64)) -> Stratum {
        let of = |(n, successes): (u64, u64)| Sums::of(n, successes as f64, successes as f64).unwrap();
        Stratum { control: of(control), arm: of(arm) }
    }

    // Weights 1/2 each. If shares are alike they are 4/500 and 10/500: variances p(1-p)·(1/450 + 1/50)·500/499 of each, and differences -4/450 and
    // -6/450 + 4/50 of which the spread about their mean is divided by 1,000. By their own errors the arm of the first has none.
    #[test]
    fn shares_that_are_alike_have_the_error_of_both_arms() {
        let strata = [shares((450, 4), (50, 0)), shares((450, 6), (50, 4))];
        let found = shares_beyond(&strata, 0.0).unwrap();
        let differences: [f64; 2] = [-4.0 / 450.0, 4.0 / 50.0 - 6.0 / 450.0];
        let value = 0.5 * (differences[0] + differences[1]);
        let of = |p: f64| p * (1.0 - p) * (1.0 / 450.0 + 1.0 / 50.0) * 500.0 / 499.0;
        let within = 0.25 * (of(0.008) + of(0.02));
        let between =
            (0.5 * (differences[0] - value).powi(2) + 0.5 * (differences[1] - value).powi(2)) / 1000.0;
        assert!((found.value - value).abs() < 1e-15, "{found:?}");
        assert!((found.se.unwrap() - (within + between).sqrt()).abs() < 1e-12, "{found:?}");
        let contrast = post_stratified(&strata).contrast;
        assert!((contrast.absolute.unwrap().value - found.value).abs() < 1e-12);
        let beyond = shares_beyond(&strata, -0.2).unwrap().value;
        assert!((beyond - (value + 0.2 * contrast.mean_control.unwrap())).abs() < 1e-12, "{beyond}");
        let one = shares_beyond(&strata[..1], 0.1).unwrap();
        let of = |n, successes| Proportion::of(n, successes).unwrap();
        let plain = proportion::beyond(&of(450, 4.0), &of(50, 0.0), 0.1).unwrap();
        assert!((one.value - plain.value).abs() < 1e-12, "{one:?}");
        assert!((one.se.unwrap() - plain.se.unwrap()).abs() < 1e-12, "{one:?}");
        assert_eq!(shares_beyond(&[], 0.0), None);
    }

    #[test]
    fn one_stratum_is_welch() {
        let only = stratum(&[1.0, 2.0, 4.0], &[2.0, 5.0, 5.0]);
        let found = post_stratified(&[only]);
        assert_eq!(found.contrast, welch(&only.control, &only.arm));
        assert_eq!((found.strata, found.variance_reduction), (1, Some(0.0)));
    }

    #[test]
    fn small_strata_are_merged_and_counted() {
        // Half of the units are in each arm, so that ten of them expect five.
        let strata = [many(20, 20), many(15, 12), many(6, 0), many(0, 6)];
        let found = post_stratified(&strata);
        assert_eq!((found.strata, found.merged), (3, 2));
        let alone = post_stratified(&strata[..3]);
        assert_eq!((alone.strata, alone.merged), (2, 1));
        let even = post_stratified(&[many(20, 20), many(20, 20), many(4, 4)]);
        assert_eq!((even.strata, even.merged), (2, 1));
    }

    // A hundred units an arm in twenty strata whose means are a deviation apart.
    #[test]
    fn arms_that_are_alike_differ_as_often_as_alpha_says() {
        let mut rng = ChaCha8Rng::seed_from_u64(17);
        let mut differs = || {
            let mut strata = [Stratum::default(); 20];
            for i in 0..200 {
                let at = rng.random_range(0..20_usize);
                let noise: f64 = StandardNormal.sample(&mut rng);
                let value = [at as f64 + noise];
                if i % 2 == 0 { strata[at].control.push(value) } else { strata[at].arm.push(value) }
            }
            let effect = post_stratified(&strata).contrast.absolute(Level::two_sided(0.05)).unwrap();
            effect.p_value.unwrap() < 0.05
        };
        let found = (0..400).filter(|_| differs()).count();
        assert!((6..=34).contains(&found), "{found} of 400");
    }

    #[test]
    fn empty_arms_have_no_effect() {
        assert_eq!(post_stratified(&[]).contrast.absolute, None);
        let found = post_stratified(&[stratum(&[], &[1.0, 2.0]), stratum(&[], &[3.0, 4.0])]);
        assert_eq!((found.contrast.absolute, found.strata), (None, 1));
    }

    #[test]
    fn a_huge_mean_keeps_the_difference() {
        let shift = |values: &[f64]| values.iter().map(|x| x + 1e9).collect::<Vec<f64>>();
        let strata = [
            stratum(&shift(&[1.0, 2.0, 3.0]), &shift(&[2.0, 4.0])),
            stratum(&shift(&[10.0, 12.0]), &shift(&[11.0, 13.0, 14.0, 14.0])),
        ];
        let absolute = compared(&strata).contrast.absolute.unwrap();
        assert!((absolute.value - 17.0 / 11.0).abs() < 1e-6, "{absolute:?}");
    }
}
