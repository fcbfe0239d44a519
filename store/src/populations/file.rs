//! A population out of one file.
//!
//! Parquet is read in place, column by column. The other formats can only be read whole, so they are parsed once into a
//! table of the command's own engine. CSV carries no types: its fields are kept as text and their values decide.

mod unclosed;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{
    Origin, Population, PopulationColumn, STAGED_ROW, Sql, Storage, origin::FILE, quote, quote_identifier,
    staged as staged_column, storage_of,
};
use crate::{
    LocalEngine, Statement,
    local::{FileFormat, LocalError},
};

/// CSV fields that mean a missing value; an empty field is one too.
const MISSING_WORDS: [&str; 5] = ["", "NA", "NaN", "nan", "NAN"];

/// Rows from which the types of NDJSON are taken; a later row of another type is an error that names it.
const INFERENCE: &str = "input_format_max_rows_to_read_for_schema_inference = 1000000, \
     input_format_max_bytes_to_read_for_schema_inference = 268435456, input_format_try_infer_integers = 0, \
     input_format_json_read_numbers_as_strings = 1, input_format_json_infer_incomplete_types_as_strings = 1";

/// The number of a row of a file that is staged; those of one reading are in the order of the file where that is [`IN_ORDER`].
const ROW: &str = "rowNumberInAllBlocks() AS row";

/// Keeps what was parsed in the order of the file: the engine parses a long text in pieces and hands them to several threads, of which
/// a later one may be the first to number its rows.
const IN_ORDER: &str = "parallelize_output_from_storages = 0";

/// ClickHouse's code for what [`is_utf8`] throws.
const THROWN: i32 = 395;

/// Columns up to which their text is looked at: a statement has 50,000 elements at most, of which a column takes 16 with this. Beyond, bytes
/// that are no text are shown as U+FFFD.
const LOOKED_AT_MAX: usize = 2_000;

/// Characters of a column's name that an error shows, of its first line: what follows a quote may be the whole file.
const NAME_CHARACTERS: usize = 60;

/// Why a file gives no population.
#[derive(Debug, thiserror::Error)]
pub enum PopulationError {
    /// It cannot be opened or read.
    #[error("cannot read `{}`", path.display())]
    File {
        /// The file as the command named it.
        path: PathBuf,
        /// What the file system says.
        source: io::Error,
    },
    /// Neither its first bytes nor its name say what it is.
    #[error("cannot tell the format of `{}`: its name should end in .parquet, .arrow, .csv or .ndjson", path.display())]
    UnknownFormat {
        /// The file as the command named it.
        path: PathBuf,
    },
    /// Its name promises a format that its first bytes are not.
    #[error("`{}` is no {expected} file", path.display())]
    NotThatFormat {
        /// The file as the command named it.
        path: PathBuf,
        /// The format of its name.
        expected: &'static str,
    },
    /// It is text in another encoding.
    #[error("the text of `{}` is not UTF-8: convert it first, as `iconv -f {encoding} -t UTF-8` does", path.display())]
    NotUtf8 {
        /// The file as the command named it.
        path: PathBuf,
        /// The encoding that it is in, or is likely to be.
        encoding: &'static str,
    },
    /// A quote of a CSV file is opened and never closed.
    #[error("`{}` ends within a quoted value that begins in {place}, column `{column}`: its quote is never closed", path.display())]
    UnclosedQuote {
        /// The file as the command named it.
        path: PathBuf,
        /// The row of the value, from 1 after the header, or the header.
        place: String,
        /// Its column.
        column: String,
    },
    /// Two columns have one name.
    #[error("`{}` has the column `{column}` twice", path.display())]
    RepeatedColumn {
        /// The file as the command named it.
        path: PathBuf,
        /// The column's name.
        column: String,
    },
    /// The engine cannot read it.
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        /// The file as the command named it.
        path: PathBuf,
        /// What the engine says.
        source: LocalError,
    },
}

