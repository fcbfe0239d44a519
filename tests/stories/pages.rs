//! The pages and the views behind them, over a service with something of everything in it.

use std::io::Read;
use std::time::Duration;

use futures_util::StreamExt;
use reqwest::header;
use serde_json::Value;
use windvane_kit::Service;

use crate::{read_api, seeded};

const PATIENCE: Duration = Duration::from_secs(30);

async fn get(service: &Service, path: &str) -> reqwest::Response {
    reqwest::Client::new().get(format!("{}{path}", service.url())).send().await.unwrap()
}

async fn page(service: &Service, path: &str) -> String {
    let answer = get(service, path).await;
    let status = answer.status();
    let text = answer.text().await.unwrap();
    assert_eq!(status, 200, "{path}: {text}");
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_say_what_changed_and_every_number_can_be_followed_to_its_statement() {
    let folder = tempfile::tempdir().unwrap();
    let service = seeded::start(folder.path()).await;
    let fleet = page(&service, "/").await;
    for part in ["delay &lt;7&gt;", "spam", "columns, most in", "/sql/fleet_by_day?"] {
        assert!(fleet.contains(part), "no `{part}` in {fleet}");
    }
    let model = page(&service, "/models/delay%20%3C7%3E").await;
    for part in [
        "What changed lately",
        "Version 8 in prod answers since",
        "temp",
        "class=\"cell",
        "version 7",
        "predictions have an outcome",
        "Performance by segment",
        "Treated unlike the others: region west",
        "The model decides by other features than the reference",
    ] {
        assert!(model.contains(part), "no `{part}` in {model}");
    }
    let feature = page(&service, "/models/delay%20%3C7%3E/features/temp").await;
    for part in ["class=\"reference\"", "class=\"current\"", "psi", "Effect in times of its floor"] {
        assert!(feature.contains(part), "no `{part}` in {feature}");
    }
    assert!(page(&service, "/pipeline").await.contains("windvane_collector_stored_rows_total"));
    assert!(page(&service, "/alerts").await.contains("No alert is silenced."));
    assert!(page(&service, "/settings").await.contains("monitors.daily"));
    let gates = page(&service, "/gates").await;
    assert!(gates.contains("delay-8") && gates.contains("/sql/gates"), "{gates}");
    for missing in
        ["/models/none", "/models/spam/features/none", "/gates/none", "/sql/none", "/api/v1/views/none"]
    {
        assert_eq!(get(&service, missing).await.status(), 404, "{missing}");
    }
    check_recorded(&service).await;
    check_groups_and_attributions(&service).await;
    check_alerts(&service).await;
    check_views(&service).await;
    read_api::check_documents(&service).await;
    read_api::check_tags(&service).await;
    check_delivery(&service).await;
    check_events(&service).await;
    check_a_clock_that_is_ahead(&service).await;
    assert_eq!(service.terminate(), Some(0));
}

/// A model of which only findings are left is known to each kind of findings, and one of which nothing is recorded to none.
async fn check_recorded(service: &Service) {
    let sql = "INSERT INTO windvane.latency_findings (computed_at, model, method, statistic, verdict) \
               SELECT now64(6), 'only found', 'p99', 900, 'steady'";
    seeded::insert(service, sql).await;
    for kind in ["drift", "quality", "performance", "latency", "fairness", "attribution"] {
        for (model, status) in [("only%20found", 200), ("nope", 404)] {
            let path = format!("/api/v1/models/{model}/{kind}");
            assert_eq!(get(service, &path).await.status(), status, "{path}");
        }
    }
}

/// Runs of fairness and attribution come page by page, the latest first, and filters narrow them.
async fn check_groups_and_attributions(service: &Service) {
    let of = async |path: &str| -> Value {
        get(service, &format!("/api/v1/models/delay%20%3C7%3E/{path}")).await.json().await.unwrap()
    };
    let found = of("fairness?limit=1").await;
    let run = &found["runs"][0];
    assert_eq!((&found["schema"], &found["next_offset"]), (&"windvane.fairness_runs/1".into(), &1.into()));
    assert_eq!(
        (&run["run_id"], &run["verdict"], &run["group_by"], &run["reference_group"]),
        (&"fair-7".into(), &"fail".into(), &"region".into(), &"east".into()),
        "{run}"
    );
    let gaps = run["groups"][0]["gaps"].as_array().unwrap();
    assert_eq!(
        (gaps.len(), &gaps[0]["gap"], &gaps[0]["ci"]),
        (2, &(-0.2).into(), &serde_json::json!([-0.3, -0.1]))
    );
    let failed = of("fairness?verdict=fail&metric=demographic_parity&segment=region").await;
    assert_eq!(failed["runs"].as_array().unwrap().len(), 1, "{failed}");
    let ranked = of("attribution?column=temp&verdict=drift&limit=2&offset=6").await;
    let runs = ranked["runs"].as_array().unwrap();
    assert_eq!((runs.len(), &ranked["next_offset"]), (2, &Value::Null), "{ranked}");
    let run = &runs[1];
    assert_eq!(
        (&run["run_id"], &run["verdict"], &run["ndcg"], &run["features"][0]["rank_reference"]),
        (&"rank-0".into(), &"drift".into(), &0.8.into(), &1.into()),
        "{run}"
    );
    assert_eq!(run["features"].as_array().unwrap().len(), 1, "{run}");
    assert_eq!(of("attribution?verdict=no_drift").await["runs"], serde_json::json!([]));
    assert_eq!(of("fairness?metric=luck").await["code"], "invalid_parameter");
}

/// What stands is on the page and in its view alike, and an acknowledgement shows in both.
async fn check_alerts(service: &Service) {
    let state = r#"INSERT INTO windvane.alert_state (name, revision, at, holder, standing, document) SELECT 'alerts', 18000000000000000000, now64(6), 'story',
        '[{"fingerprint":"f1","rule":"FeatureDrift","state":"firing","since":"2026-01-09T00:00:00Z","labels":{"model":"delay <7>","severity":"warning"},
           "annotations":{"summary":"temp has moved"},"value":0.4,"link":null,"silenced_by":null,"inhibited_by":null,"acknowledged_by":null,"receivers":["mail"],"heard_until_us":5}]',
        '{}'"#;
    seeded::insert(service, state).await;
    let view = "/api/v1/views/alerts?model=delay%20%3C7%3E";
    for by in ["", "ann"] {
        let rows: Value = get(service, view).await.json().await.unwrap();
        let row = &rows["rows"][0];
        assert_eq!((&row["rule"], &row["acknowledged_by"]), (&"FeatureDrift".into(), &by.into()), "{rows}");
        assert_eq!(page(service, "/alerts").await.contains("looked after by ann"), by == "ann");
        let taken = "INSERT INTO windvane.alert_acknowledgements (fingerprint, at, acknowledged_by, comment) \
                     SELECT 'f1', now64(6), 'ann', ''";
        seeded::insert(service, taken).await;
    }
    // The process that judges has read it, and found that it was of an earlier time.
    let heard = state
        .replace("18000000000000000000", "18000000000000000001")
        .replace(r#""heard_until_us":5"#, r#""heard_until_us":9000000000000000"#);
    seeded::insert(service, &heard).await;
    let rows: Value = get(service, view).await.json().await.unwrap();
    assert_eq!(rows["rows"][0]["acknowledged_by"], "", "{rows}");
    assert!(!page(service, "/alerts").await.contains("looked after by ann"));
}

