//! A line without axes, as small as a word: the shape of traffic in a cell of a table.

use maud::{Markup, html};

use super::px;

const WIDTH: f64 = 96.0;
const HEIGHT: f64 = 22.0;

/// The line of these values, evenly spaced; `said` is what it shows, in words.
pub fn spark(values: &[f64], said: &str) -> Markup {
    let highest = values.iter().copied().fold(0.0, f64::max);
    if values.len() < 2 || highest <= 0.0 {
        return html! { span.quiet { "–" } };
    }
    let x = |i: usize| 1.0 + (WIDTH - 2.0) * i as f64 / (values.len() - 1) as f64;
    let y = |value: f64| HEIGHT - 2.0 - (HEIGHT - 4.0) * value / highest;
    let points: Vec<String> =
        values.iter().enumerate().map(|(i, value)| format!("{},{}", px(x(i)), px(y(*value)))).collect();
    let line = points.join(" ");
    html! {
        svg.spark role="img" aria-label=(said) viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) {
            polygon points=(format!("{},{HEIGHT} {line} {},{HEIGHT}", px(x(0)), px(x(values.len() - 1)))) {}
            polyline points=(line) {}
        }
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
