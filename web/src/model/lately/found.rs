//! What monitors other than those of drift found last, in sentences: checks that fail, metrics that left what is usual, segments, groups and
//! rankings.

use windvane_types::attribution::{Feature, one_sided};
use windvane_types::fairness::{Gap, Group};
use windvane_types::performance::{Change, Metric, deciding};
use windvane_types::{drift, fairness, quality};

use super::{Sentence, Tone, sentence};
use crate::api;
use crate::chart::cut;
use crate::chart::heatmap::times;
use crate::model::drift::arrow;
use crate::model::fairness::{VALUE_MAX, name};
use crate::model::read::Model;
use crate::model::segments::{Drifted, Measured};
use crate::numbers::{number, optional, percent, points, short, signed_points};

/// Findings of a kind that have a sentence of their own; the rest is counted.
const SENTENCES_MAX: usize = 3;

/// Everything that the newest findings say.
pub fn found(model: &Model) -> Vec<Sentence> {
    let mut said = model.quality.as_ref().map(checks).unwrap_or_default();
    said.extend(model.performance.first().map(metrics).unwrap_or_default());
    said.extend(measured(&model.measured));
    said.extend(drifted(&model.drifted));
    said.extend(model.fairness.as_ref().map(gaps).unwrap_or_default());
    said.extend(model.attribution.as_ref().and_then(ranking));
    said
}

/// The first sentences, and how many more of their kind there are.
fn some(said: Vec<Sentence>, (one, many): (&str, &str)) -> Vec<Sentence> {
    let rest = said.len().saturating_sub(SENTENCES_MAX);
    let mut kept: Vec<Sentence> = said.into_iter().take(SENTENCES_MAX).collect();
    match rest {
        0 => {}
        1 => kept.push(sentence(Tone::Alarm, format!("One more {one}."))),
        rest => kept.push(sentence(Tone::Alarm, format!("{rest} more {many}."))),
    }
    kept
}

fn checks(run: &api::quality::Run) -> Vec<Sentence> {
    let until = short(&run.key.window_end);
    let failing = run.checks.iter().filter(|check| check.verdict == quality::Verdict::Fail);
    let said = failing.map(|check| {
        let told = crate::quality::sentence(check);
        sentence(Tone::Alarm, format!("A check fails in the window until {until} UTC: {told}"))
    });
    some(said.collect(), ("check fails in that window", "checks fail in that window"))
}

fn metrics(window: &api::performance::Window) -> Vec<Sentence> {
    let until = short(&window.end);
    let left = window.metrics.iter().filter(|metric| metric.alert);
    let said = left.map(|metric| {
        let Metric { metric: name, realised, estimated, threshold, change, .. } = metric;
        let ends = threshold.unwrap_or_default();
        let is = measure(deciding(*realised, true, ends), *estimated);
        let tone = tone(*change);
        let usual = usual(ends);
        sentence(tone, format!("{name} {is} in the window until {until} UTC; {usual}."))
    });
    let mut said = some(said.collect(), ("metric left what is usual", "metrics left what is usual"));
    let weakest = window.weakest_segments.as_ref();
    if let Some((weakest, segment)) = weakest.and_then(|found| Some((found, found.segments.first()?))) {
        let loss = weakest.loss.as_deref().unwrap_or("loss").replace('_', " ");
        let value = cut(segment.value.as_deref().unwrap_or("(missing)"), VALUE_MAX);
        let (there, elsewhere) = (number(segment.loss), number(segment.loss_elsewhere));
        said.push(sentence(
            Tone::Notice,
            format!(
                "The model is weakest at {} {value} in the window until {until} UTC: {loss} {there}, against {elsewhere} elsewhere.",
                segment.column
            ),
        ));
    }
    said
}

fn measured(rows: &[Measured]) -> Vec<Sentence> {
    let left = rows.iter().filter(|row| row.alert);
    let said = left.map(|row| {
        let ends = [row.threshold_low, row.threshold_high];
        let is = measure(deciding(row.realised, true, ends), row.estimated);
        let usual = usual(ends);
        let value = cut(&row.segment_value, VALUE_MAX);
        let text = format!("{} of {} {value} {is}; {usual}.", row.metric, row.segment_key);
        let decided = deciding(row.realised, true, ends).or(row.estimated);
        sentence(tone(decided.and_then(|value| Change::of(&row.metric, value, ends))), text)
    });
    let rest = ("metric of a segment left what is usual", "metrics of segments left what is usual");
    some(said.collect(), rest)
}

