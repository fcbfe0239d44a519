//! The scheduler of monitors: what it tells of itself, and that one monitor holds up no other.

use std::path::Path;

use windvane_kit::{Service, eventually, eventually_async};

use crate::asking::{document, query, windvane};
use crate::monitors::{BINARY, HOUR_US, PATIENCE, monitor};

/// What `/metrics` says of the analyzer.
struct Told(String);

impl Told {
    async fn by(service: &Service) -> Self {
        Self(reqwest::get(format!("{}/metrics", service.url())).await.unwrap().text().await.unwrap())
    }

    /// The value of a series.
    fn value(&self, series: &str) -> f64 {
        let Self(text) = self;
        let name = format!("windvane_analyzer_{series} ");
        let value = text.lines().find_map(|line| line.strip_prefix(name.as_str()));
        value.unwrap_or_else(|| panic!("no {name}in\n{text}")).parse().unwrap()
    }

    /// Windows of a kind that ended like this.
    fn runs(&self, kind: &str, state: &str) -> f64 {
        self.value(&format!("runs_total{{kind=\"{kind}\",state=\"{state}\"}}"))
    }

    /// A gauge of a monitor.
    fn of(&self, gauge: &str, (kind, monitor): (&str, &str)) -> f64 {
        self.value(&format!("{gauge}{{kind=\"{kind}\",monitor=\"{monitor}\"}}"))
    }
}

/// What monitors without an event do here: `missing` fails for want of its reference, the others are done.
const MONITORS: [(&str, &str); 3] = [("drift", "missing"), ("drift", "empty"), ("latency", "quick")];

#[tokio::test(flavor = "multi_thread")]
async fn runs_and_what_waits_are_counted_as_the_ledger_has_them() {
    let folder = tempfile::tempdir().unwrap();
    let monitors = [
        "[analyzer]\npoll = \"1s\"\n".to_owned(),
        monitor("missing", "m", "catch_up = 2").replace("previous", "baseline:none"),
        monitor("empty", "m", "catch_up = 2"),
        monitor("quick", "m", "kind = \"latency\"\ncatch_up = 3"),
    ];
    let service = Service::start(Path::new(BINARY), folder.path(), &monitors.concat());
    // An attempt takes the place of the one before it.
    let ledger = "SELECT kind, countIf(state = 'done') AS done, sumIf(attempt, state = 'failed') AS failed FROM monitor_runs FINAL \
                  GROUP BY kind HAVING done >= if(kind = 'drift', 2, 3) AND failed >= if(kind = 'drift', 2, 0) ORDER BY kind";
    let told = eventually_async(PATIENCE, async || {
        let runs = query(&service, ledger);
        let told = Told::by(&service).await;
        let counted = ["drift", "latency"]
            .map(|kind| format!("{kind}\t{}\t{}", told.runs(kind, "done"), told.runs(kind, "failed")));
        let waiting = MONITORS.map(|monitor| told.of("waiting_windows", monitor));
        match counted.join("\n") == runs && waiting == [2.0, 0.0, 0.0] {
            true => Ok(told),
            false => Err(format!("{counted:?} {waiting:?} where the ledger has\n{runs}")),
        }
    })
    .await;
    for kind in ["drift", "latency"] {
        let ended = told.runs(kind, "done") + told.runs(kind, "failed");
        assert_eq!(told.value(&format!("run_seconds_count{{kind=\"{kind}\"}}")), ended, "{kind}");
        assert!(told.value(&format!("run_seconds_sum{{kind=\"{kind}\"}}")) > 0.0, "{kind}");
        for state in ["elsewhere", "before", "stopped", "lost"] {
            assert_eq!(told.runs(kind, state), 0.0, "{kind} {state}");
        }
    }
    let [_, lags @ ..] = MONITORS.map(|monitor| told.of("lag_seconds", monitor));
    assert_eq!(lags, [0.0, 0.0]);
    the_lag_is_that_of_the_oldest_window(&service).await;
    assert_eq!(service.terminate(), Some(0));
}

