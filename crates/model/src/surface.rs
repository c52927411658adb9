//! The surfaces of Codex, as the Analytics and Compliance APIs name them (`client_id`, inventory §11.2).

/// The surface of a client by what it calls itself (its `originator`); `CODEX_UNKNOWN_DEFAULT` for what is not known.
/// The names are what clients of 0.169.0 send.
pub fn client_id(originator: Option<&str>) -> &'static str {
    match originator.unwrap_or_default() {
        "codex_cli_rs" | "codex-tui" | "codex_tui" | "codex_exec" => "CODEX_CLI",
        "codex_vscode" => "CODEX_IDE_VSCODE",
        "codex_xcode" => "CODEX_IDE_XCODE",
        "codex_sdk_ts" => "CODEX_SDK_TS",
        "codex_github_action" => "CODEX_GITHUB_ACTION",
        "Codex Desktop" | "codex_desktop" => "CODEX_DESKTOP_APP",
        _ => "CODEX_UNKNOWN_DEFAULT",
    }
}
