//! Identities of MCP servers, and sources of plugins.

use crate::lint::check::quoted_key;
use crate::lint::document::Node;
use crate::lint::report::Report;

pub(super) fn policy(merged: &Node<'_>, report: &mut Report) {
    servers(merged.get("mcp_servers"), "mcp_servers", report);
    for plugin in merged.get("plugins").map(Node::entries).unwrap_or_default() {
        let key = format!("plugins.{}.mcp_servers", quoted_key(&plugin.key));
        servers(plugin.node.get("mcp_servers"), &key, report);
    }
    sources(merged, report);
}

fn servers(servers: Option<&Node<'_>>, key: &str, report: &mut Report) {
    for server in servers.map(Node::entries).unwrap_or_default() {
        let key = format!("{key}.{}.identity", quoted_key(&server.key));
        let Some(identity) = server.node.get("identity") else { continue };
        let (command, url) = (identity.get("command"), identity.entry("url"));
        if let (Some(_), Some(url)) = (command, url) {
            let message =
                "An identity is either a command or a URL; clients look only at one of the two. Remove the other.";
            report.warn(url.place, &format!("{key}.url"), "ambiguous_identity", message);
        }
        // A plain string wins over a table with matchers.
        if [command, url.map(|url| &url.node)].into_iter().flatten().any(|node| node.text().is_some()) {
            continue;
        }
        let arguments = command.and_then(|command| command.get("args")).map(Node::items).unwrap_or_default();
        for (index, matcher) in arguments.iter().enumerate() {
            regex(matcher, &format!("{key}.command.args[{index}]"), report);
        }
        if let Some(url) = url {
            regex(&url.node, &format!("{key}.url"), report);
        }
    }
}

fn regex(matcher: &Node<'_>, key: &str, report: &mut Report) {
    if matcher.text_at("match") != Some("regex") {
        return;
    }
    let Some((node, pattern)) = matcher.get("expression").and_then(|node| Some((node, node.text()?))) else { return };
    // The crate has the dialect that clients compile these with, down to its limits.
    // They match the whole value, so they nest the expression once more; it must also be one by itself.
    let nested = |_| regex_lite::Regex::new(&format!("^(?:{pattern})$"));
    if let Err(fault) = regex_lite::Regex::new(pattern).and_then(nested) {
        let message = format!("This is no regular expression the client can read: {fault}.");
        report.error(node.place, &format!("{key}.expression"), "bad_regex", message);
    }
}

fn sources(merged: &Node<'_>, report: &mut Report) {
    for source in merged.at(&["marketplaces", "allowed_sources"]).map(Node::entries).unwrap_or_default() {
        let key = format!("marketplaces.allowed_sources.{}", quoted_key(&source.key));
        let needed = match source.node.text_at("source") {
            Some("git") => "url",
            Some("host_pattern") => "host_pattern",
            Some("local") => "path",
            Some(_) => continue,
            None => "source",
        };
        let Some(value) = source.node.get(needed) else {
            if source.node.is_table() {
                let message = format!("This source permits nothing: it lacks the key `{needed}`.");
                report.warn(source.place, &format!("{key}.{needed}"), "incomplete_source", message);
            }
            continue;
        };
        let Some(text) = value.text() else { continue };
        let fault = match needed {
            "host_pattern" => regex_lite::Regex::new(text).err().map(|fault| fault.to_string()).or_else(|| {
                let anchored = text.starts_with('^') && text.ends_with('$');
                let fault = "without `^` and `$` it also matches hosts that merely contain it";
                (!anchored).then(|| fault.to_owned())
            }),
            "path" => (!text.starts_with('/')).then(|| "the path must be absolute".to_owned()),
            _ => None,
        };
        if let Some(fault) = fault {
            let message = format!("This source may permit nothing, or too much: {fault}.");
            report.warn(value.place, &format!("{key}.{needed}"), "odd_source", message);
        }
    }
}
