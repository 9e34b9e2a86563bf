//! What queries of a repository may name besides fields.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Options;
use crate::table::Table;

/// Lookup tables by name.
pub type Tables = BTreeMap<String, Arc<Table>>;
/// Saved queries: name to text.
pub type Texts = BTreeMap<String, String>;

/// The lookup tables and saved queries of a repository at one moment. Cloning it costs nothing, however many there are,
/// and so does compiling with it.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Lookup tables.
    pub tables: Arc<Tables>,
    /// Saved queries.
    pub saved: Arc<Texts>,
}

impl Known {
    /// What a query with these arguments is compiled with.
    #[must_use]
    pub fn options(&self, arguments: &BTreeMap<String, Vec<String>>) -> Options {
        Options {
            arguments: arguments.clone(),
            tables: Arc::clone(&self.tables),
            saved: Arc::clone(&self.saved),
            ..Options::default()
        }
    }

    /// Whether these are the same tables and queries, not merely equal ones.
    #[must_use]
    pub fn is_same(&self, other: &Known) -> bool {
        Arc::ptr_eq(&self.tables, &other.tables) && Arc::ptr_eq(&self.saved, &other.saved)
    }
}
