//! Why a response of an identity provider is not believed.

use std::borrow::Cow;

/// A refusal: a word for the events, a sentence for the page. Neither repeats what a stranger sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Refusal {
    /// For `sign_in.failed`.
    pub(crate) reason: &'static str,
    /// For people.
    pub(crate) message: Cow<'static, str>,
}

/// Refuses.
pub(super) fn refuse(reason: &'static str, message: impl Into<Cow<'static, str>>) -> Refusal {
    Refusal { reason, message: message.into() }
}
