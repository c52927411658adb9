//! `GET /sign-in/saml/{connection_id}/metadata`: what an identity provider wants to know of us
//! (saml-metadata-2.0 §2.4.4). Its address is our entity id. Nothing in it is secret.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use maud::html;
use provost_model::ConnectionId;
use provost_web::{App, PathId, Result};

use super::assertion::FORMATS;
use super::xml::{METADATA, PROTOCOL};
use super::{acs_url, entity_id, find};

pub(crate) async fn show(State(app): State<App>, PathId(id): PathId<ConnectionId>) -> Result<Response> {
    let id = find(&app, id).await?.id.to_string();
    let text = html! {
        md:EntityDescriptor xmlns:md=(METADATA) entityID=(entity_id(&app, &id)) {
            md:SPSSODescriptor protocolSupportEnumeration=(PROTOCOL) AuthnRequestsSigned="false"
                WantAssertionsSigned="true" {
                @for format in FORMATS { md:NameIDFormat { (format) } }
                md:AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
                    Location=(acs_url(&app, &id)) index="0" isDefault="true" {}
            }
        }
    };
    let text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}", text.into_string());
    Ok(([(CONTENT_TYPE, "application/samlmetadata+xml")], text).into_response())
}
