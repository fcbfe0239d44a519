//! Requests of the traffic that cannot be asked: all are counted, and the first are named with the reason.

use windvane_types::counting::counted;
use windvane_types::gate::{SkippedRequest, SkippedRequests};

use super::RunError;
use crate::replay::chain;
use crate::traffic::Skipped;

/// Requests that are named, and those that a note has room for.
const NAMED_MAX: usize = 20;
const NOTED_MAX: usize = 5;

/// What was skipped so far.
#[derive(Debug, Default)]
pub(super) struct Skips {
    n: u64,
    first: Vec<SkippedRequest>,
    error: Option<RunError>,
}

impl Skips {
    /// Adds the requests of a chunk.
    pub(super) fn push(&mut self, skipped: Vec<Skipped>) {
        for Skipped { request, name, error } in skipped {
            self.n += 1;
            if self.first.len() < NAMED_MAX {
                self.first.push(SkippedRequest { request, id: name, reason: chain(&error) });
            }
            self.error.get_or_insert_with(|| error.into());
        }
    }

    /// How many so far.
    pub(super) fn n(&self) -> u64 {
        self.n
    }

    /// Where not one request could be asked, the traffic does not fit the models, and the first of them says how.
    ///
    /// # Errors
    /// What was wrong with the first request.
    pub(super) fn check(&mut self, asked: u64) -> Result<(), RunError> {
        match self.error.take() {
            Some(error) if asked == 0 => Err(error),
            _ => Ok(()),
        }
    }

    /// For the document.
    pub(super) fn finish(self, asked: u64) -> SkippedRequests {
        let all = self.n + asked;
        let share = (all > 0).then(|| self.n as f64 / all as f64);
        SkippedRequests { n: self.n, share, first: self.first }
    }
}

/// What a reader should know of them; `None` where none was skipped.
pub(super) fn note(skipped: &SkippedRequests) -> Option<String> {
    let named = skipped.first.iter().take(NOTED_MAX);
    let named: Vec<String> = named.map(|one| format!("`{}` ({})", one.id, one.reason)).collect();
    let more = skipped.n - named.len() as u64;
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    (skipped.n > 0).then(|| {
        let requests = counted(skipped.n, "request", "requests");
        format!("{requests} cannot be asked: {}{more}", named.join("; "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::TrafficError;

    fn skipped(request: u64) -> Skipped {
        let error = TrafficError::Unknown { path: format!("{request}.json").into() };
        Skipped { request, name: format!("flight-{request}"), error: error.into() }
    }

    #[test]
    fn all_are_counted_and_the_first_are_named() {
        let mut skips = Skips::default();
        skips.push((0..30).map(skipped).collect());
        skips.check(70).unwrap();
        let told = skips.finish(70);
        assert_eq!((told.n, told.share, told.first.len()), (30, Some(0.3), NAMED_MAX));
        assert_eq!((told.first[7].id.as_str(), told.first[7].request), ("flight-7", 7));
        assert!(told.first[7].reason.contains("7.json"), "{}", told.first[7].reason);
        let note = note(&told).unwrap();
        assert!(note.starts_with("30 requests cannot be asked: `flight-0` ("), "{note}");
        assert!(note.ends_with("; and 25 more"), "{note}");
    }

    #[test]
    fn traffic_of_which_nothing_can_be_asked_is_refused_as_its_first_request_is() {
        let mut skips = Skips::default();
        skips.check(0).unwrap();
        skips.push(vec![skipped(3), skipped(4)]);
        let refused = skips.check(0).unwrap_err();
        assert!(refused.to_string().contains("3.json"), "{refused}");
    }
}
