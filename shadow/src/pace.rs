//! When requests are due and which of them go together: a core without a clock. Whoever drives it says what time it is, and is
//! told to wait, to ask a model, or that all is done.
//!
//! The clocks are those of MLPerf: all at once, a fixed number of clients of which each waits for its answer, a constant rate,
//! a Poisson process, and the instants at which the traffic was recorded. Latency is taken from when a request was due, so
//! that a model that falls behind cannot hide it by being asked later.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Nanoseconds since the replay began.
pub type Nanos = u64;

/// How requests are paced.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// All are due at once.
    Max,
    /// As recorded, so many times as fast.
    Original(f64),
    /// So many a second on average, at random instants.
    Poisson(f64),
    /// So many a second, evenly.
    Constant(f64),
    /// So many clients, each of which asks again when it has its answer.
    Closed(u32),
}

/// Clients of a closed loop.
const CLIENTS_MAX: u32 = 100_000;
/// Requests a second of an open loop.
const RATE_MAX: f64 = 1e7;

impl FromStr for Pace {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let refused = || {
            format!(
                "`{word}` is no pace; accepted are max, original, original[xN] (N times as fast), poisson:QPS, constant:QPS, closed:CLIENTS"
            )
        };
        let positive = |number: &str, most: f64| {
            number.parse::<f64>().ok().filter(|x| *x > 0.0 && *x <= most).ok_or_else(refused)
        };
        match word.split_once(':') {
            Some(("poisson", rate)) => Ok(Self::Poisson(positive(rate, RATE_MAX)?)),
            Some(("constant", rate)) => Ok(Self::Constant(positive(rate, RATE_MAX)?)),
            Some(("closed", clients)) => {
                let clients = clients.parse().ok().filter(|n| (1..=CLIENTS_MAX).contains(n));
                Ok(Self::Closed(clients.ok_or_else(refused)?))
            }
            Some(_) => Err(refused()),
            None if word == "max" => Ok(Self::Max),
            None => {
                let speed = word.strip_prefix("original").ok_or_else(refused)?;
                let speed = speed.strip_prefix('[').and_then(|s| s.strip_suffix(']')).unwrap_or(speed);
                match speed {
                    "" => Ok(Self::Original(1.0)),
                    speed => {
                        Ok(Self::Original(positive(speed.strip_prefix('x').ok_or_else(refused)?, RATE_MAX)?))
                    }
                }
            }
        }
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Max => f.write_str("max"),
            Self::Original(speed) => write!(f, "original[x{speed}]"),
            Self::Poisson(rate) => write!(f, "poisson:{rate}"),
            Self::Constant(rate) => write!(f, "constant:{rate}"),
            Self::Closed(clients) => write!(f, "closed:{clients}"),
        }
    }
}

impl Pace {
    /// Whether requests are due at instants of their own, whatever the model does.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Original(_) | Self::Poisson(_) | Self::Constant(_))
    }
}

/// Which requests go together into one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batching {
    /// Requests in a call at most.
    pub rows_max: usize,
    /// How long the first of a call waits for others.
    pub wait: Duration,
}

impl Batching {
    /// One by one.
    pub const NONE: Self = Self { rows_max: 1, wait: Duration::ZERO };
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Ask the model these requests: so many, from the first that was not asked yet.
    Ask(usize),
    /// Wait until then, and ask again.
    Wait(Nanos),
    /// Nothing is left of what is available.
    Done,
}

/// Says when which requests are asked. Requests are asked in their order.
#[derive(Debug)]
pub struct Pacer {
    pace: Pace,
    batching: Batching,
    rng: ChaCha8Rng,
    /// When the requests that are due and not asked yet were due, at most as many as go into one call.
    due: VecDeque<Nanos>,
    /// When the next one is due, where that is known.
    next: Option<Nanos>,
    /// Requests that were due so far.
    admitted: u64,
    /// Of a closed loop: the instants at which clients became free.
    free: VecDeque<Nanos>,
    /// When the last one that was admitted was due.
    last: Nanos,
    /// Of recorded instants: the first, and those of requests to come, in nanoseconds.
    recorded: VecDeque<Nanos>,
    recorded_first: Option<i64>,
}

