//! Fairness: decisions, outcomes and scores by group in, the document `windvane.fairness/1` out.

use std::collections::BTreeSet;

use windvane_stats::binomial::Share;
use windvane_stats::correction::Correction;
use windvane_stats::fairness::{self, Scores};
use windvane_store::groups::{self, GroupRow, GroupsAsk};
use windvane_store::populations::{PROBABILITY, Population, PopulationColumn};
use windvane_store::{ReadError, Reader};
use windvane_types::fairness::{Document, Gap, Group, SCHEMA, Verdict};

use crate::known_names::{hint, listed};
use crate::not_numbers;

/// Values that are plainly not the positive one, where none is named.
const NEGATIVE: [&str; 10] = ["0", "0.0", "-0", "-1", "-1.0", "false", "no", "n", "negative", "neg"];

/// The score of a stored prediction.
const SCORE: &str = "prediction.score";

/// Values, and groups, that an error names.
const VALUES_TOLD: usize = 5;

/// Groups that are looked at; smaller ones beyond them are counted and left out.
pub const GROUPS_MAX: usize = 100;

/// What is asked.
#[derive(Debug, Clone)]
pub struct FairnessRequest {
    /// The rows.
    pub population: Population,
    /// The columns that cut groups.
    pub group_by: Vec<String>,
    /// The column of outcomes.
    pub target: Option<String>,
    /// The column of decisions.
    pub label: Option<String>,
    /// The column of scores.
    pub score: Option<String>,
    /// The outcome and decision that count as positive.
    pub positive: Option<String>,
    /// The score from which a row is selected.
    pub threshold: f64,
    /// The values of the group that others are compared with; the largest one where `None`.
    pub reference_group: Option<Vec<String>>,
    /// Rows that a share needs on both sides.
    pub min_rows: u64,
    /// The gap up to which no difference is called one.
    pub max_gap: f64,
    /// The bound on the chance of a false alarm.
    pub alpha: f64,
    /// How p-values are corrected.
    pub correction: Correction,
}

/// What stored predictions have of a score: their own, or else the probability of the positive class.
#[must_use]
pub fn stored_score(population: &Population, positive: Option<&str>) -> Option<String> {
    let of_positive = positive.map(|class| format!("{PROBABILITY}{class}"));
    [Some(SCORE.to_owned()), of_positive].into_iter().flatten().find(|name| population.role(name).is_some())
}

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum FairnessError {
    /// A column is not there, or cannot cut groups.
    #[error("there is no column `{column}` that could be {role}{}", hint(column, known))]
    UnknownColumn {
        /// The name.
        column: String,
        /// What it was to be.
        role: &'static str,
        /// The names there are.
        known: Vec<String>,
    },
    /// No value is the positive one.
    #[error(
        "column `{column}` has no {}: it has `{}`. Name the positive one as --positive, or as `positive` of a monitor",
        positive.as_ref().map_or("value that is plainly positive (1, true, yes)".to_owned(), |word| format!("`{word}`")),
        values.join("`, `")
    )]
    NoPositive {
        /// The column.
        column: String,
        /// What was named.
        positive: Option<String>,
        /// Some of its values.
        values: Vec<String>,
    },
    /// Scores that are words.
    #[error("column `{column}` holds {holds}; scores are numbers")]
    NotNumbers {
        /// The column.
        column: String,
        /// What it holds.
        holds: String,
    },
    /// The reference group has no rows.
    #[error("no row is of the group `{}`; the largest groups are {}", values.join(","), listed(largest))]
    NoGroup {
        /// Its values.
        values: Vec<String>,
        /// Some of the groups that there are, as they would be named.
        largest: Vec<String>,
    },
    /// The statement failed.
    #[error("cannot read the groups")]
    Read(#[from] ReadError),
}

/// Compares groups.
///
/// # Errors
/// A column is not there, the reference group has no rows, no value is plainly the positive one, or the statement fails.
pub async fn run(reader: &Reader, request: &FairnessRequest) -> Result<Document, FairnessError> {
    let population = &request.population;
    let mut rows: Vec<GroupRow> = match population.without_columns {
        true => Vec::new(),
        false => reader.rows(&statement(request)?).await?,
    };
    plain(request, &rows)?;
    let worded = rows.iter().find(|row| !row.score_word.is_empty());
    if let (Some(column), Some(GroupRow { score_word, .. })) = (&request.score, worded) {
        return Err(FairnessError::NotNumbers {
            column: column.clone(),
            holds: not_numbers::text(score_word),
        });
    }
    let (all, groups) = rows.first().map_or((0, 0), |row| (row.all_rows, row.all_groups));
    let left_out = groups.saturating_sub(GROUPS_MAX as u64);
    rows.truncate(GROUPS_MAX);
    let reference = match &request.reference_group {
        None => rows.first(),
        Some(values) => {
            let exact = rows.iter().find(|row| named(row) == *values);
            // A command line has commas between values, and a value may have some of its own.
            let joined = || rows.iter().find(|row| named(row).join(",") == values.join(","));
            let found = exact.or_else(joined);
            let largest = || rows.iter().take(VALUES_TOLD).map(|row| named(row).join(",")).collect();
            Some(found.ok_or_else(|| FairnessError::NoGroup { values: values.clone(), largest: largest() })?)
        }
    };
    let mut groups: Vec<Group> = match reference {
        None => Vec::new(),
        Some(reference) => rows.iter().map(|row| group(request, reference, row)).collect(),
    };
    judge(&mut groups, request);
    Ok(Document {
        schema: SCHEMA.to_owned(),
        source: population.source.clone(),
        rows: all,
        reference_group: reference.map(|row| values(request, row)),
        verdict: verdict(&groups),
        alpha: request.alpha,
        correction: request.correction.as_str().to_owned(),
        min_rows: request.min_rows,
        max_gap: request.max_gap,
        groups,
        groups_left_out: left_out,
    })
}

