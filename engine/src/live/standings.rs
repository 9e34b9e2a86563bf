//! The standings of a repository, by what sets them apart, and the index that brings batches to them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hashbrown::{HashMap, HashSet};
use parking_lot::Mutex;

use super::matching::QueryIndex;
use super::standing::Standing;
use super::standing_key::StandingKey;

/// A standing, as whoever steps it holds it.
pub(super) type Shared = Arc<Mutex<Standing>>;

/// With fewer standings than this beside the index, it is not made anew for a while.
const FEW: usize = 16;
/// How long it is then left as it is.
const FEW_WAIT: Duration = Duration::from_millis(200);
/// It is not made anew before so many times as long as it took have passed: most of a core is for events.
const REST: u32 = 8;

/// The standings of a repository. Only whoever holds the repository's live lock adds and removes.
#[derive(Default)]
pub(super) struct Standings {
    by_key: Mutex<HashMap<StandingKey, Shared, foldhash::fast::RandomState>>,
    lists: Mutex<Lists>,
    /// Those with backfills.
    filling: Mutex<Vec<Shared>>,
    /// While there are no more changes than this, the index stays as it is.
    pub(super) patience: AtomicUsize,
}

/// Who is found how. Together they are all standings, and some that are gone.
#[derive(Clone, Default)]
pub(super) struct Lists {
    /// Those that batches are matched for.
    pub(super) index: Arc<QueryIndex<Shared>>,
    /// Those that every batch goes to: they came after the index was made.
    pub(super) recent: Arc<Vec<Shared>>,
    /// How many have gone since.
    gone: usize,
    /// The index is being made anew.
    making: bool,
    /// Not before this.
    next: Option<Instant>,
}

impl Standings {
    /// The one with this key, if there is one.
    pub(super) fn find(&self, key: &StandingKey) -> Option<Shared> {
        self.by_key.lock().get(key).map(Arc::clone)
    }

    /// Every batch from now on reaches `standing`.
    pub(super) fn add(&self, key: StandingKey, standing: &Shared) {
        self.by_key.lock().insert(key, Arc::clone(standing));
        Arc::make_mut(&mut self.lists.lock().recent).push(Arc::clone(standing));
    }

    /// No batch from now on changes the one with this key, which has nobody left that shares it.
    pub(super) fn remove(&self, key: &StandingKey) {
        if self.by_key.lock().remove(key).is_some() {
            self.lists.lock().gone += 1;
        }
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<Shared> {
        self.by_key.lock().values().map(Arc::clone).collect()
    }

    /// `standing` may have backfills: it is looked at until it has none.
    pub(super) fn note_filling(&self, standing: Shared) {
        self.filling.lock().push(standing);
    }

    /// Those with backfills, to be noted again while they have some.
    pub(super) fn take_filling(&self) -> Vec<Shared> {
        std::mem::take(&mut *self.filling.lock())
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.by_key.lock().len()
    }

    /// Who is found how, now.
    pub(super) fn lists(&self) -> Lists {
        self.lists.lock().clone()
    }

    /// Every standing is in the index, and nothing else.
    pub(super) fn is_indexed(&self) -> bool {
        let lists = self.lists.lock();
        lists.recent.is_empty() && lists.gone == 0
    }

    /// Whether the index should be made anew, which is then up to the caller: it is asked about once.
    pub(super) fn take_turn(&self, now: Instant) -> bool {
        let mut lists = self.lists.lock();
        let changes = lists.recent.len() + lists.gone;
        if lists.making || changes <= self.patience.load(Ordering::Relaxed) {
            lists.next = lists.next.filter(|_| changes > 0);
            return false;
        }
        let next = *lists.next.get_or_insert(if changes < FEW { now + FEW_WAIT } else { now });
        lists.making = next <= now;
        lists.making
    }

    /// Makes the index anew of all standings there are, and puts it in the place of the one before as a whole.
    pub(super) fn make_index(&self) {
        let begun = Instant::now();
        let (all, gone) = {
            // Whoever is added while the index is made stays among the recent; whoever goes is still to be told of.
            let (by_key, lists) = (self.by_key.lock(), self.lists.lock());
            (by_key.values().map(Arc::clone).collect::<Vec<_>>(), lists.gone)
        };
        let known: HashSet<*const Mutex<Standing>, foldhash::fast::RandomState> =
            all.iter().map(Arc::as_ptr).collect();
        let queries = all.into_iter().map(|standing| {
            let (access, leading) = {
                let own = standing.lock();
                (own.access(), own.leading())
            };
            (access, leading, standing)
        });
        let index = Arc::new(QueryIndex::new(queries));
        let mut lists = self.lists.lock();
        lists.index = index;
        let recent = lists.recent.iter().filter(|standing| !known.contains(&Arc::as_ptr(standing)));
        lists.recent = Arc::new(recent.map(Arc::clone).collect());
        lists.gone = lists.gone.saturating_sub(gone);
        lists.making = false;
        lists.next = Some(Instant::now() + begun.elapsed() * REST);
    }

    /// The index could not be made: the one there is stays, and it is tried again.
    pub(super) fn give_turn_back(&self) {
        let mut lists = self.lists.lock();
        lists.making = false;
        lists.next = Some(Instant::now() + FEW_WAIT);
    }
}
