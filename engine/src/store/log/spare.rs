//! Log files that are kept: those still needed, and those waiting to be used again.

use std::collections::VecDeque;

use hashbrown::HashMap;
use parking_lot::Mutex;

use super::{DIRECTORY, file};
use crate::error::StoreError;
use crate::store::files::Files;

/// Most files waiting to be used again.
pub(super) const SPARES_MAX: usize = 2;
/// Bytes written at once when a file is filled with zeros.
const ZEROS_BYTES: usize = 1 << 20;
/// From so many bytes a sync on, a file that grows is written as fast as one that is filled: what growing costs is little beside
/// them, and to fill a file first costs as much again.
pub(super) const GROWN_SYNC_BYTES: u64 = 256 << 10;
const PREFIX: &str = "spare-";

/// A full log file and what pins it: the last sequence of each repository in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeptFile {
    pub(crate) number: u64,
    pub(crate) last_sequences: HashMap<u32, u64>,
    /// It holds what could not be read, and is put aside where others are used again.
    pub(crate) is_damaged: bool,
}

/// The files of the log that are not written to now. Shared by the writer, which adds and takes, and the sealer,
/// which releases.
#[derive(Debug)]
pub(crate) struct Shelf {
    files: Files,
    file_bytes: u64,
    inside: Mutex<Inside>,
}

#[derive(Debug, Default)]
struct Inside {
    kept: VecDeque<KeptFile>,
    spares: Vec<String>,
    next_spare: u64,
    /// How many bytes were synced at once, on average, in the file that was filled last.
    sync_bytes: u64,
}

impl Shelf {
    /// The shelf of a data directory in which `kept` are still needed, oldest first. Spares of the right size are
    /// used again, others removed.
    pub(crate) fn new(files: Files, file_bytes: u64, kept: Vec<KeptFile>) -> Result<Shelf, StoreError> {
        let mut inside = Inside { kept: kept.into(), ..Inside::default() };
        for entry in files.list(DIRECTORY)? {
            let Some(number) = entry.name.strip_prefix(PREFIX) else { continue };
            let name = format!("{DIRECTORY}/{}", entry.name);
            match number.parse::<u64>() {
                Ok(number) if entry.len == file_bytes && inside.spares.len() < SPARES_MAX => {
                    inside.next_spare = inside.next_spare.max(number + 1);
                    inside.spares.push(name);
                }
                _ => files.remove(&name)?,
            }
        }
        Ok(Shelf { files, file_bytes, inside: Mutex::new(inside) })
    }

    /// The size of a log file.
    pub(crate) fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// Takes a spare file, if there is one.
    pub(crate) fn take(&self) -> Option<String> {
        self.inside.lock().spares.pop()
    }

    /// Adds a file that is full, whose syncs were of `sync_bytes` on average.
    pub(crate) fn keep(&self, kept: KeptFile, sync_bytes: u64) {
        let mut inside = self.inside.lock();
        inside.kept.push_back(kept);
        inside.sync_bytes = sync_bytes;
    }

    /// How many full files are kept.
    pub(crate) fn kept(&self) -> usize {
        self.inside.lock().kept.len()
    }

    /// The repositories that pin the oldest file, given the sequence up to which each is sealed.
    pub(crate) fn pinning(&self, sealed: impl Fn(u32) -> u64) -> Vec<u32> {
        let inside = self.inside.lock();
        let oldest = inside.kept.front().map(|kept| &kept.last_sequences);
        oldest.into_iter().flatten().filter(|(id, last)| sealed(**id) < **last).map(|(id, _)| *id).collect()
    }

    /// The number of the last of the oldest files that nothing pins, and the last sequence in them (0 without any); `None`
    /// when the oldest is pinned.
    pub(crate) fn releasable(&self, sealed: impl Fn(u32) -> u64) -> Option<(u64, u64)> {
        let inside = self.inside.lock();
        let free: Vec<&KeptFile> = inside.kept.iter().take_while(|kept| is_free(kept, &sealed)).collect();
        let last = free.iter().flat_map(|kept| kept.last_sequences.values()).copied().max();
        free.last().map(|kept| (kept.number, last.unwrap_or(0)))
    }

    /// Lets go of the oldest files, up to number `last`, that nothing pins: they become spares, or are removed. Whatever
    /// is gone or not after a crash, its events are sealed and are not replayed.
    pub(crate) fn release(&self, last: u64, sealed: impl Fn(u32) -> u64) -> Result<usize, StoreError> {
        let mut released = 0;
        loop {
            let mut inside = self.inside.lock();
            if !inside.kept.front().is_some_and(|kept| kept.number <= last && is_free(kept, &sealed)) {
                break;
            }
            let Some(kept) = inside.kept.pop_front() else { break };
            let spare = (inside.spares.len() < SPARES_MAX).then(|| inside.next_spare_name());
            drop(inside);
            self.put_away(&kept, spare)?;
            released += 1;
        }
        if released > 0 {
            self.files.sync_dir(DIRECTORY)?;
        }
        Ok(released)
    }

    fn put_away(&self, kept: &KeptFile, spare: Option<String>) -> Result<(), StoreError> {
        let name = &file::name(kept.number);
        if kept.is_damaged {
            tracing::warn!(%name, "a log file that could not be read in full is put aside");
            return self.files.rename(name, &format!("{name}{}", file::DAMAGED));
        }
        let right_size = self.files.open(name).and_then(|file| file.len()).ok() == Some(self.file_bytes);
        match spare.filter(|_| right_size) {
            Some(spare) => {
                self.files.rename(name, &spare)?;
                self.inside.lock().spares.push(spare);
                Ok(())
            }
            None => self.files.remove(name),
        }
    }

    /// Makes a spare file of zeros when there is none: writing to bytes that exist makes a sync several times faster than
    /// growing a file. To fill one costs more than to write it, so that while a few full files wait for their events to
    /// be sealed, and to be used again, none is filled; where more wait, a slow repository holds them. Nor is one filled
    /// for much at once.
    pub(crate) fn prepare(&self) -> Result<bool, StoreError> {
        let name = {
            let mut inside = self.inside.lock();
            let is_due = inside.spares.is_empty() && inside.sync_bytes < GROWN_SYNC_BYTES;
            if !is_due || (1..=SPARES_MAX).contains(&inside.kept.len()) {
                return Ok(false);
            }
            inside.next_spare_name()
        };
        let made = self.fill(&name);
        match made {
            Ok(()) => self.inside.lock().spares.push(name),
            // Better no spare than a disk filled by one.
            Err(_) => self.files.remove(&name)?,
        }
        made.map(|()| true)
    }

    fn fill(&self, name: &str) -> Result<(), StoreError> {
        let file = self.files.create(name)?;
        file.allocate(self.file_bytes)?;
        let zeros = vec![0; ZEROS_BYTES];
        let mut at = 0;
        while at < self.file_bytes {
            let piece = (self.file_bytes - at).min(ZEROS_BYTES as u64);
            file.write_at(zeros.get(..usize::try_from(piece).unwrap_or(0)).unwrap_or_default(), at)?;
            at += piece;
        }
        file.sync_data()
    }
}

impl Inside {
    fn next_spare_name(&mut self) -> String {
        self.next_spare += 1;
        format!("{DIRECTORY}/{PREFIX}{}", self.next_spare)
    }
}

fn is_free(kept: &KeptFile, sealed: impl Fn(u32) -> u64) -> bool {
    kept.last_sequences.iter().all(|(repository, last)| sealed(*repository) >= *last)
}
