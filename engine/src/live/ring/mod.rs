//! Buckets of state by time, roll-ups of them in levels, and windows that slide over both.
//!
//! ```text
//!          start of a window                                      closed
//!   level 0    .|....    buckets: one granule each              . . . |f    f: filling
//!   level 1   [..|.][...][...] ... roll-ups of 32 buckets  ...  [..   |
//!   level 2   [   |         ][          ] ... of 1,024     [          |
//!   level 3   [    |                               ]       [  of 32,768
//!               \front/\---------------- middle -----------------/ \ filling
//! ```
//!
//! A bucket that closes is merged into its roll-up, a roll-up that closes into the one above it. A [`slider`] keeps
//! for each window of one length what its result is made of, so that a result takes a constant number of merges. The
//! total of any other range, as those of calendars and sessions, is merged from as few parts as cover it.
//!
//! **Why one structure serves all states.** States are only ever merged, in any order; nothing is taken out of one
//! again. So it does not matter whether a state has an inverse (counts, sums) or has none (extremes, distinct
//! counts, percentiles, rows), floats are never subtracted, and a late event is put into its bucket and into every
//! total that covers it: none has to be made again. That a queue can be summed up without an inverse, by totals of
//! the suffixes of an older part and one running total of a newer part, is the two stacks of Tangwongsan, Hirzel
//! and Schneider ("Low-Latency Sliding-Window Aggregation in Worst-Case Constant Time", DEBS 2017); as in their
//! DABA the suffixes for the next turn are made ahead, a few merges a step, so that no step has to make them all.
//! Roll-ups give the turns their places, and let windows of different length share the parts.
//!
//! **Memory.** Every part is weighed where it changes, and the sum is kept. Over the bound the parts below a
//! roll-up in the inside of all windows are given up ([`folding`]); when the start of a window comes near, they are
//! wanted again ([`Ring::wanted`]) and read from history. Until they are there, or where history has them no more,
//! the window begins where the roll-up does, and its total says so. A ring whose buckets are needed for other ranges,
//! or cannot be read again, gives none of them up. Where that is not enough, groups are given up ([`narrowing`]).

mod cut;
mod folding;
#[cfg(test)]
mod laws;
mod levels;
#[cfg(test)]
mod measure;
mod narrowing;
mod part;
mod slider;

use std::ops::Range;

use weir_query::machine::{Machine, State, StepError};

use super::window::Window;
pub(super) use cut::{FoldCut, RingCut};
use folding::Folds;
pub(super) use folding::Want;
use levels::Levels;
pub(super) use levels::MAX_ROLLUPS;
pub(super) use part::Part;
use slider::Slider;

/// Parts merged into one roll-up.
pub(super) const FAN: i64 = 32;

/// The buckets of a standing, and all that is kept of them.
#[derive(Debug)]
pub(super) struct Ring {
    levels: Levels,
    folds: Folds,
    sliders: Vec<(Window, Slider)>,
    /// Bytes of all parts.
    held: usize,
    max_bytes: usize,
    /// Parts below roll-ups may be given up.
    is_folding: bool,
    /// Over the bound there was nothing left to give up when the ring had closed so many buckets.
    exhausted: Option<i64>,
    /// Groups whose keys have a greater hash are given up in new parts.
    threshold: u64,
}

/// What a range of a ring comes to.
#[derive(Debug)]
pub(super) struct Total {
    pub(super) state: State,
    pub(super) events: u64,
    pub(super) dropped: u64,
    /// The first bucket it is of. Before the one asked for where buckets were given up and are not there again.
    pub(super) start: i64,
    /// It is not of exactly the range asked for.
    pub(super) is_coarse: bool,
}

impl Total {
    fn add(&mut self, part: &Part) -> Result<(), StepError> {
        self.events += part.events();
        self.dropped += part.dropped();
        part.state().map_or(Ok(()), |state| self.state.merge(state))
    }
}

impl Ring {
    /// An empty ring for windows of up to `buckets` buckets, which is to hold no more than `max_bytes`.
    pub(super) fn new(buckets: i64, max_bytes: usize) -> Ring {
        Ring::with_fan(FAN, buckets, max_bytes)
    }

    fn with_fan(fan: i64, buckets: i64, max_bytes: usize) -> Ring {
        let mut ring = Ring {
            levels: Levels::new(fan),
            folds: Folds::default(),
            sliders: Vec::new(),
            held: 0,
            max_bytes,
            is_folding: true,
            exhausted: None,
            threshold: narrowing::ALL,
        };
        ring.reach(buckets);
        ring
    }

    /// It is to hold no more than `max_bytes` from now on.
    pub(super) fn bound(&mut self, max_bytes: usize) {
        self.max_bytes = max_bytes;
    }

    /// Whether parts below roll-ups may be given up from now on: they may where ranges are those of windows that slide,
    /// and what is wanted back can be read.
    pub(super) fn set_folding(&mut self, is_folding: bool) {
        self.is_folding = is_folding;
    }

    /// The first bucket from which on nothing was given up.
    pub(super) fn whole_from(&self) -> i64 {
        self.folds.end(&self.levels)
    }

    /// Puts `events` events into bucket `number`: `absorb` puts them into a state of `machine`.
    pub(super) fn absorb(
        &mut self,
        number: i64,
        events: u64,
        machine: &mut Machine,
        absorb: impl FnOnce(&mut Machine, &mut State) -> Result<(), StepError>,
    ) -> Result<(), StepError> {
        let threshold = self.threshold;
        let absorb = |machine: &mut Machine, state: &mut State| {
            // A new state is narrow from its first event on.
            if threshold != narrowing::ALL && state.threshold() > Some(threshold) {
                state.narrow(threshold);
            }
            absorb(machine, state)
        };
        if number >= self.levels.closed() {
            let Some(bucket) = self.levels.bucket(number) else { return Ok(()) };
            return bucket.absorb(events, machine, absorb, &mut self.held);
        }
        let mut late = Part::default();
        late.absorb(events, machine, absorb, &mut 0)?;
        self.put(number, &late);
        Ok(())
    }

