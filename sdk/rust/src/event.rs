//! The four kinds of events as they are logged. They borrow what they are made of, and are copied before the call returns.

use crate::record::{self, Object};

/// A value of a feature.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// A number; one that is not finite is recorded as missing.
    Number(f64),
    /// A whole number.
    Integer(i64),
    /// A text: a category.
    Text(&'a str),
    /// A truth: a category, too.
    Bool(bool),
    /// Not there.
    Missing,
}

macro_rules! value_from {
    ($($kind:ty => $variant:ident($cast:expr)),* $(,)?) => {
        $(impl From<$kind> for Value<'_> {
            fn from(value: $kind) -> Self {
                Self::$variant($cast(value))
            }
        })*
    };
}

value_from!(
    f64 => Number(std::convert::identity), f32 => Number(f64::from), i64 => Integer(std::convert::identity),
    i32 => Integer(i64::from), u32 => Integer(i64::from), u16 => Integer(i64::from), u8 => Integer(i64::from),
    bool => Bool(std::convert::identity),
);

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a, V: Into<Value<'a>>> From<Option<V>> for Value<'a> {
    fn from(value: Option<V>) -> Self {
        value.map_or(Self::Missing, Into::into)
    }
}

/// What a model said.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Answer<'a> {
    /// Nothing: only features are recorded, or the model failed.
    #[default]
    None,
    /// A score of a binary model or a ranking.
    Score(f64),
    /// A class, with the probabilities of all, or none.
    Label(&'a str, &'a [(&'a str, f64)]),
    /// A number of a regression.
    Value(f64),
}

/// One answer of a model. What is empty or `None` is not sent.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Prediction<'a> {
    /// The model's name; the client's where it is empty.
    pub model: &'a str,
    /// Its version; the client's where it is empty.
    pub version: &'a str,
    /// Under which the outcome is logged later; made where it is empty.
    pub event_id: &'a str,
    /// Microseconds since 1970 UTC; now where it is `None`.
    pub ts_us: Option<i64>,
    /// Where the model runs; the client's where it is empty.
    pub environment: &'a str,
    /// Who or what the prediction is about.
    pub unit_id: &'a str,
    /// Experiment and arm.
    pub arms: &'a [(&'a str, &'a str)],
    /// What the model saw.
    pub features: &'a [(&'a str, Value<'a>)],
    /// Named vectors.
    pub embeddings: &'a [(&'a str, &'a [f32])],
    /// What the model said.
    pub answer: Answer<'a>,
    /// How long it took, microseconds.
    pub latency_us: Option<u64>,
    /// `ok` where it is empty.
    pub status: &'a str,
    /// The trace that it belongs to.
    pub trace_id: &'a str,
    /// The span that it belongs to.
    pub span_id: &'a str,
    /// For segments.
    pub tags: &'a [(&'a str, &'a str)],
}

/// The truth of a prediction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome<'a> {
    /// The model's name; the client's where it is empty.
    pub model: &'a str,
    /// Of the prediction.
    pub event_id: &'a str,
    /// Microseconds since 1970 UTC; now where it is `None`.
    pub ts_us: Option<i64>,
    /// What was true.
    pub truth: Truth<'a>,
}

/// What was true.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Truth<'a> {
    /// A class.
    Label(&'a str),
    /// A number.
    Value(f64),
}

/// A unit was assigned to an arm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exposure<'a> {
    /// The experiment's name.
    pub experiment: &'a str,
    /// Who was assigned.
    pub unit_id: &'a str,
    /// To which arm.
    pub arm: &'a str,
    /// Microseconds since 1970 UTC; now where it is `None`.
    pub ts_us: Option<i64>,
    /// Made where it is empty.
    pub event_id: &'a str,
}

/// One value of a metric of a unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measurement<'a> {
    /// Whose metric.
    pub unit_id: &'a str,
    /// Its name.
    pub metric: &'a str,
    /// Its value.
    pub value: f64,
    /// Microseconds since 1970 UTC; now where it is `None`.
    pub ts_us: Option<i64>,
    /// Made where it is empty.
    pub event_id: &'a str,
}

