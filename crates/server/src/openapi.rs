//! The description of the admin API, generated from its handlers.

use http::StatusCode;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, License, OpenApi, OpenApiBuilder, Ref, RefOr, Response,
    ResponseBuilder, SecurityRequirement,
};

/// What is said of the API as a whole.
pub(crate) fn describe() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Provost admin API")
        .version("1")
        .description(Some(
            "Everything an admin does. Lists are pages (`limit`, `cursor`); a PATCH changes only what it names; \
             `Idempotency-Key` makes a POST safe to repeat; `ETag` and `If-Match` guard concurrent edits; an error \
             says the way out.",
        ))
        .license(Some(License::new("Apache-2.0")))
        .build();
    let api_key = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("pk-…").build();
    let components = ComponentsBuilder::new()
        .security_scheme("api_key", SecurityScheme::Http(api_key))
        .security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new("__Host-provost-session"))))
        .build();
    let either = ["api_key", "session"].map(|name| SecurityRequirement::new(name, Vec::<String>::new()));
    OpenApiBuilder::new().info(info).components(Some(components)).security(Some(either)).build()
}

/// What any operation may answer beside what it says itself: nobody's credential, a body that cannot
/// be read, too many requests, a database that is away.
fn any_error() -> Response {
    let schema = Ref::from_schema_name("ErrorBody");
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new().description("Any other error").content("application/json", content).build()
}

/// The last touch: one order, whatever the order of the rooms; names that are unique; the error that
/// all have in common.
pub(crate) fn finish(mut document: OpenApi) -> OpenApi {
    document.paths.paths = std::mem::take(&mut document.paths.paths).into_iter().collect();
    for (path, item) in &mut document.paths.paths {
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.patch, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            // Handlers are called alike in every resource, and ids are unique (OpenAPI 3.1 §4.8.10).
            let handler = operation.operation_id.take().unwrap_or_default();
            operation.operation_id = Some(operation_id(path, &handler));
            for (status, response) in &mut operation.responses.responses {
                if let RefOr::T(response) = response
                    && response.description.is_empty()
                {
                    response.description = describe_status(status);
                }
            }
            operation.responses.responses.entry("default".to_owned()).or_insert_with(|| any_error().into());
        }
    }
    document
}

/// `members_list` for the handler `list` of `/api/v1/members`.
fn operation_id(path: &str, handler: &str) -> String {
    let words = path.split('/').skip(3).filter(|part| !part.starts_with('{') && *part != handler).chain([handler]);
    words.map(|word| word.replace('-', "_")).collect::<Vec<_>>().join("_")
}

fn describe_status(status: &str) -> String {
    let known = status.parse().ok().and_then(|status| StatusCode::from_u16(status).ok());
    known.and_then(|status| status.canonical_reason()).unwrap_or(status).to_owned()
}

/// The document, as it is served and checked in.
pub fn document() -> OpenApi {
    finish(crate::routes::admin_api().into_openapi())
}
