//! Tensors of the element types that recorded traffic can hold.

use std::fmt;
use std::ops::Range;

use half::f16;
use serde::{Deserialize, Serialize};

/// The type of a tensor's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Element {
    /// 16-bit float.
    F16,
    /// 32-bit float.
    F32,
    /// 64-bit float.
    F64,
    /// 8-bit signed integer.
    I8,
    /// 16-bit signed integer.
    I16,
    /// 32-bit signed integer.
    I32,
    /// 64-bit signed integer.
    I64,
    /// 8-bit unsigned integer.
    U8,
    /// 16-bit unsigned integer.
    U16,
    /// 32-bit unsigned integer.
    U32,
    /// 64-bit unsigned integer.
    U64,
    /// Boolean.
    Bool,
    /// UTF-8 text.
    Text,
}

impl Element {
    /// The name that errors and documents use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::F16 => "float16",
            Self::F32 => "float32",
            Self::F64 => "float64",
            Self::I8 => "int8",
            Self::I16 => "int16",
            Self::I32 => "int32",
            Self::I64 => "int64",
            Self::U8 => "uint8",
            Self::U16 => "uint16",
            Self::U32 => "uint32",
            Self::U64 => "uint64",
            Self::Bool => "bool",
            Self::Text => "string",
        }
    }

    /// Whether elements are floats, which are compared within a tolerance.
    pub fn is_float(self) -> bool {
        matches!(self, Self::F16 | Self::F32 | Self::F64)
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A tensor's elements, in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// 16-bit floats.
    F16(Vec<f16>),
    /// 32-bit floats.
    F32(Vec<f32>),
    /// 64-bit floats.
    F64(Vec<f64>),
    /// 8-bit signed integers.
    I8(Vec<i8>),
    /// 16-bit signed integers.
    I16(Vec<i16>),
    /// 32-bit signed integers.
    I32(Vec<i32>),
    /// 64-bit signed integers.
    I64(Vec<i64>),
    /// 8-bit unsigned integers.
    U8(Vec<u8>),
    /// 16-bit unsigned integers.
    U16(Vec<u16>),
    /// 32-bit unsigned integers.
    U32(Vec<u32>),
    /// 64-bit unsigned integers.
    U64(Vec<u64>),
    /// Booleans.
    Bool(Vec<bool>),
    /// Texts.
    Text(Vec<String>),
}

/// The same expression over the elements of every type.
macro_rules! on_values {
    ($values:expr, $elements:ident => $answer:expr) => {
        match $values {
            $crate::tensor::Values::F16($elements) => $answer,
            $crate::tensor::Values::F32($elements) => $answer,
            $crate::tensor::Values::F64($elements) => $answer,
            $crate::tensor::Values::I8($elements) => $answer,
            $crate::tensor::Values::I16($elements) => $answer,
            $crate::tensor::Values::I32($elements) => $answer,
            $crate::tensor::Values::I64($elements) => $answer,
            $crate::tensor::Values::U8($elements) => $answer,
            $crate::tensor::Values::U16($elements) => $answer,
            $crate::tensor::Values::U32($elements) => $answer,
            $crate::tensor::Values::U64($elements) => $answer,
            $crate::tensor::Values::Bool($elements) => $answer,
            $crate::tensor::Values::Text($elements) => $answer,
        }
    };
}
pub(crate) use on_values;

impl Values {
    /// The elements' type.
    pub fn element(&self) -> Element {
        match self {
            Self::F16(_) => Element::F16,
            Self::F32(_) => Element::F32,
            Self::F64(_) => Element::F64,
            Self::I8(_) => Element::I8,
            Self::I16(_) => Element::I16,
            Self::I32(_) => Element::I32,
            Self::I64(_) => Element::I64,
            Self::U8(_) => Element::U8,
            Self::U16(_) => Element::U16,
            Self::U32(_) => Element::U32,
            Self::U64(_) => Element::U64,
            Self::Bool(_) => Element::Bool,
            Self::Text(_) => Element::Text,
        }
    }

