//! Reference against current: shares of rows side by side, in bins of a numeric column or by category.

use maud::{Markup, html};
use plotters::series::LineSeries;
use windvane_types::drift::Distribution;

use super::axis::Axis;
use super::backend::Ink;
use super::marks::{Mark, Place, bar};
use super::plot::{self, Frame};
use super::{cut, px};
use crate::numbers::{number, percent};

const FRAME: Frame = Frame { size: (460.0, 190.0), x: (44.0, 452.0), y: (154.0, 10.0) };
const ROW: f64 = 30.0;
const BARS_X: (f64, f64) = (150.0, 392.0);
/// Rows of a plot of categories, those of all others and of what is missing among them.
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
        [] => bars(&column, &bins, missing),
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
    let axes = (Axis::whole(0.0, bins.len() as f64), Axis::values(0.0, highest * 1.05));
    let elements = plot::plot(FRAME, axes, |chart| {
        plot::left(chart, 4, &|share| percent(*share))?;
        for (i, bin) in bins.iter().enumerate() {
            let left = i as f64;
            let corners = vec![
                (left + 0.08, 0.0),
                (left + 0.92, bin.reference),
                (left + 0.26, 0.0),
                (left + 0.74, bin.current),
            ];
            chart.plotting_area().draw(&Mark::new(corners, |places| pair(places, bin, &html! {})))?;
        }
        let ends = chart.x_range();
        chart.draw_series(LineSeries::new([(ends.start, 0.0), (ends.end, 0.0)], Ink::BASE))?;
        for i in labelled(edges.len()) {
            let label = Mark::tick(((i + 1) as f64, 0.0), number(edges[i]), None);
            chart.plotting_area().draw(&label)?;
        }
        if bins.len() > edges.len() + 1 {
            let below = Mark::new(vec![(ends.end, 0.0)], |places: &[Place]| {
                html! { @for (x, y) in places { text.tick x=(px(*x)) y=(px(y + 32.0)) text-anchor="end" { "missing ↑" } } }
            });
            chart.plotting_area().draw(&below)?;
        }
        Ok(())
    });
    html! {
        svg.chart.small role="img" viewBox=(FRAME.view_box()) aria-label=(said(column, bins)) { (elements) }
    }
}

/// The bars of a bin, the current one in front of the reference.
fn pair(places: &[Place], bin: &Bin, more: &Markup) -> Markup {
    let [a, b, c, d, ..] = *places else { return html! {} };
    html! {
        g {
            title { (tip(bin)) }
            (bar("reference", [a, b], (0.0, 0.0)))
            (bar("current", [c, d], (0.0, 0.0)))
            (more)
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

/// The rows of a plot of categories: the most frequent ones, all others in one, and what is missing.
fn rows(bins: &[Bin], missing: Missing) -> Vec<Bin> {
    let is_missing = missing.reference + missing.current > 0;
    let (values, missing) = bins.split_at(bins.len() - usize::from(is_missing));
    let most = CATEGORIES_MAX - missing.len();
    if values.len() <= most {
        return bins.to_vec();
    }
    let (shown, rest) = values.split_at(most - 1);
    let others = Bin {
        name: "all others".to_owned(),
        reference: rest.iter().map(|bin| bin.reference).sum(),
        current: rest.iter().map(|bin| bin.current).sum(),
    };
    shown.iter().chain([&others]).chain(missing).cloned().collect()
}

/// Categorical: a row a category, the most frequent first.
fn bars(column: &str, bins: &[Bin], missing: Missing) -> Markup {
    let shown = rows(bins, missing);
    let highest = shown.iter().flat_map(|bin| [bin.reference, bin.current]).fold(0.0, f64::max).max(1e-9);
    let height = ROW * shown.len() as f64 + 8.0;
    let frame = Frame { size: (FRAME.size.0, height), x: BARS_X, y: (height - 4.0, 4.0) };
    let axes = (Axis::values(0.0, highest), Axis::rows(shown.len()));
    let elements = plot::plot(frame, axes, |chart| {
        for (i, bin) in shown.iter().enumerate() {
            let row = |part: f64| i as f64 + part;
            let corners = vec![
                (0.0, row(0.1)),
                (bin.reference, row(0.833)),
                (0.0, row(0.3)),
                (bin.current, row(0.633)),
                (bin.reference.max(bin.current), row(0.6)),
            ];
            let bars = Mark::new(corners, |places| {
                let words = html! {
                    @if let [(left, _), .., (right, y)] = places {
                        text.label x=(px(left - 8.0)) y=(px(*y)) text-anchor="end" { (bin.name) }
                        text.tick x=(px(right + 6.0)) y=(px(*y)) { (percent(bin.current)) }
                    }
                };
                pair(places, bin, &words)
            });
            chart.plotting_area().draw(&bars)?;
        }
        Ok(())
    });
    html! {
        svg.chart.small role="img" viewBox=(frame.view_box()) aria-label=(said(column, bins)) { (elements) }
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

    #[test]
    fn of_many_categories_all_others_are_one_row_and_so_is_what_is_missing() {
        let distribution = Distribution {
            edges: Vec::new(),
            categories: (0..20).map(|i| format!("c{i}")).collect(),
            reference: [[4; 20].as_slice(), &[10]].concat(),
            current: [[2; 20].as_slice(), &[20]].concat(),
        };
        let html = histogram("carrier", &distribution, Missing { reference: 10, current: 40 }).into_string();
        assert_eq!(html.matches("<title>").count(), CATEGORIES_MAX, "{html}");
        for part in [
            "c9: 4 % of the reference, 2 % now",
            "all others: 50 % of the reference, 40 % now",
            "missing: 10 % of the reference, 40 % now",
        ] {
            assert!(html.contains(&format!("<title>{part}</title>")), "no `{part}` in {html}");
        }
    }
}
