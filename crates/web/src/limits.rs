//! Limits on what one caller may cost. Every one has a default that fits a workspace of thousands
//! and is a key of the `[limits]` section of the configuration file.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// The `[limits]` section: sizes in bytes, times in seconds.
///
/// Deserializing refuses a value outside its range, so that a configuration error names its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Largest body of an admin API, OAuth or SCIM request, in bytes. Default 1 MiB.
    #[serde(deserialize_with = "within::<1024, GIB, _, _>")]
    pub body_bytes: usize,
    /// Largest body of a model request in bytes, counted after decoding, so that a zstd bomb is
    /// cut at the same size as a plain body. Default 64 MiB (a long session with images).
    #[serde(deserialize_with = "within::<1024, GIB, _, _>")]
    pub model_body_bytes: usize,
    /// Seconds a client has to send a whole request head, the TLS handshake aside. Default 10.
    /// Also how long an idle HTTP/1 connection is kept.
    #[serde(deserialize_with = "within::<1, HOUR, _, _>")]
    pub header_read_seconds: u64,
    /// Connections open at once on one listener; further ones wait in the accept queue.
    /// Default 10,000.
    #[serde(deserialize_with = "within::<1, 1_000_000, _, _>")]
    pub connections: usize,
    /// Seconds to open a connection to an upstream, its TLS handshake included. Default 10.
    #[serde(deserialize_with = "within::<1, HOUR, _, _>")]
    pub upstream_connect_seconds: u64,
    /// Seconds an upstream may send no byte at all before its stream is given up. Default 300
    /// (a model may think for minutes before its first event).
    #[serde(deserialize_with = "within::<1, DAY, _, _>")]
    pub upstream_idle_seconds: u64,
    /// Seconds that running responses get to finish at shutdown before they are cut. Default 30;
    /// 0 cuts at once.
    #[serde(deserialize_with = "within::<0, DAY, _, _>")]
    pub drain_seconds: u64,
    /// Failed and successful sign-ins one address, and one account, may try per minute. Default 10.
    #[serde(deserialize_with = "within::<1, 1_000_000, _, _>")]
    pub sign_in_attempts_per_minute: u32,
    /// Days that the last good snapshot may be old when Provost starts with it because the database is
    /// away. Default 7; 0 keeps none.
    #[serde(deserialize_with = "within::<0, 365, _, _>")]
    pub last_good_days: u32,
    /// Seconds between two cuts of the ledger into log files of the Compliance API. Default 60.
    #[serde(deserialize_with = "within::<1, HOUR, _, _>")]
    pub log_file_seconds: u64,
}

const GIB: u64 = 1024 * 1024 * 1024;
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 1024 * 1024,
            model_body_bytes: 64 * 1024 * 1024,
            header_read_seconds: 10,
            connections: 10_000,
            upstream_connect_seconds: 10,
            upstream_idle_seconds: 300,
            drain_seconds: 30,
            sign_in_attempts_per_minute: 10,
            last_good_days: 7,
            log_file_seconds: 60,
        }
    }
}

impl Limits {
    /// [`Limits::header_read_seconds`] as a duration.
    pub fn header_read(&self) -> Duration {
        Duration::from_secs(self.header_read_seconds)
    }

    /// [`Limits::upstream_connect_seconds`] as a duration.
    pub fn upstream_connect(&self) -> Duration {
        Duration::from_secs(self.upstream_connect_seconds)
    }

    /// [`Limits::upstream_idle_seconds`] as a duration.
    pub fn upstream_idle(&self) -> Duration {
        Duration::from_secs(self.upstream_idle_seconds)
    }

    /// [`Limits::log_file_seconds`] as a duration.
    pub fn log_file(&self) -> Duration {
        Duration::from_secs(self.log_file_seconds)
    }

    /// [`Limits::drain_seconds`] as a duration.
    pub fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds)
    }
}

/// An integer between `MIN` and `MAX`, both allowed.
fn within<'de, const MIN: u64, const MAX: u64, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: TryFrom<u64>,
    D: Deserializer<'de>,
{
    let value = i64::deserialize(deserializer)?;
    u64::try_from(value)
        .ok()
        .filter(|value| (MIN..=MAX).contains(value))
        .and_then(|value| T::try_from(value).ok())
        .ok_or_else(|| D::Error::custom(format!("{value} is not between {MIN} and {MAX}")))
}

/// Which addresses the gateway may dial for an upstream. An admin names upstreams, so without this
/// an admin API key would be a way to read the cloud provider's metadata service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpstreamAddresses {
    /// Whether loopback and private addresses are allowed (`[network] allow_private_upstreams`).
    /// On by default, because vLLM and Ollama live there.
    pub allow_private: bool,
}

