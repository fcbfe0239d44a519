//! `windvane alerts lint`: reads the configuration as the service does, and says what in it will not do what was meant.

use clap::{Args, ValueEnum};
use comfy_table::{Table, presets};
use windvane_alerts::Plan;
use windvane_alerts::group::REPEAT_USUAL;
use windvane_alerts::route::Route;
use windvane_alerts::rule::{Rule, Side, Source};
use windvane_alerts::watch::observe;
use windvane_store::Store;
use windvane_types::{Clock, SystemClock};

use super::Format;
use crate::connection;
use crate::exit::{CommandResult, Exit};
use crate::output::{pretty, print};

/// Check rules, templates, routes and receivers; faults end with 78, doubts are listed. With --online every rule is looked at
/// once, and nobody is told.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Run the statement of every rule once.
    #[arg(long)]
    online: bool,
    /// Exit with 1 where there is a doubt.
    #[arg(long, value_enum)]
    fail_on: Option<FailOn>,
    #[command(flatten)]
    connection: connection::Flags,
    /// How to print.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// Anything that will not do what was meant.
    Doubt,
}

/// Runs `windvane alerts lint`.
pub fn run(arguments: &Arguments) -> CommandResult {
    let config = arguments.connection.config()?;
    let plan = &config.alerts;
    let mut doubts = doubts(plan);
    let mut seen = vec![None; plan.rules.len()];
    if arguments.online {
        let store = arguments.connection.store()?;
        connection::wait_for(async {
            store.ping().await.map_err(connection::failure)?;
            for (place, rule) in plan.rules.iter().enumerate() {
                match look(&store, rule).await {
                    Ok(count) => seen[place] = count,
                    Err(doubt) => doubts.push(doubt),
                }
            }
            Ok(())
        })?;
    }
    print(&match arguments.format {
        Format::Table => table(plan, &seen, &doubts),
        Format::Json => {
            let rules: Vec<serde_json::Value> =
                plan.rules.iter().zip(&seen).map(|(rule, seen)| described(plan, rule, *seen)).collect();
            let document =
                serde_json::json!({"schema": "windvane.alerts_lint/1", "rules": rules, "doubts": doubts});
            pretty(&document)?
        }
    })?;
    match arguments.fail_on.is_some() && !doubts.is_empty() {
        true => Ok(Exit::Found),
        false => Ok(Exit::Ok),
    }
}

/// How many observations a rule has now; none for what only the process itself can measure.
async fn look(store: &Store, rule: &Rule) -> Result<Option<usize>, String> {
    if matches!(rule.source, Source::Own { .. }) {
        return Ok(None);
    }
    let observed = observe(store, rule, SystemClock.now().as_microsecond()).await;
    let observed = observed.map_err(|error| format!("rule `{}` cannot be looked at: {error}", rule.name))?;
    Ok(Some(observed.iter().filter(|observation| rule.selects(&observation.labels)).count()))
}

/// What is allowed and will not do what was meant.
fn doubts(plan: &Plan) -> Vec<String> {
    let mut doubts = Vec::new();
    if plan.receivers.is_empty() {
        doubts.push(
            "no receiver is configured, so nobody is told; a table [alerts.receivers.NAME] makes one"
                .to_owned(),
        );
    }
    let routes = plan.route.all();
    let told = |name: &str| {
        plan.fallback.as_deref() == Some(name)
            || routes.iter().any(|route| {
                route.receivers.iter().any(|receiver| receiver == name)
                    || route.escalation.as_ref().is_some_and(|escalation| escalation.to == name)
            })
    };
    for receiver in plan.receivers.iter().filter(|receiver| !told(receiver.name())) {
        doubts.push(format!("receiver `{}` is never told: no route names it", receiver.name()));
    }
    for receiver in plan.receivers.iter().filter(|receiver| receiver.shows_secret()) {
        doubts.push(format!(
            "receiver `{}` is posted to over http, so that its address or key can be read on the way; use https",
            receiver.name()
        ));
    }
    for route in &routes {
        if route.pace.repeat_interval.unwrap_or(REPEAT_USUAL) < route.pace.group_interval {
            doubts.push(format!(
                "route `{}` repeats at its group_interval, which is longer than its repeat_interval",
                route.name
            ));
        }
        doubts.extend(shadowed(route));
    }
    for rule in &plan.rules {
        let known = rule.sample().labels;
        let strict = matches!(rule.source, Source::Stored { .. });
        // A segment and a version are there in some observations only.
        let optional = ["version", "environment", "segment", "segment_key", "model"];
        for matcher in rule.select.iter().filter(|_| strict) {
            if !known.contains_key(matcher.name()) && !optional.contains(&matcher.name()) {
                let labels: Vec<&str> = known.keys().map(String::as_str).collect();
                doubts.push(format!(
                    "rule `{}` matches on the label `{}`, which its source does not have; it has {}",
                    rule.name,
                    matcher.name(),
                    labels.join(", ")
                ));
            }
        }
    }
    doubts
}

