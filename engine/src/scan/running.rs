//! A scan in flight: its units, and one slot of work and sums a thread. Its end is in `answer.rs`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use weir_query::machine::{Context, Machine};
use weir_query::program::{Program, ScanOrder};
use weir_query::record::{OrderKey, Selection};

use super::answer::{End, Partial};
use super::gathered::Gathered;
use super::plan::{Bounds, Plan, Unit, Verdict};
use super::sink::{Layout, Sums};
use super::slot::Slot;
use super::states::{Learnt, StateCache, StateKey};
use super::stream::Output;
use super::unit::{Outcome, Stepped, Work};
use super::{ScanEnd, ScanError, ScanOptions, ScanResult, ScanStats, Source};

/// The most warnings a scan collects; further ones are counted.
const MAX_WARNINGS: usize = 20;

/// A scan in flight. Workers hold it while they step, its handle until it is dropped.
pub(super) struct Running {
    pub(super) program: Arc<Program>,
    pub(super) context: Context,
    pub(super) layout: Layout,
    pub(super) order: ScanOrder,
    pub(super) stream: bool,
    pub(super) plan: Plan,
    pub(super) time_budget: Option<Duration>,
    /// Where states of blocks are kept, and what those of this program are called.
    states: Option<(Arc<StateCache>, u64)>,
    /// States of blocks are too large to be kept.
    states_too_large: AtomicBool,
    max_state_bytes: usize,
    max_threads: usize,
    pub(super) started: Instant,
    pub(super) missing: bool,
    pub(super) slots: Vec<Slot>,
    pub(super) gathered: Gathered,
    pub(super) cursor: Mutex<Cursor>,
    pub(super) output: Mutex<Output>,
    horizon: Mutex<Option<OrderKey>>,
    pub(super) stats: Mutex<ScanStats>,
    pub(super) warnings: Mutex<(Vec<String>, usize)>,
    pub(super) ended: AtomicBool,
    pub(super) end: Mutex<End>,
    pub(super) changed: Condvar,
    pub(super) partial: Mutex<Option<Partial>>,
    pub(super) result: Mutex<Option<Result<ScanResult, ScanError>>>,
}

/// Which units are taken, and how new a row may still come out of each that is.
pub(super) struct Cursor {
    next: usize,
    pub(super) left: usize,
    open: Vec<Option<OrderKey>>,
}

impl Running {
    pub(super) fn new(
        source: &dyn Source,
        program: Arc<Program>,
        options: &ScanOptions,
        layout: Layout,
        threads: usize,
    ) -> Running {
        let mut context = options.context.clone();
        context.max_state_bytes = match context.max_state_bytes {
            0 => options.max_state_bytes,
            bytes => bytes.min(options.max_state_bytes),
        };
        let order = match program.scan_order() {
            ScanOrder::Any if options.stream => ScanOrder::NewestFirst,
            order => order,
        };
        let nanos = options.time_range.clone().unwrap_or(context.start_nanos..context.end_nanos);
        let bounds = Bounds {
            nanos: nanos.clone(),
            first_sequence: options.first_sequence,
            last_sequence: options.last_sequence.min(source.up_to_sequence()),
            ingest: layout.ingest_range(),
        };
        let mut stats = ScanStats::default();
        let plan = Plan::new(source, bounds, program.required().clone(), order, &mut stats);
        let missing = source.missing(nanos);
        let mut machine = Machine::new(Arc::clone(&program), context.clone());
        let plan = if program.creates_events() { Plan::empty() } else { plan };
        let slots = (0..threads).map(|_| Slot::new(order, layout.empty(&machine)));
        // Streams too: what has a key is learnt by an aggregate, and hands out no rows on its way.
        let keeps = layout == Layout::One;
        let states = options.states.clone().filter(|states| keeps && !states.is_off());
        let states = states.and_then(|states| Some((states, program.state_key(&context)?)));
        let running = Running {
            states,
            states_too_large: AtomicBool::new(false),
            slots: slots.collect(),
            gathered: Gathered::default(),
            cursor: Mutex::new(Cursor { next: 0, left: plan.units().len(), open: vec![None; threads] }),
            output: Mutex::new(Output::new(options.max_held_bytes, options.max_output_rows)),
            missing: !missing.is_empty(),
            program,
            context,
            layout,
            order,
            stream: options.stream,
            plan,
            time_budget: options.time_budget,
            max_state_bytes: options.max_state_bytes,
            max_threads: if options.max_threads == 0 { usize::MAX } else { options.max_threads },
            started: Instant::now(),
            horizon: Mutex::new(None),
            stats: Mutex::new(stats),
            warnings: Mutex::new((Vec::new(), 0)),
            ended: AtomicBool::new(false),
            end: Mutex::new(End::default()),
            changed: Condvar::new(),
            partial: Mutex::new(None),
            result: Mutex::new(None),
        };
        missing.into_iter().for_each(|reason| running.warn(reason));
        running.step_created(&mut machine);
        if running.plan.units().is_empty() {
            running.stop(ScanEnd::Complete);
        }
        running
    }

