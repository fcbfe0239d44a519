//! Waiting on a condition with a deadline, never on time alone.

use std::fmt::Debug;
use std::time::{Duration, Instant};

/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(20);

/// Waits until `look` answers `Ok`, and returns what it holds.
///
/// # Panics
/// After `limit`, with the last `Err`: the state that was seen.
pub fn eventually<T, E: Debug>(limit: Duration, mut look: impl FnMut() -> Result<T, E>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        match look() {
            Ok(value) => return value,
            Err(seen) => {
                assert!(Instant::now() < deadline, "still not so after {limit:?}; last seen: {seen:?}")
            }
        }
        std::thread::sleep(POLL);
    }
}

/// As [`eventually`], for conditions that are asked for over the network.
///
/// # Panics
/// After `limit`, with the last `Err`: the state that was seen.
pub async fn eventually_async<T, E: Debug>(
    limit: Duration,
    mut look: impl AsyncFnMut() -> Result<T, E>,
) -> T {
    let deadline = Instant::now() + limit;
    loop {
        match look().await {
            Ok(value) => return value,
            Err(seen) => {
                assert!(Instant::now() < deadline, "still not so after {limit:?}; last seen: {seen:?}")
            }
        }
        tokio::time::sleep(POLL).await;
    }
}
