//! `windvane experiment plan`: how many units an experiment needs, what it would find, and how long it takes.

mod own;
mod words;

use clap::Args;
use windvane_analyzer::experiment::{self as analysis, Rule, days_until, inference::LOOKS_MAX};
use windvane_stats::experiment::{
    effect::Alternative,
    plan::{Allocation, Baseline, Plan, Scale, Stopping, search::Direction},
};
use windvane_types::experiment_plan::{Document, SCHEMA, Traffic};

use super::arguments::usage;
use super::inference::AlternativeName;
use super::past::{self, Past, PastFlags};
use super::source;
use crate::connection;
use crate::exit::{CommandResult, Failure};
use crate::output::{pretty, print};
use own::Manner;

/// Plan an experiment: the units it needs for an effect, or the smallest effect that its units find.
#[derive(Debug, Args)]
pub struct PlanArguments {
    /// An experiment of the configuration: mean, spread and units a day are then those of real traffic in the store, and the verdict is
    /// reached by its own rule (inference, looks, sides, alpha after correction, a guardrail's margin) where no option says otherwise.
    #[arg(value_name = "NAME", conflicts_with_all = ["mean", "share", "quantile"])]
    name: Option<String>,
    /// With NAME: which of its metrics; the first that decides unless given.
    #[arg(long, value_name = "NAME", requires = "name")]
    metric: Option<String>,
    /// The metric's mean over units before the experiment.
    #[arg(
        long,
        value_name = "M",
        requires = "sd",
        required_unless_present_any = ["share", "name", "quantile"],
        conflicts_with = "share"
    )]
    mean: Option<f64>,
    /// The standard deviation of one unit, over a span as long as the experiment.
    #[arg(long, value_name = "S", requires = "mean")]
    sd: Option<f64>,
    /// A proportion's share before the experiment, in place of mean and standard deviation.
    #[arg(long, value_name = "P")]
    share: Option<f64>,
    /// The level of a quantile of units with one row each, such as 0.99, in place of mean and standard deviation.
    #[arg(long, value_name = "Q", requires = "value", requires = "density", conflicts_with_all = ["mean", "share"])]
    quantile: Option<f64>,
    /// The quantile before the experiment.
    #[arg(long, value_name = "V", requires = "quantile")]
    value: Option<f64>,
    /// The share of units per unit of the metric about the quantile: 0.0002 where one of fifty lies within 50 of it either way.
    #[arg(long, value_name = "SHARE", requires = "quantile")]
    density: Option<f64>,
    /// The relative effect that is to be found: 0.05 is five per cent of the control. This or --units, or both.
    #[arg(long, value_name = "SHARE")]
    effect: Option<f64>,
    /// The units over all arms that there will be: tells the smallest effect that they find.
    #[arg(long, value_name = "N")]
    units: Option<f64>,
    /// New units a day over all arms; tells how many days it takes.
    #[arg(long, value_name = "N")]
    units_per_day: Option<f64>,
    /// The arms, the control among them, with equal shares; 2, or the experiment's own, unless given.
    #[arg(long, value_name = "N")]
    arms: Option<u32>,
    /// The share of the variance that a covariate will take away (CUPED).
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    variance_reduction: f64,
    /// The chance of finding the effect that is wanted.
    #[arg(long, value_name = "P", default_value_t = 0.8)]
    power: f64,
    /// The accepted chance of a false verdict of one comparison; 0.05, or what the experiment's correction leaves of its own to one
    /// p-value, unless given.
    #[arg(long, value_name = "P")]
    alpha: Option<f64>,
    /// Look once, at the end, as is planned unless the experiment says otherwise.
    #[arg(long, conflicts_with_all = ["sequential", "looks"])]
    fixed: bool,
    /// Stop at any time: what the always-valid interval costs, with the `--sequential-tuning` that is told.
    #[arg(long)]
    sequential: bool,
    /// Look this often, after equal shares of the units, with alpha spent as by O'Brien and Fleming, or as by the experiment.
    #[arg(long, value_name = "N", conflicts_with = "sequential")]
    looks: Option<u32>,
    /// Which differences count; two-sided, or the experiment's own, unless given.
    #[arg(long, value_enum)]
    alternative: Option<AlternativeName>,
    /// The relative difference by which the arm may be on the wrong side and is still no worse; with one side. `--effect 0` is then
    /// an arm like the control.
    #[arg(long, value_name = "SHARE")]
    margin: Option<f64>,
    /// Print the document `windvane.experiment_plan/1`.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    past: PastFlags,
}

