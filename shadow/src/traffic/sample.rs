//! Drawing some requests of recorded traffic, by a seed that is told: over all, or the same number from each stratum.

use std::collections::{BTreeMap, BTreeSet};

use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{Chunk, Traffic, TrafficError, Wanted};
use crate::batch::Batch;
use crate::tensor::{Values, on_values};

/// Strata that are told apart; what comes later goes into one more.
const STRATA_MAX: usize = 10_000;

/// Which requests to draw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// How many at most.
    pub requests: u64,
    /// The column whose values are the strata: each gives as many requests, as far as it has them.
    pub by: Option<String>,
    /// The seed.
    pub seed: u64,
}

impl Sample {
    /// The numbers of the requests that are drawn, in order.
    ///
    /// # Errors
    /// The traffic has no such column, or cannot be read.
    pub fn draw(&self, traffic: Traffic, rows: u64) -> Result<Vec<u64>, TrafficError> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let strata = match &self.by {
            None => vec![(0..rows).collect()],
            Some(column) => strata(traffic, (column.as_str(), rows))?,
        };
        let mut drawn = Vec::new();
        for (share, members) in shares(&strata, self.requests).into_iter().zip(&strata) {
            let chosen = index::sample(&mut rng, members.len(), share);
            drawn.extend(chosen.into_iter().map(|at| members[at]));
        }
        drawn.sort_unstable();
        Ok(drawn)
    }
}

/// How many each stratum gives: the same number, and what small ones do not have comes from the others.
fn shares(strata: &[Vec<u64>], requests: u64) -> Vec<usize> {
    let mut left = usize::try_from(requests).unwrap_or(usize::MAX);
    let mut order: Vec<usize> = (0..strata.len()).collect();
    order.sort_by_key(|stratum| strata[*stratum].len());
    let mut shares = vec![0; strata.len()];
    for (done, stratum) in order.iter().enumerate() {
        let fair = left / (strata.len() - done);
        shares[*stratum] = strata[*stratum].len().min(fair);
        left -= shares[*stratum];
    }
    shares
}

fn strata(traffic: Traffic, (column, rows): (&str, u64)) -> Result<Vec<Vec<u64>>, TrafficError> {
    let path = traffic.path.clone();
    let wanted = Wanted { extras: [column.to_owned()].into(), ..Wanted::default() };
    let mut strata: BTreeMap<Option<String>, Vec<u64>> = BTreeMap::new();
    for chunk in traffic.read(wanted, None)? {
        let chunk = chunk?;
        // What cannot be read may be drawn, too, so that it is told of.
        for skipped in &chunk.skipped {
            strata.entry(None).or_default().push(skipped.request);
        }
        let numbers: Vec<u64> = (0..chunk.requests).map(|at| chunk.number(at)).collect();
        let words = chunk.extras.into_values().next().unwrap_or_default();
        for (number, word) in numbers.into_iter().zip(words) {
            let known = strata.len() < STRATA_MAX || strata.contains_key(&word);
            strata.entry(if known { word } else { None }).or_default().push(number);
        }
    }
    let strata: Vec<Vec<u64>> = strata.into_values().collect();
    let found = strata.iter().map(|members| members.len() as u64).sum::<u64>();
    if found != rows {
        // Of an archive each array has rows of its own.
        let (name, other) = (column.to_owned(), "inputs".to_owned());
        return Err(TrafficError::Uneven { path, name, rows: found, other, other_rows: rows });
    }
    Ok(strata)
}

/// Takes the drawn requests out of chunks as they come.
pub(super) struct Picks {
    picked: Option<std::iter::Peekable<std::vec::IntoIter<u64>>>,
}

impl Picks {
    pub(super) fn new(picked: Option<Vec<u64>>) -> Self {
        Self { picked: picked.map(|picked| picked.into_iter().peekable()) }
    }

