//! Passwords of local accounts: argon2id (RFC 9106, the second recommended set of parameters scaled
//! to OWASP's 19 MiB), never in the clear beyond the request.

use std::sync::LazyLock;

use argon2::password_hash::PasswordVerifier;
use argon2::{Algorithm, Argon2, Params, PasswordHash, PasswordHasher, Version};
use provost_web::{Error, Result};
use tokio::sync::Semaphore;

/// Shorter ones are refused (NIST SP 800-63B-4 asks for 15 where a password stands alone; 12 keeps
/// those of password managers' shortest settings).
const MIN_CHARS: usize = 12;
/// Longer ones are refused: hashing them would be a way to burn our CPU.
const MAX_BYTES: usize = 1024;

/// Each hashing takes some tens of milliseconds and 19 MiB: so many at once, the rest stand in line.
static HASHING: Semaphore = Semaphore::const_new(4);

/// What a sign-in for an account that does not exist is checked against, so that it takes as long.
static NOBODY: LazyLock<String> =
    LazyLock::new(|| hash_now("nobody has this password").expect("a fixed password can be hashed"));

fn argon2() -> Argon2<'static> {
    let params = Params::new(19 * 1024, 2, 1, None).expect("the parameters are within bounds");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn hash_now(password: &str) -> Result<String, argon2::password_hash::Error> {
    argon2().hash_password(password.as_bytes()).map(|hash| hash.to_string())
}

/// Hashes a new password, if it is a good one.
pub(crate) async fn hash(field: &'static str, password: &str) -> Result<String> {
    if password.chars().count() < MIN_CHARS {
        let message = format!("the password is shorter than {MIN_CHARS} characters");
        return Err(Error::invalid(field, "password_too_short", message));
    }
    if password.len() > MAX_BYTES {
        return Err(Error::invalid(
            field,
            "password_too_long",
            format!("the password is longer than {MAX_BYTES} bytes"),
        ));
    }
    let password = password.to_owned();
    let hashed = blocking(move || hash_now(&password)).await;
    hashed.map_err(|_| Error::invalid(field, "password_unusable", "the password cannot be used: choose another"))
}

/// Whether this is the password; takes as long when there is none.
pub(crate) async fn verify(password: &str, hash: Option<&str>) -> bool {
    if password.len() > MAX_BYTES {
        return false;
    }
    let is_somebody = hash.is_some();
    let hash = hash.map_or_else(|| NOBODY.clone(), str::to_owned);
    let password = password.to_owned();
    let matches = blocking(move || {
        PasswordHash::new(&hash).is_ok_and(|hash| argon2().verify_password(password.as_bytes(), &hash).is_ok())
    });
    matches.await && is_somebody
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let _turn = HASHING.acquire().await.expect("the semaphore is never closed");
    tokio::task::spawn_blocking(work).await.expect("hashing does not panic")
}
