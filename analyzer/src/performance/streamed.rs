//! Two classes by one stream: counts and walks out of the same rows, and of both sides where their chunks are the same ones, so that predictions
//! and outcomes are joined once.
//!
//! Rows are sorted by score here, chunk by chunk, where chunks are small, else by the engine.
//!
//! Segments are numbered as their rows come, and are named afterwards. The classes have to be known before the stream begins. They are taken from the outcomes of the model, whenever these came; what the
//! windows hold may be less. So they are looked at again afterwards: where the rows make other classes of it, nothing was measured, and the
//! sides are surveyed and measured one after the other as other tasks are.

mod lanes;
mod segments;

use std::collections::{BTreeMap, BTreeSet};

use windvane_store::performance::{
    CODES_MAX, Chunking, Every, EveryRow, EveryRows, EverySink, Frame, Incomplete, OfTwo, Period, RowsBy,
    RowsOf, ScoreRow, ScoreSink, TALLY_MAX, TallyRow, every,
};
use windvane_store::populations::{
    OUTCOME, OutcomeText, Population, SIDES, SegmentKeys, outcome_texts, together,
};
use windvane_store::{Reader, Real};
use windvane_types::performance::Task;

use super::measure::class_count;
use super::part::Place;
use super::request::{CHUNKS_MAX, Cut};
use super::side::{Side, Survey};
use super::walks::{Found, Plan, Walks};
use super::{PerformanceError, PerformanceRequest, Question, classes::classes};
use lanes::{ChunkSink, LANE_ROWS_MAX, Lane, Lanes};
use segments::Coded;
pub(super) use segments::Streamed;

/// Different outcomes with which it is tried: more are no two classes.
const OUTCOMES_MAX: usize = 2;
/// Pairs of a true and a predicted class.
const PAIRS: usize = OfTwo::ALL.len() * OfTwo::ALL.len();

const DAY_US: u64 = 86_400_000_000;

/// Walks both sides, by their [targets]; `None` where that takes the classes of the rows themselves, or more than a walk
/// without estimates. `uncut` has the columns that cut segments and no keys: which segments there are is told by the rows.
pub(super) async fn walk<'a>(
    reader: &'a Reader,
    request: &'a PerformanceRequest,
    (uncut, targets): (&'a SegmentKeys, Option<BTreeSet<String>>),
) -> Result<Option<Streamed<'a>>, PerformanceError> {
    let question = &request.question;
    let Some(targets) = targets else { return Ok(None) };
    let held = Survey { targets, ..Survey::default() };
    let Ok(expected) = classes(question, [&held, &Survey::default()]) else { return Ok(None) };
    let [first, second] = expected.as_slice() else { return Ok(None) };
    let names = [first, second].map(String::as_str);
    let sides = [
        Side::cut(reader, ("reference", &request.reference), question, uncut).await?,
        Side::cut(reader, ("current population", &request.current), question, uncut).await?,
    ];
    let Some([reference, current]) = walked(sides, names).await? else { return Ok(None) };
    let found = classes(question, [&reference.side.survey, &current.side.survey]);
    if found.is_ok_and(|found| found == expected) {
        return Streamed::of([reference, current]).await;
    }
    Ok(None)
}

/// Whether the question is one of two classes with scores, on outcomes that are joined, and nothing is estimated.
fn fits(question: &Question) -> bool {
    let roles = &question.roles;
    question.task == Task::Binary
        && roles.score.is_some()
        && roles.target.as_deref() == Some(OUTCOME)
        && !question.estimate
        && !drops_rows_of_segments(question)
}

/// Whether rows are left out of all chunks: the stream has not them, and they count among those of their segments.
fn drops_rows_of_segments(question: &Question) -> bool {
    let by_rows = matches!(question.cut, Cut::Rows(_) | Cut::Chunks(_));
    by_rows && question.incomplete == Incomplete::Drop && !question.segment_by.is_empty()
}

