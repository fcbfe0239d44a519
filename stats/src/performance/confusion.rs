//! Metrics of a confusion matrix, for two classes and averaged over several.
//!
//! Question: how often is the predicted class the true one, overall and class by class?
//! Input: the weight of rows of each true class (outer) and predicted class (inner), and the sum of squared weights.
//! Formula: accuracy Σd/n; precision d/q, recall d/r, specificity (n - r - q + d)/(n - r), F1 2d/(r + q), with d on the diagonal, r the
//! row, q the column of a class. Macro: the mean over classes that occur as truth or prediction, 0 where a class has none to divide
//! by; weighted: the same by r; micro: of the sums over classes.
//! Intervals: Wilson's for shares; F1 = 2J/(1 + J) of Wilson's for J = d/(r + q - d). Of averages Wilson's of as many rows as the
//! delta method on the multinomial matrix tells, a(1 - a)/v with variance v = (Σ p·g² - (Σ p·g)²)/n, g the derivative by the cell; and of
//! no more than (Σw)²/Σ(w²/b), classes weighing w with b rows each: where no class scatters, as where all rows are right, v is 0.
//! Valid when: rows are independent.
//! Reference: Wilson 1927, doi:10.1080/01621459.1927.10502953; Takahashi et al. 2022, doi:10.1007/s10489-021-02635-5 (averages).
//! Oracle: scikit-learn 1.7 `precision_score(…, average=…, zero_division=0)` and its siblings, with `sample_weight`.
//! Cost: the square of the number of classes.

use super::{Measured, Undefined};
use crate::{binomial::wilson::within, experiment::effect::Interval, survival};

/// The matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct Confusion {
    cells: Vec<f64>,
    classes: usize,
    squares: f64,
}

/// How metrics of classes become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Average {
    /// Each class alike.
    Macro,
    /// Each row alike.
    Micro,
    /// Classes by how often they are true.
    Weighted,
}

/// A metric of one class against the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClassMetric {
    /// How many of those predicted are true.
    Precision,
    /// How many of those that are true are predicted.
    Recall,
    /// How many of the others are not predicted.
    Specificity,
    /// The harmonic mean of precision and recall.
    F1,
}

/// Sums of a class: everything that metrics depend on.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Class {
    hit: f64,
    truth: f64,
    predicted: f64,
}

impl Confusion {
    /// No rows yet of so many classes.
    #[must_use]
    pub fn new(classes: usize) -> Self {
        Self { cells: vec![0.0; classes * classes], classes, squares: 0.0 }
    }

    /// Adds rows: their weights and the squares of these, summed. Classes beyond those that there are count as none.
    pub fn push(&mut self, truth: usize, predicted: usize, [weight, squares]: [f64; 2]) {
        if truth < self.classes && predicted < self.classes {
            self.cells[truth * self.classes + predicted] += weight;
            self.squares += squares;
        }
    }

    /// The matrix, true classes outside.
    #[must_use]
    pub fn rows(&self) -> Vec<Vec<f64>> {
        self.cells.chunks(self.classes.max(1)).map(<[f64]>::to_vec).collect()
    }

    /// The weight of all rows.
    #[must_use]
    pub fn weight(&self) -> f64 {
        self.cells.iter().sum()
    }

    /// The weight of the rows whose true class this is.
    #[must_use]
    pub fn truth(&self, class: usize) -> f64 {
        self.class(class).truth
    }

    fn effective(&self) -> f64 {
        let weight = self.weight();
        if self.squares > 0.0 { weight * weight / self.squares } else { 0.0 }
    }

    fn class(&self, class: usize) -> Class {
        let at = |truth: usize, predicted: usize| self.cells[truth * self.classes + predicted];
        Class {
            hit: at(class, class),
            truth: (0..self.classes).map(|other| at(class, other)).sum(),
            predicted: (0..self.classes).map(|other| at(other, class)).sum(),
        }
    }

