//! Bounds that hold over many events: how many names and values a model may bring, how much of the spool it may fill, and how many requests
//! in work it may have.
//!
//! The bounds of a single event are [`windvane_types::event::Limits`]; those of a request are in [`crate::CollectorOptions`].

mod names;
mod places;
mod shares;

pub use self::names::NameLimits;
pub(crate) use self::names::Names;
pub(crate) use self::places::{NoPlace, Place, Places};
pub(crate) use self::shares::{ModelBytes, Shares};
