//! Why one record of a batch was refused: a stable code, and a message that says what would have been accepted.

use std::fmt;

use serde::{Serialize, Serializer};

/// The stable word of a refusal, in answers, in metrics and in docs/OPERATIONS.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    /// The record is no valid JSON (`NaN` and `Infinity` are none).
    InvalidJson,
    /// The body is no valid Arrow IPC stream.
    InvalidArrow,
    /// The record is JSON but no object.
    NotAnObject,
    /// The record is longer than a record may be.
    RecordTooLarge,
    /// A field that the event does not have.
    UnknownField,
    /// A field that the event must have is missing, `null` or empty.
    MissingField,
    /// A field or a key stands twice in its object.
    DuplicateField,
    /// A value of another JSON type than the field takes.
    InvalidType,
    /// `event_id` is over 128 bytes.
    EventIdTooLong,
    /// A string is longer than its field takes.
    StringTooLong,
    /// A key of a map is empty.
    NameEmpty,
    /// A map or an array has more entries than it may have.
    TooManyEntries,
    /// A feature is an object or an array.
    FeatureNotAScalar,
    /// A number that a 64-bit float (of an embedding: a 32-bit float) cannot hold.
    NumberOutOfRange,
    /// `ts` is neither RFC 3339 with an offset nor integer microseconds.
    TsInvalid,
    /// `ts` lies outside the years that are taken.
    TsOutOfRange,
    /// `prediction` is none of its three shapes.
    PredictionShape,
    /// A probability outside [0, 1].
    ProbabilityOutOfRange,
    /// `latency_us` is negative or longer than a latency may be.
    LatencyOutOfRange,
    /// An outcome has not exactly one of `label` and `value`.
    OutcomeShape,
    /// A tensor whose shape, datatype and data do not fit together.
    TensorInvalid,
    /// A span whose ids have not the length of W3C's.
    TraceIdInvalid,
    /// A metric of a kind that is not known.
    MetricKindUnsupported,
    /// A CloudEvent of a type that is not taken.
    EventTypeUnsupported,
    /// The token may not send events of this model.
    ModelNotAllowed,
    /// More models than the collector takes.
    TooManyModels,
    /// A feature that is one more than a model may have.
    TooManyFeatureNames,
    /// A category or a label that is one more than a feature may have.
    TooManyCategories,
    /// The payload of a model whose payloads are not kept.
    PayloadNotKept,
}

impl Code {
    /// Every code, so that metrics start at zero and documents list them all.
    pub const ALL: [Self; 29] = [
        Self::InvalidJson,
        Self::InvalidArrow,
        Self::NotAnObject,
        Self::RecordTooLarge,
        Self::UnknownField,
        Self::MissingField,
        Self::DuplicateField,
        Self::InvalidType,
        Self::EventIdTooLong,
        Self::StringTooLong,
        Self::NameEmpty,
        Self::TooManyEntries,
        Self::FeatureNotAScalar,
        Self::NumberOutOfRange,
        Self::TsInvalid,
        Self::TsOutOfRange,
        Self::PredictionShape,
        Self::ProbabilityOutOfRange,
        Self::LatencyOutOfRange,
        Self::OutcomeShape,
        Self::TensorInvalid,
        Self::TraceIdInvalid,
        Self::MetricKindUnsupported,
        Self::EventTypeUnsupported,
        Self::ModelNotAllowed,
        Self::TooManyModels,
        Self::TooManyFeatureNames,
        Self::TooManyCategories,
        Self::PayloadNotKept,
    ];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidJson => "invalid_json",
            Self::InvalidArrow => "invalid_arrow",
            Self::NotAnObject => "not_an_object",
            Self::RecordTooLarge => "record_too_large",
            Self::UnknownField => "unknown_field",
            Self::MissingField => "missing_field",
            Self::DuplicateField => "duplicate_field",
            Self::InvalidType => "invalid_type",
            Self::EventIdTooLong => "event_id_too_long",
            Self::StringTooLong => "string_too_long",
            Self::NameEmpty => "name_empty",
            Self::TooManyEntries => "too_many_entries",
            Self::FeatureNotAScalar => "feature_not_a_scalar",
            Self::NumberOutOfRange => "number_out_of_range",
            Self::TsInvalid => "ts_invalid",
            Self::TsOutOfRange => "ts_out_of_range",
            Self::PredictionShape => "prediction_shape",
            Self::ProbabilityOutOfRange => "probability_out_of_range",
            Self::LatencyOutOfRange => "latency_out_of_range",
            Self::OutcomeShape => "outcome_shape",
            Self::TensorInvalid => "tensor_invalid",
            Self::TraceIdInvalid => "trace_id_invalid",
            Self::MetricKindUnsupported => "metric_kind_unsupported",
            Self::EventTypeUnsupported => "event_type_unsupported",
            Self::ModelNotAllowed => "model_not_allowed",
            Self::TooManyModels => "too_many_models",
            Self::TooManyFeatureNames => "too_many_feature_names",
            Self::TooManyCategories => "too_many_categories",
            Self::PayloadNotKept => "payload_not_kept",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What is wrong with one record, without its place in the batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// The stable word.
    pub code: Code,
    /// What was found and what would have been accepted.
    pub message: String,
}

impl Fault {
    /// A fault of this code.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// The fault at its place in the batch.
    pub fn at(self, index: u64) -> Rejection {
        Rejection { index, code: self.code, message: self.message }
    }
}

/// One refused record of a batch, as the answer shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rejection {
    /// The record's number in the body, from 0; blank lines are not counted.
    pub index: u64,
    /// The stable word.
    pub code: Code,
    /// What was found and what would have been accepted.
    pub message: String,
}
