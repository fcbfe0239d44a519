//! Which names a request may ask this service for: the guard against a name that is made to lead here (DNS rebinding).
//!
//! What a browser is answered under a name belongs to the pages of that name, whatever address it stood for. So a page of
//! `evil.example` could read all that a service without tokens tells on the loopback, once `evil.example` stands for 127.0.0.1.
//! What it cannot do is ask for another name than its own in `Host`, or in `:authority` over HTTP/2.

use std::net::IpAddr;

use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri, header};

/// Who comes to a port unless somebody lets others in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Programs of this machine, its browsers among them.
    Machine,
    /// Other machines, too.
    Network,
}

impl Reach {
    /// That of a port at this address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        if address.to_canonical().is_loopback() { Self::Machine } else { Self::Network }
    }
}

/// The names of a service beside those of the loopback.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hosts(Vec<String>);

impl Hosts {
    /// Reads names and addresses without a port, such as `windvane.example.org` and `10.0.0.7`.
    ///
    /// # Errors
    /// The first that is neither.
    pub fn parse(texts: &[String]) -> Result<Self, &str> {
        let names = texts.iter().map(|text| name(text).ok_or(text.as_str()));
        names.collect::<Result<_, _>>().map(Self)
    }

    /// Whether there are any.
    pub(super) fn are_named(&self) -> bool {
        !self.0.is_empty()
    }

    /// What a request asks for that is no name of the service. One that asks for nothing is of no browser.
    pub(super) fn other<'r>(&self, uri: &'r Uri, headers: &'r HeaderMap) -> Option<&'r str> {
        let of_uri = uri.authority().map(Authority::as_str);
        let of_headers = headers.get_all(header::HOST).iter().map(|value| value.to_str().unwrap_or("?"));
        of_uri.into_iter().chain(of_headers).find(|asked| !self.has(asked))
    }

    fn has(&self, asked: &str) -> bool {
        let Ok(authority) = asked.parse::<Authority>() else { return false };
        name(authority.host()).is_some_and(|name| is_of_loopback(&name) || self.0.contains(&name))
    }
}

/// A name or an address as it is compared.
fn name(text: &str) -> Option<String> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Some(address.to_canonical().to_string());
    }
    // The dot at the end says that the name is whole.
    let text = text.strip_suffix('.').unwrap_or(text);
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    (!text.is_empty() && text.bytes().all(is_name)).then(|| text.to_ascii_lowercase())
}

fn is_of_loopback(name: &str) -> bool {
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(texts: &[&str]) -> Hosts {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        Hosts::parse(&texts).unwrap()
    }

    #[test]
    fn the_loopback_and_what_is_named_are_names_of_the_service_with_any_port() {
        let own = hosts(&["host.docker.internal", "Windvane.Example.org.", "10.0.0.7", "[FD00::1]"]);
        for (asked, of_loopback, of_named) in [
            ("localhost", true, true),
            ("LocalHost.:8080", true, true),
            ("127.0.0.1:8080", true, true),
            ("127.9.9.9", true, true),
            ("[::1]", true, true),
            ("[::1]:4317", true, true),
            ("[::ffff:127.0.0.1]:1", true, true),
            ("host.docker.internal:8080", false, true),
            ("windvane.example.org", false, true),
            ("10.0.0.7:1", false, true),
            ("[fd00::1]:1", false, true),
            ("evil.example", false, false),
            ("evil.example:8080", false, false),
            ("localhost.evil.example", false, false),
            ("localhost@evil.example", false, false),
            ("evil-localhost", false, false),
            ("127.0.0.1.evil.example", false, false),
            ("10.0.0.8", false, false),
            ("[::2]", false, false),
            ("[localhost]", false, false),
            ("localhost, evil.example", false, false),
            ("", false, false),
        ] {
            let headers = HeaderMap::from_iter([(header::HOST, asked.parse().unwrap())]);
            let is_own = |hosts: &Hosts| hosts.other(&Uri::from_static("/"), &headers).is_none();
            assert_eq!((is_own(&Hosts::default()), is_own(&own)), (of_loopback, of_named), "{asked}");
        }
    }

    #[test]
    fn each_name_that_a_request_has_counts_and_one_that_has_none_is_of_no_browser() {
        let (hosts, here) = (Hosts::default(), Uri::from_static("/"));
        assert_eq!(hosts.other(&here, &HeaderMap::new()), None);
        // Over HTTP/2 the address has the name.
        let evil = Uri::from_static("http://evil.example:8080/");
        assert_eq!(hosts.other(&evil, &HeaderMap::new()), Some("evil.example:8080"));
        assert_eq!(hosts.other(&Uri::from_static("http://127.0.0.1:8080/"), &HeaderMap::new()), None);
        let mut headers = HeaderMap::from_iter([(header::HOST, "localhost".parse().unwrap())]);
        assert_eq!(hosts.other(&evil, &headers), Some("evil.example:8080"));
        headers.append(header::HOST, "evil.example".parse().unwrap());
        assert_eq!(hosts.other(&here, &headers), Some("evil.example"));
    }

    #[test]
    fn what_is_neither_a_name_nor_an_address_is_named() {
        for wrong in ["http://a", "a:8080", "[::1]:1", "*", "*.example.org", "a b", "."] {
            let texts = ["a".to_owned(), wrong.to_owned()];
            assert_eq!(Hosts::parse(&texts), Err(wrong));
        }
    }

    #[test]
    fn a_port_reaches_as_far_as_its_address() {
        for (address, expected) in [
            ("127.0.0.1", Reach::Machine),
            ("127.3.2.1", Reach::Machine),
            ("::1", Reach::Machine),
            ("::ffff:127.0.0.1", Reach::Machine),
            ("0.0.0.0", Reach::Network),
            ("::", Reach::Network),
            ("10.0.0.7", Reach::Network),
        ] {
            assert_eq!(Reach::of(address.parse().unwrap()), expected, "{address}");
        }
    }
}
