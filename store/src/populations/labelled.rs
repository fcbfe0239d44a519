//! Predictions that are joined with their outcomes: of one window, or of two put together.

use serde::Deserialize;

use super::predictions::{PredictionFilter, deployed, within};
use super::{Origin, Population, PopulationColumn, Sql, Storage};
use crate::{Statement, local::quote};

/// The column by which predictions are joined with outcomes. Ids are compared by 128 bits of a hash: a table of numbers of one size is a
/// quarter cheaper than one of texts, and smaller.
pub(crate) const OUTCOME_KEY: &str = "sipHash128(event_id) AS wv_id";
/// The label of the outcome that a prediction was joined with.
const TRUE_LABEL: &str = "true_label";
/// Its value.
pub(super) const TRUE_VALUE: &str = "true_value";

/// What was true of a prediction, as text.
pub(super) fn true_text() -> String {
    format!("ifNull(toString({TRUE_LABEL}), toString({TRUE_VALUE}))")
}

/// Whether an expression of a row reads what was true of it, or names something that is called so.
pub(crate) fn reads_outcomes(sql: &str) -> bool {
    [TRUE_LABEL, TRUE_VALUE].iter().any(|column| sql.contains(column))
}

/// Which predictions are joined with outcomes, and how many there are.
#[derive(Debug, Clone)]
pub(super) struct Labelled {
    /// They pass this; `None` of two populations that were put together.
    pub(super) filter: Option<PredictionFilter>,
    pub(super) model: String,
    /// What is read of each of them.
    pub(super) columns: String,
    /// Under which condition a prediction is one of them.
    pub(super) condition: String,
    pub(super) held: Numbers,
}

/// How many there are to join.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub(super) struct Numbers {
    /// Predictions that pass the filter.
    pub(super) rows: u64,
    /// Outcomes of the model, whenever they came.
    pub(super) rows_outcomes: u64,
}

impl Numbers {
    /// Whether most outcomes are of other predictions. A join holds all outcomes that it is handed; to leave out those of other
    /// predictions is dearer where few are, and more than pays for itself from about twice as many on.
    fn is_small_part(self) -> bool {
        self.rows_outcomes > 2 * self.rows
    }
}

/// What is read of an outcome.
#[derive(Debug, Clone, Copy)]
pub(crate) enum OutcomeRead<'a> {
    /// Its label and its value, which the target reads; nothing where there is no outcome.
    Whole,
    /// This expression, as a column of this name, with the default of its type where there is no outcome.
    Reduced(&'a str, &'a str),
}

impl Labelled {
    /// Each prediction with its outcome, as a table of a statement.
    pub(super) fn rows(&self) -> String {
        let predictions = format!("SELECT *, {OUTCOME_KEY} FROM {}", self.predictions());
        format!("({})", self.joined(&predictions, OutcomeRead::Whole))
    }

    /// The predictions, as a table of a statement.
    fn predictions(&self) -> String {
        format!("(SELECT {} FROM predictions FINAL WHERE {})", self.columns, self.condition)
    }

    /// The rows of a statement, [`OUTCOME_KEY`] among their columns, with what is read of their outcomes.
    fn joined(&self, predictions: &str, read: OutcomeRead<'_>) -> String {
        // On a cluster the ids are gathered first.
        let of_these = match self.held.is_small_part() {
            true => {
                format!(" AND event_id GLOBAL IN (SELECT event_id FROM predictions WHERE {})", self.condition)
            }
            false => String::new(),
        };
        let (outcome, taken, nulls) = match read {
            OutcomeRead::Whole => {
                ("label, value".to_owned(), format!("o.label AS {TRUE_LABEL}, o.value AS {TRUE_VALUE}"), 1)
            }
            OutcomeRead::Reduced(sql, name) => (format!("{sql} AS {name}"), format!("o.{name} AS {name}"), 0),
        };
        format!(
            "SELECT p.*, {taken} FROM ({predictions}) AS p LEFT ANY JOIN \
             (SELECT {OUTCOME_KEY}, {outcome} FROM outcomes FINAL WHERE model = {}{of_these}) AS o USING wv_id \
             SETTINGS join_use_nulls = {nulls}",
            quote(&self.model)
        )
    }
}