    /// Wilson's interval of a share of the weight `of`.
    fn share(&self, hits: f64, of: f64, confidence: f64) -> Measured {
        let n = of * self.effective() / self.weight();
        Measured::new(hits / of, wilson(hits / of, n, confidence), "wilson")
    }

    /// The share of rows whose predicted class is the true one.
    #[must_use]
    pub fn accuracy(&self, confidence: f64) -> Measured {
        if self.weight() <= 0.0 {
            return Measured::undefined(Undefined::NoRows);
        }
        let hits = (0..self.classes).map(|class| self.cells[class * self.classes + class]).sum();
        self.share(hits, self.weight(), confidence)
    }

    /// A metric of one class.
    #[must_use]
    pub fn of_class(&self, metric: ClassMetric, class: usize, confidence: f64) -> Measured {
        let total = self.weight();
        if total <= 0.0 {
            return Measured::undefined(Undefined::NoRows);
        }
        let Class { hit, truth, predicted } = self.class(class);
        let negatives = total - truth;
        let union = truth + predicted - hit;
        match metric {
            ClassMetric::Precision if predicted <= 0.0 => {
                Measured::undefined(Undefined::NoPredictedPositives)
            }
            ClassMetric::Precision => self.share(hit, predicted, confidence),
            ClassMetric::Recall if truth <= 0.0 => Measured::undefined(Undefined::NoPositives),
            ClassMetric::Recall => self.share(hit, truth, confidence),
            ClassMetric::Specificity if negatives <= 0.0 => Measured::undefined(Undefined::NoNegatives),
            ClassMetric::Specificity => self.share(negatives - (predicted - hit), negatives, confidence),
            ClassMetric::F1 if union <= 0.0 => Measured::undefined(Undefined::NoPositivesAtAll),
            ClassMetric::F1 => {
                self.share(hit, union, confidence).map(|jaccard| 2.0 * jaccard / (1.0 + jaccard))
            }
        }
    }

    /// A metric averaged over all classes.
    #[must_use]
    pub fn average(&self, metric: ClassMetric, average: Average, confidence: f64) -> Measured {
        let total = self.weight();
        if total <= 0.0 {
            return Measured::undefined(Undefined::NoRows);
        }
        let classes: Vec<Class> = (0..self.classes).map(|class| self.class(class)).collect();
        let value = averaged(metric, average, &classes, total);
        let most = rows_of_classes((metric, average), &classes, total) * self.effective() / total;
        let variance = self.delta(metric, average, &classes).filter(|variance| *variance > 0.0);
        let n = variance.map_or(most, |variance| (value * (1.0 - value) / variance).min(most));
        // A value at an end scatters nowhere, whatever rounding makes of its variance.
        let n = if value > 0.0 && value < 1.0 { n } else { most };
        Measured::new(value, wilson(value, n, confidence), "delta_wilson")
    }

    /// The variance of an average, by its derivatives taken in steps of the sums that it depends on.
    fn delta(&self, metric: ClassMetric, average: Average, classes: &[Class]) -> Option<f64> {
        let (total, n) = (self.weight(), self.effective());
        if n <= 1.0 {
            return None;
        }
        let step = total * 1e-6;
        let slope = |class: usize, moved: fn(&mut Class, f64), of_total: f64| {
            let at = |by: f64| {
                let mut classes = classes.to_vec();
                if let Some(class) = classes.get_mut(class) {
                    moved(class, by);
                }
                averaged(metric, average, &classes, total + of_total * by)
            };
            (at(step) - at(-step)) / (2.0 * step)
        };
        let slopes: Vec<[f64; 3]> = (0..self.classes)
            .map(|class| {
                [
                    slope(class, |class, by| class.hit += by, 0.0),
                    slope(class, |class, by| class.truth += by, 0.0),
                    slope(class, |class, by| class.predicted += by, 0.0),
                ]
            })
            .collect();
        let of_total = slope(usize::MAX, |_, _| {}, 1.0);
        let (mut mean, mut square) = (0.0, 0.0);
        for truth in 0..self.classes {
            for predicted in 0..self.classes {
                let share = self.cells[truth * self.classes + predicted] / total;
                let hit = if truth == predicted { slopes[truth][0] } else { 0.0 };
                let derivative = hit + slopes[truth][1] + slopes[predicted][2] + of_total;
                mean += share * derivative;
                square += share * derivative * derivative;
            }
        }
        Some((square - mean * mean).max(0.0) * total * total / n)
    }
}

