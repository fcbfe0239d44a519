//! The looks that were taken at an experiment of the store: which of them count, and whether this one has anything left to spend.
//!
//! Looks share alpha, so each has to know those before it. What is recorded of them says how far the plan was, and whether they could have
//! decided. Those at something else do not count, nor do those that had nothing to spend. A look that is made again keeps its place.

use windvane_stats::experiment::{effect::Alternative, group_sequential::GROWTH_MIN};
use windvane_store::{
    Reader,
    experiment::ExposedBy,
    findings::looks_taken::{LookTaken, LooksByAnother, looks_by_another, looks_taken},
};
use windvane_types::{counting::counted, span};

use super::{
    ExperimentError, Measured, StoredExperiment, StoredMetric,
    inference::{Earlier, Inference, LOOKS_MAX, Looks, Progress, alternative_name, spending_name},
    stored::records,
};

/// Means that differ by less than this share of them are the same: sums of many rows are added in any order.
const SAME: f64 = 1e-9;

/// What is recorded of the looks at an experiment.
#[derive(Debug, Clone)]
pub(super) struct Looked {
    as_of_us: i64,
    /// What is compared, one entry a metric.
    definitions: Vec<String>,
    /// In time.
    taken: Vec<LookTaken>,
    /// Those that had no plan and spent nothing of it.
    by_another: Vec<LooksByAnother>,
}

/// Reads the looks that were taken, where they share alpha.
pub(super) async fn looked(
    reader: &Reader,
    experiment: &StoredExperiment,
) -> Result<Option<Looked>, ExperimentError> {
    if !matches!(experiment.rule.inference, Inference::GroupSequential(_)) {
        return Ok(None);
    }
    let exposed = &experiment.exposed;
    // An arm that was switched off on the way is left out of earlier looks as well, so that all count the same units.
    let off = experiment.rule.weights.iter().filter(|(_, weight)| *weight <= 0.0);
    let off: Vec<&str> = off.map(|(arm, _)| arm.as_str()).collect();
    let taken = reader.rows(&looks_taken(&exposed.experiment, exposed.end_us, &off)).await?;
    let by_another = by_another(reader, experiment).await?;
    let definitions = experiment.metrics.iter().map(|metric| definition(experiment, metric)).collect();
    Ok(Some(Looked { as_of_us: exposed.end_us, definitions, taken, by_another }))
}

/// Reads how many looks decided by another inference, where this one is to hold at every look.
pub(super) async fn by_another(
    reader: &Reader,
    experiment: &StoredExperiment,
) -> Result<Vec<LooksByAnother>, ExperimentError> {
    let StoredExperiment { exposed, rule, .. } = experiment;
    if !matches!(rule.inference, Inference::GroupSequential(_) | Inference::Sequential) {
        return Ok(Vec::new());
    }
    let span = (exposed.start_us.unwrap_or(0), exposed.end_us);
    Ok(reader.rows(&looks_by_another(&exposed.experiment, rule.inference.as_str(), span)).await?)
}

/// What is compared. How it is estimated (covariate, strata) is no part of it: who changes that looks at the same difference once more.
fn definition(experiment: &StoredExperiment, metric: &StoredMetric) -> String {
    let StoredExperiment { exposed, rule, .. } = experiment;
    let measured = match &metric.metric.measured {
        Measured::Mean => "mean".to_owned(),
        Measured::Proportion => "proportion".to_owned(),
        Measured::Ratio { denominator } => format!("ratio({denominator})"),
        Measured::Quantile { q } => format!("quantile({q})"),
    };
    let exposures = match exposed.by {
        ExposedBy::Exposures => "exposures",
        ExposedBy::Predictions => "predictions that carry an arm",
        ExposedBy::Records => "first records",
    };
    let start = exposed.start_us.map_or(String::new(), |us| format!(" since {}", span::shown(us)));
    let mut text = format!(
        "{measured} of `{}` of {} within {} s of {exposures}{start}, against `{}`",
        metric.column,
        records(&metric.table),
        exposed.window_us / 1_000_000,
        rule.control
    );
    for (word, limit) in [("cap", metric.metric.cap), ("floor", metric.metric.floor)] {
        if let Some(limit) = limit {
            text += &format!(", {word} {}", limit.name());
        }
    }
    text
}

/// How alpha is shared.
fn plan(looks: &Looks, alternative: Alternative) -> String {
    let planned = match looks.now {
        Progress::OfUnits(units) => format!("{units} units"),
        Progress::Fraction(_) => "fractions".to_owned(),
    };
    format!("{}, {planned}, {}", spending_name(looks.spending), alternative_name(alternative))
}

