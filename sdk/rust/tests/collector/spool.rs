//! Batches on disk: what the server does not take waits there, for this process or for the next one.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use windvane_sdk::{Answer, Client, Prediction, Settings, Stats};

use super::server::{Collector, Fault};

const LIMIT: Duration = Duration::from_secs(20);

/// A folder of its own for each test, empty.
fn folder(test: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("spool").join(test);
    drop(fs::remove_dir_all(&path));
    fs::create_dir_all(&path).unwrap();
    path
}

fn settings(collector: &Collector, dir: &Path) -> Settings {
    // The end waits for the thread, which ends by itself: nothing here depends on how fast that is.
    Settings { spool_dir: Some(dir.to_owned()), exit_timeout: LIMIT, ..collector.settings() }
}

fn log(client: &Client, n: usize) {
    for x in 0..n {
        let features = [("x", i64::try_from(x).unwrap().into())];
        let answer = Answer::Score(0.5);
        client.log_prediction(&Prediction { features: &features, answer, ..Prediction::default() });
    }
}

fn checked(client: &Client) -> Stats {
    let stats = client.stats();
    assert_eq!(stats.accounted(), stats.logged + stats.adopted, "{stats:?}");
    stats
}

fn eventually(client: &Client, is_so: impl Fn(&Stats) -> bool) -> Stats {
    let begun = Instant::now();
    loop {
        let stats = checked(client);
        if is_so(&stats) {
            return stats;
        }
        assert!(begun.elapsed() < LIMIT, "still {stats:?}");
        client.flush(Duration::from_millis(5));
        std::thread::yield_now();
    }
}

fn packed(lines: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    std::io::Write::write_all(&mut encoder, lines.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// Every file below a folder whose name ends so.
fn files(dir: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.to_str().unwrap().ends_with(ending) {
            found.push(path);
        }
    }
    found
}

#[test]
fn what_one_client_could_not_send_the_next_one_sends_once() {
    let (collector, dir) = (Collector::start(), folder("next"));
    // Stored without an answer: the next client must not store it again.
    collector.told(|held| held.always = Some(Fault::Lost));
    let first = Client::new(settings(&collector, &dir)).unwrap();
    log(&first, 30);
    let stats = eventually(&first, |stats| stats.spooled == 30);
    assert_eq!((stats.queued, stats.dropped(), stats.unconfirmed), (0, 0, 0));
    drop(first);
    assert!(!files(&dir, ".ndjson.gz").is_empty());
    collector.told(|held| held.always = None);
    let second = Client::new(settings(&collector, &dir)).unwrap();
    let stats = eventually(&second, |stats| stats.received == 30);
    assert_eq!((stats.logged, stats.adopted, stats.spooled), (0, 30, 0));
    assert_eq!(collector.records("predictions").len(), 30);
    drop(second);
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 0, "empty folders are taken away");
}

#[test]
fn the_disk_takes_what_memory_would_have_to_drop() {
    let (collector, dir) = (Collector::start(), folder("memory"));
    collector.told(|held| held.always = Some(Fault::Status(500, "")));
    let client = Client::new(Settings { queue_bytes: 60_000, ..settings(&collector, &dir) }).unwrap();
    for part in 1..=20 {
        log(&client, 100);
        eventually(&client, |stats| stats.spooled == 100 * part);
    }
    assert_eq!(checked(&client).dropped(), 0);
    collector.told(|held| held.always = None);
    eventually(&client, |stats| stats.received == 2_000);
    assert_eq!(collector.records("predictions").len(), 2_000);
}

#[test]
fn the_share_of_the_disk_is_bounded() {
    let (collector, dir) = (Collector::start(), folder("bounded"));
    collector.told(|held| held.always = Some(Fault::Status(500, "")));
    let bounds = Settings { spool_bytes: 2_000, queue_bytes: 20_000, ..settings(&collector, &dir) };
    let client = Client::new(bounds).unwrap();
    log(&client, 20);
    eventually(&client, |stats| stats.spooled > 0);
    log(&client, 3_000);
    let stats = eventually(&client, |stats| stats.dropped_queue_full > 0);
    assert!(stats.queued_bytes <= 20_000, "{stats:?}");
    let bytes: u64 = files(&dir, ".gz").iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    assert!(bytes <= 2_000, "{bytes}");
    client.close(Duration::from_millis(100));
    checked(&client);
}