/// Whether it is plain which outcomes and decisions are the positive ones: words that are not would all count as negative.
fn plain(request: &FairnessRequest, rows: &[GroupRow]) -> Result<(), FairnessError> {
    /// How many of a group's values are positive, and some of those that are not.
    type Values = fn(&GroupRow) -> (u64, &[String]);
    let asked: [(&Option<String>, Values); 2] = [
        (&request.target, |row| (row.outcomes_positive, row.outcomes_other.as_slice())),
        (&request.label, |row| (row.decisions_positive, row.decisions_other.as_slice())),
    ];
    for (column, of) in asked {
        let Some(column) = column else { continue };
        let positives: u64 = rows.iter().map(|row| of(row).0).sum();
        let others: BTreeSet<&String> = rows.iter().flat_map(|row| of(row).1).collect();
        let is_unclear = match &request.positive {
            None => others.iter().any(|word| !NEGATIVE.contains(&word.to_lowercase().as_str())),
            // A window of the store may have no positive one.
            Some(_) => positives == 0 && others.len() > 1 && !request.population.is_events(),
        };
        if is_unclear {
            let values = others.into_iter().take(VALUES_TOLD).cloned().collect();
            let (column, positive) = (column.clone(), request.positive.clone());
            return Err(FairnessError::NoPositive { column, positive, values });
        }
    }
    Ok(())
}

fn statement(request: &FairnessRequest) -> Result<windvane_store::Statement, FairnessError> {
    let population = &request.population;
    let unknown =
        |column: &str, role, known| FairnessError::UnknownColumn { column: column.to_owned(), role, known };
    let known = || {
        population
            .columns
            .iter()
            .filter(|column| has_values(column))
            .map(|column| column.name.clone())
            .collect()
    };
    let column = |name: &Option<String>, role| match name {
        None => Ok(None),
        Some(name) => population
            .role(name)
            .filter(|column| has_values(column))
            .map(Some)
            .ok_or_else(|| unknown(name, role, known())),
    };
    let ask = GroupsAsk {
        population,
        by: &request.group_by,
        target: column(&request.target, "the outcome")?,
        positive: request.positive.as_deref(),
        decision: column(&request.label, "the decision")?,
        score: column(&request.score, "the score")?,
        threshold: request.threshold,
    };
    let no_group = || {
        let wrong = request.group_by.iter().find(|name| population.segment_expression(name).is_none());
        unknown(wrong.unwrap_or(&request.group_by[0]), "a group", population.segment_names())
    };
    groups::groups(ask, GROUPS_MAX * 100).ok_or_else(no_group)
}

/// Whether a column holds one value a row: of lists no decision, outcome or score could be read.
fn has_values(column: &PopulationColumn) -> bool {
    not_numbers::by_type(&column.storage).is_none()
}

/// The values of a group, nothing for a missing one.
fn values_of(row: &GroupRow) -> Vec<Option<String>> {
    serde_json::from_str(&row.key).unwrap_or_default()
}

/// The same as they are given, where a missing one is empty.
fn named(row: &GroupRow) -> Vec<String> {
    values_of(row).into_iter().map(Option::unwrap_or_default).collect()
}

fn values(request: &FairnessRequest, row: &GroupRow) -> std::collections::BTreeMap<String, Option<String>> {
    request.group_by.iter().cloned().zip(values_of(row)).collect()
}

