//! Counts and walks of one stream are those of its rows taken one by one.

use std::collections::BTreeMap;

use proptest::prelude::*;
use windvane_store::performance::{EveryRow, EverySink, Incomplete, OfTwo, ScoreRow, ScoreSink, TallyRow};
use windvane_store::populations::OUTCOME;
use windvane_types::performance::Task;

use super::{Both, CHUNKS_MAX, ChunkSink, Counted, Lanes, fits};
use crate::performance::walks::{Plan, Walks};

const SEGMENTS: usize = 2;

fn walks() -> Walks {
    Walks::new(Plan { segments: SEGMENTS, classes: 1, confidence: 0.95, estimate: None })
}

fn counted() -> Counted {
    let names = [["no", "yes"], ["0", "1"]].map(|pair| pair.map(str::to_owned));
    Counted::new(walks(), names)
}

fn row(chunk: i32) -> EveryRow {
    EveryRow {
        chunk,
        segment: 0,
        truth: OfTwo::First,
        said: OfTwo::Second,
        score: Some(0.75),
        weight: 1.0,
        at_us: Some(7),
        of: [true, false],
    }
}

/// Rows with everything that a row may lack, in the order of the stream.
fn rows() -> impl Strategy<Value = Vec<EveryRow>> {
    let class = || prop::sample::select(vec![OfTwo::First, OfTwo::Second, OfTwo::Unknown]);
    let row = (
        0..4_i32,
        0..=2_u16,
        (class(), class()),
        prop::option::of(0..9_u8),
        0..4_u8,
        prop::option::of(0..99_i64),
    );
    prop::collection::vec(row, 0..120).prop_map(|rows| {
        let mut rows: Vec<EveryRow> = rows
            .into_iter()
            .map(|(chunk, segment, (truth, said), score, weight, at_us)| EveryRow {
                chunk,
                segment,
                truth,
                said,
                score: score.map(|score| f64::from(score) / 8.0),
                weight: f64::from(weight) / 2.0,
                at_us,
                of: [segment != 1, segment != 2],
            })
            .collect();
        rows.sort_by(|a, b| a.chunk.cmp(&b.chunk).then(b.score.partial_cmp(&a.score).unwrap()));
        rows
    })
}

/// What is compared of a row of a tally: all but what two classes have none of.
type Sums = (u64, [u64; 2], u64, [Option<i64>; 2], [f64; 2]);

fn by_key(rows: &[TallyRow]) -> BTreeMap<(i32, u16, Option<String>, Option<String>), Sums> {
    rows.iter()
        .map(|row| {
            let key = (row.chunk, row.segment, row.truth.clone(), row.said.clone());
            let times = [row.first_us, row.last_us];
            let known = [row.labelled, row.measured];
            (key, (row.rows, known, row.unscored, times, [row.weight.0, row.squares.0]))
        })
        .collect()
}

proptest! {
    #[test]
    fn a_stream_is_counted_and_walked_as_its_rows_are(rows in rows()) {
        let (mut sink, mut alone) = (counted(), walks());
        let mut expected: BTreeMap<_, Sums> = BTreeMap::new();
        for row in &rows {
            sink.push(*row);
            let name = |class: OfTwo, [first, second]: [&str; 2]| match class {
                OfTwo::First => Some(first.to_owned()),
                OfTwo::Second => Some(second.to_owned()),
                OfTwo::Neither | OfTwo::Unknown => None,
            };
            let (truth, said) = (name(row.truth, ["no", "yes"]), name(row.said, ["0", "1"]));
            let known = truth.is_some();
            let sums = expected.entry((row.chunk, row.segment, truth, said)).or_default();
            sums.0 += 1;
            sums.1[0] += u64::from(known);
            sums.1[1] += u64::from(known && row.score.is_some());
            sums.2 += u64::from(row.score.is_none());
            if let Some(at) = row.at_us {
                sums.3 = [Some(sums.3[0].map_or(at, |t| t.min(at))), Some(sums.3[1].map_or(at, |t| t.max(at)))];
            }
            sums.4[0] += row.weight;
            sums.4[1] += row.weight * row.weight;
            if let (true, Some(score)) = (known, row.score) {
                alone.push(ScoreRow {
                    chunk: row.chunk,
                    segment: row.segment,
                    class: 0,
                    truth: Some(row.truth == OfTwo::Second),
                    predicted: None,
                    fold: 0,
                    score,
                    weight: row.weight,
                    probability: f64::NAN,
                });
            }
        }
        let (tally, found) = sink.finish().unwrap();
        prop_assert_eq!(by_key(&tally).len(), tally.len(), "no key twice");
        prop_assert_eq!(by_key(&tally), expected);
        prop_assert_eq!(format!("{found:?}"), format!("{:?}", alone.finish()));
    }
}