#[test]
fn a_server_that_hangs_at_the_end_leaves_everything_to_the_disk() {
    let dir = folder("hangs");
    // Takes connections and reads nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let collector = Collector::start();
    let client = Client::new(Settings { url, timeout: LIMIT, ..settings(&collector, &dir) }).unwrap();
    log(&client, 5);
    let connection = silent.accept().unwrap();
    log(&client, 3);
    client.close(Duration::from_millis(100));
    let stats = checked(&client);
    assert_eq!((stats.spooled, stats.queued, stats.dropped()), (8, 0, 0));
    let next = Client::new(settings(&collector, &dir)).unwrap();
    eventually(&next, |stats| stats.received == 8);
    drop(connection);
}

#[test]
fn a_batch_that_is_not_whole_is_set_aside_and_counted() {
    let (collector, dir) = (Collector::start(), folder("damaged"));
    let left = dir.join("01a21f34-58b3-7060-9514-101d3646d905");
    fs::create_dir(&left).unwrap();
    fs::write(left.join("lock"), "").unwrap();
    let whole = packed(&"{\"model\":\"m\"}\n".repeat(10));
    for (key, body) in [("a", &whole[..]), ("b", &whole[..whole.len() - 9]), ("c", &packed("{}\n")[..])] {
        let name = format!("{}.predictions.10.ndjson.gz", key.repeat(36));
        fs::write(left.join(name), body).unwrap();
    }
    let client = Client::new(settings(&collector, &dir)).unwrap();
    let stats = eventually(&client, |stats| stats.received == 10 && stats.spooled == 0);
    assert_eq!((stats.adopted, stats.dropped_damaged, stats.dropped()), (30, 20, 20));
    assert_eq!(files(&dir, ".damaged").len(), 2);
}

/// A server, or a proxy before it, that takes less than it did when the batch was written.
#[test]
fn a_batch_on_disk_that_is_too_large_is_split() {
    let (collector, dir) = (Collector::start(), folder("large"));
    collector.told(|held| held.always = Some(Fault::Status(500, "")));
    let first = Client::new(settings(&collector, &dir)).unwrap();
    log(&first, 30);
    eventually(&first, |stats| stats.spooled == 30);
    drop(first);
    collector.told(|held| (held.always, held.events_max) = (None, Some(4)));
    let second = Client::new(settings(&collector, &dir)).unwrap();
    let stats = eventually(&second, |stats| stats.received == 30);
    assert_eq!((stats.adopted, stats.spooled, stats.dropped()), (30, 0, 0));
    assert_eq!(collector.records("predictions").len(), 30);
    drop(second);
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 0, "nothing is left");
}

#[test]
fn halves_beside_their_batch_are_not_sent() {
    let (collector, dir) = (Collector::start(), folder("halves"));
    let key = "01a21f34-58b3-7060-9514-101d3646d905";
    let left = dir.join(key);
    fs::create_dir(&left).unwrap();
    fs::write(left.join("lock"), "").unwrap();
    for (ending, n) in [("", 10), ("-0", 5), ("-1-0", 2)] {
        let name = format!("{key}{ending}.predictions.{n}.ndjson.gz");
        fs::write(left.join(name), packed(&"{\"model\":\"m\"}\n".repeat(n))).unwrap();
    }
    let client = Client::new(settings(&collector, &dir)).unwrap();
    let stats = eventually(&client, |stats| stats.received == 10);
    assert_eq!((stats.adopted, stats.spooled, stats.dropped()), (10, 0, 0));
    assert_eq!(collector.records("predictions").len(), 10);
    assert!(files(&dir, ".ndjson.gz").is_empty());
}

#[test]
fn folders_of_others_and_of_the_living_are_left_alone() {
    let (collector, dir) = (Collector::start(), folder("others"));
    for name in ["photos", "01a21f34-58b3-7060-9514-101d3646d905"] {
        fs::create_dir(dir.join(name)).unwrap();
        fs::write(dir.join(name).join("precious.txt"), "mine").unwrap();
    }
    let away = Settings { url: "http://127.0.0.1:9".to_owned(), ..settings(&collector, &dir) };
    let living = Client::new(away).unwrap();
    log(&living, 5);
    eventually(&living, |stats| stats.spooled == 5);
    let client = Client::new(settings(&collector, &dir)).unwrap();
    log(&client, 1);
    assert_eq!(eventually(&client, |stats| stats.received == 1).adopted, 0);
    drop(client);
    assert_eq!(files(&dir, "precious.txt").len(), 2);
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 3);
}

#[test]
fn a_folder_that_cannot_be_made_only_warns() {
    let (collector, dir) = (Collector::start(), folder("file"));
    fs::write(dir.join("file"), "no folder").unwrap();
    let client = Client::new(settings(&collector, &dir.join("file"))).unwrap();
    log(&client, 1);
    assert!(client.flush(LIMIT));
    assert_eq!(checked(&client).received, 1);
}
