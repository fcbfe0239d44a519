//! Populations: rows that a comparison reads, out of a file or out of `windvane.predictions`, behind one shape.
//!
//! A population is a FROM expression and a list of columns, each with the SQL that yields its values. Everything that a
//! comparison asks is built here from those pieces (`scan`), so that files and tables go one way. Names and values
//! come from users: each is quoted where it enters the text, and nothing else of theirs does.

mod categories;
mod counts;
mod element;
mod file;
mod labelled;
mod origin;
mod pieces;
mod plain;
mod predictions;
mod quality;
mod sample;
mod scan;
mod segments;
mod sorted;
mod stream;
mod texts;
mod told;
mod vectors;

pub use categories::{
    CATEGORY_COLUMNS_MAX, CategoryColumn, CategoryRow, are_booleans_in_any_case, categories,
    too_many_categories,
};
pub use counts::{CountRows, CountSink, CountedColumn, counts};
pub use file::{PopulationError, open_file};
pub(crate) use labelled::{OutcomeRead, reads_outcomes};
pub use labelled::{OutcomeText, SIDES, outcome_texts, together};
pub use plain::{PlainRows, plain};
pub use predictions::{
    ERROR, Fingerprint, LATENCY, OUTCOME, OUTCOME_VALUE, PROBABILITY, PredictionFilter, TIME, UNIT, Wanted,
    add_error, fingerprint, latencies, open_labelled, open_labelled_of, open_predictions, without_rows,
};
pub use quality::{
    Ask, InspectedColumn, Inspection, InspectionRow, NumberFacts, RepeatedRow, TextFacts, TimesAsk, TimesRow,
    VALUES_COUNTED, VALUES_MAX, VersionRow, inspection, repeated, times, version_columns,
};
pub use sample::{SampleRows, SampleSink, Sampled, floats};
pub use scan::{
    Detail, Pair, ProfileRow, ProfiledColumn, Question, ValueRow, ValueRows, ValueSink, profile, values,
};
pub use segments::{CodedSegment, SegmentKeys, SegmentRow, segments};
pub use sorted::{SortedRows, sorted};
pub use stream::{
    CountRow, NumbersRow, StreamRow, StreamRows, StreamSink, WordRow, hold_numbers, row_count, stream, word,
    word_or_boolean,
};
pub use texts::{Text, TextRow, text_lengths, text_sample};
pub use vectors::{Vector, VectorRow, WidthsRow, vector_moments, vector_sample, widths};

use crate::local::{quote, quote_identifier};
use labelled::Labelled;
use origin::{FILE, Origin};

/// Whether what was true of predictions is among what cuts segments.
fn asks_outcomes(names: &[String]) -> bool {
    names.iter().any(|name| [OUTCOME, OUTCOME_VALUE].contains(&name.as_str()))
}

/// The rows of one side of a comparison.
#[derive(Debug, Clone)]
pub struct Population {
    /// What a person calls it: a file name, or a part of the store.
    pub source: String,
    /// What stands after FROM.
    from: Origin,
    /// The same without what was true of them, where that has to be joined: for statements that do not ask.
    plain: Option<Origin>,
    /// Which predictions its rows are, where they are joined with outcomes.
    outcomes_of: Option<Labelled>,
    /// Its columns, in the order of the file or by name.
    pub columns: Vec<PopulationColumn>,
    /// What is told of each prediction beside its features and tags, which may have the same names: see [`Population::role`].
    told: Vec<PopulationColumn>,
    /// The file is empty, so that not even its columns are known.
    pub without_columns: bool,
    /// What tells one row from another, and is the same whenever the population is read: samples are drawn by it.
    row: Sql,
    /// Expressions by which rows can be cut into segments beside the columns: name → SQL.
    extra_segments: Vec<(String, String)>,
}

/// What tells one prediction from another.
const EVENT_ID: &str = "event_id";
/// When a prediction was, and when it came in.
const EVENT_TIMES: [&str; 2] = ["ts", "ingested_at"];

/// The number of a row of a file that was parsed into a table.
const STAGED_ROW: &str = "row";

/// What the column at this place of such a file is called in the table.
fn staged(place: usize) -> String {
    format!("c{place}")
}

/// Numbers as whole ones: nullable Int64, null where one is infinite, NaN or too large.
pub(crate) fn whole(number: &str) -> String {
    format!("accurateCastOrNull(floor({number}), 'Int64')")
}

/// One column of a population.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PopulationColumn {
    /// Its name.
    pub name: String,
    /// What it holds, and how to read it.
    pub storage: Storage,
}

