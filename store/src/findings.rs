//! What the tables of findings share: which run a row comes from, the columns that say so, and how rows are written.

pub mod attribution;
pub mod drift;
pub mod experiment;
pub mod experiment_looks;
pub mod fairness;
pub mod gate;
pub mod latency;
pub mod looks_taken;
pub mod outcomes;
pub mod performance;
pub mod quality;
pub mod runs;

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use windvane_types::span::Span;

use crate::client::Insert;
use crate::rowbinary as rb;
use crate::wire::{Column, Wire};
use crate::{Statement, Store, StoreError, native};

/// How the columns of segments write a value that rows lack: an empty text is a value of its own, and would share the key.
const MISSING: &str = "(missing)";

/// A value as the columns of segments write it. One that is spelt as what stands for none has a backslash before it, and another one where it
/// has some: else rows with it and rows without any would share the key, and one of the two segments would take the place of the other.
pub(crate) fn written(value: Option<&str>) -> Cow<'_, str> {
    match value {
        None => Cow::Borrowed(MISSING),
        Some(value) if value.trim_start_matches('\\') == MISSING => Cow::Owned(format!("\\{value}")),
        Some(value) => Cow::Borrowed(value),
    }
}

/// What rows of a segment have in common, by column; `None` where they lack it.
pub(crate) type Values = BTreeMap<String, Option<String>>;

/// The columns that cut a segment, as `segment_key` has them; empty for the whole.
pub(crate) fn segment_key(segment: Option<&Values>) -> String {
    joined(segment.into_iter().flatten().map(|(name, _)| Cow::Borrowed(name.as_str())))
}

/// Their values, as `segment_value` has them.
pub(crate) fn segment_value(segment: Option<&Values>) -> String {
    joined(segment.into_iter().flatten().map(|(_, value)| written(value.as_deref())))
}

/// One text as it is, several joined by commas. A comma within one of several has a backslash before it, as a backslash has: else
/// `a,b` and `c` would share the key of `a` and `b,c`, and one of the two segments would take the place of the other.
fn joined<'a>(texts: impl Iterator<Item = Cow<'a, str>>) -> String {
    let texts: Vec<Cow<'_, str>> = texts.collect();
    match texts.as_slice() {
        [one] => one.clone().into_owned(),
        several => {
            let escaped = |text: &Cow<'_, str>| text.replace('\\', "\\\\").replace(',', "\\,");
            several.iter().map(escaped).collect::<Vec<_>>().join(",")
        }
    }
}

/// What a run was about; its document says what came out.
#[derive(Debug, Clone)]
pub struct Run {
    /// Unique among runs; inserting a run twice under its id changes nothing.
    pub run_id: String,
    /// When it ended, microseconds since 1970 UTC; of two runs on the same key the later one wins.
    pub computed_at_us: i64,
    /// The model.
    pub model: String,
    /// Its version; empty for all.
    pub version: String,
    /// Its environment; empty for all.
    pub environment: String,
    /// The monitor; empty for a run by hand.
    pub monitor: String,
    /// `baseline`, `window`, `previous`, `same_hour_last_week` or `expectations`; empty without a reference.
    pub reference_kind: String,
    /// The baseline's name, or empty.
    pub reference_name: String,
    /// The window that was looked at.
    pub window: Span,
    /// The length of the monitor's windows, such as `1d`; empty for a run by hand.
    pub granularity: String,
}

impl Run {
    /// Appends the columns from `run_id` to `monitor`.
    pub(crate) fn whose(&self, out: &mut Vec<u8>) {
        rb::string(out, &self.run_id);
        rb::i64(out, self.computed_at_us);
        for word in [&self.model, &self.version, &self.environment, &self.monitor] {
            rb::string(out, word);
        }
    }

    /// Appends the columns from `window_start` to `granularity`.
    pub(crate) fn when(&self, out: &mut Vec<u8>) {
        rb::i64(out, self.window.start_us);
        rb::i64(out, self.window.end_us);
        rb::string(out, &self.granularity);
    }

    /// Appends the columns from `reference_kind` to `reference_end`, of a table that keeps the reference in event time.
    pub(crate) fn against(&self, reference: Span, out: &mut Vec<u8>) {
        rb::string(out, &self.reference_kind);
        rb::string(out, &self.reference_name);
        rb::i64(out, reference.start_us);
        rb::i64(out, reference.end_us);
    }

    /// Appends the columns from `run_id` to `granularity`, those of the reference between the two.
    pub(crate) fn head(&self, out: &mut Vec<u8>) {
        self.whose(out);
        rb::string(out, &self.reference_kind);
        rb::string(out, &self.reference_name);
        self.when(out);
    }
}

/// Writes the rows of a run, in the order of the columns, and returns how many they are: a repeated run on the same window overwrites
/// them, and empties those that it does not have. The kind of findings and the run's id are their token.
///
/// # Errors
/// As [`Store::insert`]; the same run may be written again.
pub(crate) async fn record(
    store: &Store,
    (table, columns): (&str, &[Column]),
    (kind, run): (&str, &Run),
    (rows, body): (u64, Vec<u8>),
) -> Result<u64, StoreError> {
    if rows > 0 {
        let pieces = native::encode(columns, &[Bytes::from(body)], rows)
            .expect("these rows were encoded for these columns");
        let token = format!("{kind}-{}", run.run_id);
        store.send(Insert { table, columns, token: &token, pieces }).await?;
    }
    empty_the_rest(store, (table, columns), run).await?;
    Ok(rows)
}

