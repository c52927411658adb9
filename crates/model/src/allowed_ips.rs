use std::net::IpAddr;
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Serialize};

/// The most networks that one credential lists.
pub const MAX_ALLOWED_IPS: usize = 50;

/// From which addresses a credential works; empty is from anywhere.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AllowedIps(Arc<[IpNet]>);

impl AllowedIps {
    /// From networks in CIDR notation or single addresses, in one spelling each. The error is the
    /// text that is neither.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, &'a str> {
        let networks = texts.into_iter().map(|text| network(text.trim()).ok_or(text)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self(IpNet::aggregate(&networks).into()))
    }

    /// Whether a credential works from there. Where the address is not known, only one without a
    /// list does.
    pub fn allow(&self, address: Option<IpAddr>) -> bool {
        // A dual-stack socket shows IPv4 peers as IPv4-mapped IPv6 addresses (RFC 4291 §2.5.5.2).
        let address = address.map(|address| address.to_canonical());
        self.0.is_empty() || address.is_some_and(|address| self.0.iter().any(|network| network.contains(&address)))
    }

    /// Whether nothing is allowed here that `other` does not allow.
    pub fn is_within(&self, other: &Self) -> bool {
        let covered = |network: &IpNet| other.0.iter().any(|wider| wider.contains(network));
        other.0.is_empty() || (!self.0.is_empty() && self.0.iter().all(covered))
    }
}

fn network(text: &str) -> Option<IpNet> {
    let network: IpNet = text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))?;
    let network = match network {
        IpNet::V6(v6) if v6.prefix_len() >= 96 => match v6.addr().to_ipv4_mapped() {
            Some(v4) => Ipv4Net::new(v4, v6.prefix_len() - 96).ok()?.into(),
            None => network,
        },
        other => other,
    };
    Some(network.trunc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(texts: &[&'static str]) -> AllowedIps {
        AllowedIps::parse(texts.iter().copied()).expect("they are networks")
    }

    fn allows(ips: &AllowedIps, address: &str) -> bool {
        ips.allow(Some(address.parse().expect("an address")))
    }

    #[test]
    fn networks_have_one_spelling() {
        let spelled = serde_json::to_value(ips(&[
            "203.0.113.77/24",
            "2001:DB8::1/32",
            " 198.51.100.7 ",
            "::ffff:192.0.2.0/120",
            "203.0.113.0/25",
        ]));
        let expected = serde_json::json!(["192.0.2.0/24", "198.51.100.7/32", "203.0.113.0/24", "2001:db8::/32"]);
        assert_eq!(spelled.expect("it turns into JSON"), expected);
        for wrong in ["", "x", "203.0.113.0/33", "203.0.113/24", "2001:db8::/129", "203.0.113.0/-1", "203.0.113.0/24/8"]
        {
            assert_eq!(AllowedIps::parse(["192.0.2.1", wrong]), Err(wrong));
        }
    }

    #[test]
    fn an_address_is_in_or_out() {
        let list = ips(&["203.0.113.0/24", "2001:db8::/32"]);
        for inside in ["203.0.113.0", "203.0.113.255", "::ffff:203.0.113.9", "2001:db8:ffff::1"] {
            assert!(allows(&list, inside), "{inside}");
        }
        for outside in ["203.0.112.255", "203.0.114.0", "::ffff:203.0.114.1", "2001:db9::1", "::203.0.113.9"] {
            assert!(!allows(&list, outside), "{outside}");
        }
        assert!(!list.allow(None));
        assert!(AllowedIps::default().allow(None));
    }

    #[test]
    fn narrower_is_within_wider() {
        let (any, wide, narrow) = (AllowedIps::default(), ips(&["10.0.0.0/8"]), ips(&["10.1.0.0/16", "10.2.0.1"]));
        assert!(narrow.is_within(&wide) && wide.is_within(&any) && any.is_within(&any) && wide.is_within(&wide));
        assert!(!wide.is_within(&narrow) && !any.is_within(&wide) && !ips(&["10.0.0.0/8", "::1"]).is_within(&wide));
    }
}
