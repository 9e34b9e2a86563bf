//! `sum`, `avg`, `min`, `max`, `range`, `stdDev` and `variance`: exact until the result is rounded, once.
//!
//! Variance is taken from exact moments, `(n * sum(x^2) - sum(x)^2) / n^2` in integers of any length, which does
//! not cancel as the same formula in doubles does, needs no running mean and merges by addition. Only numbers too
//! long to be squared in 128 bits enter as doubles, their squares split exactly into two.

mod coding;

use super::Input;
use super::read::{Integers, Range, each_number};
use super::slots::{SlotTable, Slots, gather, grow, merge_slots};
use super::spec::{NumberKind, NumberSpec};
use super::tally::{Tally, Wanted};
use crate::record::{ColumnBuilder, Selection};
use crate::value::{ExactSum, Number};

/// What is kept of the numbers of a slot.
#[derive(Clone, Debug)]
pub(super) struct Numbers {
    spec: NumberSpec,
    kept: Kept,
}

#[derive(Clone, Debug)]
enum Kept {
    Means(Vec<Mean>),
    Extremes(Vec<Option<Extremes>>),
    Moments(Vec<Moments>),
}

#[derive(Clone, Debug, Default)]
struct Mean {
    count: u64,
    sum: ExactSum,
}

#[derive(Clone, Copy, Debug)]
struct Extremes {
    least: Number,
    greatest: Number,
}

impl Extremes {
    /// Both ends, where they are integers.
    fn range(self) -> Range {
        match (self.least, self.greatest) {
            (Number::Int(least), Number::Int(greatest)) => Range::between(least, greatest),
            _ => Range::NONE,
        }
    }

    fn join(mine: &mut Option<Extremes>, other: Extremes) {
        match mine {
            None => *mine = Some(other),
            Some(mine) => {
                mine.least = mine.least.min(other.least);
                mine.greatest = mine.greatest.max(other.greatest);
            }
        }
    }
}

impl Numbers {
    pub(super) fn new(spec: &NumberSpec) -> Numbers {
        let kept = match spec.kind {
            NumberKind::Sum | NumberKind::Avg => Kept::Means(Vec::new()),
            NumberKind::Min | NumberKind::Max | NumberKind::Range => Kept::Extremes(Vec::new()),
            NumberKind::StdDev | NumberKind::Variance => Kept::Moments(Vec::new()),
        };
        Numbers { spec: spec.clone(), kept }
    }

    pub(super) fn step(&mut self, input: &Input<'_>, slots: &Slots<'_>) {
        let column = input.column(&self.spec.field);
        if let Some(integers) = Integers::of(&column) {
            let tally = match (self.wanted(), slots.single()) {
                (Some(wanted), None) => {
                    Tally::of(&integers, input.within, slots, wanted, |slot| self.seen(slot))
                }
                _ => None,
            };
            return match tally {
                Some(tally) => self.absorb(&tally, None, slots.count),
                None => self.kept.step_integers(&integers, input.within, slots),
            };
        }
        match &mut self.kept {
            Kept::Means(states) => {
                grow(states, slots.count);
                each_number(&column, input.within, |row, number| {
                    if let Some(mean) = states.get_mut(slots.of(row) as usize) {
                        mean.count += 1;
                        mean.sum.add(number);
                    }
                });
            }
            Kept::Extremes(states) => {
                grow(states, slots.count);
                each_number(&column, input.within, |row, number| {
                    if let Some(state) = states.get_mut(slots.of(row) as usize) {
                        Extremes::join(state, Extremes { least: number, greatest: number });
                    }
                });
            }
            Kept::Moments(states) => {
                grow(states, slots.count);
                each_number(&column, input.within, |row, number| {
                    if let Some(state) = states.get_mut(slots.of(row) as usize) {
                        state.add(number);
                    }
                });
            }
        }
    }

