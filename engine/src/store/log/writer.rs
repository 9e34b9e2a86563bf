//! Appends groups of batches to the log.
//!
//! A group is written with one write and synced at most once, by whoever calls ([`LogWriter::append`], then
//! [`LogWriter::sync`]). Payloads are not copied: each is written from where its sender put it.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use super::file::{self, FileHeader};
use super::frame::{self, Header, Kind};
use super::keys::{KeyWindow, Remembered};
use super::spare::{KeptFile, Shelf};
use super::{DIRECTORY, reader};
use crate::config::{IdempotencyKey, Level};
use crate::error::{AppendError, StoreError};
use crate::event::LogPayload;
use crate::store::files::{File, Files};
use crate::store::health::{Counters, Health};

/// Most events that may be visible without being safe. After a crash numbering goes on this far behind the last
/// event found, so that no sequence that anybody saw is given to another event.
pub(crate) const EXPOSED_EVENTS_MAX: u64 = 1 << 24;
/// Payloads up to this size are copied into the header's buffer; a larger one is written from its place.
const COPIED_PAYLOAD_BYTES_MAX: usize = 4 << 10;

/// A batch on its way into the log.
#[derive(Debug)]
pub(crate) struct Append {
    pub(crate) repository: u32,
    pub(crate) payload: LogPayload,
    pub(crate) payload_crc: u32,
    /// [`EventBatch::content_crc`](crate::event::EventBatch::content_crc), if there is a key; else 0.
    pub(crate) content_crc: u32,
    pub(crate) events: u32,
    pub(crate) key: Option<IdempotencyKey>,
    pub(crate) level: Level,
}

impl Append {
    /// It goes to memory alone. One with a key is logged: whoever sends it again is told that it is known.
    pub(crate) fn is_unlogged(&self) -> bool {
        self.level == Level::Memory && self.key.is_none()
    }

    /// What its frame takes of a log file.
    pub(crate) fn frame_bytes(&self) -> usize {
        frame::frame_bytes(self.key.as_ref().map_or(0, |key| key.as_str().len()), self.payload.len())
    }
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Its first event has this sequence.
    Taken {
        base: u64,
    },
    /// Its key is known.
    Known(Remembered),
    Refused(AppendError),
}

/// The writing end of the log.
#[derive(Debug)]
pub(crate) struct LogWriter {
    files: Files,
    shelf: Arc<Shelf>,
    keys: Arc<Mutex<KeyWindow>>,
    health: Arc<Health>,
    counters: Arc<Counters>,
    active: Option<Active>,
    next_number: u64,
    next_frame: u64,
    /// Every frame up to this one is synced.
    durable: u64,
    /// What the next file says of those before it.
    durable_before: u64,
    next_sequence: u64,
    /// Events given a sequence since the last sync.
    exposed: u64,
    /// Some of them are in no frame.
    unlogged: bool,
}

#[derive(Debug)]
struct Active {
    file: File,
    salt: u64,
    len: u64,
    at: u64,
    /// How often it was synced.
    syncs: u64,
    kept: KeptFile,
}

/// Frames about to be written, one after the other.
#[derive(Default)]
struct Portion {
    /// Headers, keys, small payloads and padding, end to end.
    small: Vec<u8>,
    /// What to write, in order: bytes of `small` up to an end, then the payload of a batch.
    pieces: Vec<(usize, Option<usize>)>,
    bytes: usize,
    /// The batches, by index in the group, with their bases.
    members: Vec<(usize, u64)>,
}

impl LogWriter {
    /// Goes on behind what was replayed, in a new file: what stands behind a torn tail is never written over.
    pub(crate) fn new(
        files: Files,
        shelf: Arc<Shelf>,
        keys: Arc<Mutex<KeyWindow>>,
        health: Arc<Health>,
        counters: Arc<Counters>,
        replayed: &reader::Replayed,
        next_sequence: u64,
    ) -> LogWriter {
        LogWriter {
            files,
            shelf,
            keys,
            health,
            counters,
            active: None,
            next_number: replayed.last_number + 1,
            next_frame: replayed.last_frame + 1,
            durable: replayed.last_frame,
            durable_before: replayed.durable,
            next_sequence,
            exposed: 0,
            unlogged: false,
        }
    }

