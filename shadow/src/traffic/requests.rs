//! A folder of requests in the JSON of the Open Inference Protocol version 2, one request a file, in the order of their names.
//!
//! Each input brings its full shape, the axis of rows included, so that requests may have different shapes. The protocol:
//! `{"id": "…", "inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [1, 2, 3]}]}`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use half::f16;
use serde::Deserialize;
use serde_json::Value;
use windvane_types::event::NO_TEXT;

use super::{Chunk, NO_ELEMENTS, Skipped, TrafficError, Wanted};
use crate::batch::Batch;
use crate::tensor::{Element, Values};

/// Bytes of one request.
const REQUEST_BYTES_MAX: u64 = 256 << 20;
/// Requests that are looked at to know which inputs and parameters there are.
const LOOKED_AT: usize = 32;
const FORMAT: &str = "a request of the Open Inference Protocol";

/// A request as the protocol has it; what else it says is of no use here.
#[derive(Debug, Deserialize)]
pub struct Request {
    /// What the client calls it; it comes back with the answer.
    #[serde(default)]
    pub id: Option<String>,
    /// The inputs.
    pub inputs: Vec<Input>,
    /// The outputs that the client wants; all where it names none.
    #[serde(default)]
    pub outputs: Vec<WantedOutput>,
    /// Anything else about the request; here its outcome and segments.
    #[serde(default)]
    pub parameters: BTreeMap<String, Value>,
}

/// One output that is wanted.
#[derive(Debug, Deserialize)]
pub struct WantedOutput {
    /// Its name.
    pub name: String,
}

/// One input.
#[derive(Debug, Deserialize)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// The extent of each dimension.
    pub shape: Vec<usize>,
    /// `FP32`, `INT64`, `BYTES` …
    pub datatype: String,
    /// The elements, row-major, in one list or nested.
    pub data: Value,
}

/// The element type that a name of the protocol means.
#[must_use]
pub fn element(datatype: &str) -> Option<Element> {
    Some(match datatype {
        "FP16" => Element::F16,
        "FP32" => Element::F32,
        "FP64" => Element::F64,
        "INT8" => Element::I8,
        "INT16" => Element::I16,
        "INT32" => Element::I32,
        "INT64" => Element::I64,
        "UINT8" => Element::U8,
        "UINT16" => Element::U16,
        "UINT32" => Element::U32,
        "UINT64" => Element::U64,
        "BOOL" => Element::Bool,
        "BYTES" => Element::Text,
        _ => return None,
    })
}

/// The protocol's name of an element type.
#[must_use]
pub fn named(element: Element) -> &'static str {
    match element {
        Element::F16 => "FP16",
        Element::F32 => "FP32",
        Element::F64 => "FP64",
        Element::I8 => "INT8",
        Element::I16 => "INT16",
        Element::I32 => "INT32",
        Element::I64 => "INT64",
        Element::U8 => "UINT8",
        Element::U16 => "UINT16",
        Element::U32 => "UINT32",
        Element::U64 => "UINT64",
        Element::Bool => "BOOL",
        Element::Text => "BYTES",
    }
}

