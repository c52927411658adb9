use super::{Filter, Literal, Node, Operator};

impl Filter {
    /// Whether it looks at this attribute, or at a part of it. A long list that it does not look at need
    /// not be read.
    pub fn mentions(&self, name: &str) -> bool {
        mentions(&self.root, name)
    }

    /// The `value`s that a list must hold for a resource to match, each of them; none if the filter looks
    /// at the list in any other way. Of a long list only these need be read.
    pub fn only_values(&self, name: &str) -> Option<Vec<&str>> {
        let mut values = Vec::new();
        collect(&self.root, name, &mut values).then_some(values)
    }
}

fn mentions(node: &Node, name: &str) -> bool {
    match node {
        Node::And(nodes) | Node::Or(nodes) => nodes.iter().any(|node| mentions(node, name)),
        Node::Not(node) => mentions(node, name),
        Node::Compare { path, .. } | Node::Present(path) | Node::Element { path, .. } => {
            path.name().eq_ignore_ascii_case(name)
        }
    }
}

/// Whether all that the node says of the list is which values it must hold.
fn collect<'a>(node: &'a Node, name: &str, values: &mut Vec<&'a str>) -> bool {
    match node {
        Node::And(nodes) => nodes.iter().all(|node| collect(node, name, values)),
        Node::Compare { path, operator: Operator::Equal, literal: Literal::Text(text) }
            if path.is(name, None) || path.is(name, Some("value")) =>
        {
            values.push(&text.text);
            true
        }
        Node::Element { path, filter } if path.is(name, None) => match &**filter {
            Node::Compare { path, operator: Operator::Equal, literal: Literal::Text(text) } if path.is("value", None) => {
                values.push(&text.text);
                true
            }
            _ => false,
        },
        other => !mentions(other, name),
    }
}