impl Pacer {
    /// A pacer at the beginning. The seed decides the instants of a Poisson process.
    #[must_use]
    pub fn new(pace: Pace, batching: Batching, seed: u64) -> Self {
        let free = match pace {
            Pace::Closed(clients) => std::iter::repeat_n(0, clients as usize).collect(),
            _ => VecDeque::new(),
        };
        Self {
            pace,
            batching,
            rng: ChaCha8Rng::seed_from_u64(seed),
            due: VecDeque::new(),
            next: None,
            admitted: 0,
            free,
            last: 0,
            recorded: VecDeque::new(),
            recorded_first: None,
        }
    }

    /// Says when the next requests were recorded, in microseconds of any epoch; an instant before one of an earlier request
    /// counts as that.
    pub fn record(&mut self, instants_us: impl IntoIterator<Item = i64>) {
        let Pace::Original(speed) = self.pace else { return };
        for instant in instants_us {
            let first = *self.recorded_first.get_or_insert(instant);
            let after = (instant.saturating_sub(first) as f64 * 1e3 / speed).max(0.0);
            let last = self.recorded.back().copied().or(self.next).unwrap_or(self.last);
            self.recorded.push_back(nanos(after).max(last));
        }
    }

    /// What to do at `now`, when `available` requests are at hand that were not asked yet.
    pub fn step(&mut self, now: Nanos, available: usize) -> Step {
        let most = self.batching.rows_max.max(1).min(available);
        if available == 0 {
            return Step::Done;
        }
        while self.due.len() < most && self.peek().is_some_and(|next| next <= now) {
            self.admit();
        }
        let Some(oldest) = self.due.front().copied() else {
            return self.peek().map_or(Step::Done, Step::Wait);
        };
        let deadline = oldest.saturating_add(nanos(self.batching.wait.as_nanos() as f64));
        let full = self.due.len() >= most;
        match self.peek() {
            // Nobody else can come before the model has answered, or nobody comes in time.
            None => Step::Ask(self.due.len()),
            Some(_) if full || deadline <= now => Step::Ask(self.due.len()),
            Some(next) if next > deadline => Step::Wait(deadline),
            Some(next) => Step::Wait(next),
        }
    }

    /// Takes the requests of a call: when each of them was due.
    pub fn ask(&mut self, requests: usize) -> Vec<Nanos> {
        let asked: Vec<Nanos> = self.due.drain(..requests.min(self.due.len())).collect();
        debug_assert_eq!(asked.len(), requests, "only requests that are due are asked");
        asked
    }

    /// Says that so many requests were answered at `now`, so that their clients are free.
    pub fn answered(&mut self, requests: usize, now: Nanos) {
        if matches!(self.pace, Pace::Closed(_)) {
            self.free.extend(std::iter::repeat_n(now, requests));
        }
    }

    /// When the next request is due, as far as that is known.
    fn peek(&mut self) -> Option<Nanos> {
        if self.next.is_none() {
            self.next = match self.pace {
                Pace::Max => Some(0),
                Pace::Closed(_) => self.free.pop_front(),
                Pace::Original(_) => self.recorded.pop_front(),
                Pace::Constant(rate) => Some(nanos(self.admitted as f64 * 1e9 / rate)),
                Pace::Poisson(rate) => {
                    let gap = -(1.0 - self.rng.random::<f64>()).ln() * 1e9 / rate;
                    Some(self.last.saturating_add(nanos(gap)))
                }
            };
        }
        self.next
    }

    fn admit(&mut self) {
        if let Some(next) = self.next.take() {
            self.admitted += 1;
            self.last = next;
            self.due.push_back(next);
        }
    }
}

#[expect(clippy::cast_sign_loss, reason = "a time that is not negative; too large a one is the largest")]
fn nanos(value: f64) -> Nanos {
    value.max(0.0) as u64
}

#[cfg(test)]
mod tests;
