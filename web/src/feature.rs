//! A feature of a model: the newest window against its reference as histograms, and each method over the windows.

use maud::{Markup, html};
use serde::Deserialize;
use windvane_store::views::{Asked, DRIFT_SEGMENTS, DRIFT_SERIES, FEATURE};
use windvane_store::{Store, StoreError};
use windvane_types::drift::{Change, Distribution, missing_moved};
use windvane_types::span;

use crate::address;
use crate::chart::histogram::{Missing, histogram, legend};
use crate::chart::lines::{Look, Series, lines};
use crate::model::{DriftSeries, direction};
use crate::numbers::{number, optional, p_value, percent, short, thousands};
use crate::page::{Part, card, page, told};

/// Windows before the newest one that have a histogram of their own.
const EARLIER: usize = 3;
/// Windows of whole days in UTC are told by these days.
const DAY_US: i64 = 86_400_000_000;

/// One method in one window.
#[derive(Debug, Clone, Deserialize)]
struct Row {
    start_us: i64,
    end_us: i64,
    kind: String,
    method: String,
    statistic: Option<f64>,
    threshold: Option<f64>,
    p_value: Option<f64>,
    /// What is judged in its place, where something is.
    p_judged: Option<f64>,
    p_adjusted: Option<f64>,
    effect: Option<f64>,
    drifted: bool,
    verdict: String,
    direction: String,
    n_reference: u64,
    n_current: u64,
    missing_reference: u64,
    missing_current: u64,
    detail: String,
}

/// What has no column of its own.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Detail {
    mean_reference: Option<f64>,
    mean_current: Option<f64>,
    largest_change: Option<Change>,
    distribution: Option<Distribution>,
}

/// A segment in which the feature drifted.
#[derive(Debug, Clone, Deserialize)]
struct SegmentRow {
    segment_key: String,
    segment_value: String,
    direction: String,
    strength: f64,
    n_reference: u64,
    n_current: u64,
}

/// What the page shows.
#[derive(Debug)]
pub struct Feature {
    model: String,
    column: String,
    series: DriftSeries,
    asked: Asked,
    segments_asked: Asked,
    rows: Vec<Row>,
    segments: Vec<SegmentRow>,
}

/// Everything for the page; `None` where no run has this column.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn read(
    store: &Store,
    model: String,
    column: String,
    series: &str,
) -> Result<Option<Feature>, StoreError> {
    let known: Vec<DriftSeries> = DRIFT_SERIES.rows(store, &Asked::from([("model", model.clone())])).await?;
    let Some(series) = known.iter().find(|found| found.key() == series).or(known.first()).cloned() else {
        return Ok(None);
    };
    let mut asked = series.asked(&model);
    asked.insert("column", column.clone());
    let segments_asked = Asked::from([("model", model.clone()), ("column", column.clone())]);
    let (rows, segments) = tokio::try_join!(
        FEATURE.rows::<Row>(store, &asked),
        DRIFT_SEGMENTS.rows::<SegmentRow>(store, &segments_asked),
    )?;
    if rows.is_empty() {
        return Ok(None);
    }
    Ok(Some(Feature { model, column, series, asked, segments_asked, rows, segments }))
}

/// The page as HTML.
pub fn render(feature: &Feature) -> Markup {
    let windows: Vec<&[Row]> =
        feature.rows.chunk_by(|a, b| (a.start_us, a.end_us) == (b.start_us, b.end_us)).collect();
    let Feature { model, column, .. } = feature;
    let suffix = address::query([("series", feature.series.key().as_str())]);
    let content = html! {
        p.crumbs { a href="/" { "Models" } " / " a href=(format!("{}{suffix}", address::model(model))) { (model) } }
        h1 { (column) }
        @if let Some(newest) = windows.first() {
            p class=(format!("answer {}", newest[0].verdict)) { (told(&sentence(column, newest))) }
            p.quiet { (feature.series.name()) " " (address::source(&FEATURE, &feature.asked)) }
            (pictures(column, &windows))
            (card("Methods, newest window", &address::source(&FEATURE, &feature.asked), &methods(newest)))
        }
        (card("Effect over time", &address::source(&FEATURE, &feature.asked), &over_time(&feature.rows)))
        @if !feature.segments.is_empty() {
            (card("Segments in which it drifted", &address::source(&DRIFT_SEGMENTS, &feature.segments_asked), &segments(&feature.segments)))
        }
    };
    page(Part::Models, column, content)
}

