//! What is wrong with a dashboard, without Grafana and without data: ids, places, units, words, statements.

use std::collections::BTreeSet;

use crate::board::{COLUMNS, Item};
use crate::{Board, Panel, Shape, Unit};

/// Every fault of these dashboards; none means they can be shipped.
#[must_use]
pub fn faults(boards: &[Board]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut uids = BTreeSet::new();
    for board in boards {
        if !uids.insert(board.uid) {
            faults.push(format!("{}: the uid is taken", board.uid));
        }
        if board.uid.len() > 40 || board.about.is_empty() {
            faults.push(format!(
                "{}: a uid has at most 40 characters, and a dashboard says what it answers",
                board.uid
            ));
        }
        for panel in board.panels() {
            let told = |what: &str| format!("{} / {}: {what}", board.uid, panel.title);
            if panel.about.len() < 20 {
                faults.push(told("the description does not say how to read it"));
            }
            if panel.width == 0 || panel.width > COLUMNS || panel.height == 0 {
                faults.push(told("it does not fit the grid"));
            }
            if panel.sql.trim_end().ends_with(';')
                || !panel.sql.contains("windvane.") && !panel.sql.contains("system.")
            {
                faults.push(told("the statement names tables by their database, and does not end in `;`"));
            }
            faults.extend(unseen(panel).map(&told));
            if let Some((uid, _)) = panel.link
                && !boards.iter().any(|other| other.uid == uid)
            {
                faults.push(told("the link leads to no dashboard"));
            }
        }
        faults.extend(overlaps(board));
        faults.extend(twice(board));
    }
    faults
}

/// Colours that the panel has and would not show.
fn unseen(panel: &Panel) -> Option<&'static str> {
    if panel.steps.len() > 1 && !panel.shape.shows_steps() {
        return Some(
            "a panel of this kind does not show steps; lines, single numbers and timelines of numbers do",
        );
    }
    if panel.steps.len() > 1 && panel.unit == Unit::Words {
        return Some("words have colours of their own and no steps");
    }
    let named =
        |name: &str| panel.sql.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| word == name);
    if !panel.cells.is_empty() && panel.shape != Shape::Table {
        return Some("only tables have cells to colour");
    }
    let missing = panel.cells.iter().any(|(name, _)| !named(name))
        || panel.columns.iter().any(|(name, _)| !named(name));
    missing.then_some("a unit or a colour is for a column that the statement does not name")
}

/// Places that two panels share.
fn overlaps(board: &Board) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let mut faults = Vec::new();
    for placed in board.placed() {
        let (title, width, height) = match &placed.item {
            Item::Heading(title) => (*title, COLUMNS, 1),
            Item::Panel(panel) => (panel.title, panel.width, panel.height),
        };
        let cells =
            (placed.y..placed.y + height).flat_map(|y| (placed.x..placed.x + width).map(move |x| (x, y)));
        let free: Vec<bool> = cells.map(|cell| cell.0 < COLUMNS && taken.insert(cell)).collect();
        if free.contains(&false) {
            faults.push(format!("{} / {title}: overlaps another panel", board.uid));
        }
    }
    faults
}

