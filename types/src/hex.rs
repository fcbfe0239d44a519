//! Bytes in hex, as digests and the ids of traces are written.

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Bytes in lower-case hex, two digits each.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for &byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from(DIGITS[usize::from(digit)]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_two_digits_and_the_high_one_comes_first() {
        assert_eq!(encode(&[0x00, 0x0f, 0xa0, 0xff, 0x82]), "000fa0ff82");
        assert_eq!(encode(&[]), "");
    }
}
