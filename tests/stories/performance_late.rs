//! Outcomes that come late: coverage, windows that are measured again, corrections, and the numbers in the end.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use windvane_kit::{Service, eventually};

use crate::asking::{self, query, stdout, windvane};

const BINARY: &str = env!("CARGO_BIN_EXE_windvane");
const DAY_US: i64 = 86_400_000_000;
const DAYS: i64 = 4;
const EVENTS: i64 = 24;
/// Outcomes come in so many deliveries, five days of them each.
const DELIVERIES: i64 = 6;
/// How long scheduled runs may take on a slow machine.
const PATIENCE: Duration = Duration::from_secs(300);

async fn send(service: &Service, kind: &str, lines: &[String]) {
    // Merges take away what corrections have replaced, but nothing of what is sent now.
    let since = query(service, "SELECT toUnixTimestamp64Micro(now64(6))");
    let count = format!("SELECT count() FROM {kind} WHERE toUnixTimestamp64Micro(ingested_at) >= {since}");
    let rows = || query(service, &count).parse::<usize>().unwrap();
    let expected = lines.len();
    asking::send(service, kind, lines.join("\n")).await;
    eventually(Duration::from_secs(30), || match rows() {
        found if found >= expected => Ok(()),
        found => Err(format!("{found} of {expected}")),
    });
}

/// An event of a day: days count back from today, from 1; those above [`DAYS`] are the reference.
#[derive(Clone, Copy)]
struct Event {
    day: i64,
    i: i64,
}

impl Event {
    fn id(self) -> String {
        format!("d{}-{}", self.day, self.i)
    }

    fn score(self) -> f64 {
        ((self.i * 37 + self.day * 11) % 100) as f64 / 100.0
    }

    /// What turns out to be true of it in the end.
    fn truth(self) -> bool {
        ((self.i * 61 + self.day * 7) % 97) as f64 / 96.0 < self.score()
    }

    /// By which delivery its outcome first comes.
    fn delivery(self) -> i64 {
        (self.i * 7 + self.day) % DELIVERIES
    }

    /// Whether its first outcome is wrong, and so is the second.
    fn is_corrected(self) -> bool {
        self.i % 8 == 3
    }

    fn prediction(self, today_us: i64) -> String {
        let ts = today_us - self.day * DAY_US + self.i * 3_000_000_000;
        format!(
            r#"{{"model":"late","event_id":"{}","ts":{ts},"features":{{"x":{}}},"prediction":{{"score":{}}},"tags":{{"region":"{}"}}}}"#,
            self.id(),
            self.i,
            self.score(),
            if self.i % 2 == 0 { "east" } else { "west" },
        )
    }

