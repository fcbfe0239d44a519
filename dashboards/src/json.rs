//! A dashboard as Grafana's classic JSON.

use serde_json::{Map, Value, json};

use crate::board::{Board, Item, Placed};
use crate::{Annotation, Cells, Choice, Format, Panel, Shape, Step, Unit, Variable};

/// The version of the classic model: the newest that Grafana 10 to 13 read alike.
pub const SCHEMA_VERSION: u32 = 41;
/// The data source that statements are written for.
const PLUGIN: &str = "grafana-clickhouse-datasource";
const PLUGIN_VERSION: &str = "4.20.0";

/// The dashboard; `url` is where Windvane's own pages are, for links to them.
#[must_use]
pub fn json(board: &Board, all: &[Board], url: &str) -> Value {
    let panels: Vec<Value> =
        board.placed().iter().enumerate().map(|(i, placed)| item(placed, i + 1)).collect();
    json!({
        "uid": board.uid,
        "title": board.title,
        "description": board.about,
        "tags": ["windvane"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": true,
        "fiscalYearStartMonth": 0,
        "graphTooltip": 1,
        "refresh": "1m",
        "timezone": "browser",
        "time": {"from": board.from, "to": "now"},
        "timepicker": {"refresh_intervals": ["10s", "1m", "5m", "1h"]},
        "links": links(board, all, url),
        "annotations": {"list": board.annotations.iter().map(annotation).collect::<Vec<_>>()},
        "templating": {"list": std::iter::once(source_variable()).chain(board.variables.iter().map(variable)).collect::<Vec<_>>()},
        "panels": panels,
    })
}

fn datasource() -> Value {
    json!({"type": PLUGIN, "uid": "${datasource}"})
}

fn target(sql: &str, format: Format) -> Value {
    let (number, word) = match format {
        Format::TimeSeries => (0, "timeseries"),
        Format::Table => (1, "table"),
    };
    json!({
        "datasource": datasource(), "editorType": "sql", "rawSql": sql, "format": number, "queryType": word,
        "pluginVersion": PLUGIN_VERSION, "refId": "A",
    })
}

fn item(placed: &Placed<'_>, id: usize) -> Value {
    match &placed.item {
        Item::Heading(title) => json!({
            "id": id, "type": "row", "title": title, "collapsed": false, "panels": [],
            "gridPos": {"h": 1, "w": crate::board::COLUMNS, "x": 0, "y": placed.y},
        }),
        Item::Panel(panel) => {
            let mut value = self::panel(panel);
            value["id"] = json!(id);
            value["gridPos"] = json!({"h": panel.height, "w": panel.width, "x": placed.x, "y": placed.y});
            value
        }
    }
}

fn panel(panel: &Panel) -> Value {
    let mut defaults = Map::new();
    defaults.insert("unit".to_owned(), json!(panel.unit.id()));
    defaults.insert("color".to_owned(), json!({"mode": colour_mode(panel)}));
    defaults.insert("thresholds".to_owned(), json!({"mode": "absolute", "steps": steps(panel.steps)}));
    defaults.insert("custom".to_owned(), custom(panel));
    if let Some((uid, handed)) = panel.link {
        let url = format!("/d/{uid}?{handed}&${{__url_time_range}}");
        defaults.insert("links".to_owned(), json!([{"title": "Look closer", "url": url}]));
    }
    if panel.shape == Shape::Timeline && panel.unit == Unit::Words {
        defaults.insert("mappings".to_owned(), words());
    }
    let columns = panel.columns.iter().map(column);
    let overrides: Vec<Value> = columns.chain(panel.cells.iter().map(cells)).collect();
    json!({
        "type": panel.shape.plugin(),
        "title": panel.title,
        "description": panel.about,
        "datasource": datasource(),
        "targets": [target(panel.sql, panel.shape.format())],
        "fieldConfig": {"defaults": defaults, "overrides": overrides},
        "options": options(panel.shape),
        "transparent": false,
    })
}

fn column((name, unit): &(&str, Unit)) -> Value {
    json!({
        "matcher": {"id": "byName", "options": name},
        "properties": [{"id": "unit", "value": unit.id()}],
    })
}

/// Cells whose background says what is in them.
fn cells((name, by): &(&str, Cells)) -> Value {
    let colours = match by {
        Cells::Words => json!([{"id": "mappings", "value": words()}]),
        Cells::Steps(from) => json!([
            {"id": "thresholds", "value": {"mode": "absolute", "steps": steps(from)}},
            {"id": "color", "value": {"mode": "thresholds"}},
        ]),
    };
    let mut properties =
        vec![json!({"id": "custom.cellOptions", "value": {"type": "color-background", "mode": "basic"}})];
    properties.extend(colours.as_array().into_iter().flatten().cloned());
    json!({"matcher": {"id": "byName", "options": name}, "properties": properties})
}

fn colour_mode(panel: &Panel) -> &'static str {
    match (panel.shape, panel.steps.len()) {
        (Shape::Lines | Shape::Stacked | Shape::Bars, _) => "palette-classic",
        (Shape::Timeline, 1) => "palette-classic",
        _ => "thresholds",
    }
}

