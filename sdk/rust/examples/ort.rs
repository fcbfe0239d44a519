//! A batch scorer on ONNX Runtime: each row of a model's input is a prediction.
//!
//! `ORT_DYLIB_PATH=…/libonnxruntime.so cargo run -p windvane-sdk --example ort -- MODEL.onnx http://127.0.0.1:8080`: a model with one
//! input of 32-bit floats, rows by features, and one output of a number a row, such as `examples/halves.onnx`.

#![expect(clippy::print_stdout, reason = "a program that tells what it did")]

use std::time::{Duration, Instant};

use ort::session::Session;
use ort::value::Tensor;
use windvane_sdk::{Answer, Client, Prediction, Settings, Value};

const ROWS: usize = 1_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(model), Some(url)) = (arguments.next(), arguments.next()) else {
        return Err("usage: ort MODEL.onnx URL".into());
    };
    let client = Client::new(Settings { model: "scorer".to_owned(), ..Settings::new(&url) })?;
    let mut session = Session::builder()?.commit_from_file(model)?;
    let input = session.inputs()[0].name().to_owned();
    #[expect(clippy::cast_precision_loss, reason = "made-up values")]
    for row in 0..ROWS {
        let x = [row as f32 * 0.5, (row % 7) as f32];
        let begun = Instant::now();
        let outputs =
            session.run(ort::inputs![input.as_str() => Tensor::from_array(([1_usize, 2], x.to_vec()))?])?;
        let latency_us = u64::try_from(begun.elapsed().as_micros()).ok();
        let (_, answers) = outputs[0].try_extract_tensor::<f32>()?;
        client.log_prediction(&Prediction {
            features: &[("x0", Value::Number(x[0].into())), ("x1", Value::Number(x[1].into()))],
            answer: answers.first().map_or(Answer::None, |answer| Answer::Value(f64::from(*answer))),
            latency_us,
            ..Prediction::default()
        });
    }
    if !client.flush(Duration::from_secs(30)) {
        return Err("the collector did not take everything in time".into());
    }
    println!("{:?}", client.stats());
    Ok(())
}
