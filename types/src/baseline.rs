//! The profile of a baseline: what is kept of a reference population, so that a comparison with it reads only the current one.
//!
//! Numbers are kept as points with counts: every different value where there are few, else values at evenly spaced ranks.
//! Between two points it is known how many values lie, not where. Counting the current population into the same cells
//! loses at most the share of the fullest one; see [`NumberProfile::is_exact`].

use serde::{Deserialize, Serialize};

use crate::drift::Kind;

/// The value of [`Profile::schema`].
pub const SCHEMA: &str = "windvane.baseline/1";

/// A population, reduced.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Rows of the population.
    pub rows: u64,
    /// One entry a column, in the order of the population.
    pub columns: Vec<ColumnProfile>,
}

/// One column of the population.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnProfile {
    /// Its name.
    pub column: String,
    /// Numeric or categorical.
    pub kind: Kind,
    /// Values that are not missing; the rest of the rows are.
    pub values: u64,
    /// Numeric columns: how the values lie.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub numbers: Option<NumberProfile>,
    /// Categorical columns: each category with its values, by name. Absent where there are too many to keep.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub categories: Option<Vec<(String, u64)>>,
}

/// How numbers lie.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NumberProfile {
    /// Values that are -inf.
    pub below: u64,
    /// Values that are +inf.
    pub above: u64,
    /// Mean and spread of the finite values.
    pub moments: MomentsProfile,
    /// Of the finite values, ascending; the first is the smallest, the last the largest.
    pub points: Vec<Point>,
}

/// Mean and spread, in the parts that keep every digit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MomentsProfile {
    /// What the mean is relative to.
    pub shift: f64,
    /// The mean minus `shift`.
    pub mean: f64,
    /// The sum of squared deviations.
    pub m2: f64,
}

/// A value of the population, with how many values lie between the point before and it, and how many equal it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "(f64, u64, u64)", into = "(f64, u64, u64)")]
pub struct Point {
    /// The value.
    pub value: f64,
    /// Values above the point before and below this one.
    pub between: u64,
    /// Values equal to this one.
    pub at: u64,
}

impl From<(f64, u64, u64)> for Point {
    fn from((value, between, at): (f64, u64, u64)) -> Self {
        Self { value, between, at }
    }
}

impl From<Point> for (f64, u64, u64) {
    fn from(Point { value, between, at }: Point) -> Self {
        (value, between, at)
    }
}

impl Profile {
    /// The column of this name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&ColumnProfile> {
        self.columns.iter().find(|column| column.column == name)
    }
}

impl NumberProfile {
    /// Whether every different value is kept, so that nothing is lost.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.points.iter().all(|point| point.between == 0)
    }

    /// All values, finite or not.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.below + self.above + self.points.iter().map(|point| point.between + point.at).sum::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_keeps_its_shape_and_reads_back() {
        let profile = Profile {
            schema: SCHEMA.to_owned(),
            rows: 6,
            columns: vec![
                ColumnProfile {
                    column: "x".to_owned(),
                    kind: Kind::Numeric,
                    values: 5,
                    numbers: Some(NumberProfile {
                        below: 0,
                        above: 1,
                        moments: MomentsProfile { shift: 0.1, mean: 0.5, m2: 2.0 },
                        points: vec![
                            Point { value: 0.1, between: 0, at: 1 },
                            Point { value: 2.0, between: 2, at: 1 },
                        ],
                    }),
                    categories: None,
                },
                ColumnProfile {
                    column: "c".to_owned(),
                    kind: Kind::Categorical,
                    values: 6,
                    numbers: None,
                    categories: Some(vec![("a".to_owned(), 6)]),
                },
            ],
        };
        let text = serde_json::to_string(&profile).unwrap();
        insta::assert_snapshot!(text, @r#"{"schema":"windvane.baseline/1","rows":6,"columns":[{"column":"x","kind":"numeric","values":5,"numbers":{"below":0,"above":1,"moments":{"shift":0.1,"mean":0.5,"m2":2.0},"points":[[0.1,0,1],[2.0,2,1]]}},{"column":"c","kind":"categorical","values":6,"categories":[["a",6]]}]}"#);
        assert_eq!(serde_json::from_str::<Profile>(&text).unwrap(), profile);
        let numbers = profile.column("x").unwrap().numbers.as_ref().unwrap();
        assert_eq!((numbers.is_exact(), numbers.count()), (false, 5));
    }
}
