//! The rows of a population with the roles of its columns, cut into chunks and segments.

use super::placeholder::filled;
use crate::experiment::{ColumnFault, micros};
use crate::populations::{
    OUTCOME, OUTCOME_VALUE, OutcomeRead, Population, PopulationColumn, SegmentKeys, Sql, Storage,
    reads_outcomes,
};
use crate::{Statement, local::quote};

/// Which columns say what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roles {
    /// What was true.
    pub target: Option<String>,
    /// The score of the positive class, or of an item.
    pub score: Option<String>,
    /// The predicted class.
    pub label: Option<String>,
    /// Of several classes, the column with the probability of each.
    pub probabilities: Vec<(String, String)>,
    /// The predicted number.
    pub value: Option<String>,
    /// What a row counts.
    pub weight: Option<String>,
    /// Whose items are ranked together.
    pub group: Option<String>,
    /// When the model answered.
    pub timestamp: Option<String>,
}

/// What becomes of rows at the end that fill no chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Incomplete {
    /// They join the chunk before.
    #[default]
    Append,
    /// They are a chunk of their own.
    Keep,
    /// They are left out.
    Drop,
}

/// A calendar period, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// From midnight.
    Day,
    /// From Monday.
    Week,
    /// From the first.
    Month,
}

/// How rows are cut into chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chunking {
    /// Not at all.
    Whole,
    /// By their number, in the order of time or else of the file.
    Rows {
        /// Rows of a chunk.
        size: u64,
        /// Chunks that there are; rows beyond join the last one, or are left out.
        chunks: u64,
        /// Which of the two.
        incomplete: Incomplete,
    },
    /// By the calendar.
    Period(Period),
    /// Into spans of one length, one of which begins at the anchor, microseconds since 1970 UTC.
    Length {
        /// Where one begins.
        anchor_us: i64,
        /// How long they are, above 0.
        length_us: i64,
    },
}

/// Rows with chunk, segment and roles, as the text of a subquery.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Columns wv_chunk Int32, wv_segment UInt16, wv_unreadable String (a column whose value is text where a number is needed, or empty), wv_time Nullable(Int64), wv_t Nullable(String), wv_y, wv_s, wv_v
    /// Nullable(Float64), wv_l Nullable(String), wv_p Array(Nullable(Float64)), wv_w Float64, wv_g Nullable(String), and one of
    /// each column that was asked for beside them.
    pub(super) sql: String,
    /// Whether rows have weights of their own.
    pub weighted: bool,
    /// Whether rows have, in place of wv_t and wv_y, wv_truth UInt8: 0 where what was true is not known, else the place of the class from 1 on,
    /// 3 where it is none of them or was not found.
    pub(super) placed: bool,
    /// Whether rows have, in place of wv_segment, wv_code UInt64, which says what segment a row is of without a list of them.
    pub(super) coded: bool,
    /// Whether time alone says which chunk a row is in.
    pub by_time: bool,
    /// Whether rows have, beside, wv_number Int64: their place among all, by which they are cut.
    pub(super) numbered: bool,
}

/// How a row says which segment it is of.
#[derive(Debug, Clone, Copy)]
enum Cutting<'a> {
    /// By its number among these.
    Numbered(&'a SegmentKeys),
    /// By a [code](Population::segment_code) of the values of these columns.
    Coded(&'a [String]),
}

impl Cutting<'_> {
    fn names(&self) -> &[String] {
        match self {
            Self::Numbered(segments) => &segments.names,
            Self::Coded(names) => names,
        }
    }

    /// The column of a frame.
    fn column(self, population: &Population) -> Option<String> {
        Some(match self {
            Self::Numbered(segments) => format!("{} AS wv_segment", segment_number(population, segments)),
            Self::Coded(names) => format!("{} AS wv_code", population.segment_code(names)?),
        })
    }
}

/// Cuts a population; `beside` are columns that a statement reads too, as wv_c0, wv_c1 …
///
/// # Errors
/// The first column that is not there or cannot serve.
pub fn frame(
    population: &Population,
    roles: &Roles,
    (chunking, segments): (Chunking, &SegmentKeys),
    beside: &[String],
) -> Result<Frame, ColumnFault> {
    framed(population, roles, (chunking, Cutting::Numbered(segments)), beside)
}

