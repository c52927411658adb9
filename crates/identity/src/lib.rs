//! Who you are: local accounts, the OAuth issuer that Codex clients sign in to, access tokens and
//! API keys; and who is who: members, groups, roles, settings.

mod api;
mod bootstrap;
mod deprovision;
mod failures;
mod issuer;
mod left_behind;
mod links;
mod mfa;
mod pages;
mod password;
mod presence;
mod scim;
mod sign_in;
mod sso;

use axum::extract::DefaultBodyLimit;
use axum::routing::{any, get, post};
use axum::{Extension, Router};
pub use bootstrap::{FirstWorkspace, Handover, create_first_workspace, housekeeping, setup_link};
pub use issuer::CODEX_CLIENT_ID;
pub use presence::Presence;
use provost_web::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The admin API of this room.
pub fn admin_routes() -> OpenApiRouter<App> {
    use api::*;
    OpenApiRouter::new()
        .routes(routes!(sessions::create, member_sessions::list))
        .routes(routes!(sessions::show, sessions::delete))
        .routes(routes!(member_sessions::delete))
        .routes(routes!(member_sessions::sign_out))
        .routes(routes!(sign_in_history::list))
        .routes(routes!(sign_in_history::own))
        .routes(routes!(second_factors::list))
        .routes(routes!(second_factors::create_totp))
        .routes(routes!(second_factors::confirm_totp))
        .routes(routes!(second_factors::delete))
        .routes(routes!(second_factors::list_of_member, second_factors::reset))
        .routes(routes!(passkeys::options))
        .routes(routes!(passkeys::create))
        .routes(routes!(passkeys::sign_in_options))
        .routes(routes!(passkeys::sign_in))
        .routes(routes!(recovery_codes::create))
        .routes(routes!(deprovisions::list))
        .routes(routes!(deprovisions::show))
        .routes(routes!(deprovisions::revoke_api_keys))
        .routes(routes!(settings::show, settings::update))
        .routes(routes!(members::list, members::create))
        .routes(routes!(members::show, members::update, members::delete))
        .routes(routes!(member_permissions::show))
        .routes(routes!(member_identities::list, member_identities::delete))
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
        .routes(routes!(connections::list, connections::create))
        .routes(routes!(connections::show, connections::update, connections::delete))
        .routes(routes!(domains::list, domains::create))
        .routes(routes!(domains::delete))
        .routes(routes!(domains::verify))
        .routes(routes!(access_tokens::rotate::rotate))
        .routes(routes!(api_keys::list, api_keys::create::create))
        .routes(routes!(api_keys::show, api_keys::update::update, api_keys::delete))
        .routes(routes!(api_keys::decide::approve))
        .routes(routes!(api_keys::decide::deny))
        .routes(routes!(api_keys::rotate::rotate))
        .routes(routes!(leaked_secrets::report))
        .routes(routes!(workload_identities::list, workload_identities::create))
        .routes(routes!(workload_identities::show, workload_identities::update, workload_identities::delete))
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

/// The ways in and out through an identity provider.
pub fn sso_routes() -> Router<App> {
    Router::new()
        .route("/sign-in/sso/{id}", get(sso::begin))
        .route("/sign-in/oidc/callback", get(sso::oidc::callback))
        .route("/sign-in/saml/{connection_id}/metadata", get(sso::saml::metadata::show))
        .route("/sign-in/saml/{connection_id}/acs", post(sso::saml::acs::submit))
        .layer(Extension(sso::oidc::Providers::default()))
}

/// The pages of this room.
pub fn page_routes() -> Router<App> {
    use pages::*;
    Router::new()
        .route("/", get(home::show))
        .route("/sign-in", get(sign_in::show).post(sign_in::submit))
        .route("/sign-in/second-factor", get(second_factor::show).post(second_factor::submit))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/sign-in/link/{secret}", get(link::show).post(link::submit))
        .route("/setup/{secret}", get(setup::show).post(setup::submit))
        .route("/keys", get(keys::show).post(keys::submit))
        .route("/security", get(security::show).post(security::submit))
        .route("/sessions", get(sessions::show).post(sessions::submit))
        .route("/codex/device", get(device::show).post(device::submit))
}

/// What identity providers call to keep members and groups (RFC 7644). It shares what writes among
/// all requests, so make it once for a process.
pub fn scim_routes(app: &App) -> Router<App> {
    use scim::*;
    let scim = Scim::new(app.clone());
    Router::new()
        .route("/scim/v2/Users", get(users::list).post(users::create))
        .route("/scim/v2/Users/.search", post(search::users))
        .route("/scim/v2/Users/{id}", get(users::show).put(users::replace).patch(users::patch).delete(users::delete))
        .route("/scim/v2/Groups", get(groups::list).post(groups::create))
        .route("/scim/v2/Groups/.search", post(search::groups))
        .route(
            "/scim/v2/Groups/{id}",
            get(groups::show).put(groups::replace).patch(groups::patch).delete(groups::delete),
        )
        .route("/scim/v2/.search", post(search::all))
        .route("/scim/v2/Bulk", post(bulk::run))
        .route("/scim/v2/ServiceProviderConfig", get(discovery::service_provider_config))
        .route("/scim/v2/ResourceTypes", get(discovery::resource_types))
        .route("/scim/v2/ResourceTypes/{id}", get(discovery::resource_type))
        .route("/scim/v2/Schemas", get(discovery::schemas))
        .route("/scim/v2/Schemas/{id}", get(discovery::schema))
        .route("/scim/v2/Me", any(discovery::me))
        .route("/scim/v2", any(no_such_address))
        .route("/scim/v2/", any(no_such_address))
        .route("/scim/v2/{*rest}", any(no_such_address))
        .method_not_allowed_fallback(method_not_allowed)
        // Bodies are read up to limits of their own.
        .layer(DefaultBodyLimit::disable())
        .with_state(scim)
}