/// A metric of two groups: its successes and trials.
type Metric = (&'static str, fn(&GroupRow) -> (u64, u64));

const METRICS: [Metric; 3] = [
    ("demographic_parity", |row| (row.selected, row.n)),
    ("equal_opportunity", |row| (row.hits, row.positives)),
    ("predictive_parity", |row| (row.hits, row.selected_labelled)),
];

fn group(request: &FairnessRequest, reference: &GroupRow, row: &GroupRow) -> Group {
    let mut gaps = Vec::new();
    let confidence = 1.0 - request.alpha;
    for (metric, counts) in METRICS {
        // Without outcomes only who is selected can be compared.
        let is_asked = metric == "demographic_parity" || request.target.is_some();
        if row.key == reference.key || !is_asked || (request.label.is_none() && request.score.is_none()) {
            continue;
        }
        let ((k, n), (l, m)) = (counts(reference), counts(row));
        let shares = Share::new(k, n).zip(Share::new(l, m));
        let found = shares.and_then(|(reference, group)| fairness::difference(reference, group, confidence));
        gaps.push(gap(
            (metric, found),
            Share::new(l, m).map(Share::estimate),
            (Share::new(k, n).map(Share::estimate), m, n),
        ));
    }
    if request.score.is_some() && request.target.is_some() {
        let scores = Scores {
            n: row.scored,
            sum: row.score_sum.0,
            variance: row.score_variance.0,
            positives: row.scored_positives,
            sum_of_positives: row.score_positives.0,
        };
        // Scores of which some are no probabilities say of none what should come true.
        let found = fairness::calibration(&scores, confidence).filter(|_| row.outside == 0);
        let mean = |sum: f64| (row.scored > 0 && row.outside == 0).then(|| sum / row.scored as f64);
        let means = (mean(row.scored_positives as f64), mean(row.score_sum.0));
        gaps.push(gap(("calibration", found), means.0, (means.1, row.scored, row.scored)));
    }
    Group { group: values(request, row), n: row.n, labelled: row.labelled, gaps }
}

fn gap(
    (metric, found): (&str, Option<fairness::Gap>),
    value: Option<f64>,
    (reference, n, n_reference): (Option<f64>, u64, u64),
) -> Gap {
    Gap {
        metric: metric.to_owned(),
        value,
        reference,
        gap: found.map(|found| found.gap),
        ci: found.map(|found| [found.interval.lo, found.interval.hi]),
        p_value: found.map(|found| found.p_value),
        p_adjusted: None,
        n,
        n_reference,
        verdict: Verdict::InsufficientData,
    }
}

/// The verdict of all groups. Calibration is of a group alone, so that where nothing else was judged no groups were compared: a
/// window with one group, as where nothing has the tag, does not pass.
fn verdict(groups: &[Group]) -> Verdict {
    let gaps = || groups.iter().flat_map(|group| &group.gaps);
    let fails = gaps().any(|gap| gap.verdict == Verdict::Fail);
    let passes = gaps().any(|gap| gap.verdict == Verdict::Pass && gap.metric != "calibration");
    match (fails, passes) {
        (true, _) => Verdict::Fail,
        (false, true) => Verdict::Pass,
        (false, false) => Verdict::InsufficientData,
    }
}

/// Corrects the p-values of all gaps with enough rows together.
fn judge(groups: &mut [Group], request: &FairnessRequest) {
    let enough = |gap: &Gap| gap.n >= request.min_rows && gap.n_reference >= request.min_rows;
    let gaps = || groups.iter().flat_map(|group| &group.gaps);
    let family: Vec<f64> = gaps().filter(|gap| enough(gap)).filter_map(|gap| gap.p_value).collect();
    let mut adjusted = request.correction.adjust(&family).into_iter();
    for gap in groups.iter_mut().flat_map(|group| &mut group.gaps) {
        if !enough(gap) || gap.p_value.is_none() {
            continue;
        }
        gap.p_adjusted = adjusted.next();
        let is_sure = gap.p_adjusted.is_some_and(|p| p < request.alpha);
        let is_large = gap.gap.is_some_and(|gap| gap.abs() > request.max_gap);
        gap.verdict = if is_sure && is_large { Verdict::Fail } else { Verdict::Pass };
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Gap, Group, Verdict, gap, verdict};

    #[test]
    fn a_group_alone_does_not_pass() {
        let group = |judged: &[(&str, Verdict)]| Group {
            group: BTreeMap::new(),
            n: 500,
            labelled: 500,
            gaps: judged
                .iter()
                .map(|(metric, said)| Gap { verdict: *said, ..gap((*metric, None), None, (None, 500, 500)) })
                .collect(),
        };
        let alone = || group(&[("calibration", Verdict::Pass)]);
        let other = |of| group(&[("demographic_parity", of), ("calibration", Verdict::Pass)]);
        for (groups, expected) in [
            (vec![], Verdict::InsufficientData),
            (vec![alone()], Verdict::InsufficientData),
            (vec![alone(), other(Verdict::InsufficientData)], Verdict::InsufficientData),
            (vec![alone(), other(Verdict::Pass)], Verdict::Pass),
            (vec![alone(), other(Verdict::Fail)], Verdict::Fail),
            (vec![group(&[("calibration", Verdict::Fail)])], Verdict::Fail),
        ] {
            assert_eq!(verdict(&groups), expected, "{groups:?}");
        }
    }
}
