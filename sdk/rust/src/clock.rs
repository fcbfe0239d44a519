//! The clocks, read in one place.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Nanoseconds since 1970 UTC; 0 where the clock stands before.
#[expect(
    clippy::disallowed_methods,
    reason = "this crate stands alone; nothing else of it reads the wall clock"
)]
#[expect(clippy::cast_possible_truncation, reason = "64 bits of nanoseconds last until 2554")]
pub(crate) fn unix_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

/// Microseconds since 1970 UTC.
pub(crate) fn unix_us() -> i64 {
    us(unix_ns())
}

/// Whole microseconds of nanoseconds.
pub(crate) fn us(ns: u64) -> i64 {
    i64::try_from(ns / 1000).unwrap_or(i64::MAX)
}

/// The instant after this much time; a time that no clock reaches is a century.
pub(crate) fn after(time: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_secs(3_155_760_000);
    let now = Instant::now();
    now.checked_add(time).unwrap_or_else(|| now + CENTURY)
}