    /// A program that makes its events itself is done with these.
    fn step_created(&self, machine: &mut Machine) {
        let (Some(created), Some(slot)) = (machine.created(), self.slots.first()) else { return };
        let mut sums = slot.sums.lock();
        if let Err(fault) = sums.step(self.layout, machine, &created, Selection::all(created.rows)) {
            self.warn(fault.to_string());
        }
        if let (true, Sums::One(state)) = (self.stream, &mut *sums) {
            let mut output = self.output.lock();
            state.take_rows().into_iter().for_each(|table| output.hold(table));
        }
    }

    // What the pool asks and does.

    /// Whether thread `slot` has something to do here. Called under the pool's lock.
    pub(super) fn has_work(&self, slot: usize) -> bool {
        if self.is_ended() {
            return false;
        }
        if self.is_over_time() {
            return true;
        }
        let cursor = self.cursor.lock();
        let Some(bound) = cursor.open.get(slot) else { return false };
        if bound.is_none() {
            let busy = self.slots.iter().filter(|slot| slot.busy.load(Ordering::Acquire)).count();
            if cursor.next >= self.plan.units().len() || busy >= self.max_threads {
                return false;
            }
        }
        !self.stream || self.may_go_on(&cursor, slot)
    }

    /// Marks thread `slot` as being at this scan. Called under the pool's lock.
    pub(super) fn take(&self, slot: usize) {
        if let Some(slot) = self.slots.get(slot) {
            slot.busy.store(true, Ordering::Release);
        }
    }

    /// Works on it before the pool has it: as the first of its threads, which goes on with what is left open.
    pub(super) fn give_head_start(&self, slice: Duration) {
        self.take(0);
        self.work_guarded(0, slice);
    }

    /// As [`Running::work`]; a panic ends the scan alone.
    pub(super) fn work_guarded(&self, slot: usize, slice: Duration) {
        if catch_unwind(AssertUnwindSafe(|| self.work(slot, slice))).is_err() {
            tracing::error!("a thread panicked while scanning");
            self.fail();
        }
    }

    /// Steps on thread `slot` until `slice` is used up or there is nothing to do.
    fn work(&self, slot: usize, slice: Duration) {
        let Some(own) = self.slots.get(slot) else { return };
        let begun = Instant::now();
        self.end.lock().first_turn.get_or_insert(begun);
        let mut work = own.work.lock();
        while !self.is_ended() && begun.elapsed() < slice {
            if self.is_over_time() {
                self.stop_at(ScanEnd::TimeBudget, own, &mut work);
                break;
            }
            if self.stream && !self.may_go_on(&self.cursor.lock(), slot) {
                break;
            }
            if !work.is_open() && !self.open_next(slot, own, &mut work) {
                break;
            }
            if work.is_open() {
                let stepped = work.step(self, own);
                self.take_in(slot, own, &mut work, stepped);
                own.give_way();
            }
        }
        if self.is_ended() {
            work.close(own);
        }
        own.busy.store(work.is_open(), Ordering::Release);
    }

    /// Ends the scan from a thread that is at work; what it learnt last counts.
    fn stop_at(&self, how: ScanEnd, own: &Slot, work: &mut Work) {
        work.close(own);
        self.stop(how);
    }

    /// A thread panicked in it: a fault in the program's functions. The scan ends; the engine goes on.
    fn fail(&self) {
        self.warn("an internal fault ended the search early".to_owned());
        self.stop(ScanEnd::Failed);
    }

