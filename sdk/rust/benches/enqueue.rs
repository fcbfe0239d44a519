//! How long does a call of `log_prediction` with 20 features take, alone and beside other threads?
//!
//! `cargo bench -p windvane-sdk --bench enqueue`. The server is not there, so that this is the caller's cost alone; the queue is full
//! for part of the time, as it would be.

#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

use std::time::{Duration, Instant};

use windvane_sdk::{Answer, Client, Prediction, Settings, Value};

const CALLS: usize = 200_000;

fn main() {
    for threads in [1, 2, 4] {
        let settings = Settings { exit_timeout: Duration::ZERO, ..Settings::new("http://127.0.0.1:9") };
        let client = Client::new(settings).expect("the settings are right");
        let mut took: Vec<u64> = std::thread::scope(|scope| {
            let handles: Vec<_> = (0..threads).map(|_| scope.spawn(|| calls(&client))).collect();
            handles.into_iter().flat_map(|handle| handle.join().expect("no panic")).collect()
        });
        took.sort_unstable();
        let at = |q: f64| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "an index"
            )]
            let index = (took.len() as f64 * q) as usize;
            took[index.min(took.len() - 1)]
        };
        let stats = client.stats();
        println!(
            "threads {threads}  calls {}  p50_ns {}  p99_ns {}  p99.9_ns {}  max_ns {}  queued_bytes {}  dropped {}",
            took.len(),
            at(0.5),
            at(0.99),
            at(0.999),
            at(1.0),
            stats.queued_bytes,
            stats.dropped()
        );
    }
}

fn calls(client: &Client) -> Vec<u64> {
    let names: Vec<String> = (0..20).map(|i| format!("feature_{i}")).collect();
    let mut took = Vec::with_capacity(CALLS);
    for call in 0..CALLS {
        #[expect(clippy::cast_precision_loss, reason = "values of a bench")]
        let value = |i: usize| match i % 4 {
            0 => Value::Text("UA"),
            _ => Value::Number((call * 31 + i) as f64 * 0.37),
        };
        let features: [(&str, Value<'_>); 20] = std::array::from_fn(|i| (names[i].as_str(), value(i)));
        let begun = Instant::now();
        client.log_prediction(&Prediction {
            model: "bench",
            version: "1",
            features: &features,
            answer: Answer::Score(0.5),
            latency_us: Some(830),
            ..Prediction::default()
        });
        took.push(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }
    took
}
