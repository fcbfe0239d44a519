//! IPv4 addresses inside IPv6 ones: a packet to such an address ends at the IPv4 one, behind a translator or a tunnel.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Every IPv4 address that this one may stand for; none where it stands for itself.
#[must_use]
pub fn embedded(address: Ipv6Addr) -> Vec<Ipv4Addr> {
    let octets = address.octets();
    let at = |places: [usize; 4]| Ipv4Addr::from(places.map(|place| octets[place]));
    let last = at([12, 13, 14, 15]);
    match address.segments() {
        // IPv4-compatible, RFC 4291 2.5.5.1; `::` and `::1` are none.
        [0, 0, 0, 0, 0, 0, high, low] if (high, low) != (0, 0) && (high, low) != (0, 1) => vec![last],
        // IPv4-mapped, RFC 4291 2.5.5.2, and IPv4-translated, RFC 2765 2.1.
        [0, 0, 0, 0, 0, 0xffff, _, _] | [0, 0, 0, 0, 0xffff, 0, _, _] => vec![last],
        // NAT64, RFC 6052.
        [0x64, 0xff9b, 0, 0, 0, 0, _, _] => vec![last],
        // NAT64 of a network's own, RFC 8215. How long its prefix is it does not say, so it is read as each length of
        // RFC 6052 that fits. What a reading takes out of zeros is no address.
        [0x64, 0xff9b, 1, ..] => {
            let readings = [[6, 7, 9, 10], [7, 9, 10, 11], [9, 10, 11, 12], [12, 13, 14, 15]].map(at);
            let addresses: Vec<Ipv4Addr> = readings.into_iter().filter(|it| it.octets()[0] != 0).collect();
            if addresses.is_empty() { vec![Ipv4Addr::UNSPECIFIED] } else { addresses }
        }
        // 6to4, RFC 3056.
        [0x2002, ..] => vec![at([2, 3, 4, 5])],
        // Teredo, RFC 4380: the server, and the client with every bit turned.
        [0x2001, 0, ..] => vec![at([4, 5, 6, 7]), Ipv4Addr::from(last.octets().map(|octet| !octet))],
        // ISATAP, RFC 5214, below any prefix.
        [_, _, _, _, 0 | 0x200, 0x5efe, _, _] => vec![last],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_its_kind_says() {
        for (address, inside) in [
            ("2606:4700::1111", vec![]),
            ("::", vec![]),
            ("::1", vec![]),
            ("::10.0.0.1", vec!["10.0.0.1"]),
            ("::ffff:10.0.0.1", vec!["10.0.0.1"]),
            ("::ffff:0:10.0.0.1", vec!["10.0.0.1"]),
            // The address of RFC 6052 2.4, for each length of the prefix.
            ("64:ff9b::192.0.2.33", vec!["192.0.2.33"]),
            ("64:ff9b:1:c000:2:2100::", vec!["192.0.2.33", "2.33.0.0"]),
            ("64:ff9b:1:c0:0:221::", vec!["192.0.2.33"]),
            ("64:ff9b:1:0:c0:2:2100:0", vec!["192.0.2.33", "33.0.0.0"]),
            ("64:ff9b:1::192.0.2.33", vec!["192.0.2.33"]),
            ("64:ff9b:1::", vec!["0.0.0.0"]),
            ("2002:c000:0221::1", vec!["192.0.2.33"]),
            // The example of RFC 4380 in Wikipedia's article on Teredo: client 192.0.2.45 behind server 65.54.227.120.
            ("2001:0:4136:e378:8000:63bf:3fff:fdd2", vec!["65.54.227.120", "192.0.2.45"]),
            ("fe80::5efe:192.0.2.33", vec!["192.0.2.33"]),
            ("2001:4860::200:5efe:192.0.2.33", vec!["192.0.2.33"]),
        ] {
            let found: Vec<String> =
                embedded(address.parse().unwrap()).iter().map(ToString::to_string).collect();
            assert_eq!(found, inside, "{address}");
        }
    }
}