/// Wilson's interval for a share of `n` rows, which need not be a whole number.
#[must_use]
pub fn wilson(share: f64, n: f64, confidence: f64) -> Option<Interval> {
    (n > 0.0).then(|| within(share, (n, survival::normal_exceeded((1.0 - confidence) / 2.0))))
}

/// What a metric of a class divides, and by what.
fn parts(metric: ClassMetric, class: &Class, total: f64) -> (f64, f64) {
    let Class { hit, truth, predicted } = *class;
    match metric {
        ClassMetric::Precision => (hit, predicted),
        ClassMetric::Recall => (hit, truth),
        ClassMetric::Specificity => (total - truth - predicted + hit, total - truth),
        ClassMetric::F1 => (2.0 * hit, truth + predicted),
    }
}

fn occurs(class: &&Class) -> bool {
    class.truth > 0.0 || class.predicted > 0.0
}

/// The weight of rows that an average over classes could stand on, were all classes alike: (Σw)²/Σ(w²/b).
fn rows_of_classes((metric, average): (ClassMetric, Average), classes: &[Class], total: f64) -> f64 {
    let (mut weights, mut squares) = (0.0, 0.0);
    for class in classes.iter().filter(occurs) {
        let below = parts(metric, class, total).1;
        // Of F1 a row counts twice, once as what is true and once as what is predicted.
        let rows = if metric == ClassMetric::F1 { below / 2.0 } else { below };
        let weight = match average {
            Average::Macro => 1.0,
            Average::Weighted => class.truth,
            Average::Micro => rows,
        };
        weights += weight;
        squares += if rows > 0.0 { weight * weight / rows } else { 0.0 };
    }
    if squares > 0.0 { weights * weights / squares } else { 0.0 }
}

