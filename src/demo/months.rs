//! Each later month against January to March: what drifted, and what it did to the model.

use anyhow::Context;
use comfy_table::{CellAlignment, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::civil::date;
use jiff::tz::TimeZone;
use serde::Deserialize;
use uuid::Uuid;
use windvane_analyzer::drift::{self, DriftRequest, Rule, SegmentBounds};
use windvane_store::findings::{self, Run};
use windvane_store::labelled::{ScoredSpan, ScoredSummary, summarize_scores};
use windvane_store::populations::{self, Population, PredictionFilter};
use windvane_store::{Reader, Statement, Store};
use windvane_types::drift::{Column, Direction, Document, Verdict};
use windvane_types::span::Span;
use windvane_types::{Clock, SystemClock};

use super::{MODEL, POSITIVE, VERSION};
use crate::drift::words;

/// Months are those of New York, where the flights leave: the rule of its clock in 2013, so that no time zone database is needed.
const NEW_YORK: &str = "EST5EDT,M3.2.0,M11.1.0";
const YEAR: i16 = 2013;
/// The first months, which the model was trained on.
const REFERENCE: (i8, i8) = (1, 3);
const NAMES: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// Columns named in a month's line; the table below has them all.
const NAMED: usize = 2;
/// The seed of simulated null distributions, printed nowhere because no default method simulates.
const SEED: u64 = 20_130_101;

/// A month's answer.
#[derive(Debug)]
struct Month {
    name: &'static str,
    summary: ScoredSummary,
    drift: Document,
}

/// The year as text for a person.
///
/// # Errors
/// The store fails.
pub async fn compare(store: &Store) -> anyhow::Result<String> {
    let reader = Reader::Store(store.clone());
    let reference = summary(&reader, REFERENCE).await?;
    let columns = columns(store).await?;
    let later = REFERENCE.1 + 1..=12;
    let bar = ProgressBar::new(9);
    if let Ok(style) = ProgressStyle::with_template("comparing     {bar:32} {msg}") {
        bar.set_style(style);
    }
    let mut months = Vec::new();
    for month in later {
        let name = NAMES[usize::try_from(month - 1)?];
        bar.set_message(format!("{name} with Jan to Mar"));
        let request = DriftRequest {
            reference: population(&reader, REFERENCE, "January to March 2013").await?,
            current: population(&reader, (month, month), name).await?,
            baseline: None,
            answers: None,
            columns: Some(columns.clone()),
            methods: None,
            bins: 10,
            text: Vec::new(),
            embedding: Vec::new(),
            segment_by: Vec::new(),
            segments: SegmentBounds::default(),
            rule: Rule::default(),
            seed: SEED,
        };
        let drift = drift::run(&reader, &request).await?;
        record(store, (month, month), &drift).await?;
        months.push(Month { name, summary: summary(&reader, (month, month)).await?, drift });
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(format!("{}\n{}", month_table(&reference, &months), column_table(&months)))
}

/// The features and the score. The latency is left out: it is that of this machine today, and drifts by what else runs here.
async fn columns(store: &Store) -> anyhow::Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Row {
        name: String,
    }
    let statement = Statement::new(
        "SELECT DISTINCT arrayJoin(arrayConcat(mapKeys(num), mapKeys(cat))) AS name \
         FROM windvane.predictions WHERE model = {model:String} ORDER BY name",
    )
    .param("model", MODEL);
    let features: Vec<Row> = store.rows(&statement).await?;
    Ok(features.into_iter().map(|row| row.name).chain(["prediction.score".to_owned()]).collect())
}

/// Keeps a month's findings, so that the page of the demo shows them.
async fn record(store: &Store, months: (i8, i8), document: &Document) -> anyhow::Result<()> {
    let span = |(start_us, end_us): (i64, i64)| Span { start_us, end_us };
    let run = Run {
        run_id: Uuid::now_v7().to_string(),
        computed_at_us: SystemClock.now().as_microsecond(),
        model: MODEL.to_owned(),
        version: VERSION.to_owned(),
        environment: String::new(),
        monitor: "demo".to_owned(),
        reference_kind: "window".to_owned(),
        reference_name: String::new(),
        window: span(self::span(months)?),
        granularity: "1mo".to_owned(),
    };
    findings::drift::write(store, (&run, span(self::span(REFERENCE)?)), document).await?;
    Ok(())
}

/// The span of event time of some months, microseconds since 1970 UTC.
fn span((first, last): (i8, i8)) -> anyhow::Result<(i64, i64)> {
    let zone = TimeZone::posix(NEW_YORK)?;
    let start = |year: i16, month: i8| -> anyhow::Result<i64> {
        Ok(zone.to_timestamp(date(year, month, 1).at(0, 0, 0, 0))?.as_microsecond())
    };
    let end = if last == 12 { start(YEAR + 1, 1)? } else { start(YEAR, last + 1)? };
    Ok((start(YEAR, first)?, end))
}

async fn population(reader: &Reader, months: (i8, i8), source: &str) -> anyhow::Result<Population> {
    let (start_us, end_us) = span(months)?;
    let filter = PredictionFilter {
        model: MODEL.to_owned(),
        version: Some(VERSION.to_owned()),
        environment: None,
        start_us,
        end_us,
        stored_before_us: SystemClock.now().as_microsecond(),
    };
    Ok(populations::open_predictions(reader, source.to_owned(), &filter).await?)
}

async fn summary(reader: &Reader, months: (i8, i8)) -> anyhow::Result<ScoredSummary> {
    let (start_us, end_us) = span(months)?;
    let span = ScoredSpan {
        model: MODEL.to_owned(),
        version: VERSION.to_owned(),
        positive: POSITIVE.to_owned(),
        start_us,
        end_us,
    };
    summarize_scores(reader, &span).await?.context("the store gave no summary")
}

/// One line a month: how many flights, how late, how good the model, what moved most.
fn month_table(reference: &ScoredSummary, months: &[Month]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["2013", "flights", "late", "accuracy", "log loss", "AUC", "drifted", "moved most"]);
    table.add_row(row("Jan–Mar", reference, String::new(), "(what the others are compared with)".to_owned()));
    for month in months {
        let drifted = month.drift.columns.iter().filter(|column| column.verdict == Verdict::Drift).count();
        let sorted = words::by_strength(&month.drift.columns);
        let named = sorted.into_iter().filter(|column| column.verdict == Verdict::Drift).take(NAMED);
        let moved: Vec<String> = named.map(moved).collect();
        let drifted = format!("{drifted} of {}", month.drift.columns.len());
        table.add_row(row(month.name, &month.summary, drifted, moved.join(", ")));
    }
    right_align(&mut table, 1..=5);
    format!("{}\n", trimmed(&table))
}

