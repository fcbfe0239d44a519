//! `windvane doctor` and `windvane spool`: of a machine where nothing runs, of a service that is well, and of dead letters.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use windvane_kit::{Service, eventually, eventually_async, nothing_is_lost};

fn windvane(words: &[&str], config: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_windvane"));
    command.args(["--log", "error"]).args(words).arg("--config").arg(config).env_remove("WINDVANE_CONFIG");
    command.output().unwrap()
}

/// Check → verdict.
fn verdicts(output: &Output) -> std::collections::BTreeMap<String, String> {
    let document: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    assert_eq!(document["schema"], "windvane.doctor/1");
    let checks = document["checks"].as_array().unwrap().iter();
    checks
        .map(|check| {
            (check["check"].as_str().unwrap().to_owned(), check["verdict"].as_str().unwrap().to_owned())
        })
        .collect()
}

#[test]
fn a_doctor_tells_what_is_well_and_what_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("windvane.toml");
    std::fs::write(&config, "[server]\nlisten = 1\n").unwrap();
    let output = windvane(&["doctor", "--format", "json"], &config);
    assert_eq!((output.status.code(), verdicts(&output)["configuration"].as_str()), (Some(69), "fail"));

    // Nobody is there: nothing is broken, and something is to be done.
    std::fs::write(&config, "[server]\nlisten = \"127.0.0.1:1\"\n[store]\nurl = \"http://127.0.0.1:1\"\n[collector]\nspool_dir = \"spool\"\nspool_bytes_max = 67108864\n").unwrap();
    let output = windvane(&["doctor", "--format", "json"], &config);
    let found = verdicts(&output);
    assert_eq!((output.status.code(), found["store"].as_str()), (Some(69), "fail"), "{found:?}");
    assert_eq!((found["spool fsync"].as_str(), found["dead letters"].as_str()), ("ok", "ok"), "{found:?}");
    let table = windvane(&["doctor"], &config);
    let text = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(
        text.lines().any(|line| line.starts_with("fail  store") && line.contains("→ check store.url")),
        "{text}"
    );

    let home = tempfile::tempdir().unwrap();
    let service = Service::start(Path::new(env!("CARGO_BIN_EXE_windvane")), home.path(), "");
    let found = verdicts(&windvane(&["doctor", "--format", "json"], &service.config()));
    for check in ["configuration", "libchdb", "store", "schema", "clock", "spool", "tokens"] {
        assert_eq!(found[check], "ok", "{check}: {found:?}");
    }

    for sql in
        ["DROP TABLE windvane.experiment_sums SYNC", "ALTER TABLE windvane.monitor_runs DROP COLUMN note"]
    {
        let dropped = windvane(&["query", sql], &service.config());
        assert!(dropped.status.success(), "{sql}: {dropped:?}");
    }
    let table = windvane(&["doctor"], &service.config());
    let text = String::from_utf8_lossy(&table.stdout);
    let schema =
        text.lines().find(|line| line.starts_with("fail  schema")).unwrap_or_else(|| panic!("{text}"));
    for part in [
        "table `experiment_sums` (0064), column `note` of `monitor_runs` (0055)",
        "windvane schema print",
        "ADD COLUMN IF NOT EXISTS note String",
    ] {
        assert!(schema.contains(part), "{part} in {schema}");
    }
    assert_eq!(table.status.code(), Some(69));
    assert_eq!(service.terminate(), Some(0));
}

#[tokio::test]
async fn a_doctor_asks_who_answers_on_the_port_of_otlp_over_grpc() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(Path::new(env!("CARGO_BIN_EXE_windvane")), folder.path(), "");
    let address = |url: &str| url.strip_prefix("http://").unwrap().to_owned();
    let [http, otlp, engine] = [service.url(), service.otlp_url(), service.engine_url()].map(address);
    // What the service was told is port 0; this is what it made of it.
    let config = folder.path().join("doctor.toml");
    let found = |otlp: &str| {
        let text = format!(
            "[server]\nlisten = \"{http}\"\n[otlp]\ngrpc_listen = \"{otlp}\"\n[store]\ndata_dir = \"data\"\nengine_listen = \"{engine}\"\n"
        );
        std::fs::write(&config, text).unwrap();
        verdicts(&windvane(&["doctor", "--format", "json"], &config))
    };
    let seen = found(&otlp);
    for check in ["service", "otlp.grpc_listen", "otlp over grpc"] {
        assert_eq!(seen[check], "ok", "{check}: {seen:?}");
    }
    assert_eq!(found(&engine)["otlp over grpc"], "fail", "somebody else is there");
    // Bound and free again: nobody listens there.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    assert_eq!(found(&free)["otlp over grpc"], "warn");
    let made = windvane(&["token", "create", "--name", "t", "--scope", "ingest"], &service.config());
    assert!(made.status.success(), "{made:?}");
    // A running service follows the file within a second.
    eventually_async(Duration::from_secs(20), async || {
        match reqwest::get(format!("{}/api/v1/models", service.url())).await.unwrap().status().as_u16() {
            401 => Ok(()),
            status => Err(status),
        }
    })
    .await;
    assert_eq!(found(&otlp)["otlp over grpc"], "ok", "it asks for what needs no token");
    assert_eq!(service.terminate(), Some(0));
}

