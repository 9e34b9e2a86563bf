//! Saved queries on the wire.

use serde::{Deserialize, Serialize};

/// A saved query.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SavedQuery {
    /// Its name.
    pub name: String,
    /// Its text.
    pub query_string: String,
}

impl SavedQuery {
    /// The query `name` with this text.
    #[must_use]
    pub fn new(name: &str, text: &str) -> SavedQuery {
        SavedQuery { name: name.to_owned(), query_string: text.to_owned() }
    }
}

/// What is sent to save one.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SavedText {
    /// Its text.
    pub query_string: String,
}
