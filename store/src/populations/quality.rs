//! What a check of quality asks of a population: facts of all columns in one reading, repeated keys, times, columns by version.
//!
//! Facts are counts, ends and a bounded number of examples, which come sorted, so that the same rows give the same answer whatever
//! the threads did.

use serde::Deserialize;

use super::scan::TIME;
use super::{Origin, Population, PopulationColumn, Sql, Storage, quote};
use crate::{Real, Statement};

/// Different values whose counts are kept; as many again are looked for and not kept.
pub const VALUES_MAX: usize = 100;
/// Values that are counted at the same time to find the most frequent ones; up to as many the counts are exact.
pub const VALUES_COUNTED: usize = 1_000;
/// Examples of each kind.
const EXAMPLES_MAX: usize = 5;
/// Characters of an example.
const EXAMPLE_CHARACTERS: usize = 120;

/// What is asked of a column.
#[derive(Debug, Clone)]
pub struct Ask<'a> {
    /// The column.
    pub column: &'a PopulationColumn,
    /// Finite numbers outside are counted and shown.
    pub range: Option<(f64, f64)>,
    /// Texts of fewer or more characters are counted and shown.
    pub lengths: Option<(u64, u64)>,
    /// Texts that are none of these are counted and shown.
    pub categories: Option<Vec<String>>,
}

/// The facts of all columns that were asked for.
#[derive(Debug, Clone)]
pub struct InspectionRow {
    /// Rows of the population.
    pub rows: u64,
    /// One entry a column, in the order asked.
    pub columns: Vec<InspectedColumn>,
}

/// The facts of a column; what its storage cannot answer is absent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct InspectedColumn {
    /// As numbers.
    pub numbers: Option<NumberFacts>,
    /// As text.
    pub texts: Option<TextFacts>,
    /// Lists and vectors that are not empty, or times that are there.
    pub others: Option<u64>,
}

/// What is known of a column as numbers.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(from = "NumberTuple")]
pub struct NumberFacts {
    /// Numbers, infinite ones too.
    pub values: u64,
    /// Infinite numbers.
    pub infinite: u64,
    /// Numbers below 0.
    pub negative: u64,
    /// Numbers that are 0.
    pub zeros: u64,
    /// Finite numbers that are not whole.
    pub fractional: u64,
    /// About how many different ones there are; exact up to some tens of thousands.
    pub distinct: u64,
    /// Occurrences of the most frequent one, exact where it is frequent; of many different ones that are all rare, some of them.
    pub most: u64,
    /// The smallest finite one; 0 where there is none.
    pub low: Real,
    /// The largest finite one.
    pub high: Real,
    /// The mean of the finite ones; NaN where there is none.
    pub mean: Real,
    /// Their standard deviation.
    pub deviation: Real,
    /// Finite numbers below the range asked about.
    pub below: u64,
    /// Finite numbers above it.
    pub above: u64,
    /// The lowest of those below.
    pub below_examples: Vec<f64>,
    /// The highest of those above.
    pub above_examples: Vec<f64>,
    /// Some that are not whole.
    pub fractional_examples: Vec<f64>,
}

type NumberTuple =
    ((u64, u64, u64, u64, u64, u64, u64), (Real, Real, Real, Real), (u64, u64, Vec<f64>, Vec<f64>, Vec<f64>));

impl From<NumberTuple> for NumberFacts {
    fn from((counts, ends, outside): NumberTuple) -> Self {
        let (values, infinite, negative, zeros, fractional, distinct, most) = counts;
        let (low, high, mean, deviation) = ends;
        let (below, above, below_examples, above_examples, fractional_examples) = outside;
        Self {
            values,
            infinite,
            negative,
            zeros,
            fractional,
            distinct,
            most,
            low,
            high,
            mean,
            deviation,
            below,
            above,
            below_examples,
            above_examples,
            fractional_examples,
        }
    }
}

