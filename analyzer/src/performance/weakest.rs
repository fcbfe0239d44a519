//! The weakest segments, found among the values of all columns, with a correction for looking at so many.

use windvane_stats::correction::Correction;
use windvane_stats::survival;
use windvane_store::performance::{Chunking, Loss, LossRow, column_losses};
use windvane_store::populations::{OUTCOME, OUTCOME_VALUE, PopulationColumn, SegmentKeys, Storage};
use windvane_types::performance::{Task, WeakSegment, WeakestSegments};

use super::PerformanceError;
use super::measure::class_count;
use super::side::Side;

/// Values of a column that are looked at as they are; words beyond that are no segments, numbers are cut.
const VALUES_MAX: usize = 50;
/// Ranges that numbers are cut into.
const RANGES: usize = 5;
/// Columns that are looked at: a statement each.
const COLUMNS_MAX: usize = 200;
/// Labelled rows that a segment needs.
const ROWS_MIN: u64 = 30;
/// The bound on the chance that any segment is told without being weaker.
const ALPHA: f64 = 0.05;

/// A segment before it is compared.
struct Candidate {
    column: String,
    value: Option<String>,
    sums: Sums,
}

/// What is summed over some rows.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    rows: u64,
    weight: f64,
    squares: f64,
    loss: f64,
    loss_sq: f64,
}

impl Sums {
    fn of(row: &LossRow) -> Self {
        Self {
            rows: row.rows,
            weight: row.weight.0,
            squares: row.squares.0,
            loss: row.weighted.0,
            loss_sq: row.weighted_sq.0,
        }
    }

    fn with(self, more: Self) -> Self {
        Self {
            rows: self.rows + more.rows,
            weight: self.weight + more.weight,
            squares: self.squares + more.squares,
            loss: self.loss + more.loss,
            loss_sq: self.loss_sq + more.loss_sq,
        }
    }

    /// These rows without some of them.
    fn without(self, some: Self) -> Self {
        Self {
            rows: self.rows.saturating_sub(some.rows),
            weight: self.weight - some.weight,
            squares: self.squares - some.squares,
            loss: self.loss - some.loss,
            loss_sq: self.loss_sq - some.loss_sq,
        }
    }

    /// The losses of as many rows of one weight as these are worth.
    fn losses(self) -> Losses {
        let n = self.weight * self.weight / self.squares;
        let each = n / self.weight;
        Losses { n, sum: self.loss * each, sum_sq: self.loss_sq * each }
    }
}

/// Looks at every column that has no role.
pub(super) async fn weakest(
    side: &Side<'_>,
    classes: &[String],
) -> Result<WeakestSegments, PerformanceError> {
    let (loss, name) = match side.question.task {
        Task::Binary | Task::Multiclass => (Loss::Wrong(class_count(side, classes)), "error_rate"),
        Task::Regression => (Loss::Absolute, "absolute_error"),
        Task::Ranking => return Ok(WeakestSegments::default()),
    };
    let (mut candidates, mut left_out, mut overall) = (Vec::new(), uncut(side), Sums::default());
    let mut mean = None;
    let none = SegmentKeys::default();
    for (place, column) in columns(side).into_iter().enumerate() {
        if place >= COLUMNS_MAX {
            left_out += 1;
            continue;
        }
        let frame = side.framed(Chunking::Whole, &none, std::slice::from_ref(&column))?;
        let rows: Vec<LossRow> = side.ask(&column_losses(&frame, loss, (VALUES_MAX, RANGES))).await?;
        // What all rows lose is known of a column that is left out, too.
        let all = rows.first().filter(|row| row.all_weight.0 > 0.0);
        mean = all.map(|row| row.all_weighted.0 / row.all_weight.0).or(mean);
        if rows.len() > VALUES_MAX {
            left_out += 1;
            continue;
        }
        overall = rows.iter().map(Sums::of).fold(Sums::default(), Sums::with);
        // A column with one value is no cut.
        if rows.len() > 1 {
            candidates.extend(
                rows.into_iter().filter(|row| row.rows >= ROWS_MIN).map(|row| candidate(&column, row)),
            );
        }
    }
    let looked_at = candidates.len() as u64;
    let segments = told(candidates, overall, side.question.weakest);
    Ok(WeakestSegments {
        loss: Some(name.to_owned()),
        overall: mean,
        looked_at,
        columns_left_out: left_out,
        segments,
    })
}

/// Columns without a role that can be cut.
pub(super) fn columns(side: &Side<'_>) -> Vec<String> {
    let columns = without_role(side).into_iter().filter(|column| can_be_cut(&column.storage));
    columns.map(|column| column.name.clone()).collect()
}

