//! A call and its answer as bytes, for a model that runs in another process than whoever asks it.
//!
//! Little-endian; what is counted stands after its count. Elements stand as they are in memory, so that writing and reading are copies.
//! Reading trusts nothing: the process on the other side runs a file of somebody else.

use half::f16;
use thiserror::Error;

use crate::batch::Batch;
use crate::tensor::{Element, Outputs, Tensor, Values};

/// Why bytes are no call or no answer.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum WireError {
    /// They end before what they announce.
    #[error("the message ends before what it announces")]
    Short,
    /// They go on after their end.
    #[error("the message goes on after its end by {0} bytes")]
    Long(usize),
    /// There is no such type of elements.
    #[error("the message names the unknown type of elements {0}")]
    Element(u8),
    /// A text is not UTF-8.
    #[error("the message holds a text that is not UTF-8")]
    Text,
    /// A tensor has another number of elements than its shape.
    #[error("the message holds `{0}` with another number of elements than its shape has")]
    Shape(String),
}

/// Appends the rows of a batch.
pub fn put_batch(batch: &Batch, into: &mut Vec<u8>) {
    into.reserve(batch_bytes(batch));
    put_count(into, batch.rows());
    put_count(into, batch.columns().len());
    for column in batch.columns() {
        put_tensor(into, &column.name, (&column.shape, &column.values));
    }
}

/// Reads what [`put_batch`] wrote.
///
/// # Errors
/// The bytes are no batch.
pub fn batch(bytes: &[u8]) -> Result<Batch, WireError> {
    let mut reader = Reader { left: bytes };
    let mut batch = Batch::new(reader.count()?);
    for _ in 0..reader.count()? {
        let (name, shape, values) = reader.tensor()?;
        batch.push_shaped(name.as_str(), values, shape).map_err(|_| WireError::Shape(name))?;
    }
    reader.end().map(|()| batch)
}

/// Appends an answer.
pub fn put_outputs(outputs: &Outputs, into: &mut Vec<u8>) {
    into.reserve(outputs_bytes(outputs));
    put_count(into, outputs.0.len());
    for (name, tensor) in &outputs.0 {
        put_tensor(into, name, (tensor.shape(), tensor.values()));
    }
}

/// Reads what [`put_outputs`] wrote.
///
/// # Errors
/// The bytes are no answer.
pub fn outputs(bytes: &[u8]) -> Result<Outputs, WireError> {
    let mut reader = Reader { left: bytes };
    let mut outputs = Vec::new();
    for _ in 0..reader.count()? {
        let (name, shape, values) = reader.tensor()?;
        let elements = shape.iter().try_fold(1_usize, |product, extent| product.checked_mul(*extent));
        if elements != Some(values.len()) {
            return Err(WireError::Shape(name));
        }
        outputs.push((name, Tensor::new(shape, values)));
    }
    reader.end().map(|()| Outputs(outputs))
}

/// How many bytes [`put_batch`] appends, names and shapes aside.
#[must_use]
pub fn batch_bytes(batch: &Batch) -> usize {
    batch.columns().iter().map(|column| values_bytes(&column.values)).sum()
}

/// How many bytes [`put_outputs`] appends, names and shapes aside.
#[must_use]
pub fn outputs_bytes(outputs: &Outputs) -> usize {
    outputs.0.iter().map(|(_, tensor)| values_bytes(tensor.values())).sum()
}

/// The bytes of a count, and so the least that a text takes.
const COUNT: usize = size_of::<u64>();

fn values_bytes(values: &Values) -> usize {
    match values {
        Values::Text(texts) => texts.iter().map(|text| COUNT + text.len()).sum(),
        values => values.len() * width(values.element()),
    }
}

/// The bytes of one element; those of a text come after their count.
fn width(element: Element) -> usize {
    match element {
        Element::I8 | Element::U8 | Element::Bool | Element::Text => 1,
        Element::F16 | Element::I16 | Element::U16 => 2,
        Element::F32 | Element::I32 | Element::U32 => 4,
        Element::F64 | Element::I64 | Element::U64 => 8,
    }
}

/// The elements' types by their number in a message.
const ELEMENTS: [Element; 13] = [
    Element::F16,
    Element::F32,
    Element::F64,
    Element::I8,
    Element::I16,
    Element::I32,
    Element::I64,
    Element::U8,
    Element::U16,
    Element::U32,
    Element::U64,
    Element::Bool,
    Element::Text,
];

fn put_count(into: &mut Vec<u8>, count: usize) {
    into.extend_from_slice(&(count as u64).to_le_bytes());
}

fn put_text(into: &mut Vec<u8>, text: &str) {
    put_count(into, text.len());
    into.extend_from_slice(text.as_bytes());
}

