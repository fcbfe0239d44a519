//! Monitors of fairness and of attributions, from their tables.

use windvane_analyzer::monitor::{AttributionMonitor, FairnessMonitor};

use super::{reference, refuse, reopen, watched};
use crate::config::layers::Layers;
use crate::config::path::KeyPath;

/// A table that says how groups are compared.
pub(super) fn fairness(layers: &mut Layers, name: &str) -> Option<FairnessMonitor> {
    let table = KeyPath::from("monitors").join(name);
    refuse(layers, &table, "fairness");
    if layers.has(table.join("reference")) {
        let problem = "is not for kind = \"fairness\": groups of one window are compared with each other; reference_group says with which";
        layers.contradiction(table.join("reference"), problem);
    }
    let group_by = layers.distinct(table.join("segment_by"));
    if group_by.is_empty() {
        let problem =
            "must be given for kind = \"fairness\": what cuts the groups, such as segment_by = [\"region\"]";
        layers.contradiction(table.join("segment_by"), problem);
    }
    let reference_group = Some(layers.texts(table.join("reference_group"))).filter(|group| !group.is_empty());
    if reference_group.as_ref().is_some_and(|group| group.len() != group_by.len()) {
        let problem = "has one value for each name of segment_by";
        layers.contradiction(table.join("reference_group"), problem);
    }
    Some(FairnessMonitor {
        watched: watched(layers, name)?,
        positive: layers.text(table.join("positive")),
        threshold: layers.number(table.join("threshold"), 0.5),
        reference_group,
        min_rows: layers.integer(table.join("min_rows"), 100),
        max_gap: layers.number(table.join("max_gap"), 0.05),
        alpha: layers.number(table.join("alpha"), 0.05),
        reopen: reopen(layers, &table),
        group_by,
    })
}

/// A table that says whether features still rank as they did.
pub(super) fn attribution(layers: &mut Layers, name: &str) -> Option<AttributionMonitor> {
    let table = KeyPath::from("monitors").join(name);
    refuse(layers, &table, "attribution");
    let threshold = layers.number(table.join("threshold"), 0.9);
    if !(threshold > 0.0 && threshold <= 1.0) {
        let problem = format!(
            "`{threshold}` is not allowed for kind = \"attribution\"; allowed is above 0 and up to 1"
        );
        layers.contradiction(table.join("threshold"), &problem);
    }
    let watched = watched(layers, name);
    Some(AttributionMonitor {
        reference: reference(layers, &table)?,
        watched: watched?,
        columns: Some(layers.distinct(table.join("columns"))).filter(|list| !list.is_empty()),
        threshold,
        min_rows: layers.integer(table.join("min_rows"), 30),
    })
}