/// What a column holds, with the SQL that yields its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// Numbers.
    Number(Sql),
    /// Strings and booleans.
    Text(Sql),
    /// Text of a CSV file, whose values decide.
    Undecided(Sql),
    /// Vectors of numbers: arrays, empty where missing.
    Vector(Sql),
    /// Lists of numbers, which are vectors only where someone says so.
    List {
        /// The arrays.
        sql: Sql,
        /// ClickHouse's name of the type.
        type_name: String,
    },
    /// Nothing but missing values.
    Nothing,
    /// A type that is not compared, by ClickHouse's name.
    Unsupported(String),
}

/// An expression of ours in ClickHouse's SQL: it yields a nullable value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sql(pub(crate) String);

impl Sql {
    /// An expression that yields nothing, for what is known of a column without its rows.
    #[must_use]
    pub fn nothing() -> Self {
        Self("NULL".to_owned())
    }
}

impl Storage {
    /// The expression of the values as nullable Float64, NaN counted as missing.
    #[must_use]
    pub fn as_number(&self) -> Sql {
        match self {
            Self::Number(Sql(sql)) => Sql(format!("(if(isNaN(toFloat64({sql})), NULL, toFloat64({sql})))")),
            Self::Undecided(Sql(sql)) => {
                Sql(format!("(if(isNaN(toFloat64OrNull({sql})), NULL, toFloat64OrNull({sql})))"))
            }
            Self::Text(_) | Self::Vector(_) | Self::List { .. } | Self::Nothing | Self::Unsupported(_) => {
                Sql("CAST(NULL, 'Nullable(Float64)')".to_owned())
            }
        }
    }

    /// The expression of the values as nullable String, NaN counted as missing.
    #[must_use]
    pub fn as_text(&self) -> Sql {
        match self {
            Self::Number(Sql(sql)) => {
                Sql(format!("CAST(if(isNaN(toFloat64({sql})), NULL, toString({sql})), 'Nullable(String)')"))
            }
            Self::Text(Sql(sql)) | Self::Undecided(Sql(sql)) => {
                Sql(format!("CAST(toString({sql}), 'Nullable(String)')"))
            }
            Self::Vector(_) | Self::List { .. } | Self::Nothing | Self::Unsupported(_) => {
                Sql("CAST(NULL, 'Nullable(String)')".to_owned())
            }
        }
    }

    /// The same values read as vectors: lists of numbers, and text that writes them as JSON arrays; `None` where they are neither.
    #[must_use]
    pub fn as_vector(&self) -> Option<Self> {
        let sql = match self {
            Self::Vector(Sql(sql)) | Self::List { sql: Sql(sql), .. } => sql.clone(),
            Self::Text(Sql(sql)) | Self::Undecided(Sql(sql)) => {
                format!("JSONExtract(ifNull(toString({sql}), ''), 'Array(Nullable(Float64))')")
            }
            Self::Nothing => "emptyArrayFloat32()".to_owned(),
            Self::Number(_) | Self::Unsupported(_) => return None,
        };
        Some(Self::Vector(Sql(sql)))
    }
}

impl Population {
    /// What stands after FROM in a statement that may read any column.
    pub(crate) fn from(&self) -> String {
        self.from.read(&[], &[])
    }

    /// What stands after FROM in a statement that reads these columns only.
    pub(crate) fn reading(&self, names: &[String]) -> String {
        let columns: Vec<&PopulationColumn> =
            self.columns.iter().filter(|column| names.contains(&column.name)).collect();
        self.from.read(&columns, &[])
    }

    /// What stands after FROM in a statement that reads these columns of a file, where the `complete` ones have a value in every row: the
    /// engine fails where one has none, as long as it may not put a default in its place (`input_format_null_as_default`). `None` where
    /// rows are in no file that is read in place.
    pub(crate) fn reading_complete(&self, complete: &[&str], others: &[&str]) -> Option<String> {
        self.from.read_complete(complete, others)
    }

    /// The type of the values of a column of a file that is read in place, by ClickHouse's name; `None` of all others.
    pub(crate) fn type_of(&self, name: &str) -> Option<&str> {
        self.from.type_of(name)
    }

    /// Whether a column of a file that is read in place may hold NaN.
    pub(crate) fn may_be_nan(&self, name: &str) -> bool {
        self.type_of(name).is_some_and(|type_name| type_name.contains("Float"))
    }

    /// What stands after FROM in a statement about the footer of the Parquet file that the rows are in; `None` where they are in none.
    pub(crate) fn footer(&self) -> Option<String> {
        self.from.footer()
    }

    /// What stands after FROM in a statement that cuts segments and reads nothing else. Events that were sent twice may be there twice.
    pub(crate) fn segments_from(&self, names: &[String]) -> String {
        let plain = self.plain.as_ref().filter(|_| !asks_outcomes(names));
        plain.unwrap_or(&self.from).read(&[], names)
    }

