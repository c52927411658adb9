//! The OAuth issuer that Codex clients sign in to: browser (PKCE), device code, refresh with
//! rotation, revocation (`client-contract.md` §1).

pub(crate) mod authorize;
pub(crate) mod device;
mod error;
pub(crate) mod metadata;
mod request;
pub(crate) mod revoke;
pub(crate) mod token;
mod tokens;
pub(crate) mod whoami;
mod workload;

/// The client id that Codex itself uses (`client-contract.md` §1.1). Any other is taken as well.
pub const CODEX_CLIENT_ID: &str = "app_EMoamEEZ73f0CkXaXp7hrann";

/// How a client session began: what `grants.method` holds.
pub(crate) mod method {
    /// With a device code.
    pub(crate) const DEVICE_CODE: &str = "device_code";
    /// In a browser on the same machine.
    pub(crate) const BROWSER: &str = "browser";
    /// A device code whose member may not use one: its authorization code is refused with the
    /// guide's words, the only place where a device sign-in can show any.
    pub(crate) const DEVICE_CODE_REFUSED: &str = "device_code_refused";
    /// A device code whose member said no.
    pub(crate) const DEVICE_CODE_DENIED: &str = "device_code_denied";
}
