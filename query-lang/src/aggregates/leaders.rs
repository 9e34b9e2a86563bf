//! The greatest of many, in order, without sorting them all.

use std::cmp::Ordering;

/// Groups with what they are ranked by: the greatest so far, and among equals those whose key is first.
///
/// As many again are let in before the least are dropped, so that a group costs a comparison with the least of the
/// leaders, and hardly ever more.
#[derive(Clone, Debug)]
pub(super) struct Leaders<M> {
    limit: usize,
    /// The groups let in. Once there were more than enough, the last of the first `limit` is the least of these.
    list: Vec<(M, u32)>,
    /// The beginning of its key's place, once they are `is_full`.
    last_prefix: u64,
    is_full: bool,
    offered: usize,
}

impl<M: Ord + Copy> Leaders<M> {
    /// Nothing offered yet, of which the `limit` greatest are asked for.
    pub(super) fn new(limit: usize) -> Leaders<M> {
        Leaders { limit, list: Vec::new(), last_prefix: 0, is_full: false, offered: 0 }
    }

    /// Takes `group` in if it may be one of the greatest. `by_key` compares the keys of two groups; `prefix` tells the
    /// beginning of a key's place in that order, for where there are many equals.
    #[inline]
    pub(super) fn offer(
        &mut self,
        measure: M,
        group: u32,
        by_key: impl Fn(u32, u32) -> Ordering,
        prefix: impl Fn(u32) -> u64,
    ) {
        self.offered += 1;
        if self.is_full {
            let Some((least, last)) = self.list.get(self.limit.wrapping_sub(1)) else { return };
            match measure.cmp(least) {
                Ordering::Less => return,
                Ordering::Equal if prefix(group) > self.last_prefix => return,
                Ordering::Equal if by_key(group, *last).is_ge() => return,
                _ => {}
            }
        }
        self.list.push((measure, group));
        if self.list.len() > self.limit.saturating_mul(2) {
            self.cut(by_key);
            self.last_prefix = self.list.last().map_or(0, |(_, last)| prefix(*last));
        }
    }

    fn cut(&mut self, by_key: impl Fn(u32, u32) -> Ordering) {
        if self.list.len() > self.limit {
            if let Some(last) = self.limit.checked_sub(1) {
                self.list.select_nth_unstable_by(last, |a, b| order(a, b, &by_key));
            }
            self.list.truncate(self.limit);
            self.is_full = true;
        }
    }

    /// The leaders, the greatest first, and how many groups were offered.
    pub(super) fn finish(mut self, by_key: impl Fn(u32, u32) -> Ordering) -> (Vec<(M, u32)>, usize) {
        self.cut(&by_key);
        self.list.sort_unstable_by(|a, b| order(a, b, &by_key));
        (self.list, self.offered)
    }
}

fn order<M: Ord>(a: &(M, u32), b: &(M, u32), by_key: impl Fn(u32, u32) -> Ordering) -> Ordering {
    b.0.cmp(&a.0).then_with(|| by_key(a.1, b.1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn leaders_are_the_first_of_all_sorted(
            measures in prop::collection::vec(0_u8..12, 0..200),
            limit in 0_usize..20,
        ) {
            // Keys are in another order than groups are offered in.
            let by_key = |a: u32, b: u32| (a * 7919 % 211).cmp(&(b * 7919 % 211));
            let mut all: Vec<(u8, u32)> = measures.iter().copied().zip(0..).collect();
            let mut leaders = Leaders::new(limit);
            all.iter().for_each(|(measure, group)| leaders.offer(*measure, *group, by_key, |group| u64::from(group * 7919 % 211 / 9)));
            all.sort_by(|a, b| order(a, b, by_key));
            all.truncate(limit);
            prop_assert_eq!(leaders.finish(by_key), (all, measures.len()));
        }
    }
}
