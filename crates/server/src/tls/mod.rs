//! TLS: the private CA that lets a server start without anybody's help, and the certificate that
//! connections are answered with, re-read while it runs. One crypto provider: aws-lc-rs.

pub mod acceptor;
pub mod ca;
mod files;

pub use acceptor::Certificate;
pub use ca::{PrivateCa, names};

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

/// The one crypto provider of this program. Named wherever rustls asks, rather than installed for
/// the process, so that a test or an embedding program keeps its own.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
