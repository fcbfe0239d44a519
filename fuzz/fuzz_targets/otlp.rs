//! Messages of OpenTelemetry's protocol: traces, logs and metrics, in protobuf and JSON.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Err(error) = windvane_collector::fuzzing::otlp(bytes) {
        panic!("{error}");
    }
});
