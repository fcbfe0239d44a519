//! Bodies of the Open Inference Protocol with binary tensors, their JSON's length said and found.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Err(error) = windvane_collector::fuzzing::binary_tensors(bytes) {
        panic!("{error}");
    }
});
