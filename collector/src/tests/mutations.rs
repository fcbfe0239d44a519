//! Bodies that were damaged in thousands of ways: whatever comes, a record is accepted or rejected, and what is accepted is whole rows.
//!
//! The same entry points as the fuzz targets of `fuzz/`, on a seeded generator, so that they run on every machine.
//! `WINDVANE_FUZZ_ROUNDS` asks for more rounds.

mod formats;

use bytes::Bytes;
use windvane_types::event::Kind;

use crate::fuzzing;

const ROUNDS: u64 = 3_000;

/// What real bodies look like.
const SEEDS: [&str; 8] = [
    r#"{"model":"m","version":"7","event_id":"e","ts":"2013-01-01T05:17:00.123456Z","unit_id":"u","arms":{"x":"B"},"features":{"a":1400,"b":"UA","c":false,"d":null},"embeddings":{"t":[0.1,-0.2]},"prediction":{"score":0.12},"latency_us":830,"tags":{"r":"e"}}"#,
    r#"[{"model":"m","prediction":{"label":"late","probabilities":{"late":0.7,"on_time":0.3}}},{"model":"m","ts":1356998400000000}]"#,
    "{\"model\":\"m\"}\n\n{\"model\":\"n\",\"features\":{\"\\u00e9\":\"\\ud83d\\ude00\"}}\n",
    r#"{"model":"m","event_id":"e","label":"late"}"#,
    r#"{"model":"m","event_id":"e","value":-1.5e308}"#,
    r#"{"experiment":"x","unit_id":"u","arm":"B","ts":"2013-01-01T00:00:00+05:30"}"#,
    r#"{"unit_id":"u","metric":"revenue","value":12.5}"#,
    "[[[[{\"a\":[1,2,{\"b\":null}]}]]]]",
];

/// A generator good enough to choose bytes (PCG's multiplier).
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % n.max(1)
    }
}

fn mutate(random: &mut Random, bytes: &mut Vec<u8>) {
    let at = random.below(bytes.len());
    match random.below(7) {
        0 if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
        1 => bytes.truncate(at),
        2 => bytes.insert(at, b"{}[]\",:\\\n0-e\xff\xed"[random.below(14)]),
        3 if !bytes.is_empty() => drop(bytes.remove(at)),
        4 => {
            let other = SEEDS[random.below(SEEDS.len())].as_bytes();
            let from = random.below(other.len());
            bytes.splice(at..at, other[from..].iter().copied());
        }
        5 => {
            let copy = bytes[at..(at + random.below(64)).min(bytes.len())].to_vec();
            bytes.splice(at..at, copy);
        }
        _ if !bytes.is_empty() => bytes[at] = b"9tfn "[random.below(5)],
        _ => {}
    }
}

/// The rounds that were asked for, or the usual ones.
fn rounds(usual: u64) -> u64 {
    std::env::var("WINDVANE_FUZZ_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(usual)
}

#[test]
fn every_body_is_accepted_or_rejected_record_by_record() {
    let mut random = Random(0x0005_eed0);
    let mut accepted = 0;
    for round in 0..rounds(ROUNDS) {
        let mut body = SEEDS[random.below(SEEDS.len())].as_bytes().to_vec();
        for _ in 0..random.below(6) {
            mutate(&mut random, &mut body);
        }
        for kind in Kind::ALL {
            let text = String::from_utf8_lossy(&body).into_owned();
            let n = fuzzing::body(kind, &Bytes::from(body.clone()));
            accepted += n.unwrap_or_else(|error| panic!("round {round}, {kind:?}: {error}: {text}"));
        }
    }
    assert!(
        accepted > rounds(ROUNDS) / 10,
        "the seeds are bodies: {accepted} of {} records were accepted",
        rounds(ROUNDS)
    );
}

#[test]
fn every_compressed_body_is_unpacked_within_its_bound_or_refused() {
    let mut random = Random(0x0005_eed1);
    let packed = zstd::encode_all(SEEDS[0].repeat(20).as_bytes(), 1).unwrap();
    for _ in 0..rounds(ROUNDS) {
        let mut body = packed.clone();
        for _ in 0..=random.below(4) {
            mutate(&mut random, &mut body);
        }
        fuzzing::compressed(&Bytes::from(body));
    }
}

#[test]
fn every_segment_file_is_walked_to_its_end() {
    let mut random = Random(0x0005_eed2);
    let segment = fuzzing::segment_of(&SEEDS.map(str::as_bytes));
    for _ in 0..rounds(ROUNDS) {
        let mut bytes = segment.clone();
        for _ in 0..=random.below(6) {
            mutate(&mut random, &mut bytes);
        }
        fuzzing::segment(&bytes);
    }
}