/// Opens a file as a population; `table` is a name that no other population of this engine has. It blocks.
///
/// # Errors
/// When the file is missing, is of no known format, or cannot be parsed.
pub fn open_file(engine: &LocalEngine, path: &Path, table: &str) -> Result<Population, PopulationError> {
    let format = detect(path)?;
    let source = path.display().to_string();
    let Some(format) = format else {
        return Ok(Population {
            source,
            from: Origin::Table("(SELECT 1 WHERE 0)".to_owned()),
            plain: None,
            outcomes_of: None,
            columns: Vec::new(),
            told: Vec::new(),
            without_columns: true,
            row: Sql("0".to_owned()),
            extra_segments: Vec::new(),
        });
    };
    let unreadable = |source| unreadable(path, source);
    let (from, columns) = match format {
        FileFormat::Parquet => in_place(engine, path, format).map_err(unreadable)?,
        FileFormat::Csv => whole_csv(engine, path, table)?,
        FileFormat::Arrow | FileFormat::ArrowStream | FileFormat::Ndjson => {
            staged(engine, (path, format), table).map_err(unreadable)?
        }
    };
    for (i, column) in columns.iter().enumerate() {
        if columns[..i].iter().any(|earlier| earlier.name == column.name) {
            return Err(PopulationError::RepeatedColumn {
                path: path.to_owned(),
                column: column.name.clone(),
            });
        }
    }
    // Parquet is read in place, where the engine numbers the rows; staged tables carry their numbers.
    let row = Sql(if format == FileFormat::Parquet { "_row_number" } else { STAGED_ROW }.to_owned());
    Ok(Population {
        source,
        from,
        plain: None,
        outcomes_of: None,
        columns,
        told: Vec::new(),
        without_columns: false,
        row,
        extra_segments: Vec::new(),
    })
}

/// What the engine cannot read.
fn unreadable(path: &Path, source: LocalError) -> PopulationError {
    match source.code() {
        Some(THROWN) => PopulationError::NotUtf8 { path: path.to_owned(), encoding: "WINDOWS-1252" },
        _ => PopulationError::Unreadable { path: path.to_owned(), source },
    }
}

/// A CSV file whose last quote is closed. Its end is read beside the engine: that of a compressed file is known once all of it is unpacked.
fn whole_csv(
    engine: &LocalEngine,
    path: &Path,
    table: &str,
) -> Result<(Origin, Vec<PopulationColumn>), PopulationError> {
    let (staged, end) = std::thread::scope(|scope| {
        let end = scope.spawn(|| unclosed::end(path));
        (staged_csv(engine, path, table), end.join())
    });
    let (from, columns) = staged.map_err(|source| unreadable(path, source))?;
    let end = end.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    let end = end.map_err(|source| PopulationError::File { path: path.to_owned(), source })?;
    let open = match columns.last() {
        Some(PopulationColumn { name, storage: Storage::Undecided(Sql(last)) }) => {
            let table = from.read(&[], &[]);
            let place = unclosed::place(engine, &end, (table.as_str(), last.as_str()), name);
            place.map_err(|source| unreadable(path, source))?.map(|place| (place, name))
        }
        _ => None,
    };
    if let Some((place, name)) = open {
        let column = name.lines().next().unwrap_or_default().chars().take(NAME_CHARACTERS).collect();
        return Err(PopulationError::UnclosedQuote { path: path.to_owned(), place, column });
    }
    Ok((from, columns))
}

/// The format by the first bytes, else by the name; `None` for an empty file of a text format.
fn detect(path: &Path) -> Result<Option<FileFormat>, PopulationError> {
    let failed = |source| PopulationError::File { path: path.to_owned(), source };
    let mut head = Vec::new();
    File::open(path).and_then(|file| file.take(8).read_to_end(&mut head)).map_err(failed)?;
    let named = FileFormat::of_path(path);
    let magic = match head.as_slice() {
        [b'P', b'A', b'R', b'1', ..] => Some(FileFormat::Parquet),
        [b'A', b'R', b'R', b'O', b'W', b'1', ..] => Some(FileFormat::Arrow),
        [0xff, 0xff, 0xff, 0xff, ..] => Some(FileFormat::ArrowStream),
        _ => None,
    };
    match (magic, named) {
        (Some(format), _) => Ok(Some(format)),
        (None, Some(FileFormat::Parquet)) => {
            Err(PopulationError::NotThatFormat { path: path.to_owned(), expected: "Parquet" })
        }
        (None, Some(FileFormat::Arrow | FileFormat::ArrowStream)) => {
            Err(PopulationError::NotThatFormat { path: path.to_owned(), expected: "Arrow" })
        }
        (None, Some(_)) if head.is_empty() => Ok(None),
        (None, Some(format @ (FileFormat::Csv | FileFormat::Ndjson))) => match utf16(&head) {
            Some(encoding) => Err(PopulationError::NotUtf8 { path: path.to_owned(), encoding }),
            None => Ok(Some(format)),
        },
        (None, None) if head.first() == Some(&b'{') => Ok(Some(FileFormat::Ndjson)),
        (None, None) => Err(PopulationError::UnknownFormat { path: path.to_owned() }),
    }
}

