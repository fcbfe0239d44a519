//! The records of a segment file: frames with rows, seals of blocks, and checkpoints; each with two checksums.
//!
//! The header has a checksum of its own, so that a damaged payload costs its own record only: the header still says where the next one
//! begins. All integers are little-endian.
//!
//! ```text
//!  0 magic u32 · 4 kind u8 · 5 flags u8 · 6 layout u16 · 8 seq u64 · 16 rows u32 · 20 meta bytes u32 · 24 body bytes u32
//! 28 time i64 (us) · 36 payload CRC32C u32 · 40 header CRC32C u32 · 44 payload = meta, body
//! ```

use uuid::Uuid;

/// The bytes of a header.
pub(crate) const HEADER: usize = 44;

/// `WVF1`, the mark of a record and the version of this layout.
const MAGIC: [u8; 4] = *b"WVF1";

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Rows of one batch; `meta` is its idempotency key, if it had one.
    Frame = 1,
    /// A block: `seq` is its first frame, `body` its [`Seal`]. Of a block that was split, both halves in one record, so that
    /// neither is ever there without the other: `meta` is the first one's, `body` that of the rest.
    Seal = 2,
    /// ClickHouse has answered for all frames up to `seq`.
    Checkpoint = 3,
    /// An idempotency key whose frame's segment file is gone; only in the file of keys.
    Key = 4,
}

/// The header of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    pub(crate) layout: u16,
    pub(crate) seq: u64,
    pub(crate) rows: u32,
    pub(crate) meta_bytes: u32,
    pub(crate) body_bytes: u32,
    pub(crate) time_us: i64,
    pub(crate) payload_crc: u32,
}

impl Header {
    /// The bytes of the whole record.
    pub(crate) fn record_bytes(&self) -> u64 {
        HEADER as u64 + u64::from(self.meta_bytes) + u64::from(self.body_bytes)
    }

    /// Where the body begins, from the record's start.
    pub(crate) fn body_at(&self) -> usize {
        HEADER + self.meta_bytes as usize
    }
}

/// A record to be written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    pub(crate) kind: Kind,
    pub(crate) layout: u16,
    pub(crate) seq: u64,
    pub(crate) rows: u32,
    pub(crate) time_us: i64,
    pub(crate) meta: &'a [u8],
    pub(crate) body: &'a [u8],
}

impl Record<'_> {
    /// Appends the record and returns the checksum of its payload.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) -> u32 {
        let start = out.len();
        let crc = crc32c::crc32c_append(crc32c::crc32c(self.meta), self.body);
        out.reserve(HEADER + self.meta.len() + self.body.len());
        out.extend_from_slice(&MAGIC);
        out.push(self.kind as u8);
        out.push(0);
        out.extend_from_slice(&self.layout.to_le_bytes());
        out.extend_from_slice(&self.seq.to_le_bytes());
        out.extend_from_slice(&self.rows.to_le_bytes());
        out.extend_from_slice(&length(self.meta).to_le_bytes());
        out.extend_from_slice(&length(self.body).to_le_bytes());
        out.extend_from_slice(&self.time_us.to_le_bytes());
        out.extend_from_slice(&crc.to_le_bytes());
        let header_crc = crc32c::crc32c(&out[start..]);
        out.extend_from_slice(&header_crc.to_le_bytes());
        out.extend_from_slice(self.meta);
        out.extend_from_slice(self.body);
        crc
    }
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("a payload is bounded far below 4 GiB by the limits of a request")
}

/// What stands at a place of a segment file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Parsed<'a> {
    /// A whole record.
    Record(Header, &'a [u8], &'a [u8]),
    /// A good header whose payload is damaged: this many bytes can be skipped.
    Damaged(u64),
    /// A good header, but the bytes end before its payload does.
    Short,
    /// No record begins here.
    Nothing,
}

/// Reads the record at the start of `bytes`.
pub(crate) fn parse(bytes: &[u8]) -> Parsed<'_> {
    let Some(header) = header(bytes) else { return Parsed::Nothing };
    let body_at = header.body_at();
    let end = body_at + header.body_bytes as usize;
    let Some(record) = bytes.get(..end) else { return Parsed::Short };
    if crc32c::crc32c(&record[HEADER..]) != header.payload_crc {
        return Parsed::Damaged(header.record_bytes());
    }
    Parsed::Record(header, &record[HEADER..body_at], &record[body_at..])
}

/// The distance to the next good header after the start of `bytes`.
pub(crate) fn next_header(bytes: &[u8]) -> Option<usize> {
    (1..bytes.len().saturating_sub(HEADER - 1))
        .find(|at| bytes[*at..].starts_with(&MAGIC) && header(&bytes[*at..]).is_some())
}

