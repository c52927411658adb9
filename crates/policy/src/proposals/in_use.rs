//! What the client versions in use make of a write, before it is done, and before it is approved.

use provost_model::{ClientVersion, Workspace};
use provost_web::{App, Result};

use super::ProposedChange;
use crate::client_versions::{self, InUse, SeenVersion};

/// Asks about the texts that clients would get. Before the change begins: who holds the workspace's lock takes no
/// second connection.
///
/// A version that was published once and is put back, or whose rollout is finished, is not asked about again: nobody
/// is to be kept from going back.
pub(crate) async fn ask(app: &App, workspace: &Workspace, proposed: &ProposedChange) -> Result<Vec<InUse>> {
    let published = |id| workspace.policies.get(id).map(|policy| &*policy.contents);
    let mut found = Vec::new();
    match proposed {
        ProposedChange::CreatePolicy { policy, allow_client_versions } => {
            found.push(of(app, workspace, &policy.contents, allow_client_versions, true).await?);
        }
        ProposedChange::UpdatePolicy { policy_id, policy, allow_client_versions } => {
            let is_new = published(policy_id) != Some(&policy.contents);
            found.push(of(app, workspace, &policy.contents, allow_client_versions, is_new).await?);
        }
        ProposedChange::StartRollout { policy_id, rollout } => {
            // Those that it does not reach at first get the text when it is finished.
            let is_new = published(policy_id) != Some(&rollout.contents);
            found.push(of(app, workspace, &rollout.contents, &rollout.allow_client_versions, is_new).await?);
        }
        ProposedChange::ApplyPolicySet { policy_set } => {
            for (index, contents) in policy_set.new_texts(workspace) {
                let asked = of(app, workspace, contents, &policy_set.allow_client_versions, true).await?;
                found.push(InUse { field: format!("policies[{index}].contents"), ..asked });
            }
        }
        ProposedChange::RollBackPolicy { .. }
        | ProposedChange::DeletePolicy { .. }
        | ProposedChange::UpdatePolicyRules { .. }
        | ProposedChange::UpdateRollout { .. }
        | ProposedChange::FinishRollout { .. } => {}
    }
    Ok(found)
}

async fn of(
    app: &App,
    workspace: &Workspace,
    contents: &str,
    allowed: &[ClientVersion],
    is_new: bool,
) -> Result<InUse> {
    let seen = client_versions::of(app, workspace.id, contents).await?;
    Ok(InUse { field: "contents".to_owned(), seen, allowed: allowed.to_vec(), is_new })
}

/// What an answer says of them: of a write of one text what they make of it, of another nothing.
pub(crate) fn seen(mut in_use: Vec<InUse>) -> Option<Vec<SeenVersion>> {
    if in_use.len() == 1 { in_use.pop().map(|in_use| in_use.seen) } else { None }
}
