//! What an experiment sums to, of parts of `predictions` that were read before and of those that are new.
//!
//! Parts do not change: merging, deleting and mutating make others, with other names. What is kept is a list of parts that were looked
//! at together, with the sums of each. A later look takes those that are still there, reads the others, and holds them against those;
//! where nothing is new no prediction is read. Parts that are listed before a statement and after it were there for all of it.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{
    ByPart, FormRow, Question,
    alone::{AloneRow, Events},
    by_part::{MetRow, PartRow, PartSumsRow, parts},
    sums::ArmTotal,
};
use crate::experiment_sums::{self, ArmSums, PartSums};
use crate::{Real, Store, StoreError};

/// How often parts are listed anew where some were merged meanwhile.
const TRIES: usize = 3;

/// Parts at most: their names are in each statement some times.
const PARTS_MAX: usize = 1000;

/// What parts say of an experiment.
#[derive(Debug, Clone)]
pub enum Kept {
    /// Every unit has a single prediction and no event is there twice: the sums by arm, by name.
    Sums(Vec<ArmTotal>),
    /// A unit or an event is there twice.
    Repeated,
    /// Parts are not to be seen, are too many, or are merged all the time; or a sum is no finite number.
    Unknown,
}

/// Asks for the sums of the question's measures and forms, and keeps those of parts that are new. The question's rows are replaced by
/// those of parts; it has no arms and no origins yet.
///
/// # Errors
/// ClickHouse does not answer or refuses, also to read what is kept. That it cannot be written is no error.
pub async fn kept(store: &Store, by_part: &ByPart, question: Question<'_>) -> Result<Kept, StoreError> {
    let key = by_part.key(question);
    let parts = parts();
    let (known, mut listed) =
        tokio::try_join!(experiment_sums::find(store, &key), store.rows::<PartRow>(&parts))?;
    for _ in 0..TRIES {
        let Some(there) = There::of(&listed, &known, by_part) else { return Ok(Kept::Unknown) };
        if there.new.is_empty() {
            return Ok(Kept::Sums(totals(there.known)));
        }
        let Some(rows) = read(store, by_part, &there, question).await? else { return Ok(Kept::Repeated) };
        let after: Vec<PartRow> = store.rows(&parts).await?;
        if !there.is_still(&after) {
            listed = after;
            continue;
        }
        let Some(new) = sums_of(&there.new, &rows) else { return Ok(Kept::Unknown) };
        let over = new.iter().zip(&there.new).filter(|(_, part)| part.is_over(by_part)).map(|(sums, _)| sums);
        let lasting: Vec<&PartSums> = there.known.iter().copied().chain(over).collect();
        if lasting.len() > there.known.len()
            && let Err(error) = experiment_sums::save(store, &key, &lasting).await
        {
            tracing::debug!(experiment = %key.experiment, %error, "sums are not kept; parts will be read again");
        }
        return Ok(Kept::Sums(totals(there.known.iter().copied().chain(&new))));
    }
    Ok(Kept::Unknown)
}

/// The parts that have rows within the time that is looked at.
struct There<'a> {
    /// Those whose sums are kept.
    known: Vec<&'a PartSums>,
    /// The others, and those in which a later look will find more rows.
    new: Vec<&'a PartRow>,
    /// What is known of the events of the new ones.
    events: Events,
}

impl<'a> There<'a> {
    /// `None` where parts cannot be gone by.
    fn of(listed: &'a [PartRow], kept: &'a [PartSums], by_part: &ByPart) -> Option<Self> {
        if listed.is_empty() || listed.len() > PARTS_MAX || !listed.iter().all(PartRow::is_told) {
            return None;
        }
        let kept: HashMap<(&str, &str), &PartSums> =
            kept.iter().map(|sums| ((sums.part.as_str(), sums.hash.as_str()), sums)).collect();
        let mut there = Self { known: Vec::new(), new: Vec::new(), events: Events::Any };
        for part in listed.iter().filter(|part| !part.is_outside(by_part)) {
            match kept.get(&(part.name.as_str(), part.hash.as_str())).copied() {
                Some(sums) if part.is_over(by_part) => there.known.push(sums),
                _ => there.new.push(part),
            }
        }
        if there.new.iter().all(|part| part.has_events_apart(listed)) {
            there.events = Events::Apart;
        }
        Some(there)
    }

