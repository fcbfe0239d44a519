//! The pooled sample cut into cells of about equal counts, for simulated null distributions.
//!
//! Relabelling the pooled values at random fills these cells multivariate-hypergeometrically, whatever the values are: a
//! statistic that depends on the cells alone therefore has an exact permutation null. With at most [`GRID_CELLS`]
//! different values a cell is a value.

use super::Step;

/// The largest number of cells: fine enough that a distance on the grid is within a percent of the exact one for smooth
/// samples, and small enough for thousands of relabellings in tens of milliseconds.
pub const GRID_CELLS: usize = 128;

/// One cell of pooled values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GridCell {
    /// The mean of its values.
    pub value: f64,
    /// How many of them are in the reference.
    pub a: u64,
    /// How many of them are in the current sample.
    pub b: u64,
}

/// The cells under construction: first one a value, then one a share of the pooled sample.
#[derive(Debug, Clone)]
pub struct Grid {
    total: u64,
    seen: u64,
    values: Vec<GridCell>,
    cells: Vec<GridCell>,
    open: Open,
}

/// The cell that is being filled.
#[derive(Debug, Clone, Copy, Default)]
struct Open {
    a: u64,
    b: u64,
    sum: f64,
}

impl Grid {
    pub(super) fn new(total: u64) -> Self {
        Self { total, seen: 0, values: Vec::new(), cells: Vec::new(), open: Open::default() }
    }

    pub(super) fn push(&mut self, step: Step) {
        let value = GridCell { value: step.value, a: step.a, b: step.b };
        if self.cells.is_empty() && self.values.len() < GRID_CELLS {
            self.values.push(value);
            return;
        }
        for earlier in std::mem::take(&mut self.values) {
            self.fill(earlier);
        }
        self.fill(value);
    }

    pub(super) fn finish(mut self) -> Vec<GridCell> {
        if self.cells.is_empty() {
            return self.values;
        }
        self.close();
        self.cells
    }

    fn fill(&mut self, value: GridCell) {
        let count = value.a + value.b;
        self.seen += count;
        self.open.a += value.a;
        self.open.b += value.b;
        self.open.sum += value.value * count as f64;
        let due = u128::from(self.seen) * GRID_CELLS as u128 / u128::from(self.total.max(1));
        // The first cell closes at once, so that a non-empty list marks the second phase.
        if self.cells.is_empty() || due > self.cells.len() as u128 {
            self.close();
        }
    }

    fn close(&mut self) {
        let Open { a, b, sum } = std::mem::take(&mut self.open);
        if a + b > 0 {
            self.cells.push(GridCell { value: sum / (a + b) as f64, a, b });
        }
    }
}
