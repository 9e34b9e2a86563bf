//! `transpose`: a row for each field, a column for each row.

use std::sync::Arc;

use hashbrown::HashSet;

use super::{Columns, SlotTable, TransposeSpec, ranges};
use crate::record::Column;
use crate::value::ValueRef;

pub(super) fn output(
    spec: &TransposeSpec,
    table: &SlotTable,
    count: usize,
    warnings: &mut Vec<String>,
) -> SlotTable {
    let mut fields: Vec<&(Arc<str>, Column)> =
        table.columns.iter().filter(|(name, _)| spec.header.as_ref() != Some(name)).collect();
    fields.sort_by(|a, b| a.0.cmp(&b.0));
    let (mut slots, mut columns) = (Vec::new(), Columns::default());
    for (slot, rows) in (0_u32..).zip(ranges(table, count)) {
        let taken = rows.start..rows.end.min(rows.start.saturating_add(spec.limit));
        if taken.end < rows.end {
            warnings.push(format!(
                "`transpose` took the first {} of {} rows: its `limit` says how many",
                spec.limit,
                rows.len()
            ));
        }
        let names = names(spec, table, taken.clone());
        for (name, column) in &fields {
            let mut cells =
                taken.clone().zip(&names).filter_map(|(row, name)| Some((name, column.get(row)?)));
            let Some(first) = cells.next() else { continue };
            let row = slots.len();
            columns.write(&spec.column, row, ValueRef::Text(name));
            std::iter::once(first).chain(cells).for_each(|(name, value)| columns.write(name, row, value));
            slots.push(slot);
        }
    }
    let columns = columns.finish(slots.len());
    SlotTable { slots, columns, order: Vec::new() }
}

/// The names of the columns that `rows` become: what the header says, where no column has that name before.
fn names(spec: &TransposeSpec, table: &SlotTable, rows: std::ops::Range<usize>) -> Vec<Arc<str>> {
    let header = spec.header.as_ref();
    let header = header.and_then(|header| table.columns.iter().find(|(name, _)| name == header));
    let mut known: HashSet<Arc<str>> = HashSet::from_iter([Arc::clone(&spec.column)]);
    let mut name = |(number, row): (usize, usize)| {
        let given = header.and_then(|(_, column)| column.get(row)).map(|value| Arc::from(&*value.text()));
        let plain = || Arc::from(format!("row[{number}]"));
        given.filter(|name| known.insert(Arc::clone(name))).unwrap_or_else(plain)
    };
    (1..).zip(rows).map(&mut name).collect()
}