/// What is known of a column as text.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(from = "TextTuple")]
pub struct TextFacts {
    /// Texts, empty ones too.
    pub values: u64,
    /// Empty ones.
    pub empty: u64,
    /// Those that read as numbers.
    pub numbers: u64,
    /// Those that read as a boolean.
    pub booleans: u64,
    /// Those that read as a date or a time.
    pub times: u64,
    /// About how many different ones there are.
    pub distinct: u64,
    /// Characters of the shortest one.
    pub shortest: u64,
    /// Characters of the longest one.
    pub longest: u64,
    /// The most frequent ones with their occurrences, at most [`VALUES_MAX`] and one more.
    pub top: Vec<(String, u64)>,
    /// The categories asked about that are there.
    pub present: Vec<String>,
    /// Texts that are none of the categories asked about.
    pub unknown: u64,
    /// Texts that are shorter than asked about.
    pub short: u64,
    /// Texts that are longer.
    pub long: u64,
    /// Some that do not read as numbers.
    pub word_examples: Vec<String>,
    /// Some that are none of the categories.
    pub unknown_examples: Vec<String>,
    /// Some of an unexpected length.
    pub length_examples: Vec<String>,
}

type TextTuple = (
    (u64, u64, u64, u64, u64, u64, u64, u64),
    (Vec<(String, u64)>, Vec<String>),
    (u64, u64, u64),
    (Vec<String>, Vec<String>, Vec<String>),
);

impl From<TextTuple> for TextFacts {
    fn from((counts, (top, present), outside, examples): TextTuple) -> Self {
        let (values, empty, numbers, booleans, times, distinct, shortest, longest) = counts;
        let (unknown, short, long) = outside;
        let (word_examples, unknown_examples, length_examples) = examples;
        Self {
            values,
            empty,
            numbers,
            booleans,
            times,
            distinct,
            shortest,
            longest,
            top,
            present,
            unknown,
            short,
            long,
            word_examples,
            unknown_examples,
            length_examples,
        }
    }
}

/// The answer to [`inspection`]: an entry a column of each sort.
#[derive(Debug, Deserialize)]
pub struct Inspection {
    rows: u64,
    #[serde(default)]
    numbers: Vec<NumberFacts>,
    #[serde(default)]
    texts: Vec<TextFacts>,
    #[serde(default)]
    others: Vec<u64>,
}

