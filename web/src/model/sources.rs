//! Where the numbers come from that no card of their own tells: the figures at the top, and the sentences of what changed lately.

use maud::{Markup, html};
use windvane_store::views::{
    ATTRIBUTION_FEATURES, Asked, DEPLOYMENTS, DRIFT_COLUMNS, DRIFT_SEGMENTS, FAIRNESS_GAPS,
    PERFORMANCE_METRICS, PERFORMANCE_SEGMENTS, QUALITY_CHECKS, RECORDED, View,
};

use super::findings::Whose;
use super::performance::whose;
use super::read::{self, Model};
use crate::address;

/// What is told, and the statement that tells it.
type Part = (&'static str, &'static View, Asked);

/// The statements behind the figures.
pub fn tiles(model: &Model) -> Markup {
    let of_model = of(model);
    let statements = statements(&[
        ("predictions, failed", read::traffic_of(model.range), model.bucketed.clone()),
        ("latency", read::latency_of(model.range), model.bucketed.clone()),
        ("deployments", &DEPLOYMENTS, of_model.clone()),
        ("outcomes", &RECORDED, of_model),
    ]);
    html! { p.behind { (statements) } }
}

/// The statements behind what changed lately, as far as there is anything to tell of.
pub fn lately(model: &Model) -> Markup {
    let name = &model.chosen.model;
    let mut parts: Vec<Part> = Vec::new();
    if model.series_chosen.is_some() {
        parts.push(("drift", &DRIFT_COLUMNS, model.drift_asked.clone()));
    }
    if let Some(run) = &model.quality {
        parts.push(("quality", &QUALITY_CHECKS, Whose::from(&run.key).asked(name, 1)));
    }
    if let Some(newest) = model.performance.first() {
        parts.push(("performance", &PERFORMANCE_METRICS, whose(newest).asked(name, 1)));
    }
    if !model.measured.is_empty() {
        parts.push(("performance of segments", &PERFORMANCE_SEGMENTS, of(model)));
    }
    if !model.drifted.is_empty() {
        parts.push(("drift of segments", &DRIFT_SEGMENTS, of(model)));
    }
    if let Some(run) = &model.fairness {
        parts.push(("fairness", &FAIRNESS_GAPS, Whose::from(&run.key).asked(name, 1)));
    }
    if let Some(run) = &model.attribution {
        parts.push(("attributions", &ATTRIBUTION_FEATURES, Whose::from(&run.key).asked(name, 1)));
    }
    parts.push(("versions", &DEPLOYMENTS, of(model)));
    parts.push(("traffic", read::traffic_of(model.range), model.bucketed.clone()));
    parts.push(("latency", read::latency_of(model.range), model.bucketed.clone()));
    parts.push(("notes of monitors", &RECORDED, of(model)));
    html! { details.sources { summary { "Where this comes from" } p { (statements(&parts)) } } }
}

fn of(model: &Model) -> Asked {
    Asked::from([("model", model.chosen.model.clone())])
}

fn statements(parts: &[Part]) -> Markup {
    let parts: Vec<(&str, &View, &Asked)> =
        parts.iter().map(|(what, view, asked)| (*what, *view, asked)).collect();
    address::sources(&parts)
}
