//! The binary tensor data extension of the Open Inference Protocol: JSON, and behind it the data of each tensor whose parameters say
//! `binary_data_size`, in the order in which they stand. What is read becomes the JSON that the same body without the extension is.
//!
//! KServe's logger hands on the body as it is, and the length of its JSON only where it is told to log that header. JSON shows where it
//! ends; so the length is checked where it is known, and found where it is not.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use half::{bf16, f16};
use serde_json::{Deserializer, Map, Number, Value};
use windvane_types::event::{Datatype, NO_TEXT};
use windvane_types::rejection::{Code, Fault};

use super::event::{Side, no_json};

/// Elements of all binary tensors of a body: as many as the JSON of a payload has room for. Each takes more memory than its bytes.
const ELEMENTS_MAX: usize = 4 << 20;

/// A tensor's fields.
type Fields = Map<String, Value>;

/// Reads a body whose JSON has this length, where that is known.
pub(super) fn body(bytes: &[u8], length: Option<usize>, side: Side) -> Result<Value, Fault> {
    let (mut body, mut rest) = match length {
        Some(length) => split(bytes, length)?,
        None => split_by_json(bytes)?,
    };
    let (mut is_binary, mut elements_left) = (false, ELEMENTS_MAX);
    if let Some(Value::Array(tensors)) = body.get_mut(side.tensors()) {
        for fields in tensors.iter_mut().filter_map(Value::as_object_mut) {
            let Some(size) = size(fields)? else { continue };
            is_binary = true;
            let Some((own, others)) = rest.split_at_checked(size) else {
                let left = rest.len();
                let why = format!(
                    "says `binary_data_size` {size}, and {left} bytes are left behind the JSON and the tensors before it"
                );
                return Err(invalid(fields, &why, "sizes that add up to the bytes behind the JSON"));
            };
            rest = others;
            let data = elements(fields, own, &mut elements_left)?;
            fields.insert("data".to_owned(), Value::Array(data));
        }
    }
    let over = if is_binary { rest } else { rest.trim_ascii() };
    if over.is_empty() { Ok(body) } else { Err(left_over(over.len(), side)) }
}

fn split(bytes: &[u8], length: usize) -> Result<(Value, &[u8]), Fault> {
    let Some((json, rest)) = bytes.split_at_checked(length) else {
        let message = format!(
            "the JSON of the data has {length} bytes by its header, and the data of the event has {}; accepted is the length of the JSON in bytes",
            bytes.len()
        );
        return Err(Fault::new(Code::TensorInvalid, message));
    };
    let body = serde_json::from_slice(json).map_err(|error| no_json(&error))?;
    Ok((body, rest))
}

fn split_by_json(bytes: &[u8]) -> Result<(Value, &[u8]), Fault> {
    let mut values = Deserializer::from_slice(bytes).into_iter::<Value>();
    let Some(body) = values.next() else {
        let message = "the event has no data; accepted are bodies of the Open Inference Protocol";
        return Err(Fault::new(Code::InvalidJson, message));
    };
    let body = body.map_err(|error| no_json(&error))?;
    Ok((body, bytes.get(values.byte_offset()..).unwrap_or_default()))
}

fn left_over(bytes: usize, side: Side) -> Fault {
    let message = format!(
        "the data of the event has {bytes} bytes that no tensor of `{}` has by its `binary_data_size`; accepted are JSON, and JSON with the bytes of \
         its binary tensors behind it",
        side.tensors()
    );
    Fault::new(Code::TensorInvalid, message)
}

/// How many bytes a tensor has behind the JSON, if it has them there.
fn size(fields: &Fields) -> Result<Option<usize>, Fault> {
    let Some(said) = fields.get("parameters").and_then(|parameters| parameters.get("binary_data_size"))
    else {
        return Ok(None);
    };
    if fields.contains_key("data") {
        return Err(invalid(fields, "has `data` and `binary_data_size`", "one of them"));
    }
    match said.as_u64().and_then(|size| usize::try_from(size).ok()) {
        Some(size) => Ok(Some(size)),
        None => Err(invalid(fields, "has a `binary_data_size` that is no count", "a number of bytes")),
    }
}

