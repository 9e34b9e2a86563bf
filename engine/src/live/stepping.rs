//! One batch on its way to all standings it may matter to.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use parking_lot::Mutex;
use weir_query::machine::StepError;
use weir_query::record::{Rows, RowsError};

use super::cost;
use super::due::Watched;
use super::matching::{Arrived, Class, Filtering, Found, Portion, QueryIndex, Wanted};
use super::progress::Arrival;
use super::standing::Standing;
use super::standings::{Lists, Shared};
use crate::event::EventBatch;

/// What a metric says of itself when its query panicked.
pub(super) const FAULT: &str = "an internal fault: the metric is not reliable";

/// What is kept from batch to batch: room for what an index finds, and what will be wanted of the next.
#[derive(Default)]
pub(super) struct Stepping {
    found: Option<(Arc<QueryIndex<Shared>>, Found)>,
    /// The fields that were asked of the batch before.
    wanted: Vec<Wanted>,
    /// Metrics with subscriptions whose results may have changed.
    pub(super) stirred: Vec<Watched>,
}

impl Stepping {
    /// Steps the standings of `lists` over `batch`.
    pub(super) fn step(&mut self, lists: &Lists, batch: &EventBatch, arrival: &Arrival) {
        if batch.is_empty() {
            return;
        }
        let arrived = Arrived::new(batch, &self.wanted);
        let known = self.found.take().filter(|(index, _)| Arc::ptr_eq(index, &lists.index));
        let (index, mut found) = known.unwrap_or_else(|| (Arc::clone(&lists.index), lists.index.found()));
        let stirred = &mut self.stirred;
        let looked = index.find(&arrived, &mut found, |classes, portion| {
            classes.iter().for_each(|class| step_class(class, portion, arrival, stirred));
        });
        if let Err(fault) = looked {
            refuse_all(&index, batch.len() as u64, &fault, arrival);
        }
        self.found = Some((index, found));
        step_all(&lists.recent, &Portion::whole(&arrived), false, arrival, &mut self.stirred);
        self.wanted = arrived.wanted();
    }
}

/// Steps those that begin with the same filters: these run once.
fn step_class(class: &Class<Shared>, portion: &Portion<'_>, arrival: &Arrival, stirred: &mut Vec<Watched>) {
    let members = &class.members;
    match class.filtering() {
        Filtering::None => return step_all(members, portion, false, arrival, stirred),
        Filtering::Told => return step_all(members, portion, true, arrival, stirred),
        Filtering::Run => {}
    }
    // Where all are put off, nothing is to be filtered.
    let Some(first) = members.iter().find(|standing| !standing.lock().is_deferred()) else { return };
    let begun = cost::clock(arrival.is_timed);
    let filtered = catch_unwind(AssertUnwindSafe(|| first.lock().filter(portion)));
    if let Some(begun) = begun {
        let share = begun.elapsed() / u32::try_from(members.len()).unwrap_or(u32::MAX).max(1);
        members.iter().for_each(|standing| standing.lock().cost.charge(share, arrival.before.timed_events));
    }
    match filtered {
        Ok(Ok(passing)) if passing.is_empty() => {}
        Ok(Ok(passing)) if passing.is_all() => step_all(members, portion, true, arrival, stirred),
        Ok(Ok(passing)) => step_all(members, &portion.narrowed(&passing), true, arrival, stirred),
        Ok(Err(fault)) => refuse(members, portion.len() as u64, &fault, arrival),
        // Each is tried by itself, and says so if it panics too.
        Err(_) => step_all(members, portion, false, arrival, stirred),
    }
}

fn step_all(
    members: &[Shared],
    portion: &Portion<'_>,
    filtered: bool,
    arrival: &Arrival,
    stirred: &mut Vec<Watched>,
) {
    for standing in members {
        guarded(standing, arrival.now_nanos, stirred, |standing| standing.apply(portion, filtered, arrival));
    }
}

fn refuse(members: &[Shared], events: u64, fault: &StepError, arrival: &Arrival) {
    for standing in members {
        standing.lock().refuse(events, fault.to_string(), arrival.now_nanos);
    }
}

fn refuse_all(index: &QueryIndex<Shared>, events: u64, fault: &RowsError, arrival: &Arrival) {
    for standing in index.members() {
        standing.lock().refuse(events, fault.to_string(), arrival.now_nanos);
    }
}

/// Changes a standing, and notes who is to be told. A fault in a query's functions costs those who share its state, not
/// the thread.
pub(super) fn guarded(
    standing: &Mutex<Standing>,
    now_nanos: i64,
    stirred: &mut Vec<Watched>,
    step: impl FnOnce(&mut Standing),
) {
    let mut standing = standing.lock();
    let before = standing.version;
    if catch_unwind(AssertUnwindSafe(|| step(&mut standing))).is_err() {
        tracing::error!(query = standing.program.describe(), "a live query panicked");
        standing.fault(FAULT.to_owned(), now_nanos);
    }
    if standing.version != before {
        stirred.extend(standing.watchers());
    }
}