impl Inspection {
    /// The facts by column.
    #[must_use]
    pub fn into_row(self, asks: &[Ask<'_>]) -> InspectionRow {
        let (mut numbers, mut texts, mut others) =
            (self.numbers.into_iter(), self.texts.into_iter(), self.others.into_iter());
        let columns = asks.iter().map(|ask| InspectedColumn {
            numbers: has_numbers(ask.column).then(|| numbers.next()).flatten(),
            texts: has_texts(ask).then(|| texts.next()).flatten(),
            others: is_other(ask.column).then(|| others.next()).flatten(),
        });
        InspectionRow { rows: self.rows, columns: columns.collect() }
    }
}

fn has_numbers(column: &PopulationColumn) -> bool {
    matches!(column.storage, Storage::Number(_) | Storage::Undecided(_))
}

/// Whether the texts of a column are looked at: of numbers where somebody lists those that there may be, or says how long they are.
fn has_texts(ask: &Ask<'_>) -> bool {
    match ask.column.storage {
        Storage::Text(_) | Storage::Undecided(_) => true,
        Storage::Number(_) => ask.categories.is_some() || ask.lengths.is_some(),
        Storage::Vector(_) | Storage::List { .. } | Storage::Unsupported(_) | Storage::Nothing => false,
    }
}

/// Whether a column is neither numbers nor text, and may lack values all the same.
fn is_other(column: &PopulationColumn) -> bool {
    match &column.storage {
        Storage::Vector(_) | Storage::List { .. } => true,
        Storage::Unsupported(type_name) => type_name.starts_with("Date"),
        Storage::Number(_) | Storage::Text(_) | Storage::Undecided(_) | Storage::Nothing => false,
    }
}

/// Whether a value of such a column is there.
fn present(population: &Population, column: &PopulationColumn) -> String {
    match &column.storage {
        Storage::Vector(Sql(sql)) | Storage::List { sql: Sql(sql), .. } => format!("notEmpty({sql})"),
        _ => format!("isNotNull({})", population.instant(&column.name)),
    }
}

/// Asks for the facts of these columns, in one reading of them.
#[must_use]
pub fn inspection(population: &Population, asks: &[Ask<'_>]) -> Statement {
    let list = |parts: Vec<String>, name: &str| match parts.as_slice() {
        [] => None,
        parts => Some(format!(", [{}] AS {name}", parts.join(", "))),
    };
    let numbers = asks.iter().filter(|ask| has_numbers(ask.column)).map(numbers).collect();
    let texts = asks.iter().filter(|ask| has_texts(ask)).map(texts).collect();
    let others = asks
        .iter()
        .filter(|ask| is_other(ask.column))
        .map(|ask| format!("countIf({})", present(population, ask.column)))
        .collect();
    let columns: Vec<&PopulationColumn> = asks.iter().map(|ask| ask.column).collect();
    Statement::new(format!(
        "SELECT count() AS rows{}{}{} FROM {}",
        list(numbers, "numbers").unwrap_or_default(),
        list(texts, "texts").unwrap_or_default(),
        list(others, "others").unwrap_or_default(),
        population.from.read(&columns, &[]),
    ))
    .setting("output_format_json_quote_denormals", 1)
    .setting("output_format_json_validate_utf8", 1)
}

fn numbers(ask: &Ask<'_>) -> String {
    let Sql(x) = ask.column.storage.as_number();
    let (value, finite) = (format!("assumeNotNull({x})"), format!("ifNull(isFinite({x}), 0)"));
    let fractional = format!("{finite} AND {value} != trunc({value})");
    let (below, above) = match ask.range {
        Some((low, high)) => {
            (format!("{finite} AND {value} < {low:?}"), format!("{finite} AND {value} > {high:?}"))
        }
        None => ("0".to_owned(), "0".to_owned()),
    };
    let first = format!("groupArraySortedIf({EXAMPLES_MAX})");
    format!(
        "tuple(tuple(count({x}), countIf(ifNull(isInfinite({x}), 0)), countIf(ifNull({x} < 0, 0)), countIf(ifNull({x} = 0, 0)), \
         countIf({fractional}), toUInt64(ifNull(uniqCombined64(15)({x}), 0)), \
         arraySum(entry -> toUInt64(entry.2 - entry.3), approx_top_kIf(1, 10)({value}, isNotNull({x})))), \
         tuple(minIf({value}, {finite}), maxIf({value}, {finite}), avgIf({value}, {finite}), \
         stddevPopStableIf({value}, {finite})), \
         tuple(countIf({below}), countIf({above}), {first}({value}, {below}), \
         arrayMap(v -> -v, {first}(-{value}, {above})), {first}({value}, {fractional})))"
    )
}

fn texts(ask: &Ask<'_>) -> String {
    let Sql(y) = ask.column.storage.as_text();
    // What is learnt of bytes that are no text is told as text, and compared with them again.
    let y = format!("toValidUTF8({y})");
    let (value, there) = (format!("assumeNotNull({y})"), format!("isNotNull({y})"));
    let length = format!("lengthUTF8({value})");
    let is_number = format!("isFinite(ifNull(toFloat64OrNull({y}), nan))");
    let (present, unknown) = match &ask.categories {
        Some(categories) if categories.is_empty() => ("0".to_owned(), there.clone()),
        Some(categories) => {
            let known: Vec<String> = categories.iter().map(|category| quote(category)).collect();
            let known = known.join(", ");
            (format!("{there} AND {value} IN ({known})"), format!("{there} AND {value} NOT IN ({known})"))
        }
        None => ("0".to_owned(), "0".to_owned()),
    };
    let (short, long) = match ask.lengths {
        Some((low, high)) => {
            (format!("{there} AND {length} < {low}"), format!("{there} AND {length} > {high}"))
        }
        None => ("0".to_owned(), "0".to_owned()),
    };
    let some = |condition: &str| {
        format!(
            "groupArraySortedIf({EXAMPLES_MAX})(substringUTF8({value}, 1, {EXAMPLE_CHARACTERS}), {condition})"
        )
    };
    format!(
        "tuple(tuple(count({y}), countIf(ifNull({y} = '', 0)), countIf({is_number}), \
         countIf(lower(ifNull({y}, '')) IN ('true', 'false')), countIf(match(ifNull({y}, ''), {})), \
         toUInt64(ifNull(uniqCombined64(15)({y}), 0)), minIf({length}, {there}), maxIf({length}, {there})), \
         tuple(arrayMap(entry -> tuple(entry.1, toUInt64(entry.2 - entry.3)), approx_top_kIf({}, {VALUES_COUNTED})({value}, {there})), \
         groupUniqArrayIf({value}, {present})), \
         tuple(countIf({unknown}), countIf({short}), countIf({long})), tuple({}, {}, {}))",
        quote(TIME),
        VALUES_MAX + 1,
        some(&format!("{there} AND NOT {is_number}")),
        some(&unknown),
        some(&format!("({short}) OR ({long})")),
    )
}

/// Keys that several rows have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct RepeatedRow {
    /// Rows with a key.
    pub rows: u64,
    /// Rows beyond the first of each key.
    pub repeats: u64,
    /// Some keys with several rows.
    pub examples: Vec<String>,
}

/// Asks for rows that share their key: the values of these columns, all of them there. `None` where one cannot be a key.
#[must_use]
pub fn repeated(population: &Population, key: &[String]) -> Option<Statement> {
    let mut columns = Vec::new();
    let mut parts = Vec::new();
    for name in key {
        match population.column(name) {
            Some(column) => {
                parts.push(column.storage.as_text().0);
                columns.push(column);
            }
            // The id of a stored prediction tells its row and is no column of the population.
            None if matches!(&population.from, Origin::Table(_)) && population.row.0 == *name => {
                parts.push(format!("toNullable({name})"));
            }
            None => return None,
        }
    }
    let there: Vec<String> = parts.iter().map(|part| format!("isNotNull({part})")).collect();
    let key = match parts.as_slice() {
        [part] => format!("assumeNotNull({part})"),
        parts => format!("toJSONString([{}])", parts.join(", ")),
    };
    Some(
        Statement::new(format!(
            "SELECT sum(times) AS rows, sum(times - 1) AS repeats, \
             groupArraySortedIf({EXAMPLES_MAX})(substringUTF8(key, 1, {EXAMPLE_CHARACTERS}), times > 1) AS examples \
             FROM (SELECT {key} AS key, count() AS times FROM {} WHERE {} GROUP BY key)",
            population.from.read(&columns, &[]),
            there.join(" AND "),
        ))
        .setting("output_format_json_validate_utf8", 1),
    )
}

/// What is asked of the times of rows.
#[derive(Debug, Clone, Copy)]
pub struct TimesAsk<'a> {
    /// The column that says when an event was.
    pub timestamp: &'a str,
    /// The column that says when it came in; else rows came in the order of the file.
    pub arrival: Option<&'a str>,
    /// What time it is, microseconds since 1970 UTC: where rows do not say when they came in, later times lie in the future.
    pub now_us: i64,
    /// By how much a clock may be ahead, microseconds.
    pub ahead_us: i64,
    /// After how long an event is late, microseconds.
    pub late_us: i64,
}

