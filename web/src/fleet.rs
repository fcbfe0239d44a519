//! The first page: every deployment in a line, and which of them needs a look.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde::Deserialize;
use windvane_store::views::{
    Asked, DRIFT_LATEST, FLEET, FLEET_BY_DAY, FLEET_TRAFFIC, FLEET_TRAFFIC_BY_DAY, View,
};
use windvane_store::{Store, StoreError};

use crate::address;
use crate::chart::heatmap::times;
use crate::chart::spark::spark;
use crate::listed::full;
use crate::numbers::{latency, percent, short, thousands};
use crate::page::{Part, card, empty, page, time};
use crate::span::{Choice, Range};

/// Which length is shown unless another one is asked for: seven days.
const USUAL: usize = 1;
/// Most deployments that the page shows at once; the read API pages through all.
const DEPLOYMENTS_MAX: u64 = 200;
/// Models that the line before the table names, those that drift furthest; the table has the others.
const NAMED_MAX: usize = 5;

/// A deployment.
#[derive(Debug, Clone, Deserialize)]
struct Deployment {
    model: String,
    version: String,
    environment: String,
    predictions: u64,
    failures: u64,
    latency_p50_us: Option<f64>,
    latency_p99_us: Option<f64>,
    outcomes_all: u64,
    predictions_model: u64,
    last_ts: String,
}

/// Its traffic in one bucket.
#[derive(Debug, Clone, Deserialize)]
struct Bucket {
    model: String,
    version: String,
    environment: String,
    at_us: i64,
    predictions: u64,
}

/// The newest window of a model.
#[derive(Debug, Clone, Deserialize)]
struct Latest {
    model: String,
    version: String,
    columns: u64,
    drifted: u64,
    worst_column: String,
    worst_strength: f64,
    window_end: String,
}

/// What the page shows.
#[derive(Debug)]
pub struct Fleet {
    range: Option<Range>,
    asked: Asked,
    bucketed: Asked,
    deployments: Vec<Deployment>,
    traffic: BTreeMap<(String, String, String), Vec<(i64, u64)>>,
    drift: Vec<Latest>,
}

/// Everything for the page.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn read(store: &Store, choice: &Choice) -> Result<Fleet, StoreError> {
    let range = Range::newest(store, choice.length(USUAL)).await?;
    let (mut asked, mut bucketed) = (Asked::new(), Asked::new());
    if let Some(range) = range {
        range.ask(&mut asked);
        asked.insert("limit", DEPLOYMENTS_MAX.to_string());
        range.ask_bucketed(&mut bucketed);
        bucketed.insert("limit", (DEPLOYMENTS_MAX * buckets_max(range)).to_string());
    }
    let none = Asked::new();
    let (deployments, buckets, drift) = tokio::try_join!(
        deployments_of(range).rows::<Deployment>(store, &asked),
        traffic_of(range).rows::<Bucket>(store, &bucketed),
        DRIFT_LATEST.rows::<Latest>(store, &none),
    )?;
    let mut traffic: BTreeMap<_, Vec<(i64, u64)>> = BTreeMap::new();
    for bucket in buckets {
        let key = (bucket.model, bucket.version, bucket.environment);
        traffic.entry(key).or_default().push((bucket.at_us, bucket.predictions));
    }
    Ok(Fleet { range, asked, bucketed, deployments, traffic, drift })
}

/// Buckets of a span, also where it begins and ends within one.
fn buckets_max(range: Range) -> u64 {
    let whole = range.length.length_s / range.length.bucket_s;
    u64::try_from(whole).unwrap_or(0) + 2
}

/// The view of the deployments: by the day where the span is of whole days.
fn deployments_of(range: Option<Range>) -> &'static View {
    if range.is_some_and(|range| range.length.is_of_days()) { &FLEET_BY_DAY } else { &FLEET }
}

