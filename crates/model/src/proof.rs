//! How a member proves who they are at a sign-in.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ConnectionId;

/// What a session rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Proof {
    /// The way in.
    pub method: SignInMethod,
    /// The second factor, where one was shown to us. (An identity provider asks for its own.)
    pub second_factor: Option<FactorKind>,
    /// Through which connection, where an identity provider said who it is.
    pub connection_id: Option<ConnectionId>,
}

impl Proof {
    /// One way in, and nothing more.
    pub fn by(method: SignInMethod) -> Self {
        Self { method, second_factor: None, connection_id: None }
    }

    /// An identity provider's word.
    pub fn through(connection: ConnectionId, method: SignInMethod) -> Self {
        Self { method, second_factor: None, connection_id: Some(connection) }
    }

    /// With a second factor.
    #[must_use]
    pub fn and(self, factor: FactorKind) -> Self {
        Self { second_factor: Some(factor), ..self }
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $noun:literal: $($(#[$variant_doc:meta])* $variant:ident = $wire:literal;)*) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// Its name on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $wire),* }
            }
        }

        impl FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($wire => Ok(Self::$variant),)*
                    _ => Err(format!(concat!("there is no ", $noun, " `{}`"), text)),
                }
            }
        }
    };
}

words! {
    /// The ways in.
    SignInMethod, "way to sign in":
    /// The set-up link of a new installation.
    Setup = "setup";
    /// A one-time link: an invitation.
    Link = "link";
    /// A password.
    Password = "password";
    /// A passkey alone: it is two factors in one.
    Passkey = "passkey";
    /// OpenID Connect.
    Oidc = "oidc";
    /// SAML.
    Saml = "saml";
}

words! {
    /// The kinds of second factors.
    FactorKind, "kind of second factor":
    /// A code from an authenticator app (RFC 6238).
    Totp = "totp";
    /// A passkey (WebAuthn).
    Passkey = "passkey";
    /// A recovery code: works once.
    RecoveryCode = "recovery_code";
}

words! {
    /// What an identity provider speaks.
    Protocol, "protocol":
    /// OpenID Connect.
    Oidc = "oidc";
    /// SAML 2.0.
    Saml = "saml";
}