/// What is known of the times of rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct TimesRow {
    /// Rows with a time.
    pub timed: u64,
    /// Those of them that say when they came in.
    pub with_arrival: u64,
    /// Rows whose time lies in the future.
    pub future: u64,
    /// The latest times in the future, microseconds since 1970 UTC.
    pub future_examples: Vec<i64>,
    /// Rows that came in later than asked about.
    pub late: u64,
    /// The longest delays of late ones, microseconds.
    pub late_examples: Vec<i64>,
    /// Rows that came after one with a later time.
    pub disordered: u64,
    /// How far the worst of them lay back, microseconds.
    pub disordered_most: Vec<i64>,
}

/// Asks when rows were and when they came in; `None` where a column does not say when.
#[must_use]
pub fn times(population: &Population, ask: TimesAsk<'_>) -> Option<Statement> {
    let Sql(at) = population.micros(ask.timestamp)?;
    let arrival = match ask.arrival {
        Some(name) => Some(population.micros(name)?.0),
        None => None,
    };
    let columns: Vec<&PopulationColumn> = [Some(ask.timestamp), ask.arrival]
        .into_iter()
        .flatten()
        .filter_map(|name| population.column(name))
        .collect();
    let order = arrival.clone().unwrap_or_else(|| population.row.0.clone());
    let arrived = arrival.unwrap_or_else(|| "CAST(NULL, 'Nullable(Int64)')".to_owned());
    let (ahead, now, late) = (ask.ahead_us, ask.now_us, ask.late_us);
    Some(Statement::new(format!(
        "SELECT count() AS timed, count(arrived) AS with_arrival, \
         countIf(at > ifNull(arrived, {now}) + {ahead}) AS future, \
         arrayMap(v -> -v, groupArraySortedIf({EXAMPLES_MAX})(-at, at > ifNull(arrived, {now}) + {ahead})) AS future_examples, \
         countIf(ifNull(arrived - at > {late}, 0)) AS late, \
         arrayMap(v -> -v, groupArraySortedIf({EXAMPLES_MAX})(at - ifNull(arrived, at), ifNull(arrived - at > {late}, 0))) AS late_examples, \
         countIf(ifNull(at < latest, 0)) AS disordered, \
         arrayMap(v -> -v, groupArraySortedIf(1)(at - ifNull(latest, at), ifNull(at < latest, 0))) AS disordered_most \
         FROM (SELECT assumeNotNull(maybe) AS at, arrived, max(maybe) OVER (ORDER BY place ASC, maybe ASC \
         ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS latest \
         FROM (SELECT toNullable({at}) AS maybe, toNullable({arrived}) AS arrived, {order} AS place FROM {}) WHERE isNotNull(maybe))",
        population.from.read(&columns, &[]),
    )))
}

/// What one version of a model sends.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct VersionRow {
    /// The version.
    pub version: String,
    /// Its rows.
    pub rows: u64,
    /// `number`, `text` or `vector`, a colon, and the name of a feature.
    pub names: Vec<String>,
    /// Values of each.
    pub counts: Vec<u64>,
}

/// Versions of a window that are looked at, the largest ones.
const VERSIONS_MAX: usize = 100;

/// Asks which features the versions of a model send; of a population of predictions.
#[must_use]
pub fn version_columns(population: &Population) -> Statement {
    Statement::new(format!(
        "SELECT toString(version) AS version, count() AS rows, tupleElement(found, 1) AS names, tupleElement(found, 2) AS counts, \
         sumMap(arrayConcat(arrayMap(k -> concat('number:', toString(k)), mapKeys(num)), \
         arrayMap(k -> concat('text:', toString(k)), mapKeys(cat)), \
         arrayMap(k -> concat('vector:', toString(k)), mapKeys(embeddings))) AS sent, \
         arrayMap(k -> toUInt64(1), sent)) AS found \
         FROM {} GROUP BY version ORDER BY rows DESC, version LIMIT {VERSIONS_MAX}",
        population.from()
    ))
}
