//! Isotonic regression of a truth on a score: which probability a score stands for.
//!
//! Question: what share of rows with this score is positive, if more score never means less?
//! Input: rows by descending score, with weight and truth; ties in any order.
//! Formula: pool adjacent violators: neighbouring blocks are joined while the lower one's mean is not less; between blocks the straight line,
//! beyond the first and the last their means.
//! Valid when: the score orders rows by their probability; some hundreds of rows.
//! Reference: Barlow, Bartholomew, Bremner, Brunk 1972; Zadrozny, Elkan 2002, doi:10.1145/775047.775151 (for scores).
//! Oracle: scikit-learn 1.7 `IsotonicRegression(out_of_bounds='clip').fit(score, y).predict(x)`.
//! Cost: linear; memory of the number of blocks, which grows like the cube root of the number of rows.

/// Scores nearer than this are one, as in scikit-learn.
const SAME: f64 = 1e-15;

/// The walk that fits.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fitting {
    blocks: Vec<Block>,
    tied: Option<Block>,
}

/// Rows next to each other that share a mean.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Block {
    high: f64,
    low: f64,
    weight: f64,
    positives: f64,
}

impl Block {
    fn mean(&self) -> f64 {
        self.positives / self.weight
    }
}

/// An increasing function of straight lines.
#[derive(Debug, Clone, PartialEq)]
pub struct Isotonic {
    scores: Vec<f64>,
    shares: Vec<f64>,
}

impl Fitting {
    /// Takes the next row.
    pub fn push(&mut self, score: f64, weight: f64, positive: bool) {
        if weight <= 0.0 || !score.is_finite() {
            return;
        }
        let positives = if positive { weight } else { 0.0 };
        match &mut self.tied {
            Some(tied) if tied.high - score < SAME => {
                tied.weight += weight;
                tied.positives += positives;
            }
            _ => {
                self.flush();
                self.tied = Some(Block { high: score, low: score, weight, positives });
            }
        }
    }

    fn flush(&mut self) {
        let Some(mut block) = self.tied.take() else { return };
        while let Some(above) = self.blocks.last().filter(|above| above.mean() <= block.mean()) {
            block.high = above.high;
            block.weight += above.weight;
            block.positives += above.positives;
            self.blocks.pop();
        }
        self.blocks.push(block);
    }

    /// Ends the walk; `None` without rows.
    #[must_use]
    pub fn finish(mut self) -> Option<Isotonic> {
        self.flush();
        let (mut scores, mut shares) = (Vec::new(), Vec::new());
        for block in self.blocks.iter().rev() {
            scores.push(block.low);
            shares.push(block.mean());
            if block.high > block.low {
                scores.push(block.high);
                shares.push(block.mean());
            }
        }
        (!scores.is_empty()).then_some(Isotonic { scores, shares })
    }
}

impl Isotonic {
    /// The probability that a score stands for.
    #[must_use]
    pub fn at(&self, score: f64) -> f64 {
        let after = self.scores.partition_point(|knot| *knot <= score);
        match after {
            0 => self.shares[0],
            _ if after == self.scores.len() => self.shares[after - 1],
            _ => {
                let (x0, x1) = (self.scores[after - 1], self.scores[after]);
                let (y0, y1) = (self.shares[after - 1], self.shares[after]);
                y0 + (y1 - y0) * ((score - x0) / (x1 - x0))
            }
        }
    }

    /// The knots: scores, and their shares.
    #[must_use]
    pub fn knots(&self) -> [&[f64]; 2] {
        [&self.scores, &self.shares]
    }
}

#[cfg(test)]
mod tests {
    use super::Fitting;

    // scikit-learn 1.7: IsotonicRegression(out_of_bounds='clip').fit([.1, .2, .3, .4, .5, .6], [0, 1, 0, 0, 1, 1]).predict(...).
    #[test]
    fn falling_means_are_pooled_and_lines_lie_between() {
        let mut fitting = Fitting::default();
        for (score, positive) in
            [(0.6, true), (0.5, true), (0.4, false), (0.3, false), (0.2, true), (0.1, false)]
        {
            fitting.push(score, 1.0, positive);
        }
        let found = fitting.finish().unwrap();
        for (score, expected) in [
            (0.0, 0.0),
            (0.1, 0.0),
            (0.15, 1.0 / 6.0),
            (0.2, 1.0 / 3.0),
            (0.4, 1.0 / 3.0),
            (0.45, 2.0 / 3.0),
            (0.9, 1.0),
        ] {
            assert!((found.at(score) - expected).abs() < 1e-12, "{score}: {}", found.at(score));
        }
    }

    #[test]
    fn nothing_fits_nothing_and_one_row_is_a_constant() {
        assert_eq!(Fitting::default().finish(), None);
        let mut one = Fitting::default();
        one.push(0.5, 1.0, true);
        assert_eq!(one.finish().unwrap().at(-7.0), 1.0);
    }
}
