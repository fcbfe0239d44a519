//! Claims about the gate: what each path needs, and what it answers to whom.

use std::path::Path;

use axum::body::Body;
use axum::routing::any;
use axum::{Extension, Router};
use tonic::{Code, Status};
use tower::ServiceExt;
use uuid::Uuid;
use windvane_types::SystemClock;

use super::*;
use crate::tokens::{Tokens, Wanted};

fn token(path: &Path, scopes: &[Scope], models: &[&str], n: u128) -> String {
    let wanted = Wanted {
        name: format!("token {n}"),
        scopes: scopes.to_vec(),
        model_prefixes: models.iter().map(|model| (*model).to_owned()).collect(),
        ..Wanted::default()
    };
    let random = [n << 96, n, n + 1].map(Uuid::from_u128);
    let now_us = SystemClock.now().as_microsecond();
    Tokens::change(path, |tokens| tokens.add(wanted, random, now_us)).unwrap()
}

fn gate(path: &Path, options: GateOptions) -> Arc<Gate> {
    let keyring = Keyring::open(path).unwrap();
    Arc::new(Gate::new(keyring, options, Arc::new(SystemClock), &Registry::new()).unwrap())
}

/// A guarded router that answers whatever comes with who the caller may send for.
fn guarded(gate: &Arc<Gate>) -> Router {
    guarded_on(gate, Reach::Network)
}

fn guarded_on(gate: &Arc<Gate>, reach: Reach) -> Router {
    let told = |Extension(caller): Extension<Caller>| async move { caller.models().unwrap_or_default() };
    gate.guard(Router::new().fallback(any(told)), reach)
}

async fn ask(
    router: &Router,
    request: (&str, &str),
    authorization: Option<&str>,
) -> (u16, String, HeaderMap) {
    let headers: Vec<_> = authorization.map(|value| ("authorization", value)).into_iter().collect();
    ask_with(router, request, &headers).await
}

async fn ask_with(
    router: &Router,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
) -> (u16, String, HeaderMap) {
    let request = Request::builder().method(method).uri(path);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let response = router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = axum::body::to_bytes(response.into_body(), 1 << 16).await.unwrap();
    let code = serde_json::from_slice::<serde_json::Value>(&body)
        .map(|problem| problem["code"].as_str().unwrap_or_default().to_owned())
        .unwrap_or_default();
    (status, code, headers)
}

#[tokio::test]
async fn each_scope_opens_its_paths_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.json");
    let [ingest, read, admin] = [Scope::Ingest, Scope::Read, Scope::Admin];
    let tokens = [ingest, read, admin].map(|scope| token(&path, &[scope], &[], scope as u128 + 1));
    let router = guarded(&gate(&path, GateOptions::default()));
    for (request, allowed) in [
        (("POST", "/v1/predictions"), [true, false, true]),
        (("POST", "/v1/traces"), [true, false, true]),
        (("POST", "/opentelemetry.proto.collector.trace.v1.TraceService/Export"), [true, false, true]),
        (("GET", "/v1/predictions"), [true, false, true]),
        (("GET", "/"), [false, true, true]),
        (("GET", "/api/v1/models"), [false, true, true]),
        (("GET", "/metrics"), [false, true, true]),
        (("GET", "/nowhere"), [false, true, true]),
        (("POST", "/api/v1/models"), [false, false, true]),
        (("DELETE", "/anything"), [false, false, true]),
        (("GET", "/healthz"), [true; 3]),
        (("GET", "/readyz"), [true; 3]),
    ] {
        for (token, allowed) in tokens.iter().zip(allowed) {
            let (status, code, _) = ask(&router, request, Some(&format!("Bearer {token}"))).await;
            let expected = if allowed { (200, "") } else { (403, "scope_missing") };
            assert_eq!((status, code.as_str()), expected, "{request:?} with {token}");
        }
        let (status, code, headers) = ask(&router, request, None).await;
        let open = allowed == [true; 3] && request.0 == "GET" && request.1.ends_with('z');
        assert_eq!(
            (status, code.as_str()),
            if open { (200, "") } else { (401, "token_missing") },
            "{request:?}"
        );
        assert_eq!(headers.contains_key("www-authenticate"), !open, "{request:?}");
    }
}

