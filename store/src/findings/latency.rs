//! The `latency_findings` table: the document of a latency run as rows, one quantile of one group, or one rule of one objective, each.

use std::borrow::Cow;

use serde::Serialize;
use windvane_types::latency::{Document, Group, Objective, Quantile, Rule};

use crate::findings::{self, Run};
use crate::rowbinary as rb;
use crate::wire::{Column, Wire, column};
use crate::{Store, StoreError};

const TABLE: &str = "latency_findings";

const COLUMNS: &[Column] = &[
    column("run_id", Wire::Text),
    column("computed_at", Wire::Micros),
    column("model", Wire::Word),
    column("version", Wire::Word),
    column("environment", Wire::Word),
    column("monitor", Wire::Word),
    column("reference_kind", Wire::Word),
    column("reference_name", Wire::Text),
    column("window_start", Wire::Micros),
    column("window_end", Wire::Micros),
    column("granularity", Wire::Word),
    column("segment_key", Wire::Word),
    column("segment_value", Wire::Text),
    column("method", Wire::Word),
    column("statistic", Wire::OptionalNumber),
    column("ci_low", Wire::OptionalNumber),
    column("ci_high", Wire::OptionalNumber),
    column("reference_statistic", Wire::OptionalNumber),
    column("threshold", Wire::OptionalNumber),
    column("p_value", Wire::OptionalNumber),
    column("p_adjusted", Wire::OptionalNumber),
    column("n_reference", Wire::Count),
    column("n_current", Wire::Count),
    column("verdict", Wire::Word),
    column("detail", Wire::Text),
];

/// Writes the findings of a run: a repeated run on the same window overwrites them, and empties those that it does not have.
///
/// # Errors
/// As [`Store::insert`]; the same run may be written again.
pub async fn write(store: &Store, run: &Run, document: &Document) -> Result<u64, StoreError> {
    let mut body = Vec::new();
    let mut rows = 0;
    for group in &document.groups {
        for (i, quantile) in group.quantiles.iter().enumerate() {
            // The group is told once, with its first quantile.
            of_quantile(run, (group, quantile), if i == 0 { json(group) } else { String::new() }, &mut body);
            rows += 1;
        }
    }
    for objective in &document.objectives {
        for (i, rule) in objective.rules.iter().enumerate() {
            of_rule(run, (objective, rule), if i == 0 { json(objective) } else { String::new() }, &mut body);
            rows += 1;
        }
    }
    findings::record(store, (TABLE, COLUMNS), ("latency", run), (rows, body)).await
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("texts and numbers are JSON")
}

fn of_quantile(run: &Run, (group, quantile): (&Group, &Quantile), detail: String, out: &mut Vec<u8>) {
    run.head(out);
    let (key, value) =
        group.group.iter().next().map_or(("", Cow::Borrowed("")), |(key, value)| {
            (key.as_str(), findings::written(value.as_deref()))
        });
    for word in [key, &value, &quantile.quantile] {
        rb::string(out, word);
    }
    let drift = group.drift.as_ref();
    for number in [
        Some(quantile.value),
        quantile.ci[0],
        quantile.ci[1],
        quantile.reference,
        drift.map(|drift| drift.threshold),
        drift.and_then(|drift| drift.p_value),
        drift.and_then(|drift| drift.p_adjusted),
    ] {
        rb::nullable(out, number, rb::f64);
    }
    rb::u64(out, drift.map_or(0, |drift| drift.n_reference));
    rb::u64(out, group.n);
    rb::string(out, drift.map_or("insufficient_data", |drift| drift.verdict.as_str()));
    rb::string(out, &detail);
}

fn of_rule(run: &Run, (objective, rule): (&Objective, &Rule), detail: String, out: &mut Vec<u8>) {
    run.head(out);
    let method = format!(
        "burn {}% {}us {}s",
        (objective.objective * 1e8).round() / 1e6,
        objective.threshold_us,
        rule.long.window_s
    );
    for word in ["", "", &method] {
        rb::string(out, word);
    }
    for number in [rule.long.burn, rule.short.burn, None, None, Some(rule.factor), rule.p_value, None] {
        rb::nullable(out, number, rb::f64);
    }
    rb::u64(out, rule.long.bad);
    rb::u64(out, rule.long.events);
    rb::string(out, if rule.fires { &rule.urgency } else { "ok" });
    rb::string(out, &detail);
}
