//! Words of policies and configurations that clients still read, and call by another name since
//! (`requirements-keys.md` §2.1).

/// The word that clients read at a key, or in its list.
pub(crate) fn current_word<'w>(key: &str, word: &'w str) -> &'w str {
    match (key, word) {
        ("approval_policy" | "allowed_approval_policies", "on-failure") => "on-request",
        ("approvals_reviewer" | "allowed_approvals_reviewers", "guardian_subagent") => "auto_review",
        _ => word,
    }
}
