//! An endpoint over an engine of this process, in a folder of its own.

use std::net::Ipv4Addr;
use std::sync::Arc;

use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use windvane_store::chdb::{Engine, EngineOptions, Library};
use windvane_store::endpoint::{Endpoint, Options};
use windvane_store::migrate::{self, Topology};
use windvane_store::{DATABASE, Secret, Store, StoreOptions};

/// A running endpoint; [`Running::end`] closes it.
pub struct Running {
    pub store: Store,
    pub options: StoreOptions,
    stop: CancellationToken,
    serving: JoinHandle<bool>,
    _folder: TempDir,
}

impl Running {
    /// Without any table.
    pub async fn empty() -> Self {
        let library = Library::open(&windvane_kit::libchdb()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let engine: Arc<Engine> = Engine::open(library, &EngineOptions::new(folder.path())).unwrap();
        let endpoint =
            Endpoint::bind(engine, (Ipv4Addr::LOCALHOST, 0).into(), Options::default()).await.unwrap();
        let options = StoreOptions {
            url: format!("http://{}", endpoint.address()),
            user: endpoint.access().user.clone(),
            password: Secret::new(endpoint.access().password.clone()),
            database: DATABASE.to_owned(),
        };
        let stop = CancellationToken::new();
        let serving = TaskTracker::new().spawn(endpoint.serve(stop.clone(), CancellationToken::new()));
        Self { store: Store::connect(&options), options, stop, serving, _folder: folder }
    }

    /// With every table.
    pub async fn migrated() -> Self {
        let running = Self::empty().await;
        migrate::apply(&running.store, &Topology::Single, |_| {}).await.unwrap();
        running
    }

    /// Closes the engine, which a process must do before it ends.
    pub async fn end(self) {
        drop(self.store);
        self.stop.cancel();
        assert!(self.serving.await.unwrap(), "a connection to the engine was left open");
    }
}
