//! The standings of a repository, by what sets them apart.

use std::sync::Arc;

use hashbrown::HashMap;
use parking_lot::Mutex;

use super::standing::{Standing, StandingKey};

/// The standings of a repository. Only whoever holds the repository's live lock adds and removes.
#[derive(Default)]
pub(super) struct Standings {
    by_key: Mutex<HashMap<StandingKey, Arc<Mutex<Standing>>, foldhash::fast::RandomState>>,
}

impl Standings {
    /// The one with this key, if there is one.
    pub(super) fn find(&self, key: &StandingKey) -> Option<Arc<Mutex<Standing>>> {
        self.by_key.lock().get(key).map(Arc::clone)
    }

    /// Every batch from now on reaches `standing`.
    pub(super) fn add(&self, key: StandingKey, standing: &Arc<Mutex<Standing>>) {
        self.by_key.lock().insert(key, Arc::clone(standing));
    }

    /// No batch from now on reaches the one with this key.
    pub(super) fn remove(&self, key: &StandingKey) {
        self.by_key.lock().remove(key);
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<Arc<Mutex<Standing>>> {
        self.by_key.lock().values().map(Arc::clone).collect()
    }
}
