//! A model of ONNX Runtime that records what it answers: one event a row.
//!
//! `cargo run -p windvane-sdk --example onnxruntime -- /usr/lib/libonnxruntime.so http://127.0.0.1:8080`

#![expect(clippy::print_stdout, reason = "an example prints what it did")]

use std::error::Error;
use std::time::{Duration, Instant};

use ort::session::Session;
use ort::value::TensorRef;
use windvane_sdk::{Answer, Client, Prediction, Settings};

/// A model of one node, y = x + x: operator set 13, as many 32-bit floats in and out as the batch has rows.
const MODEL: &[u8] = b"\x08\x08\x12\x08windvane:;\n\x0e\n\x01x\n\x01x\x12\x01y\"\x03Add\x12\x05probe\
Z\x10\n\x01x\x12\x0b\n\t\x08\x01\x12\x05\n\x03\x12\x01nb\x10\n\x01y\x12\x0b\n\t\x08\x01\x12\x05\n\x03\x12\x01nB\x04\n\x00\x10\r";

const USAGE: &str =
    "accepted are two arguments: the ONNX Runtime file to load, and the address of the collector";

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let (library, url) = (words.next().ok_or(USAGE)?, words.next().ok_or(USAGE)?);
    let settings = Settings { model: "doubles".to_owned(), version: "1".to_owned(), ..Settings::new(&url) };
    let client = Client::new(settings)?;

    let environment = ort::init_from(library)?.with_telemetry(false).build()?;
    let mut session = Session::builder(&environment)?.commit_from_memory(MODEL)?;
    let rows: Vec<f32> = (0..100_u8).map(|row| f32::from(row) / 4.0).collect();
    let begun = Instant::now();
    let input = TensorRef::from_array_view(([rows.len()], &rows[..]))?;
    let outputs = session.run(ort::inputs!["x" => input])?;
    // A row of a batch takes as long as the batch.
    let latency_us = u64::try_from(begun.elapsed().as_micros()).ok();

    let (_, answers) = outputs["y"].try_extract_tensor::<f32>()?;
    for (x, y) in rows.iter().zip(answers) {
        client.log_prediction(&Prediction {
            features: &[("x", (*x).into())],
            answer: Answer::Value(f64::from(*y)),
            latency_us,
            ..Prediction::default()
        });
    }
    client.flush(Duration::from_secs(10));
    println!("{:?}", client.stats());
    Ok(())
}