    // Streams wait for their reader, and for the block that holds the rest back.
    fn may_go_on(&self, cursor: &Cursor, slot: usize) -> bool {
        let output = self.output.lock();
        if output.is_full() {
            return false;
        }
        if !output.is_holding_much() {
            return true;
        }
        let own = cursor.open.get(slot).copied().flatten();
        let unread = self.plan.units().get(cursor.next).map(Unit::newest);
        let newest = cursor.open.iter().flatten().max().copied().max(unread);
        own.or(unread) == newest
    }

    // States that are kept.

    /// Where the state of `unit` alone may be kept, and its name there.
    pub(super) fn state_key(&self, unit: &Unit) -> Option<(&Arc<StateCache>, StateKey)> {
        let (states, program) = self.states.as_ref()?;
        let covered = self.plan.bounds().cover(&unit.facts);
        if !covered {
            return None;
        }
        let part = self.plan.part(unit)?.serial()?;
        Some((states, StateKey { part, block: unit.block, program: *program }))
    }

    /// Whether states of blocks to come are worth keeping: until one was too large.
    pub(super) fn keeps_states(&self) -> bool {
        !self.states_too_large.load(Ordering::Relaxed)
    }

    /// Whether `sums`, learnt of a block alone, are too large to be kept; then those of the blocks to come, which will
    /// hardly be smaller, are not learnt apart at all.
    pub(super) fn is_too_large_to_keep(&self, sums: &Sums) -> bool {
        let Some((states, _)) = &self.states else { return true };
        let too_large = states.is_too_large(sums.bytes());
        if too_large {
            self.states_too_large.store(true, Ordering::Relaxed);
        }
        too_large
    }

    /// Keeps what was learnt of all of `unit`.
    pub(super) fn keep(&self, unit: &Unit, key: StateKey, learnt: Learnt) {
        let (Some((states, _)), Some(part)) = (&self.states, self.plan.part(unit)) else { return };
        if !states.keep(&**part, key, learnt) {
            // Those of the other blocks will hardly be smaller.
            self.states_too_large.store(true, Ordering::Relaxed);
        }
    }

    // One unit.

    /// Takes the next unit and opens it. False: there is none.
    fn open_next(&self, slot: usize, own: &Slot, work: &mut Work) -> bool {
        let Some(unit) = self.claim(slot) else { return false };
        let answered = work.answer(self, &unit, &own.sums);
        if self.is_answered(slot, own, work, answered) {
            return true;
        }
        let mut spared = ScanStats::default();
        let verdict = self.plan.prune(&unit, |fault| self.warn(fault), &mut spared);
        self.stats.lock().add(&spared);
        let outcome = match verdict {
            Verdict::Facts => Some(Outcome::PrunedByFacts),
            Verdict::Index => Some(Outcome::PrunedByIndex),
            Verdict::Read(granules) => {
                let recalled = work.recall(self, &unit, granules.len(), &own.sums);
                if self.is_answered(slot, own, work, recalled) {
                    return true;
                }
                work.open(self, own, unit, granules)
            }
        };
        if let Some(outcome) = outcome {
            self.finish_unit(slot, outcome);
        }
        true
    }

    /// Takes in what facts or kept states say of a unit; false: it has to be read.
    fn is_answered(&self, slot: usize, own: &Slot, work: &mut Work, answered: Stepped) -> bool {
        let is_answered = answered.outcome.is_some() || answered.too_large.is_some();
        match is_answered {
            true => self.take_in(slot, own, work, answered),
            false => self.stats.lock().add(&answered.stats),
        }
        is_answered
    }

    fn claim(&self, slot: usize) -> Option<Unit> {
        let mut cursor = self.cursor.lock();
        let unit = *self.plan.units().get(cursor.next)?;
        let edge = if self.order == ScanOrder::OldestFirst { unit.oldest() } else { unit.newest() };
        if !self.can_matter(edge) {
            let skipped = self.plan.units().len() - cursor.next;
            self.stats.lock().blocks_skipped_early += skipped as u64;
            cursor.next = self.plan.units().len();
            cursor.left -= skipped.min(cursor.left);
            if cursor.left == 0 {
                drop(cursor);
                self.stop(ScanEnd::Complete);
            }
            return None;
        }
        cursor.next += 1;
        if let Some(open) = cursor.open.get_mut(slot) {
            *open = Some(unit.newest());
        }
        Some(unit)
    }

