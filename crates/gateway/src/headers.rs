//! What the headers of a model call say about the client that sends it.

use http::header::USER_AGENT;
use http::request::Parts;
use http::{HeaderMap, HeaderName};

/// What one header may add to an event, in characters.
const MAX_CHARS: usize = 200;

/// How the sender of a request reads a refusal (client-contract.md §3.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Codex since 0.169, which shows the message of a 403 `inference_hook_denied` and nothing else.
    /// Also whoever does not say what it is.
    Codex,
    /// Codex before that, which shows a 400 in plain text as it is, and would retry a 403.
    OlderCodex,
    /// A client of OpenAI's API.
    OpenAi,
}

/// The first minor version of Codex 0.x that understands `inference_hook_denied`.
const UNDERSTANDS_DENIAL: u32 = 169;

impl Dialect {
    /// Of the sender of this request.
    pub(crate) fn of(parts: &Parts) -> Self {
        match codex_version(&parts.headers).and_then(minor_of_zero) {
            Some(minor) if minor < UNDERSTANDS_DENIAL => Self::OlderCodex,
            Some(_) => Self::Codex,
            None if parts.uri.path().starts_with("/v1/") && codex_version(&parts.headers).is_none() => Self::OpenAi,
            None => Self::Codex,
        }
    }
}

/// The version of the Codex client: of its own header, which it sends to what it takes for OpenAI,
/// or of its user agent (`codex_exec/0.169.0 (…)`), which it sends to every provider.
pub(crate) fn codex_version(headers: &HeaderMap) -> Option<&str> {
    if let Some(version) = text(headers, "version") {
        return Some(version);
    }
    let (product, rest) = headers.get(USER_AGENT)?.to_str().ok()?.split_once('/')?;
    let is_codex = headers.contains_key("originator") || product.to_ascii_lowercase().starts_with("codex");
    is_codex.then(|| rest.split(' ').next().unwrap_or(rest))
}

/// The minor version of a `0.x`; none for anything else, which is newer.
fn minor_of_zero(version: &str) -> Option<u32> {
    version.strip_prefix("0.")?.split('.').next()?.parse().ok()
}

/// A header as text.
pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// A header as text that is short enough to keep.
pub(crate) fn short(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(text(headers, name)?.chars().take(MAX_CHARS).collect())
}

/// The ids by which a client names its session, thread and turn. 0.98 spelled the first with `_`.
pub(crate) fn session_id(headers: &HeaderMap) -> Option<String> {
    short(headers, "session-id").or_else(|| short(headers, "session_id"))
}

/// The turn's id, in the JSON of `x-codex-turn-metadata` (client-contract.md §3.3).
pub(crate) fn turn_id(headers: &HeaderMap) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Metadata {
        turn_id: String,
    }
    let metadata: Metadata = serde_json::from_str(text(headers, "x-codex-turn-metadata")?).ok()?;
    Some(metadata.turn_id.chars().take(MAX_CHARS).collect())
}

/// The headers of `from` that `wanted` names.
pub(crate) fn pick(from: &HeaderMap, wanted: impl Fn(&HeaderName) -> bool) -> HeaderMap {
    from.iter().filter(|(name, _)| wanted(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn dialect(path: &str, headers: &[(&str, &str)]) -> Dialect {
        let request = headers.iter().fold(Request::post(path), |request, (name, value)| request.header(*name, *value));
        Dialect::of(&request.body(()).expect("a request").into_parts().0)
    }

    #[test]
    fn each_client_is_answered_as_it_reads() {
        const CODEX: &str = "/backend-api/codex/responses";
        const OPEN_AI: &str = "/v1/responses";
        let exec = |version| [("user-agent", version), ("originator", "codex_exec")];
        for (path, headers, expected) in [
            (CODEX, &[("version", "0.169.0")][..], Dialect::Codex),
            (CODEX, &[("version", "0.168.9")], Dialect::OlderCodex),
            (CODEX, &[("version", "0.98.0")], Dialect::OlderCodex),
            (CODEX, &[("version", "1.2.0")], Dialect::Codex),
            (CODEX, &[("version", "0.169.0-alpha.1")], Dialect::Codex),
            (CODEX, &[], Dialect::Codex),
            (CODEX, &[("user-agent", "curl/8.5.0")], Dialect::Codex),
            (OPEN_AI, &[("user-agent", "OpenAI/Python 2.1.0")], Dialect::OpenAi),
            (OPEN_AI, &[("user-agent", "curl/0.9.0")], Dialect::OpenAi),
            (OPEN_AI, &exec("codex_exec/0.130.0 (Debian 12.0.0; x86_64) dumb"), Dialect::OlderCodex),
            (OPEN_AI, &exec("codex_exec/0.169.0 (Debian 12.0.0; x86_64) dumb"), Dialect::Codex),
            (OPEN_AI, &[("user-agent", "Codex Desktop/0.170.1 (Mac OS 15)")], Dialect::Codex),
        ] {
            assert_eq!(dialect(path, headers), expected, "{path} {headers:?}");
        }
    }
}
