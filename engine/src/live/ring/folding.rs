//! What is given up when a ring is over its bound, and what is wanted back.
//!
//! A roll-up in the inside of every window is all that results need of its time: the parts below it may go. They are
//! given up where it is longest until a window begins there, and wanted again one roll-up ahead of that.

use std::collections::BTreeMap;
use std::ops::Range;

use weir_query::machine::State;

use super::Ring;
use super::cut::FoldCut;
use super::levels::Levels;
use super::part::Part;

/// What part of its bound a ring gives up at once, so that it need not look for it at every event.
const SLACK: usize = 8;

/// The roll-ups below which parts were given up, by level and number.
#[derive(Debug, Default)]
pub(super) struct Folds(BTreeMap<(usize, i64), Fold>);

/// How it is with them.
#[derive(Debug)]
enum Fold {
    /// They are gone.
    Away,
    /// They are being read; meanwhile these came late, by number.
    Reading(BTreeMap<i64, Part>),
    /// They cannot be had again.
    Lost,
}

/// Parts to be read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::live) struct Want {
    level: usize,
    parent: i64,
    /// The buckets they cover.
    pub(in crate::live) buckets: Range<i64>,
    /// Buckets in one of them: part `n` is of those from `n * span` on.
    pub(in crate::live) span: i64,
}

impl Folds {
    /// The roll-up below which part `number` of `level` was given up: its level and number.
    pub(super) fn of(&self, levels: &Levels, level: usize, number: i64) -> Option<(usize, i64)> {
        if self.0.is_empty() {
            return None;
        }
        let place = |above: usize| (above, number.div_euclid(levels.size(above - level)));
        (level + 1..levels.len()).map(place).find(|place| self.0.contains_key(place))
    }

    /// The parts below roll-up `number` of `level` were given up.
    pub(super) fn has(&self, level: usize, number: i64) -> bool {
        self.0.contains_key(&(level, number))
    }

    /// Parts were given up on both sides of the start of bucket `number`, with no end there.
    pub(super) fn cut(&self, levels: &Levels, number: i64) -> bool {
        let cuts = |level: usize| {
            number.rem_euclid(levels.size(level)) != 0 && self.has(level, levels.part_of(level, number))
        };
        !self.0.is_empty() && (1..levels.len()).any(cuts)
    }

    /// Keeps what came late for part `number`, below roll-up `parent` of level `above`, if it is being read.
    pub(super) fn put_aside(
        &mut self,
        (above, parent): (usize, i64),
        number: i64,
        part: &Part,
        held: &mut usize,
    ) {
        if let Some(Fold::Reading(late)) = self.0.get_mut(&(above, parent)) {
            late.entry(number).or_default().merge(part, held);
        }
    }

    /// The end of the last roll-up below which parts were given up; before every bucket where there is none.
    pub(super) fn end(&self, levels: &Levels) -> i64 {
        let ends = self.0.keys().map(|(level, parent)| (parent + 1).saturating_mul(levels.size(*level)));
        ends.max().unwrap_or(i64::MIN)
    }

    /// Nothing counts as given up in `buckets` any more, nor in all that was given up together with some of them. These
    /// and `buckets`.
    pub(super) fn forget(&mut self, buckets: Range<i64>, levels: &Levels, held: &mut usize) -> Range<i64> {
        let Range { mut start, mut end } = buckets;
        for level in 1..levels.len() {
            let (size, first, last) =
                (levels.size(level), levels.part_of(level, start), levels.part_of(level, end - 1));
            start = if self.has(level, first) { first * size } else { start };
            end = if self.has(level, last) { (last + 1) * size } else { end };
        }
        let is_of = |(level, parent): &(usize, i64)| {
            let size = levels.size(*level);
            start <= parent * size && (parent + 1) * size <= end
        };
        for (_, fold) in self.0.extract_if(.., |place, _| is_of(place)) {
            fold.release(held);
        }
        start..end
    }

    pub(super) fn forget_before(&mut self, number: i64, levels: &Levels, held: &mut usize) {
        let is_before =
            |(level, parent): &(usize, i64)| (parent + 1).saturating_mul(levels.size(*level)) <= number;
        for (_, fold) in self.0.extract_if(.., |place, _| is_before(place)) {
            fold.release(held);
        }
    }

