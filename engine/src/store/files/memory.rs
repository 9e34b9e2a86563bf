//! Files in memory: a plain one for stores that need no disk, and a fragile one for tests.
//!
//! The fragile one remembers what was synced. [`MemoryFiles::crash`] gives the tree as it may stand after the power
//! went: every write and every name not synced may be there, be gone, stand in part (by 512-byte sectors, in any
//! order), or be garbage. Faults can be set at the n-th operation. It behaves like Linux after a failed sync: the
//! bytes stay readable, are never written, and the next sync succeeds.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

use super::{Entry, Mapped, Mode, parent};

/// What a disk writes in one piece.
const SECTOR_BYTES: usize = 512;

/// What goes wrong at an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The disk fails: EIO.
    Broken,
    /// The disk is full: ENOSPC.
    Full,
    /// A signal came: EINTR.
    Interrupted,
    /// A write writes only its first half.
    Short,
    /// Nothing works from here on, as if the process had ended.
    Crash,
    /// The thread panics, as if a bug stood in its way.
    Panic,
}

/// How much of what was not synced a crash leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// All of it: only the process ended.
    Process,
    /// None of it.
    Clean,
    /// Parts of it, as the seed has it.
    Torn {
        /// Picks what is left.
        seed: u64,
    },
}

/// Bugs to plant: a test that does not notice them proves nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Planted {
    /// Directory syncs do nothing, as if the store had forgotten them.
    pub no_directory_sync: bool,
    /// Data syncs do nothing.
    pub no_data_sync: bool,
    /// A failed data sync is tried again, as if the store did.
    pub sync_again: bool,
}

/// A tree of files in memory; clones share it.
#[derive(Clone, Debug)]
pub struct MemoryFiles {
    disk: Arc<Mutex<Disk>>,
}

/// One open file.
#[derive(Debug)]
pub struct MemoryFile {
    disk: Arc<Mutex<Disk>>,
    inode: usize,
}

#[derive(Debug, Default)]
struct Disk {
    fragile: bool,
    inodes: Vec<Inode>,
    names: BTreeMap<String, usize>,
    directories: BTreeSet<String>,
    safe_names: BTreeMap<String, usize>,
    safe_directories: BTreeSet<String>,
    name_changes: Vec<NameChange>,
    operations: u64,
    faults: BTreeMap<u64, Fault>,
    crashed: bool,
    capacity_bytes: u64,
    planted: Planted,
    trace: Vec<String>,
}

#[derive(Debug, Default)]
struct Inode {
    bytes: Vec<u8>,
    safe: Vec<u8>,
    changes: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Len(usize),
}

#[derive(Clone, Debug)]
enum NameChange {
    Create { name: String, inode: usize },
    Rename { from: String, to: String },
    Remove { name: String },
}

impl NameChange {
    fn directory(&self) -> &str {
        match self {
            NameChange::Create { name, .. } | NameChange::Remove { name } => parent(name),
            NameChange::Rename { to, .. } => parent(to),
        }
    }

    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            NameChange::Create { name, inode } => {
                names.insert(name.clone(), *inode);
            }
            NameChange::Rename { from, to } => {
                if let Some(inode) = names.remove(from) {
                    names.insert(to.clone(), inode);
                }
            }
            NameChange::Remove { name } => {
                names.remove(name);
            }
        }
    }
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Change::Write { offset, bytes: new } => put(bytes, *offset, new),
            Change::Len(len) => bytes.resize(*len, 0),
        }
    }
}

fn put(bytes: &mut Vec<u8>, offset: usize, new: &[u8]) {
    let end = offset + new.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    if let Some(place) = bytes.get_mut(offset..end) {
        place.copy_from_slice(new);
    }
}

