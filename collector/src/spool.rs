//! The spool: what an acknowledgement means. One log a table, each with a thread that commits for many requests at once.

mod disk;
mod error;
mod folder;
mod gate;
mod inspect;
mod keys;
mod log;
mod mend;
mod read;
mod record;
mod recover;
mod reserve;
mod retire;
mod room;
mod run;
mod walked;
mod writer;

pub use error::OpenError;
pub(crate) use folder::Spool;
pub use folder::SpoolOptions;
pub use inspect::{SpoolState, TableState};
pub use keys::KeyLimits;
pub(crate) use keys::Keys;
pub(crate) use log::{Frame, Op, Sealed};
pub(crate) use read::{Content, FrameRows};
pub(crate) use record::KeyRecord;
pub use run::BlockLimits;
pub(crate) use walked::{segment_of, walk_segment};
pub(crate) use writer::{AppendError, TableSpool};

#[cfg(test)]
mod model_tests;
