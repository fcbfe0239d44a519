//! May this model take that one's place? Recorded traffic goes through both, and a gate says pass, fail or inconclusive.
//!
//! [`run::run`] is the whole way: [`traffic`] is read chunk by chunk, [`replay`] asks the models at a [`pace`], [`compare`] and
//! [`quality`] see how answers differ, and [`judge`] holds what was seen against a [`policy`].
//!
//! ONNX models run in sessions on a runtime loaded at run time; this is the only code that names `ort`.
//! A [`Runtime`] is the native library, one a process. A [`Session`] is a model ready to run; [`Session::run`] takes rows of
//! a [`Batch`] of named columns and gives named [`Tensor`]s back. What a model declares is a list of [`Port`]s, and each
//! fault of an input shows both sides: what the model declares and what was given.

pub mod answer;
mod batch;
pub mod bench;
pub mod compare;
mod device;
mod error;
mod gpu;
mod graph;
pub mod judge;
pub mod pace;
mod placement;
pub mod policy;
mod port;
pub mod quality;
pub mod replay;
pub mod run;
mod runtime;
mod session;
mod stack;
mod tensor;
pub mod timings;
pub mod traffic;
mod watchdog;
pub mod wire;

pub use batch::Batch;
pub use device::{Device, GpuOptions, SessionOptions};
pub use error::{RuntimeError, SessionError};
pub use port::Port;
pub use runtime::Runtime;
pub use session::{Session, WarmUp};
pub use stack::Stack;
pub use tensor::{Element, Outputs, Tensor, Values};
