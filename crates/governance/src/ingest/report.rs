use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// How far a client's clock may be off before its time is not believed.
const SKEW: SignedDuration = SignedDuration::from_hours(24);
/// No word that is kept is longer.
const MAX_CHARS: usize = 200;
/// No report of more things than this is whole.
pub(super) const MAX_ITEMS: usize = 5_000;

/// Where a report came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Feed {
    /// Under the client's own sign-in.
    Analytics,
    /// Under the credential that came with the policy.
    Otlp,
}

impl Feed {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Analytics => "analytics",
            Self::Otlp => "otlp",
        }
    }
}

/// What a client says about one of its sessions. Empty: it does not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) feed: Feed,
    pub(super) thread_id: String,
    /// When that began which the report is about.
    pub(super) at: Timestamp,
    pub(super) client_version: String,
    pub(super) originator: String,
    pub(super) model: String,
    pub(super) approval_policy: String,
    pub(super) sandbox_policy: String,
    pub(super) network_access: String,
}

/// A text of a report, cut to a length that words have.
pub(super) fn text(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    text.chars().filter(|char| !char.is_control()).take(MAX_CHARS).collect()
}

/// The client's id of something.
pub(super) fn id(value: &Value) -> Option<String> {
    let id = value.as_str()?;
    let is_plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte));
    (!id.is_empty() && id.len() <= 100 && is_plain).then(|| id.to_owned())
}

/// What a client calls its sandbox, in the words of policies.
pub(super) fn sandbox(value: &Value) -> String {
    let word = text(value).replace('_', "-");
    if word == "full-access" { "danger-full-access".to_owned() } else { word }
}

/// A client's time, if it can be true: what lies ahead is now, and what is a day off too.
pub(super) fn believed(told: Option<Timestamp>, now: Timestamp) -> Timestamp {
    told.filter(|told| now.duration_since(*told).abs() <= SKEW).map_or(now, |told| told.min(now))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_clock_that_is_off_is_not_believed() {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(1_000);
        let hours = |hours| now + SignedDuration::from_hours(hours);
        assert_eq!(believed(Some(hours(-23)), now), hours(-23));
        for wrong in [Some(hours(-25)), Some(hours(2)), Some(hours(25)), Some(Timestamp::MIN), None] {
            assert_eq!(believed(wrong, now), now, "{wrong:?}");
        }
    }

    #[test]
    fn words_are_cut_and_ids_are_ids() {
        assert_eq!(text(&json!("a\u{0}b\n")), "ab");
        assert_eq!(text(&json!("é".repeat(300))).chars().count(), MAX_CHARS);
        assert_eq!(
            (sandbox(&json!("full_access")), sandbox(&json!("read_only"))),
            ("danger-full-access".into(), "read-only".into())
        );
        assert_eq!(id(&json!("01a2-b_c")), Some("01a2-b_c".to_owned()));
        for wrong in [json!(""), json!("a b"), json!("a".repeat(101)), json!("\u{0}"), json!(1), json!(null)] {
            assert_eq!(id(&wrong), None, "{wrong}");
        }
    }
}
