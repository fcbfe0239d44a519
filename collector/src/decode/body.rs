//! What a body is, by its headers: format and content encoding; and its bounded decompression.

use std::io::Read;

use bytes::Bytes;

/// How records stand in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// One JSON object, or an array of them.
    Json,
    /// One object a line.
    Ndjson,
    /// An Arrow IPC stream or file.
    Arrow,
    /// Not said: the body shows it.
    Unsaid,
}

/// What the answer 415 lists.
pub(crate) const CONTENT_TYPES: &str = "application/json (an object or an array), application/x-ndjson (an object a line), \
     application/vnd.apache.arrow.stream and application/vnd.apache.arrow.file";

impl Format {
    /// The format of a `Content-Type`; `None` for one that is not taken.
    pub(crate) fn of(content_type: Option<&str>) -> Option<Self> {
        let Some(content_type) = content_type else { return Some(Self::Unsaid) };
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/json" | "text/json" => Some(Self::Json),
            "application/x-ndjson"
            | "application/ndjson"
            | "application/jsonl"
            | "application/x-jsonlines" => Some(Self::Ndjson),
            "application/vnd.apache.arrow.stream" | "application/vnd.apache.arrow.file" => Some(Self::Arrow),
            _ => None,
        }
    }
}

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContentEncoding {
    /// Not.
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

/// What the answer 415 lists.
pub(crate) const CONTENT_ENCODINGS: &str = "gzip, zstd, identity";

impl ContentEncoding {
    /// The encoding of a `Content-Encoding`; `None` for one that is not taken, and for several on top of each other.
    pub(crate) fn of(content_encoding: Option<&str>) -> Option<Self> {
        match content_encoding.map(|encoding| encoding.trim().to_ascii_lowercase()).as_deref() {
            None | Some("" | "identity") => Some(Self::Identity),
            Some("gzip" | "x-gzip") => Some(Self::Gzip),
            Some("zstd") => Some(Self::Zstd),
            Some(_) => None,
        }
    }
}

/// Why a body could not be decompressed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// It is longer than it may be.
    #[error(
        "the body has more than {max} bytes after decompression; accepted are up to {max}: send smaller batches"
    )]
    TooLarge {
        /// The bound.
        max: usize,
    },
    /// It is not what its header says.
    #[error("the body is no valid {0}")]
    Corrupt(&'static str),
}

/// A zstd frame may ask for no larger window than this (2 to this power: 8 MiB, as RFC 8878 recommends).
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// Decompresses a body, and stops where it becomes too long.
pub(crate) fn decompress(
    body: Bytes,
    encoding: ContentEncoding,
    bytes_max: usize,
) -> Result<Bytes, BodyError> {
    match encoding {
        ContentEncoding::Identity if body.len() > bytes_max => Err(BodyError::TooLarge { max: bytes_max }),
        ContentEncoding::Identity => Ok(body),
        ContentEncoding::Gzip => {
            read_bounded(flate2::read::MultiGzDecoder::new(&body[..]), "gzip", bytes_max)
        }
        ContentEncoding::Zstd => {
            let corrupt = |_| BodyError::Corrupt("zstd");
            let mut decoder = zstd::stream::read::Decoder::with_buffer(&body[..]).map_err(corrupt)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(corrupt)?;
            read_bounded(decoder, "zstd", bytes_max)
        }
    }
}

fn read_bounded(decoder: impl Read, name: &'static str, bytes_max: usize) -> Result<Bytes, BodyError> {
    let mut body = Vec::new();
    let bound = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    decoder.take(bound).read_to_end(&mut body).map_err(|_| BodyError::Corrupt(name))?;
    if body.len() > bytes_max {
        return Err(BodyError::TooLarge { max: bytes_max });
    }
    Ok(body.into())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Bytes {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap().into()
    }

    #[test]
    fn both_compressions_come_back_as_they_were() {
        let body = b"{\"model\":\"m\"}".repeat(50);
        for (encoding, packed) in [
            (ContentEncoding::Identity, Bytes::from(body.clone())),
            (ContentEncoding::Gzip, gzip(&body)),
            (ContentEncoding::Zstd, zstd::encode_all(&body[..], 3).unwrap().into()),
        ] {
            assert_eq!(decompress(packed, encoding, body.len()).unwrap(), body, "{encoding:?}");
        }
    }

    #[test]
    fn a_bomb_is_stopped_at_the_bound() {
        let zeros = vec![0; 10 << 20];
        for (encoding, packed) in [
            (ContentEncoding::Gzip, gzip(&zeros)),
            (ContentEncoding::Zstd, zstd::encode_all(&zeros[..], 3).unwrap().into()),
        ] {
            assert!(packed.len() < 20_000, "{encoding:?}");
            let error = decompress(packed, encoding, 1 << 20).unwrap_err();
            assert!(matches!(error, BodyError::TooLarge { max: 1_048_576 }), "{encoding:?}: {error}");
        }
    }

    #[test]
    fn a_corrupt_body_is_told_apart_from_a_large_one() {
        for encoding in [ContentEncoding::Gzip, ContentEncoding::Zstd] {
            for body in ["", "plain text"] {
                let error = decompress(Bytes::from(body), encoding, 100).err();
                assert!(
                    matches!(error, None | Some(BodyError::Corrupt(_))),
                    "{encoding:?} {body}: {error:?}"
                );
            }
        }
        let mut cut = gzip(b"some text that is cut");
        cut.truncate(cut.len() - 9);
        assert!(matches!(decompress(cut, ContentEncoding::Gzip, 100), Err(BodyError::Corrupt("gzip"))));
    }

    #[test]
    fn content_types_are_read_without_their_parameters() {
        for (content_type, format) in [
            (Some("application/json; charset=utf-8"), Some(Format::Json)),
            (Some("Application/X-NDJSON"), Some(Format::Ndjson)),
            (None, Some(Format::Unsaid)),
            (Some("application/vnd.apache.arrow.stream"), Some(Format::Arrow)),
            (Some("text/csv"), None),
            (Some("application/x-www-form-urlencoded"), None),
        ] {
            assert_eq!(Format::of(content_type), format, "{content_type:?}");
        }
    }
}