/// Routes that come after one with the same matchers that does not go on.
fn shadowed(route: &Route) -> Vec<String> {
    let mut doubts = Vec::new();
    for (at, later) in route.routes.iter().enumerate() {
        let earlier =
            route.routes[..at].iter().find(|earlier| !earlier.goes_on && earlier.matchers == later.matchers);
        if let Some(earlier) = earlier {
            doubts.push(format!(
                "route `{}` is never taken: `{}` has the same matchers, comes before it and does not continue",
                later.name, earlier.name
            ));
        }
    }
    doubts
}

fn condition(rule: &Rule) -> String {
    let word = if rule.condition.side == Side::Above { "above" } else { "below" };
    let mut text = format!("{word} {}", rule.condition.enter);
    if rule.condition.leave != rule.condition.enter {
        text += &format!(", leaves at {}", rule.condition.leave);
    }
    if rule.windows.of > 1 {
        text += &format!(", {} of {} windows", rule.windows.wrong, rule.windows.of);
    }
    for (word, length_us) in [("for", rule.timing.for_us), ("keeps", rule.timing.keep_firing_for_us)] {
        if length_us > 0 {
            text += &format!(", {word} {} s", length_us / 1_000_000);
        }
    }
    text
}

fn source(rule: &Rule) -> String {
    match &rule.source {
        Source::Stored { kind, measure } => format!("{} {measure}", kind.name),
        Source::Query(_) => "query".to_owned(),
        Source::Own { measure } => format!("own {measure}"),
    }
}

/// Who is told of the sample of a rule.
fn receivers(plan: &Plan, rule: &Rule) -> Vec<String> {
    let labels = rule.labels_of(&rule.sample().labels);
    plan.route.taken(&labels).into_iter().flat_map(|route| route.receivers.clone()).collect()
}

fn described(plan: &Plan, rule: &Rule, seen: Option<usize>) -> serde_json::Value {
    serde_json::json!({
        "rule": rule.name, "source": source(rule), "condition": condition(rule), "severity": rule.severity,
        "receivers": receivers(plan, rule), "observations": seen,
    })
}

fn table(plan: &Plan, seen: &[Option<usize>], doubts: &[String]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["rule", "looks at", "wrong", "severity", "tells", "observes now"]);
    for (rule, seen) in plan.rules.iter().zip(seen) {
        table.add_row([
            rule.name.clone(),
            source(rule),
            condition(rule),
            rule.severity.as_str().to_owned(),
            receivers(plan, rule).join(", "),
            seen.map_or_else(String::new, |seen| seen.to_string()),
        ]);
    }
    let mut text = super::lines(&table);
    for doubt in doubts {
        text += &format!("doubt: {doubt}\n");
    }
    if doubts.is_empty() {
        text += "no doubts\n";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_configuration_warns_of_what_matters_and_that_nobody_hears_it() {
        let config = crate::config::load(None).unwrap();
        let names: Vec<&str> = config.alerts.rules.iter().map(|rule| rule.name.as_str()).collect();
        assert!(names.contains(&"FeatureDrift") && names.contains(&"StoreUnavailable"), "{names:?}");
        let doubts = doubts(&config.alerts);
        assert!(doubts.len() == 1 && doubts[0].contains("no receiver is configured"), "{doubts:?}");
    }

    #[test]
    fn a_secret_that_goes_over_http_is_a_doubt() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("windvane.toml");
        for (url, doubted) in [("http://hooks.example.org/T0", true), ("https://hooks.example.org/T0", false)]
        {
            let text = format!("[alerts.receivers.team]\ntype = \"slack\"\nurl = \"{url}\"\n");
            std::fs::write(&file, text).unwrap();
            let doubts = doubts(&crate::config::load(Some(&file)).unwrap().alerts);
            assert_eq!(doubts.iter().any(|doubt| doubt.contains("use https")), doubted, "{url}: {doubts:?}");
        }
    }
}
