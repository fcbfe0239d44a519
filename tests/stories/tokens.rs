//! `windvane token`, and what a service answers with and without one.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use windvane_kit::{Service, eventually_async, nothing_is_lost_with_token};

/// How soon a running service follows the file of tokens; it says a second.
const FOLLOWS: Duration = Duration::from_secs(20);

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_windvane"))
}

fn token(service: &Service, words: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command.arg("token").args(words).arg("--config").arg(service.config());
    command.env_remove("WINDVANE_CONFIG").output().unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Status and `code` of an answer.
async fn ask(
    service: &Service,
    (method, path): (&str, &str),
    authorization: &str,
    body: &str,
) -> (u16, String) {
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    let mut request = reqwest::Client::new().request(method, format!("{}{path}", service.url()));
    if !authorization.is_empty() {
        request = request.header("authorization", authorization);
    }
    let answer = request.body(body.to_owned()).send().await.unwrap();
    let status = answer.status().as_u16();
    let body: serde_json::Value = answer.json().await.unwrap_or_default();
    let code = body["code"].as_str().or(body["rejected"][0]["code"].as_str()).unwrap_or_default();
    (status, code.to_owned())
}

async fn becomes(service: &Service, authorization: &str, expected: (u16, &str)) {
    eventually_async(FOLLOWS, async || {
        let (status, code) = ask(service, ("GET", "/api/v1/models"), authorization, "").await;
        if (status, code.as_str()) == expected { Ok(()) } else { Err((status, code)) }
    })
    .await;
}

#[tokio::test]
async fn the_first_token_closes_a_running_service_and_each_opens_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(binary(), folder.path(), "");
    let event = |model: &str| format!(r#"{{"model":"{model}"}}"#);
    assert_eq!(ask(&service, ("POST", "/v1/predictions"), "", &event("delay")).await.0, 200);

    let made =
        stdout(&token(&service, &["create", "--name", "sdk", "--scope", "ingest", "--model-prefix", "del"]));
    let sdk = format!("Bearer {made}");
    let read =
        stdout(&token(&service, &["create", "--name", "board", "--scope", "read", "--expires", "90d"]));
    let board = format!("Bearer {read}");
    becomes(&service, "", (401, "token_missing")).await;
    for (request, authorization, body, expected) in [
        (("POST", "/v1/predictions"), &sdk, event("delay"), (200, "")),
        (("POST", "/v1/predictions"), &sdk, event("fraud"), (400, "no_event_accepted")),
        (("POST", "/v1/measurements"), &sdk, String::new(), (403, "token_limited_to_models")),
        (("POST", "/v1/predictions"), &board, event("delay"), (403, "scope_missing")),
        (("POST", "/v1/predictions"), &String::new(), event("delay"), (401, "token_missing")),
        (("GET", "/metrics"), &sdk, String::new(), (403, "scope_missing")),
        (("GET", "/metrics"), &board, String::new(), (200, "")),
        (("GET", "/"), &board, String::new(), (200, "")),
        (("GET", "/healthz"), &String::new(), String::new(), (200, "")),
        (("GET", "/readyz"), &String::new(), String::new(), (200, "")),
    ] {
        let (status, code) = ask(&service, request, authorization, &body).await;
        assert_eq!((status, code.as_str()), expected, "{request:?} {body}");
    }

    let list: serde_json::Value =
        serde_json::from_str(&stdout(&token(&service, &["list", "--format", "json"]))).unwrap();
    assert_eq!(list["tokens"][0]["name"], "sdk");
    assert_eq!(list["tokens"][1]["state"], "active");
    let shown = list.to_string() + &service.log().join("\n");
    assert!(!shown.contains(made.rsplit('_').next().unwrap()) && !shown.contains("sha256"), "{shown}");

    let metrics = reqwest::Client::new().get(format!("{}/metrics", service.url()));
    let metrics = metrics.header("authorization", &board).send().await.unwrap().text().await.unwrap();
    assert!(
        metrics.contains("windvane_http_refused_requests_total{code=\"scope_missing\"} 2\n"),
        "{metrics}"
    );
    // What the gate refused never came in; the event of another model did, and was rejected.
    nothing_is_lost_with_token(service.url(), &read);
    stdout(&token(&service, &["revoke", "board"]));
    becomes(&service, &board, (401, "token_invalid")).await;
    let again = token(&service, &["revoke", "board"]);
    assert_eq!((again.status.code(), again.stdout.len()), (Some(64), 0));
    assert_eq!(service.terminate(), Some(0));
}

#[tokio::test]
async fn a_page_whose_name_leads_to_the_loopback_reads_nothing_while_there_is_no_token() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(binary(), folder.path(), "");
    let ask = async |host: &str, path: &str| {
        let request = reqwest::Client::new().get(format!("{}{path}", service.url()));
        let answer = request.header("host", host).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.text().await.unwrap())
    };
    for path in ["/", "/api/v1/models", "/metrics", "/api/openapi.json", "/nowhere"] {
        let (status, told) = ask("evil.example:8080", path).await;
        assert!(
            status == 421 && told.contains("unknown_host") && told.contains("server.hosts"),
            "{path}: {told}"
        );
        assert_ne!(ask("localhost:8080", path).await.0, 421, "{path}");
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(ask("evil.example", path).await.0, 200, "{path}");
    }
    assert_eq!(service.terminate(), Some(0));
}

