//! One row of a file as lines of NDJSON: a prediction, and an outcome where the row has one.

use std::borrow::Cow;
use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use super::cell::{Cell, Column, Kind};
use super::mapping::{Mapping, Role};

/// What is the same for every row: the model that predicted, and how ids are made where the file has none.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// The model's name.
    pub model: String,
    /// Its version.
    pub version: String,
    /// Where it runs; a column `environment` goes first.
    pub environment: Option<String>,
}

/// One row, its mapping and its number in the file.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    pub columns: &'a [Column],
    pub mapping: &'a Mapping,
    pub cells: &'a [Cell<'a>],
    /// The event id where the file has none.
    pub made_id: &'a str,
}

/// The lines of one row, without line ends.
#[derive(Debug, PartialEq, Eq)]
pub struct Lines {
    pub prediction: String,
    pub outcome: Option<String>,
}

/// Writes a row's events.
///
/// # Errors
/// A cell cannot be what its column's role asks for; the text names column, value and what would have been accepted.
pub fn lines(deployment: &Deployment, row: Row<'_>) -> Result<Lines, String> {
    let mut fields = Fields::default();
    for ((column, role), cell) in row.columns.iter().zip(row.mapping.roles()).zip(row.cells) {
        if *cell != Cell::Missing {
            let name = column.name.as_str();
            fields
                .set(role, Value { name, kind: column.kind, cell })
                .map_err(|problem| format!("column `{name}` is {}; {problem}", shown(cell)))?;
        }
    }
    let id = fields.event_id.take().unwrap_or_else(|| quoted(row.made_id));
    Ok(Lines { prediction: fields.prediction(deployment, &id), outcome: fields.outcome(deployment, &id) })
}

/// The parts of an event as JSON text.
#[derive(Debug, Default)]
struct Fields {
    event_id: Option<String>,
    environment: Option<String>,
    /// `,"name":value` of the plain fields.
    plain: String,
    answer: String,
    probabilities: String,
    features: String,
    tags: String,
    arms: String,
    embeddings: String,
    outcome: Option<String>,
    outcome_ts: Option<String>,
}

impl Fields {
    fn set(&mut self, role: &Role, value: Value<'_>) -> Result<(), String> {
        match role {
            Role::EventId => self.event_id = Some(value.text()),
            Role::Environment => self.environment = Some(value.text()),
            Role::Unit => entry(&mut self.plain, "unit_id", &value.text()),
            Role::Status => entry(&mut self.plain, "status", &value.text()),
            Role::TraceId => entry(&mut self.plain, "trace_id", &value.text()),
            Role::SpanId => entry(&mut self.plain, "span_id", &value.text()),
            Role::Ts => entry(&mut self.plain, "ts", &value.instant()?),
            Role::Latency => entry(&mut self.plain, "latency_us", &value.whole()?),
            Role::Score => entry(&mut self.answer, "score", &value.number()?),
            Role::Label => entry(&mut self.answer, "label", &value.text()),
            Role::Value => entry(&mut self.answer, "value", &value.number()?),
            Role::Probability(class) => entry(&mut self.probabilities, class, &value.number()?),
            Role::Feature(name) => entry(&mut self.features, name, &value.feature()?),
            Role::Tag(name) => entry(&mut self.tags, name, &value.text()),
            Role::Arm(name) => entry(&mut self.arms, name, &value.text()),
            Role::Embedding(name) => entry(&mut self.embeddings, name, &value.numbers()?),
            Role::OutcomeLabel => self.outcome = Some(format!(",\"label\":{}", value.text())),
            Role::OutcomeValue => self.outcome = Some(format!(",\"value\":{}", value.number()?)),
            Role::OutcomeTs => self.outcome_ts = Some(value.instant()?),
            Role::LeftOut(_) => {}
        }
        Ok(())
    }

    fn prediction(&mut self, deployment: &Deployment, id: &str) -> String {
        let mut line = format!(
            "{{\"model\":{},\"version\":{},\"event_id\":{id}{}",
            quoted(&deployment.model),
            quoted(&deployment.version),
            self.plain
        );
        let environment = self.environment.take().or(deployment.environment.as_deref().map(quoted));
        if let Some(environment) = environment {
            entry(&mut line, "environment", &environment);
        }
        if !self.probabilities.is_empty() {
            let probabilities = object(&self.probabilities);
            entry(&mut self.answer, "probabilities", &probabilities);
        }
        let groups = [
            ("features", &self.features),
            ("embeddings", &self.embeddings),
            ("tags", &self.tags),
            ("arms", &self.arms),
            ("prediction", &self.answer),
        ];
        for (name, group) in groups.into_iter().filter(|(_, group)| !group.is_empty()) {
            entry(&mut line, name, &object(group));
        }
        line.push('}');
        line
    }

