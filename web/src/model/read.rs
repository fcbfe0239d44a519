//! Reads what the page of a model shows. What of a model is recorded at all is asked first, because a statement that finds nothing takes
//! as much of the processor as one that finds something.

use std::collections::BTreeSet;

use serde::Deserialize;
use windvane_store::views::{
    ANSWERS, Asked, DEPLOYMENTS, DRIFT_COLUMNS, DRIFT_SEGMENTS, DRIFT_SERIES, LATENCY, LATENCY_BY_DAY,
    NUMBERS, PERFORMANCE_SEGMENTS, RECORDED, TRAFFIC, TRAFFIC_BY_DAY, View,
};
use windvane_store::{Store, StoreError};

use super::drift::{DriftRow, DriftSeries};
use super::segments::{Drifted, Measured};
use crate::api;
use crate::chart::lines::{COLOURS, Series};
use crate::span::{Choice, Range};

/// Answers are read of the last day of the span: they are not kept by the hour.
const ANSWERS_US: i64 = 24 * 3_600 * 1_000_000;
/// Windows of performance that are drawn.
pub const WINDOWS_MAX: u64 = 120;
/// Which length is shown unless another one is asked for: thirty days.
const USUAL: usize = 2;

/// Deployments that are read: those that answered last.
pub const DEPLOYMENTS_MAX: u64 = 100;

/// Rows of traffic that are read: the newest, a bucket of a version each.
pub const TRAFFIC_MAX: usize = 5_000;

/// What is asked for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Chosen {
    #[serde(skip)]
    pub model: String,
    pub version: String,
    pub environment: String,
    /// Which comparison; see [`DriftSeries::key`].
    pub series: String,
}

/// A version in an environment.
#[derive(Debug, Clone, Deserialize)]
pub struct Deployment {
    pub version: String,
    pub environment: String,
    pub first_ts: String,
    pub last_ts: String,
    pub last_us: i64,
}

/// Predictions of one version in one bucket.
#[derive(Debug, Clone, Deserialize)]
pub struct Traffic {
    pub at_us: i64,
    pub version: String,
    pub predictions: u64,
    pub failures: u64,
}

/// Latency in one bucket.
#[derive(Debug, Clone, Deserialize)]
pub struct Latency {
    pub at_us: i64,
    pub p50_us: f64,
    pub p95_us: f64,
    pub p99_us: f64,
}

/// How often a class was answered.
#[derive(Debug, Clone, Deserialize)]
pub struct Answer {
    pub version: String,
    pub answer: String,
    pub predictions: u64,
    /// Of all answers, also of those that are not read.
    pub share: f64,
    /// How many classes there are, by version.
    pub classes: u64,
}

/// A bin of scores or values.
#[derive(Debug, Clone, Deserialize)]
pub struct Bin {
    pub kind: String,
    pub low: f64,
    pub high: f64,
    pub predictions: f64,
}

/// How many rows of each kind there are of a model.
#[derive(Debug, Default, Deserialize)]
struct Recorded {
    predictions: u64,
    outcomes: u64,
    quality: u64,
    performance: u64,
    latency: u64,
    fairness: u64,
    attribution: u64,
    /// Whether there are any: 0 or 1.
    drift_segments: u64,
    /// What is odd about the latest runs of its monitors.
    notes: Vec<String>,
}

