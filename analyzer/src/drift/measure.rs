//! Reads what the methods need and runs the kernels: one entry a segment, one entry a column, one entry a method.

mod categories;
mod distribution;
mod embeddings;
pub(super) mod kernels;
mod numbers;
mod profile;
mod sorted;
mod texts;

use std::sync::atomic::{AtomicUsize, Ordering};

use windvane_stats::{
    comparison::Comparison,
    edges::Binned,
    epps_singleton::Characteristic,
    permutation::NullEffects,
    walk::{Depth, Sizes, Walk, Walked},
};
use windvane_store::populations::{
    self, CATEGORY_COLUMNS_MAX, CategoryRow, Pair, SegmentKeys, ValueRow, ValueRows, ValueSink,
};
use windvane_store::{ReadError, Reader};
use windvane_types::baseline;
use windvane_types::drift::{Change, Distribution, EmbeddingChange, Kind, TextChange};

#[cfg(test)]
pub(super) use embeddings::Embeddings;
#[cfg(test)]
pub(super) use texts::Texts;

use numbers::Numbers;
use profile::profiles;

use super::{
    DriftError, DriftRequest, Method, Part,
    columns::{COLUMNS_A_STATEMENT, Column},
    stored::{Merge, Merged},
};

/// Values per different value from which on values are grouped before they are sorted.
const REPEATED: u64 = 4;
/// Batches of columns that are measured at a time.
const LANES: usize = 2;
/// Batches of numeric columns of files that a lane gets where it may: the lanes then end at about the same time.
const BATCHES_A_LANE: usize = 3;

/// Rows of both sides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Rows {
    pub(super) reference: u64,
    pub(super) current: u64,
}

/// A column of one segment with everything its methods say.
#[derive(Debug, Clone)]
pub(super) struct MeasuredColumn {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) values: Rows,
    pub(super) missing: Rows,
    pub(super) methods: Vec<Measured>,
    /// Where the values lie; numeric columns only.
    pub(super) location: Option<Location>,
    /// How much larger than found the statistic of `ks` may be, where a stored profile has kept less than every value.
    pub(super) ks_error: Option<f64>,
    /// The category whose share changed most.
    pub(super) largest_change: Option<Change>,
    /// What changed in vectors.
    pub(super) embedding: Option<EmbeddingChange>,
    /// What changed in texts.
    pub(super) text: Option<TextChange>,
    /// How the values lie, for plots.
    pub(super) distribution: Option<Distribution>,
}

/// What one method says.
#[derive(Debug, Clone)]
pub(super) struct Measured {
    pub(super) method: Method,
    pub(super) comparison: Comparison,
    pub(super) smoothing: Option<&'static str>,
    pub(super) bins: Option<u64>,
    pub(super) reason: Option<&'static str>,
    /// The effects that exchanged labels reach, where the limiting p-value cannot be trusted.
    pub(super) null_effects: Option<NullEffects>,
    /// The smallest p-value that the method can say on this input, where there is one above 0.
    pub(super) least_p: Option<f64>,
    /// The p-value that is judged, where the one that the contract reports cannot be trusted.
    pub(super) judged_p: Option<f64>,
}

impl Measured {
    /// What a method says, and nothing beside it.
    pub(super) fn of(method: Method, comparison: Comparison) -> Self {
        Self {
            method,
            comparison,
            smoothing: None,
            bins: None,
            reason: None,
            null_effects: None,
            least_p: None,
            judged_p: None,
        }
    }
}

/// Whether and which way the values moved.
#[derive(Debug, Clone, Copy)]
pub(super) struct Location {
    pub(super) mean_reference: Option<f64>,
    pub(super) mean_current: Option<f64>,
    pub(super) ranks: Comparison,
    pub(super) means: Comparison,
}