fn can_be_cut(storage: &Storage) -> bool {
    matches!(storage, Storage::Number(_) | Storage::Text(_) | Storage::Undecided(_))
}

/// Columns that hold something else, such as times or lists; those that hold nothing have nothing to look at.
fn uncut(side: &Side<'_>) -> u64 {
    let other = |storage: &Storage| !can_be_cut(storage) && !matches!(storage, Storage::Nothing);
    without_role(side).into_iter().filter(|column| other(&column.storage)).count() as u64
}

fn without_role<'a>(side: &Side<'a>) -> Vec<&'a PopulationColumn> {
    let roles = &side.question.roles;
    let single = [
        &roles.target,
        &roles.score,
        &roles.label,
        &roles.value,
        &roles.weight,
        &roles.group,
        &roles.timestamp,
    ];
    // A feature may be called as a role is: then it is another column.
    let is_feature = |name: &String| side.population.role(name) != side.population.column(name);
    let taken = |name: &String| {
        let named = single.iter().any(|role| role.as_ref() == Some(name))
            || roles.probabilities.iter().any(|(_, column)| column == name)
            || name.starts_with("prediction.")
            || [OUTCOME, OUTCOME_VALUE].contains(&name.as_str());
        named && !is_feature(name)
    };
    side.population.columns.iter().filter(|column| !taken(&column.name)).collect()
}

fn candidate(column: &str, row: LossRow) -> Candidate {
    let sums = Sums::of(&row);
    let value = match (row.low, row.high) {
        (Some(low), Some(high)) => Some(range(low.0, high.0)),
        _ => row.value,
    };
    Candidate { column: column.to_owned(), value, sums }
}

/// `0.857172 to 3.1746`: ends in six digits, which fit into a table, and whole numbers as they are; all digits where six make one number of
/// both.
fn range(low: f64, high: f64) -> String {
    let [from, to] = [low, high].map(six_digits);
    if from == to { format!("{low} to {high}") } else { format!("{from} to {to}") }
}

fn six_digits(end: f64) -> f64 {
    if end == end.round() { end } else { format!("{end:.5e}").parse().unwrap_or(end) }
}

/// The sums of the losses of some rows.
#[derive(Debug, Clone, Copy)]
struct Losses {
    n: f64,
    sum: f64,
    sum_sq: f64,
}

impl Losses {
    fn mean(self) -> f64 {
        self.sum / self.n
    }

    /// Σ(x - x̄)².
    fn scatter(self) -> f64 {
        (self.sum_sq - self.sum * self.sum / self.n).max(0.0)
    }

    fn variance_of_mean(self) -> f64 {
        self.scatter() / (self.n - 1.0) / self.n
    }

    /// The interval of the difference of means and its p-value; `None` where neither side scatters and the others lose as much or more.
    fn compared(self, others: Self, [rows, other_rows]: [u64; 2]) -> Option<(Option<[f64; 2]>, f64)> {
        let difference = self.mean() - others.mean();
        let spreads = spreads(self, others);
        if spreads.iter().all(|spread| spread.error > 0.0 && spread.df.is_finite()) {
            let half = |spread: &Spread| survival::student_exceeded(0.025, spread.df) * spread.error;
            let p = |spread: &Spread| survival::student_two_sided(difference / spread.error, spread.df);
            let half = spreads.iter().map(half).fold(0.0, f64::max);
            let p_value = spreads.iter().map(p).fold(f64::MIN_POSITIVE, f64::max);
            return Some((Some([difference - half, difference + half]), p_value));
        }
        // All rows lose alike here and alike elsewhere: of all ways to deal the losses out, this is one.
        let alike = difference > 0.0 && spreads.iter().all(|spread| spread.error == 0.0);
        alike.then(|| (None, one_way(rows, other_rows as f64)))
    }
}

/// The standard error of a difference of means.
struct Spread {
    error: f64,
    df: f64,
}

/// Welch's, and Student's with one variance for both sides. The few rows of one side that happen to lose alike tell of no small
/// variance: of them alone Welch's would make a sure difference.
fn spreads(a: Losses, b: Losses) -> [Spread; 2] {
    let (own, rest) = (a.variance_of_mean(), b.variance_of_mean());
    let df = (own + rest).powi(2) / (own * own / (a.n - 1.0) + rest * rest / (b.n - 1.0));
    let both = a.n + b.n - 2.0;
    let pooled = (a.scatter() + b.scatter()) / both * (1.0 / a.n + 1.0 / b.n);
    [Spread { error: (own + rest).sqrt(), df }, Spread { error: pooled.sqrt(), df: both }]
}

