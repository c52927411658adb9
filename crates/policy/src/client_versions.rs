//! What the client versions that were seen would make of a policy, before it is published.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use provost_model::lint::{self, Problem, Severity, VersionVerdict};
use provost_model::{ClientVersion, WorkspaceId};
use provost_store::tables::client_versions;
use provost_web::{App, Error, Result};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

/// A version that nobody used for so long is not asked about.
const SEEN: SignedDuration = SignedDuration::from_hours(30 * 24);

/// At most so many versions are looked at, the latest seen. A client says itself what it is, so there could be any number.
const MOST: usize = 40;

/// How many different things clients may call themselves before the rest is passed over.
const MOST_ROWS: u32 = 500;

/// A client version that was seen in the last 30 days, and what it makes of the policy.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct SeenVersion {
    /// The version.
    #[schema(value_type = String)]
    version: ClientVersion,
    /// When a client of this version last fetched a policy, or worked with one.
    #[schema(value_type = String, format = DateTime)]
    last_seen_at: Timestamp,
    /// How many members used it.
    members: u32,
    /// The recorded versions that this rests on: itself, or those around it, the worse of which counts.
    #[schema(value_type = Vec<String>)]
    recorded: Vec<ClientVersion>,
    /// The keys that it ignores.
    ignores: Vec<String>,
    /// A warning for each key that it ignores, an error for each that it chokes on.
    problems: Vec<Problem>,
}

/// What each version that was seen makes of a policy, the oldest first.
pub(crate) async fn of(app: &App, ws: WorkspaceId, contents: &str) -> Result<Vec<SeenVersion>> {
    let since = app.store.clock().now() - SEEN;
    let rows = client_versions::seen_since(&mut app.store.read().await?, ws, since, MOST_ROWS).await?;
    let mut seen: BTreeMap<ClientVersion, (Timestamp, u32)> = BTreeMap::new();
    for row in rows {
        let Ok(version) = row.client_version.parse() else { continue };
        if seen.len() == MOST && !seen.contains_key(&version) {
            continue;
        }
        // Two spellings of a version may be of the same members: the larger number is certain.
        let (last, members) = seen.entry(version).or_insert((row.last_seen_at, row.members));
        (*last, *members) = ((*last).max(row.last_seen_at), (*members).max(row.members));
    }
    let versions: Vec<ClientVersion> = seen.keys().copied().collect();
    let contents = contents.to_owned();
    // A text may be a megabyte long, and other requests wait for this thread.
    let work = tokio::task::spawn_blocking(move || lint::for_versions(&contents, &versions));
    let verdicts = work.await.expect("linting does not panic").into_iter().zip(seen);
    let joined = verdicts.map(|(verdict, (_, (last_seen_at, members)))| {
        let VersionVerdict { version, recorded, ignores, problems } = verdict;
        SeenVersion { version, last_seen_at, members, recorded, ignores, problems }
    });
    Ok(joined.collect())
}

/// The client versions in use, for a text that clients are to get.
pub(crate) struct InUse {
    /// Where in the request the text is.
    pub(crate) field: String,
    /// What they make of it.
    pub(crate) seen: Vec<SeenVersion>,
    /// Those that it may stop.
    pub(crate) allowed: Vec<ClientVersion>,
    /// Whether its text is another than before: what is published already stops nobody anew.
    pub(crate) is_new: bool,
}

impl InUse {
    /// Refuses what would stop one of them.
    pub(crate) fn check(&self) -> Result<()> {
        if !self.is_new {
            return Ok(());
        }
        check(&self.seen, &self.allowed).map_err(|error| error.with_field(self.field.clone()))
    }
}

/// Refuses a policy that would stop a version that was seen, unless whoever publishes it says that this is meant.
fn check(seen: &[SeenVersion], allowed: &[ClientVersion]) -> Result<()> {
    let stopped = seen.iter().filter(|seen| !allowed.contains(&seen.version)).filter_map(|seen| {
        let problem = seen.problems.iter().find(|problem| problem.severity == Severity::Error)?;
        Some((seen, problem))
    });
    let stopped: Vec<(&SeenVersion, &Problem)> = stopped.collect();
    let Some((_, problem)) = stopped.first() else { return Ok(()) };
    let names: Vec<String> = stopped.iter().map(|(seen, _)| format!("\"{}\"", seen.version)).collect();
    let message = format!(
        "clients in use would not load this policy: line {}: {} Change it, update those clients, or publish with \
         `allow_client_versions`: [{}]",
        problem.line,
        problem.message,
        names.join(", ")
    );
    let problems: Vec<&Problem> = stopped.iter().flat_map(|(seen, _)| &seen.problems).collect();
    let details = json!({ "problems": problems, "client_versions": seen });
    Err(Error::invalid("contents", "policy_invalid", message).with_details(details))
}
