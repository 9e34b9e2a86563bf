//! Results pushed to a reader, the latest one only: a slow reader skips revisions and is told how many. The last
//! result of a window that has ended is not skipped for those of the next, nor is one that the next builds on: so many
//! of them wait, and then the oldest are skipped.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::{LiveResult, Refinement};

/// The most results that wait for a reader, where the next does not stand for the one before.
pub const MAX_WAITING_RESULTS: usize = 64;

/// What a subscription has for its reader.
#[derive(Clone, Debug)]
pub enum Received {
    /// A new result.
    Result {
        /// The latest.
        result: Arc<LiveResult>,
        /// Revisions between the last one received and this one that the reader was too slow for.
        skipped: u64,
    },
    /// Nothing new in time.
    Waiting,
    /// The metric is gone; nothing more comes.
    Closed,
}

type Waker = Box<dyn Fn() + Send + Sync>;

#[derive(Default)]
struct Slot {
    /// Those that none stands for, then the latest.
    waiting: VecDeque<Arc<LiveResult>>,
    /// The revision handed over last, or that the reader said to have: it does not come again.
    known: Option<u64>,
    skipped: u64,
    closed: bool,
    left: bool,
    waker: Option<Waker>,
}

/// The side of a subscription that the live path writes to.
#[derive(Clone, Default)]
pub(super) struct Publisher {
    shared: Arc<(Mutex<Slot>, Condvar)>,
}

/// The results of one metric, as they change. Dropping it ends it.
pub struct Subscription {
    shared: Arc<(Mutex<Slot>, Condvar)>,
}

impl Subscription {
    /// For a reader that knows the revision `known` already.
    pub(super) fn new(known: Option<u64>) -> (Publisher, Subscription) {
        let publisher = Publisher::default();
        publisher.shared.0.lock().known = known;
        let subscription = Subscription { shared: Arc::clone(&publisher.shared) };
        (publisher, subscription)
    }

    /// The next result, waiting at most `limit` for it.
    #[must_use]
    pub fn receive(&self, limit: Duration) -> Received {
        let until = Instant::now() + limit;
        let (slot, changed) = &*self.shared;
        let mut slot = slot.lock();
        loop {
            if let Some(result) = slot.waiting.pop_front() {
                return Received::Result { result, skipped: std::mem::take(&mut slot.skipped) };
            }
            if slot.closed {
                return Received::Closed;
            }
            if changed.wait_until(&mut slot, until).timed_out() && slot.waiting.is_empty() {
                return if slot.closed { Received::Closed } else { Received::Waiting };
            }
        }
    }

    /// The next result if there is one now.
    #[must_use]
    pub fn try_receive(&self) -> Received {
        let mut slot = self.shared.0.lock();
        match slot.waiting.pop_front() {
            Some(result) => Received::Result { result, skipped: std::mem::take(&mut slot.skipped) },
            None if slot.closed => Received::Closed,
            None => Received::Waiting,
        }
    }

    /// `waker` is called, on another thread, whenever there is something to receive; at once if there is now. It
    /// must be quick and must not call the subscription.
    pub fn set_waker(&self, waker: impl Fn() + Send + Sync + 'static) {
        let mut slot = self.shared.0.lock();
        if !slot.waiting.is_empty() || slot.closed {
            waker();
        }
        slot.waker = Some(Box::new(waker));
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut slot = self.shared.0.lock();
        slot.left = true;
        slot.waiting.clear();
        slot.waker = None;
    }
}

impl Publisher {
    /// Hands `result` over, in place of one that it stands for and that was not fetched, unless it is the one the
    /// reader knows. False: the reader is gone.
    pub(super) fn publish(&self, result: &Arc<LiveResult>) -> bool {
        let (slot, changed) = &*self.shared;
        let mut slot = slot.lock();
        if slot.left {
            return false;
        }
        if slot.known.replace(result.revision) == Some(result.revision) {
            return true;
        }
        let is_replaced =
            |last: &Arc<LiveResult>| !last.closed && last.refinement == Refinement::Accumulating;
        if slot.waiting.back().is_some_and(is_replaced) {
            slot.waiting.pop_back();
            slot.skipped += 1;
        }
        slot.waiting.push_back(Arc::clone(result));
        if slot.waiting.len() > MAX_WAITING_RESULTS {
            slot.waiting.pop_front();
            slot.skipped += 1;
        }
        if let Some(waker) = &slot.waker {
            waker();
        }
        changed.notify_all();
        true
    }

    /// The reader is gone.
    pub(super) fn is_left(&self) -> bool {
        self.shared.0.lock().left
    }

    /// Tells the reader that nothing more comes.
    pub(super) fn close(&self) {
        let (slot, changed) = &*self.shared;
        let mut slot = slot.lock();
        slot.closed = true;
        if let Some(waker) = &slot.waker {
            waker();
        }
        changed.notify_all();
    }
}
