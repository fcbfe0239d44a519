//! Who has the requests that are in work, so that one sender or one model that sends without end does not shut out the others.
//!
//! The same rule as for the spool (`collector/src/limits/shares.rs`; A. Choudhury and E. Hahne, "Dynamic queue length thresholds for shared-memory packet
//! switches", IEEE/ACM Transactions on Networking 6(2), 1998), twice. Before a body is read nobody knows its model: then it holds for
//! whoever sends, by token or by address. Once it is decoded it holds for its models, while the batch waits for the disk. One alone is
//! held to it as well, because whoever comes next is known only once it is here, and has to find a place; but each may have one request,
//! however small its share.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::ModelBytes;

/// Of whom places are counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Holder {
    Sender(String),
    Model(String),
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoPlace {
    /// All are taken.
    Full,
    /// The sender has its share.
    OverShare,
}

#[derive(Debug, Default)]
struct Held {
    requests: usize,
    by: HashMap<Holder, usize>,
}

/// The places of requests in work.
#[derive(Debug)]
pub(crate) struct Places {
    places: usize,
    /// What one has is to the free places at most as this is to the rest to 100.
    percent: usize,
    held: Mutex<Held>,
}

/// A place, or what the models of a batch have of it; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    requests: usize,
    holders: Vec<Holder>,
}

impl Places {
    /// So many places, of which one sender and one model have at most these per cent.
    pub(crate) fn new(places: usize, percent: usize) -> Arc<Self> {
        Arc::new(Self { places, percent: percent.min(100), held: Mutex::default() })
    }

    /// A place for a request of this sender.
    pub(crate) fn take(self: &Arc<Self>, sender: &str) -> Result<Place, NoPlace> {
        let mut held = self.held.lock();
        let free = self.places.saturating_sub(held.requests);
        if free == 0 {
            return Err(NoPlace::Full);
        }
        let holder = Holder::Sender(sender.to_owned());
        if !self.is_within(&held, &holder, free) {
            return Err(NoPlace::OverShare);
        }
        held.requests += 1;
        Ok(self.hold(&mut held, 1, vec![holder]))
    }

    /// Lets a batch of a request that has a place wait for the disk. The error is the model that has more than its share.
    pub(crate) fn wait(self: &Arc<Self>, batch: &[ModelBytes]) -> Result<Place, String> {
        let mut held = self.held.lock();
        // Its own place is free to it.
        let free = self.places.saturating_sub(held.requests) + 1;
        let mut holders = Vec::with_capacity(batch.len());
        for ModelBytes { model, .. } in batch {
            let holder = Holder::Model(model.clone());
            if !self.is_within(&held, &holder, free) {
                return Err(model.clone());
            }
            holders.push(holder);
        }
        Ok(self.hold(&mut held, 0, holders))
    }

    /// Whether one more is within a share while so many places are free.
    fn is_within(&self, held: &Held, holder: &Holder, free: usize) -> bool {
        let has = held.by.get(holder).copied().unwrap_or(0);
        has == 0 || (has + 1).saturating_mul(100 - self.percent) <= free.saturating_mul(self.percent)
    }

    fn hold(self: &Arc<Self>, held: &mut Held, requests: usize, holders: Vec<Holder>) -> Place {
        for holder in &holders {
            *held.by.entry(holder.clone()).or_default() += 1;
        }
        Place { places: Arc::clone(self), requests, holders }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.places.held.lock();
        held.requests = held.requests.saturating_sub(self.requests);
        for holder in &self.holders {
            let Some(has) = held.by.get_mut(holder) else { continue };
            *has -= 1;
            if *has == 0 {
                held.by.remove(holder);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(model: &str) -> Vec<ModelBytes> {
        vec![ModelBytes { model: model.to_owned(), bytes: 1, rows: 1 }]
    }

    /// Takes as many places as there are for a sender, and keeps them.
    fn fill(places: &Arc<Places>, sender: &str, kept: &mut Vec<Place>) -> (usize, NoPlace) {
        let before = kept.len();
        loop {
            match places.take(sender) {
                Ok(place) => kept.push(place),
                Err(why) => return (kept.len() - before, why),
            }
        }
    }

    #[test]
    fn a_sender_leaves_places_for_others_and_gets_its_own_back() {
        let (places, mut kept) = (Places::new(64, 80), Vec::new());
        assert_eq!(fill(&places, "noisy", &mut kept), (52, NoPlace::OverShare));
        assert_eq!(fill(&places, "another", &mut kept), (10, NoPlace::OverShare));
        assert_eq!(fill(&places, "third", &mut kept), (2, NoPlace::Full));
        kept.clear();
        assert!(places.held.lock().by.is_empty());
        assert_eq!(fill(&places, "noisy", &mut kept), (52, NoPlace::OverShare));
    }

    #[test]
    fn each_has_one_request_however_small_its_share() {
        let (places, mut kept) = (Places::new(3, 1), Vec::new());
        for sender in ["a", "b", "c"] {
            let whole = if sender == "c" { NoPlace::Full } else { NoPlace::OverShare };
            assert_eq!(fill(&places, sender, &mut kept), (1, whole), "{sender}");
        }
        assert!(places.wait(&of("m")).is_ok());
        assert!(Places::new(1, 99).take("alone").is_ok());
    }

    #[test]
    fn a_model_waits_with_its_share_of_the_places_whoever_sends_it() {
        let (places, mut kept) = (Places::new(10, 80), Vec::new());
        for sender in 0..8 {
            kept.push(places.take(&sender.to_string()).unwrap());
            kept.push(places.wait(&of("noisy")).unwrap());
        }
        let request = places.take("more").unwrap();
        assert_eq!(places.wait(&of("noisy")).unwrap_err(), "noisy");
        let both = [of("quiet"), of("noisy")].concat();
        assert_eq!(places.wait(&both).unwrap_err(), "noisy");
        let waits = places.wait(&of("quiet")).unwrap();
        drop((request, waits, kept));
        let held = places.held.lock();
        assert!(held.by.is_empty() && held.requests == 0, "{held:?}");
    }
}
