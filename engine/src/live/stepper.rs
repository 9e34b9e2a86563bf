//! The live thread: takes batches from the feed, steps every standing and tail over them, pushes results.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use weir_query::compile::Known;
use weir_query::machine::{Context, Machine, State};
use weir_query::program::Program;
use weir_query::record::Selection;

use super::cost::Sampling;
use super::deferral::Deferring;
use super::due::{DueQueue, Watched};
use super::follow::Tail;
use super::metric::Metric;
use super::progress::Arrival;
use super::renewal::Again;
use super::saving::save_when_due;
use super::shared::Shared;
use super::standings;
use super::stepping::{FAULT, Stepping, guarded};
use crate::background;
use crate::event::EventBatch;
use crate::feed::{Delivery, Feed};

/// How long the thread waits for a batch at most before it looks around.
const MAX_WAIT: Duration = Duration::from_millis(100);
/// With so many standings, small batches that wait are stepped over together, up to so many bytes.
const JOIN_FROM_STANDINGS: usize = 64;
const JOIN_BYTES: usize = 12 << 20;
/// How long it waits at least.
const LEAST_WAIT: Duration = Duration::from_millis(1);
/// How long a metric with subscriptions is not looked at, at most: times that are outdated do not pile up.
const MOST_WAIT: Duration = Duration::from_secs(1);
/// How often it goes round all standings at most, and how many of them it visits at once.
const SWEEP_EVERY: Duration = Duration::from_secs(10);
const SWEPT_AT_ONCE: usize = 16;
/// How long it waits while a backfill is under way.
const BACKFILL_WAIT: Duration = Duration::from_millis(5);

/// A live tail and what steps it.
pub(super) struct TailEntry {
    pub(super) tail: Tail,
    machine: Machine,
    state: State,
    /// What it runs in.
    context: Context,
    /// Makes its program anew.
    again: Option<Again>,
}

impl TailEntry {
    pub(super) fn new(
        tail: Tail,
        program: Arc<Program>,
        context: Context,
        again: Option<Again>,
    ) -> TailEntry {
        let machine = Machine::new(program, context.clone());
        TailEntry { tail, state: machine.new_state(), machine, context, again }
    }

