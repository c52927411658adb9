//! What slows down who guesses passwords, and never keeps the account's own member out for long.
//!
//! A limit on an account alone can be kept full by anybody, and then its member is refused as well. So
//! whom a full account slows are strangers. A browser that has signed in to the account before carries a
//! device cookie (OWASP, "Slow Down Online Guessing Attacks with Device Cookies") and has a bucket of its
//! own, which no stranger can fill. And a stranger's address that has not tried the account in the last
//! minute may always try once: so the member on a new device gets in, too, from any address that the
//! attack does not come from.

use std::net::IpAddr;

use jiff::Timestamp;

use crate::RateLimit;

/// Codes of a second factor are short: so few tries a minute make a guess take years.
const CODES_PER_MINUTE: u32 = 5;
/// Of each step of a sign-in through an identity provider, from one address. Generous: a whole company
/// may sit behind one, and come to work at nine.
const PROVIDER_STEPS_PER_MINUTE: u32 = 1_000;

/// The limits on tries to sign in.
pub struct SignInLimits {
    addresses: RateLimit,
    accounts: RateLimit,
    /// One browser, for one account.
    devices: RateLimit,
    /// One address, for one account that is full.
    fresh: RateLimit,
    codes: RateLimit,
    /// One address, for one step of a sign-in through an identity provider.
    providers: RateLimit,
}

/// From where a try to sign in comes.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The address, if it is known.
    pub ip: Option<IpAddr>,
    /// What the device cookie names, if it is one of this account.
    pub device: Option<&'a str>,
}

impl SignInLimits {
    /// So many tries a minute for an account, an address, a device.
    pub fn per_minute(tries: u32) -> Self {
        Self {
            addresses: RateLimit::per_minute(tries),
            accounts: RateLimit::per_minute(tries),
            devices: RateLimit::per_minute(tries),
            fresh: RateLimit::per_minute(1),
            codes: RateLimit::per_minute(CODES_PER_MINUTE),
            providers: RateLimit::per_minute(PROVIDER_STEPS_PER_MINUTE),
        }
    }

    /// Counts a try with a password; if there were too many, after how many seconds to come back.
    pub fn try_password(&self, account: &str, from: Origin<'_>, now: Timestamp) -> Result<(), u64> {
        if let Some(device) = from.device {
            return self.devices.try_once(device, now);
        }
        let network = network(from.ip);
        self.addresses.try_once(&network, now)?;
        match self.accounts.try_once(account, now) {
            Ok(()) => Ok(()),
            Err(_) => self.fresh.try_once(&format!("{network} {account}"), now),
        }
    }

    /// Forgives an account: its password was right, and what else was asked.
    pub fn forgive(&self, account: &str) {
        self.accounts.forgive(account);
    }

    /// Counts a try with a code of a member's second factor.
    pub fn try_code(&self, member: &str, now: Timestamp) -> Result<(), u64> {
        self.codes.try_once(member, now)
    }

    /// Counts a step of a sign-in through an identity provider, before anybody vouches for who takes it.
    pub fn try_provider(&self, step: &str, from: Option<IpAddr>, now: Timestamp) -> Result<(), u64> {
        self.providers.try_once(&format!("{step} {}", network(from)), now)
    }
}

/// What counts as one address: of IPv6 the /64, which is the least that one customer gets (RFC 6177).
pub fn network(ip: Option<IpAddr>) -> String {
    match ip.map(|ip| ip.to_canonical()) {
        Some(IpAddr::V6(ip)) => format!("{:x}/64", ip.to_bits() >> 64),
        Some(ip) => ip.to_string(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    const MIA: &str = "mia@acme.example";

    fn stranger(ip: &str) -> Origin<'static> {
        Origin { ip: Some(ip.parse().expect("an address")), device: None }
    }

    #[test]
    fn an_attack_from_anywhere_keeps_the_member_out_nowhere() {
        let limits = SignInLimits::per_minute(10);
        let start = Timestamp::from_second(1_000_000).expect("in range");
        // A botnet of two hundred addresses tries as fast as it can, for a quarter of an hour.
        let mut tries = 0;
        for second in 0..900 {
            let now = start + SignedDuration::from_secs(second);
            for bot in 0..200 {
                tries += usize::from(limits.try_password(MIA, stranger(&format!("192.0.2.{bot}")), now).is_ok());
            }
            // The member's browser, with its cookie: from an address of the attack, too.
            if second % 60 == 7 {
                let mut known = stranger("192.0.2.9");
                known.device = Some("nonce");
                assert_eq!(limits.try_password(MIA, known, now), Ok(()), "{second}");
                // A new device, from an address that takes no part.
                assert_eq!(limits.try_password(MIA, stranger("198.51.100.7"), now), Ok(()), "{second}");
            }
        }
        // One a minute from each address, and ten a minute beside.
        assert!(tries <= 16 * 200 + 16 * 10, "{tries}");
    }

    #[test]
    fn who_is_slowed_comes_back_within_a_minute() {
        let limits = SignInLimits::per_minute(10);
        let now = Timestamp::from_second(1_000_000).expect("in range");
        for n in 0..500 {
            for from in [stranger(&format!("192.0.2.{}", n % 3)), Origin { ip: None, device: Some("nonce") }] {
                let seconds = limits.try_password(MIA, from, now).err().unwrap_or(1);
                assert!((1..=60).contains(&seconds), "{seconds}");
            }
        }
    }

    #[test]
    fn a_customer_has_one_bucket_however_many_addresses() {
        let limits = SignInLimits::per_minute(2);
        let now = Timestamp::from_second(1_000_000).expect("in range");
        for n in 0..2 {
            let account = format!("{n}@acme.example");
            assert_eq!(limits.try_password(&account, stranger(&format!("2001:db8:1:2:{n}::1")), now), Ok(()));
        }
        assert!(limits.try_password("x", stranger("2001:db8:1:2:ffff::9"), now).is_err());
        assert_eq!(limits.try_password("x", stranger("2001:db8:1:3::9"), now), Ok(()));
        // IPv4 in the clothes of IPv6 is IPv4.
        assert_eq!(network(stranger("::ffff:192.0.2.1").ip), "192.0.2.1");
    }
}
