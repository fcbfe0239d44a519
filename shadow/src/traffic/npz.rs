//! An archive of NumPy arrays, one array an input: read row by row, so that it may be larger than memory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::CrcReader;
use flate2::read::DeflateDecoder;
use zip::{CompressionMethod, ZipArchive};

use super::npy::{self, Header};
use super::{Chunk, TrafficError, Wanted, extras};
use crate::batch::Batch;
use crate::tensor::Values;

const FORMAT: &str = "npz";
/// Bytes of one row of one array.
const ROW_BYTES_MAX: usize = 1 << 30;

/// The arrays of an archive.
#[derive(Debug)]
pub(super) struct Npz {
    path: PathBuf,
    arrays: BTreeMap<String, Array>,
}

/// Where an array lies in the archive.
#[derive(Debug, Clone)]
struct Array {
    header: Result<Header, npy::Refusal>,
    offset: u64,
    compressed: u64,
    bytes: u64,
    crc: u32,
    method: CompressionMethod,
}

impl Npz {
    pub(super) fn open(path: &Path) -> Result<Self, TrafficError> {
        let io = |source| TrafficError::Io { path: path.to_owned(), source };
        let broken = |source: zip::result::ZipError| TrafficError::Broken {
            path: path.to_owned(),
            format: FORMAT,
            source: source.into(),
        };
        let mut archive = ZipArchive::new(BufReader::new(File::open(path).map_err(io)?)).map_err(broken)?;
        let mut arrays = BTreeMap::new();
        for index in 0..archive.len() {
            let entry = archive.by_index_raw(index).map_err(broken)?;
            let name = entry.name().map_err(broken)?.into_owned();
            let Some(name) = name.strip_suffix(".npy").map(str::to_owned) else { continue };
            let array = Array {
                header: Err(String::new()),
                offset: entry.data_start().unwrap_or_default(),
                compressed: entry.compressed_size(),
                bytes: entry.size(),
                crc: entry.crc32(),
                method: entry.compression(),
            };
            arrays.insert(name, array);
        }
        let mut npz = Self { path: path.to_owned(), arrays };
        let names: Vec<String> = npz.arrays.keys().cloned().collect();
        for name in names {
            let header = Header::read(&mut npz.bytes_of(&name)?).map_err(|error| npz.broken(error))?;
            let array = npz.arrays.get_mut(&name).expect("a key of the map");
            array.header = header.and_then(|header| complete(header, array.bytes));
        }
        Ok(npz)
    }

    pub(super) fn describe(&self) -> String {
        let one = |(name, array): (&String, &Array)| match &array.header {
            Ok(header) => format!("{name} {} {:?}", header.kind.element, header.shape),
            Err(_) => format!("{name} (not readable)"),
        };
        self.arrays.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.arrays.contains_key(name)
    }

    /// The rows of the wanted arrays; of all arrays where none is wanted.
    pub(super) fn rows(&self, wanted: &Wanted) -> Result<u64, TrafficError> {
        let names = wanted.names().filter(|name| self.has(name));
        let mut rows: Option<(String, u64)> = None;
        for name in names {
            let here = self.header(name)?.shape[0] as u64;
            match &rows {
                Some((other, other_rows)) if *other_rows != here => {
                    return Err(TrafficError::Uneven {
                        path: self.path.clone(),
                        name: name.to_owned(),
                        rows: here,
                        other: other.clone(),
                        other_rows: *other_rows,
                    });
                }
                _ => rows = Some((name.to_owned(), here)),
            }
        }
        Ok(rows.map_or(0, |(_, rows)| rows))
    }

    fn header(&self, name: &str) -> Result<&Header, TrafficError> {
        let array = self.arrays.get(name).expect("asked for arrays that are there");
        array.header.as_ref().map_err(|problem| self.unsupported(name, problem.clone()))
    }

    fn unsupported(&self, name: &str, problem: String) -> TrafficError {
        TrafficError::Unsupported { path: self.path.clone(), name: name.to_owned(), problem }
    }

    fn broken(&self, source: io::Error) -> TrafficError {
        TrafficError::Broken { path: self.path.clone(), format: FORMAT, source: source.into() }
    }

    /// The bytes of an array, header included.
    fn bytes_of(&self, name: &str) -> Result<Box<dyn Read + Send>, TrafficError> {
        let array = self.arrays.get(name).expect("asked for arrays that are there");
        let mut file =
            File::open(&self.path).map_err(|source| TrafficError::Io { path: self.path.clone(), source })?;
        file.seek(SeekFrom::Start(array.offset)).map_err(|error| self.broken(error))?;
        let stored = BufReader::with_capacity(1 << 16, file).take(array.compressed);
        match array.method {
            CompressionMethod::Stored => Ok(Box::new(stored)),
            CompressionMethod::Deflated => Ok(Box::new(DeflateDecoder::new(stored))),
            other => Err(self.unsupported(
                name,
                format!("is compressed by {other}; numpy.savez and savez_compressed are read"),
            )),
        }
    }

