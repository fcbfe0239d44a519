//! What tests need: a running service, its engine, real clients, deadlines instead of sleeps.

mod accounting;
mod deadline;
mod engine;
mod library;
mod process;
mod service;
mod template;

pub use accounting::{nothing_is_lost, nothing_is_lost_as_told, nothing_is_lost_with_token};
pub use deadline::{eventually, eventually_async};
pub use engine::Engine;
pub use library::{libchdb, onnxruntime};
pub use process::LoggedProcess;
pub use service::Service;