/// What the newest window says in words.
fn sentence(column: &str, window: &[Row]) -> String {
    let first = &window[0];
    let detail = detail(window);
    let until = short(&span::shown(first.end_us));
    let mut said = match first.verdict.as_str() {
        "drift" => format!("{column} drifts in the window until {until} UTC"),
        "no_drift" => format!("{column} does not drift in the window until {until} UTC"),
        _ => format!("The window until {until} UTC has too few rows to judge {column}"),
    };
    if let (Some(before), Some(now)) = (detail.mean_reference, detail.mean_current) {
        said += &format!(": its mean went from {} to {}", number(before), number(now));
    } else if let Some(Change { category, share_reference, share_current }) = &detail.largest_change {
        let category = category
            .as_deref()
            .map_or("missing".to_owned(), |category| format!("“{}”", crate::chart::cut(category, 40)));
        said +=
            &format!(": {category} went from {} to {}", percent(*share_reference), percent(*share_current));
    }
    let reference = (first.missing_reference, first.n_reference);
    if let Some((before, now)) = missing_moved(reference, (first.missing_current, first.n_current)) {
        said += &format!("; missing values from {} to {}", percent(before), percent(now));
    }
    said + "."
}

/// The detail that a window's rows carry between them.
fn detail(window: &[Row]) -> Detail {
    let mut merged = Detail::default();
    for row in window {
        let found: Detail = serde_json::from_str(&row.detail).unwrap_or_default();
        merged.mean_reference = merged.mean_reference.or(found.mean_reference);
        merged.mean_current = merged.mean_current.or(found.mean_current);
        merged.largest_change = merged.largest_change.or(found.largest_change);
        merged.distribution = merged.distribution.or(found.distribution);
    }
    merged
}

fn pictures(column: &str, windows: &[&[Row]]) -> Markup {
    let drawn: Vec<(&&[Row], Distribution)> = windows
        .iter()
        .take(EARLIER + 1)
        .filter_map(|window| Some((window, detail(window).distribution?)))
        .collect();
    html! {
        @if drawn.is_empty() {
            p.quiet { "The runs on this column keep no histogram: it was compared by an earlier version, or it is no number and no category." }
        } @else {
            h2 { "Reference against current" }
            (legend())
            div.plots {
                @for (window, distribution) in &drawn {
                    @let row = &window[0];
                    @let [start, end] = [row.start_us, row.end_us].map(span::shown);
                    @let is_of_days = [row.start_us, row.end_us].iter().all(|at| at % DAY_US == 0);
                    section {
                        h3 { @if is_of_days { time datetime=(start.as_str()) data-form="day" { (short(&start)) } " – " time datetime=(end.as_str()) data-form="day" { (short(&end)) } } @else { (crate::page::window(&start, &end)) } }
                        p { span class=(format!("badge {}", row.verdict)) { (row.verdict.replace('_', " ")) } " " span.quiet { (thousands(row.n_reference)) " against " (thousands(row.n_current)) " values" } }
                        (histogram(column, distribution, Missing { reference: row.missing_reference, current: row.missing_current }))
                    }
                }
            }
        }
    }
}

fn methods(window: &[Row]) -> Markup {
    html! {
        div.scroll tabindex="0" role="group" aria-label="Methods" {
            table {
                thead {
                    tr {
                        th scope="col" { "method" } th scope="col" { "says" } th.number scope="col" { "statistic" } th.number scope="col" { "effect" }
                        th.number scope="col" { "floor" } th.number scope="col" { "p" } th.number scope="col" { "p, corrected" }
                    }
                }
                tbody {
                    @for row in window {
                        tr {
                            th scope="row" { (row.method) }
                            td { @if row.drifted { span.badge.drift { "drift" } } @else { span.quiet { "no drift" } } }
                            td.number { (optional(row.statistic)) }
                            td.number { (optional(row.effect)) }
                            td.number { (optional(row.threshold)) }
                            td.number { (p_value(row.p_value).trim_start_matches("p ")) @if row.p_judged.is_some() { br; span.quiet { "judged " (p_value(row.p_judged).trim_start_matches("p ")) } } }
                            td.number { (p_value(row.p_adjusted).trim_start_matches("p ")) }
                        }
                    }
                }
            }
        }
        p.quiet {
            "A method says drift where its effect passes the floor and its corrected p is below alpha. The column is " (window[0].kind)
            @if window[0].direction != "none" { ", its direction " (window[0].direction) } "."
        }
    }
}

fn over_time(rows: &[Row]) -> Markup {
    let mut series: Vec<Series> = Vec::new();
    for row in rows.iter().rev() {
        let strength = match (row.effect, row.threshold) {
            (Some(effect), Some(floor)) if floor > 0.0 => effect.abs() / floor,
            _ => continue,
        };
        match series.iter_mut().find(|series| series.name == row.method) {
            Some(series) => series.points.push((row.end_us, strength)),
            None => series.push(Series { name: row.method.clone(), points: vec![(row.end_us, strength)] }),
        }
    }
    series.sort_by(|a, b| a.name.cmp(&b.name));
    let look = Look {
        title: "Effect in times of its floor",
        unit: number,
        floor: Some(1.0),
        span: None,
        area: false,
    };
    html! {
        @if series.is_empty() { p.quiet { "No method has a floor to compare with." } }
        @else { p.quiet { "In times of the floor of each method; the dashed line is the floor." } (lines(&series, look)) }
    }
}