    /// Opens the wanted arrays for reading from the first row.
    pub(super) fn reader(self, wanted: Wanted) -> Result<Reader, TrafficError> {
        let rows = self.rows(&wanted)?;
        let mut columns = Vec::new();
        for name in wanted.names() {
            let header = self.header(name)?.clone();
            columns.push(self.column(name, header)?);
        }
        Ok(Reader { npz: self, wanted, columns, rows, next: 0 })
    }

    fn column(&self, name: &str, header: Header) -> Result<Column, TrafficError> {
        let width = header.width().and_then(|width| width.checked_mul(header.kind.size));
        let Some(row_bytes) = width.filter(|bytes| *bytes <= ROW_BYTES_MAX) else {
            return Err(self.unsupported(name, format!("has rows of more than {ROW_BYTES_MAX} bytes")));
        };
        let mut bytes = CrcReader::new(self.bytes_of(name)?);
        io::copy(&mut (&mut bytes).take(header.bytes), &mut io::sink())
            .map_err(|error| self.broken(error))?;
        let mut column = Column { name: name.to_owned(), header, row_bytes, bytes: Bytes::Stream(bytes) };
        if column.header.fortran_order && column.header.shape.len() > 1 {
            let mut all = Vec::new();
            column.bytes.reader().read_to_end(&mut all).map_err(|error| self.broken(error))?;
            self.check_crc(&column)?;
            let all = npy::rows_first(&all, &column.header.shape, column.header.kind.size);
            column.bytes = Bytes::Memory(Cursor::new(all));
        }
        Ok(column)
    }

    /// Whether an array that was read to its end was read as it was written.
    fn check_crc(&self, column: &Column) -> Result<(), TrafficError> {
        match &column.bytes {
            Bytes::Stream(bytes) if bytes.crc().sum() != self.arrays[&column.name].crc => {
                Err(self.broken(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("the checksum of `{}` is wrong", column.name),
                )))
            }
            _ => Ok(()),
        }
    }
}

/// A header whose elements are all in the archive.
fn complete(header: Header, bytes: u64) -> Result<Header, npy::Refusal> {
    let elements = header
        .shape
        .iter()
        .try_fold(header.kind.size as u64, |product, extent| product.checked_mul(*extent as u64));
    match elements.and_then(|elements| elements.checked_add(header.bytes)) {
        Some(expected) if expected == bytes => Ok(header),
        _ => Err(format!("holds {bytes} bytes, which are not those of an array of shape {:?}", header.shape)),
    }
}

enum Bytes {
    Stream(CrcReader<Box<dyn Read + Send>>),
    Memory(Cursor<Vec<u8>>),
}

impl Bytes {
    fn reader(&mut self) -> &mut dyn Read {
        match self {
            Self::Stream(bytes) => bytes,
            Self::Memory(bytes) => bytes,
        }
    }
}

struct Column {
    name: String,
    header: Header,
    row_bytes: usize,
    bytes: Bytes,
}

/// The arrays, row by row.
pub(super) struct Reader {
    npz: Npz,
    wanted: Wanted,
    columns: Vec<Column>,
    rows: u64,
    next: u64,
}

impl Reader {
    /// The next rows, at most `most`, and fewer where they are large; `None` at the end.
    pub(super) fn next(&mut self, most: usize) -> Option<Result<Chunk, TrafficError>> {
        let bytes: usize = self.columns.iter().map(|column| column.row_bytes).sum();
        let most = most.min((super::CHUNK_BYTES / bytes.max(1)).max(1));
        let rows = usize::try_from(self.rows - self.next).unwrap_or(most).min(most);
        (rows > 0).then(|| self.read(rows))
    }

    fn read(&mut self, rows: usize) -> Result<Chunk, TrafficError> {
        let mut batch = Batch::new(rows);
        let mut words = BTreeMap::new();
        let first = self.next;
        self.next += rows as u64;
        for column in &mut self.columns {
            let mut bytes = vec![0; rows * column.row_bytes];
            column.bytes.reader().read_exact(&mut bytes).map_err(|error| self.npz.broken(error))?;
            let refused = |problem: String| self.npz.unsupported(&column.name, problem);
            let values = match column.header.kind.size {
                // Texts of no width: all are empty, and take no bytes.
                0 => Values::Text(vec![String::new(); rows * column.header.width().unwrap_or(0)]),
                _ => column.header.kind.decode(&bytes).map_err(refused)?,
            };
            if self.next == self.rows {
                self.npz.check_crc(column)?;
            }
            if self.wanted.extras.contains(&column.name) {
                words.insert(column.name.clone(), extras(&values, rows));
            }
            if self.wanted.is_input(&column.name) {
                let shape = column.header.shape[1..].to_vec();
                batch
                    .push_shaped(&column.name, values, shape)
                    .map_err(|_| refused(super::NO_ELEMENTS.to_owned()))?;
            }
        }
        Ok(Chunk { first, requests: rows, batches: vec![batch], extras: words, ..Chunk::default() })
    }
}
