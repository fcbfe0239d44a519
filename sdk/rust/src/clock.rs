//! The wall clock, read in one place.

use std::time::{SystemTime, UNIX_EPOCH};

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
pub(crate) fn unix_us() -> u64 {
    unix_ns() / 1000
}
