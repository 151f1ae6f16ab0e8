//! Addresses and identifiers.

use std::net::{IpAddr, Ipv6Addr};

/// Returns true if text is an IPv4 or IPv6 address; an IPv6 address may name its zone, as Go writes it (`fe80::1%eth0`).
pub(crate) fn is_ip(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    match text.split_once('%') {
        Some((address, zone)) => !zone.is_empty() && address.parse::<Ipv6Addr>().is_ok(),
        None => text.parse::<IpAddr>().is_ok(),
    }
}

/// Returns true if text is a UUID: five groups of hexadecimal digits (RFC 9562, section 4).
pub(crate) fn is_uuid(bytes: &[u8]) -> bool {
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_what_only_looks_like_them() {
        for good in ["10.77.0.3", "::1", "2001:db8::42", "fe80::1%eth0", "::ffff:10.0.0.1"] {
            assert!(is_ip(good.as_bytes()), "{good}");
        }
        for bad in [
            "",
            "10.77.0.300",
            "10.77.0",
            "10.77.0.3/24",
            "fe80::1%",
            "10.0.0.1%eth0",
            "010.0.0.1",
            "host",
        ] {
            assert!(!is_ip(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn a_uuid_is_told_by_its_groups() {
        assert!(is_uuid(b"6f9c2f0e-5a53-4d0b-9a55-0f6b1a3c7d10"));
        assert!(!is_uuid(b"6f9c2f0e-5a53-4d0b-9a55-0f6b1a3c7d1g"));
        assert!(!is_uuid(b"6f9c2f0e5a534d0b9a550f6b1a3c7d10"));
    }
}
