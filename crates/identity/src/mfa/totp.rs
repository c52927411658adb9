//! Codes of authenticator apps: TOTP (RFC 6238) over HOTP (RFC 4226), as every app has it: SHA-1, six
//! digits, thirty seconds.

use aws_lc_rs::hmac::{HMAC_SHA1_FOR_LEGACY_USE_ONLY, Key, sign};
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use provost_web::Error;
use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};

/// Seconds for which one code is good (RFC 6238 §4.1).
const STEP_SECONDS: i64 = 30;
/// So many steps before and after are taken too: clocks differ, and people type slowly (§5.2).
const SKEW: i64 = 1;
const DIGITS: usize = 6;
/// As long as the hash, as RFC 4226 §4 recommends.
const SECRET_BYTES: usize = 20;
/// The alphabet of RFC 4648 §6.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// A new secret.
pub(crate) fn secret() -> [u8; SECRET_BYTES] {
    let mut bytes = [0; SECRET_BYTES];
    aws_lc_rs::rand::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// The time step of a code that is good now and was not taken yet, in constant time over the code.
pub(crate) fn step_of(secret: &[u8], otp: &str, now: Timestamp, last_step: Option<i64>) -> Option<i64> {
    let current = now.as_second() / STEP_SECONDS;
    let mut found = None;
    for step in current - SKEW..=current + SKEW {
        let code = code(secret, step);
        let is_equal = aws_lc_rs::constant_time::verify_slices_are_equal(code.as_bytes(), otp.as_bytes()).is_ok();
        if is_equal && last_step.is_none_or(|last| step > last) {
            found = Some(step);
        }
    }
    found
}

/// The code of a time step (RFC 4226 §5.3).
fn code(secret: &[u8], step: i64) -> String {
    // SHA-1's weakness is collisions, which HMAC does not rest on; apps offer nothing else reliably.
    let key = Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let at = usize::from(tag[tag.len() - 1] & 0xf);
    let word = u32::from_be_bytes([tag[at] & 0x7f, tag[at + 1], tag[at + 2], tag[at + 3]]);
    format!("{:0DIGITS$}", word % 1_000_000)
}

/// A secret as apps take it when it is typed: base32 without padding.
pub(crate) fn base32(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(5) {
        let mut five = [0; 8];
        five[3..3 + chunk.len()].copy_from_slice(chunk);
        let bits = u64::from_be_bytes(five);
        let letters = (chunk.len() * 8).div_ceil(5);
        text.extend((0..letters).map(|n| char::from(BASE32[(bits >> (35 - 5 * n)) as usize & 31])));
    }
    text
}

/// What the QR code holds: the key URI format that authenticator apps read.
pub(crate) fn uri(secret: &[u8], issuer: &str, account: &str) -> String {
    let issuer = utf8_percent_encode(issuer, NON_ALPHANUMERIC);
    let account = utf8_percent_encode(account, NON_ALPHANUMERIC);
    let secret = base32(secret);
    format!(
        "otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits=6&period={STEP_SECONDS}"
    )
}

/// A URI as a QR code, black on white whatever the page's colours: scanners want it so.
pub(crate) fn qr_svg(uri: &str) -> Result<String, Error> {
    // On a screen nothing is torn: the least correction makes the largest squares.
    let code = QrCode::with_error_correction_level(uri, EcLevel::L).map_err(|_| {
        Error::conflict("name_too_long", "the name of the workspace and your address are too long for a QR code")
    })?;
    let image = code
        .render()
        .min_dimensions(192, 192)
        .dark_color(svg::Color("#000000"))
        .light_color(svg::Color("#ffffff"))
        .build();
    // What stands before the element is for files of their own.
    Ok(image.find("<svg").map(|at| image[at..].to_owned()).unwrap_or(image))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, for SHA-1; the last six of its eight digits.
    const VECTORS: [(i64, &str); 6] = [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ];
    const SECRET: &[u8] = b"12345678901234567890";

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).expect("in range")
    }

    #[test]
    fn the_codes_are_those_of_the_rfc() {
        for (seconds, expected) in VECTORS {
            assert_eq!(code(SECRET, seconds / 30), expected);
            assert_eq!(step_of(SECRET, expected, at(seconds), None), Some(seconds / 30));
        }
    }

    #[test]
    fn one_step_early_or_late_is_good_and_two_are_not() {
        let (now, step) = (at(1_234_567_890), 1_234_567_890 / 30);
        for (skew, good) in [(-2, false), (-1, true), (0, true), (1, true), (2, false)] {
            let found = step_of(SECRET, &code(SECRET, step + skew), now, None);
            assert_eq!(found, good.then_some(step + skew), "{skew}");
        }
    }

    #[test]
    fn a_step_that_was_taken_is_not_good_nor_is_one_before_it() {
        let (now, step) = (at(1_234_567_890), 1_234_567_890 / 30);
        assert_eq!(step_of(SECRET, &code(SECRET, step), now, Some(step)), None);
        assert_eq!(step_of(SECRET, &code(SECRET, step - 1), now, Some(step)), None);
        assert_eq!(step_of(SECRET, &code(SECRET, step + 1), now, Some(step)), Some(step + 1));
        for wrong in ["", "00592", "0059240", "00592４", " 05924"] {
            assert_eq!(step_of(SECRET, wrong, now, None), None, "{wrong}");
        }
    }

    #[test]
    fn base32_is_that_of_the_rfc() {
        // RFC 4648 §10, without the padding.
        for (plain, coded) in [("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foob", "MZXW6YQ")] {
            assert_eq!(base32(plain.as_bytes()), coded);
        }
        assert_eq!(base32(b"foobar"), "MZXW6YTBOI");
        assert_eq!(base32(SECRET), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    }

    #[test]
    fn the_uri_takes_any_name_and_becomes_a_picture() {
        let uri = uri(SECRET, "Acme & Söhne/?", "mia@acme.example");
        assert!(
            uri.starts_with("otpauth://totp/Acme%20%26%20S%C3%B6hne%2F%3F:mia%40acme%2Eexample?secret=GEZD"),
            "{uri}"
        );
        let image = qr_svg(&uri).expect("it fits");
        assert!(image.starts_with("<svg") && !image.contains("style="), "{image}");
    }
}
