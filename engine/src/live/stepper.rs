//! The live thread: takes batches from the feed, steps every standing and tail over them, pushes results.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use weir_query::machine::{Context, Machine, State};
use weir_query::program::Program;
use weir_query::record::Selection;

use super::follow::Tail;
use super::metric::Metric;
use super::registry::Shared;
use super::standing::Standing;
use crate::event::EventBatch;
use crate::feed::{Delivery, Feed};

/// How long the thread waits for a batch at most before it looks around.
const MAX_WAIT: Duration = Duration::from_millis(100);
/// How long it waits while a backfill is under way.
const BACKFILL_WAIT: Duration = Duration::from_millis(5);

/// What a metric says of itself when its query panicked.
const FAULT: &str = "an internal fault: the metric is not reliable";

/// A live tail and what steps it.
pub(super) struct TailEntry {
    pub(super) tail: Tail,
    machine: Machine,
    state: State,
}

impl TailEntry {
    pub(super) fn new(tail: Tail, program: Arc<Program>, context: Context) -> TailEntry {
        let machine = Machine::new(program, context);
        TailEntry { tail, state: machine.new_state(), machine }
    }

    /// False: its reader is gone.
    fn apply(&mut self, batch: &EventBatch) -> bool {
        if self.tail.is_left() {
            return false;
        }
        if self.machine.step(batch, Selection::all(batch.len()), &mut self.state).is_err() {
            self.state = self.machine.new_state();
            self.tail.count_dropped(batch.len() as u64);
            return true;
        }
        self.state.take_rows().into_iter().filter(|table| table.rows > 0).all(|table| self.tail.push(table))
    }
}

/// Runs until the repository closes, or nothing is live any more.
pub(super) fn run(shared: &Arc<Shared>, mut feed: Feed) {
    let mut wait = Duration::ZERO;
    while !shared.stopped.load(Ordering::Acquire) {
        match feed.next(wait) {
            Delivery::Batch(batch) => apply(shared, &batch),
            Delivery::Missed { after, up_to } => catch_up(shared, after, up_to),
            Delivery::Idle => drop(shared.idle_rounds.fetch_add(1, Ordering::AcqRel)),
            Delivery::Closed => break,
        }
        wait = look_around(shared);
        if is_over(shared) {
            return;
        }
    }
    shared.close_all();
}

/// Nothing is live: the thread goes, and comes back with the next live query.
fn is_over(shared: &Shared) -> bool {
    let empty = || shared.metrics.lock().is_empty() && shared.tails.lock().is_empty();
    if !empty() {
        return false;
    }
    // Whoever is defining something holds the lock; it is then no longer empty, or will be seen next time.
    match shared.thread.try_lock() {
        Some(mut thread) if empty() => {
            *thread = None;
            true
        }
        _ => false,
    }
}

fn apply(shared: &Shared, batch: &EventBatch) {
    let now = shared.now();
    shared.counters.batches.fetch_add(1, Ordering::Relaxed);
    shared.counters.events.fetch_add(batch.len() as u64, Ordering::Relaxed);
    let newest = (0..batch.len()).map(|row| batch.timestamp(row)).max().unwrap_or(i64::MIN);
    for standing in shared.standings.all() {
        guarded(shared, &mut standing.lock(), |standing| standing.apply(batch, newest, now));
    }
    shared.tails.lock().retain_mut(|entry| {
        catch_unwind(AssertUnwindSafe(|| entry.apply(batch))).unwrap_or_else(|_| {
            tracing::error!("a live tail panicked");
            entry.tail.close();
            false
        })
    });
}

fn catch_up(shared: &Shared, after: u64, up_to: u64) {
    shared.counters.catch_ups.fetch_add(1, Ordering::Relaxed);
    tracing::warn!(after, up_to, "live queries fell behind; what they missed is read from history");
    for standing in shared.standings.all() {
        shared.reader().catch_up(&mut standing.lock(), after, up_to);
    }
    for entry in shared.tails.lock().iter() {
        entry.tail.count_dropped(up_to.saturating_sub(after));
    }
}

/// Merges backfills that are done and pushes results that are due. How long there is nothing to do.
fn look_around(shared: &Shared) -> Duration {
    let (tick, mut wait) = (shared.options.tick, MAX_WAIT);
    for standing in shared.standings.all() {
        let mut standing = standing.lock();
        if !standing.backfills.is_empty() {
            guarded(shared, &mut standing, |standing| shared.reader().collect(standing));
            wait = wait.min(BACKFILL_WAIT);
        }
    }
    for metric in shared.all() {
        let mut metric = metric.lock();
        let due = catch_unwind(AssertUnwindSafe(|| metric.publish(shared.now(), tick)));
        wait = due.unwrap_or_else(|_| panicked(shared, &mut metric)).map_or(wait, |due| wait.min(due));
    }
    wait.max(Duration::from_millis(1))
}

/// A fault in a query's functions costs those who share its state, not the thread.
fn guarded(shared: &Shared, standing: &mut Standing, step: impl FnOnce(&mut Standing)) {
    if catch_unwind(AssertUnwindSafe(|| step(standing))).is_err() {
        tracing::error!(query = standing.program.describe(), "a live query panicked");
        standing.fault(FAULT.to_owned(), shared.now());
    }
}

/// A fault in the steps behind the first stage costs that metric.
fn panicked(shared: &Shared, metric: &mut Metric) -> Option<Duration> {
    tracing::error!(metric = metric.name, "a live query panicked");
    metric.fault(FAULT.to_owned(), shared.now());
    None
}
