//! `neighbor`: fields of a row so many rows away.

use super::{NeighborSpec, SlotTable, put, ranges};
use crate::record::Column;

pub(super) fn output(spec: &NeighborSpec, mut table: SlotTable, count: usize) -> SlotTable {
    let rows = table.rows();
    let mut from: Vec<Option<usize>> = Vec::with_capacity(rows);
    for range in ranges(&table, count) {
        let neighbor = |row: usize| {
            let there = match spec.is_behind {
                true => row.checked_add(spec.distance),
                false => row.checked_sub(spec.distance),
            };
            there.filter(|there| range.contains(there))
        };
        from.extend(range.clone().map(neighbor));
    }
    let taken = spec.fields.iter().map(|(field, name)| {
        let there = table.columns.iter().find(|(have, _)| have == field);
        let column = there.map_or(Column::Missing { rows }, |(_, column)| {
            let at = |row: usize| Some((0, (*from.get(row)?)?));
            Column::weave(std::slice::from_ref(column), rows, at)
        });
        (name.clone(), column)
    });
    let taken = taken.collect();
    put(&mut table, taken);
    table
}
