//! The work of one thread on one block: open it, step it a group of granules at a time, newest or oldest first.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use weir_query::machine::{Machine, StepError};
use weir_query::program::ScanOrder;
use weir_query::record::{OrderKey, Rows, RowsError, Selection};
use weir_query::result::ResultTable;

use super::ScanStats;
use super::plan::Unit;
use super::running::Running;
use super::sink::Sums;
use super::slot::Slot;
use super::source::GRANULE_ROWS;
use super::states::{Learnt, StateKey};

/// Granules stepped at once, at most: a whole block.
const MAX_GROUP: usize = 64;
/// Granules of the first group of a scan that reads all: a millisecond of what costs 60 ns a row.
const FIRST_GROUP: usize = 16;
/// A group that takes longer is followed by one half as large: cancellation and partial results wait for a group. One
/// that takes less than half of that is followed by a larger one.
const LONG_GROUP: Duration = Duration::from_millis(10);
/// So many times as large at most: the first group of a block is slow for what is read but once.
const GROWTH: u32 = 16;
/// While a scan is young, whoever watches it waits for its first partial result: then a group is long when it takes more
/// than one in so many of the time the scan has run, or than the shortest that counts as long.
const YOUNG_SHARE: u32 = 4;
const LONG_GROUP_LEAST: Duration = Duration::from_millis(1);

/// How a block was done with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Scanned,
    Damaged,
    Answered,
    Kept,
    PrunedByFacts,
    PrunedByIndex,
}

/// What a thread is at.
pub(super) struct Work {
    machine: Option<Machine>,
    open: Option<Open>,
    apart: Option<Apart>,
    group: usize,
}

/// What is learnt of the open block alone, in [`Slot::apart`], is to be kept.
struct Apart {
    key: StateKey,
    matched: u64,
}

/// A block that is being stepped.
struct Open {
    unit: Unit,
    rows: Arc<dyn Rows + Send + Sync>,
    /// The places of its rows, read when first needed: most searches of sealed blocks never are in need.
    order: Option<Arc<[OrderKey]>>,
    /// Granules to do; the next one is the last.
    granules: Vec<u32>,
    counting: Counting,
}

/// Which rows of a block count.
enum Counting {
    All,
    /// Those of a range: rows are in the order of time.
    Rows(Range<usize>),
    /// Those whose places do.
    Places,
}

/// What one group of granules brought.
#[derive(Default)]
pub(super) struct Stepped {
    pub(super) stats: ScanStats,
    pub(super) outcome: Option<Outcome>,
    pub(super) too_large: Option<StepError>,
    pub(super) horizon: Option<OrderKey>,
    pub(super) tables: Vec<ResultTable>,
    /// No row of the block that is still to do is newer; `None` when there is none.
    pub(super) newest_left: Option<OrderKey>,
}

