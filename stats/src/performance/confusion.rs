//! Metrics of a confusion matrix, for two classes and averaged over several.
//!
//! Question: how often is the predicted class the true one, overall and class by class?
//! Input: the weight of rows of each true class (outer) and predicted class (inner), and the sum of their squared weights.
//! Formula: accuracy Σd/n; precision d/q, recall d/r, specificity (n - r - q + d)/(n - r), F1 2d/(r + q), with d on the diagonal, r the
//! row, q the column of a class. Macro: the mean over classes that occur as truth or prediction, 0 where a class has none to divide
//! by; weighted: the same by r; micro: of the sums over classes.
//! Intervals: Wilson's for shares; F1 = 2J/(1 + J) of Wilson's for J = d/(r + q - d). A share p is of as many rows as it divides by; where
//! these weigh differently, of the fewer of (Σw)²/Σw² and of p(1 - p)/v, v = Σw²(y - p)²/(Σw)²: weights may go with what is right. Of averages
//! Wilson's of as many rows as the delta method on the multinomial matrix tells, a(1 - a)/v with variance v = Σw²(g - ḡ)², g the
//! derivative by the cell of a row; and of no more than (Σw)²/Σ(w²/b), classes weighing w with b rows each: where no class scatters, as
//! where all rows are right, v is 0.
//! Valid when: rows are independent.
//! Reference: Wilson 1927, doi:10.1080/01621459.1927.10502953; Kish 1965 ((Σw)²/Σw²); Takahashi et al. 2022,
//! doi:10.1007/s10489-021-02635-5 (averages).
//! Oracle: scikit-learn 1.7 `precision_score(…, average=…, zero_division=0)` and its siblings, with `sample_weight`.
//! Cost: the square of the number of classes.

use super::{Measured, Undefined};
use crate::{binomial::wilson::within, experiment::effect::Interval, survival};

