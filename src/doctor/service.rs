//! What answers: the service itself, also over gRPC, and ClickHouse with its schema and its clock.

use std::time::Duration;

use serde::Deserialize;
use windvane_store::migrate::{self, MigrateError, Missing, State};
use windvane_store::{Statement, Store};
use windvane_types::counting::counted;
use windvane_types::{Clock, SystemClock};

use super::Check;
use crate::config::Config;
use crate::connection;

/// How long the service may take to answer.
const ANSWER: Duration = Duration::from_secs(5);
/// Clocks that differ by more than this shift windows of monitors.
const CLOCK_WARN_S: i64 = 5;
/// Clocks that differ by more than this make events land in the wrong window.
const CLOCK_FAIL_S: i64 = 300;

pub(super) async fn check(config: &Config, checks: &mut Vec<Check>) {
    checks.push(service(config).await);
    checks.push(otlp(config).await);
    let store = match connection::options(&config.store) {
        Ok(options) => Store::connect(&options),
        Err(failure) => {
            checks.push(Check::warn(
                "store",
                failure.to_string(),
                "start `windvane serve`; it makes the engine",
            ));
            return;
        }
    };
    let now: Now = match now(&store).await {
        Ok(now) => now,
        Err(detail) => {
            let advice = match &config.store {
                crate::config::Store::Embedded { .. } => "start `windvane serve`; the engine runs beside it",
                crate::config::Store::Server { .. } => "check store.url, its user and its password",
            };
            checks.push(Check::fail("store", detail, advice));
            return;
        }
    };
    checks.push(Check::ok("store", format!("ClickHouse {} answers at {}", now.version, store.url())));
    checks.push(schema(&store).await);
    checks.push(clock(now.now_us - SystemClock.now().as_microsecond()));
}

async fn service(config: &Config) -> Check {
    let scheme = if config.server.tls.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{}/readyz", config.server.listen);
    if config.server.tls.is_some() {
        return Check::ok("service", format!("is not asked over TLS; try `curl {url}`"));
    }
    if config.server.listen.port() == 0 {
        return Check::ok("service", "takes a free port; its log names it");
    }
    let asked = async {
        let client = reqwest::Client::builder().timeout(ANSWER).build()?;
        let answer = client.get(&url).send().await?;
        Ok::<_, reqwest::Error>((
            answer.status(),
            answer.json::<serde_json::Value>().await.unwrap_or_default(),
        ))
    };
    match asked.await {
        Err(error) if error.is_connect() => {
            Check::warn("service", format!("nobody answers at {url}"), "start `windvane serve`")
        }
        Err(error) => Check::fail("service", format!("{url}: {error}"), "see its log; restart it"),
        Ok((status, body)) if body["ready"] == true => {
            Check::ok("service", format!("{url} answers {status}"))
        }
        Ok((status, body)) if body["checks"].is_object() => {
            Check::fail("service", format!("is not ready ({status}): {}", body["checks"]), "see its log")
        }
        Ok((status, _)) => Check::fail(
            "service",
            format!("what answers at {url} is no windvane ({status})"),
            "choose another server.listen",
        ),
    }
}

/// What a windvane says to whoever asks its port of OTLP over gRPC for a method that is not there: which ones are.
const METHODS: &str = "opentelemetry.proto.collector.trace.v1.TraceService";

/// Asked by HTTP/1.1, which a windvane answers there, too, and for a path that needs no token.
async fn otlp(config: &Config) -> Check {
    const NAME: &str = "otlp over grpc";
    let address = config.otlp.grpc_listen;
    if config.server.tls.is_some() {
        return Check::ok(NAME, format!("is not asked over TLS; exporters send to https://{address}"));
    }
    if address.port() == 0 {
        return Check::ok(NAME, "takes a free port; its log names it");
    }
    let url = format!("http://{address}");
    let asked = async {
        let client = reqwest::Client::builder().timeout(ANSWER).build()?;
        client.get(format!("{url}/readyz")).send().await
    };
    let other = match asked.await {
        Err(error) if error.is_connect() => {
            let advice = "start `windvane serve`, with the role collector";
            return Check::warn(NAME, format!("nobody answers at {url}"), advice);
        }
        Err(error) => error.to_string(),
        Ok(answer) => {
            let told = answer.headers().get("grpc-message").and_then(|told| told.to_str().ok());
            if told.is_some_and(|told| told.contains(METHODS)) {
                return Check::ok(NAME, format!("{url} takes calls"));
            }
            format!("it answers {}", answer.status())
        }
    };
    let detail = format!("what answers at {url} is no windvane ({other})");
    if config.otlp.is_asked_for {
        Check::fail(NAME, detail, "choose another otlp.grpc_listen")
    } else {
        let advice = "set otlp.grpc_listen to another address, or send OTLP over HTTP";
        Check::warn(NAME, detail, advice)
    }
}

