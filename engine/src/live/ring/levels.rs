//! Buckets and their roll-ups, level by level.

use std::collections::BTreeMap;
use std::ops::Range;

use super::folding::Folds;
use super::part::Part;

/// Levels of roll-ups at most: 32,768 buckets in the last.
pub(in crate::live) const MAX_ROLLUPS: usize = 3;

/// Before every bucket there is.
const NEVER: i64 = i64::MIN / 4;

/// Parts of one level by number: part `n` of a level covers `[n * size, (n + 1) * size)`.
type Parts = BTreeMap<i64, Part>;

/// Buckets, and above them roll-ups of `fan` parts of the level below each.
#[derive(Debug)]
pub(super) struct Levels {
    fan: i64,
    levels: Vec<Parts>,
    /// Buckets before this one are in the roll-ups.
    closed: i64,
}

impl Levels {
    pub(super) fn new(fan: i64) -> Levels {
        Levels { fan, levels: vec![Parts::new()], closed: NEVER }
    }

    pub(super) fn closed(&self) -> i64 {
        self.closed
    }

    /// The first bucket that is not closed, and the parts of each level.
    pub(super) fn cut(&self) -> (i64, Vec<Vec<(i64, Part)>>) {
        let parts = |parts: &Parts| parts.iter().map(|(number, part)| (*number, part.share())).collect();
        (self.closed, self.levels.iter().map(parts).collect())
    }

    /// Takes up what [`Levels::cut`] gave, in place of all there is.
    pub(super) fn take_up(&mut self, closed: i64, levels: Vec<Vec<(i64, Part)>>, held: &mut usize) {
        self.closed = closed;
        self.levels = levels.into_iter().map(Parts::from_iter).collect();
        if self.levels.is_empty() {
            self.levels.push(Parts::new());
        }
        self.parts_mut().for_each(|part| part.weigh(held));
    }

    /// How many levels there are, that of the buckets included.
    pub(super) fn len(&self) -> usize {
        self.levels.len()
    }

    /// Buckets in a part of `level`.
    pub(super) fn size(&self, level: usize) -> i64 {
        (0..level).fold(1, |size, _| size * self.fan)
    }

    /// The part of `level` that holds bucket `number`.
    pub(super) fn part_of(&self, level: usize, number: i64) -> i64 {
        number.div_euclid(self.size(level))
    }

    /// The parts one level below part `parent` of the level above `level`.
    pub(super) fn below(&self, parent: i64) -> Range<i64> {
        parent * self.fan..(parent + 1) * self.fan
    }

    pub(super) fn parts(&self, level: usize) -> Option<&Parts> {
        self.levels.get(level)
    }

    /// All parts of all levels.
    pub(super) fn parts_mut(&mut self) -> impl Iterator<Item = &mut Part> {
        self.levels.iter_mut().flat_map(Parts::values_mut)
    }

    pub(super) fn part(&self, level: usize, number: i64) -> Option<&Part> {
        self.levels.get(level)?.get(&number)
    }

    /// Bucket `number`, made when it is not there.
    pub(super) fn bucket(&mut self, number: i64) -> Option<&mut Part> {
        Some(self.levels.first_mut()?.entry(number).or_default())
    }

    /// Adds `part` to bucket `number` and to the roll-ups it has been merged into.
    pub(super) fn put(&mut self, number: i64, part: &Part, folds: &mut Folds, held: &mut usize) {
        for level in 0..self.levels.len() {
            if level > 0 && self.part_of(level - 1, number) >= self.part_of(level - 1, self.closed) {
                return;
            }
            let at = self.part_of(level, number);
            let fold = folds.of(self, level, at);
            match fold {
                Some((above, parent)) if above == level + 1 => {
                    folds.put_aside((above, parent), at, part, held);
                }
                Some(_) => {}
                None => self.merge_into(level, at, part, held),
            }
        }
    }

    pub(super) fn merge_into(&mut self, level: usize, number: i64, part: &Part, held: &mut usize) {
        if let Some(parts) = self.levels.get_mut(level) {
            parts.entry(number).or_default().merge(part, held);
        }
    }

    /// Merges the buckets before `number` that are not yet in roll-ups into them, and those that are full into the
    /// ones above.
    pub(super) fn close_before(&mut self, number: i64, held: &mut usize) {
        let before = std::mem::replace(&mut self.closed, number);
        for level in 1..self.levels.len() {
            let filled = self.part_of(level - 1, before)..self.part_of(level - 1, number);
            self.roll_up(level, filled, held);
        }
    }

    /// Merges the parts `filled` below `level` into those of `level`.
    fn roll_up(&mut self, level: usize, filled: Range<i64>, held: &mut usize) {
        if filled.is_empty() {
            return;
        }
        let fan = self.fan;
        let (below, above) = self.levels.split_at_mut(level);
        let (Some(below), Some(above)) = (below.last(), above.first_mut()) else { return };
        for (number, part) in below.range(filled) {
            above.entry(number.div_euclid(fan)).or_default().merge(part, held);
        }
    }

