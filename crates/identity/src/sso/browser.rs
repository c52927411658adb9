//! Binds a sign-in to the browser that began it, by a cookie: what the provider sends back is only
//! taken from the same browser, so that nobody is signed in to an account that another one chose.

use http::HeaderValue;
use http::header::COOKIE;
use http::request::Parts;
use http::uri::Scheme;
use jiff::SignedDuration;
use provost_web::Secret;

fn name(parts: &Parts) -> &'static str {
    if parts.extensions.get() == Some(&Scheme::HTTPS) { "__Host-provost-sso" } else { "provost-sso" }
}

/// What the browser has.
pub(super) fn read(parts: &Parts) -> Option<&str> {
    let cookies = parts.headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, _)| *found == name(parts)).map(|(_, value)| value).filter(|value| value.len() == 43)
}

/// The browser's secret and its cookie. A browser that has one keeps it: two tabs may both sign in.
/// The answer comes as a link that is followed from the provider's site, so `Lax` is strict enough.
pub(super) fn cookie(parts: &Parts, lasts: SignedDuration) -> (String, HeaderValue) {
    let secret = read(parts).map_or_else(|| Secret::new("").text, str::to_owned);
    let secure = if name(parts).starts_with("__Host-") { "; Secure" } else { "" };
    let seconds = lasts.as_secs();
    let text = format!("{}={secret}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}", name(parts));
    let header = HeaderValue::try_from(text).expect("what was read is a header, and a secret is plain ASCII");
    (secret, header)
}
