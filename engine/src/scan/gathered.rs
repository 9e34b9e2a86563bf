//! What was taken from the threads of a scan, as one sum.
//!
//! A result is made of what all threads have learnt. Were it merged anew each time, under the locks of the threads, a
//! partial result of hundreds of thousands of groups would hold all of them up for longer than they need to learn as much
//! again. So what they learnt is taken from them, which takes no time, and stays merged: each group is merged once,
//! however often somebody looks.

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::{Mutex, MutexGuard};
use weir_query::machine::{Machine, StepError};

use super::sink::{Layout, Sums};
use super::slot::Slot;

/// The sum of what was taken.
#[derive(Default)]
pub(super) struct Gathered {
    sums: Mutex<Option<Sums>>,
    bytes: AtomicUsize,
}

/// The sum, and what is learnt of open blocks alone, which is not taken: it is to be kept.
pub(super) struct Gathering<'a> {
    total: MutexGuard<'a, Option<Sums>>,
    apart: Vec<Sums>,
}

impl Gathered {
    /// Bytes of memory held, of which the threads hold nothing any more.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Takes what `slots` have learnt. A thread that is at a group of granules is waited for: what it learns counts.
    pub(super) fn gather(&self, slots: &[Slot], layout: Layout, machine: &Machine) -> Gathering<'_> {
        let mut total = self.sums.lock();
        let mut apart = Vec::new();
        for slot in slots {
            let (taken, own) = slot.take_sums(layout, machine, |bytes| {
                self.bytes.fetch_add(bytes, Ordering::Relaxed);
            });
            apart.extend(own);
            match &mut *total {
                Some(total) => total.take_in(taken),
                empty => *empty = Some(taken),
            }
        }
        if let Some(total) = &*total {
            self.bytes.store(total.bytes(), Ordering::Relaxed);
        }
        Gathering { total, apart }
    }

    /// Lets it go.
    pub(super) fn clear(&self) {
        *self.sums.lock() = None;
        self.bytes.store(0, Ordering::Relaxed);
    }
}

impl Gathering<'_> {
    /// Calls `look` with all that is learnt.
    pub(super) fn with<T>(
        &self,
        look: impl FnOnce(Option<&Sums>) -> Result<T, StepError>,
    ) -> Result<T, StepError> {
        let (Some(total), false) = (&*self.total, self.apart.is_empty()) else {
            return look(self.total.as_ref());
        };
        // Small ones: those that are not are not kept, and so not apart.
        let mut all = total.clone();
        self.apart.iter().for_each(|apart| all.add(apart));
        look(Some(&all))
    }

    /// Hands the sum out, with what is learnt of open blocks.
    pub(super) fn into_sums(mut self) -> Option<Sums> {
        let mut total = self.total.take()?;
        self.apart.iter().for_each(|apart| total.add(apart));
        Some(total)
    }
}