/// The segments that lose more than all other rows, by the larger p-value of Welch's test and Student's, after Holm's correction over
/// all that were looked at.
fn told(candidates: Vec<Candidate>, all: Sums, most: usize) -> Vec<WeakSegment> {
    let mut compared: Vec<WeakSegment> = Vec::new();
    for candidate in candidates {
        let elsewhere = all.without(candidate.sums);
        let rows = [candidate.sums.rows, elsewhere.rows];
        let (here, others) = (candidate.sums.losses(), elsewhere.losses());
        // One row that outweighs all others scatters nowhere.
        if rows[1] < 2 || [here, others].iter().any(|losses| losses.n < 2.0) {
            continue;
        }
        let Some((difference_ci, p_value)) = here.compared(others, rows) else { continue };
        compared.push(WeakSegment {
            column: candidate.column,
            value: candidate.value,
            n: rows[0],
            loss: here.mean(),
            loss_elsewhere: others.mean(),
            difference_ci,
            p_value,
            p_adjusted: 1.0,
        });
    }
    let p_values: Vec<f64> = compared.iter().map(|segment| segment.p_value).collect();
    let adjusted = Correction::Holm.adjust(&p_values);
    for (segment, p) in compared.iter_mut().zip(adjusted) {
        segment.p_adjusted = p;
    }
    compared.retain(|segment| segment.p_adjusted < ALPHA && segment.loss > segment.loss_elsewhere);
    compared.sort_by(|a, b| a.p_adjusted.total_cmp(&b.p_adjusted).then(b.loss.total_cmp(&a.loss)));
    compared.truncate(most);
    compared
}

