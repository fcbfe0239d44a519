//! The desk: from judged alerts to messages in the outbox. Everything here is a function of the state, the plan and the time.

mod acknowledged;
mod admission;
mod clock;
mod elsewhere;
mod failing;
mod reroute;
mod succession;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use windvane_store::alerts::acknowledgements::Acknowledgement;
use windvane_store::alerts::events::AlertEvent;
use windvane_store::alerts::notifications::Attempted;
use windvane_types::alert::{Severity, Silence, Standing};
use windvane_types::hex;

use crate::book::{Book, Entry, Judged};
use crate::group::{Decision, Group, Manner, Member, View, Why, decide};
use crate::notification::{Alert, Feature, Labels, Notification, Origin, Purpose, State as Ended};
use crate::outbox::{Outbox, Parcel, Settled};
use crate::plan::Plan;
use crate::rate::Ledger;
use crate::route::Route;
use crate::suppress::{Suppressed, Suppression};

pub use self::failing::Failing;

/// Rows that wait for ClickHouse; beyond that the oldest are dropped and counted.
pub const ROWS_WAITING_MAX: usize = 20_000;

/// Everything that has to survive a restart.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Counts up with each time it is kept.
    pub revision: u64,
    /// The latest time that was seen, so that a clock that is set back a little does no harm.
    pub now_us: i64,
    /// Alerts that are not inactive.
    pub book: Book,
    /// Groups by what names them.
    pub groups: BTreeMap<String, Group>,
    /// Messages on their way.
    pub outbox: Outbox,
    /// What each receiver got lately.
    pub ledgers: BTreeMap<String, Ledger>,
    /// Changes that ClickHouse does not have yet.
    pub events: VecDeque<AlertEvent>,
    /// Attempts that ClickHouse does not have yet.
    pub attempts: VecDeque<Attempted>,
    /// Rows that were dropped because ClickHouse was away for too long.
    pub rows_dropped: u64,
    /// Silences as they were read last.
    pub silences: Vec<Silence>,
    /// Acknowledgements as they were read last.
    pub acknowledgements: Vec<Acknowledgement>,
    /// Alerts that somebody looks after, by fingerprint, each as it stands since then.
    pub looked_after: BTreeMap<String, i64>,
    /// When each rule was looked at last.
    pub looked_us: BTreeMap<String, i64>,
    /// Messages that were given up within the last hour: receiver and time.
    pub given_up: Vec<(String, i64)>,
    /// Rules whose latest evaluation failed.
    pub failing: BTreeMap<String, Failing>,
}

impl State {
    /// Notes what came of judging: changes wait for ClickHouse, ends for whoever was told.
    pub fn judged(&mut self, judged: Judged, plan: &Plan, now_us: i64) {
        self.events.extend(judged.events);
        while self.events.len() > ROWS_WAITING_MAX {
            self.events.pop_front();
            self.rows_dropped += 1;
        }
        for entry in judged.resolved {
            let member = Member {
                since_us: entry.phase.since_us().unwrap_or(now_us).min(now_us),
                ended_us: Some(now_us),
                entry,
            };
            self.place(plan, member, now_us);
        }
    }

    /// Routes what fires, looks at every group that is due, and puts messages into the outbox.
    pub fn tell(&mut self, plan: &Plan, busy: &BTreeSet<String>, now_us: i64) -> Vec<Settled> {
        self.reroute(plan, now_us);
        let firing: Vec<Entry> =
            self.book.entries.values().filter(|entry| entry.phase.fires()).cloned().collect();
        for entry in firing {
            let since_us = entry.phase.since_us().unwrap_or(now_us);
            self.place(plan, Member { entry, since_us, ended_us: None }, now_us);
        }
        let mut made = Vec::new();
        let keys: Vec<String> = self.groups.keys().cloned().collect();
        for key in keys {
            made.extend(self.look(plan, &key, now_us));
        }
        self.groups.retain(|_, group| !group.is_over());
        made.extend(self.digests(plan, now_us));
        made.into_iter().flat_map(|parcel| self.outbox.post(parcel, busy)).collect()
    }

    /// Puts an alert into its groups. One that has ended only changes groups that know it.
    fn place(&mut self, plan: &Plan, member: Member, now_us: i64) {
        let fingerprint = crate::notification::fingerprint(&member.entry.labels);
        for route in plan.route.taken(&member.entry.labels) {
            for receiver in &route.receivers {
                let labels = route.group_by.of(&member.entry.labels);
                let key = key(receiver, &route.name, &labels);
                if member.ended_us.is_some() {
                    let known = self.groups.get_mut(&key);
                    if let Some(group) = known.filter(|group| group.members.contains_key(&fingerprint)) {
                        let since_us = group.members[&fingerprint].since_us;
                        group.update(&fingerprint, Member { since_us, ..member.clone() });
                    }
                    continue;
                }
                let group = self.groups.entry(key).or_insert_with(|| Group {
                    route_key: plan.route.key_of(&route.name).unwrap_or_default(),
                    ..Group::new((&route.name, receiver, labels), member.since_us, route.pace, now_us)
                });
                group.update(&fingerprint, member.clone());
            }
        }
    }