/// Sebastiano Vigna's SplitMix64: small, and good enough to pick sectors.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % sides.max(1)
    }
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Disk {
    /// Counts an operation and lets its fault happen; `Some(Fault::Short)` is left to the write itself.
    fn operation(&mut self, what: impl FnOnce() -> String) -> io::Result<Option<Fault>> {
        if self.crashed {
            return Err(io::Error::other("crashed"));
        }
        let index = self.operations;
        self.operations += 1;
        if self.fragile {
            self.trace.push(what());
        }
        match self.faults.get(&index) {
            Some(Fault::Broken) => Err(io::Error::from_raw_os_error(rustix::io::Errno::IO.raw_os_error())),
            Some(Fault::Full) => Err(io::Error::from_raw_os_error(rustix::io::Errno::NOSPC.raw_os_error())),
            Some(Fault::Interrupted) => Err(io::ErrorKind::Interrupted.into()),
            Some(Fault::Crash) => {
                self.crashed = true;
                Err(io::Error::other("crashed"))
            }
            Some(Fault::Short) => Ok(Some(Fault::Short)),
            Some(Fault::Panic) => std::panic::resume_unwind(Box::new("a planted panic")),
            None => Ok(None),
        }
    }

    fn inode(&mut self, inode: usize) -> io::Result<&mut Inode> {
        self.inodes.get_mut(inode).ok_or_else(not_found)
    }

    fn change_names(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        if self.fragile {
            self.name_changes.push(change);
        }
    }

    fn change(&mut self, inode: usize, change: Change) -> io::Result<()> {
        let fragile = self.fragile;
        let inode = self.inode(inode)?;
        change.apply(&mut inode.bytes);
        if fragile {
            inode.changes.push(change);
        }
        Ok(())
    }

    fn used_bytes(&self) -> u64 {
        self.names
            .values()
            .filter_map(|inode| self.inodes.get(*inode))
            .map(|inode| inode.bytes.len() as u64)
            .sum()
    }
}

impl Default for MemoryFiles {
    fn default() -> MemoryFiles {
        MemoryFiles::new()
    }
}

impl MemoryFiles {
    /// Files that never fail, for a store without a disk.
    #[must_use]
    pub fn new() -> MemoryFiles {
        let disk = Disk { capacity_bytes: u64::MAX, ..Disk::default() };
        MemoryFiles { disk: Arc::new(Mutex::new(disk)) }
    }

    /// Files that remember what was synced, for tests.
    #[must_use]
    pub fn fragile() -> MemoryFiles {
        let files = MemoryFiles::new();
        files.disk.lock().fragile = true;
        files
    }

    /// Lets `fault` happen at the operation of that number, counted from 0; see [`MemoryFiles::operations`].
    pub fn fail_at(&self, operation: u64, fault: Fault) {
        self.disk.lock().faults.insert(operation, fault);
    }

