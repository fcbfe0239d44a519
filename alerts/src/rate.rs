//! A cap on messages a receiver gets, and the digest of those that go beyond it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::group::{Member, us};

/// Alerts that a digest names; more are counted.
pub const DIGEST_ALERTS_MAX: usize = 500;

/// So many messages in such a span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cap {
    /// Messages.
    pub messages: usize,
    /// The span.
    pub per: Duration,
}

/// What a receiver got lately, and what was held back.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// When messages were made within the last span, microseconds since 1970 UTC.
    pub sent_us: VecDeque<i64>,
    /// What was held back.
    pub digest: Option<Digest>,
    /// How many digests there were.
    pub digests: u64,
    /// Ends out of a digest, by fingerprint, that wait until their route is muted no more.
    #[serde(default)]
    pub muted: BTreeMap<String, Member>,
}

/// Alerts that a receiver will be told of in one message.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Digest {
    /// When it goes out.
    pub due_us: i64,
    /// Messages that it stands for.
    pub messages: u64,
    /// Alerts, by fingerprint, as they were last.
    pub members: BTreeMap<String, Member>,
    /// Alerts that it has no room for.
    pub left_out: u64,
}

impl Ledger {
    /// Whether a message may be made now; it is counted where it may.
    pub fn admits(&mut self, cap: Cap, now_us: i64) -> bool {
        while self.sent_us.front().is_some_and(|sent| now_us.saturating_sub(*sent) >= us(cap.per)) {
            self.sent_us.pop_front();
        }
        if self.digest.is_some() || self.sent_us.len() >= cap.messages {
            return false;
        }
        self.sent_us.push_back(now_us);
        true
    }

    /// Holds the alerts of a message back. The digest goes out when a message may be made again.
    pub fn hold(&mut self, members: BTreeMap<String, Member>, cap: Cap, now_us: i64) {
        let free_us = self.sent_us.front().map_or(now_us, |sent| sent.saturating_add(us(cap.per)));
        let digest = self.digest.get_or_insert_with(|| Digest { due_us: free_us, ..Digest::default() });
        digest.messages += 1;
        for (fingerprint, member) in members {
            self.muted.remove(&fingerprint);
            // An end always has room: nobody would tell it again.
            let room = member.ended_us.is_some()
                || digest.members.len() < DIGEST_ALERTS_MAX
                || digest.members.contains_key(&fingerprint);
            match room {
                true => {
                    digest.members.insert(fingerprint, member);
                }
                false => digest.left_out += 1,
            }
        }
    }

    /// Takes an alert out of the digest.
    pub fn forget(&mut self, fingerprint: &str) {
        self.muted.remove(fingerprint);
        if let Some(digest) = &mut self.digest {
            digest.members.remove(fingerprint);
        }
    }

    /// Keeps alerts of the digest that are still worth telling. Where there is none, the digest is none, either.
    pub fn retain(&mut self, keep: impl Fn(&str, &Member) -> bool) {
        let Some(digest) = &mut self.digest else { return };
        digest.members.retain(|fingerprint, member| keep(fingerprint, member));
        if digest.members.is_empty() {
            self.digest = None;
        }
    }

    /// Takes ends whose route is muted out of the digest: they hold up nothing else.
    pub fn mute(&mut self, is_muted: impl Fn(&Member) -> bool) {
        let Some(digest) = &mut self.digest else { return };
        let is_end = |member: &Member| member.ended_us.is_some() && is_muted(member);
        let ends = digest.members.iter().filter(|(_, member)| is_end(member));
        self.muted.extend(ends.map(|(fingerprint, member)| (fingerprint.clone(), member.clone())));
        digest.members.retain(|_, member| !is_end(member));
    }

    /// Puts ends whose route is muted no more into a digest, as if their message were held back now.
    pub fn unmute(&mut self, is_muted: impl Fn(&Member) -> bool, cap: Cap, now_us: i64) {
        let mut ends = std::mem::take(&mut self.muted);
        for (fingerprint, member) in &ends {
            if is_muted(member) {
                self.muted.insert(fingerprint.clone(), member.clone());
            }
        }
        ends.retain(|fingerprint, _| !self.muted.contains_key(fingerprint));
        if !ends.is_empty() {
            self.hold(ends, cap, now_us);
        }
    }

    /// Whether this alert has an end that the receiver will be told in a digest.
    #[must_use]
    pub fn owes_end(&self, fingerprint: &str) -> bool {
        let member = self.digest.as_ref().and_then(|digest| digest.members.get(fingerprint));
        member.is_some_and(|member| member.ended_us.is_some()) || self.muted.contains_key(fingerprint)
    }

    /// Lets the digest wait.
    pub fn postpone(&mut self, until_us: i64) {
        if let Some(digest) = &mut self.digest {
            digest.due_us = until_us;
        }
    }

    /// Whether the digest goes out now.
    #[must_use]
    pub fn is_due(&self, now_us: i64) -> bool {
        self.digest.as_ref().is_some_and(|digest| digest.due_us <= now_us)
    }

    /// The digest, once it is due; it counts as a message.
    pub fn due(&mut self, now_us: i64) -> Option<Digest> {
        let digest = self.digest.take_if(|digest| digest.due_us <= now_us)?;
        self.sent_us.pop_front();
        self.sent_us.push_back(now_us);
        self.digests += 1;
        Some(digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAP: Cap = Cap { messages: 2, per: Duration::from_micros(100) };

    #[test]
    fn what_goes_beyond_the_cap_is_told_in_one_digest() {
        let mut ledger = Ledger::default();
        assert!(ledger.admits(CAP, 0) && ledger.admits(CAP, 10));
        for now in [20, 30, 40] {
            assert!(!ledger.admits(CAP, now));
            ledger.hold(BTreeMap::new(), CAP, now);
        }
        assert_eq!(ledger.due(99), None);
        let digest = ledger.due(100).unwrap();
        assert_eq!(digest.messages, 3);
        // The digest was a message, and so was that of 10.
        assert!(!ledger.admits(CAP, 105) && ledger.admits(CAP, 110));
    }

    #[test]
    fn never_more_messages_than_the_cap_in_any_span() {
        let mut ledger = Ledger::default();
        let mut sent: Vec<i64> = Vec::new();
        for now in (0..2_000).step_by(7) {
            if let Some(_digest) = ledger.due(now) {
                sent.push(now);
            }
            if ledger.admits(CAP, now) {
                sent.push(now);
            } else {
                ledger.hold(BTreeMap::new(), CAP, now);
            }
        }
        for (at, time) in sent.iter().enumerate() {
            let within = sent[at..].iter().filter(|other| **other - time < 100).count();
            assert!(within <= 2, "{within} from {time} on: {sent:?}");
        }
        assert!(sent.len() > 20);
    }
}