impl Input {
    /// The elements.
    ///
    /// # Errors
    /// A sentence about what is wrong.
    pub fn values(&self) -> Result<Values, String> {
        let element = element(&self.datatype).ok_or_else(|| {
            format!(
                "has the datatype {}; accepted are FP16, FP32, FP64, INT8 to INT64, UINT8 to UINT64, BOOL and BYTES",
                self.datatype
            )
        })?;
        let mut flat = Vec::new();
        flatten(&self.data, &mut flat);
        let expected = self.shape.iter().try_fold(1_usize, |product, extent| product.checked_mul(*extent));
        if expected != Some(flat.len()) {
            return Err(format!(
                "has {} elements, and the shape {:?} has other room",
                flat.len(),
                self.shape
            ));
        }
        let wrong = |value: &Value| format!("holds {value}, which is no {element}");
        macro_rules! of {
            ($kind:ident, $take:expr) => {
                Values::$kind(
                    flat.iter()
                        .map(|value| $take(*value).ok_or_else(|| wrong(value)))
                        .collect::<Result<_, _>>()?,
                )
            };
        }
        let real = |value: &Value| if value.is_null() { Some(f64::NAN) } else { value.as_f64() };
        // A number beyond the type would become an infinity, which nobody has asked the model.
        let half = |x: f64| Some(f16::from_f64(x)).filter(|half| half.is_finite() || !x.is_finite());
        let single = |x: f64| Some(x as f32).filter(|single| single.is_finite() || !x.is_finite());
        let signed = |value: &Value| value.as_i64();
        let unsigned = |value: &Value| value.as_u64();
        let flag = |value: &Value| match value.as_u64() {
            Some(0) => Some(false),
            Some(1) => Some(true),
            _ => value.as_bool(),
        };
        Ok(match element {
            Element::F16 => of!(F16, |value| real(value).and_then(half)),
            Element::F32 => of!(F32, |value| real(value).and_then(single)),
            Element::F64 => of!(F64, real),
            Element::I8 => of!(I8, |value| signed(value).and_then(|x| x.try_into().ok())),
            Element::I16 => of!(I16, |value| signed(value).and_then(|x| x.try_into().ok())),
            Element::I32 => of!(I32, |value| signed(value).and_then(|x| x.try_into().ok())),
            Element::I64 => of!(I64, signed),
            Element::U8 => of!(U8, |value| unsigned(value).and_then(|x| x.try_into().ok())),
            Element::U16 => of!(U16, |value| unsigned(value).and_then(|x| x.try_into().ok())),
            Element::U32 => of!(U32, |value| unsigned(value).and_then(|x| x.try_into().ok())),
            Element::U64 => of!(U64, unsigned),
            Element::Bool => of!(Bool, flag),
            Element::Text => of!(Text, |value: &Value| value.as_str().map(str::to_owned)),
        })
    }
}

impl Input {
    /// Whether it has elements that were captured as bytes and are no text, which is all that a string of ONNX's holds here.
    fn is_captured_bytes(&self) -> bool {
        if self.datatype != "BYTES" {
            return false;
        }
        let mut flat = Vec::new();
        flatten(&self.data, &mut flat);
        flat.iter().any(|value| value.as_str().is_some_and(|text| text.starts_with(NO_TEXT)))
    }
}

/// The elements of nested lists in their order.
fn flatten<'v>(value: &'v Value, into: &mut Vec<&'v Value>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| flatten(item, into)),
        other => into.push(other),
    }
}

impl Request {
    /// The inputs as one request that brings its own shapes.
    ///
    /// # Errors
    /// The input, and a sentence about what is wrong with it.
    pub fn batch(&self, wanted: impl Fn(&str) -> bool) -> Result<Batch, (String, String)> {
        let mut batch = Batch::new(1);
        for input in self.inputs.iter().filter(|input| wanted(&input.name)) {
            let refused = |problem: String| (input.name.clone(), problem);
            let values = input.values().map_err(refused)?;
            batch
                .push_shaped(&input.name, values, input.shape.clone())
                .map_err(|_| refused(NO_ELEMENTS.to_owned()))?;
        }
        Ok(batch)
    }
}

/// The requests of a folder.
#[derive(Debug)]
pub(super) struct Folder {
    files: Vec<PathBuf>,
    /// What the first requests hold, which tells what the others do.
    inputs: BTreeSet<String>,
    parameters: BTreeSet<String>,
    described: String,
}

