//! The lookup tables of a repository, as they were uploaded: files on disk, and what they read as in memory.
//!
//! A query takes the tables there are when it is compiled, and keeps them whatever becomes of the files.

use std::path::Path;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
pub use weir_query::compile::Tables;
use weir_query::table::{MAX_TABLE_BYTES, Table, TableError};

use crate::error::StoreError;
use crate::named::{Kind, MAX_NAME_BYTES, NamedFiles};

const KIND: Kind = Kind { magic: b"weir-lookup 1\n", ending: ".lookup", max_bytes: MAX_TABLE_BYTES };
/// The most tables of a repository.
pub const MAX_LOOKUPS: usize = 1_000;

/// The lookup tables of a repository.
#[derive(Debug)]
pub struct Lookups {
    files: NamedFiles,
    tables: RwLock<Arc<Tables>>,
    /// Held by whoever changes them.
    change: Mutex<()>,
}

/// Why a table was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// Its name cannot be one.
    #[error(
        "{0:?} is no name for a lookup table: 1 to {MAX_NAME_BYTES} bytes without control characters are"
    )]
    Name(String),
    /// It does not read as a table.
    #[error("{name}: {source}")]
    Content {
        /// Its name.
        name: String,
        /// What is wrong.
        source: TableError,
    },
    /// There are too many.
    #[error("a repository has at most {MAX_LOOKUPS} lookup tables")]
    TooMany,
    /// The disk said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Lookups {
    /// Reads the tables in directory `folder`, which is made when absent.
    ///
    /// # Errors
    /// When the directory cannot be read. A damaged file is left alone, logged, and is no table.
    pub fn open(folder: &Path) -> Result<Lookups, StoreError> {
        Lookups::open_in(NamedFiles::open(folder, KIND)?)
    }

    fn open_in(files: NamedFiles) -> Result<Lookups, StoreError> {
        let mut tables = Tables::new();
        files.for_each(|name, content| match Table::read(name, content) {
            Ok(table) => drop(tables.insert(name.to_owned(), Arc::new(table))),
            Err(error) => tracing::error!(name, %error, "a lookup table is not there"),
        })?;
        Ok(Lookups { files, tables: RwLock::new(Arc::new(tables)), change: Mutex::new(()) })
    }

    /// The tables there are now.
    #[must_use]
    pub fn tables(&self) -> Arc<Tables> {
        Arc::clone(&self.tables.read())
    }

    /// Takes a table, in place of one of the same name; durable when it returns. Whether it is new.
    ///
    /// # Errors
    /// When the name cannot be one, the content is no table, there are too many, or it cannot be written.
    pub fn put(&self, name: &str, content: &[u8]) -> Result<(bool, Arc<Table>), LookupError> {
        if !NamedFiles::is_name(name) {
            return Err(LookupError::Name(name.to_owned()));
        }
        let fault = |source| LookupError::Content { name: name.to_owned(), source };
        let table = Arc::new(Table::read(name, content).map_err(fault)?);
        let _changing = self.change.lock();
        let mut tables = Tables::clone(&self.tables());
        let is_new = !tables.contains_key(name);
        if is_new && tables.len() >= MAX_LOOKUPS {
            return Err(LookupError::TooMany);
        }
        self.files.put(name, content)?;
        tables.insert(name.to_owned(), Arc::clone(&table));
        *self.tables.write() = Arc::new(tables);
        Ok((is_new, table))
    }

    /// Takes a table away; false when there is none of that name.
    ///
    /// # Errors
    /// When its file cannot be removed.
    pub fn remove(&self, name: &str) -> Result<bool, LookupError> {
        let _changing = self.change.lock();
        let mut tables = Tables::clone(&self.tables());
        if tables.remove(name).is_none() {
            return Ok(false);
        }
        self.files.remove(name)?;
        *self.tables.write() = Arc::new(tables);
        Ok(true)
    }

    /// The content of a table as it was uploaded; `None` when there is none of that name.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub fn content(&self, name: &str) -> Result<Option<Vec<u8>>, LookupError> {
        // Not while it is being replaced or removed.
        let _changing = self.change.lock();
        if !self.tables().contains_key(name) {
            return Ok(None);
        }
        Ok(Some(self.files.content(name)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::files::Files;

    fn open(files: &Files) -> Lookups {
        Lookups::open_in(NamedFiles::in_files(files.clone(), KIND)).unwrap()
    }

    #[test]
    fn tables_come_and_go_and_are_there_again() {
        let files = Files::memory();
        let lookups = open(&files);
        assert!(lookups.put("a/hosts.csv", b"ip,name\n1,x\n").unwrap().0);
        let before = lookups.tables();
        let (is_new, table) = lookups.put("a/hosts.csv", b"ip,name\n1,y\n2,z\n").unwrap();
        assert!(!is_new && table.rows() == 2);
        // Whoever has the old one goes on with it.
        assert_eq!(before["a/hosts.csv"].rows(), 1);
        lookups.put("b.json", b"[{\"a\":1}]").unwrap();
        let again = open(&files);
        assert_eq!(again.tables().keys().collect::<Vec<_>>(), ["a/hosts.csv", "b.json"]);
        assert_eq!(*again.tables()["a/hosts.csv"], *table);
        assert_eq!(again.content("a/hosts.csv").unwrap().unwrap(), b"ip,name\n1,y\n2,z\n");
        assert_eq!(again.content("c").unwrap(), None);
        assert!(again.remove("b.json").unwrap() && !again.remove("b.json").unwrap());
        assert_eq!(open(&files).tables().len(), 1);
    }

    #[test]
    fn what_is_no_table_is_not_taken() {
        let lookups = open(&Files::memory());
        let told = |name: &str, content: &[u8]| lookups.put(name, content).unwrap_err().to_string();
        assert!(told("", b"a\n").starts_with("\"\" is no name"));
        assert_eq!(told("h.csv", b"a,a\n"), "h.csv: line 1: the column `a` stands twice");
        assert!(lookups.tables().is_empty());
    }

    #[test]
    fn there_are_so_many_and_no_more() {
        let lookups = open(&Files::memory());
        (0..MAX_LOOKUPS).for_each(|at| drop(lookups.put(&format!("{at}.csv"), b"a\n").unwrap()));
        assert!(matches!(lookups.put("more.csv", b"a\n"), Err(LookupError::TooMany)));
        assert!(lookups.put("7.csv", b"b\n").is_ok());
    }
}