impl Default for UpstreamAddresses {
    fn default() -> Self {
        Self { allow_private: true }
    }
}

impl UpstreamAddresses {
    /// Whether `address` may be dialled. Ask for every address a name resolves to, at the time of
    /// dialling: a name that is checked once and resolved again can change in between.
    ///
    /// # Errors
    /// A sentence that says which rule refuses the address.
    pub fn check(&self, address: IpAddr) -> Result<(), &'static str> {
        let refusal = match address.to_canonical() {
            IpAddr::V4(v4) => self.refusal_v4(v4),
            IpAddr::V6(v6) => self.refusal_v6(v6),
        };
        refusal.map_or(Ok(()), Err)
    }

    fn refusal_v4(&self, v4: Ipv4Addr) -> Option<&'static str> {
        let [a, b, ..] = v4.octets();
        // Shared address space of RFC 6598: carrier NAT, and some clouds' internal services.
        let shared = a == 100 && (64..128).contains(&b);
        if v4.is_link_local() || METADATA_V4.contains(&v4) {
            Some("link-local and metadata addresses are never an upstream")
        } else if a == 0 || a >= 224 {
            Some("this address does not belong to one host")
        } else if !self.allow_private && (v4.is_loopback() || v4.is_private() || shared) {
            Some("private upstreams are off ([network] allow_private_upstreams)")
        } else {
            None
        }
    }

    fn refusal_v6(&self, v6: Ipv6Addr) -> Option<&'static str> {
        if let [0x64, 0xff9b, 0, 0, 0, 0, high, low] = v6.segments() {
            // RFC 6052: behind NAT64 this is the IPv4 address in its last 32 bits.
            let bits = (u32::from(high) << 16) | u32::from(low);
            return self.refusal_v4(Ipv4Addr::from(bits));
        }
        if v6.is_unicast_link_local() || v6 == METADATA_V6 {
            Some("link-local and metadata addresses are never an upstream")
        } else if v6.is_unspecified() || v6.is_multicast() {
            Some("this address does not belong to one host")
        } else if !self.allow_private && (v6.is_loopback() || v6.is_unique_local()) {
            Some("private upstreams are off ([network] allow_private_upstreams)")
        } else {
            None
        }
    }
}

/// Metadata services outside of 169.254.0.0/16: Alibaba Cloud, Oracle Cloud (classic).
const METADATA_V4: [Ipv4Addr; 2] = [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(192, 0, 0, 192)];

/// The IPv6 address of the EC2 metadata service, inside the unique-local range.
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_out_of_range_is_refused_with_its_range() {
        let refused = serde_json::from_str::<Limits>(r#"{"connections":0}"#).map(|_| ());
        let message = refused.expect_err("0 connections serve nobody").to_string();
        assert!(message.starts_with("0 is not between 1 and 1000000"), "{message}");
        assert!(serde_json::from_str::<Limits>(r#"{"body_bytes":-1}"#).is_err());
        assert!(serde_json::from_str::<Limits>(r#"{"bodybytes":4096}"#).is_err());
    }

    #[test]
    fn what_is_not_said_keeps_its_default() {
        let limits: Limits = serde_json::from_str(r#"{"drain_seconds":0}"#).expect("0 is allowed here");
        assert_eq!(limits, Limits { drain_seconds: 0, ..Limits::default() });
    }

    #[test]
    fn metadata_services_are_never_an_upstream_however_they_are_written() {
        for address in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "fe80::1",
            "fd00:ec2::254",
            "100.100.100.200",
            "0.0.0.0",
            "::",
            "255.255.255.255",
            "ff02::1",
        ] {
            let address: IpAddr = address.parse().expect("an address");
            assert!(UpstreamAddresses::default().check(address).is_err(), "{address}");
        }
    }

    #[test]
    fn private_upstreams_are_a_choice_and_public_ones_are_not() {
        let only_public = UpstreamAddresses { allow_private: false };
        for address in ["127.0.0.1", "10.0.0.7", "100.64.0.1", "::1", "fd12::1", "::ffff:10.0.0.7"] {
            let address: IpAddr = address.parse().expect("an address");
            assert_eq!(UpstreamAddresses::default().check(address), Ok(()), "{address}");
            assert!(only_public.check(address).is_err(), "{address}");
        }
        for address in ["203.0.113.9", "2001:db8::9"] {
            let address: IpAddr = address.parse().expect("an address");
            assert_eq!(only_public.check(address), Ok(()), "{address}");
        }
    }
}
