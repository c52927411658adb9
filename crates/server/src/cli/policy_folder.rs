//! Policies as files: `NAME.toml` (and `NAME.defaults.toml`) for each policy, `rules.toml` for who gets
//! which. A name that cannot be a file's is percent-encoded.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const RULES: &str = "rules.toml";
const DEFAULTS: &str = ".defaults.toml";
/// As much as the server takes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// `rules.toml`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    /// The policy for whom no rule matches.
    #[serde(skip_serializing_if = "Option::is_none")]
    fallback: Option<String>,
    /// In order: the first whose group contains the member decides.
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    group: String,
    policy: String,
}

/// Reads a folder as the body of `PUT /api/v1/policy-set`.
pub(super) fn read(folder: &Path) -> Result<Value> {
    let mut policies: BTreeMap<String, (Option<String>, Option<String>)> = BTreeMap::new();
    let mut rules = Value::Null;
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        let Some(file) = entry.file_name().to_str().map(str::to_owned) else {
            bail!("{}: the name of the file is not UTF-8", path.display());
        };
        if !file.ends_with(".toml") || file.starts_with('.') {
            continue;
        }
        let text = read_file(&path)?;
        if file == RULES {
            let read: Rules = toml::from_str(&text).with_context(|| path.display().to_string())?;
            rules = serde_json::to_value(&read)?;
            continue;
        }
        let (stem, is_defaults) = match file.strip_suffix(DEFAULTS) {
            Some(stem) => (stem, true),
            None => (file.trim_end_matches(".toml"), false),
        };
        let name = decode(stem).with_context(|| format!("{}: the name is no percent-encoded text", path.display()))?;
        let policy = policies.entry(name).or_default();
        *(if is_defaults { &mut policy.1 } else { &mut policy.0 }) = Some(text);
    }
    if policies.is_empty() && rules.is_null() {
        bail!("{}: there is neither a policy (NAME.toml) nor {RULES} in it", folder.display());
    }
    let policies: Vec<Value> = policies
        .into_iter()
        .map(|(name, (contents, defaults))| {
            // Defaults alone are a policy that constrains nothing.
            json!({ "name": name, "contents": contents.unwrap_or_default(), "defaults": defaults })
        })
        .collect();
    Ok(json!({ "policies": policies, "rules": rules }))
}

/// Symbolic links are not followed: in a checkout of somebody's branch they may lead anywhere.
fn read_file(path: &Path) -> Result<String> {
    let about = fs::symlink_metadata(path).with_context(|| path.display().to_string())?;
    if !about.is_file() {
        bail!("{}: it is no plain file", path.display());
    }
    if about.len() > MAX_FILE_BYTES {
        bail!("{}: it is larger than {MAX_FILE_BYTES} bytes", path.display());
    }
    let bytes = fs::read(path).with_context(|| path.display().to_string())?;
    String::from_utf8(bytes).with_context(|| format!("{}: it is not UTF-8", path.display()))
}

/// Writes what `GET /api/v1/policy-set` answered into a folder, which must hold no other policies.
pub(super) fn write(folder: &Path, set: &Value) -> Result<usize> {
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for policy in set["policies"].as_array().context("the answer holds no policies")? {
        let name = encode(policy["name"].as_str().context("a policy has no name")?);
        files.insert(format!("{name}.toml"), policy["contents"].as_str().unwrap_or_default().to_owned());
        if let Some(defaults) = policy["defaults"].as_str() {
            files.insert(format!("{name}{DEFAULTS}"), defaults.to_owned());
        }
    }
    let rules: Rules = serde_json::from_value(set["rules"].clone()).context("the rules of the answer")?;
    files.insert(RULES.to_owned(), toml::to_string(&rules)?);
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let file = entry?.file_name().to_string_lossy().into_owned();
        if file.ends_with(".toml") && !files.contains_key(&file) {
            bail!("{}/{file} is no policy that is there: move it away first; nothing was written", folder.display());
        }
    }
    for (file, text) in &files {
        let path = folder.join(file);
        fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    Ok(files.len())
}

/// What cannot stand in a file's name everywhere, or would mean something else there.
fn encode(name: &str) -> String {
    let mut file = String::new();
    let is_taken = name == "rules" || name.ends_with(".defaults") || name.starts_with('.');
    for (index, c) in name.char_indices() {
        let is_special = c.is_control() || r#"/\:*?"<>|%"#.contains(c) || (is_taken && index == 0);
        if !is_special {
            file.push(c);
            continue;
        }
        for byte in c.to_string().bytes() {
            write!(file, "%{byte:02X}").expect("writing to a string does not fail");
        }
    }
    file
}

fn decode(file: &str) -> Result<String> {
    let mut bytes = Vec::new();
    let mut rest = file.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
        match (digit(), digit()) {
            (Some(high), Some(low)) => bytes.push(u8::try_from(high * 16 + low)?),
            _ => bail!("two hexadecimal digits follow a %"),
        }
    }
    Ok(String::from_utf8(bytes)?)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;

    #[test]
    fn names_go_into_file_names_and_back() {
        for name in ["Codex Users", "rules", "a/b", "..", "100 %", "x.defaults", "Größe:2", "con\u{7}trol", "%41"] {
            let file = encode(name);
            assert!(!file.contains('/') && !file.starts_with('.') && file != "rules", "{file}");
            assert!(!file.ends_with(".defaults") || file.starts_with('%'), "{file}");
            assert_eq!(decode(&file).ok().as_deref(), Some(name), "{file}");
        }
        assert!(decode("%4").is_err() && decode("%zz").is_err() && decode("%ff").is_err());
    }

    #[test]
    fn a_folder_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let set = json!({
            "policies": [
                { "name": "Base / all", "contents": "allowed_web_search_modes = [\"cached\"]\n", "defaults": null },
                { "name": "rules", "contents": "", "defaults": "model = \"gpt-5\"\n" },
            ],
            "rules": { "fallback": "rules", "rules": [{ "group": "Ops", "policy": "Base / all" }] },
        });
        assert_eq!(write(folder.path(), &set).unwrap(), 4);
        assert_eq!(read(folder.path()).unwrap(), set);
        assert_eq!(write(folder.path(), &set).unwrap(), 4, "and over itself");
        fs::write(folder.path().join("old.toml"), "").unwrap();
        let error = write(folder.path(), &set).unwrap_err().to_string();
        assert!(error.contains("old.toml"), "{error}");
    }

    #[test]
    fn what_cannot_be_read_says_which_file() {
        let folder = tempfile::tempdir().unwrap();
        let says = |expected: &str| {
            let error = format!("{:#}", read(folder.path()).unwrap_err());
            assert!(error.contains(expected), "{error}");
        };
        says("neither a policy");
        fs::write(folder.path().join("rules.toml"), "[[rules]]\ngroup = \"Ops\"\n").unwrap();
        says("rules.toml");
        fs::remove_file(folder.path().join("rules.toml")).unwrap();
        fs::write(folder.path().join("a.toml"), [0xff, 0xfe]).unwrap();
        says("a.toml: it is not UTF-8");
        fs::remove_file(folder.path().join("a.toml")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("b.toml")).unwrap();
        says("b.toml: it is no plain file");
    }
}
