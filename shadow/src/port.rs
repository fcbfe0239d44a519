//! An input or output as a model declares it.

use std::fmt;

use ort::value::{Outlet, TensorElementType, ValueType};
use serde::{Deserialize, Serialize};

use crate::error::SessionError;
use crate::tensor::Element;

/// An input or output as a model declares it: name, element type, and shape with its open dimensions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// The name in the graph.
    pub name: String,
    /// The elements' type.
    pub element: Element,
    /// The extent of each dimension; `None` where the model leaves it open, as it does for the number of rows.
    pub shape: Vec<Option<usize>>,
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} [", self.name, self.element)?;
        for (i, extent) in self.shape.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            match extent {
                Some(extent) => write!(f, "{comma}{extent}")?,
                None => write!(f, "{comma}?")?,
            }
        }
        f.write_str("]")
    }
}

impl Port {
    pub(crate) fn read(outlet: &Outlet, model: &str) -> Result<Self, SessionError> {
        let unsupported = || SessionError::Unsupported {
            model: model.to_owned(),
            port: outlet.name().to_owned(),
            declared: outlet.dtype().to_string(),
        };
        let ValueType::Tensor { ty, shape, .. } = outlet.dtype() else { return Err(unsupported()) };
        let element = match ty {
            TensorElementType::Float16 => Element::F16,
            TensorElementType::Float32 => Element::F32,
            TensorElementType::Float64 => Element::F64,
            TensorElementType::Int8 => Element::I8,
            TensorElementType::Int16 => Element::I16,
            TensorElementType::Int32 => Element::I32,
            TensorElementType::Int64 => Element::I64,
            TensorElementType::Uint8 => Element::U8,
            TensorElementType::Uint16 => Element::U16,
            TensorElementType::Uint32 => Element::U32,
            TensorElementType::Uint64 => Element::U64,
            TensorElementType::Bool => Element::Bool,
            TensorElementType::String => Element::Text,
            _ => return Err(unsupported()),
        };
        let shape = shape.iter().map(|&extent| usize::try_from(extent).ok()).collect();
        Ok(Self { name: outlet.name().to_owned(), element, shape })
    }

    /// The shape that `rows` rows of tensors of `shape` take here, or `None` if they do not fit.
    ///
    /// The first declared dimension counts rows and the others are a row's tensor; a row that is one list of elements fills
    /// them, where one open dimension takes what the fixed ones leave. A tensor of one row that has all declared dimensions
    /// already, because the model has no axis of rows or the row was recorded with it, is taken as it is.
    pub(crate) fn fit(&self, rows: usize, shape: &[usize]) -> Option<Vec<i64>> {
        let whole = || (rows == 1 && takes(&self.shape, shape)).then(|| extents(shape))?;
        let Some((first, rest)) = self.shape.split_first() else {
            return (rows == 1 && shape.iter().product::<usize>() == 1).then(Vec::new);
        };
        if first.is_some_and(|extent| extent != rows) {
            return whole();
        }
        if takes(rest, shape) {
            return extents(&std::iter::once(rows).chain(shape.iter().copied()).collect::<Vec<_>>());
        }
        self.fill(rows, rest, shape).or_else(whole)
    }

    /// As [`Port::fit`] for rows that are plain lists of elements.
    fn fill(&self, rows: usize, rest: &[Option<usize>], shape: &[usize]) -> Option<Vec<i64>> {
        if shape.len() > 1 {
            return None;
        }
        let width: usize = shape.iter().product();
        let fixed: usize = rest.iter().flatten().product();
        let open = rest.iter().filter(|extent| extent.is_none()).count();
        if fixed == 0 || !width.is_multiple_of(fixed) || (open == 0 && width != fixed) {
            return None;
        }
        // The first open dimension takes all that is left, the others are 1.
        let mut left = width / fixed;
        let filled = rest.iter().map(|extent| extent.unwrap_or_else(|| std::mem::replace(&mut left, 1)));
        extents(&std::iter::once(rows).chain(filled).collect::<Vec<_>>())
    }

