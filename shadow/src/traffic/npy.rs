//! NumPy's array format: the header, and elements of every type that a tensor can have. Pickled objects are refused, because
//! reading them runs code.
//!
//! The format is NumPy Enhancement Proposal 1: a magic number, a version, the length of a header that is a Python literal of
//! `descr`, `fortran_order` and `shape`, and the elements.

use std::io::{self, Read};

use half::f16;

use crate::tensor::{Element, Values};

/// Bytes of a header that is read; NumPy writes some hundred.
const HEADER_BYTES_MAX: u32 = 1 << 20;
/// Dimensions of an array; NumPy allows as many.
const DIMENSIONS_MAX: usize = 64;

/// What stands before the elements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    pub(crate) fortran_order: bool,
    pub(crate) shape: Vec<usize>,
    /// Bytes before the first element.
    pub(crate) bytes: u64,
}

/// The type of an array's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) element: Element,
    /// Bytes of an element.
    pub(crate) size: usize,
    big_endian: bool,
    /// Whether texts are bytes (`S`) and not code points (`U`).
    bytes: bool,
}

/// Why an array cannot be read: a sentence that says what would have been accepted.
pub(crate) type Refusal = String;

impl Header {
    /// Reads the header; the reader stands at the first element then.
    pub(crate) fn read(from: &mut impl Read) -> io::Result<Result<Self, Refusal>> {
        let mut start = [0; 8];
        from.read_exact(&mut start)?;
        if &start[..6] != b"\x93NUMPY" {
            return Ok(Err("is no array of NumPy's format".to_owned()));
        }
        let (length, width) = match start[6] {
            1 => {
                let mut length = [0; 2];
                from.read_exact(&mut length)?;
                (u32::from(u16::from_le_bytes(length)), 2)
            }
            2 | 3 => {
                let mut length = [0; 4];
                from.read_exact(&mut length)?;
                (u32::from_le_bytes(length), 4)
            }
            version => return Ok(Err(format!("has version {version} of NumPy's format; 1 to 3 are read"))),
        };
        if length > HEADER_BYTES_MAX {
            return Ok(Err(format!("has a header of {length} bytes")));
        }
        let mut text = Vec::new();
        from.take(u64::from(length)).read_to_end(&mut text)?;
        if text.len() as u64 != u64::from(length) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let text = String::from_utf8_lossy(&text);
        Ok(parse(&text).map(|header| Self { bytes: 8 + width + u64::from(length), ..header }))
    }

    /// Elements in one row.
    pub(crate) fn width(&self) -> Option<usize> {
        self.shape[1..].iter().try_fold(1_usize, |product, extent| product.checked_mul(*extent))
    }
}

/// Reads the Python literal, which has three fixed keys.
fn parse(text: &str) -> Result<Header, Refusal> {
    let value = |key: &str| {
        let (_, rest) = text.split_once(&format!("'{key}'"))?;
        Some(rest.trim_start().strip_prefix(':')?.trim_start())
    };
    let unreadable = || format!("has a header that cannot be read: {}", text.trim());
    let descr = value("descr").ok_or_else(unreadable)?;
    let quoted = descr.strip_prefix('\'').and_then(|rest| rest.split_once('\'')).map(|(word, _)| word);
    let kind = Kind::parse(quoted.ok_or("is a structured array; give one array an input".to_owned())?)?;
    let order = value("fortran_order").ok_or_else(unreadable)?;
    let fortran_order = order.starts_with("True");
    if !fortran_order && !order.starts_with("False") {
        return Err(unreadable());
    }
    let shape =
        value("shape").and_then(|rest| rest.strip_prefix('(')?.split_once(')')).ok_or_else(unreadable)?;
    let extents = shape.0.split(',').map(str::trim).filter(|extent| !extent.is_empty());
    let shape = extents.map(str::parse).collect::<Result<Vec<usize>, _>>().map_err(|_| unreadable())?;
    if shape.is_empty() || shape.len() > DIMENSIONS_MAX {
        return Err(format!(
            "has {} dimensions; the first axis counts requests, so it has 1 or more",
            shape.len()
        ));
    }
    Ok(Header { kind, fortran_order, shape, bytes: 0 })
}

