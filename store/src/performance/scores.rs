//! Scores in descending order within each chunk, with what was true and predicted: read as a stream.

use super::Frame;
use super::counts::ClassCount;
use crate::{Consume, Statement};

/// Parts of equal size that rows fall into by a hash.
pub const FOLDS: usize = 10;

/// One score of one row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoreRow {
    /// The key of the chunk.
    pub chunk: i32,
    /// The number of the segment.
    pub segment: u16,
    /// The place of the class that the score is of; 0 of two classes.
    pub class: u16,
    /// Whether the row is of that class; `None` where its truth is not known.
    pub truth: Option<bool>,
    /// Whether that class is predicted; `None` where no class is.
    pub predicted: Option<bool>,
    /// Which of [`FOLDS`] parts the row falls into.
    pub fold: u8,
    /// The score.
    pub score: f64,
    /// The row's weight.
    pub weight: f64,
    /// The calibrated probability; NaN where none was asked for.
    pub probability: f64,
}

/// Straight lines between knots that make a score a probability, a function a class.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibrated {
    /// Of each class its knots: scores, ascending, and their shares; none where scores are probabilities already.
    pub classes: Vec<Option<[Vec<f64>; 2]>>,
}

/// Which scores are asked for.
#[derive(Debug, Clone, Copy)]
pub struct ScoresAsked<'a> {
    /// The classes, and how they are predicted.
    pub classes: ClassCount<'a>,
    /// Whether each row has a score of each class; else one, of the second class.
    pub by_class: bool,
    /// Whether rows whose truth is not known are asked for too.
    pub unlabelled: bool,
    /// What makes the scores of several classes probabilities that add up to 1.
    pub calibrated: Option<&'a Calibrated>,
}

/// Asks for scores, by chunk and then by score; read the answer with [`ScoreRows`].
#[must_use]
pub fn scores(frame: &Frame, asked: ScoresAsked<'_>) -> Statement {
    let none = asked.classes.classes.len();
    let labelled = if asked.unlabelled { "" } else { " AND wv_truth < wv_none" };
    let base = format!(
        "SELECT wv_chunk, wv_segment, wv_w, wv_s, wv_p, cityHash64(wv_row) % {FOLDS} AS wv_fold, assumeNotNull({}) AS wv_truth, assumeNotNull({}) AS wv_said, \
         toUInt16({none}) AS wv_none FROM {{frame}}",
        asked.classes.truth(),
        asked.classes.predicted(),
    );
    let flags = |class: &str| {
        format!(
            "toUInt8((wv_truth = {class}) + 2 * (wv_truth < wv_none) + 4 * (wv_said = {class}) + 8 * wv_fold + 128 * (wv_said < wv_none))"
        )
    };
    let text = match asked.by_class {
        false => format!(
            "SELECT wv_chunk, wv_segment, toUInt16(0), {}, assumeNotNull(wv_s) AS score, wv_w, nan FROM ({base}) \
             WHERE isNotNull(wv_s){labelled} ORDER BY wv_chunk, score DESC",
            flags("1")
        ),
        true => {
            let calibrated = match asked.calibrated {
                None => "arrayMap(x -> nan, wv_p)".to_owned(),
                Some(calibrated) => probabilities(calibrated),
            };
            format!(
                "SELECT wv_chunk, wv_segment, toUInt16(class) AS class, {}, score, wv_w, probability FROM (\
                 SELECT *, arrayMap(x -> assumeNotNull(x), wv_p) AS wv_q FROM ({base}) \
                 WHERE NOT arrayExists(x -> isNull(x), wv_p){labelled}) \
                 ARRAY JOIN wv_q AS score, range(length(wv_q)) AS class, {calibrated} AS probability \
                 ORDER BY wv_chunk, score DESC",
                flags("class")
            )
        }
    };
    frame.statement(&text)
}

/// Calibrated probabilities of a row, made to add up to 1; equal ones where all are 0.
fn probabilities(calibrated: &Calibrated) -> String {
    let each: Vec<String> =
        calibrated.classes.iter().enumerate().map(|(i, knots)| line(i + 1, knots.as_ref())).collect();
    let each = format!("[{}]", each.join(", "));
    format!(
        "arrayMap(x -> if(arraySum({each}) > 0, x / arraySum({each}), 1 / {}), {each})",
        calibrated.classes.len()
    )
}

