//! `percentile`: a DDSketch a slot.
//!
//! Masson, Rim and Lee, "DDSketch: A fast and fully-mergeable quantile sketch with relative-error guarantees"
//! (VLDB 2019): a value falls into the bucket `ceil(log_gamma(value))`, buckets hold counts, and merging adds them,
//! so that no order ever shows. Nothing is collapsed: the doubles span a bounded number of buckets.
//!
//! A tenth of the allowed error is spent on printing no more digits than the sketch knows.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use super::Input;
use super::read::{Integers, Range, each_number};
use super::slots::{SlotTable, Slots, gather, grow, merge_slots};
use super::spec::PercentileSpec;
use crate::record::{Column, ColumnBuilder, Selection};
use crate::value::Number;

/// Sparse buckets until there are this many.
const SPARSE_MAX: usize = 48;

/// Sketches, a slot each.
#[derive(Clone, Debug)]
pub(super) struct Percentiles {
    spec: PercentileSpec,
    scale: Scale,
    steps: Option<Arc<Steps>>,
    sketches: Vec<Sketch>,
}

/// How values map to buckets.
#[derive(Clone, Copy, Debug)]
struct Scale {
    gamma: f64,
    per_ln: f64,
    digits: i32,
}

impl Scale {
    fn new(accuracy: f64) -> Scale {
        let accuracy = accuracy.clamp(0.0001, 0.5);
        // Rounding to `digits` significant digits errs by at most half a unit of the last: a tenth of `accuracy`.
        let digits = 1 - (accuracy / 5.0).log10().floor() as i32;
        let sketched = accuracy * 0.9;
        let gamma = (1.0 + sketched) / (1.0 - sketched);
        Scale { gamma, per_ln: 1.0 / gamma.ln(), digits }
    }

    fn bucket(self, value: f64) -> i32 {
        (value.ln() * self.per_ln).ceil() as i32
    }

    fn value(self, bucket: i32) -> f64 {
        let middle = 2.0 * self.gamma.powi(bucket) / (self.gamma + 1.0);
        let digits = usize::try_from(self.digits - 1).unwrap_or(0);
        format!("{middle:.digits$e}").parse().unwrap_or(middle)
    }
}

/// The buckets of integers, found without a logarithm.
///
/// Integers are put into cells as in an HdrHistogram (Tene): by their highest bits. A cell is narrower than a bucket,
/// so its integers fall into one bucket, or from some integer on into the next. Which bucket that is
/// [`Scale::bucket`] has said: both ways agree on every integer.
#[derive(Debug)]
struct Steps {
    /// Bits that a cell's number has below the leading one.
    bits: u32,
    scale: Scale,
    cells: Vec<Cell>,
    /// How many places there are.
    places: usize,
}

#[derive(Clone, Copy, Debug)]
struct Cell {
    /// The greatest integer in the first bucket.
    last: i64,
    /// 0 for the integer 0, else one more than the first bucket.
    place: u32,
}

/// Integers from here on are left to the logarithm.
const STEPPED_BELOW: i64 = 1 << 40;
/// Most bits of [`Steps::bits`]: finer scales are left to the logarithm.
const STEP_BITS_MAX: u32 = 8;
/// Most different accuracies for which steps are kept.
const SHARED_STEPS_MAX: usize = 16;
/// Most counts of one step, 2 MiB of them, and most of a step over few rows: so many, and so many a row.
const COUNTS_MAX: usize = 1 << 19;
const COUNTS_LEAST: usize = 4_096;
const COUNTS_PER_ROW: usize = 8;