/// The failed windows pause, and are behind all the same: the older one has been due since an hour before the newer.
async fn the_lag_is_that_of_the_oldest_window(service: &Service) {
    let us = |sql: &str| query(service, sql).parse::<i64>().unwrap();
    let due = us("SELECT toUnixTimestamp64Micro(next_due) FROM monitors FINAL WHERE monitor = 'missing'");
    let now = || us("SELECT toUnixTimestamp64Micro(now64(6))");
    let before = now();
    eventually_async(PATIENCE, async || {
        let lag = (Told::by(service).await.of("lag_seconds", MONITORS[0]) * 1e6).round() as i64;
        let after = now();
        assert!((HOUR_US..2 * HOUR_US).contains(&lag), "{lag}");
        // Windows become due an hour apart, so that it is all the same which of them it is.
        let looked = (lag - (before - due)).rem_euclid(HOUR_US);
        if looked <= after - before { Ok(()) } else { Err((lag, before - due, after - due)) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_monitor_that_cannot_tell_what_to_run_again_holds_up_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let poll = "[analyzer]\npoll = \"1s\"\n";
    let again = monitor("again", "m", "kind = \"performance\"\ntask = \"binary\"\ncatch_up = 2");
    let is_done = |service: &Service, monitor: &str| {
        let done =
            format!("SELECT countIf(state = 'done') > 0 FROM monitor_runs FINAL WHERE monitor = '{monitor}'");
        eventually(PATIENCE, || match query(service, &done).as_str() {
            "1" => Ok(()),
            _ => Err(service.log().join("\n")),
        });
    };
    let service = Service::start(Path::new(BINARY), folder.path(), &format!("{poll}{again}"));
    is_done(&service, "again");
    // Whether outcomes came for its window since then, nobody can say any more.
    let (user, password) = service.engine_user();
    let rename = reqwest::Client::new()
        .post(format!("{}/?database=windvane", service.engine_url()))
        .basic_auth(user, Some(password))
        .body("RENAME TABLE outcomes TO elsewhere");
    assert_eq!(rename.send().await.unwrap().status(), 200);
    assert_eq!(service.terminate(), Some(0));

    let other = monitor("other", "m", "catch_up = 2");
    let service = Service::start(Path::new(BINARY), folder.path(), &format!("{poll}{again}{other}"));
    is_done(&service, "other");
    let told = "cannot tell which windows have to be run again";
    assert!(service.log().iter().any(|line| line.contains(told)), "{}", service.log().join("\n"));
    assert_eq!(service.terminate(), Some(0));
}

/// What comes for a window until its delay is over belongs to it, also where somebody looked before.
#[tokio::test(flavor = "multi_thread")]
async fn a_window_that_was_run_by_hand_too_early_is_run_once_more() {
    let folder = tempfile::tempdir().unwrap();
    let brief = monitor("brief", "m", "kind = \"latency\"\ncatch_up = 100")
        .replace("window = \"1h\"", "window = \"5s\"")
        .replace("delay = \"0s\"", "delay = \"15s\"");
    let service =
        Service::start(Path::new(BINARY), folder.path(), &format!("[analyzer]\npoll = \"1s\"\n{brief}"));
    let now = query(&service, "SELECT formatDateTime(now(), '%FT%TZ', 'UTC')");
    document(&service, &["monitor", "run", "brief", "--at", &now, "--format", "json"]);
    let by_hand = "SELECT toUnixTimestamp64Micro(window_end), started_at < window_end + INTERVAL 15 SECOND FROM monitor_runs \
                   WHERE holder LIKE 'command-%' AND state = 'done'";
    let ran = query(&service, by_hand);
    let (window_end, was_early) = ran.split_once('\t').unwrap();
    assert_eq!(was_early, "1");
    let again = format!(
        "SELECT attempt, state FROM monitor_runs FINAL WHERE window_end = fromUnixTimestamp64Micro(toInt64({window_end})) \
         AND holder LIKE 'serve-%'"
    );
    eventually(PATIENCE, || match query(&service, &again).as_str() {
        "2\tdone" => Ok(()),
        found => Err(format!("{found}\n{}", service.log().join("\n"))),
    });

    for words in [
        &["monitor", "run", "brief", "--at", "2100-01-01"][..],
        &["monitor", "backfill", "brief", "--from", "2100-01-01", "--to", "2100-01-01T00:01:00Z"],
    ] {
        let refused = windvane(&service, words);
        let told = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(64), "{told}");
        assert!(told.contains("ended yet"), "{told}");
    }
    assert_eq!(query(&service, "SELECT count() FROM monitor_runs WHERE window_end > now()"), "0");
    assert_eq!(service.terminate(), Some(0));
}

/// The name stays, and what was done of another model is no look at this one.
#[tokio::test(flavor = "multi_thread")]
async fn a_monitor_that_watches_another_model_catches_up_with_it() {
    let folder = tempfile::tempdir().unwrap();
    for model in ["before", "now"] {
        let hourly = monitor("hourly", model, "kind = \"latency\"\ncatch_up = 2");
        let config = format!("[analyzer]\npoll = \"1s\"\n{hourly}");
        let service = Service::start(Path::new(BINARY), folder.path(), &config);
        let done =
            format!("SELECT count() >= 2 FROM monitor_runs FINAL WHERE state = 'done' AND model = '{model}'");
        eventually(PATIENCE, || match query(&service, &done) {
            found if found == "1" => Ok(()),
            found => Err(format!("{found}\n{}", service.log().join("\n"))),
        });
        let listed = document(&service, &["monitor", "list", "--format", "json"]);
        let note = format!("model: no prediction of `{model}` was stored when this window was run");
        assert_eq!(listed["monitors"][0]["last_run"]["note"], note, "{listed}");
        assert_eq!(service.terminate(), Some(0));
    }
}
