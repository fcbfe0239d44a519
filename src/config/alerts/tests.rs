//! What is made of `[alerts]`, and what is said about what cannot be.

use std::path::Path;
use std::time::Duration;

use windvane_alerts::group::REPEAT_USUAL;
use windvane_alerts::machine::NoData;
use windvane_alerts::rule::Side;

use crate::config::layers::Layers;
use crate::config::{Config, Faults, resolve};

const RECEIVERS: &str = "[alerts.receivers.team]\ntype = \"webhook\"\nurl = \"http://127.0.0.1:9/\"\n\
                         [alerts.receivers.lead]\ntype = \"file\"\npath = \"lead.ndjson\"\n";

fn check(text: &str) -> Result<Config, Faults> {
    let mut layers = Layers::default();
    layers.add_file(Path::new("/etc/windvane/windvane.toml"), text);
    resolve(layers)
}

fn faults(text: &str) -> String {
    check(text).unwrap_err().to_string()
}

#[test]
fn the_usual_rules_are_there_and_their_templates_are_right() {
    let config = check("").unwrap();
    assert_eq!(config.alerts.rules.len(), windvane_alerts::defaults::rules().count());
    assert!(config.alerts.route.receivers.is_empty());
    let none = check("[alerts]\ndefault_rules = false").unwrap();
    assert!(none.alerts.rules.is_empty() && none.alerts.inhibitions.is_empty());
}

#[test]
fn a_table_changes_what_it_names_of_a_usual_rule() {
    let text = "[alerts.rules.FeatureDrift]\nmeasure = \"psi\"\nabove = 0.2\nleave = 0.1\nwindows = \"2 of 3\"\n\
                no_data = \"ok\"\nmatch = [\"model=delay\"]\n[alerts.rules.DeadLetters]\nenabled = false";
    let config = check(text).unwrap();
    let rule = config.alerts.rules.iter().find(|rule| rule.name == "FeatureDrift").unwrap();
    assert_eq!((rule.condition.side, rule.condition.enter, rule.condition.leave), (Side::Above, 0.2, 0.1));
    assert_eq!((rule.windows.wrong, rule.windows.of, rule.timing.no_data), (2, 3, NoData::Ok));
    assert!(rule.annotations.contains_key("summary") && rule.select.len() == 1);
    assert!(config.alerts.rules.iter().all(|rule| rule.name != "DeadLetters"));
}

#[test]
fn every_fault_of_a_rule_is_told_with_what_is_allowed() {
    for (text, part) in [
        ("[alerts.rules.Own]\nabove = 1", "`source` is missing"),
        ("[alerts.rules.Own]\nsource = \"drift\"", "`above` or `below` is missing"),
        ("[alerts.rules.Own]\nsource = \"drift\"\nabove = 1\nbelow = 2", "keep one of the two"),
        ("[alerts.rules.Own]\nsource = \"drift\"\nabove = 1\nleave = 2", "would never be right again"),
        (
            "[alerts.rules.Own]\nsource = \"drift\"\nmeasure = \"kss\"\nabove = 1",
            "measures drifted, effect, psi",
        ),
        ("[alerts.rules.Own]\nsource = \"query\"\nabove = 1", "`query` is missing"),
        (
            "[alerts.rules.Own]\nsource = \"drift\"\nquery = \"SELECT 1\"\nabove = 1",
            "goes with source = \"query\"",
        ),
        (
            "[alerts.rules.Own]\nsource = \"query\"\nquery = \"DROP TABLE x\"\nabove = 1",
            "allowed is a SELECT",
        ),
        ("[alerts.rules.FeatureDrift]\nwindows = \"3 of 2\"", "allowed is such as `2 of 3`"),
        ("[alerts.rules.SpoolLagging]\nwindows = \"2 of 3\"", "goes with sources that have windows"),
        ("[alerts.rules.FeatureDrift]\nmatch = [\"model\"]", "is no matcher"),
        ("[alerts.rules.FeatureDrift]\nseverity = \"loud\"", "info, warning, error or critical"),
        (
            "[alerts.rules.FeatureDrift.annotations]\nsummary = \"{{ labels.colum }}\"",
            "windvane.toml:2: alerts.rules.FeatureDrift.annotations.summary: the template fails on sample data",
        ),
    ] {
        let told = faults(text);
        assert!(told.contains(part), "{text:?} told {told:?}");
    }
}

