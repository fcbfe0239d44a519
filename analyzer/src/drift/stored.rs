//! A reference of which only a profile is kept: the values of the current population walk against its points.
//!
//! Where a cell between two points holds values of the reference, both sides are counted into that cell. Ranks and bins
//! are then those of the coarsened values: a valid test that can lose power, never a false alarm. The largest difference
//! of the distribution functions comes out at most [`Merged::error`] too small, so its p-value is never finer than the
//! profile allows.

use std::collections::BTreeMap;

use windvane_stats::moments::{MomentParts, Moments};
use windvane_stats::walk::{SizesChanged, Walk, Walked};
use windvane_store::populations::{CategoryRow, CountSink, ValueRow, ValueSink};
use windvane_types::baseline::{ColumnProfile, NumberProfile, Point, Profile};
use windvane_types::drift::Kind;

use super::Method;

/// What a comparison asks of a profile.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The columns; all of them where `None`.
    pub columns: Option<&'a [String]>,
    /// The methods; the default ones where `None`.
    pub methods: Option<&'a [Method]>,
    /// Whether rows are cut into segments.
    pub segments: bool,
    /// Whether other rules than ours are asked for: another tool's conventions, columns of free text or vectors.
    pub special: bool,
}

/// Why a profile does not answer, or `None` where it does.
#[must_use]
pub fn unanswered(profile: &Profile, wanted: Wanted<'_>) -> Option<String> {
    if wanted.segments {
        return Some("segments".to_owned());
    }
    if wanted.special {
        return Some("another tool's conventions, columns of text or vectors".to_owned());
    }
    let asked =
        |column: &&ColumnProfile| wanted.columns.is_none_or(|columns| columns.contains(&column.column));
    profile.columns.iter().filter(asked).find_map(|column| {
        let methods = wanted.methods.unwrap_or_else(|| Method::defaults(column.kind));
        let method = methods.iter().find(|method| method.fits(column.kind) && !answers(column, **method))?;
        Some(format!("method `{}` of column `{}`", method.as_str(), column.column))
    })
}

fn answers(column: &ColumnProfile, method: Method) -> bool {
    match (method, column.kind) {
        (_, Kind::Embedding | Kind::Text) | (Method::EppsSingleton, _) => false,
        (Method::MissingRate, _) => true,
        (Method::Ks | Method::TTest | Method::Welch, Kind::Numeric) => column.numbers.is_some(),
        (_, Kind::Numeric) => {
            column.numbers.as_ref().is_some_and(|numbers| method.is_binned() || numbers.is_exact())
        }
        (_, Kind::Categorical) => column.categories.is_some(),
    }
}

/// Edges between `bins` bins of about equal counts: the quantiles (type 7) where every value is kept, else points.
#[expect(clippy::cast_sign_loss, reason = "positions are not below 1")]
pub(super) fn edges(numbers: &NumberProfile, bins: u32) -> Vec<f64> {
    // How many values each point and all before it stand for.
    let mut n = 0;
    let mut ends = Vec::with_capacity(numbers.points.len());
    for point in &numbers.points {
        n += point.between + point.at;
        ends.push(n);
    }
    if n == 0 {
        return Vec::new();
    }
    // The value at a place among the sorted finite ones; one inside a cell is told as the point above it.
    let at = |place: u64| numbers.points[ends.partition_point(|end| *end <= place)].value;
    let exact = numbers.is_exact();
    (0..=bins)
        .map(|i| {
            if !exact {
                return at(u64::from(i) * (n - 1) / u64::from(bins));
            }
            // Rounded as the quantiles of values are, so that a profile of all values gives the edges of the values.
            let position = f64::from(i) / f64::from(bins) * (n - 1) as f64 + 1.0;
            let below = position as u64;
            if below >= n {
                return at(n - 1);
            }
            let low = at(below - 1);
            low + (position - below as f64) * (at(below) - low)
        })
        .collect()
}

/// The points of the reference and the values of the current population, merged in ascending order into a walk.
#[derive(Debug)]
pub(super) struct Merge {
    walk: Walk,
    points: Vec<Point>,
    next: usize,
    /// Current values in the cell before the next point, and equal to it.
    between: u64,
    at: u64,
    current: Moments,
    sizes: (u64, u64),
    error: f64,
    /// Moments of the reference, where its points do not give them exactly.
    reference: Option<Moments>,
}

/// A finished walk.
#[derive(Debug)]
pub(super) struct Merged {
    pub(super) walked: Walked,
    /// How much larger than found the largest difference of the distribution functions may be; `None` where it is exact.
    pub(super) error: Option<f64>,
}

