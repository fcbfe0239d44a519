//! Segment files of the spool.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| windvane_collector::fuzzing::segment(bytes));
