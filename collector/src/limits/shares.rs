//! How much of the spool a model may fill, so that one that sends without end while ClickHouse is away does not shut out the
//! others.
//!
//! Dynamic thresholds, as switches share a buffer among ports (A. Choudhury and E. Hahne, "Dynamic queue length thresholds for
//! shared-memory packet switches", IEEE/ACM Transactions on Networking 6(2), 1998): a model may have as much pending as a
//! multiple of the room that is free. However many models send without end, some room stays free for one that comes later;
//! one model alone is not bounded at all.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use windvane_store::Table;

/// A model counts as one of the others for so long after its last batch.
const RECENT: Duration = Duration::from_secs(600);

/// Models that are told apart; all beyond are one.
const MODELS_MAX: usize = 10_000;

/// Bytes that one entry of the account covers; a spool of 8 GiB has at most a thousand of them. They are given back together.
const ENTRY_PARTS: u64 = 1_024;

/// How many bytes of a batch belong to a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ModelBytes {
    pub(crate) model: String,
    pub(crate) bytes: u64,
    pub(crate) rows: u64,
}

#[derive(Debug, Default)]
struct Entry {
    last_seq: u64,
    bytes: u64,
    by_model: HashMap<String, u64>,
}

#[derive(Debug, Default)]
struct Account {
    pending: HashMap<String, u64>,
    seen: HashMap<String, Instant>,
    /// What was taken and is not stored yet, oldest first, by table.
    entries: HashMap<Table, VecDeque<Entry>>,
}

/// The account of the spool by models.
#[derive(Debug)]
pub(crate) struct Shares {
    entry_bytes: u64,
    /// What a model has pending is to the free room at most as this is to the rest to 100. At 80 that is four times the room: beside
    /// others one model fills at most four fifths of the spool, two fill eight ninths.
    percent: u64,
    account: Mutex<Account>,
}

impl Shares {
    /// For a spool of so many bytes, of which one model fills at most these per cent beside others.
    pub(crate) fn new(spool_bytes_max: u64, percent: u64) -> Self {
        let entry_bytes = (spool_bytes_max / ENTRY_PARTS).max(1);
        Self { entry_bytes, percent: percent.min(100), account: Mutex::default() }
    }

    /// Whether a batch may be taken while so many bytes are free. The error is the model that has more than its share.
    pub(crate) fn admit(&self, batch: &[ModelBytes], free: u64, now: Instant) -> Result<(), String> {
        let mut account = self.account.lock();
        let Account { pending, seen, .. } = &mut *account;
        seen.retain(|_, at| now.saturating_duration_since(*at) < RECENT);
        for ModelBytes { model, .. } in batch {
            if seen.contains_key(model) || seen.len() < MODELS_MAX {
                seen.insert(model.clone(), now);
            }
        }
        if seen.len() < 2 {
            return Ok(());
        }
        let (parts, rest) = (self.percent, 100 - self.percent);
        let is_over = |share: &&ModelBytes| {
            let bytes = pending.get(&share.model).copied().unwrap_or(0) + share.bytes;
            bytes.saturating_mul(rest) > free.saturating_mul(parts)
        };
        match batch.iter().find(is_over) {
            Some(share) => Err(share.model.clone()),
            None => Ok(()),
        }
    }

    /// A batch is in the spool as this frame.
    pub(crate) fn taken(&self, table: Table, seq: u64, batch: Vec<ModelBytes>) {
        let mut account = self.account.lock();
        let Account { pending, entries, .. } = &mut *account;
        let entries = entries.entry(table).or_default();
        if entries.back().is_none_or(|entry| entry.bytes >= self.entry_bytes) {
            entries.push_back(Entry::default());
        }
        let Some(entry) = entries.back_mut() else { return };
        entry.last_seq = entry.last_seq.max(seq);
        for ModelBytes { model, bytes, .. } in batch {
            entry.bytes += bytes;
            *pending.entry(model.clone()).or_default() += bytes;
            *entry.by_model.entry(model).or_default() += bytes;
        }
    }

