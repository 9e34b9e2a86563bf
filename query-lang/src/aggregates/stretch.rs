//! Rows side by side, with their slots and integers.
//!
//! Loops over many rows are worth being kept in registers. A closure that is called in several loops, one a form of
//! rows, may have what it counts in memory instead, and one call in a loop, if only for a rare row, has it read all its
//! other variables from there. So a stretch is handed to a function of its own, which has one loop, or two, and leaves it
//! for a row that it cannot do by itself.

use super::slots::Slots;
use crate::record::Selection;

/// Rows side by side, or some of 64.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stretch<'a> {
    slots: &'a [u32],
    values: &'a [i64],
    /// Which rows, the first in the lowest bit; none: all.
    some: Option<u64>,
}

impl<'a> Stretch<'a> {
    /// Calls `f` with slots and values of rows up to the first of which it says false; hands out the rows from that on.
    #[inline(always)]
    pub(super) fn until(self, mut f: impl FnMut(u32, i64) -> bool) -> Stretch<'a> {
        let Some(mut bits) = self.some else {
            for (at, (slot, value)) in self.slots.iter().zip(self.values).enumerate() {
                if !f(*slot, *value) {
                    let slots = self.slots.get(at..).unwrap_or_default();
                    return Stretch { slots, values: self.values.get(at..).unwrap_or_default(), some: None };
                }
            }
            return Stretch::default();
        };
        while bits != 0 {
            let row = bits.trailing_zeros() as usize;
            if let (Some(slot), Some(value)) = (self.slots.get(row), self.values.get(row))
                && !f(*slot, *value)
            {
                return Stretch { some: Some(bits), ..self };
            }
            bits &= bits - 1;
        }
        Stretch::default()
    }

    /// Calls `f` with slots and values of all rows.
    #[inline(always)]
    pub(super) fn each(self, mut f: impl FnMut(u32, i64)) {
        self.until(|slot, value| {
            f(slot, value);
            true
        });
    }

    /// Slot and value of the first row, if there is one, and the other rows.
    pub(super) fn split_first(self) -> (Option<(u32, i64)>, Stretch<'a>) {
        let mut first = None;
        let rest = self.until(|slot, value| {
            let is_first = first.is_none();
            first = first.or(Some((slot, value)));
            is_first
        });
        (first, rest)
    }
}

/// Calls `f` with the rows that are both of `within` and of `present`, in order.
pub(super) fn each_stretch(
    values: &[i64],
    present: Option<&Selection>,
    within: &Selection,
    slots: &Slots<'_>,
    mut f: impl FnMut(Stretch<'_>),
) {
    let values = values.get(..within.rows()).unwrap_or(values);
    if let (None, true, Some(slots)) = (present, within.is_all(), slots.rows_from(0)) {
        return f(Stretch { slots, values, some: None });
    }
    let same = [slots.of(0); 64];
    for ((at, word), values) in within.words().iter().enumerate().zip(values.chunks(64)) {
        let present = present.map_or(u64::MAX, |rows| rows.words().get(at).copied().unwrap_or(0));
        let bits = word & present;
        let slots = slots.rows_from(at * 64).unwrap_or(&same);
        let whole = bits == u64::MAX >> (64 - values.len());
        if bits != 0 {
            f(Stretch { slots, values, some: (!whole).then_some(bits) });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::slots::NO_SLOT;
    use super::*;

    /// Slots and values of the rows that are of both selections, row by row.
    fn slowly(
        values: &[i64],
        present: Option<&Selection>,
        within: &Selection,
        slots: &Slots<'_>,
    ) -> Vec<(u32, i64)> {
        let has = |row: &usize| present.is_none_or(|rows| rows.contains(*row));
        within.iter().filter(has).map(|row| (slots.of(row), values[row])).collect()
    }

    proptest! {
        #[test]
        fn stretches_have_all_rows_in_order(
            rows in prop::collection::vec((any::<i64>(), 0..4_u32, 0..10_u8, 0..10_u8), 1..300),
            whole in 0..300_usize,
            picked in prop_oneof![Just(0_u8), Just(1), Just(5), Just(10)],
            has in prop_oneof![Just(1_u8), Just(9), Just(10)],
            stops in 1..70_u64,
        ) {
            let values: Vec<i64> = rows.iter().map(|row| row.0).collect();
            let each: Vec<u32> = rows.iter().map(|row| if row.1 == 3 { NO_SLOT } else { row.1 }).collect();
            // From row `whole` on there are neither gaps nor rows left out.
            let within = Selection::from_fn(rows.len(), |row| row >= whole || rows[row].2 < picked);
            let present = Selection::from_fn(rows.len(), |row| row >= whole || rows[row].3 < has);
            for slots in [Slots::all_to(2, 3), Slots::each(&each, 3)] {
                for present in [None, Some(&present)] {
                    for within in [&within, &Selection::all(rows.len())] {
                        let expected = slowly(&values, present, within, &slots);
                        let (mut found, mut pieces) = (Vec::new(), Vec::new());
                        each_stretch(&values, present, within, &slots, |stretch| {
                            stretch.each(|slot, value| found.push((slot, value)));
                            // The same, left at some rows and gone on with.
                            let mut rest = stretch.until(|_, _| false);
                            while let (Some(first), behind) = rest.split_first() {
                                pieces.push(first);
                                rest = behind.until(|slot, value| {
                                    let goes_on = !(value as u64).is_multiple_of(stops);
                                    pieces.extend(goes_on.then_some((slot, value)));
                                    goes_on
                                });
                            }
                        });
                        prop_assert_eq!(&found, &expected);
                        prop_assert_eq!(&pieces, &expected);
                    }
                }
            }
        }
    }
}
