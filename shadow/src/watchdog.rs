//! Breaks off calls that take too long: one thread looks at the call in progress and tells the runtime to stop.
//!
//! The runtime looks at the flag between nodes, so that a loop without end stops at its next turn. A single operator that
//! never returns is beyond it; the process that watches this one ends both.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ort::session::RunOptions;
use parking_lot::Mutex;

/// How often the thread looks.
const LOOK: Duration = Duration::from_millis(50);

struct Shared {
    /// Of calls as usual, and one for each graph that may be recorded.
    options: Vec<RunOptions>,
    /// A call is seen to be late and is broken off under one lock: else one that ends in between would leave that to the next.
    call: Mutex<Call>,
    gone: AtomicBool,
}

/// The call in progress.
#[derive(Default)]
struct Call {
    /// Since when; nothing while there is none.
    began: Option<Instant>,
    broken_off: bool,
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
        let shared = Arc::new(Shared { options, call: Mutex::default(), gone: AtomicBool::new(false) });
        let watched = Arc::clone(&shared);
        std::thread::spawn(move || {
            while !watched.gone.load(Ordering::Acquire) {
                watched.look(limit);
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
        self.shared.call.lock().began = Some(Instant::now());
        let answer = call(&self.shared.options[graph.map_or(0, |graph| graph + 1)]);
        // What began is over, and nothing of it is left for the next.
        let ended = std::mem::take(&mut *self.shared.call.lock());
        if ended.broken_off {
            self.shared.options.iter().try_for_each(|options| options.unterminate()).map_err(Some)?;
            return answer.map_err(|_| None);
        }
        answer.map_err(Some)
    }
}

impl Shared {
    fn look(&self, limit: Duration) {
        let mut call = self.call.lock();
        if call.began.is_some_and(|began| began.elapsed() > limit) {
            call.broken_off = true;
            // A call that cannot be stopped is ended with its process.
            self.options.iter().for_each(|options| drop(options.terminate()));
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.shared.gone.store(true, Ordering::Release);
    }
}
