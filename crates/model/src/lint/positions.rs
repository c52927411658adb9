//! Tables written as lists: gives their values the names of the keys, so that the rules see one form only.

use std::borrow::Cow;

use super::document::{Entry, Node, Value};
use super::schema::{Shape, Table};

/// Names the values of every table that is written as a list.
pub(super) fn name_keys(tree: &mut Node<'_>, table: &'static Table) {
    shape(tree, Shape::Table(table));
}

fn shape(node: &mut Node<'_>, shape_: Shape) {
    match (shape_, &mut node.value) {
        (Shape::List(item), Value::List(items)) => items.iter_mut().for_each(|node| shape(node, *item)),
        (Shape::Map(value), Value::Table(entries)) => {
            entries.iter_mut().for_each(|entry| shape(&mut entry.node, *value));
        }
        (Shape::Table(table), _) => self::table(node, table, None),
        (Shape::Variant(variants), Value::Table(entries)) => {
            if let [entry] = &mut entries[..]
                && let Some(variant) = variants.iter().find(|variant| variant.name == entry.key)
                && let Some(settings) = variant.settings
            {
                self::table(&mut entry.node, settings, None);
            }
        }
        (Shape::Tagged(tagged), Value::Table(_)) => {
            let variant = tagged.variants.iter().find(|(name, _)| node.text_at(tagged.tag) == Some(*name));
            if let Some((_, table)) = variant {
                self::table(node, table, Some(tagged.tag));
            }
        }
        (Shape::AnyOf(_, shapes), _) => shapes.iter().for_each(|one| shape(node, *one)),
        _ => {}
    }
}

fn table(node: &mut Node<'_>, table: &'static Table, tag: Option<&str>) {
    if let Value::List(items) = &mut node.value
        && table.listable
        && !table.fields.is_empty()
        && items.len() <= table.fields.len()
    {
        let named = std::mem::take(items).into_iter().zip(table.fields);
        let entries = named.map(|(node, field)| Entry { key: Cow::Borrowed(field.key), place: node.place, node });
        node.value = Value::Table(entries.collect());
    }
    let Value::Table(entries) = &mut node.value else { return };
    for entry in entries.iter_mut().filter(|entry| tag != Some(&*entry.key)) {
        let field = table.field(&entry.key).map(|field| field.shape);
        if let Some(found) = field.or(table.others.copied()) {
            shape(&mut entry.node, found);
        }
    }
}
