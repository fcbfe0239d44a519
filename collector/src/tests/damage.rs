//! Bytes of the spool that went bad, while nobody looked and while a service ran: they are in the metrics, and the rest is stored.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use super::told_sink::Mood;
use super::*;

/// The segment files of predictions, oldest first.
pub(super) fn segments(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.join("spool/predictions")).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "segment"));
    paths.sort();
    paths
}

/// Flips a bit of the first of these bytes, which are in one segment file.
fn flip(folder: &Path, bytes: &[u8]) {
    let mut flipped = 0;
    for path in segments(folder) {
        let content = fs::read(&path).unwrap();
        let Some(at) = memchr::memmem::find(&content, bytes) else { continue };
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.write_all_at(&[content[at] ^ 1], at as u64).unwrap();
        flipped += 1;
    }
    assert_eq!(flipped, 1, "{:?}", String::from_utf8_lossy(bytes));
}

/// A batch of five; its model is named in each row.
fn batch(n: u64) -> String {
    predictions(5 * n..5 * n + 5).replace("\"m\"", &format!("\"model-of-{n}\""))
}

/// A service of which two batches are in a block on its way, which the store does not answer, and one waits behind it.
async fn waiting(folder: &Path) -> Service {
    let mut options = CollectorOptions { block_age: Duration::from_secs(3600), ..options(folder) };
    options.spool.block.rows_max = 10;
    let service = start_with(options, &Arc::default());
    service.sink.be(Mood::Waits);
    for n in 0..3 {
        assert_eq!(service.post("/v1/predictions", &[], batch(n)).await.status, StatusCode::OK);
    }
    until(1, async || service.sink.waiting()).await;
    service
}

/// The spool that such a service leaves.
async fn left(folder: &Path) {
    let service = waiting(folder).await;
    assert_eq!(service.collector.drain(Duration::from_millis(50)).await.pending_rows, 15);
}

#[tokio::test]
async fn what_a_start_finds_gone_bad_is_counted_and_the_rest_is_stored() {
    // A frame of a block that was sealed, and one that is in no block yet.
    for bad in ["model-of-0", "model-of-2"] {
        let folder = tempfile::tempdir().unwrap();
        left(folder.path()).await;
        flip(folder.path(), bad.as_bytes());
        let service = start(folder.path(), &Arc::default());
        assert!(service.metric("windvane_collector_damaged_bytes_total").await > 0, "{bad}");
        assert_eq!(service.metric("windvane_collector_torn_bytes_total").await, 0, "{bad}");
        assert_eq!(service.metric("windvane_collector_recovered_rows_total").await, 10, "{bad}");
        service.stored(10).await;
        service.assert_nothing_is_lost().await;
        let entries = fs::read_dir(folder.path().join("spool/predictions")).unwrap();
        let aside = entries.filter(|entry| {
            let path = entry.as_ref().unwrap().path();
            path.extension().is_some_and(|extension| extension == "damaged")
        });
        assert_eq!(aside.count(), 1, "{bad}: the bytes are kept");
    }
}

#[tokio::test]
async fn rows_that_go_bad_while_they_wait_are_counted_and_the_rest_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let service = waiting(folder.path()).await;
    service.post("/v1/predictions", &[], predictions(15..19)).await;
    flip(folder.path(), b"model-of-2");
    // The one that fills the block.
    service.post("/v1/predictions", &[], predictions(19..20)).await;
    service.sink.be(Mood::Takes);
    service.stored(15).await;
    until(5, async || service.metric("windvane_collector_damaged_rows_total").await).await;
    service.assert_nothing_is_lost().await;
}

#[tokio::test]
async fn what_was_torn_is_counted_and_costs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    left(folder.path()).await;
    let last = segments(folder.path()).pop().unwrap();
    let mut content = fs::read(&last).unwrap();
    content.extend_from_slice(&[0x57; 7]);
    fs::write(&last, content).unwrap();
    let service = start(folder.path(), &Arc::default());
    assert_eq!(service.metric("windvane_collector_torn_bytes_total").await, 7);
    assert_eq!(service.metric("windvane_collector_damaged_bytes_total").await, 0);
    service.stored(15).await;
    service.assert_nothing_is_lost().await;
}
