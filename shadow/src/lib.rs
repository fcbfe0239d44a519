//! ONNX models: sessions on a runtime loaded at run time. The only code that names `ort`.
//!
//! A [`Runtime`] is the native library, one a process. A [`Session`] is a model ready to run; [`Session::run`] takes rows of
//! a [`Batch`] of named columns and gives named [`Tensor`]s back. What a model declares is a list of [`Port`]s, and each
//! fault of an input shows both sides: what the model declares and what was given.

mod batch;
mod error;
mod port;
mod runtime;
mod session;
mod tensor;

pub use batch::Batch;
pub use error::{RuntimeError, SessionError};
pub use port::Port;
pub use runtime::Runtime;
pub use session::{Device, Session};
pub use tensor::{Element, Outputs, Tensor, Values};