/// The view of their traffic, likewise where buckets are whole days.
fn traffic_of(range: Option<Range>) -> &'static View {
    if range.is_some_and(|range| range.length.is_drawn_by_day()) {
        &FLEET_TRAFFIC_BY_DAY
    } else {
        &FLEET_TRAFFIC
    }
}

/// The page as HTML.
pub fn render(fleet: &Fleet) -> Markup {
    let content = match fleet.range {
        None => html! { h1 { "Models" } (nothing_yet()) },
        Some(range) => html! {
            div.head { h1 { "Models" } (range.choices("/", &[])) }
            (attention(fleet))
            (card("Fleet", &sources(fleet, range), &table(fleet, range)))
        },
    };
    page(Part::Models, "Models", content)
}

/// The statements behind the table.
fn sources(fleet: &Fleet, range: Range) -> Markup {
    address::sources(&[
        ("deployments", deployments_of(Some(range)), &fleet.asked),
        ("traffic", traffic_of(Some(range)), &fleet.bucketed),
        ("drift", &DRIFT_LATEST, &Asked::new()),
    ])
}

/// What a newcomer does next.
fn nothing_yet() -> Markup {
    empty(&html! {
        h2 { "Nothing is recorded yet" }
        p { "Send a first prediction; this page shows it within seconds:" }
        pre tabindex="0" aria-label="Command" {
            "curl -d '{\"model\":\"delay\",\"version\":\"1\",\"ts\":\"2026-01-01T00:00:00Z\",\"features\":{\"distance\":1400},\"prediction\":{\"score\":0.12}}' \\\n"
            "  -H 'content-type: application/json' http://127.0.0.1:8080/v1/predictions"
        }
        p { "Then let a monitor compare its days: " code { "[monitors.NAME]" } " in the configuration, or once by " code { "windvane drift --model delay --reference previous --window 24h" } ". " code { "windvane demo" } " plays a year of real flights." }
    })
}

/// One line in words before the table.
fn attention(fleet: &Fleet) -> Markup {
    let mut drifting: Vec<&Latest> = fleet.drift.iter().filter(|latest| latest.drifted > 0).collect();
    drifting.sort_by(|a, b| b.worst_strength.total_cmp(&a.worst_strength));
    let more = drifting.len().saturating_sub(NAMED_MAX);
    html! {
        @if fleet.drift.is_empty() {
            p.quiet { "No drift run is recorded yet. A monitor in the configuration compares by schedule; " code { "windvane drift --model NAME --reference previous --window 24h" } " compares once." }
        } @else if drifting.is_empty() {
            p.answer.better { "No model drifts in its newest window." }
        } @else {
            p class="answer drift" {
                @for (i, latest) in drifting.iter().take(NAMED_MAX).enumerate() {
                    @if i > 0 { "; " }
                    a href=(address::model(&latest.model)) { (latest.model) }
                    @if !latest.version.is_empty() { " " (latest.version) }
                    " drifts in " (latest.drifted) " of " (thousands(latest.columns)) " columns, most in " (latest.worst_column)
                }
                @if more > 0 { "; and " (thousands(more as u64)) " more" }
                "."
            }
        }
    }
}

fn table(fleet: &Fleet, range: Range) -> Markup {
    html! {
        label hidden { "Filter " input data-filter="fleet" type="search" placeholder="model, version …" hidden; }
        div.scroll tabindex="0" role="group" aria-label="Fleet" {
            table #fleet {
                thead {
                    tr {
                        th scope="col" { "model" } th scope="col" { "environment" } th scope="col" { "the last " (range.length.name) }
                        th.number scope="col" { "predictions" } th.number scope="col" { "rate" }
                        th.number scope="col" { "latency p50" } th.number scope="col" { "p99" } th.number scope="col" { "failed" }
                        th scope="col" { "worst drift" } th.number scope="col" title="outcomes that came per prediction, corrections and those of unknown events too" { "outcomes" } th scope="col" { "last seen" }
                    }
                }
                tbody { @for deployment in &fleet.deployments { (row(fleet, deployment, range)) } }
            }
        }
        (full(fleet.deployments.len(), DEPLOYMENTS_MAX, "deployments that answered last", "/api/v1/views/fleet"))
    }
}

