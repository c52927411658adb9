//! Managed network rules, known under three names.

use super::{ALLOW_DENY, Field, Shape, TEXT_MAP, TEXTS, Table};

const PORT: Shape = Shape::Integer(0, u16::MAX as i64);

/// `[experimental_network]`, `[network_proxy]` and the non-profile form of `[permissions.network]`.
pub(in crate::lint) static NETWORK: Table = Table::new(&[
    Field::new("enabled", Shape::Bool, "Turns the managed network rules on. The sandbox must allow network as well."),
    Field::new("http_port", PORT, "The loopback port of the HTTP proxy."),
    Field::new("socks_port", PORT, "The loopback port of the SOCKS proxy."),
    Field::new("allow_upstream_proxy", Shape::Bool, "Whether to pass requests on to the system's own proxy."),
    Field::new(
        "dangerously_allow_non_loopback_proxy",
        Shape::Bool,
        "Lets the proxy listen beyond this machine. Other machines can then use it.",
    ),
    Field::new(
        "dangerously_allow_all_unix_sockets",
        Shape::Bool,
        "Lets commands reach every Unix socket, including those that give control over the machine.",
    ),
    Field::new(
        "domains",
        Shape::Map(&ALLOW_DENY),
        "Hosts and `allow` or `deny`: an exact name, `*.x` for its subdomains, `**.x` for both. Deny wins.",
    ),
    Field::new("review_domains", TEXTS, "Hosts whose requests are put up for review."),
    Field::new(
        "managed_allowed_domains_only",
        Shape::Bool,
        "Only the allow rules of the policy count; what developers add is dropped.",
    ),
    Field::new("allowed_domains", TEXTS, "Hosts to allow, the older form of `domains`."),
    Field::new("denied_domains", TEXTS, "Hosts to deny, the older form of `domains`."),
    Field::new("unix_sockets", Shape::Map(&ALLOW_DENY), "Paths of Unix sockets and `allow` or `deny`."),
    Field::new("allow_unix_sockets", TEXTS, "Paths of Unix sockets to allow, the older form of `unix_sockets`."),
    Field::new("allow_local_binding", Shape::Bool, "Lifts the guard on local and private addresses for allowed hosts."),
    Field::new(
        "header_injections",
        Shape::List(&Shape::Table(&HEADER_INJECTION)),
        "Headers the proxy adds to matching requests.",
    ),
]);

static HEADER_INJECTION: Table = Table::new(&[
    Field::new("host", Shape::Text, "The host of the request.").required(),
    Field::new("methods", TEXTS, "The methods of the request.").required(),
    Field::new("path_prefixes", TEXTS, "What the path of the request begins with.").required(),
    Field::new("headers", TEXT_MAP, "Names and values of the headers to add.").required().secret(),
]);

/// `[application]`: network and storage of the desktop app itself.
pub(super) static APPLICATION: Table = Table::new(&[
    Field::new("network", Shape::Table(&APPLICATION_NETWORK), "Which hosts the desktop app itself may reach."),
    Field::new("storage", Shape::Table(&APPLICATION_STORAGE), "Where the desktop app keeps projects."),
])
.strict();

static APPLICATION_NETWORK: Table = Table::new(&[
    Field::new("enabled", Shape::Bool, "Restricts the app to the hosts of `domains`."),
    Field::new("domains", Shape::Map(&ALLOW_DENY), "Exact host names and `allow` or `deny`.").defaulted(),
])
.strict();

static APPLICATION_STORAGE: Table = Table::new(&[
    Field::new("default_project_parent", Shape::AbsolutePath, "The absolute path under which new projects are made.")
        .defaulted(),
    Field::new("projectless_workspace_root", Shape::AbsolutePath, "The absolute path for work outside any project.")
        .defaulted(),
])
.strict();
