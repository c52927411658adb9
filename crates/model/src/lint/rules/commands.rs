//! `[rules]`: what a prefix rule must have.

use crate::lint::document::Node;
use crate::lint::report::Report;

pub(super) fn policy(merged: &Node<'_>, report: &mut Report) {
    let Some(list) = merged.at(&["rules", "prefix_rules"]).filter(|list| list.is_list()) else { return };
    if list.items().is_empty() {
        let message = "`prefix_rules` must not be empty. Add a rule, or remove the `[rules]` table.";
        report.error(list.place, &"rules.prefix_rules", "empty_list", message);
    }
    // The index counts within the rule's own layer, where its author looks for it.
    let mut index = 0;
    let mut layer = list.place.layer;
    for item in list.items() {
        if item.place.layer != layer {
            (layer, index) = (item.place.layer, 0);
        }
        rule(item, &format!("rules.prefix_rules[{index}]"), report);
        index += 1;
    }
}

fn rule(rule: &Node<'_>, key: &str, report: &mut Report) {
    if !rule.is_table() {
        return;
    }
    if rule.get("decision").is_none() {
        let message = "This rule lacks a decision. Add `decision = \"prompt\"`, \"prompt-user\" or \"forbidden\".";
        report.error(rule.place, &format!("{key}.decision"), "missing_field", message);
    }
    if let Some(reason) = rule.get("justification").filter(|node| node.text().is_some_and(blank)) {
        let message = "The justification must not be blank. Say why the rule exists, or remove the key.";
        report.error(reason.place, &format!("{key}.justification"), "blank_text", message);
    }
    let Some(pattern) = rule.get("pattern").filter(|pattern| pattern.is_list()) else { return };
    let key = format!("{key}.pattern");
    if pattern.items().is_empty() {
        let message = "The pattern must not be empty. Name at least the program: `pattern = [{ token = \"rm\" }]`.";
        report.error(pattern.place, &key, "empty_list", message);
    }
    for (index, item) in pattern.items().iter().enumerate() {
        token(item, &format!("{key}[{index}]"), report);
    }
}

fn token(token: &Node<'_>, key: &str, report: &mut Report) {
    if !token.is_table() {
        return;
    }
    match (token.get("token"), token.get("any_of")) {
        (Some(_), Some(both)) => {
            let message = "A word of the pattern is either `token` or `any_of`. Remove one of the two.";
            report.error(both.place, &format!("{key}.any_of"), "exclusive_fields", message);
        }
        (None, None) => {
            let message = "A word of the pattern needs `token = \"…\"` or `any_of = [\"…\"]`.";
            report.error(token.place, &key, "missing_field", message);
        }
        (Some(word), None) => {
            let key = format!("{key}.token");
            match word.text() {
                Some(text) if blank(text) => {
                    let message = "The token must not be blank. Write one word of the command.";
                    report.error(word.place, &key, "blank_text", message);
                }
                Some(text) if text.contains(char::is_whitespace) => {
                    let message = "A token is one word of the command, and no word contains a space unless it is quoted \
                        there. Write one `{ token = \"…\" }` per word.";
                    report.warn(word.place, &key, "token_with_space", message);
                }
                _ => {}
            }
        }
        (None, Some(words)) => {
            let key = format!("{key}.any_of");
            if words.is_list() && words.items().is_empty() {
                report.error(words.place, &key, "empty_list", "`any_of` must not be empty. List at least one word.");
            }
            for (index, word) in words.items().iter().enumerate() {
                if word.text().is_some_and(blank) {
                    let message = "The words of `any_of` must not be blank. Remove this one.";
                    report.error(word.place, &format!("{key}[{index}]"), "blank_text", message);
                }
            }
        }
    }
}

fn blank(text: &str) -> bool {
    text.trim().is_empty()
}
