//! What a comparison asks of its populations: profiles and sorted values.
//!
//! Each question is one statement over both sides or over one. Answers are small (profiles) or come
//! sorted and are read as a stream (values), so that no population is ever held.

use serde::Deserialize;

use super::{Population, PopulationColumn, SegmentKeys, Sql, Storage};
use crate::{Consume, Real, Statement, local::quote};

/// Two populations, the reference first.
#[derive(Debug, Clone, Copy)]
pub struct Pair<'a> {
    /// What the current one is compared with.
    pub reference: &'a Population,
    /// The one in question.
    pub current: &'a Population,
}

/// What a profile asks of each column.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The columns, all of one population.
    pub columns: &'a [&'a PopulationColumn],
    /// The segments.
    pub segments: &'a SegmentKeys,
    /// The quantile levels of numeric columns that serve as edges; none for the side that takes the other's edges.
    pub quantiles: &'a [f64],
    /// How much is asked of the numbers beside their count.
    pub detail: Detail,
}

/// How much a profile asks of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// How many there are, and of text what it looks like.
    Looks,
    /// How many there are.
    Counts,
    /// About how many different ones there are too.
    Distinct,
    /// Their range and skewness too, which other tools bin by.
    Shape,
}

/// The profile of a population or of one segment of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "ProfileArrays")]
pub struct ProfileRow {
    /// The number of the segment.
    pub segment: u32,
    /// Its rows.
    pub rows: u64,
    /// One entry a column asked for.
    pub columns: Vec<ProfiledColumn>,
}

/// What a profile knows of a column.
#[derive(Debug, Clone, PartialEq)]
pub struct ProfiledColumn {
    /// Values as text that are not missing.
    pub texts: u64,
    /// Values as numbers that are not missing.
    pub numbers: u64,
    /// Values that read as a date or a time.
    pub times: u64,
    /// Values that read as a boolean in any spelling.
    pub booleans: u64,
    /// About how many different numbers there are.
    pub distinct: u64,
    /// The smallest finite number.
    pub low: Real,
    /// The largest finite number.
    pub high: Real,
    /// The skewness of the finite numbers (population form).
    pub skewness: Real,
    /// The quantiles asked for, of the finite numbers.
    pub quantiles: Vec<Real>,
}

/// What a date or a time looks like in text (ISO 8601, with a blank for the `T` too).
pub(super) const TIME: &str = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$";

/// A profile as it is answered: an array a question with an entry a column, and none for what was not asked.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ProfileArrays {
    segment: u32,
    rows: u64,
    texts: Vec<u64>,
    numbers: Vec<u64>,
    times: Vec<u64>,
    booleans: Vec<u64>,
    distinct: Vec<u64>,
    ranges: Vec<[Real; 3]>,
    quantiles: Vec<Vec<Real>>,
}

impl From<ProfileArrays> for ProfileRow {
    fn from(arrays: ProfileArrays) -> Self {
        let count = |counts: &[u64], i: usize| counts.get(i).copied().unwrap_or(0);
        let columns = (0..arrays.texts.len()).map(|i| {
            let [low, high, skewness] = arrays.ranges.get(i).copied().unwrap_or([Real(f64::NAN); 3]);
            ProfiledColumn {
                texts: count(&arrays.texts, i),
                numbers: count(&arrays.numbers, i),
                times: count(&arrays.times, i),
                booleans: count(&arrays.booleans, i),
                distinct: count(&arrays.distinct, i),
                low,
                high,
                skewness,
                quantiles: arrays.quantiles.get(i).cloned().unwrap_or_default(),
            }
        });
        Self { segment: arrays.segment, rows: arrays.rows, columns: columns.collect() }
    }
}