/// What is read, and for whom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scan<'a> {
    /// For statements over both sides.
    pub(super) reader: &'a Reader,
    /// For those over one side alone: that of the reference may keep what it is answered.
    pub(super) readers: [&'a Reader; 2],
    pub(super) request: &'a DriftRequest,
    pub(super) segments: &'a SegmentKeys,
    /// Rows of each side that are read; none of a reference that a profile stands for.
    pub(super) rows: Rows,
}

impl<'a> Scan<'a> {
    /// Rows of both sides.
    fn rows_read(&self) -> u64 {
        self.rows.reference + self.rows.current
    }

    /// What is kept of this column, where a profile stands for the reference.
    fn stored(&self, column: &Column) -> Option<&'a baseline::ColumnProfile> {
        self.request.baseline.as_ref()?.column(&column.name)
    }

    /// The points that are kept of this column, where a profile stands for the reference.
    fn points(&self, column: &Column) -> Option<&'a baseline::NumberProfile> {
        self.stored(column)?.numbers.as_ref()
    }

    /// Whether the values of a column are needed, and few enough to be sorted as arrays. A stored profile stands for those of the
    /// reference with its points, where it has any.
    fn sorts_arrays(&self, column: &Column) -> bool {
        let whole = self.request.baseline.is_none() || self.points(column).is_some();
        whole
            && self.rows_read() <= sorted::VALUES_MAX
            && column.kind == Kind::Numeric
            && column.methods.iter().any(|method| method.needs_values())
    }

    /// The categories that are kept of this column, where a profile stands for the reference.
    fn categories(&self, column: &Column) -> Option<&'a [(String, u64)]> {
        self.stored(column)?.categories.as_deref()
    }

    /// The bins of a column's picture, which only whole populations have, without another tool's conventions.
    fn drawn(&self, quantiles: &[f64]) -> Option<Binned> {
        let whole = self.segments.names.is_empty() && self.request.rule.compat.is_none();
        whole.then(|| distribution::bins(quantiles)).flatten()
    }

    /// How many segments are measured; 1 for the whole populations.
    fn segment_count(&self) -> usize {
        if self.segments.names.is_empty() { 1 } else { self.segments.keys.len() }
    }
}

/// Measures all columns of all segments.
pub(super) async fn measure(scan: &Scan<'_>, columns: &[Column]) -> Result<Vec<Part>, DriftError> {
    let mut parts: Vec<Part> = (0..scan.segment_count()).map(|_| Part::default()).collect();
    for columns in columns.chunks(COLUMNS_A_STATEMENT) {
        let (reference, current) = tokio::try_join!(profiles(scan, columns, 0), profiles(scan, columns, 1))?;
        for (part, (reference, current)) in parts.iter_mut().zip(reference.iter().zip(&current)) {
            part.rows = Rows { reference: reference.rows, current: current.rows };
        }
        let sides: Vec<Vec<[Side; 2]>> = (0..columns.len())
            .map(|i| reference.iter().zip(&current).map(|(a, b)| [a.side(i), b.side(i)]).collect())
            .collect();
        let chunk = Chunk { scan, columns, sides };
        let batches = chunk.batches();
        // Two lanes: while one walks what it has read, the engine works for the other.
        let next = AtomicUsize::new(0);
        let (one, other) = tokio::try_join!(chunk.lane(&batches, &next), chunk.lane(&batches, &next))?;
        let mut measured: Vec<(usize, Vec<MeasuredColumn>)> = one.into_iter().chain(other).collect();
        measured.sort_by_key(|(i, _)| *i);
        for (_, column) in measured {
            for (part, column) in parts.iter_mut().zip(column) {
                part.columns.push(column);
            }
        }
    }
    Ok(parts)
}

/// Columns that one profile statement a side answered for.
struct Chunk<'a> {
    scan: &'a Scan<'a>,
    columns: &'a [Column],
    /// By column, then by segment.
    sides: Vec<Vec<[Side; 2]>>,
}

