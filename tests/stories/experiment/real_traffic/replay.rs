//! The flights of April to December, answered by both models and dealt out by aeroplane: each flight is answered by the model
//! of its aeroplane's arm, and what it was worth becomes known when it lands.

use serde_json::json;
use windvane_shadow::{Batch, Element, Runtime, Session, Values};
use windvane_types::assignment::{Assigner, Assignment, Definition, WeightedArm};

use super::flights::Flights;

const MODELS: [&str; 2] = ["champion", "candidate"];
/// Flights of one answer of a model.
const BATCH_ROWS: usize = 8192;
/// 1 April 2013: the models were trained on what came before.
const FIRST_US: i64 = 1_364_774_400_000_000;
/// A probability is taken as at least this far from 0 and 1, so that one surprise does not weigh more than all other flights.
const PROBABILITY_MIN: f64 = 1e-6;

/// What happened, as records for the collector.
#[derive(Debug, Default)]
pub struct Events {
    pub predictions: Vec<String>,
    pub outcomes: Vec<String>,
    pub measurements: Vec<String>,
}

/// Replays the flights with an aeroplane and an outcome.
pub fn replay() -> Events {
    let flights = Flights::load().unwrap();
    let runtime = Runtime::load(&windvane_kit::onnxruntime()).unwrap();
    let scores = MODELS.map(|model| scores(&runtime, model, &flights));
    let versions = assigner("versions", MODELS);
    let halves = assigner("halves", ["A", "B"]);
    let delays = flights.numbers("dep_delay").unwrap();
    let mut events = Events::default();
    for row in 0..flights.len() {
        let (Some(unit), Some(truth)) = (&flights.unit_id[row], &flights.outcome[row]) else { continue };
        if flights.ts_us[row] < FIRST_US {
            continue;
        }
        let (version, half) = (arm(&versions, unit), arm(&halves, unit));
        let score = f64::from(scores[usize::from(version == MODELS[1])][row]);
        events.predictions.push(
            json!({
                "model": "delay", "version": version, "event_id": flights.event_id[row], "ts": flights.ts_us[row],
                "unit_id": unit, "arms": {"versions": version, "halves": half},
                "features": {"dep_delay": delays[row]}, "prediction": {"score": score},
            })
            .to_string(),
        );
        events.outcomes.push(
            json!({"model": "delay", "event_id": flights.event_id[row], "ts": truth.ts_us, "label": truth.label})
                .to_string(),
        );
        let late = truth.label == "late";
        let of_truth = if late { score } else { 1.0 - score };
        let loss = -of_truth.clamp(PROBABILITY_MIN, 1.0 - PROBABILITY_MIN).ln();
        let right = f64::from(u8::from((score >= 0.5) == late));
        for (metric, value) in [("log_loss", loss), ("right", right), ("answers", 1.0)] {
            let measured = json!({"unit_id": unit, "metric": metric, "value": value, "ts": truth.ts_us});
            events.measurements.push(measured.to_string());
        }
    }
    events
}

/// The model's probability of *late* for every flight.
fn scores(runtime: &Runtime, model: &str, flights: &Flights) -> Vec<f32> {
    let path = format!("{}/data/models/{model}.onnx", env!("CARGO_MANIFEST_DIR"));
    let mut session = Session::open_bytes(runtime, model, &std::fs::read(path).unwrap()).unwrap();
    let mut batch = Batch::new(flights.len());
    for input in session.inputs() {
        let values = match input.element {
            Element::Text => {
                let texts = flights.texts(&input.name).unwrap();
                Values::Text(texts.into_iter().map(Option::unwrap_or_default).collect())
            }
            _ => {
                let numbers = flights.numbers(&input.name).unwrap();
                Values::F32(numbers.into_iter().map(|number| number.map_or(f32::NAN, |n| n as f32)).collect())
            }
        };
        batch.push(&input.name, values).unwrap();
    }
    let mut scores = Vec::with_capacity(flights.len());
    for from in (0..flights.len()).step_by(BATCH_ROWS) {
        let outputs = session.run(&batch, from..flights.len().min(from + BATCH_ROWS)).unwrap();
        // Two probabilities a flight: late, on time.
        let probabilities = outputs.get("probabilities").unwrap().as_f32().unwrap();
        scores.extend(probabilities.iter().step_by(2));
    }
    scores
}

fn assigner(salt: &str, arms: [&str; 2]) -> Assigner {
    let arms = arms.map(|arm| WeightedArm { arm: arm.to_owned(), weight: 0.5 });
    let definition =
        Definition { salt: salt.to_owned(), layer: None, holdout: None, ramp: 1.0, arms: arms.to_vec() };
    Assigner::new(definition).unwrap()
}

fn arm<'a>(assigner: &'a Assigner, unit: &str) -> &'a str {
    match assigner.assign(unit) {
        Assignment::Arm(arm) => arm,
        other => panic!("{unit}: {other:?}"),
    }
}
