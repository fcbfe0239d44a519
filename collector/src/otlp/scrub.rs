//! Redaction of a message before anything is made of it: what is taken out here reaches no table, neither as an attribute nor as what is read out of attributes.
//!
//! Attributes go by `[otlp.redaction]`. Those called `windvane.*` are events: they go by the rule of the model that the record they stand on names, so that
//! a feature which the prediction does not keep is not kept by its span either.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use windvane_store::Secret;

use super::attributes::text;
use super::windvane::{MODEL, PREFIX};
use crate::redact::{Fate, Keep, Redaction, Rule, hashed};

/// Whose attributes are looked at.
#[derive(Debug, Clone, Copy, Default)]
struct Owner<'a> {
    /// The model whose event the record is.
    model: Option<&'a str>,
    /// Whether it is a message of a conversation that is not kept.
    is_message: bool,
}

pub(super) fn traces(request: &mut ExportTraceServiceRequest, redaction: &Redaction) {
    if redaction.is_empty() {
        return;
    }
    for of_resource in &mut request.resource_spans {
        resource(of_resource.resource.as_mut(), redaction);
        for of_scope in &mut of_resource.scope_spans {
            scope(of_scope.scope.as_mut(), redaction);
            of_scope.spans.iter_mut().for_each(|one| span(one, redaction));
        }
    }
}

pub(super) fn logs(request: &mut ExportLogsServiceRequest, redaction: &Redaction) {
    if redaction.is_empty() {
        return;
    }
    for of_resource in &mut request.resource_logs {
        resource(of_resource.resource.as_mut(), redaction);
        for of_scope in &mut of_resource.scope_logs {
            scope(of_scope.scope.as_mut(), redaction);
            of_scope.log_records.iter_mut().for_each(|one| record(one, redaction));
        }
    }
}

pub(super) fn metrics(request: &mut ExportMetricsServiceRequest, redaction: &Redaction) {
    if redaction.is_empty() {
        return;
    }
    for of_resource in &mut request.resource_metrics {
        resource(of_resource.resource.as_mut(), redaction);
        for of_scope in &mut of_resource.scope_metrics {
            scope(of_scope.scope.as_mut(), redaction);
            of_scope.metrics.iter_mut().for_each(|metric| points(metric.data.as_mut(), redaction));
        }
    }
}

fn resource(resource: Option<&mut Resource>, redaction: &Redaction) {
    if let Some(resource) = resource {
        attributes(&mut resource.attributes, Owner::default(), redaction);
    }
}

fn scope(scope: Option<&mut InstrumentationScope>, redaction: &Redaction) {
    if let Some(scope) = scope {
        attributes(&mut scope.attributes, Owner::default(), redaction);
    }
}

fn span(span: &mut Span, redaction: &Redaction) {
    let model = model_of(&span.attributes);
    let owner = Owner { model: model.as_deref(), is_message: false };
    attributes(&mut span.attributes, owner, redaction);
    for event in &mut span.events {
        let is_message = redaction.telemetry.drops_event(&event.name);
        attributes(&mut event.attributes, Owner { is_message, ..owner }, redaction);
    }
    span.links.iter_mut().for_each(|link| attributes(&mut link.attributes, owner, redaction));
}

fn record(record: &mut LogRecord, redaction: &Redaction) {
    let model = model_of(&record.attributes);
    let told = string_of(&record.attributes, "event.name");
    let is_message = [record.event_name.as_str(), told.unwrap_or_default()]
        .iter()
        .any(|name| redaction.telemetry.drops_event(name));
    let owner = Owner { model: model.as_deref(), is_message };
    attributes(&mut record.attributes, owner, redaction);
    if is_message || redaction.telemetry.drop_log_bodies {
        record.body = None;
    } else if let Some(AnyValue { value: Some(Value::KvlistValue(entries)) }) = &mut record.body {
        attributes(&mut entries.values, owner, redaction);
    }
}