/// The matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct Confusion {
    cells: Vec<f64>,
    /// Σw² of each cell.
    squares: Vec<f64>,
    classes: usize,
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
        let none = vec![0.0; classes * classes];
        Self { cells: none.clone(), squares: none, classes }
    }

    /// Adds rows: their weights and the squares of these, summed. Classes beyond those that there are count as none.
    pub fn push(&mut self, truth: usize, predicted: usize, [weight, squares]: [f64; 2]) {
        if truth < self.classes && predicted < self.classes {
            self.cells[truth * self.classes + predicted] += weight;
            self.squares[truth * self.classes + predicted] += squares;
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

    fn class(&self, class: usize) -> Class {
        self.class_of(&self.cells, class)
    }

    /// A class by its weights, or by their squares.
    fn class_of(&self, cells: &[f64], class: usize) -> Class {
        let at = |truth: usize, predicted: usize| cells[truth * self.classes + predicted];
        Class {
            hit: at(class, class),
            truth: (0..self.classes).map(|other| at(class, other)).sum(),
            predicted: (0..self.classes).map(|other| at(other, class)).sum(),
        }
    }

    /// The sum of the diagonal, and that of all other cells.
    fn hits(&self, cells: &[f64]) -> [f64; 2] {
        let hits: f64 = (0..self.classes).map(|class| cells[class * self.classes + class]).sum();
        [hits, (cells.iter().sum::<f64>() - hits).max(0.0)]
    }

    /// The share of rows whose predicted class is the true one.
    #[must_use]
    pub fn accuracy(&self, confidence: f64) -> Measured {
        if self.weight() <= 0.0 {
            return Measured::undefined(Undefined::NoRows);
        }
        share(self.hits(&self.cells), self.hits(&self.squares), confidence)
    }

    /// A metric of one class.
    #[must_use]
    pub fn of_class(&self, metric: ClassMetric, class: usize, confidence: f64) -> Measured {
        let total = self.weight();
        if total <= 0.0 {
            return Measured::undefined(Undefined::NoRows);
        }
        let (class, squares) = (self.class(class), self.class_of(&self.squares, class));
        let (parts, of_squares) =
            (shared(metric, &class, total), shared(metric, &squares, self.squares.iter().sum()));
        if parts[0] + parts[1] <= 0.0 {
            return Measured::undefined(match metric {
                ClassMetric::Precision => Undefined::NoPredictedPositives,
                ClassMetric::Recall => Undefined::NoPositives,
                ClassMetric::Specificity => Undefined::NoNegatives,
                ClassMetric::F1 => Undefined::NoPositivesAtAll,
            });
        }
        let found = share(parts, of_squares, confidence);
        match metric {
            ClassMetric::F1 => found.map(|jaccard| 2.0 * jaccard / (1.0 + jaccard)),
            ClassMetric::Precision | ClassMetric::Recall | ClassMetric::Specificity => found,
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
        let squares: Vec<Class> =
            (0..self.classes).map(|class| self.class_of(&self.squares, class)).collect();
        let most =
            rows_of_classes((metric, average), (&classes, total), (&squares, self.squares.iter().sum()));
        let variance = self.delta(metric, average, &classes).filter(|variance| *variance > 0.0);
        let n = variance.map_or(most, |variance| (value * (1.0 - value) / variance).min(most));
        // A value at an end scatters nowhere, whatever rounding makes of its variance.
        let n = if value > 0.0 && value < 1.0 { n } else { most };
        Measured::new(value, wilson(value, n, confidence), "delta_wilson")
    }

    /// The variance of an average, by its derivatives taken in steps of the sums that it depends on.
    fn delta(&self, metric: ClassMetric, average: Average, classes: &[Class]) -> Option<f64> {
        let total = self.weight();
        // One row, or one that outweighs all others.
        if total * total <= self.squares.iter().sum::<f64>() {
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
        let derivative = |cell: usize| {
            let (truth, predicted) = (cell / self.classes, cell % self.classes);
            let hit = if truth == predicted { slopes[truth][0] } else { 0.0 };
            hit + slopes[truth][1] + slopes[predicted][2] + of_total
        };
        let cells = self.cells.iter().enumerate();
        let mean = cells.map(|(cell, weight)| weight * derivative(cell)).sum::<f64>() / total;
        let squares = self.squares.iter().enumerate();
        Some(squares.map(|(cell, square)| square * (derivative(cell) - mean).powi(2)).sum())
    }
}

/// Wilson's interval for a share of `n` rows, which need not be a whole number.
#[must_use]
pub fn wilson(share: f64, n: f64, confidence: f64) -> Option<Interval> {
    (n > 0.0).then(|| within(share, (n, survival::normal_exceeded((1.0 - confidence) / 2.0))))
}

/// A share with Wilson's interval: the weight of hits and misses, and that of their squares.
fn share([hits, misses]: [f64; 2], squares: [f64; 2], confidence: f64) -> Measured {
    let value = hits / (hits + misses);
    Measured::new(value, wilson(value, rows_of_share([hits, misses], squares), confidence), "wilson")
}

/// Of how many rows a share is, by the weight of its hits and misses and by the sums of their squares: (Σw)²/Σw², or fewer where weights go
/// with what is a hit, as weights of classes do. That number alone made 547 rows of 100 positives that weigh ten times as much as 9,900 others.
#[must_use]
pub(super) fn rows_of_share([hits, misses]: [f64; 2], [hit_squares, miss_squares]: [f64; 2]) -> f64 {
    let (all, squares) = (hits + misses, hit_squares + miss_squares);
    if all <= 0.0 || squares <= 0.0 {
        return 0.0;
    }
    let (p, q) = (hits / all, misses / all);
    let (even, scatter) = (all * all / squares, hit_squares * q * q + miss_squares * p * p);
    if scatter > 0.0 { even.min(p * q * all * all / scatter) } else { even }
}

/// What a share counts as hits and as misses: of F1 that of Jaccard's index.
fn shared(metric: ClassMetric, class: &Class, total: f64) -> [f64; 2] {
    let Class { hit, truth, predicted } = *class;
    let parts = match metric {
        ClassMetric::Precision => [hit, predicted - hit],
        ClassMetric::Recall => [hit, truth - hit],
        ClassMetric::Specificity => [total - truth - (predicted - hit), predicted - hit],
        ClassMetric::F1 => [hit, truth - hit + (predicted - hit)],
    };
    // Of weights rounding may leave less than nothing.
    parts.map(|part| part.max(0.0))
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

fn occurs(class: &Class) -> bool {
    class.truth > 0.0 || class.predicted > 0.0
}

/// The rows that an average over classes could stand on, were all classes alike: (Σw)²/Σ(w²/b).
fn rows_of_classes(
    (metric, average): (ClassMetric, Average),
    (classes, total): (&[Class], f64),
    (squares, of_squares): (&[Class], f64),
) -> f64 {
    let (mut weights, mut scatter) = (0.0, 0.0);
    for (class, squares) in classes.iter().zip(squares).filter(|(class, _)| occurs(class)) {
        // Of F1 a row counts twice, once as what is true and once as what is predicted.
        let twice = if metric == ClassMetric::F1 { 2.0 } else { 1.0 };
        let below = parts(metric, class, total).1 / twice;
        let square = parts(metric, squares, of_squares).1 / twice;
        let rows = if square > 0.0 { below * below / square } else { 0.0 };
        let weight = match average {
            Average::Macro => 1.0,
            Average::Weighted => class.truth,
            Average::Micro => below,
        };
        weights += weight;
        scatter += if rows > 0.0 { weight * weight / rows } else { 0.0 };
    }
    if scatter > 0.0 { weights * weights / scatter } else { 0.0 }
}

fn averaged(metric: ClassMetric, average: Average, classes: &[Class], total: f64) -> f64 {
    let ratio = |a: f64, b: f64| if b > 0.0 { a / b } else { 0.0 };
    let parts = |class: &Class| parts(metric, class, total);
    let present = || classes.iter().filter(|class| occurs(class));
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

    // Rows of one class that weigh ten times as much: weights of all rows made 547 rows of 100 positives, and intervals of 95 % held the true recall
    // in 64 of 100 samples. Expected is Wilson's of (20, 100) and (9,800, 9,900); of precision of 2,100/49 rows; SciPy 1.17,
    // `binomtest(…).proportion_ci(method='wilson')`, and the formula of Wilson where rows are no whole number.
    #[test]
    fn a_share_is_of_the_rows_that_it_divides_by() {
        let mut confusion = Confusion::new(2);
        for (truth, predicted, rows, weight) in
            [(1, 1, 20.0, 10.0), (1, 0, 80.0, 10.0), (0, 1, 100.0, 1.0), (0, 0, 9_800.0, 1.0)]
        {
            confusion.push(truth, predicted, [rows * weight, rows * weight * weight]);
        }
        for (metric, value, [lo, hi]) in [
            (ClassMetric::Recall, 0.2, [0.133_366_933_331_032_5, 0.288_829_165_593_158_9]),
            (ClassMetric::Specificity, 9_800.0 / 9_900.0, [0.987_730_468_517_041_3, 0.991_687_471_514_788_9]),
            (ClassMetric::Precision, 2.0 / 3.0, [0.517_059_096_210_002_8, 0.788_854_009_802_639_1]),
        ] {
            let found = confusion.of_class(metric, 1, 0.95);
            let interval = found.interval.unwrap();
            assert!((found.value.unwrap() - value).abs() < 1e-12, "{metric:?} {found:?}");
            assert!(
                (interval.lo - lo).abs() < 1e-9 && (interval.hi - hi).abs() < 1e-9,
                "{metric:?} {found:?}"
            );
        }
        // The few positives scatter most: fewer rows than (Σw)²/Σw², which is 5,970.
        let accuracy = confusion.accuracy(0.95);
        let interval = accuracy.interval.unwrap();
        assert!(
            (interval.lo - 0.901_243_131_985_306_1).abs() < 1e-9
                && (interval.hi - 0.931_168_393_608_565_8).abs() < 1e-9,
            "{accuracy:?}"
        );
        // The mean of both recalls is of 4/(1/100 + 1/9,900) rows.
        let balanced = confusion.average(ClassMetric::Recall, Average::Macro, 0.95);
        let interval = balanced.interval.unwrap();
        assert!(
            (interval.lo - 0.545_911_594_952_897_4).abs() < 1e-6
                && (interval.hi - 0.642_162_948_947_071).abs() < 1e-6,
            "{balanced:?}"
        );
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
