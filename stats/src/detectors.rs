//! Detectors of change in a stream: values go in one by one, and after each the detector says whether something has changed.
//!
//! Question: since when is this stream of errors or values no longer what it was?
//! Input: numbers in the order of time; 0 and 1 where a detector is about errors. What is not finite is refused by the caller.
//! Memory: each keeps a bounded state, however long the stream; after a change it begins anew (ADWIN drops its oldest part).
//! None has a guarantee over any stream: `make calibrate` prints how often each is wrong by default.

pub mod adwin;
pub mod cusum;
pub mod ddm;
pub mod eddm;
pub mod hddm;
pub mod kswin;
pub mod page_hinkley;

/// What a detector says after a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Signal {
    /// Nothing has changed.
    #[default]
    None,
    /// Something may be changing.
    Warning,
    /// Something has changed.
    Change,
}

/// Takes a stream value by value.
pub trait Detector {
    /// Takes the next value, finite, and says what it means.
    fn push(&mut self, x: f64) -> Signal;
}

/// A mean by Welford's recurrence.
#[derive(Debug, Clone, Copy, Default)]
struct Mean {
    n: f64,
    mean: f64,
}

impl Mean {
    fn push(&mut self, x: f64) {
        self.n += 1.0;
        self.mean += (x - self.mean) / self.n;
    }
}

#[cfg(test)]
mod tests;
