//! The states of one alert: inactive → pending → firing → recovering → inactive again, which is told as resolved.
//!
//! `step` is a function of the state, what was seen, and the time; whoever calls it owns the clock.

use serde::{Deserialize, Serialize};

/// What one look says of the condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// It is beyond the threshold to enter.
    Entered,
    /// It is between the two thresholds.
    Remains,
    /// It is on the right side of both.
    Left,
    /// There is nothing to tell it by.
    Nothing,
}

/// What no data means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoData {
    /// That all is well.
    Ok,
    /// That something is wrong, for as long as data that are wrong would take to fire.
    Alert,
    /// Nothing: the state stays, for [`KEEP_MAX_US`].
    Keep,
}

/// How long [`NoData::Keep`] keeps a state after what was observed last, microseconds: a fortnight.
pub const KEEP_MAX_US: i64 = 14 * 86_400 * 1_000_000;

/// For how long something has to be so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// The condition has to hold this long before it fires, microseconds.
    pub for_us: i64,
    /// It has to be over this long before it is resolved, microseconds.
    pub keep_firing_for_us: i64,
    /// What no data means.
    pub no_data: NoData,
}

/// Where an alert is. All times are microseconds since 1970 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum Phase {
    /// Nothing is wrong.
    Inactive,
    /// Something is wrong since then.
    Pending {
        /// Since when.
        since_us: i64,
    },
    /// People are told, since then.
    Firing {
        /// Since when.
        since_us: i64,
    },
    /// It fires since then, and what was wrong is over since a later time.
    Recovering {
        /// Since when it fires.
        since_us: i64,
        /// Since when it is over.
        over_us: i64,
    },
}

/// Why a state changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The condition holds.
    Entered,
    /// It has held for long enough.
    Held,
    /// It holds no more.
    Left,
    /// It has been over for long enough.
    Over,
    /// It holds again.
    Returned,
    /// There are no data, and the rule says what that means.
    NoData,
    /// The rule is gone.
    RuleGone,
    /// The rule is another one than before, and would not make this alert.
    RuleChanged,
}

impl Timing {
    /// The timing where what was observed last is this old: what was to be kept is over after [`KEEP_MAX_US`],
    /// or after two windows where those are longer.
    #[must_use]
    pub fn aged(self, age_us: i64, window_us: i64) -> Self {
        match self.no_data {
            NoData::Keep if age_us > KEEP_MAX_US.max(window_us.saturating_mul(2)) => {
                Self { no_data: NoData::Ok, ..self }
            }
            _ => self,
        }
    }
}

impl Why {
    /// The word in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Entered => "entered",
            Self::Held => "held",
            Self::Left => "left",
            Self::Over => "over",
            Self::Returned => "returned",
            Self::NoData => "no_data",
            Self::RuleGone => "rule_gone",
            Self::RuleChanged => "rule_changed",
        }
    }
}

impl Phase {
    /// The word in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Pending { .. } => "pending",
            Self::Firing { .. } => "firing",
            Self::Recovering { .. } => "recovering",
        }
    }

    /// Whether people are told.
    #[must_use]
    pub const fn fires(self) -> bool {
        matches!(self, Self::Firing { .. } | Self::Recovering { .. })
    }

    /// Since when it is pending, or fires.
    #[must_use]
    pub const fn since_us(self) -> Option<i64> {
        match self {
            Self::Inactive => None,
            Self::Pending { since_us } | Self::Firing { since_us } | Self::Recovering { since_us, .. } => {
                Some(since_us)
            }
        }
    }
}

/// The next state, and why it is another one; the state of one that is over is [`Phase::Inactive`].
#[must_use]
pub fn step(phase: Phase, seen: Seen, timing: &Timing, now_us: i64) -> (Phase, Option<Why>) {
    let (seen, no_data) = match (seen, timing.no_data) {
        (Seen::Nothing, NoData::Keep) => return (phase, None),
        (Seen::Nothing, NoData::Ok) => (Seen::Left, true),
        (Seen::Nothing, NoData::Alert) => (Seen::Entered, true),
        (seen, _) => (seen, false),
    };
    let why = |why: Why| Some(if no_data { Why::NoData } else { why });
    let long = |since_us: i64, length_us: i64| now_us.saturating_sub(since_us) >= length_us;
    match (phase, seen) {
        (Phase::Inactive, Seen::Entered) if timing.for_us <= 0 => {
            (Phase::Firing { since_us: now_us }, why(Why::Entered))
        }
        (Phase::Inactive, Seen::Entered) => (Phase::Pending { since_us: now_us }, why(Why::Entered)),
        (Phase::Inactive, _) => (phase, None),
        (Phase::Pending { since_us }, Seen::Entered) if long(since_us, timing.for_us) => {
            (Phase::Firing { since_us: now_us }, why(Why::Held))
        }
        (Phase::Pending { .. }, Seen::Entered) => (phase, None),
        (Phase::Pending { .. }, _) => (Phase::Inactive, why(Why::Left)),
        (Phase::Firing { since_us }, Seen::Left) => match timing.keep_firing_for_us {
            ..=0 => (Phase::Inactive, why(Why::Left)),
            _ => (Phase::Recovering { since_us, over_us: now_us }, why(Why::Left)),
        },
        (Phase::Firing { .. }, _) => (phase, None),
        (Phase::Recovering { over_us, .. }, Seen::Left) if long(over_us, timing.keep_firing_for_us) => {
            (Phase::Inactive, why(Why::Over))
        }
        (Phase::Recovering { .. }, Seen::Left) => (phase, None),
        (Phase::Recovering { since_us, .. }, _) => (Phase::Firing { since_us }, why(Why::Returned)),
    }
}

#[cfg(test)]
mod tests;