    /// Everything that changes files so far: creations, writes, syncs, renames, removals, resizings.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.disk.lock().operations
    }

    /// Those operations, described; kept by fragile files only.
    #[must_use]
    pub fn trace(&self) -> Vec<String> {
        self.disk.lock().trace.clone()
    }

    /// Plants bugs.
    pub fn plant(&self, planted: Planted) {
        self.disk.lock().planted = planted;
    }

    /// Sets the size of the disk.
    pub fn set_capacity(&self, bytes: u64) {
        self.disk.lock().capacity_bytes = bytes;
    }

    /// Changes a file behind the store's back, safe at once: `edit` gets its bytes.
    pub fn tamper(&self, name: &str, edit: impl FnOnce(&mut Vec<u8>)) -> bool {
        let mut disk = self.disk.lock();
        let Some(inode) = disk.names.get(name).copied() else { return false };
        let Ok(inode) = disk.inode(inode) else { return false };
        edit(&mut inode.bytes);
        inode.safe = inode.bytes.clone();
        inode.changes.clear();
        true
    }

    /// The tree as it may stand after a crash now; this one is dead from here on.
    #[must_use]
    pub fn crash(&self, crash: Crash) -> MemoryFiles {
        let mut disk = self.disk.lock();
        disk.crashed = true;
        let mut dice = Dice(match crash {
            Crash::Torn { seed } => seed,
            Crash::Process | Crash::Clean => 0,
        });
        let mut keep = |odds: u64| match crash {
            Crash::Process => true,
            Crash::Clean => false,
            Crash::Torn { .. } => dice.roll(odds) != 0,
        };
        let mut directories = disk.safe_directories.clone();
        directories.extend(disk.directories.iter().filter(|_| keep(2)).cloned());
        let mut names = disk.safe_names.clone();
        for change in disk.name_changes.iter().filter(|_| keep(2)) {
            change.apply(&mut names);
        }
        names.retain(|name, _| parent(name).is_empty() || directories.contains(parent(name)));
        let mut after = Disk { fragile: true, capacity_bytes: disk.capacity_bytes, ..Disk::default() };
        for (name, inode) in names {
            let Some(inode) = disk.inodes.get(inode) else { continue };
            let bytes = match crash {
                Crash::Process => inode.bytes.clone(),
                Crash::Clean => inode.safe.clone(),
                Crash::Torn { .. } => torn(inode, &mut dice),
            };
            after.names.insert(name.clone(), after.inodes.len());
            after.safe_names.insert(name, after.inodes.len());
            // After the end of a process alone, what was not synced still is not.
            let (safe, changes) = match crash {
                Crash::Process => (inode.safe.clone(), inode.changes.clone()),
                Crash::Clean | Crash::Torn { .. } => (bytes.clone(), Vec::new()),
            };
            after.inodes.push(Inode { bytes, safe, changes });
        }
        after.safe_directories.clone_from(&directories);
        after.directories = directories;
        MemoryFiles { disk: Arc::new(Mutex::new(after)) }
    }

    pub(super) fn open(&self, name: &str, mode: Mode) -> io::Result<MemoryFile> {
        let mut disk = self.disk.lock();
        if disk.crashed {
            return Err(io::Error::other("crashed"));
        }
        let found = disk.names.get(name).copied();
        let inode = match (mode, found) {
            (Mode::Read | Mode::Write, found) => found.ok_or_else(not_found)?,
            (Mode::Create, Some(inode)) => {
                disk.operation(|| format!("empty {name}"))?;
                disk.change(inode, Change::Len(0))?;
                inode
            }
            (Mode::Create, None) => {
                disk.operation(|| format!("create {name}"))?;
                if !parent(name).is_empty() && !disk.directories.contains(parent(name)) {
                    return Err(not_found());
                }
                let inode = disk.inodes.len();
                disk.inodes.push(Inode::default());
                disk.change_names(NameChange::Create { name: name.to_owned(), inode });
                inode
            }
        };
        Ok(MemoryFile { disk: Arc::clone(&self.disk), inode })
    }

    pub(super) fn create_dir(&self, name: &str) -> io::Result<()> {
        let mut disk = self.disk.lock();
        if !disk.directories.contains(name) {
            disk.operation(|| format!("directory {name}"))?;
            disk.directories.insert(name.to_owned());
        }
        Ok(())
    }

    pub(super) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut disk = self.disk.lock();
        disk.operation(|| format!("rename {from} {to}"))?;
        if !disk.names.contains_key(from) {
            return Err(not_found());
        }
        disk.change_names(NameChange::Rename { from: from.to_owned(), to: to.to_owned() });
        Ok(())
    }

    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        let mut disk = self.disk.lock();
        disk.operation(|| format!("remove {name}"))?;
        if !disk.names.contains_key(name) {
            return Err(not_found());
        }
        disk.change_names(NameChange::Remove { name: name.to_owned() });
        Ok(())
    }

    pub(super) fn sync_dir(&self, name: &str) -> io::Result<()> {
        let mut disk = self.disk.lock();
        let answer = disk.operation(|| format!("sync-directory {name}"));
        if disk.crashed || disk.planted.no_directory_sync {
            return answer.map(drop);
        }
        let (now, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut disk.name_changes).into_iter().partition(|change| change.directory() == name);
        disk.name_changes = later;
        // As with data: the system forgets what it could not write.
        answer?;
        for change in now {
            change.apply(&mut disk.safe_names);
        }
        let inside: Vec<String> =
            disk.directories.iter().filter(|dir| parent(dir) == name).cloned().collect();
        disk.safe_directories.extend(inside);
        Ok(())
    }

    pub(super) fn list(&self, name: &str) -> io::Result<Vec<Entry>> {
        let disk = self.disk.lock();
        if disk.crashed {
            return Err(io::Error::other("crashed"));
        }
        if !name.is_empty() && !disk.directories.contains(name) {
            return Err(not_found());
        }
        let inside = disk.names.iter().filter(|(path, _)| parent(path) == name);
        Ok(inside
            .filter_map(|(path, inode)| {
                let len = disk.inodes.get(*inode)?.bytes.len() as u64;
                Some(Entry { name: path.rsplit('/').next()?.to_owned(), len })
            })
            .collect())
    }

    pub(super) fn free_bytes(&self) -> u64 {
        let disk = self.disk.lock();
        disk.capacity_bytes.saturating_sub(disk.used_bytes())
    }
}