impl Folder {
    pub(super) fn open(path: &Path) -> Result<Self, TrafficError> {
        let io = |source| TrafficError::Io { path: path.to_owned(), source };
        let mut files = Vec::new();
        for entry in std::fs::read_dir(path).map_err(io)? {
            let file = entry.map_err(io)?.path();
            if file.extension().is_some_and(|extension| extension == "json") {
                files.push(file);
            }
        }
        files.sort();
        let one = |input: &Input| format!("{} {} {:?}", input.name, input.datatype, input.shape);
        let (mut inputs, mut parameters) = (BTreeSet::new(), BTreeSet::new());
        let (mut described, mut refused, mut looked_at) = (None, None, 0);
        for file in &files {
            let request = match read(file) {
                Ok(request) => request,
                Err(error) => {
                    refused.get_or_insert(error);
                    continue;
                }
            };
            described.get_or_insert_with(|| request.inputs.iter().map(one).collect::<Vec<_>>().join(", "));
            inputs.extend(request.inputs.into_iter().map(|input| input.name));
            parameters.extend(request.parameters.into_keys());
            looked_at += 1;
            if looked_at == LOOKED_AT {
                break;
            }
        }
        let described = match (described, refused) {
            (Some(described), _) => described,
            (None, Some(error)) => return Err(error),
            (None, None) => "no .json files".to_owned(),
        };
        Ok(Self { files, inputs, parameters, described })
    }

    pub(super) fn describe(&self) -> String {
        self.described.clone()
    }

    /// Without requests nothing is missing: there is nothing to ask.
    pub(super) fn has(&self, name: &str) -> bool {
        self.files.is_empty() || self.inputs.iter().chain(&self.parameters).any(|found| found == name)
    }

    pub(super) fn rows(&self) -> u64 {
        self.files.len() as u64
    }

    pub(super) fn reader(self, wanted: Wanted) -> Reader {
        Reader { folder: self, wanted, next: 0 }
    }
}

/// Requests in the order of their names.
pub(super) struct Reader {
    folder: Folder,
    wanted: Wanted,
    next: usize,
}

impl Reader {
    pub(super) fn next(&mut self, most: usize) -> Option<Result<Chunk, TrafficError>> {
        let end = self.folder.files.len().min(self.next + most.min(32));
        let first = self.next;
        self.next = end;
        (end > first).then(|| Ok(self.chunk(first, end)))
    }

    fn chunk(&self, first: usize, end: usize) -> Chunk {
        let mut chunk = Chunk { first: first as u64, is_single: true, ..Chunk::default() };
        for (at, file) in self.folder.files[first..end].iter().enumerate() {
            let number = (first + at) as u64;
            match self.request(file) {
                Ok((request, batch)) => {
                    for name in &self.wanted.extras {
                        chunk.extras.entry(name.clone()).or_default().push(extra(&request, name));
                    }
                    chunk.numbers.push(number);
                    chunk.names.push(called(request.id, file));
                    chunk.batches.push(batch);
                }
                Err(failed) => {
                    let (name, error) = *failed;
                    chunk.skipped.push(Skipped { request: number, name, error: error.into() });
                }
            }
        }
        chunk.requests = chunk.batches.len();
        chunk
    }

    /// A request and its inputs, or what it is called and why it has none.
    fn request(&self, file: &Path) -> Result<(Request, Batch), Box<(String, TrafficError)>> {
        let request = read(file).map_err(|error| Box::new((called(None, file), error)))?;
        let bytes = |input: &&Input| self.wanted.is_input(&input.name) && input.is_captured_bytes();
        let batch = match request.inputs.iter().find(bytes) {
            Some(input) => {
                Err((input.name.clone(), "holds bytes that are no text; accepted are texts".to_owned()))
            }
            None => request.batch(|name| self.wanted.is_input(name)),
        };
        match batch {
            Ok(batch) => Ok((request, batch)),
            Err((name, problem)) => {
                let path = file.to_owned();
                Err(Box::new((called(request.id, file), TrafficError::Unsupported { path, name, problem })))
            }
        }
    }
}

