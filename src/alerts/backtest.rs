//! `windvane alerts backtest`: what the rules would have said of the past, and how often people would have been told.

mod history;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::Args;
use comfy_table::{Table, presets};
use windvane_alerts::Plan;
use windvane_alerts::backtest::{Incident, Judgement, Replay, replay};
use windvane_alerts::rule::{Rule, Source};
use windvane_store::alerts;
use windvane_types::counting::counted;
use windvane_types::span::{self, Span, in_words};

use self::history::Asking;
use super::Format;
use crate::connection;
use crate::drift::arguments::usage;
use crate::exit::{Because, CommandResult, Failure, Reason};
use crate::output::{pretty, print};

/// Messages that a table shows.
const SHOWN_MAX: usize = 20;
/// Who is told where nobody is configured.
const NOBODY: &str = "(no receiver)";

/// Replay rules over what is stored: what would have fired, whom it would have told how often, and, given incidents that
/// people know of, how much of it for nothing. Nobody is told.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Start of the span, such as 2013-04-01.
    #[arg(long, value_name = "TIME")]
    from: String,
    /// Its end.
    #[arg(long, value_name = "TIME")]
    to: String,
    /// Only these rules, separated by commas.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    rules: Vec<String>,
    /// A CSV file with the columns start, end and, where it is about one, model: alerts within them are right, others are not.
    #[arg(long, value_name = "FILE")]
    incidents: Option<PathBuf>,
    #[command(flatten)]
    connection: connection::Flags,
    /// How to print.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// Runs `windvane alerts backtest`.
pub fn run(arguments: &Arguments) -> CommandResult {
    let time = |text: &str| {
        span::instant(text).ok_or_else(|| usage(format!("`{text}` is no time: give one such as 2013-01-01")))
    };
    let span = Span { start_us: time(&arguments.from)?, end_us: time(&arguments.to)? };
    let span = span.ordered().map_err(usage)?;
    let config = arguments.connection.config()?;
    let plan = &*config.alerts;
    let (rules, skipped) = chosen(plan, &arguments.rules)?;
    let incidents = arguments.incidents.as_deref().map(incidents).transpose()?;
    let store = arguments.connection.store()?;
    let told = to_somebody(plan);
    let (histories, asked) = connection::wait_for(history::gather(&store, &rules, span))?;
    let replay = replay(&told, histories, span).map_err(|error| usage(error.to_string()))?;
    let judgement = incidents.map(|incidents| Judgement::of(&replay.events, &incidents));
    let outcome = Outcome { replay, span, judgement, asked, skipped };
    print(&match arguments.format {
        Format::Table => table(&outcome),
        Format::Json => pretty(&document(&outcome))?,
    })
}

/// What came of it.
#[derive(Debug)]
struct Outcome {
    replay: Replay,
    span: Span,
    judgement: Option<Judgement>,
    asked: Vec<Asking>,
    skipped: Vec<String>,
}

/// The rules that have a past, and the names of those that have none.
fn chosen<'a>(plan: &'a Plan, names: &[String]) -> Result<(Vec<&'a Rule>, Vec<String>), Failure> {
    for name in names {
        if plan.rules.iter().all(|rule| rule.name != *name) {
            let known: Vec<&str> = plan.rules.iter().map(|rule| rule.name.as_str()).collect();
            return Err(usage(format!("there is no rule `{name}`; there are {}", known.join(", "))));
        }
    }
    let wanted = |rule: &&Rule| names.is_empty() || names.contains(&rule.name);
    let (past, skipped): (Vec<&Rule>, Vec<&Rule>) =
        plan.rules.iter().filter(wanted).partition(|rule| has_a_past(rule));
    Ok((past, skipped.into_iter().map(|rule| rule.name.clone()).collect()))
}

fn has_a_past(rule: &Rule) -> bool {
    match &rule.source {
        Source::Stored { kind, .. } => kind.windows,
        Source::Query(sql) => alerts::sources::asks_about_a_time(sql),
        Source::Own { .. } => false,
    }
}

/// The plan with somebody who is told, so that messages are counted also before there is a receiver.
fn to_somebody(plan: &Plan) -> Plan {
    let mut route = plan.route.clone();
    if route.receivers.is_empty() {
        route.receivers.push(NOBODY.to_owned());
    }
    Plan {
        rules: plan.rules.clone(),
        route,
        inhibitions: plan.inhibitions.clone(),
        maintenance: plan.maintenance.clone(),
        intervals: plan.intervals.clone(),
        receivers: Vec::new(),
        fallback: None,
        heartbeat: None,
        state_dir: plan.state_dir.clone(),
        external_url: plan.external_url.clone(),
        every: plan.every,
        give_up_after: plan.give_up_after,
        sends_max: plan.sends_max,
        cap: plan.cap,
        lease: plan.lease,
    }
}

fn incidents(path: &Path) -> Result<Vec<Incident>, Failure> {
    let mut reader = csv::Reader::from_path(path)
        .with_context(|| format!("cannot read `{}`", path.display()))
        .because(Reason::Data)?;
    let headers = reader.headers().because(Reason::Data)?.clone();
    let column = |name: &str| headers.iter().position(|header| header == name);
    let (Some(start), Some(end)) = (column("start"), column("end")) else {
        let problem = anyhow!("`{}` has no columns `start` and `end`", path.display());
        return Err(problem).because(Reason::Data);
    };
    let mut incidents = Vec::new();
    for (at, record) in reader.records().enumerate() {
        let record = record.because(Reason::Data)?;
        let time = |place: usize| record.get(place).and_then(span::instant);
        let (Some(start_us), Some(end_us)) = (time(start), time(end)) else {
            let problem = anyhow!("`{}` has no times in line {}", path.display(), at + 2);
            return Err(problem).because(Reason::Data);
        };
        let model = column("model").and_then(|place| record.get(place)).unwrap_or_default().to_owned();
        incidents.push(Incident { span: Span { start_us, end_us }, model });
    }
    Ok(incidents)
}

