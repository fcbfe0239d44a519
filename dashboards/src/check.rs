//! What is wrong with a dashboard, without Grafana and without data: ids, places, units, words, statements.

use std::collections::BTreeSet;

use crate::Board;
use crate::board::{COLUMNS, Item};

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
    use crate::{Panel, Row, Shape, Unit, boards, json};

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
