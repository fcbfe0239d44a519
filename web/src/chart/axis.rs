//! What axes reach, and times as values of one: plotters maps values to pixels and chooses the places of labels.

use std::ops::Range;

use chrono::{DateTime, NaiveDateTime};
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::coord::types::{RangedCoordf64, RangedCoordi64, RangedDateTime};

use super::time_label;

/// The largest value that is drawn: its double is a number still.
const LARGEST: f64 = 1e300;
/// The shortest axis, in parts of its values: on a shorter one they would hardly be told apart as numbers.
const SHORTEST: f64 = 1e-12;
/// Labels of times tell minutes at the finest.
const MINUTE_US: i64 = 60_000_000;
/// Times are labelled up to about the year 9500.
const LATEST_US: f64 = 2.4e17;
/// Fewer labels than this of an axis of times are too few to tell when something was.
const TIMES_MIN: usize = 3;

/// What an axis is of, and from where to where it goes. Values beyond an end are drawn at that end.
#[derive(Debug, Clone)]
pub enum Axis {
    /// Instants: microseconds since 1970 UTC.
    Times(Range<f64>),
    /// Whole numbers.
    Whole(Range<f64>),
    /// Any numbers.
    Values(Range<f64>),
    /// Numbers above zero, of which each decade is as long as the next.
    Decades(Range<f64>),
}

impl Axis {
    /// An axis of instants.
    pub fn times(first: f64, last: f64) -> Self {
        Self::Times(range(first, last))
    }

    /// An axis of whole numbers.
    pub fn whole(first: f64, last: f64) -> Self {
        Self::Whole(range(first, last))
    }

    /// An axis of numbers.
    pub fn values(lo: f64, hi: f64) -> Self {
        Self::Values(range(lo, hi))
    }

    /// A logarithmic axis of numbers, from one above zero.
    pub fn decades(lo: f64, hi: f64) -> Self {
        Self::Decades(range(lo, hi))
    }

    /// An upright axis of rows, the first of them on top: a row goes from its number to the next.
    pub fn rows(rows: usize) -> Self {
        Self::Values(rows.max(1) as f64..0.0)
    }

    fn ends(&self) -> &Range<f64> {
        match self {
            Self::Times(ends) | Self::Whole(ends) | Self::Values(ends) | Self::Decades(ends) => ends,
        }
    }

    /// How long it is.
    pub fn length(&self) -> f64 {
        (self.ends().end - self.ends().start).abs()
    }

    /// Whether a value lies on it.
    pub fn holds(&self, value: f64) -> bool {
        let Range { start, end } = self.ends();
        (start.min(*end)..=start.max(*end)).contains(&value)
    }
}

/// A range that an axis can have: finite, and of some length.
fn range(lo: f64, hi: f64) -> Range<f64> {
    let finite = |end: f64| if end.is_nan() { 0.0 } else { end.clamp(-LARGEST, LARGEST) };
    let (lo, hi) = (finite(lo), finite(hi));
    let room = (lo.abs() * 1e-6).max(0.01);
    if hi - lo > lo.abs().max(hi.abs()) * SHORTEST { lo..hi } else { lo - room..lo + room }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let Range { start, end } = self.range();
        // Plotters counts in whole numbers and would run out of them far beyond an end.
        let value = value.clamp(start.min(end), start.max(end));
        match self {
            Self::Decades(_) => RangedCoordf64::from(start.log10()..end.log10()).map(&value.log10(), limit),
            _ => RangedCoordf64::from(start..end).map(&value, limit),
        }
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        let Range { start, end } = self.range();
        match self {
            _ if hint.max_num_points() == 0 => Vec::new(),
            Self::Values(_) => {
                // Plotters adds one step after another, so that zero may come out a hair beside itself.
                let hair = (end - start).abs() * 1e-9;
                let points = RangedCoordf64::from(start..end).key_points(hint).into_iter();
                points.map(|at| if at.abs() < hair { 0.0 } else { at }).collect()
            }
            Self::Whole(_) => {
                let whole = RangedCoordi64::from(start.ceil() as i64..end.floor() as i64);
                whole.key_points(hint).into_iter().map(|at| at as f64).collect()
            }
            Self::Times(_) => times(start, end, hint.max_num_points()),
            Self::Decades(_) => decades(start, end, hint.max_num_points()),
        }
    }

    fn range(&self) -> Range<f64> {
        self.ends().clone()
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        match self {
            Self::Times(_) => time_label(*value, self.length()),
            Self::Whole(_) | Self::Values(_) | Self::Decades(_) => crate::numbers::number(*value),
        }
    }
}

/// Round times. Where plotters goes by weeks and finds too few of them, every so many days.
fn times(start_us: f64, end_us: f64, most: usize) -> Vec<f64> {
    let (Some(start), Some(end)) = (instant(start_us), instant(end_us)) else { return Vec::new() };
    let axis = RangedDateTime::<NaiveDateTime>::from(start..end);
    let mut points = axis.key_points(most);
    if points.len() < TIMES_MIN {
        points = axis.key_points(2 * most);
        let step = points.len().div_ceil(most).max(1);
        points = points.into_iter().step_by(step).collect();
    }
    let mut minutes: Vec<i64> = points.into_iter().map(|at| at.and_utc().timestamp_micros()).collect();
    minutes.retain(|at| at % MINUTE_US == 0);
    // Within a minute there is none to tell but the one in which the axis begins.
    if minutes.is_empty() { vec![start_us] } else { minutes.into_iter().map(|at| at as f64).collect() }
}

