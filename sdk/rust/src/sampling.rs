//! Which events a sample keeps: decided by the event's id alone, by the rule of `sdk/vectors/sampling.json`.

use sha2::{Digest, Sha256};

/// 2⁵³: how many points there are.
pub(crate) const POINTS: f64 = 9_007_199_254_740_992.0;

/// The place of an id among 2⁵³ points.
pub fn point(event_id: &str) -> u64 {
    first_53_bits(&Sha256::new().chain_update("windvane.sampling/1\0").chain_update(event_id))
}

/// Whether a sample of this rate, from 0 to 1, keeps the event.
pub fn keeps(event_id: &str, rate: f64) -> bool {
    rate >= 1.0 || point(event_id) < bound(rate)
}

/// The points below a share.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share's bound is 0 to 2^53")]
pub(crate) fn bound(share: f64) -> u64 {
    (share * POINTS).floor() as u64
}

/// The first 53 bits of a digest.
pub(crate) fn first_53_bits(state: &Sha256) -> u64 {
    let digest = state.clone().finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(first) >> 11
}