/// The id of a request, or the name of its file.
fn called(id: Option<String>, file: &Path) -> String {
    id.filter(|id| !id.is_empty())
        .unwrap_or_else(|| file.file_name().unwrap_or_default().to_string_lossy().into_owned())
}

/// A parameter, or else the first element of an input, as a word.
fn extra(request: &Request, name: &str) -> Option<String> {
    let given = request.parameters.get(name).or_else(|| {
        let mut flat = Vec::new();
        flatten(&request.inputs.iter().find(|input| input.name == name)?.data, &mut flat);
        flat.first().copied()
    });
    match given? {
        Value::Null => None,
        Value::String(word) => Some(word.clone()).filter(|word| !word.is_empty()),
        other => Some(other.to_string()),
    }
}

fn read(path: &Path) -> Result<Request, TrafficError> {
    let io = |source| TrafficError::Io { path: path.to_owned(), source };
    let bytes = std::fs::metadata(path).map_err(io)?.len();
    let broken = |source: Box<dyn std::error::Error + Send + Sync>| TrafficError::Broken {
        path: path.to_owned(),
        format: FORMAT,
        source,
    };
    if bytes > REQUEST_BYTES_MAX {
        return Err(broken(format!("it has {bytes} bytes; up to {REQUEST_BYTES_MAX} are read").into()));
    }
    serde_json::from_slice(&std::fs::read(path).map_err(io)?).map_err(|error| broken(error.into()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Input, NO_ELEMENTS, Request};
    use crate::tensor::Values;

    #[test]
    fn bytes_that_were_captured_are_told_from_texts() {
        for (data, expected) in [
            (json!(["a", "data:text/plain,b"]), false),
            (json!([["a"], ["data:application/octet-stream;base64,/9j/"]]), true),
            (json!([1, 2]), false),
        ] {
            let input = Input { name: "x".to_owned(), shape: vec![2], datatype: "BYTES".to_owned(), data };
            assert_eq!(input.is_captured_bytes(), expected, "{input:?}");
        }
    }

    fn booleans(data: serde_json::Value) -> Result<Values, String> {
        let input = Input { name: "x".to_owned(), shape: vec![2], datatype: "BOOL".to_owned(), data };
        input.values()
    }

    #[test]
    fn booleans_may_be_written_as_0_and_1() {
        for data in [json!([true, false]), json!([1, 0]), json!([[true], [0]])] {
            assert_eq!(booleans(data), Ok(Values::Bool(vec![true, false])));
        }
        assert_eq!(booleans(json!([2, 0])), Err("holds 2, which is no bool".to_owned()));
    }

    #[test]
    fn numbers_that_the_type_cannot_hold_are_refused_and_not_infinite() {
        let values = |datatype: &str, number: serde_json::Value| {
            let (datatype, data) = (datatype.to_owned(), json!([number]));
            Input { name: "x".to_owned(), shape: vec![1], datatype, data }.values()
        };
        assert_eq!(values("FP32", json!(1e39)), Err("holds 1e+39, which is no float32".to_owned()));
        assert_eq!(values("FP16", json!(70_000)), Err("holds 70000, which is no float16".to_owned()));
        assert_eq!(values("FP32", json!(3e38)), Ok(Values::F32(vec![3e38])));
        assert_eq!(values("FP64", json!(1e39)), Ok(Values::F64(vec![1e39])));
        let Ok(Values::F32(missing)) = values("FP32", json!(null)) else { panic!() };
        assert!(missing[0].is_nan());
    }

    #[test]
    fn an_input_without_elements_is_refused_with_what_is_taken() {
        let text = r#"{"inputs": [{"name": "x", "shape": [0, 3], "datatype": "FP32", "data": []}]}"#;
        let request: Request = serde_json::from_str(text).unwrap();
        let refused = request.batch(|_| true).unwrap_err();
        assert_eq!(refused, ("x".to_owned(), NO_ELEMENTS.to_owned()));
    }
}