impl Work {
    pub(super) fn new(order: ScanOrder) -> Work {
        // Whoever may stop early starts small; the others too, until it is known how long a group takes.
        let group = if order == ScanOrder::Any { FIRST_GROUP } else { 1 };
        Work { machine: None, open: None, apart: None, group }
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Lets everything go; what was learnt stays in the sums of `own`.
    pub(super) fn close(&mut self, own: &Slot) {
        own.give_up_apart();
        self.apart = None;
        self.open = None;
        self.machine = None;
    }

    /// Takes what another scan learnt of `unit`, of which pruning leaves `granules`; without an outcome when none did.
    pub(super) fn recall(
        &mut self,
        scan: &Running,
        unit: &Unit,
        granules: usize,
        sums: &Mutex<Sums>,
    ) -> Stepped {
        let mut stepped = Stepped::default();
        let Some((states, key)) = scan.state_key(unit) else { return stepped };
        let Some(learnt) = states.get(key) else {
            stepped.stats.blocks_missed_by_states = 1;
            return stepped;
        };
        let mut sums = sums.lock();
        match sums.merge_state(&learnt.state) {
            Ok(()) => stepped.outcome = Some(Outcome::Kept),
            Err(fault) => stepped.too_large = Some(fault),
        }
        stepped.stats.granules_answered_by_states = granules as u64;
        stepped.stats.events_answered_by_states = unit.facts.rows as u64;
        stepped.stats.events_matched = learnt.matched;
        stepped
    }

    /// Learns what `unit` would tell from its facts; without an outcome when it has to be read.
    pub(super) fn answer(&mut self, scan: &Running, unit: &Unit, sums: &Mutex<Sums>) -> Stepped {
        let mut stepped = Stepped::default();
        let summary = scan.plan.part(unit).and_then(|part| part.summary(unit.block));
        let (Some(summary), true) = (summary, scan.plan.bounds().cover(&unit.facts)) else {
            return stepped;
        };
        let machine = self.machine(scan);
        let passed = machine.passed();
        let mut sums = sums.lock();
        match sums.absorb(machine, summary) {
            Ok(false) => return stepped,
            Ok(true) => stepped.outcome = Some(Outcome::Answered),
            Err(fault) => stepped.too_large = Some(fault),
        }
        stepped.stats.granules_answered_by_facts = unit.granules() as u64;
        stepped.stats.events_answered_by_facts = unit.facts.rows as u64;
        stepped.stats.events_matched = machine.passed() - passed;
        stepped
    }

    fn machine(&mut self, scan: &Running) -> &mut Machine {
        self.machine.get_or_insert_with(|| scan.machine())
    }

    /// Opens `unit`; with an outcome when there is nothing to step.
    pub(super) fn open(
        &mut self,
        scan: &Running,
        own: &Slot,
        unit: Unit,
        mut granules: Vec<u32>,
    ) -> Option<Outcome> {
        let opened = scan.plan.part(&unit).map(|part| -> Result<Open, RowsError> {
            let rows = part.open(unit.block)?;
            if scan.order == ScanOrder::OldestFirst {
                granules.reverse();
            }
            let counting = counting(scan, &unit, &*rows)?;
            let mut open = Open { unit, rows, order: None, granules, counting };
            if matches!(open.counting, Counting::Places) {
                open.order()?;
            }
            Ok(open)
        });
        match opened {
            Some(Ok(open)) => {
                if let Some((_, key)) = scan.state_key(&open.unit).filter(|_| scan.keeps_states()) {
                    *own.apart.lock() = Some(scan.layout.empty(self.machine(scan)));
                    self.apart = Some(Apart { key, matched: 0 });
                }
                self.open = Some(open);
                None
            }
            Some(Err(fault)) => {
                scan.warn(format!("{} events were left out: {fault}", unit.facts.rows));
                Some(Outcome::Damaged)
            }
            None => Some(Outcome::PrunedByFacts),
        }
    }

    /// Steps the next group of granules of the open block. What it is learnt into is locked for as long as that takes,
    /// which is what a result may have to wait for.
    pub(super) fn step(&mut self, scan: &Running, own: &Slot) -> Stepped {
        let mut stepped = Stepped::default();
        let Some(open) = &mut self.open else { return stepped };
        let machine = self.machine.get_or_insert_with(|| scan.machine());
        let begun = Instant::now();
        let within = open.next_group(scan, self.group, &mut stepped.stats);
        let result = match within {
            Ok(within) if within.is_empty() => Ok(()),
            Ok(within) => {
                let passed = machine.passed();
                // Only one of the two is locked here: whoever locks both begins with the sums.
                let done = match self.apart {
                    Some(_) => match &mut *own.apart.lock() {
                        Some(apart) => step_rows(scan, machine, open, within, apart, &mut stepped),
                        None => Ok(()),
                    },
                    None => step_rows(scan, machine, open, within, &mut own.sums.lock(), &mut stepped),
                };
                stepped.stats.events_matched = machine.passed() - passed;
                done
            }
            Err(fault) => Err(StepError::Rows(fault)),
        };
        // The end of a block may have left fewer than were asked for: they tell nothing of how long those would have taken.
        let done = stepped.stats.granules_scanned as usize;
        if done > 0 {
            self.group = next_group(done, begun.elapsed(), long_group(scan));
        }
        stepped.outcome = match result {
            Ok(()) => open.granules.is_empty().then_some(Outcome::Scanned),
            Err(StepError::Rows(fault)) => {
                let left_out = open.granules.len() * GRANULE_ROWS;
                scan.warn(format!("up to {left_out} events and a group of granules were left out: {fault}"));
                Some(Outcome::Damaged)
            }
            Err(fault) => {
                stepped.too_large = Some(fault);
                None
            }
        };
        stepped.newest_left = if scan.stream { open.newest_left(scan) } else { None };
        if let Some(apart) = &mut self.apart {
            apart.matched += stepped.stats.events_matched;
            if own.apart.lock().as_ref().is_some_and(|sums| scan.is_too_large_to_keep(sums)) {
                // It will not be kept.
                self.apart = None;
                own.give_up_apart();
            }
        }
        if stepped.outcome.is_some() {
            self.finish(scan, own, &mut stepped);
        }
        stepped
    }

    /// What was learnt of the open block alone goes into the sums.
    fn join(&self, own: &Slot, stepped: &mut Stepped) -> Option<Sums> {
        own.join_apart().unwrap_or_else(|fault| {
            stepped.too_large = Some(fault);
            None
        })
    }

    /// The open block is done with: what was learnt of it alone goes into the sums, and is kept if it is all.
    fn finish(&mut self, scan: &Running, own: &Slot, stepped: &mut Stepped) {
        let (Some(open), apart) = (self.open.take(), self.apart.take()) else { return };
        let Some(apart) = apart else { return };
        let learnt = self.join(own, stepped);
        if stepped.outcome == Some(Outcome::Scanned) {
            // Merged into an empty state it is rid of what stepping left in it.
            let mut state = self.machine(scan).new_state();
            if let Some(Sums::One(learnt)) = &learnt
                && state.merge(learnt).is_ok()
            {
                scan.keep(&open.unit, apart.key, Learnt { state, matched: apart.matched });
            }
        }
    }
}

/// How many granules the next group has, after `done` of them took so long: as many as will take not quite as long as
/// they may. Whatever a group costs besides its rows is then paid seldom.
fn next_group(done: usize, took: Duration, long: Duration) -> usize {
    if took > long {
        return (done / 2).max(1);
    }
    if took >= long / 2 {
        return done;
    }
    let times = (long * 3 / 4).as_nanos() / took.as_nanos().max(1);
    (done * times.clamp(2, GROWTH.into()) as usize).min(MAX_GROUP)
}

/// How long a group of granules may take.
fn long_group(scan: &Running) -> Duration {
    if scan.stream {
        // Its matches are handed out as they are found; there are no partial results.
        return LONG_GROUP;
    }
    (scan.started.elapsed() / YOUNG_SHARE).clamp(LONG_GROUP_LEAST, LONG_GROUP)
}

/// Which rows of `unit` count; as far as possible without reading the places of all of them.
fn counting(scan: &Running, unit: &Unit, rows: &dyn Rows) -> Result<Counting, RowsError> {
    let (bounds, facts) = (scan.plan.bounds(), &unit.facts);
    if bounds.cover(facts) {
        return Ok(Counting::All);
    }
    match rows.timeline() {
        Some(timeline) if facts.ordered && bounds.cover_sequences(facts) => {
            let start = timeline.first_at(bounds.nanos.start, 0..rows.len())?;
            Ok(Counting::Rows(start..timeline.first_at(bounds.nanos.end, start..rows.len())?))
        }
        _ => Ok(Counting::Places),
    }
}

fn step_rows(
    scan: &Running,
    machine: &mut Machine,
    open: &Open,
    within: Selection,
    sums: &mut Sums,
    stepped: &mut Stepped,
) -> Result<(), StepError> {
    let rows = within.count() as u64;
    stepped.stats.events_scanned += rows;
    stepped.stats.bytes_scanned += rows * open.unit.facts.raw_bytes / (open.unit.facts.rows.max(1) as u64);
    let around = within.around(GRANULE_ROWS);
    // Columns of a part of a block have no slots for the rest of it.
    let stretch = (around.len() < within.rows()).then(|| open.rows.stretch(around.clone())).flatten();
    match stretch {
        Some(stretch) => sums.step(scan.layout, machine, &*stretch, within.cut(around))?,
        None => sums.step(scan.layout, machine, &*open.rows, within)?,
    }
    stepped.horizon = sums.horizon();
    if let (true, Sums::One(state)) = (scan.stream, &mut *sums) {
        stepped.tables = state.take_rows();
    }
    Ok(())
}

impl Open {
    /// Takes the rows of up to `group` granules that count and can matter.
    fn next_group(
        &mut self,
        scan: &Running,
        group: usize,
        stats: &mut ScanStats,
    ) -> Result<Selection, RowsError> {
        let order = self.order.clone().unwrap_or_default();
        let rows = self.rows.len();
        let mut within = Selection::none(rows);
        let mut taken = 0;
        while taken < group {
            let Some(granule) = self.granules.pop() else { break };
            let start = granule as usize * GRANULE_ROWS;
            let end = rows.min(start + GRANULE_ROWS);
            if scan.has_horizon() && self.unit.facts.ordered && !self.can_matter(scan, start, end)? {
                self.granules.clear();
                break;
            }
            let read = match &self.counting {
                Counting::All => {
                    within.insert_range(start..end);
                    start < end
                }
                Counting::Rows(rows) => {
                    let (start, end) = (start.max(rows.start), end.min(rows.end));
                    within.insert_range(start..end);
                    start < end
                }
                Counting::Places => {
                    let counts =
                        |row: &usize| order.get(*row).is_some_and(|key| scan.plan.bounds().contain(*key));
                    (start..end).filter(counts).map(|row| within.insert(row)).count() > 0
                }
            };
            stats.granules_scanned += u64::from(read);
            stats.granules_pruned_by_time += u64::from(!read);
            taken += usize::from(read);
        }
        Ok(within)
    }

