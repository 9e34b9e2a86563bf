//! `percentile`: a DDSketch a slot.

use std::sync::Arc;

use super::Input;
use super::coding::{SlotCoding, read_slots, write_slots};
use super::read::{Integers, each_number};
use super::sketch::{Scale, Sketch};
use super::slots::{SlotTable, Slots, gather, grow, merge_slots};
use super::spec::PercentileSpec;
use super::steps::{SMALL_BELOW, STEPPED_BELOW, Steps};
use super::stretch::Stretch;
use crate::coding::{DecodeError, Reader};
use crate::record::{ColumnBuilder, Selection};
use crate::value::Number;

/// Most counts of one step, 2 MiB of them, and most of a step over few rows: so many, and so many a row.
const COUNTS_MAX: usize = 1 << 19;
const COUNTS_LEAST: usize = 4_096;
const COUNTS_PER_ROW: usize = 8;
/// With fewer rows than one in so many buckets of all slots, integers are not counted but added one by one.
const PLACES_PER_ROW: usize = 16;
/// The span that all slots share is found again after so many integers outside those of their slots, and no fewer than
/// there are slots.
const NEWS_LEAST: usize = 64;

/// Sketches, a slot each.
#[derive(Clone, Debug)]
pub(super) struct Percentiles {
    spec: PercentileSpec,
    scale: Scale,
    steps: Option<Arc<Steps>>,
    sketches: Vec<Sketch>,
}

/// Integers, counted by slot and bucket.
#[derive(Clone, Debug)]
pub(super) struct Counted {
    places: usize,
    /// Counts by place, so many places a slot.
    counts: Vec<u32>,
    /// How far the integers of each slot reach, those counted and those seen before.
    spans: Vec<Span>,
    /// Slot and value of integers that have no place.
    beyond: Vec<(u32, i64)>,
}

/// How far integers are known to reach. The counts are apart, for the loop over those that are no news.
struct Reach<'s> {
    steps: &'s Steps,
    places: usize,
    spans: Vec<Span>,
    /// Slot and value of integers that have no place.
    beyond: Vec<(u32, i64)>,
    /// Integers outside the span of their slot since that which all slots share was last found.
    news: usize,
}

impl Reach<'_> {
    /// Counts the integers in front of `rows` that are in the span of their slot; hands out the rows from the first on
    /// that is not. No call is made on the way.
    #[inline(never)]
    fn count<'r>(&self, rows: Stretch<'r>, counts: &mut [u32], shared: Shared) -> Stretch<'r> {
        let (steps, spans, places) = (self.steps, self.spans.as_slice(), self.places);
        let small = steps.small();
        rows.until(|slot, value| {
            let mut place = small.get((value & (SMALL_BELOW - 1)) as usize).map(|place| u32::from(*place));
            // What all slots share is small, and needs no look at any of them.
            if !shared.contains(value) {
                // A row without a slot is counted nowhere.
                let Some(span) = spans.get(slot as usize) else { return true };
                place = if span.contains(value) { steps.place_in_loop(value) } else { None };
            }
            let Some(place) = place else { return false };
            if let Some(count) = counts.get_mut(slot as usize * places + place as usize) {
                *count += 1;
            }
            true
        })
    }

    /// Takes in an integer that is outside the span of its slot; hands out the span that all slots share, which is found
    /// again once there were as many such integers as that takes.
    #[inline(never)]
    fn take(&mut self, counts: &mut [u32], slot: u32, value: i64, shared: Shared) -> Shared {
        match self.steps.place_of(value) {
            Some(place) => {
                if let Some(span) = self.spans.get_mut(slot as usize) {
                    span.widen(value);
                }
                if let Some(count) = counts.get_mut(slot as usize * self.places + place as usize) {
                    *count += 1;
                }
            }
            None => self.beyond.push((slot, value)),
        }
        self.news += 1;
        if self.news < self.spans.len().max(NEWS_LEAST) {
            return shared;
        }
        self.news = 0;
        Shared::of(&self.spans)
    }
}

