//! Expectations out of facts: what a reference shows, with the counts that say how surely.
//!
//! Most bounds know how many rows they were learnt from and widen for chance. Some are facts about the source and hold as they
//! stand, once enough values show them: what a column holds, that numbers are finite, that none is below 0, and that a
//! category outside a closed list is wrong. A key that no two rows shared is one from the first rows on.

use windvane_stats::survival;
use windvane_store::populations::{NumberFacts, RepeatedRow, TextFacts, TimesRow, VALUES_MAX};
use windvane_types::quality::{
    AddedColumns, CategoryCount, ColumnExpectations, Expectations, Holds, Lengths, Range, ShareBound,
    TableExpectations, TimeExpectations,
};

use super::inspect::{ColumnFacts, Facts};

/// Values below which nothing is learnt but what a column holds.
const VALUES_MIN: u64 = 30;
/// Occurrences of each category from which a list counts as complete.
const CLOSED_SEEN_MIN: u64 = 10;
/// Negative numbers that a normal distribution of this mean and spread would have had; that none of so many came by chance has a
/// chance of e⁻⁷, a thousandth.
const NEGATIVES_EXPECTED_MIN: f64 = 7.0;
/// Standard deviations between the mean and 0 beyond which a negative number is absurd.
const FAR_FROM_ZERO: f64 = 6.0;
/// The share of zeros from which 0 is the natural end of a range that begins there.
const ZEROS_SHARE_MIN: f64 = 0.01;

/// What is to be learnt, beside what columns hold.
#[derive(Debug, Clone)]
pub struct LearnOptions {
    /// The columns; all of them where `None`.
    pub columns: Option<Vec<String>>,
    /// Columns that together tell one row from another; none where empty.
    pub key: Vec<String>,
    /// When events were and came in.
    pub times: Option<TimeExpectations>,
    /// Which of the columns of times a person has named: those have to hold times. Others are found by well-known names.
    pub times_named: Vec<String>,
    /// What time it is, microseconds since 1970 UTC.
    pub now_us: i64,
    /// The bound on the chance that unchanged data fail.
    pub alpha: f64,
    /// How far shares may move beyond chance, as a share of themselves.
    pub tolerance: f64,
}

/// Everything that facts say.
pub(super) fn expectations(
    facts: &Facts,
    (repeated, times): (Option<&RepeatedRow>, Option<&TimesRow>),
    options: &LearnOptions,
) -> Expectations {
    let share = |seen, of| match seen {
        0 => ShareBound::Limits { min: 0.0, max: 0.0 },
        seen => ShareBound::Seen { seen, of },
    };
    let times = options.times.as_ref().zip(times).map(|(asked, row)| TimeExpectations {
        late: asked.arrival.is_some().then_some(ShareBound::Seen { seen: row.late, of: row.with_arrival }),
        out_of_order: Some(ShareBound::Seen { seen: row.disordered, of: row.timed }),
        ..asked.clone()
    });
    Expectations {
        source: facts.source.clone(),
        rows: facts.rows,
        alpha: options.alpha,
        tolerance: options.tolerance,
        table: TableExpectations {
            rows_min: 1,
            // Who names columns leaves the others aside.
            added_columns: match options.columns {
                Some(_) => AddedColumns::Allow,
                None => AddedColumns::Fail,
            },
            key: options.key.clone(),
            duplicates: repeated.map(|row| share(row.repeats, row.rows)),
            times,
        },
        columns: facts
            .columns
            .iter()
            .map(|column| (column.name.clone(), of_column(column, facts.rows)))
            .collect(),
    }
}

fn of_column(column: &ColumnFacts, rows: u64) -> ColumnExpectations {
    let values = column.values();
    let mut expected = ColumnExpectations {
        holds: column.holds(),
        missing: values
            .filter(|_| rows > 0)
            .map(|values| ShareBound::Seen { seen: rows.saturating_sub(values), of: rows }),
        ..ColumnExpectations::default()
    };
    if values.unwrap_or(0) < VALUES_MIN {
        // A few whole numbers may be so by chance.
        expected.holds =
            expected.holds.map(|holds| if holds == Holds::Integer { Holds::Number } else { holds });
        return expected;
    }
    match expected.holds {
        Some(Holds::Integer | Holds::Number) => {
            if let Some(numbers) = &column.facts.numbers {
                learn_numbers(&mut expected, numbers);
            }
        }
        Some(Holds::Text) => {
            if let Some(texts) = &column.facts.texts {
                learn_texts(&mut expected, texts);
            }
        }
        Some(Holds::Boolean) => {
            if let Some(texts) = column.facts.texts.as_ref().filter(|texts| texts.distinct > 1) {
                expected.most_frequent = most_frequent(texts);
            }
        }
        Some(Holds::Time | Holds::Vector | Holds::Other) | None => {}
    }
    expected
}

fn learn_numbers(expected: &mut ColumnExpectations, numbers: &NumberFacts) {
    let finite = numbers.values - numbers.infinite;
    if finite > 0 {
        expected.range =
            Some(Range { min: numbers.low.0, max: numbers.high.0, of: Some(finite), share: None });
    }
    expected.infinite = Some(match numbers.infinite {
        0 => ShareBound::Limits { min: 0.0, max: 0.0 },
        seen => ShareBound::Seen { seen, of: numbers.values },
    });
    expected.non_negative = is_never_negative(numbers);
    if numbers.distinct > 1 {
        expected.most_frequent = Some(ShareBound::Seen { seen: numbers.most, of: numbers.values });
    }
}

/// Whether 0 is an end that the numbers have by nature: they come close to it often without passing it, begin there, or are far away.
fn is_never_negative(numbers: &NumberFacts) -> bool {
    if numbers.negative > 0 || numbers.low.0 < 0.0 {
        return false;
    }
    let zeros = numbers.zeros as f64 / numbers.values.max(1) as f64;
    let deviations = numbers.mean.0 / numbers.deviation.0;
    zeros >= ZEROS_SHARE_MIN
        || deviations.is_finite()
            && (deviations > FAR_FROM_ZERO
                || numbers.values as f64 * survival::normal(deviations) >= NEGATIVES_EXPECTED_MIN)
}

fn learn_texts(expected: &mut ColumnExpectations, texts: &TextFacts) {
    expected.empty = Some(ShareBound::Seen { seen: texts.empty, of: texts.values });
    if texts.distinct > 1 {
        expected.most_frequent = most_frequent(texts);
    }
    // Where most values occur once they name things, and new ones are to be expected.
    if texts.distinct <= texts.values / 2 {
        expected.distinct = Some(ShareBound::Seen { seen: texts.distinct, of: texts.values });
    }
    if texts.top.len() <= VALUES_MAX && texts.distinct <= texts.values / 2 {
        let mut categories: Vec<CategoryCount> = texts
            .top
            .iter()
            .map(|(category, seen)| CategoryCount { category: category.clone(), seen: *seen })
            .collect();
        categories.sort_by(|a, b| b.seen.cmp(&a.seen).then_with(|| a.category.cmp(&b.category)));
        expected.closed = categories.iter().all(|category| category.seen >= CLOSED_SEEN_MIN);
        expected.categories = Some(categories);
    } else {
        expected.length = Some(Lengths { min: texts.shortest, max: texts.longest, of: Some(texts.values) });
    }
}

fn most_frequent(texts: &TextFacts) -> Option<ShareBound> {
    let seen = texts.top.iter().map(|(_, seen)| *seen).max()?;
    Some(ShareBound::Seen { seen, of: texts.values })
}
