//! The first statement of clickhouse-go (Grafana's plugin) over HTTP, answered by hand.
//!
//! The client reads the answer to `SELECT displayName(), version(), revision(), timezone()` as a Native block of its
//! own protocol revision: block info before the block, and one more byte after each type. The engine writes neither.
//! From then on the client reads blocks at the revision that this answer names; with 0 those are the plain Native
//! blocks that the engine writes.

/// The statement, as clickhouse-go sends it, without blanks and in lower case.
const HELLO: &str = "selectdisplayname(),version(),revision(),timezone()";

/// Whether a statement is the hello.
pub(super) fn is_hello(statement: &str) -> bool {
    let squeezed: String = statement.chars().filter(|c| !c.is_whitespace() && *c != ';').collect();
    squeezed.to_ascii_lowercase().trim_end_matches("formatnative") == HELLO
}

/// The answer.
pub(super) fn block(version: &str, timezone: &str) -> Vec<u8> {
    // Block info: field 1 (is_overflows) = 0, field 2 (bucket_num) = -1, end.
    let mut block = vec![0x01, 0x00, 0x02, 0xff, 0xff, 0xff, 0xff, 0x00];
    block.extend_from_slice(&[4, 1]);
    column(&mut block, "displayName()", "String", &string("windvane"));
    column(&mut block, "version()", "String", &string(version));
    column(&mut block, "revision()", "UInt32", &0_u32.to_le_bytes());
    column(&mut block, "timezone()", "String", &string(timezone));
    block
}

fn column(block: &mut Vec<u8>, name: &str, kind: &str, value: &[u8]) {
    block.extend_from_slice(&string(name));
    block.extend_from_slice(&string(kind));
    // has_custom_serialization = no.
    block.push(0);
    block.extend_from_slice(value);
}

fn string(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() + 2);
    let mut length = text.len();
    loop {
        let low = u8::try_from(length & 0x7f).unwrap_or_default();
        length >>= 7;
        bytes.push(if length == 0 { low } else { low | 0x80 });
        if length == 0 {
            break;
        }
    }
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hello_is_known_however_it_is_spaced() {
        for (statement, expected) in [
            ("SELECT displayName(), version(), revision(), timezone()", true),
            ("select displayName(),version(),revision(),timezone() FORMAT Native;", true),
            ("SELECT displayName(), version()", false),
            ("SELECT version()", false),
        ] {
            assert_eq!(is_hello(statement), expected, "{statement}");
        }
    }

    #[test]
    fn the_block_has_the_layout_of_the_protocol() {
        let block = block("26.7.2.1", "UTC");
        assert_eq!(
            block,
            b"\x01\x00\x02\xff\xff\xff\xff\x00\x04\x01\
              \x0ddisplayName()\x06String\x00\x08windvane\
              \x09version()\x06String\x00\x0826.7.2.1\
              \x0arevision()\x06UInt32\x00\x00\x00\x00\x00\
              \x0atimezone()\x06String\x00\x03UTC"
        );
    }
}
