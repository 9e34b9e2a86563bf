//! Rows into arrays: what `array:union`, `array:intersection` and `array:reduceColumn` end in.

use std::sync::Arc;

use super::{Columns, GatherSpec, SlotTable, ranges};
use crate::functions::arrays::element;
use crate::record::Column;
use crate::value::{Number, ValueRef};

pub(super) fn output(spec: &GatherSpec, table: &SlotTable, count: usize) -> SlotTable {
    match &spec.index {
        None => in_order(spec, table, count),
        Some(index) => by_index(spec, index, table, count),
    }
}

/// The rows of each slot as one: the values of the first column, in their order.
fn in_order(spec: &GatherSpec, table: &SlotTable, count: usize) -> SlotTable {
    let (mut slots, mut columns) = (Vec::new(), Columns::default());
    let values = table.columns.first().map(|(_, column)| column);
    for (slot, rows) in (0_u32..).zip(ranges(table, count)) {
        let mut there = rows.filter_map(|row| values?.get(row)).enumerate().peekable();
        if there.peek().is_none() {
            continue;
        }
        for (at, value) in there {
            columns.write(&element(&spec.output, at), slots.len(), value);
        }
        slots.push(slot);
    }
    let columns = columns.finish(slots.len());
    SlotTable { slots, columns, order: Vec::new() }
}

/// The n-th rows of each index as one. With several columns elements have members.
fn by_index(spec: &GatherSpec, index: &Arc<str>, table: &SlotTable, count: usize) -> SlotTable {
    let indexes = table.columns.iter().find(|(name, _)| name == index).map(|(_, column)| column);
    let others: Vec<&(Arc<str>, Column)> = table.columns.iter().filter(|(name, _)| name != index).collect();
    let (mut slots, mut columns) = (Vec::new(), Columns::default());
    for (slot, rows) in (0_u32..).zip(ranges(table, count)) {
        let at = |row: usize| {
            let number = indexes?.get(row).and_then(ValueRef::number).and_then(Number::truncate)?;
            usize::try_from(number).ok()
        };
        let mut places: Vec<(usize, usize)> = rows.filter_map(|row| Some((at(row)?, row))).collect();
        places.sort_unstable();
        // Each with its number among the rows of its index.
        let mut numbered: Vec<(usize, usize, usize)> = Vec::with_capacity(places.len());
        for (at, row) in places {
            let number = match numbered.last() {
                Some((number, before, _)) if *before == at => number + 1,
                _ => 0,
            };
            numbered.push((number, at, row));
        }
        numbered.sort_unstable();
        for made in numbered.chunk_by(|a, b| a.0 == b.0) {
            let to = slots.len();
            for (_, at, row) in made {
                for (name, column) in &others {
                    let Some(value) = column.get(*row) else { continue };
                    let element = element(&spec.output, *at);
                    match others.len() {
                        1 => columns.write(&element, to, value),
                        _ => columns.write(&format!("{element}.{name}").into(), to, value),
                    }
                }
            }
            slots.push(slot);
        }
    }
    let columns = columns.finish(slots.len());
    SlotTable { slots, columns, order: Vec::new() }
}
