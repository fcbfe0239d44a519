//! The only ClickHouse code of Windvane: the embedded engine and its HTTP endpoint, the client, migrations, writers
//! and readers.

mod block;
mod client;
mod error;
pub mod exposures;
pub mod measurements;
pub mod outcomes;
pub mod predictions;
mod reader;
mod rowbinary;
mod secret;
mod statement;
mod table;

pub use block::Block;
pub use client::{DATABASE, Store, StoreOptions};
pub use error::{Fault, StoreError};
pub use reader::Reader;
pub use secret::Secret;
pub use statement::{Param, Statement};
pub use table::Table;