fn steps(steps: &[Step]) -> Vec<Value> {
    steps.iter().map(|step| json!({"color": step.colour, "value": step.from})).collect()
}

/// Verdicts and states by their colours.
const WORDS: &[(&str, &[&str])] = &[
    (
        "red",
        &[
            "drift", "fail", "firing", "failed", "slower", "page", "alert", "worse", "mismatch", "refused",
            "dead", "critical",
        ],
    ),
    (
        "green",
        &[
            "no_drift", "pass", "resolved", "done", "faster", "steady", "ok", "inactive", "no_alert",
            "trusted", "better", "taken",
        ],
    ),
    ("text", &["insufficient_data", "unknown", "superseded", "held"]),
    ("yellow", &["inconclusive", "pending", "changed", "muted", "later", "warning"]),
    ("blue", &["silenced", "running", "equivalent", "info"]),
    ("orange", &["ticket", "recovering", "error"]),
];

/// States by their words.
fn words() -> Value {
    let mut options = Map::new();
    for (colour, word) in
        WORDS.iter().flat_map(|(colour, words)| words.iter().map(move |word| (colour, word)))
    {
        options.insert((*word).to_owned(), json!({"color": colour, "index": options.len()}));
    }
    json!([{"type": "value", "options": options}])
}

fn custom(panel: &Panel) -> Value {
    match panel.shape {
        Shape::Lines => {
            // The first step is everything below the second and has no line.
            let thresholds = if panel.steps.len() > 1 { "line" } else { "off" };
            json!({"drawStyle": "line", "lineWidth": 2, "fillOpacity": 6, "showPoints": "auto", "spanNulls": false, "thresholdsStyle": {"mode": thresholds}})
        }
        Shape::Stacked => {
            json!({"drawStyle": "line", "lineWidth": 1, "fillOpacity": 30, "showPoints": "never", "stacking": {"mode": "normal", "group": "A"}})
        }
        Shape::Table => json!({"align": "auto", "cellOptions": {"type": "auto"}, "filterable": true}),
        Shape::Bars => json!({"fillOpacity": 75, "lineWidth": 1}),
        Shape::Timeline => json!({"fillOpacity": 80, "lineWidth": 0}),
        Shape::Stat => json!({}),
    }
}