/// What `iconv` calls the UTF-16 that a file begins with: by its mark, else by the empty halves of plain letters.
fn utf16(head: &[u8]) -> Option<&'static str> {
    match head {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("UTF-16"),
        [1..=255, 0, 1..=255, 0, ..] => Some("UTF-16LE"),
        [0, 1..=255, 0, 1..=255, ..] => Some("UTF-16BE"),
        _ => None,
    }
}

/// A condition that ends the reading where one of these texts is not UTF-8: no document could hold what is in it.
fn is_utf8(texts: &[String]) -> String {
    let each: Vec<String> = texts.iter().map(|text| format!("isValidUTF8(ifNull({text}, ''))")).collect();
    match each.as_slice() {
        [] => "1".to_owned(),
        each if each.len() > LOOKED_AT_MAX => "1".to_owned(),
        each => format!("NOT throwIf(NOT ({}), 'not UTF-8')", each.join(" AND ")),
    }
}

#[derive(Debug, Deserialize)]
struct Described {
    name: String,
    r#type: String,
}

/// The columns that have a name. The engine leaves one without a name out itself, but not where it remembers the columns of a file.
fn describe(engine: &LocalEngine, source: &str, settings: &str) -> Result<Vec<Described>, LocalError> {
    let mut columns: Vec<Described> = engine.rows(&format!("DESCRIBE TABLE {source} SETTINGS {settings}"))?;
    columns.retain(|column| !column.name.is_empty());
    Ok(columns)
}

