//! What is kept beside the events of a repository, opened once each: lookup tables, saved queries, parsers.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use weir_engine::StoreError;

/// Things of one kind, one a repository.
pub(super) struct Kept<T> {
    open: Mutex<HashMap<String, Arc<T>>>,
    folder: PathBuf,
    read: fn(&Path) -> Result<T, StoreError>,
}

impl<T> Kept<T> {
    /// None open yet; each repository has a folder of its own in `folder`, which `read` opens.
    pub(super) fn new(folder: PathBuf, read: fn(&Path) -> Result<T, StoreError>) -> Kept<T> {
        Kept { open: Mutex::default(), folder, read }
    }

    /// That of `repository`; opens it at the first call.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub(super) fn of(&self, repository: &str) -> Result<Arc<T>, StoreError> {
        let mut open = self.open.lock();
        if let Some(kept) = open.get(repository) {
            return Ok(Arc::clone(kept));
        }
        // Names never become paths: a repository's folder is named by the hash of its name.
        let hash = xxhash_rust::xxh3::xxh3_128(repository.as_bytes());
        let kept = Arc::new((self.read)(&self.folder.join(format!("{hash:032x}")))?);
        open.insert(repository.to_owned(), Arc::clone(&kept));
        Ok(kept)
    }
}
