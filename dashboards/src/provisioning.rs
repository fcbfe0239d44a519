//! Files for Grafana's provisioning: dashboards, the data source, where dashboards are, a contact point and alert rules.

use serde_json::Value;

use crate::{boards, json};

/// Where things are, as Grafana sees them.
#[derive(Debug, Clone)]
pub struct Provisioning {
    /// The pages of the service; empty leaves links to them out.
    pub url: String,
    /// ClickHouse, or the endpoint of the embedded engine.
    pub host: String,
    /// Its HTTP port.
    pub port: u16,
    /// The folder that Grafana reads dashboards from.
    pub folder: String,
    /// Where Grafana's own alerts are posted to; empty leaves contact point and rules out.
    pub webhook: String,
}

impl Default for Provisioning {
    fn default() -> Self {
        Self {
            url: "http://127.0.0.1:8080".to_owned(),
            host: "127.0.0.1".to_owned(),
            port: 8123,
            folder: "/var/lib/grafana/dashboards/windvane".to_owned(),
            webhook: "http://127.0.0.1:9099/alerts".to_owned(),
        }
    }
}

/// A file to write, by its path below the folder that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// With `/` between its parts.
    pub path: String,
    /// What it holds.
    pub text: String,
}

/// A rule of Grafana's own alerting.
struct Rule {
    uid: &'static str,
    title: &'static str,
    summary: &'static str,
    /// One row, one number.
    sql: &'static str,
    above: f64,
    lasts: &'static str,
}

/// Rules for those who let Grafana alert; Windvane's own alerts need none of them.
const RULES: &[Rule] = &[
    Rule {
        uid: "windvane-drift",
        title: "A model drifts",
        summary: "A column of a model drifted in a window that ended within the last day.",
        sql: "SELECT uniqExact(model, column_name) AS columns FROM windvane.drift_findings FINAL WHERE drifted AND segment_key = '' AND window_end > now() - INTERVAL 1 DAY AND (model, monitor, version, environment, reference_kind, reference_name, granularity, window_start, window_end, computed_at) IN (SELECT model, monitor, version, environment, reference_kind, reference_name, granularity, window_start, window_end, max(computed_at) FROM windvane.drift_findings WHERE window_end > now() - INTERVAL 1 DAY GROUP BY model, monitor, version, environment, reference_kind, reference_name, granularity, window_start, window_end)",
        above: 0.0,
        lasts: "0s",
    },
    Rule {
        uid: "windvane-failing-monitor",
        title: "A monitor fails",
        summary: "The latest run of a monitor's window failed within the last hour.",
        sql: "SELECT count() AS failed FROM windvane.monitor_runs FINAL WHERE state = 'failed' AND started_at > now() - INTERVAL 1 HOUR",
        above: 0.0,
        lasts: "5m",
    },
    Rule {
        uid: "windvane-no-predictions",
        title: "Predictions have stopped",
        summary: "No prediction has come in for more than 15 minutes.",
        sql: "SELECT dateDiff('second', max(ingested_at), now64(6)) AS silent_s FROM windvane.predictions",
        above: 900.0,
        lasts: "5m",
    },
    Rule {
        uid: "windvane-sample-ratio",
        title: "An experiment's sample ratio is off",
        summary: "The latest look at an experiment within the last two days says mismatch.",
        sql: "SELECT countIf(srm_verdict = 'mismatch') AS mismatches FROM (SELECT experiment, argMax(srm_verdict, as_of) AS srm_verdict FROM windvane.experiment_looks FINAL WHERE as_of > now() - INTERVAL 2 DAY GROUP BY experiment)",
        above: 0.0,
        lasts: "0s",
    },
];

/// Every file.
#[must_use]
pub fn files(provisioning: &Provisioning) -> Vec<File> {
    let boards = boards();
    let mut files: Vec<File> = boards
        .iter()
        .map(|board| File {
            path: format!("dashboards/{}.json", board.uid),
            text: pretty(&json(board, &boards, &provisioning.url)),
        })
        .collect();
    let mut add = |path: &str, text: String| files.push(File { path: path.to_owned(), text });
    add("provisioning/datasources/windvane.yaml", datasource(provisioning));
    add("provisioning/dashboards/windvane.yaml", provider(provisioning));
    if !provisioning.webhook.is_empty() {
        add("provisioning/alerting/contact-points.yaml", contact_points(provisioning));
        add("provisioning/alerting/rules.yaml", rules());
    }
    files
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

/// A text of YAML: JSON's strings are YAML's.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn datasource(to: &Provisioning) -> String {
    format!(
        "# The data source of the dashboards. User and password are those of a reader: of the embedded engine, reader_user and\n# reader_password of access.json in its data folder; Grafana takes them from its environment.\napiVersion: 1\ndatasources:\n  - name: Windvane\n    uid: windvane\n    type: grafana-clickhouse-datasource\n    access: proxy\n    isDefault: true\n    jsonData:\n      host: {host}\n      port: {port}\n      protocol: http\n      secure: false\n      username: $WINDVANE_READER_USER\n      defaultDatabase: windvane\n      dialTimeout: 10\n      queryTimeout: 60\n    secureJsonData:\n      password: $WINDVANE_READER_PASSWORD\n",
        host = quoted(&to.host),
        port = to.port,
    )
}

