//! Categories or bins of two samples: how often each occurs on either side.

use crate::walk::Sizes;

/// `times` categories that occur equally often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    /// Occurrences in the reference.
    pub a: u64,
    /// Occurrences in the current sample.
    pub b: u64,
    /// How many categories have these counts.
    pub times: u64,
}

impl Cell {
    /// One category.
    #[must_use]
    pub fn new(a: u64, b: u64) -> Self {
        Self { a, b, times: 1 }
    }
}

/// All categories of two samples; those that neither side has are left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cells {
    cells: Vec<Cell>,
    a: u64,
    b: u64,
    count: u64,
}

impl Cells {
    /// Adds categories.
    pub fn push(&mut self, cell: Cell) {
        if cell.times == 0 || cell.a + cell.b == 0 {
            return;
        }
        self.a += cell.a * cell.times;
        self.b += cell.b * cell.times;
        self.count += cell.times;
        self.cells.push(cell);
    }

    /// The categories.
    #[must_use]
    pub fn as_slice(&self) -> &[Cell] {
        &self.cells
    }

    /// How many categories there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The occurrences of all categories together.
    #[must_use]
    pub fn sizes(&self) -> Sizes {
        Sizes { a: self.a, b: self.b }
    }

    /// Whether both sides have an occurrence at all.
    #[must_use]
    pub fn comparable(&self) -> bool {
        self.a > 0 && self.b > 0
    }

    /// Sums `term(p, q)` over the categories, with the shares of both sides.
    pub(crate) fn sum(&self, term: impl Fn(f64, f64) -> f64) -> f64 {
        let (n, m) = (self.a as f64, self.b as f64);
        self.cells.iter().map(|cell| cell.times as f64 * term(cell.a as f64 / n, cell.b as f64 / m)).sum()
    }

    /// The same with half an occurrence added to every category of both sides (Jeffreys).
    pub(crate) fn sum_smoothed(&self, term: impl Fn(f64, f64) -> f64) -> f64 {
        let half = 0.5 * self.count as f64;
        let (n, m) = (self.a as f64 + half, self.b as f64 + half);
        let share = |cell: &Cell| term((cell.a as f64 + 0.5) / n, (cell.b as f64 + 0.5) / m);
        self.cells.iter().map(|cell| cell.times as f64 * share(cell)).sum()
    }

    /// The smallest count that a category would have on a side if both sides were alike.
    #[must_use]
    pub fn smallest_expected(&self) -> f64 {
        let share = self.a.min(self.b) as f64 / (self.a + self.b).max(1) as f64;
        let smallest = self.cells.iter().map(|cell| cell.a + cell.b).min().unwrap_or(0);
        smallest as f64 * share
    }
}

impl FromIterator<Cell> for Cells {
    fn from_iter<I: IntoIterator<Item = Cell>>(cells: I) -> Self {
        let mut all = Self::default();
        cells.into_iter().for_each(|cell| all.push(cell));
        all
    }
}