    /// Books what a group of granules, or the facts of a block, brought.
    fn take_in(&self, slot: usize, own: &Slot, work: &mut Work, stepped: Stepped) {
        self.stats.lock().add(&stepped.stats);
        own.note_bytes();
        if let Some(fault) = stepped.too_large {
            self.warn(format!("{fault}; the answer is over what was read until then"));
            return self.stop_at(ScanEnd::MemoryBudget, own, work);
        }
        if let Some(horizon) = stepped.horizon {
            self.narrow(horizon);
        }
        let bytes = self.bytes();
        if bytes > self.max_state_bytes {
            self.warn(format!(
                "query state of {bytes} bytes is over its limit of {}; the answer is over what was read until then",
                self.max_state_bytes
            ));
            return self.stop_at(ScanEnd::MemoryBudget, own, work);
        }
        if self.stream {
            let mut cursor = self.cursor.lock();
            if let (Some(open), Some(newest)) = (cursor.open.get_mut(slot), stepped.newest_left) {
                *open = Some(newest);
            }
            let mut output = self.output.lock();
            stepped.tables.into_iter().for_each(|table| output.hold(table));
            drop(output);
            self.release(&cursor);
        }
        if let Some(outcome) = stepped.outcome {
            self.finish_unit(slot, outcome);
        }
    }

    /// Bytes of memory that all threads' states hold, as of their last group of granules, and what was taken of them.
    pub(super) fn bytes(&self) -> usize {
        // In this order nothing that is taken meanwhile is counted twice.
        let gathered = self.gathered.bytes();
        gathered + self.slots.iter().map(|slot| slot.bytes()).sum::<usize>()
    }

    fn finish_unit(&self, slot: usize, outcome: Outcome) {
        {
            let mut stats = self.stats.lock();
            match outcome {
                Outcome::Scanned => stats.blocks_scanned += 1,
                Outcome::Kept => stats.blocks_answered_by_states += 1,
                Outcome::Answered => stats.blocks_answered_by_facts += 1,
                Outcome::Damaged => stats.blocks_damaged += 1,
                Outcome::PrunedByFacts => stats.blocks_pruned_by_facts += 1,
                Outcome::PrunedByIndex => stats.blocks_pruned_by_index += 1,
            }
        }
        let mut cursor = self.cursor.lock();
        if let Some(open) = cursor.open.get_mut(slot) {
            *open = None;
        }
        cursor.left = cursor.left.saturating_sub(1);
        if self.stream {
            self.release(&cursor);
        }
        if cursor.left == 0 {
            drop(cursor);
            self.stop(ScanEnd::Complete);
        }
    }

    /// Hands out the matches that no unread row can come before.
    fn release(&self, cursor: &Cursor) {
        let unread = self.plan.units().get(cursor.next).map(Unit::newest);
        let bound = cursor.open.iter().flatten().max().copied().max(unread);
        let mut output = self.output.lock();
        output.release(bound);
        let ready = output.has_ready();
        drop(output);
        if ready {
            self.tell();
        }
    }

    /// Whether a row at `key` can still change the result.
    pub(super) fn can_matter(&self, key: OrderKey) -> bool {
        match (*self.horizon.lock(), self.order) {
            (None, _) | (_, ScanOrder::Any) => true,
            (Some(horizon), ScanOrder::NewestFirst) => key > horizon,
            (Some(horizon), ScanOrder::OldestFirst) => key < horizon,
        }
    }

    /// Whether it is known which rows come too late to matter.
    pub(super) fn has_horizon(&self) -> bool {
        self.order != ScanOrder::Any && self.horizon.lock().is_some()
    }

    fn narrow(&self, horizon: OrderKey) {
        let mut known = self.horizon.lock();
        let narrower = match (*known, self.order) {
            (None, _) => true,
            (Some(known), ScanOrder::OldestFirst) => horizon < known,
            (Some(known), _) => horizon > known,
        };
        if narrower {
            *known = Some(horizon);
        }
    }

    pub(super) fn warn(&self, warning: String) {
        let mut warnings = self.warnings.lock();
        if warnings.0.len() < MAX_WARNINGS {
            warnings.0.push(warning);
        } else {
            warnings.1 += 1;
        }
    }
}
