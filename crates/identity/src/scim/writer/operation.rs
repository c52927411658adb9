//! The operations, and which function does each.

use provost_model::scim::{BulkRequest, PatchRequest};
use provost_model::{GroupId, MemberId};

use super::{Batch, Done, Fault, bulk, groups, users};
use crate::scim::answer::Tags;
use crate::scim::group_fields::{GroupChange, GroupFields};
use crate::scim::users::UserFields;

/// What a request wants, parsed.
#[derive(Debug)]
pub(crate) enum Op {
    CreateUser(Box<UserFields>),
    ReplaceUser(MemberId, Tags, Box<UserFields>),
    PatchUser(MemberId, Tags, PatchRequest),
    DeleteUser(MemberId, Tags),
    CreateGroup(Box<GroupFields>),
    ReplaceGroup(GroupId, Tags, Box<GroupFields>),
    PatchGroup(GroupId, Tags, GroupChange),
    DeleteGroup(GroupId, Tags),
    /// With where the surface is, for the answers.
    Bulk(String, BulkRequest),
}

/// Does one.
pub(super) async fn run(batch: &mut Batch, op: &Op) -> Result<Done, Fault> {
    match op {
        Op::CreateUser(user) => {
            let answer = users::create_many(batch, &[users::Creation { by: None, user }]).await?.pop();
            Ok(answer.expect("one answer for one creation")?)
        }
        Op::ReplaceUser(id, tags, user) => users::replace(batch, *id, tags, user).await,
        Op::PatchUser(id, tags, patch) => users::patch(batch, *id, tags, patch).await,
        Op::DeleteUser(id, tags) => users::delete(batch, *id, tags).await,
        Op::CreateGroup(group) => groups::create(batch, group).await,
        Op::ReplaceGroup(id, tags, group) => groups::replace(batch, *id, tags, group).await,
        Op::PatchGroup(id, tags, patch) => groups::patch(batch, *id, tags, patch).await,
        Op::DeleteGroup(id, tags) => groups::delete(batch, *id, tags).await,
        // Boxed, since a bulk request runs operations.
        Op::Bulk(base, request) => Box::pin(bulk::run_bulk(batch, base, request)).await,
    }
}
