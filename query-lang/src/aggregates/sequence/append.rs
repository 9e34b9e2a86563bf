//! `appendAggregation`: the rows, and behind them an aggregate of them.

use std::sync::Arc;

use super::running::check;
use super::{Run, SlotTable};
use crate::aggregates::body::Body;
use crate::aggregates::chain::row_order;
use crate::aggregates::slots::Slots;
use crate::aggregates::spec::AggregateSpec;
use crate::aggregates::{Input, Source};
use crate::machine::StepError;
use crate::record::{Column, Selection};

pub(super) fn output(
    function: &AggregateSpec,
    table: SlotTable,
    count: usize,
    run: &mut Run<'_>,
) -> Result<SlotTable, StepError> {
    let rows = table.rows();
    let (order, within) = (row_order(rows), Selection::all(rows));
    let input = Input { rows, order: &order, columns: &table.columns, within: &within, weights: None };
    let mut body = Body::new(function, run.context, Source::Table);
    body.step(&input, &Slots::each(&table.slots, count), run.pipelines)?;
    check(body.bytes(), run)?;
    let told = body.output(count, run)?;
    Ok(join(&table, &told))
}

/// The rows of `first` and, behind those of their slot, the rows of `then`. No row of it is an event.
fn join(first: &SlotTable, then: &SlotTable) -> SlotTable {
    // Sorting is stable: of one slot the rows of `first` come first, and each table's stay in their order.
    let of = |table: &SlotTable, part: usize| {
        table.slots.iter().enumerate().map(move |(row, slot)| (*slot, part, row)).collect::<Vec<_>>()
    };
    let mut places = of(first, 0);
    places.append(&mut of(then, 1));
    places.sort_by_key(|(slot, _, _)| *slot);
    let behind = then.columns.iter().filter(|(name, _)| first.columns.iter().all(|(have, _)| have != name));
    let names = first.columns.iter().chain(behind).map(|(name, _)| name);
    let column = |name: &Arc<str>| {
        let parts = [first, then].map(|table| {
            let found = table.columns.iter().find(|(have, _)| have == name);
            found.map_or(Column::Missing { rows: table.rows() }, |(_, column)| column.clone())
        });
        let at = |row: usize| places.get(row).map(|(_, part, row)| (*part, *row));
        (Arc::clone(name), Column::weave(&parts, places.len(), at))
    };
    SlotTable {
        columns: names.map(column).collect(),
        slots: places.iter().map(|(slot, _, _)| *slot).collect(),
        order: Vec::new(),
    }
}
