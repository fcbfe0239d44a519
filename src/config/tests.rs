//! What the loader accepts, and what it says about the rest.

use std::ffi::OsString;
use std::path::Path;

use windvane_collector::{Scope, Tokens, Wanted};
use windvane_types::span::ReferenceKind;

use super::layers::Layers;
use super::*;

fn check(text: &str) -> Result<Config, Faults> {
    let mut layers = Layers::default();
    layers.add_file(Path::new("/etc/windvane/windvane.toml"), text);
    resolve(layers)
}

fn faults(text: &str) -> String {
    check(text).unwrap_err().to_string()
}

#[test]
fn an_empty_file_gives_the_defaults() {
    let config = check("").unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert!(matches!(config.store, Store::Embedded { engine_listen, .. } if engine_listen.port() == 8123));
    assert_eq!(config.collector.requests_max, 64);
    assert_eq!(config.server.connections_max, 1_024);
}

#[test]
fn nothing_is_sent_of_the_service_itself_unless_somebody_says_where() {
    assert_eq!(check("").unwrap().telemetry, None);
    let telemetry = check("[telemetry]\notlp_endpoint = \"http://otel:4318/\"").unwrap().telemetry.unwrap();
    assert_eq!((telemetry.endpoint.as_str(), telemetry.metrics_every.as_secs()), ("http://otel:4318", 60));
}

#[test]
fn where_metrics_are_sent_holds_no_password_and_a_fault_does_not_show_it() {
    for address in ["http://u:hidden@otel:4318", "https://hidden@otel", "http://u:hidden@otel:4318/?a=b"] {
        let told = faults(&format!("[telemetry]\notlp_endpoint = \"{address}\""));
        assert!(told.contains("has a user or a password") && !told.contains("hidden"), "{told}");
    }
    let path =
        check("[telemetry]\notlp_endpoint = \"http://otel:4318/in@side/\"").unwrap().telemetry.unwrap();
    assert_eq!(path.endpoint, "http://otel:4318/in@side");
}

#[test]
fn relative_paths_start_at_the_files_folder() {
    let config = check("[store]\ndata_dir = \"data\"").unwrap();
    assert!(
        matches!(&config.store, Store::Embedded { data_dir, .. } if data_dir == Path::new("/etc/windvane/data"))
    );
    assert_eq!(config.collector.spool_dir, Path::new("/etc/windvane/data/spool"));
}