/// What a plan stands on.
struct Ground {
    baseline: Baseline,
    arms: u32,
    allocation: Allocation,
    manner: Manner,
    /// The traffic, where it was read, and the experiment it was read for.
    read: Option<(analysis::Traffic, Past)>,
}

/// Runs `windvane experiment plan`.
pub fn run(arguments: &PlanArguments) -> CommandResult {
    check(arguments)?;
    let ground = match &arguments.name {
        None => given(arguments)?,
        Some(name) => {
            let past = past::past(name, arguments.metric.as_deref(), &arguments.past)?;
            let arms = arms(arguments, &past.experiment.rule);
            let manner = Manner::of_experiment(arguments, &past.experiment, (past.place, arms));
            goes_together(arguments, &manner)?;
            connection::wait_for(read(arguments, (past, manner)))?
        }
    };
    let document = plan(arguments, &ground)?;
    match arguments.json {
        true => print(&pretty(&document)?),
        false => print(&words::text(&document)),
    }
}

fn check(asked: &PlanArguments) -> Result<(), Failure> {
    if asked.effect.is_none() && asked.units.is_none() {
        return Err(usage(
            "a plan needs `--effect SHARE`, which tells the units, or `--units N`, which tells the effect"
                .to_owned(),
        ));
    }
    if let Some(effect) = asked.effect.filter(|effect| !effect.is_finite()) {
        return Err(usage(format!(
            "`--effect {effect}` is out of range: a finite share such as 0.05 or -0.05"
        )));
    }
    let share = |name: &str, value: f64| match value > 0.0 && value < 1.0 {
        true => Ok(()),
        false => Err(usage(format!("`--{name} {value}` is out of range: above 0 and below 1"))),
    };
    share("power", asked.power)?;
    if let Some(alpha) = asked.alpha {
        share("alpha", alpha)?;
    }
    if let Some(margin) = asked.margin {
        share("margin", margin)?;
    }
    if let Some(looks) = asked.looks.filter(|looks| !(2..=LOOKS_MAX).contains(looks)) {
        return Err(usage(format!("`--looks {looks}` is out of range: 2 to {LOOKS_MAX}")));
    }
    for (name, value) in [("units", asked.units), ("units-per-day", asked.units_per_day)] {
        if value.is_some_and(|value| !(value > 0.0 && value.is_finite())) {
            return Err(usage(format!("`--{name}` is out of range: above 0")));
        }
    }
    Ok(())
}

/// Refuses what contradicts itself, the experiment's own rule among it.
fn goes_together(asked: &PlanArguments, manner: &Manner) -> Result<(), Failure> {
    if asked.effect.is_some_and(|effect| effect == 0.0) && manner.margin.is_none() {
        return Err(usage(
            "`--effect 0` needs no experiment: give a share such as 0.05, or a `--margin`".to_owned(),
        ));
    }
    let two_sided = manner.alternative == Alternative::TwoSided;
    if manner.margin.is_some() && two_sided {
        return Err(usage("`--margin` goes with --alternative greater or less only".to_owned()));
    }
    if asked.power <= manner.alpha {
        return Err(usage(format!("`--power {}` must be above alpha", asked.power)));
    }
    if manner.alpha >= 0.5 && !two_sided {
        return Err(usage(format!(
            "alpha {} is out of range with one side: above 0 and below 0.5",
            manner.alpha
        )));
    }
    Ok(())
}

fn out_of_range() -> Failure {
    usage(
        "`--share` and `--variance-reduction` are 0 to 1, `--sd` and `--density` are above 0, `--quantile` is above 0 and below 1, \
         `--arms` is 2 or more"
            .to_owned(),
    )
}

