//! Splitting a body into records: lines, or the elements of an array. Records are parsed later, each alone.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;
use windvane_types::rejection::{Code, Fault, Rejection};

use super::body::Format;

/// Calls `visit` with each record and its number, in order.
///
/// # Errors
/// An array that is broken somewhere: where, as the rejection of that record. Nothing of it counts then.
pub(super) fn each_record<'a>(
    body: &'a [u8],
    format: Format,
    mut visit: impl FnMut(u64, &'a [u8]),
) -> Result<(), Rejection> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let Some(first) = body.iter().position(|byte| !byte.is_ascii_whitespace()) else { return Ok(()) };
    if body[first] == b'[' && format != Format::Ndjson {
        let mut index = 0;
        return split_array(&body[first..], &mut |record| {
            visit(index, record);
            index += 1;
        });
    }
    if format != Format::Ndjson && is_one_object(body) {
        visit(0, body);
        return Ok(());
    }
    let mut index = 0;
    let mut rest = body;
    while !rest.is_empty() {
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let line = &rest[..end];
        rest = rest.get(end + 1..).unwrap_or_default();
        if line.iter().any(|byte| !byte.is_ascii_whitespace()) {
            visit(index, line);
            index += 1;
        }
    }
    Ok(())
}

/// Whether a body that may be one object on several lines is to be read as one: it is, or it is broken in a way that lines do not
/// heal.
fn is_one_object(body: &[u8]) -> bool {
    let mut values = serde_json::Deserializer::from_slice(body).into_iter::<&RawValue>();
    match values.next() {
        Some(Ok(_)) => body[values.byte_offset()..].iter().all(u8::is_ascii_whitespace),
        // A broken first line of several that each begin an object is a matter of that line.
        _ => !body.split(|byte| *byte == b'\n').skip(1).any(|line| line.trim_ascii_start().starts_with(b"{")),
    }
}

fn split_array<'a>(body: &'a [u8], visit: &mut dyn FnMut(&'a [u8])) -> Result<(), Rejection> {
    let mut count = 0;
    let mut counted = |record: &'a [u8]| {
        count += 1;
        visit(record);
    };
    let mut json = serde_json::Deserializer::from_slice(body);
    let result = Elements(&mut counted).deserialize(&mut json).and_then(|()| json.end());
    result.map_err(|error| {
        let message = format!("the array is broken from this record on, so nothing of it was taken: {error}");
        Fault::new(Code::InvalidJson, message).at(count)
    })
}

struct Elements<'v, 'a>(&'v mut dyn FnMut(&'a [u8]));

impl<'a> DeserializeSeed<'a> for Elements<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'a> Visitor<'a> for Elements<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of objects")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(record) = seq.next_element::<&'a RawValue>()? {
            (self.0)(record.get().as_bytes());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(body: &str, format: Format) -> Result<Vec<String>, u64> {
        let mut records = Vec::new();
        let result = each_record(body.as_bytes(), format, |index, record| {
            assert_eq!(index, records.len() as u64);
            records.push(String::from_utf8(record.to_vec()).unwrap().trim().to_owned());
        });
        result.map(|()| records).map_err(|rejection| rejection.index)
    }

    #[test]
    fn each_shape_of_a_body_gives_its_records() {
        type Case<'c> = (&'c str, Format, Result<&'c [&'c str], u64>);
        let cases: [Case<'_>; 16] = [
            (r#"{"a":1}"#, Format::Json, Ok(&[r#"{"a":1}"#])),
            ("{\n\"a\":\n1}\n", Format::Json, Ok(&["{\n\"a\":\n1}"])),
            ("{\n\"a\":\n1}\n", Format::Unsaid, Ok(&["{\n\"a\":\n1}"])),
            (r#" [{"a":1}, {"b":2}] "#, Format::Json, Ok(&[r#"{"a":1}"#, r#"{"b":2}"#])),
            (r#"[{"a":1},3]"#, Format::Unsaid, Ok(&[r#"{"a":1}"#, "3"])),
            ("[]", Format::Json, Ok(&[])),
            ("", Format::Json, Ok(&[])),
            (" \n\n ", Format::Ndjson, Ok(&[])),
            ("{\"a\":1}\n\n \r\n{\"b\":2}\r\n", Format::Ndjson, Ok(&[r#"{"a":1}"#, r#"{"b":2}"#])),
            ("{\"a\":1}\n{\"b\":2}", Format::Unsaid, Ok(&[r#"{"a":1}"#, r#"{"b":2}"#])),
            ("{\"a\":1}\n{\"b\":2}", Format::Json, Ok(&[r#"{"a":1}"#, r#"{"b":2}"#])),
            ("{broken\n{\"b\":2}", Format::Ndjson, Ok(&["{broken", r#"{"b":2}"#])),
            ("{broken\n{\"b\":2}", Format::Unsaid, Ok(&["{broken", r#"{"b":2}"#])),
            ("{broken", Format::Json, Ok(&["{broken"])),
            (r#"[{"a":1},{"b":"#, Format::Json, Err(1)),
            (r#"[{"a":1}] trailing"#, Format::Json, Err(1)),
        ];
        for (body, format, expected) in cases {
            let expected =
                expected.map(|records| records.iter().map(|record| (*record).to_owned()).collect());
            assert_eq!(split(body, format), expected, "{body:?} as {format:?}");
        }
    }
}
