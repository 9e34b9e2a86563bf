//! The row of the others: all rows of groups that are not shown, one row a slot, exact like those that are.
//!
//! Nothing is known of what it holds but its sum: it is merged of the states of the groups that the limit leaves out,
//! and of the group of the others, which took in those that did not fit into memory. So it comes to the same however
//! rows came, as the groups shown do.

use std::sync::Arc;

use super::super::body::Run;
use super::super::counts::count_table;
use super::super::keys::KeyTable;
use super::super::slots::{NO_SLOT, SlotTable};
use super::{Function, Groups, with_texts};
use crate::machine::StepError;

/// The rows of a result, each slot's groups before its others.
pub(super) struct Listed {
    /// Slot and group of each row; [`NO_SLOT`]: the others.
    rows: Vec<(u32, u32)>,
    /// The row that each group is in, in a slot that is shown.
    map: Vec<u32>,
}

impl Listed {
    /// Those of the groups `shown`, which come by slot, of slots `0..count`; `None`: nothing is left out.
    pub(super) fn of(keys: &KeyTable, shown: &[u32], count: usize) -> Option<Listed> {
        let slot_of = |group: u32| keys.groups().get(group as usize).map_or(NO_SLOT, |group| group.parent);
        let mut is_shown = vec![false; keys.groups().len()];
        for group in shown {
            is_shown.get_mut(*group as usize).into_iter().for_each(|shown| *shown = true);
        }
        let left_out = || (0_u32..).zip(&is_shown).filter(|(_, shown)| !**shown).map(|(group, _)| group);
        let mut has_others = vec![false; count];
        for group in left_out() {
            has_others.get_mut(slot_of(group) as usize).into_iter().for_each(|has| *has = true);
        }
        if !has_others.contains(&true) {
            return None;
        }
        let mut rows = Vec::with_capacity(shown.len() + count);
        let mut map = vec![NO_SLOT; is_shown.len()];
        let mut shown = shown.iter().peekable();
        for (slot, has_others) in (0_u32..).zip(has_others) {
            while let Some(group) = shown.next_if(|group| slot_of(**group) == slot) {
                map.get_mut(*group as usize).into_iter().for_each(|row| *row = rows.len() as u32);
                rows.push((slot, *group));
            }
            if has_others {
                rows.push((slot, NO_SLOT));
            }
        }
        let mut others = vec![NO_SLOT; count];
        for ((slot, _), row) in rows.iter().zip(0_u32..).filter(|((_, group), _)| *group == NO_SLOT) {
            others.get_mut(*slot as usize).into_iter().for_each(|others| *others = row);
        }
        for group in left_out() {
            let row = others.get(slot_of(group) as usize).copied().unwrap_or(NO_SLOT);
            map.get_mut(group as usize).into_iter().for_each(|into| *into = row);
        }
        Some(Listed { rows, map })
    }
}

impl Groups {
    /// The table of the rows `listed`; `other` stands for the keys of the others.
    pub(super) fn output_others(
        &self,
        keys: &KeyTable,
        listed: &Listed,
        other: &Arc<str>,
        run: &mut Run<'_>,
    ) -> Result<SlotTable, StepError> {
        let count = listed.rows.len();
        let inner = match &self.function {
            Function::Count(spec) => {
                let mut counts = vec![0; count];
                for (row, rows) in listed.map.iter().zip(keys.counts()) {
                    if let Some(count) = counts.get_mut(*row as usize) {
                        *count += rows;
                    }
                }
                count_table(spec, count, |row| counts.get(row).copied().unwrap_or(0))
            }
            Function::Other(body) => {
                let mut body = body.clone();
                body.regroup(&listed.map, count);
                body.output(count, run)?
            }
        };
        let rows = listed.rows.iter().zip(0_u32..).map(|((slot, group), row)| (row, *slot, *group));
        Ok(with_texts(keys, rows, &inner, count, other))
    }
}
