//! `windvane experiment plan`: how many units an experiment needs, what it would find, and how long it takes.

use clap::Args;
use windvane_stats::experiment::plan::{Allocation, Baseline, Plan, Stopping, search::Direction};
use windvane_types::experiment_plan::{Document, SCHEMA};

use super::arguments::usage;
use crate::drift::words::{grouped, number};
use crate::exit::{CommandResult, Failure};
use crate::output::print;

/// Plan an experiment: the units it needs for an effect, or the smallest effect that its units find.
#[derive(Debug, Args)]
pub struct PlanArguments {
    /// The metric's mean over units before the experiment.
    #[arg(
        long,
        value_name = "M",
        requires = "sd",
        required_unless_present = "share",
        conflicts_with = "share"
    )]
    mean: Option<f64>,
    /// The standard deviation of one unit, over a span as long as the experiment.
    #[arg(long, value_name = "S", requires = "mean")]
    sd: Option<f64>,
    /// A proportion's share before the experiment, in place of mean and standard deviation.
    #[arg(long, value_name = "P")]
    share: Option<f64>,
    /// The relative effect that is to be found: 0.05 is five per cent of the control.
    #[arg(long, value_name = "SHARE", required_unless_present = "units", allow_negative_numbers = true)]
    effect: Option<f64>,
    /// The units over all arms that there will be.
    #[arg(long, value_name = "N")]
    units: Option<f64>,
    /// New units a day over all arms; tells how many days it takes.
    #[arg(long, value_name = "N")]
    units_per_day: Option<f64>,
    /// The arms, the control among them, with equal shares.
    #[arg(long, value_name = "N", default_value_t = 2)]
    arms: u32,
    /// The share of the variance that a covariate will take away (CUPED).
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    variance_reduction: f64,
    /// The chance of finding the effect that is wanted.
    #[arg(long, value_name = "P", default_value_t = 0.8)]
    power: f64,
    /// The accepted chance of a false verdict of one comparison.
    #[arg(long, value_name = "P", default_value_t = 0.05)]
    alpha: f64,
    /// Stop at any time: what the always-valid interval costs.
    #[arg(long)]
    sequential: bool,
    /// Print the document `windvane.experiment_plan/1`.
    #[arg(long)]
    json: bool,
}

/// Runs `windvane experiment plan`.
pub fn run(arguments: &PlanArguments) -> CommandResult {
    let document = plan(arguments)?;
    match arguments.json {
        true => print(&format!("{}\n", serde_json::to_string_pretty(&document)?)),
        false => print(&text(&document)),
    }
}

fn plan(asked: &PlanArguments) -> Result<Document, Failure> {
    let share = |name: &str, value: f64| match value > 0.0 && value < 1.0 {
        true => Ok(()),
        false => Err(usage(format!("`--{name} {value}` is out of range: above 0 and below 1"))),
    };
    share("alpha", asked.alpha)?;
    share("power", asked.power)?;
    if asked.power <= asked.alpha {
        return Err(usage(format!("`--power {}` must be above alpha", asked.power)));
    }
    for (name, value) in [("units", asked.units), ("units-per-day", asked.units_per_day)] {
        if value.is_some_and(|value| !(value > 0.0 && value.is_finite())) {
            return Err(usage(format!("`--{name}` is out of range: above 0")));
        }
    }
    let baseline = match (asked.share, asked.mean, asked.sd) {
        (Some(share), ..) => Baseline::of_share(share),
        (None, Some(mean), Some(sd)) => Baseline::of_mean(mean, sd * sd),
        _ => None,
    };
    let out_of_range = || {
        usage(
            "`--share` and `--variance-reduction` are 0 to 1, `--sd` is above 0, `--arms` is 2 or more"
                .to_owned(),
        )
    };
    let baseline = baseline
        .and_then(|baseline| baseline.with_variance_reduction(asked.variance_reduction))
        .filter(|_| asked.sd.is_none_or(|sd| sd > 0.0))
        .ok_or_else(out_of_range)?;
    let plan = Plan {
        allocation: Allocation::equal(asked.arms).ok_or_else(out_of_range)?,
        stopping: if asked.sequential { Stopping::SequentialTuned } else { Stopping::Fixed },
        ..Plan::new(baseline, asked.alpha)
    };
    let effect = asked.effect.filter(|effect| effect.is_finite() && *effect != 0.0);
    if asked.effect.is_some() && effect.is_none() {
        return Err(usage("`--effect 0` needs no experiment: give a share such as 0.05".to_owned()));
    }
    let direction = if effect.is_some_and(|effect| effect < 0.0) { Direction::Down } else { Direction::Up };
    let units_needed = effect.and_then(|effect| plan.sample_size(effect, asked.power));
    Ok(Document {
        schema: SCHEMA.to_owned(),
        mean: baseline.mean(),
        variance: baseline.variance_at(baseline.mean()).unwrap_or_default(),
        arms: asked.arms,
        alpha: asked.alpha,
        power: asked.power,
        stopping: if asked.sequential { "sequential" } else { "fixed" }.to_owned(),
        effect,
        units_needed,
        units: asked.units,
        power_with_units: effect.zip(asked.units).and_then(|(effect, units)| plan.power(effect, units)),
        minimum_detectable_effect: asked
            .units
            .and_then(|units| plan.minimum_detectable_effect(units, asked.power, direction)),
        units_per_day: asked.units_per_day,
        days: asked.units_per_day.zip(units_needed).map(|(day, needed)| (needed as f64 / day).ceil()),
    })
}

fn text(plan: &Document) -> String {
    let percent = |share: f64| format!("{} %", number(share * 100.0));
    let mut text = String::new();
    if let Some(effect) = plan.effect {
        text += &match plan.units_needed {
            Some(units) => format!(
                "an effect of {} is found with a chance of {} by {} units over {} arms ({} each)\n",
                percent(effect),
                percent(plan.power),
                grouped(units),
                plan.arms,
                grouped(units.div_ceil(u64::from(plan.arms)))
            ),
            None => format!("no number of units finds an effect of {}\n", percent(effect)),
        };
    }
    if let (Some(days), Some(per_day)) = (plan.days, plan.units_per_day) {
        text += &format!("at {} new units a day that takes {} days\n", number(per_day), number(days));
    }
    if let Some(units) = plan.units {
        if let Some(power) = plan.power_with_units {
            text += &format!("{} units find it with a chance of {}\n", number(units), percent(power));
        }
        text += &match plan.minimum_detectable_effect {
            Some(effect) => format!(
                "the smallest effect that {} units find with a chance of {} is {}\n",
                number(units),
                percent(plan.power),
                percent(effect)
            ),
            None => format!("{} units find no effect that often\n", number(units)),
        };
    }
    text + &format!(
        "mean {}, standard deviation of a unit {}; two-sided at {}, {}\n",
        number(plan.mean),
        number(plan.variance.sqrt()),
        plan.alpha,
        if plan.stopping == "sequential" { "looked at any time" } else { "looked at once" }
    )
}
