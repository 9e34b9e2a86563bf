//! Files of segments: written aside, synced, renamed; opened again under their final name.

use std::io;
use std::sync::Arc;

use crate::error::StoreError;
use crate::store::Store;
use crate::store::catalog::SegmentEntry;
use crate::store::files::{Files, Sequential};
use crate::store::repository::OpenSegment;
use crate::store::segment::{Segment, SegmentWriter};

/// The directory of segments.
pub(crate) const DIRECTORY: &str = "segments";
/// What a file that the catalog does not know, and that nobody dares to remove, is renamed to end in.
pub(crate) const ORPHAN: &str = ".orphan";

/// The name of segment `id`.
pub(crate) fn name(id: u64) -> String {
    format!("{DIRECTORY}/{id:016x}.seg")
}

/// The id in a segment's name inside [`DIRECTORY`].
pub(crate) fn id(entry: &str) -> Option<u64> {
    let digits = entry.strip_suffix(".seg").filter(|digits| digits.len() == 16)?;
    u64::from_str_radix(digits, 16).ok()
}

/// A segment under way: its file goes when it does not get its final name, even if writing it panics.
struct Aside<'f> {
    files: &'f Files,
    name: String,
    is_there: bool,
}

impl Drop for Aside<'_> {
    fn drop(&mut self) {
        if self.is_there {
            // The next start removes it if this cannot.
            let _ = self.files.remove(&self.name);
        }
    }
}

/// Writes segment `id` by what `fill` puts into it, makes it safe under its final name, and opens it.
///
/// # Errors
/// When any step fails. Nothing is then left but perhaps a file that the next start removes.
pub(crate) fn write(
    store: &Store,
    id: u64,
    fill: impl FnOnce(&mut SegmentWriter<Sequential>) -> Result<(), StoreError>,
) -> Result<OpenSegment, StoreError> {
    let files = &store.files;
    let mut aside = Aside { files, name: format!("{}.tmp", name(id)), is_there: true };
    let mut entry = write_aside(store, &aside.name, id, fill)?;
    files.rename(&aside.name, &name(id))?;
    aside.is_there = false;
    files.sync_dir(DIRECTORY).inspect_err(|error| drop(store.health.poison(error)))?;
    entry.id = id;
    let segment = Arc::new(open(files, &entry)?);
    Ok(OpenSegment { entry, segment })
}

fn write_aside(
    store: &Store,
    name: &str,
    id: u64,
    fill: impl FnOnce(&mut SegmentWriter<Sequential>) -> Result<(), StoreError>,
) -> Result<SegmentEntry, StoreError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::InvalidData => {
            StoreError::Damaged { path: name.to_owned(), offset: 0, reason: source.to_string() }
        }
        _ => StoreError::Io { action: "write", path: name.to_owned(), source },
    };
    let out = Sequential::new(store.files.create(name)?);
    let mut writer = SegmentWriter::new(out, id).map_err(failed)?;
    fill(&mut writer)?;
    let (out, facts) = store.counters.index_cpu_nanos.time(|| writer.finish()).map_err(failed)?;
    let (file, file_bytes) = out.into_file()?;
    file.sync_data()?;
    Ok(SegmentEntry {
        id,
        min_timestamp: facts.min_timestamp,
        max_timestamp: facts.max_timestamp,
        min_sequence: facts.min_sequence,
        max_sequence: facts.max_sequence,
        rows: facts.rows,
        raw_bytes: facts.raw_bytes,
        file_bytes,
    })
}

/// Removes a segment that was written and is not to come into the catalog. The next start removes it if this cannot.
pub(crate) fn discard(store: &Store, segment: &OpenSegment) {
    let _ = store.files.remove(&name(segment.entry.id));
}

/// Opens a segment that the catalog names.
///
/// # Errors
/// When its file is missing, has another length, or is damaged where it must not be.
pub(crate) fn open(files: &Files, entry: &SegmentEntry) -> Result<Segment, StoreError> {
    let name = name(entry.id);
    let file = files.open(&name)?;
    let len = file.len()?;
    if len != entry.file_bytes {
        let reason = format!("{len} bytes long, {} expected", entry.file_bytes);
        return Err(StoreError::Damaged { path: name, offset: 0, reason });
    }
    Segment::in_file(&file, entry.id)
}
