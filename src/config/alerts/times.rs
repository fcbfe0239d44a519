//! `[alerts.intervals.NAME]` and `[alerts.maintenance.NAME]`: when nothing is told.

use windvane_alerts::interval::{Interval, Intervals, Written};
use windvane_alerts::suppress::Maintenance;
use windvane_types::span;

use super::{interval_names, matchers};
use crate::config::layers::Layers;
use crate::config::path::KeyPath;

/// Intervals by name; faults are left in the layers.
pub fn intervals(layers: &mut Layers) -> Intervals {
    let tables = KeyPath::from("alerts.intervals");
    let mut intervals = Intervals::default();
    for name in layers.names(tables.clone()) {
        let table = tables.join(&name);
        let texts = |key: &str| layers.texts(table.join(key));
        let written = Written {
            zone: layers.text(table.join("location")).unwrap_or_default(),
            times: texts("times"),
            weekdays: texts("weekdays"),
            days_of_month: texts("days_of_month"),
            months: texts("months"),
            years: texts("years"),
        };
        match Interval::read(&written) {
            Ok(interval) => {
                intervals.0.insert(name, interval);
            }
            Err((key, problem)) => layers.contradiction(table.join(key), &problem),
        }
    }
    intervals
}

/// Maintenance windows by name.
pub fn maintenance(layers: &mut Layers) -> Vec<Maintenance> {
    let tables = KeyPath::from("alerts.maintenance");
    let mut windows = Vec::new();
    for name in layers.names(tables.clone()) {
        let table = tables.join(&name);
        let window = Maintenance {
            matchers: matchers(layers, &table.join("match")),
            from_us: time(layers, &table.join("from"), i64::MIN),
            to_us: time(layers, &table.join("to"), i64::MAX),
            intervals: interval_names(layers, &table.join("intervals")),
            name,
        };
        if window.from_us >= window.to_us {
            layers.contradiction(table.join("to"), "lies before `from`");
        }
        // What is no matcher or no time is a fault of its own.
        let is_bounded = ["match", "intervals"].iter().any(|key| !layers.texts(table.join(key)).is_empty());
        if !is_bounded && !layers.has(table.join("to")) {
            let problem =
                "nobody would be told of anything from then on; `to`, `intervals` or `match` is missing";
            layers.contradiction(table.clone(), problem);
        }
        windows.push(window);
    }
    windows
}

fn time(layers: &mut Layers, key: &KeyPath, usual: i64) -> i64 {
    let Some(text) = layers.text(key.clone()) else { return usual };
    span::instant(&text).unwrap_or_else(|| {
        let problem = format!("`{text}` is no time; allowed is such as 2026-03-01 or 2026-03-01T22:00:00Z");
        layers.contradiction(key.clone(), &problem);
        usual
    })
}
