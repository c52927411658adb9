use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;
use provost_model::event::{Actor, EventType, Origin, Target};
use provost_model::{ClientVersion, DeviceEnrolment, Workspace};
use serde_json::json;

use crate::last_use::Credential;
use crate::origin::address;
use crate::secret::{SecretKind, is_mistyped};
use crate::{App, Error, hash_secret, origin};

/// A machine without a signed-in member, which calls at the address of a device enrolment: its secret is
/// the parameter `token` of the path. The address is a secret as a whole, so nothing here keeps it.
#[derive(Debug, Clone)]
pub struct EnrolledDevice {
    /// The workspace, as it is at this moment.
    pub workspace: Arc<Workspace>,
    /// The enrolment.
    pub enrolment: Arc<DeviceEnrolment>,
    /// From where.
    pub origin: Origin,
}

impl EnrolledDevice {
    /// Which version of the Codex client it runs; none if it does not say.
    pub fn version(&self) -> Option<ClientVersion> {
        self.origin.user_agent.as_deref().and_then(ClientVersion::of_user_agent)
    }

    /// Who that is, for events.
    pub fn actor(&self) -> Actor {
        Actor::device(self.enrolment.id)
    }

    /// What it comes by, for events.
    pub fn target(&self) -> Target {
        Target::new("device_enrolment", self.enrolment.id, self.enrolment.name.as_ref())
    }

    /// 401, for an address that never was, was revoked, or expired, all alike. The client takes it for
    /// final: it says so at once and does not start, where after a 404 it would ask four times more.
    fn nobody() -> Error {
        Error::unauthorized("this device address is unknown, expired or revoked: put a new one on the device")
    }

    fn resolve(app: &App, parts: &Parts, token: &str) -> Result<Self, Error> {
        if !token.starts_with(SecretKind::DeviceEnrolment.prefix()) || is_mistyped(token) {
            return Err(Self::nobody());
        }
        let (hash, now) = (hash_secret(token), app.store.clock().now());
        // There are few workspaces, so each is asked.
        let world = app.store.world();
        let found = world.workspaces.values().find_map(|workspace| {
            let enrolment = workspace.device_enrolments.get(&hash)?;
            Some((workspace.clone(), enrolment.clone()))
        });
        let (workspace, enrolment) = found.ok_or_else(Self::nobody)?;
        if enrolment.expires_at.is_some_and(|end| end <= now) {
            return Err(Self::nobody());
        }
        let device = Self { workspace, enrolment, origin: origin(parts) };
        if !device.enrolment.allowed_ips.allow(address(parts)) {
            let details = json!({ "reason": "address_not_allowed", "method": parts.method.as_str() });
            let (ws, from) = (device.workspace.id, device.origin.clone());
            app.store.record(ws, EventType::RequestRefused, device.actor(), from, Some(device.target()), details);
            return Err(Error::address_not_allowed(device.origin.ip.as_deref()));
        }
        app.last_use.note(&app.store, device.workspace.id, Credential::DeviceEnrolment(device.enrolment.id));
        Ok(device)
    }
}

impl FromRequestParts<App> for EnrolledDevice {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let params = RawPathParams::from_request_parts(parts, app).await.map_err(|_| Self::nobody())?;
        let token = params.iter().find_map(|(name, value)| (name == "token").then_some(value));
        Self::resolve(app, parts, token.unwrap_or_default())
    }
}
