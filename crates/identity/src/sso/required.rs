//! A workspace may require its identity provider. For the day on which that one is away, some owners
//! may still sign in with a password: the glass that is broken.

use provost_model::{BuiltinRole, MemberId, PermissionSet, Settings};
use provost_store::Change;
use provost_store::tables::{connections, members, workspaces};
use provost_web::{App, Caller, Error, Result};

/// At most so many.
const MAX_BREAK_GLASS: usize = 10;

/// Checks a change of the requirement: it must leave a way in for everybody, and one for the day on
/// which the provider is away.
pub(crate) async fn check_required(
    app: &App,
    caller: &Caller,
    change: &mut Change,
    before: &Settings,
    after: &Settings,
) -> Result<()> {
    let same = before.sso_required == after.sso_required;
    if same && before.break_glass_owner_ids == after.break_glass_owner_ids {
        return Ok(());
    }
    // It decides who can get in at all.
    caller.may_grant(app, PermissionSet::all())?;
    let invalid = |message: String| Error::invalid("break_glass_owner_ids", "invalid_break_glass", message);
    let ids = &after.break_glass_owner_ids;
    if ids.len() > MAX_BREAK_GLASS {
        return Err(invalid(format!("at most {MAX_BREAK_GLASS} owners")));
    }
    for id in ids {
        if !could_break_glass(change, *id).await? {
            return Err(invalid(format!("{id} is not an active owner with a password")));
        }
    }
    if !after.sso_required {
        return Ok(());
    }
    if ids.is_empty() {
        let message = "name at least one owner with a password, who can sign in when the provider is away";
        return Err(invalid(message.to_owned()));
    }
    let ws = change.workspace_id();
    if connections::count_other_enabled(change, ws, None).await? == 0 {
        let message = "there is no enabled connection to an identity provider: create one first";
        return Err(Error::invalid("sso_required", "no_connection", message));
    }
    Ok(())
}

async fn could_break_glass(change: &mut Change, id: MemberId) -> Result<bool> {
    let ws = change.workspace_id();
    let row = members::get(change, ws, id).await?;
    let is_owner = row.is_some_and(|row| row.active && row.builtin_role == BuiltinRole::Owner);
    Ok(is_owner && members::has_password(change, ws, id).await?)
}

/// Refuses to take away the last owner who could sign in while the provider is away. Read under the
/// lock: of two who leave at once, one is the last.
pub(crate) async fn keep_break_glass(change: &mut Change, id: MemberId) -> Result<()> {
    let ws = change.workspace_id();
    let settings = workspaces::settings(change, ws).await?;
    if !settings.sso_required || !settings.break_glass_owner_ids.contains(&id) {
        return Ok(());
    }
    for other in settings.break_glass_owner_ids.iter().filter(|other| **other != id) {
        if could_break_glass(change, *other).await? {
            return Ok(());
        }
    }
    let message = "this is the last owner who can sign in while the identity provider is away: name another one in \
                   `break_glass_owner_ids` first";
    Err(Error::conflict("last_break_glass_owner", message))
}