/// What this look sees of a comparison.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    /// The metric's place.
    pub(super) place: usize,
    pub(super) metric: &'a str,
    pub(super) arm: &'a str,
    /// Units of all arms that get any.
    pub(super) units: u64,
    /// Units of the arm and of the control with a value.
    pub(super) n: [u64; 2],
    /// Their estimates.
    pub(super) means: [Option<f64>; 2],
}

impl Seen<'_> {
    /// Whether an earlier look saw the same.
    fn is_of(&self, look: &LookTaken) -> bool {
        let same = |(now, before): (Option<f64>, Option<f64>)| match (now, before) {
            (Some(now), Some(before)) => (now - before).abs() <= SAME * now.abs().max(before.abs()),
            (now, before) => now.is_none() && before.is_none(),
        };
        self.units == look.units
            && self.n == [look.n, look.n_control]
            && self.means.into_iter().zip([look.mean, look.mean_control]).all(same)
    }
}

/// Where a look stands among those that share alpha, for one comparison.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Place {
    /// The fractions of the plan at the looks that count, ascending; this one last unless it is closed.
    pub(super) fractions: Vec<f64>,
    /// Why this look has nothing to spend.
    pub(super) closed: Option<Closed>,
    /// What is compared, and how alpha is shared: over the store alone.
    pub(super) definition: Option<String>,
    pub(super) plan: Option<String>,
    /// What is to be known of the looks before.
    pub(super) told: Vec<String>,
    found: Vec<Found>,
}

/// What an earlier look found.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Found {
    up: bool,
    p_value: f64,
}

/// Why a look has nothing to spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closed {
    /// An earlier one spent the last of alpha.
    Spent,
    /// No units have come since the one before.
    NoNews,
    /// One as of a later time was taken first, with more units.
    Late,
    /// It had nothing to spend when it was made first, whatever it would have now.
    Again,
    /// There are as many as are counted.
    TooMany,
}

impl Closed {
    /// The reason in words.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Spent => {
                "all alpha has been spent: the planned units had come at an earlier look, and no later one can decide"
            }
            Self::NoNews => "no units have come since the look before, so there is nothing to spend",
            Self::Late => "a look as of a later time was taken before it, so there is nothing to spend",
            Self::Again => "it had nothing to spend when it was made first",
            Self::TooMany => {
                "no more looks than 100 can share alpha; inference = \"sequential\" holds at any number"
            }
        }
    }
}

/// Which look this one is.
struct Seat {
    /// Looks as of an earlier time are before it.
    as_of_us: i64,
    closed: Option<Closed>,
    once_more: bool,
}

impl Looked {
    /// Where this look stands.
    pub(super) fn place(&self, seen: &Seen<'_>, (looks, alternative): (&Looks, Alternative)) -> Place {
        let definition = self.definitions.get(seen.place).cloned().unwrap_or_default();
        let plan = plan(looks, alternative);
        let all = self.taken.iter().filter(|look| look.metric == seen.metric && look.arm == seen.arm);
        // Where it was not recorded what was compared, it is taken for the same.
        let (mine, others): (Vec<&LookTaken>, Vec<&LookTaken>) =
            all.partition(|look| look.definition.is_empty() || look.definition == definition);
        let seat = self.seat(&mine, seen);
        let before = |look: &LookTaken| look.as_of_us < seat.as_of_us;
        let mine: Vec<&LookTaken> =
            mine.into_iter().filter(|look| look.boundary.is_some() && before(look)).collect();
        let mut fractions: Vec<f64> = Vec::new();
        for look in &mine {
            let fraction = looks.fraction(look.units);
            if grows(fractions.last(), fraction) {
                fractions.push(fraction);
            }
        }
        let now = looks.fraction(seen.units);
        let closed = match seat.closed {
            Some(Closed::Late) => seat.closed,
            other => closed(&fractions, now).or(other),
        };
        if closed.is_none() {
            fractions.push(now);
        }
        let other_plan = mine.iter().filter(|look| !look.plan.is_empty() && look.plan != plan).count();
        let told = [
            seat.once_more.then(|| {
                format!(
                    "looked at before: the data are those as of {}, so this is that look once more",
                    span::shown(seat.as_of_us)
                )
            }),
            told_others(others.iter().filter(|look| before(look)).count()),
            told_plan(other_plan),
            told_by_another(
                self.by_another.iter().filter(|of| of.metric == seen.metric && of.arm == seen.arm),
            ),
            told_more(looks, fractions.len()).filter(|_| closed.is_none()),
        ];
        let found = mine.iter().filter(|look| look.plan == plan).filter_map(|look| found(look)).collect();
        Place {
            fractions,
            closed,
            definition: Some(definition),
            plan: Some(plan),
            told: told.into_iter().flatten().collect(),
            found,
        }
    }