impl Chunk<'_> {
    /// Columns that are measured together: categorical ones as far as a statement counts them, numeric ones as far as their values may
    /// be held, every other one by itself. Those that take longest come first, so that no lane waits for them at the end.
    fn batches(&self) -> Vec<Vec<usize>> {
        let (numbers, others): (Vec<usize>, Vec<usize>) =
            (0..self.columns.len()).partition(|i| self.scan.sorts_arrays(&self.columns[*i]));
        let (texts, others): (Vec<usize>, Vec<usize>) =
            others.into_iter().partition(|i| self.columns[*i].kind == Kind::Categorical);
        let (kept, counted): (Vec<usize>, Vec<usize>) =
            texts.into_iter().partition(|i| self.scan.categories(&self.columns[*i]).is_some());
        let categories = kept.chunks(CATEGORY_COLUMNS_MAX).chain(counted.chunks(CATEGORY_COLUMNS_MAX));
        let numbers = numbers.chunks(evenly(numbers.len(), self.numbers_together(numbers.len())));
        categories.chain(numbers).chain(others.chunks(1)).map(<[usize]>::to_vec).collect()
    }

    /// How many of so many numeric columns a batch may have.
    fn numbers_together(&self, columns: usize) -> usize {
        let held = sorted::BATCH_VALUES / self.scan.rows_read().max(1);
        let held = usize::try_from(held).unwrap_or(usize::MAX).max(1);
        // A statement over a file reads its columns alone; one over predictions reads the features of all of them.
        match self.scan.request.current.is_in_file() {
            true => held.min(columns.div_ceil(LANES * BATCHES_A_LANE).max(1)),
            false => held,
        }
    }

    /// Measures the next batch that no lane has taken, until there is none.
    async fn lane(
        &self,
        batches: &[Vec<usize>],
        next: &AtomicUsize,
    ) -> Result<Vec<(usize, Vec<MeasuredColumn>)>, DriftError> {
        let mut measured = Vec::new();
        let mut room = sorted::Room::default();
        while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut walked = self.walked(batch, &mut room).await?.into_iter();
            let mut counted = self.counted(batch).await?.into_iter();
            for i in batch {
                let (scan, column, sides) = (self.scan, &self.columns[*i], self.sides[*i].as_slice());
                let done = match column.kind {
                    Kind::Numeric => numeric(scan, column, (sides, walked.next())).await?,
                    Kind::Embedding => embeddings::measure(scan, column, sides).await?,
                    Kind::Text => texts::measure(scan, column, sides).await?,
                    Kind::Categorical => {
                        categories::measure(scan, column, (sides, &counted.next().unwrap_or_default()))?
                    }
                };
                measured.push((*i, done));
            }
        }
        Ok(measured)
    }

    /// The walks of a batch whose values are held; none of another one.
    async fn walked(&self, batch: &[usize], room: &mut sorted::Room) -> Result<Vec<Vec<Merged>>, DriftError> {
        let columns: Vec<&Column> = batch.iter().map(|i| &self.columns[*i]).collect();
        if !columns.iter().all(|column| self.scan.sorts_arrays(column)) {
            return Ok(Vec::new());
        }
        let sides: Vec<&[[Side; 2]]> = batch.iter().map(|i| self.sides[*i].as_slice()).collect();
        sorted::walks(self.scan, &columns, &sides, room).await
    }

    /// The categories of a batch that are counted together; none of another one.
    async fn counted(&self, batch: &[usize]) -> Result<Vec<Vec<CategoryRow>>, DriftError> {
        let columns: Vec<&Column> = batch.iter().map(|i| &self.columns[*i]).collect();
        match columns.iter().all(|column| column.kind == Kind::Categorical) {
            true => categories::count(self.scan, &columns).await,
            false => Ok(Vec::new()),
        }
    }
}

/// How many of so many columns make a batch of at most `most`: as few batches as there can be, and none of them much smaller than the
/// others, so that two lanes end at about the same time.
fn evenly(columns: usize, most: usize) -> usize {
    columns.div_ceil(columns.div_ceil(most).max(1)).max(1)
}

