//! Records of one kind side by side in a buffer, each behind its length, so that an event costs a copy of its bytes and no allocation.

use crate::json;

/// Which of the four kinds an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Predictions,
    Outcomes,
    Exposures,
    Measurements,
}

impl Kind {
    /// The last word of its path.
    pub(crate) fn path(self) -> &'static str {
        ["predictions", "outcomes", "exposures", "measurements"][self as usize]
    }

    /// The kind of this path.
    pub(crate) fn from_path(word: &str) -> Option<Self> {
        let all = [Self::Predictions, Self::Outcomes, Self::Exposures, Self::Measurements];
        all.into_iter().find(|kind| kind.path() == word)
    }
}

/// Records of one kind.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) kind: Kind,
    pub(crate) records: Vec<u8>,
    pub(crate) events: u64,
}

impl Chunk {
    /// What a record takes.
    pub(crate) fn size(record: &[u8]) -> usize {
        size_of::<u64>() + record.len()
    }

    pub(crate) fn push(&mut self, record: &[u8]) {
        self.records.extend_from_slice(&(record.len() as u64).to_le_bytes());
        self.records.extend_from_slice(record);
        self.events += 1;
    }

    /// Writes lines of JSON up to this many bytes, and at least one; what is left becomes a chunk of its own.
    pub(crate) fn lines(&mut self, bytes_max: usize, into: &mut Vec<u8>) -> Option<Self> {
        let (mut at, mut events) = (0, 0);
        while let Some((record, after)) = record(&self.records, at) {
            let before = into.len();
            json::line(into, record);
            if into.len() > bytes_max && events > 0 {
                into.truncate(before);
                return Some(self.split_off(at, events));
            }
            (at, events) = (after, events + 1);
        }
        None
    }

    /// Takes the second half of the events away.
    pub(crate) fn halve(&mut self) -> Self {
        let (mut at, half) = (0, self.events / 2);
        for _ in 0..half {
            at = record(&self.records, at).map_or(at, |(_, after)| after);
        }
        self.split_off(at, half)
    }

    fn split_off(&mut self, at: usize, events: u64) -> Self {
        let rest =
            Self { kind: self.kind, records: self.records.split_off(at), events: self.events - events };
        self.events = events;
        rest
    }
}

/// The record that begins here, and where the next one does.
fn record(records: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let (length, rest) = records.get(at..)?.split_first_chunk()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    Some((rest.get(..length)?, at + size_of::<u64>() + length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Object;

    fn chunk(keys: &[&str]) -> Chunk {
        let mut chunk = Chunk { kind: Kind::Outcomes, records: Vec::new(), events: 0 };
        for key in keys {
            let mut record = Vec::new();
            let mut object = Object::begin(&mut record);
            object.text(key, "x");
            object.end();
            chunk.push(&record);
        }
        chunk
    }

    fn lines(mut chunk: Chunk, bytes_max: usize) -> Vec<(String, u64)> {
        let mut parts = Vec::new();
        loop {
            let (size, mut written) = (chunk.records.len(), Vec::new());
            let rest = chunk.lines(bytes_max, &mut written);
            let left = rest.as_ref().map_or(0, |rest| rest.records.len());
            assert_eq!(chunk.records.len() + left, size, "no byte is counted twice, or not at all");
            parts.push((String::from_utf8(written).unwrap(), chunk.events));
            match rest {
                Some(rest) => chunk = rest,
                None => return parts,
            }
        }
    }

    #[test]
    fn lines_are_cut_where_they_reach_the_bound() {
        let (a, b, c) = ("{\"a\":\"x\"}\n", "{\"bbbb\":\"x\"}\n", "{\"c\":\"x\"}\n");
        let all = || chunk(&["a", "bbbb", "c"]);
        let part = |lines: &[&str]| (lines.concat(), lines.len() as u64);
        assert_eq!(lines(all(), 1_000), [part(&[a, b, c])]);
        assert_eq!(lines(all(), a.len() + b.len()), [part(&[a, b]), part(&[c])]);
        assert_eq!(lines(all(), b.len() + c.len() - 1), [part(&[a]), part(&[b]), part(&[c])]);
        assert_eq!(lines(all(), 1), [part(&[a]), part(&[b]), part(&[c])]);
    }

    #[test]
    fn halves_hold_every_event_once() {
        let mut first = chunk(&["a", "b", "c"]);
        let second = first.halve();
        assert_eq!((first.events, second.events), (1, 2));
        let text = |chunk| lines(chunk, 1_000).remove(0).0;
        assert_eq!(text(first) + &text(second), text(chunk(&["a", "b", "c"])));
    }
}