fn options(shape: Shape) -> Value {
    let legend = json!({"showLegend": true, "displayMode": "list", "placement": "bottom", "calcs": []});
    match shape {
        Shape::Lines | Shape::Stacked => {
            json!({"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}})
        }
        Shape::Stat => {
            json!({"reduceOptions": {"calcs": ["lastNotNull"], "values": false, "fields": ""}, "colorMode": "value", "graphMode": "none", "textMode": "auto", "justifyMode": "auto", "orientation": "auto"})
        }
        Shape::Table => json!({"showHeader": true, "cellHeight": "sm"}),
        Shape::Bars => {
            json!({"legend": legend, "tooltip": {"mode": "multi", "sort": "none"}, "orientation": "auto", "stacking": "none", "showValue": "never", "xTickLabelRotation": -45})
        }
        Shape::Timeline => {
            json!({"legend": legend, "tooltip": {"mode": "single", "sort": "none"}, "mergeValues": false, "showValue": "never", "alignValue": "center", "rowHeight": 0.9})
        }
    }
}

fn annotation(annotation: &Annotation) -> Value {
    json!({
        "name": annotation.name,
        "enable": true,
        "hide": false,
        "iconColor": annotation.colour,
        "datasource": datasource(),
        "target": target(annotation.sql, Format::Table),
    })
}

fn source_variable() -> Value {
    json!({
        "name": "datasource", "label": "Data source", "type": "datasource", "query": PLUGIN, "current": {},
        "hide": 0, "includeAll": false, "multi": false, "options": [], "refresh": 1, "regex": "", "skipUrlSync": false,
    })
}

fn variable(variable: &Variable) -> Value {
    let several = variable.choice == Choice::Several;
    json!({
        "name": variable.name, "label": variable.label, "type": "query", "datasource": datasource(),
        "query": {"editorType": "sql", "rawSql": variable.sql, "refId": variable.name},
        "definition": variable.sql,
        "current": if several { json!({"text": ["All"], "value": ["$__all"]}) } else { json!({}) },
        "hide": 0, "includeAll": several, "multi": several, "options": [], "refresh": 2, "regex": "", "skipUrlSync": false, "sort": 0,
    })
}

/// Links to the other dashboards, which keep span and variables, and to Windvane's pages.
fn links(board: &Board, all: &[Board], url: &str) -> Vec<Value> {
    let to_board = |other: &Board| {
        json!({
            "title": other.title, "type": "link", "url": format!("/d/{}", other.uid), "icon": "dashboard", "tags": [],
            "asDropdown": false, "includeVars": true, "keepTime": true, "targetBlank": false, "tooltip": other.about,
        })
    };
    let mut links: Vec<Value> = all.iter().filter(|other| other.uid != board.uid).map(to_board).collect();
    if !url.is_empty() {
        links.push(json!({
            "title": "Windvane", "type": "link", "url": url, "icon": "external link", "tags": [], "asDropdown": false,
            "includeVars": false, "keepTime": false, "targetBlank": true, "tooltip": "The pages of the service",
        }));
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boards;

    fn written() -> Vec<(Board, Value)> {
        let all = boards();
        all.iter().map(|board| (board.clone(), json(board, &all, "http://127.0.0.1:8080"))).collect()
    }

    fn list<'a>(value: &'a Value, path: &str) -> &'a [Value] {
        value.pointer(path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// The panel of this title as it is written.
    /// A row may be called as a panel in it.
    fn panel_of(board: &Value, title: &str) -> Value {
        let is_meant = |panel: &&Value| panel["type"] != "row" && panel["title"] == title;
        list(board, "/panels").iter().find(is_meant).cloned().unwrap_or_default()
    }

    #[test]
    fn each_board_links_to_every_other_and_to_the_pages() {
        let written = written();
        for (board, dashboard) in &written {
            let links = list(dashboard, "/links");
            assert_eq!(links.len(), written.len(), "{}", board.uid);
            for (other, _) in written.iter().filter(|(other, _)| other.uid != board.uid) {
                let url = format!("/d/{}", other.uid);
                let link = links.iter().find(|link| link["url"] == url.as_str());
                let kept = link.map(|link| (link["keepTime"].clone(), link["includeVars"].clone()));
                assert_eq!(kept, Some((json!(true), json!(true))), "{} to {url}", board.uid);
            }
            assert!(links.iter().any(|link| link["url"] == "http://127.0.0.1:8080"), "{}", board.uid);
        }
    }

    #[test]
    fn annotations_are_written_with_their_statements() {
        for (board, dashboard) in written() {
            let marked = list(&dashboard, "/annotations/list");
            assert_eq!(marked.len(), board.annotations.len(), "{}", board.uid);
            let of = |name: &str, tag: &str| {
                marked.iter().any(|one| {
                    one["name"] == name
                        && one["enable"] == true
                        && one["target"]["rawSql"].as_str().is_some_and(|sql| sql.contains(tag))
                })
            };
            assert_eq!(of("Deploys", "'deploy' AS tags"), board.uid != "windvane-pipeline", "{}", board.uid);
            assert_eq!(of("Drift", "'drift' AS tags"), board.uid == "windvane-model", "{}", board.uid);
        }
    }

    #[test]
    fn units_are_written_for_panels_and_for_single_columns() {
        for (board, dashboard) in written() {
            for panel in board.panels() {
                let written = panel_of(&dashboard, panel.title);
                let unit = &written["fieldConfig"]["defaults"]["unit"];
                assert_eq!(unit, panel.unit.id(), "{} / {}", board.uid, panel.title);
                for (name, unit) in panel.columns {
                    let found = list(&written, "/fieldConfig/overrides").iter().any(|one| {
                        one["matcher"]["options"] == *name
                            && list(one, "/properties")
                                .iter()
                                .any(|property| property["id"] == "unit" && property["value"] == unit.id())
                    });
                    assert!(found, "{} / {}: no unit of `{name}`", board.uid, panel.title);
                }
            }
        }
        // What a few of them are, by Grafana's names.
        let all = boards();
        for (uid, title, unit) in [
            ("windvane-fleet", "Failed", "percentunit"),
            ("windvane-fleet", "Latency p99", "µs"),
            ("windvane-fleet", "Newest prediction", "dateTimeAsIso"),
            ("windvane-model", "Latency p50 by version", "µs"),
            ("windvane-model", "Delay of outcomes", "s"),
            ("windvane-gates", "Requests a second", "reqps"),
            ("windvane-pipeline", "Time a run takes", "ms"),
        ] {
            let board = all.iter().find(|board| board.uid == uid).unwrap();
            let written = panel_of(&json(board, &all, ""), title);
            assert_eq!(written["fieldConfig"]["defaults"]["unit"], unit, "{uid} / {title}");
        }
    }

    #[test]
    fn lines_show_their_steps_and_tables_their_verdicts() {
        for (board, dashboard) in written() {
            for panel in board.panels() {
                let written = panel_of(&dashboard, panel.title);
                let told = format!("{} / {}", board.uid, panel.title);
                if panel.shape == Shape::Lines {
                    let style = if panel.steps.len() > 1 { "line" } else { "off" };
                    let custom = &written["fieldConfig"]["defaults"]["custom"];
                    assert_eq!(custom["thresholdsStyle"]["mode"], style, "{told}");
                }
                let coloured = list(&written, "/fieldConfig/overrides").iter().filter(|one| {
                    let properties = list(one, "/properties");
                    let has = |id: &str| properties.iter().any(|property| property["id"] == id);
                    has("custom.cellOptions") && (has("mappings") || has("thresholds"))
                });
                assert_eq!(coloured.count(), panel.cells.len(), "{told}");
            }
        }
    }

    #[test]
    fn each_word_has_one_colour() {
        let count: usize = WORDS.iter().map(|(_, words)| words.len()).sum();
        let written = words_of(&words());
        assert_eq!(written.len(), count);
        assert_eq!(written.get("fail"), Some(&json!("red")));
        assert_eq!(written.get("no_drift"), Some(&json!("green")));
    }

    fn words_of(mappings: &Value) -> std::collections::BTreeMap<String, Value> {
        let options = mappings[0]["options"].as_object().cloned().unwrap_or_default();
        options.into_iter().map(|(word, how)| (word, how["color"].clone())).collect()
    }
}
