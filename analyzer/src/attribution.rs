//! Attribution drift: mean absolute attributions of two populations in, the document `windvane.attribution/1` out.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use windvane_stats::ndcg::{Ranked, ndcg};
use windvane_stats::survival;
use windvane_store::groups::{self, AttributionRow};
use windvane_store::populations::{self, NumbersRow, Population, PopulationColumn, Storage};
use windvane_store::{ReadError, Reader, Real};
use windvane_types::attribution::{Document, Feature, SCHEMA};
use windvane_types::drift::{Side, Verdict};

use crate::known_names::hint;
use crate::not_numbers;

/// Draws that make the interval, and the chance.
const DRAWS: usize = 1_000;
/// The chance of a ranking that is kept no better, where both sides attribute alike, below which it is drift.
const CHANCE_MAX: f64 = 0.01;
/// What each end of the interval leaves out.
const BEYOND: f64 = 0.025;
/// Columns that one statement asks about.
const COLUMNS_A_STATEMENT: usize = 64;
/// What attributions are counted in, 2⁶⁰⁰, where sums of them or of their squares are more than a number can hold.
const LARGE: f64 = 4.149_515_568_880_993e180;

/// What is asked.
#[derive(Debug, Clone)]
pub struct AttributionRequest {
    /// What the current rows are compared with.
    pub reference: Population,
    /// The rows in question.
    pub current: Population,
    /// The columns of attributions; of all numeric ones those with the prefix where `None`.
    pub columns: Option<Vec<String>>,
    /// What the names of columns of attributions begin with.
    pub prefix: String,
    /// Below this ranking quality it is drift.
    pub threshold: f64,
    /// Attributions that the most frequent feature needs on both sides.
    pub min_rows: u64,
    /// The seed of the draws.
    pub seed: u64,
}

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum AttributionError {
    /// No column holds attributions.
    #[error(
        "no numeric column begins with `{prefix}`: name the columns of attributions with --columns, or their prefix with --prefix"
    )]
    NoColumns {
        /// The prefix.
        prefix: String,
    },
    /// A column is on neither side.
    #[error("there is no column `{column}`{}", hint(column, known))]
    UnknownColumn {
        /// The name.
        column: String,
        /// The columns that it may have been: those of attributions, where there are any.
        known: Vec<String>,
    },
    /// A column of a file holds something else than numbers.
    #[error("column `{column}` holds {holds}; attributions are numbers")]
    NotNumbers {
        /// The column.
        column: String,
        /// What it holds.
        holds: String,
    },
    /// A statement failed.
    #[error("cannot read the attributions")]
    Read(#[from] ReadError),
}

/// The absolute attributions of a feature on one side.
#[derive(Debug, Clone, Copy, Default)]
struct Importance {
    n: u64,
    mean: f64,
    /// The standard error of the mean.
    error: f64,
}

impl Importance {
    /// The k-th column's of an answer in this unit; not finite where sums are too large for it.
    fn of(row: &AttributionRow, k: usize, unit: f64) -> Self {
        let n = row.counts.get(k).copied().unwrap_or(0);
        let value = |values: &[Real]| values.get(k).map_or(0.0, |value| value.0);
        // Of one value there is no variance.
        let error = if n > 1 { (value(&row.variances) / n as f64).sqrt() * unit } else { 0.0 };
        if n > 0 { Self { n, mean: value(&row.means) * unit, error } } else { Self::default() }
    }

    fn is_finite(&self) -> bool {
        self.mean.is_finite() && self.error.is_finite()
    }
}

