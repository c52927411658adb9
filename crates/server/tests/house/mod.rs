//! The shape of the house: which room may know which, how long a file may be.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Each room with the rooms that it may know, as ARCHITECTURE.md draws the arrows. A room that is
/// not here, or that knows another, fails the test.
const ARROWS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("store", &["model"]),
    ("web", &["model", "store"]),
    ("identity", &["model", "store", "web"]),
    ("policy", &["model", "store", "web"]),
    ("gateway", &["model", "store", "web"]),
    ("governance", &["model", "store", "web"]),
    ("server", &["model", "store", "web", "identity", "policy", "gateway", "governance"]),
    ("testkit", &["model", "store", "web", "identity", "server"]),
];

/// Past so many lines a file is no longer read at a sitting.
const MAX_LINES: usize = 500;

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies among the others").to_owned()
}

/// The rooms that a room's manifest names, tests aside.
fn known_rooms(manifest: &str) -> Vec<String> {
    let manifest: toml::Table = manifest.parse().expect("a manifest is TOML");
    let dependencies = manifest.get("dependencies").and_then(toml::Value::as_table);
    let names = dependencies.into_iter().flat_map(toml::Table::keys);
    names.filter_map(|name| name.strip_prefix("provost-")).map(str::to_owned).collect()
}

#[test]
fn no_room_knows_another_against_the_arrows() {
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let mut seen = 0;
    for entry in std::fs::read_dir(crates()).expect("the crates are there") {
        let path = entry.expect("a readable directory").path();
        let room = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        let manifest = std::fs::read_to_string(path.join("Cargo.toml")).expect("every room has a manifest");
        let may_know = allowed.get(room.as_str()).unwrap_or_else(|| {
            panic!("the room `{room}` is not in the map: give it its arrows here and in ARCHITECTURE.md")
        });
        for known in known_rooms(&manifest) {
            assert!(may_know.contains(&known.as_str()), "`{room}` knows `{known}`, against the arrows");
        }
        seen += 1;
    }
    assert_eq!(seen, ARROWS.len(), "every room of the map is there");
}

#[test]
fn the_arrows_point_one_way() {
    for (index, (room, may_know)) in ARROWS.iter().enumerate() {
        for known in *may_know {
            let position = ARROWS.iter().position(|(other, _)| other == known).expect("a room of the map");
            assert!(position < index, "`{room}` may know `{known}`, which stands above it");
        }
    }
}

#[test]
fn every_file_can_be_read_at_a_sitting() {
    let mut too_long = Vec::new();
    let mut folders = vec![crates()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a readable directory") {
            let path = entry.expect("a readable directory").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let lines = std::fs::read_to_string(&path).expect("source is text").lines().count();
                if lines > MAX_LINES {
                    too_long.push(format!("{} has {lines} lines", path.display()));
                }
            }
        }
    }
    assert!(too_long.is_empty(), "{too_long:#?}");
}
