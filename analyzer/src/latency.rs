//! Latency: populations in, the document `windvane.latency/1` out: quantiles with intervals by group, drift of the distribution, and
//! how fast service level objectives burn.

mod objectives;

use std::cmp::Ordering;
use std::collections::BTreeMap;

use windvane_stats::correction::Correction;
use windvane_stats::log_sketch::{self, LogSketch};
use windvane_store::latency::{self, BucketRow, GroupRow, LatencyAsk};
use windvane_store::populations::{self, LATENCY, Population, PopulationColumn, Storage};
use windvane_store::{ReadError, Reader};
use windvane_types::drift::Side;
use windvane_types::latency::{Document, Drift, Group, Quantile, SCHEMA, Verdict};

use crate::known_names::hint;
use crate::not_numbers;

pub use objectives::{NoObjective, Objective, objectives_over};

/// Groups of one cut that are looked at; smaller ones beyond them are counted and left out.
pub const GROUPS_MAX: usize = 50;
/// The cut by the name of a span.
pub const STAGE: &str = "stage";
/// The distance below which no change is called one, however sure: that of a shift by a tenth of a standard deviation and more.
const FLOOR: f64 = 0.05;

/// What is asked.
#[derive(Debug, Clone)]
pub struct LatencyRequest {
    /// What the current rows are compared with.
    pub reference: Option<Population>,
    /// The rows in question.
    pub current: Population,
    /// The column of latencies.
    pub column: String,
    /// Microseconds that one of its units is.
    pub unit_us: f64,
    /// Cuts into groups: columns, tags, `version`, `environment`, `arm:EXPERIMENT`, `stage`.
    pub by: Vec<String>,
    /// The levels of the quantiles, ascending.
    pub levels: Vec<f64>,
    /// The confidence of intervals.
    pub confidence: f64,
    /// The bound on the chance of a false alarm over all groups.
    pub alpha: f64,
    /// Rows that each side of a group needs before it is judged.
    pub rows_min: u64,
    /// The service level objectives.
    pub objectives: Vec<Objective>,
    /// What objectives look at where that reaches further back than the rows in question: see [`objectives_over`].
    pub objectives_over: Option<Population>,
    /// The column that says when an event was.
    pub timestamp: String,
    /// The end of the windows of objectives, microseconds since 1970 UTC; the latest event where `None`.
    pub end_us: Option<i64>,
}

impl LatencyRequest {
    /// Whether predictions may lack the column: none of a window may say how long it took, or have a feature that others have. A name that
    /// none has is none of a column.
    fn may_be_absent(&self) -> bool {
        let others = [self.reference.as_ref(), self.objectives_over.as_ref()];
        let mut all = others.into_iter().flatten().chain([&self.current]);
        self.column == LATENCY || all.any(|population| population.column(&self.column).is_some())
    }
}

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum LatencyError {
    /// A column is not there.
    #[error("there is no column `{column}`{}", hint(column, known))]
    UnknownColumn {
        /// The name.
        column: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// A column holds something else than numbers.
    #[error("column `{column}` holds {holds}; latencies are numbers")]
    NotNumbers {
        /// The column.
        column: String,
        /// What it holds.
        holds: String,
    },
    /// Rows cannot be cut that way.
    #[error(
        "rows cannot be cut by `{name}`: it is no column, and of predictions no tag, `version`, `environment`, `arm:EXPERIMENT` or `stage`"
    )]
    Cut {
        /// What was asked.
        name: String,
    },
    /// The column of times that objectives need is not there.
    #[error(
        "objectives need a column that says when (--timestamp), and there is no column `{column}`{}",
        hint(column, known)
    )]
    NoTimestamp {
        /// The name.
        column: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// It says of no latency when it was.
    #[error(
        "objectives need a column that says when (--timestamp), and `{column}` holds no times; read are times, dates, RFC 3339 text and \
         whole microseconds since 1970"
    )]
    NoTimes {
        /// The column.
        column: String,
    },
    /// There are no spans.
    #[error("`stage` needs spans, and the store has none")]
    NoSpans,
    /// A statement failed.
    #[error("cannot read the latencies")]
    Read(#[from] ReadError),
}

