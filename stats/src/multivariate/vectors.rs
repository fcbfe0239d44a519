//! Samples of vectors, and rows of features that a linear classifier can learn from.

/// Vectors of one width, one after another.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Vectors {
    width: usize,
    values: Vec<f32>,
}

impl Vectors {
    /// No vectors of this width yet.
    #[must_use]
    pub fn new(width: usize) -> Self {
        Self { width, values: Vec::new() }
    }

    /// Adds a vector; one of another width, or with a component that is not finite, is left out and answers `false`.
    pub fn push(&mut self, vector: &[f32]) -> bool {
        let fits = vector.len() == self.width && self.width > 0 && vector.iter().all(|x| x.is_finite());
        if fits {
            self.values.extend_from_slice(vector);
        }
        fits
    }

    /// How many vectors there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len().checked_div(self.width).unwrap_or(0)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// How many components each has.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// One vector.
    #[must_use]
    pub fn row(&self, i: usize) -> &[f32] {
        &self.values[i * self.width..(i + 1) * self.width]
    }

    /// All vectors.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks_exact(self.width.max(1))
    }
}

/// Rows of features, dense or sparse, as far as a linear model needs to know them.
pub trait Features {
    /// How many rows there are.
    fn rows(&self) -> usize;
    /// How many features a row has.
    fn width(&self) -> usize;
    /// The scalar product of a row with weights.
    fn dot(&self, row: usize, weights: &[f64]) -> f64;
    /// Adds `scale` times a row to `sum`.
    fn add(&self, row: usize, scale: f64, sum: &mut [f64]);
    /// The squared length of a row.
    fn squared_length(&self, row: usize) -> f64;
}

impl Features for Vectors {
    fn rows(&self) -> usize {
        self.len()
    }

    fn width(&self) -> usize {
        self.width
    }

    fn dot(&self, row: usize, weights: &[f64]) -> f64 {
        // Four sums, so that the processor need not wait for one.
        let mut sums = [0.0; 4];
        let (row, rest) = self.row(row).as_chunks::<4>();
        let (weights, rest_weights) = weights.as_chunks::<4>();
        for (x, w) in row.iter().zip(weights) {
            for i in 0..4 {
                sums[i] += f64::from(x[i]) * w[i];
            }
        }
        let tail: f64 = rest.iter().zip(rest_weights).map(|(x, w)| f64::from(*x) * w).sum();
        sums.iter().sum::<f64>() + tail
    }

    fn add(&self, row: usize, scale: f64, sum: &mut [f64]) {
        for (sum, x) in sum.iter_mut().zip(self.row(row)) {
            *sum += scale * f64::from(*x);
        }
    }

    fn squared_length(&self, row: usize) -> f64 {
        self.row(row).iter().map(|x| f64::from(*x).powi(2)).sum()
    }
}

/// Sparse rows of features: which ones a row has, and how much of each.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sparse {
    width: usize,
    ends: Vec<usize>,
    entries: Vec<(u32, f32)>,
}

impl Sparse {
    /// No rows over this many features yet.
    #[must_use]
    pub fn new(width: usize) -> Self {
        Self { width, ends: Vec::new(), entries: Vec::new() }
    }

    /// Adds a row; features beyond the width are left out.
    pub fn push(&mut self, row: impl IntoIterator<Item = (u32, f32)>) {
        let width = self.width;
        self.entries.extend(row.into_iter().filter(|(feature, _)| (*feature as usize) < width));
        self.ends.push(self.entries.len());
    }

    /// The entries of a row.
    #[must_use]
    pub fn row(&self, row: usize) -> &[(u32, f32)] {
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.entries[start..self.ends[row]]
    }

    /// Scales the features below `end` of each row to length 1 together; the others stay.
    pub fn normalise(&mut self, end: usize) {
        let mut start = 0;
        for row_end in &self.ends {
            let row = &mut self.entries[start..*row_end];
            start = *row_end;
            let scaled = |feature: u32| (feature as usize) < end;
            let squared: f32 =
                row.iter().filter(|(feature, _)| scaled(*feature)).map(|(_, amount)| amount * amount).sum();
            if squared > 0.0 {
                let factor = 1.0 / squared.sqrt();
                row.iter_mut()
                    .filter(|(feature, _)| scaled(*feature))
                    .for_each(|(_, amount)| *amount *= factor);
            }
        }
    }

    /// Multiplies each entry by the factor of its feature.
    pub fn scale(&mut self, factors: &[f32]) {
        for (feature, amount) in &mut self.entries {
            *amount *= factors[*feature as usize];
        }
    }
}

impl Features for Sparse {
    fn rows(&self) -> usize {
        self.ends.len()
    }

    fn width(&self) -> usize {
        self.width
    }

    fn dot(&self, row: usize, weights: &[f64]) -> f64 {
        self.row(row).iter().map(|(feature, amount)| f64::from(*amount) * weights[*feature as usize]).sum()
    }

    fn add(&self, row: usize, scale: f64, sum: &mut [f64]) {
        for (feature, amount) in self.row(row) {
            sum[*feature as usize] += scale * f64::from(*amount);
        }
    }

    fn squared_length(&self, row: usize) -> f64 {
        self.row(row).iter().map(|(_, amount)| f64::from(*amount).powi(2)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::{Features, Sparse, Vectors};

    #[test]
    fn sparse_and_dense_rows_compute_alike() {
        let rows = [[1.0_f32, 0.0, 2.0, 0.0, 3.0], [0.0, -1.0, 0.0, 0.5, 0.0]];
        let (mut dense, mut sparse) = (Vectors::new(5), Sparse::new(5));
        for row in &rows {
            assert!(dense.push(row));
            sparse.push((0..5).zip(*row).filter(|(_, x)| *x != 0.0));
        }
        let weights = [0.25, 1.0, -0.5, 8.0, 4.0];
        for row in 0..2 {
            assert_eq!(dense.dot(row, &weights), sparse.dot(row, &weights));
            let (mut one, mut other) = ([1.0; 5], [1.0; 5]);
            dense.add(row, 2.0, &mut one);
            sparse.add(row, 2.0, &mut other);
            assert_eq!(one, other);
            assert_eq!(dense.squared_length(row), sparse.squared_length(row));
        }
        assert_eq!((dense.dot(0, &weights), dense.dot(1, &weights)), (11.25, 3.0));
    }

    #[test]
    fn what_is_no_point_of_the_space_is_left_out() {
        let mut vectors = Vectors::new(2);
        for vector in [&[1.0][..], &[1.0, f32::NAN], &[f32::INFINITY, 0.0], &[]] {
            assert!(!vectors.push(vector));
        }
        assert!(vectors.push(&[1.0, 2.0]));
        assert_eq!((vectors.len(), vectors.row(0)), (1, &[1.0, 2.0][..]));
        assert_eq!(Vectors::new(0).len(), 0);
    }
}