    /// What a tally has to hold to be all that is kept of its integers; `None` when none can.
    pub(super) fn wanted(&self) -> Option<Wanted<'_>> {
        let field = &self.spec.field;
        match self.kept {
            Kept::Means(_) => Some(Wanted { field, ranges: false }),
            Kept::Extremes(_) => Some(Wanted { field, ranges: true }),
            Kept::Moments(_) => None,
        }
    }

    /// The range of the integers that `slot` has seen, where that is kept.
    pub(super) fn seen(&self, slot: usize) -> Range {
        match &self.kept {
            Kept::Extremes(states) => {
                states.get(slot).copied().flatten().map_or(Range::NONE, Extremes::range)
            }
            _ => Range::NONE,
        }
    }

    /// Takes in what `tally` says of each of its slots, which is the one `map` sends it to, of `count` there are.
    pub(super) fn absorb(&mut self, tally: &Tally, map: Option<&[u32]>, count: usize) {
        let slot_of = |slot: usize| match map {
            None => slot,
            Some(map) => map.get(slot).map_or(usize::MAX, |slot| *slot as usize),
        };
        match &mut self.kept {
            Kept::Means(states) => {
                grow(states, count);
                for (slot, (count, sum)) in tally.sums().enumerate().filter(|(_, (count, _))| *count > 0) {
                    if let Some(mean) = states.get_mut(slot_of(slot)) {
                        mean.count += count;
                        mean.sum.add_ints(sum);
                    }
                }
            }
            Kept::Extremes(states) => {
                grow(states, count);
                for (slot, range) in tally.ranges().iter().enumerate() {
                    if let (Some((least, greatest)), Some(state)) =
                        (range.ends(), states.get_mut(slot_of(slot)))
                    {
                        let (least, greatest) = (Number::Int(least), Number::Int(greatest));
                        Extremes::join(state, Extremes { least, greatest });
                    }
                }
            }
            // They want none.
            Kept::Moments(_) => {}
        }
    }

    pub(super) fn merge(&mut self, other: &Numbers, map: &[u32], count: usize) {
        match (&mut self.kept, &other.kept) {
            (Kept::Means(mine), Kept::Means(theirs)) => {
                merge_slots(mine, theirs, map, count, |mine, theirs| {
                    mine.count += theirs.count;
                    mine.sum.merge(&theirs.sum);
                })
            }
            (Kept::Extremes(mine), Kept::Extremes(theirs)) => {
                merge_slots(mine, theirs, map, count, |mine, theirs| {
                    if let Some(theirs) = theirs {
                        Extremes::join(mine, *theirs);
                    }
                });
            }
            (Kept::Moments(mine), Kept::Moments(theirs)) => {
                merge_slots(mine, theirs, map, count, Moments::merge)
            }
            // States of one aggregate keep the same things.
            _ => {}
        }
    }

    pub(super) fn gather(&mut self, keep: &[u32]) {
        match &mut self.kept {
            Kept::Means(states) => gather(states, keep),
            Kept::Extremes(states) => gather(states, keep),
            Kept::Moments(states) => gather(states, keep),
        }
    }

    /// The result of `slot`; none where the slot has no row in the table.
    pub(super) fn number(&self, slot: usize) -> Option<Number> {
        match (&self.kept, self.spec.kind) {
            (Kept::Means(states), NumberKind::Sum) => {
                states.get(slot).map_or(Some(Number::Int(0)), |mean| mean.sum.number())
            }
            (Kept::Means(states), _) => states.get(slot).and_then(|mean| mean.sum.mean(mean.count)),
            (Kept::Extremes(states), kind) => {
                let extremes = states.get(slot).copied().flatten()?;
                match kind {
                    NumberKind::Min => Some(extremes.least),
                    NumberKind::Max => Some(extremes.greatest),
                    _ => extremes.greatest.subtract(extremes.least),
                }
            }
            (Kept::Moments(states), kind) => {
                let variance = states.get(slot)?.variance()?;
                Number::from_f64(if kind == NumberKind::Variance { variance } else { variance.sqrt() })
            }
        }
    }

    pub(super) fn output(&self, count: usize) -> SlotTable {
        let mut column = ColumnBuilder::with_capacity(count);
        let mut slots = Vec::with_capacity(count);
        for slot in 0..count {
            let Some(number) = self.number(slot) else { continue };
            column.push(Some(number.to_value().borrow()));
            slots.push(u32::try_from(slot).unwrap_or(u32::MAX));
        }
        SlotTable { slots, columns: vec![(self.spec.output.clone(), column.finish())], order: Vec::new() }
    }

    pub(super) fn bytes(&self) -> usize {
        match &self.kept {
            Kept::Means(states) => states.iter().map(|mean| size_of::<Mean>() + mean.sum.heap_bytes()).sum(),
            Kept::Extremes(states) => states.capacity() * size_of::<Option<Extremes>>(),
            Kept::Moments(states) => {
                states.iter().map(|state| size_of::<Moments>() + state.heap_bytes()).sum()
            }
        }
    }
}