    /// The requests of a chunk that were drawn.
    pub(super) fn of(&mut self, mut chunk: Chunk) -> Result<Chunk, TrafficError> {
        let Some(picked) = &mut self.picked else { return Ok(chunk) };
        let end = chunk.end();
        let (mut rows, mut skipped) = (Vec::new(), BTreeSet::new());
        while let Some(number) = picked.next_if(|number| *number < end) {
            match chunk.place(number) {
                Some(row) => rows.push(row),
                None => {
                    skipped.insert(number);
                }
            }
        }
        chunk.skipped.retain(|one| skipped.contains(&one.request));
        Ok(take(chunk, &rows))
    }
}

/// Some requests of a chunk.
pub(super) fn take(chunk: Chunk, rows: &[usize]) -> Chunk {
    let numbers = rows.iter().map(|row| chunk.number(*row)).collect();
    let names = rows.iter().filter_map(|row| chunk.names.get(*row).cloned()).collect();
    let extras = chunk.extras.into_iter().map(|(name, words)| {
        let taken = rows.iter().map(|row| words[*row].clone()).collect();
        (name, taken)
    });
    let extras = extras.collect();
    let batches = match chunk.batches.len() {
        1 => vec![take_rows(&chunk.batches[0], rows)],
        _ => rows.iter().map(|row| chunk.batches[*row].clone()).collect(),
    };
    Chunk { requests: rows.len(), numbers, names, batches, extras, ..chunk }
}

pub(crate) fn take_rows(batch: &Batch, rows: &[usize]) -> Batch {
    let mut taken = Batch::new(rows.len());
    for column in batch.columns() {
        let values = gather(&column.values, column.width, rows);
        taken
            .push_shaped(&column.name, values, column.shape.clone())
            .expect("rows of a column have the column's shape");
    }
    taken
}

fn gather(values: &Values, width: usize, rows: &[usize]) -> Values {
    fn of<T: Clone>(values: &[T], width: usize, rows: &[usize]) -> Vec<T> {
        rows.iter().flat_map(|row| values[row * width..(row + 1) * width].iter().cloned()).collect()
    }
    macro_rules! gathered {
        ($($kind:ident),*) => {
            match values {
                $(Values::$kind(v) => Values::$kind(of(v, width, rows)),)*
            }
        };
    }
    let gathered = gathered!(F16, F32, F64, I8, I16, I32, I64, U8, U16, U32, U64, Bool, Text);
    debug_assert_eq!(on_values!(&gathered, v => v.len()), rows.len() * width);
    gathered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(sizes: &[u64]) -> Vec<Vec<u64>> {
        sizes.iter().map(|size| (0..*size).collect()).collect()
    }

    #[test]
    fn strata_give_alike_and_small_ones_give_all() {
        assert_eq!(shares(&sizes(&[100, 100]), 20), [10, 10]);
        assert_eq!(shares(&sizes(&[3, 100]), 20), [3, 17]);
        assert_eq!(shares(&sizes(&[3, 4]), 20), [3, 4]);
        assert_eq!(shares(&sizes(&[]), 20), [0; 0]);
    }

    #[test]
    fn rows_are_gathered_with_their_width() {
        let values = Values::I32(vec![0, 1, 10, 11, 20, 21]);
        assert_eq!(gather(&values, 2, &[0, 2]), Values::I32(vec![0, 1, 20, 21]));
    }

    #[test]
    fn drawn_requests_are_found_in_later_chunks() {
        let chunk = |first| {
            let mut batch = Batch::new(3);
            batch.push("x", Values::I32(vec![0, 1, 2])).unwrap();
            Chunk { first, requests: 3, batches: vec![batch], ..Chunk::default() }
        };
        let mut picks = Picks::new(Some(vec![1, 5]));
        assert_eq!(picks.of(chunk(0)).unwrap().requests, 1);
        let second = picks.of(chunk(3)).unwrap();
        assert_eq!(second.batches[0].values("x"), Some((&Values::I32(vec![2]), 1)));
        assert_eq!(picks.of(chunk(6)).unwrap().requests, 0);
    }
}