    /// The last sequence given.
    #[cfg(test)]
    pub(crate) fn last_sequence(&self) -> u64 {
        self.next_sequence - 1
    }

    /// Something written is not synced.
    pub(crate) fn is_exposed(&self) -> bool {
        self.exposed > 0 || self.next_frame - 1 > self.durable
    }

    /// Writes a group, in order, without syncing it. An answer for each batch, as long as the group.
    pub(crate) fn append(&mut self, group: &[&Append], now_nanos: i64) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(group.len());
        let mut portion = Portion::default();
        for (index, append) in group.iter().enumerate() {
            let outcome = self.add(&mut portion, index, append, group, now_nanos, &mut outcomes);
            outcomes.push(outcome);
        }
        self.flush(&mut portion, group, now_nanos, &mut outcomes);
        outcomes
    }

    fn add(
        &mut self,
        portion: &mut Portion,
        index: usize,
        append: &Append,
        group: &[&Append],
        now_nanos: i64,
        outcomes: &mut [Outcome],
    ) -> Outcome {
        let same_key = |member: &(usize, u64)| {
            group
                .get(member.0)
                .is_some_and(|other| other.repository == append.repository && other.key == append.key)
        };
        if append.key.is_some() && portion.members.iter().any(same_key) {
            self.flush(portion, group, now_nanos, outcomes);
        }
        if let Some(key) = &append.key
            && let Some(known) = self.keys.lock().get(append.repository, key, now_nanos)
        {
            return match known.is_same(append.events, append.content_crc) {
                true => Outcome::Known(known.clone()),
                false => Outcome::Refused(AppendError::KeyReused {
                    first_sequence: known.first_sequence,
                    events: known.events,
                }),
            };
        }
        let (events, size) = (u64::from(append.events), append.frame_bytes());
        if let Err(error) = self.health.check() {
            return Outcome::Refused(error);
        }
        if events > EXPOSED_EVENTS_MAX {
            let limit = usize::try_from(EXPOSED_EVENTS_MAX).unwrap_or(usize::MAX);
            return Outcome::Refused(AppendError::TooLarge { bytes: append.payload.len(), limit });
        }
        if self.exposed + events > EXPOSED_EVENTS_MAX {
            self.flush(portion, group, now_nanos, outcomes);
            if let Err(error) = self.sync(now_nanos) {
                return Outcome::Refused(error);
            }
        }
        if !append.is_unlogged() && !self.fits(portion.bytes + size) {
            self.flush(portion, group, now_nanos, outcomes);
            if let Err(error) = self.rotate(size) {
                return Outcome::Refused(error);
            }
        }
        let base = self.next_sequence;
        self.next_sequence += events;
        self.exposed += events;
        if append.is_unlogged() {
            self.unlogged = true;
        } else {
            let header = self.header(append, base, now_nanos);
            portion.push(index, append, &header);
        }
        Outcome::Taken { base }
    }

    fn header(&mut self, append: &Append, base: u64, written_nanos: i64) -> Header {
        let key = append.key.as_ref().map_or("", |key| key.as_str()).as_bytes();
        let number = self.next_frame;
        self.next_frame += 1;
        Header {
            kind: Kind::Batch,
            key_bytes: u16::try_from(key.len()).unwrap_or(u16::MAX),
            payload_bytes: u32::try_from(append.payload.len()).unwrap_or(u32::MAX),
            events: append.events,
            salt: self.active.as_ref().map_or(0, |active| active.salt),
            number,
            durable: self.durable,
            base,
            written_nanos,
            repository: append.repository,
            content_crc: append.content_crc,
            body_crc: frame::body_crc(key, append.payload_crc, append.payload.len()),
        }
    }

    /// Whether `bytes` of frames fit into the file at hand.
    fn fits(&self, bytes: usize) -> bool {
        self.active.as_ref().is_some_and(|active| active.at + bytes as u64 <= active.len)
    }

    /// Bytes of frames that fit into the file at hand, with the mark that a sync may need.
    pub(crate) fn room(&self) -> usize {
        let left = self.active.as_ref().map_or(0, |active| active.len.saturating_sub(active.at));
        usize::try_from(left).unwrap_or(usize::MAX).saturating_sub(frame::HEADER_BYTES)
    }

    /// Writes the portion and remembers its keys; when it cannot be written its batches are refused.
    fn flush(&mut self, portion: &mut Portion, group: &[&Append], now_nanos: i64, outcomes: &mut [Outcome]) {
        let portion = std::mem::take(portion);
        let Some(active) = self.active.as_mut().filter(|_| !portion.members.is_empty()) else { return };
        let slices = portion.slices(group);
        match active.file.write_slices_at(&slices, active.at) {
            Ok(()) => {
                active.at += portion.bytes as u64;
                self.counters.log_bytes_written.add(portion.bytes as u64);
                for (index, base) in &portion.members {
                    let Some(append) = group.get(*index) else { continue };
                    let last = base + u64::from(append.events.saturating_sub(1));
                    active.kept.last_sequences.insert(append.repository, last);
                    if let Some(key) = &append.key {
                        let (key, repository) = (Arc::from(key.as_str()), append.repository);
                        let batch = Remembered {
                            repository,
                            key,
                            first_sequence: *base,
                            events: append.events,
                            content_crc: append.content_crc,
                            written_nanos: now_nanos,
                        };
                        self.keys.lock().insert(batch, now_nanos);
                    }
                }
            }
            Err(error) => {
                let refusal = self.give_up(error, now_nanos);
                for (index, _) in &portion.members {
                    if let Some(outcome) = outcomes.get_mut(*index) {
                        *outcome = Outcome::Refused(refusal.clone());
                    }
                }
            }
        }
    }

    /// After a failed write some of the frames may stand in the file. A full disk is no reason to stop: a mark over
    /// them, synced, says that they do not count. Anything else is.
    fn give_up(&mut self, error: StoreError, now_nanos: i64) -> AppendError {
        let full = is_full(&error);
        if !full || self.write_mark(now_nanos).and_then(|()| self.sync_file()).is_err() {
            return self.health.poison(&error);
        }
        AppendError::DiskFull {
            free_bytes: self.files.free_bytes().unwrap_or(0),
            needed_bytes: self.shelf.file_bytes(),
        }
    }

    fn write_mark(&mut self, now_nanos: i64) -> Result<(), StoreError> {
        let Some(active) = self.active.as_mut() else { return Ok(()) };
        let header = Header {
            kind: Kind::Mark,
            key_bytes: 0,
            payload_bytes: 0,
            events: 0,
            salt: active.salt,
            number: self.next_frame,
            durable: self.durable,
            base: self.next_sequence,
            written_nanos: now_nanos,
            repository: 0,
            content_crc: 0,
            body_crc: 0,
        };
        active.file.write_at(&header.encode(), active.at)?;
        active.at += header.frame_bytes() as u64;
        self.next_frame += 1;
        Ok(())
    }

    fn sync_file(&mut self) -> Result<(), StoreError> {
        if let Some(active) = &mut self.active {
            active.syncs += 1;
            let started = Instant::now();
            active.file.sync_data()?;
            let took = started.elapsed();
            self.counters.log_syncs.add(1);
            self.counters.log_sync_nanos.add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
        }
        self.durable = self.next_frame - 1;
        self.exposed = 0;
        self.unlogged = false;
        Ok(())
    }

    /// Makes everything appended so far safe; when that fails the log is poisoned and never synced again.
    ///
    /// # Errors
    /// [`AppendError::Poisoned`].
    pub(crate) fn sync(&mut self, now_nanos: i64) -> Result<(), AppendError> {
        self.health.check()?;
        if !self.is_exposed() {
            return Ok(());
        }
        if self.unlogged {
            // What has no frame leaves its sequence behind, so that nobody gets it again.
            if !self.fits(frame::HEADER_BYTES) {
                self.rotate(frame::HEADER_BYTES)?;
            }
            self.write_mark(now_nanos).map_err(|error| self.health.poison(&error))?;
        }
        self.sync_file().map_err(|error| self.health.poison(&error))
    }

    /// Goes on in a new file that has room for a frame of `frame_bytes`.
    fn rotate(&mut self, frame_bytes: usize) -> Result<(), AppendError> {
        if self.next_frame - 1 > self.durable {
            self.sync_file().map_err(|error| self.health.poison(&error))?;
        }
        if self.active.is_some() {
            self.durable_before = self.durable;
        }
        let number = self.next_number;
        self.next_number += 1;
        let header = FileHeader {
            number,
            salt: file::salt(),
            first_frame: self.next_frame,
            durable: self.durable_before,
            next_sequence: self.next_sequence,
        };
        let len = self.shelf.file_bytes().max((file::HEADER_BYTES + frame_bytes) as u64);
        match self.start_file(&header, len) {
            Ok(file) => {
                let kept = KeptFile { number, ..KeptFile::default() };
                let at = file::HEADER_BYTES as u64;
                let active = Active { file, salt: header.salt, len, at, syncs: 0, kept };
                if let Some(full) = self.active.replace(active) {
                    self.shelf.keep(full.kept, full.at / full.syncs.max(1));
                }
                Ok(())
            }
            Err(error) if is_full(&error) => {
                // Without its header the file counts for nothing; a name left behind is cleared at the next start.
                let _ = self.files.remove(&file::name(number));
                Err(AppendError::DiskFull {
                    free_bytes: self.files.free_bytes().unwrap_or(0),
                    needed_bytes: len,
                })
            }
            Err(error) => Err(self.health.poison(&error)),
        }
    }

    fn start_file(&self, header: &FileHeader, len: u64) -> Result<File, StoreError> {
        let name = file::name(header.number);
        let spare = if len == self.shelf.file_bytes() { self.shelf.take() } else { None };
        let file = match spare {
            Some(spare) => {
                self.files.rename(&spare, &name)?;
                self.files.open_write(&name)?
            }
            None => {
                let file = self.files.create(&name)?;
                file.allocate(len)?;
                file
            }
        };
        file.write_at(&header.encode(), 0)?;
        file.sync_data()?;
        self.files.sync_dir(DIRECTORY)?;
        Ok(file)
    }
}