    /// Merges `state`, learnt from `events` events of bucket `number`.
    pub(super) fn merge(&mut self, number: i64, state: &State, events: u64) {
        let part = self.narrowed(state, events);
        self.put(number, &part);
    }

    /// Counts `events` that belong into bucket `number` and found no room.
    pub(super) fn count_dropped(&mut self, number: i64, events: u64) {
        self.put(number, &Part::of_dropped(events));
    }

    /// Adds `part` to bucket `number` and to all that covers it.
    fn put(&mut self, number: i64, part: &Part) {
        let (levels, folds, held) = (&mut self.levels, &mut self.folds, &mut self.held);
        levels.put(number, part, folds, held);
        if number < levels.closed() {
            self.sliders.iter_mut().for_each(|(_, slider)| slider.put(number, part, held));
        }
    }

    /// Buckets before `number` are filled; events that come for them all the same are late.
    pub(super) fn close_before(&mut self, number: i64) {
        if number > self.levels.closed() {
            self.levels.close_before(number, &mut self.held);
            self.widen();
            self.make_room();
        }
    }

    /// Forgets what is of buckets before `number` only.
    pub(super) fn forget_before(&mut self, number: i64) {
        self.levels.forget_before(number, &mut self.held);
        self.folds.forget_before(number, &self.levels, &mut self.held);
    }

    /// Forgets the buckets before `number` for good, so that they can be filled anew: what covers others too is made
    /// again of those. Where these were given up they are forgotten too. The first bucket that is still there.
    pub(super) fn cut_before(&mut self, number: i64) -> i64 {
        self.sliders.drain(..).for_each(|(_, slider)| slider.release(&mut self.held));
        self.forget_before(number);
        let first = self.levels.cut_before(number, &self.folds, &mut self.held);
        self.forget_before(first);
        first
    }

    /// Forgets `buckets`, so that they can be filled anew: what covers others too is made again of those. Where these
    /// were given up they are forgotten too. The buckets that are gone.
    pub(super) fn clear(&mut self, buckets: Range<i64>) -> Range<i64> {
        if buckets.start < self.levels.closed() {
            self.sliders.iter_mut().for_each(|(_, slider)| slider.give_up(false, &mut self.held));
        }
        let buckets = self.folds.forget(buckets, &self.levels, &mut self.held);
        self.levels.clear(&buckets, &mut self.held);
        buckets
    }

    /// Windows of `buckets` buckets are coming.
    pub(super) fn reach(&mut self, buckets: i64) {
        self.levels.reach(buckets, &mut self.held);
    }

    /// Forgets what was kept for windows other than those that are `kept`.
    pub(super) fn keep_windows(&mut self, kept: impl Fn(&Window) -> bool) {
        for (_, slider) in self.sliders.extract_if(.., |(window, _)| !kept(window)) {
            slider.release(&mut self.held);
        }
    }

    /// Everything in the buckets of `range`, merged into `empty`. `window` is the one that slides over it, for whose next
    /// total something is kept; without one the range is any.
    pub(super) fn total(
        &mut self,
        window: Option<&Window>,
        range: Range<i64>,
        empty: State,
    ) -> Result<Total, StepError> {
        let closed = range.end.min(self.levels.closed());
        let start = self.levels.available(range.start, &self.folds).min(range.start);
        let is_coarse = start != range.start;
        let mut total = Total { state: empty, events: 0, dropped: 0, start, is_coarse };
        let Some(window) = window else {
            return self.sum(&mut total, &slider::Pieces::none(start), closed, range.end).map(|()| total);
        };
        let (window, mut slider) = match self.sliders.iter().position(|(known, _)| known == window) {
            Some(at) => self.sliders.swap_remove(at),
            None => (window.clone(), Slider::default()),
        };
        let room = self.max_bytes;
        if is_coarse {
            slider.watch(range.start..range.end);
        } else {
            slider.slide(
                &(range.start..range.end),
                closed,
                (&self.levels, &self.folds),
                (&mut self.held, room),
            );
        }
        let pieces = if is_coarse { slider::Pieces::none(start) } else { slider.pieces(start, closed) };
        let read = self.sum(&mut total, &pieces, closed, range.end);
        self.sliders.push((window, slider));
        self.make_room();
        read.map(|()| total)
    }

    fn sum(
        &self,
        total: &mut Total,
        pieces: &slider::Pieces<'_>,
        closed: i64,
        end: i64,
    ) -> Result<(), StepError> {
        let start = total.start;
        let mut fault = None;
        let mut add = |part: &Part| fault = fault.take().or(total.add(part).err());
        let mut is_whole = true;
        for (gap, part) in pieces.gaps_and_parts(start) {
            is_whole &= self.levels.each_unit(gap, &self.folds, &mut add);
            add(part);
        }
        let behind = pieces.end(start);
        if behind < closed {
            is_whole &= self.levels.each_unit(behind..closed, &self.folds, &mut add);
        }
        self.levels.each_open(start..end, &mut add);
        total.is_coarse |= !is_whole;
        fault.map_or(Ok(()), Err)
    }

    /// Bytes the parts hold.
    pub(super) fn bytes(&self) -> usize {
        self.held
    }
}
