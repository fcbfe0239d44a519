//! Where HTTP receivers are, and which addresses they may be at.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::{Context, Poll};
use std::{future::Future, pin::Pin, vec};

use hyper_util::client::legacy::connect::dns::Name;
use windvane_store::Secret;

use super::embedded::embedded;

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
            // What is mapped is the IPv4 address itself, so that of this machine as well.
            || match address.to_canonical() {
                IpAddr::V4(address) => address.is_loopback() || is_public_v4(address),
                IpAddr::V6(address) => address.is_loopback() || is_public_v6(address),
            }
    }

    /// What to say about an address that is not allowed.
    pub fn refusal(address: IpAddr) -> String {
        format!(
            "`{address}` is an address inside a network (private, link-local or reserved); set allow_private_targets = true on this receiver (heartbeat_allow_private_targets for the heartbeat) if that is meant"
        )
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    let protocols = first == 192 && second == 0 && third == 0;
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
        || protocols
        || benchmark)
}

/// One that stands for IPv4 addresses is public where all of them are; this machine behind a translator is another one.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let site_local = address.segments()[0] & 0xffc0 == 0xfec0;
    !(address.is_unique_local()
        || address.is_unicast_link_local()
        || address.is_unspecified()
        || address.is_multicast()
        || site_local)
        && embedded(address).into_iter().all(|inside| !inside.is_loopback() && is_public_v4(inside))
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
            "192.0.0.170",
            "fec0::1",
            // What stands for an IPv4 address is judged by it: compatible, translated, NAT64, 6to4, Teredo (server, client), ISATAP.
            "::169.254.169.254",
            "::127.0.0.1",
            "::ffff:0:10.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b::127.0.0.1",
            "64:ff9b:1::192.168.1.1",
            "64:ff9b:1:a00:0:100::",
            "64:ff9b:1:c0:a8:101::",
            "64:ff9b:1:0:a9:fea9:fe00:0",
            // A translator ignores what comes after the address.
            "64:ff9b:1:a00:0:100:808:808",
            "64:ff9b:1::",
            "2002:a00:1::1",
            "2002:a9fe:a9fe::",
            "2002:7f00:1::1",
            "2001:0:a00:1:8000:63bf:3fff:fdd2",
            "2001:0:4136:e378:8000:63bf:5601:5601",
            "2001:4860::5efe:10.0.0.1",
        ] {
            assert!(!Targets::PublicOrLoopback.allow(address.parse().unwrap()), "{address}");
            assert!(Targets::Any.allow(address.parse().unwrap()), "{address}");
        }
        for address in [
            "127.0.0.1",
            "::1",
            "8.8.8.8",
            "192.0.1.1",
            "2606:4700::1111",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "64:ff9b:1::8.8.8.8",
            "64:ff9b:1:808:8:800::",
            "2002:808:808::1",
            "2001:0:4136:e378:8000:63bf:f7f7:f7f7",
            // Beside Teredo's addresses.
            "2001:4860:4860::8888",
        ] {
            assert!(Targets::PublicOrLoopback.allow(address.parse().unwrap()), "{address}");
        }
    }
}
