//! Surfaces of the desktop app: browser, computer use, Windows sandbox.

use super::{ALLOW_DENY, Field, Shape, Table, Words};

const ACCESS_MAP: Shape = Shape::Map(&ALLOW_DENY);

pub(super) static BROWSER_USE: Table = Table::new(&[
    Field::new("extension", Shape::Table(&EXTENSION), "Settings of the browser extension."),
    Field::new("allow_webmcp", Shape::Bool, "Whether pages may offer tools to the agent."),
    Field::new("allow_history_access", Shape::Bool, "Whether the agent may read the browser history."),
    Field::new("disable_auto_review", Shape::Bool, "`true` leaves browser approvals to the person."),
    Field::new("allow_global_persistent_approval", Shape::Bool, "Whether one approval may hold for every site."),
    Field::new("default_origin_policy", ORIGIN, "What the agent may do on sites without an entry in `origins`."),
    Field::new(
        "origins",
        Shape::Map(&ORIGIN),
        "What the agent may do by site: `scheme://host[:port]`, with wildcards.",
    ),
]);

const ORIGIN: Shape = Shape::Table(&ORIGIN_POLICY);

static ORIGIN_POLICY: Table = Table::new(&[
    Field::new("access", ALLOW_DENY, "Whether the agent may open the site; `deny` implies all the rest."),
    Field::new("downloads", ALLOW_DENY, "Whether it may download."),
    Field::new("uploads", ALLOW_DENY, "Whether it may upload."),
    Field::new("full_cdp_access", ALLOW_DENY, "Whether it may use every developer tool of the browser."),
    Field::new("auto_review", ALLOW_DENY, "Whether approvals may be left to automatic review."),
    Field::new("persistent_approval", Shape::Bool, "Whether an approval may be remembered."),
    Field::new(
        "access_approval_lifetime",
        Shape::Word(&Words::new(&["turn", "thread"])),
        "How long an approval holds.",
    ),
]);

static EXTENSION: Table = Table::new(&[Field::new(
    "request_headers",
    Shape::List(&Shape::Table(&REQUEST_HEADER)),
    "Headers the extension adds to its requests.",
)
.secret()]);

static REQUEST_HEADER: Table = Table::new(&[
    Field::new("name", Shape::Text, "The name of the header.").required(),
    Field::new("value", Shape::Text, "The value of the header.").required(),
])
.strict();

pub(super) static COMPUTER_USE: Table = Table::new(&[
    Field::new("allow_locked_computer_use", Shape::Bool, "Whether the agent may work on a locked Mac."),
    Field::new("allow_persistent_approval", Shape::Bool, "Whether an approval may be remembered."),
    Field::new("default_app_access", ALLOW_DENY, "Access to apps without an entry of their own."),
    Field::new("macos", Shape::Table(&MACOS), "Access to macOS apps."),
    Field::new("windows", Shape::Table(&WINDOWS_APPS), "Access to Windows apps."),
]);

static MACOS: Table = Table::new(&[Field::new("bundle_ids", ACCESS_MAP, "Bundle ids and `allow` or `deny`.")]);

static WINDOWS_APPS: Table = Table::new(&[
    Field::new("aumids", ACCESS_MAP, "App user model ids and `allow` or `deny`."),
    Field::new("exes", Shape::List(&Shape::Table(&EXE)), "Programs by their signature."),
]);

static EXE: Table = Table::new(&[
    Field::new("publisher_name", Shape::Text, "Who signed the program.").required(),
    Field::new("product_name", Shape::Text, "The product in the signature.").required(),
    Field::new("binary_name", Shape::Text, "The name of the file; any if absent."),
    Field::new("access", ALLOW_DENY, "`allow` or `deny`; deny wins.").required(),
]);

pub(super) static IN_APP_BROWSER: Table = Table::new(&[Field::new(
    "allow_external_browser_settings_import",
    Shape::Bool,
    "Whether settings may be taken over from another browser.",
)]);

pub(super) static WINDOWS: Table = Table::new(&[
    Field::new(
        "allowed_sandbox_implementations",
        Shape::List(&Shape::Word(&Words::new(&["elevated", "unelevated"]))),
        "The Windows sandboxes developers may use.",
    ),
    Field::new("require_mxc", Shape::Bool, "Whether the MXC sandbox is mandatory."),
    Field::new("allow_mxc", Shape::Bool, "Whether the MXC sandbox may be used."),
]);
