use super::*;

const STRICT: &str = "allowed_approval_policies = [\"on-request\"]\nallowed_sandbox_modes = [\"read-only\"]\n";
const LAX: &str = "allowed_sandbox_modes = [\"read-only\", \"danger-full-access\"]\n";

fn minutes(minutes: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
}

fn ran(approval_policy: &str, sandbox_mode: &str, at: i64) -> Ran {
    Ran { approval_policy: approval_policy.to_owned(), sandbox_mode: sandbox_mode.to_owned(), at: minutes(at) }
}

fn policy() -> PolicyId {
    PolicyId::new(minutes(0))
}

fn sent(id: PolicyId, version: u32, text: &str, first_at: i64, last_at: i64) -> Sent {
    let (first_at, last_at) = (minutes(first_at), minutes(last_at));
    Sent { version: Some((id, version)), permits: Permits::of(text), first_at, last_at }
}

fn permits(text: &str) -> Permits {
    Permits::of(text).expect("TOML")
}

#[test]
fn what_the_policy_permits_is_in_step_and_what_is_looser_contradicts_it() {
    let id = policy();
    let (sent, strict) = ([sent(id, 1, STRICT, 0, 0)], permits(STRICT));
    let state = |ran: &Ran| judge(&sent, (Some((id, 1)), &strict), ran);
    assert_eq!(state(&ran("on-request", "read-only", 1)), Verdict::of(DriftState::InStep, []));
    // An old client's word for it.
    assert_eq!(state(&ran("on-failure", "read-only", 1)).state, DriftState::InStep);
    let both = state(&ran("never", "danger-full-access", 1));
    assert_eq!(both.state, DriftState::Contradicting);
    assert_eq!(
        both.reasons,
        [
            "It ran with approval_policy = \"never\"; allowed_approval_policies permits on-request.",
            "It ran with sandbox_mode = \"danger-full-access\"; allowed_sandbox_modes permits read-only.",
        ]
    );
    assert_eq!(state(&ran("on-request", "workspace-write", 1)).state, DriftState::Contradicting);
    // However little is known of the rest.
    assert_eq!(state(&ran("", "workspace-write", 1)).state, DriftState::Contradicting);
    assert_eq!(state(&ran("on-request", "", 1)).state, DriftState::Unknown);
    assert_eq!(state(&ran("on-request", "external-sandbox", 1)).state, DriftState::Unknown);
}

#[test]
fn a_process_that_runs_may_go_by_the_version_of_before_for_an_hour() {
    let id = policy();
    let (sent, strict) = ([sent(id, 2, STRICT, 100, 100), sent(id, 1, LAX, 0, 90)], permits(STRICT));
    let state = |ran: &Ran| judge(&sent, (Some((id, 2)), &strict), ran).state;
    assert_eq!(state(&ran("never", "danger-full-access", 99)), DriftState::Behind);
    assert_eq!(state(&ran("never", "danger-full-access", 159)), DriftState::Behind);
    assert_eq!(state(&ran("never", "danger-full-access", 160)), DriftState::Contradicting);
    // Which neither of them permits.
    assert_eq!(state(&ran("never", "workspace-write", 99)), DriftState::Contradicting);
}

#[test]
fn a_client_that_has_not_asked_for_an_hour_is_behind_when_there_is_something_new() {
    let id = policy();
    let (sent, lax) = ([sent(id, 1, LAX, 0, 0)], permits(LAX));
    let state = |current, at| judge(&sent, (current, &lax), &ran("never", "read-only", at)).state;
    assert_eq!(state(Some((id, 1)), 500), DriftState::InStep);
    assert_eq!(state(Some((id, 2)), 60), DriftState::InStep, "it may not know better");
    assert_eq!(state(Some((id, 2)), 61), DriftState::Behind);
    assert_eq!(state(None, 61), DriftState::Behind);
}

#[test]
fn a_client_that_never_asked_is_held_to_what_it_would_have_been_sent() {
    let (strict, anything) = (permits(STRICT), Permits::all());
    let current = Some((policy(), 1));
    let verdict = judge(&[], (current, &strict), &ran("never", "danger-full-access", 1));
    assert_eq!(verdict.state, DriftState::Contradicting);
    assert_eq!(verdict.reasons.last().map(String::as_str), Some("The client has not fetched its policy."));
    assert_eq!(judge(&[], (current, &strict), &ran("on-request", "read-only", 1)).state, DriftState::Unknown);
    assert_eq!(judge(&[], (None, &anything), &ran("never", "danger-full-access", 1)).state, DriftState::InStep);
}

#[test]
fn policies_say_it_in_several_ways() {
    let id = policy();
    let state = |text: &str, ran: &Ran| {
        let permits = Permits::of(text).expect("TOML");
        judge(&[sent(id, 1, text, 0, 0)], (Some((id, 1)), &permits), ran).state
    };
    let granular = "allowed_approval_policies = [{ granular = { sandbox_approval = true, rules = true, mcp_elicitations = true } }]";
    assert_eq!(state(granular, &ran("granular", "", 1)), DriftState::InStep);
    assert_eq!(state(granular, &ran("never", "", 1)), DriftState::Contradicting);
    let profiles = "default_permissions = \":workspace\"\n";
    assert_eq!(state(profiles, &ran("never", "workspace-write", 1)), DriftState::Unknown);
    let hosts = "allowed_sandbox_modes = [\"read-only\"]\n[[remote_sandbox_config]]\n\
        hostname_patterns = [\"build-*\"]\nallowed_sandbox_modes = [\"read-only\", \"workspace-write\"]\n";
    assert_eq!(state(hosts, &ran("never", "workspace-write", 1)), DriftState::Unknown);
    assert_eq!(state(hosts, &ran("never", "danger-full-access", 1)), DriftState::Contradicting);
    assert_eq!(state("", &ran("never", "danger-full-access", 1)), DriftState::InStep);
    assert_eq!(Permits::of("not TOML"), None);
}