impl Kind {
    /// A type as NumPy writes it, such as `<f4`, `|b1` or `<U12`.
    fn parse(descr: &str) -> Result<Self, Refusal> {
        let refused = |what: &str| {
            format!(
                "has the type {descr}{what}; accepted are floats of 2, 4 and 8 bytes, integers of 1, 2, 4 and 8 bytes with and without sign, bool, and fixed-width texts (U, S)"
            )
        };
        if descr.contains('O') {
            return Err(refused(
                " (Python objects), which is stored as a pickle; reading a pickle runs code, so that it is never read: save texts as fixed-width unicode, as `array.astype(\"U\")`",
            ));
        }
        let mut letters = descr.chars();
        let (order, letter) = match (letters.next(), letters.clone().next()) {
            (Some(order @ ('<' | '>' | '|' | '=')), Some(letter)) => {
                letters.next();
                (order, letter)
            }
            (Some(letter), _) => ('=', letter),
            _ => return Err(refused("")),
        };
        let digits: usize = letters.as_str().parse().map_err(|_| refused(""))?;
        let element = match (letter, digits) {
            ('f', 2) => Element::F16,
            ('f', 4) => Element::F32,
            ('f', 8) => Element::F64,
            ('i', 1) => Element::I8,
            ('i', 2) => Element::I16,
            ('i', 4) => Element::I32,
            ('i', 8) => Element::I64,
            ('u', 1) => Element::U8,
            ('u', 2) => Element::U16,
            ('u', 4) => Element::U32,
            ('u', 8) => Element::U64,
            ('b', 1) => Element::Bool,
            ('U' | 'S', _) => Element::Text,
            _ => return Err(refused("")),
        };
        let size = if letter == 'U' { digits.checked_mul(4).ok_or_else(|| refused(""))? } else { digits };
        Ok(Self { element, size, big_endian: order == '>', bytes: letter == 'S' })
    }

    /// Elements out of their bytes.
    pub(crate) fn decode(&self, bytes: &[u8]) -> Result<Values, Refusal> {
        macro_rules! numbers {
            ($of:ident, $type:ty, $size:literal) => {
                Values::$of(
                    bytes
                        .as_chunks::<$size>()
                        .0
                        .iter()
                        .map(|b| {
                            if self.big_endian {
                                <$type>::from_be_bytes(*b)
                            } else {
                                <$type>::from_le_bytes(*b)
                            }
                        })
                        .collect(),
                )
            };
        }
        Ok(match self.element {
            Element::F16 => numbers!(F16, f16, 2),
            Element::F32 => numbers!(F32, f32, 4),
            Element::F64 => numbers!(F64, f64, 8),
            Element::I8 => numbers!(I8, i8, 1),
            Element::I16 => numbers!(I16, i16, 2),
            Element::I32 => numbers!(I32, i32, 4),
            Element::I64 => numbers!(I64, i64, 8),
            Element::U8 => Values::U8(bytes.to_vec()),
            Element::U16 => numbers!(U16, u16, 2),
            Element::U32 => numbers!(U32, u32, 4),
            Element::U64 => numbers!(U64, u64, 8),
            Element::Bool => Values::Bool(bytes.iter().map(|byte| *byte != 0).collect()),
            Element::Text => Values::Text(self.texts(bytes)?),
        })
    }

    /// Texts of one width, filled up with zeros.
    fn texts(&self, bytes: &[u8]) -> Result<Vec<String>, Refusal> {
        let bytes_of_text = |text: &[u8]| {
            let end = text.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            String::from_utf8(text[..end].to_vec()).map_err(|_| "holds bytes that are no UTF-8".to_owned())
        };
        let points_of_text = |text: &[u8]| {
            let points = text
                .as_chunks::<4>()
                .0
                .iter()
                .map(|b| if self.big_endian { u32::from_be_bytes(*b) } else { u32::from_le_bytes(*b) });
            let points: Vec<u32> = points.collect();
            let end = points.iter().rposition(|point| *point != 0).map_or(0, |last| last + 1);
            let letters = points[..end].iter().map(|point| char::from_u32(*point));
            letters
                .collect::<Option<String>>()
                .ok_or_else(|| "holds code points that are no Unicode".to_owned())
        };
        let texts = bytes.chunks_exact(self.size.max(1));
        if self.bytes { texts.map(bytes_of_text).collect() } else { texts.map(points_of_text).collect() }
    }
}

