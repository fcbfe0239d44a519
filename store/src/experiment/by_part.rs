//! The predictions of [`super::alone()`] part by part: a part does not change, so that what it sums to may be kept.
//!
//! Sums of parts are those of the whole as long as no event and no unit is in two of them. Of parts that were looked at together this
//! is known; new ones are held against each other, and against those.

use serde::Deserialize;
use sha2::{Digest, Sha256};
use windvane_types::hex;

use super::{
    Exposed, FormRow, Question,
    alone::{EVENT, Events, Rows},
    sums::sums_by_part,
};
use crate::{Statement, experiment_sums::Key, local::quote};

/// The column of a row's part.
const PART: &str = "wv_part";

/// What kept sums are; another number where they become something else under the same statement.
const FORMAT: u32 = 1;

/// Microseconds of a second.
const SECOND_US: i64 = 1_000_000;

/// Predictions that expose a unit each and are measured, by the part that they are in.
#[derive(Debug, Clone)]
pub struct ByPart {
    experiment: String,
    start_us: Option<i64>,
    end_us: i64,
    rows: Rows,
    /// What is told of each row of the model besides, as SQL.
    told: String,
}

/// A part of the table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct PartRow {
    pub(super) name: String,
    /// The hash of its files.
    pub(super) hash: String,
    /// The partition that it is of.
    partition: String,
    /// How often its rows were merged at least.
    level: u32,
    /// The time of its first row, seconds since 1970 UTC, rounded down.
    since: i64,
    /// The time of its last row.
    until: i64,
    /// Whether it is all that it seems to be: rows of one server, with times that are told.
    told: u8,
}

/// The sums of one arm in one part.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct PartSumsRow {
    pub(super) part: String,
    pub(super) arm: String,
    pub(super) units: u64,
    /// One entry a form.
    pub(super) forms: Vec<FormRow>,
}

/// Whether units or events are in two parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) struct MetRow {
    /// Above 0 where some are.
    pub(super) met: u64,
}

impl PartRow {
    /// Whether what is told of it can be gone by.
    pub(super) fn is_told(&self) -> bool {
        self.told == 1
    }

    /// Whether each of its events is in no other one of these parts, of which it may be one, and in itself once: a merge leaves one row of
    /// an event, and the rows of an event have one time.
    pub(super) fn has_events_apart(&self, listed: &[Self]) -> bool {
        let overlaps = |other: &Self| {
            other.partition == self.partition && other.since <= self.until && self.since <= other.until
        };
        self.level > 0 && !listed.iter().any(|other| other.name != self.name && overlaps(other))
    }

    /// Whether none of its rows lie within the time that is looked at.
    pub(super) fn is_outside(&self, by_part: &ByPart) -> bool {
        let ends_before = |start: i64| self.end_us() <= start;
        self.since * SECOND_US >= by_part.end_us || by_part.start_us.is_some_and(ends_before)
    }

    /// Whether none of its rows come after that time, so that a later look has the same ones.
    pub(super) fn is_over(&self, by_part: &ByPart) -> bool {
        self.end_us() <= by_part.end_us
    }

    /// After its last row.
    fn end_us(&self) -> i64 {
        (self.until + 1) * SECOND_US
    }
}

/// Asks for the parts of the table that have rows. Those of a Distributed table are not to be seen, replicated ones may be answered by
/// several servers, patches change rows of other parts, and the times of parts go from 1970 to 2106.
pub(super) fn parts() -> Statement {
    Statement::new(
        "SELECT name, hash_of_all_files AS hash, partition_id AS partition, level, toUnixTimestamp(min_time) AS since, toUnixTimestamp(max_time) AS until, \
         engine = 'ReplacingMergeTree' AND max_time >= min_time AND toUnixTimestamp(max_time) > 0 \
         AND toUInt32OrZero(partition_id) BETWEEN 197001 AND 210512 AS told \
         FROM system.parts WHERE active AND rows > 0 AND database = currentDatabase() AND table = 'predictions'",
    )
}

impl ByPart {
    pub(super) fn new(exposed: &Exposed, rows: Rows, told: String) -> Self {
        Self {
            experiment: exposed.experiment.clone(),
            start_us: exposed.start_us,
            end_us: exposed.end_us,
            rows,
            told,
        }
    }

    /// Under what sums are kept: everything that decides them but the end, which all rows of a kept part lie before.
    pub(super) fn key(&self, question: Question<'_>) -> Key {
        let rows = Rows { span: self.since(), ..self.rows.clone() };
        let text = format!(
            "{FORMAT}\0{}\0{}",
            rows.are_alone(Events::Any).sql(),
            self.summed(&rows, "_part", question).sql()
        );
        Key { experiment: self.experiment.clone(), definition: hex::encode(&Sha256::digest(text)) }
    }

