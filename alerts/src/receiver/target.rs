//! Where HTTP receivers are, and which addresses they may be at.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::{Context, Poll};
use std::{future::Future, pin::Pin, vec};

use hyper_util::client::legacy::connect::dns::Name;
use windvane_store::Secret;

/// Which addresses a receiver may be at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Targets {
    /// Public ones and this machine. A configuration that names a host inside the network, or a name that suddenly resolves to
    /// one, is refused: whoever may write the configuration should not reach the metadata service through us.
    PublicOrLoopback,
    /// Any.
    Any,
}

/// An HTTP receiver's address.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// The address; a secret, because the addresses of Slack and Teams are all that protects them.
    pub url: Secret,
    /// Which addresses it may resolve to.
    pub targets: Targets,
}

impl Targets {
    /// Whether a receiver may be at this address.
    #[must_use]
    pub fn allow(self, address: IpAddr) -> bool {
        self == Self::Any
            || match address.to_canonical() {
                IpAddr::V4(address) => address.is_loopback() || is_public_v4(address),
                IpAddr::V6(address) => address.is_loopback() || is_public_v6(address),
            }
    }

    /// What to say about an address that is not allowed.
    pub fn refusal(address: IpAddr) -> String {
        format!(
            "`{address}` is an address inside a network (private, link-local or reserved); set allow_private_targets = true on this receiver if that is meant"
        )
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    let shared = first == 100 && second & 0b1100_0000 == 64;
    let benchmark = first == 198 && second & 0b1111_1110 == 18;
    !(address.is_private()
        || address.is_link_local()
        || address.is_unspecified()
        || address.is_broadcast()
        || address.is_multicast()
        || address.is_documentation()
        || first == 0
        || first >= 240
        || shared
        || benchmark)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    !(address.is_unique_local()
        || address.is_unicast_link_local()
        || address.is_unspecified()
        || address.is_multicast())
}

/// The system's resolver, without the addresses that are not allowed. Checking what a name resolves to, and connecting to
/// just that, leaves no moment in which the name may change.
#[derive(Debug, Clone)]
pub struct Resolver {
    pub targets: Targets,
}

impl tower::Service<Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let targets = self.targets;
        Box::pin(async move {
            let all: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let allowed: Vec<SocketAddr> =
                all.iter().copied().filter(|address| targets.allow(address.ip())).collect();
            match (allowed.is_empty(), all.first()) {
                (true, Some(refused)) => Err(io::Error::other(Targets::refusal(refused.ip()))),
                _ => Ok(allowed.into_iter()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Targets;

    #[test]
    fn addresses_inside_a_network_are_refused_unless_allowed() {
        for address in [
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "fe80::1",
            "fd00::1",
            "::",
            "ff02::1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
        ] {
            assert!(!Targets::PublicOrLoopback.allow(address.parse().unwrap()), "{address}");
            assert!(Targets::Any.allow(address.parse().unwrap()), "{address}");
        }
        for address in ["127.0.0.1", "::1", "8.8.8.8", "2606:4700::1111", "::ffff:127.0.0.1"] {
            assert!(Targets::PublicOrLoopback.allow(address.parse().unwrap()), "{address}");
        }
    }
}
