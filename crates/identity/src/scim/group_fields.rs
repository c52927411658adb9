//! What a provider says of a group, checked and ready to be written.

use provost_model::MemberId;
use provost_model::scim::{Group, GroupPatch, GroupStep};
use provost_store::tables::scim_groups::ScimGroupRow;
use serde_json::{Map, Value};

use super::problem::Problem;

/// The longest name of a group and the longest id of a provider's, in characters: as in the admin API.
const MAX_NAME: usize = 200;

/// A group.
#[derive(Debug)]
pub(crate) struct GroupFields {
    pub(crate) name: String,
    pub(crate) external_id: Option<String>,
    /// Everyone who is in it.
    pub(crate) members: Vec<MemberId>,
    /// The attributes, as they are kept: without the members.
    pub(crate) scim: String,
}

/// One step of a change of who is in a group.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Add(Vec<MemberId>),
    Remove(Vec<MemberId>),
    Replace(Vec<MemberId>),
}

impl GroupFields {
    /// From a resource that a request carries.
    pub(crate) fn new(resource: Map<String, Value>) -> Result<Self, Problem> {
        let group = Group::parse(resource)?;
        let members = joining(group.members.iter().map(|member| member.value.as_str()))?;
        Self::of(&group, members)
    }

    fn of(group: &Group, members: Vec<MemberId>) -> Result<Self, Problem> {
        let name = provost_web::name("displayName", &group.display_name, MAX_NAME);
        let name = name.map_err(|error| Problem::invalid_value(error.message()))?;
        Ok(Self {
            name,
            external_id: group.external_id.clone(),
            members,
            scim: Value::Object(group.attributes.clone()).to_string(),
        })
    }
}

/// A change of a group, of which only who comes and goes was looked at before it reaches the writer.
#[derive(Debug)]
pub(crate) struct GroupChange {
    patch: GroupPatch,
    pub(crate) steps: Vec<Step>,
}

impl GroupChange {
    /// From what a request carries.
    pub(crate) fn new(patch: GroupPatch) -> Result<Self, Problem> {
        let mut steps = Vec::new();
        for step in &patch.steps {
            match step {
                GroupStep::Add(ids) => steps.push(Step::Add(joining(ids.iter().map(String::as_str))?)),
                GroupStep::Replace(ids) => steps.push(Step::Replace(joining(ids.iter().map(String::as_str))?)),
                // Who is no member is in no group.
                GroupStep::Remove(ids) => {
                    steps.push(Step::Remove(ids.iter().filter_map(|id| id.parse().ok()).collect()))
                }
                GroupStep::Rename(_) | GroupStep::SetExternalId(_) => {}
            }
        }
        Ok(Self { patch, steps })
    }

    /// The group as it is to be.
    pub(crate) fn apply(&self, before: &ScimGroupRow) -> Result<GroupFields, Problem> {
        let said = before.scim.as_deref().and_then(|text| serde_json::from_str::<Map<String, Value>>(text).ok());
        let mut attributes = said.unwrap_or_default();
        attributes.insert("displayName".to_owned(), before.name.as_str().into());
        for step in &self.patch.steps {
            match step {
                GroupStep::Rename(name) => drop(attributes.insert("displayName".to_owned(), name.as_str().into())),
                GroupStep::SetExternalId(Some(id)) => {
                    drop(attributes.insert("externalId".to_owned(), id.as_str().into()));
                }
                GroupStep::SetExternalId(None) => drop(attributes.remove("externalId")),
                GroupStep::Add(_) | GroupStep::Remove(_) | GroupStep::Replace(_) => {}
            }
        }
        GroupFields::of(&Group::parse(attributes)?, Vec::new())
    }
}

/// Who comes. An id of another kind is of nobody.
fn joining<'a>(ids: impl Iterator<Item = &'a str>) -> Result<Vec<MemberId>, Problem> {
    ids.map(|id| id.parse().map_err(|_| unknown_member(id))).collect()
}

/// 400: who is not of this workspace is unknown, wherever else they may be.
pub(crate) fn unknown_member(id: impl std::fmt::Display) -> Problem {
    Problem::invalid_value(format!("`members`: there is no user {id:.100}"))
}