    fn outcome(self, positive: bool, today_us: i64) -> String {
        let label = u8::from(positive);
        format!(r#"{{"model":"late","event_id":"{}","ts":{today_us},"label":"{label}"}}"#, self.id())
    }
}

fn events(days: std::ops::RangeInclusive<i64>) -> Vec<Event> {
    days.flat_map(|day| (0..EVENTS).map(move |i| Event { day, i })).collect()
}

/// The outcomes of one delivery: first ones, corrections of earlier ones, corrections of corrections, and some of events that
/// were never predicted.
fn delivered(delivery: i64, today_us: i64) -> Vec<String> {
    let all = events(1..=DAYS);
    let first = all.iter().filter(|event| event.delivery() == delivery);
    let once_more =
        |later: i64| move |event: &&Event| event.is_corrected() && event.delivery() + later == delivery;
    let first = first.map(|event| event.outcome(event.truth() != event.is_corrected(), today_us));
    let second = all.iter().filter(once_more(1)).map(|event| event.outcome(!event.truth(), today_us));
    let third = all.iter().filter(once_more(2)).map(|event| event.outcome(event.truth(), today_us));
    let unknown = (0..3).map(|i| Event { day: 900 + delivery, i }.outcome(true, today_us));
    first.chain(second).chain(third).chain(unknown).collect()
}

/// Label of an event after a delivery, if it has one.
fn known(event: Event, delivery: i64) -> Option<bool> {
    let since = delivery - event.delivery();
    match (event.is_corrected(), since) {
        (_, ..0) => None,
        (true, 0..=1) => Some(!event.truth()),
        _ => Some(event.truth()),
    }
}

/// Labelled events and right predictions of a day after a delivery.
fn expected(day: i64, delivery: i64) -> (u64, u64) {
    let labels = events(day..=day).into_iter().filter_map(|event| Some((event, known(event, delivery)?)));
    labels.fold((0, 0), |(labelled, right), (event, truth)| {
        (labelled + 1, right + u64::from((event.score() >= 0.5) == truth))
    })
}

/// What the findings say of each day's accuracy: rows, labelled rows, right ones; by how many days ago.
fn found(service: &Service, today_us: i64) -> BTreeMap<i64, (u64, u64, u64)> {
    let rows = query(
        service,
        "SELECT toUnixTimestamp64Micro(window_start), n, labelled, toUInt64(ifNull(round(realised * labelled), 0)) \
         FROM performance_findings FINAL WHERE monitor = 'right' AND segment_key = '' AND metric = 'accuracy'",
    );
    let line = |line: &str| {
        let fields: Vec<i64> = line.split('\t').map(|field| field.parse().unwrap()).collect();
        let count = |at: usize| u64::try_from(fields[at]).unwrap();
        ((today_us - fields[0]) / DAY_US, (count(1), count(2), count(3)))
    };
    rows.lines().map(line).collect()
}

fn wait_for_delivery(service: &Service, today_us: i64, delivery: i64) {
    eventually(PATIENCE, || {
        let found = found(service, today_us);
        for day in 1..=DAYS {
            let (labelled, right) = expected(day, delivery);
            let expected = Some((EVENTS.unsigned_abs(), labelled, right));
            if found.get(&day).copied() != expected {
                let log = service.log().join("\n");
                let tail = &log[log.len().saturating_sub(2_000)..];
                return Err(format!(
                    "{delivery}, {day} days ago: {:?} instead of {expected:?}\n{tail}",
                    found.get(&day)
                ));
            }
        }
        Ok(())
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_are_measured_again_until_their_outcomes_are_known() {
    let folder = tempfile::tempdir().unwrap();
    let quiet = Service::start(Path::new(BINARY), folder.path(), "");
    let today_us: i64 =
        query(&quiet, "SELECT toUnixTimestamp(toStartOfDay(now('UTC'))) * 1000000").parse().unwrap();
    let reference = events(DAYS + 1..=DAYS + 10);
    // Some outcomes are there before their predictions.
    send(&quiet, "outcomes", &delivered(0, today_us)).await;
    let predictions: Vec<String> =
        events(1..=DAYS).iter().chain(&reference).map(|event| event.prediction(today_us)).collect();
    send(&quiet, "predictions", &predictions).await;
    let truths: Vec<String> = reference.iter().map(|event| event.outcome(event.truth(), today_us)).collect();
    send(&quiet, "outcomes", &truths).await;
    let time = |us: i64| {
        let seconds = us / 1_000_000;
        query(&quiet, &format!("SELECT formatDateTime(toDateTime({seconds}), '%FT%TZ', 'UTC')"))
    };
    let (start, end) = (time(today_us - (DAYS + 10) * DAY_US), time(today_us - DAYS * DAY_US));
    let window = format!("{end}/{}", time(today_us));
    assert_eq!(quiet.terminate(), Some(0));

    let config = |catch_up: i64| {
        format!(
            "[analyzer]\npoll = \"1s\"\nruns_max = 2\n\
             [monitors.right]\nkind = \"performance\"\ntask = \"binary\"\nmodel = \"late\"\nreference = \"window:{start}/{end}\"\n\
             window = \"1d\"\ndelay = \"0s\"\ncatch_up = {catch_up}\nsegment_by = [\"region\"]\nsegment_rows_min = 1\nmin_rows = 5\n\
             estimate = true\nreopen_for = \"60d\"\nreopen_every = \"1s\"\n\
             [monitors.fair]\nkind = \"fairness\"\nmodel = \"late\"\nwindow = \"1d\"\nsegment_by = [\"region\"]\nenabled = false\n\
             [monitors.rank]\nkind = \"attribution\"\nmodel = \"late\"\nwindow = \"1d\"\nreference = \"previous\"\ncolumns = [\"x\"]\n\
             min_rows = 10\nenabled = false\n"
        )
    };
    let first = Service::start(Path::new(BINARY), folder.path(), &config(DAYS));
    wait_for_delivery(&first, today_us, 0);
    assert_eq!(first.terminate(), Some(0));
    // Another service measures them again, also those that are older than what it catches up with.
    let service = Service::start(Path::new(BINARY), folder.path(), &config(1));
    for delivery in 1..DELIVERIES + 2 {
        send(&service, "outcomes", &delivered(delivery, today_us)).await;
        wait_for_delivery(&service, today_us, delivery);
    }
    // In the end every prediction has its outcome, corrected twice where it was wrong.
    let all = found(&service, today_us);
    assert!(all.values().all(|(n, labelled, _)| n == labelled), "{all:?}");
    let attempts = query(
        &service,
        "SELECT min(attempt), max(attempt) FROM monitor_runs FINAL WHERE kind = 'performance'",
    );
    let attempts: Vec<u64> = attempts.split('\t').map(|n| n.parse().unwrap()).collect();
    assert!(attempts[0] > 1 && attempts[1] as i64 <= 2 * (DELIVERIES + 2), "{attempts:?}");

    the_command_says_the_same(&service, (&start, &end, &window)).await;
    one_stream_says_what_two_statements_say(&service, today_us).await;
    groups_are_calibrated_by_the_probability_of_the_positive_class(&service, today_us).await;
    the_api_shows_it(&service).await;
    errors_of_the_store_are_a_stream(&service, &window);
    scores_are_held_against_outcomes_in_words(&service, today_us).await;
    gaps_and_attributions_are_kept_once(&service, (&start, &end, &window));
    monitors_of_groups_and_attributions_keep_theirs(&service);
    a_prediction_that_comes_after_its_outcome_opens_its_window(&service, today_us).await;
    // Nothing new is known, so nothing is measured again.
    let runs = query(&service, "SELECT sum(attempt) FROM monitor_runs FINAL");
    let asked = service.log().len();
    send(&service, "outcomes", &[Event { day: 999, i: 1 }.outcome(true, today_us)]).await;
    let listed = stdout(&windvane(&service, &["monitor", "list", "--format", "json"]));
    assert!(listed.contains("\"kind\": \"performance\""), "{listed}");
    assert_eq!(query(&service, "SELECT sum(attempt) FROM monitor_runs FINAL"), runs, "{asked}");
    assert_eq!(service.terminate(), Some(0));
}

/// Whether two documents say the same, numbers to a few last bits: sums of the same rows are made in another order.
fn alike(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            (a - b).abs() <= 1e-12 * a.abs().max(1.0)
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| alike(a, b)))
        }
        (a, b) => a == b,
    }
}

