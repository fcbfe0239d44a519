//! Where blocks go: the store, or what stands in for it in tests.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use windvane_store::{Block, Store, StoreError};

/// What a [`Sink`] answers later.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send + 'a>>;

/// Takes blocks. Taking a block again under the same token changes nothing.
pub trait Sink: Debug + Send + Sync + 'static {
    /// Stores a block.
    fn insert<'a>(&'a self, block: &'a Block) -> Answer<'a>;
    /// Whether the sink is there.
    fn ping(&self) -> Answer<'_>;
}

impl Sink for Store {
    fn insert<'a>(&'a self, block: &'a Block) -> Answer<'a> {
        Box::pin(Store::insert(self, block))
    }

    fn ping(&self) -> Answer<'_> {
        Box::pin(Store::ping(self))
    }
}
