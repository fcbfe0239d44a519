//! Where blocks go: the store, or what stands in for it in tests.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use windvane_store::{Block, Store, StoreError, Table, parts};

/// What a [`Sink`] answers later.
pub type Answer<'a, T = ()> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Takes blocks. Taking a block again under the same token changes nothing.
pub trait Sink: Debug + Send + Sync + 'static {
    /// Stores a block.
    fn insert<'a>(&'a self, block: &'a Block) -> Answer<'a>;
    /// Whether the sink is there.
    fn ping(&self) -> Answer<'_>;
    /// How many parts the table's fullest partition has.
    fn parts(&self, table: Table) -> Answer<'_, u64>;
}

impl Sink for Store {
    fn insert<'a>(&'a self, block: &'a Block) -> Answer<'a> {
        Box::pin(Store::insert(self, block))
    }

    fn ping(&self) -> Answer<'_> {
        Box::pin(Store::ping(self))
    }

    fn parts(&self, table: Table) -> Answer<'_, u64> {
        Box::pin(parts::fullest_partition(self, table))
    }
}
