//! An insert whose data are handed over piece by piece, cut anywhere.

use super::{EngineError, Exception, Output, Progress, ffi};

/// A running insert. Dropping it without [`InsertStream::finish`] gives it up: rows the engine has not yet formed into
/// a part are lost, which is all of them for an insert below `min_insert_block_size_rows` (1,048,449 rows).
#[derive(Debug)]
pub struct InsertStream<'c> {
    raw: ffi::RawInsert<'c>,
}

impl<'c> InsertStream<'c> {
    pub(super) fn start(raw: Option<ffi::RawInsert<'c>>) -> Result<Self, EngineError> {
        let stream = Self { raw: raw.ok_or(EngineError::NoAnswer)? };
        stream.check()?;
        Ok(stream)
    }

    fn check(&self) -> Result<(), EngineError> {
        self.raw.error().map_or(Ok(()), |text| Err(EngineError::Exception(Exception::parse(&text))))
    }

    /// Hands over one piece; blocks while the engine is behind.
    ///
    /// # Errors
    /// The exception of the insert, which is over then.
    pub fn append(&mut self, piece: &[u8]) -> Result<(), EngineError> {
        if piece.is_empty() || self.raw.append(piece) {
            return Ok(());
        }
        self.check()?;
        Err(EngineError::NoAnswer)
    }

    /// Says that the data are complete; returns when the rows are stored.
    ///
    /// # Errors
    /// The exception of the insert.
    pub fn finish(self) -> Result<Progress, EngineError> {
        Output::checked(self.raw.done()).map(|output| output.progress())
    }

    /// Gives the insert up.
    pub fn cancel(self) {
        self.raw.cancel();
    }
}