/// Asks for the profile of these columns.
///
/// The text is kept short: with hundreds of columns the engine takes longer to understand a statement than to run it.
#[must_use]
pub fn profile(population: &Population, question: Question<'_>) -> Statement {
    let each = |of: &dyn Fn(&PopulationColumn) -> String| -> String {
        let all: Vec<String> = question.columns.iter().map(|column| of(column)).collect();
        all.join(", ")
    };
    let none = || "toUInt64(0)".to_owned();
    let decided = |column: &PopulationColumn| matches!(column.storage, Storage::Number(_));
    let texts = each(&|column| match &column.storage {
        storage if decided(column) => counted(storage),
        storage => format!("count({})", storage.as_text().0),
    });
    let numbers = each(&|column| counted(&column.storage));
    let mut asked = vec![format!("[{texts}] AS texts"), format!("[{numbers}] AS numbers")];
    if question.detail == Detail::Looks && !question.columns.iter().all(|column| decided(column)) {
        let times = each(&|column| match &column.storage {
            storage @ Storage::Undecided(_) => {
                // Nearly every text is told by its fifth byte, at a twentieth of the cost of the pattern.
                let text = format!("ifNull({}, '')", storage.as_text().0);
                format!("countIf(substring({text}, 5, 1) = '-' AND match({text}, {}))", quote(TIME))
            }
            _ => none(),
        });
        let booleans = each(&|column| match &column.storage {
            storage if decided(column) || matches!(storage, Storage::Nothing) => none(),
            storage => format!("countIf(lower(ifNull({}, '')) IN ('true', 'false'))", storage.as_text().0),
        });
        asked.extend([format!("[{times}] AS times"), format!("[{booleans}] AS booleans")]);
    }
    if matches!(question.detail, Detail::Distinct | Detail::Shape) {
        let distinct = each(&|column| {
            format!("toUInt64(ifNull(uniqCombined(12)({}), 0))", column.storage.as_number().0)
        });
        asked.push(format!("[{distinct}] AS distinct"));
    }
    let finite = |column: &PopulationColumn| {
        let Sql(number) = column.storage.as_number();
        format!("assumeNotNull({number}), ifNull(isFinite({number}), 0)")
    };
    if question.detail == Detail::Shape {
        let ranges = each(&|column| {
            let finite = finite(column);
            format!("[minIf({finite}), maxIf({finite}), skewPopIf({finite})]")
        });
        asked.push(format!("[{ranges}] AS ranges"));
    }
    if !question.quantiles.is_empty() {
        let levels: Vec<String> = question.quantiles.iter().map(|level| format!("{level:?}")).collect();
        let levels = levels.join(", ");
        let quantiles = each(&|column| format!("quantilesExactInclusiveIf({levels})({})", finite(column)));
        asked.push(format!("[{quantiles}] AS quantiles"));
    }
    let segments = question.segments;
    let (asked, from) = (asked.join(", "), population.from.read(question.columns, &segments.names));
    // Also a constant key costs a lookup a row.
    let groups = match segments.names.is_empty() {
        true => "HAVING count() > 0".to_owned(),
        false => format!("GROUP BY segment HAVING segment < {} ORDER BY segment", segments.count()),
    };
    let segment = segments.number(population);
    Statement::new(format!("SELECT {segment} AS segment, count() AS rows, {asked} FROM {from} {groups}"))
        .setting("output_format_json_quote_denormals", 1)
}

/// How many values are numbers that are not missing.
fn counted(storage: &Storage) -> String {
    match storage {
        Storage::Number(Sql(sql)) => format!("countIf(NOT isNaN(toFloat64({sql})))"),
        Storage::Undecided(Sql(sql)) => format!("countIf(NOT isNaN(toFloat64OrNull({sql})))"),
        Storage::Text(_)
        | Storage::Vector(_)
        | Storage::List { .. }
        | Storage::Nothing
        | Storage::Unsupported(_) => "toUInt64(0)".to_owned(),
    }
}

/// A value with its occurrences on both sides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ValueRow {
    /// The number of the segment.
    pub segment: u32,
    /// The value.
    pub value: f64,
    /// Occurrences in the reference.
    pub a: u64,
    /// Occurrences in the current population.
    pub b: u64,
}