#[test]
fn all_faults_are_told_at_once_with_line_key_value_and_example() {
    insta::assert_snapshot!(faults("[server]\nlisten = 8080\nlissten = \"x\"\n[collector]\nrequests_max = 0\n[strore]\nurl = \"u\"\n"), @r#"
    the configuration has 4 faults
      /etc/windvane/windvane.toml:2: server.listen: `8080` is not allowed; allowed is an address and a port, such as 127.0.0.1:8080; for example: listen = "127.0.0.1:8080"
      /etc/windvane/windvane.toml:3: server.lissten: unknown key; the nearest known one is `server.listen`
      /etc/windvane/windvane.toml:5: collector.requests_max: `0` is not allowed; allowed is a whole number from 1 to 4096; for example: requests_max = 64
      /etc/windvane/windvane.toml:6: strore: unknown key; the nearest known one is `store`
    "#);
}

#[test]
fn text_that_is_not_toml_names_its_line() {
    let text = faults("[server]\nlisten = \n");
    assert!(text.contains("windvane.toml:2: is not TOML"), "{text}");
}

#[test]
fn contradictions_are_told() {
    for (text, part) in [
        ("[store]\nurl = \"http://ch:8123\"\ndata_dir = \"d\"", "excludes store.url"),
        ("[store]\nuser = \"u\"", "goes with store.url"),
        ("[telemetry]\ntraces_share = 1.0", "goes with telemetry.otlp_endpoint"),
        ("[telemetry]\nmetrics_every = \"5s\"", "goes with telemetry.otlp_endpoint"),
        ("[telemetry]\nca_file = \"ca.crt\"", "goes with telemetry.otlp_endpoint"),
        (
            "[telemetry]\notlp_endpoint = \"http://otel\"\nca_file = \"ca.crt\"",
            "goes with an https:// address",
        ),
        (
            "[telemetry]\notlp_endpoint = \"https://otel\"\nca_file = \"/nowhere.crt\"",
            "cannot read `/nowhere.crt`",
        ),
        ("[telemetry]\notlp_endpoint = \"http://otel:4318/v1/metrics/\"", "allowed is `http://otel:4318`"),
        ("[telemetry]\notlp_endpoint = \"http://otel:4318/?a=b\"", "has a query or a fragment"),
        ("[store]\nengine_listen = \"0.0.0.0:8123\"", "loopback address only"),
        ("[server]\nlisten = \"0.0.0.0:8080\"", "make one with `windvane token create`"),
        ("[redaction.m]\nfeatures_allow = \"a\"\nfeatures_deny = \"b\"", "excludes features_deny"),
        ("[otlp.redaction]\nattributes_allow = \"a\"\nattributes_deny = \"b\"", "excludes attributes_deny"),
        ("[otlp.redaction]\nattributes_hash = \"user.*\"", "otlp.redaction.attributes_hash: needs a key"),
        ("[redaction.m]\nunit_key_env = \"WINDVANE_NO_SUCH\"", "`WINDVANE_NO_SUCH` is not set"),
        ("[server.tls]\nkey_file = \"k\"", "needs server.tls.cert_file"),
        ("[store]\nurl = \"ftp://x\"", "an http:// or https:// address"),
        ("[store]\nurl = \"http://x\"\npassword_file = \"/nowhere/at/all\"", "cannot read `/nowhere/at/all`"),
    ] {
        let told = faults(text);
        assert!(told.contains(part), "{text:?} told {told:?}");
    }
}

#[test]
fn a_bound_beyond_what_is_allowed_is_told_with_what_is() {
    for (text, part) in [
        ("[limits]\nnesting_max = 0", "a whole number from 1 to 100"),
        ("[limits]\nnesting_max = 101", "a whole number from 1 to 100"),
        ("[limits]\nmodel_share_percent = 0", "a whole number from 1 to 99"),
        ("[limits]\nmodel_share_percent = 100", "a whole number from 1 to 99"),
        ("[collector]\nbody_timeout = \"0s\"", "from 1 to 3600 seconds"),
        ("[collector]\nbody_timeout = \"2h\"", "from 1 to 3600 seconds"),
        ("[collector]\nbody_timeout = 60", "allowed is a length such as 90s"),
    ] {
        let told = faults(text);
        assert!(told.contains("has 1 fault\n") && told.contains(part), "{text:?} told {told:?}");
    }
}

#[test]
fn a_share_of_the_spool_has_room_for_one_request() {
    // A body of 32 MiB and the 64 MiB of the spool: a third, rounded up.
    let of = |percent: u64| {
        format!("[collector]\nspool_bytes_max = 67108864\n[limits]\nmodel_share_percent = {percent}")
    };
    assert_eq!(check(&of(34)).unwrap().collector.model_share_percent, 34);
    let told = faults(&of(33));
    assert!(
        told.contains("limits.model_share_percent: `33` leaves") && told.contains("allowed is 34"),
        "{told}"
    );
    // Nobody chose what holds without the key.
    let large = "[collector]\nspool_bytes_max = 67108864\nbody_bytes_max = 1073741824";
    assert_eq!(check(large).unwrap().collector.model_share_percent, 80);
}

#[test]
fn a_reachable_address_is_allowed_when_told_so() {
    let config = check("[server]\nlisten = \"0.0.0.0:8080\"\nallow_unauthenticated = true").unwrap();
    assert_eq!(config.server.listen.to_string(), "0.0.0.0:8080");
}

#[test]
fn a_proxy_is_an_address_or_a_network() {
    let told = faults("[server]\ntrusted_proxies = [\"10.0.0.1\", \"proxy\"]");
    assert!(
        told.contains("has 1 fault\n")
            && told.contains("server.trusted_proxies: `proxy` is neither an address nor a network"),
        "{told}"
    );
    assert!(check("[server]\ntrusted_proxies = \"10.0.0.0/8, fd00::1\"").is_ok());
}

#[test]
fn a_host_is_a_name_or_an_address_without_a_port() {
    for wrong in ["http://windvane", "windvane:8080", "*"] {
        let told = faults(&format!("[server]\nhosts = [\"windvane\", \"{wrong}\"]"));
        let part = format!("server.hosts: `{wrong}` is neither a name nor an address");
        assert!(told.contains("has 1 fault\n") && told.contains(&part), "{told}");
    }
    let config = check("[server]\nhosts = \"host.docker.internal, 10.0.0.7\"").unwrap();
    let texts = ["host.docker.internal", "10.0.0.7"].map(str::to_owned);
    assert_eq!(Ok(config.server.gate.hosts), windvane_collector::Hosts::parse(&texts));
    assert_eq!(check("").unwrap().server.gate.hosts, windvane_collector::Hosts::default());
}

#[test]
fn an_origin_of_events_has_a_scheme_and_no_path() {
    for wrong in ["shop.example.org", "https://shop.example.org/checkout", "*"] {
        let told = faults(&format!("[server]\nevent_origins = [\"{wrong}\"]"));
        let part = format!("server.event_origins: `{wrong}` is no origin");
        assert!(told.contains("has 1 fault\n") && told.contains(&part), "{told}");
    }
    let config = check("[server]\nevent_origins = \"https://shop.example.org\"").unwrap();
    let texts = ["https://shop.example.org".to_owned()];
    assert_eq!(Ok(config.server.gate.origins), windvane_collector::SenderOrigins::parse(&texts));
}

#[test]
fn a_reachable_port_of_otlp_needs_a_token_as_the_service_does() {
    let told = faults("[otlp]\ngrpc_listen = \"0.0.0.0:4317\"");
    assert!(
        told.contains("has 1 fault\n") && told.contains("otlp.grpc_listen: `0.0.0.0:4317` can be reached"),
        "{told}"
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens.json");
    let wanted = Wanted {
        name: "a".to_owned(),
        scopes: vec![Scope::Ingest],
        model_prefixes: Vec::new(),
        requests_per_s: None,
        expires_us: None,
    };
    let random = [1, 2, 3].map(uuid::Uuid::from_u128);
    Tokens::change(&file, |tokens| tokens.add(wanted, random, 1)).unwrap();
    let text =
        format!("[server]\ntokens_file = \"{}\"\n[otlp]\ngrpc_listen = \"0.0.0.0:4317\"", file.display());
    assert_eq!(check(&text).unwrap().otlp.grpc_listen.to_string(), "0.0.0.0:4317");
}

#[test]
fn the_environment_overrides_the_file() {
    let mut layers = Layers::default();
    layers.add_file(Path::new("w.toml"), "[collector]\nrequests_max = 8");
    let variables = [("WINDVANE_COLLECTOR_REQUESTS_MAX", "9"), ("WINDVANE_LOG", "debug"), ("HOME", "/root")];
    layers.add_environment(variables.into_iter().map(|(name, value)| (name.into(), value.into())));
    assert_eq!(resolve(layers).unwrap().collector.requests_max, 9);
}

#[test]
fn an_unknown_variable_with_our_prefix_is_a_fault() {
    let mut layers = Layers::default();
    layers.add_environment([("WINDVANE_SERVER_LISTN".into(), "x".into())].into_iter());
    let told = resolve(layers).unwrap_err().to_string();
    assert!(told.contains("the nearest known one is `WINDVANE_SERVER_LISTEN`"), "{told}");
}

#[test]
fn a_variable_that_is_no_text_is_a_fault_where_it_is_ours_and_none_elsewhere() {
    use std::os::unix::ffi::OsStringExt;

    let told = |name: &str| {
        let (name, value) = (OsString::from(name), OsString::from_vec(vec![b'8', 0xff]));
        let mut layers = Layers::default();
        layers.add_environment([(name, value)].into_iter());
        resolve(layers).map_err(|faults| faults.to_string())
    };
    assert!(told("LESS_TERMCAP_mb").is_ok());
    let ours = told("WINDVANE_COLLECTOR_REQUESTS_MAX").unwrap_err();
    assert!(ours.contains("WINDVANE_COLLECTOR_REQUESTS_MAX") && ours.contains("text in UTF-8"), "{ours}");
}

/// Faults go to the log.
#[test]
fn a_fault_of_an_address_does_not_show_what_may_be_a_secret() {
    for (text, part) in [
        ("[store]\nurl = \"http://u:hidden@ch:8123\"", "has a user or a password in its address"),
        ("[store]\nurl = \"u:hidden@ch:8123\"", "allowed is an http:// or https:// address"),
        (
            "[alerts.receivers.a]\ntype = \"slack\"\nurl = \"hooks.slack.com/hidden\"",
            "allowed is an http:// or https:// address",
        ),
        (
            "[alerts.receivers.a]\ntype = \"slack\"\nurl_env = \"https://hooks.slack.com/hidden\"",
            "is no name of an environment variable",
        ),
        ("[redaction.m]\nunit_key_env = \"hidden key\"", "is no name of an environment variable"),
    ] {
        let told = faults(text);
        assert!(told.contains(part) && !told.contains("hidden"), "{text:?} told {told:?}");
    }
}

#[test]
fn passwords_are_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    std::fs::write(&path, "hunter2\n").unwrap();
    let text = format!("[store]\nurl = \"http://x:8123\"\npassword_file = {path:?}");
    let config = check(&text).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
    assert!(matches!(config.store, Store::Server { password, .. } if password.expose() == "hunter2"));
}

#[test]
fn a_monitor_needs_a_model_and_a_reference_and_has_a_default_for_the_rest() {
    let config = check("[monitors.daily]\nmodel = \"delay\"\nreference = \"baseline:spring\"").unwrap();
    let [Job::Drift(monitor)] = config.monitors.as_slice() else { panic!("{:?}", config.monitors) };
    let schedule = &monitor.watched.schedule;
    assert_eq!((monitor.watched.name.as_str(), monitor.reference.name()), ("daily", "spring"));
    assert_eq!((schedule.window.to_string(), schedule.every.to_string()), ("1d".to_owned(), "1d".to_owned()));
    assert!(monitor.watched.enabled && monitor.columns.is_none() && monitor.methods.is_none());
    assert!(monitor.text.is_empty());
    let table = "[monitors.said]\nmodel = \"m\"\nreference = \"previous\"\ntext = [\"comment\", \"title\"]\n";
    let config = check(table).unwrap();
    let [Job::Drift(monitor)] = config.monitors.as_slice() else { panic!("{:?}", config.monitors) };
    assert_eq!(monitor.text, ["comment", "title"]);
    let told = faults(&format!("{table}kind = \"quality\"\n"));
    assert!(told.contains("goes with kind = \"drift\" only"), "{told}");
    assert!(faults("[monitors.said]\ntext = [\"\"]\n").contains("strings that are not empty"));

    let wrong = "[monitors.\"by carrier\"]\nwindow = \"1y\"\nmethods = [\"ks\", \"kss\"]\nreference = \"window:24h\"\n\
                 alpha = 0.9\ncorrection = \"none\"\nsegments = 3\n";
    let told = faults(wrong);
    for part in [
        "has 7 faults",
        "`model` is missing",
        "`1y` is not allowed; allowed is a length such as 15m",
        "there is no method `kss`",
        "`window:24h` has no START/END",
        "`0.9` is not allowed",
        "bh, by, holm or bonferroni",
        "unknown key",
    ] {
        assert!(told.contains(part), "{part} in {told}");
    }
}

#[test]
fn a_gate_asks_a_segment_by_names_and_values() {
    let table = "[gates.delay-8]\nchampion = \"a.onnx\"\ncandidate = \"b.onnx\"\nmodel = \"delay\"\n";
    let config = check(&format!("{table}segment = [\"carrier=UA\", \"lane=slow\"]\n")).unwrap();
    assert_eq!(config.gates[0].segment, ["carrier=UA", "lane=slow"]);
    assert!(check(table).unwrap().gates[0].segment.is_empty());
    for segment in ["carrier", "=UA"] {
        let told = faults(&format!("{table}segment = [{segment:?}]\n"));
        assert!(told.contains("such as `carrier=UA`"), "{told}");
    }
}

#[test]
fn a_list_that_is_a_set_has_each_name_once() {
    let table = "[monitors.m]\nmodel = \"delay\"\nreference = \"previous\"\n";
    let config = check(&format!(
        "{table}columns = [\"b\", \"a\", \"b\"]\nmethods = [\"ks\", \"ks\"]\nsegment_by = [\"region\", \"region\"]\n"
    ))
    .unwrap();
    let [Job::Drift(monitor)] = config.monitors.as_slice() else { panic!("{:?}", config.monitors) };
    assert_eq!(monitor.columns.as_deref(), Some(&["b".to_owned(), "a".to_owned()][..]));
    assert_eq!(
        (monitor.methods.as_ref().map(Vec::len), monitor.segment_by.as_slice()),
        (Some(1), &["region".to_owned()][..])
    );
}

#[test]
fn monitors_of_groups_and_of_attributions_say_what_they_take() {
    let table = "[monitors.fair]\nkind = \"fairness\"\nmodel = \"delay\"\n";
    let config = check(&format!(
        "{table}segment_by = [\"region\"]\nreference_group = [\"east\"]\nthreshold = 0.7\nmax_gap = 0.1\nreopen_for = \"45d\"\n"
    ))
    .unwrap();
    let [Job::Fairness(monitor)] = config.monitors.as_slice() else { panic!("{:?}", config.monitors) };
    assert_eq!((monitor.threshold, monitor.max_gap, monitor.min_rows), (0.7, 0.1, 100));
    assert_eq!((monitor.reopen.for_us, monitor.reopen.every.as_secs()), (45 * 86_400 * 1_000_000, 3_600));
    assert_eq!(monitor.reference_group.as_deref(), Some(&["east".to_owned()][..]));
    let told =
        faults(&format!("{table}reference = \"previous\"\nreference_group = [\"a\"]\ntask = \"binary\"\n"));
    for part in [
        "has 4 faults",
        "groups of one window are compared with each other",
        "what cuts the groups",
        "one value for each name of segment_by",
        "goes with kind = \"performance\" only",
    ] {
        assert!(told.contains(part), "{part} in {told}");
    }
    let table = "[monitors.rank]\nkind = \"attribution\"\nmodel = \"delay\"\nreference = \"previous\"\n";
    let config = check(table).unwrap();
    let [Job::Attribution(monitor)] = config.monitors.as_slice() else { panic!("{:?}", config.monitors) };
    assert_eq!((monitor.threshold, monitor.min_rows), (0.9, 30));
    let told = faults(&format!("{table}threshold = 2.0\nmax_gap = 0.1\n"));
    for part in ["has 2 faults", "allowed is above 0 and up to 1", "goes with kind = \"fairness\" only"] {
        assert!(told.contains(part), "{part} in {told}");
    }
}

#[test]
fn a_performance_monitor_needs_a_task_and_takes_no_methods() {
    let table =
        "[monitors.right]\nkind = \"performance\"\nmodel = \"delay\"\nreference = \"baseline:spring\"\n";
    let config = check(&format!("{table}task = \"binary\"\nreopen_for = \"45d\"\n")).unwrap();
    let [Job::Performance(monitor)] = config.monitors.as_slice() else { panic!("{:?}", config.monitors) };
    assert_eq!((monitor.watched.name.as_str(), monitor.reopen.for_us), ("right", 45 * 86_400 * 1_000_000));
    let told = faults(&format!("{table}methods = [\"ks\"]\n"));
    for part in ["has 2 faults", "`task` is missing", "goes with kind = \"drift\" only"] {
        assert!(told.contains(part), "{part} in {told}");
    }
    let told = faults("[monitors.x]\nmodel = \"m\"\nreference = \"previous\"\ntask = \"binary\"\n");
    assert!(told.contains("goes with kind = \"performance\" only"), "{told}");
}

#[test]
fn a_window_is_not_compared_with_its_own_rows_of_a_week_ago() {
    let monitor = |window: &str| {
        check(&format!(
            "[monitors.x]\nmodel = \"m\"\nreference = \"same_hour_last_week\"\nwindow = \"{window}\"\n"
        ))
    };
    assert!(monitor("1h").is_ok() && monitor("1w").is_ok());
    for window in ["8d", "1mo"] {
        let told = monitor(window).unwrap_err().to_string();
        assert!(told.contains("has 1 fault") && told.contains("a week at most"), "{told}");
    }
}

#[test]
fn windows_of_calendar_months_end_with_a_month() {
    let monitor = |every: &str| {
        check(&format!(
            "[monitors.x]\nmodel = \"m\"\nreference = \"previous\"\nwindow = \"1mo\"\nevery = \"{every}\"\n"
        ))
        .map(|config| config.monitors.len())
        .map_err(|faults| faults.to_string())
    };
    assert_eq!((monitor("1mo"), monitor("2mo")), (Ok(1), Ok(1)));
    for every in ["1d", "30d"] {
        let told = monitor(every).unwrap_err();
        assert!(told.contains(&format!("`{every}` does not go with window = \"1mo\"")), "{told}");
    }
    assert!(
        check("[monitors.x]\nmodel = \"m\"\nreference = \"previous\"\nwindow = \"7d\"\nevery = \"1mo\"\n")
            .is_ok()
    );
}

#[test]
fn a_key_that_says_nothing_to_a_monitor_is_refused_with_what_it_goes_with() {
    let monitor = |kind: &str, more: &str| {
        faults(&format!("[monitors.x]\nmodel = \"m\"\nreference = \"previous\"\nkind = \"{kind}\"\n{more}\n"))
    };
    for (kind, more, part) in [
        ("latency", "text = [\"a\"]", "goes with kind = \"drift\" only"),
        (
            "performance",
            "task = \"binary\"\nalpha = 0.1",
            "kind = \"drift\" or \"fairness\" or \"latency\" or \"quality\" only",
        ),
        ("drift", "positive = \"late\"", "goes with kind = \"fairness\" or \"performance\" only"),
        ("performance", "task = \"binary\"\nk = 5", "goes with task = \"ranking\" only"),
        ("performance", "task = \"multiclass\"\ngroup = \"query\"", "goes with task = \"ranking\" only"),
        ("performance", "task = \"binary\"\nquantile = 0.9", "goes with task = \"regression\" only"),
        ("performance", "task = \"regression\"\nthreshold = 0.9", "goes with task = \"binary\" only"),
        (
            "performance",
            "task = \"ranking\"\nestimate = true",
            "is of classes and numbers, not of task = \"ranking\"",
        ),
    ] {
        let told = monitor(kind, more);
        assert!(told.contains(part) && told.contains("has 1 fault"), "{kind} {more}: {told}");
    }
    assert!(check("[monitors.x]\nmodel = \"m\"\nreference = \"previous\"\nkind = \"performance\"\ntask = \"ranking\"\nk = 5\nestimate = false\n").is_ok());
    let file = "[monitors.x]\nmodel = \"m\"\nkind = \"quality\"\nexpectations = \"/nowhere.toml\"\ntolerance = 0.2\nalpha = 0.1\n";
    assert_eq!(faults(file).matches("says nothing beside expectations").count(), 2);
}

#[test]
fn a_latency_monitor_reads_quantiles_and_objectives_and_may_lack_a_reference() {
    let table = "[monitors.fast]\nkind = \"latency\"\nmodel = \"delay\"\n";
    let read = |more: &str| {
        let config = check(&format!("{table}{more}")).unwrap();
        let [Job::Latency(monitor)] = config.monitors.as_slice() else { panic!("{:?}", config.monitors) };
        monitor.clone()
    };
    let plain = read("");
    assert_eq!((plain.reference, plain.levels), (None, vec![0.5, 0.9, 0.95, 0.99, 0.999]));
    assert!(plain.objectives.is_empty() && plain.by.is_empty());
    let given = read(
        "reference = \"previous\"\nsegment_by = [\"version\", \"stage\"]\nquantiles = [\"p99\", \"p50\"]\nslo = \"99%:50ms\"\n",
    );
    assert_eq!((&given.reference, &given.levels), (&Some(ReferenceKind::Previous), &vec![0.5, 0.99]));
    assert_eq!(given.by, ["version", "stage"]);
    let settings = Job::Latency(given).settings();
    assert_eq!(settings["slo"], serde_json::json!(["99%:50ms"]));
    assert_eq!(settings["quantiles"], serde_json::json!(["p50", "p99"]));

    let told = faults(&format!(
        "{table}slo = [\"99%:50ms\", \"99%\"]\nquantiles = [\"99\"]\ncorrection = \"bh\"\ntolerance = 0.1\ntask = \"binary\"\n"
    ));
    for part in [
        "has 5 faults",
        "`99%` is no objective: give one such as 99.9%:250ms",
        "`99` is no quantile: give one above p0 and below p100, such as p99.9",
        "goes with kind = \"drift\" only",
        "goes with kind = \"quality\" only",
        "goes with kind = \"performance\" only",
    ] {
        assert!(told.contains(part), "{part} in {told}");
    }
    let told = faults("[monitors.x]\nmodel = \"m\"\nreference = \"previous\"\nslo = [\"99%:50ms\"]\n");
    assert!(told.contains("goes with kind = \"latency\" only"), "{told}");
}

#[test]
fn the_monitors_of_the_demo_are_right() {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/data/monitors.toml"));
    let mut layers = Layers::default();
    layers.add_file(path, &std::fs::read_to_string(path).unwrap());
    let names: Vec<String> = resolve(layers).unwrap().monitors.iter().map(|m| m.name().to_owned()).collect();
    assert_eq!(names, ["months", "months-by-carrier", "months-by-origin"]);
}
