//! The lookup tables of every repository, opened once each.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use weir_engine::StoreError;
use weir_engine::lookups::Lookups;

/// The lookup tables of every repository.
pub(super) struct LookupTables {
    open: Mutex<HashMap<String, Arc<Lookups>>>,
    folder: PathBuf,
}

impl LookupTables {
    /// None open yet; each repository has a folder of its own in `folder`.
    pub(super) fn new(folder: PathBuf) -> LookupTables {
        LookupTables { open: Mutex::default(), folder }
    }

    /// Those of `repository`; reads them at the first call.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub(super) fn of(&self, repository: &str) -> Result<Arc<Lookups>, StoreError> {
        let mut open = self.open.lock();
        if let Some(lookups) = open.get(repository) {
            return Ok(Arc::clone(lookups));
        }
        // Names never become paths: a repository's folder is named by the hash of its name.
        let hash = xxhash_rust::xxh3::xxh3_128(repository.as_bytes());
        let lookups = Arc::new(Lookups::open(&self.folder.join(format!("{hash:032x}")))?);
        open.insert(repository.to_owned(), Arc::clone(&lookups));
        Ok(lookups)
    }
}
