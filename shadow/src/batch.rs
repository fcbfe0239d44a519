//! Rows for a model: named columns of equal length, as recorded traffic holds them.

use crate::error::SessionError;
use crate::tensor::{Element, Values};

/// A named column: `width` elements a row.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) width: usize,
    pub(crate) values: Values,
}

impl Column {
    pub(crate) fn element(&self) -> Element {
        self.values.element()
    }
}

/// Rows for a model, column by column. Columns that a model does not take are left aside, so that one batch can feed two
/// models with different inputs.
#[derive(Debug, Clone)]
pub struct Batch {
    rows: usize,
    columns: Vec<Column>,
}

impl Batch {
    /// A batch of this many rows, without columns yet.
    pub fn new(rows: usize) -> Self {
        Self { rows, columns: Vec::new() }
    }

    /// Adds a column with the same number of elements in each row; a second column of one name replaces the first.
    ///
    /// # Errors
    /// [`SessionError::Ragged`] if the elements cannot be divided evenly among the rows.
    pub fn push(&mut self, name: impl Into<String>, values: Values) -> Result<(), SessionError> {
        let name = name.into();
        let width = values.len().checked_div(self.rows).unwrap_or(0);
        if width * self.rows != values.len() || (width == 0 && self.rows > 0) {
            return Err(SessionError::Ragged { column: name, elements: values.len(), rows: self.rows });
        }
        self.columns.retain(|c| c.name != name);
        self.columns.push(Column { name, width, values });
        Ok(())
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name == name)
    }

    /// What the batch holds, in words: `hour float32 [4000, 1], carrier string [4000, 1]`.
    pub(crate) fn describe(&self) -> String {
        if self.columns.is_empty() {
            return "no columns".to_owned();
        }
        let one = |c: &Column| format!("{} {} [{}, {}]", c.name, c.element(), self.rows, c.width);
        self.columns.iter().map(one).collect::<Vec<_>>().join(", ")
    }
}
