use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use axum::Router;
use axum::routing::get;
use jiff::SignedDuration;
use provost_model::Clock;
use provost_server::listen::Door;
use provost_server::tls::acceptor::Certificate;
use provost_server::tls::ca::{self, PrivateCa};

use super::{certificate, client, open};

const DAY: SignedDuration = SignedDuration::from_hours(24);

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_ca_is_made_once_and_its_keys_are_the_owners() {
    let data = tempfile::tempdir().unwrap();
    let ca = PrivateCa::in_data(data.path());
    let now = Clock::system().now();
    assert!(ca.ensure(&ca::names(["codex.corp"]), now).unwrap());
    let files = [ca.certificate(), ca.key(), ca.server_certificate(), ca.server_key()];
    let before = files.each_ref().map(|file| fs::read(file).unwrap());
    assert_eq!(files.each_ref().map(|file| mode(file)), [0o644, 0o600, 0o644, 0o600]);
    assert_eq!(mode(&data.path().join("tls")), 0o700);

    assert!(!ca.ensure(&ca::names(["codex.corp"]), now).unwrap(), "a second start issues nothing");
    assert_eq!(files.each_ref().map(|file| fs::read(file).unwrap()), before);
}

#[test]
fn a_new_name_or_a_near_expiry_gets_a_new_certificate_from_the_same_ca() {
    let data = tempfile::tempdir().unwrap();
    let ca = PrivateCa::in_data(data.path());
    let now = Clock::system().now();
    let names = ca::names(["codex.corp"]);
    ca.ensure(&names, now).unwrap();
    let root = fs::read(ca.certificate()).unwrap();

    assert!(ca.ensure(&ca::names(["codex.corp", "192.0.2.7"]), now).unwrap());
    assert!(!ca.ensure(&names, now).unwrap(), "it still has this name");
    assert!(!ca.ensure(&names, now + DAY * 365).unwrap(), "more than 30 days are left");
    assert!(ca.ensure(&names, now + DAY * 367).unwrap(), "less than 30 days are left");
    assert_eq!(fs::read(ca.certificate()).unwrap(), root);
}

#[test]
fn what_a_crash_leaves_behind_is_completed() {
    let data = tempfile::tempdir().unwrap();
    let ca = PrivateCa::in_data(data.path());
    let (names, now) = (ca::names([]), Clock::system().now());
    ca.ensure(&names, now).unwrap();
    let server_key = fs::read(ca.server_key()).unwrap();
    ca.ensure(&ca::names(["codex.corp"]), now).unwrap();

    fs::write(ca.server_key(), server_key).unwrap();
    assert!(ca.ensure(&names, now).unwrap(), "key and certificate did not match");
    fs::remove_file(ca.certificate()).unwrap();
    ca.ensure(&names, now).unwrap();
    assert!(!ca.ensure(&names, now).unwrap(), "the same key makes a CA that the server's fits");
}

#[test]
fn a_ca_whose_key_is_away_serves_until_a_certificate_is_due() {
    let data = tempfile::tempdir().unwrap();
    let ca = PrivateCa::in_data(data.path());
    let now = Clock::system().now();
    ca.ensure(&ca::names([]), now).unwrap();
    fs::remove_file(ca.key()).unwrap();
    assert!(!ca.ensure(&ca::names([]), now).unwrap());
    let error = ca.ensure(&ca::names(["codex.corp"]), now).unwrap_err().to_string();
    assert!(error.contains("ca.key is missing"), "{error}");
    assert!(!ca.key().exists(), "a new CA is never made behind the clients' backs");
}

#[test]
fn a_mixed_up_ca_is_an_error_with_a_way_out() {
    let data = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let (ca, foreign) = (PrivateCa::in_data(data.path()), PrivateCa::in_data(other.path()));
    let (names, now) = (ca::names([]), Clock::system().now());
    ca.ensure(&names, now).unwrap();
    foreign.ensure(&names, now).unwrap();

    fs::copy(foreign.certificate(), ca.certificate()).unwrap();
    let mixed = ca.ensure(&names, now).unwrap_err().to_string();
    assert!(mixed.contains("do not belong together"), "{mixed}");
    assert!(mixed.contains("to make a new CA"), "{mixed}");
}

#[test]
fn two_processes_that_start_at_once_agree_on_one_ca() {
    let data = tempfile::tempdir().unwrap();
    let now = Clock::system().now();
    let issued: Vec<bool> = std::thread::scope(|scope| {
        let start = || PrivateCa::in_data(data.path()).ensure(&ca::names([]), now).unwrap();
        let running: Vec<_> = (0..4).map(|_| scope.spawn(start)).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(issued.iter().filter(|issued| **issued).count(), 1);
}

#[test]
fn files_that_do_not_fit_are_named() {
    let data = tempfile::tempdir().unwrap();
    let _made = certificate(data.path(), &[]);
    let ca = PrivateCa::in_data(data.path());
    let mismatch = Certificate::read(ca.server_certificate(), ca.key()).unwrap_err().to_string();
    assert!(mismatch.contains("ca.key is not the key of"), "{mismatch}");
    let swapped = Certificate::read(ca.server_key(), ca.server_key()).unwrap_err().to_string();
    assert!(swapped.contains("server.key holds no certificate"), "{swapped}");
    let absent = Certificate::read("absent.pem".into(), ca.key()).unwrap_err().to_string();
    assert!(absent.contains("absent.pem"), "{absent}");
}

#[tokio::test]
async fn a_certificate_is_replaced_under_running_connections() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let served = certificate(old.path(), &[]);
    let _other = certificate(new.path(), &[]);
    let (old_ca, new_ca) = (PrivateCa::in_data(old.path()), PrivateCa::in_data(new.path()));
    let door = Door { tls: Some(served.acceptor().unwrap()), ..Door::default() };
    let open = open(door, Router::new().route("/", get(|| async { "here" }))).await;
    let url = format!("https://{}/", open.address);

    // What a reload finds half written is not served.
    let old_client = client(old.path());
    old_client.get(&url).send().await.unwrap();
    fs::copy(new_ca.server_key(), old_ca.server_key()).unwrap();
    assert!(served.reload().is_err());
    client(old.path()).get(&url).send().await.expect("the old certificate is served on");

    fs::copy(new_ca.server_certificate(), old_ca.server_certificate()).unwrap();
    assert!(served.reload().unwrap());
    assert!(!served.reload().unwrap(), "nothing has changed since");
    old_client.get(&url).send().await.expect("its connection goes on");
    client(new.path()).get(&url).send().await.expect("the new certificate is served");
    assert!(client(old.path()).get(&url).send().await.is_err(), "the old one no longer");
}
