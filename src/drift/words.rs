//! A column's finding in words that a person reads: what changed, which way, how much, how sure.

pub use windvane_types::counting::{counted, grouped};
use windvane_types::drift::{Change, Column, Direction, Document, Kind, Method, Verdict, missing_moved};

/// The headline of a document.
pub fn headline(document: &Document) -> String {
    let drifted = document.columns.iter().filter(|column| column.verdict == Verdict::Drift).count();
    let all = document.columns.len();
    let segments = document.segments.iter().filter(|segment| segment.verdict == Verdict::Drift).count();
    let mut words = match document.verdict {
        Verdict::Drift if drifted == 0 => "drift within segments only".to_owned(),
        Verdict::Drift => format!("drift in {drifted} of {}", counted(all as u64, "column", "columns")),
        Verdict::NoDrift => format!("no drift in {}", counted(all as u64, "column", "columns")),
        Verdict::InsufficientData => "not enough data to tell".to_owned(),
    };
    if !document.segments.is_empty() {
        words += &format!(
            ", and in {segments} of {}",
            counted(document.segments.len() as u64, "segment", "segments")
        );
    }
    words
}

/// The verdict of a column with its direction.
pub fn verdict(column: &Column) -> &'static str {
    match (column.verdict, column.direction) {
        (Verdict::Drift, Direction::Up) => "drift ↑",
        (Verdict::Drift, Direction::Down) => "drift ↓",
        (Verdict::Drift, Direction::Mixed) => "drift ↕",
        (Verdict::Drift, Direction::None) => "drift",
        (Verdict::NoDrift, _) => "no drift",
        (Verdict::InsufficientData, _) => "too few rows",
    }
}

/// What changed: means, missing values, the category that changed most.
pub fn change(column: &Column) -> String {
    let mut parts = Vec::new();
    if let (Some(before), Some(now)) = (column.mean_reference, column.mean_current) {
        parts.push(format!("mean {} → {}", number(before), number(now)));
    }
    if let Some(Change { category, share_reference, share_current }) =
        column.largest_change.as_ref().filter(|_| column.kind != Kind::Numeric)
    {
        let name =
            category.as_ref().map_or("missing".to_owned(), |category| format!("`{}`", shortened(category)));
        parts.push(format!("{name} {} → {}", percent(*share_reference), percent(*share_current)));
    }
    if let Some(embedding) = &column.embedding {
        parts.push(format!(
            "centre moved {}, {} of {} dimensions",
            number(embedding.centroid_distance),
            grouped(embedding.dimensions_moved),
            grouped(embedding.width)
        ));
    }
    if let Some(text) = &column.text {
        if let (Some(before), Some(now)) = (text.length.mean_reference, text.length.mean_current) {
            parts.push(format!("{} → {} characters", number(before), number(now)));
        }
        let new = &text.out_of_vocabulary;
        if let (Some(before), Some(now)) = (new.mean_reference, new.mean_current) {
            parts.push(format!("unknown words {} → {}", percent(before), percent(now)));
        }
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

/// The strongest method: the drifted one with the largest effect over its floor, else the largest of all.
pub fn strongest(column: &Column) -> Option<&Method> {
    let strength = |method: &&Method| {
        let ratio =
            method.effect.unwrap_or(0.0).abs() / method.threshold.filter(|floor| *floor > 0.0).unwrap_or(1.0);
        (u8::from(method.drifted), ratio)
    };
    column.methods.iter().filter(|method| method.statistic.is_some()).max_by(|a, b| {
        let (a, b) = (strength(a), strength(b));
        a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
    })
}

/// `ks 0.142, p < 0.001`, and what was judged in its place, if anything was.
pub fn evidence(column: &Column) -> String {
    let Some(method) = strongest(column) else { return "-".to_owned() };
    let statistic = method.statistic.map_or("-".to_owned(), number);
    let why = method.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    match method.p_adjusted.or(method.p_value) {
        Some(p) if p < 0.001 => format!("{} {statistic}, p < 0.001{why}", method.method),
        Some(p) => format!("{} {statistic}, p {p:.3}{why}", method.method),
        None => format!("{} {statistic}{why}", method.method),
    }
}

/// Columns with the strongest drift first; equals stay in their order.
pub fn by_strength(columns: &[Column]) -> Vec<&Column> {
    let rank = |column: &Column| {
        let strength = strongest(column)
            .map_or(0.0, |method| method.effect.unwrap_or(0.0).abs() / method.threshold.unwrap_or(1.0));
        let verdict = match column.verdict {
            Verdict::Drift => 0,
            Verdict::InsufficientData => 1,
            Verdict::NoDrift => 2,
        };
        (verdict, strength)
    };
    let mut sorted: Vec<&Column> = columns.iter().collect();
    sorted.sort_by(|a, b| {
        let (a, b) = (rank(a), rank(b));
        a.0.cmp(&b.0).then(b.1.total_cmp(&a.1))
    });
    sorted
}

/// The values of a segment: `carrier=UA, origin=JFK`.
pub fn segment(values: &std::collections::BTreeMap<String, Option<String>>) -> String {
    let parts = values.iter().map(|(column, value)| {
        format!("{column}={}", value.as_ref().map_or("(missing)".to_owned(), |value| shortened(value)))
    });
    parts.collect::<Vec<_>>().join(", ")
}

/// A number to four significant digits.
pub fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if !(1e-3..1e7).contains(&size) => format!("{value:.2e}"),
        size => {
            // Digits before the point, at most seven.
            let before = size.log10().floor() as i32;
            let decimals = usize::try_from(3 - before).unwrap_or(0);
            let text = format!("{value:.decimals$}");
            match text.contains('.') {
                true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
                false => text,
            }
        }
    }
}

pub fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// A value in a cell: one line, at most 32 characters, nothing that a terminal would act on.
pub fn shortened(text: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match clean.char_indices().nth(31) {
        Some((at, _)) if clean.chars().count() > 32 => format!("{}…", &clean[..at]),
        _ => clean,
    }
}

#[cfg(test)]
mod tests {
    use super::{grouped, number, shortened};

    #[test]
    fn numbers_have_four_digits() {
        for (value, expected) in [
            (0.0, "0"),
            (0.142_857, "0.1429"),
            (12.0, "12"),
            (1234.56, "1235"),
            (-11.4, "-11.4"),
            (123_456.7, "123457"),
            (1e12, "1.00e12"),
            (0.000_012, "1.20e-5"),
        ] {
            assert_eq!(number(value), expected);
        }
        assert_eq!(grouped(336_776), "336,776");
        assert_eq!(grouped(12), "12");
    }

    #[test]
    fn values_cannot_drive_the_terminal() {
        assert_eq!(shortened("a\u{1b}[31m\nb"), "a [31m b");
        assert_eq!(shortened(&"é".repeat(40)).chars().count(), 32);
    }
}