/// The chance that, of all ways to deal the losses out, just these rows have the larger ones: 1 in all rows over these.
fn one_way(k: u64, others: f64) -> f64 {
    let steps = (1..=k).map(|i| (i as f64 / (others + i as f64)).ln());
    steps.sum::<f64>().exp().max(f64::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use windvane_store::Real;
    use windvane_store::performance::LossRow;

    use super::{Candidate, ROWS_MIN, Sums, candidate, told};

    /// Segments of rows that weigh alike, of which so many are wrong.
    fn weighing(weight: f64, errors: &[(u64, f64)]) -> (Vec<Candidate>, Sums) {
        let sums = |rows: u64, wrong: f64| Sums {
            rows,
            weight: weight * rows as f64,
            squares: weight * weight * rows as f64,
            loss: weight * wrong,
            loss_sq: weight * wrong,
        };
        let candidates = errors.iter().enumerate().map(|(i, (rows, wrong))| Candidate {
            column: "c".to_owned(),
            value: Some(i.to_string()),
            sums: sums(*rows, *wrong),
        });
        let all = errors.iter().map(|(rows, wrong)| sums(*rows, *wrong));
        (candidates.collect(), all.fold(Sums::default(), Sums::with))
    }

    fn shares(errors: &[(u64, f64)]) -> (Vec<Candidate>, Sums) {
        weighing(1.0, errors)
    }

    #[test]
    fn a_planted_weakness_is_told_and_chance_is_not() {
        let (candidates, sums) = shares(&[(1000, 100.0), (1000, 110.0), (1000, 90.0), (200, 60.0)]);
        let found = told(candidates, sums, 5);
        assert_eq!(found.iter().map(|segment| segment.value.clone().unwrap()).collect::<Vec<_>>(), ["3"]);
        assert!((found[0].loss - 0.3).abs() < 1e-12 && (found[0].loss_elsewhere - 0.1).abs() < 1e-12);
        // A model that is right everywhere but in one segment, where it is always wrong, scatters nowhere.
        let (candidates, sums) = shares(&[(1000, 0.0), (60, 60.0), (1000, 0.0)]);
        let found = told(candidates, sums, 5);
        assert_eq!((found.len(), found[0].n, found[0].loss), (1, 60, 1.0));
        assert!(found[0].p_value > 0.0 && found[0].p_value < 1e-80 && found[0].difference_ci.is_none());
        let (candidates, sums) = shares(&[(100_000, 10.0), (100_000, 99_000.0)]);
        assert!(told(candidates, sums, 5)[0].p_value > 0.0);
        let (candidates, sums) = shares(&[(1000, 100.0), (1000, 110.0), (1000, 90.0)]);
        assert!(told(candidates, sums, 5).is_empty());
    }

    // A column that has a rare value made a weakest segment of all other rows in nine runs of ten: its few rows happened to be right.
    #[test]
    fn few_rows_that_lose_alike_make_no_weakness() {
        for errors in [
            [(995, 100.0), (5, 0.0)],
            [(960, 19.0), (40, 0.0)],
            [(30, 30.0), (1000, 930.0)],
            [(990, 500.0), (10, 2.0)],
        ] {
            let (candidates, sums) = shares(&errors);
            let found = told(candidates, sums, 5);
            assert!(found.is_empty(), "{errors:?}: {found:?}");
        }
        let (candidates, sums) = shares(&[(100, 60.0), (1000, 100.0)]);
        let found = told(candidates, sums, 5);
        // SciPy 1.17: ttest_ind([1] * 60 + [0] * 40, [1] * 100 + [0] * 900, equal_var=False), whose p is the larger one.
        assert_eq!((found.len(), found[0].n), (1, 100));
        assert!((found[0].p_value / 6.204_908_513_161_186e-17 - 1.0).abs() < 1e-6, "{found:?}");
    }

    /// In 19 of 20 runs over a model that is equally good everywhere none is told, also where columns have rare values.
    #[test]
    fn a_model_that_is_equally_good_everywhere_is_seldom_weak_anywhere() {
        let row = |loss: &f64| Sums { rows: 1, weight: 1.0, squares: 1.0, loss: *loss, loss_sq: *loss };
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for error_rate in [0.02, 0.1, 0.5, 0.93] {
            let mut alarms = 0;
            for _ in 0..100 {
                let losses: Vec<f64> =
                    (0..1_000).map(|_| f64::from(u8::from(rng.random_bool(error_rate)))).collect();
                let mut candidates = Vec::new();
                for rare in [0.003, 0.01, 0.03, 0.1, 0.5] {
                    let mut sides = [Sums::default(); 2];
                    for loss in &losses {
                        let side = &mut sides[usize::from(rng.random_bool(rare))];
                        *side = side.with(row(loss));
                    }
                    let large = sides.into_iter().filter(|sums| sums.rows >= ROWS_MIN);
                    candidates.extend(large.map(|sums| Candidate {
                        column: "c".to_owned(),
                        value: None,
                        sums,
                    }));
                }
                let all = losses.iter().map(row).fold(Sums::default(), Sums::with);
                alarms += usize::from(!told(candidates, all, 1).is_empty());
            }
            // Three standard errors above five.
            assert!(alarms <= 11, "{error_rate}: {alarms} of 100");
        }
    }

    // The highest fifth of numbers of which some are infinite was told as the rows that have none.
    #[test]
    fn a_range_up_to_infinity_is_not_missing() {
        let row = |low: Option<f64>, high: Option<f64>| LossRow {
            value: None,
            low: low.map(Real),
            high: high.map(Real),
            rows: 40,
            sum: Real(1.0),
            weight: Real(40.0),
            squares: Real(40.0),
            weighted: Real(1.0),
            weighted_sq: Real(1.0),
            all_weight: Real(40.0),
            all_weighted: Real(1.0),
        };
        let value = |low, high| candidate("c", row(low, high)).value;
        assert_eq!(value(Some(1.5), Some(f64::INFINITY)).as_deref(), Some("1.5 to inf"));
        assert_eq!(value(Some(-3.0), Some(2.0)).as_deref(), Some("-3 to 2"));
        // Of 16 digits a table cut the second end off.
        let ends = (Some(0.857_172_331_492_308_8), Some(3.174_604_027_113_5));
        assert_eq!(value(ends.0, ends.1).as_deref(), Some("0.857172 to 3.1746"));
        assert_eq!(value(Some(10_000_001.0), Some(10_000_002.0)).as_deref(), Some("10000001 to 10000002"));
        assert_eq!(
            value(Some(0.123_456_71), Some(0.123_456_72)).as_deref(),
            Some("0.12345671 to 0.12345672")
        );
        assert_eq!(value(None, None), None);
    }

    // Weights are relative: that all rows weigh a quarter makes none of them less sure. (A power of two, so that the digits are the same.)
    #[test]
    fn what_all_rows_weigh_is_no_matter() {
        let errors = [(1000, 100.0), (200, 60.0)];
        let [once, quarter] = [1.0, 0.25].map(|weight| {
            let (candidates, sums) = weighing(weight, &errors);
            told(candidates, sums, 5)
        });
        assert_eq!((once.len(), &once), (1, &quarter));
    }
}
