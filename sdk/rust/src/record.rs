//! An event as the queue holds it: a row of tokens. Writing them costs the caller copies alone; numbers become decimals, and texts are
//! escaped, on the background thread (see `json`).

/// What an event is written with, and read again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Token<'a> {
    Begin,
    End,
    Key(&'a [u8]),
    Text(&'a [u8]),
    Number(f64),
    Integer(i64),
    Bool(bool),
    Null,
    /// The bytes of 32-bit floats, the lowest first.
    Floats(&'a [u8]),
}

const BEGIN: u8 = 0;
const END: u8 = 1;
const NUMBER: u8 = 2;
const INTEGER: u8 = 3;
const TRUE: u8 = 4;
const FALSE: u8 = 5;
const NULL: u8 = 6;
const FLOATS: u8 = 7;
const KEY: u8 = 8;
const TEXT: u8 = 9;
/// Keys and texts below 64 bytes hold their length in the token's first byte.
const SHORT: usize = 64;
const SHORT_KEY: u8 = 0x80;
const SHORT_TEXT: u8 = 0xc0;

/// Writes a text.
pub(crate) fn text(into: &mut Vec<u8>, text: &str) {
    sized(into, (SHORT_TEXT, TEXT), text.as_bytes());
}

fn sized(into: &mut Vec<u8>, (short, long): (u8, u8), bytes: &[u8]) {
    match u8::try_from(bytes.len()) {
        Ok(length) if bytes.len() < SHORT => into.push(short | length),
        _ => length(into, long, bytes.len()),
    }
    into.extend_from_slice(bytes);
}

fn length(into: &mut Vec<u8>, token: u8, length: usize) {
    into.push(token);
    into.extend_from_slice(&(length as u64).to_le_bytes());
}

/// Writes a number.
pub(crate) fn number(into: &mut Vec<u8>, number: f64) {
    eight(into, NUMBER, number.to_le_bytes());
}

/// Writes an integer.
pub(crate) fn integer(into: &mut Vec<u8>, number: i64) {
    eight(into, INTEGER, number.to_le_bytes());
}

fn eight(into: &mut Vec<u8>, token: u8, value: [u8; 8]) {
    let mut bytes = [token; 9];
    bytes[1..].copy_from_slice(&value);
    into.extend_from_slice(&bytes);
}

/// Writes a truth.
pub(crate) fn bool(into: &mut Vec<u8>, truth: bool) {
    into.push(if truth { TRUE } else { FALSE });
}

/// Writes that there is no value.
pub(crate) fn null(into: &mut Vec<u8>) {
    into.push(NULL);
}

/// Writes a vector.
pub(crate) fn floats(into: &mut Vec<u8>, vector: &[f32]) {
    length(into, FLOATS, size_of_val(vector));
    into.extend(vector.iter().flat_map(|number| number.to_le_bytes()));
}

/// An object that is being written.
pub(crate) struct Object<'b>(&'b mut Vec<u8>);

impl<'b> Object<'b> {
    pub(crate) fn begin(into: &'b mut Vec<u8>) -> Self {
        into.push(BEGIN);
        Self(into)
    }

    /// Writes a key; its value is written by the caller next.
    pub(crate) fn key(&mut self, key: &str) -> &mut Vec<u8> {
        sized(self.0, (SHORT_KEY, KEY), key.as_bytes());
        self.0
    }

    /// Writes a field of text, where there is one.
    pub(crate) fn text(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            text(self.key(key), value);
        }
    }

    pub(crate) fn end(self) {
        self.0.push(END);
    }
}

/// The tokens of a record, in order.
#[derive(Debug)]
pub(crate) struct Tokens<'a>(pub(crate) &'a [u8]);

impl<'a> Tokens<'a> {
    fn bytes(&mut self, n: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(bytes)
    }

    fn eight(&mut self) -> Option<[u8; 8]> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*bytes)
    }

    fn long(&mut self) -> Option<&'a [u8]> {
        let length = u64::from_le_bytes(self.eight()?);
        self.bytes(usize::try_from(length).ok()?)
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        let short = usize::from(*first) % SHORT;
        Some(match *first {
            SHORT_TEXT.. => Token::Text(self.bytes(short)?),
            SHORT_KEY.. => Token::Key(self.bytes(short)?),
            TEXT => Token::Text(self.long()?),
            KEY => Token::Key(self.long()?),
            FLOATS => Token::Floats(self.long()?),
            NUMBER => Token::Number(f64::from_le_bytes(self.eight()?)),
            INTEGER => Token::Integer(i64::from_le_bytes(self.eight()?)),
            TRUE => Token::Bool(true),
            FALSE => Token::Bool(false),
            BEGIN => Token::Begin,
            END => Token::End,
            // Nothing else is written.
            _ => Token::Null,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_whatever_its_length() {
        for length in [0, 1, 63, 64, 65, 255, 256, 70_000] {
            let held = "é".repeat(length / 2) + &"x".repeat(length % 2);
            let mut record = Vec::new();
            let mut object = Object::begin(&mut record);
            text(object.key(&held), &held);
            number(object.key("n"), -0.1);
            integer(object.key("i"), i64::MIN);
            bool(object.key("b"), true);
            null(object.key(""));
            floats(object.key("f"), &[1.5, -2.0]);
            object.end();
            let vector: Vec<u8> = [1.5_f32, -2.0].iter().flat_map(|number| number.to_le_bytes()).collect();
            let expected = [
                Token::Begin,
                Token::Key(held.as_bytes()),
                Token::Text(held.as_bytes()),
                Token::Key(b"n"),
                Token::Number(-0.1),
                Token::Key(b"i"),
                Token::Integer(i64::MIN),
                Token::Key(b"b"),
                Token::Bool(true),
                Token::Key(b""),
                Token::Null,
                Token::Key(b"f"),
                Token::Floats(&vector),
                Token::End,
            ];
            assert_eq!(Tokens(&record).collect::<Vec<_>>(), expected, "{length}");
        }
    }

    #[test]
    fn a_record_that_is_cut_ends_and_does_not_panic() {
        let mut record = Vec::new();
        let mut object = Object::begin(&mut record);
        text(object.key("key"), &"x".repeat(100));
        floats(object.key("f"), &[0.5; 9]);
        object.end();
        for end in 0..record.len() {
            assert!(Tokens(&record[..end]).count() < 6, "{end}");
        }
    }
}