fn row(fleet: &Fleet, deployment: &Deployment, range: Range) -> Markup {
    let Deployment { model, version, environment, predictions, failures, .. } = deployment;
    let key = (model.clone(), version.clone(), environment.clone());
    let shape = shape(fleet.traffic.get(&key).map_or(&[], Vec::as_slice), range);
    let failed =
        if *predictions > 0 { percent(*failures as f64 / *predictions as f64) } else { "–".to_owned() };
    let labelled = (deployment.outcomes_all as f64 / deployment.predictions_model.max(1) as f64).min(1.0);
    let drift = fleet
        .drift
        .iter()
        .find(|latest| latest.model == *model && (latest.version.is_empty() || latest.version == *version));
    html! {
        tr {
            th.name scope="row" {
                a href=(format!("{}{}", address::model(model), address::query([("version", version.as_str()), ("environment", environment.as_str())]))) { (model) }
                @if !version.is_empty() { " " span.quiet { (version) } }
            }
            td { @if environment.is_empty() { span.quiet { "–" } } @else { (environment) } }
            td { (spark(&shape, &format!("traffic of {model} {version}"))) }
            td.number { (thousands(*predictions)) }
            td.number { (range.rate(*predictions)) }
            td.number { (latency(deployment.latency_p50_us)) }
            td.number { (latency(deployment.latency_p99_us)) }
            td.number { (failed) }
            td.worst { (worst(drift)) }
            td.number { @if deployment.outcomes_all == 0 { span.quiet { "none" } } @else { (percent(labelled)) } }
            td.when { (time(&deployment.last_ts)) }
        }
    }
}

fn worst(drift: Option<&Latest>) -> Markup {
    html! {
        @match drift {
            None => span.quiet { "not compared" },
            Some(latest) if latest.drifted == 0 => span.badge.no_drift title=(format!("newest window until {} UTC", short(&latest.window_end))) { "no drift" },
            Some(latest) => {
                a href=(address::feature(&latest.model, &latest.worst_column)) { span.badge.drift { (latest.worst_column) } }
                " " span.quiet { (times(latest.worst_strength)) @if latest.drifted > 1 { ", and " (latest.drifted - 1) " more" } }
            }
        }
    }
}

/// The traffic with a value for each bucket of the range, also where there was none.
fn shape(found: &[(i64, u64)], range: Range) -> Vec<f64> {
    let bucket_us = range.length.bucket_s * 1_000_000;
    let first = range.from_us.div_euclid(bucket_us) * bucket_us;
    let last = (range.known_us - 1 - first) / bucket_us;
    let mut shape = vec![0.0; usize::try_from(last).unwrap_or(0) + 1];
    for (at_us, predictions) in found {
        if let Some(place) = usize::try_from((at_us - first) / bucket_us).ok().and_then(|i| shape.get_mut(i))
        {
            *place += *predictions as f64;
        }
    }
    shape
}

#[cfg(test)]
mod tests {
    use windvane_store::views::Kind;

    use super::*;
    use crate::span::LENGTHS;

    fn fleet(deployments: Vec<Deployment>, drift: Vec<Latest>) -> Fleet {
        let range = (!deployments.is_empty()).then(|| Range::ending(0, LENGTHS[USUAL]));
        let (asked, bucketed) = (Asked::new(), Asked::new());
        Fleet { range, asked, bucketed, deployments, traffic: BTreeMap::new(), drift }
    }

    fn deployment(model: &str) -> Deployment {
        Deployment {
            model: model.to_owned(),
            version: "7".to_owned(),
            environment: String::new(),
            predictions: 100,
            failures: 2,
            latency_p50_us: Some(800.0),
            latency_p99_us: None,
            outcomes_all: 40,
            predictions_model: 80,
            last_ts: "2013-01-01T05:17:00Z".to_owned(),
        }
    }

