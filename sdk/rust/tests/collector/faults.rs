//! The server is slow, away, or wrong: received + dropped = logged, exactly, and no call waits.

use std::cell::RefCell;
use std::collections::HashSet;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use windvane_sdk::{
    Answer, Client, EventId, OnFull, Outcome, Prediction, Redacted, Settings, Stats, Truth, sampling,
};

use super::server::{Collector, Fault};

const LIMIT: Duration = Duration::from_secs(20);

fn log(client: &Client, n: usize, model: &str) -> Vec<EventId> {
    let one = |x: usize| {
        let features = [("x", i64::try_from(x).unwrap().into()), ("carrier", "UA".into())];
        client.log_prediction(&Prediction {
            model,
            features: &features,
            answer: Answer::Score(0.5),
            ..Prediction::default()
        })
    };
    (0..n).map(one).collect()
}

fn checked(client: &Client) -> Stats {
    let stats = client.stats();
    assert_eq!(stats.accounted(), stats.logged, "{stats:?}");
    stats
}

fn arrived(collector: &Collector) -> Vec<String> {
    let records = collector.records("predictions");
    records.iter().map(|record| record["event_id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn each_event_arrives_once_after_any_row_of_faults() {
    use Fault::{Away, Lost, Rubbish, Status};
    let plans: [&[Fault]; 6] = [
        &[],
        &[Away, Away],
        &[Lost, Lost],
        &[Status(500, ""), Status(503, "0"), Status(429, "0.05"), Status(401, "")],
        &[Rubbish],
        &[Lost, Status(500, ""), Away, Status(429, "nonsense"), Rubbish, Lost],
    ];
    for plan in plans {
        let collector = Collector::start();
        collector.told(|held| held.plan = plan.iter().cloned().collect());
        let client = collector.client();
        let mut ids: Vec<String> = log(&client, 50, "").iter().map(ToString::to_string).collect();
        assert!(client.flush(LIMIT), "{plan:?}: {:?}", client.stats());
        let mut found = arrived(&collector);
        ids.sort();
        found.sort();
        assert_eq!(found, ids, "{plan:?}");
        assert_eq!((checked(&client).received, checked(&client).dropped()), (50, 0), "{plan:?}");
    }
}

#[test]
fn retry_after_is_waited_for() {
    let collector = Collector::start();
    collector.told(|held| held.plan.push_back(Fault::Status(429, "0.3")));
    let client = collector.client();
    let begun = Instant::now();
    log(&client, 1, "");
    assert!(client.flush(LIMIT));
    assert!(begun.elapsed() >= Duration::from_millis(300));
}

#[test]
fn a_batch_that_is_too_large_is_split() {
    let collector = Collector::start();
    collector.told(|held| held.events_max = Some(7));
    let client = collector.client();
    log(&client, 100, "");
    assert!(client.flush(LIMIT));
    assert_eq!((checked(&client).received, arrived(&collector).len()), (100, 100));
}

#[test]
fn the_collector_is_told_how_many_were_lost() {
    let collector = Collector::start();
    collector.told(|held| held.plan.push_back(Fault::Status(422, "")));
    // Sent by `flush` alone, so that the three are one batch.
    let client = Client::new(Settings { flush_interval: LIMIT, ..collector.settings() }).unwrap();
    log(&client, 3, "");
    let begun = Instant::now();
    while collector.records("measurements").is_empty() {
        assert!(begun.elapsed() < LIMIT, "{:?}", client.stats());
        client.flush(Duration::from_millis(5));
        std::thread::yield_now();
    }
    let [told] = &collector.records("measurements")[..] else { panic!("told more than once") };
    assert_eq!(told["metric"], "windvane.sdk.dropped");
    assert_eq!(told["value"], 3.0);
    assert!(told["unit_id"].as_str().unwrap().starts_with("rust/"));
    assert_eq!(checked(&client).logged, 3, "a report is no event of the caller");
}

#[test]
fn refused_and_rejected_events_are_counted() {
    let collector = Collector::start();
    collector.told(|held| held.plan.push_back(Fault::Status(422, "")));
    let client = collector.client();
    log(&client, 3, "");
    assert!(client.flush(LIMIT));
    log(&client, 2, "");
    log(&client, 4, "refused");
    assert!(client.flush(LIMIT));
    let stats = checked(&client);
    assert_eq!((stats.dropped_refused, stats.received, stats.rejected), (3, 2, 4));
}

#[test]
fn the_queue_is_bounded_in_bytes_and_drops_by_its_policy() {
    for on_full in [OnFull::DropNewest, OnFull::DropOldest] {
        let collector = Collector::start();
        collector.told(|held| held.always = Some(Fault::Status(500, "")));
        let client = Client::new(Settings { queue_bytes: 100_000, on_full, ..collector.settings() }).unwrap();
        let ids = log(&client, 5_000, "");
        let stats = checked(&client);
        assert!(stats.queued_bytes <= 100_000, "{stats:?}");
        assert!(stats.dropped_queue_full > 3_500, "{stats:?}");
        collector.told(|held| held.always = None);
        assert!(client.flush(LIMIT));
        let found: HashSet<String> = arrived(&collector).into_iter().collect();
        assert_eq!(found.len() as u64, checked(&client).received);
        let expected = if on_full == OnFull::DropOldest { &ids[4_950..] } else { &ids[..50] };
        assert!(expected.iter().all(|id| found.contains(id.as_str())), "{on_full:?}");
    }
}

#[test]
fn giving_up_is_dropped_or_unconfirmed_by_what_is_known() {
    for (fault, gave_up, unconfirmed) in [(Fault::Status(500, ""), 5, 0), (Fault::Lost, 0, 5)] {
        let collector = Collector::start();
        collector.told(|held| held.always = Some(fault.clone()));
        let settings = Settings { retry_for: Duration::from_millis(50), ..collector.settings() };
        let client = Client::new(settings).unwrap();
        log(&client, 5, "");
        assert!(client.flush(LIMIT));
        let stats = checked(&client);
        assert_eq!((stats.dropped_gave_up, stats.unconfirmed), (gave_up, unconfirmed), "{fault:?}");
    }
}

#[test]
fn closing_is_bounded_and_accounts_for_the_rest() {
    let collector = Collector::start();
    collector.told(|held| held.always = Some(Fault::Status(500, "")));
    let client =
        Client::new(Settings { retry_delay: LIMIT, retry_delay_max: LIMIT, ..collector.settings() }).unwrap();
    log(&client, 5, "");
    let begun = Instant::now();
    client.close(Duration::from_millis(200));
    assert!(begun.elapsed() < Duration::from_secs(5));
    log(&client, 1, "");
    assert_eq!(checked(&client).dropped_at_exit, 6);
}

#[test]
fn closing_while_a_request_hangs_says_that_it_may_have_arrived() {
    // Takes connections and reads nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let collector = Collector::start();
    let client = Client::new(Settings { url, timeout: LIMIT, ..collector.settings() }).unwrap();
    log(&client, 5, "");
    let connection = silent.accept().unwrap();
    log(&client, 3, "");
    client.close(Duration::from_millis(100));
    let stats = checked(&client);
    assert_eq!((stats.queued, stats.queued_bytes, stats.unconfirmed + stats.dropped_at_exit), (0, 0, 8));
    assert!(stats.unconfirmed > 0, "{stats:?}");
    drop(connection);
}

#[test]
fn dropping_the_client_sends_what_is_queued() {
    let collector = Collector::start();
    let settings = Settings { exit_timeout: LIMIT, flush_interval: LIMIT, ..collector.settings() };
    let client = Client::new(settings).unwrap();
    let second = client.clone();
    log(&client, 3, "");
    drop(client);
    log(&second, 4, "");
    drop(second);
    assert_eq!(arrived(&collector).len(), 7);
}

#[test]
fn threads_lose_nothing_between_them() {
    let collector = Collector::start();
    let client = collector.client();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| log(&client, 2_000, ""));
        }
    });
    assert!(client.flush(LIMIT));
    assert_eq!(checked(&client).received, 16_000);
    assert_eq!(arrived(&collector).into_iter().collect::<HashSet<_>>().len(), 16_000);
}