#[test]
fn routes_are_a_tree_in_the_order_of_the_file() {
    let text = format!(
        "{RECEIVERS}[alerts.route]\nreceiver = \"team\"\ngroup_by = [\"...\"]\nrepeat_interval = \"2h\"\n\
         [alerts.routes.zebra]\nmatch = [\"team=z\"]\ncontinue = true\n\
         [alerts.routes.ape]\nmatch = [\"severity=critical\"]\nescalate_after = \"30m\"\nescalate_to = \"lead\"\n\
         [alerts.routes.below]\nparent = \"ape\"\nmatch = [\"model=delay\"]\ngroup_by = [\"model\"]\n"
    );
    let config = check(&text).unwrap();
    let root = &config.alerts.route;
    let names: Vec<&str> = root.all().iter().map(|route| route.name.as_str()).collect();
    assert_eq!(names, ["root", "zebra", "ape", "below"]);
    let below = root.named("below").unwrap();
    assert_eq!(
        (below.receivers.as_slice(), below.pace.repeat_interval),
        (&["team".to_owned()][..], Some(Duration::from_secs(7_200)))
    );
    assert_eq!(below.escalation.as_ref().map(|escalation| escalation.to.as_str()), Some("lead"));
    assert_eq!(root.key_of("below").as_deref(), Some("{}/{severity=\"critical\"}/{model=\"delay\"}"));
}

#[test]
fn how_often_the_same_is_told_again_is_left_open_unless_an_alertmanager_is_told() {
    let sink = "[alerts.receivers.am]\ntype = \"alertmanager\"\nurl = \"http://127.0.0.1:9/\"\nallow_private_targets = true\n";
    let routes = "[alerts.route]\nreceiver = \"team\"\n[alerts.routes.sink]\nmatch = [\"severity=error\"]\nreceiver = \"am\"\n\
                  [alerts.routes.slow]\nmatch = [\"severity=info\"]\nreceiver = \"am\"\nrepeat_interval = \"8h\"\n";
    let config = check(&format!("{RECEIVERS}{sink}{routes}")).unwrap();
    let repeats = |name: &str| config.alerts.route.named(name).unwrap().pace.repeat_interval;
    assert_eq!(repeats("root"), None);
    assert_eq!(repeats("sink"), Some(REPEAT_USUAL));
    assert_eq!(repeats("slow"), Some(2 * REPEAT_USUAL));
}

#[test]
fn without_a_route_everybody_is_told_but_who_stands_behind() {
    let config = check(&format!("{RECEIVERS}[alerts]\nfallback_receiver = \"lead\"\n")).unwrap();
    assert_eq!(config.alerts.route.receivers, ["team"]);
    let both = check(RECEIVERS).unwrap();
    assert_eq!(both.alerts.route.receivers, ["lead", "team"]);
}

#[test]
fn what_a_route_names_has_to_be_there() {
    for (text, part) in [
        ("[alerts.route]\nreceiver = \"nobody\"", "there is no receiver `nobody`; there are: lead, team"),
        ("[alerts.route]\nmute_in = [\"nights\"]", "there is no interval `nights`"),
        ("[alerts.routes.a]\nmatch = [\"x=y\"]\nparent = \"b\"", "there is no route `b`"),
        ("[alerts.routes.a]\nreceiver = \"team\"", "`match` is missing"),
        ("[alerts.routes.a]\nmatch = [\"x=y\"]\nparent = \"a\"", "in a circle"),
        ("[alerts.route]\nescalate_after = \"5m\"", "go together"),
        (
            "[alerts.intervals.nights]\ntimes = [\"22:00-06:00\"]",
            "or two over midnight, 22:00-24:00 and 00:00-06:00",
        ),
        ("[alerts.intervals.nights]\nlocation = \"Berlin\"", "is no time zone"),
        ("[alerts.maintenance.move]\nfrom = \"tomorrow\"", "is no time"),
        ("[alerts.maintenance.move]\nfrom = \"2026-03-01\"", "nobody would be told of anything from then on"),
        ("[alerts.inhibitions.i]\nsource = [\"a=b\"]", "`target` is missing"),
        ("[alerts]\nfallback_receiver = \"x\"", "there is no receiver `x`"),
    ] {
        let told = faults(&format!("{RECEIVERS}{text}"));
        assert!(told.contains(part), "{text:?} told {told:?}");
    }
}

#[test]
fn a_heartbeat_inside_a_network_has_to_be_meant() {
    for url in
        ["http://169.254.169.254/", "http://10.0.0.1/", "http://[64:ff9b::a00:1]/", "http://[2002:a00:1::1]/"]
    {
        let text = format!("[alerts]\nheartbeat_url = \"{url}\"\n");
        let told = faults(&text);
        assert!(told.contains("set allow_private_targets = true"), "{url} told {told:?}");
        assert!(told.contains("heartbeat_allow_private_targets"), "{url} told {told:?}");
        let config = check(&format!("{text}heartbeat_allow_private_targets = true\n")).unwrap();
        assert!(config.alerts.heartbeat.is_some(), "{url}");
    }
    assert!(check("[alerts]\nheartbeat_url = \"http://127.0.0.1:9/\"\n").unwrap().alerts.heartbeat.is_some());
}
