//! Event ids for those who sent none: UUID version 7, from the time and a seed that the process was started with.

use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

/// Makes ids. Two makers with one seed make the same ids, so every start of a process has a new one.
#[derive(Debug)]
pub(crate) struct IdMaker {
    seed: Uuid,
    made: AtomicU64,
}

impl IdMaker {
    pub(crate) fn new(seed: Uuid) -> Self {
        Self { seed, made: AtomicU64::new(0) }
    }

    /// An id that nobody has had before; its first 48 bits are the time in milliseconds.
    pub(crate) fn make(&self, now_us: i64) -> Uuid {
        let n = self.made.fetch_add(1, Ordering::Relaxed);
        let digest =
            Sha256::new().chain_update(self.seed.as_bytes()).chain_update(n.to_le_bytes()).finalize();
        let mut random = [0; 10];
        random.copy_from_slice(&digest[..10]);
        let millis = u64::try_from(now_us / 1000).unwrap_or(0);
        Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_version_7_of_their_time_and_differ() {
        let ids = IdMaker::new(Uuid::from_u128(5));
        let (a, b) = (ids.make(1_700_000_000_000_000), ids.make(1_700_000_000_000_000));
        assert_ne!(a, b);
        assert_eq!(a.get_version_num(), 7);
        assert_eq!(a.get_timestamp().unwrap().to_unix(), (1_700_000_000, 0));
    }
}
