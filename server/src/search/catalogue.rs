//! The names that a query of a repository may use, for whoever writes one.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use weir_engine::Repository;
use weir_query::compile::Known;
use weir_query::editing::{Catalogue, FieldFact, ValueFact};
use weir_query::table::Table;

/// Fields are looked for again when what is known is older than this: whoever writes asks with every letter.
const MAX_FIELDS_AGE: Duration = Duration::from_secs(5);

/// The fields of repositories as they were a short while ago.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    known: Arc<Mutex<HashMap<Arc<str>, Seen>>>,
}

/// Fields, and when they were looked for.
type Seen = (Instant, Arc<Vec<FieldFact>>);

impl Fields {
    /// Those of `repository`, tags included.
    #[must_use]
    pub fn of(&self, repository: &Repository) -> Arc<Vec<FieldFact>> {
        let known = self.known.lock().get(repository.name()).cloned();
        if let Some((_, fields)) = known.filter(|(since, _)| since.elapsed() < MAX_FIELDS_AGE) {
            return fields;
        }
        let fields = repository.fields().into_iter();
        let fields =
            fields.map(|field| FieldFact { name: field.name, events: field.events, numbers: field.numbers });
        let tags = repository.tags().into_iter();
        let tags = tags.map(|(name, events)| FieldFact { name, events, numbers: 0 });
        let found = Arc::new(fields.chain(tags).collect::<Vec<_>>());
        self.known.lock().insert(Arc::clone(repository.name()), (Instant::now(), Arc::clone(&found)));
        found
    }
}

/// What is known of a repository.
#[derive(Clone, Debug)]
pub struct RepositoryCatalogue {
    repository: Arc<Repository>,
    /// Its lookup tables and saved queries.
    pub known: Known,
    fields: Fields,
}

impl RepositoryCatalogue {
    /// Of `repository`, with these tables and saved queries.
    #[must_use]
    pub fn new(repository: Arc<Repository>, known: Known, fields: Fields) -> RepositoryCatalogue {
        RepositoryCatalogue { repository, known, fields }
    }
}

impl Catalogue for RepositoryCatalogue {
    fn fields(&self) -> Vec<FieldFact> {
        self.fields.of(&self.repository).to_vec()
    }

    fn values(&self, field: &str) -> Vec<ValueFact> {
        let values = self.repository.values(field).into_iter();
        values.map(|(value, events)| ValueFact { value, events }).collect()
    }

    fn saved(&self) -> Arc<BTreeMap<String, String>> {
        Arc::clone(&self.known.saved)
    }

    fn tables(&self) -> Arc<BTreeMap<String, Arc<Table>>> {
        Arc::clone(&self.known.tables)
    }
}
