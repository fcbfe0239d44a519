//! Arrow bodies of all kinds of events: the first byte chooses the kind.
#![no_main]

use bytes::Bytes;
use windvane_types::event::Kind;

// The reader of Arrow has asserts of its own about what senders should never send, which the decoder catches. The fuzzer's hook
// would end the process at them; without it, a panic that nobody catches still does.
libfuzzer_sys::fuzz_target!(init: std::panic::set_hook(Box::new(|_| {})), |bytes: &[u8]| {
    let Some((first, body)) = bytes.split_first() else { return };
    let kind = Kind::ALL[usize::from(*first) % Kind::ALL.len()];
    if let Err(error) = windvane_collector::fuzzing::arrow(kind, &Bytes::copy_from_slice(body)) {
        eprintln!("{error}");
        std::process::abort();
    }
});
