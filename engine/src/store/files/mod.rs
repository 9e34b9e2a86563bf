//! The only door from the store to files.
//!
//! Hard constraints:
//! * Names are relative to one root, made by the store itself from numbers; nothing a user sends becomes one.
//! * A write is not safe before [`File::sync_data`]; a name is not safe before [`Files::sync_dir`]. A failed sync is
//!   never tried again: what it lost stays lost, and a second try would say otherwise.
//! * Only whole, sealed files that the store itself wrote and whose length was checked are mapped ([`File::map`]).
//!
//! Two implementations, closed: the file system ([`real`]) and one in memory ([`memory`]) that loses, tears,
//! reorders and corrupts whatever was not synced, and fails where a test tells it to.

mod map;
pub mod memory;
pub mod real;
mod sequential;
#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;

pub use map::Mapped;
use memory::{MemoryFile, MemoryFiles};
use real::{RealFile, RealFiles};
pub use sequential::Sequential;

use crate::error::StoreError;

/// Most times a write or read is taken up again after an interruption or a short count in a row.
const MAX_STALLS: usize = 1_000;
/// Most slices handed to the system in one write.
const MAX_SLICES: usize = 64;

/// A tree of files.
#[derive(Clone, Debug)]
pub enum Files {
    /// On the file system.
    Real(RealFiles),
    /// In memory.
    Memory(MemoryFiles),
}

/// One open file.
#[derive(Debug)]
pub struct File {
    name: String,
    inner: Inner,
}

#[derive(Debug)]
enum Inner {
    Real(RealFile),
    Memory(MemoryFile),
}

/// A file or directory in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name inside the directory.
    pub name: String,
    /// Its length in bytes.
    pub len: u64,
}

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// An existing file, to read.
    Read,
    /// An existing file, to read and write.
    Write,
    /// A new, empty file; one of that name is emptied.
    Create,
}

fn failed(action: &'static str, path: &str) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { action, path, source }
}

impl Files {
    /// The files under directory `root`, which is made when absent.
    ///
    /// # Errors
    /// When it can be neither found nor made.
    pub fn real(root: &Path) -> Result<Files, StoreError> {
        let shown = root.display().to_string();
        RealFiles::new(root).map(Files::Real).map_err(failed("make directory", &shown))
    }

    /// Files in memory, empty.
    #[must_use]
    pub fn memory() -> Files {
        Files::Memory(MemoryFiles::new())
    }

    fn open_as(&self, name: &str, mode: Mode) -> io::Result<File> {
        let inner = match self {
            Files::Real(files) => Inner::Real(files.open(name, mode)?),
            Files::Memory(files) => Inner::Memory(files.open(name, mode)?),
        };
        Ok(File { name: name.to_owned(), inner })
    }

    /// Opens an existing file to read.
    ///
    /// # Errors
    /// When there is none or it may not be read.
    pub fn open(&self, name: &str) -> Result<File, StoreError> {
        self.open_as(name, Mode::Read).map_err(failed("open", name))
    }

    /// Opens an existing file to read and write.
    ///
    /// # Errors
    /// When there is none or it may not be written.
    pub fn open_write(&self, name: &str) -> Result<File, StoreError> {
        self.open_as(name, Mode::Write).map_err(failed("open", name))
    }

    /// Makes a file, or empties the one of that name. Its name is safe after [`Files::sync_dir`].
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(&self, name: &str) -> Result<File, StoreError> {
        self.open_as(name, Mode::Create).map_err(failed("create", name))
    }

