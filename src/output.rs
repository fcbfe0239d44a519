//! Standard output and standard error: one place that writes to them, so that a closed pipe ends a command quietly.

use std::io::{self, Write};

use serde::Serialize;

use crate::exit::{Exit, Failure, Reason};

/// Writes a result to standard output. A reader that went away (`windvane … | head`) is no error.
///
/// # Errors
/// Standard output cannot be written, for another reason than a closed pipe.
pub fn print(text: &str) -> Result<Exit, Failure> {
    let mut stdout = io::stdout().lock();
    written(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()))
}

/// A document as it is printed: JSON for people too, and a line end.
///
/// # Errors
/// It cannot be written as JSON.
pub fn pretty(document: &(impl Serialize + ?Sized)) -> serde_json::Result<String> {
    Ok(format!("{}\n", serde_json::to_string_pretty(document)?))
}

/// Writes a line for people to standard error. Where nobody reads it any more (`windvane … 2>&1 | head`) the command goes on: its exit code
/// says how it ended all the same.
pub fn tell(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
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
