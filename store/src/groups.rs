//! What fairness and attribution ask: decisions, outcomes and scores counted by group; absolute attributions averaged by feature.

use serde::Deserialize;

use crate::populations::{Population, PopulationColumn, Sql, Storage};
use crate::{Real, Statement, local::quote};

/// Which columns say what.
#[derive(Debug, Clone, Copy)]
pub struct GroupsAsk<'a> {
    /// The rows.
    pub population: &'a Population,
    /// The columns that cut groups.
    pub by: &'a [String],
    /// The column of outcomes.
    pub target: Option<&'a PopulationColumn>,
    /// The outcome that counts as positive; where absent, true and 1.
    pub positive: Option<&'a str>,
    /// The column of decisions.
    pub decision: Option<&'a PopulationColumn>,
    /// The column of scores.
    pub score: Option<&'a PopulationColumn>,
    /// The score from which a row is selected, where there is no column of decisions.
    pub threshold: f64,
}

/// Different values of a group that are told beside the positive one.
pub const OTHERS_MAX: usize = 3;

/// Counts of a group.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct GroupRow {
    /// A JSON array of the values of the columns, null for missing.
    pub key: String,
    /// All rows of it.
    pub rows: u64,
    /// Rows with a decision.
    pub n: u64,
    /// Those that were selected.
    pub selected: u64,
    /// Rows with a decision and an outcome.
    pub labelled: u64,
    /// Those with a positive outcome.
    pub positives: u64,
    /// Those that were selected.
    pub selected_labelled: u64,
    /// Those that were selected and had a positive outcome.
    pub hits: u64,
    /// All positive outcomes.
    pub outcomes_positive: u64,
    /// Some of the outcomes that do not count as positive, at most [`OTHERS_MAX`].
    pub outcomes_other: Vec<String>,
    /// All decisions that select.
    pub decisions_positive: u64,
    /// Some of the decisions that do not, at most [`OTHERS_MAX`]; none where scores decide.
    pub decisions_other: Vec<String>,
    /// A score that is a word and no number, or empty.
    pub score_word: String,
    /// Rows with a score from 0 to 1 and an outcome.
    pub scored: u64,
    /// Those with a positive outcome.
    pub scored_positives: u64,
    /// The sum of their scores.
    pub score_sum: Real,
    /// The sum of s(1-s).
    pub score_variance: Real,
    /// The sum of the scores of those with a positive outcome.
    pub score_positives: Real,
    /// Rows with an outcome and a score below 0 or above 1.
    pub outside: u64,
    /// Rows of all groups, of those beyond the limit too.
    pub all_rows: u64,
    /// All groups.
    pub all_groups: u64,
}

/// Counts by group, the largest first, at most `limit`; `None` where rows cannot be cut that way.
#[must_use]
pub fn groups(ask: GroupsAsk<'_>, limit: usize) -> Option<Statement> {
    let population = ask.population;
    let parts: Option<Vec<String>> =
        ask.by.iter().map(|name| population.segment_expression(name).map(|Sql(sql)| sql)).collect();
    let none = || "CAST(NULL, 'Nullable(UInt8)')".to_owned();
    let truth = ask.target.map_or_else(none, |column| yes(column, ask.positive));
    let score =
        ask.score.map_or("CAST(NULL, 'Nullable(Float64)')".to_owned(), |column| column.storage.as_number().0);
    let word = |column: Option<&PopulationColumn>| {
        column.map_or("CAST(NULL, 'Nullable(String)')".to_owned(), |column| column.storage.as_text().0)
    };
    let (outcome_word, decision_word) = (word(ask.target), word(ask.decision));
    let is_text =
        |column: &&PopulationColumn| matches!(column.storage, Storage::Text(_) | Storage::Undecided(_));
    let score_word = word(ask.score.filter(is_text));
    let other = |word: &str, positive: &str| {
        format!(
            "arraySort(groupUniqArrayIf({OTHERS_MAX})(assumeNotNull({word}), isNotNull({word}) AND ifNull({positive} = 0, 0)))"
        )
    };
    let (outcomes_other, decisions_other) = (other("yw", "y"), other("dw", "d"));
    let decision = match ask.decision {
        Some(column) => yes(column, ask.positive),
        None => format!("if(isNull({score}), NULL, toUInt8({score} >= {:?}))", ask.threshold),
    };
    let mut columns: Vec<String> = ask.by.to_vec();
    columns.extend(
        [ask.target, ask.decision, ask.score].into_iter().flatten().map(|column| column.name.clone()),
    );
    let statement = Statement::new(format!(
        "SELECT key, count() AS rows, count(d) AS n, countIf(ifNull(d = 1, 0)) AS selected, \
         countIf(isNotNull(d) AND isNotNull(y)) AS labelled, countIf(isNotNull(d) AND ifNull(y = 1, 0)) AS positives, \
         countIf(ifNull(d = 1, 0) AND isNotNull(y)) AS selected_labelled, countIf(ifNull(d = 1 AND y = 1, 0)) AS hits, \
         countIf(ifNull(y = 1, 0)) AS outcomes_positive, {outcomes_other} AS outcomes_other, \
         countIf(ifNull(d = 1, 0)) AS decisions_positive, {decisions_other} AS decisions_other, \
         ifNull(anyIf(sw, isNotNull(sw) AND isNull(s)), '') AS score_word, \
         countIf(probable AND isNotNull(y)) AS scored, countIf(probable AND ifNull(y = 1, 0)) AS scored_positives, \
         countIf(isNotNull(s) AND NOT probable AND isNotNull(y)) AS outside, \
         sumIf(assumeNotNull(s), probable AND isNotNull(y)) AS score_sum, \
         sumIf(assumeNotNull(s) * (1 - assumeNotNull(s)), probable AND isNotNull(y)) AS score_variance, \
         sumIf(assumeNotNull(s), probable AND ifNull(y = 1, 0)) AS score_positives, \
         sum(count()) OVER () AS all_rows, count() OVER () AS all_groups \
         FROM (SELECT toJSONString([{}]) AS key, {truth} AS y, {decision} AS d, {score} AS s, \
         {outcome_word} AS yw, {decision_word} AS dw, {score_word} AS sw, \
         ifNull(s >= 0 AND s <= 1, 0) AS probable FROM {}) GROUP BY key ORDER BY rows DESC, key LIMIT {limit}",
        parts?.join(", "),
        population.reading(&columns),
    ));
    // Outcomes stay the side of a join that is held: a prediction is much more than they are.
    Some(statement.setting("query_plan_join_swap_table", false))
}