/// Latencies by group of one cut.
type Sketches = BTreeMap<Option<String>, Counted>;

/// The latencies of a group.
#[derive(Debug, Clone, Default)]
struct Counted {
    /// The finite ones.
    sketch: LogSketch,
    /// How many others there are: no quantile has them.
    infinite: u64,
}

/// Looks at latencies.
///
/// # Errors
/// A column is not there or cannot serve, or a statement fails.
pub async fn run(reader: &Reader, request: &LatencyRequest) -> Result<Document, LatencyError> {
    let current = Measured::new(&request.current, request)?;
    let reference =
        request.reference.as_ref().map(|population| Measured::new(population, request)).transpose()?;
    for side in reference.iter().chain([&current]) {
        side.refuse_words(reader).await?;
    }
    let mut groups = Vec::new();
    let mut left_out = 0;
    let mut before_all = None;
    let cuts = std::iter::once(None).chain(request.by.iter().map(|name| Some(name.as_str())));
    for cut in cuts {
        let (names, more) = current.groups(reader, cut).await?;
        left_out += more;
        let now = current.sketches(reader, cut, &names).await?;
        let before = match &reference {
            Some(reference) => reference.sketches(reader, cut, &names).await?,
            None => Sketches::new(),
        };
        if cut.is_none() && reference.is_some() {
            before_all = Some(before.values().next().cloned().unwrap_or_default());
        }
        let mut part: Vec<Group> = now
            .iter()
            .map(|(value, counted)| {
                group(request, (cut, value), (counted, before.get(value).filter(|_| reference.is_some())))
            })
            .collect();
        part.sort_by_key(|group| std::cmp::Reverse(group.n));
        groups.extend(part);
    }
    if groups.is_empty() {
        groups.push(group(request, (None, &None), (&Counted::default(), before_all.as_ref())));
    }
    judge(&mut groups, request);
    let longer =
        request.objectives_over.as_ref().map(|population| Measured::new(population, request)).transpose()?;
    let any = groups[0].n + groups[0].infinite > 0;
    let objectives =
        objectives::look(reader, request, (longer.as_ref().unwrap_or(&current).ask, any)).await?;
    let verdict = overall(&groups, &objectives);
    let rows = |population: &Population, sketch: u64| Side {
        source: population.source.clone(),
        rows: sketch,
        stored_profile: false,
    };
    Ok(Document {
        schema: SCHEMA.to_owned(),
        reference: request.reference.as_ref().map(|population| {
            rows(population, groups[0].drift.as_ref().map_or(0, |drift| drift.n_reference))
        }),
        current: rows(&request.current, groups[0].n),
        verdict,
        confidence: request.confidence,
        accuracy: log_sketch::ACCURACY,
        alpha: request.alpha,
        groups,
        groups_left_out: left_out,
        objectives,
    })
}

/// One population with its column of latencies.
struct Measured<'a> {
    ask: LatencyAsk<'a>,
}

impl<'a> Measured<'a> {
    fn new(population: &'a Population, request: &LatencyRequest) -> Result<Self, LatencyError> {
        static NOTHING: PopulationColumn =
            PopulationColumn { name: String::new(), storage: Storage::Nothing };
        let column = match population.column(&request.column) {
            Some(column) => column,
            None if population.without_columns || population.is_events() && request.may_be_absent() => {
                &NOTHING
            }
            None => {
                return Err(LatencyError::UnknownColumn {
                    column: request.column.clone(),
                    known: population.columns.iter().map(|column| column.name.clone()).collect(),
                });
            }
        };
        let holds = match &column.storage {
            Storage::Text(_) => Some("text"),
            Storage::Vector(_) | Storage::List { .. } => Some("lists"),
            Storage::Unsupported(_) => Some("another type"),
            Storage::Number(_) | Storage::Undecided(_) | Storage::Nothing => None,
        };
        if let Some(holds) = holds {
            return Err(LatencyError::NotNumbers { column: column.name.clone(), holds: holds.to_owned() });
        }
        let ask = LatencyAsk { population, column, ln_gamma: log_sketch::ln_gamma(), zero: log_sketch::ZERO };
        Ok(Self { ask })
    }

