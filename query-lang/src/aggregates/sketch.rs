//! A sketch of quantiles: counts by bucket.
//!
//! Masson, Rim and Lee, "DDSketch: A fast and fully-mergeable quantile sketch with relative-error guarantees"
//! (VLDB 2019): a value falls into the bucket `ceil(log_gamma(value))`, buckets hold counts, and merging adds them,
//! so that no order ever shows. Nothing is collapsed: the doubles span a bounded number of buckets.
//!
//! A tenth of the allowed error is spent on printing no more digits than the sketch knows.

mod coding;

use std::collections::BTreeMap;

use crate::value::Number;

/// Sparse buckets until there are this many.
const SPARSE_MAX: usize = 48;

/// How values map to buckets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    pub(super) gamma: f64,
    per_ln: f64,
    digits: i32,
}

impl Scale {
    pub(super) fn new(accuracy: f64) -> Scale {
        let accuracy = accuracy.clamp(0.0001, 0.5);
        // Rounding to `digits` significant digits errs by at most half a unit of the last: a tenth of `accuracy`.
        let digits = 1 - (accuracy / 5.0).log10().floor() as i32;
        let sketched = accuracy * 0.9;
        let gamma = (1.0 + sketched) / (1.0 - sketched);
        Scale { gamma, per_ln: 1.0 / gamma.ln(), digits }
    }

    pub(super) fn bucket(self, value: f64) -> i32 {
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
pub(super) struct Sketch {
    pub(super) count: u64,
    zeros: u64,
    range: Option<(Number, Number)>,
    pub(super) buckets: Buckets,
}

#[derive(Clone, Debug)]
pub(super) enum Buckets {
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

    /// Makes room for the buckets from `from` to `to`, where they stand in a row.
    fn reach(&mut self, from: i32, to: i32) {
        let Buckets::Dense { first, counts } = self else { return };
        if counts.is_empty() {
            *first = from;
        }
        if from < *first {
            counts.splice(0..0, std::iter::repeat_n(0, first.abs_diff(from) as usize));
            *first = from;
        }
        let end = to.saturating_sub(*first).saturating_add(1);
        let end = usize::try_from(end).unwrap_or(0).max(counts.len());
        counts.resize(end, 0);
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

    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Buckets::Sparse(pairs) => pairs.capacity() * size_of::<(i32, u64)>(),
            Buckets::Dense { counts, .. } => counts.capacity() * size_of::<u64>(),
        }
    }
}

impl Sketch {
    pub(super) fn add(&mut self, number: Number, scale: Scale) {
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

    /// Adds a number of which it is known where it belongs: 0 for zero, else one more than its bucket.
    pub(super) fn add_at(&mut self, number: Number, place: u32) {
        self.count += 1;
        self.widen_range(number, number);
        match place.checked_sub(1) {
            None => self.zeros += 1,
            Some(bucket) => self.buckets.add(bucket as i32, 1),
        }
    }

    /// Adds counts of zeros and of the buckets from 0 on.
    pub(super) fn add_counts(&mut self, counts: &[u32]) {
        let Some((zeros, buckets)) = counts.split_first() else { return };
        self.count += counts.iter().map(|count| u64::from(*count)).sum::<u64>();
        self.zeros += u64::from(*zeros);
        if buckets.iter().filter(|count| **count > 0).count() > SPARSE_MAX {
            self.buckets.widen();
        }
        let (Some(first), Some(last)) =
            (buckets.iter().position(|count| *count > 0), buckets.iter().rposition(|count| *count > 0))
        else {
            return;
        };
        self.buckets.reach(first as i32, last as i32);
        if let Buckets::Dense { first: start, counts } = &mut self.buckets
            && let Some(at) = (first as i32).checked_sub(*start).and_then(|at| usize::try_from(at).ok())
            && let Some(slots) = counts.get_mut(at..=at + last - first)
        {
            for (slot, count) in slots.iter_mut().zip(buckets.iter().skip(first)) {
                *slot += u64::from(*count);
            }
            return;
        }
        for (bucket, count) in (0..).zip(buckets).filter(|(_, count)| **count > 0) {
            self.buckets.add(bucket, u64::from(*count));
        }
    }

    /// The least and the greatest that were added.
    pub(super) fn range(&self) -> Option<(Number, Number)> {
        self.range
    }

    pub(super) fn widen_range(&mut self, least: Number, greatest: Number) {
        let (low, high) = self.range.unwrap_or((least, greatest));
        self.range = Some((low.min(least), high.max(greatest)));
    }

    pub(super) fn merge(&mut self, other: &Sketch) {
        self.count += other.count;
        self.zeros += other.zeros;
        if let Some((least, greatest)) = other.range {
            self.widen_range(least, greatest);
        }
        other.buckets.each(|bucket, count| self.buckets.add(bucket, count));
    }

    /// The values at these ranks, each from 0 to `count - 1`, kept within what was seen.
    pub(super) fn at_ranks(&self, ranks: &BTreeMap<u64, ()>, scale: Scale) -> BTreeMap<u64, Number> {
        let mut found = BTreeMap::new();
        let Some((least, greatest)) = self.range else { return found };
        let mut open = ranks.keys().copied().peekable();
        let mut below = 0;
        // What a bucket stands for takes long to tell: it is told of those alone that are looked for.
        let mut places: Vec<(u64, Option<i32>)> = Vec::with_capacity(ranks.len());
        let mut take = |count: u64, bucket: Option<i32>| {
            below += count;
            while let Some(rank) = open.next_if(|rank| *rank < below) {
                places.push((rank, bucket));
            }
        };
        take(self.zeros, None);
        self.buckets.each(|bucket, count| take(count, Some(bucket)));
        for (rank, bucket) in places {
            let value = match bucket {
                None => Number::Int(0),
                Some(bucket) => Number::from_f64(scale.value(bucket)).unwrap_or(greatest),
            };
            found.insert(rank, value.clamp(least, greatest));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::super::percentile::rank;
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
