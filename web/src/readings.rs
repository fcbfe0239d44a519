//! Readings of pages that are under way: all who ask for a page while it is being read get that one reading.
//!
//! Every open page asks for itself again when something has changed, all at once. A reading that has ended is never shown again, so that
//! whoever asks sees what was in the store when a reading under way began; and never one that began before a change that connections of
//! `/events` have been told of.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use maud::Markup;
use tokio::sync::Mutex;
use windvane_store::StoreError;

/// A page; `None` where there is nothing of this name.
pub type Page = Result<Option<Markup>, StoreError>;
type Reading = BoxFuture<'static, Page>;
/// How many changes were known, and the address.
type Key = (u64, String);

/// Those under way, as many as there are requests at most.
#[derive(Debug, Clone, Default)]
pub struct Readings {
    under_way: Arc<Mutex<HashMap<Key, WeakShared<Reading>>>>,
}

impl Readings {
    /// What the reading of this page under way says, else `read`. It goes on while anybody waits for it.
    ///
    /// # Errors
    /// Those of the reading.
    pub async fn page(&self, key: Key, read: Reading) -> Page {
        self.reading(key, read).await.await
    }

    async fn reading(&self, key: Key, read: Reading) -> Shared<Reading> {
        let mut under_way = self.under_way.lock().await;
        under_way.retain(|_, reading| reading.upgrade().is_some());
        let found = under_way.get(&key).and_then(WeakShared::upgrade);
        if let Some(reading) = found.filter(|reading| reading.peek().is_none()) {
            return reading;
        }
        let reading = read.shared();
        if let Some(weak) = reading.downgrade() {
            under_way.insert(key, weak);
        }
        reading
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// A page that says which reading it is.
    fn counted(begun: &Arc<AtomicU64>) -> Reading {
        let begun = Arc::clone(begun);
        async move {
            let nth = begun.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            Ok::<_, StoreError>(Some(maud::html! { (nth) }))
        }
        .boxed()
    }

    fn shown(page: Page) -> String {
        page.unwrap().unwrap().into_string()
    }

    #[tokio::test]
    async fn whoever_asks_while_a_page_is_read_gets_that_reading() {
        let (readings, begun) = (Readings::default(), Arc::default());
        let ask = |changes, address: &str| readings.page((changes, address.to_owned()), counted(&begun));
        let (one, same) = tokio::join!(ask(0, "/"), ask(0, "/"));
        assert_eq!((shown(one), shown(same)), ("0".to_owned(), "0".to_owned()));
        assert_eq!(shown(ask(0, "/").await), "1", "it has ended");
        let (one, other) = tokio::join!(ask(0, "/"), ask(0, "/?range=1y"));
        assert_ne!(shown(one), shown(other), "another page");
        let (before, after) = tokio::join!(ask(0, "/"), ask(1, "/"));
        assert_ne!(shown(before), shown(after), "something has changed since it began");
    }

    #[tokio::test]
    async fn a_reading_goes_on_when_the_first_who_asked_goes_away() {
        let readings = Readings::default();
        let (go, gone) = tokio::sync::oneshot::channel::<()>();
        let slow = async move {
            gone.await.unwrap();
            Ok::<_, StoreError>(Some(maud::html! { "slow" }))
        };
        let other = async { Ok::<_, StoreError>(None) };
        let mut first = Box::pin(readings.page((0, "/".to_owned()), slow.boxed()));
        assert!(first.as_mut().now_or_never().is_none(), "it waits");
        let mut second = Box::pin(readings.page((0, "/".to_owned()), other.boxed()));
        assert!(second.as_mut().now_or_never().is_none(), "it waits as well");
        drop(first);
        go.send(()).unwrap();
        assert_eq!(shown(second.await), "slow");
    }
}
