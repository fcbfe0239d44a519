//! A statement whose output is fetched chunk by chunk, so that a result of any size passes through bounded memory.

use super::{EngineError, Exception, Output, ffi};

/// A running SELECT. Dropping it before its end cancels the statement.
#[derive(Debug)]
pub struct QueryStream<'c> {
    raw: ffi::RawStream<'c>,
    ended: bool,
}

impl<'c> QueryStream<'c> {
    pub(super) fn start(raw: Option<ffi::RawStream<'c>>) -> Result<Self, EngineError> {
        let raw = raw.ok_or(EngineError::NoAnswer)?;
        match raw.error() {
            Some(text) => Err(EngineError::Exception(Exception::parse(&text))),
            None => Ok(Self { raw, ended: false }),
        }
    }

    /// The next chunk, a document of its own in the format asked for; `None` at the end.
    ///
    /// # Errors
    /// The exception that ended the statement.
    pub fn next_chunk(&mut self) -> Result<Option<Output>, EngineError> {
        if self.ended {
            return Ok(None);
        }
        let chunk = Output::checked(self.raw.fetch());
        if chunk.as_ref().map_or(true, |chunk| chunk.bytes().is_empty()) {
            self.ended = true;
        }
        chunk.map(|chunk| (!self.ended).then_some(chunk))
    }
}

impl Drop for QueryStream<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.raw.cancel();
        }
    }
}