/// What was true of any prediction of the models; `None` where that is more than two classes, rows are not joined with outcomes, or
/// the question is not one for a stream.
pub(super) async fn targets(
    reader: &Reader,
    request: &PerformanceRequest,
) -> Result<Option<BTreeSet<String>>, PerformanceError> {
    if !fits(&request.question) {
        return Ok(None);
    }
    let statement = |population: &Population| outcome_texts(population, OUTCOMES_MAX + 1);
    let (Some(reference), Some(current)) = (statement(&request.reference), statement(&request.current))
    else {
        return Ok(None);
    };
    let mut texts: Vec<OutcomeText> = reader.rows(&current).await?;
    if reference.sql() != current.sql() {
        texts.extend(reader.rows::<OutcomeText>(&reference).await?);
    }
    let texts: BTreeSet<String> = texts.into_iter().map(|row| row.text).collect();
    Ok(Some(texts).filter(|texts| texts.len() <= OUTCOMES_MAX))
}

/// Reads both sides, in one statement where their chunks are the same ones: outcomes are joined once then, and rows of both are read once.
/// `None` where a row is of another class, there are too many chunks, counts or segments, or an answer cannot be read.
async fn walked<'a>(
    sides: [Side<'a>; 2],
    names: [&str; 2],
) -> Result<Option<[Coded<'a>; 2]>, PerformanceError> {
    let [reference, current] = sides;
    if let Some(population) = both(&reference, &current) {
        let side = reference.over(&population);
        let sinks = Both::of(Counted::of(&side, names));
        let Some(every) = read(&side, RowsOf::Both, (sinks, names)).await? else { return Ok(None) };
        let [first, second] = every.sink.sides;
        let sides = filled(reference, (first, &every.codes)).zip(filled(current, (second, &every.codes)));
        return Ok(sides.map(|(reference, current)| [reference, current]));
    }
    let mut walked = Vec::with_capacity(2);
    for side in [reference, current] {
        let counted = Counted::of(&side, names);
        let every = read(&side, RowsOf::One, (counted, names)).await?;
        let Some(side) = every.and_then(|every| filled(side, (every.sink, &every.codes))) else {
            return Ok(None);
        };
        walked.push(side);
    }
    Ok(walked.try_into().ok())
}

/// Both populations as one, where time alone says which chunk a row is in and their rows are read alike.
fn both(reference: &Side<'_>, current: &Side<'_>) -> Option<Population> {
    let by_time = matches!(reference.chunking, Chunking::Period(_) | Chunking::Length { .. });
    let roles = &reference.question.roles;
    let single = [&roles.target, &roles.score, &roles.label, &roles.weight, &roles.timestamp];
    let columns = single.into_iter().flatten().chain(&reference.question.segment_by);
    let names: Vec<String> = columns.cloned().collect();
    (by_time && reference.chunking == current.chunking)
        .then(|| together(reference.population, current.population, &names))
        .flatten()
}

/// Reads the rows of a side into a sink; `None` where the answer cannot be read.
async fn read<S: ChunkSink + Clone>(
    side: &Side<'_>,
    of: RowsOf,
    (sink, names): (S, [&str; 2]),
) -> Result<Option<Every<S>>, PerformanceError> {
    let names = names.map(str::to_owned);
    let beside = match of {
        RowsOf::One => Vec::new(),
        RowsOf::Both => vec![SIDES.to_owned()],
    };
    let frame = side.framed_of_classes(&names, &beside)?;
    let asked = class_count(side, &names);
    if has_small_chunks(side, &frame) {
        let statement = every(&frame, asked, (of, RowsBy::Chunk));
        let rows = EveryRows::new(&frame, Lanes::new(&sink, LANE_ROWS_MAX));
        let rows = side.reader.fold(&statement, "Native", rows).await?;
        if rows.has_too_many_codes() {
            return Ok(None);
        }
        if let Some(Every { sink: lanes, codes }) = rows.finish()
            && let Some(sink) = lanes.finish()
        {
            return Ok(Some(Every { sink, codes }));
        }
    }
    let statement = every(&frame, asked, (of, RowsBy::ChunkAndScore));
    Ok(side.reader.fold(&statement, "Native", EveryRows::new(&frame, sink)).await?.finish())
}

