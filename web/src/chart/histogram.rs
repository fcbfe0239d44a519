//! Reference against current: shares of rows side by side, in bins of a numeric column or by category.

use maud::{Markup, html};
use windvane_types::drift::Distribution;

use super::axis::Axis;
use super::{cut, px};
use crate::numbers::{number, percent};

const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 190.0;
const PLOT_X: (f64, f64) = (44.0, 452.0);
const PLOT_Y: (f64, f64) = (154.0, 10.0);
const ROW: f64 = 30.0;
const BARS_X: (f64, f64) = (150.0, 392.0);
/// Categories drawn in a row each.
const CATEGORIES_MAX: usize = 12;

/// A bin with both shares, 0 to 1.
#[derive(Debug, Clone, PartialEq)]
struct Bin {
    name: String,
    reference: f64,
    current: f64,
}

/// Missing values of both sides, which are a bin of their own.
#[derive(Debug, Clone, Copy, Default)]
pub struct Missing {
    /// In the reference.
    pub reference: u64,
    /// In the current population.
    pub current: u64,
}

/// The plot of a column; nothing without counts.
pub fn histogram(column: &str, distribution: &Distribution, missing: Missing) -> Markup {
    let bins = bins(distribution, missing);
    if bins.is_empty() {
        return html! {};
    }
    let column = cut(column, 48);
    match distribution.edges.as_slice() {
        [] => bars(&column, &bins),
        edges => columns(&column, &bins, edges),
    }
}

fn bins(distribution: &Distribution, missing: Missing) -> Vec<Bin> {
    let Distribution { edges, categories, reference, current } = distribution;
    let n = reference.iter().sum::<u64>() + missing.reference;
    let m = current.iter().sum::<u64>() + missing.current;
    if n == 0 && m == 0 || reference.len() != current.len() || reference.len() < 2 {
        return Vec::new();
    }
    let share = |count: u64, of: u64| if of == 0 { 0.0 } else { count as f64 / of as f64 };
    let last = reference.len() - 1;
    let name = |i: usize| match (edges.as_slice(), i) {
        ([], i) => categories.get(i).map_or_else(|| "all others".to_owned(), |name| cut(name, 20)),
        ([first, ..], 0) => format!("below {}", number(*first)),
        ([.., end], i) if i == last => format!("above {}", number(*end)),
        (edges, i) => match (edges.get(i - 1), edges.get(i)) {
            (Some(low), Some(high)) => format!("{} to {}", number(*low), number(*high)),
            _ => String::new(),
        },
    };
    let mut bins: Vec<Bin> = reference
        .iter()
        .zip(current)
        .enumerate()
        .map(|(i, (a, b))| Bin { name: name(i), reference: share(*a, n), current: share(*b, m) })
        .collect();
    if edges.is_empty() && bins.last().is_some_and(|bin| bin.reference == 0.0 && bin.current == 0.0) {
        bins.pop();
    }
    if missing.reference + missing.current > 0 {
        let reference = share(missing.reference, n);
        bins.push(Bin { name: "missing".to_owned(), reference, current: share(missing.current, m) });
    }
    bins
}

/// Numeric: a pair of bars a bin, side by side.
fn columns(column: &str, bins: &[Bin], edges: &[f64]) -> Markup {
    let highest = bins.iter().flat_map(|bin| [bin.reference, bin.current]).fold(0.0, f64::max).max(1e-9);
    let y = Axis::new((0.0, highest * 1.05), PLOT_Y);
    let width = (PLOT_X.1 - PLOT_X.0) / bins.len() as f64;
    let x = |i: usize| PLOT_X.0 + width * i as f64;
    let base = y.at(0.0);
    html! {
        svg.chart.small role="img" viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) aria-label=(said(column, bins)) {
            @for tick in y.ticks(3) {
                line.grid x1=(px(PLOT_X.0)) x2=(px(PLOT_X.1)) y1=(px(y.at(tick))) y2=(px(y.at(tick))) {}
                text.tick x=(px(PLOT_X.0 - 6.0)) y=(px(y.at(tick) + 4.0)) text-anchor="end" { (percent(tick)) }
            }
            @for (i, bin) in bins.iter().enumerate() {
                g {
                    title { (tip(bin)) }
                    rect.reference x=(px(x(i) + width * 0.08)) width=(px(width * 0.84)) y=(px(y.at(bin.reference))) height=(px(base - y.at(bin.reference))) {}
                    rect.current x=(px(x(i) + width * 0.26)) width=(px(width * 0.48)) y=(px(y.at(bin.current))) height=(px(base - y.at(bin.current))) {}
                }
            }
            line.base x1=(px(PLOT_X.0)) x2=(px(PLOT_X.1)) y1=(px(base)) y2=(px(base)) {}
            @for i in labelled(edges.len()) {
                text.tick x=(px(x(i + 1))) y=(px(base + 18.0)) text-anchor="middle" { (number(edges[i])) }
            }
            @if bins.len() > edges.len() + 1 {
                text.tick x=(px(PLOT_X.1)) y=(px(base + 32.0)) text-anchor="end" { "missing ↑" }
            }
        }
    }
}