fn provider(to: &Provisioning) -> String {
    format!(
        "# Where Grafana finds the dashboards.\napiVersion: 1\nproviders:\n  - name: windvane\n    folder: Windvane\n    folderUid: windvane\n    type: file\n    disableDeletion: true\n    allowUiUpdates: false\n    updateIntervalSeconds: 60\n    options:\n      path: {}\n",
        quoted(&to.folder)
    )
}

fn contact_points(to: &Provisioning) -> String {
    format!(
        "# Where Grafana's own alerts go. Windvane's alerts have receivers of their own.\napiVersion: 1\ncontactPoints:\n  - orgId: 1\n    name: windvane\n    receivers:\n      - uid: windvane-webhook\n        type: webhook\n        settings:\n          url: {}\n          httpMethod: POST\npolicies:\n  - orgId: 1\n    receiver: windvane\n    group_by: [grafana_folder, alertname]\n    group_wait: 30s\n    group_interval: 5m\n    repeat_interval: 4h\n",
        quoted(&to.webhook)
    )
}

fn rules() -> String {
    let mut text = String::from(
        "# Alert rules of Grafana's own alerting over Windvane's tables.\napiVersion: 1\ngroups:\n  - orgId: 1\n    name: windvane\n    folder: Windvane\n    interval: 1m\n    rules:\n",
    );
    for rule in RULES {
        text += &format!(
            "      - uid: {uid}\n        title: {title}\n        condition: C\n        for: {lasts}\n        noDataState: OK\n        execErrState: Error\n        labels:\n          service: windvane\n        annotations:\n          summary: {summary}\n        data:\n          - refId: A\n            relativeTimeRange: {{from: 86400, to: 0}}\n            datasourceUid: windvane\n            model:\n              refId: A\n              editorType: sql\n              queryType: table\n              format: 1\n              rawSql: {sql}\n          - refId: B\n            datasourceUid: __expr__\n            model: {{refId: B, type: reduce, expression: A, reducer: last}}\n          - refId: C\n            datasourceUid: __expr__\n            model:\n              refId: C\n              type: threshold\n              expression: B\n              conditions:\n                - evaluator: {{type: gt, params: [{above}]}}\n",
            uid = rule.uid,
            title = quoted(rule.title),
            lasts = rule.lasts,
            summary = quoted(rule.summary),
            sql = quoted(rule.sql),
            above = rule.above,
        );
    }
    text
}

/// The statements of the alert rules, by uid: each answers with one row and one number.
#[must_use]
pub fn rule_statements() -> Vec<(&'static str, &'static str)> {
    RULES.iter().map(|rule| (rule.uid, rule.sql)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_where_grafana_looks() {
        let files = files(&Provisioning::default());
        let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
        for path in [
            "dashboards/windvane-fleet.json",
            "provisioning/datasources/windvane.yaml",
            "provisioning/dashboards/windvane.yaml",
            "provisioning/alerting/contact-points.yaml",
            "provisioning/alerting/rules.yaml",
        ] {
            assert!(paths.contains(&path), "{path} in {paths:?}");
        }
    }

    #[test]
    fn drift_that_a_later_run_has_not_raises_no_alert() {
        let (_, sql) = rule_statements().into_iter().find(|(uid, _)| *uid == "windvane-drift").unwrap();
        assert!(sql.contains("max(computed_at) FROM windvane.drift_findings"), "{sql}");
    }

    #[test]
    fn without_a_webhook_grafana_does_not_alert() {
        let quiet = Provisioning { webhook: String::new(), ..Provisioning::default() };
        assert!(files(&quiet).iter().all(|file| !file.path.contains("alerting")));
    }

    #[test]
    fn what_is_given_cannot_break_out_of_its_place() {
        let odd = Provisioning { host: "a\"\nb: c".to_owned(), ..Provisioning::default() };
        assert!(datasource(&odd).contains("host: \"a\\\"\\nb: c\"\n"));
    }
}
