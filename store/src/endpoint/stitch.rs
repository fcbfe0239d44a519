//! Chunks of a streamed result made one document.
//!
//! The engine writes each chunk as a document of its own. Some formats are their own concatenation; some repeat a
//! header, which is cut from every chunk but the first; the others (`JSON`, `Parquet`, …) cannot be joined, and their
//! result goes through a file that the engine writes in one piece.

/// How the chunks of a format are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Joint {
    /// Chunk after chunk.
    Plain,
    /// This many header lines are repeated.
    Lines(u8),
    /// This many CSV records are repeated; a quoted field may hold a line end.
    Records(u8),
    /// A count and this many strings for each column are repeated.
    Binary(u8),
    /// Only the whole result is a document.
    Whole,
}

impl Joint {
    /// How to join a format, by its name in any case ClickHouse accepts (format names are case-sensitive there).
    pub(super) fn of(format: &str) -> Self {
        match format {
            "Native"
            | "RowBinary"
            | "RowBinaryWithDefaults"
            | "TabSeparated"
            | "TSV"
            | "TabSeparatedRaw"
            | "TSVRaw"
            | "Raw"
            | "CSV"
            | "TSKV"
            | "JSONEachRow"
            | "JSONLines"
            | "NDJSON"
            | "JSONCompactEachRow"
            | "JSONStringsEachRow"
            | "JSONCompactStringsEachRow"
            | "LineAsString"
            | "RawBLOB"
            | "BSONEachRow"
            | "MsgPack"
            | "Null" => Self::Plain,
            "TabSeparatedWithNames"
            | "TSVWithNames"
            | "TabSeparatedRawWithNames"
            | "TSVRawWithNames"
            | "RawWithNames"
            | "JSONCompactEachRowWithNames"
            | "JSONCompactStringsEachRowWithNames" => Self::Lines(1),
            "TabSeparatedWithNamesAndTypes"
            | "TSVWithNamesAndTypes"
            | "TabSeparatedRawWithNamesAndTypes"
            | "TSVRawWithNamesAndTypes"
            | "RawWithNamesAndTypes"
            | "JSONCompactEachRowWithNamesAndTypes"
            | "JSONCompactStringsEachRowWithNamesAndTypes" => Self::Lines(2),
            "CSVWithNames" => Self::Records(1),
            "CSVWithNamesAndTypes" => Self::Records(2),
            "RowBinaryWithNames" => Self::Binary(1),
            "RowBinaryWithNamesAndTypes" => Self::Binary(2),
            _ => Self::Whole,
        }
    }

    /// Bytes of the header at the begin of a chunk; none when the chunk does not hold one.
    pub(super) fn header_len(self, chunk: &[u8]) -> Option<usize> {
        match self {
            Self::Plain | Self::Whole => Some(0),
            Self::Lines(lines) => {
                let mut ends = chunk.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
                ends.nth(usize::from(lines) - 1).map(|(at, _)| at + 1)
            }
            Self::Records(records) => {
                let mut left = records;
                let mut quoted = false;
                for (at, byte) in chunk.iter().enumerate() {
                    match byte {
                        // A doubled quote inside a field switches twice.
                        b'"' => quoted = !quoted,
                        b'\n' if !quoted => {
                            left -= 1;
                            if left == 0 {
                                return Some(at + 1);
                            }
                        }
                        _ => {}
                    }
                }
                None
            }
            Self::Binary(strings_per_column) => {
                let (columns, mut at) = varint(chunk, 0)?;
                for _ in 0..columns.checked_mul(usize::from(strings_per_column))? {
                    let (length, begin) = varint(chunk, at)?;
                    at = begin.checked_add(length).filter(|end| *end <= chunk.len())?;
                }
                Some(at)
            }
        }
    }
}

/// An unsigned LEB128 number at an offset, and the offset behind it.
fn varint(bytes: &[u8], mut at: usize) -> Option<(usize, usize)> {
    let mut value = 0_usize;
    for shift in (0..56).step_by(7) {
        let byte = *bytes.get(at)?;
        at += 1;
        value |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((value, at));
        }
    }
    None
}

/// Cuts the repeated header from chunks.
#[derive(Debug)]
pub(super) struct Stitcher {
    joint: Joint,
    header: Option<Vec<u8>>,
}

/// A chunk does not begin with the header of the first one.
#[derive(Debug)]
pub(super) struct HeaderChanged;

impl Stitcher {
    pub(super) fn new(joint: Joint) -> Self {
        Self { joint, header: None }
    }

    /// How many bytes of this chunk to skip.
    pub(super) fn skip(&mut self, chunk: &[u8]) -> Result<usize, HeaderChanged> {
        match &self.header {
            None => {
                let length = self.joint.header_len(chunk).ok_or(HeaderChanged)?;
                self.header = Some(chunk[..length].to_vec());
                Ok(0)
            }
            Some(header) if chunk.starts_with(header) => Ok(header.len()),
            Some(_) => Err(HeaderChanged),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(format: &str, chunks: &[&[u8]]) -> Option<Vec<u8>> {
        let mut stitcher = Stitcher::new(Joint::of(format));
        let mut joined = Vec::new();
        for chunk in chunks {
            joined.extend_from_slice(&chunk[stitcher.skip(chunk).ok()?..]);
        }
        Some(joined)
    }

    #[test]
    fn repeated_headers_are_cut_and_rows_are_not() {
        for (format, chunks, expected) in [
            ("TSV", [b"1\n".as_slice(), b"2\n"], b"1\n2\n".as_slice()),
            ("TSVWithNames", [b"a\na\n", b"a\n2\n"], b"a\na\n2\n"),
            ("CSVWithNames", [b"\"a\nb\"\n1\n", b"\"a\nb\"\n2\n"], b"\"a\nb\"\n1\n2\n"),
            ("RowBinaryWithNames", [b"\x01\x01a\x07", b"\x01\x01a\x08"], b"\x01\x01a\x07\x08"),
            (
                "RowBinaryWithNamesAndTypes",
                [b"\x01\x01a\x05UInt8\x07", b"\x01\x01a\x05UInt8\x08"],
                b"\x01\x01a\x05UInt8\x07\x08",
            ),
        ] {
            assert_eq!(joined(format, &chunks).as_deref(), Some(expected), "{format}");
        }
        assert_eq!(joined("TSVWithNames", &[b"a\n1\n", b"b\n2\n"]), None);
        assert_eq!(Joint::of("Parquet"), Joint::Whole);
    }
}
