//! What is told of a lookup file.

use serde::Serialize;
use weir_query::table::Table;

/// A lookup file.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FileFacts {
    /// Its name.
    pub name: String,
    /// How many rows it has.
    pub rows: usize,
    /// The names of its columns.
    pub columns: Vec<String>,
    /// A hash of what is in it, hexadecimal.
    pub content_hash: String,
    /// Bytes of memory it takes.
    pub memory_bytes: usize,
}

impl FileFacts {
    /// What is told of `table`.
    #[must_use]
    pub fn of(table: &Table) -> FileFacts {
        FileFacts {
            name: table.name().to_string(),
            rows: table.rows(),
            columns: table.names().map(ToString::to_string).collect(),
            content_hash: format!("{:016x}", table.fingerprint()),
            memory_bytes: table.bytes(),
        }
    }
}
