//! Breaks off calls that take too long: one thread looks at the call in progress and tells the runtime to stop.
//!
//! The runtime looks at the flag between nodes, so that a loop without end stops at its next turn. A single operator that
//! never returns is beyond it; the process that watches this one ends both.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ort::session::RunOptions;

/// How often the thread looks.
const LOOK: Duration = Duration::from_millis(50);
/// No call is in progress.
const IDLE: u64 = u64::MAX;

struct Shared {
    /// Of calls as usual, and one for each graph that may be recorded.
    options: Vec<RunOptions>,
    /// When the call in progress began, in nanoseconds after `birth`.
    began: AtomicU64,
    birth: Instant,
    broken_off: AtomicBool,
    gone: AtomicBool,
}

/// The watch over the calls of one session.
pub(crate) struct Watchdog {
    shared: Arc<Shared>,
}

impl fmt::Debug for Watchdog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watchdog").finish_non_exhaustive()
    }
}

impl Watchdog {
    /// Starts the thread, for calls as usual and for this many graphs. It ends with the session.
    pub(crate) fn start(limit: Duration, graphs: usize) -> ort::Result<Self> {
        let mut options = Vec::with_capacity(1 + graphs);
        for graph in 0..=graphs {
            let mut one = RunOptions::new()?;
            if graphs > 0 {
                // A call with the number -1 is neither recorded nor played back.
                let number = if graph == 0 { "-1".to_owned() } else { graph.to_string() };
                one.set("gpu_graph_id", number)?;
            }
            options.push(one);
        }
        let shared = Arc::new(Shared {
            options,
            began: AtomicU64::new(IDLE),
            birth: Instant::now(),
            broken_off: AtomicBool::new(false),
            gone: AtomicBool::new(false),
        });
        let watched = Arc::clone(&shared);
        std::thread::spawn(move || {
            while !watched.gone.load(Ordering::Acquire) {
                let began = watched.began.load(Ordering::Acquire);
                if began != IDLE && watched.now().saturating_sub(began) > nanoseconds(limit) {
                    watched.broken_off.store(true, Ordering::Release);
                    // A call that cannot be stopped is ended with its process.
                    watched.options.iter().for_each(|options| drop(options.terminate()));
                }
                std::thread::park_timeout(LOOK);
            }
        });
        Ok(Self { shared })
    }

    /// Makes a call under watch, with the options of a graph or, without one, those of calls as usual; `Err(None)` says that it was broken
    /// off.
    pub(crate) fn call<T>(
        &self,
        graph: Option<usize>,
        call: impl FnOnce(&RunOptions) -> ort::Result<T>,
    ) -> Result<T, Option<ort::Error>> {
        self.shared.began.store(self.shared.now(), Ordering::Release);
        let answer = call(&self.shared.options[graph.map_or(0, |graph| graph + 1)]);
        self.shared.began.store(IDLE, Ordering::Release);
        if self.shared.broken_off.swap(false, Ordering::AcqRel) {
            self.shared.options.iter().try_for_each(|options| options.unterminate()).map_err(Some)?;
            return answer.map_err(|_| None);
        }
        answer.map_err(Some)
    }
}

impl Shared {
    fn now(&self) -> u64 {
        nanoseconds(self.birth.elapsed())
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(IDLE - 1)
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.shared.gone.store(true, Ordering::Release);
    }
}
