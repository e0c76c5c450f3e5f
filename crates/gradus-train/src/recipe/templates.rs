//! Recipes to start from, for `gradus new`.

use super::keys::nearest;
use crate::{Error, Result};

/// Name and text of each template.
const TEMPLATES: [(&str, &str); 6] = [
    ("classifier", include_str!("templates/classifier.toml")),
    ("finetune", include_str!("templates/finetune.toml")),
    ("gpt", include_str!("templates/gpt.toml")),
    ("multilabel", include_str!("templates/multilabel.toml")),
    ("regression", include_str!("templates/regression.toml")),
    ("table", include_str!("templates/table.toml")),
];

pub(super) fn names() -> impl Iterator<Item = &'static str> {
    TEMPLATES.iter().map(|(name, _)| *name)
}

pub(super) fn find(name: &str) -> Result<&'static str> {
    let found = TEMPLATES.iter().find(|(known, _)| *known == name);
    found
        .map(|(_, text)| *text)
        .ok_or_else(|| Error::UnknownTemplate {
            name: name.to_owned(),
            suggestion: nearest(name, names()).map(str::to_owned),
            known: names().collect::<Vec<_>>().join(", "),
        })
}
