//! Which pages of other sites may send events: what browsers ask before they let a page do so (CORS, WHATWG Fetch).
//!
//! A browser asks by `OPTIONS` whether a page of another origin may send a body that is no form and headers such as `Authorization`, and
//! shows the page no answer without `Access-Control-Allow-Origin`. Nothing else of the service is for pages of other sites: what is told
//! and changed stays with its own.

use std::time::Duration;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, Method, Uri, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// Where events are sent to.
const PATHS: &str = "/v1/";

/// How long a browser need not ask again.
const KNOWN: Duration = Duration::from_secs(60 * 60);

/// The origins whose pages may send events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SenderOrigins(Vec<HeaderValue>);

impl SenderOrigins {
    /// Reads origins as browsers say them, such as `https://shop.example.org` and `http://localhost:3000`.
    ///
    /// # Errors
    /// The first that is none.
    pub fn parse(texts: &[String]) -> Result<Self, &str> {
        let origins = texts.iter().map(|text| origin(text).ok_or(text.as_str()));
        origins.collect::<Result<_, _>>().map(Self)
    }

    /// Answers browsers before a router does, where there are any origins.
    pub(super) fn allow(&self, router: Router) -> Router {
        if self.0.is_empty() {
            return router;
        }
        let origins = self.0.clone();
        let cors = CorsLayer::new()
            .allow_origin(AllowOrigin::predicate(move |origin, request| {
                request.uri.path().starts_with(PATHS) && origins.contains(origin)
            }))
            .allow_methods([Method::POST])
            .allow_headers([
                header::AUTHORIZATION,
                header::CONTENT_ENCODING,
                header::CONTENT_TYPE,
                HeaderName::from_static("idempotency-key"),
            ])
            .expose_headers([header::RETRY_AFTER])
            .max_age(KNOWN);
        router.layer(cors)
    }
}

/// An origin as a browser says it: scheme and host in small letters, the port where it is not the scheme's own, and nothing else.
fn origin(text: &str) -> Option<HeaderValue> {
    let text = text.strip_suffix('/').unwrap_or(text).to_ascii_lowercase();
    let uri: Uri = text.parse().ok()?;
    let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
    let own_port = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let is_origin =
        authority.as_str() == text.split_once("://")?.1 && !authority.as_str().contains(['@', '*']);
    let port = authority.port_u16().filter(|port| *port != own_port);
    let port = port.map_or(String::new(), |port| format!(":{port}"));
    is_origin.then(|| format!("{scheme}://{}{port}", authority.host()).parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_read_as_browsers_say_it() {
        for (text, expected) in [
            ("https://shop.example.org", Some("https://shop.example.org")),
            ("HTTPS://Shop.example.org/", Some("https://shop.example.org")),
            ("https://shop.example.org:443", Some("https://shop.example.org")),
            ("http://localhost:3000", Some("http://localhost:3000")),
            ("http://[::1]:3000", Some("http://[::1]:3000")),
            ("https://shop.example.org/checkout", None),
            ("https://user@shop.example.org", None),
            ("https://*.example.org", None),
            ("shop.example.org", None),
            ("ftp://shop.example.org", None),
            ("null", None),
            ("*", None),
            ("", None),
        ] {
            let texts = [text.to_owned()];
            let expected = expected.map(|origin| SenderOrigins(vec![HeaderValue::from_static(origin)]));
            assert_eq!(SenderOrigins::parse(&texts).ok(), expected, "{text}");
        }
    }
}