/// What the page shows.
#[derive(Debug)]
pub struct Model {
    pub chosen: Chosen,
    pub range: Range,
    pub bucketed: Asked,
    pub day: Asked,
    pub drift_asked: Asked,
    /// Of all deployments, also of those that are not read.
    pub predictions: u64,
    pub outcomes: u64,
    pub deployments: Vec<Deployment>,
    pub traffic: Vec<Traffic>,
    /// From when on traffic is known, where there is more of it than is read.
    pub traffic_from_us: Option<i64>,
    pub latency: Vec<Latency>,
    pub answers: Vec<Answer>,
    pub numbers: Vec<Bin>,
    pub series: Vec<DriftSeries>,
    pub series_chosen: Option<DriftSeries>,
    pub drift: Vec<DriftRow>,
    /// The newest run of quality.
    pub quality: Option<api::quality::Run>,
    /// Windows of performance, the newest first.
    pub performance: Vec<api::performance::Window>,
    /// The newest run of latency.
    pub latency_run: Option<api::latency::Run>,
    /// The newest run of fairness.
    pub fairness: Option<api::fairness::Run>,
    /// The newest run of attribution.
    pub attribution: Option<api::attribution::Run>,
    /// What drifted in segments of the newest window that was cut by any.
    pub drifted: Vec<Drifted>,
    /// Metrics of segments, likewise.
    pub measured: Vec<Measured>,
    /// What is odd about the latest runs of monitors.
    pub notes: Vec<String>,
}

impl Chosen {
    /// What the address says besides the span.
    pub fn pairs(&self) -> [(&str, &str); 3] {
        [("version", &self.version), ("environment", &self.environment), ("series", &self.series)]
    }
}

/// Everything for the page; `None` where nothing is recorded of the model.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn read(store: &Store, chosen: Chosen, choice: &Choice) -> Result<Option<Model>, StoreError> {
    let of_model = Asked::from([("model", chosen.model.clone())]);
    // What is of a span waits for the newest prediction, and findings for what is recorded; neither waits for the other.
    let (shown, (recorded, findings)) =
        tokio::try_join!(shown(store, chosen, choice), recorded_findings(store, &of_model))?;
    let Some(Shown { chosen, range, deployments, series, series_chosen, asked, drawn }) = shown else {
        return Ok(None);
    };
    let (bucketed, day, drift_asked) = asked;
    let ((traffic, latency), (answers, numbers), drift) = drawn;
    let (traffic, traffic_from_us) = whole_buckets(traffic);
    let (quality, performance, latency_run, fairness, attribution, drifted, measured) = findings;
    Ok(Some(Model {
        chosen,
        range,
        bucketed,
        day,
        drift_asked,
        predictions: recorded.predictions,
        outcomes: recorded.outcomes,
        deployments,
        traffic,
        traffic_from_us,
        latency,
        answers,
        numbers,
        series,
        series_chosen,
        drift,
        quality,
        performance,
        latency_run,
        fairness,
        attribution,
        drifted,
        measured,
        notes: recorded.notes,
    }))
}

/// By bucket, of the last day, and of the comparison.
type Drawn = ((Vec<Traffic>, Vec<Latency>), (Vec<Answer>, Vec<Bin>), Vec<DriftRow>);

/// What was predicted in a span, and the drift of one comparison.
#[derive(Debug)]
struct Shown {
    chosen: Chosen,
    range: Range,
    deployments: Vec<Deployment>,
    series: Vec<DriftSeries>,
    series_chosen: Option<DriftSeries>,
    /// By bucket, of the last day, of the comparison.
    asked: (Asked, Asked, Asked),
    drawn: Drawn,
}

/// `None` where neither a prediction nor a comparison is recorded of the model.
async fn shown(store: &Store, chosen: Chosen, choice: &Choice) -> Result<Option<Shown>, StoreError> {
    let of_model = Asked::from([("model", chosen.model.clone())]);
    let mut newest = of_model.clone();
    newest.insert("limit", DEPLOYMENTS_MAX.to_string());
    let (deployments, series) = tokio::try_join!(
        DEPLOYMENTS.rows::<Deployment>(store, &newest),
        DRIFT_SERIES.rows::<DriftSeries>(store, &of_model),
    )?;
    if deployments.is_empty() && series.is_empty() {
        return Ok(None);
    }
    let newest_us = deployments.iter().map(|found| found.last_us).max().unwrap_or(0);
    let range = Range::ending(newest_us, choice.length(USUAL));
    let (bucketed, day) = asked(&chosen, range);
    let series_chosen = series.iter().find(|found| found.key() == chosen.series).or(series.first()).cloned();
    let drift_asked = series_chosen.as_ref().map(|series| series.asked(&chosen.model)).unwrap_or_default();
    let (traffic, latency, answers, numbers, drift) = tokio::try_join!(
        traffic_of(range).rows(store, &bucketed),
        latency_of(range).rows(store, &bucketed),
        ANSWERS.rows(store, &day),
        NUMBERS.rows(store, &day),
        where_recorded(u64::from(series_chosen.is_some()), DRIFT_COLUMNS.rows(store, &drift_asked)),
    )?;
    let (asked, drawn) = ((bucketed, day, drift_asked), ((traffic, latency), (answers, numbers), drift));
    Ok(Some(Shown { chosen, range, deployments, series, series_chosen, asked, drawn }))
}