#[derive(Debug, Deserialize)]
struct Now {
    version: String,
    now_us: i64,
}

async fn now(store: &Store) -> Result<Now, String> {
    let statement = Statement::new("SELECT version() AS version, toUnixTimestamp64Micro(now64(6)) AS now_us");
    let rows: Vec<Now> = match tokio::time::timeout(ANSWER, store.rows(&statement)).await {
        Err(_) => return Err(format!("{} did not answer within {} s", store.url(), ANSWER.as_secs())),
        Ok(Err(error)) => return Err(format!("{:#}", anyhow::Error::new(error))),
        Ok(Ok(rows)) => rows,
    };
    rows.into_iter().next().ok_or_else(|| "ClickHouse answered nothing".to_owned())
}

async fn schema(store: &Store) -> Check {
    looked_into(store).await.unwrap_or_else(|error| {
        Check::fail(
            "schema",
            format!("{:#}", anyhow::Error::new(error)),
            "`windvane schema status` says more; a newer schema needs a newer windvane",
        )
    })
}

async fn looked_into(store: &Store) -> Result<Check, MigrateError> {
    let (topology, steps) = migrate::found(store).await?;
    let missing = migrate::missing(store, &topology, &steps).await?;
    let pending = steps.iter().filter(|step| step.state != State::Applied).count();
    let newest = steps.last().map_or(0, |step| step.migration.version);
    Ok(match pending {
        _ if !missing.is_empty() => gone(&missing),
        0 => Check::ok("schema", format!("is at {newest:04}, the newest that this windvane knows")),
        n => Check::warn(
            "schema",
            counted(n as u64, "migration is to run", "migrations are to run"),
            "`windvane schema apply`, or start the service",
        ),
    })
}

/// Things that are gone of which the check tells.
const GONE_TOLD: usize = 8;

/// Migrations that ran do not run again by themselves: what they made was taken away by somebody, and rows with it.
fn gone(missing: &[Missing]) -> Check {
    let mut told: Vec<String> =
        missing.iter().take(GONE_TOLD).map(|one| format!("{} ({:04})", one.what, one.version)).collect();
    if missing.len() > GONE_TOLD {
        told.push(format!("{} more", missing.len() - GONE_TOLD));
    }
    let mut advice = Vec::new();
    if missing.iter().any(|one| one.add.is_none()) {
        advice.push(
            "restore a backup, or make it anew without its rows: `windvane schema print` has the statement of each number, and `windvane query` runs it".to_owned(),
        );
    }
    let added = missing.iter().take(GONE_TOLD).filter_map(|one| one.add.as_ref());
    advice.extend(added.map(|sql| format!("add it by `windvane query`: {sql}")));
    Check::fail(
        "schema",
        format!("what migrations made is not there: {}", told.join(", ")),
        advice.join("; "),
    )
}

fn clock(ahead_us: i64) -> Check {
    let ahead_s = ahead_us / 1_000_000;
    let detail = format!("ClickHouse's clock and this machine's differ by {:.1} s", ahead_us as f64 / 1e6);
    match ahead_s.abs() {
        0..=CLOCK_WARN_S => Check::ok("clock", detail),
        s if s <= CLOCK_FAIL_S => Check::warn("clock", detail, "run a time service on both machines"),
        _ => Check::fail("clock", detail, "set the clocks; events would land in wrong windows"),
    }
}
