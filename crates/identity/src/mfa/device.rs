//! The device cookie: by it a browser is known that has signed in to an account before, so that who
//! guesses at the account does not slow its member down. It opens nothing.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use http::request::Parts;
use jiff::SignedDuration;
use provost_model::Email;
use provost_web::{App, cookie, set_cookie};

const NAME: &str = "provost-device";
/// As long as browsers keep a cookie (RFC 6265bis §5.5).
const LASTS: SignedDuration = SignedDuration::from_hours(400 * 24);
const NONCE_BYTES: usize = 16;
/// A nonce, what sealing adds to it, in base64.
const MAX_CHARS: usize = 100;

/// What the cookie is sealed to: it is nobody's but this account's.
fn place(email: &Email) -> String {
    format!("device_cookie:{}", email.key())
}

/// The name of the browser, if it has signed in to this account before.
pub(crate) fn of(app: &App, parts: &Parts, email: &Email) -> Option<String> {
    let sealed = cookie(parts, NAME).filter(|value| value.len() <= MAX_CHARS)?;
    let nonce = app.store.sealer().open(&place(email), &URL_SAFE_NO_PAD.decode(sealed).ok()?).ok()?;
    Some(URL_SAFE_NO_PAD.encode(nonce))
}

/// A cookie for a browser that has just signed in. A new name each time: a stolen one is soon alone.
pub(crate) fn remember(app: &App, parts: &Parts, email: &Email) -> HeaderValue {
    let mut nonce = [0; NONCE_BYTES];
    aws_lc_rs::rand::fill(&mut nonce).expect("the operating system gives random bytes");
    let sealed = app.store.sealer().seal(&place(email), &nonce);
    set_cookie(parts, NAME, &URL_SAFE_NO_PAD.encode(sealed), LASTS.as_secs())
}
