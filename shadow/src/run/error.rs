//! Why a gate has no document, and whose fault that is.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::error::{RuntimeError, SessionError};
use crate::policy::PolicyError;
use crate::traffic::{SkippedBy, TrafficError};

/// Why there is no document.
#[derive(Debug, Error)]
pub enum RunError {
    /// The library cannot be used.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// A model cannot be used.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The traffic cannot be used.
    #[error(transparent)]
    Traffic(#[from] TrafficError),
    /// The policy is none.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A model's file cannot be read.
    #[error("cannot read model `{}`", path.display())]
    Model {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A model's file was not the same before it was opened and after.
    #[error(
        "model `{}` was replaced, written or removed while it was opened, so that nobody can tell what would be judged; run again when its file stays",
        path.display()
    )]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// No inputs can be made up for a model.
    #[error(
        "no inputs of {rows} rows can be made up for model `{model}`, because a declared shape has an extent of 0 or too many elements; name recorded requests (--traffic) or smaller calls (--batches)"
    )]
    NoInputs {
        /// The model.
        model: String,
        /// How many rows.
        rows: usize,
    },
    /// A folder for the profile cannot be made.
    #[error("cannot make a temporary folder")]
    Folder(#[source] std::io::Error),
    /// Nodes of a model ran on the processor although another device was asked for.
    #[error(
        "model `{}` ran {nodes} nodes on the processor although device `{device}` was asked for: {operators}; --allow-cpu-nodes accepts that",
        path.display()
    )]
    Fallback {
        /// The model.
        path: PathBuf,
        /// The device.
        device: &'static str,
        /// How many nodes.
        nodes: u64,
        /// Their operators.
        operators: String,
    },
    /// The original pace needs instants.
    #[error("the pace `original` needs the column with the instants of requests (--time COLUMN)")]
    NoInstants,
}

impl From<SkippedBy> for RunError {
    fn from(error: SkippedBy) -> Self {
        match error {
            SkippedBy::Traffic(error) => Self::Traffic(error),
            SkippedBy::Session(error) => Self::Session(error),
        }
    }
}

/// Whose fault it is that there is no document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blame {
    /// The command line.
    Usage,
    /// A model or the traffic.
    Data,
    /// The library or the device is not there.
    Unavailable,
    /// The policy.
    Policy,
    /// Ours.
    Ours,
}

impl RunError {
    /// Whose fault it is.
    #[must_use]
    pub fn blame(&self) -> Blame {
        match self {
            Self::NoInstants => Blame::Usage,
            Self::Policy(_) => Blame::Policy,
            Self::Runtime(_) | Self::Session(SessionError::Device { .. }) | Self::Fallback { .. } => {
                Blame::Unavailable
            }
            Self::Folder(_) | Self::Session(SessionError::Profile { .. }) => Blame::Ours,
            Self::Session(SessionError::Settings { .. }) => Blame::Usage,
            Self::Session(_)
            | Self::Traffic(_)
            | Self::Model { .. }
            | Self::Changed { .. }
            | Self::NoInputs { .. } => Blame::Data,
        }
    }
}