/// What got better is worth knowing, and no alarm.
fn tone(change: Option<Change>) -> Tone {
    match change {
        Some(Change::Better) => Tone::Notice,
        Some(Change::Worse) | None => Tone::Alarm,
    }
}

/// The realised number decides, and where there is none the estimate.
fn measure(realised: Option<f64>, estimated: Option<f64>) -> String {
    match (realised, estimated) {
        (Some(value), _) => format!("is {}", number(value)),
        (None, Some(value)) => format!("is estimated at {}", number(value)),
        (None, None) => "left what is usual".to_owned(),
    }
}

fn usual(ends: [Option<f64>; 2]) -> String {
    match ends {
        [Some(low), Some(high)] => format!("usual is {} to {}", number(low), number(high)),
        [Some(low), None] => format!("usual is {} or more", number(low)),
        [None, Some(high)] => format!("usual is {} or less", number(high)),
        [None, None] => "what is usual is not recorded".to_owned(),
    }
}

/// The segment in which a column drifts furthest.
fn drifted(rows: &[Drifted]) -> Option<Sentence> {
    let row = rows.iter().max_by(|a, b| a.strength.total_cmp(&b.strength))?;
    let rest = match rows.len() - 1 {
        0 => String::new(),
        1 => "; one more column drifts in a segment".to_owned(),
        rest => format!("; {rest} more columns drift in segments"),
    };
    let (arrow, strength) = (arrow(&row.direction), times(row.strength));
    let text = format!(
        "{}{arrow} drifts furthest in the segment {} {} ({strength}){rest}.",
        row.column,
        row.segment_key,
        cut(&row.segment_value, VALUE_MAX)
    );
    Some(sentence(Tone::Alarm, text))
}

fn gaps(run: &api::fairness::Run) -> Vec<Sentence> {
    let all = run.groups.iter().flat_map(|group| group.gaps.iter().map(move |gap| (group, gap)));
    let mut failing: Vec<(&Group, &Gap)> =
        all.filter(|(_, gap)| gap.verdict == fairness::Verdict::Fail).collect();
    let size = |gap: &Gap| gap.gap.map_or(0.0, f64::abs);
    failing.sort_by(|a, b| size(b.1).total_cmp(&size(a.1)));
    let until = short(&run.key.window_end);
    let share = |value: Option<f64>| value.map_or("unknown".to_owned(), percent);
    let said = failing.into_iter().map(|(group, gap)| {
        // Calibration is of a group alone.
        let against = match (&run.reference_group, gap.metric.as_str()) {
            (_, "calibration") => " by its mean score".to_owned(),
            (Some(reference), _) => format!(" of {}", cut(reference, VALUE_MAX)),
            (None, _) => String::new(),
        };
        let allowed = run.max_gap.map_or(String::new(), |most| format!(", where up to {} is none", points(most)));
        let text = format!(
            "{} is treated unlike the others in the window until {until} UTC: {} {} against {}{against}, a gap of {}{allowed}.",
            name(group),
            gap.metric.replace('_', " "),
            share(gap.value),
            share(gap.reference),
            gap.gap.map_or("unknown size".to_owned(), signed_points),
        );
        sentence(Tone::Alarm, text)
    });
    some(said.collect(), ("gap between groups is too large", "gaps between groups are too large"))
}

fn ranking(run: &api::attribution::Run) -> Option<Sentence> {
    if run.verdict != drift::Verdict::Drift {
        return None;
    }
    // The first of those that moved furthest, which is the most important one.
    let moved = |feature: &&Feature| feature.rank_reference.abs_diff(feature.rank_current);
    let furthest = run.features.iter().rev().max_by_key(moved);
    let place = match furthest {
        Some(feature) if feature.rank_reference != feature.rank_current => {
            format!(
                "; {} went from place {} to {}",
                feature.feature, feature.rank_reference, feature.rank_current
            )
        }
        _ => String::new(),
    };
    let [vanished, new] = one_sided(&run.features);
    let only = |names: &[&str], is: &str| match names {
        [] => String::new(),
        names => format!("; {is} only: {}", names.join(", ")),
    };
    let sides = only(&vanished, "attributed in the reference") + &only(&new, "attributed in this window");
    let until = short(&run.key.window_end);
    let (kept, least) = (optional(run.ndcg), optional(run.threshold));
    let text = format!(
        "The model decides by other features in the window until {until} UTC: the ranking is kept by {kept} (nDCG), usual is {least} or more{sides}{place}."
    );
    Some(sentence(Tone::Alarm, text))
}
