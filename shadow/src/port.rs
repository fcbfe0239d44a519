//! An input or output as a model declares it.

use std::fmt;

use ort::value::{Outlet, TensorElementType, ValueType};

use crate::error::SessionError;
use crate::tensor::Element;

/// An input or output as a model declares it: name, element type, and shape with its open dimensions.
#[derive(Debug, Clone, PartialEq, Eq)]
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
            TensorElementType::Float32 => Element::F32,
            TensorElementType::Float64 => Element::F64,
            TensorElementType::Int32 => Element::I32,
            TensorElementType::Int64 => Element::I64,
            TensorElementType::Bool => Element::Bool,
            TensorElementType::String => Element::Text,
            _ => return Err(unsupported()),
        };
        let shape = shape.iter().map(|&extent| usize::try_from(extent).ok()).collect();
        Ok(Self { name: outlet.name().to_owned(), element, shape })
    }

    /// The shape that `rows` rows of `width` elements take here, or `None` if they do not fit.
    ///
    /// The first dimension counts rows. The others must multiply to `width`; one open dimension among them takes what
    /// the fixed ones leave.
    pub(crate) fn fit(&self, rows: usize, width: usize) -> Option<Vec<i64>> {
        let Some((first, rest)) = self.shape.split_first() else {
            return (rows == 1 && width == 1).then(Vec::new);
        };
        if first.is_some_and(|extent| extent != rows) {
            return None;
        }
        let fixed: usize = rest.iter().flatten().product();
        let open = rest.iter().filter(|extent| extent.is_none()).count();
        if fixed == 0 || !width.is_multiple_of(fixed) || (open == 0 && width != fixed) {
            return None;
        }
        // The first open dimension takes all that is left, the others are 1.
        let mut left = width / fixed;
        let mut extents = vec![i64::try_from(rows).ok()?];
        for extent in rest {
            let extent = extent.unwrap_or_else(|| std::mem::replace(&mut left, 1));
            extents.push(i64::try_from(extent).ok()?);
        }
        Some(extents)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(shape: &[Option<usize>], rows: usize, width: usize) -> Option<Vec<i64>> {
        Port { name: "x".to_owned(), element: Element::F32, shape: shape.to_vec() }.fit(rows, width)
    }

    #[test]
    fn rows_fill_the_first_dimension_and_the_width_the_others() {
        assert_eq!(fit(&[None, Some(1)], 5, 1), Some(vec![5, 1]));
        assert_eq!(fit(&[None], 5, 1), Some(vec![5]));
        assert_eq!(fit(&[None, Some(3), None], 5, 12), Some(vec![5, 3, 4]));
        assert_eq!(fit(&[None, None, None], 5, 12), Some(vec![5, 12, 1]));
        assert_eq!(fit(&[Some(1), Some(2)], 1, 2), Some(vec![1, 2]));
    }

    #[test]
    fn a_wrong_width_or_a_fixed_number_of_rows_does_not_fit() {
        assert_eq!(fit(&[None, Some(3)], 5, 1), None);
        assert_eq!(fit(&[None], 5, 2), None);
        assert_eq!(fit(&[None, Some(3), None], 5, 4), None);
        assert_eq!(fit(&[Some(1), Some(2)], 2, 2), None);
        assert_eq!(fit(&[], 2, 1), None);
    }

    #[test]
    fn a_port_reads_as_name_type_and_shape() {
        let port = Port { name: "hour".to_owned(), element: Element::F32, shape: vec![None, Some(1)] };
        assert_eq!(port.to_string(), "hour float32 [?, 1]");
    }
}