    /// Refuses a column of a CSV file that has words among its values, false and true as well, missing ones aside: nothing would be told of
    /// them.
    async fn refuse_words(&self, reader: &Reader) -> Result<(), LatencyError> {
        let LatencyAsk { population, column, .. } = self.ask;
        if !matches!(column.storage, Storage::Undecided(_)) {
            return Ok(());
        }
        match not_numbers::text_in(reader, &populations::word_or_boolean(population, column)).await? {
            None => Ok(()),
            Some(holds) => Err(LatencyError::NotNumbers { column: column.name.clone(), holds }),
        }
    }

    /// The groups of a cut, and how many are left out.
    async fn groups(
        &self,
        reader: &Reader,
        cut: Option<&str>,
    ) -> Result<(Vec<Option<String>>, u64), LatencyError> {
        let Some(name) = cut.filter(|name| *name != STAGE && !self.ask.population.without_columns) else {
            return Ok((Vec::new(), 0));
        };
        let statement = latency::groups(self.ask, name, GROUPS_MAX);
        let statement = statement.ok_or_else(|| LatencyError::Cut { name: name.to_owned() })?;
        let rows: Vec<GroupRow> = reader.rows(&statement).await?;
        let left_out = rows.first().map_or(0, |row| row.groups.saturating_sub(GROUPS_MAX as u64));
        Ok((rows.into_iter().map(|row| row.group).collect(), left_out))
    }

    async fn sketches(
        &self,
        reader: &Reader,
        cut: Option<&str>,
        groups: &[Option<String>],
    ) -> Result<Sketches, LatencyError> {
        if self.ask.population.without_columns {
            return Ok(Sketches::new());
        }
        let statement = match cut {
            Some(STAGE) => {
                let there: Vec<BucketRow> = match self.ask.population.is_events() {
                    true => reader.rows(&latency::has_spans()).await?,
                    false => Vec::new(),
                };
                if there.first().is_none_or(|row| row.count == 0) {
                    return Err(LatencyError::NoSpans);
                }
                latency::stages(self.ask, GROUPS_MAX)
            }
            cut => latency::buckets(self.ask, cut, groups),
        };
        let Some(statement) = statement else {
            // A group of the current rows may be unknown to the reference.
            return Ok(Sketches::new());
        };
        let rows: Vec<BucketRow> = reader.rows(&statement).await?;
        let mut sketches = Sketches::new();
        for row in rows {
            let counted = sketches.entry(row.group).or_default();
            match row.bucket {
                latency::INFINITE => counted.infinite += row.count,
                bucket => counted.sketch.push(bucket, row.count),
            }
        }
        Ok(sketches)
    }
}

