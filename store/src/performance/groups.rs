//! Groups of items that are ranked together: their scores and relevances, a row a group, read as a stream.

use serde::Deserialize;

use super::Frame;
use crate::{Consume, Statement};

/// The items of one group within one chunk.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct GroupRow(i32, u16, Vec<f64>, Vec<f64>);

/// Asks for the groups of each chunk, or of each chunk and segment; read the answer with [`GroupRows`] in `JSONCompactEachRow`.
/// Items without a target or a score, and those whose numbers are infinite, are left out. Where chunks are so many rows, a group whose rows follow
/// each other is of the chunk of the first one, whatever border cuts it; a group that comes again and again is ranked in each chunk.
#[must_use]
pub fn groups(frame: &Frame, by_segment: bool) -> Statement {
    let segment = if by_segment { "wv_segment" } else { "toUInt16(0)" };
    let of_chunks = match frame.numbered {
        false => format!(
            "SELECT wv_chunk AS chunk, {segment} AS segment, wv_g, \
             groupArray((assumeNotNull(wv_s), assumeNotNull(wv_y))) AS items \
             FROM {{frame}} WHERE isFinite(wv_s) AND isFinite(wv_y) AND isNotNull(wv_g) GROUP BY chunk, segment, wv_g"
        ),
        true => format!(
            "SELECT chunk, segment, wv_g, if(is_whole, whole, arrayFilter(x -> x.3 = chunk, whole)) AS items FROM (\
             SELECT {segment} AS segment, wv_g, min(wv_chunk) AS earliest, max(wv_number) - min(wv_number) + 1 = count() AS is_whole, \
             groupArrayIf((assumeNotNull(wv_s), assumeNotNull(wv_y), wv_chunk), ifNull(isFinite(wv_s) AND isFinite(wv_y), 0)) AS whole \
             FROM {{frame}} WHERE isNotNull(wv_g) GROUP BY segment, wv_g) \
             ARRAY JOIN if(is_whole, [earliest], arrayDistinct(arrayMap(x -> x.3, whole))) AS chunk"
        ),
    };
    frame.statement(&format!(
        "SELECT chunk, segment, arrayMap(x -> x.1, items) AS scores, arrayMap(x -> x.2, items) AS relevances \
         FROM ({of_chunks}) WHERE notEmpty(items) ORDER BY chunk, segment, wv_g"
    ))
}

/// Takes groups one by one: chunk, segment, scores, relevances.
pub trait GroupSink: Send + 'static {
    /// Takes the next group.
    fn push(&mut self, chunk: i32, segment: u16, items: (&[f64], &[f64]));
}

/// Reads the answer to [`groups`] into a sink.
#[derive(Debug)]
pub struct GroupRows<S> {
    rest: Vec<u8>,
    /// Lines that are none of an answer.
    pub unreadable: u64,
    /// Where groups go.
    pub sink: S,
}

impl<S: GroupSink> GroupRows<S> {
    /// Hands each group to `sink`.
    pub fn new(sink: S) -> Self {
        Self { rest: Vec::new(), unreadable: 0, sink }
    }

    fn line(&mut self, line: &[u8]) {
        if line.is_empty() {
            return;
        }
        match serde_json::from_slice::<GroupRow>(line) {
            Ok(GroupRow(chunk, segment, scores, relevances)) => {
                self.sink.push(chunk, segment, (&scores, &relevances));
            }
            Err(_) => self.unreadable += 1,
        }
    }
}

impl<S: GroupSink> Consume for GroupRows<S> {
    fn consume(&mut self, chunk: &[u8]) {
        let mut lines = chunk.split(|byte| *byte == b'\n');
        let Some(first) = lines.next() else { return };
        self.rest.extend_from_slice(first);
        for next in lines {
            let whole = std::mem::replace(&mut self.rest, next.to_vec());
            self.line(&whole);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{GroupRows, GroupSink};
    use crate::Consume;

    #[derive(Default)]
    struct Taken(Vec<(i32, u16, Vec<f64>, Vec<f64>)>);

    impl GroupSink for Taken {
        fn push(&mut self, chunk: i32, segment: u16, (scores, relevances): (&[f64], &[f64])) {
            self.0.push((chunk, segment, scores.to_vec(), relevances.to_vec()));
        }
    }

    #[test]
    fn groups_survive_any_cut_between_chunks() {
        let text = b"[0, 0, [0.5,0.25], [1,0]]\n[1, 2, [1], [3]]\n";
        for size in 1..=text.len() {
            let mut reader = GroupRows::new(Taken::default());
            text.chunks(size).for_each(|chunk| reader.consume(chunk));
            assert_eq!(reader.unreadable, 0);
            assert_eq!(
                reader.sink.0,
                [(0, 0, vec![0.5, 0.25], vec![1.0, 0.0]), (1, 2, vec![1.0], vec![3.0])],
                "chunks of {size} bytes"
            );
        }
    }
}