fn put_tensor(into: &mut Vec<u8>, name: &str, (shape, values): (&[usize], &Values)) {
    put_text(into, name);
    let number = ELEMENTS.iter().position(|element| *element == values.element());
    into.push(number.and_then(|number| u8::try_from(number).ok()).unwrap_or(u8::MAX));
    put_count(into, shape.len());
    shape.iter().for_each(|extent| put_count(into, *extent));
    put_count(into, values.len());
    match values {
        Values::F16(v) => put_elements(into, v, f16::to_le_bytes),
        Values::F32(v) => put_elements(into, v, f32::to_le_bytes),
        Values::F64(v) => put_elements(into, v, f64::to_le_bytes),
        Values::I8(v) => put_elements(into, v, i8::to_le_bytes),
        Values::I16(v) => put_elements(into, v, i16::to_le_bytes),
        Values::I32(v) => put_elements(into, v, i32::to_le_bytes),
        Values::I64(v) => put_elements(into, v, i64::to_le_bytes),
        Values::U8(v) => into.extend_from_slice(v),
        Values::U16(v) => put_elements(into, v, u16::to_le_bytes),
        Values::U32(v) => put_elements(into, v, u32::to_le_bytes),
        Values::U64(v) => put_elements(into, v, u64::to_le_bytes),
        Values::Bool(v) => put_elements(into, v, |x| [u8::from(x)]),
        Values::Text(v) => v.iter().for_each(|text| put_text(into, text)),
    }
}

/// Room first and then the elements into it: that becomes a copy, which pushing one after another does not.
fn put_elements<T: Copy, const N: usize>(into: &mut Vec<u8>, elements: &[T], bytes: impl Fn(T) -> [u8; N]) {
    let start = into.len();
    into.resize(start + elements.len() * N, 0);
    let (places, _) = into[start..].as_chunks_mut::<N>();
    for (place, element) in places.iter_mut().zip(elements) {
        *place = bytes(*element);
    }
}

fn elements<T, const N: usize>(bytes: &[u8], of: impl Fn([u8; N]) -> T) -> Vec<T> {
    let (chunks, _) = bytes.as_chunks::<N>();
    chunks.iter().map(|chunk| of(*chunk)).collect()
}

/// What of a message is not read yet.
struct Reader<'b> {
    left: &'b [u8],
}

