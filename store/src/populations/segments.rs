//! Segments: the values of columns that cut a population, which there are, and which of them a row is of.

use serde::Deserialize;

use super::{Pair, Population, Sql};
use crate::{Statement, local::quote};

/// The columns that cut segments, and the segments that are looked at.
#[derive(Debug, Clone, Default)]
pub struct SegmentKeys {
    /// The columns, in the order asked for.
    pub names: Vec<String>,
    /// The keys, as [`segments`] answers them; a segment's number is its place here.
    pub keys: Vec<String>,
}

impl SegmentKeys {
    /// The number of a row's segment; the count of segments for rows outside of all.
    pub(crate) fn number(&self, population: &Population) -> String {
        if let Some(number) = self.number_by_value(population) {
            return number;
        }
        let Some(key) = population.segment_key(&self.names).filter(|_| !self.names.is_empty()) else {
            return "toUInt32(0)".to_owned();
        };
        self.place(&key, self.keys.iter().map(String::as_str).zip(0..))
    }

    /// The same where one column cuts segments: its values are compared as they are, which is cheaper than to write each as JSON. `None` where
    /// several columns do, or where a value is not known as it is.
    fn number_by_value(&self, population: &Population) -> Option<String> {
        let [name] = self.names.as_slice() else { return None };
        let Sql(sql) = population.segment_expression(name)?;
        let values: Vec<Option<String>> = self.keys.iter().map(|key| value(key)).collect::<Option<_>>()?;
        let known: Vec<(&str, usize)> =
            values.iter().zip(0..).filter_map(|(value, number)| Some((value.as_deref()?, number))).collect();
        let missing = values.iter().position(Option::is_none).unwrap_or(self.keys.len());
        if known.is_empty() {
            return None;
        }
        // As plain text: the number of a text out of a dictionary would have a dictionary itself.
        let number = self.place(&format!("CAST(assumeNotNull({sql}), 'String')"), known.into_iter());
        Some(format!("if(isNull({sql}), toUInt32({missing}), {number})"))
    }

    /// The number that a text has among these; the count of segments where it is none of them.
    fn place<'a>(&self, text: &str, known: impl Iterator<Item = (&'a str, usize)>) -> String {
        let (texts, numbers): (Vec<String>, Vec<String>) =
            known.map(|(text, number)| (quote(text), number.to_string())).unzip();
        format!(
            "transform({text}, [{}]::Array(String), [{}]::Array(UInt32), toUInt32({}))",
            texts.join(", "),
            numbers.join(", "),
            self.keys.len()
        )
    }

    /// How many segments there are; 1 for the whole population.
    pub(super) fn count(&self) -> usize {
        if self.names.is_empty() { 1 } else { self.keys.len() }
    }
}

/// The value of the one column of a key; `None` where it is no text, may have bytes that are none, or has one that ends a statement.
fn value(key: &str) -> Option<Option<String>> {
    let [value] = serde_json::from_str::<[Option<String>; 1]>(key).ok()?;
    let is_odd = value.as_ref().is_some_and(|text| text.contains(['\0', char::REPLACEMENT_CHARACTER]));
    (!is_odd).then_some(value)
}

/// A segment with its rows on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SegmentRow {
    /// A JSON array of the values of the columns, null for missing.
    pub key: String,
    /// Rows of the reference.
    pub reference: u64,
    /// Rows of the current population.
    pub current: u64,
    /// How many segments there are, beyond those that were asked for too.
    pub segments: u64,
}

/// Asks for the segments that `names` cut, one or more of them, the largest first, at most `limit` segments. Rows are counted by the values of
/// the columns, so that only the values that there are become keys.
///
/// `None` where one of the populations cannot be cut by these columns.
#[must_use]
pub fn segments(pair: Pair<'_>, names: &[String], limit: usize) -> Option<Statement> {
    let places: Vec<String> = (0..names.len()).map(|i| format!("wv_k{i}")).collect();
    let places = places.join(", ");
    let side = |population: &Population, a: u8, b: u8| {
        if population.without_columns {
            return Some(format!("SELECT '' AS key, {a} AS a, {b} AS b WHERE 0"));
        }
        let values = population.segment_values(names)?;
        let named = values.iter().enumerate().map(|(i, value)| format!("{value} AS wv_k{i}"));
        let (values, from) = (named.collect::<Vec<_>>().join(", "), population.counted_from(names));
        Some(format!(
            "SELECT toJSONString([{places}]) AS key, {a} * wv_rows AS a, {b} * wv_rows AS b FROM \
             (SELECT {values}, count() AS wv_rows FROM {from} GROUP BY {places})"
        ))
    };
    Some(Statement::new(format!(
        "SELECT key, sum(a) AS reference, sum(b) AS current, count() OVER () AS segments FROM ({} UNION ALL {}) GROUP BY key \
         ORDER BY reference + current DESC, key LIMIT {limit}",
        side(pair.reference, 1, 0)?,
        side(pair.current, 0, 1)?
    )))
}

impl Population {
    /// The values of these columns by which rows are cut; `None` where one cannot cut them.
    fn segment_values(&self, names: &[String]) -> Option<Vec<String>> {
        names.iter().map(|name| self.segment_expression(name).map(|Sql(sql)| sql)).collect()
    }

    /// The key of a row: a JSON array of the columns' values, null for missing.
    fn segment_key(&self, names: &[String]) -> Option<String> {
        Some(format!("toJSONString([{}])", self.segment_values(names)?.join(", ")))
    }

    /// A number that is the same for all rows of one segment, and for two segments different ones but for a chance of one in 2^64; 0 where
    /// nothing is cut. `None` where one of these columns cannot cut it.
    pub(crate) fn segment_code(&self, names: &[String]) -> Option<String> {
        if names.is_empty() || self.without_columns {
            return Some("toUInt64(0)".to_owned());
        }
        Some(match self.segment_values(names)?.as_slice() {
            [value] => format!("toUInt64(ifNull(cityHash64({value}), 0))"),
            several => {
                let parts = several.iter().map(|value| format!("isNull({value}), ifNull({value}, '')"));
                format!("cityHash64({})", parts.collect::<Vec<_>>().join(", "))
            }
        })
    }

    /// Asks which segments have codes, of which so many are known to be there: reading ends with the last of them.
    ///
    /// `None` where one of these columns cannot cut it.
    #[must_use]
    pub fn segments_of_codes(&self, names: &[String], codes: usize) -> Option<Statement> {
        let (key, code) = (self.segment_key(names)?, self.segment_code(names)?);
        let from = self.segments_from(names);
        Some(Statement::new(format!(
            "SELECT {key} AS key, {code} AS code FROM {from} LIMIT 1 BY code LIMIT {codes}"
        )))
    }
}

/// A segment and its [code](Population::segments_of_codes).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CodedSegment {
    /// As of a [`SegmentRow`].
    pub key: String,
    /// The code.
    pub code: u64,
}
