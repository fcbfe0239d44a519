//! The champion at work: one request at a time, as a service would, with the time that each took.

use std::ops::Range;
use std::time::Instant;

use anyhow::Context;
use serde::ser::{Serialize, SerializeMap, Serializer};
use windvane_shadow::{Batch, Element, Runtime, Session, Values};

use super::flights::{Flights, Truth};
use super::{ENVIRONMENT, MODEL, VERSION};

/// The model; data/README.md says how it was trained.
static CHAMPION: &[u8] = include_bytes!("../../data/models/champion.onnx");

/// A model that is asked about flights.
#[derive(Debug)]
pub struct Champion {
    session: Session,
    features: Vec<(String, Feature)>,
    batch: Batch,
}

#[derive(Debug)]
enum Feature {
    Numbers(Vec<Option<f64>>),
    Texts(Vec<Option<String>>),
}

/// One answer.
#[derive(Debug, Clone, Copy)]
struct Answer {
    score: f64,
    latency_us: u64,
}

impl Champion {
    /// Opens the model and lays out the flights as it takes them.
    ///
    /// # Errors
    /// The runtime refuses the model, or the flights lack one of its inputs.
    pub fn open(runtime: &Runtime, flights: &Flights) -> anyhow::Result<Self> {
        let session = Session::open_bytes(runtime, "champion.onnx", CHAMPION)?;
        let mut batch = Batch::new(flights.len());
        let mut features = Vec::with_capacity(session.inputs().len());
        for input in session.inputs() {
            let (values, feature) = match input.element {
                Element::Text => {
                    let texts = flights.texts(&input.name)?;
                    let given = texts.iter().map(|text| text.clone().unwrap_or_default()).collect();
                    (Values::Text(given), Feature::Texts(texts))
                }
                _ => {
                    let numbers = flights.numbers(&input.name)?;
                    let given = numbers.iter().map(|number| number.map_or(f32::NAN, |n| n as f32)).collect();
                    (Values::F32(given), Feature::Numbers(numbers))
                }
            };
            batch.push(&input.name, values)?;
            features.push((input.name.clone(), feature));
        }
        let mut champion = Self { session, features, batch };
        // The first answers pay for setting up memory; a service would have warmed up as well.
        for _ in 0..WARM_UP {
            champion.ask(0)?;
        }
        Ok(champion)
    }

    /// The predictions of these flights as NDJSON.
    ///
    /// # Errors
    /// The model fails.
    pub fn predict(&mut self, flights: &Flights, rows: Range<usize>) -> anyhow::Result<Vec<u8>> {
        let mut body = Vec::with_capacity(rows.len() * 512);
        for row in rows {
            let answer = self.ask(row)?;
            let event = Event { flights, features: &self.features, row, answer };
            serde_json::to_writer(&mut body, &event)?;
            body.push(b'\n');
        }
        Ok(body)
    }

    fn ask(&mut self, row: usize) -> anyhow::Result<Answer> {
        let started = Instant::now();
        let outputs = self.session.run(&self.batch, row..row + 1)?;
        let latency_us = u64::try_from(started.elapsed().as_micros())?;
        let probabilities = outputs.get("probabilities").and_then(|tensor| tensor.as_f32());
        let score = probabilities.and_then(|p| p.first()).context("the model gave no probabilities")?;
        Ok(Answer { score: f64::from(*score), latency_us })
    }
}

/// Answers that are thrown away before the first that counts.
const WARM_UP: usize = 100;

/// One prediction on its way into JSON.
struct Event<'a> {
    flights: &'a Flights,
    features: &'a [(String, Feature)],
    row: usize,
    answer: Answer,
}

impl Serialize for Event<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("model", MODEL)?;
        map.serialize_entry("version", VERSION)?;
        map.serialize_entry("environment", ENVIRONMENT)?;
        map.serialize_entry("event_id", &self.flights.event_id[self.row])?;
        map.serialize_entry("ts", &self.flights.ts_us[self.row])?;
        if let Some(unit) = &self.flights.unit_id[self.row] {
            map.serialize_entry("unit_id", unit)?;
        }
        map.serialize_entry("features", &Features { features: self.features, row: self.row })?;
        map.serialize_entry("prediction", &serde_json::json!({ "score": self.answer.score }))?;
        map.serialize_entry("latency_us", &self.answer.latency_us)?;
        map.end()
    }
}

struct Features<'a> {
    features: &'a [(String, Feature)],
    row: usize,
}

impl Serialize for Features<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, feature) in self.features {
            match feature {
                Feature::Numbers(numbers) => map.serialize_entry(name, &numbers[self.row])?,
                Feature::Texts(texts) => map.serialize_entry(name, &texts[self.row])?,
            }
        }
        map.end()
    }
}

/// An outcome as a line of NDJSON.
pub fn outcome_line(event_id: &str, truth: &Truth) -> String {
    serde_json::json!({"model": MODEL, "event_id": event_id, "ts": truth.ts_us, "label": truth.label})
        .to_string()
}