impl<'b> Reader<'b> {
    fn take(&mut self, bytes: usize) -> Result<&'b [u8], WireError> {
        let (taken, left) = self.left.split_at_checked(bytes).ok_or(WireError::Short)?;
        self.left = left;
        Ok(taken)
    }

    fn count(&mut self) -> Result<usize, WireError> {
        let (taken, left) = self.left.split_first_chunk::<COUNT>().ok_or(WireError::Short)?;
        self.left = left;
        usize::try_from(u64::from_le_bytes(*taken)).map_err(|_| WireError::Short)
    }

    fn text(&mut self) -> Result<String, WireError> {
        let bytes = self.count()?;
        let text = std::str::from_utf8(self.take(bytes)?).map_err(|_| WireError::Text)?;
        Ok(text.to_owned())
    }

    fn tensor(&mut self) -> Result<(String, Vec<usize>, Values), WireError> {
        let name = self.text()?;
        let number = self.take(1)?[0];
        let element = *ELEMENTS.get(usize::from(number)).ok_or(WireError::Element(number))?;
        // Nothing is set aside for more than there can be.
        let extents = self.count()?;
        if extents > self.left.len() / COUNT {
            return Err(WireError::Short);
        }
        let shape = (0..extents).map(|_| self.count()).collect::<Result<Vec<_>, _>>()?;
        let values = self.values(element)?;
        Ok((name, shape, values))
    }

    fn values(&mut self, element: Element) -> Result<Values, WireError> {
        let count = self.count()?;
        if element == Element::Text {
            if count > self.left.len() / COUNT {
                return Err(WireError::Short);
            }
            return Ok(Values::Text((0..count).map(|_| self.text()).collect::<Result<_, _>>()?));
        }
        let bytes = self.take(count.checked_mul(width(element)).ok_or(WireError::Short)?)?;
        Ok(match element {
            Element::F16 => Values::F16(elements(bytes, f16::from_le_bytes)),
            Element::F32 => Values::F32(elements(bytes, f32::from_le_bytes)),
            Element::F64 => Values::F64(elements(bytes, f64::from_le_bytes)),
            Element::I8 => Values::I8(elements(bytes, i8::from_le_bytes)),
            Element::I16 => Values::I16(elements(bytes, i16::from_le_bytes)),
            Element::I32 => Values::I32(elements(bytes, i32::from_le_bytes)),
            Element::I64 => Values::I64(elements(bytes, i64::from_le_bytes)),
            Element::U8 => Values::U8(bytes.to_vec()),
            Element::U16 => Values::U16(elements(bytes, u16::from_le_bytes)),
            Element::U32 => Values::U32(elements(bytes, u32::from_le_bytes)),
            Element::U64 => Values::U64(elements(bytes, u64::from_le_bytes)),
            Element::Bool => Values::Bool(bytes.iter().map(|byte| *byte != 0).collect()),
            Element::Text => return Err(WireError::Text),
        })
    }

    fn end(self) -> Result<(), WireError> {
        if self.left.is_empty() { Ok(()) } else { Err(WireError::Long(self.left.len())) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Six elements of each type, with what is lost most easily: signs, extremes, infinities, empty texts.
    fn each_type() -> Vec<Values> {
        vec![
            Values::F16([0.0, -0.0, 1.5, -65504.0, f32::INFINITY, 6e-8].map(f16::from_f32).to_vec()),
            Values::F32(vec![0.0, -0.0, 1.5, f32::MIN, f32::NEG_INFINITY, f32::MIN_POSITIVE]),
            Values::F64(vec![0.0, -0.0, 1.5, f64::MIN, f64::NEG_INFINITY, f64::MIN_POSITIVE]),
            Values::I8(vec![0, -1, 1, i8::MIN, i8::MAX, 7]),
            Values::I16(vec![0, -1, 1, i16::MIN, i16::MAX, 7]),
            Values::I32(vec![0, -1, 1, i32::MIN, i32::MAX, 7]),
            Values::I64(vec![0, -1, 1, i64::MIN, i64::MAX, 7]),
            Values::U8(vec![0, 1, 2, 3, u8::MAX, 7]),
            Values::U16(vec![0, 1, 2, 3, u16::MAX, 7]),
            Values::U32(vec![0, 1, 2, 3, u32::MAX, 7]),
            Values::U64(vec![0, 1, 2, 3, u64::MAX, 7]),
            Values::Bool(vec![true, false, true, true, false, false]),
            Values::Text(["", "a", "später", "\0", "two words", "🛫"].map(str::to_owned).to_vec()),
        ]
    }

    fn rows() -> Batch {
        let mut batch = Batch::new(3);
        for values in each_type() {
            batch.push(values.element().as_str(), values).unwrap();
        }
        batch
    }

    fn answer() -> Outputs {
        let one = |values: Values| {
            (values.element().as_str().to_owned(), Tensor::new(vec![2, 1, values.len() / 2], values))
        };
        let empty = ("empty".to_owned(), Tensor::new(vec![0, 4], Values::F32(Vec::new())));
        let scalar = ("scalar".to_owned(), Tensor::new(Vec::new(), Values::F64(vec![2.5])));
        Outputs(each_type().into_iter().map(one).chain([empty, scalar]).collect())
    }

    fn written(put: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut bytes = Vec::new();
        put(&mut bytes);
        bytes
    }

    #[test]
    fn a_call_and_its_answer_arrive_as_they_were() {
        let (call, answer) = (rows(), answer());
        assert_eq!(batch(&written(|into| put_batch(&call, into))), Ok(call));
        assert_eq!(outputs(&written(|into| put_outputs(&answer, into))), Ok(answer));
        let none = Batch::new(1);
        assert_eq!(batch(&written(|into| put_batch(&none, into))), Ok(none));
    }

    #[test]
    fn a_number_that_is_none_keeps_its_bits() {
        let odd = f32::from_bits(0x7fc0_1234);
        let sent = Outputs(vec![("y".to_owned(), Tensor::new(vec![1], Values::F32(vec![odd])))]);
        let came = outputs(&written(|into| put_outputs(&sent, into))).unwrap();
        assert_eq!(came.get("y").unwrap().as_f32().unwrap()[0].to_bits(), odd.to_bits());
    }

    #[test]
    fn a_message_that_ends_early_or_goes_on_is_none() {
        let mut whole = written(|into| put_outputs(&answer(), into));
        for end in 0..whole.len() {
            assert!(outputs(&whole[..end]).is_err(), "the first {end} bytes");
        }
        whole.push(0);
        assert_eq!(outputs(&whole), Err(WireError::Long(1)));
    }

    #[test]
    fn a_shape_that_is_not_that_of_its_elements_is_refused() {
        let sent = Outputs(vec![("y".to_owned(), Tensor::new(vec![2], Values::U8(vec![1, 2])))]);
        let mut bytes = written(|into| put_outputs(&sent, into));
        // After the number of outputs, the name, the type and the number of extents.
        let extent = 8 + (8 + 1) + 1 + 8;
        bytes[extent] = 3;
        assert_eq!(outputs(&bytes), Err(WireError::Shape("y".to_owned())));
        // More than there are numbers, which a product without a look at overflow would take for two.
        bytes[extent..extent + 8].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(outputs(&bytes).is_err());
        bytes[8 + 8 + 1] = 200;
        assert_eq!(outputs(&bytes), Err(WireError::Element(200)));
    }

    proptest! {
        /// Whatever comes is read or refused, and takes no more memory than a few times what came.
        #[test]
        fn no_bytes_make_reading_fail_otherwise(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = outputs(&bytes);
            let _ = batch(&bytes);
        }

        /// One byte that is another leads to an answer or to an error.
        #[test]
        fn a_changed_byte_makes_reading_fail_no_otherwise(at in any::<proptest::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = written(|into| put_outputs(&answer(), into));
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = outputs(&bytes);
        }
    }
}
