//! Findings become notifications: what is wrong, who is told of it when, what the message says, and how it is delivered.

mod alerter;
mod authority;
pub mod backtest;
pub mod book;
mod cause;
mod chain;
mod chart;
pub mod defaults;
pub mod delivery;
pub mod desk;
mod file;
pub mod group;
mod illustrate;
pub mod interval;
mod link;
pub mod machine;
pub mod message;
mod metrics;
pub mod notification;
pub mod outbox;
pub mod plan;
pub mod rate;
pub mod receiver;
pub mod route;
pub mod rule;
pub mod suppress;
mod template;
mod truncate;
pub mod watch;

pub use alerter::{Alerter, Parts, StartError};
pub use delivery::{Delivered, DeliveryError, Patience, deliver};
pub use metrics::{DEFINITIONS, Definition};
pub use notification::{Alert, Notification, State};
pub use plan::Plan;
pub use receiver::{Receiver, Settings, SettingsFault};
