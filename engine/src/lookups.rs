//! The lookup tables of a repository, as they were uploaded: files on disk, and what they read as in memory.
//!
//! ```text
//! file := "weir-lookup 1\n" name length (u32 LE) name, checksum of the content (CRC-32C, u32 LE), content
//! ```
//!
//! Hard constraints: a file is replaced as a whole or not at all; a name never becomes a path; a file whose checksum
//! does not fit is no table, and is told of. A query takes the tables there are when it is compiled, and keeps them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use weir_query::table::{MAX_TABLE_BYTES, Table, TableError};

use crate::error::StoreError;
use crate::store::files::Files;

const MAGIC: &[u8] = b"weir-lookup 1\n";
/// What files of tables end in.
const ENDING: &str = ".lookup";
/// The longest name, bytes.
pub const MAX_LOOKUP_NAME_BYTES: usize = 255;
/// The most tables of a repository.
pub const MAX_LOOKUPS: usize = 1_000;
/// Bytes of a file besides its content.
const MAX_HEAD_BYTES: usize = MAGIC.len() + 4 + MAX_LOOKUP_NAME_BYTES + 4;

/// Tables by name.
pub type Tables = BTreeMap<String, Arc<Table>>;

/// The lookup tables of a repository.
#[derive(Debug)]
pub struct Lookups {
    files: Files,
    tables: RwLock<Arc<Tables>>,
    /// Held by whoever changes them.
    change: Mutex<()>,
}

/// Why a table was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// Its name cannot be one.
    #[error(
        "{0:?} is no name for a lookup table: 1 to {MAX_LOOKUP_NAME_BYTES} bytes without control characters are"
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
        Lookups::open_in(Files::real(folder)?)
    }

    /// As [`Lookups::open`], in `files`.
    ///
    /// # Errors
    /// As [`Lookups::open`].
    pub fn open_in(files: Files) -> Result<Lookups, StoreError> {
        let mut tables = Tables::new();
        for entry in files.list("")? {
            if !entry.name.ends_with(ENDING) {
                continue;
            }
            let bytes = files.read(&entry.name, (MAX_TABLE_BYTES + MAX_HEAD_BYTES) as u64)?;
            let read = parse(&bytes)
                .ok_or_else(|| "it is damaged".to_owned())
                .and_then(|(name, content)| Table::read(name, content).map_err(|error| error.to_string()));
            match read {
                Ok(table) => drop(tables.insert(table.name().to_string(), Arc::new(table))),
                Err(reason) => tracing::error!(file = entry.name, reason, "a lookup table is not there"),
            }
        }
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
        let ok = (1..=MAX_LOOKUP_NAME_BYTES).contains(&name.len()) && !name.chars().any(char::is_control);
        if !ok {
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
        self.files.replace(&file_name(name), &bytes_of(name, content))?;
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
        self.files.remove(&file_name(name))?;
        self.files.sync_dir("")?;
        *self.tables.write() = Arc::new(tables);
        Ok(true)
    }

    /// The content of a table as it was uploaded; `None` when there is none of that name.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub fn content(&self, name: &str) -> Result<Option<Vec<u8>>, LookupError> {
        if !self.tables().contains_key(name) {
            return Ok(None);
        }
        let path = file_name(name);
        let bytes = self.files.read(&path, (MAX_TABLE_BYTES + MAX_HEAD_BYTES) as u64)?;
        match parse(&bytes) {
            Some((_, content)) => Ok(Some(content.to_vec())),
            None => {
                let reason = "the content has another checksum".to_owned();
                Err(StoreError::Damaged { path, offset: 0, reason }.into())
            }
        }
    }
}

fn file_name(name: &str) -> String {
    format!("{:032x}{ENDING}", xxhash_rust::xxh3::xxh3_128(name.as_bytes()))
}

fn bytes_of(name: &str, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(MAX_HEAD_BYTES + content.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&(name.len() as u32).to_le_bytes());
    bytes.extend_from_slice(name.as_bytes());
    bytes.extend_from_slice(&crc32c::crc32c(content).to_le_bytes());
    bytes.extend_from_slice(content);
    bytes
}

/// The name and the content, when they are whole.
fn parse(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (len, rest) = bytes.strip_prefix(MAGIC)?.split_first_chunk::<4>()?;
    let (name, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
    let (checksum, content) = rest.split_first_chunk::<4>()?;
    let whole = crc32c::crc32c(content) == u32::from_le_bytes(*checksum);
    Some((std::str::from_utf8(name).ok().filter(|_| whole)?, content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_come_and_go_and_are_there_again() {
        let files = Files::memory();
        let lookups = Lookups::open_in(files.clone()).unwrap();
        assert!(lookups.put("a/hosts.csv", b"ip,name\n1,x\n").unwrap().0);
        let before = lookups.tables();
        let (is_new, table) = lookups.put("a/hosts.csv", b"ip,name\n1,y\n2,z\n").unwrap();
        assert!(!is_new && table.rows() == 2);
        // Whoever has the old one goes on with it.
        assert_eq!(before["a/hosts.csv"].rows(), 1);
        lookups.put("b.json", b"[{\"a\":1}]").unwrap();
        let again = Lookups::open_in(files.clone()).unwrap();
        assert_eq!(again.tables().keys().collect::<Vec<_>>(), ["a/hosts.csv", "b.json"]);
        assert_eq!(*again.tables()["a/hosts.csv"], *table);
        assert_eq!(again.content("a/hosts.csv").unwrap().unwrap(), b"ip,name\n1,y\n2,z\n");
        assert_eq!(again.content("c").unwrap(), None);
        assert!(again.remove("b.json").unwrap() && !again.remove("b.json").unwrap());
        assert_eq!(Lookups::open_in(files).unwrap().tables().len(), 1);
    }

    #[test]
    fn what_is_no_table_is_not_taken() {
        let lookups = Lookups::open_in(Files::memory()).unwrap();
        let told = |name: &str, content: &[u8]| lookups.put(name, content).unwrap_err().to_string();
        assert!(told("", b"a\n").starts_with("\"\" is no name"));
        assert!(told("a\nb", b"a\n").contains("is no name"));
        assert!(told(&"x".repeat(MAX_LOOKUP_NAME_BYTES + 1), b"a\n").contains("is no name"));
        assert!(lookups.put(&"x".repeat(MAX_LOOKUP_NAME_BYTES), b"a\n").is_ok());
        assert_eq!(told("h.csv", b"a,a\n"), "h.csv: line 1: the column `a` stands twice");
        assert_eq!(lookups.tables().len(), 1);
    }

    #[test]
    fn a_damaged_file_is_no_table() {
        let files = Files::memory();
        Lookups::open_in(files.clone()).unwrap().put("a.csv", b"x\n1\n").unwrap();
        let mut bytes = files.read(&file_name("a.csv"), 1_000).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        files.replace(&file_name("a.csv"), &bytes).unwrap();
        assert!(Lookups::open_in(files).unwrap().tables().is_empty());
    }

    #[test]
    fn there_are_so_many_and_no_more() {
        let lookups = Lookups::open_in(Files::memory()).unwrap();
        (0..MAX_LOOKUPS).for_each(|at| drop(lookups.put(&format!("{at}.csv"), b"a\n").unwrap()));
        assert!(matches!(lookups.put("more.csv", b"a\n"), Err(LookupError::TooMany)));
        assert!(lookups.put("7.csv", b"b\n").is_ok());
    }
}
