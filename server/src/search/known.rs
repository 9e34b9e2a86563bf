//! What queries of a repository may name besides fields.

use std::collections::BTreeMap;
use std::sync::Arc;

use weir_engine::lookups::Tables;
use weir_engine::saved::Texts;
use weir_query::compile::Options;

/// The lookup tables and saved queries of a repository at one moment.
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
            tables: Tables::clone(&self.tables),
            saved: Texts::clone(&self.saved),
            ..Options::default()
        }
    }
}
