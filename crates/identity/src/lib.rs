//! Who you are: local accounts, the OAuth issuer that Codex clients sign in to, access tokens and
//! API keys; and who is who: members, groups, roles, settings.

mod api;
mod bootstrap;
mod deprovision;
mod issuer;
mod links;
mod pages;
mod password;
mod sign_in;
mod sso;

use axum::Router;
use axum::routing::{get, post};
pub use bootstrap::{FirstWorkspace, Handover, create_first_workspace, housekeeping, setup_link};
pub use issuer::CODEX_CLIENT_ID;
use provost_web::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The admin API of this room.
pub fn admin_routes() -> OpenApiRouter<App> {
    use api::*;
    OpenApiRouter::new()
        .routes(routes!(sessions::create))
        .routes(routes!(sessions::show, sessions::delete))
        .routes(routes!(settings::show, settings::update))
        .routes(routes!(members::list, members::create))
        .routes(routes!(members::show, members::update, members::delete))
        .routes(routes!(member_permissions::show))
        .routes(routes!(groups::list, groups::create))
        .routes(routes!(groups::show, groups::update, groups::delete))
        .routes(routes!(group_members::list))
        .routes(routes!(group_members::add, group_members::remove))
        .routes(routes!(roles::list, roles::create))
        .routes(routes!(roles::show, roles::update, roles::delete))
        .routes(routes!(role_assignments::assign_to_group, role_assignments::unassign_from_group))
        .routes(routes!(role_assignments::assign_to_member, role_assignments::unassign_from_member))
        .routes(routes!(default_role::show, default_role::update))
        .routes(routes!(access_tokens::list, access_tokens::create))
        .routes(routes!(access_tokens::delete))
        .routes(routes!(api_keys::list, api_keys::create))
        .routes(routes!(api_keys::delete))
        .routes(routes!(device_logins::approve))
        .routes(routes!(device_logins::deny))
}

/// What clients and browsers call to sign in (`client-contract.md` §1).
pub fn issuer_routes() -> Router<App> {
    use issuer::*;
    Router::new()
        .route("/.well-known/openid-configuration", get(metadata::show))
        .route("/.well-known/oauth-authorization-server", get(metadata::show))
        .route("/.well-known/jwks.json", get(metadata::jwks))
        .route("/oauth/authorize", get(authorize::authorize))
        .route("/oauth/token", post(token::exchange))
        .route("/oauth/revoke", post(revoke::revoke))
        .route("/api/accounts/deviceauth/usercode", post(device::start))
        .route("/api/accounts/deviceauth/token", post(device::poll))
        .route("/api/accounts/v1/user-auth-credential/whoami", get(whoami::show))
}

/// The pages of this room.
pub fn page_routes() -> Router<App> {
    use crate::sso;
    use pages::*;
    Router::new()
        .route("/", get(home::show))
        .route("/sign-in", get(sign_in::show).post(sign_in::submit))
        .route("/sign-in/sso/{id}", get(sso::begin))
        .route("/api/v1/connections", post(sso::create))
        .route("/sign-in/saml/{connection_id}/metadata", get(sso::saml::metadata::show))
        .route("/sign-in/saml/{connection_id}/acs", post(sso::saml::acs::submit))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/sign-in/link/{secret}", get(link::show).post(link::submit))
        .route("/setup/{secret}", get(setup::show).post(setup::submit))
        .route("/codex/device", get(device::show).post(device::submit))
}