    /// Whether a row is not too early: all that is to be asked of those of kept parts, which lie before the end.
    fn since(&self) -> String {
        self.start_us.map_or_else(|| "true".to_owned(), |start| format!("ts >= {}", micros(start)))
    }

    /// Asks whether no event and no unit is in these parts twice ([`super::alone::AloneRow`]).
    pub(super) fn are_alone(&self, parts: &[&PartRow], events: Events) -> Statement {
        self.rows_of(parts).are_alone(events)
    }

    /// Asks for [`PartSumsRow`]s of these parts, the question's rows being theirs. They are the parts' whole sums where
    /// [`Self::are_alone`] says so.
    pub(super) fn sums(&self, parts: &[&PartRow], question: Question<'_>) -> Statement {
        let part = match parts {
            // A key that is the same everywhere is left out of the grouping.
            [part] => quote(&part.name),
            // The name of a part as it is would be a key of two kinds beside the arm.
            _ => "toString(_part)".to_owned(),
        };
        self.summed(&self.rows_of(parts), &part, question)
    }

    /// No other model exposes units where predictions are alone, and of those in which none does the sorting key leaves out the others.
    fn summed(&self, rows: &Rows, part: &str, question: Question<'_>) -> Statement {
        let rows = Rows { exposes: format!("{} AND {}", rows.is, rows.exposes), ..rows.clone() };
        let told = format!(", {part} AS {PART}{}", self.told);
        let frame = question.frame.over(rows.units("predictions", &told), PART);
        sums_by_part(Question { frame: &frame, ..question })
    }

    fn rows_of(&self, parts: &[&PartRow]) -> Rows {
        let span = format!("{} AND {}", self.rows.span, within(parts.iter().map(|part| part.name.as_str())));
        Rows { span, ..self.rows.clone() }
    }

    /// Asks whether units or events of new parts are in old ones ([`MetRow`]), of which there are some each. An event has its time in
    /// either part, so that of old parts only the time of the new ones is looked at. Units are those of any time that counts: where all do,
    /// no time is read. No unit is that of no name.
    pub(super) fn met(&self, new: &[&PartRow], old: &[&str], events: Events) -> Statement {
        let Rows { is, unit, span, .. } = &self.rows;
        let counts = self.since();
        let since = new.iter().map(|part| part.since * SECOND_US).min().unwrap_or(0);
        let until = new.iter().map(|part| part.end_us()).max().unwrap_or(0);
        let new = within(new.iter().map(|part| part.name.as_str()));
        let old = within(old.iter().copied());
        let met = |key: &str, which: &str, besides: &str| {
            format!(
                "(SELECT count() FROM (SELECT 1 FROM predictions WHERE {is} AND {counts} AND {old}{besides} \
                 AND {key} IN (SELECT {key} FROM predictions WHERE {is} AND {which} AND {span} AND {new}) LIMIT 1))"
            )
        };
        let same_time = format!(" AND ts >= {} AND ts < {}", micros(since), micros(until));
        let units = met(unit, "unit_id != ''", "");
        Statement::new(match events {
            Events::Any => format!("SELECT {units} + {} AS met", met(EVENT, "true", &same_time)),
            Events::Apart => format!("SELECT {units} AS met"),
        })
    }
}

fn micros(us: i64) -> String {
    format!("fromUnixTimestamp64Micro(toInt64({us}))")
}

