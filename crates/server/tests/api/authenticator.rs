//! An authenticator app, as members have one on their phone.

use aws_lc_rs::hmac::{HMAC_SHA1_FOR_LEGACY_USE_ONLY, Key, sign};
use provost_testkit::server::Server;

/// An app that has scanned a secret.
pub(crate) struct App {
    secret: Vec<u8>,
}

impl App {
    /// Takes a secret in base32 (RFC 4648).
    pub(crate) fn typed(secret: &str) -> Self {
        let (mut bits, mut held, mut bytes) = (0_u32, 0, Vec::new());
        for letter in secret.bytes() {
            let value = match letter {
                b'A'..=b'Z' => letter - b'A',
                b'2'..=b'7' => letter - b'2' + 26,
                _ => panic!("{secret} is not base32"),
            };
            (bits, held) = (bits << 5 | u32::from(value), held + 5);
            if held >= 8 {
                held -= 8;
                bytes.push((bits >> held) as u8);
                bits &= (1 << held) - 1;
            }
        }
        Self { secret: bytes }
    }

    /// What it shows now.
    pub(crate) fn code(&self, server: &Server) -> String {
        self.code_at(server.clock.now().as_second() / 30)
    }

    /// What it shows at a step of thirty seconds (RFC 6238).
    pub(crate) fn code_at(&self, step: i64) -> String {
        let tag = sign(&Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.secret), &step.to_be_bytes());
        let tag = tag.as_ref();
        let at = usize::from(tag[19] & 15);
        let word = u32::from_be_bytes(tag[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
        format!("{:06}", word % 1_000_000)
    }
}