    fn latest(model: &str, drifted: u64) -> Latest {
        Latest {
            model: model.to_owned(),
            version: String::new(),
            columns: 9,
            drifted,
            worst_column: "<temp>".to_owned(),
            worst_strength: 4.2,
            window_end: "2013-02-01T00:00:00Z".to_owned(),
        }
    }

    #[test]
    fn an_empty_store_says_what_to_do_next() {
        let html = render(&fleet(Vec::new(), Vec::new())).into_string();
        assert!(html.contains("/v1/predictions") && html.contains("windvane demo"), "{html}");
    }

    #[test]
    fn a_line_has_every_figure_and_names_are_escaped() {
        let html = render(&fleet(vec![deployment("<b>m</b>")], vec![latest("<b>m</b>", 3)])).into_string();
        for part in [
            "2 %",
            "50 %",
            "800 µs",
            "4.2 times its floor",
            "and 2 more",
            "3 of 9 columns",
            "/models/%3Cb%3Em%3C%2Fb%3E",
            "/sql/fleet_by_day",
            "/sql/fleet_traffic",
            "/sql/drift_latest",
        ] {
            assert!(html.contains(part), "no `{part}` in {html}");
        }
        assert!(!html.contains("<b>m</b>") && !html.contains("<temp>"), "{html}");
    }

    #[test]
    fn of_many_models_the_worst_are_named_and_of_many_deployments_the_rest_is_told() {
        let drift = (0..9).map(|i| Latest { worst_strength: f64::from(i), ..latest(&format!("m{i}"), 1) });
        let deployments = (0..200).map(|i| deployment(&format!("m{i}")));
        let html = attention(&fleet(Vec::new(), drift.clone().collect())).into_string();
        assert!(html.contains("; and 4 more.") && html.contains(">m8<") && !html.contains(">m3<"), "{html}");
        assert!(html.find(">m8<") < html.find(">m4<"), "the worst first: {html}");
        let page = render(&fleet(deployments.collect(), drift.collect())).into_string();
        assert!(page.contains("Shown are the 200 deployments that answered last"), "{page}");
    }

    #[test]
    fn each_deployment_of_the_page_has_room_for_its_traffic() {
        for (length, buckets) in LENGTHS.into_iter().zip([26, 30, 32, 54]) {
            let range = Range::ending(1_357_017_420_000_000, length);
            assert_eq!(buckets_max(range), buckets);
            assert!(shape(&[], range).len() as u64 <= buckets, "{}", length.word);
            for view in [&FLEET_TRAFFIC, &FLEET_TRAFFIC_BY_DAY] {
                let most = view.parameter("limit").map(|limit| limit.kind);
                assert!(
                    matches!(most, Some(Kind::Count(most)) if most >= DEPLOYMENTS_MAX * buckets),
                    "{most:?}"
                );
            }
        }
    }

    #[test]
    fn no_drift_and_no_run_are_told_apart() {
        let none = render(&fleet(vec![deployment("m")], Vec::new())).into_string();
        assert!(none.contains("not compared") && none.contains("No drift run is recorded"), "{none}");
        let calm = render(&fleet(vec![deployment("m")], vec![latest("m", 0)])).into_string();
        assert!(calm.contains("No model drifts"), "{calm}");
    }

    #[test]
    fn a_shape_has_a_value_for_each_bucket() {
        let range = Range::ending(0, LENGTHS[0]);
        let hour = 3_600_000_000;
        let day = shape(&[(range.from_us, 3), (range.from_us + 2 * hour, 4)], range);
        assert_eq!((day.len(), day[0], day[1], day[2]), (24, 3.0, 0.0, 4.0));
        // It is one o'clock on the last day: the six hours that go on have a place too, also where nothing came in them.
        let week = Range::ending(range.to_us, LENGTHS[1]);
        assert_eq!(shape(&[(week.from_us, 3)], week).len(), 6 * 4 + 1);
    }
}
