//! The rows of an experiment: which expression is the unit, which the arm, and which are measured.

use serde::Deserialize;

use super::UnitsAre;
use crate::populations::{Population, Sql, Storage, whole};
use crate::{Statement, local::quote};

/// Arms that an experiment may have; more means that the column is not an arm.
pub const ARMS_MAX: usize = 64;

/// Rows of a file from which on the engine gains more than the 15 ms that it takes to compile their sums, which it does else from the
/// fourth time on.
const COMPILED_ROWS_MIN: u64 = 1_000_000;

/// Which columns say what.
#[derive(Debug, Clone, Copy)]
pub struct FrameColumns<'a> {
    /// Who or what was assigned.
    pub unit: &'a str,
    /// To which arm.
    pub arm: &'a str,
    /// The columns that cut segments; none for the whole.
    pub segment_by: &'a [String],
    /// When the row was seen.
    pub timestamp: Option<&'a str>,
}

/// Rows with a unit and an arm each.
#[derive(Debug, Clone)]
pub struct Frame {
    /// What stands after FROM.
    pub(super) from: String,
    /// Nullable, of any type that can be a key.
    pub(super) unit: String,
    /// Nullable String.
    pub(super) arm: String,
    /// String: a JSON array of the values of the segment's columns.
    pub(super) segment: Option<String>,
    /// Nullable Int32: days since 1970 UTC.
    pub(super) day: Option<String>,
    /// Whether rows without a unit or an arm have to be left out.
    pub(super) has_unassigned: bool,
    /// Whether the engine has to fail where a value is missing that should be there.
    is_complete: bool,
    /// Of which integers a bitmap is that tells units apart, where they are such.
    close_units: Option<Bitmap>,
    /// Whether rows are so many that what is done with each is compiled first.
    is_long: bool,
    /// What else has to hold of a row, where only some are looked at.
    within: Option<String>,
}

/// The integers of a bitmap of units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bitmap {
    /// Those of 32 bits, none below 0: they take a fifth less time.
    Narrow,
    /// Any.
    Wide,
}

impl Frame {
    /// Leaves out no rows from here on: each was found to have a unit and an arm, and looking again costs a column.
    pub fn trust_assignment(&mut self) {
        self.has_unassigned = false;
    }

    /// Tells units apart by a bitmap: they are integers that lie close together.
    pub fn trust_close_units(&mut self, bitmap: Bitmap) {
        self.close_units = Some(bitmap);
    }

    /// The same rows, so many, read from where some columns never lack a value.
    pub(super) fn complete(&self, from: String, rows: u64) -> Self {
        Self { from, is_complete: true, is_long: rows >= COMPILED_ROWS_MIN, ..self.clone() }
    }

    /// Other rows that have the same columns, each with a unit and an arm, cut by an expression.
    pub(super) fn over(&self, from: String, segment: &str) -> Self {
        Self { from, segment: Some(segment.to_owned()), has_unassigned: false, ..self.clone() }
    }

    /// The rows of the units of one segment, as [`super::sums_within`] takes them: a unit that shows several is in the first by name.
    #[must_use]
    pub fn of_segment(&self, segment: &str, units_are: UnitsAre) -> Self {
        let Self { from, unit, .. } = self;
        let (assigned, segment) = (self.assigned(), quote(segment));
        let within = self.segment.as_ref().map(|own| match units_are {
            UnitsAre::Single => format!("{own} = {segment}"),
            UnitsAre::Repeated => format!(
                "{unit} IN (SELECT wv_unit FROM (SELECT {unit} AS wv_unit, {own} AS wv_s FROM {from} WHERE {assigned}) \
                 GROUP BY wv_unit HAVING min(wv_s) = {segment})"
            ),
        });
        Self { within, ..self.clone() }
    }

    /// The statement over these rows, with the settings that they need. A sum that the engine fuses with a count of the same values, as it
    /// does by default, is not compiled, and takes twice as long as a sum and a count that are.
    pub(super) fn statement(&self, sql: String) -> Statement {
        let mut statement = Statement::new(sql).setting("optimize_syntax_fuse_functions", 0);
        if self.is_complete {
            statement = statement.setting("input_format_null_as_default", 0);
        }
        if self.is_long {
            statement = statement.setting("min_count_to_compile_aggregate_expression", 0);
        }
        statement
    }

    /// 64 bits that tell an assigned unit from others. Texts themselves would take three times as long.
    pub(super) fn unit_key(&self) -> String {
        format!("cityHash64(assumeNotNull({}))", self.unit)
    }

    /// Whether every row has a unit and an arm.
    #[must_use]
    pub fn is_assigned(&self) -> bool {
        !self.has_unassigned
    }

    /// Whether a row has a unit and an arm, and is looked at.
    pub(super) fn assigned(&self) -> String {
        let assigned = match self.has_unassigned {
            true => format!("isNotNull({}) AND isNotNull({})", self.unit, self.arm),
            false => "true".to_owned(),
        };
        match &self.within {
            Some(within) => format!("{assigned} AND {within}"),
            None => assigned,
        }
    }
}