impl Counted {
    /// How many integers each slot has.
    pub(super) fn rows(&self) -> Vec<u32> {
        let mut rows: Vec<u32> =
            self.counts.chunks(self.places.max(1)).map(|counts| counts.iter().sum()).collect();
        for (slot, _) in &self.beyond {
            if let Some(rows) = rows.get_mut(*slot as usize) {
                *rows += 1;
            }
        }
        rows
    }
}

/// From the least to the greatest of some integers that are not negative.
#[derive(Clone, Copy, Debug)]
struct Span {
    least: i64,
    /// How far the greatest is from it.
    reach: u64,
}

impl Span {
    /// Of no integers.
    const NONE: Span = Span { least: i64::MAX, reach: 0 };

    /// What `sketch` has seen; of no integers where that is not known, or is for more than these.
    fn of(sketch: &Sketch) -> Span {
        match sketch.range() {
            Some((Number::Int(least), Number::Int(greatest))) => {
                Span { least, reach: greatest.abs_diff(least) }
            }
            _ => Span::NONE,
        }
    }

    /// Takes `value` in: one comparison says whether it is inside, as most are.
    #[inline(always)]
    fn widen(&mut self, value: i64) {
        if !self.contains(value) {
            self.stretch(value);
        }
    }

    #[inline(always)]
    fn contains(&self, value: i64) -> bool {
        (value.wrapping_sub(self.least) as u64) <= self.reach
    }

    #[cold]
    fn stretch(&mut self, value: i64) {
        let (least, greatest) = self.ends().unwrap_or((value, value));
        self.least = least.min(value);
        self.reach = greatest.max(value).abs_diff(self.least);
    }

    /// The least and the greatest; `None` of no integers.
    fn ends(self) -> Option<(i64, i64)> {
        // No integer that has a place is as large as the first least.
        (self.least != i64::MAX).then(|| (self.least, self.least.saturating_add_unsigned(self.reach)))
    }
}

/// The small integers that are in the spans of all slots: those need no look at any of them.
#[derive(Clone, Copy, Debug)]
struct Shared {
    least: i64,
    count: u64,
}

impl Shared {
    fn of(spans: &[Span]) -> Shared {
        let (mut least, mut end) = (0, SMALL_BELOW);
        for span in spans {
            let (from, to) = span.ends().unwrap_or((SMALL_BELOW, 0));
            (least, end) = (least.max(from), end.min(to.saturating_add(1)));
        }
        Shared { least, count: u64::try_from(end.saturating_sub(least)).unwrap_or(0) }
    }

    #[inline(always)]
    fn contains(self, value: i64) -> bool {
        (value.wrapping_sub(self.least) as u64) < self.count
    }
}

/// The rank of percentile `p` among `count` values in ascending order, from 0.
#[must_use]
pub fn rank(p: f64, count: u64) -> u64 {
    (p / 100.0 * count.saturating_sub(1) as f64).floor() as u64
}

impl Percentiles {
    pub(super) fn new(spec: &PercentileSpec) -> Percentiles {
        Percentiles {
            spec: spec.clone(),
            scale: Scale::new(spec.accuracy),
            steps: None,
            sketches: Vec::new(),
        }
    }

    pub(super) fn step(&mut self, input: &Input<'_>, slots: &Slots<'_>) {
        grow(&mut self.sketches, slots.count);
        let column = input.column(&self.spec.field);
        let integers = Integers::of(&column);
        if let Some(integers) = &integers
            && self.add_few(integers, input.within, slots)
        {
            return;
        }
        let seen = |slot: usize| slot;
        if let Some(counted) = integers.and_then(|integers| self.count(&integers, input.within, slots, seen))
        {
            return self.absorb(&counted, None, slots.count);
        }
        let (sketches, scale) = (&mut self.sketches, self.scale);
        each_number(&column, input.within, |row, number| {
            if let Some(sketch) = sketches.get_mut(slots.of(row) as usize) {
                sketch.add(number, scale);
            }
        });
    }