/// The view of traffic: by the day where buckets are whole days.
pub fn traffic_of(range: Range) -> &'static View {
    if range.length.is_drawn_by_day() { &TRAFFIC_BY_DAY } else { &TRAFFIC }
}

/// The view of latency: by the day where buckets are whole days.
pub fn latency_of(range: Range) -> &'static View {
    if range.length.is_drawn_by_day() { &LATENCY_BY_DAY } else { &LATENCY }
}

/// Where there is more traffic than is read, the oldest bucket lacks some of its versions, and is left out. Says from when on traffic is
/// known then.
fn whole_buckets(mut traffic: Vec<Traffic>) -> (Vec<Traffic>, Option<i64>) {
    if traffic.len() < TRAFFIC_MAX {
        return (traffic, None);
    }
    let times: BTreeSet<i64> = traffic.iter().map(|found| found.at_us).collect();
    let from_us = times.iter().nth(1).or(times.first()).copied();
    traffic.retain(|found| Some(found.at_us) >= from_us);
    (traffic, from_us)
}

/// The parameters by bucket, and of the last day.
fn asked(chosen: &Chosen, range: Range) -> (Asked, Asked) {
    let deployment = Asked::from([
        ("model", chosen.model.clone()),
        ("version", chosen.version.clone()),
        ("environment", chosen.environment.clone()),
    ]);
    let (mut bucketed, mut day) = (deployment.clone(), deployment);
    range.ask_bucketed(&mut bucketed);
    day.insert("from", (range.known_us - ANSWERS_US).to_string());
    day.insert("to", range.known_us.to_string());
    (bucketed, day)
}

/// The newest findings of each kind.
type Findings = (
    Option<api::quality::Run>,
    Vec<api::performance::Window>,
    Option<api::latency::Run>,
    Option<api::fairness::Run>,
    Option<api::attribution::Run>,
    Vec<Drifted>,
    Vec<Measured>,
);

async fn recorded_findings(store: &Store, of_model: &Asked) -> Result<(Recorded, Findings), StoreError> {
    let recorded = RECORDED.rows::<Recorded>(store, of_model).await?.into_iter().next().unwrap_or_default();
    let model = of_model.get("model").map_or("", String::as_str);
    let findings = tokio::try_join!(
        where_recorded(recorded.quality, api::quality::newest(store, model)),
        where_recorded(recorded.performance, api::performance::newest(store, model, WINDOWS_MAX)),
        where_recorded(recorded.latency, api::latency::newest(store, model)),
        where_recorded(recorded.fairness, api::fairness::newest(store, model)),
        where_recorded(recorded.attribution, api::attribution::newest(store, model)),
        where_recorded(recorded.drift_segments, DRIFT_SEGMENTS.rows(store, of_model)),
        where_recorded(recorded.performance, PERFORMANCE_SEGMENTS.rows(store, of_model)),
    )?;
    Ok((recorded, findings))
}

/// Reads where there are rows; else nothing is found without a statement.
async fn where_recorded<T: Default>(
    rows: u64,
    read: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    if rows == 0 { Ok(T::default()) } else { read.await }
}

