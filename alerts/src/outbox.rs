//! The outbox: messages until their receiver has taken them, or until there is no more hope.
//!
//! A parcel is written down before its first attempt, and that an attempt begins is written down before it. So a crash leaves
//! either a parcel that was not sent, or one whose attempt may have arrived: that one is sent again under the same id, which
//! receivers that know ids take once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::delivery::Attempt;
use crate::group::us;
use crate::notification::{Alert, Notification, State};

/// Parcels at most; the oldest that is not just being sent is given up where there are more.
pub const PARCELS_MAX: usize = 1_000;
/// The first pause; each further one is twice as long.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// The longest pause that a receiver did not ask for.
const PAUSE_MAX: Duration = Duration::from_secs(300);
/// The longest pause that a receiver may ask for.
const ASKED_MAX: Duration = Duration::from_secs(3_600);

/// A message on its way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Parcel {
    /// What is sent; its id is the parcel's.
    pub notification: Notification,
    /// The how manieth message of its group it is.
    pub generation: u64,
    /// When it was made, microseconds since 1970 UTC.
    pub made_us: i64,
    /// Attempts that were begun.
    pub attempts: u64,
    /// When the next one is due.
    pub next_us: i64,
    /// What came of the last one.
    pub last: String,
    /// Other receivers that got the same message: they need no copy where this one is given up.
    #[serde(default)]
    pub also: BTreeSet<String>,
}

/// What became of a parcel after an attempt.
#[derive(Debug, Clone, PartialEq)]
pub enum Settled {
    /// The receiver has it.
    Taken(Parcel),
    /// It is tried again.
    Again,
    /// A newer message says more.
    Superseded(Parcel),
    /// It was refused, or nobody took it for too long.
    Dead(Parcel),
}

/// Parcels in the order in which they were made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Outbox {
    /// The oldest first.
    pub parcels: Vec<Parcel>,
}

impl Outbox {
    /// Puts a message in. An older one of the same group and receiver that is not just being sent leaves, and the ends
    /// that it tells go along in the newer one. The oldest leaves where the box is full.
    pub fn post(&mut self, mut parcel: Parcel, busy: &BTreeSet<String>) -> Vec<Settled> {
        let key = of_group(&parcel);
        let older = |other: &Parcel| of_group(other) == key && !busy.contains(&other.notification.id);
        let superseded: Vec<Parcel> = self.parcels.extract_if(.., |other| older(other)).collect();
        for other in superseded.iter().rev() {
            carry_ends(other, &mut parcel);
        }
        let mut left: Vec<Settled> = superseded.into_iter().map(Settled::Superseded).collect();
        if self.parcels.len() >= PARCELS_MAX {
            let waits = |parcel: &Parcel| !busy.contains(&parcel.notification.id);
            let at = self.parcels.iter().position(waits).unwrap_or(0);
            let mut oldest = self.parcels.remove(at);
            oldest.last = format!("the outbox holds {PARCELS_MAX} messages, and this was the oldest");
            left.push(Settled::Dead(oldest));
        }
        self.parcels.push(parcel);
        left
    }

    /// Takes out what may be sent now, with its attempt counted: at most `each` at a time to one receiver, and never two of
    /// one group, so that they arrive in order.
    pub fn begin(&mut self, busy: &BTreeSet<String>, each: usize, now_us: i64) -> Vec<Parcel> {
        let mut begun: Vec<Parcel> = Vec::new();
        let mut groups: BTreeSet<(String, String)> = BTreeSet::new();
        let mut receivers: Vec<String> = self
            .parcels
            .iter()
            .filter(|parcel| busy.contains(&parcel.notification.id))
            .map(|parcel| parcel.notification.receiver.clone())
            .collect();
        for parcel in &mut self.parcels {
            let first = groups.insert(of_group(parcel));
            let receiver = &parcel.notification.receiver;
            let free = receivers.iter().filter(|other| *other == receiver).count() < each;
            if !first || !free || busy.contains(&parcel.notification.id) || parcel.next_us > now_us {
                continue;
            }
            parcel.attempts += 1;
            receivers.push(receiver.clone());
            begun.push(parcel.clone());
        }
        begun
    }

