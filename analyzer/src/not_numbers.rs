//! What a column holds that was to hold numbers, in the words of a refusal.

use windvane_store::populations::WordRow;
use windvane_store::{ReadError, Reader, Statement};

/// The text that a statement finds among the values of a column; `None` where it finds none.
pub(crate) async fn text_in(reader: &Reader, statement: &Statement) -> Result<Option<String>, ReadError> {
    let rows: Vec<WordRow> = reader.rows(statement).await?;
    Ok(rows.first().map(|row| format!("text, such as `{}`", row.word)))
}
