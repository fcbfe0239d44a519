//! Bounds that hold over many events: how many names and values a model may bring, and how many words a service, how much of the spool a
//! model may fill, and how many requests in work it may have.
//!
//! The bounds of a single event are [`windvane_types::event::Limits`]; those of a request are in [`crate::CollectorOptions`].

mod hashes;
mod names;
mod places;
mod shares;
mod words;

pub use self::names::NameLimits;
pub(crate) use self::names::Names;
pub(crate) use self::places::{NoPlace, Place, Places};
pub(crate) use self::shares::{ModelBytes, Shares};
pub(crate) use self::words::{OTHER, OfService, Replaced, Word, Words};
