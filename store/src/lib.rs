//! The only ClickHouse code of Windvane: the embedded engine and its HTTP endpoint, the client, migrations, writers
//! and readers.

pub mod baselines;
mod block;
pub mod chdb;
mod client;
pub mod drift_findings;
pub mod endpoint;
mod error;
pub mod experiment;
pub mod experiment_findings;
pub mod experiment_looks;
pub mod exposures;
pub mod job_leases;
pub mod labelled;
pub mod local;
pub mod measurements;
pub mod migrate;
pub mod monitor_runs;
pub mod monitors;
mod native;
pub mod outcomes;
pub mod performance;
pub mod performance_findings;
pub mod populations;
pub mod predictions;
mod reader;
mod real;
mod rowbinary;
mod secret;
mod statement;
mod supervisor;
mod table;
pub mod views;
mod wire;

pub use block::Block;
pub use client::{DATABASE, Store, StoreOptions};
pub use error::{Fault, StoreError};
pub use local::LocalEngine;
pub use native::Malformed;
pub use reader::{Consume, ReadError, Reader};
pub use real::Real;
pub use secret::Secret;
pub use statement::{Param, Statement};
pub use supervisor::{EngineCommand, EngineState, Supervisor, SupervisorError};
pub use table::Table;
pub use wire::{Column, Wire};
