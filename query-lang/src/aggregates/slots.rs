//! Slots: which state each row goes to, and tables with a slot a row.

use std::sync::Arc;

use crate::record::{Column, OrderKey};

/// No slot: the row goes nowhere.
pub(super) const NO_SLOT: u32 = u32::MAX;

/// The slot of every row of an input.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slots<'a> {
    /// A slot a row, [`NO_SLOT`] for rows that go nowhere; none: all rows go to one.
    each: Option<&'a [u32]>,
    /// The slot of all rows, where there is none a row.
    all: u32,
    /// How many slots there are.
    pub(super) count: usize,
}

impl<'a> Slots<'a> {
    /// One slot for all rows.
    pub(super) const ONE: Slots<'static> = Slots { each: None, all: 0, count: 1 };

    /// All rows go to `slot`, one of `count`.
    pub(super) fn all_to(slot: u32, count: usize) -> Slots<'static> {
        Slots { each: None, all: slot, count }
    }

    /// A slot a row.
    pub(super) fn each(slots: &'a [u32], count: usize) -> Slots<'a> {
        Slots { each: Some(slots), all: NO_SLOT, count }
    }

    /// The slot of `row`.
    #[inline]
    pub(super) fn of(&self, row: usize) -> u32 {
        match self.each {
            None => self.all,
            Some(slots) => slots.get(row).copied().unwrap_or(NO_SLOT),
        }
    }

    /// The slot that all rows go to, where they go to one.
    pub(super) fn single(&self) -> Option<u32> {
        self.each.is_none().then_some(self.all)
    }

    /// The slots of the rows from `row` on; none where all rows go to one.
    #[inline]
    pub(super) fn rows_from(&self, row: usize) -> Option<&'a [u32]> {
        self.each.map(|slots| slots.get(row..).unwrap_or_default())
    }

    /// The slots of rows made from these rows.
    pub(super) fn of_derived(&self, parents: Option<&[u32]>, rows: usize) -> Option<Vec<u32>> {
        self.each?;
        Some(match parents {
            Some(parents) => parents.iter().map(|row| self.of(*row as usize)).collect(),
            None => (0..rows).map(|row| self.of(row)).collect(),
        })
    }
}

/// Makes `states` as long as there are slots.
pub(super) fn grow<T: Default>(states: &mut Vec<T>, count: usize) {
    if states.len() < count {
        states.resize_with(count, T::default);
    }
}

/// Calls `join` with each state of `theirs` and the one of `mine` that `map` sends it to.
pub(super) fn merge_slots<T: Default>(
    mine: &mut Vec<T>,
    theirs: &[T],
    map: &[u32],
    count: usize,
    mut join: impl FnMut(&mut T, &T),
) {
    grow(mine, count);
    for (state, to) in theirs.iter().zip(map) {
        if let Some(target) = mine.get_mut(*to as usize) {
            join(target, state);
        }
    }
}

/// Keeps the states of `keep`, in that order.
pub(super) fn gather<T: Default>(states: &mut Vec<T>, keep: &[u32]) {
    *states = keep
        .iter()
        .map(|slot| states.get_mut(*slot as usize).map(std::mem::take).unwrap_or_default())
        .collect();
}

/// A table whose every row belongs to a slot.
#[derive(Clone, Debug, Default)]
pub(super) struct SlotTable {
    /// The slot of each row, ascending.
    pub(super) slots: Vec<u32>,
    /// Names and values.
    pub(super) columns: Vec<(Arc<str>, Column)>,
    /// The place of each row among events, where rows are events; else empty.
    pub(super) order: Vec<OrderKey>,
}

impl SlotTable {
    /// How many rows.
    pub(super) fn rows(&self) -> usize {
        self.slots.len()
    }

    /// The first row of each slot, and one more entry for the end: rows of slot `s` are `starts[s]..starts[s+1]`.
    pub(super) fn starts(&self, count: usize) -> Vec<u32> {
        let mut starts = vec![0_u32; count + 1];
        for slot in &self.slots {
            if let Some(after) = starts.get_mut(*slot as usize + 1) {
                *after += 1;
            }
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        starts
    }

    /// The table whose row `i` is this table's row `picks[i]`, in slot `slots[i]`; [`NO_SLOT`] picks a row without
    /// fields.
    pub(super) fn gather(&self, picks: &[u32], slots: Vec<u32>) -> SlotTable {
        let gaps = picks.iter().any(|pick| *pick as usize >= self.rows());
        let pick = |row: usize| {
            picks.get(row).map(|pick| (0, *pick as usize)).filter(|(_, pick)| *pick < self.rows())
        };
        let column = |(name, column): &(Arc<str>, Column)| {
            let picked = match gaps {
                true => Column::weave(std::slice::from_ref(column), picks.len(), pick),
                false => column.gather(picks),
            };
            (Arc::clone(name), picked)
        };
        let order = match self.order.is_empty() {
            true => Vec::new(),
            false => {
                picks.iter().map(|row| self.order.get(*row as usize).copied().unwrap_or_default()).collect()
            }
        };
        SlotTable { slots, columns: self.columns.iter().map(column).collect(), order }
    }
}