/// Every view answers as JSON, CSV and Arrow with the same rows, and its statement runs as it is shown.
async fn check_views(service: &Service) {
    let views: Value = get(service, "/api/v1/views").await.json().await.unwrap();
    assert_eq!(views["schema"], "windvane.views/1");
    let of_monitor = "model=delay%20%3C7%3E&monitor=daily&column=temp&granularity=1d&reference_kind=window&gate=delay-8&experiment=checkout";
    let by_hand = "model=delay%20%3C7%3E&reference_kind=window";
    for view in views["views"].as_array().unwrap() {
        let name = view["view"].as_str().unwrap();
        let known: Vec<&str> = view["parameters"]
            .as_array()
            .unwrap()
            .iter()
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        let asked = match name {
            "quality_checks"
            | "performance_metrics"
            | "latency_groups"
            | "fairness_gaps"
            | "attribution_features" => by_hand,
            _ => of_monitor,
        };
        let query: Vec<&str> =
            asked.split('&').filter(|pair| known.contains(&pair.split('=').next().unwrap())).collect();
        let path = format!("/api/v1/views/{name}?{}", query.join("&"));
        let json: Value = get(service, &path).await.json().await.unwrap();
        let rows = json["rows"].as_array().unwrap_or_else(|| panic!("{path}: {json}")).len();
        // The seeded models answer with scores, so that there are no labels to count; nobody is silenced here.
        assert!(rows > 0 || ["answers", "silences"].contains(&name), "{path} has no rows: {}", json["sql"]);
        let csv = page(service, &format!("{path}&format=csv")).await;
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        assert_eq!(reader.records().filter(Result::is_ok).count(), rows, "{path}");
        let arrow = get(service, &format!("{path}&format=arrow")).await.bytes().await.unwrap();
        let batches = arrow::ipc::reader::StreamReader::try_new(arrow.as_ref(), None).unwrap();
        assert_eq!(batches.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), rows, "{path}");
        let sql = json["sql"].as_str().unwrap();
        let printed = seeded::told(service, &["query", &format!("SELECT count() FROM ({sql}) FORMAT TSV")]);
        assert_eq!(printed, rows.to_string(), "{sql}");
        assert!(page(service, &format!("/sql/{name}?{}", query.join("&"))).await.contains("SELECT"));
    }
    for (path, code) in [
        ("/api/v1/views/traffic?from=soon", "invalid_parameter"),
        ("/api/v1/views/traffic?colour=red", "unknown_parameter"),
        ("/api/v1/views/traffic?format=xml", "invalid_parameter"),
        ("/api/v1/views/traffic?bucket=0", "invalid_parameter"),
    ] {
        let answer = get(service, path).await;
        assert_eq!(answer.status(), 400, "{path}");
        assert_eq!(answer.json::<Value>().await.unwrap()["code"], code, "{path}");
    }
    let hours = async |more: &str| -> Vec<i64> {
        let path = format!("/api/v1/views/traffic?model=delay%20%3C7%3E&bucket=3600{more}");
        let answer: Value = get(service, &path).await.json().await.unwrap();
        answer["rows"].as_array().unwrap().iter().map(|row| row["at_us"].as_i64().unwrap()).collect()
    };
    let (all, newest) = (hours("").await, hours("&limit=1").await);
    assert!(all.first() > all.last() && newest == all[..1], "the oldest are left out: {all:?}, {newest:?}");
    let paged: Value = get(service, "/api/v1/views/fleet?limit=1").await.json().await.unwrap();
    assert_eq!((paged["rows"].as_array().unwrap().len(), &paged["next_offset"]), (1, &1.into()));
    let all: Value = get(service, "/api/v1/views/monitors").await.json().await.unwrap();
    let rows = all["rows"].as_array().unwrap().len();
    let paged: Value =
        get(service, &format!("/api/v1/views/monitors?limit={rows}")).await.json().await.unwrap();
    assert_eq!(paged["rows"].as_array().unwrap().len(), rows);
    assert_eq!(paged["next_offset"], Value::Null, "a full page is the last one where nothing follows");
}

