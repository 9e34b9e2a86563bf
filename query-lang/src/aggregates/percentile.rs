//! `percentile`: a DDSketch a slot.
//!
//! Masson, Rim and Lee, "DDSketch: A fast and fully-mergeable quantile sketch with relative-error guarantees"
//! (VLDB 2019): a value falls into the bucket `ceil(log_gamma(value))`, buckets hold counts, and merging adds them,
//! so that no order ever shows. Nothing is collapsed: the doubles span a bounded number of buckets.
//!
//! A tenth of the allowed error is spent on printing no more digits than the sketch knows.

use std::collections::BTreeMap;

use super::Input;
use super::read::each_number;
use super::slots::{SlotTable, Slots, gather, grow, merge_slots};
use super::spec::PercentileSpec;
use crate::record::ColumnBuilder;
use crate::value::Number;

/// Sparse buckets until there are this many.
const SPARSE_MAX: usize = 48;

/// Sketches, a slot each.
#[derive(Clone, Debug)]
pub(super) struct Percentiles {
    spec: PercentileSpec,
    scale: Scale,
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
        Percentiles { spec: spec.clone(), scale: Scale::new(spec.accuracy), sketches: Vec::new() }
    }

    pub(super) fn step(&mut self, input: &Input<'_>, slots: &Slots<'_>) {
        grow(&mut self.sketches, slots.count);
        let (sketches, scale) = (&mut self.sketches, self.scale);
        each_number(&input.column(&self.spec.field), input.within, |row, number| {
            if let Some(sketch) = sketches.get_mut(slots.of(row) as usize) {
                sketch.add(number, scale);
            }
        });
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
    fn one_value_is_told_exactly() {
        let scale = Scale::new(0.01);
        let mut sketch = Sketch::default();
        sketch.add(Number::Int(123_457), scale);
        sketch.add(Number::Int(-5), scale);
        assert_eq!(sketch.count, 1, "negative numbers are skipped");
        assert_eq!(sketch.at_ranks(&BTreeMap::from([(0, ())]), scale)[&0], Number::Int(123_457));
    }
}
