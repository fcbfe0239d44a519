//! One POST of JSON to a receiver, and what its answer means.

use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER, USER_AGENT};
use http::uri::PathAndQuery;
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;
use windvane_types::span::in_words;
use windvane_types::{Clock, SystemClock};

use super::SettingsFault;
use super::target::{HttpSettings, Resolver, Targets};
use crate::chain::chain;
use crate::delivery::Attempt;
use crate::truncate::truncated;

/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// How long the body of an answer is waited for: less than is left of an attempt when most heads have come.
const BODY_MAX: Duration = Duration::from_secs(2);
/// Characters of an answer that are shown.
const ANSWER_SHOWN: usize = 300;
/// What stands for parts of the address in an answer.
const HIDDEN: &str = "…";
/// Bytes of a part of the address that is hidden alone, too: tokens are as long, and few words are.
const TOKEN_BYTES_MIN: usize = 16;

/// Where a receiver listens. Redirects are not followed: they would send what was meant for one host to another.
pub struct Endpoint {
    client: Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>,
    uri: Uri,
}

impl fmt::Debug for Endpoint {
    /// Without the path: it is what protects an incoming webhook.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("host", &self.uri.host()).finish_non_exhaustive()
    }
}

impl Endpoint {
    pub fn new(settings: &HttpSettings) -> Result<Self, SettingsFault> {
        let fault = |problem: String| SettingsFault { key: "url", problem };
        let uri: Uri =
            settings.url.expose().parse().map_err(|error| fault(format!("is no address: {error}")))?;
        let host = match (uri.scheme_str(), uri.host()) {
            (Some("http" | "https"), Some(host)) if !host.is_empty() => host,
            _ => return Err(fault("allowed is an http:// or https:// address".to_owned())),
        };
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            let problem =
                "has a user or a password, which would not be sent; allowed is an address without them";
            return Err(fault(problem.to_owned()));
        }
        // A literal address is not resolved, so it is checked here.
        if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>()
            && !settings.targets.allow(address)
        {
            return Err(fault(Targets::refusal(address)));
        }
        let mut connector = HttpConnector::new_with_resolver(Resolver { targets: settings.targets });
        connector.enforce_http(false);
        let tls = HttpsConnectorBuilder::new().with_webpki_roots().https_or_http().enable_http1();
        let client = Client::builder(TokioExecutor::new()).build(tls.wrap_connector(connector));
        Ok(Self { client, uri })
    }

    /// Whether what is posted can be read on its way to another machine.
    pub fn is_in_clear(&self) -> bool {
        let host = self.uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let is_here =
            host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        self.uri.scheme_str() == Some("http") && !is_here
    }

    /// Posts a JSON body once.
    pub async fn post(&self, body: String, headers: &[(&'static str, String)]) -> Attempt {
        self.post_below("", body, headers).await
    }

    /// Posts a JSON body once, to a path below the address.
    pub async fn post_below(&self, path: &str, body: String, headers: &[(&'static str, String)]) -> Attempt {
        let uri = match path {
            "" => self.uri.clone(),
            path => match format!("{}{path}", self.uri.to_string().trim_end_matches('/')).parse() {
                Ok(uri) => uri,
                // Without the path, which may hold a token.
                Err(_) => return Attempt::Refused("the address cannot be made".to_owned()),
            },
        };
        let mut request = Request::post(uri.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("windvane/", env!("CARGO_PKG_VERSION")));
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = match request.body(Full::new(Bytes::from(body))) {
            Ok(request) => request,
            Err(error) => return Attempt::Refused(format!("the request cannot be made: {error}")),
        };
        let response = match self.client.request(request).await {
            Ok(response) => response,
            Err(error) => return Attempt::Later { answer: chain(&error), pause: None },
        };
        let (head, body) = response.into_parts();
        // The answer's head has come; a body that breaks off, is endless or never comes changes nothing about what it says.
        let text = match timeout(BODY_MAX, Limited::new(body, ANSWER_BYTES_MAX).collect()).await {
            Ok(Ok(body)) => String::from_utf8_lossy(&body.to_bytes()).into_owned(),
            Ok(Err(error)) => format!("(the body broke off: {error})"),
            Err(_elapsed) => format!("(no body within {})", in_words(BODY_MAX)),
        };
        judged(head.status, &head.headers, &hidden(&text, &uri))
    }
}

/// An answer without what it repeats of the address, as pages of errors do: path and query are what protects an incoming webhook,
/// and answers are logged, kept in a table and told to the fallback.
fn hidden(text: &str, uri: &Uri) -> String {
    let whole = uri.path_and_query().map_or("", PathAndQuery::as_str);
    let tokens = whole.split(['/', '?', '&', '=']).filter(|part| part.len() >= TOKEN_BYTES_MIN);
    let paths = [whole, uri.path()].into_iter().filter(|path| path.len() > 1);
    paths.chain(tokens).fold(text.to_owned(), |text, part| text.replace(part, HIDDEN))
}

/// What an answer means: 2xx taken; 429 and 5xx later; the rest never.
fn judged(status: StatusCode, headers: &HeaderMap, text: &str) -> Attempt {
    let header = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let answer = match truncated(text.trim(), ANSWER_SHOWN) {
        text if text.is_empty() => status.to_string(),
        text => format!("{status}: {text}"),
    };
    match status {
        _ if status.is_success() => Attempt::Taken(answer),
        StatusCode::TOO_MANY_REQUESTS => {
            Attempt::Later { answer, pause: header(RETRY_AFTER).and_then(asked_pause) }
        }
        _ if status.is_server_error() => {
            Attempt::Later { answer, pause: header(RETRY_AFTER).and_then(asked_pause) }
        }
        _ if status.is_redirection() => {
            let elsewhere = header(LOCATION).map_or_else(|| "nowhere".to_owned(), host);
            Attempt::Refused(format!("{answer}; it points to `{elsewhere}`, and redirects are not followed"))
        }
        _ => Attempt::Refused(answer),
    }
}

/// The host that a redirect points to, without the path: most repeat that of the address.
fn host(location: &str) -> String {
    let uri: Option<Uri> = location.parse().ok();
    match uri.as_ref().and_then(|uri| Some((uri.scheme_str()?, uri.host()?, uri.port_u16()))) {
        Some((scheme, host, Some(port))) => format!("{scheme}://{host}:{port}"),
        Some((scheme, host, None)) => format!("{scheme}://{host}"),
        None => "another path".to_owned(),
    }
}

/// Reads `Retry-After`: seconds, or a date.
fn asked_pause(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let now = SystemTime::try_from(SystemClock.now()).ok()?;
    Some(httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use windvane_store::Secret;

    use super::*;

    #[tokio::test]
    async fn an_answer_whose_body_never_comes_is_judged_by_its_head() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Secret::new(format!("http://{}/", listener.local_addr().unwrap()));
        let endpoint = Endpoint::new(&HttpSettings { url, targets: Targets::PublicOrLoopback }).unwrap();
        let answers = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n").await.unwrap();
            stream
        };
        let post = async { timeout(Duration::from_secs(30), endpoint.post("{}".to_owned(), &[])).await };
        let (attempt, _stream) = tokio::join!(post, answers);
        assert!(matches!(&attempt, Ok(Attempt::Taken(answer)) if answer.contains("200")), "{attempt:?}");
    }

    #[test]
    fn the_answer_decides_whether_trying_again_can_help() {
        let judge = |status: u16| judged(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), "why");
        for status in [200, 201, 202, 204] {
            assert!(matches!(judge(status), Attempt::Taken(_)), "{status}");
        }
        for status in [429, 500, 502, 503, 504] {
            assert!(matches!(judge(status), Attempt::Later { .. }), "{status}");
        }
        for status in [301, 302, 307, 400, 401, 403, 404, 410, 413] {
            assert!(matches!(judge(status), Attempt::Refused(_)), "{status}");
        }
    }

    #[test]
    fn what_leaves_this_machine_by_http_is_in_the_clear() {
        for (url, in_clear) in [
            ("http://hooks.example.org/T0/SECRET", true),
            ("https://hooks.example.org/T0/SECRET", false),
            ("http://127.0.0.1:9/", false),
            ("http://[::1]/", false),
            ("http://localhost:9/", false),
        ] {
            let http = HttpSettings { url: Secret::new(url), targets: Targets::PublicOrLoopback };
            assert_eq!(Endpoint::new(&http).unwrap().is_in_clear(), in_clear, "{url}");
        }
    }

    #[test]
    fn an_answer_that_repeats_the_address_is_told_without_it() {
        let uri: Uri =
            "https://hooks.example.org/services/T0/xoxb1234567890abcdef?key=s3cret".parse().unwrap();
        for answer in [
            "Cannot POST /services/T0/xoxb1234567890abcdef?key=s3cret",
            "there is no /services/T0/xoxb1234567890abcdef",
            "xoxb1234567890abcdef is revoked",
        ] {
            let told = hidden(answer, &uri);
            assert!(told.contains(HIDDEN) && !told.contains("xoxb") && !told.contains("s3cret"), "{told}");
        }
        assert_eq!(hidden("no_service", &uri), "no_service");
        assert_eq!(hidden("a/b", &"https://hooks.example.org/".parse().unwrap()), "a/b");
    }

    #[test]
    fn a_redirect_is_told_without_the_path_that_it_points_to() {
        for (location, told) in [
            ("https://hooks.example.org/T0/SECRET", "it points to `https://hooks.example.org`"),
            ("https://u:SECRET@h.example.org:8443/T0", "it points to `https://h.example.org:8443`"),
            ("/elsewhere/SECRET", "it points to `another path`"),
        ] {
            let headers = HeaderMap::from_iter([(LOCATION, location.parse().unwrap())]);
            let Attempt::Refused(answer) = judged(StatusCode::MOVED_PERMANENTLY, &headers, "moved") else {
                panic!("a redirect is not followed")
            };
            assert!(answer.contains(told) && !answer.contains("SECRET"), "{answer}");
        }
    }

    #[test]
    fn a_pause_is_asked_for_in_seconds_or_with_a_date() {
        assert_eq!(asked_pause("7"), Some(Duration::from_secs(7)));
        assert_eq!(asked_pause("Thu, 01 Jan 1970 00:00:00 GMT"), Some(Duration::ZERO));
        assert!(asked_pause("Fri, 31 Dec 9999 23:59:59 GMT") > Some(Duration::from_secs(3_600)));
        assert_eq!(asked_pause("soon"), None);
    }

    #[test]
    fn debug_shows_no_secret_of_the_address() {
        let http = HttpSettings {
            url: Secret::new("https://hooks.example.org/T0/SECRET"),
            targets: Targets::PublicOrLoopback,
        };
        let shown = format!("{http:?} {:?}", Endpoint::new(&http));
        assert!(shown.contains("hooks.example.org") && !shown.contains("SECRET"), "{shown}");
    }

    #[test]
    fn a_wrong_address_is_told_without_showing_it() {
        let make = |url: &str| {
            let http = HttpSettings { url: Secret::new(url), targets: Targets::PublicOrLoopback };
            Endpoint::new(&http).map(|_| ()).map_err(|fault| fault.problem)
        };
        assert_eq!(make("http://127.0.0.1:9/hook"), Ok(()));
        assert_eq!(make("https://[::1]/hook"), Ok(()));
        assert!(make("ftp://example.org/secret").unwrap_err().contains("allowed is an http:// or https://"));
        assert!(make("http://169.254.169.254/latest").unwrap_err().contains("allow_private_targets"));
        assert!(make("http://[fd00::1]/").unwrap_err().contains("allow_private_targets"));
        assert!(!make("ftp://example.org/secret").unwrap_err().contains("secret"));
        let told = make("https://u:secret@hooks.example.org/").unwrap_err();
        assert!(told.contains("has a user or a password") && !told.contains("secret"), "{told}");
    }
}