/// A row that ClickHouse refuses, made by a table that is stricter than the events.
#[tokio::test]
async fn a_row_that_clickhouse_refuses_is_listed_exported_and_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(Path::new(env!("CARGO_BIN_EXE_windvane")), folder.path(), "");
    let config = service.config();
    let run = |sql: &'static str| {
        let (user, password) = service.engine_user();
        let request = reqwest::Client::new().post(format!("{}/?database=windvane", service.engine_url()));
        let request = request.basic_auth(user, Some(password)).body(sql);
        async move { request.send().await.unwrap().error_for_status().unwrap().text().await.unwrap() }
    };
    run("ALTER TABLE predictions ADD CONSTRAINT swift CHECK latency_us < 1000").await;
    let body = r#"{"model":"m","event_id":"good","latency_us":5}
{"model":"m","event_id":"slow","latency_us":5000}
{"model":"m","event_id":"fine","latency_us":7}"#;
    let sent =
        reqwest::Client::new().post(format!("{}/v1/predictions", service.url())).body(body).send().await;
    assert_eq!(sent.unwrap().status(), 200);
    let listed = eventually(Duration::from_secs(60), || {
        let output = windvane(&["spool", "list", "--format", "json"], &config);
        let list: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        match list["dead_letters"][0]["rows"] == 1 {
            true => Ok(list),
            false => Err((list, service.log().last().cloned())),
        }
    });
    assert!(listed["dead_letters"][0]["reason"].as_str().unwrap().contains("swift"), "{listed}");
    // The search goes on after its first find.
    eventually_async(Duration::from_secs(30), async || {
        let stored = run("SELECT event_id FROM predictions ORDER BY event_id FORMAT TSV").await;
        if stored == "fine\ngood\n" { Ok(()) } else { Err(stored) }
    })
    .await;

    nothing_is_lost(service.url());
    let exported = windvane(&["spool", "export"], &config);
    let event: serde_json::Value = serde_json::from_slice(&exported.stdout).unwrap();
    assert_eq!((&event["event_id"], &event["latency_us"]), (&"slow".into(), &5000.into()));
    assert_eq!(windvane(&["spool", "export", "no-such"], &config).status.code(), Some(64));
    let again = windvane(&["spool", "retry"], &config);
    assert_eq!(again.status.code(), Some(1), "{again:?}");

    run("ALTER TABLE predictions DROP CONSTRAINT swift").await;
    let again = windvane(&["spool", "retry"], &config);
    assert_eq!(
        String::from_utf8_lossy(&again.stdout),
        "1 row is stored, 0 were refused again\n",
        "{again:?}"
    );
    assert_eq!(
        run("SELECT event_id FROM predictions ORDER BY event_id FORMAT TSV").await,
        "fine\ngood\nslow\n"
    );
    let list = windvane(&["spool", "list"], &config);
    assert!(String::from_utf8_lossy(&list.stdout).contains("0 dead letters"), "{list:?}");
    assert_eq!(service.terminate(), Some(0));
}

/// Two letters whose descriptions are whole, one whose rows are gone, and two files that describe nothing.
#[test]
fn a_dead_letter_that_cannot_be_read_hides_no_other_one() {
    let folder = tempfile::tempdir().unwrap();
    let dead = folder.path().join("dead");
    std::fs::create_dir(&dead).unwrap();
    let about = |token: &str| {
        format!(
            r#"{{"schema":"windvane.dead_letter/1","table":"predictions","layout":1,"format":"RowBinary","columns":null,"rows":3,"token":"{token}","reason":"told so"}}"#
        )
    };
    for (file, text) in [
        ("good.json", about("good")),
        ("good.rowbinary", String::new()),
        ("rowless.json", about("rowless")),
        ("cut.json", about("cut")[..40].to_owned()),
        ("empty.json", String::new()),
    ] {
        std::fs::write(dead.join(file), text).unwrap();
    }
    let spool = |arguments: &[&str]| {
        let command = Command::new(env!("CARGO_BIN_EXE_windvane"))
            .arg("spool")
            .args(arguments)
            .arg("--spool-dir")
            .arg(folder.path())
            .output();
        command.unwrap()
    };
    let listed = spool(&["list", "--format", "json"]);
    let list: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    let tokens: Vec<_> = list["dead_letters"].as_array().unwrap().iter().map(|one| &one["token"]).collect();
    assert_eq!((listed.status.code(), tokens), (Some(65), vec![&"good".into(), &"rowless".into()]));
    assert_eq!(list["unreadable"].as_array().unwrap().len(), 2, "{list}");
    let said = String::from_utf8_lossy(&listed.stderr);
    assert!(said.contains("cut.json` is no dead letter") && said.contains("empty.json`"), "{said}");
    let table = spool(&["list"]);
    let shown = String::from_utf8_lossy(&table.stdout);
    assert!(shown.contains("2 dead letters with 6 rows") && shown.contains("2 files beside them"), "{shown}");
    assert_eq!(table.status.code(), Some(65));

    let all = spool(&["export"]);
    let said = String::from_utf8_lossy(&all.stderr);
    assert_eq!(all.status.code(), Some(65), "{said}");
    assert!(said.contains("rowless.rowbinary") && said.contains("cut.json"), "{said}");
    let one = spool(&["export", "good"]);
    assert_eq!((one.status.code(), one.stdout.as_slice()), (Some(0), &b""[..]), "{one:?}");
}