/// Titles that two panels share.
fn twice(board: &Board) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let repeated = board.panels().filter(|panel| !seen.insert(panel.title));
    repeated.map(|panel| format!("{} / {}: the title is taken", board.uid, panel.title)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::panel::NONE_IS_GOOD;
    use crate::{Cells, Row, boards, json};

    fn ids_are_unique(dashboard: &Value) -> bool {
        let ids: Vec<u64> = dashboard["panels"]
            .as_array()
            .map(|panels| panels.iter().filter_map(|panel| panel["id"].as_u64()).collect())
            .unwrap_or_default();
        ids.len() == dashboard["panels"].as_array().map_or(0, Vec::len)
            && ids.iter().collect::<BTreeSet<_>>().len() == ids.len()
    }

    #[test]
    fn what_is_shipped_has_no_faults() {
        let boards = boards();
        assert_eq!(faults(&boards), Vec::<String>::new());
        for board in &boards {
            let json = json(board, &boards, "http://127.0.0.1:8080");
            assert!(ids_are_unique(&json), "{}", board.uid);
            assert_eq!(json["schemaVersion"], 41);
        }
    }

    #[test]
    fn alerts_are_marked_where_they_fire_and_where_they_end() {
        // Calls of language models have no alerts of their own.
        for board in boards().iter().filter(|board| board.uid != "windvane-llm") {
            for state in ["firing", "resolved"] {
                let marked = board.annotations.iter().filter(|annotation| {
                    annotation.sql.contains("windvane.alert_events")
                        && annotation.sql.contains(&format!("to_state = '{state}'"))
                });
                assert_eq!(marked.count(), 1, "{} {state}", board.uid);
            }
        }
    }

    #[test]
    fn findings_of_other_monitors_versions_and_references_are_no_one_series() {
        let tables = ["drift", "performance", "quality", "latency", "attribution", "fairness"];
        let boards = boards();
        for board in boards.iter().filter(|board| board.variables.iter().any(|one| one.name == "model")) {
            for panel in board.panels() {
                let Some(table) =
                    tables.iter().find(|name| panel.sql.contains(&format!("FROM windvane.{name}_findings")))
                else {
                    continue;
                };
                // The histogram is that of one finding.
                let single = panel.sql.contains("LIMIT 1\n");
                let mut parts =
                    vec!["monitor IN (${", "version IN (${version", "environment IN (${environment"];
                if !single {
                    parts.push("version, environment");
                }
                if *table != "fairness" {
                    parts.push("trimRight(concat(reference_kind, ' ', reference_name))");
                }
                for part in parts {
                    assert!(panel.sql.contains(part), "{} / {}: no `{part}`", board.uid, panel.title);
                }
            }
        }
    }

    #[test]
    fn colours_that_would_not_be_seen_are_faults() {
        let sql = "SELECT verdict FROM windvane.t";
        let panel = |shape, unit| Panel { sql, ..Panel::new(shape, unit, "a") };
        for (shape, seen) in [
            (Shape::Lines, true),
            (Shape::Stat, true),
            (Shape::Timeline, true),
            (Shape::Stacked, false),
            (Shape::Table, false),
            (Shape::Bars, false),
        ] {
            let stepped = Panel { steps: NONE_IS_GOOD, ..panel(shape, Unit::Count) };
            assert_eq!(unseen(&stepped).is_none(), seen, "{shape:?}");
            let coloured = Panel { cells: &[("verdict", Cells::Words)], ..panel(shape, Unit::Count) };
            assert_eq!(unseen(&coloured).is_none(), shape == Shape::Table, "{shape:?}");
        }
        assert!(unseen(&Panel { steps: NONE_IS_GOOD, ..panel(Shape::Timeline, Unit::Words) }).is_some());
        assert!(
            unseen(&Panel { cells: &[("state", Cells::Words)], ..panel(Shape::Table, Unit::Count) })
                .is_some()
        );
        assert!(
            unseen(&Panel { columns: &[("state", Unit::Time)], ..panel(Shape::Table, Unit::Count) })
                .is_some()
        );
    }

    #[test]
    fn deploys_are_marked_wherever_a_model_is_shown() {
        // The pipeline is about the service itself.
        for board in boards().iter().filter(|board| board.uid != "windvane-pipeline") {
            let marked =
                board.annotations.iter().filter(|annotation| annotation.sql.contains("'deploy' AS tags"));
            assert_eq!(marked.count(), 1, "{}", board.uid);
        }
    }

    #[test]
    fn each_fault_is_found() {
        let panel = Panel { width: 25, ..Panel::new(Shape::Lines, Unit::Count, "a") };
        let row =
            Row { title: "r", panels: vec![panel.clone(), Panel { link: Some(("nowhere", "")), ..panel }] };
        let board = Board {
            uid: "b",
            title: "B",
            about: "",
            from: "now-1h",
            variables: Vec::new(),
            annotations: Vec::new(),
            rows: vec![row],
        };
        let told = faults(&[board.clone(), board]).join("\n");
        for part in [
            "uid is taken",
            "says what it answers",
            "how to read it",
            "does not fit",
            "names tables",
            "no dashboard",
            "overlaps",
            "title is taken",
        ] {
            assert!(told.contains(part), "no `{part}` in {told}");
        }
    }
}