#[tokio::test]
async fn whoever_may_only_read_is_offered_no_form() {
    const FORM: &str = "action=\"/alerts/silences\"";
    const WHY: &str = "takes a token with the scope";
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(binary(), folder.path(), "");
    let page = async |authorization: &str| {
        let request = reqwest::Client::new().get(format!("{}/alerts", service.url()));
        request.header("authorization", authorization).send().await.unwrap().text().await.unwrap()
    };
    let open = page("").await;
    assert!(open.contains(FORM) && !open.contains(WHY), "{open}");
    let [read, admin] = ["read", "admin"].map(|scope| {
        format!("Bearer {}", stdout(&token(&service, &["create", "--name", scope, "--scope", scope])))
    });
    becomes(&service, "", (401, "token_missing")).await;
    let (read, admin) = (page(&read).await, page(&admin).await);
    assert!(admin.contains(FORM) && !admin.contains(WHY), "{admin}");
    assert!(read.contains(WHY) && !read.contains("<form"), "{read}");
    assert_eq!(service.terminate(), Some(0));
}

#[test]
fn files_are_ingested_with_a_token_and_not_without_one() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(binary(), folder.path(), "");
    let made = stdout(&token(&service, &["create", "--name", "files", "--scope", "ingest"]));
    let rows = folder.path().join("rows.csv");
    std::fs::write(&rows, "event_id,ts,age\na,2013-01-01T05:17:00Z,1\n").unwrap();
    let ingest = |token: &str| {
        let mut command = Command::new(binary());
        command.arg("ingest").arg(&rows).args(["--model", "m", "--version", "1", "--url", service.url()]);
        command
            .args(["--patience-s", "20", "--format", "json"])
            .env("WINDVANE_TOKEN", token)
            .output()
            .unwrap()
    };
    windvane_kit::eventually(FOLLOWS, || {
        let refused = ingest("");
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        if told.contains("token_missing") { Ok(()) } else { Err(told) }
    });
    let taken: serde_json::Value = serde_json::from_str(&stdout(&ingest(&made))).unwrap();
    assert_eq!(taken["predictions_accepted"], 1);
    let read = stdout(&token(&service, &["create", "--name", "board", "--scope", "read"]));
    nothing_is_lost_with_token(service.url(), &read);
    assert_eq!(service.terminate(), Some(0));
}

#[test]
fn a_port_that_others_reach_needs_a_token_first() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("windvane.toml");
    std::fs::write(&config, "[server]\nlisten = \"0.0.0.0:8080\"\n[store]\ndata_dir = \"data\"\n").unwrap();
    let windvane = |words: &[&str]| {
        let mut command = Command::new(binary());
        command.args(words).arg("--config").arg(&config).env_remove("WINDVANE_CONFIG").output().unwrap()
    };
    let refused = windvane(&["check-config"]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(78) && told.contains("windvane token create"), "{told}");
    assert_eq!(windvane(&["serve", "--offline"]).status.code(), Some(78));

    let made: serde_json::Value = serde_json::from_str(&stdout(&windvane(&[
        "token",
        "create",
        "--name",
        "a",
        "--scope",
        "read,ingest",
        "--format",
        "json",
    ])))
    .unwrap();
    assert_eq!(made["schema"], "windvane.token/1");
    assert_eq!(windvane(&["check-config"]).status.code(), Some(0));
    stdout(&windvane(&["token", "revoke", made["id"].as_str().unwrap()]));
    assert_eq!(windvane(&["check-config"]).status.code(), Some(78), "a revoked token is none");
    for words in [
        &["token", "create", "--name", "a", "--scope", "write"][..],
        &["token", "create", "--name", "a", "--scope", "read", "--expires", "soon"],
        &["token", "create", "--name", "a", "--scope", "read", "--model-prefix", "m"],
    ] {
        let output = windvane(words);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(64), 0), "{words:?}");
    }
}
