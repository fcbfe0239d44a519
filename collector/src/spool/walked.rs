//! Segment files made and walked over for tests of damage, without a disk.

use super::record::{Kind, Record};
use super::recover::{Item, walk};

/// Walks over a segment file; the bytes of its records and of the damage between them.
pub(crate) fn walk_segment(bytes: &[u8]) -> u64 {
    let mut seen = 0;
    walk(bytes, |item| match item {
        Item::Record(at, header, ..) => {
            assert_eq!(at, seen, "records and damage lie next to each other");
            seen += header.record_bytes();
        }
        Item::Damaged(from, len) => {
            assert_eq!(from, seen, "records and damage lie next to each other");
            seen += len;
        }
    });
    seen
}

/// A segment file with these bodies as frames.
pub(crate) fn segment_of(bodies: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for (seq, body) in (1..).zip(bodies) {
        Record { kind: Kind::Frame, layout: 1, seq, rows: 1, time_us: 0, meta: &[], body }.encode(&mut out);
    }
    out
}
