//! The room that the logs of all tables share: what the spool may take, or what is left on its disk where that is less.
//!
//! Payloads and telemetry give way before the room is used up, whichever of the two bounds it: a disk that others fill is no reason to
//! refuse events while there is room for samples of them.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use windvane_store::Table;

/// Payloads are refused where the spool is so full, four fifths, and everything else is still taken: they are samples, and the
/// largest of what comes.
const PAYLOADS_PARTS: (u64, u64) = (4, 5);

/// Telemetry is refused where it is nine tenths full: it belongs to no model, so that no share bounds it, and events come first.
const TELEMETRY_PARTS: (u64, u64) = (9, 10);

/// How often the disk is looked at, at most. What others write meanwhile is found by the write that fails.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The room.
#[derive(Debug)]
pub(crate) struct Room {
    bytes_max: u64,
    folder: PathBuf,
    /// Bytes of the segment files of all tables.
    on_disk: AtomicU64,
    /// Bytes of batches on the way to the disk.
    on_the_way: AtomicU64,
    /// The bytes of segment files and free blocks together, when the disk was looked at last.
    at_hand: AtomicU64,
    /// When that was. Held by who looks.
    looked_at: Mutex<Option<Instant>>,
}

impl Room {
    /// Room for so many bytes of segment files in this folder.
    pub(crate) fn new(bytes_max: u64, folder: PathBuf) -> Self {
        let (on_disk, on_the_way) = (AtomicU64::new(0), AtomicU64::new(0));
        let (at_hand, looked_at) = (AtomicU64::new(u64::MAX), Mutex::default());
        Self { bytes_max, folder, on_disk, on_the_way, at_hand, looked_at }
    }

    /// Takes room for a table's batch, if there is any that this table may have.
    pub(super) fn reserve(&self, bytes: u64, table: Table) -> bool {
        let all = self.all();
        let of_all = |(parts, of): (u64, u64)| all / of * parts;
        let bytes_max = match table {
            Table::Payloads => of_all(PAYLOADS_PARTS),
            Table::Predictions | Table::Outcomes | Table::Exposures | Table::Measurements => all,
            _ => of_all(TELEMETRY_PARTS),
        };
        let before = self.on_the_way.fetch_add(bytes, Ordering::SeqCst);
        if self.on_disk.load(Ordering::SeqCst) + before + bytes <= bytes_max {
            return true;
        }
        self.release(bytes);
        false
    }

    /// Gives back what was taken: the batch is on the disk, or nowhere.
    pub(super) fn release(&self, bytes: u64) {
        self.on_the_way.fetch_sub(bytes, Ordering::SeqCst);
    }

    /// Bytes that may still be taken.
    pub(super) fn free(&self) -> u64 {
        let used = self.on_disk.load(Ordering::SeqCst) + self.on_the_way.load(Ordering::SeqCst);
        self.all().saturating_sub(used)
    }

    /// The segment files of a table have become longer or shorter.
    pub(super) fn grown(&self, from: u64, to: u64) {
        self.on_disk.fetch_add(to, Ordering::SeqCst);
        self.on_disk.fetch_sub(from, Ordering::SeqCst);
    }

    fn all(&self) -> u64 {
        // Who comes while another looks goes by what was seen before: a file system that hangs holds up one of them.
        if let Some(mut looked_at) = self.looked_at.try_lock()
            && looked_at.is_none_or(|at| at.elapsed() >= LOOK_EVERY)
        {
            let at_hand = self.on_disk.load(Ordering::SeqCst).saturating_add(free_bytes(&self.folder));
            self.at_hand.store(at_hand, Ordering::SeqCst);
            *looked_at = Some(Instant::now());
        }
        self.bytes_max.min(self.at_hand.load(Ordering::SeqCst))
    }
}

/// What the file system has left. One that does not say is no bound.
fn free_bytes(folder: &Path) -> u64 {
    match rustix::fs::statvfs(folder) {
        Ok(stat) if stat.f_blocks > 0 => stat.f_bavail.saturating_mul(stat.f_frsize),
        _ => u64::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A room of 1,000 bytes on a disk that has so many left.
    fn room(left: u64) -> Room {
        let room = Room::new(1_000, PathBuf::from("/nowhere"));
        // As if the clock stood still, so that nobody looks at the disk again.
        *room.looked_at.lock() = Some(Instant::now() + Duration::from_secs(3600));
        room.at_hand.store(left, Ordering::SeqCst);
        room
    }

    #[test]
    fn payloads_give_way_first_and_telemetry_next_also_where_the_disk_is_what_is_full() {
        for (left, all) in [(u64::MAX, 1_000), (100, 100), (0, 0)] {
            for (table, most) in [
                (Table::Payloads, all / 5 * 4),
                (Table::Spans, all / 10 * 9),
                (Table::Predictions, all),
                (Table::Outcomes, all),
            ] {
                let room = room(left);
                assert!(!room.reserve(most + 1, table), "{table}: one byte more than {most}");
                assert_eq!(room.free(), all, "what was refused takes no room");
                assert!(room.reserve(most, table), "{table}: {most} bytes");
                assert_eq!(room.free(), all - most);
            }
        }
    }

    #[test]
    fn a_disk_has_something_left_and_one_that_is_not_there_bounds_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert!((1..u64::MAX).contains(&free_bytes(folder.path())));
        let room = Room::new(1_000, PathBuf::from("/nowhere"));
        assert_eq!(room.free(), 1_000);
    }
}
