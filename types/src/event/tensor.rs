//! Tensors in the words of the Open Inference Protocol: name, datatype, shape, and data in row-major order.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};

use super::Text;
use super::decode::{nearest, shown};
use super::reader::{Optional, Reader};
use super::values::{KeySeed, TextSeed, check_len, check_unique};
use crate::rejection::{Code, Fault};

/// What the elements of a tensor are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Datatype {
    #[default]
    Bool,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    Int8,
    Int16,
    Int32,
    Int64,
    Fp16,
    Bf16,
    Fp32,
    Fp64,
    Bytes,
}

impl Datatype {
    const ALL: [(&'static str, Self); 14] = [
        ("BOOL", Self::Bool),
        ("UINT8", Self::Uint8),
        ("UINT16", Self::Uint16),
        ("UINT32", Self::Uint32),
        ("UINT64", Self::Uint64),
        ("INT8", Self::Int8),
        ("INT16", Self::Int16),
        ("INT32", Self::Int32),
        ("INT64", Self::Int64),
        ("FP16", Self::Fp16),
        ("BF16", Self::Bf16),
        ("FP32", Self::Fp32),
        ("FP64", Self::Fp64),
        ("BYTES", Self::Bytes),
    ];

    /// The word of the protocol.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, datatype)| *datatype == self).map_or("", |(word, _)| word)
    }

    /// The datatype of a word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == word).map(|(_, datatype)| *datatype)
    }

    /// The smallest and the largest integer that it holds; of floats, all.
    fn integers(self) -> Option<(i128, i128)> {
        Some(match self {
            Self::Bool => (0, 1),
            Self::Uint8 => (0, u8::MAX.into()),
            Self::Uint16 => (0, u16::MAX.into()),
            Self::Uint32 => (0, u32::MAX.into()),
            Self::Uint64 => (0, u64::MAX.into()),
            Self::Int8 => (i8::MIN.into(), i8::MAX.into()),
            Self::Int16 => (i16::MIN.into(), i16::MAX.into()),
            Self::Int32 => (i32::MIN.into(), i32::MAX.into()),
            Self::Int64 => (i64::MIN.into(), i64::MAX.into()),
            Self::Fp16 | Self::Bf16 | Self::Fp32 | Self::Fp64 => return None,
            Self::Bytes => return None,
        })
    }

    /// Whether it holds an element. Booleans may be written as 0 and 1, and floats as integers.
    fn holds(self, element: &Element<'_>) -> bool {
        match (self, element) {
            (Self::Bool, Element::Flag(_)) | (Self::Bytes, Element::Text(_)) => true,
            (Self::Fp16 | Self::Bf16 | Self::Fp32 | Self::Fp64, Element::Integer(_) | Element::Number(_)) => {
                true
            }
            (_, Element::Integer(n)) => self.integers().is_some_and(|(min, max)| (min..=max).contains(n)),
            _ => false,
        }
    }
}

/// What stands before the base64 of an element of BYTES that is no text, such as an image: JSON has no bytes, and this is how URLs write
/// them (RFC 2397).
pub const NO_TEXT: &str = "data:application/octet-stream;base64,";

/// One element of a tensor.
#[derive(Debug, Clone, PartialEq)]
pub enum Element<'a> {
    Flag(bool),
    Integer(i128),
    Number(f64),
    Text(Text<'a>),
}

impl Serialize for Element<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Integer(n) => match (i64::try_from(*n), u64::try_from(*n)) {
                (Ok(n), _) => serializer.serialize_i64(n),
                (_, Ok(n)) => serializer.serialize_u64(n),
                _ => serializer.serialize_i128(*n),
            },
            Self::Number(n) => serializer.serialize_f64(*n),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

/// One tensor, checked: it has as many elements as its shape says, each of its datatype.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tensor<'a> {
    /// Its name in the model's signature.
    pub name: Text<'a>,
    /// What its elements are.
    pub datatype: Datatype,
    /// Its dimensions; the first is the batch.
    pub shape: Vec<u64>,
    /// The elements in row-major order.
    pub data: Vec<Element<'a>>,
}

