//! A collector that is away, busy, or refuses: what is tried again, and with which key.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use tokio::net::{TcpListener, TcpSocket};
use tokio_util::task::TaskTracker;

use super::*;

/// Answers requests from a list, then 200; remembers the keys.
#[derive(Debug, Default)]
struct Script {
    answers: Vec<(u16, &'static str)>,
    keys: Vec<String>,
}

type Shared = Arc<Mutex<Script>>;

async fn answer(State(script): State<Shared>, headers: HeaderMap) -> Response {
    let mut script = script.lock().unwrap();
    script.keys.push(headers["idempotency-key"].to_str().unwrap().to_owned());
    let (status, body) = match script.answers.is_empty() {
        true => (200, r#"{"accepted":2}"#),
        false => script.answers.remove(0),
    };
    let status = StatusCode::from_u16(status).unwrap();
    let seconds = if body == "full" { "9" } else { "0" };
    (status, [("retry-after", seconds)], body).into_response()
}

async fn post_to(answers: Vec<(u16, &'static str)>) -> (Result<Answer, DeliveryError>, Vec<String>) {
    let script: Shared = Arc::new(Mutex::new(Script { answers, keys: Vec::new() }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/v1/predictions", post(answer)).with_state(Arc::clone(&script));
    TaskTracker::new().spawn(async move { axum::serve(listener, router).await });
    let delivery = Delivery::new(&base, Duration::from_secs(5)).unwrap();
    let answered = delivery.post(Events::Predictions, Bytes::from_static(b"{}\n{}\n"), "k1").await;
    let keys = script.lock().unwrap().keys.clone();
    (answered, keys)
}

#[tokio::test]
async fn a_busy_collector_is_asked_again_with_the_same_key() {
    for again in [408, 425, 429, 500, 502, 503, 504] {
        let (answered, keys) = post_to(vec![(again, "busy"), (again, "")]).await;
        assert_eq!(answered.unwrap().accepted, 2, "{again}");
        assert_eq!(keys, ["k1"; 3], "{again}");
    }
}

#[tokio::test]
async fn a_batch_of_which_nothing_was_accepted_is_an_answer() {
    let refused = r#"{"accepted":0,"rejected":[{"index":1,"code":"ts_invalid","message":"no"}]}"#;
    let (answered, keys) = post_to(vec![(400, refused)]).await;
    let answered = answered.unwrap();
    assert_eq!((answered.accepted, answered.rejected[0].index), (0, 1));
    assert_eq!(answered.rejected[0].code, "ts_invalid");
    assert_eq!(keys.len(), 1);
}

#[tokio::test]
async fn a_collector_that_asks_for_more_patience_than_there_is_is_told_with_its_wish() {
    let (answered, keys) = post_to(vec![(429, "full")]).await;
    let told = answered.unwrap_err().to_string();
    assert!(told.contains("full; it asks to come again after 9 s"), "{told}");
    assert_eq!(keys.len(), 1);
}

#[tokio::test]
async fn a_refused_request_is_not_sent_again() {
    for refused in [401, 403, 404, 413, 415, 422] {
        let (answered, keys) = post_to(vec![(refused, "not this one")]).await;
        let error = answered.unwrap_err();
        let is_told = matches!(&error, DeliveryError::Refused { status, .. } if status.as_u16() == refused);
        assert!(is_told && error.to_string().contains("not this one"), "{error}");
        assert_eq!(keys.len(), 1, "{refused}");
    }
}

#[tokio::test]
async fn nobody_there_is_told_with_the_cause() {
    // Bound and never listening: nobody else is given the port.
    let held = TcpSocket::new_v4().unwrap();
    held.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let delivery = Delivery::new(&format!("http://{}", held.local_addr().unwrap()), Duration::ZERO).unwrap();
    let error = delivery.post(Events::Outcomes, Bytes::new(), "k").await.unwrap_err();
    assert!(matches!(error, DeliveryError::Unavailable { .. }));
    assert!(error.to_string().contains("refused"), "{error}");
}
