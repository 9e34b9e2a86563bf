//! A query over batches that come one after another and are not kept: files, standard input.
//!
//! Where a [`super::Scan`] has all its events before it, a [`Fold`] sees each batch once. Batches go round to worker
//! threads, each with a machine and a state of its own; the states are merged at the end.

use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam::channel::{Sender, bounded};
use weir_query::machine::{Context, Machine, State, StepError};
use weir_query::program::Program;
use weir_query::record::{OrderKey, Selection};
use weir_query::result::ResultTable;

use super::ScanError;
use crate::event::EventBatch;

/// Batches that wait for a worker, for each worker.
const WAITING_BATCHES: usize = 2;

/// A program at work on batches that come one after another.
pub struct Fold {
    queue: Option<Sender<Arc<EventBatch>>>,
    workers: Vec<JoinHandle<Result<Part, StepError>>>,
    machine: Machine,
}

/// What a fold found.
#[derive(Debug)]
pub struct Folded {
    /// The tables its rows are in: matches of a streaming program in the order they were found, or the one result.
    pub tables: Vec<ResultTable>,
    /// Each row as table and row in it: newest first where rows are events of a streaming program.
    pub rows: Vec<(usize, u32)>,
    /// Events that were looked at.
    pub events: u64,
}

struct Part {
    state: State,
    matches: Vec<ResultTable>,
    events: u64,
}

impl Fold {
    /// Starts `threads` workers (at least one) for `program`. Only events in the context's time range count. A
    /// program that makes its events itself (`createEvents`) is fed those, and none that are pushed.
    #[must_use]
    pub fn start(program: &Arc<Program>, context: &Context, threads: usize) -> Fold {
        let threads = threads.max(1);
        let (queue, batches) = bounded::<Arc<EventBatch>>(threads * WAITING_BATCHES);
        let workers = (0..threads).map(|_| {
            let machine = Machine::new(Arc::clone(program), context.clone());
            let batches = batches.clone();
            std::thread::spawn(move || work(machine, batches.iter()))
        });
        let workers = workers.collect();
        Fold { queue: Some(queue), workers, machine: Machine::new(Arc::clone(program), context.clone()) }
    }

    /// Hands a batch to a worker; waits while all are busy. False: a worker has failed, and [`Fold::finish`] says why.
    #[must_use]
    pub fn push(&self, batch: Arc<EventBatch>) -> bool {
        if self.machine.program().creates_events() {
            return true;
        }
        // A worker that failed has left the queue; the others go on taking from it, so look at the workers, too.
        let alive = self.workers.iter().all(|worker| !worker.is_finished());
        alive && self.queue.as_ref().is_some_and(|queue| queue.send(batch).is_ok())
    }

    /// Waits for the workers, merges what they learnt, and runs the rest of the program.
    ///
    /// # Errors
    /// When a state outgrew its limit, or a worker failed.
    pub fn finish(mut self) -> Result<Folded, ScanError> {
        drop(self.queue.take());
        let mut sum = Part { state: self.machine.new_state(), matches: Vec::new(), events: 0 };
        if let Some(created) = self.machine.created() {
            self.machine.step(&created, Selection::all(created.rows), &mut sum.state)?;
            sum.matches.extend(sum.state.take_rows());
        }
        for worker in self.workers {
            let part = worker.join().map_err(|_| ScanError::NoThreads("a worker failed".to_owned()))??;
            sum.state.merge(&part.state)?;
            sum.matches.extend(part.matches);
            sum.events += part.events;
        }
        let result = self.machine.finish(&sum.state)?;
        let (events, mut tables) = (sum.events, sum.matches);
        let mut rows = newest_first(&tables);
        rows.extend((0..result.rows).filter_map(|row| Some((tables.len(), u32::try_from(row).ok()?))));
        tables.push(result);
        Ok(Folded { tables, rows, events })
    }
}

fn work(mut machine: Machine, batches: impl Iterator<Item = Arc<EventBatch>>) -> Result<Part, StepError> {
    let mut part = Part { state: machine.new_state(), matches: Vec::new(), events: 0 };
    let range = machine.context().start_nanos..machine.context().end_nanos;
    for batch in batches {
        let within = Selection::from_fn(batch.len(), |row| range.contains(&batch.timestamp(row)));
        part.events += within.count() as u64;
        machine.step(batch.as_ref(), within, &mut part.state)?;
        part.matches.extend(part.state.take_rows());
    }
    Ok(part)
}

fn newest_first(tables: &[ResultTable]) -> Vec<(usize, u32)> {
    let mut keyed: Vec<(OrderKey, usize, u32)> = Vec::new();
    for (number, table) in tables.iter().enumerate() {
        keyed.extend((0_u32..).zip(&table.order).map(|(row, key)| (*key, number, row)));
    }
    keyed.sort_unstable_by(|one, other| other.cmp(one));
    keyed.into_iter().map(|(_, table, row)| (table, row)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use weir_query::compile::{Ending, Options};

    use super::*;
    use crate::event::{EventBatchBuilder, EventLimits, TagSet};

    fn batch() -> EventBatch {
        let mut builder = EventBatchBuilder::new(EventLimits::default());
        builder.push_text(b"b", Some(5), &Arc::new(TagSet::default()), None).unwrap();
        builder.finish(5)
    }

    #[test]
    fn created_events_replace_those_that_are_pushed() {
        for (query, ending, rows) in [
            ("createEvents([\"a\", \"b\", \"c\"]) | count()", Ending::Stream, 1),
            ("createEvents([\"a\", \"b\", \"c\"]) | b", Ending::Stream, 1),
            ("createEvents([\"a\", \"b\", \"c\"])", Ending::Tail, 3),
            ("createEvents([\"a\", \"b\", \"c\"])", Ending::Stream, 3),
        ] {
            let program = Program::compile(query, &Options { ending, ..Options::default() }).unwrap();
            let context = Context { start_nanos: i64::MIN, end_nanos: i64::MAX, ..Context::default() };
            let fold = Fold::start(&program, &context, 2);
            assert!(fold.push(Arc::new(batch())), "{query}");
            let found = fold.finish().unwrap();
            assert_eq!(found.rows.len(), rows, "{query}");
            assert_eq!(found.events, 0, "{query}: events pushed are not looked at");
        }
    }
}
