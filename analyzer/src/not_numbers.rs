//! What a column holds that was to hold numbers, in the words of a refusal.

use windvane_store::populations::{Storage, WordRow};
use windvane_store::{ReadError, Reader, Statement};

/// The text that a statement finds among the values of a column; `None` where it finds none.
pub(crate) async fn text_in(reader: &Reader, statement: &Statement) -> Result<Option<String>, ReadError> {
    let rows: Vec<WordRow> = reader.rows(statement).await?;
    Ok(rows.first().map(|row| text(&row.word)))
}

/// Text, of which this is an example.
pub(crate) fn text(word: &str) -> String {
    format!("text, such as `{word}`")
}

/// What a column of another type than numbers and text holds.
pub(crate) fn by_type(storage: &Storage) -> Option<String> {
    match storage {
        Storage::Number(_) | Storage::Text(_) | Storage::Undecided(_) | Storage::Nothing => None,
        Storage::Vector(_) | Storage::List { .. } => Some("lists".to_owned()),
        Storage::Unsupported(type_name) => Some(format!("values of type {type_name}")),
    }
}
