//! Who is told beside a group's own receiver: whom it escalates to, and the fallback. Both are told the end, too.

use std::collections::{BTreeMap, BTreeSet};

use windvane_types::span::in_words;

use super::{State, id, parcel, told_members};
use crate::group::{Group, Member, View, Why};
use crate::notification::{Alert, Notification, State as Ended};
use crate::outbox::Parcel;
use crate::plan::Plan;
use crate::route::Route;

impl State {
    /// What whoever is told where a receiver does not take its messages gets: the same message, unless they have it already. Where
    /// they keep incidents, a digest is a message for each of its groups: nothing would close an incident of its own.
    #[must_use]
    pub fn to_fallback(&mut self, plan: &Plan, dead: &Parcel, now_us: i64) -> Vec<Parcel> {
        let Some(fallback) = plan.fallback.as_deref() else { return Vec::new() };
        let notification = &dead.notification;
        let has_it = notification.receiver == fallback || dead.also.contains(fallback);
        if has_it || notification.reason == Why::Fallback.as_str() {
            return Vec::new();
        }
        let parcels = if notification.reason == Why::Digest.as_str() && plan.keeps_incidents(fallback) {
            self.incidents(plan, (fallback, notification), now_us)
        } else {
            self.told_elsewhere(fallback, notification);
            vec![dead.clone()]
        };
        let note = format!("the receiver `{}` did not take this: {}", notification.receiver, dead.last);
        let readdressed = |mut parcel: Parcel| {
            let notification = &mut parcel.notification;
            notification.note = Some(note.clone());
            notification.id = id(&[fallback, &notification.id]);
            fallback.clone_into(&mut notification.receiver);
            Why::Fallback.as_str().clone_into(&mut notification.reason);
            (parcel.made_us, parcel.next_us, parcel.attempts) = (now_us, now_us, 0);
            parcel.last.clear();
            parcel
        };
        parcels.into_iter().map(readdressed).collect()
    }

    /// A message for each group of a digest, of what still fires, and a note in the group that somebody else was told.
    fn incidents(&mut self, plan: &Plan, (other, digest): (&str, &Notification), now_us: i64) -> Vec<Parcel> {
        let firing = firing(digest);
        let mut parcels = Vec::new();
        for group in self.groups.values_mut().filter(|group| group.receiver == digest.receiver) {
            let Some(told) = &group.told else { continue };
            let still = group.members.iter().filter(|(name, member)| {
                member.ended_us.is_none() && firing.contains(*name) && told.firing.contains(*name)
            });
            let members: BTreeMap<String, Member> =
                still.map(|(name, member)| (name.clone(), member.clone())).collect();
            if members.is_empty() {
                continue;
            }
            let mut parcel = parcel(plan, (&*group, Why::Fallback), members, now_us);
            parcel.notification.id = id(&[&digest.id, &parcel.notification.id]);
            parcels.push(parcel);
            group.others.insert(other.to_owned());
        }
        parcels
    }

    /// Notes in the groups of a message that somebody else was told that they fire. A digest is of many groups.
    fn told_elsewhere(&mut self, other: &str, notification: &Notification) {
        let firing = firing(notification);
        let is_digest = notification.reason == Why::Digest.as_str();
        for group in self.groups.values_mut() {
            let told = match &group.told {
                Some(told) if is_digest => !told.firing.is_disjoint(&firing),
                Some(told) => {
                    group.labels == notification.group && !told.firing.is_empty() && !firing.is_empty()
                }
                None => false,
            };
            let receiver = &notification.receiver;
            if told && (group.receiver == *receiver || group.others.contains(receiver)) {
                group.others.insert(other.to_owned());
            }
        }
    }
}

/// The alerts of a message that fire, by fingerprint.
fn firing(notification: &Notification) -> BTreeSet<String> {
    let firing = notification.alerts.iter().filter(|alert| alert.state == Ended::Firing);
    firing.map(Alert::fingerprint).collect()
}

/// Somebody else is told where nobody looks after a group for too long. Nobody is where all that fires is suppressed.
pub(super) fn escalation(
    plan: &Plan,
    (group, route): (&mut Group, &Route),
    view: &View,
    now_us: i64,
) -> Option<Parcel> {
    let escalation = route.escalation.as_ref()?;
    let due = group.escalates_at_us(escalation).is_some_and(|at| at <= now_us);
    if !due || view.acknowledged || view.muted || view.firing.is_empty() {
        return None;
    }
    group.escalated = true;
    group.others.insert(escalation.to.clone());
    let elsewhere = Group { receiver: escalation.to.clone(), ..group.clone() };
    let mut parcel = parcel(plan, (&elsewhere, Why::Escalated), told_members(group, view), now_us);
    parcel.notification.note = Some(format!(
        "`{}` was told and nobody has acknowledged this for {}; `windvane alerts ack` does",
        group.receiver,
        in_words(escalation.after)
    ));
    Some(parcel)
}

/// The end of a group for the others that were told that it fires.
pub(super) fn ends(
    plan: &Plan,
    (group, others): (&Group, &BTreeSet<String>),
    members: &BTreeMap<String, Member>,
    now_us: i64,
) -> Vec<Parcel> {
    let others = others.iter().filter(|other| **other != group.receiver);
    let end = |other: &String| {
        let elsewhere = Group { receiver: other.clone(), ..group.clone() };
        parcel(plan, (&elsewhere, Why::AllResolved), members.clone(), now_us)
    };
    others.map(end).collect()
}
