use jiff::Timestamp;
use provost_model as model;

/// A value that goes into a statement. None is NULL of that kind.
#[derive(Debug, Clone)]
pub enum Arg {
    /// Text: names, ids, JSON.
    Text(Option<String>),
    /// A number, or a time in microseconds since 1970.
    Int(Option<i64>),
    /// Yes or no.
    Bool(bool),
    /// Bytes: hashes, sealed values.
    Bytes(Option<Vec<u8>>),
}

impl From<&str> for Arg {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<String> for Arg {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}

impl From<Option<String>> for Arg {
    fn from(text: Option<String>) -> Self {
        Self::Text(text)
    }
}

impl From<Option<&str>> for Arg {
    fn from(text: Option<&str>) -> Self {
        Self::Text(text.map(str::to_owned))
    }
}

impl From<i64> for Arg {
    fn from(number: i64) -> Self {
        Self::Int(Some(number))
    }
}

impl From<u32> for Arg {
    fn from(number: u32) -> Self {
        Self::Int(Some(number.into()))
    }
}

impl From<bool> for Arg {
    fn from(yes: bool) -> Self {
        Self::Bool(yes)
    }
}

impl From<&[u8]> for Arg {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(Some(bytes.to_vec()))
    }
}

impl From<&model::TokenHash> for Arg {
    fn from(bytes: &model::TokenHash) -> Self {
        Self::Bytes(Some(bytes.to_vec()))
    }
}

impl From<Option<Vec<u8>>> for Arg {
    fn from(bytes: Option<Vec<u8>>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<Timestamp> for Arg {
    fn from(at: Timestamp) -> Self {
        Self::Int(Some(at.as_microsecond()))
    }
}

impl From<Option<Timestamp>> for Arg {
    fn from(at: Option<Timestamp>) -> Self {
        Self::Int(at.map(|at| at.as_microsecond()))
    }
}

macro_rules! from_ids {
    ($($id:ident),*) => {$(
        impl From<model::$id> for Arg {
            fn from(id: model::$id) -> Self {
                Self::Text(Some(id.to_string()))
            }
        }

        impl From<Option<model::$id>> for Arg {
            fn from(id: Option<model::$id>) -> Self {
                Self::Text(id.map(|id| id.to_string()))
            }
        }
    )*};
}

from_ids!(
    WorkspaceId,
    MemberId,
    GroupId,
    RoleId,
    PolicyId,
    UpstreamId,
    AccessTokenId,
    ApiKeyId,
    GrantId,
    EventId,
    DeviceLoginId,
    DeviceEnrolmentId,
    PolicyExceptionId,
    PolicyProposalId,
    RolloutId,
    LogFileId,
    SessionId,
    ConnectionId,
    DomainId,
    SecondFactorId,
    DeprovisionId,
    NodeId,
    WorkloadIdentityId
);
