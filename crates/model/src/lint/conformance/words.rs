//! What may stand in a text or as a name, by the key it stands at: the ordinary, the borderline, the wrong.

const HOSTS: &[&str] = &[
    "a.com",
    "b.example.com",
    "*.a.com",
    "**.a.com",
    "A.com",
    "a.com.",
    "localhost",
    "127.0.0.1",
    "xn--a.com",
    "a-b.c",
    "a.com",
    "b.com",
    "c.com",
];
const ODD_HOSTS: &[&str] = &[
    "*",
    "**",
    "",
    " ",
    "https://a.com",
    "a.com:443",
    "a.*.com",
    "[::1]",
    "::1",
    " * ",
    "*:80",
    "[*]",
    "a b",
    "é.com",
    "-a.com",
    "a..b",
    "a.com/x",
    "*.",
    "*.*",
    "?",
    "**.*",
    "*a.com",
    "a_b.com",
];
const PATHS: &[&str] = &[
    "/srv",
    "/srv/a",
    "~/.ssh",
    "~",
    "/**/*.env",
    "/srv/**",
    ":root",
    ":workspace_roots",
    ":tmpdir",
    ":minimal",
    "/",
    "/srv/*.pem",
    ":slash_tmp",
];
const ODD_PATHS: &[&str] = &[
    "",
    ".",
    "..",
    "./a",
    "a",
    "C:\\a",
    "/a/../b",
    "/a//b",
    "~x",
    "/a]",
    "/a{",
    "/a[b-a]",
    "/a/[!x]",
    ":none",
    ":",
    "/a\\",
    "~/**/x",
    "\\\\srv\\a",
    "/a{b,c}*",
    "**",
    "*",
];
const SUBPATHS: &[&str] = &[".", "src", "a/b", "**/*.env", "src/**", "", "..", "/a", "*", "a/../b", "a]"];
const URLS: &[&str] = &[
    "https://a.test/v1",
    "https://b.test",
    "http://127.0.0.1:8080/x",
    "http://localhost",
    "http://a.test",
    "",
    "x",
    "https://u:p@a.test",
    "https://a.test/#f",
    "ftp://a.test",
    "https://",
    "https://[::1]/",
    "https://a.test:99999",
];
const REGEXES: &[&str] = &[
    "a",
    "^a$",
    "https://.*",
    "[a-z]+",
    "(",
    "[",
    "a{2,1}",
    "\\d+",
    "(?i)x",
    "(?P<n>a)",
    "\\p{L}",
    "a**",
    "(?=a)",
    "",
    "\\1",
    "(?x) a # c",
    "[[:alpha:]]",
    "a{1000}",
    "\\u{1F600}",
    "(?<n>a)(?<n>b)",
    "[a&&b]",
    "\\Q",
    "x)(y",
];
const TOKENS: &[&str] = &["git", "rm", "-rf", "push", "/bin/rm", "a b", "é", "*", "git", "curl", "", " "];
const HEADERS: &[&str] =
    &["X-A", "Authorization", "x-b", "host", "a b", "", "cookie", "x-openai-a", "é", "X-Gateway-Auth"];
const MODELS: &[&str] = &["gpt-5", "gpt-5.5", "a/b", "", " gpt", "x"];
const PROFILES: &[&str] = &["p", "q", "office", ":read-only", ":workspace", ":danger-full-access"];
const PROVIDERS: &[&str] =
    &["c", "c", "c", "d", "d", "openai", "gcp", "amazon-bedrock", "amazon-bedrock-runtime", "ollama", "nope", "azure"];
const COMMANDS: &[&str] = &["true", "aws", "/bin/print-token", "a b", "", " "];
const NAMES: &[&str] = &["a", "b", "c-1", "d_2", "x y", "é", "A"];
const OTHER: &[&str] = &["x", "a b", "é", "", " ", "text", "medium", "1", "true", "read-only", "a\nb"];
const ABSOLUTE: &[&str] = &["/srv/x", "/", "~/x", "~", "x", "", "~x", "C:\\x", "./x"];

/// Words for a text at a key.
pub(super) fn texts(parent: &str, key: &str) -> &'static [&'static str] {
    match key {
        "extends" | "default_permissions" => PROFILES,
        "model_provider" => PROVIDERS,
        "deny_read" => &[
            "/srv",
            "~/.ssh",
            "/**/*.env",
            "~",
            "/a?b",
            "/a[b]",
            "/a{b,c}*",
            "~/**/*.[pk]em",
            "/x",
            "a",
            "./a",
            "",
            "/a[b-a]*",
            "/a}*",
            "C:\\a",
            "C:\\*",
            "/a]",
            "/a{b",
            "/a\\",
            "/[",
            "/*\\",
            "/*[!]]",
            "~x",
            "..",
        ],
        "allowed_domains" | "denied_domains" | "review_domains" | "host" => HOSTS,
        "required_on_models" | "model" => MODELS,
        "token" | "any_of" | "args" | "executable" => TOKENS,
        "expression" | "host_pattern" | "matcher" => REGEXES,
        "endpoint" | "base_url" | "proxy_url" | "socks_url" | "model_catalog_url" => URLS,
        "authorization_url" | "token_url" | "device_authorization_url" => URLS,
        "url" if parent == "identity" => &["https://a.test/mcp", "", "x"],
        "command" => COMMANDS,
        "path" | "managed_dir" | "windows_managed_dir" | "default_project_parent" | "projectless_workspace_root" => {
            ABSOLUTE
        }
        // Clients make these directories.
        "sqlite_home" | "log_dir" => &["/tmp/provost-conformance/x", "/tmp/provost-conformance/y"],
        "hostname_patterns" => &["*", "**", "never-this-host-*", "never.this.host", "***"],
        "name" if parent == "delivery" => HEADERS,
        "scheme" => &["Bearer", "a b", "", "é"],
        "name" => &["C", "D", "Company", "C", "D", "", " "],
        _ => OTHER,
    }
}

/// Names in the table at a key.
pub(super) fn names(key: &str) -> (&'static [&'static str], &'static [&'static str]) {
    match key {
        "domains" | "hosts" => (HOSTS, ODD_HOSTS),
        "filesystem" | "unix_sockets" | "workspace_roots" => (PATHS, ODD_PATHS),
        "permissions" => (&["p", "q", "office"], &[":x", "", "a b", ":read-only"]),
        "allowed_permission_profiles" => (PROFILES, &["nope", "", ":nope"]),
        "model_providers" => (PROVIDERS, &["", "a b"]),
        "origins" => (&["https://a.com", "https://*.a.com", "http://b.com:8080"], &["a.com", "https://a.com/x", "*"]),
        "http_headers" | "env_http_headers" | "headers" => (HEADERS, &["a\nb", ":", "x:y"]),
        "features" => (&["apps", "hooks", "browser_use", "unified_exec", "personality"], &["nope", "", "steer"]),
        path if path.starts_with(['/', ':', '~', '.', '*', 'C']) => (SUBPATHS, SUBPATHS),
        _ => (NAMES, &["", "a.b", "a\"b"]),
    }
}
