//! `/api/v1/members/{id}/permissions`: what a member may, and what says so.

use provost_model::{Decision, MemberId, Permission, Reason};
use provost_web::{Error, ErrorBody, PathId, Permit, Result, permits};
use serde::Serialize;
use utoipa::ToSchema;

/// What a member may do.
#[derive(Serialize, ToSchema)]
pub(crate) struct MemberPermissions {
    /// Every permission.
    permissions: Vec<Explained>,
}

/// One permission, with everything that grants it.
#[derive(Serialize, ToSchema)]
pub(crate) struct Explained {
    permission: Permission,
    granted: bool,
    /// Empty when nothing grants it.
    because: Vec<Because>,
}

/// One thing that grants a permission.
#[derive(Serialize, ToSchema)]
pub(crate) struct Because {
    /// `setting`, `role`, `default_role` or `builtin_role`.
    kind: &'static str,
    /// The setting's name, or the role's id.
    id: String,
    /// For people.
    name: String,
    /// The group through which a role comes; null if it is assigned directly.
    group: Option<Named>,
}

/// Something with an id and a name.
#[derive(Serialize, ToSchema)]
pub(crate) struct Named {
    id: String,
    name: String,
}

impl From<Decision> for Explained {
    fn from(decision: Decision) -> Self {
        let because = decision.because.into_iter().map(Because::from).collect();
        Self { permission: decision.permission, granted: decision.granted, because }
    }
}

impl From<Reason> for Because {
    fn from(reason: Reason) -> Self {
        let because = |kind, id: String, name: &str| Self { kind, id, name: name.to_owned(), group: None };
        match reason {
            Reason::Setting(name) => because("setting", name.to_owned(), name),
            Reason::BuiltinRole(role) => because("builtin_role", role.as_str().to_owned(), role.title()),
            Reason::DefaultRole(role) => because("default_role", role.id.to_string(), &role.name),
            Reason::Role(role, group) => {
                let group = group.map(|group| Named { id: group.id.to_string(), name: group.name.to_string() });
                Self { group, ..because("role", role.id.to_string(), &role.name) }
            }
        }
    }
}

/// What a member may do, and why.
#[utoipa::path(get, path = "/api/v1/members/{id}/permissions", tag = "Members", params(("id" = MemberId, Path)),
    responses((status = 200, body = MemberPermissions), (status = 404, body = ErrorBody)))]
pub(crate) async fn show(
    permit: Permit<permits::MembersRead>,
    PathId(id): PathId<MemberId>,
) -> Result<axum::Json<MemberPermissions>> {
    let workspace = &permit.workspace;
    let member = workspace.members.get(&id).ok_or_else(|| Error::not_found("member"))?;
    let explained = Permission::ALL.iter().map(|permission| workspace.decide(member, *permission).into());
    Ok(axum::Json(MemberPermissions { permissions: explained.collect() }))
}
