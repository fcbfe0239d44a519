//! The requests on which answers are furthest apart, kept whole so that a person can look into them.

use std::collections::BTreeMap;

use windvane_types::gate::{Deviation, Shown};

use super::Asked;
use crate::answer::{Answer, View};

/// A bounded list, the furthest first.
#[derive(Debug)]
pub(super) struct Worst {
    most: usize,
    kept: Vec<(f64, Deviation)>,
}

impl Worst {
    pub(super) fn new(most: usize) -> Self {
        Self { most, kept: Vec::new() }
    }

    /// Keeps the request if it is further apart than one that is kept; of equals the earlier stays.
    pub(super) fn offer(
        &mut self,
        asked: Asked<'_>,
        (times, what): (f64, String),
        (champion, candidate): (&Answer, &Answer),
    ) {
        let place = self.kept.partition_point(|(kept, _)| *kept >= times);
        if place >= self.most {
            return;
        }
        let deviation = Deviation {
            request: asked.request,
            times_tolerance: (times < f64::MAX).then_some(times),
            what,
            inputs: inputs(asked),
            champion: champion.shown(),
            candidate: candidate.shown(),
        };
        self.kept.insert(place, (times, deviation));
        self.kept.truncate(self.most);
    }

    pub(super) fn finish(&self) -> Vec<Deviation> {
        self.kept.iter().map(|(_, deviation)| deviation.clone()).collect()
    }
}

fn inputs(asked: Asked<'_>) -> BTreeMap<String, Shown> {
    let (row, batch) = asked.row;
    let one = |column: &crate::batch::Column| {
        let range = row * column.width..(row + 1) * column.width;
        (column.name.clone(), View::of(&column.values, range, &column.shape).shown())
    };
    batch.columns().iter().map(one).collect()
}