/// Compares rankings.
///
/// # Errors
/// There are no attributions, or a statement fails.
pub async fn run(reader: &Reader, request: &AttributionRequest) -> Result<Document, AttributionError> {
    let names = names(request)?;
    for side in [&request.reference, &request.current] {
        refuse_text(reader, side, &names).await?;
    }
    let (rows_reference, before) = importances(reader, &request.reference, &names).await?;
    let (rows_current, now) = importances(reader, &request.current, &names).await?;
    let enough = most(&before).min(most(&now)) >= request.min_rows;
    let found = quality(&before, &now);
    let name = |i: usize| names[i].strip_prefix(&request.prefix).unwrap_or(&names[i]).to_owned();
    let named = |features: Vec<usize>| -> Vec<String> { features.into_iter().map(name).collect() };
    let vanished_features = named(lacking(&before, &now, request.min_rows));
    let new_features = named(lacking(&now, &before, request.min_rows));
    let one_sided = !vanished_features.is_empty() || !new_features.is_empty();
    let p_value = found.map(|found| chance(&before, &now, (found, request.seed)));
    let is_sure = p_value.is_some_and(|p| p < CHANCE_MAX);
    let verdict = match found {
        Some(found) if enough && (one_sided || is_sure && found < request.threshold) => Verdict::Drift,
        Some(_) if enough => Verdict::NoDrift,
        _ => Verdict::InsufficientData,
    };
    let (ranks_before, ranks_now) = (ranks(&before), ranks(&now));
    let mut features: Vec<Feature> = names
        .iter()
        .enumerate()
        .map(|(i, name)| Feature {
            feature: name.strip_prefix(&request.prefix).unwrap_or(name).to_owned(),
            importance_reference: before[i].mean,
            importance_current: now[i].mean,
            rank_reference: ranks_before[i],
            rank_current: ranks_now[i],
            n_reference: before[i].n,
            n_current: now[i].n,
        })
        .collect();
    features.sort_by_key(|feature| feature.rank_reference);
    let side = |population: &Population, rows| Side {
        source: population.source.clone(),
        rows,
        stored_profile: false,
    };
    Ok(Document {
        schema: SCHEMA.to_owned(),
        reference: side(&request.reference, rows_reference),
        current: side(&request.current, rows_current),
        verdict,
        ndcg: found,
        ci: found.zip(p_value).and_then(|found| interval(&before, &now, found, request.seed)),
        threshold: request.threshold,
        seed: request.seed,
        features,
        vanished_features,
        new_features,
        p_value,
    })
}

fn names(request: &AttributionRequest) -> Result<Vec<String>, AttributionError> {
    let sides = [&request.reference, &request.current];
    if let Some(columns) = &request.columns {
        let missing = columns.iter().find(|name| sides.iter().all(|side| side.column(name).is_none()));
        return match missing.filter(|_| sides.iter().any(|side| !side.without_columns)) {
            Some(column) => {
                let named = numeric(sides, &request.prefix);
                let known = if named.is_empty() { numeric(sides, "") } else { named };
                Err(AttributionError::UnknownColumn { column: column.clone(), known })
            }
            None => Ok(columns.clone()),
        };
    }
    let names = numeric(sides, &request.prefix);
    if names.is_empty() && sides.iter().all(|side| !side.without_columns) {
        return Err(AttributionError::NoColumns { prefix: request.prefix.clone() });
    }
    Ok(names)
}