fn header(bytes: &[u8]) -> Option<Header> {
    let bytes: &[u8; HEADER] = bytes.get(..HEADER)?.try_into().ok()?;
    if bytes[..4] != MAGIC || crc32c::crc32c(&bytes[..40]) != u32_at(bytes, 40) {
        return None;
    }
    let kind = match bytes[4] {
        1 => Kind::Frame,
        2 => Kind::Seal,
        3 => Kind::Checkpoint,
        4 => Kind::Key,
        _ => return None,
    };
    Some(Header {
        kind,
        layout: u16::from_le_bytes([bytes[6], bytes[7]]),
        seq: u64_at(bytes, 8),
        rows: u32_at(bytes, 16),
        meta_bytes: u32_at(bytes, 20),
        body_bytes: u32_at(bytes, 24),
        time_us: i64::from_le_bytes(eight(bytes, 28)),
        payload_crc: u32_at(bytes, 36),
    })
}

fn eight(bytes: &[u8], at: usize) -> [u8; 8] {
    let mut eight = [0; 8];
    eight.copy_from_slice(&bytes[at..at + 8]);
    eight
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(eight(bytes, at))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// A block as it is recorded before it is sent: which frames, under which token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seal {
    /// The first frame.
    pub(crate) first: u64,
    /// The last frame, inclusive.
    pub(crate) last: u64,
    /// What ClickHouse takes for the block's identity.
    pub(crate) token: String,
}

impl Seal {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(16 + self.token.len());
        out.extend_from_slice(&self.first.to_le_bytes());
        out.extend_from_slice(&self.last.to_le_bytes());
        out.extend_from_slice(self.token.as_bytes());
        out
    }

    pub(crate) fn decode(body: &[u8]) -> Option<Self> {
        let token = std::str::from_utf8(body.get(16..)?).ok()?.to_owned();
        Some(Self { first: u64_at(body, 0), last: u64_at(body, 8), token })
    }
}

/// The idempotency key of a batch, with what a repetition is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyRecord {
    /// The hash of the key.
    pub(crate) key: Uuid,
    /// Tells another body under the same key.
    pub(crate) fingerprint: u64,
    /// The answer, word for word.
    pub(crate) answer: bytes::Bytes,
}

impl KeyRecord {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(24 + self.answer.len());
        out.extend_from_slice(self.key.as_bytes());
        out.extend_from_slice(&self.fingerprint.to_le_bytes());
        out.extend_from_slice(&self.answer);
        out
    }

    pub(crate) fn decode(meta: &[u8]) -> Option<Self> {
        let key = Uuid::from_slice(meta.get(..16)?).ok()?;
        meta.get(16..24)?;
        let answer = bytes::Bytes::copy_from_slice(&meta[24..]);
        Some(Self { key, fingerprint: u64_at(meta, 16), answer })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(meta: &[u8], body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        Record { kind: Kind::Frame, layout: 1, seq: 7, rows: 2, time_us: -1, meta, body }.encode(&mut out);
        out
    }

    #[test]
    fn a_record_comes_back_as_it_was_written() {
        let bytes = frame(b"key", b"rows");
        let Parsed::Record(header, meta, body) = parse(&bytes) else { panic!("{:?}", parse(&bytes)) };
        assert_eq!((header.seq, header.rows, header.layout, header.time_us), (7, 2, 1, -1));
        assert_eq!((meta, body), (&b"key"[..], &b"rows"[..]));
        assert_eq!(header.record_bytes(), bytes.len() as u64);
    }

    #[test]
    fn the_next_record_is_found_behind_rubble() {
        let mut bytes = b"WVF1 rubble WVF1".to_vec();
        let at = bytes.len();
        bytes.extend(frame(b"", b"rows"));
        assert_eq!(parse(&bytes), Parsed::Nothing);
        assert_eq!(next_header(&bytes), Some(at));
        assert_eq!(next_header(&bytes[..at]), None);
    }

    proptest! {
        /// A flipped bit anywhere is seen, and never read as another record.
        #[test]
        fn a_flipped_bit_is_seen(at in 0usize..51, bit in 0u8..8) {
            let mut bytes = frame(b"key", b"rows");
            bytes[at] ^= 1 << bit;
            prop_assert!(!matches!(parse(&bytes), Parsed::Record(..)), "byte {} bit {}", at, bit);
        }

        /// A record that was cut anywhere is short or nothing.
        #[test]
        fn a_cut_record_is_not_read(len in 0usize..51) {
            let bytes = frame(b"key", b"rows");
            prop_assert!(matches!(parse(&bytes[..len]), Parsed::Short | Parsed::Nothing));
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (parse(&bytes), next_header(&bytes), Seal::decode(&bytes), KeyRecord::decode(&bytes));
        }
    }
}