/// Numbers of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measure {
    /// Its name.
    pub name: String,
    /// Nullable Float64; NaN is missing, booleans are 0 and 1.
    pub(super) number: String,
    /// Nullable String, where values may be no numbers.
    text: Option<String>,
    /// Whether the number can be null.
    pub(super) can_be_missing: bool,
}

impl Measure {
    /// Whether values may be no numbers, which [`probe`] tells.
    #[must_use]
    pub fn may_be_text(&self) -> bool {
        self.text.is_some()
    }

    /// The same numbers by an expression that yields Float64 and never null.
    pub(super) fn never_missing(&self, number: String) -> Self {
        Self { name: self.name.clone(), number, text: None, can_be_missing: false }
    }
}

/// Why a column cannot serve.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ColumnFault {
    /// There is none of this name.
    #[error("there is no column `{column}`")]
    Unknown {
        /// The name asked for.
        column: String,
    },
    /// It holds text where numbers are needed.
    #[error("column `{column}` holds text; a metric needs numbers")]
    Text {
        /// The name asked for.
        column: String,
    },
    /// Its type cannot be used this way.
    #[error("column `{column}` is of type {type_name}, which cannot be {role}")]
    Unsupported {
        /// The name asked for.
        column: String,
        /// ClickHouse's name.
        type_name: String,
        /// What it was to be.
        role: &'static str,
    },
}

/// Takes the columns of a population for what they are said to be.
///
/// # Errors
/// The first column that is not there or cannot serve.
pub fn frame(population: &Population, columns: &FrameColumns<'_>) -> Result<Frame, ColumnFault> {
    let unit = match &storage(population, columns.unit)? {
        Storage::Number(Sql(sql)) if population.may_be_nan(columns.unit) => {
            format!("if(isNaN({sql}), NULL, {sql})")
        }
        Storage::Number(Sql(sql)) | Storage::Text(Sql(sql)) | Storage::Undecided(Sql(sql)) => sql.clone(),
        Storage::Nothing => "CAST(NULL, 'Nullable(String)')".to_owned(),
        other => return Err(unsupported(columns.unit, other, "a unit")),
    };
    let text = |name: &str, role| match storage(population, name)? {
        other @ (Storage::Unsupported(_) | Storage::Vector(_) | Storage::List { .. }) => {
            Err(unsupported(name, &other, role))
        }
        storage => Ok(storage.as_text().0),
    };
    let segments: Vec<String> =
        columns.segment_by.iter().map(|name| text(name, "a segment")).collect::<Result<_, _>>()?;
    let day = columns.timestamp.map(|name| day(population, name)).transpose()?;
    Ok(Frame {
        from: population.from(),
        unit,
        arm: text(columns.arm, "an arm")?,
        segment: (!segments.is_empty()).then(|| format!("toJSONString([{}])", segments.join(", "))),
        day,
        has_unassigned: true,
        is_complete: false,
        close_units: None,
        is_long: false,
        within: None,
    })
}

/// Takes a column as numbers.
///
/// # Errors
/// It is not there, or its type holds no numbers.
pub fn measure(population: &Population, name: &str) -> Result<Measure, ColumnFault> {
    let storage = storage(population, name)?;
    let boolean = |text: &str, other: &str| {
        format!("multiIf(lower({text}) = 'true', 1., lower({text}) = 'false', 0., {other})")
    };
    let (number, text) = match &storage {
        Storage::Number(_) | Storage::Nothing => (storage.as_number().0, None),
        Storage::Undecided(Sql(sql)) => (boolean(sql, &storage.as_number().0), Some(sql.clone())),
        // Booleans that a file has as such are numbers to begin with: to spell them first takes several times as long.
        Storage::Text(Sql(sql)) if population.type_of(name) == Some("Bool") => {
            (format!("toFloat64({sql})"), None)
        }
        // Strings of a typed file are text even where they look like numbers.
        Storage::Text(_) => {
            let text = storage.as_text().0;
            (boolean(&text, "NULL"), Some(text))
        }
        other => return Err(unsupported(name, other, "a metric")),
    };
    let number = format!("CAST({number}, 'Nullable(Float64)')");
    Ok(Measure { name: name.to_owned(), number, text, can_be_missing: true })
}

fn storage(population: &Population, name: &str) -> Result<Storage, ColumnFault> {
    let unknown = || ColumnFault::Unknown { column: name.to_owned() };
    population.column(name).map(|column| column.storage.clone()).ok_or_else(unknown)
}

fn unsupported(column: &str, storage: &Storage, role: &'static str) -> ColumnFault {
    let type_name = match storage {
        Storage::Unsupported(type_name) | Storage::List { type_name, .. } => type_name.clone(),
        _ => "a vector".to_owned(),
    };
    ColumnFault::Unsupported { column: column.to_owned(), type_name, role }
}

