//! Floats of both models: how far apart, absolutely, relatively, and in units of the last place.

use super::output::Apart;
use crate::answer::View;
use crate::policy::Tolerance;

/// What was seen of one output.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    max_abs: Option<f64>,
    max_rel: Option<f64>,
    max_ulp: Option<u64>,
    sum_abs: f64,
    compared: u64,
    nonfinite: u64,
    nonfinite_champion: u64,
}

/// The same, finished.
pub(super) struct Found {
    pub(super) max_abs: Option<f64>,
    pub(super) max_rel: Option<f64>,
    pub(super) max_ulp: Option<u64>,
    pub(super) mean_abs: Option<f64>,
    pub(super) nonfinite: u64,
    pub(super) nonfinite_champion: u64,
}

impl Numbers {
    /// Compares two answers of one shape.
    pub(super) fn push(&mut self, a: &View<'_>, b: &View<'_>, tolerance: Tolerance) -> Apart {
        let (mut times, mut at_most, mut broken) = (0.0_f64, None, None);
        for at in 0..a.len() {
            let (Some(x), Some(y)) = (a.number(at), b.number(at)) else { continue };
            self.nonfinite_champion += u64::from(!x.is_finite());
            self.nonfinite += u64::from(!y.is_finite());
            if !x.is_finite() || !y.is_finite() {
                broken.get_or_insert((at, x, y));
                continue;
            }
            let apart = (x - y).abs();
            self.see(apart, x, (a, b, at));
            let allowed = tolerance.atol + tolerance.rtol * x.abs();
            let here = match (apart <= allowed, allowed > 0.0) {
                (true, false) => 0.0,
                (_, true) => apart / allowed,
                (false, false) => f64::MAX,
            };
            if here > times {
                times = here;
                at_most = Some((at, x, y));
            }
        }
        match (broken, at_most) {
            (Some((at, x, y)), _) => Apart {
                agrees: false,
                times: f64::INFINITY,
                what: format!("is {y} and was {x} (element {at}), which is not finite"),
            },
            (None, Some((at, x, y))) => {
                Apart { agrees: times <= 1.0, times, what: format!("is {y} and was {x} (element {at})") }
            }
            (None, None) => Apart { agrees: true, times: 0.0, what: String::new() },
        }
    }

    fn see(&mut self, apart: f64, x: f64, (a, b, at): (&View<'_>, &View<'_>, usize)) {
        self.compared += 1;
        self.sum_abs += apart;
        if self.max_abs.is_none_or(|max| apart > max) {
            self.max_abs = Some(apart);
        }
        let relative = apart / x.abs();
        if x != 0.0 && relative.is_finite() && self.max_rel.is_none_or(|max| relative > max) {
            self.max_rel = Some(relative);
        }
        if apart > 0.0 || self.max_ulp.is_none() {
            self.max_ulp = self.max_ulp.max(a.ulps(b, at));
        }
    }

    /// Counts values that are not finite in answers that cannot be compared.
    pub(super) fn count_nonfinite(&mut self, a: &View<'_>, b: &View<'_>) {
        let count = |view: &View<'_>| {
            (0..view.len()).filter(|at| view.number(*at).is_some_and(|x| !x.is_finite())).count() as u64
        };
        self.nonfinite_champion += count(a);
        self.nonfinite += count(b);
    }

    pub(super) fn nonfinite(&self) -> u64 {
        self.nonfinite
    }

    pub(super) fn max_abs(&self) -> Option<f64> {
        self.max_abs
    }

    pub(super) fn finish(&self) -> Found {
        Found {
            max_abs: self.max_abs,
            max_rel: self.max_rel,
            max_ulp: self.max_ulp,
            mean_abs: (self.compared > 0).then(|| self.sum_abs / self.compared as f64),
            nonfinite: self.nonfinite,
            nonfinite_champion: self.nonfinite_champion,
        }
    }
}
