//! The bounded queue between whoever publishes batches and whoever follows them.
//!
//! A feed never makes its publisher wait: when it is full the batch is left out, and the follower is told which
//! sequences to read from the store instead ([`Delivery::Missed`]). Nothing is lost without being named.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};

use crate::event::EventBatch;

/// What a follower gets next.
#[derive(Clone, Debug)]
pub enum Delivery {
    /// The next batch, in order of sequence.
    Batch(Arc<EventBatch>),
    /// Batches were left out: every event with `after < sequence <= up_to` is to be read from a snapshot.
    Missed {
        /// The last sequence delivered.
        after: u64,
        /// The last sequence left out.
        up_to: u64,
    },
    /// Nothing arrived in the time given.
    Idle,
    /// The repository is closed; nothing will come.
    Closed,
}

struct Item {
    batch: Arc<EventBatch>,
    /// The last sequence published to the repository before this batch.
    previous: u64,
    last: u64,
}

#[derive(Debug, Default)]
struct Shared {
    /// The last sequence left out.
    missed_up_to: AtomicU64,
    missed_batches: AtomicU64,
}

/// The publishing end. A repository has its own; others are for whoever drives a follower by hand.
#[derive(Debug)]
pub struct FeedSender {
    sender: Sender<Item>,
    shared: Arc<Shared>,
}

/// The following end; sees every event after [`Feed::start`], as a batch or as a [`Delivery::Missed`].
pub struct Feed {
    receiver: Receiver<Item>,
    shared: Arc<Shared>,
    start: u64,
    delivered: u64,
    held: Option<Item>,
}

/// A feed of at most `batches` waiting, for events after sequence `start`.
#[must_use]
pub fn feed(batches: usize, start: u64) -> (FeedSender, Feed) {
    let (sender, receiver) = bounded(batches.max(1));
    let shared = Arc::new(Shared::default());
    let follower = Feed { receiver, shared: Arc::clone(&shared), start, delivered: start, held: None };
    (FeedSender { sender, shared }, follower)
}

impl FeedSender {
    /// Offers a batch whose last event is `last`; `previous` is the last sequence published before it. `false`
    /// when the follower is gone.
    #[must_use]
    pub fn publish(&self, batch: &Arc<EventBatch>, previous: u64, last: u64) -> bool {
        match self.sender.try_send(Item { batch: Arc::clone(batch), previous, last }) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                self.shared.missed_batches.fetch_add(1, Ordering::Relaxed);
                self.shared.missed_up_to.store(last, Ordering::Release);
                true
            }
            Err(TrySendError::Disconnected(_)) => false,
        }
    }

    /// Somebody still follows.
    pub(crate) fn is_followed(&self) -> bool {
        Arc::strong_count(&self.shared) > 1
    }

    /// Batches that wait for the follower.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.sender.len()
    }

    /// Batches left out so far.
    #[must_use]
    pub fn missed_batches(&self) -> u64 {
        self.shared.missed_batches.load(Ordering::Relaxed)
    }
}

impl Feed {
    /// Everything up to this sequence is in the snapshot the feed was made with; the feed brings what follows.
    #[must_use]
    pub fn start(&self) -> u64 {
        self.start
    }

    /// Batches this follower could not keep up with so far.
    #[must_use]
    pub fn missed_batches(&self) -> u64 {
        self.shared.missed_batches.load(Ordering::Relaxed)
    }

    /// Batches waiting.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.receiver.len() + usize::from(self.held.is_some())
    }

    /// Waits up to `timeout` for what comes next.
    pub fn next(&mut self, timeout: Duration) -> Delivery {
        if let Some(item) = self.held.take() {
            return self.deliver(item);
        }
        // What was left out at the end of the queue has no later batch to show it. The mark is read before the
        // queue is looked at: what stood in the queue when the mark was set comes before it, so once the queue is
        // empty nothing before the mark is still to come.
        let mark = self.shared.missed_up_to.load(Ordering::Acquire);
        if self.receiver.is_empty()
            && let Some(missed) = self.missed(mark)
        {
            return missed;
        }
        match self.receiver.recv_timeout(timeout) {
            Ok(item) => match self.missed(item.previous) {
                Some(missed) => {
                    self.held = Some(item);
                    missed
                }
                None => self.deliver(item),
            },
            Err(RecvTimeoutError::Timeout) => Delivery::Idle,
            Err(RecvTimeoutError::Disconnected) => Delivery::Closed,
        }
    }

    fn deliver(&mut self, item: Item) -> Delivery {
        self.delivered = item.last;
        Delivery::Batch(item.batch)
    }

    fn missed(&mut self, up_to: u64) -> Option<Delivery> {
        let after = self.delivered;
        (up_to > after).then(|| {
            self.delivered = up_to;
            Delivery::Missed { after, up_to }
        })
    }
}
