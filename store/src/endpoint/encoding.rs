//! Content encodings, both ways, and the choice of the answer's.

use std::io::{self, Read, Write};

use super::frames::{FrameReader, FrameWriter};

/// How bytes are packed on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// As they are.
    Identity,
    /// gzip.
    Gzip,
    /// zlib (HTTP's `deflate`).
    Deflate,
    /// Brotli.
    Brotli,
    /// Zstandard.
    Zstd,
    /// The LZ4 frame format.
    Lz4,
    /// ClickHouse's own frames; no HTTP header names them.
    Frames,
}

impl Encoding {
    /// The encoding that a `Content-Encoding` header names.
    pub(super) fn from_token(token: &str) -> Option<Self> {
        match token.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Some(Self::Identity),
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "deflate" => Some(Self::Deflate),
            "br" => Some(Self::Brotli),
            "zstd" => Some(Self::Zstd),
            "lz4" => Some(Self::Lz4),
            _ => None,
        }
    }

    /// The `Content-Encoding` of an answer; none for identity and for ClickHouse's frames.
    pub(super) fn token(self) -> Option<&'static str> {
        match self {
            Self::Identity | Self::Frames => None,
            Self::Gzip => Some("gzip"),
            Self::Deflate => Some("deflate"),
            Self::Brotli => Some("br"),
            Self::Zstd => Some("zstd"),
            Self::Lz4 => Some("lz4"),
        }
    }

    /// The first encoding of `Accept-Encoding` that we know, cheapest first when the client takes several.
    pub(super) fn accepted(header: &str) -> Self {
        let refused =
            |quality: &str| quality.trim().strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0_f32));
        let offered: Vec<Self> = header
            .split(',')
            .filter_map(|item| {
                let (token, quality) = item.split_once(';').unwrap_or((item, ""));
                (!refused(quality)).then(|| Self::from_token(token)).flatten()
            })
            .collect();
        [Self::Zstd, Self::Lz4, Self::Gzip, Self::Brotli, Self::Deflate]
            .into_iter()
            .find(|encoding| offered.contains(encoding))
            .unwrap_or(Self::Identity)
    }

    /// Unpacks what `source` gives.
    pub(super) fn reader<'r>(self, source: impl Read + 'r) -> io::Result<Box<dyn Read + 'r>> {
        Ok(match self {
            Self::Identity => Box::new(source),
            Self::Gzip => Box::new(flate2::read::MultiGzDecoder::new(source)),
            Self::Deflate => Box::new(flate2::read::ZlibDecoder::new(source)),
            Self::Brotli => Box::new(brotli::Decompressor::new(source, 64 << 10)),
            Self::Zstd => {
                let mut decoder = zstd::Decoder::new(source)?;
                // 128 MiB, the largest window a sender may ask us to keep.
                decoder.window_log_max(27)?;
                Box::new(decoder)
            }
            Self::Lz4 => Box::new(lz4_flex::frame::FrameDecoder::new(source)),
            Self::Frames => Box::new(FrameReader::new(source)),
        })
    }

    /// Packs what is written to it.
    pub(super) fn writer<W: Write>(self, sink: W) -> io::Result<Encoder<W>> {
        Ok(match self {
            Self::Identity => Encoder::Identity(sink),
            Self::Gzip => Encoder::Gzip(flate2::write::GzEncoder::new(sink, flate2::Compression::fast())),
            Self::Deflate => {
                Encoder::Deflate(flate2::write::ZlibEncoder::new(sink, flate2::Compression::fast()))
            }
            Self::Brotli => Encoder::Brotli(Box::new(brotli::CompressorWriter::new(sink, 64 << 10, 3, 22))),
            Self::Zstd => Encoder::Zstd(zstd::Encoder::new(sink, 1)?),
            Self::Lz4 => Encoder::Lz4(Box::new(lz4_flex::frame::FrameEncoder::new(sink))),
            Self::Frames => Encoder::Frames(FrameWriter::new(sink)),
        })
    }
}

/// A writer that packs.
pub(super) enum Encoder<W: Write> {
    Identity(W),
    Gzip(flate2::write::GzEncoder<W>),
    Deflate(flate2::write::ZlibEncoder<W>),
    Brotli(Box<brotli::CompressorWriter<W>>),
    Zstd(zstd::Encoder<'static, W>),
    Lz4(Box<lz4_flex::frame::FrameEncoder<W>>),
    Frames(FrameWriter<W>),
}

impl<W: Write> Encoder<W> {
    /// Writes the trailer of the packing and gives the sink back.
    pub(super) fn finish(self) -> io::Result<W> {
        match self {
            Self::Identity(sink) => Ok(sink),
            Self::Gzip(encoder) => encoder.finish(),
            Self::Deflate(encoder) => encoder.finish(),
            Self::Brotli(encoder) => Ok(encoder.into_inner()),
            Self::Zstd(encoder) => encoder.finish(),
            Self::Lz4(encoder) => encoder.finish().map_err(io::Error::other),
            Self::Frames(encoder) => encoder.finish(),
        }
    }

    fn inner(&mut self) -> &mut dyn Write {
        match self {
            Self::Identity(sink) => sink,
            Self::Gzip(encoder) => encoder,
            Self::Deflate(encoder) => encoder,
            Self::Brotli(encoder) => encoder,
            Self::Zstd(encoder) => encoder,
            Self::Lz4(encoder) => encoder,
            Self::Frames(encoder) => encoder,
        }
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.inner().write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Encoding; 7] = [
        Encoding::Identity,
        Encoding::Gzip,
        Encoding::Deflate,
        Encoding::Brotli,
        Encoding::Zstd,
        Encoding::Lz4,
        Encoding::Frames,
    ];

    #[test]
    fn every_encoding_gives_back_what_was_packed() {
        let raw: Vec<u8> = (0..300_000_u32).flat_map(|n| (n / 7).to_le_bytes()).collect();
        for encoding in ALL {
            let mut encoder = encoding.writer(Vec::new()).unwrap();
            encoder.write_all(&raw[..1000]).unwrap();
            encoder.flush().unwrap();
            encoder.write_all(&raw[1000..]).unwrap();
            let packed = encoder.finish().unwrap();
            let mut unpacked = Vec::new();
            encoding.reader(packed.as_slice()).unwrap().read_to_end(&mut unpacked).unwrap();
            assert!(unpacked == raw, "{encoding:?}");
        }
    }

    #[test]
    fn the_answers_encoding_is_one_the_client_takes() {
        for (header, expected) in [
            ("", Encoding::Identity),
            ("identity", Encoding::Identity),
            ("gzip", Encoding::Gzip),
            ("lz4,zstd,br,gzip", Encoding::Zstd),
            ("lz4", Encoding::Lz4),
            ("zstd;q=0, gzip;q=0.5", Encoding::Gzip),
            ("snappy", Encoding::Identity),
            ("*", Encoding::Identity),
        ] {
            assert_eq!(Encoding::accepted(header), expected, "{header}");
        }
    }
}
