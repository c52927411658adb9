//! Second factors of members who sign in here, with a password. (Of who comes through an identity
//! provider, the provider asks its own.)

pub(crate) mod codes;
pub(crate) mod device;
pub(crate) mod factors;
pub(crate) mod passkeys;
pub(crate) mod pending;
pub(crate) mod recovery;
pub(crate) mod totp;

use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use provost_model::FactorKind;
use provost_store::tables::second_factors::SecondFactorRow;
use provost_web::{Error, Result, Session};

/// For so long a session counts as a fresh proof: changing factors needs one.
const FRESH: SignedDuration = SignedDuration::from_mins(15);

/// Refuses to change factors on the word of a session that is old, or that has not shown the factor
/// that there is: who finds a browser open must not make it theirs for good.
pub(crate) fn check_fresh(session: &Session, has_factor: bool, now: Timestamp) -> Result<()> {
    let is_fresh = now.duration_since(session.began) <= FRESH;
    if is_fresh && (!has_factor || session.proof.second_factor.is_some()) {
        return Ok(());
    }
    let message = "second factors change only within 15 minutes of signing in with the one that you have: \
                   sign out, sign in again, and try once more";
    Err(Error::new(StatusCode::FORBIDDEN, "proof_too_old", message))
}

/// The ways in which these factors are shown, recovery codes last.
pub(crate) fn methods(factors: &[SecondFactorRow]) -> Vec<FactorKind> {
    let mut methods: Vec<FactorKind> = Vec::new();
    for factor in factors {
        if !methods.contains(&factor.kind) {
            methods.push(factor.kind);
        }
    }
    methods.push(FactorKind::RecoveryCode);
    methods
}