    /// Whether all of them are among the parts that are listed now.
    fn is_still(&self, listed: &[PartRow]) -> bool {
        let now: HashSet<(&str, &str)> =
            listed.iter().map(|part| (part.name.as_str(), part.hash.as_str())).collect();
        self.known.iter().all(|sums| now.contains(&(sums.part.as_str(), sums.hash.as_str())))
            && self.new.iter().all(|part| now.contains(&(part.name.as_str(), part.hash.as_str())))
    }
}

/// The sums of the new parts; `None` where an event or a unit is in them twice, or in one of them and in one that is known. Where parts are
/// known, new ones most likely go with them, and all is asked at once. Else units may come back everywhere, and sums would be for nothing.
async fn read(
    store: &Store,
    by_part: &ByPart,
    there: &There<'_>,
    question: Question<'_>,
) -> Result<Option<Vec<PartSumsRow>>, StoreError> {
    let sums = by_part.sums(&there.new, question);
    let are_alone = by_part.are_alone(&there.new, there.events);
    let alone = async {
        let told: Vec<AloneRow> = store.rows(&are_alone).await?;
        Ok::<_, StoreError>(told.first().is_some_and(|row| row.alone == 1))
    };
    if there.known.is_empty() {
        return Ok(if alone.await? { Some(store.rows(&sums).await?) } else { None });
    }
    let known: Vec<&str> = there.known.iter().map(|sums| sums.part.as_str()).collect();
    let met = by_part.met(&there.new, &known, there.events);
    let (alone, met, sums) = tokio::try_join!(alone, store.rows::<MetRow>(&met), store.rows(&sums))?;
    Ok(Some(sums).filter(|_| alone && met.first().is_some_and(|row| row.met == 0)))
}

/// The sums of each part, in the order of the parts; `None` where one is not finite.
fn sums_of(parts: &[&PartRow], rows: &[PartSumsRow]) -> Option<Vec<PartSums>> {
    let arm = |row: &PartSumsRow| {
        let forms = row.forms.iter().map(form_sums).collect::<Option<Vec<_>>>()?;
        Some(ArmSums { arm: row.arm.clone(), units: row.units, forms })
    };
    let part = |part: &&PartRow| {
        let of_part = rows.iter().filter(|row| row.part == part.name);
        Some(PartSums {
            part: part.name.clone(),
            hash: part.hash.clone(),
            arms: of_part.map(arm).collect::<Option<_>>()?,
        })
    };
    parts.iter().map(part).collect()
}

fn form_sums(row: &FormRow) -> Option<([u64; 4], [f64; 5])> {
    let sums = [row.sum, row.sum_sq, row.other_sum, row.other_sum_sq, row.cross_sum].map(f64::from);
    let counts = [row.n, row.fractional, row.capped, row.floored];
    sums.iter().all(|sum| sum.is_finite()).then_some((counts, sums))
}

/// The sums of all parts by arm.
fn totals<'a>(parts: impl IntoIterator<Item = &'a PartSums>) -> Vec<ArmTotal> {
    let mut totals: BTreeMap<&str, ArmSums> = BTreeMap::new();
    for arm in parts.into_iter().flat_map(|part| &part.arms) {
        let Some(total) = totals.get_mut(arm.arm.as_str()) else {
            totals.insert(&arm.arm, arm.clone());
            continue;
        };
        total.units += arm.units;
        for ((counts, sums), (more_counts, more_sums)) in total.forms.iter_mut().zip(&arm.forms) {
            counts.iter_mut().zip(more_counts).for_each(|(count, more)| *count += more);
            sums.iter_mut().zip(more_sums).for_each(|(sum, more)| *sum += more);
        }
    }
    let total = |sums: ArmSums| ArmTotal {
        arm: sums.arm,
        units: sums.units,
        forms: sums.forms.into_iter().map(form_row).collect(),
    };
    totals.into_values().map(total).collect()
}

/// Of units with a row each.
fn form_row((counts, sums): ([u64; 4], [f64; 5])) -> FormRow {
    let [n, fractional, capped, floored] = counts;
    let [sum, sum_sq, other_sum, other_sum_sq, cross_sum] = sums.map(Real);
    FormRow {
        n,
        fractional,
        capped,
        floored,
        partial: 0,
        values: n,
        sum,
        sum_sq,
        other_sum,
        other_sum_sq,
        cross_sum,
        before: Vec::new(),
    }
}