proptest! {
    #[test]
    fn a_stream_of_both_sides_gives_each_what_its_own_rows_give(rows in rows()) {
        let (mut both, mut alone) = (Both::of(counted()), [counted(), counted()]);
        for row in &rows {
            both.push(*row);
            for (sink, _) in alone.iter_mut().zip(row.of).filter(|(_, is_of)| *is_of) {
                sink.push(*row);
            }
        }
        for (together, alone) in both.sides.into_iter().zip(alone) {
            let (found, expected) = (together.finish().unwrap(), alone.finish().unwrap());
            prop_assert_eq!(by_key(&found.0), by_key(&expected.0));
            prop_assert_eq!(format!("{:?}", found.1), format!("{:?}", expected.1));
        }
    }
}

proptest! {
    #[test]
    fn chunks_that_threads_share_give_what_the_stream_gives(rows in rows(), both in 0..5_i32) {
        // Sums of weights are exact, so that their order is nothing to see; one chunk is of both sides altogether.
        let rows = rows.into_iter().map(|row| EveryRow {
            weight: 1.0,
            at_us: None,
            of: if row.chunk == both { [true, true] } else { row.of },
            ..row
        });
        let (mut lanes, mut stream) = (Lanes::new(&Both::of(counted()), 120), Both::of(counted()));
        for row in rows {
            lanes.push(row);
            stream.push(row);
        }
        for (shared, alone) in lanes.finish().unwrap().sides.into_iter().zip(stream.sides) {
            let (found, expected) = (shared.finish().unwrap(), alone.finish().unwrap());
            prop_assert!(found.0.is_sorted_by_key(|row| row.chunk));
            prop_assert_eq!(by_key(&found.0), by_key(&expected.0));
            prop_assert_eq!(format!("{:?}", found.1), format!("{:?}", expected.1));
        }
    }
}

#[test]
fn a_class_that_was_not_known_ends_it() {
    for wrong in [EveryRow { truth: OfTwo::Neither, ..row(0) }, EveryRow { said: OfTwo::Neither, ..row(0) }] {
        let mut sink = counted();
        [row(0), wrong, row(1)].into_iter().for_each(|row| sink.push(row));
        assert!(sink.finish().is_none(), "{wrong:?}");
    }
}

#[test]
fn more_chunks_than_are_allowed_end_it() {
    let most = i32::try_from(CHUNKS_MAX).unwrap();
    for (chunks, ends) in [(most, false), (most + 1, true), (most + 2, true)] {
        let mut sink = counted();
        (0..chunks).for_each(|chunk| sink.push(row(chunk)));
        assert_eq!(sink.finish().is_none(), ends, "{chunks}");
    }
}

#[test]
fn more_chunks_than_are_allowed_end_it_where_they_are_shared() {
    let half = i32::try_from(CHUNKS_MAX / 2).unwrap();
    for (chunks, ends) in [(half, false), (half + 1, true)] {
        let [mut first, mut second] = [counted(), counted()];
        (0..half).for_each(|chunk| first.push(row(chunk)));
        (0..chunks).for_each(|chunk| second.push(row(half + chunk)));
        first.absorb(second);
        assert_eq!(first.finish().is_none(), ends, "{chunks}");
    }
}

#[test]
fn only_two_classes_with_scores_of_joined_outcomes_fit() {
    let mut question = crate::performance::tests::question();
    assert!(!fits(&question), "no scores");
    question.roles.score = Some("prediction.score".to_owned());
    assert!(!fits(&question), "a target of a file");
    question.roles.target = Some(OUTCOME.to_owned());
    assert!(fits(&question));
    question.estimate = true;
    assert!(!fits(&question), "an estimate takes the scores of rows without outcomes");
    question.estimate = false;
    question.incomplete = Incomplete::Drop;
    assert!(fits(&question));
    question.segment_by = vec!["region".to_owned()];
    assert!(!fits(&question), "rows that are dropped were none of their segments");
    question.incomplete = Incomplete::Keep;
    assert!(fits(&question));
    question.task = Task::Multiclass;
    assert!(!fits(&question));
}
