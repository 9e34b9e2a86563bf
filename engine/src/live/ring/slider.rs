//! What is kept for a window, so that its total takes few merges.
//!
//! ```text
//! start      turn                                     closed
//!   |----------|------------------- middle ---------------|
//!   [s31       |
//!     [s30     |     suffixes of the front, each to the turn
//!        ...   |
//!              |----- next turn ----|---- next middle ----|      made ahead, a few merges a step
//! ```
//!
//! A turn is where a roll-up begins; a window too short to cover one turns where it has closed. The middle grows by
//! each bucket that closes, and with the next turn another one takes its place.

use std::ops::Range;

use super::folding::Folds;
use super::levels::Levels;
use super::part::Part;

/// Merges into the next middle for each bucket the window slides: enough for the parts of three levels, of which
/// there are fewer than 32 on each side, in the 32 buckets of a turn.
const MERGES_AHEAD: i64 = 4;

/// The totals of one window.
#[derive(Debug, Default)]
pub(super) struct Slider {
    /// What it was last asked for.
    range: Range<i64>,
    now: Turn,
    next: Turn,
    /// Merges that went into the next turn's middle.
    ahead: i64,
}

/// Totals on both sides of a bucket.
#[derive(Debug, Default)]
struct Turn {
    at: i64,
    /// The total of `[at - 1 - n, at)` at place `n`.
    suffixes: Vec<Part>,
    /// The total of `[at, end)`.
    middle: Part,
    end: i64,
}

/// The totals that a result is made of.
#[derive(Debug)]
pub(super) struct Pieces<'s> {
    parts: Vec<(Range<i64>, &'s Part)>,
    end: i64,
}

impl<'s> Pieces<'s> {
    /// None of them.
    pub(super) fn none(start: i64) -> Pieces<'s> {
        Pieces { parts: Vec::new(), end: start }
    }

    /// The parts, and the buckets before each that none of them covers, from bucket `start` on.
    pub(super) fn gaps_and_parts(&self, start: i64) -> impl Iterator<Item = (Range<i64>, &Part)> {
        let mut at = start;
        self.parts.iter().map(move |(range, part)| {
            let gap = at..range.start;
            at = range.end;
            (gap, *part)
        })
    }

    /// Where the last of them ends.
    pub(super) fn end(&self, start: i64) -> i64 {
        self.end.max(start)
    }
}

/// Where a turn finds parts: the levels, and what of them was given up.
type Source<'l> = (&'l Levels, &'l Folds);
/// The bytes of all parts, and how many there may be.
type Room<'h> = (&'h mut usize, usize);

impl Turn {
    fn new(at: i64) -> Turn {
        Turn { at, end: at, ..Turn::default() }
    }

    /// The first bucket that a suffix covers.
    fn first(&self) -> i64 {
        self.at - self.suffixes.len() as i64
    }

    /// Makes one more suffix. False: there is no room for it, or its bucket was given up.
    fn extend_front(&mut self, (levels, folds): Source<'_>, (held, room): Room<'_>) -> bool {
        let number = self.first() - 1;
        let last = self.suffixes.last();
        if *held + last.map_or(0, Part::bytes) > room || folds.of(levels, 0, number).is_some() {
            return false;
        }
        let mut suffix = Part::default();
        if let Some(last) = last {
            suffix.merge(last, held);
        }
        if let Some(bucket) = levels.part(0, number) {
            suffix.merge(bucket, held);
        }
        self.suffixes.push(suffix);
        true
    }

    /// Merges one more part into the middle. False: it reaches `closed`, there is no room, or the part was given up.
    fn extend_middle(&mut self, closed: i64, (levels, folds): Source<'_>, (held, room): Room<'_>) -> bool {
        if self.end >= closed || *held + self.middle.bytes() > room {
            return false;
        }
        let Some((part, end)) = levels.unit(self.end, closed, folds) else { return false };
        if let Some(part) = part {
            self.middle.merge(part, held);
        }
        self.end = end;
        true
    }

    fn put(&mut self, number: i64, part: &Part, held: &mut usize) {
        if (self.at..self.end).contains(&number) {
            self.middle.merge(part, held);
        }
        let before = usize::try_from(self.at - 1 - number).unwrap_or(usize::MAX);
        self.suffixes.iter_mut().skip(before).for_each(|suffix| suffix.merge(part, held));
    }

    fn release(self, held: &mut usize) {
        self.middle.release(held);
        self.suffixes.into_iter().for_each(|suffix| suffix.release(held));
    }
}

