//! Grafana dashboards over Windvane's tables, made from typed definitions, so that they look alike and every panel can be
//! tested: each has a unit, a description, a place of its own, and a statement that runs without Grafana.
//!
//! The JSON is Grafana's classic model, which every version from 10 to 13 reads from files and over its API.

mod board;
mod boards;
mod check;
mod expand;
mod json;
mod panel;
mod provisioning;
mod variable;

pub use board::{Annotation, Board, Row};
pub use boards::boards;
pub use check::faults;
pub use expand::{ExpandError, Scope, expand};
pub use json::{SCHEMA_VERSION, json};
pub use panel::{Cells, Format, Panel, Shape, Step, Unit};
pub use provisioning::{File, Provisioning, files, rule_statements};
pub use variable::{Choice, Variable};
