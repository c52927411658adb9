//! What binds somebody, put together: who gets which policy, what a client makes of it beside the device's own files,
//! and what becomes of a command.

mod answer;
mod texts;

pub(crate) use answer::{ExplainedException, ExplainedNotRead, ExplainedPolicy, Explanation};
pub(crate) use texts::{RulesText, Text, Texts};

use std::sync::Arc;

use jiff::Timestamp;
use provost_model::effective::LayerKind;
use provost_model::{ClientVersion, GroupId, Lookup, Member, MemberId, Permission, Policy, Workspace};
use provost_store::tables::policies;
use provost_web::{App, Result};

use crate::api::policy_lookup::LookupBody;
use crate::team_config::rules::AT_A_TIME;

/// The first version of a client that takes managed defaults (`client-contract.md` §2.1).
const DEFAULTS_SINCE: ClientVersion = ClientVersion { major: 0, minor: 137, patch: 0 };

/// About whom.
pub(crate) enum Subject<'a> {
    /// A member, on a client of this version.
    Member(&'a Member, Option<ClientVersion>),
    /// Somebody who is in this group and no other.
    Group(GroupId),
}

/// What else is asked: about which keys, and which command.
#[derive(Default)]
pub(crate) struct Question {
    /// Only this key, or what stands below it.
    pub(crate) key: Option<String>,
    /// The argv of a command.
    pub(crate) command: Option<Vec<String>>,
    /// The name of the device.
    pub(crate) hostname: Option<String>,
}

/// What the subject's client is sent now, and what it makes of that beside the texts that it has already.
pub(crate) async fn explain(
    app: &App,
    workspace: &Workspace,
    subject: Subject<'_>,
    texts: Texts,
    question: Question,
) -> Result<Explanation> {
    let now = app.store.clock().now();
    let sent = Sent::to(workspace, &subject, now);
    let policy = match &sent.policy {
        Some(policy) => {
            let version = i64::from(policy.version);
            let row = policies::get_version(&mut app.store.read().await?, workspace.id, policy.id, version).await?;
            let author = row.as_ref().map(|row| row.created_by.clone());
            let by: Option<MemberId> = author.as_deref().and_then(|id| id.parse().ok());
            let email = by.and_then(|id| workspace.members.get(&id));
            Some(ExplainedPolicy {
                id: policy.id,
                name: policy.name.to_string(),
                version: policy.version,
                author,
                author_email: email.map(|member| member.email.to_string()),
                since: row.map(|row| row.created_at),
            })
        }
        None => None,
    };
    let takes_defaults = match &subject {
        Subject::Member(_, Some(version)) => *version >= DEFAULTS_SINCE,
        _ => true,
    };
    let mut all = Vec::new();
    if let (Some(policy), true) = (&sent.policy, sent.delivered) {
        all.push(Text::of_policy(LayerKind::CloudPolicy, policy, Arc::clone(&policy.contents)));
        if let Some(defaults) = policy.defaults.as_ref().filter(|_| takes_defaults) {
            all.push(Text::of_policy(LayerKind::CloudDefaults, policy, Arc::clone(defaults)));
        }
    }
    let Texts { texts, rules, mut not_read } = texts;
    all.extend(texts);
    // Rules are programs, which are run only where they can matter, and few at a time.
    let rules = match question.command.is_some() {
        true => rules,
        false => {
            let why = "Its rules are about commands: ask about one.";
            not_read.extend(rules.into_iter().map(|file| ExplainedNotRead { path: file.path, why }));
            Vec::new()
        }
    };
    let turn = match rules.is_empty() {
        true => None,
        false => Some(AT_A_TIME.acquire().await.expect("nobody closes it")),
    };
    // A pasted text may be a megabyte: not on a thread that serves others.
    let about = policy.clone();
    let made = tokio::task::spawn_blocking(move || {
        // Also when whoever asked goes away: the work goes on without them.
        let _turn = turn;
        answer::put_together(&all, &rules, about.as_ref(), &question)
    });
    let made = made.await.expect("merging texts does not panic");
    let member = match &subject {
        Subject::Member(member, version) => Some((*member, *version)),
        Subject::Group(_) => None,
    };
    let LookupBody { decided_by, considered, .. } = LookupBody::new(workspace, sent.lookup, member, now);
    Ok(Explanation {
        policy,
        delivered: sent.delivered,
        decided_by,
        considered,
        exception: sent.exception,
        rollout_id: sent.rollout,
        keys: made.keys,
        ignored: made.ignored,
        unreadable: made.unreadable,
        not_read,
        command: made.command,
    })
}

/// What a subject is sent.
struct Sent {
    policy: Option<Arc<Policy>>,
    lookup: Lookup,
    exception: Option<ExplainedException>,
    rollout: Option<provost_model::RolloutId>,
    /// Whether it is: a member who may not use Codex Local is sent an empty bundle.
    delivered: bool,
}

impl Sent {
    fn to(workspace: &Workspace, subject: &Subject<'_>, now: Timestamp) -> Self {
        match subject {
            Subject::Group(group) => {
                let lookup = workspace.lookup_group(*group);
                let policy = lookup.policy.clone();
                Self { policy, lookup, exception: None, rollout: None, delivered: true }
            }
            Subject::Member(member, version) => {
                let delivery = workspace.delivery(member, *version, now);
                let exception = delivery.exception.map(|exception| ExplainedException {
                    id: exception.id,
                    policy_id: exception.policy_id,
                    expires_at: exception.expires_at,
                });
                Self {
                    policy: delivery.policy.cloned(),
                    lookup: workspace.lookup_member(member),
                    exception,
                    rollout: delivery.rollout,
                    delivered: workspace.may(member, Permission::CodexLocalUse),
                }
            }
        }
    }
}