    /// Goes on with another program, where what is `known` makes it another. It has handed out all it took.
    pub(super) fn renew(&mut self, known: &Known) {
        let Some(program) = self.again.as_ref().and_then(|again| again(known)) else { return };
        if program.fingerprint() != self.machine.program().fingerprint() {
            self.machine = Machine::new(program, self.context.clone());
            self.state = self.machine.new_state();
        }
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

/// What the thread keeps from round to round.
#[derive(Default)]
struct Rounds {
    stepping: Stepping,
    due: DueQueue<Mutex<Metric>>,
    sweep: Sweep,
    sampling: Sampling,
    deferring: Deferring,
}

/// Runs until the repository closes, or nothing is live any more.
pub(super) fn run(shared: &Arc<Shared>, mut feed: Feed) {
    background::step_back();
    let (mut wait, mut rounds) = (Duration::ZERO, Rounds::default());
    let mut held = None;
    while !shared.stopped.load(Ordering::Acquire) {
        let delivery = held.take().unwrap_or_else(|| feed.next(wait));
        let begun = Instant::now();
        match delivery {
            Delivery::Batch(batch) => {
                let joins = shared.standings.len() >= JOIN_FROM_STANDINGS;
                let batch = if joins { taken(&mut feed, batch, &mut held) } else { batch };
                apply(shared, &mut rounds, &batch);
            }
            Delivery::Missed { after, up_to } => {
                rounds.deferring.load.overflowed();
                catch_up(shared, after, up_to);
            }
            Delivery::Idle => {
                rounds.deferring.load.idle();
                shared.idle_rounds.fetch_add(1, Ordering::AcqRel);
            }
            Delivery::Closed => break,
        }
        wait = rounds.look_around(shared);
        make_index(shared);
        save_when_due(shared);
        rounds.worked(shared, begun.elapsed());
        if is_over(shared) {
            return;
        }
    }
    shared.close_all();
}

/// `first` with what waits behind it, as one batch: what a batch costs each query is then paid once for all. What comes
/// next and is no batch is held.
fn taken(feed: &mut Feed, first: Arc<EventBatch>, held: &mut Option<Delivery>) -> Arc<EventBatch> {
    let mut bytes = first.copied_bytes();
    let mut batches = vec![first];
    while bytes < JOIN_BYTES && held.is_none() && feed.waiting() > 0 {
        match feed.next(Duration::ZERO) {
            Delivery::Batch(next) if bytes + next.copied_bytes() <= JOIN_BYTES => {
                bytes += next.copied_bytes();
                batches.push(next);
            }
            other => *held = Some(other),
        }
    }
    match batches.as_slice() {
        [only] => Arc::clone(only),
        several => Arc::new(EventBatch::join(&several.iter().map(|batch| &**batch).collect::<Vec<_>>())),
    }
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

fn apply(shared: &Shared, rounds: &mut Rounds, batch: &EventBatch) {
    shared.counters.batches.fetch_add(1, Ordering::Relaxed);
    shared.counters.events.fetch_add(batch.len() as u64, Ordering::Relaxed);
    let (before, is_timed) = (*shared.progress.lock(), rounds.sampling.next());
    let (arrival, begun) = (Arrival::new(batch, before, is_timed, shared.now()), Instant::now());
    rounds.stepping.step(&shared.standings.lists(), batch, &arrival);
    rounds.sampling.took(begun.elapsed());
    let lag = Duration::from_nanos(arrival.lag_nanos().unsigned_abs());
    rounds.deferring.load.stepped(batch.len() as u64, lag);
    shared.tails.lock().retain_mut(|entry| {
        catch_unwind(AssertUnwindSafe(|| entry.apply(batch))).unwrap_or_else(|_| {
            tracing::error!("a live tail panicked");
            entry.tail.close();
            false
        })
    });
    shared.sources.lock().observe(batch, arrival.now_nanos);
    *shared.progress.lock() = arrival.after();
}

fn catch_up(shared: &Shared, after: u64, up_to: u64) {
    shared.counters.catch_ups.fetch_add(1, Ordering::Relaxed);
    tracing::warn!(after, up_to, "live queries fell behind; what they missed is read from history");
    for standing in shared.standings.all() {
        shared.reader().catch_up(&mut standing.lock(), after, up_to);
        shared.standings.note_filling(standing);
    }
    shared.progress.lock().skip_to(up_to.saturating_add(1));
    for entry in shared.tails.lock().iter() {
        entry.tail.count_dropped(up_to.saturating_sub(after));
    }
}

impl Rounds {
    /// The thread worked for so long since it waited last.
    fn worked(&mut self, shared: &Shared, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        shared.counters.busy_nanos.fetch_add(nanos, Ordering::Relaxed);
        self.deferring.load.worked(took);
        self.deferring.step(shared);
    }

    /// Merges backfills that are done and pushes results that are due. How long there is nothing to do.
    fn look_around(&mut self, shared: &Shared) -> Duration {
        let mut wait = MAX_WAIT;
        let stirred = &mut self.stepping.stirred;
        for standing in shared.standings.take_filling() {
            guarded(&standing, shared.now(), stirred, |standing| shared.reader().collect(standing));
            let mut own = standing.lock();
            own.is_noted = own.is_reading();
            let is_noted = own.is_noted;
            drop(own);
            if is_noted {
                shared.standings.note_filling(standing);
                wait = wait.min(BACKFILL_WAIT);
            }
        }
        stirred.append(&mut shared.stirred.lock());
        for metric in stirred.drain(..) {
            publish(shared, &metric, &mut self.due);
        }
        while let Some(metric) = self.due.next(Instant::now()) {
            publish(shared, &metric, &mut self.due);
        }
        self.sweep.step(shared);
        let due = self.due.wait(Instant::now());
        due.map_or(wait, |due| wait.min(due)).max(LEAST_WAIT)
    }
}

/// Pushes the result of `metric` to those who subscribed, if it is due.
fn publish(shared: &Shared, metric: &Watched, due: &mut DueQueue<Mutex<Metric>>) {
    let mut own = metric.lock();
    let pushed = catch_unwind(AssertUnwindSafe(|| own.publish(shared.now(), shared.options.tick)));
    shared.note_reading(&own.standing);
    match pushed {
        Ok(Some(wait)) => due.set(metric, Instant::now() + wait.clamp(LEAST_WAIT, MOST_WAIT)),
        Ok(None) => {
            own.standing.lock().unwatch(metric);
            due.forget(metric);
        }
        // A fault in the steps behind the first stage costs that metric.
        Err(_) => {
            tracing::error!(metric = own.name, "a live query panicked");
            own.fault(FAULT.to_owned(), shared.now());
            due.set(metric, Instant::now() + MAX_WAIT);
        }
    }
}

/// Goes round the standings, few at a time: those without events forget what left their windows here.
#[derive(Default)]
struct Sweep {
    left: Vec<standings::Shared>,
    begun: Option<Instant>,
}

impl Sweep {
    fn step(&mut self, shared: &Shared) {
        if self.left.is_empty() && self.begun.is_none_or(|begun| begun.elapsed() >= SWEEP_EVERY) {
            (self.left, self.begun) = (shared.standings.all(), Some(Instant::now()));
        }
        for _ in 0..SWEPT_AT_ONCE {
            let Some(standing) = self.left.pop() else { break };
            let mut own = standing.lock();
            own.renew(shared.now());
            let is_due = own.is_repair_due(shared.now());
            drop(own);
            if is_due {
                shared.standings.note_filling(standing);
            }
        }
    }
}

/// Has the index made anew, on a thread of its own, when that is due. Until it is there, the one before goes on.
fn make_index(shared: &Arc<Shared>) {
    if !shared.standings.take_turn(Instant::now()) {
        return;
    }
    let own = Arc::clone(shared);
    let builder = std::thread::Builder::new().name("live-index".to_owned());
    let make = move || {
        if catch_unwind(AssertUnwindSafe(|| own.standings.make_index())).is_err() {
            tracing::error!("the index over live queries could not be made");
            own.standings.give_turn_back();
        }
    };
    if builder.spawn(make).is_err() {
        shared.standings.give_turn_back();
    }
}
