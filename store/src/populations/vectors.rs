//! What a comparison asks of vectors: their widths, their moments by dimension over all rows, and a bounded sample of them.
//!
//! Means, variances and norms are exact and cost one reading. What needs the vectors themselves gets a sample that is drawn by a
//! hash of the row, so that the same rows come whatever the threads did, and in an order that has nothing to do with the file's.

use serde::Deserialize;

use super::{Population, PopulationColumn, Sampled, SegmentKeys, Sql, Storage};
use crate::{Real, Statement};

/// A column of vectors of one population, within segments.
#[derive(Debug, Clone, Copy)]
pub struct Vector<'a> {
    /// The rows.
    pub population: &'a Population,
    /// The column; a [`Storage::Vector`].
    pub column: &'a PopulationColumn,
    /// The segments.
    pub segments: &'a SegmentKeys,
}

impl Vector<'_> {
    /// The segment's number and the vector of each row, empty where it is missing.
    fn rows(&self, more: &str) -> String {
        let from = self.population.from.read(&[self.column], &self.segments.names);
        format!("SELECT {} AS segment, {} AS v{more} FROM {from}", self.number(), whole(&self.column.storage))
    }

    fn number(&self) -> String {
        if self.population.without_columns {
            "toUInt32(0)".to_owned()
        } else {
            self.segments.number(self.population)
        }
    }
}

/// The vector as Float32; empty where a component is missing or infinite, because then it is no point of the space.
fn whole(storage: &Storage) -> String {
    let Storage::Vector(Sql(sql)) = storage else { return "emptyArrayFloat32()".to_owned() };
    format!(
        "if(arrayExists(x -> NOT ifNull(isFinite(x), 0), {sql}), emptyArrayFloat32(), \
         arrayMap(x -> toFloat32(assumeNotNull(x)), {sql}))"
    )
}

/// The widths that vectors of a column have, the most frequent ones first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct WidthsRow {
    /// At most three different widths, ascending; none where all vectors are missing.
    pub widths: Vec<u64>,
}

/// Asks for the widths of the vectors of a column.
#[must_use]
pub fn widths(population: &Population, column: &PopulationColumn) -> Statement {
    let v = whole(&column.storage);
    Statement::new(format!(
        "SELECT arraySort(groupUniqArrayIf(3)(length(v), notEmpty(v))) AS widths FROM (SELECT {v} AS v FROM {})",
        population.from.read(&[column], &[])
    ))
}

/// The moments of the vectors of one segment.
#[derive(Debug, Clone, Deserialize)]
pub struct VectorRow {
    /// The number of the segment.
    pub segment: u32,
    /// Its rows.
    pub rows: u64,
    /// Its vectors that are not missing.
    pub vectors: u64,
    /// The mean of each dimension.
    pub means: Vec<Real>,
    /// The sample variance of each dimension.
    pub variances: Vec<Real>,
    /// The mean length of a vector.
    pub norm: Real,
    /// The sample variance of the length.
    pub norm_variance: Real,
}

/// Asks for the moments of each dimension.
#[must_use]
pub fn vector_moments(vector: Vector<'_>) -> Statement {
    Statement::new(format!(
        "SELECT segment, count() AS rows, countIf(notEmpty(v)) AS vectors, avgForEachIf(v, notEmpty(v)) AS means, \
         varSampStableForEachIf(v, notEmpty(v)) AS variances, avgIf(L2Norm(v), notEmpty(v)) AS norm, \
         varSampStableIf(L2Norm(v), notEmpty(v)) AS norm_variance FROM ({}) GROUP BY segment HAVING segment < {} ORDER BY segment",
        vector.rows(""),
        vector.segments.count(),
    ))
}

/// Asks for a sample of the vectors, by segment and in the order of their hashes; read the answer with
/// [`SampleRows`](super::SampleRows), whose elements are Float32.
#[must_use]
pub fn vector_sample(vector: Vector<'_>, sampled: Sampled<'_>) -> Statement {
    let hash = format!(", {} AS hash", sampled.hash(&vector.population.row));
    Statement::new(format!(
        "SELECT segment, v FROM ({}) WHERE notEmpty(v) AND segment < {} AND hash <= {} \
         ORDER BY segment, hash LIMIT {} BY segment",
        vector.rows(&hash),
        vector.segments.count(),
        sampled.up_to(),
        sampled.rows_max,
    ))
}
