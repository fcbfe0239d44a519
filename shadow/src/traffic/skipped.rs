//! Requests of recorded traffic that cannot be asked. Where each request brings its own types and shapes, as in a folder, or its own
//! cells, as a row of a table, one may be broken while the others are not: it is left out and told, and does not end the replay.

use std::path::Path;

use thiserror::Error;

use super::sample::take;
use super::{Chunk, TrafficError};
use crate::batch::Batch;
use crate::error::SessionError;

/// A request that cannot be asked.
#[derive(Debug)]
pub struct Skipped {
    /// Its number in the traffic, from 0.
    pub request: u64,
    /// Its id, or the name of its file where it has none; of a table `row 7`.
    pub name: String,
    /// Why.
    pub error: SkippedBy,
}

/// Why a request cannot be asked.
#[derive(Debug, Error)]
pub enum SkippedBy {
    /// It cannot be read.
    #[error(transparent)]
    Traffic(#[from] TrafficError),
    /// A model does not take it.
    #[error(transparent)]
    Session(#[from] SessionError),
}

impl Chunk {
    /// The number of a request in the traffic as it is recorded, from 0.
    #[must_use]
    pub fn number(&self, at: usize) -> u64 {
        self.numbers.get(at).copied().unwrap_or(self.first + at as u64)
    }

    /// Where the request with this number is.
    pub(super) fn place(&self, number: u64) -> Option<usize> {
        if self.numbers.is_empty() {
            let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
            return (at < self.requests).then_some(at);
        }
        self.numbers.binary_search(&number).ok()
    }

    /// The number after its last request.
    pub(super) fn end(&self) -> u64 {
        let last = self.requests.checked_sub(1).map(|at| self.number(at));
        let skipped = self.skipped.iter().map(|skipped| skipped.request);
        last.into_iter().chain(skipped).max().map_or(self.first, |number| number + 1)
    }

    /// When each request was recorded, by a column of microseconds since 1970.
    ///
    /// # Errors
    /// [`TrafficError::Instant`] names the first request without one: taken as another, it would set the pace of all that follow.
    pub(crate) fn instants(&self, column: &str, path: &Path) -> Result<Vec<i64>, TrafficError> {
        let words = self.extras.get(column).map(Vec::as_slice).unwrap_or_default();
        let instant = |(at, word): (usize, &Option<String>)| {
            let found = word.as_deref().and_then(|word| word.parse::<i64>().ok());
            found.ok_or_else(|| TrafficError::Instant {
                path: path.to_owned(),
                name: column.to_owned(),
                row: self.number(at),
                value: word.as_ref().map_or_else(|| "missing".to_owned(), |word| format!("`{word}`")),
            })
        };
        words.iter().enumerate().map(instant).collect()
    }

    /// Leaves out the requests that are refused, where each brings its own types and shapes. Rows of one array or column
    /// are all alike, so that a fault of one is a fault of all, and is left to whoever asks.
    #[must_use]
    pub(crate) fn leave_out(mut self, accepts: impl Fn(&Batch) -> Result<(), SessionError>) -> Self {
        if !self.is_single {
            return self;
        }
        let mut kept = Vec::with_capacity(self.requests);
        for at in 0..self.batches.len() {
            match accepts(&self.batches[at]) {
                Ok(()) => kept.push(at),
                Err(error) => {
                    let name = self.names.get(at).cloned().unwrap_or_default();
                    let skipped = Skipped { request: self.number(at), name, error: error.into() };
                    self.skipped.push(skipped);
                }
            }
        }
        if kept.len() == self.requests { self } else { take(self, &kept) }
    }

    /// The first batch that a model takes, to begin with. Only where each request brings its own types and shapes may it refuse others.
    ///
    /// # Errors
    /// What it says to the first that it refuses.
    pub(crate) fn first_taken(
        &self,
        accepts: impl Fn(&Batch) -> Result<(), SessionError>,
    ) -> Result<Self, SessionError> {
        let taken = self.batches.iter().find(|batch| self.is_single && accepts(batch).is_ok());
        let first = taken.or(self.batches.first());
        if taken.is_none() {
            self.batches.iter().try_for_each(accepts)?;
        }
        let batches: Vec<Batch> = first.cloned().into_iter().collect();
        let requests = batches.iter().map(Batch::rows).sum();
        Ok(Self { requests, batches, is_single: self.is_single, ..Self::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Values;

    /// Requests 4, 6 and 7, of one element each; 5 could not be read.
    fn chunk() -> Chunk {
        let batch = |x: i32| {
            let mut batch = Batch::new(1);
            batch.push("x", Values::I32(vec![x])).unwrap();
            batch
        };
        let error = TrafficError::Unknown { path: "5.json".into() };
        Chunk {
            first: 4,
            requests: 3,
            numbers: vec![4, 6, 7],
            names: ["four", "six", "seven"].map(str::to_owned).to_vec(),
            batches: [4, 6, 7].map(batch).to_vec(),
            skipped: vec![Skipped { request: 5, name: "5.json".to_owned(), error: error.into() }],
            is_single: true,
            ..Chunk::default()
        }
    }

    fn refuses_all(_: &Batch) -> Result<(), SessionError> {
        Err(SessionError::Ragged { column: "x".to_owned(), elements: 6, rows: 1 })
    }

    fn refuses_six(batch: &Batch) -> Result<(), SessionError> {
        match batch.values("x") {
            Some((Values::I32(x), _)) if x == &[6] => refuses_all(batch),
            _ => Ok(()),
        }
    }

    #[test]
    fn requests_that_a_model_refuses_are_left_out_with_their_names() {
        let left = chunk().leave_out(refuses_six);
        assert_eq!((left.requests, left.batches.len()), (2, 2));
        assert_eq!((left.number(0), left.number(1)), (4, 7));
        let named: Vec<(u64, &str)> =
            left.skipped.iter().map(|skipped| (skipped.request, skipped.name.as_str())).collect();
        assert_eq!(named, [(5, "5.json"), (6, "six")]);
    }

    #[test]
    fn what_a_model_begins_with_is_what_it_takes() {
        let refuses_four = |batch: &Batch| match batch.values("x") {
            Some((Values::I32(x), _)) if x == &[4] => refuses_all(batch),
            _ => Ok(()),
        };
        let begins =
            |chunk: Chunk| chunk.first_taken(refuses_four).map(|first| (first.requests, first.batches));
        let six = chunk().batches[1].clone();
        assert_eq!(begins(chunk()).unwrap(), (1, vec![six]));
        assert!(begins(Chunk { is_single: false, ..chunk() }).is_err(), "rows of a table are all alike");
        assert!(chunk().first_taken(refuses_all).is_err());
    }

    #[test]
    fn rows_of_a_table_are_left_to_whoever_asks() {
        let table = Chunk { is_single: false, ..chunk() };
        assert_eq!(table.leave_out(refuses_six).requests, 3);
    }

    #[test]
    fn a_request_without_an_instant_is_named_and_not_taken_for_1970() {
        let timed = |words: [Option<&str>; 3]| {
            let words = words.map(|word| word.map(str::to_owned)).to_vec();
            let chunk = Chunk { extras: [("ts".to_owned(), words)].into(), ..chunk() };
            chunk.instants("ts", Path::new("a.npz")).map_err(|error| error.to_string())
        };
        assert_eq!(timed([Some("5"), Some("-3"), Some("7")]), Ok(vec![5, -3, 7]));
        for (words, told) in [
            ([Some("5"), None, Some("7")], "row 6 of `ts` of traffic `a.npz` is missing"),
            ([Some("5"), Some("6"), Some("2013-01-01")], "row 7 of `ts` of traffic `a.npz` is `2013-01-01`"),
            ([Some("1.5"), None, None], "row 4 of `ts` of traffic `a.npz` is `1.5`"),
        ] {
            let refused = timed(words).unwrap_err();
            assert!(refused.starts_with(told) && refused.contains("whole microseconds"), "{refused}");
        }
    }

    #[test]
    fn numbers_are_those_of_the_recorded_traffic() {
        let chunk = chunk();
        assert_eq!((chunk.place(6), chunk.place(5), chunk.end()), (Some(1), None, 8));
        let rows = Chunk { first: 10, requests: 2, ..Chunk::default() };
        assert_eq!(
            (rows.number(1), rows.place(11), rows.place(12), rows.place(9)),
            (11, Some(1), None, None)
        );
        assert_eq!((rows.end(), Chunk { first: 3, ..Chunk::default() }.end()), (12, 3));
    }
}