impl Population {
    /// Predictions that are reduced before they are joined with outcomes, as a statement: `predictions` makes rows of a table of predictions,
    /// [`OUTCOME_KEY`] among their columns. `None` where rows are not joined with outcomes.
    ///
    /// A join copies each column of its rows once more, and of maps that is dear: to cut segments by a map after a join of ten million rows
    /// takes four times as long as all the rest.
    pub(crate) fn joined_after(
        &self,
        predictions: impl FnOnce(&str) -> String,
        read: OutcomeRead<'_>,
    ) -> Option<String> {
        let labelled = self.outcomes_of.as_ref()?;
        Some(labelled.joined(&predictions(&labelled.predictions()), read))
    }
}

/// The column of [`together`] that says of which population a row is: 1 of the first, 2 of the second, 3 of both.
pub const SIDES: &str = "wv_sides";

/// Two populations as one, so that outcomes are joined once: each prediction of either, with the columns of the second and [`SIDES`].
///
/// `None` where they are not labelled predictions of one deployment as of one time, or read one of these columns differently.
#[must_use]
pub fn together(first: &Population, second: &Population, names: &[String]) -> Option<Population> {
    let (of_first, of_second) = (first.outcomes_of.as_ref()?, second.outcomes_of.as_ref()?);
    let (a, b) = (of_first.filter.as_ref()?, of_second.filter.as_ref()?);
    let same = |name: &String| {
        first.role(name) == second.role(name)
            && first.column(name) == second.column(name)
            && first.segment_expression(name) == second.segment_expression(name)
    };
    let empty = first.without_columns || second.without_columns;
    // A feature may be called so, and would be taken for it.
    if empty || second.column(SIDES).is_some() || deployed(a) != deployed(b) || !names.iter().all(same) {
        return None;
    }
    let [in_first, in_second] = [a, b].map(within);
    // Rows of both are counted twice: this is about which of the two ways to join is cheaper.
    let rows = of_first.held.rows.saturating_add(of_second.held.rows);
    let rows_outcomes = of_first.held.rows_outcomes.max(of_second.held.rows_outcomes);
    let labelled = Labelled {
        filter: None,
        model: a.model.clone(),
        columns: format!("*, toUInt8(({in_first}) + 2 * ({in_second})) AS {SIDES}"),
        condition: format!("{} AND (({in_first}) OR ({in_second}))", deployed(a)),
        held: Numbers { rows, rows_outcomes },
    };
    let mut population = second.clone();
    population.from = Origin::Table(labelled.rows());
    population.plain = None;
    population.outcomes_of = Some(labelled);
    let storage = Storage::Number(Sql(SIDES.to_owned()));
    population.columns.push(PopulationColumn { name: SIDES.to_owned(), storage });
    Some(population)
}

/// What was true of some prediction, as the column [`OUTCOME`](super::OUTCOME) writes it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct OutcomeText {
    /// The text.
    pub text: String,
}

/// Asks what was true of any prediction of the model, whenever that was and also where it has been corrected since; at most `most` texts,
/// in no order. `None` where rows are not joined with outcomes.
#[must_use]
pub fn outcome_texts(population: &Population, most: usize) -> Option<Statement> {
    let model = quote(&population.outcomes_of.as_ref()?.model);
    // Labels are looked up in their dictionary; to write all of them as text would be dearer than to find which there are.
    Some(Statement::new(format!(
        "SELECT DISTINCT text FROM (SELECT assumeNotNull(toString(label)) AS text FROM \
         (SELECT DISTINCT label FROM outcomes WHERE model = {model} AND isNotNull(label) LIMIT {most}) \
         UNION ALL SELECT DISTINCT assumeNotNull(toString(value)) AS text FROM outcomes \
         WHERE model = {model} AND isNull(label) AND isNotNull(value) LIMIT {most}) LIMIT {most}"
    )))
}
