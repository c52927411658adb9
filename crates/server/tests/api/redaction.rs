//! Ids, secrets and times differ from run to run: a transcript shows stable names in their place,
//! the same name for the same value.

use std::collections::HashMap;

/// The names given so far.
#[derive(Default)]
pub(super) struct Redaction {
    names: HashMap<String, String>,
    counts: HashMap<String, usize>,
}

impl Redaction {
    /// The text with stable names.
    pub(super) fn apply(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut word = String::new();
        for c in text.chars().chain(['\0']) {
            // Times are words too, with their colons.
            if c.is_ascii_alphanumeric() || "_-.:+".contains(c) {
                word.push(c);
            } else {
                out.push_str(&self.word(&word));
                word.clear();
                out.push(c);
            }
        }
        out.pop();
        out
    }

    fn word(&mut self, word: &str) -> String {
        if is_time(word) {
            return "TIME".to_owned();
        }
        if let Some(port) = word.strip_prefix("127.0.0.1:").or_else(|| word.strip_prefix("localhost:"))
            && port.parse::<u16>().is_ok_and(|port| port > 10_000)
        {
            return "server".to_owned();
        }
        let Some(kind) = kind(word) else { return word.to_owned() };
        if let Some(name) = self.names.get(word) {
            return name.clone();
        }
        let count = self.counts.entry(kind.clone()).or_default();
        *count += 1;
        let name = format!("{kind}-{count}");
        // Every request has an id of its own: its number says nothing.
        let name = if kind == "req" { "req-N".to_owned() } else { name };
        self.names.insert(word.to_owned(), name.clone());
        name
    }
}

fn kind(word: &str) -> Option<String> {
    let is_hex = |text: &str, length| text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_random = |text: &str| {
        matches!(text.len(), 43 | 49)
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
    };
    if let Some((prefix, id)) = word.split_once('_')
        && is_hex(id, 32)
    {
        return Some(prefix.to_owned());
    }
    if let Some((prefix, secret)) = word.split_once('-')
        && matches!(prefix, "at" | "pk" | "rt" | "code")
        && is_random(secret)
    {
        return Some(format!("SECRET-{prefix}"));
    }
    let groups: Vec<usize> = word.split('-').map(str::len).collect();
    if groups == [8, 4, 4, 4, 12] && is_hex(&word.replace('-', ""), 32) {
        return Some("workspace".to_owned());
    }
    if word.starts_with("eyJ") && word.matches('.').count() == 2 {
        return Some("JWT".to_owned());
    }
    if groups == [4, 4] && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-') {
        return Some("USER-CODE".to_owned());
    }
    match word.len() {
        24 if is_hex(word, 24) => Some("ETAG".to_owned()),
        64 if is_hex(word, 64) => Some("HASH".to_owned()),
        // A device cookie: a nonce of 16 bytes, sealed.
        71 if word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) => {
            Some("SEALED".to_owned())
        }
        43 if is_random(word) => Some("SECRET".to_owned()),
        _ => None,
    }
}

fn is_time(word: &str) -> bool {
    let bytes = word.as_bytes();
    bytes.len() >= 20
        && bytes.ends_with(b"Z")
        && bytes[10] == b'T'
        && bytes[..4].iter().all(u8::is_ascii_digit)
        && bytes[4] == b'-'
        && bytes[7] == b'-'
}

#[test]
fn names_are_stable_and_say_nothing() {
    let mut redaction = Redaction::default();
    let id = |digit: &str| format!("mem_{}", digit.repeat(32));
    let text = format!("{} {} {} 2026-01-02T03:04:05.678901Z", id("a"), id("b"), id("a"));
    assert_eq!(redaction.apply(&text), "mem-1 mem-2 mem-1 TIME");
    let secret = format!("{{\"token\":\"at-{}\"}}", "x".repeat(43));
    assert_eq!(redaction.apply(&secret), r#"{"token":"SECRET-at-1"}"#);
    assert_eq!(redaction.apply("http://127.0.0.1:34567/a b@c.example 1.5"), "http://server/a b@c.example 1.5");
}
