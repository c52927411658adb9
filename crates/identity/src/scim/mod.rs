//! SCIM 2.0 at `/scim/v2`: the identity provider keeps members and groups (RFC 7643, RFC 7644).
//!
//! Here the four steps are [`Provisioner`] (an API key with the scope `scim`), the rules of
//! [`provost_model::scim`], and for every write the [`writer`], which does what many requests want in
//! one change. What a request carries is parsed, and what it is answered is rendered, outside of it.

mod answer;
mod body;
pub(crate) mod bulk;
pub(crate) mod discovery;
mod find;
mod group_fields;
pub(crate) mod groups;
mod problem;
mod provisioner;
mod render;
pub(crate) mod search;
pub(crate) mod users;
mod writer;

use std::ops::Deref;
use std::sync::Arc;

use provost_web::App;

use tokio::sync::Semaphore;

pub(crate) use self::problem::{method_not_allowed, no_such_address};
use self::writer::Writers;

/// How many searches that no index answers run at once. Each may look at every member.
const SCANS: usize = 2;

/// What the handlers of this surface share. Cheap to clone; every clone is the same one.
#[derive(Clone)]
pub(crate) struct Scim {
    app: App,
    writers: Writers,
    scans: Arc<Semaphore>,
}

impl Scim {
    /// One for the process.
    pub(crate) fn new(app: App) -> Self {
        Self { writers: Writers::new(app.clone()), scans: Arc::new(Semaphore::new(SCANS)), app }
    }

    /// Where the surface is, for what names a resource.
    fn base(&self) -> String {
        format!("{}/scim/v2", self.app.public_url)
    }
}

impl Deref for Scim {
    type Target = App;
    fn deref(&self) -> &App {
        &self.app
    }
}