#[test]
fn a_sample_keeps_a_prediction_and_its_outcome_together() {
    let collector = Collector::start();
    let client = Client::new(Settings { sample_rate: 0.25, ..collector.settings() }).unwrap();
    let ids = log(&client, 400, "");
    for event_id in &ids {
        client.log_outcome(&Outcome { model: "", event_id, ts_us: None, truth: Truth::Label("late") });
    }
    assert!(client.flush(LIMIT));
    let kept = ids.iter().filter(|id| sampling::keeps(id, 0.25)).count();
    assert_eq!((collector.records("predictions").len(), collector.records("outcomes").len()), (kept, kept));
    assert_eq!(checked(&client).sampled_out, 800 - 2 * kept as u64);
}

#[test]
fn redaction_changes_and_drops_before_anything_is_queued() {
    let collector = Collector::start();
    let redact = |prediction: &mut Prediction<'_>| {
        prediction.unit_id = "";
        if prediction.model == "secret" { Redacted::Drop } else { Redacted::Keep }
    };
    let settings =
        Settings { redact: Some(redact), token: Some("very-secret".to_owned()), ..collector.settings() };
    let client = Client::new(settings.clone()).unwrap();
    client.log_prediction(&Prediction { unit_id: "u1", ..Prediction::default() });
    client.log_prediction(&Prediction { model: "secret", ..Prediction::default() });
    assert!(client.flush(LIMIT));
    let records = collector.records("predictions");
    assert_eq!((records.len(), records[0].get("unit_id")), (1, None));
    assert_eq!(checked(&client).dropped_redacted, 1);
    assert_eq!(collector.authorization().as_deref(), Some("Bearer very-secret"));
    assert!(!format!("{settings:?} {client:?}").contains("very-secret"));
}

