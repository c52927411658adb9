//! Binds a sign-in to the browser that began it, by a cookie: what the provider sends back is only
//! taken from the same browser, so that nobody is signed in to an account that another one chose.

use http::HeaderValue;
use http::request::Parts;
use jiff::SignedDuration;
use provost_web::{Secret, set_cookie};

const NAME: &str = "provost-sso";

/// What the browser has.
pub(super) fn read(parts: &Parts) -> Option<&str> {
    provost_web::cookie(parts, NAME).filter(|value| value.len() == 43)
}

/// The browser's secret and its cookie. A browser that has one keeps it: two tabs may both sign in.
/// The answer comes as a link that is followed from the provider's site, so `Lax` is strict enough.
pub(super) fn cookie(parts: &Parts, lasts: SignedDuration) -> (String, HeaderValue) {
    let secret = read(parts).map_or_else(|| Secret::new("").text, str::to_owned);
    let header = set_cookie(parts, NAME, &secret, lasts.as_secs());
    (secret, header)
}