/// Whether a value is the positive one: nullable UInt8.
fn yes(column: &PopulationColumn, positive: Option<&str>) -> String {
    let text = column.storage.as_text().0;
    match (positive, &column.storage) {
        (Some(word), Storage::Number(_)) => match word.parse::<f64>() {
            Ok(number) => {
                format!("if(isNull({text}), NULL, toUInt8({} = {number:?}))", column.storage.as_number().0)
            }
            Err(_) => format!("if(isNull({text}), NULL, toUInt8(0))"),
        },
        // Of a CSV file 1.0 is 1, as of other files.
        (Some(word), Storage::Undecided(_)) if word.parse::<f64>().is_ok_and(f64::is_finite) => {
            let (Sql(number), word) = (column.storage.as_number(), quote(word));
            format!(
                "if(isNull({text}), NULL, toUInt8({text} = {word} OR ifNull({number} = toFloat64({word}), 0)))"
            )
        }
        (Some(word), _) => format!("if(isNull({text}), NULL, toUInt8({text} = {}))", quote(word)),
        (None, _) => {
            format!("if(isNull({text}), NULL, toUInt8(lower({text}) IN ('1', '1.0', 'true', 'yes')))")
        }
    }
}

/// The absolute attributions of features.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct AttributionRow {
    /// All rows.
    pub rows: u64,
    /// Attributions of each column.
    pub counts: Vec<u64>,
    /// The mean of their absolute values; NaN without any.
    pub means: Vec<Real>,
    /// The variance of their absolute values.
    pub variances: Vec<Real>,
}

/// Asks for the absolute attributions in these columns, in this unit.
#[must_use]
pub fn attributions(population: &Population, columns: &[&PopulationColumn], unit: f64) -> Statement {
    let per = if unit == 1.0 { String::new() } else { format!(" / {unit:?}") };
    let each = |aggregate: &str| -> String {
        let all = columns.iter().map(|column| {
            let Sql(x) = column.storage.as_number();
            format!("{aggregate}(abs(assumeNotNull({x})){per}, isFinite(ifNull({x}, nan)))")
        });
        all.collect::<Vec<_>>().join(", ")
    };
    let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
    let counts: Vec<String> = columns
        .iter()
        .map(|column| format!("countIf(isFinite(ifNull({}, nan)))", column.storage.as_number().0))
        .collect();
    Statement::new(format!(
        "SELECT count() AS rows, [{}] AS counts, [{}] AS means, [{}] AS variances FROM {}",
        counts.join(", "),
        each("avgIf"),
        each("varSampStableIf"),
        population.reading(&names),
    ))
    .setting("output_format_json_quote_denormals", 1)
    // It would take the unit out of the sums again.
    .setting("optimize_arithmetic_operations_in_aggregate_functions", 0)
}
