//! CloudEvents of model servers, in all modes.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Err(error) = windvane_collector::fuzzing::cloudevents(bytes) {
        panic!("{error}");
    }
});
