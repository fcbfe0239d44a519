//! A line without axes, as small as a word: the shape of traffic in a cell of a table.

use maud::{Markup, html};
use plotters::series::{AreaSeries, LineSeries};

use super::axis::Axis;
use super::backend::Ink;
use super::plot::{self, Frame};

const FRAME: Frame = Frame { size: (96.0, 22.0), x: (1.0, 95.0), y: (21.0, 2.0) };

/// The line of these values, evenly spaced; `said` is what it shows, in words.
pub fn spark(values: &[f64], said: &str) -> Markup {
    let highest = values.iter().copied().fold(0.0, f64::max);
    if values.len() < 2 || highest <= 0.0 {
        return html! { span.quiet { "–" } };
    }
    let places = || values.iter().enumerate().map(|(i, value)| (i as f64, *value));
    let axes = (Axis::whole(0.0, (values.len() - 1) as f64), Axis::values(0.0, highest));
    let elements = plot::plot(FRAME, axes, |chart| {
        chart.draw_series(AreaSeries::new(places(), 0.0, Ink::PLAIN))?;
        chart.draw_series(LineSeries::new(places(), Ink::PLAIN))?;
        Ok(())
    });
    html! {
        svg.spark role="img" aria-label=(said) viewBox=(FRAME.view_box()) { (elements) }
    }
}

#[cfg(test)]
mod tests {
    use super::spark;

    #[test]
    fn a_shape_needs_two_values() {
        assert!(!spark(&[1.0], "one").into_string().contains("<svg"));
        assert!(!spark(&[0.0, 0.0], "none").into_string().contains("<svg"));
        assert!(spark(&[0.0, 2.0], "two").into_string().contains("aria-label=\"two\""));
    }
}
