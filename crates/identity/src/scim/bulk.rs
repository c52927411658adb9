//! `/scim/v2/Bulk`.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use provost_model::scim::BulkRequest;
use serde_json::json;

use super::Scim;
use super::answer::scim_json;
use super::body::{Body, object};
use super::problem::Problem;
use super::provisioner::Provisioner;
use super::writer::{Done, Op};

const RESPONSE: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";

/// Many operations at once: one change, one commit.
pub(crate) async fn run(
    provisioner: Provisioner,
    State(scim): State<Scim>,
    Body(body): Body,
) -> Result<Response, Problem> {
    let request = BulkRequest::parse(object(&body)?)?;
    match scim.writers.ask(&provisioner, Op::Bulk(scim.base(), request)).await? {
        Done::Bulk(operations) => {
            Ok(scim_json(StatusCode::OK, &json!({ "schemas": [RESPONSE], "Operations": operations })))
        }
        _ => Err(Problem::not_found("operation")),
    }
}