fn points(data: Option<&mut Data>, redaction: &Redaction) {
    let of_point = |list: &mut Vec<KeyValue>| {
        let model = model_of(list);
        attributes(list, Owner { model: model.as_deref(), is_message: false }, redaction);
    };
    match data {
        None => {}
        Some(Data::Gauge(of)) => of.data_points.iter_mut().for_each(|point| of_point(&mut point.attributes)),
        Some(Data::Sum(of)) => of.data_points.iter_mut().for_each(|point| of_point(&mut point.attributes)),
        Some(Data::Histogram(of)) => {
            of.data_points.iter_mut().for_each(|point| of_point(&mut point.attributes));
        }
        Some(Data::ExponentialHistogram(of)) => {
            of.data_points.iter_mut().for_each(|point| of_point(&mut point.attributes));
        }
        Some(Data::Summary(of)) => {
            of.data_points.iter_mut().for_each(|point| of_point(&mut point.attributes));
        }
    }
}

/// The model of the event that attributes are. Of several the last one counts, as where the event is read.
fn model_of(attributes: &[KeyValue]) -> Option<String> {
    string_of(attributes, MODEL).map(str::to_owned)
}

fn string_of<'a>(attributes: &'a [KeyValue], name: &str) -> Option<&'a str> {
    let found = attributes.iter().rfind(|attribute| attribute.key == name)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}

fn attributes(list: &mut Vec<KeyValue>, owner: Owner<'_>, redaction: &Redaction) {
    let rule = redaction.rule(owner.model);
    list.retain_mut(|attribute| match attribute.key.strip_prefix(PREFIX) {
        Some(name) => rule.is_none_or(|rule| is_kept_of_event(name, &mut attribute.value, rule)),
        None => is_kept(&attribute.key, &mut attribute.value, (owner, redaction)),
    });
}

/// Whether an attribute is kept; its value may be hashed.
fn is_kept(name: &str, value: &mut Option<AnyValue>, (owner, redaction): (Owner<'_>, &Redaction)) -> bool {
    let telemetry = &redaction.telemetry;
    let fate = if owner.is_message { telemetry.fate_in_message(name) } else { telemetry.fate(name) };
    match (fate, redaction.shared_key()) {
        (Fate::Kept, _) => true,
        (Fate::Hashed, Some(key)) => {
            hash(value, key);
            true
        }
        // Without a key there is nothing to hash with.
        (Fate::Hashed, None) | (Fate::Dropped, _) => false,
    }
}

/// Whether an attribute `windvane.NAME` is kept: as the field of the event that it is.
fn is_kept_of_event(name: &str, value: &mut Option<AnyValue>, rule: &Rule) -> bool {
    if let Some(feature) = name.strip_prefix("feature.") {
        return rule.features.keeps(feature);
    }
    if let Some(tag) = name.strip_prefix("tag.") {
        return rule.tags.keeps(tag);
    }
    if name == "embeddings" || name.starts_with("embedding.") {
        return !rule.drop_embeddings;
    }
    match name {
        "features" => keep_entries(value, &rule.features),
        "tags" => keep_entries(value, &rule.tags),
        "unit_id" => {
            if let Some(key) = &rule.unit_key {
                hash(value, key);
            }
            true
        }
        _ => true,
    }
}

/// Goes by the entries of a map; what should be a map and is none is not kept where there is a rule.
fn keep_entries(value: &mut Option<AnyValue>, keep: &Keep) -> bool {
    if *keep == Keep::All {
        return true;
    }
    match value {
        Some(AnyValue { value: Some(Value::KvlistValue(entries)) }) => {
            entries.values.retain(|entry| keep.keeps(&entry.key));
            true
        }
        _ => false,
    }
}

fn hash(value: &mut Option<AnyValue>, key: &Secret) {
    let Some(value) = value else { return };
    let hashed = hashed(key, &text(value));
    value.value = Some(Value::StringValue(hashed));
}

#[cfg(test)]
mod tests;
