//! `[redaction.<MODEL>]` and `[otlp.redaction]`: the rules, made ready.

use windvane_collector::{Keep, Redaction, Rule, Telemetry};

use super::layers::Layers;
use super::path::KeyPath;

/// All rules; what is wrong with one is a fault of the layers.
pub fn redaction(layers: &mut Layers) -> Redaction {
    let tables = KeyPath::from("redaction");
    let rules = layers.names(tables.clone()).into_iter().map(|model| {
        let table = tables.join(&model);
        let rule = Rule {
            features: keep(layers, &table, ["features_allow", "features_deny"]),
            tags: keep(layers, &table, ["tags_allow", "tags_deny"]),
            drop_embeddings: layers.flag(table.join("drop_embeddings"), false),
            drop_payloads: layers.flag(table.join("drop_payloads"), false),
            unit_key: layers.secret(&table, ["unit_key_env", "unit_key_file"]).ok().flatten(),
        };
        if rule.unit_key.as_ref().is_some_and(|key| key.expose().is_empty()) {
            layers.contradiction(
                table.join("unit_key_file"),
                "holds an empty key; accepted is one of 16 bytes or more",
            );
        }
        (model, rule)
    });
    let redaction = Redaction::new(rules.collect());
    let telemetry = telemetry(layers);
    if !telemetry.hashed.is_empty() && redaction.shared_key().is_none() {
        layers.contradiction(
            "otlp.redaction.attributes_hash",
            "needs a key; accepted is redaction.\"*\".unit_key_env or redaction.\"*\".unit_key_file",
        );
    }
    redaction.with_telemetry(telemetry)
}

fn telemetry(layers: &mut Layers) -> Telemetry {
    let table = KeyPath::from("otlp.redaction");
    Telemetry {
        attributes: keep(layers, &table, ["attributes_allow", "attributes_deny"]),
        hashed: layers.texts(table.join("attributes_hash")),
        drop_messages: layers.flag(table.join("drop_messages"), false),
        drop_log_bodies: layers.flag(table.join("drop_log_bodies"), false),
    }
}

fn keep(layers: &mut Layers, table: &KeyPath, [allow, deny]: [&str; 2]) -> Keep {
    match (layers.has(table.join(allow)), layers.has(table.join(deny))) {
        (false, false) => Keep::All,
        (true, false) => Keep::Only(layers.texts(table.join(allow))),
        (false, true) => Keep::AllBut(layers.texts(table.join(deny))),
        (true, true) => {
            layers.contradiction(table.join(allow), &format!("excludes {deny}; keep one of the two"));
            Keep::All
        }
    }
}
