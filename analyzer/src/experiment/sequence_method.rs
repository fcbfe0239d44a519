//! By what the interval that holds at every look is made: as the command line and the configuration name it.

use windvane_stats::experiment::{
    effect::{Contrast, Level},
    hypothesis::Mode,
    mixture::NormalMixture,
};
use windvane_types::experiment::SequenceKind;

use super::inference::arguments;

/// A way of always-valid inference. What its parameter says is on the relative scale, and is fixed before the first look.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum SequenceMethod {
    /// The asymptotic confidence sequence, narrowest at a number of units.
    #[default]
    Asymptotic,
    /// The normal mixture, narrowest where the standard error has come down to this.
    NormalMixture {
        /// Above 0.
        se: f64,
    },
    /// The mixture sequential probability ratio test, with a normal prior of this standard deviation.
    Msprt {
        /// Above 0.
        sd: f64,
    },
}

impl SequenceMethod {
    /// Reads `asymptotic`, `normal_mixture(SE)` or `msprt(SD)`.
    ///
    /// # Errors
    /// What would have been accepted.
    pub fn parse(text: &str) -> Result<Self, String> {
        let number = |name: &str| {
            let given = arguments(text, name)?.trim().parse::<f64>().ok();
            given.filter(|given| *given > 0.0 && given.is_finite())
        };
        if text == "asymptotic" {
            return Ok(Self::Asymptotic);
        }
        let mixture = number("normal_mixture").map(|se| Self::NormalMixture { se });
        mixture.or_else(|| number("msprt").map(|sd| Self::Msprt { sd })).ok_or_else(|| {
            format!(
                "`{text}` is no sequential method: give asymptotic, normal_mixture(SE) with the standard error of the relative \
                 difference that you plan for, as in normal_mixture(0.01), or msprt(SD) with the size of relative differences that \
                 you expect, as in msprt(0.05)"
            )
        })
    }

    /// The word of the command line.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Asymptotic => "asymptotic".to_owned(),
            Self::NormalMixture { se } => format!("normal_mixture({se})"),
            Self::Msprt { sd } => format!("msprt({sd})"),
        }
    }

    /// The word of the document.
    pub(super) fn kind(self) -> SequenceKind {
        match self {
            Self::Asymptotic => SequenceKind::Asymptotic,
            Self::NormalMixture { .. } => SequenceKind::NormalMixture,
            Self::Msprt { .. } => SequenceKind::Msprt,
        }
    }

    /// How the relative difference of a contrast is tested.
    pub(super) fn mode(self, contrast: &Contrast, (tuning, level): (f64, Level)) -> Mode {
        self.mode_in(1.0, contrast, (tuning, level))
    }

    /// How its absolute difference is tested; `None` where the control is 0, of which nothing is a share.
    pub(super) fn absolute_mode(self, contrast: &Contrast, (tuning, level): (f64, Level)) -> Option<Mode> {
        let unit = match self {
            Self::Asymptotic => 1.0,
            Self::NormalMixture { .. } | Self::Msprt { .. } => {
                contrast.mean_control.map(f64::abs).filter(|unit| *unit > 0.0)?
            }
        };
        Some(self.mode_in(unit, contrast, (tuning, level)))
    }

    /// `unit` is what a relative difference of 1 is on the scale that is tested.
    fn mode_in(self, unit: f64, contrast: &Contrast, (tuning, level): (f64, Level)) -> Mode {
        match self {
            Self::Asymptotic => Mode::Sequence { n_total: contrast.n_total(), tuning },
            Self::NormalMixture { se } => Mode::Mixture(NormalMixture::best_at(se * unit, level)),
            Self::Msprt { sd } => Mode::Mixture(NormalMixture::of_variance((sd * unit) * (sd * unit))),
        }
    }
}

#[cfg(test)]
mod tests {
    use windvane_stats::experiment::{
        effect::{Arm, Contrast, Level},
        mixture::NormalMixture,
    };

    use super::SequenceMethod;

    #[test]
    fn methods_are_read_as_they_are_written() {
        for (text, method) in [
            ("asymptotic", SequenceMethod::Asymptotic),
            ("normal_mixture(0.01)", SequenceMethod::NormalMixture { se: 0.01 }),
            ("msprt(0.05)", SequenceMethod::Msprt { sd: 0.05 }),
        ] {
            assert_eq!(SequenceMethod::parse(text), Ok(method));
            assert_eq!(method.name(), text);
        }
        for text in ["", "msprt", "msprt()", "msprt(0)", "msprt(-1)", "normal_mixture(nan)", "msprt(inf)"] {
            assert!(SequenceMethod::parse(text).unwrap_err().contains("msprt(0.05)"), "{text}");
        }
    }

    // Of a control without error the absolute difference is the relative one times the control, so both have one p-value.
    #[test]
    fn a_method_is_the_same_on_both_scales() {
        let arm = |mean, variance| Arm { n: 400, mean: Some(mean), variance: Some(variance) };
        let contrast = Contrast::between(arm(20.0, 0.0), arm(23.0, 0.64));
        let level = Level::two_sided(0.05);
        for method in [SequenceMethod::NormalMixture { se: 0.03 }, SequenceMethod::Msprt { sd: 0.1 }] {
            let relative = method.mode(&contrast, (5000.0, level)).test(contrast.relative.unwrap(), level);
            let absolute = method.absolute_mode(&contrast, (5000.0, level)).unwrap();
            let absolute = absolute.test(contrast.absolute.unwrap(), level);
            assert!((absolute.p_value.unwrap() / relative.p_value.unwrap() - 1.0).abs() < 1e-12);
        }
        let expected = NormalMixture::of_variance(0.01).test(contrast.relative.unwrap(), level);
        let found = SequenceMethod::Msprt { sd: 0.1 }.mode(&contrast, (5000.0, level));
        assert_eq!(found.test(contrast.relative.unwrap(), level).p_value, expected.p_value);
    }

    #[test]
    fn a_control_of_zero_has_no_mixture_of_shares() {
        let arm = |mean| Arm { n: 100, mean: Some(mean), variance: Some(0.01) };
        let contrast = Contrast::between(arm(0.0), arm(1.0));
        let level = Level::two_sided(0.05);
        assert!(SequenceMethod::Msprt { sd: 0.1 }.absolute_mode(&contrast, (5000.0, level)).is_none());
        assert!(SequenceMethod::Asymptotic.absolute_mode(&contrast, (5000.0, level)).is_some());
    }
}
