//! The bar of a gate, on a terminal only.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};
use windvane_shadow::run::{Phase, Progress};

/// How far a gate has come.
#[derive(Debug)]
pub struct Bar(ProgressBar);

impl Bar {
    /// A bar on standard error; none where that is no terminal.
    pub fn new() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::none();
        }
        let style = ProgressStyle::with_template(
            "{prefix:22} {bar:30} {human_pos:>10} / {human_len} {per_sec:>14} {eta:>5}",
        )
        .unwrap_or_else(|_| ProgressStyle::default_bar());
        Self(ProgressBar::new(0).with_style(style))
    }

    /// No bar at all.
    pub fn none() -> Self {
        Self(ProgressBar::hidden())
    }

    /// Shows what was told.
    pub fn tell(&self, progress: Progress) {
        match progress {
            Progress::Begins(phase) => {
                self.0.reset();
                self.0.set_prefix(words(phase));
            }
            Progress::Requests(done, total) => {
                self.0.set_length(total);
                self.0.set_position(done);
            }
        }
    }

    /// Takes it away.
    pub fn finish(&self) {
        self.0.finish_and_clear();
    }
}

/// What a phase does, in words that follow "while".
pub fn words(phase: Phase) -> &'static str {
    match phase {
        Phase::Start => "starting the runtime",
        Phase::OpenChampion => "opening the champion",
        Phase::OpenCandidate => "opening the candidate",
        Phase::Compare => "comparing answers",
        Phase::ReplayChampion => "timing the champion",
        Phase::ReplayCandidate => "timing the candidate",
        Phase::Judge => "judging",
    }
}
