//! A policy that says itself what clients report.

use super::report::Report;
use super::{Problem, parse_all, with_room};

/// Warns of an `[otel]` table of a policy's own. Nothing is wrong with one, and so [`requirements`](super::requirements)
/// is silent about it: this is for workspaces that have their clients report here, which those of this policy do not.
#[must_use]
pub fn own_otel(contents: &str) -> Option<Problem> {
    // Few policies have one, and most need not be read for it.
    if !contents.contains("otel") {
        return None;
    }
    let problems = with_room(|| {
        let mut found = Report::default();
        let layers = [contents];
        // What is no TOML is an error, of which the linter speaks.
        for tree in parse_all(&layers, &mut Report::default()) {
            if let Some(entry) = tree.entry("otel") {
                let message = "Machines with this policy report nothing here: the setting `telemetry` adds where to only \
                    to policies without an `[otel]` table. Leave the table out, unless they are to report elsewhere.";
                found.warn(entry.place, &"otel", "own_otel", message);
            }
        }
        found.finish(&layers)
    });
    problems?.pop()
}
