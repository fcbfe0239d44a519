//! ClickHouse's own compressed frames (`compress=1`, `decompress=1`).
//!
//! A frame is a 16-byte CityHash128 (version 1.0.2, high half first) of what follows, one method byte, the compressed
//! length including these nine bytes, the raw length (both u32, little-endian), and the data.

use std::io::{self, Read, Write};

use super::status::code;

const CHECKSUM_BYTES: usize = 16;
const HEADER_BYTES: usize = 9;
const METHOD_NONE: u8 = 0x02;
const METHOD_LZ4: u8 = 0x82;
const METHOD_ZSTD: u8 = 0x90;
/// ClickHouse writes frames of 1 MiB; it accepts up to 1 GiB, we 64 MiB, which bounds the memory of a request.
const FRAME_BYTES_MAX: usize = 64 << 20;
/// Raw bytes of a frame that we write.
const WRITE_BYTES: usize = 1 << 20;

/// What is wrong with a frame, and ClickHouse's code for it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct FrameError {
    pub(super) code: i32,
    pub(super) message: String,
}

fn fault(code: i32, message: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, FrameError { code, message: message.into() })
}

fn checksum(data: &[u8]) -> [u8; CHECKSUM_BYTES] {
    // CityHash gives the halves the other way round than ClickHouse writes them.
    cityhash_rs::cityhash_102_128(data).rotate_left(64).to_le_bytes()
}

/// Reads frames and gives their raw bytes.
pub(super) struct FrameReader<R> {
    source: R,
    raw: Vec<u8>,
    at: usize,
}

impl<R: Read> FrameReader<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source, raw: Vec::new(), at: 0 }
    }

    /// Reads the next frame; false at the end of the source.
    fn next_frame(&mut self) -> io::Result<bool> {
        let mut expected = [0; CHECKSUM_BYTES];
        if !read_or_end(&mut self.source, &mut expected)? {
            return Ok(false);
        }
        let mut frame = vec![0; HEADER_BYTES];
        self.source.read_exact(&mut frame).map_err(cut)?;
        let length =
            |at: usize| u32::from_le_bytes([frame[at], frame[at + 1], frame[at + 2], frame[at + 3]]) as usize;
        let (compressed, raw) = (length(1), length(5));
        if !(HEADER_BYTES..=FRAME_BYTES_MAX).contains(&compressed) || raw > FRAME_BYTES_MAX {
            return Err(fault(
                code::TOO_LARGE_SIZE_COMPRESSED,
                format!(
                    "a compressed frame of {compressed} bytes ({raw} raw) is outside 9 to {FRAME_BYTES_MAX}."
                ),
            ));
        }
        frame.resize(compressed, 0);
        self.source.read_exact(&mut frame[HEADER_BYTES..]).map_err(cut)?;
        if checksum(&frame) != expected {
            return Err(fault(
                code::CHECKSUM_DOESNT_MATCH,
                "Checksum doesn't match: corrupted data, or frames without CityHash 1.0.2.",
            ));
        }
        self.raw = decompress(frame[0], &frame[HEADER_BYTES..], raw)?;
        self.at = 0;
        Ok(true)
    }
}

fn cut(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return fault(code::CANNOT_DECOMPRESS, "the data end inside a compressed frame.");
    }
    error
}

