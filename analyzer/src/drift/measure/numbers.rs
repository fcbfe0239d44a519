//! A numeric column whose values were walked: what its methods say of each segment.

use windvane_stats::{epps_singleton::Characteristic, walk::Walked};

use super::{Column, MeasuredColumn, Rows, Side, distribution, kernels, location};
use crate::drift::Rule;

/// All that the methods of a numeric column need.
#[derive(Debug)]
pub(super) struct Numbers {
    pub(super) column: Column,
    /// Both sides of each segment.
    pub(super) sides: Vec<[Side; 2]>,
    /// The walk of each segment; `None` where no method needs the values.
    pub(super) walks: Vec<Option<Walked>>,
    /// The comparison of characteristic functions of each segment, where it was asked for and could be made.
    pub(super) characteristics: Vec<Option<Characteristic>>,
    /// How much larger than found the statistic of `ks` may be, where a stored profile has kept less than every value.
    pub(super) ks_error: Option<f64>,
    pub(super) rule: Rule,
    pub(super) seed: u64,
}

impl Numbers {
    /// Runs the methods: one entry a segment.
    pub(super) fn measure(&self) -> Vec<MeasuredColumn> {
        let walks = self.walks.iter().zip(&self.characteristics);
        self.sides
            .iter()
            .zip(walks)
            .map(|(sides, (walked, characteristic))| {
                self.segment(sides, walked.as_ref(), characteristic.as_ref())
            })
            .collect()
    }

    fn segment(
        &self,
        [reference, current]: &[Side; 2],
        walked: Option<&Walked>,
        characteristic: Option<&Characteristic>,
    ) -> MeasuredColumn {
        let values = match walked {
            Some(walked) if self.column.counted_later => {
                Rows { reference: walked.sizes.a, current: walked.sizes.b }
            }
            _ => Rows { reference: reference.numbers, current: current.numbers },
        };
        let missing =
            Rows { reference: reference.rows - values.reference, current: current.rows - values.current };
        let shown = kernels::Numbers {
            walked,
            characteristic,
            values,
            missing,
            seed: self.seed,
            alpha: self.rule.alpha,
            compat: self.rule.compat,
        };
        MeasuredColumn {
            name: self.column.name.clone(),
            kind: self.column.kind,
            values,
            missing,
            methods: self.column.methods.iter().map(|method| shown.measure(*method)).collect(),
            location: walked.map(location),
            ks_error: self.ks_error,
            largest_change: None,
            embedding: None,
            text: None,
            distribution: walked.filter(|_| self.rule.compat.is_none()).and_then(distribution::of_walk),
        }
    }
}
