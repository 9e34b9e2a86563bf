//! What all edits together say.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::edit::{Edit, SegmentEntry};
use crate::config::Retention;
use crate::store::log::keys::Remembered;

/// Most idempotency keys carried through a rewrite; the window is far smaller.
const KEYS_MAX: usize = 1 << 20;

/// All a catalog says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    /// By id.
    pub(crate) repositories: BTreeMap<u32, RepositoryEntry>,
    /// Keys of batches whose log files may be gone, oldest first.
    pub(crate) keys: Vec<Remembered>,
    next_segment: u64,
}

/// One repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RepositoryEntry {
    pub(crate) name: Arc<str>,
    /// Its own retention, if it has one.
    pub(crate) retention: Option<Retention>,
    /// Every event up to this sequence is in a segment, or was removed with one.
    pub(crate) sealed_to: u64,
    /// Its segments, by id.
    pub(crate) segments: BTreeMap<u64, SegmentEntry>,
}

impl Contents {
    /// Makes an edit true.
    pub(crate) fn apply(&mut self, edit: &Edit) {
        match edit {
            Edit::Repository { repository, name } => {
                self.repositories.entry(*repository).or_default().name = Arc::clone(name);
            }
            Edit::Retention { repository, retention } => {
                self.repositories.entry(*repository).or_default().retention = *retention;
            }
            Edit::Segments { repository, sealed_to, removed, added } => {
                let entry = self.repositories.entry(*repository).or_default();
                entry.sealed_to = entry.sealed_to.max(*sealed_to);
                entry.segments.retain(|id, _| !removed.contains(id));
                entry.segments.extend(added.iter().map(|segment| (segment.id, segment.clone())));
                let highest = added.iter().map(|segment| segment.id).chain(removed.iter().copied()).max();
                self.next_segment = self.next_segment.max(highest.map_or(0, |id| id + 1));
            }
            Edit::Keys(keys) => {
                self.keys.extend_from_slice(keys);
                let over = self.keys.len().saturating_sub(KEYS_MAX);
                self.keys.drain(..over);
            }
            Edit::ForgetKeys { before_nanos } => self.keys.retain(|key| key.written_nanos >= *before_nanos),
            Edit::NextSegment(next) => self.next_segment = self.next_segment.max(*next),
        }
    }

    /// The fewest edits that say the same.
    pub(crate) fn edits(&self) -> Vec<Edit> {
        let mut edits = vec![Edit::NextSegment(self.next_segment)];
        for (id, entry) in &self.repositories {
            let repository = *id;
            edits.push(Edit::Repository { repository, name: Arc::clone(&entry.name) });
            if let Some(retention) = entry.retention {
                edits.push(Edit::Retention { repository, retention: Some(retention) });
            }
            let added = entry.segments.values().cloned().collect();
            edits.push(Edit::Segments { repository, sealed_to: entry.sealed_to, removed: Vec::new(), added });
        }
        if !self.keys.is_empty() {
            edits.push(Edit::Keys(self.keys.clone()));
        }
        edits
    }

    /// An id no segment has or had.
    pub(crate) fn take_segment_id(&mut self) -> u64 {
        let id = self.next_segment.max(1);
        self.next_segment = id + 1;
        id
    }

    /// Skips ids up to that of a file found in the directory.
    pub(crate) fn skip_segment_id(&mut self, id: u64) {
        self.next_segment = self.next_segment.max(id.saturating_add(1));
    }

    /// An id no repository has.
    pub(crate) fn free_repository_id(&self) -> u32 {
        self.repositories.last_key_value().map_or(1, |(id, _)| id + 1)
    }
}