#[test]
fn what_a_redaction_panics_over_is_dropped_and_counted() {
    let collector = Collector::start();
    let redact = |prediction: &mut Prediction<'_>| {
        assert_ne!(prediction.model, "m", "a redaction that does not expect this");
        Redacted::Keep
    };
    let client = Client::new(Settings { redact: Some(redact), ..collector.settings() }).unwrap();
    log(&client, 1, "");
    log(&client, 2, "delay");
    assert!(client.flush(LIMIT));
    let stats = checked(&client);
    assert_eq!((stats.received, stats.dropped_redacted, arrived(&collector).len()), (2, 1, 2));
}

#[test]
fn the_longest_durations_are_no_reason_to_panic() {
    let collector = Collector::start();
    collector.told(|held| held.plan.push_back(Fault::Status(500, "")));
    let long = Settings {
        flush_interval: Duration::MAX,
        timeout: Duration::MAX,
        retry_for: Duration::MAX,
        retry_delay_max: Duration::MAX,
        ..collector.settings()
    };
    let client = Client::new(long).unwrap();
    log(&client, 3, "");
    assert!(client.flush(Duration::MAX));
    client.close(Duration::MAX);
    assert_eq!(checked(&client).received, 3);
    let never =
        Settings { retry_delay: Duration::MAX, retry_delay_max: Duration::MAX, ..collector.settings() };
    collector.told(|held| held.plan.push_back(Fault::Status(500, "")));
    let client = Client::new(never).unwrap();
    log(&client, 3, "");
    client.close(Duration::from_millis(200));
    assert_eq!(checked(&client).dropped_at_exit, 3);
}

#[test]
fn a_request_holds_no_more_than_batch_bytes_however_short_its_events_were_in_the_queue() {
    let collector = Collector::start();
    let batch_bytes = 20_000;
    // Sent by `flush` alone, so that all are one chunk.
    let settings = Settings { batch_bytes, flush_interval: LIMIT, ..collector.settings() };
    let client = Client::new(settings).unwrap();
    let vector: Vec<f32> = (0..64_u8).map(|n| f32::from(n) / 7.0).collect();
    for _ in 0..40 {
        client.log_prediction(&Prediction { embeddings: &[("text", &vector)], ..Prediction::default() });
    }
    assert!(client.flush(LIMIT));
    let lines: usize =
        collector.records("predictions").iter().map(|record| record.to_string().len() + 1).sum();
    let sizes = collector.told(|held| held.sizes.clone());
    assert_eq!(checked(&client).received, 40);
    assert!(lines > 2 * batch_bytes, "{lines} bytes of lines are too few for this test");
    assert!(sizes.iter().all(|size| *size <= batch_bytes), "{sizes:?}");
    assert!(sizes.len() > 2, "{sizes:?}");
}

thread_local! {
    static BEFORE: RefCell<Option<Last>> = const { RefCell::new(None) };
    static AFTER: RefCell<Option<Last>> = const { RefCell::new(None) };
}

/// Logs when its thread ends.
struct Last(Client);

impl Drop for Last {
    fn drop(&mut self) {
        log(&self.0, 1, "");
    }
}

#[test]
fn a_thread_that_ends_may_log_from_its_destructors() {
    let collector = Collector::start();
    let client = collector.client();
    let thread = client.clone();
    std::thread::spawn(move || {
        BEFORE.set(Some(Last(thread.clone())));
        log(&thread, 1, "");
        AFTER.set(Some(Last(thread)));
    })
    .join()
    .unwrap();
    assert!(client.flush(LIMIT));
    assert_eq!(checked(&client).received, 3);
}

#[test]
fn wrong_settings_are_told_at_the_start() {
    for (settings, expected) in [
        (Settings::new("ftp://x"), "url is `ftp://x`"),
        (Settings::new("http://"), "url is"),
        (Settings { sample_rate: 1.5, ..Settings::new("http://x") }, "sample_rate is 1.5"),
        (Settings { token: Some("a\nb".to_owned()), ..Settings::new("http://x") }, "token has"),
    ] {
        let error = Client::new(settings).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn a_user_and_a_password_in_the_address_are_refused_and_no_secret_is_told() {
    for url in [
        "http://user:s3cret@h:1",
        "https://s3cret@h/path",
        "ftp://user:s3cret@h",
        "user:s3cret@h",
        "http://user:s3#cret@h",
        "http://user:s3cret@s3cret@h",
    ] {
        let settings = Settings::new(url);
        let shown = format!("{settings:?}");
        let error = Client::new(settings).unwrap_err();
        let told = format!("{error} {error:?} {shown}");
        assert!(told.starts_with("url is `") && told.contains("…@h") && !told.contains("s3"), "{told}");
    }
    let error = Client::new(Settings::new("http://user:s3cret@h:1")).unwrap_err().to_string();
    assert!(error.contains("http://…@h:1") && error.contains("a user or a password"), "{error}");
    assert!(Client::new(Settings::new("http://h/@team")).is_ok());
}
