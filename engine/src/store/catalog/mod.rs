//! Which repositories and segments there are: an append-only list of edits.
//!
//! Hard constraints:
//! * An edit counts once its record is synced; what it says is published only then. One edit takes segments in and out
//!   in one step, so that no crash shows their events twice or not at all.
//! * A long list is rewritten as a new file that replaces the old one in one step.
//! * Reading never fails for what the bytes say: a torn last record is dropped, a damaged one stepped over and reported.
//! * Names of repositories live here and nowhere else; files are named by number.
//!
//! ```text
//! catalog
//!
//! | header, 24 bytes | edit | edit | edit | ..
//!
//! edit: | magic, length, number, checksums: 24 bytes | payload |
//! ```
//!
//! The bytes are drawn in `engine/FORMAT.md`.

pub(crate) mod contents;
pub(crate) mod edit;
pub(crate) mod name;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub(crate) use contents::{Contents, RepositoryEntry};
pub(crate) use edit::{Edit, SegmentEntry};

use crate::error::StoreError;
use crate::store::files::{File, Files};
use crate::store::health::Health;

/// The file.
pub(crate) const FILE: &str = "catalog";
/// The list is rewritten when it is this much longer than a fresh one would be.
const SLACK_BYTES_MAX: u64 = 4 << 20;
/// Largest catalog read.
const FILE_BYTES_MAX: u64 = 4 << 30;

/// The catalog of a data directory, open for edits. There is one, behind a lock.
#[derive(Debug)]
pub(crate) struct Catalog {
    files: Files,
    health: Arc<Health>,
    contents: Contents,
    /// `None`: the file is to be rewritten before anything is added to it.
    file: Option<File>,
    len: u64,
    fresh_len: u64,
    next_edit: u64,
}

/// What reading the catalog found wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CatalogReport {
    /// A sentence for each damaged record.
    pub(crate) damage: Vec<String>,
    /// Bytes behind the last whole record: an edit under way when the machine stopped.
    pub(crate) torn_bytes: u64,
    /// There was no file.
    pub(crate) is_new: bool,
}

impl CatalogReport {
    /// Every byte was read and understood.
    pub(crate) fn is_clean(&self) -> bool {
        self.damage.is_empty() && self.torn_bytes == 0
    }
}

/// Reads the catalog without opening it for edits.
///
/// # Errors
/// When it cannot be read at all, or is of a newer version.
pub(crate) fn read(files: &Files) -> Result<(Contents, CatalogReport, u64), StoreError> {
    let mut report = CatalogReport::default();
    if !files.exists(FILE)? {
        report.is_new = true;
        return Ok((Contents::default(), report, 0));
    }
    let bytes = files.read(FILE, FILE_BYTES_MAX)?;
    let mut contents = Contents::default();
    let last = edit::read_all(FILE, &bytes, &mut report, &mut |edit| contents.apply(&edit))?;
    Ok((contents, report, last))
}

impl Catalog {
    /// Opens the catalog, or starts one. It is rewritten on its first edit, so that nothing is ever added behind
    /// a torn record.
    ///
    /// # Errors
    /// When it cannot be read or is of a newer version.
    pub(crate) fn open(files: Files, health: Arc<Health>) -> Result<(Catalog, CatalogReport), StoreError> {
        let (contents, report, last) = read(&files)?;
        let catalog =
            Catalog { files, health, contents, file: None, len: 0, fresh_len: 0, next_edit: last + 1 };
        Ok((catalog, report))
    }

    /// What it says now.
    pub(crate) fn contents(&self) -> &Contents {
        &self.contents
    }

    /// An id no segment has or had.
    pub(crate) fn take_segment_id(&mut self) -> u64 {
        self.contents.take_segment_id()
    }

    /// Skips ids up to that of a file found in the directory.
    pub(crate) fn skip_segment_id(&mut self, id: u64) {
        self.contents.skip_segment_id(id);
    }

    /// Makes an edit safe, and then true.
    ///
    /// # Errors
    /// When it could not be written: it is then not true. When a sync failed nobody knows, and the store is poisoned.
    pub(crate) fn commit(&mut self, edit: &Edit) -> Result<(), StoreError> {
        self.health.check_store()?;
        // Given back at the end: after an error, or a panic, part of the record may stand in the file, and nothing may be
        // added behind it.
        let file = match self.file.take() {
            Some(file) if self.len <= self.fresh_len + SLACK_BYTES_MAX => {
                let record = edit::record(self.next_edit, edit);
                file.write_at(&record, self.len)?;
                file.sync_data().inspect_err(|error| drop(self.health.poison(error)))?;
                self.len += record.len() as u64;
                file
            }
            _ => self.rewrite(edit)?,
        };
        self.next_edit += 1;
        self.contents.apply(edit);
        self.file = Some(file);
        Ok(())
    }

    /// Writes everything the catalog says, with `edit`, as a new file.
    fn rewrite(&mut self, edit: &Edit) -> Result<File, StoreError> {
        let mut next = self.contents.clone();
        next.apply(edit);
        let bytes = edit::file(self.next_edit, &next.edits());
        // A full disk shows while the new file is written, and the old one is still the catalog. Anything later
        // leaves open which of the two it is.
        self.files.replace(FILE, &bytes).inspect_err(|error| {
            if !matches!(error, StoreError::Io { action: "create" | "write", .. }) {
                self.health.poison(error);
            }
        })?;
        self.len = bytes.len() as u64;
        self.fresh_len = self.len;
        self.files.open_write(FILE)
    }
}
