//! Grafana's dashboards: what is written is what Grafana reads, and every panel's statement runs over data.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use windvane_dashboards::{Scope, boards, expand};
use windvane_kit::Service;

use crate::asking::query;
use crate::seeded::{self, BINARY};

/// Two runs of a monitor on one window, of which the later one has a column less.
const TWO_RUNS: &str = "
INSERT INTO windvane.drift_findings (run_id, computed_at, model, monitor, reference_kind, window_start, window_end, column_name, column_kind,
       method, statistic, threshold, effect, n_reference, n_current, direction, drifted, verdict) VALUES
('1', '2026-01-03 01:00:00', 'm', 'daily', 'previous', '2026-01-02', '2026-01-03', 'kept', 'numeric', 'psi', 0.2, 0.1, 0.2, 10, 10, 'up', true, 'drift'),
('1', '2026-01-03 01:00:00', 'm', 'daily', 'previous', '2026-01-02', '2026-01-03', 'gone', 'numeric', 'psi', 77.7, 0.1, 77.7, 10, 10, 'up', true, 'drift'),
('2', '2026-01-03 02:00:00', 'm', 'daily', 'previous', '2026-01-02', '2026-01-03', 'kept', 'numeric', 'psi', 0.2, 0.1, 0.2, 10, 10, 'up', true, 'drift')";

/// Two looks at an experiment as of one time, of which the later one has a metric less.
const TWO_LOOKS: &str = "
INSERT INTO windvane.experiment_findings (run_id, computed_at, as_of, experiment, metric, metric_kind, role, arm, control, n, n_control,
       relative, relative_low, relative_high, sequential_low, sequential_high, probability_better, srm_p_value, srm_sequential_p_value,
       srm_verdict, verdict) VALUES
('1', '2026-01-02 01:00:00', '2026-01-02 00:00:00', 'checkout', 'kept', 'mean', 'primary', 'B', 'A', 10, 10, 0.1, 0, 0.2, 0, 0.2, 0.9, 0.5, 0.5,
       'ok', 'inconclusive'),
('1', '2026-01-02 01:00:00', '2026-01-02 00:00:00', 'checkout', 'gone', 'mean', 'primary', 'B', 'A', 777, 777, 0.1, 0, 0.2, 0, 0.2, 0.9, 0.000777,
       0.000777, 'mismatch', 'worse'),
('2', '2026-01-02 02:00:00', '2026-01-02 00:00:00', 'checkout', 'kept', 'mean', 'primary', 'B', 'A', 10, 10, 0.1, 0, 0.2, 0, 0.2, 0.9, 0.5, 0.5,
       'ok', 'inconclusive')";

#[tokio::test(flavor = "multi_thread")]
async fn every_panel_runs_as_the_reader_and_has_rows() {
    let folder = tempfile::tempdir().unwrap();
    let service = seeded::start(folder.path()).await;
    let access: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.path().join("data/access.json")).unwrap())
            .unwrap();
    let password = folder.path().join("reader");
    std::fs::write(&password, access["reader_password"].as_str().unwrap()).unwrap();
    let output = Command::new(BINARY)
        .args(["--log", "error", "dashboards", "check", "--url", service.engine_url()])
        .args(["--user", access["reader_user"].as_str().unwrap(), "--password-file"])
        .arg(&password)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{told}{}", String::from_utf8_lossy(&output.stderr));
    let panels: usize = boards().iter().map(|board| board.panels().count()).sum();
    assert!(told.lines().count() > panels, "{told}");
    // Conditions over variables that take several values are asked with one value as well.
    for what in ["windvane-model / Failed", "windvane-drift / Verdicts", "windvane-llm / Calls"] {
        assert!(told.contains(&format!("{what}, of one value each")), "{what}: {told}");
    }
    let empty: Vec<&str> = told.lines().filter(|line| line.starts_with("empty")).collect();
    // A single number that is nought is a row; what has none has no data to be drawn of.
    assert!(empty.is_empty(), "{}", empty.join("\n"));
    assert_eq!(service.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panel_that_cannot_be_drawn_fails_the_check() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(Path::new(BINARY), folder.path(), "");
    let check = || {
        let output = seeded::windvane(&service, &["dashboards", "check"]);
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, told) = check();
    assert_eq!(code, Some(0), "{told}");
    assert!(told.ends_with(" 0 faults\n"), "{told}");
    // Text where numbers are drawn, and a column that is gone.
    for sql in [
        "ALTER TABLE windvane.performance_findings MODIFY COLUMN coverage Nullable(String)",
        "ALTER TABLE windvane.quality_findings RENAME COLUMN verdict TO was_verdict",
    ] {
        seeded::insert(&service, sql).await;
    }
    let (code, told) = check();
    assert_eq!(code, Some(1), "{told}");
    let fault = |what: &str, why: &str| {
        told.lines().any(|line| line.starts_with("FAULT ") && line.contains(what) && line.contains(why))
    };
    assert!(
        fault("windvane-performance / Label coverage", "a panel of this kind needs names and numbers"),
        "{told}"
    );
    assert!(fault("windvane-quality / Failed checks", "verdict"), "{told}");
    assert!(!fault("windvane-drift", ""), "{told}");
    assert!(!told.ends_with(" 0 faults\n"), "{told}");
    assert_eq!(service.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_look_or_run_found_of_the_same_time_is_not_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(Path::new(BINARY), folder.path(), "");
    seeded::insert(&service, TWO_LOOKS).await;
    seeded::insert(&service, TWO_RUNS).await;
    let from_s = seeded::START_US / 1_000_000;
    let one = |value: &str| vec![value.to_owned()];
    let variables = BTreeMap::from([
        ("experiment", one("checkout")),
        ("model", one("m")),
        ("monitor", one("daily")),
        ("reference", one("previous")),
        ("segment", one("everything")),
        ("column", one("kept")),
        ("version", Vec::new()),
        ("environment", Vec::new()),
    ]);
    let scope = Scope { from_s, to_s: from_s + 7 * 86_400, interval_s: 60, variables };
    for board in
        boards().iter().filter(|board| ["windvane-experiments", "windvane-drift"].contains(&board.uid))
    {
        let of_findings = board.panels().filter(|panel| panel.sql.contains("t_findings"));
        // These findings have no histogram.
        for panel in of_findings.filter(|panel| !panel.sql.contains("distribution")) {
            let rows = query(&service, &expand(panel.sql, &scope).unwrap());
            assert!(!rows.is_empty(), "{}", panel.title);
            assert!(!rows.contains("gone") && !rows.contains("777"), "{}: {rows}", panel.title);
        }
    }
    assert_eq!(service.terminate(), Some(0));
}

#[test]
fn dashboards_are_written_as_files_that_grafana_reads() {
    let folder = tempfile::tempdir().unwrap();
    let write = |words: &[&str]| {
        let output = Command::new(BINARY)
            .args(["dashboards", "write"])
            .arg(folder.path())
            .args(words)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).lines().count()
    };
    assert_eq!(write(&[]), boards().len() + 2);
    assert_eq!(
        write(&["--webhook", "http://127.0.0.1:9099/", "--url", "https://windvane.example"]),
        boards().len() + 4
    );
    for board in boards() {
        let path = folder.path().join(format!("dashboards/{}.json", board.uid));
        let json: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert_eq!(json["uid"], board.uid);
        assert!(
            json["links"].as_array().unwrap().iter().any(|link| link["url"] == "https://windvane.example")
        );
    }
    let offline = Command::new(BINARY).args(["dashboards", "check", "--offline"]).output().unwrap();
    assert_eq!(offline.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&offline.stdout).contains(" 0 faults"));
}
