//! The layers of `tracing` and of `tower`, in the programs that they are made for.

#[cfg(feature = "tracing")]
#[test]
fn events_of_tracing_with_our_target_are_predictions() {
    use std::time::Duration;

    use serde_json::json;
    use tracing_subscriber::layer::SubscriberExt;

    let collector = super::server::Collector::start();
    let client = collector.client();
    let subscriber = tracing_subscriber::registry().with(windvane_sdk::layer::Layer::new(client.clone()));
    tracing::subscriber::with_default(subscriber, || {
        tracing::info!(target: "windvane", model = "delay", score = 0.5, distance = 1400, carrier = "UA", late = true);
        tracing::info!(target: "windvane", label = "late", latency_us = 830u64, event_id = "e2", debug = ?Some(1));
        tracing::info!("of another target");
    });
    assert!(client.flush(Duration::from_secs(20)));
    let [first, second] = &collector.records("predictions")[..] else {
        panic!("{:?}", collector.records("predictions"))
    };
    assert_eq!(first["model"], "delay");
    assert_eq!(first["prediction"], json!({"score": 0.5}));
    assert_eq!(first["features"], json!({"distance": 1400, "carrier": "UA", "late": true}));
    assert_eq!((&second["event_id"], &second["latency_us"]), (&json!("e2"), &json!(830)));
    assert_eq!(second["prediction"], json!({"label": "late"}));
    assert_eq!(second["features"], json!({"debug": "Some(1)"}));
}

#[cfg(feature = "tower")]
#[tokio::test]
async fn requests_of_an_axum_router_are_predictions() {
    use std::time::Duration;

    use axum::Extension;
    use axum::body::Body;
    use axum::routing::get;
    use http::{Request, StatusCode};
    use serde_json::json;
    use tower::ServiceExt;
    use windvane_sdk::middleware::{Call, EVENT_ID, Layer};

    let collector = super::server::Collector::start();
    let client = collector.client();
    let predict = |Extension(call): Extension<Call>| async move {
        call.model("delay", "7");
        call.features(&[("distance", 1400.into()), ("carrier", "UA".into())]);
        call.unit("N1");
        call.score(0.5);
        "0.5"
    };
    let fail = |Extension(call): Extension<Call>| async move {
        call.features(&[("distance", (-1).into())]);
        StatusCode::UNPROCESSABLE_ENTITY
    };
    let slow = |Extension(call): Extension<Call>| async move {
        call.label("never said");
        std::future::pending::<()>().await;
    };
    let broken = |Extension(call): Extension<Call>| async move {
        call.features(&[("distance", 7.into())]);
        assert!(call.event_id().is_empty(), "a handler that panics");
    };
    let router = axum::Router::new()
        .route("/predict", get(predict))
        .route("/fail", get(fail))
        .route("/slow", get(slow))
        .route("/broken", get(broken))
        .route("/other", get(|| async { "" }))
        .layer(Layer::new(client.clone()));
    let ask = |path: &str| router.clone().oneshot(Request::get(path).body(Body::empty()).unwrap());
    let response = ask("/predict").await.unwrap();
    let event_id = response.headers()[EVENT_ID].to_str().unwrap().to_owned();
    assert_eq!(axum::body::to_bytes(response.into_body(), 9).await.unwrap(), "0.5");
    ask("/fail").await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(20), ask("/slow")).await.is_err());
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(ask("/broken"));
    assert!(tasks.join_next().await.unwrap().unwrap_err().is_panic());
    ask("/other").await.unwrap();
    for method in ["HEAD", "OPTIONS"] {
        let about = Request::builder().method(method).uri("/predict").body(Body::empty()).unwrap();
        let response = router.clone().oneshot(about).await.unwrap();
        assert!(!response.headers().contains_key(EVENT_ID), "{method} asks about a route");
    }
    assert!(tokio::task::spawn_blocking(move || client.flush(Duration::from_secs(20))).await.unwrap());
    let [good, bad, cancelled, panicked] = &collector.records("predictions")[..] else {
        panic!("{:?}", collector.records("predictions"))
    };
    assert_eq!(
        (&good["event_id"], &good["model"], &good["unit_id"]),
        (&json!(event_id), &json!("delay"), &json!("N1"))
    );
    assert_eq!((&good["prediction"], &good["status"]), (&json!({"score": 0.5}), &json!("ok")));
    assert!(good["latency_us"].as_u64().unwrap() < 20_000_000);
    assert_eq!((&bad["status"], &bad["features"]), (&json!("http_422"), &json!({"distance": -1})));
    assert_eq!(cancelled["status"], "cancelled");
    assert_eq!((&panicked["status"], &panicked["features"]), (&json!("error"), &json!({"distance": 7})));
}

#[cfg(feature = "tower")]
#[tokio::test]
async fn a_prediction_ends_with_the_body_of_its_response() {
    use std::io::Error;
    use std::time::Duration;

    use axum::Extension;
    use axum::body::Body;
    use axum::http::header::CONTENT_LENGTH;
    use axum::response::Response;
    use axum::routing::get;
    use futures_util::stream::iter;
    use http::{Request, StatusCode};
    use http_body_util::BodyExt;
    use tower::ServiceExt;
    use windvane_sdk::middleware::{Call, Layer};

    let collector = super::server::Collector::start();
    let client = collector.client();
    let said = |call: &Call, who: &str| call.features(&[("who", who.into())]);
    let whole = move |Extension(call): Extension<Call>| async move {
        said(&call, "whole");
        Body::from_stream(iter(["a", "b"].map(Ok::<_, Error>)))
    };
    let promised = move |Extension(call): Extension<Call>| async move {
        said(&call, "promised");
        let body = Body::from_stream(iter(["a", "b"].map(Ok::<_, Error>)));
        Response::builder().header(CONTENT_LENGTH, 2).body(body).unwrap()
    };
    let left = move |Extension(call): Extension<Call>| async move {
        said(&call, "left");
        let body = Body::from_stream(iter(["a", "b"].map(Ok::<_, Error>)));
        Response::builder().status(StatusCode::BAD_GATEWAY).body(body).unwrap()
    };
    let broken = move |Extension(call): Extension<Call>| async move {
        said(&call, "broken");
        Body::from_stream(iter([Ok("a"), Err(Error::other("the model crashed"))]))
    };
    let router = axum::Router::new()
        .route("/whole", get(whole))
        .route("/promised", get(promised))
        .route("/left", get(left))
        .route("/broken", get(broken))
        .layer(Layer::new(client.clone()));
    // As a server does that is asked for the whole, that has sent what the head promises, whose client goes away, or whose body fails.
    for (path, frames) in [("/whole", 3), ("/promised", 2), ("/left", 1), ("/broken", 2)] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let mut body = router.clone().oneshot(request).await.unwrap().into_body();
        for _ in 0..frames {
            drop(body.frame().await);
        }
    }
    assert!(tokio::task::spawn_blocking(move || client.flush(Duration::from_secs(20))).await.unwrap());
    let found = collector.records("predictions");
    let statuses: Vec<(&str, &str)> = found
        .iter()
        .map(|record| (record["features"]["who"].as_str().unwrap(), record["status"].as_str().unwrap()))
        .collect();
    assert_eq!(statuses, [("whole", "ok"), ("promised", "ok"), ("left", "cancelled"), ("broken", "error")]);
}