    /// Adds few integers one by one, by their steps; false, and nothing done, where they are so many that counting them in
    /// an array is less work, or there are no steps.
    fn add_few(&mut self, integers: &Integers<'_>, within: &Selection, slots: &Slots<'_>) -> bool {
        if self.steps.is_none() {
            self.steps = Steps::shared(self.scale);
        }
        let (Some(steps), sketches, scale) = (&self.steps, &mut self.sketches, self.scale) else {
            return false;
        };
        if within.count() >= slots.count.saturating_mul(steps.places) / PLACES_PER_ROW {
            return false;
        }
        integers.each(within, slots, |slot, value| {
            let Some(sketch) = sketches.get_mut(slot as usize) else { return };
            match steps.place_of(value) {
                Some(place) => sketch.add_at(Number::Int(value), place),
                None => sketch.add(Number::Int(value), scale),
            }
        });
        true
    }

    /// Counts integers in an array of all buckets of all slots, which tells the same as number by number; `None` where
    /// that does not serve. `sketch_of` tells the sketch that a slot is counted for, as far as that is known: what it has
    /// seen already a batch seldom widens.
    pub(super) fn count(
        &mut self,
        integers: &Integers<'_>,
        within: &Selection,
        slots: &Slots<'_>,
        sketch_of: impl Fn(usize) -> usize,
    ) -> Option<Counted> {
        if self.steps.is_none() {
            self.steps = Steps::shared(self.scale);
        }
        let steps = self.steps.as_ref()?;
        let most = COUNTS_MAX.min(COUNTS_LEAST + COUNTS_PER_ROW * within.count());
        let mut places = steps.places;
        if slots.count.saturating_mul(places) > most {
            let mut greatest = 0;
            integers.each(within, slots, |_, value| greatest = value.max(greatest));
            places = steps.place(greatest.min(STEPPED_BELOW - 1)) as usize + 1;
        }
        if slots.count.saturating_mul(places) > most {
            return None;
        }
        let seen = |slot: usize| self.sketches.get(sketch_of(slot)).map_or(Span::NONE, Span::of);
        let spans: Vec<Span> = (0..slots.count).map(seen).collect();
        let mut shared = Shared::of(&spans);
        let mut all = vec![0; slots.count * places];
        let mut reach = Reach { steps, places, spans, beyond: Vec::new(), news: 0 };
        integers.each_stretch(within, slots, |rows| {
            let mut rows = reach.count(rows, &mut all, shared);
            while let (Some((slot, value)), rest) = rows.split_first() {
                shared = reach.take(&mut all, slot, value, shared);
                rows = reach.count(rest, &mut all, shared);
            }
        });
        let Reach { spans, beyond, .. } = reach;
        Some(Counted { places, counts: all, spans, beyond })
    }

    /// Takes in what was counted of each slot, which is the one `map` sends it to, of `count` there are.
    pub(super) fn absorb(&mut self, counted: &Counted, map: Option<&[u32]>, count: usize) {
        grow(&mut self.sketches, count);
        let slot_of = |slot: usize| match map {
            None => slot,
            Some(map) => map.get(slot).map_or(usize::MAX, |slot| *slot as usize),
        };
        let slots = counted.spans.iter().zip(counted.counts.chunks(counted.places)).enumerate();
        for (slot, (span, counts)) in slots {
            let Some((least, greatest)) = span.ends() else { continue };
            let Some(sketch) = self.sketches.get_mut(slot_of(slot)) else { continue };
            let greatest_place = |steps: &Arc<Steps>| steps.place(greatest.min(STEPPED_BELOW - 1)) as usize;
            let seen = self.steps.as_ref().map_or(0, |steps| greatest_place(steps) + 1);
            sketch.add_counts(counts.get(..seen).unwrap_or(counts));
            sketch.widen_range(Number::Int(least), Number::Int(greatest));
        }
        for (slot, value) in &counted.beyond {
            if let Some(sketch) = self.sketches.get_mut(slot_of(*slot as usize)) {
                sketch.add(Number::Int(*value), self.scale);
            }
        }
    }

    /// The field the percentiles are of.
    pub(super) fn field(&self) -> &Arc<str> {
        &self.spec.field
    }

    pub(super) fn merge(&mut self, other: &Percentiles, map: &[u32], count: usize) {
        merge_slots(&mut self.sketches, &other.sketches, map, count, Sketch::merge);
    }

    pub(super) fn gather(&mut self, keep: &[u32]) {
        gather(&mut self.sketches, keep);
    }

