//! Bounds that hold over many events: how many names and values a model may bring, and how much of the spool it may fill.
//!
//! The bounds of a single event are [`windvane_types::event::Limits`]; those of a request are in [`crate::CollectorOptions`].

mod names;
mod shares;

pub use self::names::NameLimits;
pub(crate) use self::names::Names;
pub(crate) use self::shares::{ModelBytes, Shares};
