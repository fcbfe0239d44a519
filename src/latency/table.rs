//! The answer of `windvane latency` as a table for people.

use comfy_table::{Table, presets};
use windvane_types::latency::{Document, Drift, Group, Objective, Verdict};

use crate::drift::words::{counted, grouped, number, shortened};

/// Renders the document.
pub fn render(document: &Document) -> String {
    let word = match (document.verdict, &document.reference) {
        (Verdict::InsufficientData, None) => "measured, and compared with nothing".to_owned(),
        (verdict, _) => verdict.as_str().replace('_', " "),
    };
    let mut text = format!("{word}\n\n");
    // The first group is of all rows.
    let all = document.groups.first();
    let before = all.and_then(|group| group.drift.as_ref()).map_or(0, |drift| drift.infinite_reference);
    for (role, side, infinite) in [
        ("reference", document.reference.as_ref(), before),
        ("current", Some(&document.current), all.map_or(0, |group| group.infinite)),
    ] {
        if let Some(side) = side {
            let rows = counted(side.rows, "latency", "latencies");
            text += &format!("{role:<10} {} ({rows}{})\n", side.source, left_out(infinite));
        }
    }
    text += "\n";
    text += &groups(document);
    if document.groups_left_out > 0 {
        text += &format!(
            "{} left out\n",
            counted(document.groups_left_out, "smaller group is", "smaller groups are")
        );
    }
    for objective in &document.objectives {
        text += &self::objective(objective);
    }
    text += &format!(
        "\n{} % intervals by order statistics; each value is at most {} % off\n",
        number(100.0 * document.confidence),
        number(100.0 * document.accuracy)
    );
    text
}

/// What is said of latencies that no quantile has.
fn left_out(infinite: u64) -> String {
    match infinite {
        0 => String::new(),
        infinite => format!("; {} left out", counted(infinite, "infinite one", "infinite ones")),
    }
}

fn groups(document: &Document) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.force_no_tty();
    let levels = document.groups.iter().map(|group| group.quantiles.as_slice()).max_by_key(|all| all.len());
    let mut header = vec!["group".to_owned(), "n".to_owned()];
    header.extend(levels.unwrap_or_default().iter().map(|quantile| quantile.quantile.clone()));
    if document.reference.is_some() {
        header.push("against the reference".to_owned());
    }
    table.set_header(header);
    for group in &document.groups {
        let mut row = vec![name(group), grouped(group.n)];
        row.extend(group.quantiles.iter().map(|quantile| {
            let [low, high] = quantile.ci.map(|end| end.map_or("…".to_owned(), length));
            format!("{} [{low}, {high}]", length(quantile.value))
        }));
        if document.reference.is_some() {
            row.push(group.drift.as_ref().map(|found| drift(group, found)).unwrap_or_default());
        }
        table.add_row(row);
    }
    let lines: Vec<String> = table.to_string().lines().map(|line| line.trim_end().to_owned()).collect();
    format!("{}\n", lines.join("\n"))
}

/// What a group shares, in words: `version=8`, or `all`.
pub fn name(group: &Group) -> String {
    match group.group.iter().next() {
        None => "all".to_owned(),
        Some((key, value)) => format!("{key}={}", value.as_deref().map_or("(missing)".to_owned(), shortened)),
    }
}

fn drift(group: &Group, drift: &Drift) -> String {
    let word = drift.verdict.as_str().replace('_', " ");
    match (drift.verdict, drift.p_adjusted) {
        (Verdict::InsufficientData, _) | (_, None) => word,
        (_, Some(p)) => format!("{word}{}, p {}", ratio(group, drift).unwrap_or_default(), number(p)),
    }
}

/// How the median moved, or the lowest quantile where the median was not asked for.
fn ratio(group: &Group, drift: &Drift) -> Option<String> {
    let median = group.quantiles.iter().position(|quantile| quantile.quantile == "p50");
    let at = median.unwrap_or_default();
    let name = median.map_or(group.quantiles.first()?.quantile.as_str(), |_| "median");
    let ratio = drift.ratios.get(at).copied().flatten()?;
    Some(format!(", {name} ×{}", number(ratio)))
}

/// An objective in words: `99.9 % within 250 ms`.
pub fn goal(objective: &Objective) -> String {
    format!("{} % within {}", number(100.0 * objective.objective), length(objective.threshold_us))
}

fn objective(objective: &Objective) -> String {
    let mut text = format!("\n{}: {}\n", goal(objective), objective.verdict);
    for rule in &objective.rules {
        let burn =
            |burn: Option<f64>| burn.map_or("no events".to_owned(), |burn| format!("×{}", number(burn)));
        text += &format!(
            "  {:<6} {} over {} h, {} over {} min; fires above ×{}{}\n",
            rule.urgency,
            burn(rule.long.burn),
            rule.long.window_s / 3_600,
            burn(rule.short.burn),
            rule.short.window_s / 60,
            number(rule.factor),
            if rule.fires { " — it fires" } else { "" }
        );
    }
    text
}

/// A length of time in a unit that keeps its digits few.
fn length(us: f64) -> String {
    match us {
        us if us < 1e3 => format!("{} µs", number(us)),
        us if us < 1e6 => format!("{} ms", number(us / 1e3)),
        us => format!("{} s", number(us / 1e6)),
    }
}