fn in_place(
    engine: &LocalEngine,
    path: &Path,
    format: FileFormat,
) -> Result<(Origin, Vec<PopulationColumn>), LocalError> {
    let source = engine.source(path, format)?;
    let mut types = BTreeMap::new();
    let columns = describe(engine, &source, INFERENCE)?
        .into_iter()
        .map(|column| {
            types.insert(column.name.clone(), column.r#type.clone());
            let storage = storage_of(&column.r#type, format!("{FILE}.{}", quote_identifier(&column.name)));
            PopulationColumn { name: column.name, storage }
        })
        .collect();
    // A footer that reads well may stand behind pages that do not; counting alone would not touch them.
    Ok((Origin::File { function: source, types }, columns))
}

fn staged(
    engine: &LocalEngine,
    (path, format): (&Path, FileFormat),
    table: &str,
) -> Result<(Origin, Vec<PopulationColumn>), LocalError> {
    let source = engine.source(path, format)?;
    let mut columns = Vec::new();
    let mut selected = Vec::new();
    let mut texts = Vec::new();
    for (i, column) in describe(engine, &source, INFERENCE)?.into_iter().enumerate() {
        // The engine answers so in place of bytes that are no character, and finds no column by it.
        let storage = match column.name.contains(char::REPLACEMENT_CHARACTER) {
            true => Storage::Unsupported("a column with a name that is not UTF-8".to_owned()),
            false => storage_of(&column.r#type, staged_column(i)),
        };
        // Arrow tells text from bytes, which may be anything; here both are String.
        if format == FileFormat::Ndjson
            && matches!(storage, Storage::Text(_))
            && column.r#type.contains("String")
        {
            texts.push(format!("{FILE}.{}", quote_identifier(&column.name)));
        }
        let is_read = match &storage {
            Storage::Number(_) | Storage::Text(_) | Storage::List { .. } => true,
            // Times are not compared, but they say when.
            Storage::Unsupported(type_name) => type_name.starts_with("Date"),
            _ => false,
        };
        if is_read {
            selected.push(format!("{FILE}.{} AS {}", quote_identifier(&column.name), staged_column(i)));
        }
        columns.push(PopulationColumn { name: column.name, storage });
    }
    selected.push(ROW.to_owned());
    // Without the name of the file a column `c1` would be what is selected as `c1`.
    let select = format!(
        "SELECT {} FROM {source} AS {FILE} WHERE {} SETTINGS {INFERENCE}, {IN_ORDER}",
        selected.join(", "),
        is_utf8(&texts)
    );
    stage(engine, table, &select).map(|from| (Origin::Table(from), columns))
}

fn staged_csv(
    engine: &LocalEngine,
    path: &Path,
    table: &str,
) -> Result<(Origin, Vec<PopulationColumn>), LocalError> {
    let source = engine.source(path, FileFormat::Csv)?;
    let headless = source.replace("'CSVWithNames')", "'CSV')");
    let width = describe(engine, &headless, "input_format_max_rows_to_read_for_schema_inference = 1")?.len();
    let structure: Vec<String> = (0..width).map(|i| format!("c{i} Nullable(String)")).collect();
    let with_structure = |format: &str| {
        source.replace("'CSVWithNames')", &format!("'{format}', {})", quote(&structure.join(", "))))
    };
    let texts: Vec<String> = (0..width).map(|i| format!("c{i}")).collect();
    let utf8 = is_utf8(&texts);
    // A header that reads `c0,c1,…` is still the first row, though it names the columns of the structure.
    let header = engine.text(&format!(
        "SELECT * FROM {} WHERE {utf8} LIMIT 1 SETTINGS max_threads = 1, input_format_parallel_parsing = 0, \
         input_format_csv_detect_header = 0 FORMAT JSONCompactEachRow",
        with_structure("CSV")
    ))?;
    let mut names: Vec<Option<String>> =
        serde_json::from_str(header.trim()).map_err(|source| LocalError::Row { row: 0, source })?;
    if let Some(Some(first)) = names.first_mut() {
        *first = without_mark(first).to_owned();
    }
    let missing: Vec<String> = MISSING_WORDS.iter().map(|word| quote(word)).collect();
    let mut selected: Vec<String> =
        (0..width).map(|i| format!("if(c{i} IN ({}), NULL, c{i}) AS c{i}", missing.join(", "))).collect();
    selected.push(ROW.to_owned());
    let select = format!(
        "SELECT {} FROM {} WHERE {utf8} SETTINGS input_format_with_names_use_header = 0, {IN_ORDER}",
        selected.join(", "),
        with_structure("CSVWithNames")
    );
    let from = stage(engine, table, &select)?;
    let columns = names
        .into_iter()
        .enumerate()
        .map(|(i, name)| PopulationColumn {
            name: name.filter(|name| !name.is_empty()).unwrap_or_else(|| format!("column_{}", i + 1)),
            storage: Storage::Undecided(Sql(format!("c{i}"))),
        })
        .collect();
    Ok((Origin::Table(from), columns))
}

/// The first name of a header without the mark of UTF-8, which Excel writes; behind it the engine takes quotes for characters.
fn without_mark(name: &str) -> &str {
    let Some(name) = name.strip_prefix('\u{feff}') else { return name };
    name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(name)
}

/// Parses the file once, into a table of the command's engine.
fn stage(engine: &LocalEngine, table: &str, select: &str) -> Result<String, LocalError> {
    engine.execute(&Statement::new("CREATE DATABASE IF NOT EXISTS files"))?;
    let table = format!("files.{}", quote_identifier(table));
    engine.execute(&Statement::new(format!(
        "CREATE TABLE {table} ENGINE = MergeTree ORDER BY tuple() AS {select}"
    )))?;
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_in_utf16_is_refused_with_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.csv");
        let little: Vec<u8> = "age,city\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = "age,city\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
        let marked = [&[0xff, 0xfe][..], &little].concat();
        for (bytes, expected) in
            [(marked, "-f UTF-16 -t"), (little, "-f UTF-16LE -t"), (big, "-f UTF-16BE -t")]
        {
            std::fs::write(&path, bytes).unwrap();
            let told = detect(&path).unwrap_err().to_string();
            assert!(told.contains(expected), "{told}");
        }
        for text in ["a", "a,b", "age,city\n1,Ulm\n"] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(detect(&path).unwrap(), Some(FileFormat::Csv));
        }
    }
}
