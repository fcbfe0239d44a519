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
use crate::experiment::facts::{Early, Facts};

/// The checks that the times allow: one of all units, and one an arm.
pub(super) fn checks(facts: &Facts, control: usize) -> Vec<Check> {
    let Some(timed) = &facts.parts.timed else { return Vec::new() };
    let of = |arm: usize| timed.rows.iter().find(|row| row.arm as usize == arm);
    let mut checks = Vec::new();
    if let Some(before) = timed.early {
        // Whatever became of an arm that gets no units, it is in no comparison.
        let dealt =
            |row: &&TimingRow| facts.arms.get(row.arm as usize).is_none_or(|arm| !arm.is_switched_off());
        let rows: Vec<TimingRow> = timed.rows.iter().filter(dealt).copied().collect();
        checks.push(early(&rows, before));
    }
    if timed.received {
        let share = |row: Option<&TimingRow>| row.and_then(|row| Share::new(row.late, row.units));
        for arm in facts.tested(control) {
            let found = lateness::lateness(share(of(control)), share(of(arm)), ALPHA);
            checks.push(late(&found, facts.arms[arm].name.clone()));
        }
    }
    checks
}

/// How a check tells what units have from before.
struct Words {
    unknown: &'static str,
    none: &'static str,
    many: (&'static str, &'static str),
    few: &'static str,
    advice: [&'static str; 2],
}

const ROWS: Words = Words {
    unknown: "No row has all of the times, so none can be told to be from before the assignment.",
    none: "No row is from before its unit was assigned.",
    many: (
        "Rows from before the assignment are counted, of",
        "no arm can have caused them, and they hide what it did.",
    ),
    few: "Some rows are from before the assignment, of",
    advice: [
        "Leave out rows from before the assignment, or make them the covariate; where clocks differ, put them right.",
        "Leave out rows from before the assignment.",
    ],
};

const EXPOSURES: Words = Words {
    unknown: "Without units it cannot be told whether any met an arm before the exposure that counts.",
    none: "No unit is known to have met an arm before the exposure that counts.",
    many: (
        "Units had met an arm before the exposure that counts,",
        "what an arm did to them then is missing, or lies before the window.",
    ),
    few: "Some units had met an arm before the exposure that counts,",
    advice: [
        "Send the exposure when the unit is given its arm, and let `start` be the time from which on units are dealt out; where clocks differ, put them right.",
        "Send the exposure when the unit is given its arm.",
    ],
};

fn early(rows: &[TimingRow], before: Early) -> Check {
    let words = match before {
        Early::Rows => &ROWS,
        Early::Exposures => &EXPOSURES,
    };
    let sum = |of: fn(&TimingRow) -> u64| rows.iter().map(of).sum::<u64>();
    let (units, early) = (sum(|row| row.units), sum(|row| row.early));
    let share = if units == 0 { 0.0 } else { early as f64 / units as f64 };
    let counted = format!("{early} of {units} units ({:.2} %)", share * 100.0);
    let (verdict, meaning, advice) = match early {
        _ if units == 0 => (CheckVerdict::Unknown, words.unknown.to_owned(), ""),
        0 => (CheckVerdict::Ok, words.none.to_owned(), ""),
        _ if share > SEVERAL_SHARE_MAX && early >= SEVERAL_MIN => {
            let (what, why) = words.many;
            (CheckVerdict::Failure, format!("{what} {counted}: {why}"), words.advice[0])
        }
        _ => (CheckVerdict::Warning, format!("{} {counted}.", words.few), words.advice[1]),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_units_have_from_before_is_told_as_what_it_is() {
        let of = |early| {
            [
                TimingRow { arm: 0, units: 500, early, late: 0 },
                TimingRow { arm: 1, units: 500, early: 0, late: 0 },
            ]
        };
        for (before, word) in [(Early::Rows, "row"), (Early::Exposures, "met an arm")] {
            for (count, verdict) in
                [(0, CheckVerdict::Ok), (10, CheckVerdict::Warning), (20, CheckVerdict::Failure)]
            {
                let told = early(&of(count), before);
                assert_eq!((told.verdict, told.check.as_str()), (verdict, "exposure_before_assignment"));
                assert!(told.meaning.to_lowercase().contains(word), "{}", told.meaning);
                assert_eq!(count > 0, told.meaning.contains(&format!("{count} of 1000 units")));
                assert_eq!(told.advice.is_empty(), count == 0);
            }
        }
        assert_eq!(early(&[], Early::Exposures).verdict, CheckVerdict::Unknown);
    }
}
