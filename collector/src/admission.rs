//! Who may do what: the one gate before every route of the service, whichever part the route belongs to.
//!
//! A route that is added later is guarded without doing anything: what reads needs `read`, what comes in under `/v1/` needs
//! `ingest`, and what is neither needs `admin` and does not come from a page of another site. While nobody needs a token, a port of the
//! loopback is asked for by its own names.

mod hosts;
mod origin;
mod rate;
mod senders;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use base64::Engine as _;
use prometheus::{IntCounterVec, Opts, Registry};
use tokio::time::Instant;
use windvane_types::Clock;

pub use self::hosts::{Hosts, Reach};
use self::origin::Origin;
use self::rate::Rates;
pub use self::senders::SenderOrigins;
use crate::http::{Problem, grpc};
use crate::metrics::Definition;
use crate::tokens::{Denial, Holder, Keyring, Scope};

/// What the gate tells Prometheus.
pub const DEFINITIONS: &[Definition] = &[REFUSED];

const REFUSED: Definition = Definition {
    name: "windvane_http_refused_requests_total",
    help: "Requests that the gate refused before they reached their route, by code.",
    labels: &["code"],
};

/// The words that [`REFUSED`] is labelled with.
const CODES: [&str; 7] = [
    "token_missing",
    "token_invalid",
    "scope_missing",
    "token_limited_to_models",
    "rate_exceeded",
    "cross_origin",
    "unknown_host",
];

/// Characters of a name that an answer repeats.
const NAME_SHOWN: usize = 100;

/// How the gate is set up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GateOptions {
    /// Whether `/metrics` needs no token.
    pub metrics_public: bool,
    /// Requests a second of each token, and of all that carry none together; none: no bound.
    pub requests_per_s: Option<u32>,
    /// Names that the service is asked for; where there are any, no others, with or without tokens.
    pub hosts: Hosts,
    /// Origins of other sites whose pages may send events.
    pub origins: SenderOrigins,
}

/// The gate.
#[derive(Debug)]
pub struct Gate {
    keyring: Keyring,
    options: GateOptions,
    rates: Rates,
    clock: Arc<dyn Clock>,
    refused: IntCounterVec,
}

/// Whoever sent a request; an extension of every request that passed the gate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caller(Option<Arc<Holder>>);

impl Caller {
    /// Whether it may send events of this model.
    #[must_use]
    pub fn may_send(&self, model: &str) -> bool {
        self.0.as_ref().is_none_or(|holder| holder.may_send(model))
    }

    /// Whether it may do more than read; nobody in particular may while no token is needed.
    #[must_use]
    pub fn may_change(&self) -> bool {
        self.0.as_ref().is_none_or(|holder| holder.has(Scope::Admin))
    }

    /// The id of its token; `None` where it has none.
    #[must_use]
    pub fn token_id(&self) -> Option<&str> {
        self.0.as_ref().map(|holder| holder.id())
    }

    /// The models that it may send, in words; `None` where all.
    #[must_use]
    pub fn models(&self) -> Option<String> {
        let prefixes = self.0.as_ref()?.model_prefixes();
        (!prefixes.is_empty()).then(|| format!("`{}…`", prefixes.join("…`, `")))
    }
}

/// What a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Nothing,
    Scope(Scope),
}

/// Paths whose every record names a model, which the decoder holds against the token.
const BY_MODEL: [&str; 3] = ["/v1/predictions", "/v1/outcomes", "/v1/payloads"];

fn need(method: &Method, path: &str, options: &GateOptions) -> Need {
    match path {
        "/healthz" | "/readyz" => Need::Nothing,
        "/metrics" if options.metrics_public => Need::Nothing,
        _ if path.starts_with("/v1/") || path.starts_with("/opentelemetry.proto.collector.") => {
            Need::Scope(Scope::Ingest)
        }
        _ if matches!(*method, Method::GET | Method::HEAD) => Need::Scope(Scope::Read),
        _ => Need::Scope(Scope::Admin),
    }
}

impl Gate {
    /// A gate over these tokens.
    ///
    /// # Errors
    /// The registry has a metric of the same name.
    pub fn new(
        keyring: Keyring,
        options: GateOptions,
        clock: Arc<dyn Clock>,
        registry: &Registry,
    ) -> prometheus::Result<Self> {
        let refused = IntCounterVec::new(Opts::new(REFUSED.name, REFUSED.help), REFUSED.labels)?;
        registry.register(Box::new(refused.clone()))?;
        for code in CODES {
            refused.with_label_values(&[code]);
        }
        Ok(Self { keyring, options, rates: Rates::default(), clock, refused })
    }

    /// Puts the gate before every route of a router, also before paths that it does not have. The port that it is served on has this reach.
    pub fn guard(self: &Arc<Self>, router: Router, reach: Reach) -> Router {
        let guarded = router.layer(from_fn_with_state((Arc::clone(self), reach), pass));
        // A browser asks without a token whether a page may send one.
        self.options.origins.allow(guarded)
    }

