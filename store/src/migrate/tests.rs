//! What migrations promise without an engine; `store/tests/tables/migrations.rs` runs them.

use std::path::Path;

use super::*;

fn cluster() -> Topology {
    Topology::Cluster(ClusterName::new("{cluster}").unwrap())
}

fn entry(migration: &Migration, state: State) -> Entry {
    Entry { state: state.name().to_owned(), ..Entry::new(migration, &Topology::Single) }
}

fn states(steps: &[Step]) -> Vec<State> {
    steps.iter().map(|step| step.state).collect()
}

#[test]
fn every_file_is_listed_once_and_numbers_have_no_gap() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut files: Vec<String> =
        folder.read_dir().unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    let listed: Vec<String> = all().iter().map(|m| format!("{:04}_{}.sql", m.version, m.name)).collect();
    assert_eq!(files, listed);
    for (i, migration) in all().iter().enumerate() {
        assert_eq!(migration.version as usize, i + 1, "{}", migration.name);
    }
}

#[test]
fn every_file_holds_one_repeatable_statement_under_a_header() {
    for migration in all() {
        let name = migration.name;
        let header: String = migration.text.lines().take_while(|line| line.starts_with("--")).collect();
        assert!(header.contains("Question: "), "{name} does not say which question it answers");
        let statement = without_comments(migration.text);
        let outside_quotes: String = statement.split('\'').step_by(2).collect();
        assert!(!outside_quotes.contains(';'), "{name} holds more than one statement");
        let first = statement.split_whitespace().next();
        assert!(matches!(first, Some("CREATE" | "ALTER")), "{name} changes data: {first:?}");
        assert!(
            ["IF NOT EXISTS", "IF EXISTS", "MODIFY SETTING"].iter().any(|word| statement.contains(word)),
            "{name} cannot be repeated"
        );
    }
}

#[test]
fn every_column_says_what_it_is() {
    for migration in all() {
        for line in
            migration.text.lines().skip_while(|line| *line != "(").take_while(|line| *line != ")").skip(1)
        {
            let is_index = line.trim_start().starts_with("INDEX ");
            assert!(is_index || line.contains(" COMMENT '"), "{}: {line}", migration.name);
        }
    }
}