    /// So many zeros, or empty texts.
    pub(crate) fn zeros(element: Element, count: usize) -> Self {
        match element {
            Element::F16 => Self::F16(vec![f16::ZERO; count]),
            Element::F32 => Self::F32(vec![0.0; count]),
            Element::F64 => Self::F64(vec![0.0; count]),
            Element::I8 => Self::I8(vec![0; count]),
            Element::I16 => Self::I16(vec![0; count]),
            Element::I32 => Self::I32(vec![0; count]),
            Element::I64 => Self::I64(vec![0; count]),
            Element::U8 => Self::U8(vec![0; count]),
            Element::U16 => Self::U16(vec![0; count]),
            Element::U32 => Self::U32(vec![0; count]),
            Element::U64 => Self::U64(vec![0; count]),
            Element::Bool => Self::Bool(vec![false; count]),
            Element::Text => Self::Text(vec![String::new(); count]),
        }
    }

    /// How many elements.
    pub fn len(&self) -> usize {
        on_values!(self, v => v.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds the elements of another of the same type; false, and nothing is added, where it is of another.
    pub(crate) fn append(&mut self, other: &Self) -> bool {
        macro_rules! appended {
            ($($kind:ident),*) => {
                match (self, other) {
                    $((Self::$kind(all), Self::$kind(more)) => {
                        all.extend_from_slice(more);
                        true
                    })*
                    _ => false,
                }
            };
        }
        appended!(F16, F32, F64, I8, I16, I32, I64, U8, U16, U32, U64, Bool, Text)
    }

    /// Some of the elements.
    pub(crate) fn part(&self, range: Range<usize>) -> Self {
        macro_rules! taken {
            ($($kind:ident),*) => {
                match self {
                    $(Self::$kind(all) => Self::$kind(all[range].to_vec()),)*
                }
            };
        }
        taken!(F16, F32, F64, I8, I16, I32, I64, U8, U16, U32, U64, Bool, Text)
    }

    /// An element as a number: booleans are 0 and 1, texts are none. 64-bit integers lose digits above 2⁵³.
    pub fn number(&self, at: usize) -> Option<f64> {
        match self {
            Self::F16(v) => v.get(at).map(|x| f64::from(*x)),
            Self::F32(v) => v.get(at).map(|x| f64::from(*x)),
            Self::F64(v) => v.get(at).copied(),
            Self::I8(v) => v.get(at).map(|x| f64::from(*x)),
            Self::I16(v) => v.get(at).map(|x| f64::from(*x)),
            Self::I32(v) => v.get(at).map(|x| f64::from(*x)),
            Self::I64(v) => v.get(at).map(|x| *x as f64),
            Self::U8(v) => v.get(at).map(|x| f64::from(*x)),
            Self::U16(v) => v.get(at).map(|x| f64::from(*x)),
            Self::U32(v) => v.get(at).map(|x| f64::from(*x)),
            Self::U64(v) => v.get(at).map(|x| *x as f64),
            Self::Bool(v) => v.get(at).map(|x| f64::from(u8::from(*x))),
            Self::Text(_) => None,
        }
    }

    /// An element as a word: what a class label or a segment is called.
    pub fn word(&self, at: usize) -> Option<String> {
        match self {
            Self::Text(v) => v.get(at).cloned(),
            Self::Bool(v) => v.get(at).map(|x| x.to_string()),
            Self::I64(v) => v.get(at).map(|x| x.to_string()),
            Self::U64(v) => v.get(at).map(|x| x.to_string()),
            _ => self.number(at).map(|x| x.to_string()),
        }
    }
}

/// Elements with a shape: what a model answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    shape: Vec<usize>,
    values: Values,
}

impl Tensor {
    pub(crate) fn new(shape: Vec<usize>, values: Values) -> Self {
        debug_assert_eq!(shape.iter().product::<usize>(), values.len());
        Self { shape, values }
    }

    /// The extent of each dimension; empty for a scalar.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The elements, row-major.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// The elements as 32-bit floats, if they are.
    pub fn as_f32(&self) -> Option<&[f32]> {
        match &self.values {
            Values::F32(v) => Some(v),
            _ => None,
        }
    }

    /// The elements as texts, if they are.
    pub fn as_text(&self) -> Option<&[String]> {
        match &self.values {
            Values::Text(v) => Some(v),
            _ => None,
        }
    }
}

/// What a model answered: its outputs in the order in which it declares them.
#[derive(Debug, Clone, PartialEq)]
pub struct Outputs(pub(crate) Vec<(String, Tensor)>);

impl Outputs {
    /// The output of this name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, tensor)| tensor)
    }

    /// Names and tensors, in the order of the model.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.0.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }
}