    /// Makes a directory; one that exists is left alone.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create_dir(&self, name: &str) -> Result<(), StoreError> {
        match self {
            Files::Real(files) => files.create_dir(name),
            Files::Memory(files) => files.create_dir(name),
        }
        .map_err(failed("make directory", name))
    }

    /// Gives a file another name, in one step, replacing a file of that name. Safe after [`Files::sync_dir`].
    ///
    /// # Errors
    /// When there is no such file or the name cannot be written.
    pub fn rename(&self, from: &str, to: &str) -> Result<(), StoreError> {
        match self {
            Files::Real(files) => files.rename(from, to),
            Files::Memory(files) => files.rename(from, to),
        }
        .map_err(failed("rename", from))
    }

    /// Removes a file; one that is not there is no error.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove(&self, name: &str) -> Result<(), StoreError> {
        let answer = match self {
            Files::Real(files) => files.remove(name),
            Files::Memory(files) => files.remove(name),
        };
        match answer {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other.map_err(failed("remove", name)),
        }
    }

    /// Makes the names in a directory safe; `""` is the root.
    ///
    /// # Errors
    /// When the sync failed: what is safe is then unknown.
    pub fn sync_dir(&self, name: &str) -> Result<(), StoreError> {
        match self {
            Files::Real(files) => files.sync_dir(name),
            Files::Memory(files) => files.sync_dir(name),
        }
        .map_err(failed("sync directory", name))
    }

    /// The files in a directory (no directories), by name; `""` is the root.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn list(&self, name: &str) -> Result<Vec<Entry>, StoreError> {
        let mut entries = match self {
            Files::Real(files) => files.list(name),
            Files::Memory(files) => files.list(name),
        }
        .map_err(failed("list", name))?;
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    /// Whether a file of that name is there.
    ///
    /// # Errors
    /// When its directory cannot be read.
    pub fn exists(&self, name: &str) -> Result<bool, StoreError> {
        match self.open_as(name, Mode::Read) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(failed("open", name)(error)),
        }
    }

    /// The whole content of a file of at most `limit_bytes`.
    ///
    /// # Errors
    /// When it cannot be read or is larger.
    pub fn read(&self, name: &str, limit_bytes: u64) -> Result<Vec<u8>, StoreError> {
        let file = self.open(name)?;
        let len = file.len()?;
        if len > limit_bytes {
            let reason = format!("{len} bytes long, at most {limit_bytes} expected");
            return Err(StoreError::Damaged { path: name.to_owned(), offset: 0, reason });
        }
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
        file.read_at(&mut bytes, 0)?;
        Ok(bytes)
    }

    /// Writes a whole file so that after a crash either the old or the new content is there: a temporary file is
    /// written and synced, renamed, and the directory synced.
    ///
    /// # Errors
    /// When any step failed; which content is there is then unknown after a failed sync.
    pub fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let temporary = format!("{name}.tmp");
        let file = self.create(&temporary)?;
        file.write_at(bytes, 0)?;
        file.sync_data()?;
        self.rename(&temporary, name)?;
        self.sync_dir(parent(name))
    }

    /// Bytes free on the file system.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn free_bytes(&self) -> Result<u64, StoreError> {
        match self {
            Files::Real(files) => files.free_bytes(),
            Files::Memory(files) => Ok(files.free_bytes()),
        }
        .map_err(failed("ask for free space of", ""))
    }

    /// Takes the tree for this process alone until the answer is dropped; `None` when another has it.
    ///
    /// # Errors
    /// When the lock file cannot be made.
    pub fn lock(&self) -> Result<Option<Lock>, StoreError> {
        match self {
            Files::Real(files) => files.lock().map_err(failed("lock", real::LOCK)),
            Files::Memory(_) => Ok(Some(Lock { _held: None })),
        }
    }
}

/// Holds the tree for this process; the system lets go when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    _held: Option<std::fs::File>,
}

/// The directory part of a name; `""` for the root.
#[must_use]
pub fn parent(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(dir, _)| dir)
}

