//! `[limits]`: the bounds of one event, and of what a model or a service may bring over time.

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

/// The share of the spool that one model fills at most beside others, per cent. What somebody chose has to leave room for one
/// request of the largest size, which would be told to come again for ever otherwise.
pub fn model_share_percent(layers: &mut Layers, (spool_bytes_max, body_bytes_max): (u64, u64)) -> u64 {
    const KEY: &str = "limits.model_share_percent";
    let percent = layers.integer(KEY, 80);
    // In an empty spool a model may have `percent` bytes for each `100 - percent` of all.
    let least = (100 * body_bytes_max).div_ceil(spool_bytes_max + body_bytes_max);
    if layers.has(KEY) && percent < least {
        let problem = format!(
            "`{percent}` leaves a model less of a spool of {spool_bytes_max} bytes than one request of {body_bytes_max}; allowed is {least} or more, a larger collector.spool_bytes_max or a smaller collector.body_bytes_max"
        );
        layers.contradiction(KEY, &problem);
    }
    percent
}

/// The bounds of what models and services bring.
pub fn names(layers: &Layers) -> NameLimits {
    let usual = NameLimits::default();
    NameLimits {
        models_max: layers.size("limits.models_max", usual.models_max),
        feature_names_max: layers.size("limits.feature_names_max", usual.feature_names_max),
        categories_max: layers.size("limits.categories_max", usual.categories_max),
        labels_max: layers.size("limits.labels_max", usual.labels_max),
        services_max: layers.size("limits.services_max", usual.services_max),
        words_max: layers.size("limits.words_max", usual.words_max),
        remembered_max: layers.integer("limits.names_remembered_max", usual.remembered_max),
    }
}
