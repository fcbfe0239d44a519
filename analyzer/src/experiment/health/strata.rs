//! Whether units of every stratum were dealt out alike. Pure.

use windvane_stats::experiment::health::{
    ALPHA,
    imbalance::Balance,
    strata::{self, Dealt, Strata},
};
use windvane_types::experiment::{Check, CheckVerdict};

use super::check;
use crate::experiment::facts::Facts;

/// One check an arm, where there are strata.
pub(super) fn checks(facts: &Facts, control: usize) -> Vec<Check> {
    let strata_units = &facts.parts.strata_units;
    if strata_units.is_empty() {
        return Vec::new();
    }
    let units = |stratum: &[u64], arm: usize| stratum.get(arm).copied().unwrap_or_default();
    let told_of = |arm: usize| {
        let dealt: Vec<Dealt> = strata_units
            .iter()
            .map(|stratum| Dealt { control: units(stratum, control), arm: units(stratum, arm) })
            .collect();
        told(&strata::strata(&dealt, ALPHA), facts.arms[arm].name.clone())
    };
    facts.tested(control).map(told_of).collect()
}

fn told(found: &Strata, subject: String) -> Check {
    let pooled = match found.pooled {
        0 => String::new(),
        pooled => format!(" ({pooled} with few units as one)"),
    };
    let (verdict, meaning, advice) = match found.balance {
        Balance::Imbalanced => (
            CheckVerdict::Failure,
            format!(
                "The strata{pooled} are mixed unlike in the arm and the control, and chance does not explain it."
            ),
            "Post-stratification puts the mixture right, but not its cause: look for units that are lost or dealt out wrongly in some strata, shares that were changed on the way, or a column that an arm changes.",
        ),
        Balance::Balanced => {
            (CheckVerdict::Ok, format!("The strata{pooled} are mixed alike in the arm and the control."), "")
        }
        Balance::Undecided => (
            CheckVerdict::Unknown,
            "Too few strata with units enough tell whether they are mixed alike.".to_owned(),
            "",
        ),
    };
    check("strata_balance", verdict, (Some(subject), found.p_value, Some(ALPHA)), (&meaning, advice))
}