/// Whether chunks have, on average, half as many rows as are held of one, or fewer, and rows nothing that is not held.
fn has_small_chunks(side: &Side<'_>, frame: &Frame) -> bool {
    let length_us = match side.chunking {
        Chunking::Period(Period::Day) => Some(DAY_US),
        Chunking::Period(Period::Week) => Some(7 * DAY_US),
        Chunking::Period(Period::Month) => Some(31 * DAY_US),
        Chunking::Length { length_us, .. } => u64::try_from(length_us).ok(),
        Chunking::Whole | Chunking::Rows { .. } => None,
    };
    let rows = length_us.and_then(|length_us| side.population.labelled_within(length_us));
    frame.by_time && !frame.weighted && rows.is_some_and(|rows| rows <= LANE_ROWS_MAX as u64 / 2)
}

/// The side with what its rows have told.
fn filled<'a>(side: Side<'a>, (counted, codes): (Counted, &[u64])) -> Option<Coded<'a>> {
    counted.finish().map(|(tally, found)| {
        let mut side = side.surveyed(tally);
        side.walked = Some(found);
        Coded { side, codes: codes.to_vec() }
    })
}

/// The sinks of the reference and of the current population, which ask the same: a row goes to those that it is of.
#[derive(Debug, Clone)]
struct Both {
    sides: [Counted; 2],
    /// One that has taken nothing.
    fresh: Counted,
}

impl Both {
    /// For the rows of both; `fresh` has taken nothing.
    fn of(fresh: Counted) -> Self {
        Self { sides: [fresh.clone(), fresh.clone()], fresh }
    }
}

impl EverySink for Both {
    fn push(&mut self, row: EveryRow) {
        for (counted, is_of) in self.sides.iter_mut().zip(row.of) {
            if is_of {
                counted.push(row);
            }
        }
    }
}

impl ChunkSink for Both {
    fn take(&mut self, lane: &Lane) {
        if !lane.is_of_both() {
            lane.rows().for_each(|row| self.push(row));
            return;
        }
        // Both have the same of it.
        let mut counted = self.fresh.clone();
        counted.take(lane);
        let [first, second] = &mut self.sides;
        first.absorb(counted.clone());
        second.absorb(counted);
    }

    fn absorb(&mut self, other: Self) {
        for (counted, other) in self.sides.iter_mut().zip(other.sides) {
            counted.absorb(other);
        }
    }
}

/// The sink of the stream: counts the rows of each chunk, and hands those with truth and score to the walks.
#[derive(Debug, Clone)]
struct Counted {
    walks: Walks,
    /// What true and predicted classes are called.
    names: [[String; 2]; 2],
    /// One a segment that was met and pair of classes.
    cells: Vec<Cell>,
    chunk: Option<i32>,
    chunks: u64,
    rows: Vec<TallyRow>,
    /// The stream cannot be read this way; what follows is passed over.
    given_up: bool,
}

/// Rows of one chunk and segment that share both classes.
#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    rows: u64,
    unscored: u64,
    first_us: Option<i64>,
    last_us: Option<i64>,
    weight: f64,
    squares: f64,
}

impl Cell {
    fn push(&mut self, row: &EveryRow) {
        self.rows += 1;
        self.unscored += u64::from(row.score.is_none());
        self.first_us = [self.first_us, row.at_us].into_iter().flatten().min();
        self.last_us = self.last_us.max(row.at_us);
        self.weight += row.weight;
        self.squares += row.weight * row.weight;
    }
}

