//! Predictions that are joined with their outcomes: of one window, or of two put together.

use serde::Deserialize;

use super::predictions::{PredictionFilter, deployed, within};
use super::{Origin, Population, PopulationColumn, Sql, Storage};
use crate::{Statement, local::quote};

/// The column by which whole outcomes are joined. Ids are compared by 128 bits of a hash, as ClickHouse itself groups by texts: a table of
/// numbers of one size is a quarter cheaper than one of texts, and smaller. Among a billion ids the odds that any
/// two have one hash are below 1 to 10^20.
const OUTCOME_KEY: &str = "sipHash128(event_id) AS wv_id";
/// The columns by which classes of outcomes are joined: 64 bits to find one, and 64 bits of another hash, of which all but the last two are
/// compared with those of what was found. A table of 64 bits takes half the memory and half the time of one of 128 bits.
const CLASS_KEY: &str = "cityHash64(event_id) AS wv_id, xxh3(event_id) AS wv_check";
/// The place of a class where the outcome that was found is of another id than the prediction.
const OF_ANOTHER_ID: u8 = 3;
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
    /// The length of their span, microseconds; of two populations the sum of both.
    pub(super) span_us: u64,
}

/// How many there are to join.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub(super) struct Numbers {
    /// Predictions that pass the filter.
    pub(super) rows: u64,
    /// Outcomes of the model, whenever they came.
    pub(super) rows_outcomes: u64,
    /// Threads that a statement may take.
    pub(super) threads: u64,
}

impl Numbers {
    /// Whether most outcomes are of other predictions. A join holds all outcomes that it is handed; to leave out those of other
    /// predictions is dearer where few are, and more than pays for itself from about twice as many on.
    fn is_small_part(self) -> bool {
        self.rows_outcomes > 2 * self.rows
    }

    /// Which table a join looks outcomes up in, as settings. ClickHouse makes one a thread and sorts all rows by which they belong to, which
    /// two threads do not make good: one table takes them a sixth less processor time. Where it grows too large, it goes to disk as others do.
    fn table(self) -> &'static str {
        match self.threads {
            1 | 2 => ", join_algorithm = 'hash'",
            _ => "",
        }
    }
}

/// What is read of an outcome.
#[derive(Debug, Clone, Copy)]
pub(crate) enum OutcomeRead<'a> {
    /// Its label and its value, which the target reads; nothing where there is no outcome.
    Whole,
    /// The place of its class among at most two, an expression of 0 (it says nothing) to 3 (it is none of them), as the column wv_truth; 0 where
    /// there is no outcome. Two ids that share the first hash are told apart by the second, so that no prediction has the outcome of another: it
    /// has a 3, and who meets a 3 asks again for whole outcomes. Of ten million predictions with eight million outcomes that is one question
    /// in some 400,000.
    Class(&'a str),
}

impl OutcomeRead<'_> {
    /// The columns by which predictions are joined.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Whole => OUTCOME_KEY,
            Self::Class(_) => CLASS_KEY,
        }
    }
}

impl Labelled {
    /// Each prediction with its outcome, as a table of a statement.
    pub(super) fn rows(&self) -> String {
        let predictions = format!("SELECT *, {OUTCOME_KEY} FROM {}", self.predictions());
        format!("({})", self.joined(&predictions, OutcomeRead::Whole))
    }

    /// The predictions, as a table of a statement.
    pub(super) fn predictions(&self) -> String {
        format!("(SELECT {} FROM predictions FINAL WHERE {})", self.columns, self.condition)
    }

    /// The rows of a statement, the [key](OutcomeRead::key) among their columns, with what is read of their outcomes.
    fn joined(&self, predictions: &str, read: OutcomeRead<'_>) -> String {
        // On a cluster the ids are gathered first.
        let of_these = match self.held.is_small_part() {
            true => {
                format!(" AND event_id GLOBAL IN (SELECT event_id FROM predictions WHERE {})", self.condition)
            }
            false => String::new(),
        };
        let outcomes = format!("FROM outcomes FINAL WHERE model = {}{of_these}", quote(&self.model));
        let join = |taken: &str, outcome: &str, settings: &str| {
            format!(
                "SELECT p.*, {taken} FROM ({predictions}) AS p LEFT ANY JOIN (SELECT {outcome} {outcomes}) AS o \
                 USING wv_id SETTINGS {settings}"
            )
        };
        match read {
            OutcomeRead::Whole => join(
                &format!("o.label AS {TRUE_LABEL}, o.value AS {TRUE_VALUE}"),
                &format!("{OUTCOME_KEY}, label, value"),
                "join_use_nulls = 1",
            ),
            OutcomeRead::Class(place) => {
                // The place is in the two bits that are not compared.
                let found =
                    format!("{CLASS_KEY}, bitOr(bitAnd(wv_check, bitNot(toUInt64(3))), {place}) AS wv_found");
                let settings = format!("join_use_nulls = 0{}", self.held.table());
                format!(
                    "SELECT *, multiIf(wv_found = 0, toUInt8(0), bitShiftRight(bitXor(wv_found, wv_check), 2) = 0, \
                     toUInt8(bitAnd(wv_found, 3)), toUInt8({OF_ANOTHER_ID})) AS wv_truth FROM ({})",
                    join("o.wv_found AS wv_found", &found, &settings)
                )
            }
        }
    }
}

impl Population {
    /// About how many predictions there are within so many microseconds; `None` where rows are not joined with outcomes.
    #[must_use]
    pub fn labelled_within(&self, length_us: u64) -> Option<u64> {
        let Labelled { held, span_us, .. } = self.outcomes_of.as_ref()?;
        let rows = u128::from(held.rows) * u128::from(length_us.min(*span_us));
        u64::try_from(rows / u128::from(*span_us).max(1)).ok()
    }

    /// Predictions that are reduced before they are joined with outcomes, as a statement: `predictions` makes rows of a table of predictions,
    /// the [key](OutcomeRead::key) among their columns. `None` where rows are not joined with outcomes.
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
        held: Numbers { rows, rows_outcomes, threads: of_second.held.threads },
        span_us: of_first.span_us.saturating_add(of_second.span_us),
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
