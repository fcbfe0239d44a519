//! Findings become notifications: what a message says, who receives it, and how it is delivered.

mod chain;
pub mod delivery;
pub mod message;
pub mod notification;
pub mod receiver;
mod truncate;

pub use delivery::{Delivered, DeliveryError, Patience, deliver};
pub use notification::{Alert, Notification, State};
pub use receiver::{Receiver, Settings, SettingsFault};