/// Powers of ten, with twice and five times as much where there are few of them, and every so many where there are many.
fn decades(start: f64, end: f64, most: usize) -> Vec<f64> {
    let (first, last) = (start.log10().round() as i32, end.log10().round() as i32);
    let many = usize::try_from(last - first).unwrap_or(0) + 1;
    let within: &[f64] = if 3 * many <= most + 2 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let powers = (first..=last).step_by(many.div_ceil(most));
    let points = powers.flat_map(|power| within.iter().map(move |times| times * 10f64.powi(power)));
    points.filter(|point| (start * 0.999..=end * 1.001).contains(point)).collect()
}

fn instant(at_us: f64) -> Option<NaiveDateTime> {
    let shown = (-LATEST_US..LATEST_US).contains(&at_us);
    Some(DateTime::from_timestamp_micros(shown.then_some(at_us as i64)?)?.naive_utc())
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
    use plotters::coord::ranged1d::BoldPoints;

    use super::*;
    use crate::chart::DAY_US;

    #[test]
    fn a_range_has_some_length_and_finite_ends() {
        assert_eq!(range(-1.0, 2.0), -1.0..2.0);
        for (lo, hi) in [
            (3.0, 3.0),
            (f64::NEG_INFINITY, f64::INFINITY),
            (f64::NAN, 0.0),
            (1e299, 1e299),
            (1e16, 1e16 + 2.0),
            (2.0, 1.0),
        ] {
            let Range { start, end } = range(lo, hi);
            assert!(end > start && (end - start).is_finite(), "{lo} {hi}");
        }
    }

    #[test]
    fn values_beyond_an_axis_are_drawn_at_its_end() {
        let axis = Axis::values(-1.0, 1.0);
        for (value, pixel) in
            [(-1.0, 0), (0.0, 100), (0.5, 150), (9.0, 200), (-1e300, 0), (f64::INFINITY, 200)]
        {
            assert_eq!(axis.map(&value, (0, 200)), pixel, "{value}");
        }
        assert!(axis.holds(1.0) && !axis.holds(1.01));
        let rows = Axis::rows(4);
        assert_eq!([0.0, 1.0, 4.0, 9.0].map(|row| rows.map(&row, (200, 0))), [0, 50, 200, 200]);
    }

    #[test]
    fn labels_are_at_round_times_and_at_whole_numbers() {
        let times = |from: f64, to: f64| {
            let axis = Axis::times(from * DAY_US, to * DAY_US);
            let points = axis.key_points(BoldPoints(7));
            points.iter().map(|at| axis.format_ext(at)).collect::<Vec<_>>()
        };
        assert_eq!(
            times(0.1, 1.1),
            ["01-01 04:00", "01-01 08:00", "01-01 12:00", "01-01 16:00", "01-01 20:00", "01-02 00:00"]
        );
        assert_eq!(times(0.3, 4.4), ["1970-01-02", "1970-01-03", "1970-01-04", "1970-01-05"]);
        assert_eq!(times(0.5, 30.5), ["1970-01-02", "1970-01-09", "1970-01-16", "1970-01-23", "1970-01-30"]);
        for days in 4..400 {
            let shown = times(0.0, f64::from(days));
            let mut each = shown.clone();
            each.dedup();
            assert!(shown == each && (3..=8).contains(&shown.len()), "{shown:?}");
        }
        assert_eq!(times(0.5, 10.5), ["1970-01-02", "1970-01-04", "1970-01-06", "1970-01-08", "1970-01-10"]);
        assert_eq!(times(-1e300, 1e300), Vec::<String>::new());
        let minute = 1.0 / 1440.0;
        let near = times(0.25 * minute, 3.25 * minute);
        assert_eq!(near, ["01-01 00:01", "01-01 00:02", "01-01 00:03"], "no minute is told twice");
        assert_eq!(times(0.25 * minute, 0.5 * minute), ["01-01 00:00"]);
        assert_eq!(Axis::whole(0.0, 2.0).key_points(BoldPoints(7)), [0.0, 1.0, 2.0]);
        assert_eq!(Axis::whole(0.0, 2.0).key_points(BoldPoints(0)), Vec::<f64>::new());
    }

    // Four of ten axes with ends on either side of zero had it at -5.55e-17 or the like, and called it `−5.55e-15 %`.
    #[test]
    fn zero_is_called_zero() {
        for (lo, hi) in [(-0.45, 0.77), (-0.7, 0.6), (-0.5, 0.7), (-450.0, 770.0)] {
            let points = Axis::values(lo, hi).key_points(BoldPoints(7));
            assert!(points.contains(&0.0), "{lo} to {hi}: {points:?}");
        }
    }

    #[test]
    fn decades_are_of_one_length_and_few_of_them_have_labels_between() {
        let axis = Axis::decades(10.0, 1_000.0);
        assert_eq!(
            [10.0, 100.0, 1_000.0, 0.0, 1e9].map(|value| axis.map(&value, (0, 200))),
            [0, 100, 200, 0, 200]
        );
        assert_eq!(axis.key_points(BoldPoints(8)), [10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0]);
        assert_eq!(axis.key_points(BoldPoints(3)), [10.0, 100.0, 1_000.0]);
        assert_eq!(Axis::decades(1e-18, 1e18).key_points(BoldPoints(8)).len(), 8);
    }

    #[test]
    fn one_wide_interval_does_not_hide_the_others() {
        let values = [-0.01, 0.02, 0.03, -4.0, 5.0];
        let (lo, hi) = domain(&values, vec![0.02, 0.03, 5.0, 0.02, 0.03], 6.0);
        assert!(hi < 0.25 && lo > -0.25, "{lo} {hi}");
        assert_eq!(domain(&[], Vec::new(), 6.0), (0.0, 0.0));
    }
}
