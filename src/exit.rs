//! How a command ends: the exit codes of the contract, and errors that carry one.

use std::fmt;

/// What a command found; the codes below 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: done, or the gate passed.
    Ok,
    /// 1: the finding asked for with `--fail-on` is there, or the gate failed.
    Found,
    /// 2: not enough evidence for an answer.
    Inconclusive,
}

impl Exit {
    /// The process exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Found => 1,
            Self::Inconclusive => 2,
        }
    }
}

/// Why a command could not give an answer; the codes from 64 (named as in `sysexits.h`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// 64: the command line is wrong.
    Usage,
    /// 65: the input data are wrong.
    Data,
    /// 69: something that is needed is not available.
    Unavailable,
    /// 70: a fault of ours.
    Software,
    /// 78: the configuration is wrong.
    Config,
}

impl Reason {
    /// The process exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Usage => 64,
            Self::Data => 65,
            Self::Unavailable => 69,
            Self::Software => 70,
            Self::Config => 78,
        }
    }
}

/// An error with the exit code it asks for.
#[derive(Debug)]
pub struct Failure {
    /// Which exit code.
    pub reason: Reason,
    /// What went wrong, with its chain of causes.
    pub error: anyhow::Error,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.error)
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { reason: Reason::Software, error: error.into() }
    }
}

/// The result of every subcommand. A plain `?` means [`Reason::Software`]; say otherwise with [`Because`].
pub type CommandResult = Result<Exit, Failure>;

/// Names the exit code of an error where it is known: `read(path).because(Reason::Data)?`.
pub trait Because<T> {
    /// Turns the error into a [`Failure`] with this reason.
    ///
    /// # Errors
    /// The error of `self`, with the reason attached.
    fn because(self, reason: Reason) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> Because<T> for Result<T, E> {
    fn because(self, reason: Reason) -> Result<T, Failure> {
        self.map_err(|error| Failure { reason, error: error.into() })
    }
}