/// What has not changed is not sent again, and browsers are told to fetch from nowhere else.
async fn check_delivery(service: &Service) {
    let answer = get(service, "/settings").await;
    let headers = answer.headers().clone();
    assert!(headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap().contains("default-src 'none'"));
    let again = reqwest::Client::new()
        .get(format!("{}/settings", service.url()))
        .header(header::IF_NONE_MATCH, &headers[header::ETAG])
        .send()
        .await
        .unwrap();
    assert_eq!(again.status(), 304);
    assert!(again.bytes().await.unwrap().is_empty());
    let client = reqwest::Client::new();
    let head = client.head(format!("{}/settings", service.url())).send().await.unwrap();
    for name in [header::ETAG, header::CACHE_CONTROL, header::CONTENT_LENGTH] {
        assert_eq!(head.headers().get(&name), headers.get(&name), "{name}");
    }
    for (path, accept, part) in [
        ("/nowhere", "text/html", "<h1>Not found</h1>"),
        ("/models/", "text/html,*/*;q=0.8", "<h1>Not found</h1>"),
        ("/nowhere", "*/*", "unknown_path"),
        ("/api/v1/nowhere", "text/html", "unknown_path"),
    ] {
        let url = format!("{}{path}", service.url());
        let answer = client.get(url).header(header::ACCEPT, accept).send().await.unwrap();
        assert_eq!(answer.status(), 404, "{path}");
        let text = answer.text().await.unwrap();
        assert!(text.contains(part), "{path} for {accept}: {text}");
    }
    for (path, accept, part) in [
        ("/models/%FF", "text/html", "<h1>Not understood</h1>"),
        ("/?range=7d&range=30d", "text/html", "duplicate field"),
        ("/api/v1/models/%FF/drift", "text/html", "\"code\":\"invalid_request\""),
    ] {
        let url = format!("{}{path}", service.url());
        let answer = client.get(url).header(header::ACCEPT, accept).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{path}");
        let text = answer.text().await.unwrap();
        assert!(text.contains(part), "{path}: {text}");
    }
    let other = client.post(format!("{}/api/v1/models", service.url())).send().await.unwrap();
    assert_eq!(
        (other.status().as_u16(), &other.headers()[header::ALLOW]),
        (405, &"GET,HEAD".parse().unwrap())
    );
    assert_eq!(other.json::<Value>().await.unwrap()["code"], "method_not_allowed");
    let html = page(service, "/").await;
    let asset =
        html.split('"').find(|part| part.starts_with("/assets/page-") && part.ends_with(".js")).unwrap();
    let script = get(service, asset).await;
    assert!(script.headers()[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"));
}

/// A page hears of what comes in, and the connection does not hold up the end of the service.
async fn check_events(service: &Service) {
    let answer = get(service, "/events").await;
    assert!(answer.headers()[header::CONTENT_TYPE].to_str().unwrap().starts_with("text/event-stream"));
    let mut stream = answer.bytes_stream();
    let mut next = async || {
        let mut text = String::new();
        let mut buffer = Vec::new();
        while !text.contains("\n\n") || !text.contains("event: revision") {
            let chunk = tokio::time::timeout(PATIENCE, stream.next()).await.expect("an event in time");
            chunk.unwrap().unwrap().as_ref().read_to_end(&mut buffer).unwrap();
            text = String::from_utf8(buffer.clone()).unwrap();
        }
        text.lines().find_map(|line| line.strip_prefix("data: ").map(str::to_owned)).unwrap()
    };
    let first = next().await;
    let body = format!(
        "{{\"model\":\"spam\",\"version\":\"2\",\"ts\":{},\"prediction\":{{\"label\":\"ham\"}}}}\n",
        seeded::START_US
    );
    seeded::send(service, "predictions", body).await;
    assert_ne!(first, next().await, "the revision changes when events come in");
}

/// A prediction of the year 2100 does not move the span of its model's page away from all others.
async fn check_a_clock_that_is_ahead(service: &Service) {
    let sql = "INSERT INTO windvane.predictions (event_id, ts, ingested_at, model, version) \
               SELECT concat('clock-', toString(number)), if(number = 0, toDateTime64('2100-01-01 00:00:00', 6, 'UTC'), \
               now64(6, 'UTC')), now64(6, 'UTC'), 'ahead', '1' FROM numbers(7)";
    seeded::insert(service, sql).await;
    let model = page(service, "/models/ahead").await;
    let tile = "<span class=\"of\">predictions, 30 days</span><span class=\"figure\">6</span>";
    assert!(model.contains(tile), "no `{tile}` in {model}");
}