/// The elements in a tensor's bytes.
fn elements(fields: &Fields, bytes: &[u8], elements_left: &mut usize) -> Result<Vec<Value>, Fault> {
    let word = fields.get("datatype").and_then(Value::as_str).unwrap_or_default();
    let Some(datatype) = Datatype::from_word(word) else {
        return Err(invalid(
            fields,
            "has binary data and no datatype of the protocol",
            "BOOL, INT64, FP32 and the others",
        ));
    };
    let Some(n) = count(fields) else {
        return Err(invalid(
            fields,
            "has binary data and no `shape` of counts",
            "an array of dimensions, integers from 0",
        ));
    };
    let Some(left) = elements_left.checked_sub(n) else {
        let message = format!(
            "the binary tensors of the event have more than {ELEMENTS_MAX} elements; send smaller batches"
        );
        return Err(Fault::new(Code::TooManyEntries, message));
    };
    *elements_left = left;
    if let Some(width) = width(datatype)
        && n.checked_mul(width) != Some(bytes.len())
    {
        let why = format!("has the `binary_data_size` {} for {n} elements of {word}", bytes.len());
        return Err(invalid(fields, &why, &format!("{width} bytes an element")));
    }
    let read = match datatype {
        Datatype::Bool => each(bytes, |[byte]: [u8; 1]| (byte < 2).then_some(Value::Bool(byte == 1))),
        Datatype::Uint8 => each(bytes, |bytes| Some(u8::from_le_bytes(bytes).into())),
        Datatype::Uint16 => each(bytes, |bytes| Some(u16::from_le_bytes(bytes).into())),
        Datatype::Uint32 => each(bytes, |bytes| Some(u32::from_le_bytes(bytes).into())),
        Datatype::Uint64 => each(bytes, |bytes| Some(u64::from_le_bytes(bytes).into())),
        Datatype::Int8 => each(bytes, |bytes| Some(i8::from_le_bytes(bytes).into())),
        Datatype::Int16 => each(bytes, |bytes| Some(i16::from_le_bytes(bytes).into())),
        Datatype::Int32 => each(bytes, |bytes| Some(i32::from_le_bytes(bytes).into())),
        Datatype::Int64 => each(bytes, |bytes| Some(i64::from_le_bytes(bytes).into())),
        Datatype::Fp16 => each(bytes, |bytes| float(f16::from_le_bytes(bytes).into())),
        Datatype::Bf16 => each(bytes, |bytes| float(bf16::from_le_bytes(bytes).into())),
        Datatype::Fp32 => each(bytes, |bytes| float(f32::from_le_bytes(bytes).into())),
        Datatype::Fp64 => each(bytes, |bytes| float(f64::from_le_bytes(bytes))),
        Datatype::Bytes => return texts(fields, bytes, n),
    };
    read.ok_or_else(|| match datatype {
        Datatype::Bool => invalid(fields, "has a byte that is neither 0 nor 1", "booleans of one byte"),
        _ => Fault::new(Code::NumberOutOfRange, format!("the tensor `{}` has an infinite element; accepted are finite numbers, and NaN for a missing one", name(fields))),
    })
}

/// The product of the dimensions.
fn count(fields: &Fields) -> Option<usize> {
    let dimensions = fields.get("shape")?.as_array()?;
    dimensions.iter().try_fold(1_usize, |product, dimension| {
        product.checked_mul(usize::try_from(dimension.as_u64()?).ok()?)
    })
}

/// Bytes of one element, where all have as many.
fn width(datatype: Datatype) -> Option<usize> {
    Some(match datatype {
        Datatype::Bool | Datatype::Uint8 | Datatype::Int8 => 1,
        Datatype::Uint16 | Datatype::Int16 | Datatype::Fp16 | Datatype::Bf16 => 2,
        Datatype::Uint32 | Datatype::Int32 | Datatype::Fp32 => 4,
        Datatype::Uint64 | Datatype::Int64 | Datatype::Fp64 => 8,
        Datatype::Bytes => return None,
    })
}

fn each<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> Option<Value>) -> Option<Vec<Value>> {
    bytes.chunks_exact(N).map(|chunk| read(chunk.try_into().ok()?)).collect()
}

/// NaN is what `null` is among floats; there is no other word for the infinities.
fn float(number: f64) -> Option<Value> {
    if number.is_nan() { Some(Value::Null) } else { Number::from_f64(number).map(Value::Number) }
}

/// Elements of BYTES: each has its length before it, in four bytes. One that is no text, such as an image, is written in base64.
fn texts(fields: &Fields, bytes: &[u8], n: usize) -> Result<Vec<Value>, Fault> {
    const ACCEPTED: &str = "elements, each behind its length in four bytes, the lowest first";
    let (mut texts, mut rest) = (Vec::new(), bytes);
    while let Some((length, behind)) = rest.split_first_chunk::<4>() {
        let at = texts.len();
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let Some((element, others)) = behind.split_at_checked(length) else {
            let why = format!("has the element {at} of {length} bytes where {} are left", behind.len());
            return Err(invalid(fields, &why, ACCEPTED));
        };
        if at == n {
            return Err(invalid(fields, &format!("has more elements than the {n} of its shape"), ACCEPTED));
        }
        texts.push(match std::str::from_utf8(element) {
            Ok(text) => Value::from(text),
            Err(_) => Value::from(format!("{NO_TEXT}{}", STANDARD.encode(element))),
        });
        rest = others;
    }
    if !rest.is_empty() || texts.len() != n {
        let why = format!("has {} whole elements, and {n} by its shape", texts.len());
        return Err(invalid(fields, &why, ACCEPTED));
    }
    Ok(texts)
}

fn name(fields: &Fields) -> String {
    fields.get("name").and_then(Value::as_str).unwrap_or_default().chars().take(64).collect()
}

fn invalid(fields: &Fields, why: &str, accepted: &str) -> Fault {
    Fault::new(Code::TensorInvalid, format!("the tensor `{}` {why}; accepted are {accepted}", name(fields)))
}

#[cfg(test)]
mod tests;