/// The same where all that is asked of the truth is which of these two classes it is, which [`every`](fn@super::every) is handed too: of an
/// outcome that is a number of 64 bits beside its key. A row may be [neither](super::OfTwo::Neither) because ids collided. Rows have the codes of
/// the segments that these columns cut, which need not be known.
///
/// # Errors
/// As of [`frame`].
pub fn frame_of_classes(
    population: &Population,
    roles: &Roles,
    (chunking, segment_by): (Chunking, &[String]),
    (beside, classes): (&[String], &[String; 2]),
) -> Result<Frame, ColumnFault> {
    let cutting = Cutting::Coded(segment_by);
    if roles.target.as_deref() == Some(OUTCOME) {
        let selected = of_rows(population, roles, cutting, beside)?;
        let place = outcome_place(classes);
        if let Some(sql) = joined(population, roles, (&selected, chunking), OutcomeRead::Class(&place)) {
            let (weighted, by_time) = (roles.weight.is_some(), is_by_time(chunking));
            let numbered = is_numbered(chunking);
            return Ok(Frame { sql, weighted, placed: true, coded: true, by_time, numbered });
        }
    }
    framed(population, roles, (chunking, cutting), beside)
}

fn framed(
    population: &Population,
    roles: &Roles,
    (chunking, cutting): (Chunking, Cutting<'_>),
    beside: &[String],
) -> Result<Frame, ColumnFault> {
    let selected = of_rows(population, roles, cutting, beside)?;
    let target = match &roles.target {
        Some(name) => class_text(population, name)?,
        None => "CAST(NULL, 'Nullable(String)')".to_owned(),
    };
    let target = format!("{target} AS wv_t, {} AS wv_y", target_number(population, &roles.target)?);
    let timed = roles.timestamp.is_some();
    let sql = match joined(population, roles, (&selected, chunking), OutcomeRead::Whole) {
        Some(rows) => format!("SELECT *, {target} FROM ({rows})"),
        None => {
            let from = population.reading(&names(roles, cutting.names(), beside));
            cut(&format!("SELECT {selected}, {target} FROM {from}"), chunking, timed)
        }
    };
    let coded = matches!(cutting, Cutting::Coded(_));
    let (by_time, numbered) = (is_by_time(chunking), is_numbered(chunking));
    Ok(Frame { sql, weighted: roles.weight.is_some(), placed: false, coded, by_time, numbered })
}

/// Rows that are cut before they are joined with outcomes; `None` where there is nothing to join, or more than the target reads it.
fn joined(
    population: &Population,
    roles: &Roles,
    (selected, chunking): (&str, Chunking),
    read: OutcomeRead<'_>,
) -> Option<String> {
    let of_outcome = matches!(roles.target.as_deref(), Some(OUTCOME | OUTCOME_VALUE));
    if !of_outcome || population.without_columns || reads_outcomes(selected) {
        return None;
    }
    let reduced = |predictions: &str| {
        let rows = format!("SELECT {selected}, {} FROM {predictions}", read.key());
        cut(&rows, chunking, roles.timestamp.is_some())
    };
    population.joined_after(reduced, read)
}

/// What a frame has of each row beside its chunk and its target.
fn of_rows(
    population: &Population,
    roles: &Roles,
    cutting: Cutting<'_>,
    beside: &[String],
) -> Result<String, ColumnFault> {
    let time = match &roles.timestamp {
        Some(name) => micros(population, name)?,
        None => "CAST(NULL, 'Nullable(Int64)')".to_owned(),
    };
    let class = |name: &Option<String>| match name {
        Some(name) => class_text(population, name),
        None => Ok("CAST(NULL, 'Nullable(String)')".to_owned()),
    };
    let number = |name: &Option<String>| match name {
        Some(name) => number(population, name),
        None => Ok("CAST(NULL, 'Nullable(Float64)')".to_owned()),
    };
    let unknown = || ColumnFault::Unknown { column: cutting.names().join(", ") };
    let mut selected = vec![
        cutting.column(population).ok_or_else(unknown)?,
        format!("{time} AS wv_time"),
        format!("{} AS wv_s", number(&roles.score)?),
        format!("{} AS wv_v", number(&roles.value)?),
        format!("{} AS wv_l", class(&roles.label)?),
        format!("{} AS wv_g", class(&roles.group)?),
    ];
    let probabilities: Vec<String> = roles
        .probabilities
        .iter()
        .map(|(_, name)| self::number(population, name))
        .collect::<Result<_, _>>()?;
    selected.push(match probabilities.as_slice() {
        [] => "CAST([], 'Array(Nullable(Float64))') AS wv_p".to_owned(),
        all => format!("CAST([{}], 'Array(Nullable(Float64))') AS wv_p", all.join(", ")),
    });
    // A row without a weight, or with one below 0 or infinite, counts nothing.
    selected.push(match &roles.weight {
        None => "toFloat64(1) AS wv_w".to_owned(),
        Some(name) => {
            let weight = self::number(population, name)?;
            format!("if(ifNull(isFinite({weight}), 0), greatest(ifNull({weight}, 0.), 0.), 0.) AS wv_w")
        }
    });
    selected.push(format!("{} AS wv_unreadable", unreadable(population, roles)?));
    for (i, name) in beside.iter().enumerate() {
        let storage = storage(population, name, population.column(name))?;
        selected.push(format!("{} AS wv_c{i}", text(name, &storage)?));
        let numeric = population.column(name).map(|column| column.storage.as_number().0);
        selected.push(format!(
            "{} AS wv_n{i}",
            numeric.unwrap_or_else(|| "CAST(NULL, 'Nullable(Float64)')".to_owned())
        ));
    }
    let row = population.row_expression();
    // The number of a row of a Parquet file is nullable, and never null.
    selected.push(format!("assumeNotNull(toInt64({row})) AS wv_row"));
    Ok(selected.join(", "))
}

fn is_by_time(chunking: Chunking) -> bool {
    matches!(chunking, Chunking::Period(_) | Chunking::Length { .. })
}

fn is_numbered(chunking: Chunking) -> bool {
    matches!(chunking, Chunking::Rows { .. })
}

/// The names of all columns that a frame reads.
fn names(roles: &Roles, segment_by: &[String], beside: &[String]) -> Vec<String> {
    let Roles { target, score, label, probabilities, value, weight, group, timestamp } = roles;
    let single = [target, score, label, value, weight, group, timestamp].into_iter().flatten().cloned();
    let several = probabilities.iter().map(|(_, name)| name.clone());
    single.chain(several).chain(segment_by.iter().cloned()).chain(beside.iter().cloned()).collect()
}

/// Adds the chunk.
fn cut(rows: &str, chunking: Chunking, timed: bool) -> String {
    match chunking {
        Chunking::Whole => format!("SELECT *, toInt32(0) AS wv_chunk FROM ({rows})"),
        Chunking::Period(period) => {
            let time = "fromUnixTimestamp64Micro(assumeNotNull(wv_time), 'UTC')";
            let key = match period {
                Period::Day => format!("toDate32({time})"),
                Period::Week => format!("floor((toInt32(toDate32({time})) + 3) / 7)"),
                Period::Month => format!("toYear({time}) * 12 + toMonth({time}) - 1"),
            };
            format!("SELECT *, toInt32({key}) AS wv_chunk FROM ({rows}) WHERE isNotNull(wv_time)")
        }
        Chunking::Length { anchor_us, length_us } => {
            // The remainder of Euclid: spans before the anchor are whole, too. By a number of 2^32 and more, which has no sign, it would be
            // that of 2^64 less the distance.
            let (since, length) = (format!("wv_time - ({anchor_us})"), format!("toInt64({length_us})"));
            let key = format!("intDiv({since} - positiveModulo({since}, {length}), {length})");
            format!(
                "SELECT *, toInt32(assumeNotNull({key})) AS wv_chunk FROM ({rows}) WHERE isNotNull(wv_time)"
            )
        }
        Chunking::Rows { size, chunks, incomplete } => {
            let last = chunks.saturating_sub(1);
            let number = match timed {
                // Rows without a time come last.
                true => {
                    format!(
                        "SELECT *, row_number() OVER (ORDER BY wv_time NULLS LAST, wv_row) - 1 AS wv_number FROM ({rows})"
                    )
                }
                false => format!("SELECT *, wv_row AS wv_number FROM ({rows})"),
            };
            let chunk = format!("toInt32(least(intDiv(wv_number, {size}), {last}))");
            let kept = match incomplete {
                Incomplete::Drop => format!(" WHERE wv_number < {}", size.saturating_mul(chunks)),
                Incomplete::Append | Incomplete::Keep => String::new(),
            };
            format!("SELECT *, {chunk} AS wv_chunk FROM ({number}){kept}")
        }
    }
}

impl Frame {
    /// A statement over the frame: `{frame}` in the text stands for it.
    ///
    /// What a row is reduced to is computed before rows are sorted: else whole rows (their ids and maps) go through the sort, which makes
    /// a stream of scores three times as dear. Outcomes stay the side of the join that is held: they are three columns, a prediction is all
    /// that a frame reads.
    pub(super) fn statement(&self, text: &str) -> Statement {
        Statement::new(filled(text, &format!("({})", self.sql)))
            .setting("output_format_json_quote_denormals", 1)
            .setting("query_plan_execute_functions_after_sorting", 0)
            .setting("query_plan_join_swap_table", false)
    }
}

fn segment_number(population: &Population, segments: &SegmentKeys) -> String {
    match population.without_columns {
        true => "toUInt16(0)".to_owned(),
        false => format!("toUInt16({})", segments.number(population)),
    }
}

/// What a role reads.
fn role(population: &Population, name: &str) -> Result<Storage, ColumnFault> {
    storage(population, name, population.role(name))
}

/// What a column holds; where there is none of that name, what rows are cut into segments by.
fn storage(
    population: &Population,
    name: &str,
    column: Option<&PopulationColumn>,
) -> Result<Storage, ColumnFault> {
    if population.without_columns {
        return Ok(Storage::Nothing);
    }
    let unknown = || ColumnFault::Unknown { column: name.to_owned() };
    match column {
        Some(column) => Ok(column.storage.clone()),
        None => population.segment_expression(name).map(Storage::Text).ok_or_else(unknown),
    }
}

fn text(name: &str, storage: &Storage) -> Result<String, ColumnFault> {
    match storage {
        Storage::Vector(_) | Storage::List { .. } => Err(ColumnFault::Unsupported {
            column: name.to_owned(),
            type_name: "a list".to_owned(),
            role: "a class",
        }),
        Storage::Unsupported(type_name) => Err(ColumnFault::Unsupported {
            column: name.to_owned(),
            type_name: type_name.clone(),
            role: "a class",
        }),
        storage => Ok(storage.as_text().0),
    }
}

/// A class as text: numbers in one spelling, NaN as missing.
fn class_text(population: &Population, name: &str) -> Result<String, ColumnFault> {
    match role(population, name)? {
        storage @ Storage::Number(_) => Ok(format!("toString({})", storage.as_number().0)),
        Storage::Undecided(Sql(sql)) => {
            let number = Storage::Undecided(Sql(sql.clone())).as_number().0;
            Ok(format!("CAST(ifNull(toString({number}), toString({sql})), 'Nullable(String)')"))
        }
        storage => text(name, &storage),
    }
}

fn number(population: &Population, name: &str) -> Result<String, ColumnFault> {
    match role(population, name)? {
        storage @ (Storage::Number(_) | Storage::Undecided(_) | Storage::Nothing) => {
            Ok(format!("CAST({}, 'Nullable(Float64)')", storage.as_number().0))
        }
        Storage::Text(_) => Err(ColumnFault::Text { column: name.to_owned() }),
        Storage::Unsupported(type_name) | Storage::List { type_name, .. } => {
            Err(ColumnFault::Unsupported { column: name.to_owned(), type_name, role: "a number" })
        }
        Storage::Vector(_) => Err(ColumnFault::Unsupported {
            column: name.to_owned(),
            type_name: "a vector".to_owned(),
            role: "a number",
        }),
    }
}

/// The first column whose value is text of a CSV file where a number is needed; empty where all are numbers or missing.
fn unreadable(population: &Population, roles: &Roles) -> Result<String, ColumnFault> {
    let single = [&roles.score, &roles.value, &roles.weight].into_iter().flatten();
    let mut conditions = Vec::new();
    for name in single.chain(roles.probabilities.iter().map(|(_, name)| name)) {
        if let storage @ Storage::Undecided(Sql(sql)) = &role(population, name)? {
            let number = storage.as_number().0;
            conditions.push(format!("isNotNull({sql}) AND isNull({number}), {}", quote(name)));
        }
    }
    Ok(match conditions.as_slice() {
        [] => "''".to_owned(),
        all => format!("multiIf({}, '')", all.join(", ")),
    })
}

/// The target as a number; of text none, because classes may be words.
fn target_number(population: &Population, name: &Option<String>) -> Result<String, ColumnFault> {
    let Some(name) = name else { return Ok("CAST(NULL, 'Nullable(Float64)')".to_owned()) };
    Ok(format!("CAST({}, 'Nullable(Float64)')", role(population, name)?.as_number().0))
}

/// An array of texts in SQL.
pub(super) fn texts(texts: &[String]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| quote(text)).collect();
    format!("[{}]::Array(String)", quoted.join(", "))
}

/// The place of a nullable text among classes; their number where it is none of them.
pub(super) fn place(text: &str, classes: &[String]) -> String {
    let numbers: Vec<String> = (0..classes.len()).map(|i| i.to_string()).collect();
    format!(
        "transform(ifNull({text}, ''), {}, [{}]::Array(UInt16), toUInt16({}))",
        texts(classes),
        numbers.join(", "),
        classes.len()
    )
}

/// The class of an outcome: 0 where it says nothing, else its place among these from 1 on, 3 where it is none of them.
fn outcome_place(classes: &[String; 2]) -> String {
    let of = |column: &str| {
        format!(
            "transform(assumeNotNull(toString({column})), {}, [1, 2]::Array(UInt16), toUInt16(3))",
            texts(classes)
        )
    };
    format!(
        "CAST(if(isNull(label), if(isNull(value), toUInt16(0), {}), {}), 'UInt16')",
        of("value"),
        of("label")
    )
}
