//! Compressed bodies.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    windvane_collector::fuzzing::compressed(&bytes::Bytes::copy_from_slice(bytes));
});
