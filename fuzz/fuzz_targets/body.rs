//! Bodies of all kinds of events: the first byte chooses the kind.
#![no_main]

use bytes::Bytes;
use windvane_types::event::Kind;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((first, body)) = bytes.split_first() else { return };
    let kind = Kind::ALL[usize::from(*first) % Kind::ALL.len()];
    if let Err(error) = windvane_collector::fuzzing::body(kind, &Bytes::copy_from_slice(body)) {
        panic!("{error}");
    }
});
