//! Standard output: one place that writes results, so that a closed pipe ends a command quietly.

use std::io::{self, Write};

use crate::exit::{Exit, Failure};

/// Writes a result to standard output. A reader that went away (`windvane … | head`) is no error.
///
/// # Errors
/// Standard output cannot be written, for another reason than a closed pipe.
pub fn print(text: &str) -> Result<Exit, Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(Exit::Ok),
    }
}
