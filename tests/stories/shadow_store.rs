//! A gate over the store: recorded predictions are asked again, the verdict is recorded, and a roll-out asks whether to go on.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use windvane_kit::{Service, eventually};

use crate::asking::{query, send};

use super::shadow::{model, shadow};

const FLIGHTS: usize = 600;

/// Predictions of the champion's features with an outcome each; every seventh has no temperature.
fn events() -> [(&'static str, String); 2] {
    let (mut predictions, mut outcomes) = (String::new(), String::new());
    for i in 0..FLIGHTS {
        let ts = format!("2013-01-01T{:02}:{:02}:00Z", i / 60, i % 60);
        let temp = if i % 7 == 0 { Value::Null } else { json!(30.5) };
        let features = json!({
            "hour": i % 24, "distance": 200 + i, "scheduled_minutes": 120, "dep_delay": i as i64 % 60 - 10, "temp": temp,
            "dewp": 25.0, "humid": 60.0, "wind_speed": 8.0, "wind_gust": (i % 3 == 0).then_some(20.0), "precip": 0.0, "pressure": 1012.0, "visib": 10.0,
            "carrier": "UA", "origin": "JFK", "dest": "LAX",
        });
        let id = format!("flight-{i}");
        let prediction = json!({"model": "delay", "version": "7", "event_id": id, "ts": ts, "features": features, "prediction": {"score": 0.5}});
        writeln!(predictions, "{prediction}").unwrap();
        let label = if i % 60 > 25 { "late" } else { "on_time" };
        writeln!(outcomes, "{}", json!({"model": "delay", "event_id": id, "ts": ts, "label": label}))
            .unwrap();
    }
    [("predictions", predictions), ("outcomes", outcomes)]
}

async fn evaluate(service: &Service, gate: &str, body: Value) -> (u16, Value) {
    let url = format!("{}/api/v1/gates/{gate}/evaluate", service.url());
    let answer = reqwest::Client::new().post(url).json(&body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// A gate over all recorded predictions, recorded under `name`.
fn gate(service: &Service, candidate: &str, recorded: (&str, &Path)) -> (i32, Value) {
    let more = ["--traffic", "store", "--model", "delay", "--window", "2013-01-01/2013-01-02"];
    gate_over(service, candidate, recorded, &more)
}

fn gate_over(
    service: &Service,
    candidate: &str,
    (name, policy): (&str, &Path),
    more: &[&str],
) -> (i32, Value) {
    let (champion, candidate, config) = (model("champion.onnx"), model(candidate), service.config());
    let words = [
        "run",
        "--offline",
        "--format",
        "json",
        "--champion",
        &champion,
        "--candidate",
        &candidate,
        "--record",
        name,
        "--policy",
        policy.to_str().unwrap(),
        "--config",
        config.to_str().unwrap(),
    ];
    let ran = shadow(&[words.as_slice(), more].concat());
    (ran.code, ran.document())
}

/// Requests of each segment, fewest first.
fn segments(document: &Value) -> Vec<u64> {
    let segments = document["agreement"]["segments"].as_array().unwrap();
    let mut counts: Vec<u64> = segments.iter().map(|segment| segment["n"].as_u64().unwrap()).collect();
    counts.sort_unstable();
    counts
}

/// Of 400 flights without a gust and 200 with one, a sample by strata has as many of either.
fn strata_of_the_store_give_the_same_number(service: &Service, policy: &Path) {
    let more = ["--traffic", "store", "--model", "delay", "--window", "2013-01-01/2013-01-02"];
    let strata = ["--sample", "60", "--sample-by", "wind_gust", "--segment-by", "wind_gust"];
    let (code, document) =
        gate_over(service, "champion.onnx", ("strata", policy), &[more.as_slice(), &strata].concat());
    assert_eq!((code, segments(&document)), (2, vec![30, 30]), "{}", document["checks"]);
    // Of one segment alone all are asked.
    let gusty = ["--segment", "wind_gust=20"];
    let (code, document) =
        gate_over(service, "champion.onnx", ("gusty", policy), &[more.as_slice(), &gusty].concat());
    assert_eq!((code, &document["requests"]), (2, &200.into()), "{}", document["checks"]);
    let traffic = document["provenance"]["traffic"].as_str().unwrap();
    assert!(traffic.starts_with("store: model delay, wind_gust `20`, "), "{traffic}");
}

/// A window without predictions shows nothing: no pass, no failure, and no fault of the caller's.
async fn no_traffic_is_inconclusive(service: &Service, policy: &Path) {
    let more = ["--traffic", "store", "--model", "delay", "--window", "2014-01-01/2014-01-02"];
    let (code, document) = gate_over(service, "broken.onnx", ("nobody-asked", policy), &more);
    assert_eq!((code, &document["verdict"]), (2, &"inconclusive".into()), "{document}");
    assert_eq!(document["requests"], 0);
    let note = "the store has no prediction of model `delay` in 2014-01-01T00:00:00Z/2014-01-02T00:00:00Z";
    assert_eq!(document["notes"], json!([note]));
    let (status, answer) = evaluate(service, "nobody-asked", json!({})).await;
    assert_eq!((status, &answer["verdict"]), (409, &"inconclusive".into()), "{answer}");
}

/// Waits until a statement answers this.
async fn wait_until_stored(service: &Service, sql: &'static str, expected: &str) {
    let client = reqwest::Client::new();
    let (user, password) = service.engine_user();
    windvane_kit::eventually_async(Duration::from_secs(30), async || {
        let request = client.post(service.engine_url()).basic_auth(&user, Some(&password)).body(sql);
        let text = request.send().await.unwrap().text().await.unwrap();
        if text.trim() == expected { Ok(()) } else { Err(text) }
    })
    .await;
}

/// What the champion was given, captured, under ids of predictions with the month, which is no input, and a tag.
fn captured() -> [(&'static str, String); 2] {
    let (mut predictions, mut payloads) = (String::new(), String::new());
    let numbers =
        ["hour", "distance", "scheduled_minutes", "dep_delay", "temp", "dewp", "humid", "wind_speed"];
    let more = ["wind_gust", "precip", "pressure", "visib"];
    for i in 0..FLIGHTS {
        let head = json!({"model": "tensors", "version": "7", "event_id": format!("flight-{i}"), "ts": format!("2013-01-01T{:02}:{:02}:00Z", i / 60, i % 60)});
        let tensor = |name: &str, datatype: &str, element: Value| json!({"name": name, "datatype": datatype, "shape": [1, 1], "data": [element]});
        // A temperature that is missing is NaN to the model, and null in JSON.
        let number = |name: &str| if name == "temp" && i % 7 == 0 { Value::Null } else { json!(i % 24) };
        let mut inputs: Vec<Value> =
            numbers.iter().chain(&more).map(|name| tensor(name, "FP32", number(name))).collect();
        let texts = [("carrier", "UA"), ("origin", "JFK"), ("dest", "LAX")];
        inputs.extend(texts.iter().map(|(name, text)| tensor(name, "BYTES", json!(text))));
        let mut prediction = head.clone();
        prediction["features"] = json!({"month": i % 3 / 2});
        prediction["tags"] = json!({"lane": if i % 4 == 0 { "slow" } else { "fast" }});
        prediction["prediction"] = json!({"score": 0.5});
        let mut payload = head;
        payload["inputs"] = inputs.into();
        writeln!(predictions, "{prediction}").unwrap();
        writeln!(payloads, "{payload}").unwrap();
    }
    [("predictions", predictions), ("payloads", payloads)]
}

/// Payloads are asked again where there are any, with features and outcomes of the same ids beside them.
async fn captured_payloads_are_asked_again(service: &Service, policy: &Path) {
    for (kind, body) in captured() {
        send(service, kind, body).await;
    }
    let outcome =
        json!({"model": "tensors", "event_id": "flight-0", "ts": "2013-01-01T02:00:00Z", "label": "late"});
    send(service, "outcomes", format!("{outcome}\n")).await;
    let sql = "SELECT (SELECT uniqExact(event_id) FROM windvane.payloads), (SELECT count() FROM windvane.predictions WHERE model = 'tensors'), \
               (SELECT count() FROM windvane.outcomes WHERE model = 'tensors')";
    wait_until_stored(service, sql, &format!("{FLIGHTS}\t{FLIGHTS}\t1")).await;

    let window = ["--model", "tensors", "--window", "2013-01-01/2013-01-02", "--segment-by", "month"];
    let over = |traffic: &str, more: &[&str]| {
        let words = [window.as_slice(), &["--traffic", traffic], more].concat();
        gate_over(service, "champion.onnx", ("tensors", policy), &words)
    };
    let (code, document) = over("store", &[]);
    assert_eq!((code, &document["requests"]), (0, &FLIGHTS.into()), "{document}");
    assert_eq!((segments(&document), &document["quality"]["labelled"]), (vec![200, 400], &1.into()));
    let traffic = document["provenance"]["traffic"].as_str().unwrap();
    assert!(traffic.starts_with("store: payloads of model tensors, 2013-01-01T00:00:00Z/"), "{traffic}");
    // A part of them has part of the flights, and by strata as many of either month.
    assert_eq!(over("store:payloads", &["--sample", "40"]).1["requests"], 40);
    let by_strata = over("store:payloads", &["--sample", "40", "--sample-by", "month"]).1;
    assert_eq!(segments(&by_strata), [20, 20]);
    // One lane alone, a tag of the predictions; both months are in it.
    let slow = over("store:payloads", &["--segment", "lane=slow", "--segment-by", "lane"]).1;
    assert_eq!((&slow["requests"], segments(&slow)), (&150.into(), vec![50, 100]));
    assert_eq!(slow["agreement"]["segments"][0]["segment"]["lane"], "slow");
    // The recorded features are not what the model takes, and asking for them says so.
    let (champion, config) = (model("champion.onnx"), service.config());
    let words = ["run", "--offline", "--champion", &champion, "--candidate", &champion, "--config"];
    let words = [words.as_slice(), &[config.to_str().unwrap(), "--traffic", "store:features"], &window];
    shadow(&words.concat()).refuses(65, &["it has month Float64"]);
    let (code, document) = gate_over(
        service,
        "champion.onnx",
        ("nobody-captured", policy),
        &["--traffic", "store:payloads", "--model", "delay", "--window", "2013-01-01/2013-01-02"],
    );
    assert_eq!((code, &document["requests"]), (2, &0.into()));
    assert!(document["notes"][0].as_str().unwrap().starts_with("the store has no payload of model `delay`"));
}

/// Twenty payloads beside the features of all flights: the features are asked, and a note says so.
async fn few_payloads_do_not_hide_many_features(service: &Service, policy: &Path) {
    let [_, (kind, payloads)] = captured();
    let few: String =
        payloads.lines().take(20).map(|line| line.replace("\"tensors\"", "\"delay\"") + "\n").collect();
    send(service, kind, few).await;
    let sql = "SELECT uniqExact(event_id) FROM windvane.payloads WHERE model = 'delay'";
    wait_until_stored(service, sql, "20").await;
    let (code, document) = gate(service, "champion.onnx", ("few-payloads", policy));
    assert_eq!((code, &document["requests"]), (0, &FLIGHTS.into()), "{document}");
    let told =
        "asked with recorded features, because 20 captured payloads cover less than half of 600 predictions";
    let notes = document["notes"].as_array().unwrap();
    assert!(notes.iter().any(|note| note.as_str().unwrap().starts_with(told)), "{notes:?}");
}

/// Nobody was asked within the last day, which is no pass; that it was looked at is told all the same.
async fn a_gate_of_the_configuration_runs_by_itself(service: &Service) {
    let url = format!("{}/api/v1/gates/followed", service.url());
    let document: Value = windvane_kit::eventually_async(Duration::from_secs(60), async || {
        let answer = reqwest::get(&url).await.unwrap();
        let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
        if status == 200 { Ok(serde_json::from_str(&text).unwrap()) } else { Err(text) }
    })
    .await;
    assert_eq!(
        (&document["verdict"], &document["requests"]),
        (&"inconclusive".into(), &0.into()),
        "{document}"
    );
    let note = document["notes"][0].as_str().unwrap();
    assert!(note.starts_with("the store has no prediction of model `delay` in"), "{note}");
    // Of several analyzers only the one with the lease runs it.
    let leases = "SELECT uniqExact(token) FROM windvane.job_leases WHERE job = 'gate/followed'";
    wait_until_stored(service, leases, "1").await;
}

fn every_flight_is_asked_and_none_differs(document: &Value) {
    assert_eq!((&document["requests"], &document["quality"]["labelled"]), (&FLIGHTS.into(), &FLIGHTS.into()));
    let metrics = document["quality"]["metrics"].as_array().unwrap();
    assert_eq!((&metrics[0]["metric"], &metrics[0]["difference"]), (&"accuracy".into(), &0.0.into()));
    assert!(document["provenance"]["traffic"].as_str().unwrap().contains("store: model delay"));
}

async fn nothing_goes_on_before_a_verdict(service: &Service) {
    let (status, answer) = evaluate(service, "delay-8", json!({})).await;
    assert_eq!(
        (status, &answer["verdict"], &answer["ramp"]["next"]),
        (409, &"inconclusive".into(), &0.into())
    );
}

/// The folder of what the models' process of a gate writes, where one runs.
fn scratch_of_a_gate(service: &Service) -> Option<PathBuf> {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", service.pid())).ok()?;
    let children =
        tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let children: Vec<String> = children.collect();
    children.iter().flat_map(|pids| pids.split_whitespace()).find_map(|pid| {
        let environment = std::fs::read_to_string(format!("/proc/{pid}/environ")).ok()?;
        let folder = environment.split('\0').find_map(|variable| variable.strip_prefix("TMPDIR="))?;
        folder.ends_with("/scratch").then(|| PathBuf::from(folder))
    })
}

/// The champion is a pipe into which nobody writes, so that its gate runs for as long as it may.
#[tokio::test(flavor = "multi_thread")]
async fn a_gate_that_runs_while_the_service_ends_leaves_neither_files_nor_its_lease() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("champion.onnx");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let followed = format!(
        "[gates.followed]\nchampion = {pipe:?}\ncandidate = {:?}\nmodel = \"delay\"\nevery = \"1d\"\n[analyzer]\nlease = \"10m\"",
        model("candidate.onnx")
    );
    let service = Service::start(Path::new(env!("CARGO_BIN_EXE_windvane")), folder.path(), &followed);
    let scratch = eventually(Duration::from_secs(60), || {
        scratch_of_a_gate(&service).ok_or_else(|| service.log().join("\n"))
    });
    assert!(scratch.is_dir());
    assert_eq!(service.terminate(), Some(0));
    let written = scratch.parent().unwrap();
    assert!(!written.exists(), "{} was left", written.display());

    let service = Service::start(Path::new(env!("CARGO_BIN_EXE_windvane")), folder.path(), "");
    let leases = "SELECT count(), countIf(until > now64()) FROM (SELECT argMax(expires_at, renewal) AS until \
                  FROM windvane.job_leases WHERE job = 'gate/followed' GROUP BY token)";
    assert_eq!(query(&service, leases), "1\t0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verdict_over_the_store_is_recorded_and_steers_a_roll_out() {
    let folder = tempfile::tempdir().unwrap();
    let followed = format!(
        "[gates.followed]\nchampion = {:?}\ncandidate = {:?}\nmodel = \"delay\"\nevery = \"1d\"",
        model("champion.onnx"),
        model("candidate.onnx")
    );
    let service = Service::start(Path::new(env!("CARGO_BIN_EXE_windvane")), folder.path(), &followed);
    let client = reqwest::Client::new();
    a_gate_of_the_configuration_runs_by_itself(&service).await;
    for (kind, body) in events() {
        send(&service, kind, body).await;
    }
    nothing_goes_on_before_a_verdict(&service).await;
    let sql = "SELECT (SELECT uniqExact(event_id) FROM windvane.predictions), (SELECT uniqExact(event_id) FROM windvane.outcomes)";
    wait_until_stored(&service, sql, &format!("{FLIGHTS}\t{FLIGHTS}")).await;
    let policy = folder.path().join("gate.toml");
    std::fs::write(&policy, "[gate]\nmin_requests = 500\n[agreement]\nrate_min = 0.99\n").unwrap();
    let document =
        eventually(Duration::from_secs(30), || match gate(&service, "champion.onnx", ("delay-8", &policy)) {
            (0, document) => Ok(document),
            (code, document) => Err(format!("{code}: {}", document["checks"])),
        });
    no_traffic_is_inconclusive(&service, &policy).await;
    strata_of_the_store_give_the_same_number(&service, &policy);
    captured_payloads_are_asked_again(&service, &policy).await;
    few_payloads_do_not_hide_many_features(&service, &policy).await;
    every_flight_is_asked_and_none_differs(&document);

    let webhook =
        json!({"name": "delay", "namespace": "prod", "phase": "Progressing", "metadata": {"weight": "5"}});
    let (status, answer) = evaluate(&service, "delay-8", webhook).await;
    assert_eq!(
        (status, &answer["passed"], &answer["ramp"]["next"]),
        (200, &true.into(), &25.into()),
        "{answer}"
    );
    // A verdict on another candidate is none on this one.
    let other = json!({"metadata": {"candidate_sha256": "00"}});
    assert_eq!(evaluate(&service, "delay-8", other).await.0, 409);
    assert_eq!(
        evaluate(&service, "delay-8", json!({"metadata": {"experiment": "nobody-looked"}})).await.0,
        409
    );

    assert_eq!(gate(&service, "broken.onnx", ("delay-8", &policy)).0, 1);
    let (status, answer) = evaluate(&service, "delay-8", json!({"metadata": {"weight": "25"}})).await;
    assert_eq!(
        (status, &answer["verdict"], &answer["ramp"]["next"]),
        (409, &"fail".into(), &0.into()),
        "{answer}"
    );
    let mut reasons = answer["reasons"].as_array().unwrap().iter();
    assert!(reasons.any(|reason| reason.as_str().unwrap().starts_with("agreement:")), "{answer}");
    // By GET the answer is in the body.
    let url = format!("{}/api/v1/gates", service.url());
    let got = client.get(format!("{url}/delay-8/evaluate")).send().await.unwrap();
    assert_eq!(got.status(), 200);
    let list: Value = client.get(&url).send().await.unwrap().json().await.unwrap();
    assert_eq!(
        (&list["gates"][0]["gate"], &list["gates"][0]["verdict"]),
        (&"delay-8".into(), &"fail".into()),
        "{list}"
    );
    let one: Value = client.get(format!("{url}/delay-8")).send().await.unwrap().json().await.unwrap();
    assert_eq!((&one["schema"], &one["verdict"]), (&"windvane.gate/1".into(), &"fail".into()));
    assert_eq!(client.get(format!("{url}/unknown")).send().await.unwrap().status(), 404);
    // A person reads the same on the pages.
    for (path, words) in [("/gates", "href=\"/gates/delay-8\""), ("/gates/delay-8", "No: agreement")] {
        let page = client.get(format!("{}{path}", service.url())).send().await.unwrap().text().await.unwrap();
        assert!(page.contains(words), "no `{words}` on {path}: {page}");
    }
}