impl Kept {
    /// The same as number by number, in loops over machine integers; what is kept is told once a slot.
    fn step_integers(&mut self, integers: &Integers<'_>, within: &Selection, slots: &Slots<'_>) {
        match self {
            Kept::Means(states) => {
                grow(states, slots.count);
                match slots.single().map(|slot| states.get_mut(slot as usize)) {
                    Some(None) => {}
                    Some(Some(mean)) => {
                        let (mut count, mut sum) = (0, 0);
                        integers.each(within, slots, |_, value| {
                            count += 1;
                            sum += i128::from(value);
                        });
                        mean.count += count;
                        mean.sum.add_ints(sum);
                    }
                    None => integers.each(within, slots, |slot, value| {
                        if let Some(mean) = states.get_mut(slot as usize) {
                            mean.count += 1;
                            mean.sum.add_int(value);
                        }
                    }),
                }
            }
            Kept::Extremes(states) => {
                grow(states, slots.count);
                integers.each(within, slots, |slot, value| {
                    if let Some(state) = states.get_mut(slot as usize) {
                        let value = Number::Int(value);
                        Extremes::join(state, Extremes { least: value, greatest: value });
                    }
                });
            }
            Kept::Moments(states) => {
                grow(states, slots.count);
                integers.each(within, slots, |slot, value| {
                    if let Some(state) = states.get_mut(slot as usize) {
                        state.add_int(value);
                    }
                });
            }
        }
    }
}

/// Count, sum and sum of squares, exact.
#[derive(Clone, Debug, Default)]
pub(super) struct Moments {
    count: u64,
    sum: ExactSum,
    squares: ExactSum,
    /// A square was beyond the doubles: there is no variance to tell.
    beyond: bool,
}

impl Moments {
    pub(super) fn add(&mut self, number: Number) {
        self.count += 1;
        self.beyond |= !add_product(&mut self.squares, number, number);
        add_factor(&mut self.sum, number);
    }

    fn add_int(&mut self, value: i64) {
        self.count += 1;
        // A square of 64 bits takes 127: the sum of squares is kept as that of numbers without places.
        self.squares.add_decimal(i128::from(value) * i128::from(value), 0);
        self.sum.add_int(value);
    }

    pub(super) fn merge(&mut self, other: &Moments) {
        self.count += other.count;
        self.sum.merge(&other.sum);
        self.squares.merge(&other.squares);
        self.beyond |= other.beyond;
    }

    /// The variance of the population; none of no numbers.
    pub(super) fn variance(&self) -> Option<f64> {
        if self.count == 0 || self.beyond {
            return None;
        }
        let sum = self.sum.total();
        let scaled = self.squares.total().multiply(&crate::value::big::Big::new(i128::from(self.count), 0));
        Some(scaled.subtract(&sum.multiply(&sum)).quotient(self.count, self.count))
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.sum.heap_bytes() + self.squares.heap_bytes()
    }
}

