//! What is kept beside the events of a repository, opened once each: lookup tables, saved queries, parsers.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use weir_engine::StoreError;

/// Things of one kind, one a repository.
pub(super) struct Kept<T> {
    open: Mutex<HashMap<String, Arc<T>>>,
    /// Held by whoever reads: not `open`, as those that are open are asked for on async threads.
    reading: Mutex<()>,
    folder: PathBuf,
    read: fn(&Path) -> Result<T, StoreError>,
}

impl<T> Kept<T> {
    /// None open yet; each repository has a folder of its own in `folder`, which `read` opens.
    pub(super) fn new(folder: PathBuf, read: fn(&Path) -> Result<T, StoreError>) -> Kept<T> {
        Kept { open: Mutex::default(), reading: Mutex::default(), folder, read }
    }

    /// That of `repository`; reads it at the first call, which is not for async threads.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub(super) fn of(&self, repository: &str) -> Result<Arc<T>, StoreError> {
        if let Some(kept) = self.known(repository) {
            return Ok(kept);
        }
        let _reading = self.reading.lock();
        if let Some(kept) = self.known(repository) {
            return Ok(kept);
        }
        // Names never become paths: a repository's folder is named by the hash of its name.
        let hash = xxhash_rust::xxh3::xxh3_128(repository.as_bytes());
        let kept = Arc::new((self.read)(&self.folder.join(format!("{hash:032x}")))?);
        self.open.lock().insert(repository.to_owned(), Arc::clone(&kept));
        Ok(kept)
    }

    fn known(&self, repository: &str) -> Option<Arc<T>> {
        self.open.lock().get(repository).cloned()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    /// Where reading the second repository waits.
    static READING: Barrier = Barrier::new(2);

    #[test]
    fn whoever_reads_keeps_nobody_from_what_is_open() {
        let kept = Kept::new(PathBuf::new(), |folder| {
            let second = format!("{:032x}", xxhash_rust::xxh3::xxh3_128(b"second"));
            if folder.ends_with(second) {
                READING.wait();
                READING.wait();
            }
            Ok(folder.to_owned())
        });
        let first = kept.of("first").unwrap();
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| kept.of("second").unwrap());
            READING.wait();
            assert!(Arc::ptr_eq(&first, &kept.of("first").unwrap()));
            READING.wait();
            assert!(Arc::ptr_eq(&reader.join().unwrap(), &kept.of("second").unwrap()));
        });
    }
}