    fn outcome(self, deployment: &Deployment, id: &str) -> Option<String> {
        let truth = self.outcome?;
        let ts = self.outcome_ts.map(|ts| format!(",\"ts\":{ts}")).unwrap_or_default();
        Some(format!("{{\"model\":{},\"event_id\":{id}{ts}{truth}}}", quoted(&deployment.model)))
    }
}

fn entry(into: &mut String, name: &str, json: &str) {
    let _ = write!(into, ",{}:{json}", quoted(name));
}

fn object(entries: &str) -> String {
    format!("{{{}}}", entries.strip_prefix(',').unwrap_or(entries))
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A cell in its column.
struct Value<'a> {
    name: &'a str,
    kind: Kind,
    cell: &'a Cell<'a>,
}

impl Value<'_> {
    fn text(&self) -> String {
        match self.cell {
            Cell::Text(text) => quoted(text),
            Cell::Flag(flag) => quoted(if *flag { "true" } else { "false" }),
            Cell::Integer(integer) => quoted(&integer.to_string()),
            Cell::Number(number) => quoted(&number.to_string()),
            Cell::Instant(us) => quoted(&us.to_string()),
            Cell::Missing | Cell::Numbers(_) | Cell::Other => "null".to_owned(),
        }
    }

    fn number(&self) -> Result<String, String> {
        match self.cell {
            Cell::Integer(integer) => Ok(integer.to_string()),
            Cell::Number(number) => finite(*number),
            Cell::Flag(flag) => Ok(u8::from(*flag).to_string()),
            Cell::Text(text) => match (text.trim().parse::<i64>(), text.trim().parse::<f64>()) {
                (Ok(integer), _) => Ok(integer.to_string()),
                (_, Ok(number)) => finite(number),
                _ => Err("a number was expected".to_owned()),
            },
            _ => Err("a number was expected".to_owned()),
        }
    }

    fn whole(&self) -> Result<String, String> {
        let number: f64 = self.number()?.parse().map_err(|_| "a number was expected".to_owned())?;
        match (0.0..9e15).contains(&number) {
            true => Ok(format!("{:.0}", number.round())),
            false => Err("a number of microseconds was expected".to_owned()),
        }
    }

    fn feature(&self) -> Result<String, String> {
        match (self.cell, self.kind) {
            (Cell::Text(text), Kind::Flag) => match text.trim() {
                "true" | "True" | "TRUE" => Ok("true".to_owned()),
                "false" | "False" | "FALSE" => Ok("false".to_owned()),
                _ => Err("`true` or `false` was expected, as in the rows before".to_owned()),
            },
            (Cell::Text(_), Kind::Number) => {
                self.number().map_err(|problem| format!("{problem}, as in the rows before"))
            }
            (Cell::Text(_), _) => Ok(self.text()),
            (Cell::Flag(flag), _) => Ok(flag.to_string()),
            (Cell::Integer(_) | Cell::Number(_), _) => self.number(),
            _ => Err(format!("a number, a text or a boolean was expected for feature `{}`", self.name)),
        }
    }

    fn numbers(&self) -> Result<String, String> {
        let Cell::Numbers(numbers) = self.cell else {
            return Err("a list of numbers was expected".to_owned());
        };
        let texts: Result<Vec<String>, String> = numbers.iter().map(|number| finite(*number)).collect();
        Ok(format!("[{}]", texts?.join(",")))
    }

    /// An instant as whole microseconds, or as the text itself where the collector shall judge it.
    fn instant(&self) -> Result<String, String> {
        match self.cell {
            Cell::Instant(us) | Cell::Integer(us) => Ok(us.to_string()),
            Cell::Number(number) if number.fract() == 0.0 => Ok(format!("{number:.0}")),
            Cell::Text(text) => {
                Ok(instant_of_text(text.trim()).map_or_else(|| self.text(), |us| us.to_string()))
            }
            _ => Err("a time was expected".to_owned()),
        }
    }
}

/// Microseconds of RFC 3339 text, of a civil time (taken as UTC), of a date, or of digits.
fn instant_of_text(text: &str) -> Option<i64> {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(instant.as_microsecond());
    }
    let civil = text.parse::<DateTime>().or_else(|_| text.parse::<Date>().map(|d| d.at(0, 0, 0, 0)));
    match civil {
        Ok(civil) => TimeZone::UTC.to_timestamp(civil).ok().map(Timestamp::as_microsecond),
        Err(_) => text.parse().ok(),
    }
}