/// It came after its window was measured, and after its outcome: no outcome came for the window after that.
async fn a_prediction_that_comes_after_its_outcome_opens_its_window(service: &Service, today_us: i64) {
    let (late, other) = (Event { day: 2, i: EVENTS }, Event { day: 2, i: 0 });
    send(service, "outcomes", &[late.outcome(late.truth(), today_us)]).await;
    // The window is measured once more, by an outcome that was received later.
    send(service, "outcomes", &[other.outcome(other.truth(), today_us)]).await;
    let seen = format!(
        "SELECT max(outcomes_until) >= (SELECT max(ingested_at) FROM outcomes WHERE event_id = '{}') FROM performance_findings FINAL \
         WHERE monitor = 'right' AND toUnixTimestamp64Micro(window_start) = {}",
        other.id(),
        today_us - 2 * DAY_US
    );
    eventually(PATIENCE, || match query(service, &seen).as_str() {
        "1" => Ok(()),
        other => Err(other.to_owned()),
    });
    send(service, "predictions", &[late.prediction(today_us)]).await;
    let all = EVENTS.unsigned_abs() + 1;
    eventually(PATIENCE, || match found(service, today_us).get(&2) {
        Some((n, labelled, _)) if (*n, *labelled) == (all, all) => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

fn errors_of_the_store_are_a_stream(service: &Service, window: &str) {
    let detect = |more: &[&str]| {
        let words = ["detect", "--model", "late", "--window", window];
        windvane(service, &[&words[..], more, &["--format", "json"]].concat())
    };
    let found: Value = serde_json::from_str(&stdout(&detect(&["--detector", "ddm,adwin"]))).unwrap();
    assert_eq!(found["column"], "prediction.error");
    let labelled: u64 = (1..=DAYS).map(|day| expected(day, DELIVERIES + 1).0).sum();
    for detected in found["detectors"].as_array().unwrap() {
        assert_eq!(detected["values"], labelled, "{found}");
    }
    let features: Value =
        serde_json::from_str(&stdout(&detect(&["--column", "x", "--detector", "cusum"]))).unwrap();
    assert_eq!(features["detectors"][0]["values"], EVENTS * DAYS, "every prediction has a feature");
    let unknown = detect(&["--column", "nope"]);
    assert_eq!(unknown.status.code(), Some(65), "{unknown:?}");
    let none = windvane(service, &["detect", "--model", "late", "--window", "2000-01-01/2000-01-02"]);
    assert!(
        String::from_utf8_lossy(&none.stderr).contains("no prediction of the window has an error"),
        "{none:?}"
    );
}

/// Of a score and an outcome in words nothing could be watched, whatever was said.
async fn scores_are_held_against_outcomes_in_words(service: &Service, today_us: i64) {
    let is_late = |i: i64| (i < 300) == (i % 2 == 0);
    let prediction = |i: i64| {
        let (score, ts) = (if i % 2 == 0 { 0.9 } else { 0.1 }, today_us - DAY_US + i);
        format!(r#"{{"model":"worded","event_id":"w{i}","ts":{ts},"prediction":{{"score":{score}}}}}"#)
    };
    let outcome = |i: i64| {
        let label = if is_late(i) { "late" } else { "on_time" };
        format!(r#"{{"model":"worded","event_id":"w{i}","ts":{today_us},"label":"{label}"}}"#)
    };
    send(service, "predictions", &(0..400).map(prediction).collect::<Vec<_>>()).await;
    send(service, "outcomes", &(0..400).map(outcome).collect::<Vec<_>>()).await;
    let detect = |more: &[&str]| {
        let words = ["detect", "--model", "worded", "--window", "7d", "--format", "json"];
        windvane(service, &[&words[..], more].concat())
    };
    let document = |more: &[&str]| -> Value { serde_json::from_str(&stdout(&detect(more))).unwrap() };
    assert_eq!(document(&[])["detectors"][0]["values"], 0);
    let found = document(&["--positive", "late", "--detector", "adwin"]);
    let first = &found["detectors"][0]["first"][0];
    assert_eq!(
        (&found["detectors"][0]["values"], &first["mean_before"].is_number()),
        (&400.into(), &true),
        "{found}"
    );
    // The first three hundred are right, all others wrong.
    assert!((301..=400).contains(&first["index"].as_u64().unwrap()), "{found}");
    assert_eq!(detect(&["--positive", "late", "--column", "prediction.score"]).status.code(), Some(64));
}

async fn the_command_says_the_same(service: &Service, (start, end, window): (&str, &str, &str)) {
    let reference = format!("window:{start}/{end}");
    let words = [
        "performance",
        "--model",
        "late",
        "--task",
        "binary",
        "--reference",
        &reference,
        "--window",
        window,
        "--segment-by",
        "region",
        "--format",
        "json",
    ];
    let document: Value = serde_json::from_str(&stdout(&windvane(service, &words))).unwrap();
    let chunks = document["chunks"].as_array().unwrap();
    assert_eq!(chunks.len() as i64, DAYS);
    for (chunk, day) in chunks.iter().zip((1..=DAYS).rev()) {
        let (labelled, right) = expected(day, DELIVERIES + 1);
        let accuracy = crate::performance::metric(chunk, "accuracy")["realised"].as_f64().unwrap();
        assert_eq!((&chunk["n"], &chunk["labelled"]), (&EVENTS.into(), &labelled.into()));
        assert!((accuracy - right as f64 / labelled as f64).abs() < 1e-12, "{chunk}");
    }
    assert_eq!(document["segments"].as_array().unwrap().len(), 2);
    // Kept beside what the monitor found.
    let kept =
        query(service, "SELECT uniqExact(window_start) FROM performance_findings FINAL WHERE monitor = ''");
    assert_eq!(kept, DAYS.to_string());
}

/// Two classes are read as one stream a side, unless outcomes have a third one: then by a tally and a stream of scores. Here that one is
/// of an event that was never predicted, so that both ways have the same to say: of answers without a score, scores that are tied,
/// outcomes that are numbers, came before their prediction or were corrected, and rows of no region.
async fn one_stream_says_what_two_statements_say(service: &Service, today_us: i64) {
    let events = 0..600_i64;
    let prediction = |i: i64| {
        let ts = today_us - (1 + i % 6) * DAY_US + i * 60_000_000;
        let score = (i * 37 % 21) as f64 / 20.0;
        let answer =
            if i % 11 == 0 { String::new() } else { format!(r#","prediction":{{"score":{score}}}"#) };
        let tags = if i % 7 == 0 { String::new() } else { format!(r#","tags":{{"region":"r{}"}}"#, i % 2) };
        format!(r#"{{"model":"mixed","event_id":"m{i}","ts":{ts},"features":{{"x":{i}}}{answer}{tags}}}"#)
    };
    let outcome = |i: i64, wrong: bool| {
        let truth = u8::from(((i * 61 % 23) < 12) != wrong);
        let told = if i % 13 == 3 { format!(r#""value":{truth}"#) } else { format!(r#""label":"{truth}""#) };
        format!(r#"{{"model":"mixed","event_id":"m{i}","ts":{today_us},{told}}}"#)
    };
    let (labelled, corrected) = (|i: &i64| i % 5 != 4, |i: &i64| i % 9 == 2);
    let early = |i: &i64| i % 4 == 0;
    let of = |chosen: &dyn Fn(&i64) -> bool| {
        events.clone().filter(|i| labelled(i) && chosen(i)).collect::<Vec<_>>()
    };
    let lines = |events: Vec<i64>, wrong: bool| {
        events.into_iter().map(|i| outcome(i, wrong && corrected(&i))).collect::<Vec<String>>()
    };
    send(service, "outcomes", &lines(of(&early), true)).await;
    send(service, "predictions", &events.clone().map(prediction).collect::<Vec<_>>()).await;
    // Some are sent once more: rows of segments counted these twice where two statements were asked.
    send(service, "predictions", &events.clone().filter(|i| i % 3 == 1).map(prediction).collect::<Vec<_>>())
        .await;
    send(service, "outcomes", &lines(of(&|i| !early(i)), true)).await;
    send(service, "outcomes", &lines(of(&corrected), false)).await;
    let day = |days: i64| {
        let seconds = (today_us - days * DAY_US) / 1_000_000;
        query(service, &format!("SELECT formatDateTime(toDateTime({seconds}), '%FT%TZ', 'UTC')"))
    };
    let (reference, window) = (format!("window:{}/{}", day(6), day(3)), format!("{}/{}", day(3), day(0)));
    let model = ["performance", "--model", "mixed", "--task", "binary", "--segment-by", "region"];
    let ask = |reference: &str| -> Value {
        let sides = ["--reference", reference, "--window", window.as_str()];
        let words = [&model[..], &sides[..], &["--no-record", "--format", "json"]].concat();
        serde_json::from_str(&stdout(&windvane(service, &words))).unwrap()
    };
    // A reference apart from the window, one that shares a day with it, and one within.
    let all = [reference, format!("window:{}/{}", day(5), day(2)), format!("window:{}/{}", day(3), day(1))];
    let before: Vec<Value> = all.iter().map(|reference| ask(reference)).collect();
    let third = format!(r#"{{"model":"mixed","event_id":"never","ts":{today_us},"label":"maybe"}}"#);
    send(service, "outcomes", &[third]).await;
    let after: Vec<Value> = all.iter().map(|reference| ask(reference)).collect();
    for (streamed, asked) in before.iter().zip(&after) {
        assert!(alike(streamed, asked), "{streamed}\n{asked}");
    }

    let streamed = &before[0];
    let chunks = streamed["chunks"].as_array().unwrap();
    let found: Vec<_> =
        chunks.iter().map(|chunk| (chunk["n"].as_u64(), chunk["labelled"].as_u64())).collect();
    let expected = (0..3).rev().map(|day| {
        let of_day: Vec<i64> = events.clone().filter(|i| i % 6 == day).collect();
        (Some(of_day.len() as u64), Some(of_day.iter().filter(|i| labelled(i)).count() as u64))
    });
    assert_eq!(found, expected.collect::<Vec<_>>());
    let segments = streamed["segments"].as_array().unwrap();
    assert_eq!(segments.len(), 3);
    let current = segments.iter().map(|segment| segment["rows_current"].as_u64().unwrap());
    assert_eq!(current.sum::<u64>(), 300, "{segments:?}");
}

/// Predictions with a label and probabilities have no score: areas of the positive class's probability were told of them, and no calibration.
async fn groups_are_calibrated_by_the_probability_of_the_positive_class(service: &Service, today_us: i64) {
    let prediction = |i: i64| {
        let (p, ts) = ((i * 37 % 100) as f64 / 100.0, today_us - DAY_US + i);
        let label = if p < 0.5 { "ok" } else { "late" };
        format!(
            r#"{{"model":"sure","event_id":"s{i}","ts":{ts},"features":{{"part":"{}"}},"prediction":{{"label":"{label}","probabilities":{{"late":{p},"ok":{}}}}}}}"#,
            i % 2,
            1.0 - p
        )
    };
    let outcome = |i: i64| {
        let label = if i * 61 % 97 < 48 { "late" } else { "ok" };
        format!(r#"{{"model":"sure","event_id":"s{i}","ts":{today_us},"label":"{label}"}}"#)
    };
    send(service, "predictions", &(0..400).map(prediction).collect::<Vec<_>>()).await;
    send(service, "outcomes", &(0..400).map(outcome).collect::<Vec<_>>()).await;
    let asked = ["fairness", "--model", "sure", "--window", "7d", "--group-by", "part", "--positive", "late"];
    let all = [&asked[..], &["--no-record", "--format", "json"]].concat();
    let document: Value = serde_json::from_str(&stdout(&windvane(service, &all))).unwrap();
    let gaps =
        document["groups"].as_array().unwrap().iter().flat_map(|group| group["gaps"].as_array().unwrap());
    assert_eq!(gaps.filter(|gap| gap["metric"] == "calibration").count(), 2, "{document}");
}

fn gaps_and_attributions_are_kept_once(service: &Service, (start, end, window): (&str, &str, &str)) {
    let reference = format!("window:{start}/{end}");
    let fairness = ["fairness", "--group-by", "region"];
    let attribution = ["attribution", "--reference", &reference, "--columns", "x"];
    for _ in 0..2 {
        for own in [&fairness[..], &attribution[..]] {
            let all = [own, &["--model", "late", "--window", window, "--format", "json"]].concat();
            let document: Value = serde_json::from_str(&stdout(&windvane(service, &all))).unwrap();
            assert_eq!(document["schema"], format!("windvane.{}/1", own[0]));
        }
    }
    let printed =
        [&fairness[..], &["--model", "late", "--window", window, "--format", "json", "--no-record"]].concat();
    let document: Value = serde_json::from_str(&stdout(&windvane(service, &printed))).unwrap();
    let gaps: usize =
        document["groups"].as_array().unwrap().iter().map(|g| g["gaps"].as_array().unwrap().len()).sum();
    let kept = "SELECT count(), uniqExact(run_id), countIf(segment_key = 'region' AND n_current > 0) \
                FROM fairness_findings FINAL WHERE model = 'late' AND monitor = ''";
    assert_eq!(query(service, kept), format!("{gaps}\t1\t{gaps}"), "{document}");
    let kept = "SELECT method, column_name, place, verdict FROM attribution_findings FINAL WHERE monitor = '' ORDER BY method";
    assert_eq!(query(service, kept), "importance\tx\t1\t\nndcg\t\t0\tno_drift");
}

fn monitors_of_groups_and_attributions_keep_theirs(service: &Service) {
    for (monitor, schema, verdict) in
        [("fair", "windvane.fairness/1", "insufficient_data"), ("rank", "windvane.attribution/1", "no_drift")]
    {
        let printed = stdout(&windvane(service, &["monitor", "run", monitor, "--format", "json"]));
        let document: Value = serde_json::from_str(&printed).unwrap();
        assert_eq!(
            (&document["schema"], &document["verdict"]),
            (&schema.into(), &verdict.into()),
            "{document}"
        );
    }
    let kept = "SELECT (SELECT uniqExact(segment_value) FROM fairness_findings FINAL WHERE monitor = 'fair'), \
                (SELECT count() FROM attribution_findings FINAL WHERE monitor = 'rank' AND granularity = '1d'), \
                (SELECT countIf(state = 'done') FROM monitor_runs FINAL WHERE monitor IN ('fair', 'rank'))";
    assert_eq!(query(service, kept), "2\t2\t2");
}

async fn get(service: &Service, path: &str) -> (u16, Value) {
    let answer = reqwest::get(format!("{}{path}", service.url())).await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn the_api_shows_it(service: &Service) {
    let path = "/api/v1/models/late/performance";
    let (status, answer) = get(service, &format!("{path}?monitor=right&limit=3")).await;
    assert_eq!((status, &answer["schema"]), (200, &"windvane.performance_windows/1".into()), "{answer}");
    assert_eq!((answer["windows"].as_array().unwrap().len(), &answer["next_offset"]), (3, &3.into()));
    let window = &answer["windows"][0];
    assert_eq!(
        (&window["task"], &window["coverage"], &window["n"]),
        (&"binary".into(), &1.0.into(), &EVENTS.into())
    );
    assert_eq!(window["segments"][0]["segment"], serde_json::json!({"region": "east"}));
    // A window alone says nothing of estimates: the earlier ones count.
    let known = |window: &Value| {
        window["trust"]["chunks"].as_u64() >= Some(3) && window["trust"]["verdict"] != "unknown"
    };
    assert!(answer["windows"].as_array().unwrap().iter().any(known), "{answer}");
    let only = get(service, &format!("{path}?monitor=right&metric=accuracy&segment=none&limit=1")).await.1;
    assert_eq!(only["windows"][0]["metrics"].as_array().unwrap().len(), 1);
    // The ten days of the reference: they were cut at 15:58:10, and were eleven.
    assert_eq!(only["windows"][0]["metrics"][0]["threshold_chunks"], 10, "{only}");
    assert_eq!(only["windows"][0]["segments"], serde_json::json!([]));
    for (path, status, code) in [
        ("/api/v1/models/nope/performance", 404, "unknown_model"),
        ("/api/v1/models/late/performance?verdict=bad", 400, "invalid_parameter"),
        ("/api/v1/models/late/performance?metric=luck", 400, "invalid_parameter"),
        ("/api/v1/models/late/performance?page=2", 400, "unknown_parameter"),
    ] {
        let (found, problem) = get(service, path).await;
        assert_eq!((found, &problem["code"]), (status, &code.into()), "{path}: {problem}");
    }
}

// Was an answer of dashes, and exit code 0.
#[tokio::test(flavor = "multi_thread")]
async fn outcomes_that_are_labels_are_no_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(Path::new(BINARY), folder.path(), "");
    let predictions = (0..40).map(|i| {
        format!(
            r#"{{"model":"eta","event_id":"e{i}","features":{{"x":{i}}},"prediction":{{"value":{i}.5}}}}"#
        )
    });
    send(&service, "predictions", &predictions.collect::<Vec<_>>()).await;
    let asked = |window: &str| {
        let words = ["performance", "--model", "eta", "--task", "regression", "--weakest", "0"];
        windvane(&service, &[&words[..], &["--reference", "previous", "--window", window]].concat())
    };
    let unknown = asked("1h");
    assert!(unknown.status.success(), "{unknown:?}");
    let label = |i| if i % 2 == 0 { "late" } else { "17" };
    let outcomes = (0..40).map(|i| format!(r#"{{"model":"eta","event_id":"e{i}","label":"{}"}}"#, label(i)));
    send(&service, "outcomes", &outcomes.collect::<Vec<_>>()).await;
    for window in ["1h", "2h"] {
        let refused = asked(window);
        let said = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(65), "{refused:?}");
        assert!(
            said.contains("40 outcomes of the current population have a `label` and no `value`, which a regression needs"),
            "{said}"
        );
    }
    assert_eq!(service.terminate(), Some(0));
}