    /// Whether requests need a token now.
    #[must_use]
    pub fn asks_for_tokens(&self) -> bool {
        self.keyring.is_required()
    }

    fn admit(&self, reach: Reach, request: &Request) -> Result<Caller, Problem> {
        let (method, uri, headers) = (request.method(), request.uri(), request.headers());
        let Need::Scope(scope) = need(method, uri.path(), &self.options) else {
            return Ok(Caller::default());
        };
        let is_token_needed = self.keyring.is_required();
        if self.options.hosts.are_named() || (reach == Reach::Machine && !is_token_needed) {
            self.know(uri, headers)?;
        }
        if scope == Scope::Admin && origin::of(headers) == Origin::Other {
            let detail = "a page of another site may change nothing here; accepted are forms of this service's own pages, and programs";
            return Err(Problem::new(StatusCode::FORBIDDEN, "cross_origin", detail.to_owned()));
        }
        let caller = match is_token_needed {
            false => Caller::default(),
            true => Caller(Some(self.authorise((method, uri.path()), headers, scope)?)),
        };
        self.pace(&caller)?;
        Ok(caller)
    }

    /// Refuses a request that asks for another service.
    fn know(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
        let Some(other) = self.options.hosts.other(uri, headers) else { return Ok(()) };
        let other: String = other.chars().take(NAME_SHOWN).collect();
        let detail = format!(
            "`{other}` is no name of this service; accepted are localhost, addresses of the loopback such as 127.0.0.1 and [::1], and what the key server.hosts of the configuration names"
        );
        Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, "unknown_host", detail))
    }

    fn authorise(
        &self,
        (method, path): (&Method, &str),
        headers: &HeaderMap,
        scope: Scope,
    ) -> Result<Arc<Holder>, Problem> {
        let now_us = self.clock.now().as_microsecond();
        let found = presented(method, headers).ok_or(Denial::Missing);
        let holder = found.and_then(|token| self.keyring.holder(&token, now_us)).map_err(|denial| {
            let (code, detail) = match denial {
                Denial::Missing => (
                    "token_missing",
                    "this service takes requests with a token only; accepted is `Authorization: Bearer TOKEN`, and for GET also Basic with the token as password",
                ),
                Denial::Invalid => (
                    "token_invalid",
                    "the token is not known, was revoked, or has expired; accepted is one that `windvane token create` made",
                ),
            };
            Problem::new(StatusCode::UNAUTHORIZED, code, detail.to_owned())
        })?;
        if !holder.has(scope) {
            let detail =
                format!("token `{}` has not the scope `{scope}` that this request needs", holder.id());
            return Err(Problem::new(StatusCode::FORBIDDEN, "scope_missing", detail));
        }
        if !holder.model_prefixes().is_empty() && !BY_MODEL.contains(&path) {
            let detail = format!(
                "token `{}` is limited to models, and this path takes what belongs to none; accepted are {}",
                holder.id(),
                BY_MODEL.join(", ")
            );
            return Err(Problem::new(StatusCode::FORBIDDEN, "token_limited_to_models", detail));
        }
        Ok(holder)
    }

    fn pace(&self, caller: &Caller) -> Result<(), Problem> {
        let (id, own) = caller.0.as_ref().map_or(("", None), |holder| (holder.id(), holder.requests_per_s()));
        let Some(per_s) = own.or(self.options.requests_per_s) else { return Ok(()) };
        self.rates.take(id, per_s, Instant::now().into_std()).map_err(|wait| {
            let detail = format!("more than {per_s} requests a second; send fewer, larger batches");
            let wait = Duration::from_secs(wait.as_secs() + 1);
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate_exceeded", detail).retry_after(wait)
        })
    }
}

/// The token that a request carries. Basic is for people's browsers: they send it by themselves, also where another site makes
/// them, so it counts for reading, and for what the browser says comes from a page of this service.
fn presented(method: &Method, headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.to_owned());
    }
    let may_be_basic = matches!(*method, Method::GET | Method::HEAD) || origin::of(headers) == Origin::Own;
    if !scheme.eq_ignore_ascii_case("basic") || !may_be_basic {
        return None;
    }
    let pair = base64::engine::general_purpose::STANDARD.decode(rest).ok()?;
    let pair = String::from_utf8(pair).ok()?;
    pair.split_once(':').map(|(_, password)| password.to_owned())
}

async fn pass(State((gate, reach)): State<(Arc<Gate>, Reach)>, mut request: Request, next: Next) -> Response {
    let admitted = gate.admit(reach, &request);
    match admitted {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(problem) => {
            gate.refused.with_label_values(&[problem.code]).inc();
            if grpc::is_call(request.headers()) {
                return grpc::refusal(&problem);
            }
            let mut response = problem.response();
            if response.status() == StatusCode::UNAUTHORIZED {
                // One header each: not every browser reads two in one.
                for scheme in ["Bearer realm=\"windvane\"", "Basic realm=\"windvane\", charset=\"UTF-8\""] {
                    response.headers_mut().append(header::WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
                }
            }
            response
        }
    }
}

#[cfg(test)]
mod tests;