    /// Adds the levels of roll-ups that a window of `buckets` buckets can use.
    pub(super) fn reach(&mut self, buckets: i64, held: &mut usize) {
        while self.levels.len() <= MAX_ROLLUPS && self.size(self.levels.len()) <= buckets {
            let level = self.levels.len();
            self.levels.push(Parts::new());
            self.roll_up(level, i64::MIN..self.part_of(level - 1, self.closed), held);
        }
    }

    /// Forgets the parts that are of buckets before `number` only.
    pub(super) fn forget_before(&mut self, number: i64, held: &mut usize) {
        for level in 0..self.levels.len() {
            let first = self.part_of(level, number);
            self.forget(level, i64::MIN..first, held);
        }
    }

    /// Forgets the parts `numbers` of `level`.
    pub(super) fn forget(&mut self, level: usize, numbers: Range<i64>, held: &mut usize) {
        let Some(parts) = self.levels.get_mut(level) else { return };
        while let Some(number) = parts.range(numbers.clone()).next().map(|(number, _)| *number) {
            if let Some(part) = parts.remove(&number) {
                part.release(held);
            }
        }
    }

    /// Makes the roll-ups that cover bucket `number` and some before it anew of what is not before it. Where that was
    /// given up, they are forgotten with it: then more than the buckets before `number` is gone. The first bucket left.
    pub(super) fn cut_before(&mut self, number: i64, folds: &Folds, held: &mut usize) -> i64 {
        let mut first = number;
        for level in 1..self.levels.len() {
            let at = self.part_of(level, first);
            if at * self.size(level) == first || self.part(level, at).is_none() {
                continue;
            }
            self.forget(level, at..at + 1, held);
            if folds.has(level, at) {
                first = (at + 1) * self.size(level);
                continue;
            }
            let full = self.part_of(level - 1, self.closed);
            let below = self.below(at);
            self.roll_up(level, below.start.max(self.part_of(level - 1, first))..below.end.min(full), held);
        }
        first
    }

    /// Forgets the parts of `buckets`, and makes the roll-ups that cover others too anew of those.
    pub(super) fn clear(&mut self, buckets: &Range<i64>, held: &mut usize) {
        if buckets.is_empty() {
            return;
        }
        self.forget(0, buckets.clone(), held);
        for level in 1..self.levels.len() {
            let (first, last) = (self.part_of(level, buckets.start), self.part_of(level, buckets.end - 1));
            self.forget(level, first..last + 1, held);
            let full = self.part_of(level - 1, self.closed);
            self.roll_up(level, self.below(first).start..self.below(last).end.min(full), held);
        }
    }

    /// The last bucket at or before `number` that a total can begin with: where the parts it would need were given up,
    /// the start of what they were merged into.
    pub(super) fn available(&self, number: i64, folds: &Folds) -> i64 {
        let mut start = number;
        for level in 1..self.levels.len() {
            let at = self.part_of(level, start);
            if at * self.size(level) != start
                && folds.of(self, level - 1, self.part_of(level - 1, start)).is_some()
            {
                start = at * self.size(level);
            }
        }
        start
    }

    /// Calls `each` with parts that together are the buckets of `range`, all closed: as few as there are. False: some
    /// were given up and what they were merged into is more than the range.
    pub(super) fn each_unit(&self, range: Range<i64>, folds: &Folds, each: &mut impl FnMut(&Part)) -> bool {
        let (mut at, mut is_whole) = (range.start, true);
        while at < range.end {
            match self.unit(at, range.end, folds) {
                Some((part, end)) => {
                    if let Some(part) = part {
                        each(part);
                    }
                    at = end;
                }
                None => {
                    is_whole = false;
                    at += 1;
                }
            }
        }
        is_whole
    }

    /// The greatest part that begins with bucket `at` and ends by bucket `end`, and where it ends; nothing was learnt
    /// where it is `None`. `None`: it was given up.
    pub(super) fn unit(&self, at: i64, end: i64, folds: &Folds) -> Option<(Option<&Part>, i64)> {
        for level in (0..self.levels.len()).rev() {
            let size = self.size(level);
            if at.rem_euclid(size) != 0 {
                continue;
            }
            let number = self.part_of(level, at);
            // A roll-up is of what has been merged into it so far.
            let merged = match level {
                0 => self.closed,
                _ => self.part_of(level - 1, self.closed) * self.size(level - 1),
            };
            let behind = (at + size).min(merged);
            if behind > at && behind <= end && folds.of(self, level, number).is_none() {
                return Some((self.part(level, number), behind));
            }
        }
        None
    }

    /// Calls `each` with the buckets of `range` that are not closed.
    pub(super) fn each_open(&self, range: Range<i64>, each: &mut impl FnMut(&Part)) {
        let start = range.start.max(self.closed);
        if start < range.end
            && let Some(buckets) = self.levels.first()
        {
            buckets.range(start..range.end).for_each(|(_, part)| each(part));
        }
    }
}