    fn look(&mut self, plan: &Plan, key: &str, now_us: i64) -> Vec<Parcel> {
        let Some(group) = self.groups.get(key) else { return Vec::new() };
        // What is left of a group whose route is gone are ends.
        let route = plan.route.named(&group.route).unwrap_or(&plan.route);
        let view = self.view(plan, (group, route), now_us);
        let manner = Manner { pace: route.pace, send_resolved: route.send_resolved };
        let decision = decide(group, &view, manner, now_us);
        let mut members = told_members(group, &view);
        let known = group.told.as_ref().map(|told| told.firing.clone()).unwrap_or_default();
        let mut group = group.clone();
        let others = group.others.clone();
        group.looked((decision, manner), &view, now_us);
        let mut parcels: Vec<Parcel> = Vec::new();
        if let Decision::Tell(why) = decision {
            tracing::debug!(group = key, reason = why.as_str(), "a group is told");
            if why == Why::NewAlerts || why == Why::First || why == Why::Repeat {
                members.retain(|_, member| member.ended_us.is_none() || route.send_resolved);
            }
            if why == Why::AllResolved {
                parcels.extend(elsewhere::ends(plan, (&group, &others), &members, now_us));
            }
            let news = view.firing.difference(&known).cloned().collect();
            parcels.extend(self.admitted((plan, now_us), (&mut group, why, news), members));
            for parcel in &mut parcels {
                parcel.also.clone_from(&others);
            }
        }
        parcels.extend(elsewhere::escalation(plan, (&mut group, route), &view, now_us));
        self.groups.insert(key.to_owned(), group);
        parcels
    }

    /// A group without what is not told at the moment.
    fn view(&self, plan: &Plan, (group, route): (&Group, &Route), now_us: i64) -> View {
        let firing = self.firing();
        let suppression = self.suppression(plan, &firing, now_us);
        let mut view = View { muted: muted(plan, route, now_us), ..View::default() };
        for (fingerprint, member) in &group.members {
            if suppression.of(fingerprint, &member.entry.labels).is_none() {
                let side = if member.ended_us.is_some() { &mut view.resolved } else { &mut view.firing };
                side.insert(fingerprint.clone());
            }
        }
        let looked_after = |fingerprint: &String| {
            group
                .members
                .get(fingerprint)
                .is_some_and(|member| self.acknowledged(fingerprint, member.since_us).is_some())
        };
        view.acknowledged = !view.firing.is_empty() && view.firing.iter().all(looked_after);
        view
    }

    fn firing(&self) -> BTreeMap<String, &Labels> {
        let fires = self.book.entries.iter().filter(|(_, entry)| entry.phase.fires());
        fires.map(|(fingerprint, entry)| (fingerprint.clone(), &entry.labels)).collect()
    }

    fn suppression<'a>(
        &'a self,
        plan: &'a Plan,
        firing: &'a BTreeMap<String, &'a Labels>,
        now_us: i64,
    ) -> Suppression<'a> {
        Suppression {
            silences: &self.silences,
            maintenance: &plan.maintenance,
            inhibitions: &plan.inhibitions,
            intervals: &plan.intervals,
            firing,
            now_us,
        }
    }

    /// Alerts as pages and commands show them, the most urgent first.
    #[must_use]
    pub fn standing(&self, plan: &Plan, now_us: i64) -> Vec<Standing> {
        use windvane_types::alert::State as Word;
        let firing = self.firing();
        let suppression = self.suppression(plan, &firing, now_us);
        let heard_us = acknowledged::made_us(&self.acknowledgements);
        let mut standing: Vec<Standing> = self
            .book
            .entries
            .iter()
            .map(|(fingerprint, entry)| {
                let suppressed = suppression.of(fingerprint, &entry.labels);
                let since_us = entry.phase.since_us().unwrap_or(now_us);
                let taken = plan.route.taken(&entry.labels);
                Standing {
                    fingerprint: fingerprint.clone(),
                    rule: entry.rule.clone(),
                    state: match entry.phase.as_str() {
                        "firing" => Word::Firing,
                        "recovering" => Word::Recovering,
                        _ => Word::Pending,
                    },
                    since: windvane_types::span::shown(since_us),
                    labels: entry.labels.clone(),
                    annotations: entry.annotations.clone(),
                    value: entry.observation.value,
                    link: entry.link.clone(),
                    silenced_by: match &suppressed {
                        Some(Suppressed::Silenced(by) | Suppressed::Maintained(by)) => Some(by.clone()),
                        _ => None,
                    },
                    inhibited_by: match suppressed {
                        Some(Suppressed::Inhibited(by)) => Some(by),
                        _ => None,
                    },
                    acknowledged_by: self
                        .acknowledged(fingerprint, since_us)
                        .map(|acknowledgement| acknowledgement.acknowledged_by.clone()),
                    receivers: taken.iter().flat_map(|route| route.receivers.clone()).collect(),
                    heard_until_us: Some(heard_us.get(fingerprint.as_str()).copied().unwrap_or(0)),
                }
            })
            .collect();
        standing.sort_by_key(|alert| (std::cmp::Reverse(severity(&alert.labels)), alert.since.clone()));
        standing
    }

    /// When something is to be done next.
    #[must_use]
    pub fn next_us(&self, plan: &Plan, busy: &BTreeSet<String>) -> Option<i64> {
        let groups = self.groups.values().map(|group| group.next_us);
        let escalations = self
            .groups
            .values()
            .filter_map(|group| group.escalates_at_us(plan.route.named(&group.route)?.escalation.as_ref()?));
        // One that is due and did not come waits for something else: somebody looks after the group, or its route is muted.
        let escalations = escalations.filter(|at| *at > self.now_us);
        let digests = self.ledgers.values().filter_map(|ledger| Some(ledger.digest.as_ref()?.due_us));
        groups.chain(escalations).chain(digests).chain(self.outbox.next_us(busy, plan.sends_max)).min()
    }
}