impl Counted {
    /// For the rows of a side.
    fn of(side: &Side<'_>, names: [&str; 2]) -> Self {
        let segments = if side.question.segment_by.is_empty() { 0 } else { CODES_MAX };
        let plan = Plan { segments, classes: 1, confidence: side.question.rule.confidence, estimate: None };
        let names = names.map(str::to_owned);
        // What a score says is not called by the names of the classes.
        let said = match side.question.roles.label.is_some() {
            true => names.clone(),
            false => ["0", "1"].map(str::to_owned),
        };
        Self::new(Walks::new(plan), [names, said])
    }

    fn new(walks: Walks, names: [[String; 2]; 2]) -> Self {
        Self { walks, names, cells: Vec::new(), chunk: None, chunks: 0, rows: Vec::new(), given_up: false }
    }

    /// Counts as the tally has them, and what the walks have found.
    fn finish(mut self) -> Option<(Vec<TallyRow>, BTreeMap<Place, Found>)> {
        self.end_chunk();
        // Of several that have shared the chunks, those of one come after those of another.
        self.rows.sort_by_key(|row| row.chunk);
        (!self.given_up).then(|| (self.rows, self.walks.finish()))
    }

    fn end_chunk(&mut self) {
        let Some(chunk) = self.chunk else { return };
        for (at, cell) in self.cells.iter_mut().enumerate().filter(|(_, cell)| cell.rows > 0) {
            let Cell { rows, unscored, first_us, last_us, weight, squares } = std::mem::take(cell);
            let [truth, said] = [at / OfTwo::ALL.len(), at].map(|code| code % OfTwo::ALL.len());
            let truth = self.names[0].get(truth).cloned();
            self.rows.push(TallyRow {
                chunk,
                segment: u16::try_from(at / PAIRS).unwrap_or(u16::MAX),
                labelled: if truth.is_some() { rows } else { 0 },
                measured: if truth.is_some() { rows - unscored } else { 0 },
                truth,
                said: self.names[1].get(said).cloned(),
                rows,
                unscored,
                first_us,
                last_us,
                weight: Real(weight),
                squares: Real(squares),
                target_sum: Real(0.0),
                target_rows: 0,
                unreadable: String::new(),
                targets_not_numeric: 0,
            });
        }
        self.bound();
    }

    /// Gives up where there is more than there may be.
    fn bound(&mut self) {
        self.given_up |= self.rows.len() > TALLY_MAX || self.chunks > CHUNKS_MAX;
    }
}

impl ChunkSink for Counted {
    fn take(&mut self, lane: &Lane) {
        lane.rows().for_each(|row| self.push(row));
    }

    fn absorb(&mut self, mut other: Self) {
        self.end_chunk();
        other.end_chunk();
        self.chunks += other.chunks;
        self.rows.append(&mut other.rows);
        self.walks.absorb(other.walks);
        self.given_up |= other.given_up;
        self.bound();
    }
}

impl EverySink for Counted {
    fn push(&mut self, row: EveryRow) {
        self.given_up |= [row.truth, row.said].contains(&OfTwo::Neither);
        if !self.given_up && self.chunk != Some(row.chunk) {
            self.end_chunk();
            self.chunk = Some(row.chunk);
            self.chunks += 1;
        }
        if self.given_up {
            return;
        }
        let first = usize::from(row.segment) * PAIRS;
        if first >= self.cells.len() {
            self.cells.resize(first + PAIRS, Cell::default());
        }
        self.cells[first + row.truth as usize * OfTwo::ALL.len() + row.said as usize].push(&row);
        if let (Some(truth), Some(score)) = (row.truth.is_second(), row.score) {
            self.walks.push(ScoreRow {
                chunk: row.chunk,
                segment: row.segment,
                class: 0,
                truth: Some(truth),
                predicted: row.said.is_second(),
                fold: 0,
                score,
                weight: row.weight,
                probability: f64::NAN,
            });
        }
    }
}

#[cfg(test)]
mod tests;