impl Steps {
    /// The steps of `scale`, made once a process; `None` when it is too fine, or there are too many.
    fn shared(scale: Scale) -> Option<Arc<Steps>> {
        static SHARED: Mutex<Vec<Arc<Steps>>> = Mutex::new(Vec::new());
        let bits = (1..=STEP_BITS_MAX).find(|bits| 1.0 + 0.5_f64.powi(*bits as i32) < scale.gamma)?;
        let mut shared = SHARED.lock().ok()?;
        if let Some(known) = shared.iter().find(|known| known.scale.gamma == scale.gamma) {
            return Some(Arc::clone(known));
        }
        if shared.len() >= SHARED_STEPS_MAX {
            return None;
        }
        let steps = Arc::new(Steps::new(scale, bits));
        shared.push(Arc::clone(&steps));
        Some(steps)
    }

    fn new(scale: Scale, bits: u32) -> Steps {
        let place = |value: i64| if value == 0 { 0 } else { scale.bucket(value as f64) as u32 + 1 };
        let places = place(STEPPED_BELOW - 1) as usize + 1;
        let mut steps = Steps { bits, scale, cells: Vec::new(), places };
        let mut first = 0;
        while first < STEPPED_BELOW {
            let width = 1_i64 << steps.shift(first);
            let (mut low, mut high) = (first, first + width - 1);
            let cell = place(first);
            // The greatest integer of the cell in its first bucket, by bisection.
            while low < high {
                let middle = low + (high - low + 1) / 2;
                if place(middle) == cell { low = middle } else { high = middle - 1 }
            }
            let last = if low == first + width - 1 { i64::MAX } else { low };
            steps.cells.push(Cell { last, place: cell });
            first += width;
        }
        steps
    }

    /// How many low bits of `value`, which is not negative, its cell leaves out.
    #[inline(always)]
    fn shift(&self, value: i64) -> u32 {
        // Of numbers below 2^(bits + 1) none.
        u64::BITS - 1 - self.bits - (value as u64 | 1 << self.bits).leading_zeros()
    }

    /// One more than the bucket of `value`, which is in `0..STEPPED_BELOW`; 0 for 0.
    #[inline(always)]
    fn place(&self, value: i64) -> u32 {
        let shift = self.shift(value);
        let cell = ((shift as usize) << self.bits) + (value >> shift) as usize;
        self.cells.get(cell).map_or(0, |cell| cell.place + u32::from(value > cell.last))
    }
}

/// Counts by bucket.
#[derive(Clone, Debug, Default)]
struct Sketch {
    count: u64,
    zeros: u64,
    range: Option<(Number, Number)>,
    buckets: Buckets,
}

#[derive(Clone, Debug)]
enum Buckets {
    /// Sorted by bucket.
    Sparse(Vec<(i32, u64)>),
    /// From bucket `first` on.
    Dense { first: i32, counts: Vec<u64> },
}

impl Default for Buckets {
    fn default() -> Buckets {
        Buckets::Sparse(Vec::new())
    }
}

impl Buckets {
    fn add(&mut self, bucket: i32, count: u64) {
        match self {
            Buckets::Sparse(pairs) => match pairs.binary_search_by_key(&bucket, |pair| pair.0) {
                Ok(at) => {
                    if let Some(pair) = pairs.get_mut(at) {
                        pair.1 += count;
                    }
                }
                Err(at) => {
                    pairs.insert(at, (bucket, count));
                    if pairs.len() > SPARSE_MAX {
                        self.widen();
                    }
                }
            },
            Buckets::Dense { first, counts } => {
                if bucket < *first {
                    let more = first.abs_diff(bucket) as usize;
                    counts.splice(0..0, std::iter::repeat_n(0, more));
                    *first = bucket;
                }
                let at = bucket.abs_diff(*first) as usize;
                if counts.len() <= at {
                    counts.resize(at + 1, 0);
                }
                if let Some(slot) = counts.get_mut(at) {
                    *slot += count;
                }
            }
        }
    }

    fn widen(&mut self) {
        if let Buckets::Sparse(pairs) = self {
            let pairs = std::mem::take(pairs);
            let first = pairs.first().map_or(0, |pair| pair.0);
            *self = Buckets::Dense { first, counts: Vec::new() };
            pairs.into_iter().for_each(|(bucket, count)| self.add(bucket, count));
        }
    }

