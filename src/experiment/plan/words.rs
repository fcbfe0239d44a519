//! A plan for a person to read.

use windvane_types::experiment_plan::Document;

use crate::drift::words::{grouped, number};

fn percent(share: f64) -> String {
    format!("{} %", number(share * 100.0))
}

fn in_days(days: f64) -> String {
    match number(days).as_str() {
        "1" => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

/// The text of a plan.
pub(super) fn text(plan: &Document) -> String {
    let mut text = String::new();
    if let Some(traffic) = &plan.traffic {
        text += &format!(
            "{} of {}: {} units came within {}\n",
            traffic.metric,
            traffic.experiment,
            grouped(traffic.units),
            traffic.span
        );
    }
    if let Some(effect) = plan.effect {
        let [shown, not_shown] = aim(plan, effect);
        text += &match plan.units_needed {
            Some(units) => format!(
                "{shown} with a chance of {} by {} units over {} arms ({})\n",
                chance(plan.power),
                grouped(units),
                plan.arms,
                dealt(plan, units)
            ),
            None => other_side(plan, effect).unwrap_or(format!("{not_shown}\n")),
        };
    }
    if let (Some(days), Some(per_day)) = (plan.days, plan.units_per_day) {
        text += &match &plan.traffic {
            None => format!("at {} new units a day that takes {}\n", number(per_day), in_days(days)),
            Some(traffic) => format!(
                "as units came then that takes {}, and {} more until the last one's window is over\n",
                in_days(days),
                number(traffic.window_days)
            ),
        };
    }
    if let Some(units) = plan.units {
        if let Some(power) = plan.power_with_units {
            let verb = if plan.margin.is_some() { "show" } else { "find" };
            text += &format!("{} units {verb} it with a chance of {}\n", number(units), chance(power));
        }
        text += &match plan.minimum_detectable_effect {
            Some(effect) if plan.margin.is_some() => format!(
                "{} units show it of an arm with an effect of {} with a chance of {}\n",
                number(units),
                percent(effect),
                chance(plan.power)
            ),
            Some(effect) => format!(
                "the smallest effect that {} units find with a chance of {} is {}\n",
                number(units),
                chance(plan.power),
                percent(effect)
            ),
            None => format!("{} units find no effect that often\n", number(units)),
        };
    }
    text += &premises(plan);
    if plan.traffic.is_some() && plan.variance <= 0.0 {
        text += "all units with a record have one same value, and those without one are not known to have come: plan without a name, \
                 with `--share`, or `--mean` and `--sd`\n";
    }
    if let Some(traffic) = plan.traffic.as_ref().filter(|_| !plan.from_experiment.is_empty()) {
        text += &format!("taken from {}: {}\n", traffic.experiment, plan.from_experiment.join("; "));
    }
    text
}

/// What the plan stands on: the numbers of a unit, and how the verdict will be made.
fn premises(plan: &Document) -> String {
    format!(
        "{} {}, standard deviation of a unit {}; {} at {}, {}\n",
        plan.quantile.map_or("mean".to_owned(), |q| format!("{q} quantile")),
        number(plan.mean),
        number(plan.variance.sqrt()),
        sides(plan),
        number(plan.alpha),
        match plan.looks {
            Some(looks) => format!("looked at {looks} times"),
            None if plan.stopping == "sequential" => match plan.tuning {
                Some(units) => format!("looked at any time with `--sequential-tuning {units}`"),
                None => "looked at any time".to_owned(),
            },
            None => "looked at once".to_owned(),
        }
    )
}

/// How many of the units an arm gets.
fn dealt(plan: &Document, units: u64) -> String {
    match plan.shares {
        None => format!("{} each", grouped(units.div_ceil(u64::from(plan.arms)))),
        Some([control, arm]) => {
            format!("{} in the control, {} in the smallest other arm", percent(control), percent(arm))
        }
    }
}

/// What the units are for, and what is said where no number of them does it. With a margin nothing has to be found: the arm has to be
/// shown to stay within it.
fn aim(plan: &Document, effect: f64) -> [String; 2] {
    let Some(margin) = plan.margin.map(percent) else {
        let effect = format!("an effect of {}", percent(effect));
        return [format!("{effect} is found"), format!("no number of units finds {effect}")];
    };
    let arm = match effect == 0.0 {
        true => "an arm like the control".to_owned(),
        false => format!("an arm with an effect of {}", percent(effect)),
    };
    [
        format!("{arm} is shown to be worse by no more than {margin}"),
        format!("no number of units shows that {arm} is worse by no more than {margin}"),
    ]
}

/// That an effect lies where a one-sided test does not look.
fn other_side(plan: &Document, effect: f64) -> Option<String> {
    let margin = plan.margin.unwrap_or(0.0);
    match plan.alternative.as_deref() {
        Some("greater") if effect <= -margin => Some(format!(
            "an effect of {} lies on the other side: `--alternative greater` finds effects above {}\n",
            percent(effect),
            percent(-margin)
        )),
        Some("less") if effect >= margin => Some(format!(
            "an effect of {} lies on the other side: `--alternative less` finds effects below {}\n",
            percent(effect),
            percent(margin)
        )),
        _ => None,
    }
}

/// A chance in per cent, with so many digits that one below 1 does not read as certain.
pub(super) fn chance(share: f64) -> String {
    let percent = share * 100.0;
    let text = number(percent);
    if text != "100" || share >= 1.0 {
        return format!("{text} %");
    }
    let missing = (1.0 - share) * 100.0;
    let decimals = usize::try_from(-missing.log10().floor() as i32).unwrap_or(0);
    format!("{} %", format!("{percent:.decimals$}").trim_end_matches('0'))
}

fn sides(plan: &Document) -> String {
    let margin = |side: &str| match plan.margin {
        None => format!("one-sided ({side})"),
        Some(margin) => format!("one-sided ({side}), worse by no more than {} %", number(margin * 100.0)),
    };
    plan.alternative.as_deref().map_or_else(|| "two-sided".to_owned(), margin)
}
