//! What `--dry-run` tells: which column of each file becomes what, for people or for programs.

use comfy_table::{Table, presets};
use serde::Serialize;

use super::cell::Kind;
use super::mapping::{Mapping, Role};
use super::report::Format;
use super::source::Source;
use crate::exit::CommandResult;
use crate::output::{pretty, print};

/// The document of `--dry-run --format json`.
#[derive(Debug, Serialize)]
struct Document<'a> {
    schema: &'static str,
    files: Vec<FileMapping<'a>>,
}

#[derive(Debug, Serialize)]
struct FileMapping<'a> {
    file: String,
    columns: Vec<ColumnMapping<'a>>,
    /// What is made up or missing because no column has it.
    notes: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
struct ColumnMapping<'a> {
    column: &'a str,
    holds: Kind,
    /// The field of the event; null for a column that is left out.
    becomes: Option<String>,
    /// Why it is left out.
    reason: Option<&'static str>,
}

/// Prints which column becomes what.
pub fn print_mappings(files: &[(Source, Mapping)], format: Format) -> CommandResult {
    let files: Vec<FileMapping<'_>> = files.iter().map(|(source, mapping)| of(source, mapping)).collect();
    match format {
        Format::Table => print(&files.iter().map(table).collect::<String>()),
        Format::Json => {
            let document = Document { schema: "windvane.ingest_mapping/1", files };
            print(&pretty(&document)?)
        }
    }
}

fn of<'a>(source: &'a Source, mapping: &Mapping) -> FileMapping<'a> {
    let columns = source.columns().iter().zip(mapping.roles()).map(|(column, role)| {
        let (becomes, reason) = match role {
            Role::LeftOut(reason) => (None, Some(*reason)),
            role => (Some(role.field()), None),
        };
        ColumnMapping { column: &column.name, holds: column.kind, becomes, reason }
    });
    let mut notes = Vec::new();
    if !mapping.has(&Role::EventId) {
        notes.push("event_id: made from the file's hash and the row's number");
    }
    if !mapping.has(&Role::Ts) {
        notes.push("ts: none, so each prediction gets the time at which it arrives");
    }
    if ![Role::Score, Role::Label, Role::Value].iter().any(|role| mapping.has(role)) {
        notes.push("prediction: none, so only the features can be watched");
    }
    FileMapping { file: source.path().display().to_string(), columns: columns.collect(), notes }
}

fn table(file: &FileMapping<'_>) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY).set_header(["column", "holds", "becomes"]);
    for ColumnMapping { column, holds, becomes, reason } in &file.columns {
        let becomes = match (becomes, reason) {
            (Some(field), _) => field.clone(),
            (None, reason) => format!("- ({})", reason.unwrap_or_default()),
        };
        table.add_row([(*column).to_owned(), holds.word().to_owned(), becomes]);
    }
    let notes: String = file.notes.iter().map(|note| format!("{note}\n")).collect();
    format!("{}\n{table}\n{notes}", file.file)
}