    /// What stands after FROM in a statement that counts the rows of segments and reads nothing else: each as often as the population has it.
    pub(crate) fn counted_from(&self, names: &[String]) -> String {
        match self.outcomes_of.as_ref().filter(|_| !asks_outcomes(names)) {
            Some(labelled) => labelled.predictions(),
            None => self.from.read(&[], names),
        }
    }

    /// What tells one row from another.
    pub(crate) fn row_expression(&self) -> &str {
        &self.row.0
    }

    /// Rows that a statement of this crate yields.
    pub(crate) fn of_sql(source: String, from: String, columns: Vec<PopulationColumn>) -> Self {
        let row = Sql("0".to_owned());
        let from = Origin::Table(from);
        Self {
            source,
            from,
            plain: None,
            outcomes_of: None,
            columns,
            told: Vec::new(),
            without_columns: false,
            row,
            extra_segments: Vec::new(),
        }
    }

    /// Whether rows are predictions of the store, whose features may be absent; else they are of a file.
    #[must_use]
    pub fn is_events(&self) -> bool {
        self.row.0 == EVENT_ID
    }

    /// Whether rows are predictions of the store, with what turned out to be true of them.
    #[must_use]
    pub fn has_outcomes(&self) -> bool {
        self.outcomes_of.is_some()
    }

    /// Whether rows are in a file that is read in place: its columns lie apart, and no rows come while it is read.
    #[must_use]
    pub fn is_in_file(&self) -> bool {
        matches!(self.from, Origin::File { .. })
    }

    /// The column of this name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&PopulationColumn> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The expression of a column that says when: dates, times, text or numbers of microseconds; nullable Int64, microseconds since
    /// 1970 UTC. `None` where it is none of these.
    #[must_use]
    pub fn micros(&self, name: &str) -> Option<Sql> {
        let of_instant = |sql: &str| Sql(format!("toUnixTimestamp64Micro(toDateTime64({sql}, 6, 'UTC'))"));
        if self.is_events() && EVENT_TIMES.contains(&name) {
            return Some(of_instant(name));
        }
        match &self.role(name)?.storage {
            Storage::Text(Sql(sql)) => {
                let parsed = format!("parseDateTime64BestEffortOrNull(toString({sql}), 6, 'UTC')");
                Some(Sql(format!("toUnixTimestamp64Micro({parsed})")))
            }
            // Whole numbers in text are microseconds; the parser would take them for seconds.
            Storage::Undecided(Sql(sql)) => {
                let parsed = format!("parseDateTime64BestEffortOrNull({sql}, 6, 'UTC')");
                Some(Sql(format!("ifNull(toInt64OrNull({sql}), toUnixTimestamp64Micro({parsed}))")))
            }
            Storage::Number(Sql(sql)) => Some(Sql(whole(sql))),
            Storage::Nothing => Some(Sql("CAST(NULL, 'Nullable(Int64)')".to_owned())),
            Storage::Unsupported(type_name) if type_name.starts_with("Date") => {
                Some(of_instant(&self.instant(name)))
            }
            Storage::Vector(_) | Storage::List { .. } | Storage::Unsupported(_) => None,
        }
    }

    /// The expression of a column of dates or times: by more than its name, which a statement may have given to something else.
    pub(crate) fn instant(&self, name: &str) -> String {
        let place = || self.columns.iter().position(|column| column.name == name);
        match &self.from {
            Origin::File { .. } => format!("{FILE}.{}", quote_identifier(name)),
            Origin::Table(_) => match place().filter(|_| self.row.0 == STAGED_ROW) {
                Some(place) => staged(place),
                None => quote_identifier(name),
            },
        }
    }

    /// Lets rows be cut by these names also where no row has a value of that name: all of them lack it then.
    ///
    /// For windows that come one after the other, of which one may be without a tag or an arm that others have.
    pub fn allow_absent(&mut self, names: &[String]) {
        for name in names {
            if self.column(name).is_none() && self.segment_expression(name).is_none() {
                self.extra_segments.push((name.clone(), "CAST(NULL, 'Nullable(String)')".to_owned()));
            }
        }
    }