    /// Whether several rows of `shape` can go into one call.
    pub(crate) fn batches(&self, shape: &[usize]) -> bool {
        self.shape.first().is_some_and(Option::is_none) && self.fit(2, shape).is_some()
    }
}

/// Whether a tensor of `shape` is what is declared.
fn takes(declared: &[Option<usize>], shape: &[usize]) -> bool {
    declared.len() == shape.len() && declared.iter().zip(shape).all(|(d, s)| d.is_none_or(|d| d == *s))
}

fn extents(shape: &[usize]) -> Option<Vec<i64>> {
    shape.iter().map(|extent| i64::try_from(*extent).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(shape: &[Option<usize>], rows: usize, given: &[usize]) -> Option<Vec<i64>> {
        Port { name: "x".to_owned(), element: Element::F32, shape: shape.to_vec() }.fit(rows, given)
    }

    #[test]
    fn rows_fill_the_first_dimension_and_lists_the_others() {
        assert_eq!(fit(&[None, Some(1)], 5, &[1]), Some(vec![5, 1]));
        assert_eq!(fit(&[None, Some(1)], 5, &[]), Some(vec![5, 1]));
        assert_eq!(fit(&[None], 5, &[1]), Some(vec![5]));
        assert_eq!(fit(&[None], 5, &[]), Some(vec![5]));
        assert_eq!(fit(&[None, Some(3), None], 5, &[12]), Some(vec![5, 3, 4]));
        assert_eq!(fit(&[None, None, None], 5, &[12]), Some(vec![5, 12, 1]));
        assert_eq!(fit(&[Some(1), Some(2)], 1, &[2]), Some(vec![1, 2]));
    }

    #[test]
    fn tensors_keep_their_own_shape() {
        assert_eq!(fit(&[None, Some(3), None], 5, &[3, 4]), Some(vec![5, 3, 4]));
        assert_eq!(fit(&[None, Some(3), None], 5, &[4, 3]), None);
        assert_eq!(fit(&[None, Some(3), None], 5, &[2, 3]), None);
        assert_eq!(fit(&[Some(1), Some(3), Some(4)], 1, &[3, 4]), Some(vec![1, 3, 4]));
    }

    #[test]
    fn one_row_may_bring_all_dimensions() {
        assert_eq!(fit(&[Some(1), Some(3)], 1, &[1, 3]), Some(vec![1, 3]));
        assert_eq!(fit(&[Some(2), None, Some(128)], 1, &[2, 1, 128]), Some(vec![2, 1, 128]));
        assert_eq!(fit(&[None, None], 1, &[1, 576]), Some(vec![1, 576]));
        assert_eq!(fit(&[], 1, &[]), Some(vec![]));
        assert_eq!(fit(&[Some(2), None, Some(128)], 3, &[2, 1, 128]), None);
    }

    #[test]
    fn a_wrong_width_or_a_fixed_number_of_rows_does_not_fit() {
        assert_eq!(fit(&[None, Some(3)], 5, &[1]), None);
        assert_eq!(fit(&[None], 5, &[2]), None);
        assert_eq!(fit(&[None, Some(3), None], 5, &[4]), None);
        assert_eq!(fit(&[Some(1), Some(2)], 2, &[2]), None);
        assert_eq!(fit(&[], 2, &[1]), None);
    }

    #[test]
    fn rows_go_together_where_their_number_is_open() {
        let port = |shape: &[Option<usize>]| Port {
            name: "x".to_owned(),
            element: Element::F32,
            shape: shape.to_vec(),
        };
        assert!(port(&[None, Some(3)]).batches(&[3]));
        assert!(!port(&[Some(1), Some(3)]).batches(&[3]));
        assert!(!port(&[None, None]).batches(&[1, 576]));
        assert!(!port(&[]).batches(&[]));
    }

    #[test]
    fn a_port_reads_as_name_type_and_shape() {
        let port = Port { name: "hour".to_owned(), element: Element::F32, shape: vec![None, Some(1)] };
        assert_eq!(port.to_string(), "hour float32 [?, 1]");
    }
}