    pub(super) fn output(&self, count: usize) -> SlotTable {
        let mut columns: Vec<ColumnBuilder> =
            self.spec.outputs.iter().map(|_| ColumnBuilder::default()).collect();
        let mut slots = Vec::new();
        for (slot, sketch) in (0_u32..).zip(self.sketches.iter().take(count)) {
            if sketch.count == 0 {
                continue;
            }
            let of = |p: f64| rank(p, sketch.count);
            let ranks = self.spec.outputs.iter().map(|(p, _)| (of(*p), ())).collect();
            let values = sketch.at_ranks(&ranks, self.scale);
            slots.push(slot);
            for (column, (p, _)) in columns.iter_mut().zip(&self.spec.outputs) {
                let value = values.get(&of(*p)).map(|number| number.to_value());
                column.push(value.as_ref().map(|value| value.borrow()));
            }
        }
        let names = self.spec.outputs.iter().map(|(_, name)| name.clone());
        let columns = names.zip(columns.into_iter().map(ColumnBuilder::finish)).collect();
        SlotTable { slots, columns, order: Vec::new() }
    }

    pub(super) fn bytes(&self) -> usize {
        self.sketches.iter().map(|sketch| size_of::<Sketch>() + sketch.buckets.heap_bytes()).sum()
    }
}

/// A sketch a slot.
impl SlotCoding for Percentiles {
    fn write(&self, slots: &[u32], out: &mut Vec<u8>) {
        write_slots(&self.sketches, slots, out, Sketch::write);
    }

    fn read(&mut self, count: usize, from: &mut Reader<'_>) -> Result<(), DecodeError> {
        self.sketches = read_slots(count, from, |from| Sketch::read(self.scale, from))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Column;
    use proptest::prelude::*;

    fn column(values: &[i64], form: usize) -> Column {
        let mut built = ColumnBuilder::default();
        match form {
            0 => values.iter().for_each(|value| built.int(*value)),
            _ => values.iter().for_each(|value| built.text(&value.to_string())),
        }
        match form {
            2 => {
                let codes = (0..values.len() as u32).map(|row| row / 2).collect();
                Column::Dictionary { codes, dictionary: Arc::new(built.finish_dictionary()) }
            }
            _ => built.finish(),
        }
    }

    fn told(values: &[i64], picked: &[bool], slots: &Slots<'_>, form: usize) -> String {
        let outputs = [0.0, 20.0, 50.0, 99.0, 100.0].map(|p| (p, PercentileSpec::column(None, p))).to_vec();
        let spec = PercentileSpec { field: "n".into(), outputs, accuracy: 0.01 };
        let columns = [(Arc::from("n"), column(values, form))];
        let within = Selection::from_fn(values.len(), |row| picked[row]);
        let mut states = Percentiles::new(&spec);
        let input =
            Input { rows: values.len(), order: &[], columns: &columns, within: &within, weights: None };
        // Twice: what was seen before is where integers are looked for first.
        (0..2).for_each(|_| states.step(&input, slots));
        let table = states.output(slots.count);
        format!("{:?} {:?}", table.slots, table.columns)
    }

    proptest! {
        #[test]
        fn integers_are_counted_as_numbers_are(
            rows in prop::collection::vec(
                (prop_oneof![0..100_i64, -5..200_000_i64, 0..i64::MAX, 0..5_000_000_000_i64], 0..4_u32, any::<bool>()), 1..300),
        ) {
            let values: Vec<i64> = rows.iter().map(|row| row.0).collect();
            let picked: Vec<bool> = rows.iter().map(|row| row.2).collect();
            let each: Vec<u32> = rows.iter().map(|row| if row.1 == 3 { u32::MAX } else { row.1 }).collect();
            for slots in [Slots::ONE, Slots::each(&each, 3)] {
                for picked in [&picked, &vec![true; rows.len()]] {
                    let slow = told(&values, picked, &slots, 1);
                    prop_assert_eq!(&told(&values, picked, &slots, 0), &slow);
                }
                let halves: Vec<i64> = (0..values.len()).map(|row| values[row / 2]).collect();
                prop_assert_eq!(told(&values, &picked, &slots, 2), told(&halves, &picked, &slots, 1));
            }
        }
    }
}
