//! An axis: values to pixels, and round values to label it with. Pure.

/// A span of values over a span of pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Axis {
    values: (f64, f64),
    pixels: (f64, f64),
}

impl Axis {
    /// An axis that holds these values; one that would have no length gets one.
    pub fn new(values: (f64, f64), pixels: (f64, f64)) -> Self {
        let (lo, hi) = values;
        let values = if hi > lo { values } else { (lo - 0.01, lo + 0.01) };
        Self { values, pixels }
    }

    /// The ends of the values.
    pub fn ends(self) -> (f64, f64) {
        self.values
    }

    /// Whether a value lies on it.
    pub fn holds(self, value: f64) -> bool {
        (self.values.0..=self.values.1).contains(&value)
    }

    /// Where a value is drawn; one beyond an end at that end.
    pub fn at(self, value: f64) -> f64 {
        let (lo, hi) = self.values;
        let share = (value.clamp(lo, hi) - lo) / (hi - lo);
        self.pixels.0 + share * (self.pixels.1 - self.pixels.0)
    }

    /// Round values on it: multiples of 1, 2 or 5 times a power of ten, about this many.
    pub fn ticks(self, about: u32) -> Vec<f64> {
        let (lo, hi) = self.values;
        let rough = (hi - lo) / f64::from(about.max(1));
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .into_iter()
            .map(|times| times * power)
            .find(|step| *step >= rough)
            .unwrap_or(rough);
        let first = (lo / step).ceil() as i64;
        let last = (hi / step).floor() as i64;
        (first..=last).map(|i| i as f64 * step).collect()
    }
}

/// The values that a chart of effects shows: all of them, except that a few very wide intervals may leave it so that the
/// others can be seen. Zero is on it. Each extent is how far from zero an interval or an estimate reaches.
pub fn domain(values: &[f64], mut extents: Vec<f64>, times_median: f64) -> (f64, f64) {
    extents.retain(|extent| extent.is_finite() && *extent > 0.0);
    extents.sort_by(f64::total_cmp);
    let bound = match extents.get(extents.len() / 2) {
        None => 0.01,
        Some(median) => (median * times_median).min(extents[extents.len() - 1]),
    };
    let clipped = |value: f64| value.clamp(-bound, bound);
    let finite = values.iter().copied().filter(|value| value.is_finite());
    let (lo, hi) =
        finite.fold((0.0_f64, 0.0_f64), |(lo, hi), value| (lo.min(clipped(value)), hi.max(clipped(value))));
    let pad = (hi - lo) * 0.05;
    (lo - pad, hi + pad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_beyond_an_axis_are_drawn_at_its_end() {
        let axis = Axis::new((-1.0, 1.0), (0.0, 200.0));
        for (value, pixel) in [(-1.0, 0.0), (0.0, 100.0), (0.5, 150.0), (9.0, 200.0), (-9.0, 0.0)] {
            assert!((axis.at(value) - pixel).abs() < 1e-9, "{value}");
        }
        assert!(axis.holds(1.0) && !axis.holds(1.01));
    }

    #[test]
    fn ticks_are_round_and_on_the_axis() {
        let ticks = Axis::new((-0.034, 0.071), (0.0, 1.0)).ticks(5);
        let shown: Vec<String> = ticks.iter().map(|tick| format!("{tick:.2}")).collect();
        assert_eq!(shown, ["0.00", "0.05"]);
        assert_eq!(Axis::new((0.0, 10.0), (0.0, 1.0)).ticks(5).len(), 6);
        assert!(!Axis::new((3.0, 3.0), (0.0, 1.0)).ticks(5).is_empty());
    }

    #[test]
    fn one_wide_interval_does_not_hide_the_others() {
        let values = [-0.01, 0.02, 0.03, -4.0, 5.0];
        let (lo, hi) = domain(&values, vec![0.02, 0.03, 5.0, 0.02, 0.03], 6.0);
        assert!(hi < 0.25 && lo > -0.25, "{lo} {hi}");
        assert_eq!(domain(&[], Vec::new(), 6.0), (0.0, 0.0));
    }
}
