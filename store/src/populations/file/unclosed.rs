//! A quote of a CSV file that is never closed.
//!
//! The engine takes all that follows for one value, up to the end of the file, without a word. That value is the last one of the last row,
//! and only the end of the file tells it from one that was closed.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use serde::Deserialize;

use super::MISSING_WORDS;
use crate::{LocalEngine, local::LocalError};

/// Characters of the last value that are held against the end of the file.
const CHARACTERS: usize = 16_384;
/// Bytes of that end: each character may take four, each quote is there twice, and blank lines may follow.
const KEPT: usize = 256 * 1_024;

/// The last value of a table.
#[derive(Debug, Deserialize)]
struct Last {
    /// Its row, from 0.
    row: u64,
    /// Whether it is longer than what is told of it.
    long: u8,
    /// Whether it has several lines.
    lines: u8,
    /// Its last characters; none of a missing value.
    value: Option<String>,
}

/// Where the last value was opened by a quote that nothing closes: a row, counted from 1 after the header, or the header itself; `None` where
/// there is no such quote. `end` is that of the file ([`end`]), `table` has its rows, numbered as `row`, of which `column` is the last one, and
/// `name` is its name.
pub(super) fn place(
    engine: &LocalEngine,
    end: &[u8],
    (table, column): (&str, &str),
    name: &str,
) -> Result<Option<String>, LocalError> {
    let rows: Vec<Last> = engine.rows(&format!(
        "SELECT row, toUInt8(ifNull(lengthUTF8({column}), 0) > {CHARACTERS}) AS long, \
         toUInt8(ifNull(position({column}, '\\n'), 0) > 0) AS lines, rightUTF8({column}, {CHARACTERS}) AS value \
         FROM {table} WHERE row = (SELECT max(row) FROM {table})"
    ))?;
    let (place, last) = match rows.into_iter().next() {
        Some(last) => (format!("row {}", last.row + 1), last),
        None => ("the header".to_owned(), of_header(name)),
    };
    Ok(is_open(end, &last).then_some(place))
}

/// The last name of a header without rows.
fn of_header(name: &str) -> Last {
    let length = name.chars().count();
    let value = name.chars().skip(length.saturating_sub(CHARACTERS)).collect();
    let (long, lines) = (u8::from(length > CHARACTERS), u8::from(name.contains('\n')));
    Last { row: 0, long, lines, value: Some(value) }
}

fn is_open(end: &[u8], last: &Last) -> bool {
    // Without a quote around it a value has one line; and what is longer than this and has one is seldom a value.
    if last.lines == 0 && last.long == 1 {
        return false;
    }
    let missing = || MISSING_WORDS.map(str::to_owned).to_vec();
    let values = last.value.as_ref().map_or_else(missing, |value| vec![value.clone()]);
    is_unclosed(end, &values, last.long == 0)
}

/// Whether a text that ends so ends within quotes, where its last value is one of these; `whole` says that no value is cut off before.
fn is_unclosed(tail: &[u8], values: &[String], whole: bool) -> bool {
    let shown = tail.trim_ascii_end();
    let written = |value: &String| {
        let opening = if whole { "\"" } else { "" };
        format!("{opening}{}", value.replace('"', "\"\"")).into_bytes()
    };
    let opened = |value: &String| tail.ends_with(&written(value));
    let closed =
        |value: &String| shown.strip_suffix(b"\"").is_some_and(|rest| rest.ends_with(&written(value)));
    values.iter().any(opened) && !values.iter().any(closed)
}

/// The last bytes of a text. It is compressed as its name says: the engine goes by that.
pub(super) fn end(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    match path.extension().unwrap_or_default().to_ascii_lowercase().to_str() {
        Some("gz") => last_of(MultiGzDecoder::new(file)),
        Some("zst") => last_of(zstd::stream::read::Decoder::new(file)?),
        _ => {
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(KEPT as u64)))?;
            let mut tail = Vec::new();
            file.read_to_end(&mut tail)?;
            Ok(tail)
        }
    }
}

/// The last bytes of what has to be read from its beginning.
fn last_of(mut reader: impl Read) -> io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    while reader.by_ref().take(KEPT as u64).read_to_end(&mut kept)? > 0 {
        let beyond = kept.len().saturating_sub(KEPT);
        kept.drain(..beyond);
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::{KEPT, MISSING_WORDS, is_unclosed, last_of};

    #[test]
    fn a_quote_is_open_where_the_file_ends_within_it() {
        for (tail, value, expected) in [
            ("4,b,\"2\n3,a,3\n", "2\n3,a,3\n", true),
            ("4,b,\"2\r\n3,a,3\r\n", "2\r\n3,a,3\r\n", true),
            ("4,b,\"cut of", "cut of", true),
            ("4,b,\"said \"\"no\"\"\n", "said \"no\"\n", true),
            ("4,b,\"\n", "\n", true),
            ("4,b,\"2\n3\n\"\n", "2\n3\n", false),
            ("4,b,\"2\n3\n\"", "2\n3\n", false),
            ("4,b,\"said \"\"no\"\"\"\n", "said \"no\"", false),
            ("4,b,\"\"\"\"", "\"", false),
            ("4,b,5\" disk", "5\" disk", false),
            ("4,b,2 \n\n", "2", false),
        ] {
            assert_eq!(is_unclosed(tail.as_bytes(), &[value.to_owned()], true), expected, "{tail:?}");
        }
    }

    #[test]
    fn a_missing_value_may_have_been_any_of_its_words() {
        let words = MISSING_WORDS.map(str::to_owned);
        for (tail, expected) in [
            ("4,b,\"", true),
            ("4,b,\"NA", true),
            ("4,b,\"\"", false),
            ("4,b,\"NA\"", false),
            ("4,b,\"\"\n", false),
            ("4,b,NA", false),
            ("4,b,\n", false),
            ("4,b,", false),
        ] {
            assert_eq!(is_unclosed(tail.as_bytes(), &words, true), expected, "{tail:?}");
        }
    }

    #[test]
    fn of_a_long_value_the_end_is_enough() {
        let end = ["3,a,3\n4,b,4\n".to_owned()];
        assert!(is_unclosed(b"2\n3,a,3\n4,b,4\n", &end, false));
        assert!(!is_unclosed(b"2\n3,a,3\n4,b,4\n\"\n", &end, false));
    }

    #[test]
    fn the_end_of_a_compressed_text_is_that_of_all_of_its_members() {
        let text: Vec<u8> = (0..KEPT + 9).map(|i| b"0123456789"[i % 10]).collect();
        let mut packed = Vec::new();
        for part in text.chunks(100_000) {
            let mut member = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            member.write_all(part).unwrap();
            packed.extend(member.finish().unwrap());
        }
        let last = last_of(flate2::read::MultiGzDecoder::new(packed.as_slice())).unwrap();
        assert!(last == text[9..], "{} bytes", last.len());
    }
}