    /// All frames up to this one are stored, or laid aside.
    pub(crate) fn done(&self, table: Table, last_seq: u64) {
        let mut account = self.account.lock();
        let Account { pending, entries, .. } = &mut *account;
        let Some(entries) = entries.get_mut(&table) else { return };
        while entries.front().is_some_and(|entry| entry.last_seq <= last_seq) {
            let Some(entry) = entries.pop_front() else { return };
            for (model, bytes) in entry.by_model {
                let Some(left) = pending.get_mut(&model) else { continue };
                *left = left.saturating_sub(bytes);
                if *left == 0 {
                    pending.remove(&model);
                }
            }
        }
    }

    /// Bytes of a model that wait.
    #[cfg(test)]
    fn pending(&self, model: &str) -> u64 {
        self.account.lock().pending.get(model).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(model: &str, bytes: u64) -> Vec<ModelBytes> {
        vec![ModelBytes { model: model.to_owned(), bytes, rows: 1 }]
    }

    /// A spool of 10,000 bytes that never empties.
    struct Full {
        shares: Shares,
        free: u64,
        seq: u64,
        now: Instant,
    }

    impl Full {
        fn new(percent: u64) -> Self {
            Self { shares: Shares::new(10_000, percent), free: 10_000, seq: 0, now: Instant::now() }
        }

        /// Sends ten bytes at a time until refused; how many bytes were taken.
        fn fill(&mut self, model: &str) -> u64 {
            let mut taken = 0;
            while self.free >= 10 && self.shares.admit(&of(model, 10), self.free, self.now).is_ok() {
                self.seq += 1;
                self.shares.taken(Table::Predictions, self.seq, of(model, 10));
                (taken, self.free) = (taken + 10, self.free - 10);
            }
            taken
        }
    }

    #[test]
    fn a_model_alone_fills_the_spool_and_one_beside_others_leaves_them_room() {
        assert_eq!(Full::new(80).fill("noisy"), 10_000);

        let mut spool = Full::new(80);
        assert!(spool.shares.admit(&of("quiet", 10), spool.free, spool.now).is_ok());
        assert_eq!(spool.fill("noisy"), 8_000);
        assert_eq!(spool.shares.admit(&of("noisy", 10), spool.free, spool.now), Err("noisy".to_owned()));
        assert_eq!(spool.fill("another"), 1_600);
        assert_eq!(spool.fill("third"), 320);
        assert!(
            spool.shares.admit(&of("quiet", 10), spool.free, spool.now).is_ok(),
            "{} are free",
            spool.free
        );
    }

    #[test]
    fn beside_others_a_model_fills_as_much_as_its_share_says() {
        for (percent, filled) in [(1, 100), (10, 1_000), (50, 5_000), (99, 9_900), (100, 10_000)] {
            let mut spool = Full::new(percent);
            assert!(spool.shares.admit(&of("quiet", 10), spool.free, spool.now).is_ok(), "{percent}");
            assert_eq!(spool.fill("noisy"), filled, "{percent}");
        }
    }

    #[test]
    fn what_is_stored_counts_no_more() {
        let shares = Shares::new(1_000, 80);
        shares.taken(Table::Predictions, 1, of("m", 10));
        shares.taken(Table::Predictions, 2, of("m", 20));
        shares.taken(Table::Outcomes, 1, of("m", 5));
        shares.done(Table::Predictions, 1);
        assert_eq!(shares.pending("m"), 25);
        shares.done(Table::Predictions, 2);
        shares.done(Table::Outcomes, 7);
        assert_eq!(shares.pending("m"), 0);
    }

    #[test]
    fn the_account_of_a_long_backlog_stays_small() {
        let shares = Shares::new(1 << 20, 80);
        for seq in 1..=100_000 {
            shares.taken(Table::Predictions, seq, of("m", 10));
        }
        assert!(shares.account.lock().entries[&Table::Predictions].len() <= 1_024);
        shares.done(Table::Predictions, 100_000);
        assert_eq!(shares.pending("m"), 0);
    }

    #[test]
    fn a_model_that_fell_silent_is_no_other_any_more() {
        let mut spool = Full::new(80);
        assert!(spool.shares.admit(&of("quiet", 10), spool.free, spool.now).is_ok());
        spool.now += RECENT;
        assert_eq!(spool.fill("noisy"), 10_000);
    }
}
