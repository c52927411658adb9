use axum::response::{IntoResponse, Response};
use http::StatusCode;
use provost_web::{Client, Ended, Error, NOT_ALLOWED};
use serde_json::json;

use crate::headers::Dialect;

/// How many models a refusal lists: enough to see the right spelling, short enough for a terminal.
const LISTED: usize = 20;

/// Why a model call is not dispatched, though its caller is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The member is suspended.
    Suspended,
    /// The member may not use Codex Local.
    NotPermitted,
    /// The workspace does not serve this model.
    ModelNotListed {
        /// What was asked for.
        model: String,
        /// What there is.
        listed: Vec<String>,
    },
}

impl Refusal {
    /// For events.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Suspended => "member_suspended",
            Self::NotPermitted => "not_permitted",
            Self::ModelNotListed { .. } => "model_not_listed",
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Suspended | Self::NotPermitted => NOT_ALLOWED.to_owned(),
            Self::ModelNotListed { model, listed } if listed.is_empty() => {
                format!(
                    "The model `{model}` is not served here: this workspace serves no model yet. Ask your administrator to add an upstream."
                )
            }
            Self::ModelNotListed { model, listed } => {
                let more = if listed.len() > LISTED { ", …" } else { "" };
                let listed = listed.iter().take(LISTED).map(String::as_str).collect::<Vec<_>>().join(", ");
                format!("The model `{model}` is not served here. Choose one of: {listed}{more}.")
            }
        }
    }

    /// The refusal, so that its reader sees the message whole, once, and without retries.
    pub(crate) fn answer(&self, dialect: Dialect) -> Response {
        let message = self.message();
        match dialect {
            Dialect::OlderCodex | Dialect::Codex => shown_once(dialect, &message),
            Dialect::OpenAi => {
                let (status, kind, code, param) = match self {
                    Self::ModelNotListed { .. } => {
                        (StatusCode::NOT_FOUND, "invalid_request_error", "model_not_found", Some("model"))
                    }
                    _ => (StatusCode::FORBIDDEN, "permission_error", "inference_hook_denied", None),
                };
                let error = json!({ "message": message, "type": kind, "code": code, "param": param });
                (status, axum::Json(json!({ "error": error }))).into_response()
            }
        }
    }
}

/// An answer whose message Codex shows as it is, without a second try.
fn shown_once(dialect: Dialect, message: &str) -> Response {
    if dialect == Dialect::OlderCodex {
        return (StatusCode::BAD_REQUEST, message.to_owned()).into_response();
    }
    let body = json!({ "error": { "code": "inference_hook_denied", "message": message } });
    (StatusCode::FORBIDDEN, axum::Json(body)).into_response()
}

/// The last event of a stream whose caller may no longer have it. Codex shows the message of this code
/// as it is, and does not try again (client-contract.md §3.6).
pub(crate) fn last_event(reason: Ended, dialect: Dialect) -> String {
    let code = match dialect {
        Dialect::Codex | Dialect::OlderCodex => "invalid_prompt",
        Dialect::OpenAi => reason.as_str(),
    };
    let message = ended_message(reason);
    let error = json!({ "code": code, "message": message });
    let response = json!({ "object": "response", "status": "failed", "error": error, "output": [] });
    let event = json!({ "type": "response.failed", "response": response });
    // The empty line ends an event of which only the beginning has been sent.
    format!("\n\nevent: response.failed\ndata: {event}\n\n")
}

/// What a developer reads whose turn is ended.
fn ended_message(reason: Ended) -> &'static str {
    match reason {
        Ended::Deprovisioned | Ended::NotPermitted => NOT_ALLOWED,
        Ended::CredentialRevoked => "This sign-in was ended: sign in again (`codex login`).",
    }
}

/// The answer to a turn that is ended before its own answer begins.
pub(crate) fn ended(reason: Ended, dialect: Dialect) -> Stop {
    let refusal = match reason {
        Ended::Deprovisioned => Refusal::Suspended,
        Ended::NotPermitted => Refusal::NotPermitted,
        Ended::CredentialRevoked => return Client::nobody().into(),
    };
    Stop::Refused(refusal, dialect)
}

/// Why a handler stops early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The caller may not.
    Refused(Refusal, Dialect),
    /// Something is wrong.
    Failed(Error),
    /// Something is wrong that is wrong the next time too, and the caller is a Codex client, which
    /// would try a 502 thirty times.
    Lasting(Error, Dialect),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl IntoResponse for Stop {
    fn into_response(self) -> Response {
        match self {
            Self::Refused(refusal, dialect) => refusal.answer(dialect),
            Self::Failed(error) => error.into_response(),
            Self::Lasting(error, dialect) => shown_once(dialect, error.message()),
        }
    }
}