fn right_align(table: &mut Table, columns: std::ops::RangeInclusive<usize>) {
    for column in columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// The table without blanks at the ends of its lines.
fn trimmed(table: &Table) -> String {
    table.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

fn row(name: &str, summary: &ScoredSummary, drifted: String, moved: String) -> [String; 8] {
    let number = |value: Option<f64>, decimals| value.map_or("-".to_owned(), |v| format!("{v:.decimals$}"));
    let percent = |value: Option<f64>| value.map_or("-".to_owned(), |v| format!("{:.1} %", v * 100.0));
    [
        name.to_owned(),
        words::grouped(summary.predictions),
        percent(summary.positive_rate),
        percent(summary.accuracy),
        number(summary.log_loss, 3),
        number(summary.roc_auc, 3),
        drifted,
        moved,
    ]
}

/// `temp ↑ 36.8 → 80.9`.
fn moved(column: &Column) -> String {
    match (column.mean_reference, column.mean_current) {
        (Some(before), Some(now)) => {
            format!("{} {} {before:.1} → {now:.1}", column.column, arrow(column))
        }
        _ => format!("{}: {}", column.column, words::change(column)),
    }
}

fn arrow(column: &Column) -> &'static str {
    match column.direction {
        Direction::Up => "↑",
        Direction::Down => "↓",
        Direction::Mixed => "↕",
        Direction::None => "",
    }
}

/// One line a column, one cell a month: its direction and its population stability index where it drifted. What moved
/// most in any month stands on top.
fn column_table(months: &[Month]) -> String {
    let Some(first) = months.first() else { return String::new() };
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(std::iter::once("").chain(months.iter().map(|month| month.name)));
    let mut rows = Vec::new();
    let mut still = Vec::new();
    for column in &first.drift.columns {
        let over_the_year: Vec<Option<&Column>> =
            months.iter().map(|m| m.drift.columns.iter().find(|c| c.column == column.column)).collect();
        let drifted = over_the_year.iter().flatten().filter(|column| column.verdict == Verdict::Drift);
        match drifted.map(|column| stability_index(column).unwrap_or(0.0)).max_by(f64::total_cmp) {
            Some(most) => rows.push((most, column.column.clone(), over_the_year)),
            None => still.push(column.column.as_str()),
        }
    }
    rows.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (_, name, over_the_year) in rows {
        let cells = over_the_year.into_iter().map(|column| column.map_or_else(|| "?".to_owned(), effect));
        table.add_row(std::iter::once(name).chain(cells));
    }
    right_align(&mut table, 1..=months.len());
    let still = match still.is_empty() {
        true => String::new(),
        false => format!("No drift in any month: {}.\n", still.join(", ")),
    };
    format!(
        "{}\n\n{still}The number is the population stability index against January to March: 0.1 is a moderate change, 0.25 a large one.\n\
         ↑ and ↓ say that the mean rose or fell, ↕ that only the shape changed, · that there is no drift.\n",
        trimmed(&table)
    )
}

fn stability_index(column: &Column) -> Option<f64> {
    column.methods.iter().find(|method| method.method == "psi").and_then(|method| method.statistic)
}

fn effect(column: &Column) -> String {
    match (column.verdict, stability_index(column)) {
        (Verdict::Drift, Some(psi)) => format!("{} {psi:.2}", arrow(column)).trim_start().to_owned(),
        (Verdict::Drift, None) => format!("{} drift", arrow(column)).trim_start().to_owned(),
        (Verdict::NoDrift, _) => "·".to_owned(),
        (Verdict::InsufficientData, _) => "too few".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_begin_at_midnight_in_new_york() {
        let us = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_microsecond();
        assert_eq!(span((1, 3)).unwrap(), (us("2013-01-01T05:00:00Z"), us("2013-04-01T04:00:00Z")));
        assert_eq!(span((12, 12)).unwrap(), (us("2013-12-01T05:00:00Z"), us("2014-01-01T05:00:00Z")));
        assert_eq!(span((11, 11)).unwrap().0, us("2013-11-01T04:00:00Z"));
    }
}