fn group(
    request: &LatencyRequest,
    (cut, value): (Option<&str>, &Option<String>),
    (now, before): (&Counted, Option<&Counted>),
) -> Group {
    let sketch = &now.sketch;
    // Spans are measured in nanoseconds and asked for in microseconds.
    let unit = if cut == Some(STAGE) { 1.0 } else { request.unit_us };
    let at = |sketch: &LogSketch, level| sketch.quantile(level, request.confidence);
    let ends = |found: log_sketch::Quantile| [found.low, found.high].map(|end| end.map(|end| end * unit));
    let quantiles: Vec<Quantile> = request
        .levels
        .iter()
        .filter_map(|level| {
            let found = at(sketch, *level)?;
            let usual = before.and_then(|before| at(&before.sketch, *level));
            Some(Quantile {
                quantile: name_of(*level),
                value: found.value * unit,
                ci: ends(found),
                reference: usual.map(|usual| usual.value * unit),
                reference_ci: usual.map(ends),
            })
        })
        .collect();
    let drift = before.map(|before| {
        let ks = before.sketch.ks(sketch);
        Drift {
            n_reference: before.sketch.n(),
            infinite_reference: before.infinite,
            statistic: ks.statistic,
            threshold: FLOOR,
            p_value: ks.p_value,
            p_adjusted: None,
            ratios: quantiles
                .iter()
                .map(|quantile| quantile.reference.filter(|r| *r > 0.0).map(|r| quantile.value / r))
                .collect(),
            verdict: Verdict::InsufficientData,
        }
    });
    Group {
        group: cut.map(|cut| (cut.to_owned(), value.clone())).into_iter().collect(),
        n: sketch.n(),
        infinite: now.infinite,
        mean: sketch.mean().map(|mean| mean * unit),
        quantiles,
        drift,
    }
}

/// The name of the quantile at a level: `p99.9` of 0.999, without the digits that floating point adds.
#[must_use]
pub fn name_of(level: f64) -> String {
    format!("p{}", (level * 1e8).round() / 1e6)
}

/// The level of a quantile by its name: 0.999 of `p99.9`; `None` where it is no name of one.
#[must_use]
pub fn level_of(name: &str) -> Option<f64> {
    let percent = name.strip_prefix('p').filter(|digits| digits.starts_with(|c: char| c.is_ascii_digit()))?;
    let percent: f64 = percent.parse().ok()?;
    let level = (percent * 1e6).round() / 1e8;
    (level > 0.0 && level < 1.0).then_some(level)
}

/// Corrects all p-values together and says what became of each group.
fn judge(groups: &mut [Group], request: &LatencyRequest) {
    let rows_min = request.rows_min;
    let enough = |group: &Group, drift: &Drift| group.n >= rows_min && drift.n_reference >= rows_min;
    let family: Vec<f64> = groups
        .iter()
        .filter_map(|group| group.drift.as_ref().filter(|drift| enough(group, drift))?.p_value)
        .collect();
    let mut adjusted = Correction::Bh.adjust(&family).into_iter();
    for group in groups {
        let Some(mut drift) = group.drift.take() else { continue };
        if enough(group, &drift) && drift.p_value.is_some() {
            drift.p_adjusted = adjusted.next();
            let is_sure = drift.p_adjusted.is_some_and(|p| p < request.alpha);
            let is_large = drift.statistic.is_some_and(|d| d >= drift.threshold);
            drift.verdict = if is_sure && is_large { direction(&group.quantiles) } else { Verdict::Steady };
        }
        group.drift = Some(drift);
    }
}

/// Slower where the quantiles grew on the whole, faster where they shrank: by those that surely moved, or by all where none did.
fn direction(quantiles: &[Quantile]) -> Verdict {
    let moves: Vec<Move> = quantiles.iter().filter_map(moved).collect();
    let any_sure = moves.iter().any(|one| one.is_sure);
    let went = |way: Ordering| moves.iter().any(|one| one.way == way && (one.is_sure || !any_sure));
    match (went(Ordering::Greater), went(Ordering::Less)) {
        (true, false) => Verdict::Slower,
        (false, true) => Verdict::Faster,
        _ => Verdict::Changed,
    }
}

/// Where a quantile went.
struct Move {
    way: Ordering,
    /// Whether each side's quantile lies outside of the other side's interval. Of the far ones few rows tell, and chance alone takes them
    /// either way.
    is_sure: bool,
}

