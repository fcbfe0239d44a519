//! What a comparison asks of texts: their length over all rows, and a bounded sample of them.

use serde::Deserialize;

use super::{Population, PopulationColumn, Sampled, SegmentKeys, Sql};
use crate::{Real, Statement};

/// Characters of a text that are looked into; the length counts them all.
const CHARACTERS: usize = 1_000;

/// A column of texts of one population, within segments.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    /// The rows.
    pub population: &'a Population,
    /// The column.
    pub column: &'a PopulationColumn,
    /// The segments.
    pub segments: &'a SegmentKeys,
}

impl Text<'_> {
    /// The segment's number and the text of each row.
    fn rows(&self, more: &str) -> String {
        let segment = if self.population.without_columns {
            "toUInt32(0)".to_owned()
        } else {
            self.segments.number(self.population)
        };
        let Sql(text) = self.column.storage.as_text();
        format!(
            "SELECT {segment} AS segment, {text} AS maybe{more} FROM {}",
            self.population.from.read(&[self.column], &self.segments.names)
        )
    }
}

/// The lengths of the texts of one segment.
#[derive(Debug, Clone, Deserialize)]
pub struct TextRow {
    /// The number of the segment.
    pub segment: u32,
    /// Texts that are not missing.
    pub texts: u64,
    /// Their mean length, in characters.
    pub length: Real,
    /// The sample variance of the length.
    pub length_variance: Real,
}

/// Asks for the lengths.
#[must_use]
pub fn text_lengths(text: Text<'_>) -> Statement {
    Statement::new(format!(
        "SELECT segment, count() AS texts, avg(characters) AS length, varSampStable(characters) AS length_variance \
         FROM (SELECT segment, lengthUTF8(assumeNotNull(maybe)) AS characters FROM ({}) WHERE isNotNull(maybe)) \
         GROUP BY segment HAVING segment < {} ORDER BY segment",
        text.rows(""),
        text.segments.count(),
    ))
}

/// Asks for a sample of the texts, by segment and in the order of their hashes; read the answer with
/// [`SampleRows`](super::SampleRows), whose elements are bytes.
#[must_use]
pub fn text_sample(text: Text<'_>, sampled: Sampled<'_>) -> Statement {
    let hash = format!(", {} AS hash", sampled.hash(&text.population.row));
    Statement::new(format!(
        "SELECT segment, substringUTF8(assumeNotNull(maybe), 1, {CHARACTERS}) AS text FROM ({}) \
         WHERE isNotNull(maybe) AND segment < {} AND hash <= {} ORDER BY segment, hash LIMIT {} BY segment",
        text.rows(&hash),
        text.segments.count(),
        sampled.up_to(),
        sampled.rows_max,
    ))
}