/// How much a walk must compute for the methods of a column, or for the bins of another tool.
fn depth(scan: &Scan<'_>, column: &Column, sizes: Sizes) -> Depth {
    let full = |method: &Method| method.depth(sizes) == Depth::Full;
    match scan.request.rule.compat.is_some() || column.methods.iter().any(full) {
        true => Depth::Full,
        false => Depth::Ranks,
    }
}

/// A column of one side of one segment.
#[derive(Debug, Clone, Default)]
pub(super) struct Side {
    rows: u64,
    pub(super) numbers: u64,
    texts: u64,
    distinct: u64,
    /// Of the finite numbers.
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) skewness: f64,
    edges: Vec<f64>,
}

/// One walk a segment.
#[derive(Debug)]
struct Walks(Vec<Walk>);

impl ValueSink for Walks {
    fn push(&mut self, row: ValueRow) {
        if let Some(walk) = self.0.get_mut(row.segment as usize) {
            walk.push(row.value, row.a, row.b);
        }
    }
}

async fn numeric(
    scan: &Scan<'_>,
    column: &Column,
    (sides, walked): (&[[Side; 2]], Option<Vec<Merged>>),
) -> Result<Vec<MeasuredColumn>, DriftError> {
    let merged: Vec<Option<Merged>> = if !column.methods.iter().any(|method| method.needs_values()) {
        sides.iter().map(|_| None).collect()
    } else if let Some(walked) = walked {
        walked.into_iter().map(Some).collect()
    } else if let Some(points) = scan.points(column) {
        vec![Some(merge(scan, column, points, sides).await?)]
    } else {
        walk(scan, column, sides).await?.into_iter().map(|walked| Some(Merged::exact(walked))).collect()
    };
    // A stored profile has no segments, so there is one error.
    let ks_error = merged.iter().flatten().find_map(|merged| merged.error);
    let walks: Vec<Option<Walked>> =
        merged.into_iter().map(|merged| merged.map(|merged| merged.walked)).collect();
    let characteristics = characteristics(scan, column, &walks).await?;
    let (column, sides) = (column.clone(), sides.to_vec());
    let (rule, seed) = (scan.request.rule, scan.request.seed);
    let numbers = Numbers { column, sides, walks, characteristics, ks_error, rule, seed };
    // Some methods simulate for a while: not on the thread that both lanes share.
    let measuring = tokio::task::spawn_blocking(move || numbers.measure());
    Ok(measuring.await.map_err(ReadError::Thread)?)
}

/// A walk over both sides of a segment of a column, into every set of bins that its methods count in.
fn begin_walk(scan: &Scan<'_>, column: &Column, sides: &[Side; 2], quantiles: &[f64]) -> Walk {
    let compat = scan.request.rule.compat;
    let [reference, current] = sides;
    let edges = compat.and_then(|compat| compat.edges(reference, current));
    let mut binned = vec![Binned::new(edges.unwrap_or_else(|| quantiles.to_vec()))];
    let further = compat.map(|compat| compat.further_edges(&column.methods, sides)).unwrap_or_default();
    binned.extend(further.into_iter().map(Binned::new));
    binned.extend(scan.drawn(quantiles));
    let sizes = Sizes { a: reference.numbers, b: current.numbers };
    Walk::to_depth(depth(scan, column, sizes), sizes, binned)
}

async fn walk(scan: &Scan<'_>, column: &Column, sides: &[[Side; 2]]) -> Result<Vec<Walked>, DriftError> {
    let walks = sides.iter().map(|sides| begin_walk(scan, column, sides, &sides[0].edges)).collect();
    let values: u64 = sides.iter().flatten().map(|side| side.numbers).sum();
    let distinct: u64 = sides.iter().flatten().map(|side| side.distinct).sum();
    let pair = Pair { reference: &scan.request.reference, current: &scan.request.current };
    let columns = [column.sides[0].as_ref(), column.sides[1].as_ref()];
    let statement =
        populations::values(pair, columns, scan.segments, distinct.saturating_mul(REPEATED) < values);
    let walked = scan.reader.fold(&statement, "RowBinary", ValueRows::new(Walks(walks))).await?;
    walked
        .sink
        .0
        .into_iter()
        .map(|walk| {
            walk.finish().map_err(|source| DriftError::Changed { column: column.name.clone(), source })
        })
        .collect()
}