    fn each(&self, mut f: impl FnMut(i32, u64)) {
        match self {
            Buckets::Sparse(pairs) => pairs.iter().for_each(|(bucket, count)| f(*bucket, *count)),
            Buckets::Dense { first, counts } => {
                for (bucket, count) in (*first..).zip(counts).filter(|(_, count)| **count > 0) {
                    f(bucket, *count);
                }
            }
        }
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Buckets::Sparse(pairs) => pairs.capacity() * size_of::<(i32, u64)>(),
            Buckets::Dense { counts, .. } => counts.capacity() * size_of::<u64>(),
        }
    }
}

impl Sketch {
    fn add(&mut self, number: Number, scale: Scale) {
        if number.is_negative() {
            return;
        }
        self.count += 1;
        self.widen_range(number, number);
        let value = number.to_f64();
        if value == 0.0 {
            self.zeros += 1;
        } else {
            self.buckets.add(scale.bucket(value), 1);
        }
    }

    /// Adds counts of zeros and of the buckets from 0 on.
    fn add_counts(&mut self, counts: &[u32]) {
        let Some((zeros, buckets)) = counts.split_first() else { return };
        self.count += counts.iter().map(|count| u64::from(*count)).sum::<u64>();
        self.zeros += u64::from(*zeros);
        if buckets.iter().filter(|count| **count > 0).count() > SPARSE_MAX {
            self.buckets.widen();
        }
        for (bucket, count) in (0..).zip(buckets).filter(|(_, count)| **count > 0) {
            self.buckets.add(bucket, u64::from(*count));
        }
    }

    fn widen_range(&mut self, least: Number, greatest: Number) {
        let (low, high) = self.range.unwrap_or((least, greatest));
        self.range = Some((low.min(least), high.max(greatest)));
    }

    fn merge(&mut self, other: &Sketch) {
        self.count += other.count;
        self.zeros += other.zeros;
        if let Some((least, greatest)) = other.range {
            self.widen_range(least, greatest);
        }
        other.buckets.each(|bucket, count| self.buckets.add(bucket, count));
    }

    /// The values at these ranks, each from 0 to `count - 1`, kept within what was seen.
    fn at_ranks(&self, ranks: &BTreeMap<u64, ()>, scale: Scale) -> BTreeMap<u64, Number> {
        let mut found = BTreeMap::new();
        let Some((least, greatest)) = self.range else { return found };
        let mut open = ranks.keys().copied().peekable();
        let mut below = 0;
        let mut take = |count: u64, value: Number| {
            below += count;
            while let Some(rank) = open.next_if(|rank| *rank < below) {
                found.insert(rank, value.clamp(least, greatest));
            }
        };
        take(self.zeros, Number::Int(0));
        self.buckets.each(|bucket, count| {
            take(count, Number::from_f64(scale.value(bucket)).unwrap_or(greatest));
        });
        found
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
        if self.step_integers(&column, input.within, slots) {
            return;
        }
        let (sketches, scale) = (&mut self.sketches, self.scale);
        each_number(&column, input.within, |row, number| {
            if let Some(sketch) = sketches.get_mut(slots.of(row) as usize) {
                sketch.add(number, scale);
            }
        });
    }

