//! Rows for a model: named columns of equal length, as recorded traffic holds them.

use crate::error::SessionError;
use crate::tensor::{Element, Values};

/// A named column: a tensor of one shape in each row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// The extents of one row's tensor, without the axis of rows.
    pub(crate) shape: Vec<usize>,
    /// Elements in a row: the product of `shape`.
    pub(crate) width: usize,
    pub(crate) values: Values,
}

impl Column {
    pub(crate) fn element(&self) -> Element {
        self.values.element()
    }

    /// `hour float32 [4000, 1]`.
    pub(crate) fn describe(&self, rows: usize) -> String {
        let extents: Vec<String> = std::iter::once(rows)
            .chain(self.shape.iter().copied())
            .map(|extent| extent.to_string())
            .collect();
        format!("{} {} [{}]", self.name, self.element(), extents.join(", "))
    }
}

/// Rows for a model, column by column. Columns that a model does not take are left aside, so that one batch can feed two
/// models with different inputs.
#[derive(Debug, Clone, PartialEq)]
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
        let width = values.len().checked_div(self.rows).unwrap_or(0);
        self.push_shaped(name, values, vec![width])
    }

    /// Adds a column whose every row is a tensor of `shape`.
    ///
    /// # Errors
    /// [`SessionError::Ragged`] if there are more or fewer elements than that takes, or rows without elements.
    pub fn push_shaped(
        &mut self,
        name: impl Into<String>,
        values: Values,
        shape: Vec<usize>,
    ) -> Result<(), SessionError> {
        let name = name.into();
        // Extents are read from requests: their product may be more than there are numbers.
        let width = shape.iter().try_fold(1_usize, |width, extent| width.checked_mul(*extent));
        let fits = |width: &usize| {
            width.checked_mul(self.rows) == Some(values.len()) && (*width > 0 || self.rows == 0)
        };
        let Some(width) = width.filter(fits) else {
            return Err(SessionError::Ragged { column: name, elements: values.len(), rows: self.rows });
        };
        self.columns.retain(|c| c.name != name);
        self.columns.push(Column { name, shape, width, values });
        Ok(())
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The elements of a column, and how many of them each row has.
    pub fn values(&self, name: &str) -> Option<(&Values, usize)> {
        self.column(name).map(|column| (&column.values, column.width))
    }

    /// The shape of one row of a column.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.column(name).map(|column| column.shape.as_slice())
    }

    pub(crate) fn columns(&self) -> &[Column] {
        &self.columns
    }

    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name == name)
    }

    /// What the batch holds, in words: `hour float32 [4000, 1], carrier string [4000, 1]`.
    pub(crate) fn describe(&self) -> String {
        if self.columns.is_empty() {
            return "no columns".to_owned();
        }
        self.columns.iter().map(|c| c.describe(self.rows)).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_has_as_many_elements_as_there_are() {
        for (shape, expected) in [
            (vec![1, 1], true),
            (vec![], true),
            (vec![2, 1], false),
            (vec![0, 1], false),
            // Multiplied without a look at overflow, this is one.
            (vec![usize::MAX, usize::MAX], false),
        ] {
            let taken = Batch::new(1).push_shaped("x", Values::F32(vec![1.0]), shape.clone());
            assert_eq!(taken.is_ok(), expected, "{shape:?}");
        }
    }
}
