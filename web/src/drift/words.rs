//! A drift document in sentences with the number behind each.

use windvane_types::drift::{
    Change, Column, Direction, Document, Kind, Method, Segment, Verdict, missing_moved,
};

use crate::chart::cut;
use crate::chart::heatmap::times;
use crate::numbers::{counted, number, p_value, percent, thousands};

/// Columns that have a sentence of their own.
const SENTENCES_MAX: usize = 8;

/// How many columns drifted.
pub fn drifted(columns: &[Column]) -> usize {
    columns.iter().filter(|column| column.verdict == Verdict::Drift).count()
}

/// The document in one line.
pub fn headline(document: &Document) -> String {
    let (found, all) =
        (drifted(&document.columns), counted(document.columns.len() as u64, "column", "columns"));
    let segments = drifted_segments(document);
    match document.verdict {
        Verdict::Drift if found == 0 => {
            let of = counted(document.segments.len() as u64, "segment", "segments");
            format!("Drift within {segments} of {of}, and not over all rows")
        }
        Verdict::Drift => format!("Drift in {found} of {all}"),
        Verdict::NoDrift => format!("No drift in {all}"),
        Verdict::InsufficientData => "Not enough data to tell".to_owned(),
    }
}

fn drifted_segments(document: &Document) -> usize {
    document.segments.iter().filter(|segment| segment.verdict == Verdict::Drift).count()
}

/// The columns that drifted, a sentence each.
pub fn lately(sorted: &[&Column]) -> Vec<String> {
    sorted
        .iter()
        .filter(|column| column.verdict == Verdict::Drift)
        .take(SENTENCES_MAX)
        .map(|column| {
            let change = match change(column) {
                change if change.is_empty() => "its shape changed".to_owned(),
                change => change,
            };
            let evidence = strongest(column).map_or(String::new(), |method| {
                let p = p_value(method.p_adjusted.or(method.p_value));
                format!(" ({} {}, {p})", method.method, strength(method).map_or("found it".to_owned(), times))
            });
            format!("{}{}: {change}{evidence}.", cut(&column.column, 60), arrow(column))
        })
        .collect()
}

/// Which way, as an arrow with a space before it.
pub fn arrow(column: &Column) -> &'static str {
    match column.direction {
        Direction::Up => " ↑",
        Direction::Down => " ↓",
        Direction::Mixed => " ↕",
        Direction::None => "",
    }
}

/// What changed: means, the category that changed most, missing values.
pub fn change(column: &Column) -> String {
    let mut parts = Vec::new();
    if let (Some(before), Some(now)) = (column.mean_reference, column.mean_current) {
        parts.push(format!("mean {} → {}", number(before), number(now)));
    }
    if let Some(Change { category, share_reference, share_current }) =
        column.largest_change.as_ref().filter(|_| column.kind != Kind::Numeric)
    {
        let category =
            category.as_deref().map_or("missing".to_owned(), |category| format!("“{}”", cut(category, 32)));
        parts.push(format!("{category} {} → {}", percent(*share_reference), percent(*share_current)));
    }
    if let Some(embedding) = &column.embedding {
        let (moved, width) = (thousands(embedding.dimensions_moved), thousands(embedding.width));
        parts.push(format!(
            "centre moved {}, {moved} of {width} dimensions",
            number(embedding.centroid_distance)
        ));
    }
    if let Some(text) = &column.text
        && let (Some(before), Some(now)) = (text.length.mean_reference, text.length.mean_current)
    {
        parts.push(format!("{} → {} characters", number(before), number(now)));
    }
    let named = column.largest_change.as_ref().is_some_and(|change| change.category.is_none());
    let reference = (column.missing_reference, column.n_reference);
    if let Some((before, now)) = missing_moved(reference, (column.missing_current, column.n_current))
        && !named
    {
        parts.push(format!("missing {} → {}", percent(before), percent(now)));
    }
    parts.join(", ")
}

/// Why a column has no histogram.
pub fn undrawn(column: &Column) -> &'static str {
    match column.kind {
        Kind::Embedding | Kind::Text => {
            "Vectors and texts have no histogram; the table has what their methods say."
        }
        Kind::Numeric | Kind::Categorical => "No values were counted.",
    }
}

fn strength(method: &Method) -> Option<f64> {
    let floor = method.threshold.filter(|floor| *floor > 0.0)?;
    Some(method.effect?.abs() / floor)
}

/// The method that says it loudest: a drifted one, then the largest effect over its floor.
pub fn strongest(column: &Column) -> Option<&Method> {
    let rank = |method: &&Method| (method.drifted, strength(method).unwrap_or(0.0));
    column.methods.iter().filter(|method| method.statistic.is_some()).max_by(|a, b| {
        let (a, b) = (rank(a), rank(b));
        a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
    })
}

/// Columns with the strongest drift first; equals stay in their order.
pub fn by_strength(columns: &[Column]) -> Vec<&Column> {
    let rank = |column: &Column| {
        let verdict = match column.verdict {
            Verdict::Drift => 0,
            Verdict::InsufficientData => 1,
            Verdict::NoDrift => 2,
        };
        (verdict, strongest(column).and_then(strength).unwrap_or(0.0))
    };
    let mut sorted: Vec<&Column> = columns.iter().collect();
    sorted.sort_by(|a, b| {
        let (a, b) = (rank(a), rank(b));
        a.0.cmp(&b.0).then(b.1.total_cmp(&a.1))
    });
    sorted
}

/// The values of a segment.
pub fn segment(segment: &Segment) -> String {
    let parts = segment.segment.iter().map(|(column, value)| {
        format!("{} {}", cut(column, 32), cut(value.as_deref().unwrap_or("(missing)"), 32))
    });
    parts.collect::<Vec<_>>().join(", ")
}

/// What the verdicts rest on.
pub fn rule(document: &Document) -> String {
    let compat = document
        .compat
        .as_ref()
        .map_or(String::new(), |tool| format!(" The numbers follow the conventions of {tool}."));
    format!(
        "A column drifts where the effect of a method passes its floor and its p-value, corrected by {} over {} tests, is below {}. With fewer than {} values on a side nothing is said. Seed {}.{compat}",
        document.correction,
        thousands(document.tests as u64),
        number(document.alpha),
        thousands(document.min_rows),
        document.seed,
    )
}