/// The figures of the command line.
fn given(asked: &PlanArguments) -> Result<Ground, Failure> {
    let manner = Manner::of_options(asked);
    goes_together(asked, &manner)?;
    let baseline = match (asked.share, asked.quantile) {
        (Some(share), _) => Baseline::of_share(share),
        (None, Some(q)) => {
            let known = asked.value.zip(asked.density);
            known.and_then(|(value, density)| Baseline::of_density(q, value, density))
        }
        (None, None) => asked.mean.zip(asked.sd).and_then(|(mean, sd)| Baseline::of_mean(mean, sd * sd)),
    };
    let arms = asked.arms.unwrap_or(2);
    Ok(Ground {
        baseline: baseline.filter(|_| asked.sd.is_none_or(|sd| sd > 0.0)).ok_or_else(out_of_range)?,
        arms,
        allocation: Allocation::equal(arms).ok_or_else(out_of_range)?,
        manner,
        read: None,
    })
}

/// The arms that get units, the control among them.
fn dealt(rule: &Rule) -> Vec<&(String, f64)> {
    rule.weights.iter().filter(|(_, share)| *share > 0.0).collect()
}

fn arms(asked: &PlanArguments, rule: &Rule) -> u32 {
    asked.arms.unwrap_or_else(|| u32::try_from(dealt(rule).len()).unwrap_or(u32::MAX).max(2))
}

/// The figures of the store.
async fn read(asked: &PlanArguments, (past, manner): (Past, Manner)) -> Result<Ground, Failure> {
    let traffic = analysis::traffic(&past.reader, &past.experiment, past.place).await;
    let traffic = traffic.map_err(source::failure)?;
    let rule = &past.experiment.rule;
    let (dealt, arms) = (dealt(rule), arms(asked, rule));
    let control = dealt.iter().find(|(arm, _)| *arm == rule.control).map(|(_, share)| *share);
    let smallest = dealt.iter().filter(|(arm, _)| *arm != rule.control).map(|(_, share)| *share);
    let smallest = smallest.min_by(f64::total_cmp);
    let allocation = match (asked.arms, control, smallest) {
        (None, Some(control), Some(smallest)) => {
            let total: f64 = dealt.iter().map(|(_, share)| share).sum();
            Allocation::of(control, smallest, total)
        }
        _ => Allocation::equal(arms),
    };
    Ok(Ground {
        baseline: traffic.baseline,
        arms,
        allocation: allocation.ok_or_else(out_of_range)?,
        manner,
        read: Some((traffic, past)),
    })
}

fn plan(asked: &PlanArguments, ground: &Ground) -> Result<Document, Failure> {
    let manner = &ground.manner;
    let baseline =
        ground.baseline.with_variance_reduction(asked.variance_reduction).ok_or_else(out_of_range)?;
    let plan = Plan {
        scale: scale(manner),
        allocation: ground.allocation,
        level: manner.level(),
        null: null(manner),
        stopping: manner.stopping(asked.power)?,
        ..Plan::new(baseline, manner.alpha)
    };
    let Answers { units_needed, power_with_units, minimum_detectable_effect } = answers(asked, &plan);
    Ok(Document {
        schema: SCHEMA.to_owned(),
        mean: baseline.mean(),
        variance: baseline.variance_at(baseline.mean()).unwrap_or_default(),
        quantile: ground.quantile(asked),
        arms: ground.arms,
        shares: ground.shares(),
        alpha: manner.alpha,
        power: asked.power,
        stopping: match plan.stopping {
            Stopping::Fixed => "fixed",
            Stopping::Sequential { .. } | Stopping::SequentialTuned => "sequential",
            Stopping::GroupSequential { .. } => "group_sequential",
        }
        .to_owned(),
        tuning: tuning(asked, &plan, units_needed),
        looks: manner.looks(),
        alternative: match manner.alternative {
            Alternative::TwoSided => None,
            Alternative::Greater => Some("greater".to_owned()),
            Alternative::Less => Some("less".to_owned()),
        },
        margin: manner.margin,
        effect: asked.effect,
        units_needed,
        units: asked.units,
        power_with_units,
        minimum_detectable_effect,
        units_per_day: asked.units_per_day.or_else(|| ground.units_per_day()),
        days: units_needed.and_then(|needed| ground.days(asked.units_per_day, needed)),
        from_experiment: manner.taken.clone(),
        traffic: ground.read.as_ref().map(|(traffic, past)| Traffic {
            experiment: past.experiment.exposed.experiment.clone(),
            metric: past.metric().to_owned(),
            span: past.span.to_string(),
            units: traffic.units,
            window_days: past.window_days(),
        }),
    })
}

