//! `allowed_ips` in the body of a request.

use provost_model::{AllowedIps, MAX_ALLOWED_IPS};

use crate::{Error, Result};

/// Reads the networks that a credential is to work from.
pub fn allowed_ips(texts: &[String]) -> Result<AllowedIps> {
    if texts.len() > MAX_ALLOWED_IPS {
        let message = format!("at most {MAX_ALLOWED_IPS} networks");
        return Err(Error::invalid("allowed_ips", "too_many", message));
    }
    AllowedIps::parse(texts.iter().map(String::as_str)).map_err(|_| {
        let message = "each is a network like `203.0.113.0/24` or `2001:db8::/32`, or a single address";
        Error::invalid("allowed_ips", "not_a_network", message)
    })
}
