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
    /// A message to whoever is told where a receiver does not take its messages, unless they have the same one already.
    #[must_use]
    pub fn to_fallback(&mut self, plan: &Plan, dead: &Parcel, now_us: i64) -> Option<Parcel> {
        let fallback = plan.fallback.as_deref().filter(|name| *name != dead.notification.receiver)?;
        if dead.notification.reason == Why::Fallback.as_str() || dead.also.contains(fallback) {
            return None;
        }
        self.told_elsewhere(fallback, &dead.notification);
        let mut parcel = dead.clone();
        let notification = &mut parcel.notification;
        notification.note =
            Some(format!("the receiver `{}` did not take this: {}", notification.receiver, dead.last));
        notification.id = id(&[fallback, &notification.id]);
        fallback.clone_into(&mut notification.receiver);
        Why::Fallback.as_str().clone_into(&mut notification.reason);
        (parcel.made_us, parcel.next_us, parcel.attempts) = (now_us, now_us, 0);
        parcel.last.clear();
        Some(parcel)
    }

    /// Notes in the groups of a message that somebody else was told that they fire. A digest is of many groups.
    fn told_elsewhere(&mut self, other: &str, notification: &Notification) {
        let firing = notification.alerts.iter().filter(|alert| alert.state == Ended::Firing);
        let firing: BTreeSet<String> = firing.map(Alert::fingerprint).collect();
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