    /// The names by which rows can be cut into segments, in order.
    #[must_use]
    pub fn segment_names(&self) -> Vec<String> {
        let columns = self.columns.iter().map(|column| &column.name);
        let names = columns.chain(self.extra_segments.iter().map(|(name, _)| name));
        let mut names: Vec<String> =
            names.filter(|name| self.segment_expression(name).is_some()).cloned().collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The expression of the segment that `name` cuts: a column, or for predictions a tag, the version, the environment.
    #[must_use]
    pub fn segment_expression(&self, name: &str) -> Option<Sql> {
        match self.column(name) {
            Some(PopulationColumn {
                storage: Storage::Unsupported(_) | Storage::Vector(_) | Storage::List { .. },
                ..
            }) => None,
            Some(column) => Some(column.storage.as_text()),
            None => {
                let (_, sql) = self.extra_segments.iter().find(|(extra, _)| extra == name)?;
                Some(Sql(sql.clone()))
            }
        }
    }
}

/// How a ClickHouse type is compared.
fn storage_of(type_name: &str, sql: String) -> Storage {
    let mut inner = type_name;
    for wrapper in ["LowCardinality(", "Nullable("] {
        inner = inner.strip_prefix(wrapper).and_then(|rest| rest.strip_suffix(')')).unwrap_or(inner);
    }
    let starts = |names: &[&str]| names.iter().any(|name| inner.starts_with(name));
    if inner == "Nothing" {
        Storage::Nothing
    } else if inner == "Bool" || starts(&["String", "FixedString", "Enum", "UUID"]) {
        Storage::Text(Sql(sql))
    } else if starts(&["Int", "UInt", "Float", "BFloat", "Decimal"]) && !inner.starts_with("Interval") {
        Storage::Number(Sql(sql))
    } else if is_list_of_numbers(inner) {
        Storage::List { sql: Sql(sql), type_name: inner.to_owned() }
    } else {
        Storage::Unsupported(inner.to_owned())
    }
}

fn is_list_of_numbers(type_name: &str) -> bool {
    let element = type_name.strip_prefix("Array(").and_then(|rest| rest.strip_suffix(')'));
    element.is_some_and(|element| matches!(storage_of(element, String::new()), Storage::Number(_)))
}

#[cfg(test)]
mod tests {
    use super::{FILE, Origin, Population, PopulationColumn, STAGED_ROW, Sql, Storage, storage_of};

    #[test]
    fn a_column_of_times_is_read_by_more_than_its_name() {
        let column = |name: &str| {
            let storage = Storage::Unsupported("DateTime64(6, 'UTC')".to_owned());
            PopulationColumn { name: name.to_owned(), storage }
        };
        let columns = vec![column("place"), column("row")];
        let mut population = Population::of_sql("rows".to_owned(), "t".to_owned(), columns);
        assert_eq!(population.instant("row"), "`row`");
        population.row = Sql(STAGED_ROW.to_owned());
        assert_eq!(population.instant("row"), "c1");
        population.from =
            Origin::File { function: "file()".to_owned(), types: std::collections::BTreeMap::new() };
        assert_eq!(population.instant("row"), format!("{FILE}.`row`"));
    }

    #[test]
    fn rows_are_cut_by_what_none_of_them_has_where_that_is_allowed() {
        let vector = PopulationColumn { name: "v".to_owned(), storage: Storage::Vector(Sql("v".to_owned())) };
        let mut population = Population::of_sql("rows".to_owned(), "t".to_owned(), vec![vector]);
        population.extra_segments.push(("version".to_owned(), "toNullable(version)".to_owned()));
        let names = ["version", "region", "v"].map(str::to_owned);
        assert_eq!(population.segment_names(), ["version"], "a vector cuts nothing");
        population.allow_absent(&names);
        population.allow_absent(&names);
        let cut = |name| population.segment_expression(name).map(|Sql(sql)| sql);
        assert_eq!(cut("version").as_deref(), Some("toNullable(version)"));
        assert_eq!(cut("region").as_deref(), Some("CAST(NULL, 'Nullable(String)')"));
        assert_eq!(cut("v"), None, "a vector cuts nothing");
        assert_eq!(cut("colour"), None);
        assert_eq!(population.extra_segments.len(), 2);
    }

    #[test]
    fn types_are_numbers_text_or_unsupported() {
        for (name, expected) in [
            ("Nullable(Float64)", "number"),
            ("LowCardinality(Nullable(String))", "text"),
            ("Decimal(10, 2)", "number"),
            ("UInt8", "number"),
            ("Nullable(Bool)", "text"),
            ("Enum8('a' = 1)", "text"),
            ("Date32", "unsupported"),
            ("DateTime64(6, 'UTC')", "unsupported"),
            ("Nullable(Time)", "unsupported"),
            ("Array(Float32)", "list"),
            ("Array(Nullable(Int64))", "list"),
            ("Array(Array(Float32))", "unsupported"),
            ("Array(String)", "unsupported"),
            ("IntervalDay", "unsupported"),
            ("Nullable(Nothing)", "nothing"),
        ] {
            let found = match storage_of(name, "c".to_owned()) {
                Storage::Number(_) => "number",
                Storage::Text(_) => "text",
                Storage::Undecided(_) => "undecided",
                Storage::List { .. } => "list",
                Storage::Vector(_) => "vector",
                Storage::Nothing => "nothing",
                Storage::Unsupported(_) => "unsupported",
            };
            assert_eq!(found, expected, "{name}");
        }
    }
}