/// Where a quantile went; `None` where it stayed.
fn moved(quantile: &Quantile) -> Option<Move> {
    let (now, before) = (quantile.value, quantile.reference?);
    let [low, high] = quantile.ci;
    let [low_before, high_before] = quantile.reference_ci.unwrap_or_default();
    let lies_above = |end: Option<f64>, x: f64| end.is_some_and(|end| end > x);
    let lies_below = |end: Option<f64>, x: f64| end.is_some_and(|end| end < x);
    if now > before * 1.01 {
        let is_sure = lies_above(low, before) && lies_below(high_before, now);
        return Some(Move { way: Ordering::Greater, is_sure });
    }
    let is_sure = lies_below(high, before) && lies_above(low_before, now);
    (now < before * 0.99).then_some(Move { way: Ordering::Less, is_sure })
}

fn overall(groups: &[Group], objectives: &[windvane_types::latency::Objective]) -> Verdict {
    if objectives.iter().any(windvane_types::latency::Objective::burns) {
        return Verdict::Breached;
    }
    let verdicts = || groups.iter().filter_map(|group| group.drift.as_ref()).map(|drift| drift.verdict);
    [Verdict::Slower, Verdict::Changed, Verdict::Faster, Verdict::Steady]
        .into_iter()
        .find(|one| verdicts().any(|verdict| verdict == *one))
        .unwrap_or(Verdict::InsufficientData)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantile(value: f64, reference: f64) -> Quantile {
        Quantile {
            quantile: "p50".to_owned(),
            value,
            ci: [None, None],
            reference: Some(reference),
            reference_ci: Some([None, None]),
        }
    }

    /// The same where intervals reach this share to either side.
    fn within(share: f64, value: f64, reference: f64) -> Quantile {
        let around = |x: f64| [Some(x * (1.0 - share)), Some(x * (1.0 + share))];
        Quantile { ci: around(value), reference_ci: Some(around(reference)), ..quantile(value, reference) }
    }

    #[test]
    fn the_direction_is_that_of_all_quantiles() {
        assert_eq!(direction(&[quantile(12.0, 10.0), quantile(10.0, 10.0)]), Verdict::Slower);
        assert_eq!(direction(&[quantile(8.0, 10.0), quantile(9.0, 10.0)]), Verdict::Faster);
        assert_eq!(direction(&[quantile(8.0, 10.0), quantile(19.0, 10.0)]), Verdict::Changed);
        assert_eq!(direction(&[quantile(10.0, 10.0)]), Verdict::Changed);
    }

    // A tail of a few rows that happened to be shorter made `changed` of latencies that were all a third longer.
    #[test]
    fn a_quantile_that_chance_may_have_moved_takes_back_no_sure_one() {
        let (grew, shrank) = (within(0.05, 13.0, 10.0), within(0.05, 8.0, 10.0));
        let (tail_shrank, tail_grew) = (within(0.5, 70.0, 90.0), within(0.5, 90.0, 70.0));
        for (quantiles, expected) in [
            ([grew.clone(), tail_shrank.clone()], Verdict::Slower),
            ([grew.clone(), quantile(70.0, 90.0)], Verdict::Slower),
            ([shrank.clone(), tail_grew.clone()], Verdict::Faster),
            ([grew, shrank], Verdict::Changed),
            ([tail_grew.clone(), tail_shrank], Verdict::Changed),
            ([tail_grew.clone(), tail_grew], Verdict::Slower),
        ] {
            assert_eq!(direction(&quantiles), expected, "{quantiles:?}");
        }
    }

    #[test]
    fn levels_have_names_without_noise_that_are_read_again() {
        for (level, name) in
            [(0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99.9"), (0.999_99, "p99.999")]
        {
            assert_eq!(name_of(level), name);
            assert_eq!(level_of(name), Some(level), "{name}");
        }
        for wrong in ["99", "p0", "p100", "p", "p-5", "p+5", "pinf", "99%", "p1e1000"] {
            assert_eq!(level_of(wrong), None, "{wrong}");
        }
    }
}
