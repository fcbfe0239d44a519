//! A replay of rules over what was found in the past: what would have fired, and who would have been told how often.
//!
//! It goes through the same book and the same desk as the loop, at the times at which something can change, with a clock of its own.

use std::collections::{BTreeMap, BTreeSet};

use windvane_store::alerts::events::AlertEvent;
use windvane_store::alerts::sources::Observation;
use windvane_types::span::Span;

use crate::book::Judge;
use crate::desk::State;
use crate::group::{Group, us};
use crate::notification::{Labels, State as Ended};
use crate::plan::Plan;
use crate::rule::Rule;

/// Times at which everything is looked at; more are an error, because the span is too long for them.
pub const TIMES_MAX: usize = 50_000;
/// Looks at groups in between: a year of one every 15 s.
const LOOKS_MAX: usize = 2_000_000;
/// How long after its second successor should have come an observation counts no more, as in the statements.
const GRACE_US: i64 = 3_600_000_000;

/// Everything that one rule observed, in any order.
#[derive(Debug)]
pub struct History<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// What it observed.
    pub observations: Vec<Observation>,
    /// Of a rule that was asked again and again: after how long, microseconds. An observation counts until the next answer
    /// then; without it, until two later windows should have taken its place.
    pub asked_every_us: Option<i64>,
}

/// A message that would have been sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// When, microseconds since 1970 UTC.
    pub at_us: i64,
    /// To whom.
    pub receiver: String,
    /// Why.
    pub reason: String,
    /// What it would have said.
    pub subject: String,
    /// Alerts in it that fire.
    pub firing: usize,
    /// Alerts in it that have ended.
    pub resolved: usize,
}

/// What would have happened.
#[derive(Debug, Default)]
pub struct Replay {
    /// Every change.
    pub events: Vec<AlertEvent>,
    /// Every message.
    pub messages: Vec<Message>,
    /// How often groups were looked at between the times at which something was observed.
    pub looks: usize,
}

/// There are more times than [`TIMES_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the span has {0} times at which something may change; at most {TIMES_MAX} are replayed, with {LOOKS_MAX} looks at groups between: give a shorter one"
)]
pub struct TooLong(pub usize);

/// A history, sorted: the windows of each thing, the earliest first.
struct Sorted<'a> {
    rule: &'a Rule,
    asked_every_us: Option<i64>,
    things: BTreeMap<Labels, Vec<Observation>>,
}

/// Replays rules over a span.
///
/// # Errors
/// The span is too long.
pub fn replay(plan: &Plan, histories: Vec<History<'_>>, span: Span) -> Result<Replay, TooLong> {
    let mut times = BTreeSet::from([span.start_us, span.end_us]);
    let mut sorted: Vec<Sorted<'_>> = Vec::new();
    for History { rule, observations, asked_every_us } in histories {
        let mut things: BTreeMap<Labels, Vec<Observation>> = BTreeMap::new();
        for observation in observations {
            let end_us = observation.window_end_us;
            let timing = rule.timing;
            // When it is seen, when it has held or been over for long enough, and when it counts no more.
            let gone_us = counts_until_us(&observation, asked_every_us);
            let all =
                [0, timing.for_us, timing.keep_firing_for_us].map(|length| end_us.saturating_add(length));
            times.extend(
                all.into_iter().chain([gone_us]).filter(|at| *at >= span.start_us && *at <= span.end_us),
            );
            things.entry(observation.labels.clone()).or_default().push(observation);
        }
        for windows in things.values_mut() {
            windows.sort_by_key(|observation| (observation.window_end_us, observation.window_start_us));
        }
        sorted.push(Sorted { rule, asked_every_us, things });
    }
    if times.len() > TIMES_MAX {
        return Err(TooLong(times.len()));
    }
    let (mut state, mut replay) = (State::default(), Replay::default());
    let number = times.len();
    for at_us in times {
        // Groups are looked at in between, as often as they want.
        while let Some(next_us) = state.next_us(plan, &BTreeSet::new()).filter(|next| *next < at_us) {
            look(&mut state, plan, (next_us, at_us), &mut replay);
            replay.looks += 1;
            if replay.looks > LOOKS_MAX {
                return Err(TooLong(number));
            }
            if state.next_us(plan, &BTreeSet::new()) == Some(next_us) {
                break;
            }
        }
        let judge = Judge { now_us: at_us, holder: "backtest", external_url: plan.external_url.as_deref() };
        for history in &sorted {
            let judged = state.book.judge(history.rule, history.seen(at_us), judge);
            state.judged(judged, plan, at_us);
        }
        replay.events.extend(state.events.drain(..));
        tell(&mut state, plan, at_us, &mut replay);
    }
    Ok(replay)
}