/// Short enough that the product of two fits 128 bits.
fn short(number: Number) -> Option<(i64, u8)> {
    let (digits, scale) = number.decimal()?;
    Some((i64::try_from(digits).ok()?, scale))
}

/// Adds `number` as it enters products: exact when short, else as a double.
pub(super) fn add_factor(sum: &mut ExactSum, number: Number) {
    match short(number) {
        Some(_) => sum.add(number),
        None => sum.add_double(number.to_f64()),
    }
}

/// Adds `a * b`; false when it is beyond the doubles.
pub(super) fn add_product(sum: &mut ExactSum, a: Number, b: Number) -> bool {
    if let (Some((x, places)), Some((y, more))) = (short(a), short(b)) {
        sum.add_decimal(i128::from(x) * i128::from(y), places + more);
        return true;
    }
    let (x, y) = (a.to_f64(), b.to_f64());
    let product = x * y;
    sum.add_double(product);
    sum.add_double(x.mul_add(y, -product));
    product.is_finite()
}

#[cfg(test)]
mod tests {
    use super::super::tally::{SHORT_BITS, SHORT_ROWS_MAX};
    use super::*;

    fn variance(texts: &[&str]) -> Option<f64> {
        let mut moments = Moments::default();
        texts.iter().for_each(|text| moments.add(Number::parse(text).unwrap()));
        moments.variance()
    }

    /// What `kind` tells of `batches`, three slots, whose numbers are held as integers or as text.
    fn told(kind: NumberKind, batches: &[Vec<i64>], integers: bool) -> String {
        let spec = NumberSpec { kind, field: "n".into(), output: "o".into() };
        let mut states = Numbers::new(&spec);
        for values in batches {
            let mut built = ColumnBuilder::default();
            for value in values {
                if integers { built.int(*value) } else { built.text(&value.to_string()) }
            }
            let columns = [("n".into(), built.finish())];
            let each: Vec<u32> = (0..values.len() as u32).map(|row| if row == 1 { 1 } else { 0 }).collect();
            let within = Selection::all(values.len());
            let input =
                Input { rows: values.len(), order: &[], columns: &columns, within: &within, weights: None };
            states.step(&input, &Slots::each(&each, 3));
        }
        let table = states.output(3);
        format!("{:?} {:?}", table.slots, table.columns)
    }

    #[test]
    fn integers_are_taken_in_as_numbers_are() {
        let greatest = (1_i64 << SHORT_BITS) - 1;
        for batches in [
            vec![vec![greatest; SHORT_ROWS_MAX]],
            vec![vec![greatest; SHORT_ROWS_MAX + 1]],
            vec![vec![greatest + 1; SHORT_ROWS_MAX]],
            vec![vec![-1, 5, 0, 0], vec![0; 4], vec![i64::MAX, i64::MIN, 3, i64::MAX]],
            vec![vec![7, 8]],
            vec![vec![0, 0, 0], vec![4, 1, 9], vec![5, 2, 6]],
        ] {
            for kind in [NumberKind::Sum, NumberKind::Avg, NumberKind::Min, NumberKind::Max] {
                let slow = told(kind, &batches, false);
                assert_eq!(told(kind, &batches, true), slow, "{kind:?} {:?}", batches.first().map(Vec::len));
            }
        }
    }

    #[test]
    fn variance_does_not_cancel() {
        assert_eq!(variance(&[]), None);
        assert_eq!(variance(&["5"]), Some(0.0));
        assert_eq!(variance(&["1", "2", "3", "4"]), Some(1.25));
        assert_eq!(
            variance(&["1000000000001", "1000000000002", "1000000000003", "1000000000004"]),
            Some(1.25)
        );
        assert_eq!(variance(&["100000000.1", "100000000.3"]), Some(0.01));
        assert_eq!(variance(&["1e200", "1"]), None, "the square is beyond the doubles");
        let wide = variance(&["12345678901234567890123", "12345678901234567890123"]);
        assert_eq!(wide, Some(0.0));
    }
}
