//! SCIM 2.0 as data: resources, filters, paths, changes (RFC 7643, RFC 7644). What speaks HTTP is elsewhere.
//!
//! Resources are [`serde_json::Map`]s in the schema's own spelling: [`User::parse`] and [`Group::parse`]
//! bring what a provider sends into that form, and everything else here expects it.
//!
//! Two dialects are understood beside the standard: Entra's (operations in capitals, `"False"` for
//! `false`, dotted and URN-prefixed keys in a value, an element that is created by the filter which looks
//! for it) and Okta's (the resource's id among what changes).

mod attribute_path;
mod bulk;
mod canonical;
mod error;
mod filter;
mod group;
mod patch;
mod path;
mod projection;
mod schema;
mod search;
mod sort;
mod user;

pub use attribute_path::AttributePath;
pub use bulk::{BULK_MAX_OPERATIONS, BULK_MAX_PAYLOAD_BYTES, BulkOperation, BulkRequest, BulkTarget, Schedule};
pub use error::{ScimError, ScimType};
pub use filter::Filter;
pub use group::{Group, MAX_MEMBERS, MemberRef};
pub use patch::{GroupPatch, GroupStep, Operation, PatchOp, PatchRequest, patch_user};
pub use path::Path;
pub use projection::Projection;
pub use schema::{
    Attribute, AttributeType, ENTERPRISE_USER, GROUP, Mutability, ResourceKind, Returned, Schema, USER, Uniqueness,
    resource_type, resource_types, schema, schemas, service_provider_config,
};
pub use search::{MAX_RESULTS, SearchRequest};
pub use sort::{Sort, SortKey};
pub use user::User;