/// What a plan finds, effects as shares of the control.
struct Answers {
    units_needed: Option<u64>,
    power_with_units: Option<f64>,
    minimum_detectable_effect: Option<f64>,
}

fn answers(asked: &PlanArguments, plan: &Plan) -> Answers {
    // What a relative difference of 1 is on the scale of the test; a mean of 0 has none.
    let unit = match plan.scale {
        Scale::Relative => 1.0,
        Scale::Absolute => plan.baseline.mean().abs(),
    };
    let effect = asked.effect.filter(|_| unit > 0.0).map(|effect| effect * unit);
    let down = match plan.level.alternative {
        Alternative::TwoSided => effect.is_some_and(|effect| effect < 0.0),
        alternative => alternative == Alternative::Less,
    };
    let direction = if down { Direction::Down } else { Direction::Up };
    let smallest = |units: f64| plan.minimum_detectable_effect(units, asked.power, direction);
    let share = |effect: f64| Some(effect / unit).filter(|share| share.is_finite());
    Answers {
        units_needed: effect.and_then(|effect| plan.sample_size(effect, asked.power)),
        power_with_units: effect.zip(asked.units).and_then(|(effect, units)| plan.power(effect, units)),
        minimum_detectable_effect: asked.units.and_then(smallest).and_then(share),
    }
}

/// The units of both arms at which the interval of `--sequential` is taken to be narrowest.
fn tuning(asked: &PlanArguments, plan: &Plan, needed: Option<u64>) -> Option<f64> {
    let units = needed.map(|needed| needed as f64).or(asked.units)?;
    let (control, arm) = plan.allocation.units(units);
    asked.sequential.then(|| (control + arm).round())
}

/// That of the verdict: it is made of the absolute difference, but against a margin, which is a share of the control.
fn scale(manner: &Manner) -> Scale {
    if manner.margin.is_some() { Scale::Relative } else { Scale::Absolute }
}

/// The effect under the null hypothesis.
fn null(manner: &Manner) -> f64 {
    let margin = manner.margin.unwrap_or(0.0);
    if manner.alternative == Alternative::Less { margin } else { -margin }
}

impl Ground {
    /// Those of the control and the compared arm, unless all arms have as much.
    fn shares(&self) -> Option<[f64; 2]> {
        let (control, arm) = self.allocation.units(1.0);
        let equal = 1.0 / f64::from(self.arms);
        let alike = [control, arm].iter().all(|share| (share - equal).abs() < 1e-9);
        (!alike).then_some([control, arm])
    }

    /// The level, where the metric is a quantile.
    fn quantile(&self, asked: &PlanArguments) -> Option<f64> {
        let read =
            self.read.as_ref().and_then(|(_, past)| past.experiment.metrics[past.place].metric.quantile());
        read.or(asked.quantile)
    }

    /// The mean over the days of the traffic.
    fn units_per_day(&self) -> Option<f64> {
        let (traffic, _) = self.read.as_ref()?;
        Some(traffic.units as f64 / traffic.arrivals.len().max(1) as f64)
    }

    /// Days until so many units have come, at a given pace or as they came in the past.
    fn days(&self, per_day: Option<f64>, needed: u64) -> Option<f64> {
        match (per_day, &self.read) {
            (Some(per_day), _) => Some((needed as f64 / per_day).ceil()),
            (None, Some((traffic, _))) => days_until(&traffic.arrivals, needed).map(|days| days as f64),
            (None, None) => None,
        }
    }
}

#[cfg(test)]
mod tests;
