//! EDDM: errors that come closer together than they have.
//!
//! Question: does the distance between two errors shrink, also slowly?
//! Input: 1 for an error, 0 for none.
//! Formula: p′, s′ mean and standard deviation of the number of values from one error to the next; the largest p′ + 2s′ is kept;
//! warning where (p′ + 2s′)/max < α, change where it is below β.
//! Valid when: errors are independent. At the default α and β it alarms on streams without any change, often.
//! Reference: Baena-García et al. 2006, Early Drift Detection Method, Fourth International Workshop on Knowledge Discovery from
//! Data Streams, equations 1 and 2.
//! Oracle: river 0.22 `drift.binary.EDDM()`.
//! Cost: constant.

use super::{Detector, Signal};

/// How it is set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Values, and errors, before the first answer.
    pub warm_up: u64,
    /// α, the ratio below which it warns.
    pub warning: f64,
    /// β, the ratio below which something has changed.
    pub drift: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { warm_up: 30, warning: 0.95, drift: 0.9 }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    values: u64,
    last_error: u64,
    errors: u64,
    mean: f64,
    m2: f64,
    most: f64,
    warned: bool,
}

/// The detector.
#[derive(Debug, Clone, Copy, Default)]
pub struct Eddm {
    settings: Settings,
    state: State,
}

impl Eddm {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings, ..Self::default() }
    }
}

impl Detector for Eddm {
    fn push(&mut self, x: f64) -> Signal {
        let Settings { warm_up, warning, drift } = self.settings;
        let state = &mut self.state;
        state.values += 1;
        if x == 1.0 {
            state.errors += 1;
            let distance = (state.values - state.last_error) as f64;
            state.last_error = state.values;
            let n = state.errors as f64;
            let from_mean = distance - state.mean;
            state.mean += from_mean / n;
            state.m2 += from_mean * (distance - state.mean);
            if state.values > warm_up {
                let variance = if state.errors > 1 { state.m2 / (n - 1.0) } else { 0.0 };
                let level = state.mean + 2.0 * variance.sqrt();
                if level > state.most {
                    state.most = level;
                } else if state.errors > warm_up {
                    let ratio = level / state.most;
                    if ratio < drift {
                        self.state = State::default();
                        return Signal::Change;
                    }
                    state.warned = ratio < warning;
                }
            }
        }
        if self.state.warned { Signal::Warning } else { Signal::None }
    }
}