    fn seat(&self, mine: &[&LookTaken], seen: &Seen<'_>) -> Seat {
        let seat = |as_of_us, closed| Seat { as_of_us, closed, once_more: false };
        let again = mine.iter().find(|look| look.as_of_us == self.as_of_us);
        let late = mine.iter().any(|look| look.boundary.is_some() && look.as_of_us > self.as_of_us);
        match again {
            Some(again) if again.boundary.is_none() => return seat(self.as_of_us, Some(Closed::Again)),
            None if late => return seat(self.as_of_us, Some(Closed::Late)),
            _ => {}
        }
        let before =
            mine.iter().rev().filter(|look| look.boundary.is_some() && look.as_of_us < self.as_of_us);
        match before.take_while(|look| seen.is_of(look)).last() {
            Some(same) => Seat { once_more: true, ..seat(same.as_of_us, None) },
            None => seat(self.as_of_us, None),
        }
    }
}

impl Place {
    /// The place of looks that were planned, all of which count.
    pub(super) fn planned(fractions: Vec<f64>) -> Self {
        Self { fractions, ..Self::default() }
    }

    /// The same for a segment, of which earlier looks are not read.
    pub(super) fn of_segment(&self) -> Self {
        Self { found: Vec::new(), ..self.clone() }
    }

    /// The least p-value of earlier looks whose difference went the same way: what they decided stands where this one cannot decide.
    pub(super) fn stands(&self, difference: f64) -> Option<f64> {
        let same = self.found.iter().filter(|found| found.up == (difference > 0.0));
        same.map(|found| found.p_value).min_by(f64::total_cmp).filter(|_| self.closed.is_some())
    }
}

/// What a look found, unless the arms did not have their share of units.
fn found(look: &LookTaken) -> Option<Found> {
    let (absolute, p_value) = look.absolute.zip(look.p_value).filter(|_| look.srm_verdict == "ok")?;
    Some(Found { up: absolute > 0.0, p_value })
}

fn grows(before: Option<&f64>, now: f64) -> bool {
    now > 0.0 && now - before.copied().unwrap_or(0.0) >= GROWTH_MIN * now
}

/// Why a look at this fraction has nothing to spend after those.
fn closed(fractions: &[f64], now: f64) -> Option<Closed> {
    match fractions.last() {
        Some(last) if *last >= 1.0 => Some(Closed::Spent),
        _ if fractions.len() >= LOOKS_MAX as usize => Some(Closed::TooMany),
        last if !grows(last, now) => Some(Closed::NoNews),
        _ => None,
    }
}

fn told_others(others: usize) -> Option<String> {
    let looks = counted(
        others as u64,
        "earlier look compared something else and does",
        "earlier looks compared something else and do",
    );
    (others > 0).then(|| format!("begun anew: {looks} not count"))
}

fn told_plan(looks: usize) -> Option<String> {
    let looks_had = counted(
        looks as u64,
        "earlier look was taken by another plan and counts",
        "earlier looks were taken by another plan and count",
    );
    (looks > 0).then(|| format!("planned anew: {looks_had} as if by this one"))
}

/// Says of looks before the inference was changed that the plan cannot make up for them.
fn told_by_another<'a>(looks: impl Iterator<Item = &'a LooksByAnother>) -> Option<String> {
    let by = others_named(looks)?;
    Some(format!(
        "inference changed on the way: {by} and spent no alpha of this plan, so over all looks a false verdict is likelier than \
         alpha; a new `start` begins anew"
    ))
}

/// The same where this inference holds at any number of looks of its own.
pub(super) fn told_before(looks: &[LooksByAnother], (metric, arm): (&str, &str)) -> Option<String> {
    let by = others_named(looks.iter().filter(|of| of.metric == metric && of.arm == arm))?;
    Some(format!(
        "inference changed on the way: {by}, with an error of their own beside this one's, so over all looks a false verdict is likelier \
         than alpha; a new `start` begins anew"
    ))
}

/// How many looks decided by which inference; `None` where there are none.
fn others_named<'a>(looks: impl Iterator<Item = &'a LooksByAnother>) -> Option<String> {
    let (mut times, mut names) = (0, Vec::new());
    for of in looks {
        times += of.times;
        names.push(format!("`{}`", of.inference));
    }
    let looks_did = counted(times, "earlier look decided by", "earlier looks decided by");
    (times > 0).then(|| format!("{looks_did} {}", names.join(" or ")))
}

fn told_more(looks: &Looks, taken: usize) -> Option<String> {
    let Earlier::Every(planned) = looks.before else { return None };
    (planned > 1 && taken > planned as usize).then(|| {
        format!("looked at more often than the {planned} times that were planned: each look has its share of alpha, which is less for the later ones")
    })
}

#[cfg(test)]
mod tests;