    /// The same as number by number, by counting integers in an array of all buckets of all slots; false, and nothing
    /// done, where that does not serve.
    fn step_integers(&mut self, column: &Column, within: &Selection, slots: &Slots<'_>) -> bool {
        let Some(integers) = Integers::of(column) else { return false };
        if self.steps.is_none() {
            self.steps = Steps::shared(self.scale);
        }
        let Some(steps) = &self.steps else { return false };
        let most = COUNTS_MAX.min(COUNTS_LEAST + COUNTS_PER_ROW * within.count());
        let mut places = steps.places;
        if slots.count.saturating_mul(places) > most {
            let mut greatest = 0;
            integers.each(within, slots, |_, value| greatest = value.max(greatest));
            places = steps.place(greatest.min(STEPPED_BELOW - 1)) as usize + 1;
        }
        if slots.count.saturating_mul(places) > most {
            return false;
        }
        let mut counts = vec![0_u32; slots.count * places];
        let mut ranges = vec![Range::NONE; slots.count];
        let (sketches, scale) = (&mut self.sketches, self.scale);
        integers.each(within, slots, |slot, value| {
            // One comparison for negative numbers and for large ones.
            if value as u64 >= STEPPED_BELOW as u64 {
                if let Some(sketch) = sketches.get_mut(slot as usize) {
                    sketch.add(Number::Int(value), scale);
                }
                return;
            }
            if let Some(range) = ranges.get_mut(slot as usize) {
                range.widen(value);
            }
            if let Some(count) = counts.get_mut(slot as usize * places + steps.place(value) as usize) {
                *count += 1;
            }
        });
        let counted = sketches.iter_mut().zip(ranges).zip(counts.chunks(places));
        for ((sketch, range), counts) in counted {
            let Some((least, greatest)) = range.ends() else { continue };
            let seen = steps.place(greatest) as usize + 1;
            sketch.add_counts(counts.get(..seen).unwrap_or_default());
            sketch.widen_range(Number::Int(least), Number::Int(greatest));
        }
        true
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(values: &[f64], accuracy: f64, p: f64) -> Result<(), TestCaseError> {
        let scale = Scale::new(accuracy);
        let mut sketch = Sketch::default();
        values.iter().for_each(|value| sketch.add(Number::from_f64(*value).unwrap(), scale));
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let rank = rank(p, values.len() as u64);
        let exact = sorted[rank as usize];
        let told = sketch.at_ranks(&BTreeMap::from([(rank, ())]), scale)[&rank].to_f64();
        prop_assert!((told - exact).abs() <= exact * accuracy * 1.000_001, "{told} for {exact}");
        Ok(())
    }

    proptest! {
        #[test]
        fn within_the_stated_error(
            values in prop::collection::vec(prop_oneof![0.0..1.0, 1.0..1e6, 1e-300..1e300, Just(0.0)], 1..200),
            p in 0.0..=100.0,
            accuracy in prop_oneof![Just(0.01), Just(0.001), 0.0005..0.3],
        ) {
            check(&values, accuracy, p)?;
        }
    }

    #[test]
    fn steps_and_logarithm_agree() {
        for accuracy in [0.5, 0.1, 0.01, 0.005] {
            let steps = Steps::shared(Scale::new(accuracy)).unwrap();
            let place = |value: i64| if value == 0 { 0 } else { steps.scale.bucket(value as f64) as u32 + 1 };
            let mut value = 0;
            while value < STEPPED_BELOW {
                for near in value.saturating_sub(2).max(0)..(value + 3).min(STEPPED_BELOW) {
                    assert_eq!(steps.place(near), place(near), "{near} at {accuracy}");
                }
                value += 1 + value / 977;
            }
            let last = STEPPED_BELOW - 1;
            assert_eq!(steps.place(last), place(last));
        }
        assert!(Steps::shared(Scale::new(0.001)).is_none(), "finer than cells are");
    }

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
        states.step(
            &Input { rows: values.len(), order: &[], columns: &columns, within: &within, weights: None },
            slots,
        );
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

    #[test]
    fn one_value_is_told_exactly() {
        let scale = Scale::new(0.01);
        let mut sketch = Sketch::default();
        sketch.add(Number::Int(123_457), scale);
        sketch.add(Number::Int(-5), scale);
        assert_eq!(sketch.count, 1, "negative numbers are skipped");
        assert_eq!(sketch.at_ranks(&BTreeMap::from([(0, ())]), scale)[&0], Number::Int(123_457));
    }
}
