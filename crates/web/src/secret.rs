use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use provost_model::TokenHash;

/// A bearer secret that was just made: shown once, kept as a hash.
pub struct Secret {
    /// What the bearer is given.
    pub text: String,
    /// What is kept.
    pub hash: TokenHash,
}

impl Secret {
    /// A new one: the prefix, then 256 random bits.
    pub fn new(prefix: &str) -> Self {
        let mut bytes = [0; 32];
        aws_lc_rs::rand::fill(&mut bytes).expect("the operating system gives random bytes");
        let text = format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes));
        let hash = hash_secret(&text);
        Self { text, hash }
    }
}

/// What is kept of a bearer secret, and looked up when one arrives.
pub fn hash_secret(text: &str) -> TokenHash {
    digest(&SHA256, text.as_bytes()).as_ref().try_into().expect("SHA-256 is 32 bytes")
}