/// Which edges are labelled: about five, the outermost among them.
fn labelled(edges: usize) -> Vec<usize> {
    let parts = edges.saturating_sub(1).clamp(1, 4);
    let mut which: Vec<usize> = (0..=parts).map(|i| (edges.saturating_sub(1)) * i / parts).collect();
    which.dedup();
    which
}

/// Categorical: a row a category, the most frequent first.
fn bars(column: &str, bins: &[Bin]) -> Markup {
    let shown = &bins[..bins.len().min(CATEGORIES_MAX)];
    let highest = shown.iter().flat_map(|bin| [bin.reference, bin.current]).fold(0.0, f64::max).max(1e-9);
    let x = Axis::new((0.0, highest), BARS_X);
    let height = ROW * shown.len() as f64 + 8.0;
    html! {
        svg.chart.small role="img" viewBox=(format!("0 0 {WIDTH} {height}")) aria-label=(said(column, bins)) {
            @for (i, bin) in shown.iter().enumerate() {
                @let top = 4.0 + ROW * i as f64;
                g {
                    title { (tip(bin)) }
                    text.label x=(px(BARS_X.0 - 8.0)) y=(px(top + 18.0)) text-anchor="end" { (bin.name) }
                    rect.reference x=(px(BARS_X.0)) width=(px(x.at(bin.reference) - BARS_X.0)) y=(px(top + 3.0)) height="22" {}
                    rect.current x=(px(BARS_X.0)) width=(px(x.at(bin.current) - BARS_X.0)) y=(px(top + 9.0)) height="10" {}
                    text.tick x=(px(x.at(bin.reference.max(bin.current)) + 6.0)) y=(px(top + 18.0)) { (percent(bin.current)) }
                }
            }
        }
        @if bins.len() > shown.len() { p.quiet { (bins.len() - shown.len()) " rarer ones are not drawn." } }
    }
}

fn tip(bin: &Bin) -> String {
    format!("{}: {} of the reference, {} now", bin.name, percent(bin.reference), percent(bin.current))
}

/// The three bins whose share changed most.
fn said(column: &str, bins: &[Bin]) -> String {
    let mut sorted: Vec<&Bin> = bins.iter().collect();
    let gap = |bin: &Bin| (bin.current - bin.reference).abs();
    sorted.sort_by(|a, b| gap(b).total_cmp(&gap(a)));
    let parts: Vec<String> = sorted.into_iter().take(3).map(tip).collect();
    format!("{column}, share of rows in reference and current: {}", parts.join("; "))
}

/// What the colours mean.
pub fn legend() -> Markup {
    html! {
        ul.legend {
            li { i.key.reference {} "reference" }
            li { i.key.current {} "current" }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numeric() -> Distribution {
        Distribution {
            edges: vec![0.0, 1.0, 2.0],
            categories: Vec::new(),
            reference: vec![0, 5, 4, 0],
            current: vec![1, 2, 3, 4],
        }
    }

    #[test]
    fn shares_are_those_of_all_rows() {
        let bins = bins(&numeric(), Missing { reference: 1, current: 0 });
        assert_eq!(bins.len(), 5);
        assert_eq!((bins[1].reference, bins[4].reference, bins[3].current), (0.5, 0.1, 0.4));
        assert_eq!((bins[0].name.as_str(), bins[3].name.as_str()), ("below 0", "above 2"));
    }

    #[test]
    fn a_plot_says_in_words_what_changed_most() {
        let html = histogram("<x>", &numeric(), Missing::default()).into_string();
        assert!(
            html.contains("aria-label=\"&lt;x&gt;, share of rows")
                && html.contains("above 2: 0 % of the reference, 40 % now"),
            "{html}"
        );
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        for distribution in [
            Distribution::default(),
            Distribution { reference: vec![0, 0], current: vec![0, 0], ..Distribution::default() },
            Distribution { reference: vec![1, 0], current: vec![1], ..Distribution::default() },
        ] {
            assert_eq!(histogram("x", &distribution, Missing::default()).into_string(), "");
        }
    }

    #[test]
    fn categories_have_a_row_each() {
        let distribution = Distribution {
            edges: Vec::new(),
            categories: vec!["a".to_owned(), "b".to_owned()],
            reference: vec![5, 5, 0],
            current: vec![9, 1, 0],
        };
        let html = histogram("carrier", &distribution, Missing::default()).into_string();
        assert!(
            html.contains("a: 50 % of the reference, 90 % now") && !html.contains("all others"),
            "{html}"
        );
    }
}
