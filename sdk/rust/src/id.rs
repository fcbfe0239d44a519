//! Event ids: UUIDs of version 7, made without a system call and without an allocation.

use std::fmt;
use std::ops::Deref;

use crate::clock;

/// The id of an event, as text.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct EventId([u8; 36]);

impl EventId {
    /// A new id: milliseconds, twelve bits of the fraction of the millisecond (RFC 9562, method 3), 62 random bits.
    pub fn make() -> Self {
        Self::at(clock::unix_ns())
    }

    pub(crate) fn at(ns: u64) -> Self {
        let (ms, fraction) = (ns / 1_000_000, (ns % 1_000_000) * 4096 / 1_000_000);
        let random = u128::from(fastrand::u64(..)) & ((1 << 62) - 1);
        let bits = u128::from(ms) << 80 | 7 << 76 | u128::from(fraction) << 64 | 2 << 62 | random;
        let bytes = bits.to_be_bytes();
        let mut text = [b'-'; 36];
        let mut at = 0;
        for (i, byte) in bytes.iter().enumerate() {
            if matches!(i, 4 | 6 | 8 | 10) {
                at += 1;
            }
            text[at] = HEX[usize::from(byte >> 4)];
            text[at + 1] = HEX[usize::from(byte & 15)];
            at += 2;
        }
        Self(text)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

impl Deref for EventId {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_of_version_7_and_do_not_repeat() {
        let mut ids: Vec<String> = (0..10_000).map(|_| EventId::make().to_string()).collect();
        for id in &ids {
            let bytes = id.as_bytes();
            assert_eq!(
                (bytes[8], bytes[13], bytes[14], bytes[18], bytes[23]),
                (b'-', b'-', b'7', b'-', b'-')
            );
            assert!(matches!(bytes[19], b'8' | b'9' | b'a' | b'b'), "{id}");
        }
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 10_000);
    }
}
