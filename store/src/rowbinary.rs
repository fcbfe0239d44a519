//! ClickHouse's RowBinary encoding of the value types that our tables use, appended to a byte vector.
//!
//! Nothing here allocates beyond growing the vector: rows are encoded on the ingestion path.

/// Appends an unsigned LEB128 integer: the length of strings, arrays and maps.
pub(crate) fn varint(out: &mut Vec<u8>, mut n: usize) {
    loop {
        let low = (n & 0x7f) as u8;
        n >>= 7;
        if n == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// Appends a `String` or `LowCardinality(String)`.
pub(crate) fn string(out: &mut Vec<u8>, s: &str) {
    varint(out, s.len());
    out.extend_from_slice(s.as_bytes());
}

/// Appends a `Nullable(…)`: one flag byte, and the value where there is one.
pub(crate) fn nullable<T>(out: &mut Vec<u8>, value: Option<T>, encode: impl FnOnce(&mut Vec<u8>, T)) {
    match value {
        Some(value) => {
            out.push(0);
            encode(out, value);
        }
        None => out.push(1),
    }
}

/// Appends an `Int64`, which is also a `DateTime64` in microseconds or nanoseconds since 1970-01-01 UTC.
pub(crate) fn i64(out: &mut Vec<u8>, n: i64) {
    out.extend_from_slice(&n.to_le_bytes());
}

/// Appends a `UInt64`.
pub(crate) fn u64(out: &mut Vec<u8>, n: u64) {
    out.extend_from_slice(&n.to_le_bytes());
}

/// Appends a `Float64`; NaN and the infinities keep their bits.
pub(crate) fn f64(out: &mut Vec<u8>, x: f64) {
    out.extend_from_slice(&x.to_le_bytes());
}

/// Appends an `Array(Float32)`.
pub(crate) fn f32s(out: &mut Vec<u8>, xs: &[f32]) {
    varint(out, xs.len());
    for x in xs {
        out.extend_from_slice(&x.to_le_bytes());
    }
}

/// Appends a `Map(String, V)` whose length is known only once it was walked.
///
/// One byte is kept for the length, which is enough below 128 entries; a longer map is moved up afterwards.
pub(crate) fn map<V>(
    out: &mut Vec<u8>,
    entries: &mut dyn Iterator<Item = (&str, V)>,
    encode: impl Fn(&mut Vec<u8>, V),
) {
    let at = out.len();
    out.push(0);
    let mut n = 0;
    for (key, value) in entries {
        string(out, key);
        encode(out, value);
        n += 1;
    }
    if let Ok(short @ 0..0x80) = u8::try_from(n) {
        out[at] = short;
        return;
    }
    let mut length = Vec::with_capacity(10);
    varint(&mut length, n);
    out.splice(at..=at, length);
}

/// Appends an array whose elements are at hand.
pub(crate) fn array<T>(out: &mut Vec<u8>, items: &[T], mut encode: impl FnMut(&mut Vec<u8>, &T)) {
    varint(out, items.len());
    for item in items {
        encode(out, item);
    }
}

/// A `Map(LowCardinality(String), String)` that is encoded once and appended to many rows: the attributes of a resource belong to
/// all its spans.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes {
    entries: usize,
    bytes: Vec<u8>,
}

impl Attributes {
    /// Forgets the entries, keeps the memory.
    pub fn clear(&mut self) {
        self.entries = 0;
        self.bytes.clear();
    }

    /// Adds an entry.
    pub fn push(&mut self, key: &str, value: &str) {
        string(&mut self.bytes, key);
        string(&mut self.bytes, value);
        self.entries += 1;
    }

    /// How many bytes the entries have.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        varint(out, self.entries);
        out.extend_from_slice(&self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_are_little_endian_groups_of_seven_bits() {
        // LEB128, DWARF 5 section 7.6, figure 22: 128 = 80 01, 16256 = 80 7f.
        for (n, bytes) in [(0, &[0][..]), (127, &[0x7f]), (128, &[0x80, 1]), (16256, &[0x80, 0x7f])] {
            let mut out = Vec::new();
            varint(&mut out, n);
            assert_eq!(out, bytes, "{n}");
        }
    }

    #[test]
    fn a_map_of_128_entries_has_a_length_of_two_bytes() {
        for n in [0, 1, 127, 128, 300] {
            let mut out = vec![9];
            map(&mut out, &mut (0..n).map(|i| ("k", i)), |out, i: u64| u64(out, i));
            let mut expected = vec![9];
            varint(&mut expected, usize::try_from(n).unwrap());
            for i in 0..n {
                string(&mut expected, "k");
                u64(&mut expected, i);
            }
            assert_eq!(out, expected, "{n} entries");
        }
    }
}
