//! Rows that have been through the row steps, held by themselves.

use std::sync::Arc;

use crate::aggregates::Input;
use crate::machine::View;
use crate::record::{Column, OrderKey, RowsError, Selection};
use crate::result::ResultTable;

/// Rows that have been through a program's row steps and wait to be absorbed.
#[derive(Debug, Default)]
pub struct Frame {
    pub(super) order: Arc<[OrderKey]>,
    pub(super) columns: Vec<(Arc<str>, Column)>,
}

impl Frame {
    /// The place of every row that passed, in the order of events.
    #[must_use]
    pub fn order(&self) -> &[OrderKey] {
        &self.order
    }

    /// Their fields, each with a slot a row, in the order of [`Frame::order`].
    #[must_use]
    pub fn columns(&self) -> &[(Arc<str>, Column)] {
        &self.columns
    }

    /// The rows of `within`, for an aggregate.
    pub(super) fn input<'f>(&'f self, within: &'f Selection) -> Input<'f> {
        let (order, columns) = (&self.order, &self.columns);
        Input { rows: order.len(), order, columns, within, weights: None }
    }

    /// The rows in play of `view`, with the fields `names`, or all. Of those, `numbers` are looked at as such only.
    pub(super) fn of(
        view: &View<'_>,
        names: Option<&[Arc<str>]>,
        numbers: &[Arc<str>],
    ) -> Result<Frame, RowsError> {
        if view.selection().is_empty() {
            return Ok(Frame::default());
        }
        let order = view.order()?;
        let columns = columns(view, names, numbers)?;
        if view.selection().is_all() {
            return Ok(Frame { order, columns });
        }
        let picks: Vec<u32> = view.selection().iter().filter_map(|row| u32::try_from(row).ok()).collect();
        let order = picks.iter().filter_map(|row| order.get(*row as usize).copied()).collect();
        let gathered = columns.into_iter().map(|(name, column)| (name, column.gather(&picks)));
        Ok(Frame { order, columns: gathered.collect() })
    }

    /// The rows of `within`, newest first, copied.
    pub(super) fn newest_first(&self, within: &Selection) -> ResultTable {
        table(&self.columns, &self.order, within.iter())
    }
}

/// The columns of `view` called `names`, or all, for the rows in play. Of those, `numbers` are looked at as such only.
pub(super) fn columns(
    view: &View<'_>,
    names: Option<&[Arc<str>]>,
    numbers: &[Arc<str>],
) -> Result<Vec<(Arc<str>, Column)>, RowsError> {
    let all;
    let names = match names {
        Some(names) => names,
        None => {
            all = view.names();
            all.as_slice()
        }
    };
    let column = |name: &Arc<str>| {
        let column = match numbers.contains(name) {
            true => view.numbers_within(name, view.selection())?,
            false => view.column(name)?,
        };
        Ok((Arc::clone(name), column))
    };
    names.iter().map(column).filter(|one| !matches!(one, Ok((_, Column::Missing { .. })))).collect()
}

/// The rows in play of `view` with all their fields, newest first; rows of one place in the order they stand in. With
/// a `limit` only so many, none of them older than `floor`.
pub(super) fn whole_rows(
    view: &View<'_>,
    limit: Option<usize>,
    floor: Option<OrderKey>,
) -> Result<ResultTable, RowsError> {
    let (rows, places) = view.places()?;
    let mut picks: Vec<(OrderKey, u32)> = places.into_iter().zip(rows).collect();
    if let Some(floor) = floor {
        picks.retain(|(place, _)| *place >= floor);
    }
    let newest = |(a, row): &(OrderKey, u32), (b, other): &(OrderKey, u32)| b.cmp(a).then(row.cmp(other));
    if let Some(limit) = limit.filter(|limit| *limit < picks.len()) {
        picks.select_nth_unstable_by(limit, newest);
        picks.truncate(limit);
    }
    picks.sort_unstable_by(newest);
    let (order, rows): (Vec<OrderKey>, Vec<u32>) = picks.into_iter().unzip();
    let columns = view.pick(&view.names(), &rows)?;
    Ok(ResultTable { rows: rows.len(), columns, order, ..ResultTable::default() })
}

fn newest_first(order: &[OrderKey], rows: impl Iterator<Item = usize>) -> Vec<u32> {
    let place = |row: &u32| order.get(*row as usize).copied().unwrap_or_default();
    let mut picks: Vec<u32> = rows.filter_map(|row| u32::try_from(row).ok()).collect();
    picks.sort_by(|a, b| place(b).cmp(&place(a)).then(a.cmp(b)));
    picks
}

/// The rows `rows` of columns, newest first; rows of one place in the order they stand in.
pub(super) fn table(
    columns: &[(Arc<str>, Column)],
    order: &[OrderKey],
    rows: impl Iterator<Item = usize>,
) -> ResultTable {
    let picks = newest_first(order, rows);
    let copied = columns
        .iter()
        .filter_map(|(name, column)| column.copied(&picks).map(|column| (Arc::clone(name), column)));
    ResultTable {
        rows: picks.len(),
        columns: copied.collect(),
        order: picks.iter().map(|row| order.get(*row as usize).copied().unwrap_or_default()).collect(),
        ..ResultTable::default()
    }
}

/// The `limit` newest rows in play.
pub(super) fn newest(
    order: &[OrderKey],
    within: &Selection,
    limit: usize,
    floor: Option<OrderKey>,
) -> Selection {
    let mut chosen = within.clone();
    let place = |row: usize| order.get(row).copied().unwrap_or_default();
    if let Some(floor) = floor {
        chosen.retain(|row| place(row) >= floor);
    }
    if chosen.count() <= limit {
        return chosen;
    }
    let mut places: Vec<(OrderKey, std::cmp::Reverse<usize>)> =
        chosen.iter().map(|row| (place(row), std::cmp::Reverse(row))).collect();
    let cut = places.len() - limit;
    places.select_nth_unstable(cut);
    let mut newest = Selection::none(within.rows());
    for (_, row) in places.iter().skip(cut) {
        newest.insert(row.0);
    }
    newest
}
