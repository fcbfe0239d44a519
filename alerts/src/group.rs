//! Groups: alerts that one receiver is told of together, and when. `decide` answers with a reason, whether it tells or not.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use windvane_types::alert::Severity;

use crate::book::Entry;
use crate::notification::Labels;
use crate::route::{Escalation, Pace};

/// The usual time before the same is told again: Alertmanager's.
pub const REPEAT_USUAL: Duration = Duration::from_secs(4 * 3_600);

/// An alert of a group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// What is known of it.
    pub entry: Entry,
    /// Since when it fires, microseconds since 1970 UTC.
    pub since_us: i64,
    /// When it ended; none while it fires.
    pub ended_us: Option<i64>,
}

/// What the receiver was told last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// When.
    pub at_us: i64,
    /// When it was told for the first time since nothing fired.
    pub first_us: i64,
    /// Alerts that it was told are firing.
    pub firing: BTreeSet<String>,
    /// Alerts that it was told have ended.
    pub resolved: BTreeSet<String>,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// The route.
    pub route: String,
    /// What names the route in group keys, as it was when the group was made: incidents that receivers know by it stay the same
    /// where the file changes. Empty in groups of versions before.
    #[serde(default)]
    pub route_key: String,
    /// The receiver.
    pub receiver: String,
    /// What its alerts share.
    pub labels: Labels,
    /// Its alerts, by fingerprint.
    pub members: BTreeMap<String, Member>,
    /// When it was made, microseconds since 1970 UTC.
    pub made_us: i64,
    /// When it is looked at next.
    pub next_us: i64,
    /// What the receiver was told last.
    pub told: Option<Told>,
    /// How many messages there were.
    pub generation: u64,
    /// Whether somebody else was told because nobody acknowledged.
    pub escalated: bool,
    /// Alerts that the receiver does not know to fire: the message about them was held back for a digest.
    #[serde(default)]
    pub held: BTreeSet<String>,
    /// Receivers beside its own that were told that it fires: they are told the end, too.
    #[serde(default)]
    pub others: BTreeSet<String>,
}

/// Why a group is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It was never told, and something fires.
    First,
    /// An alert fires that it was not told of.
    NewAlerts,
    /// Everything that it was told of has ended.
    AllResolved,
    /// Something that it was told of has ended.
    SomeResolved,
    /// It still fires, and the last message is long ago.
    Repeat,
    /// Nobody has acknowledged it for long.
    Escalated,
    /// Too many messages went to the receiver; this one has those that were held back.
    Digest,
    /// Another receiver did not take it.
    Fallback,
}

impl Why {
    /// The word in tables and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::NewAlerts => "new_alerts",
            Self::AllResolved => "all_resolved",
            Self::SomeResolved => "some_resolved",
            Self::Repeat => "repeat",
            Self::Escalated => "escalated",
            Self::Digest => "digest",
            Self::Fallback => "fallback",
        }
    }
}

/// Why a group is not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// It is not looked at yet.
    NotYet,
    /// An interval mutes its route.
    Muted,
    /// All its alerts are silenced, inhibited or maintained.
    Suppressed,
    /// Nothing fires, and nobody was told that something did.
    NothingFires,
    /// Nothing changed since it was told.
    Unchanged,
    /// Nothing changed, and somebody looks after it.
    Acknowledged,
}

/// Whether a group is told now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Yes.
    Tell(Why),
    /// No.
    Hold(Held),
}

/// A group as it is now, without alerts that are suppressed.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// Alerts that fire.
    pub firing: BTreeSet<String>,
    /// Alerts that have ended.
    pub resolved: BTreeSet<String>,
    /// Whether an interval mutes the route.
    pub muted: bool,
    /// Whether somebody looks after everything that fires.
    pub acknowledged: bool,
}

/// How a route wants to be told.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// When.
    pub pace: Pace,
    /// Whether the end is told.
    pub send_resolved: bool,
}

/// Decides whether a group is told at a time.
#[must_use]
pub fn decide(group: &Group, view: &View, manner: Manner, now_us: i64) -> Decision {
    if now_us < group.next_us {
        return Decision::Hold(Held::NotYet);
    }
    if view.muted {
        return Decision::Hold(Held::Muted);
    }
    if view.firing.is_empty() && view.resolved.is_empty() {
        return Decision::Hold(if group.members.is_empty() { Held::NothingFires } else { Held::Suppressed });
    }
    let Some(told) = &group.told else {
        return match view.firing.is_empty() {
            true => Decision::Hold(Held::NothingFires),
            false => Decision::Tell(Why::First),
        };
    };
    if !view.firing.is_subset(&told.firing) {
        return Decision::Tell(if told.firing.is_empty() { Why::First } else { Why::NewAlerts });
    }
    if view.firing.is_empty() {
        return match manner.send_resolved && !told.firing.is_empty() {
            true => Decision::Tell(Why::AllResolved),
            false => Decision::Hold(Held::NothingFires),
        };
    }
    let ended =
        view.resolved.iter().any(|ended| told.firing.contains(ended) && !told.resolved.contains(ended));
    if manner.send_resolved && ended {
        return Decision::Tell(Why::SomeResolved);
    }
    if view.acknowledged {
        return Decision::Hold(Held::Acknowledged);
    }
    match now_us.saturating_sub(told.at_us) >= group.repeat_us(manner.pace) {
        true => Decision::Tell(Why::Repeat),
        false => Decision::Hold(Held::Unchanged),
    }
}

