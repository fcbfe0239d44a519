//! How many requests a second: one bucket a token, filled all the time, with room for two seconds.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Buckets that are kept; beyond that those that are full again are thrown away, which changes nothing.
const BUCKETS_MAX: usize = 10_000;

/// Seconds of requests that may come at once.
const BURST_S: u32 = 2;

/// All buckets, by the token's id. A bucket is the instant at which it will be full again.
#[derive(Debug, Default)]
pub(super) struct Rates {
    full_at: Mutex<HashMap<String, Instant>>,
}

impl Rates {
    /// Takes one request out of a bucket.
    ///
    /// # Errors
    /// It is empty; how long until it is not.
    pub(super) fn take(&self, id: &str, per_s: u32, now: Instant) -> Result<(), Duration> {
        let one = Duration::from_secs(1) / per_s.max(1);
        let room = Duration::from_secs(u64::from(BURST_S));
        let mut buckets = self.full_at.lock();
        if buckets.len() >= BUCKETS_MAX && !buckets.contains_key(id) {
            buckets.retain(|_, full_at| *full_at > now);
        }
        let full_at = buckets.get(id).copied().unwrap_or(now).max(now) + one;
        let ahead = full_at.saturating_duration_since(now);
        if ahead > room {
            return Err(ahead - room);
        }
        buckets.insert(id.to_owned(), full_at);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate_whatever_others_do() {
        let (rates, start) = (Rates::default(), Instant::now());
        let took = |id: &str, at_ms: u64| {
            let now = start + Duration::from_millis(at_ms);
            (0..100).take_while(|_| rates.take(id, 10, now).is_ok()).count()
        };
        assert_eq!(took("a", 0), 20);
        assert_eq!(took("a", 50), 0);
        assert_eq!(took("b", 50), 20, "another token has its own");
        assert_eq!(took("a", 1_000), 10);
        assert_eq!(took("a", 100_000), 20, "a bucket holds no more than its burst");
        let wait = rates.take("a", 10, start + Duration::from_secs(100)).unwrap_err();
        assert!(wait <= Duration::from_millis(100), "{wait:?}");
    }
}