/// The columns of either side that may hold numbers and whose names begin so.
fn numeric(sides: [&Population; 2], prefix: &str) -> Vec<String> {
    let is_number =
        |column: &&PopulationColumn| matches!(column.storage, Storage::Number(_) | Storage::Undecided(_));
    let all = sides.into_iter().flat_map(|side| side.columns.iter()).filter(is_number);
    let mut names: Vec<String> =
        all.map(|column| column.name.clone()).filter(|name| name.starts_with(prefix)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Refuses columns of files with words or lists among their values, which would count as missing attributions.
async fn refuse_text(
    reader: &Reader,
    population: &Population,
    names: &[String],
) -> Result<(), AttributionError> {
    let refused = |column: &PopulationColumn, holds| AttributionError::NotNumbers {
        column: column.name.clone(),
        holds,
    };
    let named = names.iter().filter_map(|name| population.column(name)).filter(|_| !population.is_events());
    let mut texts: Vec<&PopulationColumn> = Vec::new();
    for column in named {
        match &column.storage {
            Storage::Text(_) | Storage::Undecided(_) => texts.push(column),
            other => {
                if let Some(holds) = not_numbers::by_type(other) {
                    return Err(refused(column, holds));
                }
            }
        }
    }
    for part in texts.chunks(COLUMNS_A_STATEMENT) {
        let rows: Vec<NumbersRow> = reader.rows(&populations::hold_numbers(population, part)).await?;
        let are = rows.first().map(|row| row.are.as_slice()).unwrap_or_default();
        // One without any value holds no numbers either.
        for (column, _) in part.iter().copied().zip(are).filter(|(_, is)| **is == 0) {
            let words = populations::word_or_boolean(population, column);
            if let Some(holds) = not_numbers::text_in(reader, &words).await? {
                return Err(refused(column, holds));
            }
        }
    }
    Ok(())
}

async fn importances(
    reader: &Reader,
    population: &Population,
    names: &[String],
) -> Result<(u64, Vec<Importance>), AttributionError> {
    let mut all = vec![Importance::default(); names.len()];
    let mut rows = 0;
    let there: Vec<(usize, &PopulationColumn)> =
        names.iter().enumerate().filter_map(|(i, name)| Some((i, population.column(name)?))).collect();
    if let (true, Some(any)) = (there.is_empty(), population.columns.first()) {
        // Any column tells how many rows are without attributions.
        let statement = groups::attributions(population, &[any], 1.0);
        let answer: Vec<AttributionRow> = reader.rows(&statement).await?;
        rows = answer.first().map_or(0, |row| row.rows);
    }
    for part in there.chunks(COLUMNS_A_STATEMENT) {
        let mut asked = part.to_vec();
        for unit in [1.0, LARGE] {
            let columns: Vec<&PopulationColumn> = asked.iter().map(|(_, column)| *column).collect();
            let statement = groups::attributions(population, &columns, unit);
            let answer: Vec<AttributionRow> = reader.rows(&statement).await?;
            let Some(row) = answer.first() else { break };
            rows = row.rows;
            let found: Vec<Importance> = (0..asked.len()).map(|k| Importance::of(row, k, unit)).collect();
            for ((i, _), found) in asked.iter().zip(&found) {
                all[*i] = *found;
            }
            let too_large = asked.into_iter().zip(&found).filter(|(_, found)| !found.is_finite());
            asked = too_large.map(|(of, _)| of).collect();
            if asked.is_empty() {
                break;
            }
        }
    }
    Ok((rows, all))
}

/// Attributions of the feature that has most of them.
fn most(all: &[Importance]) -> u64 {
    all.iter().map(|one| one.n).max().unwrap_or(0)
}

/// The features that have no attribution here, although there would be `min_rows` of them and more if they were as frequent as there. To the
/// ranking they are one place or a few: of the least important ones it says nothing, and of a new one it never says more.
fn lacking(there: &[Importance], here: &[Importance], min_rows: u64) -> Vec<usize> {
    let share = most(here) as f64 / most(there).max(1) as f64;
    let is_due = |one: &Importance| one.n as f64 * share >= min_rows as f64;
    let pairs = there.iter().zip(here).enumerate();
    pairs.filter(|(_, (there, here))| here.n == 0 && is_due(there)).map(|(i, _)| i).collect()
}

/// How well the ranking is kept; `None` where a side has no attributions: there is no ranking of nothing.
fn quality(before: &[Importance], now: &[Importance]) -> Option<f64> {
    if most(now) == 0 {
        return None;
    }
    let things: Vec<Ranked> = before
        .iter()
        .zip(now)
        .map(|(gain, weight)| Ranked { gain: gain.mean, weight: weight.mean })
        .collect();
    ndcg(&things)
}

/// Places from 1, the most important first; ties in the order of the names.
fn ranks(all: &[Importance]) -> Vec<u64> {
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by(|a, b| all[*b].mean.total_cmp(&all[*a].mean));
    let mut ranks = vec![0; all.len()];
    for (place, i) in order.into_iter().enumerate() {
        ranks[i] = place as u64 + 1;
    }
    ranks
}

/// Means drawn anew around themselves with their standard errors.
fn drawn(all: &[Importance], rng: &mut ChaCha8Rng) -> Vec<Importance> {
    all.iter()
        .map(|one| {
            let u: f64 = rand::RngExt::random_range(rng, 1e-12..1.0);
            let mean = one.mean + one.error * survival::normal_exceeded(u);
            Importance { mean: mean.clamp(0.0, f64::MAX), ..*one }
        })
        .collect()
}

/// The spread of the ranking quality when each mean is drawn anew around itself with its standard error. Errors only shuffle: a ranking that has
/// stayed the same is kept worse by means that are drawn twice. So the interval has what was found, and ends at 1 where chance explains that.
fn interval(
    before: &[Importance],
    now: &[Importance],
    (found, p_value): (f64, f64),
    seed: u64,
) -> Option<[f64; 2]> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut draw = || quality(&drawn(before, &mut rng), &drawn(now, &mut rng));
    let mut kept: Vec<f64> = (0..DRAWS).filter_map(|_| draw()).collect();
    kept.sort_by(f64::total_cmp);
    if kept.len() < DRAWS {
        return None;
    }
    let high = if p_value < BEYOND { kept[DRAWS - 1 - DRAWS / 40].max(found) } else { 1.0 };
    Some([kept[DRAWS / 40].min(found), high])
}

/// The chance of a ranking that is kept no better than `found` where both sides attribute alike: means drawn around those of both sides
/// together, with the error that so many attributions leave. Features whose attributions are 0 in most rows have means that scatter widely.
fn chance(before: &[Importance], now: &[Importance], (found, seed): (f64, u64)) -> f64 {
    let (before, now): (Vec<Importance>, Vec<Importance>) =
        before.iter().zip(now).map(|(before, now)| alike(*before, *now)).unzip();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut draw = || quality(&drawn(&before, &mut rng), &drawn(&now, &mut rng));
    let as_poor = (0..DRAWS).filter(|_| draw().is_some_and(|kept| kept <= found)).count();
    (as_poor + 1) as f64 / (DRAWS + 1) as f64
}

/// A feature on both sides as if these were parts of one: the mean of all its attributions, and their spread. One that a side lacks stays as
/// it is.
fn alike(before: Importance, now: Importance) -> (Importance, Importance) {
    if before.n == 0 || now.n == 0 {
        return (before, now);
    }
    let [n, m] = [before, now].map(|side| side.n as f64);
    let mean = before.mean * (n / (n + m)) + now.mean * (m / (n + m));
    let degrees = (n + m - 2.0).max(1.0);
    let part = |error: f64, n: f64| error * (n * (n - 1.0) / degrees).sqrt();
    let spread = part(before.error, n).hypot(part(now.error, m));
    let of = |side: Importance, n: f64| Importance { mean, error: spread / n.sqrt(), ..side };
    (of(before, n), of(now, m))
}

#[cfg(test)]
mod tests {
    use super::{CHANCE_MAX, Importance, chance, interval, lacking, quality, ranks};

    fn of(means: &[f64], error: f64) -> Vec<Importance> {
        means.iter().map(|mean| Importance { n: 100, mean: *mean, error }).collect()
    }

    #[test]
    fn a_feature_is_lacking_where_chance_does_not_explain_it() {
        let counts = |all: [u64; 3]| all.map(|n| Importance { n, mean: 0.5, error: 0.1 });
        for (there, here, expected) in [
            ([1_000, 1_000, 1_000], [500, 0, 500], vec![1]),
            // At its rate there would be 30, and 29.
            ([1_000, 60, 58], [500, 0, 0], vec![1]),
            ([1_000, 1_000, 1_000], [29, 0, 29], vec![]),
            ([1_000, 1_000, 0], [500, 500, 500], vec![]),
            ([0, 0, 0], [500, 500, 500], vec![]),
            ([500, 500, 500], [0, 0, 0], vec![]),
        ] {
            assert_eq!(lacking(&counts(there), &counts(here), 30), expected, "{there:?} {here:?}");
        }
    }

    #[test]
    fn sure_means_have_a_narrow_interval_and_unsure_ones_a_wide_one() {
        let (before, now) = ([0.7, 0.5, 0.05], [0.1, 0.2, 0.7]);
        let found = quality(&of(&before, 0.0), &of(&now, 0.0)).unwrap();
        let sure = (found, 0.001);
        assert_eq!(interval(&of(&before, 0.0), &of(&now, 0.0), sure, 1), Some([found, found]));
        let [low, high] = interval(&of(&before, 0.2), &of(&now, 0.2), sure, 1).unwrap();
        assert!(low < found && found < high && high <= 1.0, "{low} {high}");
        assert_eq!(ranks(&of(&now, 0.0)), [3, 2, 1]);
    }

    // Twenty features that are attributed in one row of twenty, each .8 of the one before, were drift in 82 of 100 windows of 30 rows without any
    // change, and in 56 of 100 of 100 rows. NumPy 2, means drawn likewise: 0.12 to 0.15 of the first one, 1 in 1,001 of the others.
    #[test]
    fn a_ranking_that_chance_has_shuffled_is_no_drift() {
        let kept: Vec<f64> = (0..8).map(|i| 0.7_f64.powi(i)).collect();
        let shuffled: Vec<f64> = [3, 5, 1, 0, 7, 2, 4, 6].into_iter().map(|i| kept[i]).collect();
        let side = |means: &[f64], n: u64, spread: f64| -> Vec<Importance> {
            let of = |mean: &f64| Importance { n, mean: *mean, error: mean * spread / (n as f64).sqrt() };
            means.iter().map(of).collect()
        };
        for (n, spread, is_sure) in [(30, 10.0, false), (3_000, 5.0, true), (30, 0.5, true), (30, 0.0, true)]
        {
            let (before, now) = (side(&kept, 5_000, spread), side(&shuffled, n, spread));
            let found = quality(&before, &now).unwrap();
            assert!((found - 0.762_512_378_237_157_8).abs() < 1e-12, "{found}");
            let p = chance(&before, &now, (found, 1));
            assert_eq!(p < CHANCE_MAX, is_sure, "{n} {spread}: {p}");
            assert!(is_sure || (0.08..0.2).contains(&p), "{p}");
        }
        let same = side(&kept, 100, 1.0);
        assert_eq!(chance(&same, &same, (1.0, 1)), 1.0);
        // A file against itself was kept by 1, and by 0.9355 to 0.9997.
        let [low, high] = interval(&same, &same, (1.0, 1.0), 1).unwrap();
        assert!(low < 1.0 && high == 1.0, "{low} {high}");
        let [low, high] = interval(&same, &same, (1.0, 0.001), 1).unwrap();
        assert!(low < 1.0 && high == 1.0, "what was found lies within: {low} {high}");
        // Sums of the largest numbers leave what a number can hold.
        let huge: Vec<f64> = kept.iter().map(|mean| mean * 1e308).collect();
        let p = chance(&side(&huge, 50, 10.0), &side(&huge, 50, 10.0), (0.9, 1));
        assert!((0.0..=1.0).contains(&p), "{p}");
    }

    // A side without attributions tied all features, and kept 0.8945 of a ranking.
    #[test]
    fn nothing_ranks_nothing() {
        let (some, none) = (of(&[0.7, 0.5, 0.05], 0.1), vec![Importance::default(); 3]);
        for (before, now) in [(&some, &none), (&none, &some), (&none, &none)] {
            assert_eq!((quality(before, now), interval(before, now, (1.0, 1.0), 1)), (None, None));
        }
    }
}