/// What names a group: two routes may tell one receiver of the same labels.
fn key(receiver: &str, route: &str, labels: &Labels) -> String {
    format!("{receiver}\n{route}\n{labels:?}")
}

/// Whether an interval mutes a route.
fn muted(plan: &Plan, route: &Route, now_us: i64) -> bool {
    plan.intervals.any_holds(&route.mute_in, now_us)
        || (!route.active_in.is_empty() && !plan.intervals.any_holds(&route.active_in, now_us))
}

/// The members that a message is about.
fn told_members(group: &Group, view: &View) -> BTreeMap<String, Member> {
    let told = |name: &&String| view.firing.contains(*name) || view.resolved.contains(*name);
    let members = group.members.iter().filter(|(name, _)| told(name));
    members.map(|(name, member)| (name.clone(), member.clone())).collect()
}

/// A message of all of the members: receivers that people read cut it and count the rest.
fn parcel(
    plan: &Plan,
    (group, why): (&Group, Why),
    members: BTreeMap<String, Member>,
    now_us: i64,
) -> Parcel {
    let time = |us: i64| Timestamp::from_microsecond(us).unwrap_or_default();
    let mut members: Vec<Member> = members.into_values().collect();
    members.sort_by(|a, b| rank(b).partial_cmp(&rank(a)).unwrap_or(std::cmp::Ordering::Equal));
    let alert = |member: Member| Alert {
        state: if member.ended_us.is_some() { Ended::Resolved } else { Ended::Firing },
        labels: member.entry.labels,
        annotations: member.entry.annotations,
        starts_at: time(member.since_us),
        ends_at: member.ended_us.map(time),
        link: member.entry.link,
        feature: Feature::of(&member.entry.observation),
        origin: Origin::of(&member.entry.observation),
        chart: None,
    };
    let notification = Notification {
        id: id(&[
            &group.receiver,
            &group.route,
            &format!("{:?}", group.labels),
            &group.made_us.to_string(),
            &group.generation.to_string(),
            why.as_str(),
        ]),
        purpose: Purpose::Inform,
        reason: why.as_str().to_owned(),
        note: None,
        receiver: group.receiver.clone(),
        route: match group.route_key.as_str() {
            "" => plan.route.key_of(&group.route).unwrap_or_else(|| "{}".to_owned()),
            key => key.to_owned(),
        },
        group: group.labels.clone(),
        alerts: members.into_iter().map(alert).collect(),
        left_out: 0,
        external_url: plan.external_url.clone(),
        made_at: time(now_us),
    };
    let generation = group.generation;
    Parcel {
        notification,
        generation,
        made_us: now_us,
        attempts: 0,
        next_us: now_us,
        last: String::new(),
        also: BTreeSet::new(),
    }
}

/// What fires stands before what has ended, the urgent before the rest, the strong before the weak.
fn rank(member: &Member) -> (bool, Severity, f64) {
    let strength = member.entry.observation.fields.get("effect").and_then(serde_json::Value::as_f64);
    let strength = strength.or(member.entry.observation.value).unwrap_or_default();
    (member.ended_us.is_none(), severity(&member.entry.labels), strength.abs())
}

fn severity(labels: &Labels) -> Severity {
    labels.get("severity").and_then(|word| Severity::from_word(word)).unwrap_or(Severity::Warning)
}

/// Names a message: the same for the same message, whoever makes it and however often.
fn id(parts: &[&str]) -> String {
    let digest = Sha256::digest(parts.join("\n").as_bytes());
    hex::encode(&digest[..16])
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
