//! Sending: attempts that run beside the loop, and what is done about their answers.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use windvane_store::alerts::notifications::Attempted;
use windvane_types::span::in_words;

use super::{Alerter, Done};
use crate::delivery::{ATTEMPT_MAX, Attempt};
use crate::group::us;
use crate::illustrate::illustrated;
use crate::message::Message;
use crate::notification::{Notification, State as Ended};
use crate::outbox::{Parcel, Settled};
use crate::plan::Plan;
use crate::receiver::IDLE_MAX;
use crate::rule::Source;
use crate::watch::Measured;

/// For how long a message that was given up is measured.
const GIVEN_UP_US: i64 = 3_600_000_000;

impl Alerter {
    pub(super) fn undelivered(&mut self, now_us: i64) -> Vec<Measured> {
        self.state.given_up.retain(|(_, at)| now_us.saturating_sub(*at) < GIVEN_UP_US);
        let mut counts: BTreeMap<&str, f64> = BTreeMap::new();
        for (receiver, _) in &self.state.given_up {
            *counts.entry(receiver).or_default() += 1.0;
        }
        let measured = counts.into_iter().map(|(receiver, value)| {
            let labels = [("receiver".to_owned(), receiver.to_owned())].into();
            Measured::new("undelivered", labels, value)
        });
        measured.collect()
    }

    pub(super) fn begin_attempt(&mut self, mut parcel: Parcel) {
        self.busy.insert(parcel.notification.id.clone());
        let (plan, store) = (self.plan.clone(), self.store.clone());
        self.works.push(Box::pin(async move {
            parcel.notification = illustrated(&store, parcel.notification).await;
            let begun = Instant::now();
            let name = parcel.notification.receiver.as_str();
            let attempt = match plan.receivers.iter().find(|receiver| receiver.name() == name) {
                None => Attempt::Refused("the configuration has no such receiver any more".to_owned()),
                Some(receiver) => {
                    let message = Message::of(&parcel.notification);
                    let attempt = receiver.attempt(&parcel.notification, &message);
                    let limit = receiver.attempt_max();
                    tokio::time::timeout(limit, attempt).await.unwrap_or_else(|_| Attempt::Later {
                        answer: format!("no answer within {}", in_words(limit)),
                        pause: None,
                    })
                }
            };
            Done::Sent { parcel: Box::new(parcel), attempt, took: begun.elapsed() }
        }));
    }

    /// Connections that receivers keep and that nobody has used for a while are closed beside the loop.
    pub(super) fn close_idle(&mut self) {
        for receiver in &self.plan.receivers {
            if let Some(closing) = receiver.closing(IDLE_MAX) {
                self.works.push(Box::pin(async move {
                    closing.await;
                    Done::Closed
                }));
            }
        }
    }

    pub(super) fn begin_beat(&mut self, now_us: i64) {
        let Some(heartbeat) = &self.plan.heartbeat else { return };
        if now_us < self.beat_us || !self.authority.holds() {
            return;
        }
        // A process that has not looked for long is not well, even where its loop still turns.
        let looked = self.state.looked_us.values().max().copied().unwrap_or(now_us);
        if now_us.saturating_sub(looked) > 3 * us(self.plan.every).max(us(heartbeat.every)) {
            return;
        }
        self.beat_us = now_us.saturating_add(us(heartbeat.every));
        let plan = self.plan.clone();
        let now = self.clock.now();
        self.works.push(Box::pin(async move {
            let Some(heartbeat) = &plan.heartbeat else { return Done::Beaten(Attempt::Taken(String::new())) };
            let notification = Notification::heartbeat(heartbeat.receiver.name(), now);
            let message = Message::of(&notification);
            let attempt = heartbeat.receiver.attempt(&notification, &message);
            Done::Beaten(tokio::time::timeout(ATTEMPT_MAX, attempt).await.unwrap_or_else(|_| {
                Attempt::Later { answer: format!("no answer within {}", in_words(ATTEMPT_MAX)), pause: None }
            }))
        }));
    }

