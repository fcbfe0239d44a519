//! Whether rows are from before the assignment, or arrive late in one arm more than in the other. Pure.

use windvane_stats::{
    binomial::Share,
    experiment::health::{
        ALPHA,
        lateness::{self, Arrival},
    },
};
use windvane_store::experiment::TimingRow;
use windvane_types::experiment::{Check, CheckVerdict};

use super::{SEVERAL_MIN, SEVERAL_SHARE_MAX, check};
use crate::experiment::facts::{Facts, Timed};

/// The checks that the times allow: one of all units, and one an arm.
pub(super) fn checks(facts: &Facts, control: usize) -> Vec<Check> {
    let Some(timed) = &facts.parts.timed else { return Vec::new() };
    let of = |arm: usize| timed.rows.iter().find(|row| row.arm as usize == arm);
    let mut checks = Vec::new();
    if timed.assigned {
        checks.push(early(timed));
    }
    if timed.received {
        let share = |row: Option<&TimingRow>| row.and_then(|row| Share::new(row.late, row.units));
        for arm in (0..facts.arms.len()).filter(|arm| *arm != control) {
            let found = lateness::lateness(share(of(control)), share(of(arm)), ALPHA);
            checks.push(late(&found, facts.arms[arm].name.clone()));
        }
    }
    checks
}

fn early(timed: &Timed) -> Check {
    let sum = |of: fn(&TimingRow) -> u64| timed.rows.iter().map(of).sum::<u64>();
    let (units, early) = (sum(|row| row.units), sum(|row| row.early));
    let share = if units == 0 { 0.0 } else { early as f64 / units as f64 };
    let counted = format!("{early} of {units} units ({:.2} %)", share * 100.0);
    let (verdict, meaning, advice) = match early {
        _ if units == 0 => (
            CheckVerdict::Unknown,
            "No row has a time, so none can be told to be from before the assignment.".to_owned(),
            "",
        ),
        0 => (CheckVerdict::Ok, "No row is from before its unit was assigned.".to_owned(), ""),
        _ if share > SEVERAL_SHARE_MAX && early >= SEVERAL_MIN => (
            CheckVerdict::Failure,
            format!(
                "Rows from before the assignment are counted, of {counted}: no arm can have caused them, and they hide what it did."
            ),
            "Leave out rows from before the assignment, or make them the covariate; where clocks differ, put them right.",
        ),
        _ => (
            CheckVerdict::Warning,
            format!("Some rows are from before the assignment, of {counted}."),
            "Leave out rows from before the assignment.",
        ),
    };
    check(
        "exposure_before_assignment",
        verdict,
        (None, Some(share), Some(SEVERAL_SHARE_MAX)),
        (&meaning, advice),
    )
}

fn late(found: &lateness::Lateness, subject: String) -> Check {
    let percent =
        |share: Option<f64>| share.map_or("none".to_owned(), |share| format!("{:.2} %", share * 100.0));
    let shares = format!(
        "{} of the control's units and {} of the arm's",
        percent(found.late_control),
        percent(found.late)
    );
    let (verdict, meaning, advice) = match found.arrival {
        Arrival::Even => {
            (CheckVerdict::Ok, format!("Data arrive alike in both arms: late are {shares}."), "")
        }
        Arrival::Uneven => (
            CheckVerdict::Warning,
            format!(
                "Data of one arm arrive late more often: late are {shares}, so its newest units look worse than they are."
            ),
            "Wait until late data are in, or read only units that are older than the delay, in both arms.",
        ),
        Arrival::Undecided => (
            CheckVerdict::Unknown,
            "Without units in both arms it cannot be told whether data arrive late.".to_owned(),
            "",
        ),
    };
    check("late_data", verdict, (Some(subject), found.p_value, Some(ALPHA)), (&meaning, advice))
}