#[tokio::test]
async fn without_tokens_everything_is_open_and_from_the_first_one_on_nothing_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.json");
    let gate = gate(&path, GateOptions { metrics_public: true, ..GateOptions::default() });
    let router = guarded(&gate);
    assert_eq!(ask(&router, ("POST", "/v1/predictions"), None).await.0, 200);
    let text = token(&path, &[Scope::Ingest], &[], 1);
    let bearer = format!("bearer {text}");
    // What another service knows is looked at once a second; whoever sends the new token is known at once.
    let deadline = Instant::now() + Duration::from_secs(20);
    while ask(&router, ("POST", "/v1/predictions"), None).await.0 != 401 {
        assert!(Instant::now() < deadline, "the first token closes the service");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(ask(&router, ("POST", "/v1/predictions"), Some(&bearer)).await.0, 200);
    assert_eq!(ask(&router, ("GET", "/metrics"), None).await.0, 200, "metrics_public = true");
    for other in ["Bearer wvt_00000000_x", "Bearer", "Digest x", "Basic !", &format!("Basic {text}")] {
        let (status, code, _) = ask(&router, ("POST", "/v1/predictions"), Some(other)).await;
        assert!(status == 401 && code.starts_with("token_"), "{other}: {status} {code}");
    }
}

#[tokio::test]
async fn a_browsers_password_reads_and_writes_only_from_pages_of_this_service() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.json");
    let text = token(&path, &[Scope::Admin], &[], 1);
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("me:{text}"));
    let basic = format!("Basic {basic}");
    let router = guarded(&gate(&path, GateOptions::default()));
    assert_eq!(ask(&router, ("GET", "/"), Some(&basic)).await.0, 200);
    for request in [("POST", "/v1/predictions"), ("POST", "/anything")] {
        assert_eq!(ask(&router, request, Some(&basic)).await.0, 401, "{request:?}");
    }
    let own = [("authorization", basic.as_str()), ("sec-fetch-site", "same-origin")];
    assert_eq!(ask_with(&router, ("POST", "/alerts/acknowledge"), &own).await.0, 200);
}

#[tokio::test]
async fn a_page_of_another_site_changes_nothing_with_or_without_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.json");
    let open = guarded(&gate(&path, GateOptions::default()));
    let bearer = format!("Bearer {}", token(&path, &[Scope::Admin], &[], 1));
    let closed = guarded(&gate(&path, GateOptions::default()));
    for router in [&open, &closed] {
        for said in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("origin", "https://evil.example"),
        ] {
            let headers = [("authorization", bearer.as_str()), ("host", "wind:8080"), said];
            let (status, code, _) = ask_with(router, ("POST", "/api/v1/silences"), &headers).await;
            assert_eq!((status, code.as_str()), (403, "cross_origin"), "{said:?}");
            assert_eq!(ask_with(router, ("GET", "/"), &headers).await.0, 200, "reading: {said:?}");
        }
    }
}

#[tokio::test]
async fn an_open_port_of_the_loopback_is_asked_for_by_its_own_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.json");
    let named = Hosts::parse(&["host.docker.internal".to_owned()]).unwrap();
    let gates = [Hosts::default(), named]
        .map(|hosts| gate(&path, GateOptions { hosts, metrics_public: true, ..GateOptions::default() }));
    // On the loopback, with names of its own, and on a port that others reach, in this order.
    let open = [
        guarded_on(&gates[0], Reach::Machine),
        guarded_on(&gates[1], Reach::Machine),
        guarded_on(&gates[0], Reach::Network),
    ];
    for (host, expected) in [
        ("127.0.0.1:8080", [200, 200, 200]),
        ("localhost", [200, 200, 200]),
        ("[::1]:8080", [200, 200, 200]),
        ("host.docker.internal:8080", [421, 200, 200]),
        ("evil.example:8080", [421, 421, 200]),
    ] {
        for (router, expected) in open.iter().zip(expected) {
            for request in [("GET", "/"), ("GET", "/api/v1/models"), ("POST", "/v1/predictions")] {
                let (status, code, _) = ask_with(router, request, &[("host", host)]).await;
                let word = if expected == 421 { "unknown_host" } else { "" };
                assert_eq!((status, code.as_str()), (expected, word), "{request:?} of {host}");
            }
            for request in [("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/metrics")] {
                assert_eq!(
                    ask_with(router, request, &[("host", host)]).await.0,
                    200,
                    "{request:?} of {host}"
                );
            }
        }
        // As HTTP/2 has it.
        let address = format!("http://{host}/");
        assert_eq!(ask_with(&open[0], ("GET", address.as_str()), &[]).await.0, expected[0], "{address}");
    }
    assert_eq!(ask(&open[0], ("GET", "/"), None).await.0, 200, "a program that names nothing");

    // A page of another site knows no token; names that were given hold all the same.
    let bearer = format!("Bearer {}", token(&path, &[Scope::Admin], &[], 1));
    let closed = gates.each_ref().map(|open| {
        let hosts = open.options.hosts.clone();
        guarded_on(&gate(&path, GateOptions { hosts, ..GateOptions::default() }), Reach::Machine)
    });
    let said = [("host", "evil.example"), ("authorization", bearer.as_str())];
    assert_eq!(ask_with(&closed[0], ("GET", "/"), &said).await.0, 200);
    assert_eq!(ask_with(&closed[0], ("GET", "/"), &said[..1]).await.0, 401);
    assert_eq!(ask_with(&closed[1], ("GET", "/"), &said).await.0, 421);
}

