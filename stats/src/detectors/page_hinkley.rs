//! Page-Hinkley: a running sum of deviations from the running mean, compared with its own extreme.
//!
//! Question: has the mean moved, and stayed there?
//! Input: any finite values.
//! Formula: mₜ = α·mₜ₋₁ + (xₜ - x̄ₜ) ∓ δ; change where mₜ - min m > λ (up), max m - mₜ > λ (down). The least and the largest begin
//! at ∞ and at -1, as in River.
//! Valid when: a move is large beside δ; λ has the unit of the values and must be set to them.
//! Reference: Page 1954, doi:10.1093/biomet/41.1-2.100; Hinkley 1971, doi:10.1093/biomet/58.3.509.
//! Oracle: river 0.22 `drift.PageHinkley()`.
//! Cost: constant.

use super::{Detector, Mean, Signal};

/// How it is set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Values before the first answer.
    pub values_min: u64,
    /// δ, what is subtracted from each deviation.
    pub delta: f64,
    /// λ, how far the sum may go.
    pub threshold: f64,
    /// α, how slowly the past is forgotten.
    pub forgetting: f64,
    /// Which moves count.
    pub direction: Direction,
}

/// Which moves count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// Up only.
    Up,
    /// Down only.
    Down,
    /// Both.
    #[default]
    Both,
}

impl Default for Settings {
    fn default() -> Self {
        Self { values_min: 30, delta: 0.005, threshold: 50.0, forgetting: 0.9999, direction: Direction::Both }
    }
}

#[derive(Debug, Clone, Copy)]
struct State {
    mean: Mean,
    up: f64,
    down: f64,
    least: f64,
    most: f64,
}

impl State {
    const EMPTY: Self =
        Self { mean: Mean { n: 0.0, mean: 0.0 }, up: 0.0, down: 0.0, least: f64::INFINITY, most: -1.0 };
}

/// The detector.
#[derive(Debug, Clone, Copy)]
pub struct PageHinkley {
    settings: Settings,
    state: State,
}

impl Default for PageHinkley {
    fn default() -> Self {
        Self::new(Settings::default())
    }
}

impl PageHinkley {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings, state: State::EMPTY }
    }
}

impl Detector for PageHinkley {
    fn push(&mut self, x: f64) -> Signal {
        let Settings { values_min, delta, threshold, forgetting, direction } = self.settings;
        let state = &mut self.state;
        state.mean.push(x);
        let deviation = x - state.mean.mean;
        state.up = forgetting * state.up + deviation - delta;
        state.down = forgetting * state.down + deviation + delta;
        state.least = state.least.min(state.up);
        state.most = state.most.max(state.down);
        let (rose, fell) = (state.up - state.least > threshold, state.most - state.down > threshold);
        let changed = match direction {
            Direction::Up => rose,
            Direction::Down => fell,
            Direction::Both => rose || fell,
        };
        if changed && state.mean.n >= values_min as f64 {
            self.state = State::EMPTY;
            return Signal::Change;
        }
        Signal::None
    }
}