    /// Notes what came of an attempt.
    pub fn settle(
        &mut self,
        id: &str,
        attempt: &Attempt,
        (give_up_after, now_us): (Duration, i64),
    ) -> Option<Settled> {
        let at = self.parcels.iter().position(|parcel| parcel.notification.id == id)?;
        let key = of_group(&self.parcels[at]);
        let newer = self.parcels[at + 1..].iter().position(|other| of_group(other) == key);
        let parcel = &mut self.parcels[at];
        let (answer, asked) = match attempt {
            Attempt::Taken(answer) => {
                parcel.last.clone_from(answer);
                return Some(Settled::Taken(self.parcels.remove(at)));
            }
            Attempt::Refused(answer) => {
                parcel.last.clone_from(answer);
                return Some(Settled::Dead(self.parcels.remove(at)));
            }
            Attempt::Later { answer, pause } => (answer, *pause),
        };
        parcel.last.clone_from(answer);
        parcel.next_us = now_us.saturating_add(us(pause(parcel, asked)));
        if let Some(after) = newer {
            let older = self.parcels.remove(at);
            // What came after it has moved up by one.
            carry_ends(&older, &mut self.parcels[at + after]);
            return Some(Settled::Superseded(older));
        }
        if parcel.next_us.saturating_sub(parcel.made_us) > us(give_up_after) {
            return Some(Settled::Dead(self.parcels.remove(at)));
        }
        Some(Settled::Again)
    }

    /// When an attempt may begin next, with so many at a time to one receiver. What waits for an attempt in flight is not counted:
    /// the end of that one is noticed by itself, and until then looking again finds nothing.
    #[must_use]
    pub fn next_us(&self, busy: &BTreeSet<String>, each: usize) -> Option<i64> {
        let is_busy = |parcel: &Parcel| busy.contains(&parcel.notification.id);
        let mut in_flight: BTreeMap<&str, usize> = BTreeMap::new();
        for parcel in self.parcels.iter().filter(|parcel| is_busy(parcel)) {
            *in_flight.entry(parcel.notification.receiver.as_str()).or_default() += 1;
        }
        let mut groups: BTreeSet<(String, String)> = BTreeSet::new();
        let may_begin = |parcel: &&Parcel| {
            let first = groups.insert(of_group(parcel));
            let others = in_flight.get(parcel.notification.receiver.as_str()).copied().unwrap_or_default();
            first && others < each && !is_busy(parcel)
        };
        self.parcels.iter().filter(may_begin).map(|parcel| parcel.next_us).min()
    }
}

/// Receiver and group: what messages of one thing to one person have alike.
fn of_group(parcel: &Parcel) -> (String, String) {
    (parcel.notification.receiver.clone(), parcel.notification.group_key())
}

/// Puts ends that only an older message tells into the newer one of its group, so that none is lost with it. What the
/// newer one knows better, such as that an alert fires again, stays.
fn carry_ends(older: &Parcel, newer: &mut Parcel) {
    let alerts = &mut newer.notification.alerts;
    let known: BTreeSet<String> = alerts.iter().map(Alert::fingerprint).collect();
    let ended = older.notification.alerts.iter().filter(|alert| alert.state == State::Resolved);
    alerts.extend(ended.filter(|alert| !known.contains(&alert.fingerprint())).cloned());
}