    /// What came late for parts that are being read.
    pub(super) fn late_mut(&mut self) -> impl Iterator<Item = &mut Part> {
        let late = self.0.values_mut().filter_map(|fold| match fold {
            Fold::Reading(late) => Some(late.values_mut()),
            Fold::Away | Fold::Lost => None,
        });
        late.flatten()
    }

    /// All of them, as [`Folds::take_up`] takes them.
    pub(super) fn given_up(&self) -> Vec<FoldCut> {
        let cut = |(place, fold): (&(usize, i64), &Fold)| FoldCut {
            level: place.0,
            number: place.1,
            is_lost: matches!(fold, Fold::Lost),
        };
        self.0.iter().map(cut).collect()
    }

    /// Takes up what [`Folds::given_up`] gave, in place of all there are.
    pub(super) fn take_up(&mut self, folds: Vec<FoldCut>) {
        let fold = |fold: FoldCut| {
            let FoldCut { level, number, is_lost } = fold;
            ((level, number), if is_lost { Fold::Lost } else { Fold::Away })
        };
        self.0 = folds.into_iter().map(fold).collect();
    }

    fn set(&mut self, place: (usize, i64), fold: Fold, held: &mut usize) {
        if let Some(before) = self.0.insert(place, fold) {
            before.release(held);
        }
    }
}

impl Fold {
    fn release(self, held: &mut usize) {
        if let Fold::Reading(late) = self {
            late.into_values().for_each(|part| part.release(held));
        }
    }
}

impl Ring {
    /// Gives up what results can do without until the bound is kept. False: there is not enough of it.
    pub(in crate::live) fn make_room(&mut self) -> bool {
        if self.held <= self.max_bytes {
            return true;
        }
        if self.exhausted == Some(self.levels.closed()) {
            return false;
        }
        let enough = self.max_bytes - self.max_bytes / SLACK;
        if self.is_folding {
            self.fold(false, enough);
        }
        for ahead in [true, false] {
            if self.held > self.max_bytes {
                self.sliders.iter_mut().for_each(|(_, slider)| slider.give_up(ahead, &mut self.held));
            }
        }
        if self.is_folding && self.held > self.max_bytes {
            self.fold(true, enough);
        }
        if self.held > self.max_bytes {
            self.narrow(enough);
        }
        let fits = self.held <= self.max_bytes;
        self.exhausted = (!fits).then_some(self.levels.closed());
        fits
    }

    /// Gives up parts below roll-ups until no more than `enough` bytes are held: those in the inside of all windows; or
    /// those at the edges, for good.
    pub(super) fn fold(&mut self, edges: bool, enough: usize) {
        for level in 1..self.levels.len() {
            let mut found = self.foldable(level, edges);
            found.sort_unstable_by(|a, b| b.cmp(a));
            for (_, number) in found {
                if self.held <= enough {
                    return;
                }
                self.give_up(level, number, if edges { Fold::Lost } else { Fold::Away });
            }
        }
    }

    /// Roll-ups of `level` with parts below them, and how many buckets a window has to slide until it begins there.
    fn foldable(&self, level: usize, edges: bool) -> Vec<(i64, i64)> {
        let (Some(parts), Some(below)) = (self.levels.parts(level), self.levels.parts(level - 1)) else {
            return Vec::new();
        };
        let full = self.levels.part_of(level, self.levels.closed());
        let is_found = |number: &i64| {
            self.is_edge(level, *number) == edges && below.range(self.levels.below(*number)).next().is_some()
        };
        let ahead = |number: i64| {
            let start = number * self.levels.size(level);
            let starts = self.sliders.iter().map(|(_, slider)| slider.range().start);
            starts.filter(|first| *first <= start).map(|first| start - first).min().unwrap_or(i64::MAX)
        };
        parts
            .range(..full)
            .map(|(number, _)| *number)
            .filter(is_found)
            .map(|number| (ahead(number), number))
            .collect()
    }

    /// A window begins or ends in roll-up `number` of `level`, or will begin there next.
    fn is_edge(&self, level: usize, number: i64) -> bool {
        self.edges(level).any(|edge| edge == number)
    }

    fn edges(&self, level: usize) -> impl Iterator<Item = i64> {
        self.sliders.iter().flat_map(move |(_, slider)| {
            let first = self.levels.part_of(level, slider.range().start);
            [first, first + 1, self.levels.part_of(level, slider.range().end)]
        })
    }

