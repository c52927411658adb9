//! Signing in through an identity provider.

mod saml;
mod saml_attacks;
mod saml_oracle;
mod saml_stage;
mod saml_xsw;
