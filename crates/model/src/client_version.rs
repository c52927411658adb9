use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The version of a Codex client: three numbers. What stands behind them (`-alpha.3`) is not compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientVersion {
    /// 0 so far.
    pub major: u32,
    /// Grows with each release.
    pub minor: u32,
    /// Grows with each repair.
    pub patch: u32,
}

impl ClientVersion {
    /// What a client calls itself in its user agent: `codex_cli_rs/0.169.0 (Debian 13; x86_64) …`
    /// (`client-contract.md` §2.1). None for what is no Codex client.
    pub fn of_user_agent(text: &str) -> Option<Self> {
        let (product, rest) = text.split_once('/')?;
        let is_codex = product.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("codex"));
        let version = rest.split([' ', ';', '(']).next()?;
        if is_codex { version.parse().ok() } else { None }
    }
}

/// A text that is no version of a client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a client version is three numbers, such as 0.169.0")]
pub struct InvalidClientVersion;

impl FromStr for ClientVersion {
    type Err = InvalidClientVersion;

    fn from_str(text: &str) -> Result<Self, InvalidClientVersion> {
        let numbers = text.split(['-', '+']).next().unwrap_or(text);
        let mut parts = numbers.split('.').map(|part| match part.bytes().all(|byte| byte.is_ascii_digit()) {
            true => part.parse().ok(),
            false => None,
        });
        let mut next = || parts.next().flatten().ok_or(InvalidClientVersion);
        let version = Self { major: next()?, minor: next()?, patch: next()? };
        if parts.next().is_none() { Ok(version) } else { Err(InvalidClientVersion) }
    }
}

impl fmt::Display for ClientVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl Serialize for ClientVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ClientVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl utoipa::PartialSchema for ClientVersion {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        String::schema()
    }
}

impl utoipa::ToSchema for ClientVersion {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_says_its_version_in_its_user_agent() {
        let of = |text| ClientVersion::of_user_agent(text).map(|version| version.to_string());
        assert_eq!(of("codex_cli_rs/0.169.0 (Debian 13; x86_64) xterm"), Some("0.169.0".to_owned()));
        assert_eq!(of("codex_exec/0.130.0"), Some("0.130.0".to_owned()));
        assert_eq!(of("Codex Desktop/0.156.1-alpha.3 (Mac OS 15)"), Some("0.156.1".to_owned()));
        for other in ["", "codex", "curl/8.1.0", "codex_cli_rs/", "codex_cli_rs/0.1", "codex/0.1.2.3", "codex/+1.2.3"] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn versions_are_ordered_as_numbers() {
        let version = |text: &str| text.parse::<ClientVersion>().expect("a version");
        assert!(version("0.98.0") < version("0.169.0"));
        assert!(version("0.169.0") < version("0.169.1"));
    }
}