/// What came of one rule.
#[derive(Debug, Default)]
struct Sum {
    fired: usize,
    resolved: usize,
    firing_us: i64,
    still: BTreeMap<String, i64>,
}

fn sums(replay: &Replay, span: Span) -> BTreeMap<&str, Sum> {
    let mut sums: BTreeMap<&str, Sum> = BTreeMap::new();
    for event in &replay.events {
        let sum = sums.entry(&event.rule).or_default();
        match event.to_state.as_str() {
            "firing" if event.from_state != "recovering" => {
                sum.fired += 1;
                sum.still.insert(event.fingerprint.clone(), event.at_us);
            }
            "resolved" => {
                sum.resolved += 1;
                sum.firing_us += sum.still.remove(&event.fingerprint).map_or(0, |since| event.at_us - since);
            }
            _ => {}
        }
    }
    for sum in sums.values_mut() {
        sum.firing_us += sum.still.values().map(|since| span.end_us - since).sum::<i64>();
    }
    sums
}

fn days(us: i64) -> f64 {
    us as f64 / 86_400e6
}

fn table(outcome: &Outcome) -> String {
    let Outcome { replay, span, judgement, asked, skipped } = outcome;
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["rule", "alerts", "ended", "days firing"]);
    for (rule, sum) in sums(replay, *span) {
        table.add_row([
            rule.to_owned(),
            sum.fired.to_string(),
            sum.resolved.to_string(),
            format!("{:.1}", days(sum.firing_us)),
        ]);
    }
    let mut text = match replay.events.is_empty() {
        true => "no rule would have fired\n".to_owned(),
        false => format!("{}\n", super::lines(&table)),
    };
    let weeks = days(span.end_us - span.start_us) / 7.0;
    let mut told: BTreeMap<&str, usize> = BTreeMap::new();
    for message in &replay.messages {
        *told.entry(&message.receiver).or_default() += 1;
    }
    for (receiver, count) in told {
        text += &format!(
            "{receiver} would have got {}, {:.1} a week\n",
            counted(count as u64, "message", "messages"),
            count as f64 / weeks
        );
    }
    for message in replay.messages.iter().filter(|message| message.reason != "repeat").take(SHOWN_MAX) {
        text += &format!("  {} {}\n", span::shown(message.at_us), message.subject);
    }
    let more =
        replay.messages.iter().filter(|message| message.reason != "repeat").count().saturating_sub(SHOWN_MAX);
    if more > 0 {
        text += &format!("  … and {more} more\n");
    }
    if let Some(judged) = judgement {
        text += &format!(
            "{} of {} explained by no incident ({}); {} of {} found\n",
            judged.false_alarms,
            counted(judged.fired as u64, "alert is", "alerts are"),
            share(judged.false_alarms, judged.fired),
            judged.found,
            counted(judged.incidents as u64, "incident was", "incidents were")
        );
    }
    for Asking { rule, every } in asked {
        text += &format!("{rule} was asked about every {} of the span\n", in_words(*every));
    }
    if !skipped.is_empty() {
        text += &format!("without a past that could be replayed: {}\n", skipped.join(", "));
    }
    text
}

fn share(part: usize, all: usize) -> String {
    if all == 0 { "none".to_owned() } else { format!("{:.0} %", 100.0 * part as f64 / all as f64) }
}

fn document(outcome: &Outcome) -> serde_json::Value {
    let Outcome { replay, span, judgement, asked, skipped } = outcome;
    let rules: Vec<serde_json::Value> = sums(replay, *span)
        .into_iter()
        .map(|(rule, sum)| {
            serde_json::json!({
                "rule": rule, "alerts": sum.fired, "resolved": sum.resolved, "firing_s": sum.firing_us / 1_000_000,
            })
        })
        .collect();
    let messages: Vec<serde_json::Value> = replay
        .messages
        .iter()
        .map(|message| {
            serde_json::json!({
                "at": span::shown(message.at_us), "receiver": message.receiver, "reason": message.reason,
                "subject": message.subject, "firing": message.firing, "resolved": message.resolved,
            })
        })
        .collect();
    let judged = judgement.as_ref().map(|judged| {
        let share = (judged.fired > 0).then(|| judged.false_alarms as f64 / judged.fired as f64);
        serde_json::json!({
            "alerts": judged.fired, "false_alarms": judged.false_alarms, "false_alarm_share": share,
            "incidents": judged.incidents, "incidents_found": judged.found,
        })
    });
    let asked: Vec<serde_json::Value> = asked
        .iter()
        .map(|asking| serde_json::json!({ "rule": asking.rule, "every_s": asking.every.as_secs_f64() }))
        .collect();
    serde_json::json!({
        "schema": "windvane.alerts_backtest/1", "from": span::shown(span.start_us), "to": span::shown(span.end_us),
        "rules": rules, "messages": messages, "judgement": judged, "asked": asked, "skipped": skipped,
    })
}