/// The disk or the quota is full: nothing is broken.
fn is_full(error: &StoreError) -> bool {
    use std::io::ErrorKind;
    matches!(error, StoreError::Io { action: "write" | "allocate" | "create", source, .. }
        if matches!(source.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded))
}

impl Portion {
    fn push(&mut self, index: usize, append: &Append, header: &Header) {
        const ZEROS: [u8; frame::ALIGN] = [0; frame::ALIGN];
        let frame_bytes = append.frame_bytes();
        self.members.push((index, header.base));
        self.bytes += frame_bytes;
        let is_copied = append.payload.len() <= COPIED_PAYLOAD_BYTES_MAX;
        self.small.reserve(if is_copied { frame_bytes } else { frame_bytes - append.payload.len() });
        self.small.extend_from_slice(&header.encode());
        let key = append.key.as_ref().map_or("", |key| key.as_str());
        self.small.extend_from_slice(key.as_bytes());
        if is_copied {
            append.payload.slices().iter().for_each(|slice| self.small.extend_from_slice(slice));
        } else {
            self.pieces.push((self.small.len(), Some(index)));
        }
        let padding = frame_bytes - frame::HEADER_BYTES - key.len() - append.payload.len();
        self.small.extend_from_slice(ZEROS.get(..padding).unwrap_or_default());
    }

    fn slices<'a>(&'a self, group: &[&'a Append]) -> Vec<&'a [u8]> {
        let mut slices = Vec::with_capacity(self.pieces.len() * 2 + 1);
        let mut from = 0;
        for (end, payload) in self.pieces.iter().copied().chain([(self.small.len(), None)]) {
            slices.push(self.small.get(from..end).unwrap_or_default());
            from = end;
            if let Some(append) = payload.and_then(|index| group.get(index)) {
                slices.extend(append.payload.slices().iter().filter(|slice| !slice.is_empty()));
            }
        }
        slices
    }
}
