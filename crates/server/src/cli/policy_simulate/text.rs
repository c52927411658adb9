//! What a simulation says, for people.

use std::fmt::Write;

use serde_json::Value;

/// The lists of an answer: what they are of, and what would become of those.
const LISTS: [(&str, &str); 3] = [
    ("members", "would be sent another policy, or may do other things"),
    ("sessions", "would be judged differently"),
    ("commands", "would be decided differently"),
];

/// The answer as text.
pub(super) fn text(answer: &Value) -> String {
    let mut out = String::new();
    let summary = &answer["summary"];
    say(&mut out, &format!("Of the last {} days, with this change:", summary["days"]));
    for (name, verb) in LISTS {
        let (changed, total) = (&summary[format!("{name}_changed")], &summary[format!("{name}_total")]);
        say(&mut out, &format!("  {changed} of {total} {name} {verb}"));
        let transitions = format!("{}_transitions", name.trim_end_matches('s'));
        for transition in list(&summary[transitions]) {
            say(&mut out, &format!("      {}: {}", verdicts(transition), transition["count"]));
        }
        if let Some(gone @ 1..) = summary[format!("{name}_of_gone_members")].as_u64() {
            say(&mut out, &format!("      {gone} of members who are gone: nothing decides over them"));
        }
    }
    for note in list(&summary["notes"]) {
        say(&mut out, &format!("Note: {}", word(note)));
    }
    for (name, _) in LISTS {
        let rows = list(&answer[name]);
        if rows.is_empty() {
            continue;
        }
        say(&mut out, &format!("\n{}{}:", name[..1].to_uppercase(), &name[1..]));
        for row in rows {
            match name {
                "members" => member(&mut out, row),
                "sessions" => session(&mut out, row),
                _ => command(&mut out, row),
            }
        }
        let more = summary[format!("{name}_changed")].as_u64().unwrap_or(0).saturating_sub(rows.len() as u64);
        if more > 0 {
            say(&mut out, &format!("  … and {more} more: --output writes them all"));
        }
    }
    out
}

fn member(out: &mut String, row: &Value) {
    say(out, &format!("  {}: {} -> {}", who(row), side(&row["before"]), side(&row["after"])));
    for key in ["gains", "loses"] {
        let permissions: Vec<&str> = list(&row[key]).iter().map(word).collect();
        if !permissions.is_empty() {
            say(out, &format!("      {key} {}", permissions.join(", ")));
        }
    }
}

/// `Strict version 2 (rule 1)`
fn side(side: &Value) -> String {
    if side["may_use_codex"] == false {
        return "may not use Codex".to_owned();
    }
    let why = match (word(&side["decided_by"]), side["position"].as_u64()) {
        // Rules count from one for people.
        ("rule", Some(position)) => format!("rule {}", position + 1),
        ("none", _) => return "no policy".to_owned(),
        (other, _) => other.to_owned(),
    };
    format!("{} version {} ({why})", word(&side["policy_name"]), side["policy_version"])
}

fn session(out: &mut String, row: &Value) {
    let ran = [&row["approval_policy"], &row["sandbox_policy"]].map(word).into_iter().filter(|word| !word.is_empty());
    let ran = ran.collect::<Vec<_>>().join(", ");
    let ran = if ran.is_empty() { "its client did not say how it ran".to_owned() } else { format!("ran with {ran}") };
    say(
        out,
        &format!("  {} of {}, {}: {} ({ran})", word(&row["thread_id"]), who(row), day(row, "last_at"), verdicts(row)),
    );
    for reason in list(&row["reasons"]) {
        say(out, &format!("      {}", word(reason)));
    }
}

fn command(out: &mut String, row: &Value) {
    say(out, &format!("  {}, {}: {}: {}", who(row), day(row, "at"), verdicts(row), line(&row["argv"])));
    let rule = |key: &str| row[key].as_str().map_or_else(|| "no rule".to_owned(), |rule| format!("rule `{rule}`"));
    say(out, &format!("      {} -> {}", rule("rule_before"), rule("rule_after")));
}

/// The line that a shell was given, else the words, quoted where they are not plain.
fn line(argv: &Value) -> String {
    let words: Vec<&str> = list(argv).iter().map(word).collect();
    match words[..] {
        [_, "-lc" | "-c", line] => line.to_owned(),
        _ => {
            let is_plain = |word: &str| !word.is_empty() && !word.contains(|c: char| c.is_whitespace() || c == '\'');
            let quoted = words.iter().map(|word| match is_plain(word) {
                true => (*word).to_owned(),
                false => format!("{word:?}"),
            });
            quoted.collect::<Vec<_>>().join(" ")
        }
    }
}

/// `prompt -> forbidden`
fn verdicts(row: &Value) -> String {
    format!("{} -> {}", word(&row["before"]), word(&row["after"])).replace('_', " ")
}

/// To the minute.
fn day<'a>(row: &'a Value, key: &str) -> &'a str {
    let time = word(&row[key]);
    time.get(..16).unwrap_or(time)
}

fn who(row: &Value) -> &str {
    row["email"].as_str().unwrap_or_else(|| word(&row["member_id"]))
}

/// A line of the answer. What others wrote must not steer the terminal, nor pass for another line.
fn say(out: &mut String, line: &str) {
    let (start, line) = line.strip_prefix('\n').map_or(("", line), |line| ("\n", line));
    let line = line.replace('\n', "\\n").replace(char::is_control, "\u{fffd}");
    writeln!(out, "{start}{line}").expect("writing to a string does not fail");
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}