/// Brings the elements of an array that is stored column by column into the order of rows.
pub(crate) fn rows_first(bytes: &[u8], shape: &[usize], size: usize) -> Vec<u8> {
    let mut strides = Vec::with_capacity(shape.len());
    let mut stride = 1;
    for extent in shape {
        strides.push(stride);
        stride *= extent;
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = vec![0; shape.len()];
    for _ in 0..stride {
        let from = at.iter().zip(&strides).map(|(index, stride)| index * stride).sum::<usize>() * size;
        out.extend_from_slice(&bytes[from..from + size]);
        for (index, extent) in at.iter_mut().zip(shape).rev() {
            *index += 1;
            if *index < *extent {
                break;
            }
            *index = 0;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_of_numpy_reads() {
        let header = parse("{'descr': '<f4', 'fortran_order': False, 'shape': (10, 3), }   \n").unwrap();
        assert_eq!(
            (header.kind.element, header.kind.size, header.shape.as_slice()),
            (Element::F32, 4, [10, 3].as_slice())
        );
        assert_eq!(header.width(), Some(3));
        let header = parse("{'descr': '>U5', 'fortran_order': True, 'shape': (7,), }").unwrap();
        assert_eq!((header.kind.element, header.kind.size, header.fortran_order), (Element::Text, 20, true));
        assert_eq!(header.width(), Some(1));
    }

    #[test]
    fn what_cannot_be_read_says_what_could() {
        for (text, expected) in [
            ("{'descr': '|O', 'fortran_order': False, 'shape': (2,), }", "pickle"),
            ("{'descr': '<c16', 'fortran_order': False, 'shape': (2,), }", "accepted are floats"),
            ("{'descr': '<M8[us]', 'fortran_order': False, 'shape': (2,), }", "accepted are floats"),
            ("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }", "one array an input"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (), }", "first axis counts requests"),
            ("{'descr': '<f4', 'fortran_order': Maybe, 'shape': (2,), }", "cannot be read"),
            ("nothing", "cannot be read"),
        ] {
            let refusal = parse(text).unwrap_err();
            assert!(refusal.contains(expected), "{text}: {refusal}");
        }
    }

    #[test]
    fn elements_come_in_either_byte_order() {
        let kind = |descr| Kind::parse(descr).unwrap();
        assert_eq!(kind("<f4").decode(&1.5_f32.to_le_bytes()), Ok(Values::F32(vec![1.5])));
        assert_eq!(kind(">f8").decode(&1.5_f64.to_be_bytes()), Ok(Values::F64(vec![1.5])));
        assert_eq!(kind("<i8").decode(&(-3_i64).to_le_bytes()), Ok(Values::I64(vec![-3])));
        assert_eq!(kind("|b1").decode(&[0, 1]), Ok(Values::Bool(vec![false, true])));
        assert_eq!(kind("<f2").decode(&[0, 60]), Ok(Values::F16(vec![f16::ONE])));
        let text: Vec<u8> = ['ä', '\0', 'b', 'c'].iter().flat_map(|c| u32::from(*c).to_le_bytes()).collect();
        assert_eq!(kind("<U2").decode(&text), Ok(Values::Text(vec!["ä".to_owned(), "bc".to_owned()])));
        assert_eq!(kind("|S3").decode(b"ab\0\0\0\0"), Ok(Values::Text(vec!["ab".to_owned(), String::new()])));
        assert!(kind("<U1").decode(&[0xFF; 4]).is_err());
    }

    #[test]
    fn columns_become_rows() {
        // [[0, 1, 2], [3, 4, 5]] column by column.
        assert_eq!(rows_first(&[0, 3, 1, 4, 2, 5], &[2, 3], 1), [0, 1, 2, 3, 4, 5]);
        assert_eq!(rows_first(&[0, 4, 2, 6, 1, 5, 3, 7], &[2, 2, 2], 1), [0, 1, 2, 3, 4, 5, 6, 7]);
    }
}
