use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use http::header::USER_AGENT;
use http::request::Parts;
use provost_model::event::Origin;

use crate::RequestId;

/// A user agent is kept to this many characters.
const USER_AGENT_CHARS: usize = 200;

/// The address that a request comes from: the one at the other end of the connection, or what a
/// trusted proxy says of it.
pub fn address(parts: &Parts) -> Option<IpAddr> {
    parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip())
}

/// Where a request comes from, for the events that it makes.
pub fn origin(parts: &Parts) -> Origin {
    let user_agent = parts.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
    Origin {
        request_id: parts.extensions.get::<RequestId>().map(|id| id.as_str().to_owned()),
        ip: address(parts).map(|ip| ip.to_string()),
        user_agent: user_agent.map(|text| text.chars().take(USER_AGENT_CHARS).collect()),
    }
}