#[tokio::test]
async fn a_refused_name_is_told_with_those_that_are_accepted() {
    const EXPORT: (&str, &str) = ("POST", "/opentelemetry.proto.collector.trace.v1.TraceService/Export");
    let folder = tempfile::tempdir().unwrap();
    let gate = gate(&folder.path().join("tokens.json"), GateOptions::default());
    let router = guarded_on(&gate, Reach::Machine);
    let long = "e".repeat(5_000);
    for (host, shown) in
        [("evil.example:8080", "`evil.example:8080` is no name"), (long.as_str(), "eee` is no name")]
    {
        let request = Request::get("/").header("host", host).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let body = axum::body::to_bytes(response.into_body(), 1 << 16).await.unwrap();
        let detail = String::from_utf8(body.to_vec()).unwrap();
        assert!(detail.contains(shown) && detail.contains("server.hosts") && detail.len() < 600, "{detail}");
    }
    let said = [("content-type", "application/grpc"), ("host", "evil.example")];
    let (http, _, headers) = ask_with(&router, EXPORT, &said).await;
    let status = Status::from_header_map(&headers).unwrap_or_else(|| panic!("{headers:?}"));
    assert_eq!((http, status.code()), (200, Code::InvalidArgument), "{status:?}");
    assert!(status.message().starts_with("unknown_host: "), "{status:?}");
    assert_eq!(gate.refused.with_label_values(&["unknown_host"]).get(), 3);
}

#[tokio::test]
async fn a_token_for_models_reaches_only_what_names_a_model() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.json");
    let bearer = format!("Bearer {}", token(&path, &[Scope::Ingest], &["fraud"], 1));
    let router = guarded(&gate(&path, GateOptions::default()));
    for (request, expected) in [
        ("/v1/predictions", (200, "")),
        ("/v1/outcomes", (200, "")),
        ("/v1/measurements", (403, "token_limited_to_models")),
        ("/v1/traces", (403, "token_limited_to_models")),
    ] {
        let (status, code, _) = ask(&router, ("POST", request), Some(&bearer)).await;
        assert_eq!((status, code.as_str()), expected, "{request}");
    }
}

#[tokio::test]
async fn a_token_that_sends_too_often_waits_and_others_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.json");
    let [noisy, quiet] = [1, 2].map(|n| format!("Bearer {}", token(&path, &[Scope::Ingest], &[], n)));
    let gate = gate(&path, GateOptions { requests_per_s: Some(1), ..GateOptions::default() });
    let router = guarded(&gate);
    let mut seen = Vec::new();
    for _ in 0..4 {
        let (status, code, headers) = ask(&router, ("POST", "/v1/predictions"), Some(&noisy)).await;
        seen.push(status);
        if status == 429 {
            assert_eq!((code.as_str(), headers["retry-after"].to_str().unwrap()), ("rate_exceeded", "1"));
        }
    }
    assert!(seen.starts_with(&[200, 200]) && seen.contains(&429), "{seen:?}");
    assert_eq!(ask(&router, ("POST", "/v1/predictions"), Some(&quiet)).await.0, 200);
    assert!(gate.refused.with_label_values(&["rate_exceeded"]).get() >= 1);
}

