//! Charts as SVG that the server writes. Plotters maps values to places and draws axes, grids, lines and areas; a backend of
//! ours writes its elements with classes, so that colours and type come from the style of the page and follow light and dark;
//! marks of ours carry titles and links.
//!
//! Each chart says in words what it shows (`role="img"` with a label), and each page has the numbers as a table beside it.

pub mod axis;
pub mod backend;
pub mod heatmap;
pub mod histogram;
pub mod lines;
pub mod marks;
pub mod plot;
pub mod spark;

use windvane_types::span;

use crate::numbers::short;

/// Microseconds of a day.
pub const DAY_US: f64 = 86_400e6;

/// A pixel to a tenth.
pub fn px(value: f64) -> String {
    let shown = format!("{value:.1}");
    shown.strip_suffix(".0").map_or_else(|| shown.clone(), str::to_owned)
}

/// A name without control characters, cut where it is longer than `max` characters.
pub fn cut(text: &str, max: usize) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match clean.char_indices().nth(max.saturating_sub(1)) {
        Some((at, _)) if clean.chars().count() > max => format!("{}…", &clean[..at]),
        _ => clean,
    }
}

/// A time as the label of an axis: the day where the axis spans days, else day and minute.
pub fn time_label(at_us: f64, length_us: f64) -> String {
    let time = short(&span::shown(at_us as i64));
    let kept = if length_us >= 4.0 * DAY_US { time.get(..10) } else { time.get(5..) };
    kept.unwrap_or(&time).to_owned()
}

/// The instant behind such a label where it tells the minute: a script tells it in the viewer's zone. Days are those of UTC, as windows are.
pub fn minute_at(at_us: f64, length_us: f64) -> Option<String> {
    (length_us < 4.0 * DAY_US).then(|| span::shown(at_us as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_and_cannot_break_a_line() {
        assert_eq!(cut("a\nb", 8), "a b");
        assert_eq!(cut(&"é".repeat(9), 8), format!("{}…", "é".repeat(7)));
    }

    #[test]
    fn a_pixel_has_a_tenth_where_it_needs_one() {
        assert_eq!([px(3.0), px(3.04), px(-2.55), px(120.0)], ["3", "3", "-2.5", "120"]);
    }

    #[test]
    fn labels_have_days_where_the_axis_spans_days() {
        assert_eq!(time_label(0.0, 10.0 * DAY_US), "1970-01-01");
        assert_eq!(time_label(0.0, DAY_US), "01-01 00:00");
        assert_eq!(minute_at(0.0, 10.0 * DAY_US), None);
        assert_eq!(minute_at(60e6, DAY_US).as_deref(), Some("1970-01-01T00:01:00Z"));
    }
}
