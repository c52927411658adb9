use super::{Filter, Literal, Node, Operator};
use crate::scim::AttributePath;

/// What resources are found by quickly, the most telling first.
const KEYS: [(&str, &str, Option<&str>); 6] = [
    ("id", "id", None),
    ("username", "userName", None),
    ("externalid", "externalId", None),
    ("displayname", "displayName", None),
    ("emails.value", "emails", Some("value")),
    ("members.value", "members", Some("value")),
];

impl Filter {
    /// An equality without which no resource matches, to look resources up by: the attribute in lower case
    /// (`id`, `username`, `externalid`, `displayname`, `emails.value`, `members.value`) and the text that it
    /// equals. What is found must still be held against [`Filter::matches`].
    pub fn equals(&self) -> Option<(&'static str, &str)> {
        let mut best = None;
        look(&self.root, None, &mut best);
        best.map(|(place, text): (usize, &str)| (KEYS[place].0, text))
    }

    /// The elements' `value`s that the filter picks, if it does nothing but pick them by `value`.
    pub(in crate::scim) fn values(node: &Node) -> Option<Vec<&str>> {
        match node {
            Node::Compare { path, operator: Operator::Equal, literal: Literal::Text(text) }
                if path.is("value", None) =>
            {
                Some(vec![&text.text])
            }
            Node::Or(nodes) => {
                let each = nodes.iter().map(Self::values).collect::<Option<Vec<_>>>()?;
                Some(each.into_iter().flatten().collect())
            }
            _ => None,
        }
    }
}

fn look<'a>(node: &'a Node, list: Option<&AttributePath>, best: &mut Option<(usize, &'a str)>) {
    match node {
        Node::And(nodes) => nodes.iter().for_each(|node| look(node, list, best)),
        Node::Element { path, filter } => look(filter, Some(path), best),
        Node::Compare { path, operator: Operator::Equal, literal: Literal::Text(text) } => {
            let names = |(_, name, sub): &(&str, &str, Option<&str>)| match list {
                Some(list) => sub.is_some_and(|sub| list.is(name, None) && path.is(sub, None)),
                // A list without a sub-attribute stands for its values.
                None => path.is(name, *sub) || (sub.is_some() && path.is(name, None)),
            };
            if let Some(place) = KEYS.iter().position(names)
                && best.is_none_or(|(known, _)| place < known)
            {
                *best = Some((place, &text.text));
            }
        }
        _ => {}
    }
}
