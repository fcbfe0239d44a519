//! What a receiver is told at once, and what waits for a digest.

use std::collections::{BTreeMap, BTreeSet};

use windvane_types::alert::Severity;
use windvane_types::counting::counted;
use windvane_types::span::in_words;

use super::{State, muted, parcel, severity};
use crate::cause::cause;
use crate::group::{Group, Member, Why};
use crate::notification::{Labels, State as Ended};
use crate::outbox::Parcel;
use crate::plan::Plan;

/// How long a digest waits for the end of an interval that mutes its receiver, before it asks again.
const MUTED_PAUSE_US: i64 = 60_000_000;
/// Alerts of a message that get a likely cause: those that people read first.
const CAUSES_MAX: usize = 200;

impl State {
    /// A message, or none where the receiver had too many: ends go through, so that nothing stays open, and so does
    /// what is critical, and what goes to a receiver that keeps incidents. What the receiver was never told to fire, because that waits for a digest, has no end for it.
    /// `news` are the alerts that fire since the group was told last.
    pub(super) fn admitted(
        &mut self,
        (plan, now_us): (&Plan, i64),
        (group, why, news): (&mut Group, Why, BTreeSet<String>),
        mut members: BTreeMap<String, Member>,
    ) -> Option<Parcel> {
        let ledger = self.ledgers.entry(group.receiver.clone()).or_default();
        members.retain(|fingerprint, member| {
            let unknown = member.ended_us.is_some() && group.held.remove(fingerprint);
            if unknown {
                ledger.forget(fingerprint);
            }
            !unknown
        });
        let tells_ends = members.values().any(|member| member.ended_us.is_some());
        if matches!(why, Why::AllResolved | Why::SomeResolved) && !tells_ends {
            return None;
        }
        let urgent = members.values().any(|member| severity(&member.entry.labels) == Severity::Critical);
        // A digest is no group: nothing would close the incident that it opens.
        let is_bounded = why != Why::AllResolved && !urgent && !plan.keeps_incidents(&group.receiver);
        if is_bounded && !ledger.admits(plan.cap, now_us) {
            // One whose end is held back still fires for the receiver.
            group.held.extend(news.into_iter().filter(|fingerprint| !ledger.owes_end(fingerprint)));
            ledger.hold(members, plan.cap, now_us);
            return None;
        }
        for fingerprint in members.keys() {
            group.held.remove(fingerprint);
            ledger.forget(fingerprint);
        }
        let mut parcel = parcel(plan, (&*group, why), members, now_us);
        let firing = parcel.notification.alerts.iter_mut().filter(|alert| alert.state == Ended::Firing);
        for alert in firing.take(CAUSES_MAX) {
            let rule = alert.name().to_owned();
            if let Some(cause) = cause(&self.book, plan, (&rule, &alert.labels)) {
                alert.annotations.entry("cause".to_owned()).or_insert(cause);
            }
        }
        Some(parcel)
    }

    /// Digests that are due: what still fires and may be told now, and ends of what the receiver knows. Where nothing
    /// of a digest is left, there is none.
    pub(super) fn digests(&mut self, plan: &Plan, now_us: i64) -> Vec<Parcel> {
        for (receiver, ledger) in &mut self.ledgers {
            ledger.unmute(|end| is_muted(plan, (receiver, end), now_us), plan.cap, now_us);
        }
        if !self.ledgers.values().any(|ledger| ledger.is_due(now_us)) {
            return Vec::new();
        }
        let tellable = self.tellable(plan, now_us);
        let open = self.open(plan, now_us);
        let mut parcels = Vec::new();
        for (receiver, ledger) in &mut self.ledgers {
            if !ledger.is_due(now_us) {
                continue;
            }
            ledger.mute(|end| is_muted(plan, (receiver, end), now_us));
            let open = open.get(receiver);
            if open.is_some_and(Option::is_none) {
                ledger.postpone(now_us.saturating_add(MUTED_PAUSE_US));
                continue;
            }
            let is_open = |fingerprint: &str| match open {
                Some(Some(alerts)) => alerts.contains(fingerprint),
                _ => true,
            };
            // One that keeps incidents since the configuration has changed is told of each group instead.
            let is_whole = !plan.keeps_incidents(receiver);
            ledger.retain(|fingerprint, member| {
                let is_worth = tellable.contains(fingerprint) && is_open(fingerprint);
                is_whole && (member.ended_us.is_some() || is_worth)
            });
            let digest = ledger.due(now_us);
            let told: BTreeSet<String> =
                digest.iter().flat_map(|digest| digest.members.keys().cloned()).collect();
            for group in self.groups.values_mut().filter(|group| group.receiver == *receiver) {
                group.digested(&told);
            }
            let Some(digest) = digest else { continue };
            let labels = Labels::from([("digest".to_owned(), ledger.digests.to_string())]);
            let mut group = Group::new((&plan.route.name, receiver, labels), now_us, plan.route.pace, now_us);
            group.generation = ledger.digests;
            let mut parcel = parcel(plan, (&group, Why::Digest), digest.members, now_us);
            parcel.notification.left_out = digest.left_out;
            parcel.notification.note = Some(format!(
                "{} held back, because this receiver gets at most {} in {}; this one stands for them",
                counted(digest.messages, "message was", "messages were"),
                plan.cap.messages,
                in_words(plan.cap.per)
            ));
            parcels.push(parcel);
        }
        parcels
    }

    /// The alerts of each receiver's groups whose route is not muted; none where all of its groups are.
    fn open(&self, plan: &Plan, now_us: i64) -> BTreeMap<String, Option<BTreeSet<String>>> {
        let mut open: BTreeMap<String, Option<BTreeSet<String>>> = BTreeMap::new();
        for group in self.groups.values() {
            let alerts = open.entry(group.receiver.clone()).or_default();
            let route = plan.route.named(&group.route);
            if route.is_none_or(|route| !muted(plan, route, now_us)) {
                alerts.get_or_insert_default().extend(group.members.keys().cloned());
            }
        }
        open
    }

    /// Alerts that fire and that nothing suppresses.
    fn tellable(&self, plan: &Plan, now_us: i64) -> BTreeSet<String> {
        let firing = self.firing();
        let suppression = self.suppression(plan, &firing, now_us);
        let told =
            firing.iter().filter(|(fingerprint, labels)| suppression.of(fingerprint, labels).is_none());
        told.map(|(fingerprint, _)| fingerprint.clone()).collect()
    }
}

/// Whether all routes on which a receiver is told of an alert are muted. One that was told beside them has none.
fn is_muted(plan: &Plan, (receiver, member): (&String, &Member), now_us: i64) -> bool {
    let routes = plan.route.taken(&member.entry.labels).into_iter();
    let mut routes = routes.filter(|route| route.receivers.contains(receiver)).peekable();
    routes.peek().is_some() && routes.all(|route| muted(plan, route, now_us))
}
