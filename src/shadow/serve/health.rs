//! How the process of a model does: whether it answers, how often it was lost in a row, and when it is started again.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// The pause before a process is started again. Each loss in a row doubles it, up to the longest.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// A process that has lived this long is sound; losses before it are no longer in a row with those after it.
const STEADY: Duration = Duration::from_secs(60);
/// Losses in a row after which a model is not ready before its process is sound again.
const LOST_MAX: u32 = 5;

/// What is known of the process of one model.
#[derive(Debug)]
pub(super) struct Health(Mutex<Record>);

#[derive(Debug)]
struct Record {
    state: State,
    /// Since when.
    since: Instant,
    /// How often it was lost without being sound in between.
    in_a_row: u32,
    /// Why it was lost last.
    reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Opening,
    Up,
    Down,
}

impl Health {
    /// A process that is about to open its model.
    pub(super) fn new() -> Self {
        Self(Mutex::new(Record::new(Instant::now())))
    }

    /// A process opens the model.
    pub(super) fn opening(&self) {
        self.0.lock().enter(State::Opening, Instant::now());
    }

    /// It is open and warm.
    pub(super) fn up(&self) {
        self.0.lock().enter(State::Up, Instant::now());
    }

    /// The process was lost; gives back how long until there is to be another.
    pub(super) fn lost(&self, reason: &str) -> Duration {
        self.0.lock().lost(reason, Instant::now())
    }

    /// Whether requests are taken.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn answers(&self) -> Result<(), String> {
        self.0.lock().answers()
    }

    /// Whether traffic should be sent here: it answers, and has not been lost again and again of late.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn ready(&self) -> Result<(), String> {
        self.0.lock().ready(Instant::now())
    }
}

impl Record {
    fn new(now: Instant) -> Self {
        Self { state: State::Opening, since: now, in_a_row: 0, reason: String::new() }
    }

    fn enter(&mut self, state: State, now: Instant) {
        self.state = state;
        self.since = now;
    }

    fn is_steady(&self, now: Instant) -> bool {
        self.state == State::Up && now.saturating_duration_since(self.since) >= STEADY
    }

    fn lost(&mut self, reason: &str, now: Instant) -> Duration {
        self.in_a_row = if self.is_steady(now) { 1 } else { self.in_a_row.saturating_add(1) };
        reason.clone_into(&mut self.reason);
        self.enter(State::Down, now);
        // The shift is bounded long before the number is.
        PAUSE_MAX.min(PAUSE_MIN * (1 << (self.in_a_row - 1).min(16)))
    }

    fn answers(&self) -> Result<(), String> {
        match self.state {
            State::Up => Ok(()),
            State::Opening if self.in_a_row == 0 => Err("the model is being opened".to_owned()),
            State::Opening | State::Down => Err(format!("{}; it is started again", self.reason)),
        }
    }

    fn ready(&self, now: Instant) -> Result<(), String> {
        self.answers()?;
        if self.in_a_row < LOST_MAX || self.is_steady(now) {
            return Ok(());
        }
        Err(format!(
            "its process was lost {} times in a row and has to live for {} s before it counts as sound; the last time, {}",
            self.in_a_row,
            STEADY.as_secs(),
            self.reason
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_model_is_ready_once_it_is_open_and_not_while_its_process_is_gone() {
        let now = Instant::now();
        let mut record = Record::new(now);
        assert_eq!(record.ready(now), Err("the model is being opened".to_owned()));
        record.enter(State::Up, now);
        assert_eq!((record.answers(), record.ready(now)), (Ok(()), Ok(())));
        record.lost("it crashed", now);
        let told = record.ready(now).unwrap_err();
        assert!(told.contains("it crashed") && told.contains("started again"), "{told}");
        record.enter(State::Opening, now);
        assert!(record.answers().unwrap_err().contains("it crashed"));
        record.enter(State::Up, now);
        assert_eq!(record.ready(now), Ok(()));
    }

    #[test]
    fn pauses_double_up_to_a_bound_and_begin_anew_after_a_sound_life() {
        let mut now = Instant::now();
        let mut record = Record::new(now);
        let mut pauses = Vec::new();
        for _ in 0..40 {
            record.enter(State::Up, now);
            pauses.push(record.lost("it crashed", now).as_millis());
        }
        assert_eq!(pauses[..5], [100, 200, 400, 800, 1600]);
        assert_eq!((pauses[9], pauses[39]), (30_000, 30_000));
        record.enter(State::Up, now);
        now += STEADY;
        assert_eq!(record.lost("it crashed", now).as_millis(), 100);
    }

    #[test]
    fn a_model_that_was_lost_too_often_answers_and_is_not_ready_before_it_is_sound() {
        let now = Instant::now();
        let mut record = Record::new(now);
        for lost in 1..=LOST_MAX {
            record.lost("it crashed", now);
            record.enter(State::Up, now);
            assert_eq!(record.ready(now).is_ok(), lost < LOST_MAX, "lost {lost} times");
        }
        assert_eq!(record.answers(), Ok(()));
        let told = record.ready(now + STEADY - SECOND).unwrap_err();
        assert!(told.contains("5 times in a row") && told.contains("it crashed"), "{told}");
        assert_eq!(record.ready(now + STEADY), Ok(()));
    }
}