/// Applied migrations are never edited: a change to this list is a new line at its end.
#[test]
fn published_migrations_never_change() {
    let sums: Vec<String> =
        all().iter().map(|m| format!("{:04} {} {}", m.version, &m.checksum()[..16], m.name)).collect();
    insta::assert_snapshot!(sums.join("\n"), @r"
    0001 87bdbe9de1b2b320 database
    0002 f6630cc0e86d6f04 schema_migrations
    0003 176a888122f854c8 predictions
    0004 ed6b87b27e24419e predictions_distributed
    0005 f20ffea67c3ff404 outcomes
    0006 cc3f0f6a0fcce5fe outcomes_distributed
    0007 0e3903ad25ce1470 exposures
    0008 2ca470cbdba05eee exposures_distributed
    0009 b12a929d00bccd6f measurements
    0010 ea179a46d1d9e956 measurements_distributed
    0011 e877ee6846095efe baselines
    0012 4c3d67f0818430f0 drift_findings
    0013 b8350d4e07521716 monitor_runs
    0014 e843766ff0466095 job_leases
    0015 28698ef54115548c monitors
    0016 ffa940c3b161edaf experiment_findings
    0017 2978505fc411435d experiment_looks
    0018 dabbc6dc35e0a2ae performance_findings
    0019 124a3ebfa220d5d2 predictions_projection_mode
    0020 11972c2c9f2bb33f predictions_by_hour
    0021 9fecce6f281c0956 payloads
    0022 4ec7f3be54c2a64d payloads_distributed
    0023 3b1b9ca88f73902f spans
    0024 0e4829f5962ae5b5 spans_distributed
    0025 e729158b5a420017 spans_trace_id_ts
    0026 3f2fb631ec58a5b4 spans_trace_id_ts_distributed
    0027 409f682a439f9356 spans_trace_id_ts_mv
    0028 d1c9169c393a0b3b llm_calls
    0029 c12869d9e96a51f7 llm_calls_distributed
    0030 d09bbc00318e5c81 logs
    0031 000a36111f7d30a0 logs_distributed
    0032 6457d4f0a796c46a metrics_gauge
    0033 8aab8a1d477be98a metrics_gauge_distributed
    0034 b9b138620dc8b5bc metrics_sum
    0035 7db82604544390db metrics_sum_distributed
    0036 900f559332925672 metrics_histogram
    0037 f228324d7531c65b metrics_histogram_distributed
    0038 62a228d653db3010 quality_findings
    0039 3fef28c24b734013 latency_findings
    0040 1addd930ae417f41 gate_findings
    0041 8b6ba5e0c6af41c8 alert_events
    0042 7486b36ac18451a8 notifications
    0043 e097da06de78a9bd silences
    0044 72e805393cabee30 alert_acknowledgements
    0045 38c908b507e5e78b alert_state
    0046 4085713ae2d89b4d fairness_findings
    0047 e765c38e12a988f0 attribution_findings
    0048 5066ddb4986f011a fairness_outcomes_until
    0049 3b34c75ff76960bb predictions_merge_base
    0050 45412be00e1d51c8 spans_merge_base
    0051 315479b5c11afab4 outcomes_projection_mode
    0052 30f36b5bf663c329 outcomes_by_model
    0053 0e5fc9dcda32397a predictions_by_day
    0054 48f1ff70d22f6663 predictions_by_day_of_old_parts
    0055 de8b55a85c8b5915 monitor_runs_note
    0056 f42b3d275d610b41 outcomes_by_model_of_old_parts
    0057 c36ce4cf947c63b2 predictions_without_wide_digests
    0058 c20dde5dcbef1053 predictions_by_narrow_marks
    0059 df72ba8620c84024 predictions_by_narrow_marks_of_old_parts
    0060 94a9e6b109f5e9f9 metrics_exponential_histogram
    0061 ef04f5ffd960e76e metrics_exponential_histogram_distributed
    0062 08ce0a762d760df8 metrics_summary
    0063 43a64e3e6f070d89 metrics_summary_distributed
    0064 300858770d4123a7 experiment_sums
    ");
}

#[test]
fn a_cluster_gets_replicated_tables_behind_distributed_ones() {
    let rendered: Vec<String> =
        all().iter().filter_map(|migration| migration.render(&cluster(), "windvane").unwrap()).collect();
    let find = |start: &str| {
        let found = rendered.iter().find(|sql| without_comments(sql).starts_with(start));
        found.unwrap_or_else(|| panic!("no statement starts with {start}"))
    };
    let local = find("CREATE TABLE IF NOT EXISTS windvane.predictions_local ON CLUSTER '{cluster}'");
    assert!(local.contains(
        "ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', ingested_at)"
    ));
    let distributed = find("CREATE TABLE IF NOT EXISTS windvane.predictions ON CLUSTER '{cluster}'");
    assert!(
        distributed
            .contains("Distributed('{cluster}', 'windvane', 'predictions_local', cityHash64(event_id))")
    );
    assert!(rendered.iter().all(|sql| !sql.contains("${")));
}

#[test]
fn one_server_gets_plain_tables_only() {
    let rendered: Vec<String> = all()
        .iter()
        .filter_map(|migration| migration.render(&Topology::Single, "windvane").unwrap())
        .collect();
    assert!(rendered.len() < all().len());
    for sql in &rendered {
        for word in ["${", "ON CLUSTER '", "Replicated", "ENGINE = Distributed", "_local"] {
            assert!(!without_comments(sql).contains(word), "{word} in {sql}");
        }
    }
}

#[test]
fn a_server_runs_what_its_version_can() {
    let of = |version: &str| ServerVersion::parse(version).unwrap();
    let since = "-- since: 26.1\nALTER TABLE t";
    for (version, runs) in
        [("25.8.4.13", false), ("25.12.1.1", false), ("26.1.1.1", true), ("26.7.2.1", true), ("27.1", true)]
    {
        assert_eq!(render::runs_on(since, of(version)), runs, "{version}");
        assert!(render::runs_on("ALTER TABLE t", of(version)), "{version}");
    }
    for wrong in ["", "26", "v26.1", "26.x"] {
        assert_eq!(ServerVersion::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn what_a_server_cannot_run_is_no_step_of_it_until_it_has_been_brought_up() {
    let narrow = *all().iter().find(|migration| migration.text.starts_with("-- since: ")).unwrap();
    let (old, new) = (ServerVersion::parse("25.8.1.1").unwrap(), ServerVersion::parse("26.3.1.1").unwrap());
    let step = |state| Step { migration: narrow, state };
    assert!(!is_of(&step(State::Pending), &Topology::Single, old));
    assert!(is_of(&step(State::Pending), &Topology::Single, new));
    assert!(is_of(&step(State::Applied), &Topology::Single, old), "it is told of, as it has run");
}

#[test]
fn names_that_cannot_stand_in_sql_are_refused() {
    for name in ["", "a'b", "a b", "a;b", "é"] {
        assert!(ClusterName::new(name).is_err(), "{name}");
        assert!(all()[0].render(&Topology::Single, name).is_err(), "{name}");
    }
}

#[test]
fn what_is_not_applied_is_pending_and_what_was_begun_is_started() {
    let known = &all()[..3];
    let entries = [
        entry(&known[0], State::Started),
        entry(&known[0], State::Applied),
        entry(&known[1], State::Started),
    ];
    let steps = compare(known, &entries, &Topology::Single).unwrap();
    assert_eq!(states(&steps), [State::Applied, State::Started, State::Pending]);
}

#[test]
fn an_edited_migration_is_refused() {
    let known = &all()[..3];
    let mut edited = entry(&known[1], State::Applied);
    edited.checksum = "0".repeat(64);
    let refused = compare(known, &[edited], &Topology::Single).unwrap_err();
    assert!(matches!(refused, MigrateError::Edited { version: 2, .. }), "{refused}");
}

#[test]
fn an_older_binary_refuses_a_newer_schema() {
    let newer = entry(&all()[2], State::Applied);
    let refused = compare(&all()[..2], &[newer], &Topology::Single).unwrap_err();
    assert!(matches!(refused, MigrateError::NewerSchema { found: 3, known: 2 }), "{refused}");
}

#[test]
fn a_schema_of_the_other_topology_is_refused() {
    let entries = [entry(&all()[0], State::Applied)];
    let refused = compare(all(), &entries, &cluster()).unwrap_err();
    assert!(matches!(refused, MigrateError::OtherTopology { asked: "cluster", .. }), "{refused}");
}

fn without_comments(sql: &str) -> String {
    render::without_comments(sql)
}
