//! What tests of this module share.

use windvane_stats::performance::ranking::WithoutRelevant;
use windvane_store::performance::{Incomplete, Roles};
use windvane_types::performance::Task;

use super::{Cut, Question, Rule};
use crate::drift::SegmentBounds;

/// A question of a binary task with everything as it is usual.
pub(super) fn question() -> Question {
    Question {
        task: Task::Binary,
        roles: Roles::default(),
        positive: None,
        threshold: 0.5,
        cut: Cut::Chunks(10),
        incomplete: Incomplete::Append,
        segment_by: Vec::new(),
        segments: SegmentBounds::default(),
        rule: Rule::default(),
        k: 10,
        without_relevant: WithoutRelevant::LeftOut,
        quantile: 0.5,
        estimate: false,
        concept_drift: false,
        weakest: 5,
        features: None,
    }
}
