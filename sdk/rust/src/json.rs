//! Writing JSON into a buffer that is used again: no tree, no allocation once the buffer has grown.

/// Writes a text with its quotes.
pub(crate) fn text(into: &mut Vec<u8>, text: &str) {
    into.push(b'"');
    let bytes = text.as_bytes();
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

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Writes a number; what is not finite is `null`.
pub(crate) fn number(into: &mut Vec<u8>, number: f64) {
    if number.is_finite() {
        into.extend_from_slice(ryu::Buffer::new().format_finite(number).as_bytes());
    } else {
        into.extend_from_slice(b"null");
    }
}

/// Writes an integer.
pub(crate) fn integer(into: &mut Vec<u8>, number: i64) {
    into.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// An object that is being written.
pub(crate) struct Object<'b> {
    pub(crate) into: &'b mut Vec<u8>,
    empty: bool,
}

impl<'b> Object<'b> {
    pub(crate) fn begin(into: &'b mut Vec<u8>) -> Self {
        into.push(b'{');
        Self { into, empty: true }
    }

    /// Writes a key; its value is written by the caller next.
    pub(crate) fn key(&mut self, key: &str) -> &mut Vec<u8> {
        if !self.empty {
            self.into.push(b',');
        }
        self.empty = false;
        text(self.into, key);
        self.into.push(b':');
        self.into
    }

    /// Writes a field of text, where there is one.
    pub(crate) fn text(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            text(self.key(key), value);
        }
    }

    pub(crate) fn end(self) {
        self.into.push(b'}');
    }
}
