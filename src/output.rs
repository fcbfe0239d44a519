//! Standard output: one place that writes results, so that a closed pipe ends a command quietly.

use std::io::{self, Write};

use crate::exit::{Exit, Failure, Reason};

/// Writes a result to standard output. A reader that went away (`windvane … | head`) is no error.
///
/// # Errors
/// Standard output cannot be written, for another reason than a closed pipe.
pub fn print(text: &str) -> Result<Exit, Failure> {
    let mut stdout = io::stdout().lock();
    written(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()))
}

/// How a command ends that wrote to standard output, as [`print()`] does.
///
/// # Errors
/// Standard output could not be written, for another reason than a closed pipe.
pub fn written(outcome: io::Result<()>) -> Result<Exit, Failure> {
    match outcome {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure {
            reason: Reason::Unavailable,
            error: anyhow::Error::new(error).context("cannot write to standard output"),
        }),
        _ => Ok(Exit::Ok),
    }
}