impl Slider {
    /// Remembers what was asked for, without keeping totals.
    pub(super) fn watch(&mut self, range: Range<i64>) {
        self.range = range;
    }

    /// What it was last asked for.
    pub(super) fn range(&self) -> &Range<i64> {
        &self.range
    }

    /// Comes to `range`, of which the buckets before `closed` are closed.
    pub(super) fn slide(&mut self, range: &Range<i64>, closed: i64, source: Source<'_>, room: Room<'_>) {
        let (held, bytes) = room;
        self.range = range.clone();
        self.turn(range.start, closed, source, held);
        while self.now.at > range.start && self.now.first() > range.start {
            if !self.now.extend_front(source, (held, bytes)) {
                break;
            }
        }
        while self.now.extend_middle(closed, source, (held, bytes)) {}
        self.look_ahead(range.start, closed, source, (held, bytes));
    }

    /// Takes the turn for a window from `start` on.
    fn turn(&mut self, start: i64, closed: i64, (levels, folds): Source<'_>, held: &mut usize) {
        let fan = levels.size(1);
        let holds = |turn: &Turn| {
            (start + 1..=start + fan).contains(&turn.at)
                && turn.at <= closed
                && turn.end <= closed
                && !folds.cut(levels, turn.end)
        };
        if holds(&self.now) {
            return;
        }
        let rolled = (start.div_euclid(fan) + 1) * fan;
        let at = if rolled <= closed { rolled } else { closed.max(start) };
        let next = std::mem::take(&mut self.next);
        self.ahead = 0;
        let taken = if next.at == at && holds(&next) {
            next
        } else {
            next.release(held);
            Turn::new(at)
        };
        std::mem::replace(&mut self.now, taken).release(held);
    }

    /// Makes a share of the next turn: all of it by the time the window comes there.
    fn look_ahead(&mut self, start: i64, closed: i64, source: Source<'_>, (held, bytes): Room<'_>) {
        let (levels, folds) = source;
        let fan = levels.size(1);
        let at = self.now.at + fan;
        if at > closed {
            return;
        }
        let is_usable = self.next.at == at
            && self.next.end <= closed
            && self.next.end >= at
            && !folds.cut(levels, self.next.end);
        if !is_usable {
            std::mem::replace(&mut self.next, Turn::new(at)).release(held);
            self.ahead = 0;
        }
        let done = (fan - (self.now.at - start)).clamp(0, fan) + 1;
        while (self.next.suffixes.len() as i64) < done.min(fan - 1) {
            if !self.next.extend_front(source, (held, bytes)) {
                break;
            }
        }
        while self.ahead < done * MERGES_AHEAD && self.next.extend_middle(closed, source, (held, bytes)) {
            self.ahead += 1;
        }
    }

    /// The totals for a window from `start` on, of which the buckets before `closed` are closed.
    pub(super) fn pieces(&self, start: i64, closed: i64) -> Pieces<'_> {
        let turn = &self.now;
        let mut pieces = Pieces::none(start);
        if turn.at < start || turn.at > closed || turn.end > closed {
            return pieces;
        }
        let first = turn.first().max(start);
        let place = usize::try_from(turn.at - 1 - first).ok();
        if let Some(suffix) = place.and_then(|place| turn.suffixes.get(place)) {
            pieces.parts.push((first..turn.at, suffix));
            pieces.end = turn.at;
        }
        if turn.end > turn.at {
            pieces.parts.push((turn.at..turn.end, &turn.middle));
            pieces.end = turn.end;
        }
        pieces
    }

    /// Adds `part` of bucket `number` to every total that covers it.
    pub(super) fn put(&mut self, number: i64, part: &Part, held: &mut usize) {
        self.now.put(number, part, held);
        self.next.put(number, part, held);
    }

    /// Gives up the totals. With `ahead` those only that were made for the next turn.
    pub(super) fn give_up(&mut self, ahead: bool, held: &mut usize) {
        std::mem::take(&mut self.next).release(held);
        self.ahead = 0;
        if !ahead {
            std::mem::take(&mut self.now).release(held);
        }
    }

    pub(super) fn release(mut self, held: &mut usize) {
        self.give_up(false, held);
    }

    /// Bytes of its totals, added up.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        let turns = [&self.now, &self.next];
        turns
            .iter()
            .map(|turn| turn.middle.bytes() + turn.suffixes.iter().map(Part::bytes).sum::<usize>())
            .sum()
    }
}
