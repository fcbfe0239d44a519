//! Halves that wait for their other halves, within bounds of bytes and count.
//!
//! What is forgotten here is durable already: the oldest halves make room for new ones, and a restart begins with none. A pair whose
//! first half was forgotten is two rows that never become one: a payload without outputs and a prediction without features, with one
//! event id.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;
use windvane_types::rejection::Fault;

use super::event::{Event, Origin, Side};
use super::tensors;

/// Bytes of what waits.
const BYTES_MAX: usize = 64 << 20;
/// Halves that wait.
const HALVES_MAX: usize = 65_536;

/// What the halves of a pair have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) model: String,
    pub(super) component: String,
    pub(super) id: String,
}

impl Key {
    fn bytes(&self) -> usize {
        self.model.len() + self.component.len() + self.id.len()
    }
}

/// One half, read.
#[derive(Debug, Clone)]
pub(super) struct Half {
    pub(super) id: String,
    pub(super) ts_us: i64,
    pub(super) origin: Origin,
    pub(super) body: Value,
    /// The body as tensors, where it can be told.
    pub(super) tensors: Option<Value>,
}

/// What a half met.
#[derive(Debug)]
pub(super) enum Met {
    /// The other one is not here; this one waits.
    Alone(Arc<Half>),
    /// The pair.
    Both {
        request: Arc<Half>,
        response: Arc<Half>,
        /// The one that came first, and waits no more.
        waited: Waited,
    },
}

/// A half that waited.
#[derive(Debug)]
pub(crate) struct Waited {
    key: Key,
    side: Side,
    pub(super) half: Arc<Half>,
}

/// The halves that wait.
#[derive(Debug, Default)]
pub(crate) struct Joiner {
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    halves: HashMap<Key, (Side, Arc<Half>, usize)>,
    /// In the order in which they came; some have met since.
    order: VecDeque<Key>,
    /// Of both.
    bytes: usize,
}

impl Joiner {
    /// Brings a half, and takes the other one away with it where that is here.
    pub(super) fn meet(&self, key: Key, side: Side, half: Half) -> Met {
        let half = Arc::new(half);
        let mut waiting = self.waiting.lock();
        match waiting.halves.remove(&key) {
            Some((other_side, other, bytes)) if other_side != side => {
                waiting.bytes -= bytes;
                let waited = Waited { key, side: other_side, half: Arc::clone(&other) };
                let (request, response) = if side == Side::Request { (half, other) } else { (other, half) };
                return Met::Both { request, response, waited };
            }
            // The same half again takes its own place.
            Some((_, _, bytes)) => waiting.bytes -= bytes,
            None => {}
        }
        waiting.keep(key, side, Arc::clone(&half));
        Met::Alone(half)
    }

    /// Bytes of what waits.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.waiting.lock().bytes
    }

    /// Lets halves wait again whose pairs did not become durable: whoever sends the other one again finds them.
    pub(crate) fn put_back(&self, taken: Vec<Waited>) {
        let mut waiting = self.waiting.lock();
        for Waited { key, side, half } in taken {
            if !waiting.halves.contains_key(&key) {
                waiting.keep(key, side, half);
            }
        }
    }
}

impl Waiting {
    fn keep(&mut self, key: Key, side: Side, half: Arc<Half>) {
        let bytes = key.bytes() + half.bytes();
        self.bytes += bytes + key.bytes();
        self.order.push_back(key.clone());
        self.halves.insert(key, (side, half, bytes));
        while self.bytes > BYTES_MAX || self.order.len() > HALVES_MAX {
            let Some(oldest) = self.order.pop_front() else { break };
            self.bytes -= oldest.bytes();
            if let Some((_, _, bytes)) = self.halves.remove(&oldest) {
                self.bytes -= bytes;
            }
        }
    }
}

/// About how much memory a value takes.
fn size(value: &Value) -> usize {
    let own = size_of::<Value>();
    own + match value {
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(size).sum(),
        Value::Object(entries) => entries.iter().map(|(key, value)| key.len() + size(value)).sum(),
        _ => 0,
    }
}

impl Half {
    /// About how much memory it takes. Names and ids are what a client says, and count as its body does.
    fn bytes(&self) -> usize {
        let names: usize = self.origin.words().map(|(_, word)| word.len()).sum();
        self.id.len() + names + size(&self.body) + self.tensors.as_ref().map_or(0, size)
    }

    /// Reads an event.
    pub(super) fn of(event: Event, side: Side, now_us: i64) -> Result<Self, Fault> {
        let (tensors, ts_us) = (tensors::of(&event.body, side), event.ts_us(now_us)?);
        let Event { id, origin, body, .. } = event;
        Ok(Self { id, ts_us, origin, body, tensors })
    }
}
