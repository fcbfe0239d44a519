//! How a difference is turned into a p-value and an interval: once, at any time, at planned looks, or with a prior; as the
//! command line and the configuration name it.

use windvane_stats::experiment::{beta_binomial::BetaPrior, effect::Alternative, group_sequential::Spending};

/// Which answer the verdict is made of.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Inference {
    /// One look at an end that was fixed before.
    #[default]
    Fixed,
    /// At any time, by the confidence sequence of the absolute difference.
    Sequential,
    /// At a few looks that share alpha.
    GroupSequential(Looks),
    /// By the posterior of the relative difference.
    Bayesian {
        /// What a verdict may cost on average where it is wrong, as a share of the control's value.
        loss_max: Option<f64>,
    },
}

impl Inference {
    /// The word of the command line and of the document.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Sequential => "sequential",
            Self::GroupSequential(_) => "group_sequential",
            Self::Bayesian { .. } => "bayesian",
        }
    }
}

/// The looks of a group sequential plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Looks {
    /// How alpha is spent over them.
    pub spending: Spending,
    /// How far this look is.
    pub now: Progress,
    /// The looks before.
    pub before: Earlier,
}

/// How much of the planned units has come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Progress {
    /// This fraction, above 0; above 1 where the plan is overrun.
    Fraction(f64),
    /// The units of all arms over this planned number, above 0.
    OfUnits(f64),
}

/// The looks before this one. Over the store those count that were recorded, whatever was planned.
#[derive(Debug, Clone, PartialEq)]
pub enum Earlier {
    /// At these fractions, ascending.
    At(Vec<f64>),
    /// At k/n for every k that is behind.
    Every(u32),
}

/// Planned looks at most; a confidence sequence serves better beyond.
pub const LOOKS_MAX: u32 = 100;
/// How far a plan may be overrun: the boundaries of later looks are meaningless anyway.
pub const FRACTION_MAX: f64 = 10.0;

impl Looks {
    /// The fractions of all looks up to this one, ascending, where `units` have come and nothing is recorded of those before.
    #[must_use]
    pub fn fractions(&self, units: u64) -> Vec<f64> {
        let now = self.fraction(units);
        let mut fractions = match &self.before {
            Earlier::At(before) => before.clone(),
            Earlier::Every(looks) => (1..*looks).map(|k| f64::from(k) / f64::from(*looks)).collect(),
        };
        // A look that is due now is this one.
        fractions.retain(|before| *before < now * (1.0 - 1e-3));
        fractions.push(now);
        fractions
    }

    /// How much of the plan has come with so many units.
    #[must_use]
    pub fn fraction(&self, units: u64) -> f64 {
        match self.now {
            Progress::Fraction(fraction) => fraction,
            Progress::OfUnits(planned) => units as f64 / planned,
        }
    }
}

/// Reads `obrien_fleming`, `pocock`, `power` or `power(RHO)`.
///
/// # Errors
/// What would have been accepted.
pub fn spending(text: &str) -> Result<Spending, String> {
    let rho = |argument: &str| argument.trim().parse::<f64>().ok().filter(|rho| *rho > 0.0 && *rho <= 20.0);
    match text {
        "obrien_fleming" => Ok(Spending::ObrienFleming),
        "pocock" => Ok(Spending::Pocock),
        "power" => Ok(Spending::Power { rho: 2.0 }),
        other => arguments(other, "power").and_then(rho).map(|rho| Spending::Power { rho }).ok_or_else(|| {
            format!("`{other}` spends no alpha: give obrien_fleming, pocock or power(RHO) with RHO above 0 and at most 20, as in power(2)")
        }),
    }
}

/// The word of the command line.
#[must_use]
pub fn spending_name(spending: Spending) -> String {
    match spending {
        Spending::ObrienFleming => "obrien_fleming".to_owned(),
        Spending::Pocock => "pocock".to_owned(),
        Spending::Power { rho } => format!("power({rho})"),
    }
}

/// Reads fractions `0.25,0.5`: the looks so far, this one last.
///
/// # Errors
/// What would have been accepted.
pub fn fractions(text: &str) -> Result<Vec<f64>, String> {
    let parsed: Option<Vec<f64>> = text.split(',').map(|part| part.trim().parse::<f64>().ok()).collect();
    let usable = |fractions: &Vec<f64>| {
        let ascending = fractions.windows(2).all(|pair| pair[0] < pair[1]);
        let within = fractions.iter().all(|fraction| *fraction > 0.0 && *fraction <= FRACTION_MAX);
        ascending && within && fractions.len() <= LOOKS_MAX as usize
    };
    parsed.filter(usable).ok_or_else(|| {
        format!("`{text}` is no information: give the fractions of the plan at the looks so far, ascending, this one last, above 0 and at most {FRACTION_MAX}, as in 0.25,0.5")
    })
}

/// What was believed before the experiment.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Belief {
    /// Any relative difference, as likely as any other.
    #[default]
    Flat,
    /// Relative differences are about normal.
    Normal {
        /// Their mean.
        mean: f64,
        /// Their standard deviation, above 0.
        sd: f64,
    },
    /// Shares of both arms have this beta distribution; other metrics are taken as flat.
    Beta {
        /// The distribution.
        prior: BetaPrior,
        /// Its parameters: as if so many units had succeeded and failed before.
        parameters: [f64; 2],
    },
}