/// The day of a column that holds times, dates, or text or microseconds that say when.
fn day(population: &Population, name: &str) -> Result<String, ColumnFault> {
    Ok(match storage(population, name)? {
        Storage::Text(Sql(sql)) => {
            format!("toInt32(toDate32(parseDateTime64BestEffortOrNull(toString({sql}), 6, 'UTC')))")
        }
        Storage::Undecided(_) => {
            format!("toInt32(floor({} / 86400000000))", micros(population, name)?)
        }
        // Rounded down, also before 1970.
        Storage::Number(Sql(sql)) => {
            format!("toInt32(floor({} / 86400000000))", whole(&sql))
        }
        Storage::Nothing => "CAST(NULL, 'Nullable(Int32)')".to_owned(),
        Storage::Unsupported(type_name) if type_name.starts_with("Date") => {
            format!("toInt32(toDate32(toDateTime64({}, 6, 'UTC')))", population.instant(name))
        }
        other => return Err(unsupported(name, &other, "a time")),
    })
}

/// The time of a column that holds times, dates, or text or microseconds that say when: Nullable(Int64), microseconds since 1970
/// UTC.
pub(crate) fn micros(population: &Population, name: &str) -> Result<String, ColumnFault> {
    let unknown = || ColumnFault::Unknown { column: name.to_owned() };
    Ok(match population.role(name).map(|column| column.storage.clone()).ok_or_else(unknown)? {
        Storage::Text(Sql(sql)) => {
            format!("toUnixTimestamp64Micro(parseDateTime64BestEffortOrNull(toString({sql}), 6, 'UTC'))")
        }
        // Text of a CSV file may be whole numbers, which are what they are in any other file.
        Storage::Undecided(_) => population.micros(name).ok_or_else(unknown)?.0,
        Storage::Number(Sql(sql)) => whole(&sql),
        Storage::Nothing => "CAST(NULL, 'Nullable(Int64)')".to_owned(),
        Storage::Unsupported(type_name) if type_name.starts_with("Date") => {
            format!("toUnixTimestamp64Micro(toDateTime64({}, 6, 'UTC'))", population.instant(name))
        }
        other => return Err(unsupported(name, &other, "a time")),
    })
}

/// What a frame looks like before it is summed.
#[derive(Debug, Clone, Deserialize)]
pub struct ProbeRow {
    /// All rows.
    pub rows: u64,
    /// Rows without a unit or without an arm.
    pub unassigned: u64,
    /// Different units of the other rows, told apart by 64 bits: where they are as many as rows each row has its own, and where two share
    /// theirs there are fewer, so that rows are summed by unit for nothing.
    pub units: u64,
    /// The arms of the other rows, in no order; one more than [`ARMS_MAX`] where there are too many.
    pub arms: Vec<String>,
    /// One entry a measure.
    pub unreadable: Vec<Unreadable>,
}

impl ProbeRow {
    /// Whether each unit has one row.
    #[must_use]
    pub fn units_are(&self) -> UnitsAre {
        match self.units == self.rows - self.unassigned {
            true => UnitsAre::Single,
            false => UnitsAre::Repeated,
        }
    }
}

/// Values of a measure that are no numbers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Unreadable {
    /// How many.
    pub values: u64,
    /// The smallest of them.
    pub example: String,
}

/// Asks for the arms, and whether each unit has one row.
#[must_use]
pub fn probe(frame: &Frame, measures: &[Measure]) -> Statement {
    let arms =
        format!("groupUniqArrayIf({})(assumeNotNull({}), {})", ARMS_MAX + 1, frame.arm, frame.assigned());
    probed(frame, measures, &arms)
}

/// Asks for the same, except for the arms, where something else tells them: the answer names none.
#[must_use]
pub fn probe_units(frame: &Frame, measures: &[Measure]) -> Statement {
    probed(frame, measures, "emptyArrayString()")
}

fn probed(frame: &Frame, measures: &[Measure], arms: &str) -> Statement {
    let Frame { from, .. } = frame;
    let unreadable: Vec<String> = measures
        .iter()
        .map(|measure| match &measure.text {
            None => "tuple(toUInt64(0), '')".to_owned(),
            Some(text) => {
                let lost = format!("isNotNull({text}) AND isNull({})", measure.number);
                format!("tuple(countIf({lost}), minIf(ifNull(toString({text}), ''), {lost}))")
            }
        })
        .collect();
    let assigned = frame.assigned();
    let bitmap =
        |of_type: &str| format!("groupBitmapIf({of_type}(assumeNotNull({})), {assigned})", frame.unit);
    let units = match frame.close_units {
        Some(Bitmap::Narrow) => bitmap("toUInt32"),
        Some(Bitmap::Wide) => bitmap("toUInt64"),
        None => format!("uniqExactIf({}, {assigned})", frame.unit_key()),
    };
    let sql = format!(
        "SELECT count() AS rows, countIf(NOT ({assigned})) AS unassigned, {units} AS units, {arms} AS arms, \
         CAST([{}], 'Array(Tuple(values UInt64, example String))') AS unreadable FROM {from}",
        unreadable.join(", "),
    );
    frame.statement(sql).setting("output_format_json_named_tuples_as_objects", 1)
}