#[tokio::test]
async fn a_call_over_grpc_is_refused_by_its_own_status() {
    const EXPORT: (&str, &str) = ("POST", "/opentelemetry.proto.collector.trace.v1.TraceService/Export");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.json");
    let bearer = |scope, models: &[&str], n| format!("Bearer {}", token(&path, &[scope], models, n));
    let (read, limited) = (bearer(Scope::Read, &[], 1), bearer(Scope::Ingest, &["fraud"], 2));
    let sender = bearer(Scope::Ingest, &[], 3);
    let gate = gate(&path, GateOptions { requests_per_s: Some(1), ..GateOptions::default() });
    let router = guarded(&gate);
    for (kind, authorization, code, word) in [
        ("application/grpc", None, Code::Unauthenticated, "token_missing: "),
        ("application/grpc+proto", Some("Bearer wvt_00000000_x"), Code::Unauthenticated, "token_invalid: "),
        ("application/grpc", Some(read.as_str()), Code::PermissionDenied, "scope_missing: "),
        ("application/grpc", Some(limited.as_str()), Code::PermissionDenied, "token_limited_to_models: "),
    ] {
        let mut said = vec![("content-type", kind)];
        said.extend(authorization.map(|value| ("authorization", value)));
        let (http, _, headers) = ask_with(&router, EXPORT, &said).await;
        assert_eq!((http, headers["content-type"].to_str().unwrap()), (200, "application/grpc"), "{word}");
        let status = Status::from_header_map(&headers).unwrap_or_else(|| panic!("{word}: {headers:?}"));
        assert_eq!(status.code(), code, "{status:?}");
        assert!(status.message().starts_with(word) && status.details().is_empty(), "{status:?}");
        assert_eq!(gate.refused.with_label_values(&[word.trim_end_matches(": ")]).get(), 1);
    }
    let said = [("content-type", "application/grpc"), ("authorization", sender.as_str())];
    let mut refused = None;
    for _ in 0..4 {
        let (http, _, headers) = ask_with(&router, EXPORT, &said).await;
        assert_eq!(http, 200);
        refused = refused.or(Status::from_header_map(&headers));
    }
    // Of the protocol's words for too much it is the one that every client tries again after.
    let refused = refused.expect("two of a second come at once, and not four");
    assert_eq!(refused.code(), Code::Unavailable, "{refused:?}");
    assert!(refused.message().starts_with("rate_exceeded: "), "{refused:?}");
    let retry_info = b"type.googleapis.com/google.rpc.RetryInfo";
    assert!(memchr::memmem::find(refused.details(), retry_info).is_some(), "{refused:?}");
    let (http, code, _) = ask_with(&router, EXPORT, &[("content-type", "application/grpc-web")]).await;
    assert_eq!((http, code.as_str()), (401, "token_missing"), "what is no call is answered as HTTP");
}

#[tokio::test]
async fn pages_of_named_origins_may_send_events_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.json");
    let bearer = format!("Bearer {}", token(&path, &[Scope::Ingest], &[], 1));
    let origins = SenderOrigins::parse(&["https://shop.example.org".to_owned()]).unwrap();
    let named = guarded(&gate(&path, GateOptions { origins, ..GateOptions::default() }));
    let unnamed = guarded(&gate(&path, GateOptions::default()));
    let shop = ("origin", "https://shop.example.org");
    let asks = ("access-control-request-method", "POST");
    let allowed = |headers: &HeaderMap| headers.get("access-control-allow-origin").cloned();

    // A browser asks first, and has no token then.
    let (status, _, headers) = ask_with(&named, ("OPTIONS", "/v1/predictions"), &[shop, asks]).await;
    assert_eq!((status, allowed(&headers).unwrap().to_str().unwrap()), (200, shop.1));
    let may_send = headers["access-control-allow-headers"].to_str().unwrap();
    for header in ["authorization", "content-encoding", "content-type", "idempotency-key"] {
        assert!(may_send.contains(header), "{may_send}");
    }
    assert!(headers.get("access-control-allow-credentials").is_none());
    // What it sends needs one; the page reads either answer.
    for (authorization, expected) in [(None, 401), (Some(bearer.as_str()), 200)] {
        let sent: Vec<_> =
            authorization.map(|value| ("authorization", value)).into_iter().chain([shop]).collect();
        let (status, _, headers) = ask_with(&named, ("POST", "/v1/predictions"), &sent).await;
        assert_eq!((status, allowed(&headers).is_some()), (expected, true));
    }
    for (router, request, origin) in [
        (&named, ("OPTIONS", "/v1/predictions"), "https://evil.example"),
        (&named, ("OPTIONS", "/v1/predictions"), "https://shop.example.org.evil.example"),
        (&named, ("OPTIONS", "/v1/predictions"), "http://shop.example.org"),
        (&named, ("OPTIONS", "/api/v1/silences"), shop.1),
        (&named, ("GET", "/api/v1/models"), shop.1),
        (&unnamed, ("OPTIONS", "/v1/predictions"), shop.1),
    ] {
        let (_, _, headers) = ask_with(router, request, &[("origin", origin), asks]).await;
        assert_eq!(allowed(&headers), None, "{request:?} from {origin}");
    }
}