impl Serialize for Tensor<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut tensor = serializer.serialize_struct("Tensor", 4)?;
        tensor.serialize_field("name", &self.name)?;
        tensor.serialize_field("datatype", self.datatype.as_str())?;
        tensor.serialize_field("shape", &self.shape)?;
        tensor.serialize_field("data", &self.data)?;
        tensor.end()
    }
}

impl Tensor<'_> {
    /// Checks shape and datatype against the data.
    ///
    /// # Errors
    /// What does not fit together.
    pub fn check(&self) -> Result<(), Fault> {
        let name = shown(&self.name);
        let said = self.shape.iter().try_fold(1_u64, |product, n| product.checked_mul(*n));
        if said != Some(self.data.len() as u64) {
            let (shape, n) = (&self.shape, self.data.len());
            let message = format!(
                "the tensor `{name}` has the shape {shape:?} and {n} elements; accepted are as many elements as the \
                 dimensions' product"
            );
            return Err(Fault::new(Code::TensorInvalid, message));
        }
        if let Some(element) = self.data.iter().find(|element| !self.datatype.holds(element)) {
            let (datatype, found) =
                (self.datatype.as_str(), serde_json::to_string(element).unwrap_or_default());
            let message = format!(
                "the tensor `{name}` of {datatype} has the element {}; accepted are elements that {datatype} holds",
                shown(&found)
            );
            return Err(Fault::new(Code::TensorInvalid, message));
        }
        Ok(())
    }
}

/// Tensors of one payload; more is no signature of a model.
const TENSORS_MAX: usize = 256;

/// An array of tensors.
pub(super) struct TensorsSeed<'s, 'a> {
    pub(super) reader: &'s Reader<'s>,
    pub(super) into: &'s mut Vec<Tensor<'a>>,
}

impl<'a> DeserializeSeed<'a> for TensorsSeed<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'a> Visitor<'a> for TensorsSeed<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of tensors")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { reader, into } = self;
        while let Some(tensor) = seq.next_element_seed(TensorSeed(reader))? {
            tensor.check().map_err(|fault| reader.refuse(fault.code, fault.message))?;
            into.push(tensor);
            check_len(reader, into.len(), TENSORS_MAX)?;
        }
        check_unique(reader, into.iter().map(|tensor| tensor.name.as_ref()))
    }
}

struct TensorSeed<'s>(&'s Reader<'s>);

impl<'a> DeserializeSeed<'a> for TensorSeed<'_> {
    type Value = Tensor<'a>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Tensor<'a>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for TensorSeed<'_> {
    type Value = Tensor<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a tensor: an object with `name`, `datatype`, `shape` and `data`")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Tensor<'a>, A::Error> {
        let reader = self.0;
        let (mut name, mut datatype, mut shape, mut data) = (None, None, None, None);
        while let Some(key) = map.next_key_seed(KeySeed(reader))? {
            match key.as_ref() {
                "name" => name = Some(map.next_value_seed(KeySeed(reader))?),
                "datatype" => datatype = Some(map.next_value_seed(DatatypeSeed(reader))?),
                "shape" => shape = map.next_value_seed(Optional(ShapeSeed(reader)))?,
                "data" => {
                    let mut elements = Vec::new();
                    map.next_value_seed(DataSeed { reader, into: &mut elements, depth: 0 })?;
                    data = Some(elements);
                }
                // How a client packed the tensor is of no use later.
                "parameters" => drop(map.next_value::<IgnoredAny>()?),
                other => {
                    let near = nearest(other, &["name", "datatype", "shape", "data", "parameters"]);
                    let message = format!("a tensor has the unknown field `{}`; {near}", shown(other));
                    return Err(reader.refuse(Code::UnknownField, message));
                }
            }
        }
        let (Some(name), Some(datatype), Some(data)) = (name, datatype, data) else {
            let message = "a tensor lacks one of `name`, `datatype` and `data`; accepted are tensors that have them all";
            return Err(reader.refuse(Code::MissingField, message));
        };
        let shape = shape.unwrap_or_else(|| vec![data.len() as u64]);
        Ok(Tensor { name, datatype, shape, data })
    }
}