impl Merged {
    /// Of a walk that had every value of both sides.
    pub(super) fn exact(walked: Walked) -> Self {
        Self { walked, error: None }
    }
}

impl Merge {
    /// `walk` was told the sizes of both sides, `current` of them the current one's.
    pub(super) fn new(numbers: &NumberProfile, walk: Walk, current: u64) -> Self {
        let infinity = |value, at| Point { value, between: 0, at };
        let mut points = Vec::with_capacity(numbers.points.len() + 2);
        points.extend((numbers.below > 0).then(|| infinity(f64::NEG_INFINITY, numbers.below)));
        points.extend(&numbers.points);
        points.extend((numbers.above > 0).then(|| infinity(f64::INFINITY, numbers.above)));
        let finite = numbers.count() - numbers.below - numbers.above;
        let kept = numbers.moments;
        let reference = Moments::of_parts(MomentParts {
            n: finite,
            infinite: numbers.below + numbers.above,
            shift: kept.shift,
            mean: kept.mean,
            m2: kept.m2,
        });
        Self {
            walk,
            points,
            next: 0,
            between: 0,
            at: 0,
            current: Moments::default(),
            sizes: (numbers.count(), current),
            error: 0.0,
            reference: (!numbers.is_exact()).then_some(reference),
        }
    }

    pub(super) fn finish(mut self) -> Result<Merged, SizesChanged> {
        while self.next < self.points.len() {
            self.pass();
        }
        let coarse = self.reference.is_some();
        let mut walked = self.walk.finish()?;
        if let Some(reference) = self.reference {
            (walked.moments_a, walked.moments_b) = (reference, self.current);
        }
        Ok(Merged { walked, error: coarse.then_some(self.error) })
    }

    /// Walks over the next point and the cell before it.
    fn pass(&mut self) {
        let Point { value, between, at } = self.points[self.next];
        if between > 0 || self.between > 0 {
            // Any value inside the cell stands for all of it, and the last one before the point is inside.
            self.walk.push(value.next_down(), between, self.between);
            let share = |part: u64, whole: u64| part as f64 / whole.max(1) as f64;
            let lost = share(between, self.sizes.0).min(share(self.between, self.sizes.1));
            self.error = self.error.max(lost);
        }
        self.walk.push(value, at, self.at);
        (self.between, self.at) = (0, 0);
        self.next += 1;
    }
}

impl ValueSink for Merge {
    fn push(&mut self, ValueRow { value, b, .. }: ValueRow) {
        self.current.push(value, b);
        while self.points.get(self.next).is_some_and(|point| point.value < value) {
            self.pass();
        }
        match self.points.get(self.next) {
            Some(point) if point.value == value => self.at += b,
            Some(point) if point.between > 0 => self.between += b,
            _ => self.walk.push(value, 0, b),
        }
    }
}

/// The categories of the reference and the counts of the current population, merged.
#[derive(Debug)]
pub(super) struct Cells {
    kept: BTreeMap<String, u64>,
    merged: BTreeMap<(u64, u64), (u64, String)>,
}

impl Cells {
    pub(super) fn new(categories: &[(String, u64)], fold_case: bool) -> Self {
        let mut kept = BTreeMap::new();
        for (category, n) in categories {
            let category = if fold_case { category.to_ascii_lowercase() } else { category.clone() };
            *kept.entry(category).or_default() += n;
        }
        Self { kept, merged: BTreeMap::new() }
    }

    pub(super) fn finish(mut self) -> Vec<CategoryRow> {
        for (category, a) in std::mem::take(&mut self.kept) {
            self.add(category, a, 0);
        }
        self.merged
            .into_iter()
            .map(|((a, b), (times, category))| CategoryRow {
                column: 0,
                segment: 0,
                a,
                b,
                times,
                category,
                spelling: 0,
            })
            .collect()
    }

    fn add(&mut self, category: String, a: u64, b: u64) {
        match self.merged.entry((a, b)) {
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert((1, category));
            }
            std::collections::btree_map::Entry::Occupied(mut entry) => {
                let (times, first) = entry.get_mut();
                *times += 1;
                if category < *first {
                    *first = category;
                }
            }
        }
    }
}

impl CountSink for Cells {
    fn push(&mut self, category: String, n: u64) {
        let a = self.kept.remove(&category).unwrap_or_default();
        self.add(category, a, n);
    }
}

#[cfg(test)]
mod tests;
