//! Traffic out of the store: captured payloads as a folder of requests in the JSON of the Open Inference Protocol, a file each,
//! for the process that runs models.
//!
//! A payload may have megabytes, so they come out of the store some at a time, and all together are bounded.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::ops::Range;
use std::path::Path;

use anyhow::Context;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use windvane_store::Store;
use windvane_store::recorded_payloads::{self, Captured};
use windvane_store::recorded_requests::Which;

use super::source::{OUTCOME, TIME};
use crate::connection;
use crate::exit::Failure;

/// Bytes of tensors that are held at a time, unless a single payload has more.
const PAGE_BYTES: u64 = 16 << 20;
/// Bytes of tensors that are written to disk.
const BYTES_MAX: u64 = 1 << 30;

/// Which payloads, and what beside their tensors.
#[derive(Debug)]
pub struct Wanted<'w> {
    /// Which.
    pub which: &'w Which,
    /// How many at most.
    pub limit: u64,
    /// The seed of the sample.
    pub seed: u64,
    /// Features and tags of the predictions that were made of them.
    pub features: Vec<String>,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Requests.
    pub requests: usize,
    /// Of them, those whose outcome is known.
    pub outcomes: usize,
    /// Payloads that would have been too many bytes.
    pub left_out: usize,
}

/// One file.
#[derive(Debug, Serialize)]
struct Request<'r> {
    id: &'r str,
    inputs: &'r RawValue,
    parameters: BTreeMap<&'r str, Value>,
}

/// Writes the payloads into the empty `folder`, in order of time.
///
/// # Errors
/// The store does not answer, or a file cannot be written.
pub async fn fetch(store: &Store, wanted: &Wanted<'_>, folder: &Path) -> Result<Written, Failure> {
    let sample = (wanted.limit, wanted.seed);
    let listed = recorded_payloads::list(store, wanted.which, sample, &wanted.features).await;
    let listed = listed.map_err(connection::failure)?;
    let captured = &listed[..within(&listed, BYTES_MAX)];
    let features = known(captured, &wanted.features);
    let mut written = Written { requests: 0, outcomes: 0, left_out: listed.len() - captured.len() };
    for page in pages(captured, PAGE_BYTES) {
        let page = &captured[page];
        let (Some(first), Some(last)) = (page.first(), page.last()) else { continue };
        let places = (first.place..=last.place, wanted.seed);
        let tensors = recorded_payloads::tensors(store, wanted.which, places).await;
        let tensors = tensors.map_err(connection::failure)?;
        let by_id: HashMap<&str, &str> =
            tensors.iter().map(|one| (one.event_id.as_str(), one.inputs.as_str())).collect();
        for one in page {
            // One whose retention has ended meanwhile is no longer there.
            let Some(inputs) = by_id.get(one.event_id.as_str()).copied() else { continue };
            let after_us = one.ts_us.abs_diff(wanted.which.filter.start_us);
            // Requests are asked in the order of names.
            let path = folder.join(format!("{after_us:020}-{:020}.json", one.place));
            write(&path, (one, inputs), &features).context("cannot write a captured payload")?;
            written.requests += 1;
            written.outcomes += usize::from(one.outcome.is_some());
        }
    }
    Ok(written)
}

fn write(path: &Path, (one, inputs): (&Captured, &str), features: &[(usize, &str)]) -> anyhow::Result<()> {
    let mut parameters = BTreeMap::new();
    for (at, name) in features {
        let word = one.words.get(*at).filter(|word| !word.is_empty());
        parameters.insert(*name, Value::from(word.cloned()));
    }
    parameters.insert(TIME, Value::from(one.ts_us));
    parameters.insert(OUTCOME, Value::from(one.outcome.clone()));
    let request = Request { id: &one.event_id, inputs: serde_json::from_str(inputs)?, parameters };
    Ok(fs::write(path, serde_json::to_vec(&request)?)?)
}

/// How many of the first have no more bytes than allowed; the very first always.
fn within(listed: &[Captured], bytes_max: u64) -> usize {
    let mut sum = 0_u64;
    let fits = |one: &&Captured| {
        sum = sum.saturating_add(one.bytes);
        sum <= bytes_max
    };
    listed.iter().take_while(fits).count().max(listed.len().min(1))
}

/// Runs of payloads with no more bytes than allowed, or a single one.
fn pages(captured: &[Captured], bytes_max: u64) -> Vec<Range<usize>> {
    let mut pages = Vec::new();
    let mut start = 0;
    while start < captured.len() {
        let end = start + within(&captured[start..], bytes_max);
        pages.push(start..end);
        start = end;
    }
    pages
}

/// The features that any payload has, with their places. One that none has may be an input of the model.
fn known<'f>(captured: &[Captured], features: &'f [String]) -> Vec<(usize, &'f str)> {
    let has = |at: usize| captured.iter().any(|one| one.words.get(at).is_some_and(|word| !word.is_empty()));
    features.iter().enumerate().filter(|(at, _)| has(*at)).map(|(at, name)| (at, name.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn captured(bytes: u64, words: &[&str]) -> Captured {
        Captured {
            event_id: "flight-7".to_owned(),
            ts_us: 42,
            place: 5,
            bytes,
            outcome: None,
            words: words.iter().map(|word| (*word).to_owned()).collect(),
        }
    }

    #[test]
    fn pages_hold_no_more_than_allowed_and_every_payload_once() {
        for (sizes, expected) in [
            (vec![], vec![]),
            (vec![10], vec![(0, 1)]),
            (vec![4, 6], vec![(0, 2)]),
            (vec![4, 7], vec![(0, 1), (1, 2)]),
            (vec![99, 1, 1], vec![(0, 1), (1, 3)]),
            (vec![1, 99, 1], vec![(0, 1), (1, 2), (2, 3)]),
        ] {
            let all: Vec<Captured> = sizes.iter().map(|bytes| captured(*bytes, &[])).collect();
            let pages: Vec<(usize, usize)> =
                pages(&all, 10).into_iter().map(|page| (page.start, page.end)).collect();
            assert_eq!(pages, expected, "{sizes:?}");
        }
    }

    #[test]
    fn payloads_of_too_many_bytes_are_left_out_but_for_the_first() {
        let all = [captured(4, &[]), captured(5, &[]), captured(2, &[])];
        assert_eq!((within(&all, 10), within(&all, 11), within(&all, 3)), (2, 3, 1));
        assert_eq!(within(&[], 10), 0);
    }

    #[test]
    fn a_feature_that_no_prediction_has_is_left_to_the_tensors() {
        let names = ["hour", "x"].map(str::to_owned);
        let all = [captured(1, &[]), captured(1, &["7", ""])];
        assert_eq!(known(&all, &names), [(0, "hour")]);
    }

    #[test]
    fn a_request_has_its_tensors_as_they_were_captured() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("request.json");
        let inputs = r#"[{"name":"x","datatype":"FP64","shape":[1],"data":[0.1]}]"#;
        write(&path, (&captured(1, &["7"]), inputs), &[(0, "hour")]).unwrap();
        let request: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let tensor = json!({"name": "x", "datatype": "FP64", "shape": [1], "data": [0.1]});
        let parameters = json!({"hour": "7", "ts": 42, "outcome": null});
        assert_eq!(request, json!({"id": "flight-7", "inputs": [tensor], "parameters": parameters}));
    }
}
