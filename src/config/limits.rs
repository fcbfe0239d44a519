//! `[limits]`: the bounds of one event, and of what a model may bring over time.

use windvane_collector::NameLimits;
use windvane_types::event::Limits;

use super::layers::Layers;

/// The bounds of one event.
pub fn event(layers: &Layers) -> Limits {
    let usual = Limits::default();
    Limits {
        record_bytes_max: layers.size("limits.record_bytes_max", usual.record_bytes_max),
        payload_bytes_max: layers.size("limits.payload_bytes_max", usual.payload_bytes_max),
        name_bytes_max: layers.size("limits.name_bytes_max", usual.name_bytes_max),
        value_bytes_max: layers.size("limits.value_bytes_max", usual.value_bytes_max),
        features_max: layers.size("limits.features_max", usual.features_max),
        tags_max: layers.size("limits.tags_max", usual.tags_max),
        classes_max: layers.size("limits.classes_max", usual.classes_max),
        embeddings_max: layers.size("limits.embeddings_max", usual.embeddings_max),
        dimensions_max: layers.size("limits.dimensions_max", usual.dimensions_max),
        nesting_max: layers.size("limits.nesting_max", usual.nesting_max),
        // The contract's 128 bytes.
        event_id_bytes_max: usual.event_id_bytes_max,
    }
}

/// The bounds of what models bring.
pub fn names(layers: &Layers) -> NameLimits {
    let usual = NameLimits::default();
    NameLimits {
        models_max: layers.size("limits.models_max", usual.models_max),
        feature_names_max: layers.size("limits.feature_names_max", usual.feature_names_max),
        categories_max: layers.size("limits.categories_max", usual.categories_max),
        remembered_max: layers.integer("limits.names_remembered_max", usual.remembered_max),
    }
}
