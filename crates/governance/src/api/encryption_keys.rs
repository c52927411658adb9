//! `/api/v1/encryption-keys`: the data keys, under which everything secret is sealed. They are of the whole
//! deployment. What needs the master key, or may lose data, is the operator's (`provost keys`).

use axum::extract::State;
use jiff::Timestamp;
use provost_model::PermissionSet;
use provost_store::DataKeyUse;
use provost_web::{App, Created, ErrorBody, List, Permit, Result, permits};
use serde::Serialize;
use utoipa::ToSchema;

/// A data key, as admins are shown it: never the key.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EncryptionKey {
    /// Its id.
    id: String,
    /// `seals` what is sealed now, `opens` what was sealed before, `marks`, or `retired`.
    state: &'static str,
    /// The fingerprint of the master key that wraps it, or `kms`.
    master_key: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was retired.
    #[schema(value_type = Option<String>, format = DateTime)]
    retired_at: Option<Timestamp>,
}

impl From<DataKeyUse> for EncryptionKey {
    fn from(key: DataKeyUse) -> Self {
        let state = key.state();
        let DataKeyUse { row, .. } = key;
        let (created_at, retired_at) = (row.created_at, row.retired_at);
        Self { id: row.id.to_string(), state, master_key: row.master_key, created_at, retired_at }
    }
}

/// The data keys, oldest first.
#[utoipa::path(get, path = "/api/v1/encryption-keys", tag = "Encryption keys",
    responses((status = 200, body = List<EncryptionKey>), (status = 403, body = ErrorBody)))]
pub(crate) async fn list(
    permit: Permit<permits::WorkspaceSettingsWrite>,
    State(app): State<App>,
) -> Result<List<EncryptionKey>> {
    // Everybody's, so theirs who may do everything.
    permit.may_grant(&app, PermissionSet::all())?;
    let keys = app.store.data_keys(false).await?;
    Ok(List { data: keys.into_iter().map(EncryptionKey::from).collect(), next_cursor: None })
}

/// Make a new data key: every node seals with it within a second, and the old ones still open.
#[utoipa::path(post, path = "/api/v1/encryption-keys/rotate", tag = "Encryption keys",
    responses((status = 201, body = EncryptionKey), (status = 403, body = ErrorBody), (status = 409, body = ErrorBody)))]
pub(crate) async fn rotate(
    permit: Permit<permits::WorkspaceSettingsWrite>,
    State(app): State<App>,
) -> Result<Created<EncryptionKey>> {
    permit.may_grant(&app, PermissionSet::all())?;
    let row = app.store.rotate_data_key(&permit.actor(), &permit.origin).await?;
    Ok(Created(DataKeyUse { row, is_current: true, values: None }.into()))
}
