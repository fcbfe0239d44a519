//! How a collector is set up.

use std::time::Duration;

use uuid::Uuid;
use windvane_types::event::Limits;

use crate::limits::NameLimits;
use crate::otlp::Prices;
use crate::proxies::Proxies;
use crate::redact::Redaction;
use crate::spool::SpoolOptions;

/// The settings of one collector.
#[derive(Debug, Clone)]
pub struct CollectorOptions {
    /// Where acknowledged events wait.
    pub spool: SpoolOptions,
    /// The bounds of one event.
    pub limits: Limits,
    /// How many names and values models may bring.
    pub names: NameLimits,
    /// How much of the spool one model fills at most while others send, per cent; 100 is no bound.
    pub model_share_percent: u64,
    /// What of an event is never written.
    pub redaction: Redaction,
    /// Bytes of one request after decompression.
    pub body_bytes_max: usize,
    /// Requests that are read, decoded or wait for the disk at the same time.
    pub requests_max: usize,
    /// How many of those one sender and one model have at most, per cent.
    pub requests_share_percent: usize,
    /// The proxies that say which address a sender without a token has.
    pub proxies: Proxies,
    /// How long the body of a request may take to arrive.
    pub body_timeout: Duration,
    /// How long an event waits for others before it is sent, and four times that where many come: what a reader sees is
    /// this old at least.
    pub block_age: Duration,
    /// INSERTs of one table that wait for an answer at the same time: one, or two where two full blocks wait.
    pub inserts_in_flight: usize,
    /// What tokens of large language models cost.
    pub prices: Prices,
    /// Fresh random bits at every start: event ids are made from them, and the name of a new spool.
    pub seed: Uuid,
}

impl CollectorOptions {
    /// The defaults, with the spool in this place.
    #[must_use]
    pub fn new(spool: SpoolOptions, seed: Uuid) -> Self {
        Self {
            spool,
            limits: Limits::default(),
            names: NameLimits::default(),
            model_share_percent: 80,
            redaction: Redaction::default(),
            body_bytes_max: 32 << 20,
            requests_max: 64,
            requests_share_percent: 80,
            proxies: Proxies::default(),
            body_timeout: Duration::from_secs(60),
            block_age: Duration::from_millis(500),
            inserts_in_flight: 1,
            prices: Prices::default(),
            seed,
        }
    }
}