struct DatatypeSeed<'s>(&'s Reader<'s>);

impl<'a> DeserializeSeed<'a> for DatatypeSeed<'_> {
    type Value = Datatype;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Datatype, D::Error> {
        let word = TextSeed::new(self.0, self.0.limits().name_bytes_max).deserialize(deserializer)?;
        Datatype::from_word(&word).ok_or_else(|| {
            let words: Vec<&str> = Datatype::ALL.iter().map(|(word, _)| *word).collect();
            let message =
                format!("a tensor has the datatype `{}`; accepted are {}", shown(&word), words.join(", "));
            self.0.refuse(Code::TensorInvalid, message)
        })
    }
}

struct ShapeSeed<'s>(&'s Reader<'s>);

impl<'a> DeserializeSeed<'a> for ShapeSeed<'_> {
    type Value = Vec<u64>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Vec<u64>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'a> Visitor<'a> for ShapeSeed<'_> {
    type Value = Vec<u64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of dimensions, integers from 0")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<Vec<u64>, A::Error> {
        let max = self.0.limits().nesting_max;
        let mut shape = Vec::new();
        while let Some(dimension) = seq.next_element()? {
            if shape.len() == max {
                let message = format!(
                    "the `shape` of a tensor has more than {max} dimensions; accepted are up to {max}"
                );
                return Err(self.0.refuse(Code::TooManyEntries, message));
            }
            shape.push(dimension);
        }
        Ok(shape)
    }
}

/// Elements, flat or nested by dimension; nesting is taken apart.
struct DataSeed<'s, 'a> {
    reader: &'s Reader<'s>,
    into: &'s mut Vec<Element<'a>>,
    depth: usize,
}

impl<'a> DeserializeSeed<'a> for DataSeed<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> DataSeed<'_, 'a> {
    fn push<X: Error>(self, element: Element<'a>) -> Result<(), X> {
        if self.depth == 0 {
            let message = "the `data` of a tensor is no array; accepted is an array of elements";
            return Err(self.reader.refuse(Code::TensorInvalid, message));
        }
        self.into.push(element);
        Ok(())
    }
}

impl<'a> Visitor<'a> for DataSeed<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of numbers, strings, booleans or, among floats, nulls")
    }

    fn visit_bool<X: Error>(self, flag: bool) -> Result<(), X> {
        self.push(Element::Flag(flag))
    }

    fn visit_i64<X: Error>(self, n: i64) -> Result<(), X> {
        self.push(Element::Integer(n.into()))
    }

    fn visit_u64<X: Error>(self, n: u64) -> Result<(), X> {
        self.push(Element::Integer(n.into()))
    }

    fn visit_f64<X: Error>(self, n: f64) -> Result<(), X> {
        self.push(Element::Number(n))
    }

    /// JSON has no NaN; clients write `null` for it, and so does the row. Only floats hold it.
    fn visit_unit<X: Error>(self) -> Result<(), X> {
        self.push(Element::Number(f64::NAN))
    }

    fn visit_borrowed_str<X: Error>(self, text: &'a str) -> Result<(), X> {
        self.push(Element::Text(Cow::Borrowed(text)))
    }

    fn visit_str<X: Error>(self, text: &str) -> Result<(), X> {
        self.push(Element::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { reader, into, depth } = self;
        let max = reader.limits().nesting_max;
        if depth == max {
            let message =
                format!("the `data` of a tensor is nested too deep; accepted are up to {max} dimensions");
            return Err(reader.refuse(Code::TensorInvalid, message));
        }
        while seq.next_element_seed(DataSeed { reader, into: &mut *into, depth: depth + 1 })?.is_some() {}
        Ok(())
    }
}
