//! A dashboard: rows of panels, variables that all of its statements share, and annotations.

use crate::{Panel, Variable};

/// A dashboard.
#[derive(Debug, Clone)]
pub struct Board {
    /// Stable, so that links and bookmarks last.
    pub uid: &'static str,
    /// For a person.
    pub title: &'static str,
    /// What it answers.
    pub about: &'static str,
    /// How far back it looks at first, such as `now-7d`.
    pub from: &'static str,
    /// In the order of the bar at its top; the data source comes before them.
    pub variables: Vec<Variable>,
    /// What is marked in every chart over time.
    pub annotations: Vec<Annotation>,
    /// From the top.
    pub rows: Vec<Row>,
}

/// Panels under a heading.
#[derive(Debug, Clone)]
pub struct Row {
    /// The heading.
    pub title: &'static str,
    /// From left to right, wrapped where a line of 24 units is full.
    pub panels: Vec<Panel>,
}

/// What is marked in every chart over time.
#[derive(Debug, Clone)]
pub struct Annotation {
    /// For a person.
    pub name: &'static str,
    /// A colour of Grafana's.
    pub colour: &'static str,
    /// Columns `time`, `text` and `tags`.
    pub sql: &'static str,
}

/// A panel with its place on the grid of 24 columns.
#[derive(Debug, Clone)]
pub struct Placed<'a> {
    /// From the left.
    pub x: u32,
    /// From the top.
    pub y: u32,
    /// What is there.
    pub item: Item<'a>,
}

/// What a place holds.
#[derive(Debug, Clone)]
pub enum Item<'a> {
    /// A heading.
    Heading(&'static str),
    /// A panel.
    Panel(&'a Panel),
}

/// Columns of the grid.
pub const COLUMNS: u32 = 24;

impl Board {
    /// Every panel.
    pub fn panels(&self) -> impl Iterator<Item = &Panel> {
        self.rows.iter().flat_map(|row| &row.panels)
    }

    /// Everything with its place, from the top; nothing overlaps.
    #[must_use]
    pub fn placed(&self) -> Vec<Placed<'_>> {
        let mut placed = Vec::new();
        let mut y = 0;
        for row in &self.rows {
            placed.push(Placed { x: 0, y, item: Item::Heading(row.title) });
            y += 1;
            let (mut x, mut tallest) = (0, 0);
            for panel in &row.panels {
                if x + panel.width > COLUMNS {
                    (x, y, tallest) = (0, y + tallest, 0);
                }
                placed.push(Placed { x, y, item: Item::Panel(panel) });
                x += panel.width;
                tallest = tallest.max(panel.height);
            }
            y += tallest;
        }
        placed
    }
}