/// Empties what earlier runs of a monitor have found in the same window and the latest one has not: a segment that has too few rows
/// by now, a column that is no longer watched. Rows stay under their keys, as the table keeps the latest of each, and say
/// `insufficient_data` and no numbers. Asked after the run's own rows are written; a run by hand empties nothing, for the next one may
/// ask something else of the same window.
///
/// # Errors
/// ClickHouse does not answer or refuses; it may be asked again.
pub(crate) async fn empty_the_rest(
    store: &Store,
    (table, columns): (&str, &[Column]),
    run: &Run,
) -> Result<(), StoreError> {
    if run.monitor.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
    let values: Vec<String> = columns.iter().map(emptied).collect();
    // Findings against another reference are those of another question.
    let same_reference = match names.contains(&"reference_kind") {
        true => "AND reference_kind = {reference_kind:String} AND reference_name = {reference_name:String} ",
        false => "",
    };
    let statement = Statement::new(format!(
        "INSERT INTO {{database:Identifier}}.{table} ({}) SELECT {} FROM {{database:Identifier}}.{table} FINAL \
         WHERE model = {{model:String}} AND monitor = {{monitor:String}} \
         AND window_start = fromUnixTimestamp64Micro({{from:Int64}}, 'UTC') \
         AND window_end = fromUnixTimestamp64Micro({{to:Int64}}, 'UTC') AND granularity = {{granularity:String}} \
         AND version = {{version:String}} AND environment = {{environment:String}} {same_reference}AND run_id != {{run_id:String}} \
         AND computed_at < fromUnixTimestamp64Micro({{emptied_at:Int64}}, 'UTC')",
        names.join(", "),
        values.join(", "),
    ))
    .param("database", store.database())
    .param("model", run.model.as_str())
    .param("monitor", run.monitor.as_str())
    .param("from", run.window.start_us)
    .param("to", run.window.end_us)
    .param("granularity", run.granularity.as_str())
    .param("version", run.version.as_str())
    .param("environment", run.environment.as_str())
    .param("reference_kind", run.reference_kind.as_str())
    .param("reference_name", run.reference_name.as_str())
    .param("run_id", run.run_id.as_str())
    // Just before the run's own rows, so that those are the latest of a window.
    .param("emptied_at", run.computed_at_us - 1);
    store.execute(&statement).await
}

/// What a detail says of whose row it is; the rest is what was found.
const WHOSE: &str = r#"multiIf(JSONHas(detail, 'group'), concat('{"group":', JSONExtractRaw(detail, 'group'), '}'),
    JSONHas(detail, 'segment'), concat('{"segment":', JSONExtractRaw(detail, 'segment'), '}'), '')"#;

/// What a column holds once its row is emptied, as an expression without a name: one that has the column's would stand for it in the
/// condition too.
fn emptied(column: &Column) -> String {
    match (column.name, column.wire) {
        ("run_id", _) => "{run_id:String}".to_owned(),
        ("computed_at", _) => "fromUnixTimestamp64Micro({emptied_at:Int64}, 'UTC')".to_owned(),
        ("detail", _) => WHOSE.to_owned(),
        ("direction", _) => "'none'".to_owned(),
        // Rows without a verdict of their own stay without one.
        ("verdict", _) => "if(verdict = '', '', 'insufficient_data')".to_owned(),
        (_, Wire::OptionalNumber) => "NULL".to_owned(),
        (_, Wire::Count) => "toUInt64(0)".to_owned(),
        (_, Wire::Flag) => "false".to_owned(),
        (name, _) => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Values, WHOSE, emptied, segment_key, segment_value};
    use crate::wire::{Column, Wire};

    #[test]
    fn no_two_segments_share_their_key() {
        let of = |pairs: &[(&str, Option<&str>)]| -> Values {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned))).collect()
        };
        for (pairs, key, value) in [
            (&[("region", Some("a,b"))][..], "region", "a,b"),
            (&[("region", None)][..], "region", "(missing)"),
            (&[("region", Some("(missing)"))][..], "region", r"\(missing)"),
            (&[("region", Some(r"\(missing)"))][..], "region", r"\\(missing)"),
            (&[("region", Some("(missing)")), ("tier", None)][..], "region,tier", r"\\(missing),(missing)"),
            (&[("region", Some(""))][..], "region", ""),
            (&[("region", Some("a,b")), ("tier", Some("c"))][..], "region,tier", r"a\,b,c"),
            (&[("region", Some("a")), ("tier", Some("b,c"))][..], "region,tier", r"a,b\,c"),
            (&[("region", Some(r"a\")), ("tier", None)][..], "region,tier", r"a\\,(missing)"),
        ] {
            let segment = of(pairs);
            assert_eq!(
                (segment_key(Some(&segment)), segment_value(Some(&segment))),
                (key.to_owned(), value.to_owned())
            );
        }
        assert_eq!((segment_key(None), segment_value(None)), (String::new(), String::new()));
    }

    #[test]
    fn an_emptied_row_keeps_its_key_and_no_number() {
        for (name, wire, expected) in [
            ("segment_value", Wire::Text, "segment_value"),
            ("outcomes_until", Wire::Micros, "outcomes_until"),
            ("statistic", Wire::OptionalNumber, "NULL"),
            ("n_current", Wire::Count, "toUInt64(0)"),
            ("drifted", Wire::Flag, "false"),
            ("direction", Wire::Word, "'none'"),
            ("detail", Wire::Text, WHOSE),
            ("verdict", Wire::Word, "if(verdict = '', '', 'insufficient_data')"),
            ("run_id", Wire::Text, "{run_id:String}"),
        ] {
            assert_eq!(emptied(&Column { name, wire }), expected);
        }
    }
}
