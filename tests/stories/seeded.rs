//! A service with something of everything in it: two models in versions, outcomes, a monitor that has found drift, an
//! experiment that was looked at, a gate that was run, and alerts that came and went.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use windvane_kit::{Service, eventually};

use crate::asking;

pub const BINARY: &str = env!("CARGO_BIN_EXE_windvane");
/// 2026-01-01, from which on there are days of predictions.
pub const START_US: i64 = 1_767_225_600_000_000;
const DAY_US: i64 = 86_400_000_000;
const DAYS: i64 = 8;
/// Predictions of a day and model.
const A_DAY: i64 = 120;

const CONFIG: &str = r#"
[monitors.daily]
model = "delay <7>"
reference = "window:2026-01-01/2026-01-05"
window = "1d"
segment_by = ["region"]
segment_rows_min = 30
enabled = false
[experiments.checkout]
control = "A"
window = "2d"
[experiments.checkout.metrics.revenue]
"#;

/// Runs a command against the service.
pub fn windvane(service: &Service, words: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command.args(["--log", "error"]).args(words).arg("--config").arg(service.config());
    command.output().expect("windvane starts")
}

/// What a command that succeeds prints.
pub fn told(service: &Service, words: &[&str]) -> String {
    let output = windvane(service, words);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// Starts the service, sends everything, compares every day with the first four, and looks at the experiment twice.
pub async fn start(folder: &Path) -> Service {
    let service = Service::start(Path::new(BINARY), folder, CONFIG);
    let predictions = predictions();
    let outcomes: String = (0..DAYS * A_DAY / 2)
        .map(|i| {
            let day = i * 2 / A_DAY;
            format!(
                "{{\"model\":\"delay <7>\",\"event_id\":\"d{}\",\"ts\":{},\"label\":\"{}\"}}\n",
                i * 2,
                START_US + (day + 1) * DAY_US,
                if i % 3 == 0 { "late" } else { "on_time" }
            )
        })
        .collect();
    let (exposures, measurements) = experiment();
    for (kind, body) in [
        ("predictions", predictions),
        ("outcomes", outcomes),
        ("exposures", exposures),
        ("measurements", measurements),
    ] {
        send(&service, kind, body).await;
    }
    let (from, to) = ("2026-01-01", "2026-01-09");
    told(&service, &["monitor", "backfill", "daily", "--from", from, "--to", to]);
    let spans = ["--reference", "window:2026-01-01/2026-01-05", "--window", "2026-01-05/2026-01-09"];
    let task = [
        "performance",
        "--model",
        "delay <7>",
        "--task",
        "binary",
        "--positive",
        "late",
        "--chunk-period",
        "day",
        "--segment-by",
        "region",
    ];
    told(&service, &[&task[..], &spans[..]].concat());
    rows(&service).await;
    told(&service, &["experiment", "checkout"]);
    told(&service, &["experiment", "checkout"]);
    service
}

/// Calls of a language model, checks of data and quantiles of latency, as rows: how they come to be is told elsewhere.
async fn rows(service: &Service) {
    let day = |day: &str| format!("fromUnixTimestamp64Micro({START_US} + toInt64({day}) * {DAY_US}, 'UTC')");
    let (from, to) = (day("number"), day("(number + 1)"));
    let calls = format!(
        "INSERT INTO windvane.llm_calls (ts, ingested_at, trace_id, span_id, service, operation, provider, response_model, input_tokens, \
         output_tokens, cache_read_tokens, finish_reasons, streamed, duration_us, time_to_first_token_us, time_per_output_token_us, \
         cost, currency, status) SELECT fromUnixTimestamp64Micro({START_US} + toInt64(number) * 600000000, 'UTC'), now64(6), \
         toString(number), toString(number), 'desk', 'chat', 'example', 'small-1', 100 + number, 20, 50, ['stop'], true, 900000, 120000, 21.5, \
         0.002, 'USD', if(number % 50 = 0, 'error', 'ok') FROM numbers(300)"
    );
    let checks = format!(
        "INSERT INTO windvane.quality_findings (computed_at, model, window_start, window_end, column_name, method, statistic, threshold, \
         occurrences, n_current, reference_kind, verdict, detail) SELECT now64(6), 'delay <7>', {from}, {to}, 'temp', 'missing_rate', 0.2, 0.1, 3, 120, \
         'window', if(number = 4, 'fail', 'pass') AS said, concat('{{\"check\":\"missing_rate\",\"column\":\"temp\",\"observed\":0.2,\"expected\":[0,0.1],', \
         '\"verdict\":\"', said, '\",\"count\":3,\"examples\":[]}}') FROM numbers(8)"
    );
    // A run tells both at one time.
    let ended = "toDateTime64(toDate(now()), 6)";
    let quantiles = format!(
        "INSERT INTO windvane.latency_findings (computed_at, model, window_start, window_end, method, statistic, reference_statistic, \
         n_reference, n_current, reference_kind, verdict, detail) SELECT {ended}, 'delay <7>', {from}, {to}, 'p99', 900, 850, 120, 120, 'window', \
         'steady', '{{\"group\":{{}},\"n\":120,\"mean\":500,\"quantiles\":[{{\"quantile\":\"p99\",\"value\":900,\"ci\":[850,950]}}],\"drift\":null}}' FROM numbers(8)"
    );
    let rules = format!(
        "INSERT INTO windvane.latency_findings (computed_at, model, window_start, window_end, method, statistic, ci_low, threshold, p_value, \
         n_reference, n_current, reference_kind, verdict) SELECT {ended}, 'delay <7>', {from}, {to}, 'burn 99.9% 250000us 3600s', 2, 3, 14.4, \
         0.5, 2, 120, 'window', 'ok' FROM numbers(8)"
    );
    let gate = gate();
    for sql in
        [calls.as_str(), checks.as_str(), quantiles.as_str(), rules.as_str(), gate.as_str(), ALERTS, MESSAGES]
    {
        insert(service, sql).await;
    }
    groups_and_attributions(service, (&from, &to)).await;
}

/// Two groups of each day by two measures, of which the last day's selection fails, and the ranking of two features.
async fn groups_and_attributions(service: &Service, (from, to): (&str, &str)) {
    let gaps = format!(
        "INSERT INTO windvane.fairness_findings (run_id, computed_at, model, window_start, window_end, segment_key, segment_value, reference_value, \
         method, statistic, ci_low, ci_high, value, reference_statistic, threshold, p_value, p_adjusted, n_reference, n_current, verdict, detail) \
         SELECT concat('fair-', toString(number)), now64(6), 'delay <7>', {from}, {to}, 'region', 'west', 'east', \
         arrayJoin(['demographic_parity', 'equal_opportunity']) AS metric, if(number = 7, -0.2, -0.01), if(number = 7, -0.3, -0.05), \
         if(number = 7, -0.1, 0.03), 0.3, 0.5, 0.05, 0.001, 0.002, 60, 60, \
         if(number = 7 AND metric = 'demographic_parity', 'fail', 'pass'), '{{\"group\":{{\"region\":\"west\"}},\"n\":60,\"labelled\":30}}' \
         FROM numbers(8)"
    );
    let ranking = format!(
        "INSERT INTO windvane.attribution_findings (run_id, computed_at, model, reference_kind, window_start, window_end, column_name, method, statistic, \
         reference_statistic, threshold, place, reference_place, n_reference, n_current, verdict) \
         SELECT concat('rank-', toString(number)), now64(6), 'delay <7>', 'window', {from}, {to}, \
         arrayJoin(['', 'temp', 'wind']) AS feature, if(feature = '', 'ndcg', 'importance'), if(feature = '', 0.8, 0.4), if(feature = '', NULL, 0.5), if(feature = '', 0.9, NULL), \
         indexOf(['wind', 'temp'], feature), indexOf(['temp', 'wind'], feature), 120, 120, if(feature = '', 'drift', '') FROM numbers(8)"
    );
    for sql in [gaps, ranking] {
        insert(service, &sql).await;
    }
}

/// Eight runs of a gate, the last one an hour ago; the fourth failed.
fn gate() -> String {
    let document = include_str!("../openapi/gate.json").trim_end();
    format!(
        "INSERT INTO windvane.gate_findings (run_id, computed_at, gate, model, version, champion_sha256, candidate_sha256, check, verdict, observed, \
         bound, ci_low, ci_high, n, reason, document) \
         SELECT concat('run-', toString(number)), now64(6) - toIntervalHour(8 - number), 'delay-8', 'delay <7>', '8', 'aa', 'bb', \
         arrayJoin(['', 'agreement', 'latency_ratio']) AS check, if(number = 3 AND check != 'latency_ratio', 'fail', 'pass'), \
         if(check = '', NULL, 0.99), if(check = '', NULL, 1), if(check = 'agreement', 0.98, NULL), if(check = 'agreement', 0.995, NULL), 1000, \
         if(check = '', '', 'as it was seen'), if(check = '', '{document}', '') FROM numbers(8)"
    )
}

/// Changes of alerts: of a model, of an experiment and of a gate, each pending, firing, resolved.
const ALERTS: &str = "
INSERT INTO windvane.alert_events (at, rule, fingerprint, from_state, to_state, reason, severity, model, labels, value, summary, holder)
SELECT now64(6) - toIntervalMinute(30 - 10 * number), alert.1, alert.2, ['inactive', 'pending', 'firing'][number + 1],
       ['pending', 'firing', 'resolved'][number + 1], 'entered', 'warning', alert.3['model'], alert.3, 0.4, alert.4, 'seeded'
FROM numbers(3)
ARRAY JOIN [('FeatureDrift', 'f1', map('model', 'delay <7>'), 'temp of delay <7> has moved'),
            ('ExperimentWorse', 'f2', map('experiment', 'checkout'), 'B of checkout is worse'),
            ('GateFailed', 'f3', map('model', 'delay <7>', 'gate', 'delay-8'), 'delay-8 does not let the candidate pass')] AS alert";

/// Three messages, the last one given up.
const MESSAGES: &str = "
INSERT INTO windvane.notifications (at, receiver, id, attempt, outcome, answer, reason, generation, firing, resolved, subject, took_ms, holder)
SELECT now64(6) - toIntervalMinute(30 - 10 * number), 'team', toString(number), 1, ['taken', 'taken', 'dead'][number + 1], '', 'firing', 1, 1,
       0, 'one alert fires', 12, 'seeded'
FROM numbers(3)";

/// Writes rows as they stand, by an INSERT.
pub async fn insert(service: &Service, sql: &str) {
    let (user, password) = service.engine_user();
    let sent = reqwest::Client::new()
        .post(service.engine_url())
        .header("X-ClickHouse-User", &user)
        .header("X-ClickHouse-Key", &password)
        .body(sql.to_owned())
        .send()
        .await
        .unwrap();
    assert_eq!(sent.status(), 200, "{}", sent.text().await.unwrap());
}

/// Two models; the first has two versions, and its temperature moves on the last two days.
fn predictions() -> String {
    let mut body = String::new();
    for i in 0..DAYS * A_DAY {
        let (day, place) = (i / A_DAY, i % A_DAY);
        let ts = START_US + day * DAY_US + place * (DAY_US / A_DAY);
        let temp = place * 37 % 50 + if day >= 6 { 25 } else { 0 };
        let version = if day >= 4 { "8" } else { "7" };
        let carrier = ["UA", "AA", "<DL>"][usize::try_from(place % 3).unwrap()];
        let region = if place % 2 == 0 { "east" } else { "west" };
        let status = if place % 40 == 0 { "timeout" } else { "ok" };
        writeln!(
            body,
            r#"{{"model":"delay <7>","version":"{version}","environment":"prod","event_id":"d{i}","ts":{ts},"unit_id":"u{place}","features":{{"temp":{temp},"carrier":"{carrier}","wind":{}}},"prediction":{{"score":0.{:02}}},"latency_us":{},"status":"{status}","tags":{{"region":"{region}"}}}}"#,
            place * 17 % 30,
            place % 100,
            500 + place * 11 % 400,
        )
        .unwrap();
        let label = if place % 4 == 0 { "spam" } else { "ham" };
        writeln!(
            body,
            r#"{{"model":"spam","version":"1","event_id":"s{i}","ts":{ts},"features":{{"length":{place}}},"prediction":{{"label":"{label}"}},"latency_us":900}}"#
        )
        .unwrap();
    }
    body
}

fn experiment() -> (String, String) {
    let (mut exposures, mut measurements) = (String::new(), String::new());
    for i in 0..80_i64 {
        let arm = if i % 2 == 0 { "A" } else { "B" };
        writeln!(exposures, r#"{{"experiment":"checkout","unit_id":"u{i}","arm":"{arm}","ts":{START_US}}}"#)
            .unwrap();
        let (ts, value) = (START_US + DAY_US / 2, 10 + i % 7 + 3 * (i % 2));
        writeln!(measurements, r#"{{"unit_id":"u{i}","metric":"revenue","value":{value},"ts":{ts}}}"#)
            .unwrap();
    }
    (exposures, measurements)
}

/// Sends records and waits until they are stored.
pub async fn send(service: &Service, kind: &str, body: String) {
    let count = format!("SELECT count() FROM {kind} FORMAT TSV");
    let expected = told(service, &["query", &count]).parse::<usize>().unwrap() + body.lines().count();
    asking::send(service, kind, body).await;
    eventually(Duration::from_secs(30), || {
        match told(service, &["query", &count]).parse::<usize>().unwrap() {
            found if found == expected => Ok(()),
            found => Err(format!("{found} of {expected} {kind}")),
        }
    });
}