fn counts_until_us(observation: &Observation, asked_every_us: Option<i64>) -> i64 {
    let length_us = match (asked_every_us, observation.window_start_us) {
        (Some(every_us), _) => return observation.window_end_us.saturating_add(every_us),
        (None, 0) => 14 * 24 * GRACE_US,
        (None, start_us) => 2 * (observation.window_end_us - start_us),
    };
    observation.window_end_us.saturating_add(length_us).saturating_add(GRACE_US)
}

impl Sorted<'_> {
    /// The last windows of each thing that count at a time, the latest first.
    fn seen(&self, at_us: i64) -> Vec<Observation> {
        let of = usize::try_from(self.rule.windows.of).unwrap_or(usize::MAX);
        let counts = |observation: &&Observation| at_us < counts_until_us(observation, self.asked_every_us);
        let last = |windows: &Vec<Observation>| -> Vec<Observation> {
            let seen = windows.partition_point(|observation| observation.window_end_us <= at_us);
            windows[..seen].iter().rev().take(of).filter(counts).cloned().collect()
        };
        self.things.values().flat_map(last).collect()
    }
}

/// Looks at groups, where nothing is observed before `until_us`. One that is looked at and not told rests until that can change.
fn look(state: &mut State, plan: &Plan, (now_us, until_us): (i64, i64), replay: &mut Replay) {
    let due = state.groups.iter().filter(|(_, group)| group.next_us <= now_us);
    let due: Vec<(String, u64)> = due.map(|(key, group)| (key.clone(), group.generation)).collect();
    tell(state, plan, now_us, replay);
    for (key, generation) in due {
        if let Some(group) = state.groups.get_mut(&key).filter(|group| group.generation == generation) {
            rest(group, plan, (now_us, until_us));
        }
    }
}

/// Moves the next look at a group to the first that may find something else than the one just now: at its repeat, or when
/// something is observed. A group that depends on the time in other ways is looked at as often as ever.
fn rest(group: &mut Group, plan: &Plan, (now_us, until_us): (i64, i64)) {
    let Some(route) = plan.route.named(&group.route) else { return };
    let by_the_clock =
        !route.mute_in.is_empty() || !route.active_in.is_empty() || !plan.maintenance.is_empty();
    if by_the_clock || !group.held.is_empty() {
        return;
    }
    let repeat_us = group.told.as_ref().map(|told| told.at_us.saturating_add(group.repeat_us(route.pace)));
    // A repeat that was due and did not come waits for something else.
    let goal_us = repeat_us.filter(|at| *at > now_us).map_or(until_us, |at| at.min(until_us));
    let interval_us = us(route.pace.group_interval).max(1);
    let missing_us = goal_us.saturating_sub(group.next_us).max(0);
    // Looks come at the same times of the clock as without the rest.
    let looks = missing_us / interval_us + i64::from(missing_us % interval_us != 0);
    group.next_us = group.next_us.saturating_add(interval_us.saturating_mul(looks));
}

fn tell(state: &mut State, plan: &Plan, at_us: i64, replay: &mut Replay) {
    state.tell(plan, &BTreeSet::new(), at_us);
    for parcel in std::mem::take(&mut state.outbox.parcels) {
        let notification = &parcel.notification;
        let count = |state: Ended| notification.alerts.iter().filter(|alert| alert.state == state).count();
        replay.messages.push(Message {
            at_us,
            receiver: notification.receiver.clone(),
            reason: notification.reason.clone(),
            subject: crate::message::Message::of(notification).subject,
            firing: count(Ended::Firing),
            resolved: count(Ended::Resolved),
        });
    }
}

/// An incident that people know of: alerts of its time were right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// When.
    pub span: Span,
    /// Of which model; empty for all.
    pub model: String,
}

/// How many alerts were right, and how many incidents were found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Judgement {
    /// Alerts that fired.
    pub fired: usize,
    /// Those of them that no incident explains.
    pub false_alarms: usize,
    /// Incidents.
    pub incidents: usize,
    /// Those of them within which an alert fired.
    pub found: usize,
}

impl Judgement {
    /// Sets alerts that fired against incidents: one is right where its window or its time lies in an incident of its model.
    #[must_use]
    pub fn of(events: &[AlertEvent], incidents: &[Incident]) -> Self {
        let fired: Vec<&AlertEvent> = events
            .iter()
            .filter(|event| event.to_state == "firing" && event.from_state != "recovering")
            .collect();
        let explains = |incident: &Incident, event: &AlertEvent| {
            let own = event.labels.get("model").map_or("", String::as_str);
            let start_us = if event.window_start_us == 0 { event.at_us } else { event.window_start_us };
            (incident.model.is_empty() || incident.model == own)
                && start_us <= incident.span.end_us
                && event.at_us.max(event.window_end_us) >= incident.span.start_us
        };
        Self {
            fired: fired.len(),
            false_alarms: fired
                .iter()
                .filter(|event| !incidents.iter().any(|it| explains(it, event)))
                .count(),
            incidents: incidents.len(),
            found: incidents.iter().filter(|it| fired.iter().any(|event| explains(it, event))).count(),
        }
    }
}

#[cfg(test)]
mod tests;