impl Group {
    /// A group of an alert that was just routed. One that fires for longer than `group_wait` already, as after a change of
    /// routes, is told at once.
    #[must_use]
    pub fn new(
        (route, receiver, labels): (&str, &str, Labels),
        since_us: i64,
        pace: Pace,
        now_us: i64,
    ) -> Self {
        let next_us = now_us.max(since_us.saturating_add(us(pace.group_wait)));
        Self {
            route: route.to_owned(),
            route_key: String::new(),
            receiver: receiver.to_owned(),
            labels,
            members: BTreeMap::new(),
            made_us: now_us,
            next_us,
            told: None,
            generation: 0,
            escalated: false,
            held: BTreeSet::new(),
            others: BTreeSet::new(),
        }
    }

    /// Takes an alert in, as it is now.
    pub fn update(&mut self, fingerprint: &str, member: Member) {
        self.members.insert(fingerprint.to_owned(), member);
    }

    /// Notes what was decided when the group was looked at. What has ended stays only where somebody still has to be told.
    pub fn looked(&mut self, (decision, manner): (Decision, Manner), view: &View, now_us: i64) {
        match decision {
            Decision::Hold(Held::NotYet) => return,
            Decision::Tell(_) => {
                let before = self.told.take().unwrap_or_default();
                let first_us = if before.firing.is_empty() { now_us } else { before.first_us };
                // One that was told and is suppressed now still owes its end.
                let owed = before.firing.into_iter().filter(|fingerprint| {
                    self.members.contains_key(fingerprint) && !view.resolved.contains(fingerprint)
                });
                let firing = view.firing.iter().cloned().chain(owed).collect();
                self.generation += 1;
                self.told = Some(Told { at_us: now_us, first_us, firing, resolved: view.resolved.clone() });
                self.members.retain(|fingerprint, member| {
                    member.ended_us.is_none() || !view.resolved.contains(fingerprint)
                });
            }
            Decision::Hold(_) => {
                let told = self.told.as_ref();
                self.members.retain(|fingerprint, member| {
                    let owed = told.is_some_and(|told| told.firing.contains(fingerprint));
                    member.ended_us.is_none() || (owed && manner.send_resolved)
                });
                if let (Some(told), false) = (&mut self.told, manner.send_resolved) {
                    told.firing.retain(|fingerprint| self.members.contains_key(fingerprint));
                }
            }
        }
        if self.told.as_ref().is_none_or(|told| told.firing.is_empty()) {
            self.escalated = false;
            self.others.clear();
        }
        let interval = us(manner.pace.group_interval).max(1);
        let missed = now_us.saturating_sub(self.next_us) / interval;
        self.next_us = self.next_us.saturating_add(interval.saturating_mul(missed + 1));
    }

    /// Notes which alerts the receiver was told in a digest. The others that waited for it were not told: they have no
    /// end, and are new where they fire and may be told.
    pub fn digested(&mut self, told: &BTreeSet<String>) {
        for fingerprint in std::mem::take(&mut self.held) {
            if told.contains(&fingerprint) {
                continue;
            }
            // Somebody else may know it and is owed its end.
            if !self.others.is_empty() {
                self.held.insert(fingerprint);
                continue;
            }
            if let Some(before) = &mut self.told {
                before.firing.remove(&fingerprint);
            }
            if self.members.get(&fingerprint).is_some_and(|member| member.ended_us.is_some()) {
                self.members.remove(&fingerprint);
            }
        }
    }

    /// How long until the same is told again. Where the route says nothing, that is 4 h, and for what belongs to longer windows
    /// a window and a quarter: before the next one is judged nobody can know more. What is critical is never left for so long.
    #[must_use]
    pub fn repeat_us(&self, pace: Pace) -> i64 {
        if let Some(interval) = pace.repeat_interval {
            return us(interval);
        }
        let firing = || self.members.values().filter(|member| member.ended_us.is_none());
        let critical = Severity::Critical.as_str();
        let is_critical = |member: &Member| {
            member.entry.labels.get("severity").is_some_and(|severity| severity == critical)
        };
        if firing().any(is_critical) {
            return us(REPEAT_USUAL);
        }
        let window_us = |member: &Member| {
            let observation = &member.entry.observation;
            match observation.window_start_us {
                0 => 0,
                start_us => observation.window_end_us.saturating_sub(start_us),
            }
        };
        let longest_us = firing().map(window_us).max().unwrap_or_default();
        longest_us.saturating_add(longest_us / 4).max(us(REPEAT_USUAL))
    }

    /// Whether nothing is left to tell.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.members.is_empty() && self.told.as_ref().is_none_or(|told| told.firing.is_empty())
    }

    /// When somebody else has to be told, where nobody looks after it.
    #[must_use]
    pub fn escalates_at_us(&self, escalation: &Escalation) -> Option<i64> {
        let told = self.told.as_ref().filter(|told| !told.firing.is_empty() && !self.escalated)?;
        Some(told.first_us.saturating_add(us(escalation.after)))
    }
}

/// A length in microseconds.
#[must_use]
pub fn us(length: Duration) -> i64 {
    i64::try_from(length.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