/// The points that are kept of the reference, before the values of the current population walk against them.
fn begin_merge(
    scan: &Scan<'_>,
    column: &Column,
    points: &baseline::NumberProfile,
    sides: &[Side; 2],
) -> Merge {
    let [reference, current] = sides;
    let sizes = Sizes { a: reference.numbers, b: current.numbers };
    let mut binned = vec![Binned::new(reference.edges.clone())];
    binned.extend(scan.drawn(&reference.edges));
    Merge::new(points, Walk::to_depth(depth(scan, column, sizes), sizes, binned), sizes.b)
}

/// Walks the values of the current population against the points that are kept of the reference.
async fn merge(
    scan: &Scan<'_>,
    column: &Column,
    points: &baseline::NumberProfile,
    sides: &[[Side; 2]],
) -> Result<Merged, DriftError> {
    let sides = sides.first().cloned().unwrap_or_default();
    let current = &sides[1];
    let grouped = current.distinct.saturating_mul(REPEATED) < current.numbers;
    let merge = begin_merge(scan, column, points, &sides);
    let pair = Pair { reference: &scan.request.reference, current: &scan.request.current };
    let columns = [None, column.sides[1].as_ref()];
    let statement = populations::values(pair, columns, scan.segments, grouped);
    let read = scan.reader.fold(&statement, "RowBinary", ValueRows::new(merge)).await?;
    read.sink.finish().map_err(|source| DriftError::Changed { column: column.name.clone(), source })
}

/// One comparison of characteristic functions a segment, where it was asked for and can be made.
#[derive(Debug)]
struct Characteristics(Vec<Option<Characteristic>>);

impl ValueSink for Characteristics {
    fn push(&mut self, row: ValueRow) {
        if let Some(Some(characteristic)) = self.0.get_mut(row.segment as usize) {
            characteristic.push(row.value, row.a, row.b);
        }
    }
}

/// Epps-Singleton needs the quartiles before it can read the values, and so a second reading.
async fn characteristics(
    scan: &Scan<'_>,
    column: &Column,
    walks: &[Option<Walked>],
) -> Result<Vec<Option<Characteristic>>, DriftError> {
    if !column.methods.contains(&Method::EppsSingleton) {
        return Ok(vec![None; walks.len()]);
    }
    let scale = |walked: &Walked| walked.half_iqr.filter(|half| *half > 0.0).map(Characteristic::new);
    let empty = walks.iter().map(|walked| walked.as_ref().and_then(scale)).collect();
    let pair = Pair { reference: &scan.request.reference, current: &scan.request.current };
    let columns = [column.sides[0].as_ref(), column.sides[1].as_ref()];
    let statement = populations::values(pair, columns, scan.segments, true);
    let read = scan.reader.fold(&statement, "RowBinary", ValueRows::new(Characteristics(empty))).await?;
    Ok(read.sink.0)
}

pub(super) fn location(walked: &Walked) -> Location {
    Location {
        mean_reference: walked.moments_a.finite_mean(),
        mean_current: walked.moments_b.finite_mean(),
        ranks: walked.mann_whitney(),
        means: walked.welch(),
    }
}

#[cfg(test)]
mod tests {
    use super::evenly;

    #[test]
    fn batches_are_few_and_alike() {
        for (columns, most, expected) in [(15, 10, 8), (10, 10, 10), (21, 10, 7), (3, 1, 1), (0, 10, 1)] {
            assert_eq!(evenly(columns, most), expected, "{columns} columns, at most {most}");
        }
    }
}
