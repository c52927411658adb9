//! A permission is an extractor: a handler that takes `Permit<P>` cannot be reached without it.

use std::marker::PhantomData;
use std::ops::Deref;

use axum::extract::FromRequestParts;
use http::request::Parts;
use provost_model::{Permission, PermissionSet};

use crate::{App, Caller, Error};

/// What a permit asks for.
pub trait Allows {
    /// Any of these will do; none means that being signed in is enough.
    const ANY_OF: &'static [Permission];
}

/// Proof that the caller may.
pub struct Permit<P> {
    caller: Caller,
    permission: PhantomData<P>,
}

impl<P> Deref for Permit<P> {
    type Target = Caller;
    fn deref(&self) -> &Caller {
        &self.caller
    }
}

impl<P: Allows> FromRequestParts<App> for Permit<P> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Error> {
        let caller = Caller::resolve(app, parts).await?;
        let held: PermissionSet = caller.permissions();
        if let Some(first) = P::ANY_OF.first()
            && !P::ANY_OF.iter().any(|permission| held.contains(*permission))
        {
            let details = serde_json::json!({
                "permission": first, "method": parts.method.as_str(), "path": parts.uri.path(),
            });
            caller.record_refusal(app, details);
            return Err(Error::forbidden(*first));
        }
        Ok(Self { caller, permission: PhantomData })
    }
}

/// Any member of the workspace, or any API key.
pub struct AnyMember;

impl Allows for AnyMember {
    const ANY_OF: &'static [Permission] = &[];
}

/// The permissions, as types for [`Permit`].
pub mod permits {
    use super::{Allows, Permission};

    macro_rules! permits {
        ($($(#[$doc:meta])* $name:ident: $($permission:ident)|+;)*) => {$(
            $(#[$doc])*
            pub struct $name;

            impl Allows for $name {
                const ANY_OF: &'static [Permission] = &[$(Permission::$permission),+];
            }
        )*};
    }

    permits! {
        /// To administer Codex: policies.
        CodexAdminister: CodexAdminister;
        /// To change settings and upstreams.
        WorkspaceSettingsWrite: WorkspaceSettingsWrite;
        /// To see members, groups and roles.
        MembersRead: MembersRead;
        /// To see groups: also for who assigns policies to them.
        GroupsRead: MembersRead | CodexAdminister;
        /// To change members and groups.
        MembersWrite: MembersWrite;
        /// To change roles.
        RolesWrite: RolesWrite;
        /// To manage API keys.
        ApiKeysWrite: ApiKeysWrite;
        /// To report secrets that were found where they do not belong.
        LeakedSecrets: ApiKeysWrite | MembersWrite;
        /// To read events.
        EventsRead: EventsRead;
    }
}
