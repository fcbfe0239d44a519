//! The segments of a stream, which has had codes in place of their names: what they are called, and which of them are looked at.
//!
//! To ask before which segments there are is to read all rows once more. Afterwards it is known how many there are, so that reading ends with
//! the last of them.

use std::collections::{BTreeMap, HashMap};

use windvane_store::performance::CODES_MAX;
use windvane_store::populations::{CodedSegment, SegmentKeys, SegmentRow};

use super::super::PerformanceError;
use super::super::part::Place;
use super::super::side::Side;

/// A side whose rows have the numbers of codes for segments.
#[derive(Debug)]
pub(super) struct Coded<'a> {
    pub(super) side: Side<'a>,
    /// The code of each number.
    pub(super) codes: Vec<u64>,
}

/// Both sides, walked, with their segments.
#[derive(Debug)]
pub(in super::super) struct Streamed<'a> {
    sides: [Coded<'a>; 2],
    /// The segments that are looked at, by their keys.
    pub(in super::super) segments: Vec<SegmentRow>,
    /// How many others there are.
    pub(in super::super) left_out: u64,
    /// The places of codes among the segments.
    places: HashMap<u64, u16>,
}

impl<'a> Streamed<'a> {
    /// Names the segments; `None` where one is not found.
    pub(super) async fn of(sides: [Coded<'a>; 2]) -> Result<Option<Self>, PerformanceError> {
        let question = sides[1].side.question;
        let mut streamed = Self { sides, segments: Vec::new(), left_out: 0, places: HashMap::new() };
        if question.segment_by.is_empty() {
            return Ok(Some(streamed));
        }
        let rows = streamed.rows();
        let Some(keys) = streamed.keys(&rows).await? else { return Ok(None) };
        let segments = rows.len() as u64;
        let found: Vec<SegmentRow> = rows
            .iter()
            .filter_map(|(code, [reference, current])| {
                let key = keys.get(code)?.clone();
                Some(SegmentRow { key, reference: *reference, current: *current, segments })
            })
            .collect();
        (streamed.segments, streamed.left_out) = question.segments.chosen(found);
        let numbers: HashMap<&str, u16> =
            streamed.segments.iter().zip(0..).map(|(row, number)| (row.key.as_str(), number)).collect();
        streamed.places =
            keys.iter().filter_map(|(code, key)| Some((*code, *numbers.get(key.as_str())?))).collect();
        Ok(Some(streamed))
    }

    /// The rows that each code has on both sides.
    fn rows(&self) -> BTreeMap<u64, [u64; 2]> {
        let mut rows: BTreeMap<u64, [u64; 2]> = BTreeMap::new();
        for (at, Coded { side, codes }) in self.sides.iter().enumerate() {
            for row in &side.tally {
                if let Some(code) = codes.get(usize::from(row.segment)) {
                    rows.entry(*code).or_default()[at] += row.rows;
                }
            }
        }
        rows
    }

    /// The keys of all codes; `None` where one is not found.
    async fn keys(
        &self,
        rows: &BTreeMap<u64, [u64; 2]>,
    ) -> Result<Option<HashMap<u64, String>>, PerformanceError> {
        let mut keys: HashMap<u64, String> = HashMap::new();
        // Most often the current population has all of them.
        for at in [1, 0] {
            let Side { reader, population, question, .. } = &self.sides[at].side;
            let of_side = || rows.iter().filter(|(_, rows)| rows[at] > 0).map(|(code, _)| code);
            // Repeated events may be of segments that no row is of in the end: they are among the first that are found.
            for most in [of_side().count(), CODES_MAX * 16] {
                if of_side().all(|code| keys.contains_key(code)) {
                    break;
                }
                let Some(statement) = population.segments_of_codes(&question.segment_by, most) else {
                    return Ok(None);
                };
                let found: Vec<CodedSegment> = reader.rows(&statement).await?;
                keys.extend(found.into_iter().map(|segment| (segment.code, segment.key)));
            }
        }
        Ok(rows.keys().all(|code| keys.contains_key(code)).then_some(keys))
    }

    /// The sides with these segments, which are [its own](Self::segments).
    pub(in super::super) fn sides<'b>(self, segments: &'b SegmentKeys) -> [Side<'b>; 2]
    where
        'a: 'b,
    {
        let outside = u16::try_from(segments.keys.len()).unwrap_or(u16::MAX);
        let places = self.places;
        self.sides.map(|Coded { side, codes }| {
            let place =
                |number: u16| codes.get(usize::from(number)).and_then(|code| places.get(code)).copied();
            let mut side = side.cut_by(segments);
            for row in &mut side.tally {
                row.segment = place(row.segment).unwrap_or(outside);
            }
            side.walked = side.walked.map(|found| {
                let kept = found.into_iter().filter_map(|(at, found)| match at.segment {
                    None => Some((at, found)),
                    Some(number) => Some((Place { segment: Some(place(number)?), ..at }, found)),
                });
                kept.collect()
            });
            side
        })
    }
}