    pub(super) fn sent(&mut self, parcel: Parcel, (attempt, took): (&Attempt, Duration), now_us: i64) {
        let id = &parcel.notification.id;
        self.busy.remove(id);
        // The charts that it was sent with stay with it, so that it is the same when it is sent again.
        if let Some(own) = self.state.outbox.parcels.iter_mut().find(|own| own.notification.id == *id) {
            own.notification = parcel.notification.clone();
        }
        let (outcome, answer) = match attempt {
            Attempt::Taken(answer) => ("taken", answer),
            Attempt::Later { answer, .. } => ("later", answer),
            Attempt::Refused(answer) => ("refused", answer),
        };
        let receiver = parcel.notification.receiver.as_str();
        self.metrics.attempts.with_label_values(&[receiver, outcome]).inc();
        tracing::info!(receiver, outcome, answer, attempt = parcel.attempts, id, "a notification was sent");
        let row = self.row(&parcel, (outcome, answer), (took, now_us));
        self.state.attempts.push_back(row);
        let settled = self.state.outbox.settle(id, attempt, (self.plan.give_up_after, now_us));
        if let Some(settled) = settled {
            self.settled(settled, now_us);
        }
    }

    /// What is done for parcels that leave without having been taken.
    pub(super) fn settled(&mut self, settled: Settled, now_us: i64) {
        match settled {
            Settled::Taken(_) | Settled::Again => {}
            Settled::Superseded(parcel) => {
                let row =
                    self.row(&parcel, ("superseded", "a newer message says more"), (Duration::ZERO, now_us));
                self.state.attempts.push_back(row);
            }
            Settled::Dead(parcel) => {
                let receiver = parcel.notification.receiver.clone();
                tracing::error!(
                    receiver,
                    answer = parcel.last,
                    id = parcel.notification.id,
                    "a notification is given up"
                );
                self.metrics.undelivered.with_label_values(&[&receiver]).inc();
                let row = self.row(&parcel, ("dead", &parcel.last), (Duration::ZERO, now_us));
                self.state.attempts.push_back(row);
                if !only_tells_of_undelivered(&self.plan, &parcel.notification) {
                    self.state.given_up.push((receiver, now_us));
                }
                for fallback in self.state.to_fallback(&self.plan, &parcel, now_us) {
                    // At most one message a group and receiver waits, so this ends.
                    for settled in self.state.outbox.post(fallback, &self.busy) {
                        self.settled(settled, now_us);
                    }
                }
            }
        }
        while self.state.attempts.len() > crate::desk::ROWS_WAITING_MAX {
            self.state.attempts.pop_front();
            self.state.rows_dropped += 1;
        }
    }

    fn row(
        &self,
        parcel: &Parcel,
        (outcome, answer): (&str, &str),
        (took, at_us): (Duration, i64),
    ) -> Attempted {
        let notification = &parcel.notification;
        let count =
            |state: Ended| notification.alerts.iter().filter(|alert| alert.state == state).count() as u64;
        Attempted {
            at_us,
            receiver: notification.receiver.clone(),
            id: notification.id.clone(),
            attempt: parcel.attempts,
            outcome: outcome.to_owned(),
            answer: answer.to_owned(),
            reason: notification.reason.clone(),
            group_key: notification.group_key(),
            generation: parcel.generation,
            firing: count(Ended::Firing),
            resolved: count(Ended::Resolved),
            subject: Message::of(notification).subject,
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            holder: self.holder.clone(),
        }
    }
}

/// Whether a message says nothing but that others were not delivered. One that is given up is not measured again: what a broken
/// receiver is told of that would be the next reason to tell it, each hour, for as long as it is broken and after that.
fn only_tells_of_undelivered(plan: &Plan, notification: &Notification) -> bool {
    let is_of = |name: &str| {
        let rule = plan.rules.iter().find(|rule| rule.name == name);
        rule.is_some_and(|rule| matches!(rule.source, Source::Own { measure: "undelivered" }))
    };
    notification.alerts.iter().all(|alert| is_of(alert.name()))
}