impl Prediction<'_> {
    pub(crate) fn encode(&self, into: &mut Vec<u8>, ts_us: i64) {
        let answer = self.answer.finite();
        let status =
            if answer == self.answer || !self.status.is_empty() { self.status } else { "non_finite" };
        let mut object = Object::begin(into);
        object.text("model", self.model);
        object.text("version", self.version);
        object.text("event_id", self.event_id);
        record::integer(object.key("ts"), ts_us);
        object.text("environment", self.environment);
        object.text("unit_id", self.unit_id);
        texts(&mut object, "arms", self.arms);
        if !self.features.is_empty() {
            let mut features = Object::begin(object.key("features"));
            for (name, value) in self.features {
                value.encode(features.key(name));
            }
            features.end();
        }
        if !self.embeddings.is_empty() {
            let mut embeddings = Object::begin(object.key("embeddings"));
            for (name, vector) in self.embeddings {
                record::floats(embeddings.key(name), vector);
            }
            embeddings.end();
        }
        answer.encode(&mut object);
        if let Some(us) = self.latency_us {
            record::integer(object.key("latency_us"), i64::try_from(us).unwrap_or(i64::MAX));
        }
        object.text("status", status);
        object.text("trace_id", self.trace_id);
        object.text("span_id", self.span_id);
        texts(&mut object, "tags", self.tags);
        object.end();
    }
}

impl Value<'_> {
    fn encode(self, into: &mut Vec<u8>) {
        match self {
            Self::Number(number) => record::number(into, number),
            Self::Integer(number) => record::integer(into, number),
            Self::Text(text) => record::text(into, text),
            Self::Bool(truth) => record::bool(into, truth),
            Self::Missing => record::null(into),
        }
    }
}

impl Answer<'_> {
    /// The answer, unless a number of it is not finite.
    fn finite(self) -> Self {
        let is_finite = match self {
            Self::None => true,
            Self::Score(number) | Self::Value(number) => number.is_finite(),
            Self::Label(_, probabilities) => probabilities.iter().all(|(_, number)| number.is_finite()),
        };
        if is_finite { self } else { Self::None }
    }

    fn encode(self, record: &mut Object<'_>) {
        if self == Self::None {
            return;
        }
        let mut object = Object::begin(record.key("prediction"));
        match self {
            Self::None => {}
            Self::Score(number) => record::number(object.key("score"), number),
            Self::Value(number) => record::number(object.key("value"), number),
            Self::Label(label, probabilities) => {
                record::text(object.key("label"), label);
                if !probabilities.is_empty() {
                    let mut all = Object::begin(object.key("probabilities"));
                    for (class, probability) in probabilities {
                        record::number(all.key(class), *probability);
                    }
                    all.end();
                }
            }
        }
        object.end();
    }
}

impl Outcome<'_> {
    pub(crate) fn encode(&self, into: &mut Vec<u8>, ts_us: i64) {
        let mut object = Object::begin(into);
        object.text("model", self.model);
        object.text("event_id", self.event_id);
        record::integer(object.key("ts"), ts_us);
        match self.truth {
            Truth::Label(label) => record::text(object.key("label"), label),
            Truth::Value(value) => record::number(object.key("value"), value),
        }
        object.end();
    }
}

impl Exposure<'_> {
    pub(crate) fn encode(&self, into: &mut Vec<u8>, ts_us: i64) {
        let mut object = Object::begin(into);
        object.text("experiment", self.experiment);
        object.text("unit_id", self.unit_id);
        object.text("arm", self.arm);
        record::integer(object.key("ts"), ts_us);
        object.text("event_id", self.event_id);
        object.end();
    }
}

impl Measurement<'_> {
    pub(crate) fn encode(&self, into: &mut Vec<u8>, ts_us: i64) {
        let mut object = Object::begin(into);
        object.text("unit_id", self.unit_id);
        object.text("metric", self.metric);
        record::number(object.key("value"), self.value);
        record::integer(object.key("ts"), ts_us);
        object.text("event_id", self.event_id);
        object.end();
    }
}

fn texts(object: &mut Object<'_>, key: &str, entries: &[(&str, &str)]) {
    if entries.is_empty() {
        return;
    }
    let mut map = Object::begin(object.key(key));
    for (name, value) in entries {
        record::text(map.key(name), value);
    }
    map.end();
}
