//! Managed defaults: fragments of `config.toml` that clients lay below the developer's own settings.

use super::document::Node;
use super::report::Report;

pub(super) fn check(_tree: &Node<'_>, _report: &mut Report) {}
