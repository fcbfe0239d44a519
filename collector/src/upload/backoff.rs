//! How long to wait before trying again: doubling, bounded, spread by what is tried so that tables do not march in step.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(50);
/// An engine that comes back is noticed within this.
const LONGEST: Duration = Duration::from_secs(5);

/// The pause after failed attempt number `attempt` (from 0): between half and all of a doubling bound. The spread comes
/// from `what` and the attempt, so that no generator has to be handed around.
pub(crate) fn pause(what: &str, attempt: u32) -> Duration {
    let bound = LONGEST.min(FIRST * 2u32.saturating_pow(attempt.min(16)));
    let spread = crc32c::crc32c_append(attempt, what.as_bytes());
    bound.mul_f64(0.5 + 0.5 * f64::from(spread) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_bound_and_differ() {
        for attempt in 0..100 {
            let pause = pause("a", attempt);
            assert!(pause >= FIRST / 2 && pause <= LONGEST, "{attempt}: {pause:?}");
        }
        assert!(pause("a", 60) >= LONGEST / 2);
        assert_ne!(pause("a", 60), pause("b", 60));
    }
}
