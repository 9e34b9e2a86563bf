//! Files on the file system.

use std::fs::{self, OpenOptions};
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FallocateFlags, FlockOperation, fallocate, flock, statvfs};

use super::{Entry, Lock, Mapped, Mode};

/// The file that holds the lock of a tree.
pub(super) const LOCK: &str = "LOCK";

/// The files under one root directory.
#[derive(Clone, Debug)]
pub struct RealFiles {
    root: Arc<PathBuf>,
}

/// One open file.
#[derive(Debug)]
pub struct RealFile(fs::File);

impl RealFiles {
    pub(super) fn new(root: &Path) -> io::Result<RealFiles> {
        fs::create_dir_all(root)?;
        Ok(RealFiles { root: Arc::new(root.to_path_buf()) })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(super) fn open(&self, name: &str, mode: Mode) -> io::Result<RealFile> {
        let mut options = OpenOptions::new();
        match mode {
            Mode::Read => options.read(true),
            Mode::Write => options.read(true).write(true),
            Mode::Create => options.read(true).write(true).create(true).truncate(true),
        };
        options.open(self.path(name)).map(RealFile)
    }

    pub(super) fn create_dir(&self, name: &str) -> io::Result<()> {
        fs::create_dir_all(self.path(name))
    }

    pub(super) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path(name))
    }

    pub(super) fn sync_dir(&self, name: &str) -> io::Result<()> {
        fs::File::open(self.path(name))?.sync_all()
    }

    pub(super) fn list(&self, name: &str) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(self.path(name))? {
            let entry = entry?;
            let meta = match entry.metadata() {
                Ok(meta) if meta.is_file() => meta,
                Ok(_) => continue,
                // Removed while we looked.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            // A name that is not UTF-8 is none of ours.
            if let Ok(name) = entry.file_name().into_string() {
                entries.push(Entry { name, len: meta.len() });
            }
        }
        Ok(entries)
    }

    pub(super) fn free_bytes(&self) -> io::Result<u64> {
        let stats = statvfs(self.root.as_path())?;
        Ok(stats.f_bavail.saturating_mul(stats.f_frsize))
    }

    pub(super) fn lock(&self) -> io::Result<Option<Lock>> {
        let file = self.open(LOCK, Mode::Create)?.0;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Lock { _held: Some(file) })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl RealFile {
    pub(super) fn len(&self) -> io::Result<u64> {
        self.0.metadata().map(|meta| meta.len())
    }

    pub(super) fn read_some(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }

    pub(super) fn write_some(&self, slices: &[&[u8]], offset: u64) -> io::Result<usize> {
        match slices {
            [one] => self.0.write_at(one, offset),
            many => {
                let slices: Vec<IoSlice<'_>> = many.iter().map(|slice| IoSlice::new(slice)).collect();
                Ok(rustix::io::pwritev(&self.0, &slices, offset)?)
            }
        }
    }

    pub(super) fn sync_data(&self) -> io::Result<()> {
        // Not `File::sync_data`, which tries again after EINTR; a sync is asked for once.
        Ok(rustix::fs::fdatasync(&self.0)?)
    }

    pub(super) fn allocate(&self, len: u64) -> io::Result<()> {
        match fallocate(&self.0, FallocateFlags::empty(), 0, len) {
            Ok(()) => Ok(()),
            // Some file systems cannot; the file then grows as it is written.
            Err(rustix::io::Errno::OPNOTSUPP) => self.set_len(len),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    pub(super) fn map(&self) -> io::Result<Mapped> {
        if self.len()? == 0 {
            return Ok(Mapped::held(Vec::new()));
        }
        Mapped::of(&self.0).or_else(|_| {
            // File systems that cannot map (some network ones) are read instead.
            let mut bytes = vec![0; usize::try_from(self.len()?).unwrap_or(usize::MAX)];
            self.0.read_exact_at(&mut bytes, 0)?;
            Ok(Mapped::held(bytes))
        })
    }
}
