//! The tables that events are inserted into, and the numbered column layouts of their wire rows.
//!
//! A layout is the list of columns whose values a RowBinary row holds, in order. A frame in the collector's spool
//! records the layout it was encoded with, and the INSERT names those columns, so that frames written by an older
//! binary still go in after a migration added columns. A published layout never changes: a new one is appended.

use std::fmt;

use crate::wire::Column;
use crate::{exposures, measurements, outcomes, predictions};

/// A table that events are inserted into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// What models answered.
    Predictions,
    /// The ground truth of predictions.
    Outcomes,
    /// Which arm of an experiment a unit was assigned to.
    Exposures,
    /// Values of metrics of units.
    Measurements,
}

impl Table {
    /// Every table, in a fixed order.
    pub const ALL: [Self; 4] = [Self::Predictions, Self::Outcomes, Self::Exposures, Self::Measurements];

    /// The table's name in the database; also the word of its ingestion path and metric label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Predictions => "predictions",
            Self::Outcomes => "outcomes",
            Self::Exposures => "exposures",
            Self::Measurements => "measurements",
        }
    }

    /// The table of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.name() == name)
    }

    /// The number of the layout that this binary encodes; layouts are numbered from 1.
    #[must_use]
    pub fn layout(self) -> u16 {
        u16::try_from(self.layouts().len()).expect("a table has far fewer than 65,536 layouts")
    }

    /// The columns of a layout in wire order; `None` for a layout that this binary does not know.
    #[must_use]
    pub fn columns(self, layout: u16) -> Option<&'static [Column]> {
        self.layouts().get(usize::from(layout).checked_sub(1)?).copied()
    }

    const fn layouts(self) -> &'static [&'static [Column]] {
        match self {
            Self::Predictions => predictions::LAYOUTS,
            Self::Outcomes => outcomes::LAYOUTS,
            Self::Exposures => exposures::LAYOUTS,
            Self::Measurements => measurements::LAYOUTS,
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_layouts_never_change() {
        let layouts: Vec<String> = Table::ALL
            .into_iter()
            .flat_map(|table| {
                (1..=table.layout()).map(move |n| {
                    let columns = table.columns(n).expect("it exists").iter();
                    let columns: Vec<_> = columns.map(|c| format!("{}:{:?}", c.name, c.wire)).collect();
                    format!("{table} {n}: {}", columns.join(" "))
                })
            })
            .collect();
        insta::assert_snapshot!(layouts.join("\n"), @r"
        predictions 1: event_id:Text ts:Micros ingested_at:Micros model:Word version:Word environment:Word unit_id:Text arms:Words num:Numbers cat:Words embeddings:Vectors kind:Word score:OptionalNumber label:OptionalWord probabilities:Numbers value:OptionalNumber latency_us:OptionalCount status:Word trace_id:Text span_id:Text tags:Words
        outcomes 1: model:Word event_id:Text ts:Micros ingested_at:Micros label:OptionalWord value:OptionalNumber
        exposures 1: experiment:Word unit_id:Text arm:Word ts:Micros event_id:Text ingested_at:Micros
        measurements 1: metric:Word unit_id:Text ts:Micros value:Number event_id:Text ingested_at:Micros
        ");
    }

    #[test]
    fn a_layout_that_is_not_known_has_no_columns() {
        for table in Table::ALL {
            assert_eq!(table.columns(0), None);
            assert_eq!(table.columns(table.layout() + 1), None);
            assert_eq!(Table::from_name(table.name()), Some(table));
        }
    }
}
