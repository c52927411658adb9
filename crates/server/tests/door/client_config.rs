use std::path::Path;

use provost_server::client_config::{ClientConfig, render};

#[test]
fn a_fleet_is_pointed_here_by_text_to_copy() {
    let ca = Path::new("/srv/provost/data/tls/ca.pem");
    insta::assert_snapshot!(render("https://codex.corp:8443", Some(ca)));
}

#[test]
fn a_public_certificate_needs_no_word_about_a_ca() {
    let text = render("https://codex.corp", None);
    assert!(!text.contains("CA"), "{text}");
}

#[test]
fn the_same_is_there_for_programs() {
    let config = ClientConfig::new("https://codex.corp", Some(Path::new("data/tls/ca.pem")));
    insta::assert_json_snapshot!(config);
}

#[test]
fn the_files_are_toml_that_leads_to_the_fixed_addresses() {
    let config = ClientConfig::new("https://codex.corp/", None);
    let device: toml::Table = config.mode_a.config_toml.parse().unwrap();
    assert_eq!(device["chatgpt_base_url"].as_str(), Some("https://codex.corp/backend-api"));
    let managed: toml::Table = config.mode_b.requirements_toml.parse().unwrap();
    // The client appends /codex/config/bundle.
    assert_eq!(managed["config_server"]["base_url"].as_str(), Some("https://codex.corp"));
}
