//! Proxies before the service: where a request really comes from, as those of them say that are known.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use ipnet::IpNet;

/// Each proxy puts down at the end of it who it heard from.
const HEADER: &str = "x-forwarded-for";

/// The proxies whose word counts: anybody may write the header.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies(Vec<IpNet>);

impl Proxies {
    /// Reads addresses and networks, such as `10.0.0.1` and `10.0.0.0/8`.
    ///
    /// # Errors
    /// The first that is neither.
    pub fn parse(texts: &[String]) -> Result<Self, &str> {
        let alone = |text: &str| text.parse::<IpAddr>().map(IpNet::from).ok();
        let network = |text: &str| text.parse::<IpNet>().ok().or_else(|| alone(text));
        let networks = texts.iter().map(|text| network(text).ok_or(text.as_str()));
        networks.collect::<Result<_, _>>().map(Self)
    }

    /// Whom a request comes from that this peer sent: the last in the header that is no proxy. What stands before it anybody may have written.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let values = headers.get_all(HEADER).iter().rev();
        let mut said = values.flat_map(|value| value.to_str().unwrap_or_default().rsplit(','));
        let mut client = peer.to_canonical();
        while self.0.iter().any(|network| network.contains(&client)) {
            let Some(before) = said.next().and_then(address) else { break };
            client = before;
        }
        client
    }
}

/// An address, behind which some proxies write the port.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let with_port = || text.parse().map(|address: SocketAddr| address.ip());
    text.parse().or_else(|_| with_port()).ok().map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(texts: &[&str]) -> Proxies {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        Proxies::parse(&texts).unwrap()
    }

    #[test]
    fn a_client_is_the_last_one_that_no_known_proxy_is() {
        let known = ["10.0.0.0/8", "192.168.1.1", "fd00::/8"];
        for (peer, said, expected) in [
            ("10.1.2.3", &["1.2.3.4"][..], "1.2.3.4"),
            ("::ffff:10.1.2.3", &["1.2.3.4"], "1.2.3.4"),
            ("192.168.1.1", &["9.9.9.9, 1.2.3.4,10.0.0.7 "], "1.2.3.4"),
            ("192.168.1.1", &["1.2.3.4", "10.0.0.7"], "1.2.3.4"),
            ("fd00::1", &["2001:db8::1"], "2001:db8::1"),
            ("10.1.2.3", &["1.2.3.4:5678"], "1.2.3.4"),
            ("10.1.2.3", &["[2001:db8::1]:80"], "2001:db8::1"),
            // All of them are proxies.
            ("10.1.2.3", &["10.0.0.1, 10.0.0.2"], "10.0.0.1"),
            // Nobody says where from, or not in words.
            ("10.1.2.3", &[], "10.1.2.3"),
            ("10.1.2.3", &["1.2.3.4, unknown"], "10.1.2.3"),
            // Who is no proxy may say what he likes.
            ("192.168.1.2", &["1.2.3.4"], "192.168.1.2"),
        ] {
            let mut headers = HeaderMap::new();
            for value in said {
                headers.append(HEADER, value.parse().unwrap());
            }
            let peer: IpAddr = peer.parse().unwrap();
            assert_eq!(proxies(&known).client(peer, &headers).to_string(), expected, "{peer} {said:?}");
            let alone = Proxies::default().client(peer, &headers);
            assert_eq!(alone, peer.to_canonical(), "no proxy is known");
        }
    }

    #[test]
    fn what_is_neither_an_address_nor_a_network_is_named() {
        for wrong in ["10.0.0.0/33", "proxy", "10.0.0.1:80"] {
            let texts = ["10.0.0.1".to_owned(), wrong.to_owned()];
            assert_eq!(Proxies::parse(&texts), Err(wrong));
        }
    }
}
