//! A clock that was wrong, and is set back: what was noted by it is no longer in the future, and what was to come comes after as long.

use super::State;
use crate::group::{Group, Member};
use crate::machine::Phase;

/// From which time to which a clock was set back, microseconds since 1970 UTC.
#[derive(Debug, Clone, Copy)]
struct SetBack {
    from_us: i64,
    to_us: i64,
}

impl SetBack {
    fn time(self, us: &mut i64) {
        let Self { from_us, to_us } = self;
        *us = match *us > from_us {
            true => to_us.saturating_add(us.saturating_sub(from_us)),
            false => to_us.min(*us),
        };
    }

    fn phase(self, phase: &mut Phase) {
        match phase {
            Phase::Inactive => {}
            Phase::Pending { since_us } | Phase::Firing { since_us } => self.time(since_us),
            Phase::Recovering { since_us, over_us } => {
                self.time(since_us);
                self.time(over_us);
            }
        }
    }

    fn member(self, member: &mut Member) {
        self.phase(&mut member.entry.phase);
        self.time(&mut member.since_us);
        if let Some(ended_us) = &mut member.ended_us {
            self.time(ended_us);
        }
    }

    fn group(self, group: &mut Group) {
        group.members.values_mut().for_each(|member| self.member(member));
        self.time(&mut group.made_us);
        self.time(&mut group.next_us);
        if let Some(told) = &mut group.told {
            self.time(&mut told.at_us);
            self.time(&mut told.first_us);
        }
    }
}

impl State {
    /// The latest time that was seen, also before a restart.
    #[must_use]
    pub fn latest_us(&self) -> i64 {
        self.looked_us.values().copied().fold(self.now_us, i64::max)
    }

    /// Goes on from this time, which is before the latest that was seen. Rows of what happened stay as they are.
    pub fn set_back(&mut self, to_us: i64) {
        let back = SetBack { from_us: self.latest_us(), to_us };
        self.now_us = to_us;
        self.book.entries.values_mut().for_each(|entry| back.phase(&mut entry.phase));
        self.looked_after.values_mut().for_each(|since_us| back.time(since_us));
        self.groups.values_mut().for_each(|group| back.group(group));
        for parcel in &mut self.outbox.parcels {
            back.time(&mut parcel.made_us);
            back.time(&mut parcel.next_us);
        }
        for ledger in self.ledgers.values_mut() {
            ledger.sent_us.iter_mut().for_each(|sent_us| back.time(sent_us));
            if let Some(digest) = &mut ledger.digest {
                back.time(&mut digest.due_us);
                digest.members.values_mut().for_each(|member| back.member(member));
            }
            ledger.muted.values_mut().for_each(|member| back.member(member));
        }
        self.looked_us.values_mut().for_each(|looked_us| back.time(looked_us));
        self.given_up.iter_mut().for_each(|(_, at_us)| back.time(at_us));
        self.failing.values_mut().for_each(|failing| back.time(&mut failing.since_us));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_stays_in_the_past_and_what_was_to_come_comes_after_as_long() {
        let back = SetBack { from_us: 1_000, to_us: 100 };
        for (before, after) in
            [(-5, -5), (99, 99), (100, 100), (101, 100), (1_000, 100), (1_001, 101), (1_300, 400)]
        {
            let mut us = before;
            back.time(&mut us);
            assert_eq!(us, after, "{before}");
        }
    }
}