impl Model {
    /// The share of all predictions that have an outcome; `None` where none has.
    pub fn labelled(&self) -> Option<f64> {
        (self.outcomes > 0).then(|| (self.outcomes as f64 / self.predictions.max(1) as f64).min(1.0))
    }

    /// Predictions of all versions together, bucket by bucket, also where there were none.
    pub fn buckets(&self) -> Vec<(i64, u64, u64)> {
        let bucket_us = self.range.length.bucket_s * 1_000_000;
        let first = self.traffic.iter().map(|found| found.at_us).min();
        let Some(first) = first else { return Vec::new() };
        let mut at_us = first;
        let mut buckets = Vec::new();
        while at_us < self.range.known_us {
            let of = |count: fn(&Traffic) -> u64| {
                self.traffic.iter().filter(|found| found.at_us == at_us).map(count).sum()
            };
            buckets.push((at_us, of(|found| found.predictions), of(|found| found.failures)));
            at_us += bucket_us;
        }
        buckets
    }

    /// A line a version, the one with most predictions first; those beyond the colours together.
    pub fn traffic_by_version(&self) -> Vec<Series> {
        let mut versions: Vec<(String, u64)> = Vec::new();
        for found in &self.traffic {
            match versions.iter_mut().find(|(version, _)| *version == found.version) {
                Some((_, n)) => *n += found.predictions,
                None => versions.push((found.version.clone(), found.predictions)),
            }
        }
        versions.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let named: Vec<String> =
            versions.iter().take(COLOURS - 1).map(|(version, _)| version.clone()).collect();
        let others = versions.len() > named.len();
        let times: Vec<i64> = self.buckets().into_iter().map(|(at_us, ..)| at_us).collect();
        let line = |name: String, of: &dyn Fn(&str) -> bool| Series {
            name,
            points: times
                .iter()
                .map(|at_us| {
                    let here =
                        self.traffic.iter().filter(|found| found.at_us == *at_us && of(&found.version));
                    (*at_us, here.map(|found| found.predictions).sum::<u64>() as f64)
                })
                .collect(),
        };
        let name = |version: &str| {
            if version.is_empty() { "no version".to_owned() } else { format!("version {version}") }
        };
        let mut series: Vec<Series> =
            named.iter().map(|version| line(name(version), &|found| found == version)).collect();
        if others {
            series.push(line("others".to_owned(), &|found| !named.iter().any(|version| version == found)));
        }
        series
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn what_is_not_recorded_is_not_read() {
        let found = |rows| {
            let read = async { Ok::<u64, StoreError>(7) };
            where_recorded(rows, read).now_or_never().map(Result::unwrap)
        };
        assert_eq!((found(0), found(1)), (Some(0), Some(7)));
    }
    #[test]
    fn of_more_traffic_than_is_read_the_newest_buckets_are_kept_whole() {
        let limit = TRAFFIC.parameter("limit").unwrap();
        assert_eq!(limit.default, TRAFFIC_MAX.to_string());
        // A hundred versions a bucket, the newest bucket first.
        let rows = |rows: i64| -> Vec<Traffic> {
            let row = |i: i64| Traffic {
                at_us: 1_000 - i / 100,
                version: (i % 100).to_string(),
                predictions: 1,
                failures: 0,
            };
            (0..rows).map(row).collect()
        };
        for (read, kept, from_us) in [(4_999, 4_999, None), (5_000, 4_900, Some(952))] {
            let (traffic, from) = whole_buckets(rows(read));
            assert_eq!((traffic.len(), from), (kept, from_us), "{read} rows");
            assert_eq!(traffic.iter().map(|found| found.at_us).max(), Some(1_000));
        }
        let one_bucket = (0..5_000).map(|_| rows(1).remove(0)).collect();
        assert_eq!(whole_buckets(one_bucket).1, Some(1_000), "nothing else is known");
    }
}