    fn give_up(&mut self, level: usize, number: i64, fold: Fold) {
        let mut below = self.levels.below(number);
        for lower in (0..level).rev() {
            self.levels.forget(lower, below.clone(), &mut self.held);
            if lower > 0 {
                for (_, fold) in
                    self.folds.0.extract_if((lower, below.start)..(lower, below.end), |_, _| true)
                {
                    fold.release(&mut self.held);
                }
            }
            below = self.levels.below(below.start).start..self.levels.below(below.end).start;
        }
        self.folds.set((level, number), fold, &mut self.held);
    }

    /// Windows begin soon where parts were given up.
    pub(in crate::live) fn wants(&self) -> bool {
        self.next_wanted().is_some()
    }

    fn next_wanted(&self) -> Option<(usize, i64)> {
        if self.folds.0.is_empty() {
            return None;
        }
        let away = |place: &(usize, i64)| matches!(self.folds.0.get(place), Some(Fold::Away));
        // What lies below other parts that are gone comes after them.
        let levels = (1..self.levels.len()).rev();
        levels.flat_map(|level| self.edges(level).map(move |number| (level, number))).find(away)
    }

    /// Parts that have to be read back for a window that begins there soon. From now on what comes late for them is
    /// kept: they are to be read as they are now.
    pub(in crate::live) fn wanted(&mut self) -> Option<Want> {
        let (above, parent) = self.next_wanted()?;
        self.folds.set((above, parent), Fold::Reading(BTreeMap::new()), &mut self.held);
        let (level, size) = (above - 1, self.levels.size(above));
        let buckets = parent * size..(parent + 1) * size;
        Some(Want { level, parent, buckets, span: self.levels.size(level) })
    }

    /// Takes what was read: the states by number, and from how many events. When it is less than was there, it is of
    /// no use.
    pub(in crate::live) fn refill<'s>(
        &mut self,
        want: &Want,
        read: impl Iterator<Item = (i64, &'s State, u64)> + Clone,
    ) {
        let place = (want.level + 1, want.parent);
        // It may have been forgotten meanwhile.
        let Some(Fold::Reading(late)) = self.folds.0.get_mut(&place) else { return };
        let late = std::mem::take(late);
        let events = read.clone().map(|(_, _, events)| events).sum::<u64>();
        let came = events + late.values().map(Part::events).sum::<u64>();
        if came < self.levels.part(place.0, place.1).map_or(0, Part::events) {
            self.folds.set(place, Fold::Lost, &mut self.held);
            return late.into_values().for_each(|part| part.release(&mut self.held));
        }
        self.folds.0.remove(&place);
        let below = self.levels.below(want.parent);
        for (number, state, events) in read.filter(|(number, ..)| below.contains(number)) {
            let part = self.narrowed(state, events);
            self.levels.merge_into(want.level, number, &part, &mut self.held);
        }
        for (number, part) in late {
            self.levels.merge_into(want.level, number, &part, &mut self.held);
            part.release(&mut self.held);
        }
        if want.level > 0 {
            // What they were merged from is not there.
            let there =
                self.levels.parts(want.level).into_iter().flat_map(|parts| parts.range(below.clone()));
            self.folds.0.extend(there.map(|(number, _)| ((want.level, *number), Fold::Away)));
        }
        self.make_room();
    }

    /// They cannot be read.
    pub(in crate::live) fn lose(&mut self, want: &Want) {
        let place = (want.level + 1, want.parent);
        if self.folds.has(place.0, place.1) {
            self.folds.set(place, Fold::Lost, &mut self.held);
        }
    }

    /// Bytes of all parts, added up.
    #[cfg(test)]
    pub(super) fn weighed(&self) -> usize {
        let levels = (0..self.levels.len()).filter_map(|level| self.levels.parts(level));
        let parts = levels.flat_map(|parts| parts.values()).map(Part::bytes).sum::<usize>();
        let late = self.folds.0.values().flat_map(|fold| match fold {
            Fold::Reading(late) => late.values().map(Part::bytes).collect(),
            Fold::Away | Fold::Lost => Vec::new(),
        });
        let sliders = self.sliders.iter().map(|(_, slider)| slider.bytes());
        parts + late.sum::<usize>() + sliders.sum::<usize>()
    }
}