fn averaged(metric: ClassMetric, average: Average, classes: &[Class], total: f64) -> f64 {
    let ratio = |a: f64, b: f64| if b > 0.0 { a / b } else { 0.0 };
    let parts = |class: &Class| parts(metric, class, total);
    let present = || classes.iter().filter(occurs);
    let value = |class: &Class| {
        let (above, below) = parts(class);
        ratio(above, below)
    };
    match average {
        Average::Macro => present().map(value).sum::<f64>() / present().count() as f64,
        Average::Weighted => {
            ratio(present().map(|c| c.truth * value(c)).sum(), present().map(|class| class.truth).sum())
        }
        Average::Micro => {
            ratio(present().map(|c| parts(c).0).sum(), present().map(|class| parts(class).1).sum())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Average, ClassMetric, Confusion};
    use crate::performance::Undefined;

    fn of(cells: &[&[f64]]) -> Confusion {
        let mut confusion = Confusion::new(cells.len());
        for (truth, row) in cells.iter().enumerate() {
            for (predicted, count) in row.iter().enumerate() {
                confusion.push(truth, predicted, [*count, *count]);
            }
        }
        confusion
    }

    // Field case C32 at a threshold of .7.
    #[test]
    fn c32_the_field_case_has_its_shares() {
        let confusion = of(&[&[3.0, 2.0], &[4.0, 1.0]]);
        let value = |metric| confusion.of_class(metric, 1, 0.95).value.unwrap();
        assert_eq!(confusion.accuracy(0.95).value, Some(0.4));
        assert!((value(ClassMetric::Precision) - 1.0 / 3.0).abs() < 1e-15);
        assert!((value(ClassMetric::Recall) - 0.2).abs() < 1e-15);
        assert!((value(ClassMetric::F1) - 0.25).abs() < 1e-15);
        assert!((value(ClassMetric::Specificity) - 0.6).abs() < 1e-15);
    }

    #[test]
    fn what_divides_by_nothing_says_so() {
        let reason = |cells: &[&[f64]], metric| of(cells).of_class(metric, 1, 0.95).reason;
        assert_eq!(
            reason(&[&[5.0, 0.0], &[1.0, 0.0]], ClassMetric::Precision),
            Some(Undefined::NoPredictedPositives)
        );
        assert_eq!(reason(&[&[5.0, 1.0], &[0.0, 0.0]], ClassMetric::Recall), Some(Undefined::NoPositives));
        assert_eq!(
            reason(&[&[0.0, 0.0], &[1.0, 1.0]], ClassMetric::Specificity),
            Some(Undefined::NoNegatives)
        );
        assert_eq!(reason(&[&[5.0, 0.0], &[0.0, 0.0]], ClassMetric::F1), Some(Undefined::NoPositivesAtAll));
        assert_eq!(reason(&[&[0.0, 0.0], &[0.0, 0.0]], ClassMetric::F1), Some(Undefined::NoRows));
    }

    // An average whose variance is known: micro recall is the accuracy, and so is its interval.
    #[test]
    fn the_delta_method_gives_the_rows_of_a_share() {
        let confusion = of(&[&[30.0, 5.0, 5.0], &[4.0, 20.0, 6.0], &[1.0, 2.0, 27.0]]);
        let found = confusion.average(ClassMetric::Recall, Average::Micro, 0.95);
        let accuracy = confusion.accuracy(0.95);
        assert!((found.value.unwrap() - 0.77).abs() < 1e-12);
        let (interval, expected) = (found.interval.unwrap(), accuracy.interval.unwrap());
        assert!(
            (interval.lo - expected.lo).abs() < 1e-7 && (interval.hi - expected.hi).abs() < 1e-7,
            "{found:?} {accuracy:?}"
        );
    }

    // The interval of an average of 1 was that point, which missed the true one in 9 of 10 samples of 100 rows where it was 0.999; and so
    // was that of a model which says one class of all rows. Expected is Wilson's of 16 rows, 4/(1/20 + 1/5): SciPy 1.17,
    // `binomtest(16, 16).proportion_ci(method='wilson')`, and of (8, 16).
    #[test]
    fn averages_that_scatter_nowhere_are_not_sure() {
        for (cells, value, [lo, hi]) in [
            ([&[20.0, 0.0], &[0.0, 5.0]], 1.0, [0.806_392_319_465_563_7, 1.0]),
            ([&[20.0, 0.0], &[5.0, 0.0]], 0.5, [0.279_995_636_103_260_17, 0.720_004_363_896_739_8]),
        ] {
            let found = of(&cells.map(|row: &[f64; 2]| row.as_slice())).average(
                ClassMetric::Recall,
                Average::Macro,
                0.95,
            );
            let interval = found.interval.unwrap();
            assert_eq!((found.value, found.method), (Some(value), "delta_wilson"));
            assert!((interval.lo - lo).abs() < 1e-9 && (interval.hi - hi).abs() < 1e-9, "{interval:?}");
        }
    }

    #[test]
    fn a_class_that_does_not_occur_takes_no_part() {
        let with = of(&[&[8.0, 2.0, 0.0], &[1.0, 9.0, 0.0], &[0.0, 0.0, 0.0]]);
        let without = of(&[&[8.0, 2.0], &[1.0, 9.0]]);
        let f1 = |confusion: &Confusion| confusion.average(ClassMetric::F1, Average::Macro, 0.95).value;
        assert_eq!(f1(&with), f1(&without));
    }
}
