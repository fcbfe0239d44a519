//! How large the parts of an event may be; each bound has its code in a rejection.

use super::Kind;

/// The bounds of one event. The defaults leave room for wide models and still keep an event below a few hundred KiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one record.
    pub record_bytes_max: usize,
    /// Bytes of the record of a payload: tensors are larger than what is monitored of them.
    pub payload_bytes_max: usize,
    /// Bytes of `event_id`; the contract says 128.
    pub event_id_bytes_max: usize,
    /// Bytes of a name: model, version, environment, a feature's key, a metric.
    pub name_bytes_max: usize,
    /// Bytes of a value: a categorical feature, a label, a tag, a unit.
    pub value_bytes_max: usize,
    /// Features of one prediction.
    pub features_max: usize,
    /// Entries of `tags` and of `arms`.
    pub tags_max: usize,
    /// Classes in `probabilities`.
    pub classes_max: usize,
    /// Embeddings of one prediction.
    pub embeddings_max: usize,
    /// Numbers in one embedding.
    pub dimensions_max: usize,
    /// Levels of arrays in the data of a tensor, and dimensions in its shape; a configuration has 100 at most, because JSON is
    /// read to a depth of 127, event and envelope included.
    pub nesting_max: usize,
}

impl Limits {
    /// Bytes of one record of a kind.
    #[must_use]
    pub fn record_bytes_max(&self, kind: Kind) -> usize {
        match kind {
            Kind::Payload => self.payload_bytes_max,
            _ => self.record_bytes_max,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            record_bytes_max: 1 << 20,
            payload_bytes_max: 8 << 20,
            event_id_bytes_max: 128,
            name_bytes_max: 256,
            value_bytes_max: 4096,
            features_max: 4096,
            tags_max: 64,
            classes_max: 4096,
            embeddings_max: 16,
            dimensions_max: 16_384,
            nesting_max: 16,
        }
    }
}
