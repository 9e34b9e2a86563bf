//! The saved queries of a repository: texts by name, which other queries call as `$name(…)`.

use std::path::Path;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use weir_query::compile::Options;
pub use weir_query::compile::Texts;
use weir_query::error::{Diagnostics, MAX_QUERY_BYTES};
use weir_query::parser::parse;
use weir_query::program::Program;

use crate::error::StoreError;
use crate::named::{Kind, MAX_NAME_BYTES, NamedFiles};

const KIND: Kind = Kind { magic: b"weir-query 1\n", ending: ".query", max_bytes: MAX_QUERY_BYTES };
/// The most saved queries of a repository.
pub const MAX_SAVED_QUERIES: usize = 1_000;
/// Faults that keep a query from being saved: others hang on parameters, tables and queries that may still come.
const FATAL: [&str; 2] = ["syntax", "saved-query-cycle"];

/// The saved queries of a repository.
#[derive(Debug)]
pub struct SavedQueries {
    files: NamedFiles,
    texts: RwLock<Arc<Texts>>,
    /// Held by whoever changes them.
    change: Mutex<()>,
}

/// Why a query was not saved.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    /// Its name cannot be one.
    #[error("{0:?} is no name for a query: 1 to {MAX_NAME_BYTES} bytes without control characters are")]
    Name(String),
    /// It does not parse, is too large, or calls itself.
    #[error(transparent)]
    Query(#[from] Diagnostics),
    /// There are too many.
    #[error("a repository has at most {MAX_SAVED_QUERIES} saved queries")]
    TooMany,
    /// The disk said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SavedQueries {
    /// Reads those in directory `folder`, which is made when absent.
    ///
    /// # Errors
    /// When the directory cannot be read. A damaged file is left alone, logged, and names nothing.
    pub fn open(folder: &Path) -> Result<SavedQueries, StoreError> {
        SavedQueries::open_in(NamedFiles::open(folder, KIND)?)
    }

    fn open_in(files: NamedFiles) -> Result<SavedQueries, StoreError> {
        let mut texts = Texts::new();
        files.for_each(|name, content| {
            texts.insert(name.to_owned(), String::from_utf8_lossy(content).into_owned());
        })?;
        Ok(SavedQueries { files, texts: RwLock::new(Arc::new(texts)), change: Mutex::new(()) })
    }

    /// The queries there are now.
    #[must_use]
    pub fn texts(&self) -> Arc<Texts> {
        Arc::clone(&self.texts.read())
    }

    /// Saves a query, in place of one of the same name; durable when it returns. Whether it is new.
    ///
    /// # Errors
    /// When the name cannot be one, the text does not parse, is too large or would call itself, there are too many, or it
    /// cannot be written.
    pub fn put(&self, name: &str, text: &str) -> Result<bool, SavedError> {
        if !NamedFiles::is_name(name) {
            return Err(SavedError::Name(name.to_owned()));
        }
        if text.len() > MAX_QUERY_BYTES {
            // Its file would not be read again.
            return Err(parse(text).diagnostics.into());
        }
        let _changing = self.change.lock();
        let mut texts = Texts::clone(&self.texts());
        if !texts.contains_key(name) && texts.len() >= MAX_SAVED_QUERIES {
            return Err(SavedError::TooMany);
        }
        let is_new = texts.insert(name.to_owned(), text.to_owned()).is_none();
        let texts = Arc::new(texts);
        let options = Options { saved: Arc::clone(&texts), is_standing: true, ..Options::default() };
        if let Err(mut faults) = Program::compile(text, &options) {
            faults.list.retain(|fault| FATAL.contains(&fault.code));
            if !faults.list.is_empty() {
                return Err(faults.into());
            }
        }
        self.files.put(name, text.as_bytes())?;
        *self.texts.write() = texts;
        Ok(is_new)
    }

    /// Takes a query away; false when there is none of that name.
    ///
    /// # Errors
    /// When its file cannot be removed.
    pub fn remove(&self, name: &str) -> Result<bool, SavedError> {
        let _changing = self.change.lock();
        let mut texts = Texts::clone(&self.texts());
        if texts.remove(name).is_none() {
            return Ok(false);
        }
        self.files.remove(name)?;
        *self.texts.write() = Arc::new(texts);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::files::Files;

    fn open(files: &Files) -> SavedQueries {
        SavedQueries::open_in(NamedFiles::in_files(files.clone(), KIND)).unwrap()
    }

    #[test]
    fn queries_come_and_go_and_are_there_again() {
        let files = Files::memory();
        let saved = open(&files);
        assert!(saved.put("owner/pkg:errors", "level=?level | service=?{service=*}").unwrap());
        assert!(!saved.put("owner/pkg:errors", "level=ERROR").unwrap());
        assert!(saved.put("top", "$\"owner/pkg:errors\"() | top(service)").unwrap());
        let again = open(&files);
        assert_eq!(again.texts()["owner/pkg:errors"], "level=ERROR");
        assert!(again.remove("top").unwrap() && !again.remove("top").unwrap());
        assert_eq!(open(&files).texts().len(), 1);
    }

    #[test]
    fn what_cannot_run_is_not_saved() {
        let saved = open(&Files::memory());
        let told = |name: &str, text: &str| saved.put(name, text).unwrap_err().to_string();
        assert!(told("", "a=1").contains("is no name"));
        assert!(told("a", "a=(").starts_with("expected"), "{}", told("a", "a=("));
        saved.put("a", "$b()").unwrap();
        let cycle = "in saved query `a`: in saved query `b`: saved query `a` calls itself at byte 0";
        assert_eq!(told("b", "$a()"), cycle);
        assert_eq!(told("a", "$a()"), "in saved query `a`: saved query `a` calls itself at byte 0");
        assert_eq!(saved.texts()["a"], "$b()");
    }

    #[test]
    fn a_text_too_long_to_be_read_again_is_not_saved() {
        let files = Files::memory();
        let saved = open(&files);
        let text = |bytes: usize| format!("a=1{}", " ".repeat(bytes - 3));
        assert!(saved.put("long", &text(MAX_QUERY_BYTES)).unwrap());
        let told = saved.put("longer", &text(MAX_QUERY_BYTES + 1)).unwrap_err().to_string();
        assert!(told.contains("at most 1048576 are read"), "{told}");
        assert_eq!(open(&files).texts().len(), 1);
    }

    #[test]
    fn there_are_so_many_and_no_more() {
        let saved = open(&Files::memory());
        assert!((0..MAX_SAVED_QUERIES).all(|at| saved.put(&format!("{at}"), "a=1").unwrap()));
        assert!(matches!(saved.put("more", "a=1"), Err(SavedError::TooMany)));
        assert!(!saved.put("7", "a=2").unwrap());
    }
}
