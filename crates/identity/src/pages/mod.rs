//! The pages of sign-in. Plain forms: they work without scripts, by keyboard, and read aloud.

pub(crate) mod device;
pub(crate) mod home;
pub(crate) mod keys;
pub(crate) mod link;
pub(crate) mod second_factor;
pub(crate) mod security;
pub(crate) mod sessions;
pub(crate) mod setup;
pub(crate) mod sign_in;

use axum::response::{IntoResponse, Redirect, Response};
use http::HeaderValue;
use http::header::SET_COOKIE;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// The longest such path: a client's own sign-in takes some 600 characters of it.
const MAX_NEXT: usize = 4_000;

/// Where to go after a sign-in: only ever a path of our own.
pub(crate) fn safe_next(next: Option<&str>) -> &str {
    // Browsers take a backslash for a slash, and drop tabs and line breaks before they look.
    let is_own = |next: &&str| {
        next.len() <= MAX_NEXT
            && next.starts_with('/')
            && !next.starts_with("//")
            && !next.contains(|c: char| c == '\\' || c.is_control())
    };
    next.filter(is_own).unwrap_or("/")
}

/// To sign in first, and then back to a path of our own.
pub(crate) fn to_sign_in(back: &str) -> Response {
    let back = utf8_percent_encode(back, NON_ALPHANUMERIC);
    Redirect::to(&format!("/sign-in?next={back}")).into_response()
}

/// Goes on, with a cookie set.
pub(crate) fn redirect_with(to: &str, cookie: HeaderValue) -> Response {
    ([(SET_COOKIE, cookie)], Redirect::to(to)).into_response()
}

#[cfg(test)]
mod tests {
    use super::safe_next;

    #[test]
    fn never_leads_away() {
        assert_eq!(safe_next(Some("/codex/device?user_code=AB")), "/codex/device?user_code=AB");
        for evil in [
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "javascript:x",
            "",
            "evil",
            "/\t/evil.example",
        ] {
            assert_eq!(safe_next(Some(evil)), "/", "{evil}");
        }
    }
}