impl File {
    /// The name it was opened by.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its length in bytes.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn len(&self) -> Result<u64, StoreError> {
        match &self.inner {
            Inner::Real(file) => file.len(),
            Inner::Memory(file) => file.len(),
        }
        .map_err(failed("measure", &self.name))
    }

    /// It has no bytes.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn is_empty(&self) -> Result<bool, StoreError> {
        self.len().map(|len| len == 0)
    }

    fn read_some(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        match &self.inner {
            Inner::Real(file) => file.read_some(buffer, offset),
            Inner::Memory(file) => file.read_some(buffer, offset),
        }
    }

    /// Fills `buffer` from `offset`.
    ///
    /// # Errors
    /// When the file ends before, or cannot be read.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), StoreError> {
        match self.read_up_to(buffer, offset)? {
            filled if filled == buffer.len() => Ok(()),
            _ => Err(failed("read", &self.name)(io::ErrorKind::UnexpectedEof.into())),
        }
    }

    /// Fills `buffer` from `offset` as far as the file goes; tells how far.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read_up_to(&self, buffer: &mut [u8], offset: u64) -> Result<usize, StoreError> {
        let (mut filled, mut stalls) = (0, 0);
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.read_some(rest, offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => (filled, stalls) = (filled + count, 0),
                Err(error) if error.kind() == io::ErrorKind::Interrupted && stalls < MAX_STALLS => {
                    stalls += 1
                }
                Err(error) => return Err(failed("read", &self.name)(error)),
            }
        }
        Ok(filled)
    }

    /// Writes all of `bytes` at `offset`, growing the file as needed.
    ///
    /// # Errors
    /// When not all could be written; a part of it may stand in the file.
    pub fn write_at(&self, bytes: &[u8], offset: u64) -> Result<(), StoreError> {
        self.write_slices_at(&[bytes], offset)
    }

    /// Writes all of `slices`, one after the other, from `offset`, without joining them first.
    ///
    /// # Errors
    /// When not all could be written; a part of it may stand in the file.
    pub fn write_slices_at(&self, slices: &[&[u8]], offset: u64) -> Result<(), StoreError> {
        let (mut slices, mut skip, mut at, mut stalls) = (slices, 0, offset, 0);
        loop {
            // Drops what is written: whole slices, and the first `skip` bytes of the next.
            while let Some((first, rest)) = slices.split_first()
                && first.len() <= skip
            {
                (slices, skip) = (rest, skip - first.len());
            }
            if slices.is_empty() {
                return Ok(());
            }
            let mut window: [&[u8]; MAX_SLICES] = [&[]; MAX_SLICES];
            for (slot, slice) in window.iter_mut().zip(slices) {
                *slot = slice;
            }
            if let Some(first) = window.first_mut() {
                *first = first.get(skip..).unwrap_or_default();
            }
            match self.write_some(window.get(..slices.len().min(MAX_SLICES)).unwrap_or_default(), at) {
                Ok(0) if stalls >= MAX_STALLS => {
                    return Err(failed("write", &self.name)(io::ErrorKind::WriteZero.into()));
                }
                Ok(0) => stalls += 1,
                Ok(count) => (skip, at, stalls) = (skip + count, at + count as u64, 0),
                Err(error) if error.kind() == io::ErrorKind::Interrupted && stalls < MAX_STALLS => {
                    stalls += 1
                }
                Err(error) => return Err(failed("write", &self.name)(error)),
            }
        }
    }

    fn write_some(&self, slices: &[&[u8]], offset: u64) -> io::Result<usize> {
        match &self.inner {
            Inner::Real(file) => file.write_some(slices, offset),
            Inner::Memory(file) => file.write_some(slices, offset),
        }
    }

    /// Makes everything written so far safe. Called once per need: after a failure nothing is known of what was
    /// written, and asking again would be answered with a lie.
    ///
    /// # Errors
    /// When the system could not; the file is then not to be trusted until it is read again after a restart.
    pub fn sync_data(&self) -> Result<(), StoreError> {
        match &self.inner {
            Inner::Real(file) => file.sync_data(),
            Inner::Memory(file) => file.sync_data(),
        }
        .map_err(failed("sync", &self.name))
    }

    /// Takes the blocks for `len` bytes now, so that later writes neither grow the file nor run out of space.
    ///
    /// # Errors
    /// When there is not enough space.
    pub fn allocate(&self, len: u64) -> Result<(), StoreError> {
        match &self.inner {
            Inner::Real(file) => file.allocate(len),
            Inner::Memory(file) => file.allocate(len),
        }
        .map_err(failed("allocate", &self.name))
    }

    /// Cuts or grows the file to `len` bytes.
    ///
    /// # Errors
    /// When it cannot be.
    pub fn set_len(&self, len: u64) -> Result<(), StoreError> {
        match &self.inner {
            Inner::Real(file) => file.set_len(len),
            Inner::Memory(file) => file.set_len(len),
        }
        .map_err(failed("resize", &self.name))
    }

    /// The whole file as bytes: mapped where that is possible, read otherwise. Only for sealed files that nobody
    /// cuts: a file cut under a map ends the process.
    ///
    /// # Errors
    /// When it can be neither mapped nor read.
    pub fn map(&self) -> Result<Mapped, StoreError> {
        match &self.inner {
            Inner::Real(file) => file.map(),
            Inner::Memory(file) => file.map(),
        }
        .map_err(failed("map", &self.name))
    }
}
