//! Model defaults and what is mistaken for them.

use crate::lint::document::Node;
use crate::lint::report::Report;

pub(super) fn layer(tree: &Node<'_>, report: &mut Report) {
    let effort = tree.at(&["models", "new_thread", "model_reasoning_effort"]);
    if let Some(effort) = effort.filter(|effort| effort.text() == Some("")) {
        let message = "The reasoning effort must not be empty. Write a level such as \"medium\", or remove the line.";
        report.error(effort.place, &"models.new_thread.model_reasoning_effort", "blank_text", message);
    }
}

pub(super) fn policy(merged: &Node<'_>, report: &mut Report) {
    for (index, model) in
        merged.at(&["auto_review", "required_on_models"]).map(Node::items).unwrap_or_default().iter().enumerate()
    {
        let Some(name) = model.text() else { continue };
        if name.is_empty() || name.trim() != name || name.contains('/') {
            let message =
                "Write the bare name of a model, without spaces around it and without a provider before a slash.";
            report.error(model.place, &format!("auto_review.required_on_models[{index}]"), "bad_model_name", message);
        }
    }
    if let Some(defaults) = merged.get("models").and_then(|models| models.entry("new_thread")) {
        let message = "These are defaults: a developer may still choose another model. To restrict models, use the model \
            access rules of the server.";
        report.warn(defaults.place, &"models.new_thread", "only_a_default", message);
    }
    if let Some(path) = merged.get("model_catalog_json").filter(|path| path.text().is_some()) {
        let key = "model_catalog_json";
        if path.text() == Some("") {
            report.error(
                path.place,
                &key,
                "blank_text",
                "The path must not be empty. Name a file, or remove the line.",
            );
        } else {
            // Whether the file is there is each device's to know; a policy that stops even one of
            // them must not be published.
            let message = "Clients refuse to start on every device where this file is missing or is no model catalog, \
                which cannot be known here. Remove the line; list the models at the upstream instead.";
            report.error(path.place, &key, "depends_on_device", message);
        }
    }
}