    fn order(&mut self) -> Result<(), RowsError> {
        if self.order.is_none() {
            self.order = Some(self.rows.order()?);
        }
        Ok(())
    }

    /// The place of `row`.
    fn place(&self, row: usize) -> Result<Option<OrderKey>, RowsError> {
        match &self.order {
            Some(order) => Ok(order.get(row).copied()),
            None => Ok(self.rows.places(&[u32::try_from(row).unwrap_or(u32::MAX)])?.pop()),
        }
    }

    fn can_matter(&self, scan: &Running, start: usize, end: usize) -> Result<bool, RowsError> {
        let edge = if scan.order == ScanOrder::OldestFirst { start } else { end.saturating_sub(1) };
        Ok(self.place(edge)?.is_none_or(|key| scan.can_matter(key)))
    }

    fn newest_left(&self, scan: &Running) -> Option<OrderKey> {
        let next = *self.granules.last()? as usize;
        match self.unit.facts.ordered && scan.order != ScanOrder::OldestFirst {
            true => {
                let row = self.rows.len().min((next + 1) * GRANULE_ROWS).saturating_sub(1);
                Some(self.place(row).ok().flatten().unwrap_or(self.unit.newest()))
            }
            false => Some(self.unit.newest()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_grow_towards_what_they_may_take() {
        let check = |group, took, expected| {
            let long = Duration::from_micros(1_000);
            assert_eq!(
                next_group(group, Duration::from_micros(took), long),
                expected,
                "{group} in {took} us"
            );
        };
        check(4, 0, 64);
        check(1, 40, 16);
        check(4, 100, 28);
        check(4, 400, 8);
        check(4, 500, 4);
        check(4, 1_000, 4);
        check(4, 1_001, 2);
        check(1, 5_000, 1);
        check(64, 10, 64);
    }
}