fn finite(number: f64) -> Result<String, String> {
    match serde_json::Number::from_f64(number) {
        Some(number) => Ok(number.to_string()),
        None => Err("events hold finite numbers".to_owned()),
    }
}

/// A cell in a message, cut short.
fn shown(cell: &Cell<'_>) -> String {
    let text: Cow<'_, str> = match cell {
        Cell::Missing => "missing".into(),
        Cell::Integer(integer) => integer.to_string().into(),
        Cell::Number(number) => number.to_string().into(),
        Cell::Flag(flag) => flag.to_string().into(),
        Cell::Text(text) => format!("`{}`", text.chars().take(64).collect::<String>()).into(),
        Cell::Instant(us) => format!("{us} microseconds since 1970").into(),
        Cell::Numbers(numbers) => format!("a list of {}", numbers.len()).into(),
        Cell::Other => "of another kind".into(),
    };
    text.into_owned()
}

#[cfg(test)]
mod tests {
    use super::super::mapping::Flags;
    use super::*;

    fn write(cells: &[(&str, Kind, Cell<'_>)]) -> Result<Lines, String> {
        let columns: Vec<Column> =
            cells.iter().map(|(name, kind, _)| Column { name: (*name).to_owned(), kind: *kind }).collect();
        let mapping = Mapping::new(Flags::default(), &columns)?;
        let cells: Vec<Cell<'_>> = cells.iter().map(|(_, _, cell)| cell.clone()).collect();
        let deployment = Deployment { model: "delay".to_owned(), version: "1".to_owned(), environment: None };
        lines(&deployment, Row { columns: &columns, mapping: &mapping, cells: &cells, made_id: "f-7" })
    }

    #[test]
    fn a_row_becomes_a_prediction_and_an_outcome() {
        let lines = write(&[
            ("event_id", Kind::Text, Cell::Text("a\"b".into())),
            ("ts", Kind::Text, Cell::Text("2013-01-01 05:17:00".into())),
            ("score", Kind::Number, Cell::Number(0.25)),
            ("distance", Kind::Number, Cell::Integer(1400)),
            ("wind_gust", Kind::Number, Cell::Missing),
            ("holiday", Kind::Flag, Cell::Flag(false)),
            ("carrier", Kind::Text, Cell::Text("UA".into())),
            ("outcome_label", Kind::Text, Cell::Text("late".into())),
            ("outcome_ts", Kind::Time, Cell::Instant(1_357_020_000_000_000)),
        ])
        .unwrap();
        let parsed: serde_json::Value = serde_json::from_str(&lines.prediction).unwrap();
        assert_eq!(
            parsed,
            serde_json::json!({"model": "delay", "version": "1", "event_id": "a\"b", "ts": 1_357_017_420_000_000_i64,
                "prediction": {"score": 0.25}, "features": {"distance": 1400, "holiday": false, "carrier": "UA"}})
        );
        let parsed: serde_json::Value = serde_json::from_str(&lines.outcome.unwrap()).unwrap();
        assert_eq!(
            parsed,
            serde_json::json!({"model": "delay", "event_id": "a\"b", "ts": 1_357_020_000_000_000_i64, "label": "late"})
        );
    }

    #[test]
    fn a_row_without_an_id_gets_the_made_one_and_without_truth_no_outcome() {
        let lines = write(&[("outcome_label", Kind::Text, Cell::Missing)]).unwrap();
        assert_eq!(lines.prediction, r#"{"model":"delay","version":"1","event_id":"f-7"}"#);
        assert_eq!(lines.outcome, None);
    }

    #[test]
    fn text_in_a_column_of_numbers_is_a_bad_row() {
        let error = write(&[("age", Kind::Number, Cell::Text("abc".into()))]).unwrap_err();
        assert_eq!(error, "column `age` is `abc`; a number was expected, as in the rows before");
        let error = write(&[("age", Kind::Number, Cell::Number(f64::INFINITY))]).unwrap_err();
        assert_eq!(error, "column `age` is inf; events hold finite numbers");
    }

    #[test]
    fn an_id_of_digits_keeps_its_leading_zeros() {
        let lines = write(&[("event_id", Kind::Number, Cell::Text("00123".into()))]).unwrap();
        assert!(lines.prediction.contains(r#""event_id":"00123""#), "{}", lines.prediction);
    }
}
