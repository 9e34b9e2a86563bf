//! Puts standings off when the live thread falls behind, and takes them up again when it has time: who is put off, and
//! when each is read from history.
//!
//! They are read on one thread of the repository's own, made by the live thread and as nice as it: however much there is
//! to be read, it takes one core at most, and that only where others leave it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::backfill::Reader;
use super::load::{Candidate, Load, Verdict, to_defer, to_resume};
use super::shared::Shared;
use super::standing::Standing;
use super::standings;
use crate::scan::ScanPool;

/// So many of those that are put off are read at a time.
const MAX_READ_AT_ONCE: usize = 2;

/// Those that are put off, the one that was read longest ago first.
#[derive(Default)]
pub(super) struct Deferred {
    pub(super) line: VecDeque<standings::Shared>,
    /// Those of them that are being read.
    reading: Vec<standings::Shared>,
}

/// Who looks after them: the live thread.
#[derive(Default)]
pub(super) struct Deferring {
    pub(super) load: Load,
    /// Where they are read, once there are some.
    pool: Option<ScanPool>,
}

impl Deferring {
    /// Puts off, takes up and reads what is to be now.
    pub(super) fn step(&mut self, shared: &Shared) {
        let max_lag = shared.options.degrading.max_lag;
        if !max_lag.is_zero() {
            match self.load.look(Instant::now(), max_lag) {
                Verdict::Fine => {}
                Verdict::Behind { lag, nanos_per_event } => {
                    put_off(shared, nanos_per_event, &format!("the live path was {lag:.1?} behind"));
                }
                Verdict::Calm { spare } => take_up(shared, spare),
            }
        }
        if !shared.deferred.lock().line.is_empty() {
            self.pool.get_or_insert_with(|| ScanPool::new(1));
            read_due(shared, &self.pool);
        }
    }
}

fn candidate(standing: &Standing, timed_events: u64) -> Candidate {
    Candidate {
        priority: standing.priorities.highest(),
        nanos_per_event: standing.cost.nanos_per_event(timed_events),
    }
}

/// Puts off some of those that are stepped.
fn put_off(shared: &Shared, nanos_per_event: f64, reason: &str) {
    let timed_events = shared.progress.lock().timed_events;
    let (mut stepped, mut candidates) = (Vec::new(), Vec::new());
    for standing in shared.standings.all() {
        let own = standing.lock();
        if !own.is_deferred() {
            candidates.push(candidate(&own, timed_events));
            drop(own);
            stepped.push(standing);
        }
    }
    let chosen = to_defer(&candidates, nanos_per_event);
    let all: f64 = candidates.iter().map(|one| one.nanos_per_event).sum();
    for at in chosen {
        let (Some(standing), Some(one)) = (stepped.get(at), candidates.get(at)) else { continue };
        let share = 100.0 * one.nanos_per_event / all;
        let priority = one.priority.as_str();
        let query = standing.lock().program.describe();
        tracing::warn!(query, priority, share, reason, "a live query is read from history for a while");
        let reason = format!("{reason}, of priority {priority} this took {share:.0} % of its time");
        defer(shared, standing, &reason);
    }
}

/// Takes up some of those that are put off.
fn take_up(shared: &Shared, spare: f64) {
    let timed_events = shared.progress.lock().timed_events;
    let line: Vec<standings::Shared> = shared.deferred.lock().line.iter().map(Arc::clone).collect();
    let candidates: Vec<Candidate> =
        line.iter().map(|standing| candidate(&standing.lock(), timed_events)).collect();
    for standing in to_resume(&candidates, spare).iter().filter_map(|at| line.get(*at)) {
        resume(shared, standing);
    }
}

/// Puts `standing` off. It is read as soon as there is a turn.
pub(super) fn defer(shared: &Shared, standing: &standings::Shared, reason: &str) {
    let mut own = standing.lock();
    if own.defer(reason, shared.now()) {
        shared.counters.deferrals.fetch_add(1, Ordering::Relaxed);
        shared.stirred.lock().extend(own.watchers());
        drop(own);
        shared.deferred.lock().line.push_front(Arc::clone(standing));
    }
}

/// Batches come to `standing` again, and what it lacks is read.
pub(super) fn resume(shared: &Shared, standing: &standings::Shared) {
    let mut deferred = shared.deferred.lock();
    deferred.line.retain(|other| !Arc::ptr_eq(other, standing));
    drop(deferred);
    let mut own = standing.lock();
    if own.is_deferred() {
        own.end_deferral();
        shared.reader().read_deferred(&mut own);
        shared.stirred.lock().extend(own.watchers());
        drop(own);
        shared.standings.note_filling(Arc::clone(standing));
    }
}

/// Starts to read those whose turn it is, on `pool`.
pub(super) fn read_due(shared: &Shared, pool: &Option<ScanPool>) {
    let interval = shared.options.degrading.interval;
    let mut deferred = shared.deferred.lock();
    deferred.reading.retain(|standing| !standing.lock().backfills.is_empty());
    for _ in 0..deferred.line.len() {
        let Some(standing) = deferred.line.pop_front() else { return };
        let mut own = standing.lock();
        if own.sharers() == 0 {
            continue;
        }
        if !own.backfills.is_empty() {
            drop(own);
            deferred.line.push_back(standing);
            continue;
        }
        if deferred.reading.len() >= MAX_READ_AT_ONCE || !own.is_reading_due(interval) {
            drop(own);
            deferred.line.push_front(standing);
            return;
        }
        let reader = Reader { history: &shared.options.history, pool, now_nanos: shared.now() };
        reader.read_deferred(&mut own);
        drop(own);
        shared.counters.deferred_reads.fetch_add(1, Ordering::Relaxed);
        shared.standings.note_filling(Arc::clone(&standing));
        deferred.reading.push(Arc::clone(&standing));
        deferred.line.push_back(standing);
    }
}