/// The value of the straight lines of one class: `roundDown` finds the knot below, `transform` what belongs to it.
fn line(place: usize, knots: Option<&[Vec<f64>; 2]>) -> String {
    let score = format!("wv_q[{place}]");
    let Some([scores, shares]) = knots else { return score };
    let last = scores.len() - 1;
    let slope = |i: usize| match i {
        i if i == last => 0.0,
        i => (shares[i + 1] - shares[i]) / (scores[i + 1] - scores[i]),
    };
    let list = |values: Vec<f64>| {
        let texts: Vec<String> = values.iter().map(|value| format!("{value:?}")).collect();
        format!("[{}]::Array(Float64)", texts.join(", "))
    };
    if last == 0 {
        return format!("toFloat64({:?})", shares[0]);
    }
    let places = format!("{}::Array(Float64)", list(scores.clone()));
    let below = format!("roundDown({score}, {places})");
    let of = |values: Vec<f64>| format!("transform({below}, {places}, {}, 0.)", list(values));
    // Below the first knot `roundDown` answers the first one: the line is not followed beyond it.
    format!(
        "({} + {} * (greatest({score}, {:?}) - {below}))",
        of(shares.clone()),
        of((0..=last).map(slope).collect()),
        scores[0],
    )
}

/// Takes the rows of [`scores`] one by one.
pub trait ScoreSink: Send + 'static {
    /// Takes the next row.
    fn push(&mut self, row: ScoreRow);
}

/// Reads the answer to [`scores`] in `RowBinary` into a sink.
#[derive(Debug)]
pub struct ScoreRows<S> {
    rest: Vec<u8>,
    /// Where the rows go.
    pub sink: S,
}

impl<S: ScoreSink> ScoreRows<S> {
    /// Hands each row to `sink`.
    pub fn new(sink: S) -> Self {
        Self { rest: Vec::new(), sink }
    }
}

/// Bytes of a row: Int32, UInt16, UInt16, UInt8, three Float64.
const SCORE_ROW: usize = 33;

impl<S: ScoreSink> Consume for ScoreRows<S> {
    fn consume(&mut self, mut chunk: &[u8]) {
        if !self.rest.is_empty() {
            let missing = (SCORE_ROW - self.rest.len()).min(chunk.len());
            self.rest.extend_from_slice(&chunk[..missing]);
            chunk = &chunk[missing..];
            if self.rest.len() < SCORE_ROW {
                return;
            }
            self.sink.push(score_row(&self.rest));
            self.rest.clear();
        }
        let rows = chunk.chunks_exact(SCORE_ROW);
        self.rest.extend_from_slice(rows.remainder());
        rows.for_each(|row| self.sink.push(score_row(row)));
    }
}

fn score_row(row: &[u8]) -> ScoreRow {
    let two = |at: usize| u16::from_le_bytes(row[at..at + 2].try_into().expect("a whole row"));
    let eight = |at: usize| f64::from_le_bytes(row[at..at + 8].try_into().expect("a whole row"));
    let flags = row[8];
    ScoreRow {
        chunk: i32::from_le_bytes(row[..4].try_into().expect("a whole row")),
        segment: two(4),
        class: two(6),
        truth: (flags & 2 != 0).then_some(flags & 1 != 0),
        predicted: (flags & 128 != 0).then_some(flags & 4 != 0),
        fold: (flags >> 3) & 15,
        score: eight(9),
        weight: eight(17),
        probability: eight(25),
    }
}

#[cfg(test)]
mod tests {
    use super::{ScoreRow, ScoreRows, ScoreSink};
    use crate::Consume;

    impl ScoreSink for Vec<ScoreRow> {
        fn push(&mut self, row: ScoreRow) {
            self.push(row);
        }
    }

    #[test]
    fn rows_survive_any_cut_between_chunks() {
        let known = [None, Some(false), Some(true)];
        let rows: Vec<ScoreRow> = (0..7_u16)
            .map(|i| ScoreRow {
                chunk: -i32::from(i),
                segment: i,
                class: 2 * i,
                truth: known[usize::from(i) % 3],
                predicted: known[usize::from(i) / 2 % 3],
                fold: 9 - u8::try_from(i).unwrap(),
                score: f64::from(i) / 3.0,
                weight: 1.0,
                probability: 0.25,
            })
            .collect();
        let bytes: Vec<u8> = rows
            .iter()
            .flat_map(|row| {
                let mut bytes = row.chunk.to_le_bytes().to_vec();
                bytes.extend(row.segment.to_le_bytes());
                bytes.extend(row.class.to_le_bytes());
                let truth = row.truth.map_or(0, |truth| 2 + u8::from(truth));
                let predicted = row.predicted.map_or(0, |predicted| 128 + 4 * u8::from(predicted));
                bytes.push(truth + predicted + 8 * row.fold);
                [row.score, row.weight, row.probability].iter().for_each(|x| bytes.extend(x.to_le_bytes()));
                bytes
            })
            .collect();
        for size in 1..bytes.len() {
            let mut reader = ScoreRows::new(Vec::new());
            bytes.chunks(size).for_each(|chunk| reader.consume(chunk));
            assert_eq!(reader.sink, rows, "chunks of {size} bytes");
        }
    }
}