/// The values of one numeric column, by segment and ascending; read the answer with [`ValueRows`]. `grouped` asks for one
/// row a value, which pays where values repeat often.
#[must_use]
pub fn values(
    pair: Pair<'_>,
    columns: [Option<&PopulationColumn>; 2],
    segments: &SegmentKeys,
    grouped: bool,
) -> Statement {
    let whole = segments.names.is_empty();
    let side = |population: &Population, column: Option<&PopulationColumn>, side: u8| {
        let number = column.map_or(Storage::Nothing.as_number(), |column| column.storage.as_number()).0;
        let from = population.from.read(column.as_slice(), &segments.names);
        let segment = match (whole, population.without_columns) {
            (true, _) => String::new(),
            (false, true) => "toUInt32(0) AS segment, ".to_owned(),
            (false, false) => format!("{} AS segment, ", segments.number(population)),
        };
        format!("SELECT {segment}{number} AS maybe, toUInt8({side}) AS side FROM {from}")
    };
    let both =
        format!("{} UNION ALL {}", side(pair.reference, columns[0], 0), side(pair.current, columns[1], 1));
    // A sort carries its columns along, so it gets the value and the side alone; the row is made up after it.
    let (segment, within, order) = match whole {
        true => ("toUInt32(0)", String::new(), "value"),
        false => ("segment", format!(" AND segment < {}", segments.count()), "segment, value"),
    };
    let carried = if whole { "" } else { "segment, " };
    let union = format!(
        "SELECT {carried}assumeNotNull(maybe) AS value, side FROM ({both}) WHERE isNotNull(maybe){within}"
    );
    Statement::new(if grouped {
        format!(
            "SELECT {segment} AS segment, value, countIf(side = 0) AS a, countIf(side = 1) AS b FROM ({union}) \
             GROUP BY {carried}value ORDER BY {order}"
        )
    } else {
        format!(
            "SELECT {segment} AS segment, value, toUInt64(side = 0) AS a, toUInt64(side) AS b FROM ({union}) \
             ORDER BY {order}"
        )
    })
}

/// Takes the rows of [`values`] one by one.
pub trait ValueSink: Send + 'static {
    /// Takes the next row.
    fn push(&mut self, row: ValueRow);
}

/// Reads the answer to [`values`] in `RowBinary` into a sink.
#[derive(Debug)]
pub struct ValueRows<S> {
    rest: Vec<u8>,
    /// Where the rows go.
    pub sink: S,
}

impl<S: ValueSink> ValueRows<S> {
    /// Hands each row to `sink`.
    pub fn new(sink: S) -> Self {
        Self { rest: Vec::new(), sink }
    }
}

/// Bytes of a row: UInt32, Float64, UInt64, UInt64.
const VALUE_ROW: usize = 28;

impl<S: ValueSink> Consume for ValueRows<S> {
    fn consume(&mut self, mut chunk: &[u8]) {
        if !self.rest.is_empty() {
            let missing = (VALUE_ROW - self.rest.len()).min(chunk.len());
            self.rest.extend_from_slice(&chunk[..missing]);
            chunk = &chunk[missing..];
            if self.rest.len() < VALUE_ROW {
                return;
            }
            self.sink.push(value_row(&self.rest));
            self.rest.clear();
        }
        let rows = chunk.chunks_exact(VALUE_ROW);
        self.rest.extend_from_slice(rows.remainder());
        rows.for_each(|row| self.sink.push(value_row(row)));
    }
}

fn value_row(row: &[u8]) -> ValueRow {
    let eight = |at: usize| row[at..at + 8].try_into().expect("a whole row");
    ValueRow {
        segment: u32::from_le_bytes(row[..4].try_into().expect("a whole row")),
        value: f64::from_le_bytes(eight(4)),
        a: u64::from_le_bytes(eight(12)),
        b: u64::from_le_bytes(eight(20)),
    }
}

#[cfg(test)]
mod tests {
    use super::{ValueRow, ValueRows, ValueSink};
    use crate::Consume;

    impl ValueSink for Vec<ValueRow> {
        fn push(&mut self, row: ValueRow) {
            self.push(row);
        }
    }

    #[test]
    fn rows_survive_any_cut_between_chunks() {
        let rows: Vec<ValueRow> = (0..7_u32)
            .map(|i| ValueRow { segment: i, value: f64::from(i) / 3.0, a: u64::from(i), b: 1 })
            .collect();
        let bytes: Vec<u8> = rows
            .iter()
            .flat_map(|row| {
                let mut bytes = row.segment.to_le_bytes().to_vec();
                bytes.extend(row.value.to_le_bytes());
                bytes.extend(row.a.to_le_bytes());
                bytes.extend(row.b.to_le_bytes());
                bytes
            })
            .collect();
        for size in 1..bytes.len() {
            let mut reader = ValueRows::new(Vec::new());
            bytes.chunks(size).for_each(|chunk| reader.consume(chunk));
            assert_eq!(reader.sink, rows, "chunks of {size} bytes");
        }
    }
}