fn segments(rows: &[SegmentRow]) -> Markup {
    html! {
        div.scroll tabindex="0" role="group" aria-label="Segments" {
            table {
                thead { tr { th scope="col" { "segment" } th scope="col" { "direction" } th.number scope="col" { "times its floor" } th.number scope="col" { "reference" } th.number scope="col" { "current" } } }
                tbody {
                    @for row in rows {
                        tr {
                            th scope="row" { (row.segment_key) " " (row.segment_value) } td { (direction(&row.direction)) }
                            td.number { (number(row.strength)) } td.number { (thousands(row.n_reference)) } td.number { (thousands(row.n_current)) }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(day: i64, method: &str, detail: &str) -> Row {
        Row {
            start_us: day * 86_400_000_000,
            end_us: (day + 1) * 86_400_000_000,
            kind: "numeric".to_owned(),
            method: method.to_owned(),
            statistic: Some(0.3),
            threshold: Some(0.1),
            p_value: Some(1e-9),
            p_judged: None,
            p_adjusted: Some(2e-9),
            effect: Some(0.3),
            drifted: true,
            verdict: "drift".to_owned(),
            direction: "up".to_owned(),
            n_reference: 100,
            n_current: 90,
            missing_reference: 0,
            missing_current: 10,
            detail: detail.to_owned(),
        }
    }

    fn feature(rows: Vec<Row>) -> Feature {
        Feature {
            model: "m".to_owned(),
            column: "<x>".to_owned(),
            series: DriftSeries::default(),
            asked: Asked::new(),
            segments_asked: Asked::new(),
            rows,
            segments: Vec::new(),
        }
    }

    #[test]
    fn the_newest_window_is_told_and_drawn() {
        let detail = r#"{"mean_reference":1.0,"mean_current":2.5,"distribution":{"edges":[0.0,2.0,4.0],"reference":[0,90,10,0],"current":[0,20,70,0]}}"#;
        let html = render(&feature(vec![row(1, "ks", detail), row(1, "psi", "{}"), row(0, "ks", "{}")]))
            .into_string();
        for part in [
            "&lt;x&gt; drifts in the window until <time datetime=\"1970-01-03T00:00:00Z\">1970-01-03 00:00 UTC</time>: its mean went from 1 to 2.5; missing values from 0 % to 10 %.",
            "0 to 2: 90 % of the reference, 20 % now",
            "Effect in times of its floor: ks 3 at last; psi 3 at last",
        ] {
            assert!(html.contains(part), "no `{part}` in {html}");
        }
        assert!(!html.contains("<x>"), "{html}");
    }

    #[test]
    fn a_direction_is_told_where_there_is_one() {
        let moved = row(1, "ks", "{}");
        let still = Row { kind: "categorical".to_owned(), direction: "none".to_owned(), ..moved.clone() };
        let segment = |direction: &str| SegmentRow {
            segment_key: "region".to_owned(),
            segment_value: "east".to_owned(),
            direction: direction.to_owned(),
            strength: 2.0,
            n_reference: 100,
            n_current: 90,
        };
        for (row, told, cell) in [
            (moved, "The column is numeric, its direction up.", "<td>up</td>"),
            (still, "The column is categorical.", "<td>–</td>"),
        ] {
            let segments = vec![segment(&row.direction)];
            let html = render(&Feature { segments, ..feature(vec![row]) }).into_string();
            assert!(html.contains(told) && html.contains(cell), "{told} {cell} in {html}");
        }
    }

    #[test]
    fn what_is_judged_in_place_of_the_p_value_stands_beneath_it() {
        let plain = row(1, "ks", "{}");
        let judged = Row { p_judged: Some(0.0712), ..plain.clone() };
        let shown = |row: Row| render(&feature(vec![row])).into_string().contains("judged 0.0712");
        assert!(shown(judged) && !shown(plain));
    }

    #[test]
    fn windows_of_whole_days_are_told_by_their_days_and_others_by_their_minutes() {
        let counts = r#"{"distribution":{"edges":[0.0],"reference":[1,2],"current":[2,1]}}"#;
        let day = row(1, "ks", counts);
        let hour_us = 3_600_000_000;
        let hour = Row { end_us: day.start_us + hour_us, ..day.clone() };
        let night = Row { start_us: day.start_us + hour_us, end_us: day.end_us + hour_us, ..day.clone() };
        let by_day = |row: Row| render(&feature(vec![row])).into_string().contains("data-form=\"day\"");
        assert!(by_day(day) && !by_day(hour) && !by_day(night));
    }

    #[test]
    fn a_run_without_counts_says_so() {
        let html = render(&feature(vec![row(0, "ks", "not json")])).into_string();
        assert!(html.contains("keep no histogram"), "{html}");
    }
}
