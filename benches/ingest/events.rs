//! Real-shaped events from a seed: 20 numeric and 5 categorical features, a score, a latency, two tags.

use std::fmt::Write;

use rand::distr::Uniform;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use windvane_store::predictions::Row;

use crate::columns::Columns;

/// Events of one request.
pub(crate) const BATCH: u64 = 1000;
/// Different batches; each is sent again under other ids.
const TEMPLATES: usize = 40;
/// Digits of an id, so that ids can be written over each other.
const ID_DIGITS: usize = 12;
/// Stands where an id will be.
const ID_HOLE: &str = "____________";

pub(crate) const NUMERIC: [&str; 20] = [
    "distance",
    "departure_delay",
    "scheduled_hour",
    "temperature",
    "dew_point",
    "humidity",
    "wind_speed",
    "wind_gust",
    "precipitation",
    "pressure",
    "visibility",
    "seats",
    "aircraft_age",
    "taxi_out",
    "load_factor",
    "crew_hours",
    "fuel_ratio",
    "airport_queue",
    "weekday",
    "month",
];
pub(crate) const CATEGORICAL: [(&str, &[&str]); 5] = [
    ("carrier", &["UA", "B6", "EV", "DL", "AA", "MQ", "US", "9E", "WN", "VX"]),
    ("origin", &["EWR", "JFK", "LGA"]),
    ("destination", &["ORD", "ATL", "LAX", "BOS", "MCO", "CLT", "SFO", "FLL", "MIA", "DCA", "DTW", "DFW"]),
    ("aircraft", &["A320", "B737", "E190", "CRJ9", "MD80"]),
    ("holiday", &["true", "false"]),
];

/// One event without its id.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) ts_us: i64,
    pub(crate) num: [f64; 20],
    pub(crate) cat: [&'static str; 5],
    pub(crate) score: f64,
    pub(crate) latency_us: u64,
}

/// Batches of events, as text with holes for the ids.
#[derive(Debug)]
pub(crate) struct Templates {
    batches: Vec<(Vec<Event>, String, Vec<usize>)>,
    columns: Vec<Columns>,
}

impl Templates {
    pub(crate) fn generate() -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let batches = (0..TEMPLATES).map(|_| {
            let events: Vec<Event> = (0..BATCH).map(|_| Event::generate(&mut random)).collect();
            let mut text = String::new();
            for event in &events {
                event.write(&mut text);
            }
            let holes = text.match_indices(ID_HOLE).map(|(at, _)| at).collect();
            (events, text, holes)
        });
        let batches: Vec<_> = batches.collect();
        let columns = batches.iter().map(|(events, _, _)| Columns::of(events)).collect();
        Self { batches, columns }
    }

    pub(crate) fn bytes_of_one(&self) -> usize {
        self.batches[0].1.len() / self.batches[0].0.len()
    }

    /// The events of a batch.
    pub(crate) fn events(&self, batch: u64) -> &[Event] {
        &self.of(batch).0
    }

    /// The body of a batch: its text with ids that no other batch has.
    pub(crate) fn body(&self, batch: u64) -> Vec<u8> {
        let (_, text, holes) = self.of(batch);
        let mut body = text.clone().into_bytes();
        for (at, n) in holes.iter().zip(batch * BATCH..) {
            body[*at..*at + ID_DIGITS].copy_from_slice(id(n).as_bytes());
        }
        body
    }

    /// The body of a batch as an Arrow stream.
    pub(crate) fn arrow(&self, batch: u64) -> Vec<u8> {
        self.columns[usize::try_from(batch).unwrap_or(0) % TEMPLATES].body(batch)
    }

    fn of(&self, batch: u64) -> &(Vec<Event>, String, Vec<usize>) {
        &self.batches[usize::try_from(batch).unwrap_or(0) % TEMPLATES]
    }
}

/// The id of event number `n`.
pub(crate) fn id(n: u64) -> String {
    format!("{n:0ID_DIGITS$}")
}

impl Event {
    fn generate(random: &mut impl Rng) -> Self {
        let mut num = [0.0; 20];
        for (place, value) in num.iter_mut().enumerate() {
            let wide: f64 = random.sample(Uniform::new(-50.0, 2000.0).expect("a range"));
            // As models' inputs are: some counts, some with two digits, some with all they have.
            *value = match place % 3 {
                0 => wide.round(),
                1 => (wide * 100.0).round() / 100.0,
                _ => wide,
            };
        }
        let cat = CATEGORICAL.map(|(_, words)| words[random.random_range(0..words.len())]);
        let ts_us = 1_735_689_600_000_000 + random.random_range(0..14 * 24 * 3_600_000_000_i64);
        Self { ts_us, num, cat, score: random.random(), latency_us: random.random_range(200..5000) }
    }

    fn write(&self, out: &mut String) {
        let written = self.try_write(out);
        written.expect("text can be written");
    }

    fn try_write(&self, out: &mut String) -> std::fmt::Result {
        write!(
            out,
            r#"{{"model":"http","version":"7","event_id":"{ID_HOLE}","ts":{},"environment":"prod","features":{{"#,
            self.ts_us
        )?;
        for (name, value) in NUMERIC.iter().zip(self.num) {
            write!(out, r#""{name}":{value},"#)?;
        }
        for ((name, _), word) in CATEGORICAL.iter().zip(self.cat).take(4) {
            write!(out, r#""{name}":"{word}","#)?;
        }
        let (holiday, Self { score, latency_us, .. }) = (self.cat[4], self);
        writeln!(
            out,
            r#""holiday":{holiday}}},"prediction":{{"score":{score}}},"latency_us":{latency_us},"tags":{{"region":"east","tier":"gold"}}}}"#
        )
    }

    /// Appends the same event as the store's row, under another model.
    pub(crate) fn encode(&self, event_id: &str, ingested_at_us: i64, out: &mut Vec<u8>) {
        let row = Row {
            event_id,
            ts_us: self.ts_us,
            ingested_at_us,
            model: "direct",
            version: "7",
            environment: "prod",
            unit_id: "",
            arms: &mut std::iter::empty(),
            num: &mut NUMERIC.iter().copied().zip(self.num),
            cat: &mut CATEGORICAL.iter().map(|(name, _)| *name).zip(self.cat),
            embeddings: &mut std::iter::empty(),
            kind: "score",
            score: Some(self.score),
            label: None,
            probabilities: &mut std::iter::empty(),
            value: None,
            latency_us: Some(self.latency_us),
            status: "ok",
            trace_id: "",
            span_id: "",
            tags: &mut [("region", "east"), ("tier", "gold")].into_iter(),
        };
        row.encode(out);
    }
}