impl Belief {
    /// Reads `flat`, `normal(MEAN,SD)` or `beta(A,B)`.
    ///
    /// # Errors
    /// What would have been accepted.
    pub fn parse(text: &str) -> Result<Self, String> {
        let expected = || {
            format!(
                "`{text}` is no prior: give flat, normal(MEAN,SD) on the relative scale with SD above 0, as in normal(0,0.3), or beta(A,B) for proportions with both at least 0.5"
            )
        };
        if text == "flat" {
            return Ok(Self::Flat);
        }
        if let Some((mean, sd)) = arguments(text, "normal").and_then(pair).filter(|(_, sd)| *sd > 0.0) {
            return Ok(Self::Normal { mean, sd });
        }
        let (a, b) = arguments(text, "beta").and_then(pair).ok_or_else(expected)?;
        let prior = BetaPrior::of(a, b).map_err(|_error| expected())?;
        Ok(Self::Beta { prior, parameters: [a, b] })
    }

    /// The words of the document.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Flat => "flat".to_owned(),
            Self::Normal { mean, sd } => format!("normal({mean}, {sd})"),
            Self::Beta { parameters: [a, b], .. } => format!("beta({a}, {b})"),
        }
    }
}

/// Relative differences that do not matter: the region of practical equivalence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rope {
    /// Its lower end, below the upper one.
    pub lo: f64,
    /// Its upper end.
    pub hi: f64,
}

impl Rope {
    /// Reads `LO,HI`.
    ///
    /// # Errors
    /// What would have been accepted.
    pub fn parse(text: &str) -> Result<Self, String> {
        let ends = pair(text).filter(|(lo, hi)| lo < hi && *lo <= 0.0 && *hi >= 0.0);
        ends.map(|(lo, hi)| Self { lo, hi }).ok_or_else(|| {
            format!("`{text}` is no region: give LO,HI on the relative scale around 0, as in -0.01,0.01")
        })
    }
}

/// The word of the command line and of the document.
#[must_use]
pub fn alternative_name(alternative: Alternative) -> &'static str {
    match alternative {
        Alternative::TwoSided => "two_sided",
        Alternative::Greater => "greater",
        Alternative::Less => "less",
    }
}

/// What is within the parentheses after a name.
pub(super) fn arguments<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')')
}

fn pair(text: &str) -> Option<(f64, f64)> {
    let (one, other) = text.split_once(',')?;
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
    number(one).zip(number(other))
}

#[cfg(test)]
mod tests {
    use windvane_stats::experiment::group_sequential::Spending;

    use super::{Belief, Earlier, Looks, Progress, Rope, fractions, spending};

    #[test]
    fn looks_that_are_due_now_are_this_one() {
        let looks = |now, before| Looks { spending: Spending::Pocock, now, before }.fractions(500);
        assert_eq!(looks(Progress::OfUnits(1000.0), Earlier::Every(4)), [0.25, 0.5]);
        assert_eq!(looks(Progress::Fraction(0.6), Earlier::Every(5)), [0.2, 0.4, 0.6]);
        assert_eq!(looks(Progress::Fraction(1.2), Earlier::Every(2)), [0.5, 1.2]);
        assert_eq!(looks(Progress::Fraction(0.5), Earlier::At(vec![0.1])), [0.1, 0.5]);
        assert_eq!(looks(Progress::Fraction(0.5), Earlier::At(Vec::new())), [0.5]);
    }

    #[test]
    fn what_is_out_of_range_says_what_is_accepted() {
        for text in ["obrien", "power(0)", "power(x)", "power(21)", "power(nan)", ""] {
            assert!(spending(text).unwrap_err().contains("power(2)"), "{text}");
        }
        for text in ["0", "0.5,0.25", "-1", "11", "x", "", "0.5,", "nan"] {
            assert!(fractions(text).unwrap_err().contains("0.25,0.5"), "{text}");
        }
        for text in ["", "normal(0,0)", "normal(0)", "beta(0.1,1)", "beta(1,inf)", "normal(nan,1)"] {
            assert!(Belief::parse(text).unwrap_err().contains("normal(0,0.3)"), "{text}");
        }
        for text in ["0.01,-0.01", "0.01", "0.1,0.2", "x,y", "0,0"] {
            assert!(Rope::parse(text).unwrap_err().contains("-0.01,0.01"), "{text}");
        }
    }

    #[test]
    fn words_are_read_as_they_are_written() {
        assert_eq!(spending("power"), Ok(Spending::Power { rho: 2.0 }));
        assert_eq!(spending("power(3)"), Ok(Spending::Power { rho: 3.0 }));
        for text in ["flat", "normal(0, 0.3)", "beta(0.5, 2)"] {
            assert_eq!(Belief::parse(text).unwrap().name(), text);
        }
        assert_eq!(fractions("0.25, 0.5").unwrap(), [0.25, 0.5]);
    }
}