/// Whether a row is in one of these parts, as SQL.
fn within<'a>(parts: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = parts.map(quote).collect();
    format!("_part IN ({})", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::{
        ARM, Exposed, ExposedBy, Form, FrameColumns, Question, RecordColumn, RecordTable, Recorded, UNIT,
        UnitsAre, When, Without, alone, frame, measure,
    };
    use super::{ByPart, Events, PartRow, SECOND_US};

    fn exposed(start_us: Option<i64>, end_us: i64) -> Exposed {
        Exposed {
            experiment: "e".to_owned(),
            by: ExposedBy::Predictions,
            start_us,
            end_us,
            window_us: 7,
            segment_by: Vec::new(),
        }
    }

    /// What a question for a metric of a model's predictions yields.
    fn asked<T>(
        exposed: &Exposed,
        model: &str,
        form: Form,
        ask: impl FnOnce(&ByPart, Question<'_>) -> T,
    ) -> T {
        let column = RecordColumn {
            name: "x".to_owned(),
            column: "num.x".to_owned(),
            without: Without::Zero,
            when: When::After,
        };
        let table = RecordTable::Predictions { model: model.to_owned() };
        let alone = alone(exposed, &Recorded { table, columns: vec![column] }).unwrap();
        let population = &alone.unmerged.population;
        let columns = FrameColumns { unit: UNIT, arm: ARM, segment_by: &[], timestamp: None };
        let question = Question {
            frame: &frame(population, &columns).unwrap(),
            measures: &[measure(population, "x").unwrap()],
            forms: &[form],
            arms: &[],
            units_are: UnitsAre::Single,
            by_segment: false,
            by_day: false,
        };
        ask(&alone.by_part, question)
    }

    /// The definition that a metric of a model has.
    fn definition(exposed: &Exposed, model: &str, form: Form) -> String {
        let key = asked(exposed, model, form, ByPart::key);
        assert_eq!(key.experiment, "e");
        key.definition
    }

    #[test]
    fn all_that_decides_sums_is_in_the_definition_and_the_end_is_not() {
        let own = definition(&exposed(Some(3), 5), "m", Form::default());
        assert_eq!(own, definition(&exposed(Some(3), 9), "m", Form::default()));
        for other in [
            definition(&exposed(Some(4), 5), "m", Form::default()),
            definition(&exposed(None, 5), "m", Form::default()),
            definition(&exposed(Some(3), 5), "n", Form::default()),
            definition(&exposed(Some(3), 5), "m", Form { cap: Some(2.0), ..Form::default() }),
        ] {
            assert_ne!(own, other);
        }
    }

    fn part(since: i64, until: i64) -> PartRow {
        PartRow {
            name: format!("202601_{since}_{until}_1"),
            hash: String::new(),
            partition: "202601".to_owned(),
            level: 1,
            since,
            until,
            told: 1,
        }
    }

    #[test]
    fn sums_are_of_the_model_s_own_predictions_and_a_single_part_is_no_key() {
        let (one, other) = (part(10, 20), part(30, 40));
        for (parts, key) in [(vec![&one], "'202601_10_20_1'"), (vec![&one, &other], "toString(_part)")] {
            let sums = asked(&exposed(None, 5), "m", Form::default(), |by_part, question| {
                by_part.sums(&parts, question).sql().to_owned()
            });
            assert!(
                sums.contains(&format!(", {key} AS wv_part, num['x'] AS wv_c0 FROM predictions")),
                "{sums}"
            );
            assert!(sums.contains("WHERE model = 'm' AND mapContains(arms, 'e') AND"), "{sums}");
        }
    }

    #[test]
    fn of_kept_parts_the_time_is_read_where_some_rows_are_too_early() {
        for (start_us, times) in [(None, 1), (Some(3), 3)] {
            let (new, form) = (part(10, 20), Form::default());
            let met = asked(&exposed(start_us, 5), "m", form, |by_part, _| {
                by_part.met(&[&new], &["202601_1_1_0"], Events::Apart)
            });
            let sql = met.sql();
            assert_eq!(sql.matches("ts < ").count(), 1, "{sql}");
            assert_eq!(sql.matches("ts ").count(), times, "{sql}");
        }
    }

    #[test]
    fn events_are_apart_where_a_merge_has_been_and_no_part_has_the_same_time() {
        let own = part(10, 20);
        let other_month = PartRow { partition: "202602".to_owned(), ..part(15, 15) };
        let apart = |own: &PartRow, other: &PartRow| own.has_events_apart(&[own.clone(), other.clone()]);
        for (other, expected) in [
            (part(21, 30), true),
            (part(0, 9), true),
            (other_month, true),
            (part(20, 30), false),
            (part(12, 13), false),
        ] {
            assert_eq!(apart(&own, &other), expected, "{other:?}");
            assert_eq!(apart(&other, &own), expected, "{other:?}");
        }
        assert!(!PartRow { level: 0, ..own.clone() }.has_events_apart(&[own]), "rows as they came");
    }

    #[test]
    fn the_last_second_of_a_part_is_within_it_to_its_end() {
        let recorded =
            Recorded { table: RecordTable::Predictions { model: "m".to_owned() }, columns: Vec::new() };
        let of =
            |start_us, end_us| -> ByPart { alone(&exposed(start_us, end_us), &recorded).unwrap().by_part };
        let part = part(10, 20);
        for (start_us, end_us, outside, over) in [
            (None, 30 * SECOND_US, false, true),
            (None, 21 * SECOND_US, false, true),
            (None, 21 * SECOND_US - 1, false, false),
            (None, 10 * SECOND_US + 1, false, false),
            (None, 10 * SECOND_US, true, false),
            (Some(21 * SECOND_US - 1), 30 * SECOND_US, false, true),
            (Some(21 * SECOND_US), 30 * SECOND_US, true, true),
        ] {
            let by_part = of(start_us, end_us);
            let found = (part.is_outside(&by_part), part.is_over(&by_part));
            assert_eq!(found, (outside, over), "{start_us:?} to {end_us}");
        }
    }
}
