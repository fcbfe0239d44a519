//! Which page sent a request, as browsers say it: the guard against forms of other sites (CSRF).
//!
//! Browsers set `Sec-Fetch-Site` since 2023 and `Origin` with every POST since 2020, and no page can set either. The rule is
//! that of Go's `http.CrossOriginProtection` (2025).

use axum::http::{HeaderMap, Uri, header};

/// Where a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// A page of this service.
    Own,
    /// A page of another site.
    Other,
    /// No page: a program, or a person who typed the address.
    None,
}

/// What the headers of a request say.
pub(super) fn of(headers: &HeaderMap) -> Origin {
    let text = |name| headers.get(name).map(|value: &header::HeaderValue| value.to_str().unwrap_or("?"));
    match (text("sec-fetch-site"), text(header::ORIGIN.as_str())) {
        (Some("same-origin"), _) => Origin::Own,
        (Some("none"), _) | (None, None) => Origin::None,
        (Some(_), _) => Origin::Other,
        (None, Some(origin)) => match (authority(origin), text(header::HOST.as_str())) {
            (Some(page), Some(host)) if page.eq_ignore_ascii_case(host) => Origin::Own,
            _ => Origin::Other,
        },
    }
}

/// `host:port` of an origin; an opaque one (`null`) has none.
fn authority(origin: &str) -> Option<String> {
    let uri: Uri = origin.parse().ok()?;
    uri.scheme()?;
    Some(uri.authority()?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_comes_from_where_its_browser_says() {
        for (site, origin, expected) in [
            (None, None, Origin::None),
            (Some("none"), None, Origin::None),
            (Some("same-origin"), Some("http://wind:8080"), Origin::Own),
            (Some("same-site"), Some("http://wind:9090"), Origin::Other),
            (Some("cross-site"), Some("https://evil.example"), Origin::Other),
            (None, Some("http://wind:8080"), Origin::Own),
            (None, Some("https://WIND:8080"), Origin::Own),
            (None, Some("http://wind"), Origin::Other),
            (None, Some("null"), Origin::Other),
            (None, Some("wind:8080"), Origin::Other),
        ] {
            let mut headers = HeaderMap::from_iter([(header::HOST, "wind:8080".parse().unwrap())]);
            if let Some(site) = site {
                headers.insert("sec-fetch-site", site.parse().unwrap());
            }
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            assert_eq!(of(&headers), expected, "{site:?} {origin:?}");
        }
    }
}