/// The bytes of a file after the power went: each change that was not synced is there, is not, or is in part.
fn torn(inode: &Inode, dice: &mut Dice) -> Vec<u8> {
    let mut bytes = inode.safe.clone();
    for change in &inode.changes {
        match (change, dice.roll(4)) {
            (_, 0) => {}
            (Change::Len(_), _) | (Change::Write { .. }, 1) => change.apply(&mut bytes),
            (Change::Write { offset, bytes: new }, _) => {
                // Sectors lie at multiples of their size in the file, not in the write.
                let mut at = *offset;
                let end = offset + new.len();
                while at < end {
                    let stop = end.min((at / SECTOR_BYTES + 1) * SECTOR_BYTES);
                    let piece = new.get(at - offset..stop - offset).unwrap_or_default();
                    match dice.roll(16) {
                        0 => put(&mut bytes, at, &vec![0xA5; piece.len()]),
                        1..=7 => {}
                        _ => put(&mut bytes, at, piece),
                    }
                    at = stop;
                }
            }
        }
    }
    bytes
}

impl MemoryFile {
    pub(super) fn len(&self) -> io::Result<u64> {
        self.disk.lock().inode(self.inode).map(|inode| inode.bytes.len() as u64)
    }

    pub(super) fn read_some(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut disk = self.disk.lock();
        if disk.crashed {
            return Err(io::Error::other("crashed"));
        }
        let inode = disk.inode(self.inode)?;
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = inode.bytes.get(offset..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        Ok(count)
    }

    pub(super) fn write_some(&self, slices: &[&[u8]], offset: u64) -> io::Result<usize> {
        let mut bytes = slices.concat();
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let mut disk = self.disk.lock();
        let inode = self.inode;
        let fault = disk.operation(|| format!("write {inode} {offset}+{}", bytes.len()));
        match fault {
            Ok(Some(Fault::Short)) => bytes.truncate(bytes.len() / 2),
            Err(_) if disk.crashed => {
                // A write under way when the power goes may still reach the disk.
                disk.change(inode, Change::Write { offset, bytes })?;
                return Err(io::Error::other("crashed"));
            }
            other => {
                other?;
            }
        }
        let grows = (offset + bytes.len()).saturating_sub(disk.inode(inode)?.bytes.len()) as u64;
        let free = disk.capacity_bytes.saturating_sub(disk.used_bytes());
        if grows > free {
            let fits = bytes.len().saturating_sub(usize::try_from(grows - free).unwrap_or(usize::MAX));
            if fits == 0 {
                return Err(io::Error::from_raw_os_error(rustix::io::Errno::NOSPC.raw_os_error()));
            }
            bytes.truncate(fits);
        }
        let count = bytes.len();
        disk.change(inode, Change::Write { offset, bytes })?;
        Ok(count)
    }

    pub(super) fn sync_data(&self) -> io::Result<()> {
        let mut disk = self.disk.lock();
        let inode = self.inode;
        let answer = disk.operation(|| format!("sync {inode}"));
        let planted = disk.planted;
        if planted.no_data_sync {
            return Ok(());
        }
        let crashed = disk.crashed;
        let fragile = disk.fragile;
        let inode = disk.inode(inode)?;
        match answer {
            // The system forgets what it could not write.
            Err(error) if !crashed => {
                inode.changes.clear();
                if planted.sync_again { Ok(()) } else { Err(error) }
            }
            Err(error) => Err(error),
            Ok(_) => {
                if fragile {
                    for change in std::mem::take(&mut inode.changes) {
                        change.apply(&mut inode.safe);
                    }
                }
                Ok(())
            }
        }
    }

    pub(super) fn allocate(&self, len: u64) -> io::Result<()> {
        let mut disk = self.disk.lock();
        let inode = self.inode;
        disk.operation(|| format!("allocate {inode} {len}"))?;
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let has = disk.inode(inode)?.bytes.len();
        if len.saturating_sub(has) as u64 > disk.capacity_bytes.saturating_sub(disk.used_bytes()) {
            return Err(io::Error::from_raw_os_error(rustix::io::Errno::NOSPC.raw_os_error()));
        }
        if len > has { disk.change(inode, Change::Len(len)) } else { Ok(()) }
    }

    pub(super) fn set_len(&self, len: u64) -> io::Result<()> {
        let mut disk = self.disk.lock();
        let inode = self.inode;
        disk.operation(|| format!("resize {inode} {len}"))?;
        disk.change(inode, Change::Len(usize::try_from(len).unwrap_or(usize::MAX)))
    }

    pub(super) fn map(&self) -> io::Result<Mapped> {
        let mut disk = self.disk.lock();
        if disk.crashed {
            return Err(io::Error::other("crashed"));
        }
        disk.inode(self.inode).map(|inode| Mapped::held(inode.bytes.clone()))
    }
}
