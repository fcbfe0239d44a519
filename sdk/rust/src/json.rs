//! JSON of a record, as the collector reads it; written on the background thread.

use crate::record::{Token, Tokens};

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Writes a record as one line.
pub(crate) fn line(into: &mut Vec<u8>, record: &[u8]) {
    for token in Tokens(record) {
        match token {
            Token::Begin => into.push(b'{'),
            Token::End => into.push(b'}'),
            Token::Key(key) => {
                // A value never ends with this.
                if into.last() != Some(&b'{') {
                    into.push(b',');
                }
                text(into, key);
                into.push(b':');
            }
            Token::Text(value) => text(into, value),
            Token::Number(value) => number(into, value),
            Token::Integer(value) => into.extend_from_slice(itoa::Buffer::new().format(value).as_bytes()),
            Token::Bool(true) => into.extend_from_slice(b"true"),
            Token::Bool(false) => into.extend_from_slice(b"false"),
            Token::Null => into.extend_from_slice(b"null"),
            Token::Floats(bytes) => floats(into, bytes),
        }
    }
    into.push(b'\n');
}

fn text(into: &mut Vec<u8>, bytes: &[u8]) {
    into.push(b'"');
    let mut plain = 0;
    for (i, byte) in bytes.iter().enumerate() {
        if *byte >= 0x20 && *byte != b'"' && *byte != b'\\' {
            continue;
        }
        into.extend_from_slice(&bytes[plain..i]);
        plain = i + 1;
        match byte {
            b'"' | b'\\' => into.extend_from_slice(&[b'\\', *byte]),
            b'\n' => into.extend_from_slice(b"\\n"),
            b'\r' => into.extend_from_slice(b"\\r"),
            b'\t' => into.extend_from_slice(b"\\t"),
            control => {
                into.extend_from_slice(b"\\u00");
                into.push(HEX[usize::from(control >> 4)]);
                into.push(HEX[usize::from(control & 15)]);
            }
        }
    }
    into.extend_from_slice(&bytes[plain..]);
    into.push(b'"');
}

/// What is not finite is `null`.
fn number(into: &mut Vec<u8>, number: f64) {
    if number.is_finite() {
        into.extend_from_slice(ryu::Buffer::new().format_finite(number).as_bytes());
    } else {
        into.extend_from_slice(b"null");
    }
}

fn floats(into: &mut Vec<u8>, bytes: &[u8]) {
    into.push(b'[');
    for (i, four) in bytes.as_chunks().0.iter().enumerate() {
        if i > 0 {
            into.push(b',');
        }
        number(into, f64::from(f32::from_le_bytes(*four)));
    }
    into.push(b']');
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::record::{self, Object};

    #[test]
    fn a_record_becomes_json_of_the_same_values() {
        let mut record = Vec::new();
        let mut object = Object::begin(&mut record);
        let odd = "a\"b\\c\n\r\t\u{1}é🦀";
        record::text(object.key(odd), odd);
        record::number(object.key("nan"), f64::NAN);
        record::number(object.key("number"), 1e300);
        record::integer(object.key("integer"), i64::MIN);
        record::floats(object.key("floats"), &[0.5, f32::INFINITY]);
        let mut inner = Object::begin(object.key("inner"));
        record::bool(inner.key("ends with {"), false);
        record::text(inner.key("{"), "{");
        record::null(inner.key("null"));
        inner.end();
        Object::begin(object.key("empty")).end();
        record::bool(object.key("last"), true);
        object.end();
        let mut written = Vec::new();
        line(&mut written, &record);
        assert_eq!(written.last(), Some(&b'\n'));
        let expected = json!({
            odd: odd, "nan": null, "number": 1e300, "integer": i64::MIN, "floats": [0.5, null],
            "inner": {"ends with {": false, "{": "{", "null": null}, "empty": {}, "last": true,
        });
        assert_eq!(serde_json::from_slice::<Value>(&written).unwrap(), expected);
    }
}