/// Fills the buffer; false when the source is at its end before the first byte.
fn read_or_end(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    let mut filled = 0;
    while filled < buffer.len() {
        match source.read(&mut buffer[filled..]) {
            Ok(0) if filled == 0 => return Ok(false),
            Ok(0) => return Err(cut(io::ErrorKind::UnexpectedEof.into())),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

fn decompress(method: u8, data: &[u8], raw: usize) -> io::Result<Vec<u8>> {
    let broken = |error: &dyn std::fmt::Display| {
        fault(code::CANNOT_DECOMPRESS, format!("Cannot decompress a frame: {error}."))
    };
    let bytes = match method {
        METHOD_NONE => data.to_vec(),
        METHOD_LZ4 => lz4_flex::block::decompress(data, raw).map_err(|error| broken(&error))?,
        METHOD_ZSTD => zstd::bulk::decompress(data, raw).map_err(|error| broken(&error))?,
        other => {
            return Err(fault(
                code::UNKNOWN_COMPRESSION_METHOD,
                format!(
                    "Unknown compression method 0x{other:02x}; LZ4 (0x82), ZSTD (0x90) and none (0x02) are known."
                ),
            ));
        }
    };
    if bytes.len() == raw { Ok(bytes) } else { Err(broken(&"the raw length differs from the header")) }
}

impl<R: Read> Read for FrameReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.raw.len() {
            if !self.next_frame()? {
                return Ok(0);
            }
        }
        let count = buffer.len().min(self.raw.len() - self.at);
        buffer[..count].copy_from_slice(&self.raw[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

/// Writes what it is given as LZ4 frames.
pub(super) struct FrameWriter<W: Write> {
    sink: W,
    raw: Vec<u8>,
}

impl<W: Write> FrameWriter<W> {
    pub(super) fn new(sink: W) -> Self {
        Self { sink, raw: Vec::new() }
    }

    fn write_frame(&mut self) -> io::Result<()> {
        if self.raw.is_empty() {
            return Ok(());
        }
        let data = lz4_flex::block::compress(&self.raw);
        let length = |bytes: usize| {
            u32::try_from(bytes)
                .map(u32::to_le_bytes)
                .map_err(|_| io::Error::from(io::ErrorKind::InvalidData))
        };
        let mut frame = Vec::with_capacity(HEADER_BYTES + data.len());
        frame.push(METHOD_LZ4);
        frame.extend_from_slice(&length(HEADER_BYTES + data.len())?);
        frame.extend_from_slice(&length(self.raw.len())?);
        frame.extend_from_slice(&data);
        self.sink.write_all(&checksum(&frame))?;
        self.sink.write_all(&frame)?;
        self.raw.clear();
        Ok(())
    }

    /// Writes what is left and gives the sink back.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.write_frame()?;
        Ok(self.sink)
    }
}

impl<W: Write> Write for FrameWriter<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = buffer.len().min(WRITE_BYTES - self.raw.len());
        self.raw.extend_from_slice(&buffer[..count]);
        if self.raw.len() == WRITE_BYTES {
            self.write_frame()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_frame()?;
        self.sink.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(frames: &[u8]) -> Result<Vec<u8>, i32> {
        let mut raw = Vec::new();
        match FrameReader::new(frames).read_to_end(&mut raw) {
            Ok(_) => Ok(raw),
            Err(error) => Err(error.get_ref().unwrap().downcast_ref::<FrameError>().unwrap().code),
        }
    }

    fn written(raw: &[u8]) -> Vec<u8> {
        let mut writer = FrameWriter::new(Vec::new());
        writer.write_all(raw).unwrap();
        writer.finish().unwrap()
    }

    proptest::proptest! {
        /// Whatever is written as frames is read back, however it is cut.
        #[test]
        fn frames_give_back_what_was_written(raw in proptest::collection::vec(proptest::num::u8::ANY, 0..5000), repeat in 1_usize..600) {
            let raw = raw.repeat(repeat);
            proptest::prop_assert_eq!(read_all(&written(&raw)).unwrap(), raw);
        }

        /// One flipped bit never passes as data.
        #[test]
        fn a_flipped_bit_is_an_error(raw in proptest::collection::vec(proptest::num::u8::ANY, 1..500), at in 0_usize..4000) {
            let mut frames = written(&raw);
            let bit = at % (frames.len() * 8);
            frames[bit / 8] ^= 1 << (bit % 8);
            proptest::prop_assert!(read_all(&frames).is_err());
        }
    }

    #[test]
    fn broken_frames_have_clickhouses_codes() {
        let good = written(b"hello hello hello hello");
        let mut huge = good.clone();
        huge[17..21].copy_from_slice(&u32::MAX.to_le_bytes());
        let mut method = good[16..].to_vec();
        method[0] = 0x77;
        let method = [checksum(&method).as_slice(), &method].concat();
        let mut flipped = good.clone();
        *flipped.last_mut().unwrap() ^= 1;
        for (frames, expected) in [
            (&good[..good.len() - 1], code::CANNOT_DECOMPRESS),
            (&good[..10], code::CANNOT_DECOMPRESS),
            (&huge[..], code::TOO_LARGE_SIZE_COMPRESSED),
            (&method[..], code::UNKNOWN_COMPRESSION_METHOD),
            (&flipped[..], code::CHECKSUM_DOESNT_MATCH),
        ] {
            assert_eq!(read_all(frames).unwrap_err(), expected);
        }
        assert_eq!(read_all(&[]).unwrap(), b"");
    }
}