/// The pause after an attempt: twice the one before, up to a quarter shorter, so that many do not come back at once; or what was
/// asked for, where that is longer: who asks for none at all would be asked without one. By how much it is shorter is drawn from
/// the id, so that the same parcel waits alike in every process.
fn pause(parcel: &Parcel, asked: Option<Duration>) -> Duration {
    let doublings = u32::try_from(parcel.attempts.saturating_sub(1)).unwrap_or(u32::MAX).min(16);
    let full = PAUSE_MIN.saturating_mul(1 << doublings).min(PAUSE_MAX);
    let draw = crate::notification::hash(&format!("{}/{}", parcel.notification.id, parcel.attempts)) % 1_000;
    let own = full.mul_f64(1.0 - 0.25 * draw as f64 / 1_000.0);
    asked.map_or(own, |asked| asked.min(ASKED_MAX).max(own))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn parcel(id: &str, group: &str) -> Parcel {
        let mut notification = Notification::test("ops", id.to_owned(), Timestamp::UNIX_EPOCH);
        notification.group.insert("model".to_owned(), group.to_owned());
        Parcel {
            notification,
            generation: 1,
            made_us: 0,
            attempts: 0,
            next_us: 0,
            last: String::new(),
            also: BTreeSet::new(),
        }
    }

    fn ids(parcels: &[Parcel]) -> Vec<&str> {
        parcels.iter().map(|parcel| parcel.notification.id.as_str()).collect()
    }

    fn later(pause: Option<u64>) -> Attempt {
        Attempt::Later { answer: "500".to_owned(), pause: pause.map(Duration::from_secs) }
    }

    #[test]
    fn a_newer_message_of_a_group_takes_the_place_of_an_older_one() {
        let (mut outbox, nobody) = (Outbox::default(), BTreeSet::new());
        outbox.post(parcel("1", "a"), &nobody);
        outbox.post(parcel("2", "b"), &nobody);
        let left = outbox.post(parcel("3", "a"), &nobody);
        assert!(matches!(&left[..], [Settled::Superseded(old)] if old.notification.id == "1"));
        assert_eq!(ids(&outbox.parcels), ["2", "3"]);
        // One that is just being sent stays, and the newer one waits for it.
        let busy = BTreeSet::from(["3".to_owned()]);
        assert!(outbox.post(parcel("4", "a"), &busy).is_empty());
        assert_eq!(ids(&outbox.begin(&busy, 5, 0)), ["2"]);
        let settled = outbox.settle("3", &later(None), (DAY, 1)).unwrap();
        assert!(matches!(settled, Settled::Superseded(old) if old.notification.id == "3"));
    }

    /// A parcel of group `a` with alerts by name.
    fn telling(id: &str, alerts: &[(&str, State)]) -> Parcel {
        let mut parcel = parcel(id, "a");
        let sample = parcel.notification.alerts.remove(0);
        for (name, state) in alerts {
            let mut alert = Alert { state: *state, ..sample.clone() };
            alert.labels.insert("column".to_owned(), (*name).to_owned());
            parcel.notification.alerts.push(alert);
        }
        parcel
    }

    fn told(parcel: &Parcel) -> Vec<(&str, State)> {
        let alerts = parcel.notification.alerts.iter();
        alerts.map(|alert| (alert.labels["column"].as_str(), alert.state)).collect()
    }

    #[test]
    fn an_end_goes_along_in_the_message_that_takes_the_place_of_its_own() {
        use State::{Firing, Resolved};
        let expected = [("b", Firing), ("c", Firing), ("a", Resolved)];
        let older = || telling("1", &[("b", Resolved), ("d", Firing), ("a", Resolved)]);
        let newer = || telling("2", &[("b", Firing), ("c", Firing)]);

        let mut outbox = Outbox::default();
        outbox.post(older(), &BTreeSet::new());
        outbox.post(newer(), &BTreeSet::new());
        assert_eq!(ids(&outbox.parcels), ["2"]);
        assert_eq!(told(&outbox.parcels[0]), expected);

        // The same where the older one is just being sent and is not taken, but not where it is.
        for (attempt, expected) in
            [(later(None), &expected[..]), (Attempt::Taken("ok".to_owned()), &expected[..2])]
        {
            let (mut outbox, busy) = (Outbox::default(), BTreeSet::from(["1".to_owned()]));
            outbox.post(older(), &BTreeSet::new());
            outbox.post(parcel("3", "other"), &busy);
            outbox.post(newer(), &busy);
            outbox.settle("1", &attempt, (DAY, 1));
            assert_eq!(ids(&outbox.parcels), ["3", "2"]);
            assert_eq!(told(&outbox.parcels[1]), expected);
        }
    }

    #[test]
    fn a_receiver_gets_so_many_at_a_time() {
        let (mut outbox, mut busy) = (Outbox::default(), BTreeSet::new());
        for i in 0..5 {
            outbox.post(parcel(&i.to_string(), &i.to_string()), &busy);
        }
        assert_eq!(ids(&outbox.begin(&busy, 2, 0)), ["0", "1"]);
        busy.extend(["0".to_owned(), "1".to_owned()]);
        assert!(outbox.begin(&busy, 2, 0).is_empty());
        busy.remove("0");
        outbox.settle("0", &Attempt::Taken("ok".to_owned()), (DAY, 1));
        assert_eq!(ids(&outbox.begin(&busy, 2, 1)), ["2"]);
    }

    #[test]
    fn what_waits_for_an_attempt_in_flight_is_not_looked_at_until_it_has_ended() {
        let (mut outbox, mut busy) = (Outbox::default(), BTreeSet::new());
        for (id, group) in [("1", "a"), ("2", "b"), ("3", "c")] {
            outbox.post(parcel(id, group), &busy);
        }
        assert_eq!(outbox.next_us(&busy, 2), Some(0));
        busy.extend(["1".to_owned(), "2".to_owned()]);
        assert_eq!(outbox.next_us(&busy, 2), None, "the receiver has as many as it takes at a time");
        assert_eq!(outbox.next_us(&busy, 3), Some(0));
        // A newer message of a group waits for the one that is being sent.
        busy.remove("2");
        outbox.post(parcel("4", "a"), &busy);
        outbox.parcels.retain(|parcel| ["1", "4"].contains(&parcel.notification.id.as_str()));
        assert_eq!(outbox.next_us(&busy, 2), None);
        busy.remove("1");
        assert_eq!(outbox.next_us(&busy, 2), Some(0));
    }

    #[test]
    fn pauses_double_are_jittered_and_end() {
        let mut parcel = parcel("x", "a");
        let mut before = Duration::ZERO;
        for attempt in 1..=20 {
            parcel.attempts = attempt;
            let full = PAUSE_MIN.saturating_mul(1 << (attempt - 1).min(16)).min(PAUSE_MAX);
            let pause = pause(&parcel, None);
            assert!(pause <= full && pause >= full.mul_f64(0.75), "{attempt}: {pause:?}");
            assert!(pause >= before || full == PAUSE_MAX, "{attempt}");
            before = pause;
        }
        assert_eq!(pause(&parcel, Some(DAY)), ASKED_MAX);
        // An answer that asks for a shorter one, or names a time that is over by our clock, makes nobody faster.
        assert_eq!(pause(&parcel, Some(Duration::ZERO)), pause(&parcel, None));
        parcel.attempts = 1;
        assert!(pause(&parcel, Some(Duration::ZERO)) >= PAUSE_MIN.mul_f64(0.75));
        assert_eq!(pause(&parcel, Some(Duration::from_secs(7))), Duration::from_secs(7));
    }

    #[test]
    fn a_parcel_is_given_up_when_refused_or_when_its_time_is_over() {
        let mut outbox = Outbox::default();
        outbox.post(parcel("1", "a"), &BTreeSet::new());
        outbox.begin(&BTreeSet::new(), 1, 0);
        assert_eq!(outbox.settle("1", &later(None), (DAY, us(DAY) - 2_000_000)), Some(Settled::Again));
        let settled = outbox.settle("1", &later(Some(3)), (DAY, us(DAY) - 2_000_000));
        assert!(matches!(settled, Some(Settled::Dead(dead)) if dead.last == "500"));
        outbox.post(parcel("2", "a"), &BTreeSet::new());
        let refused = Attempt::Refused("404".to_owned());
        assert!(matches!(outbox.settle("2", &refused, (DAY, 0)), Some(Settled::Dead(_))));
        assert!(outbox.parcels.is_empty());
    }

    #[test]
    fn a_full_outbox_gives_up_its_oldest() {
        let (mut outbox, nobody) = (Outbox::default(), BTreeSet::new());
        for i in 0..PARCELS_MAX {
            assert!(outbox.post(parcel(&i.to_string(), &i.to_string()), &nobody).is_empty());
        }
        let left = outbox.post(parcel("new", "new"), &nobody);
        assert!(matches!(&left[..], [Settled::Dead(oldest)] if oldest.notification.id == "0"));
        assert_eq!(outbox.parcels.len(), PARCELS_MAX);
        // One that is being sent may be taken yet.
        let busy = BTreeSet::from(["1".to_owned(), "2".to_owned()]);
        let left = outbox.post(parcel("newer", "newer"), &busy);
        assert!(matches!(&left[..], [Settled::Dead(oldest)] if oldest.notification.id == "3"));
        assert!(matches!(
            outbox.settle("1", &Attempt::Taken(String::new()), (DAY, 0)),
            Some(Settled::Taken(_))
        ));
    }
}
