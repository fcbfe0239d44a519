//! What processes of ours tell Prometheus, held against `docs/METRICS.md`: every metric, with its labels.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use windvane_kit::{Service, eventually_async};

use crate::monitors::{BINARY, PATIENCE, monitor};

/// Labels of metrics, by the metric's name.
pub type Labels = BTreeMap<String, BTreeSet<String>>;

/// Metrics that have no series before something goes wrong that does not go wrong here.
const SELDOM: [&str; 2] =
    ["windvane_collector_insert_failures_total", "windvane_collector_model_dead_lettered_rows_total"];

/// The metrics of the document whose names begin like this.
pub fn listed(start: &str) -> Labels {
    let document = include_str!("../../docs/METRICS.md");
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `")).map(|row| {
        let mut cells = row.split('|').map(|cell| cell.trim().trim_end_matches('`'));
        let (name, labels) = (cells.next().unwrap(), cells.next().unwrap());
        let labels = labels.split(", ").filter(|label| !label.is_empty());
        (name.to_owned(), labels.map(str::to_owned).collect::<BTreeSet<String>>())
    });
    rows.filter(|(name, _): &(String, _)| name.starts_with(start)).collect()
}

/// The metrics that are told here. Three series of a histogram are one metric, and the bounds of its buckets no label.
pub fn told(text: &str) -> Labels {
    let histograms: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" histogram")).collect();
    let mut told = Labels::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, _) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let of_histogram = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| name.strip_suffix(*end).filter(|name| histograms.contains(name)));
        let labels = labels.split("\",").filter_map(|label| Some(label.split_once("=\"")?.0));
        let own = labels.filter(|label| of_histogram.is_none() || *label != "le").map(str::to_owned);
        told.entry(of_histogram.unwrap_or(name).to_owned()).or_default().extend(own);
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_tells_all_metrics_of_the_document_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.ndjson");
    let alerts = format!(
        "[alerts.route]\nreceiver = \"log\"\n[alerts.receivers.log]\ntype = \"file\"\npath = \"{}\"\n",
        log.display()
    );
    let config = alerts + &monitor("empty", "m", "");
    let service = Service::start(Path::new(BINARY), folder.path(), &config);
    // One record is taken and one refused, both come again, and a request is refused whole.
    let client = reqwest::Client::new();
    for (content_type, status) in
        [("application/x-ndjson", 200_u16), ("application/x-ndjson", 200), ("text/csv", 415)]
    {
        let sent = client
            .post(format!("{}/v1/predictions", service.url()))
            .header("content-type", content_type)
            .header("idempotency-key", "one")
            .body("{\"model\":\"m\"}\n{\"model\":\"m\",\"modle\":1}\n");
        assert_eq!(sent.send().await.unwrap().status(), status);
    }
    let mut listed = listed("");
    listed.retain(|name, _| !name.starts_with("windvane_shadow_"));
    eventually_async(PATIENCE, async || {
        let metrics = reqwest::get(format!("{}/metrics", service.url())).await.unwrap();
        let told = told(&metrics.text().await.unwrap());
        for (name, labels) in &told {
            assert_eq!(Some(labels), listed.get(name), "{name}");
        }
        let all = listed.keys().filter(|name| !SELDOM.contains(&name.as_str()));
        let absent: Vec<String> = all.filter(|name| !told.contains_key(*name)).cloned().collect();
        if absent.is_empty() { Ok(()) } else { Err(absent) }
    })
    .await;
    assert_eq!(service.terminate(), Some(0));
}
