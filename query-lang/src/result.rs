//! The table a query ends in; also what its later steps run over.

pub(crate) mod coding;

use std::borrow::Cow;
use std::sync::Arc;

use hashbrown::HashSet;

use crate::compile::TextMatcher;
use crate::record::{Column, OrderKey, Rows, RowsError, Selection};

/// Columns of equal length with their names, in the order a reader should see them.
#[derive(Clone, Debug, Default)]
pub struct ResultTable {
    /// How many rows.
    pub rows: usize,
    /// Names and values.
    pub columns: Vec<(Arc<str>, Column)>,
    /// The place of each row among events, where rows are events; else empty.
    pub order: Vec<OrderKey>,
    /// What the reader should be told: limits reached, values approximated.
    pub warnings: Vec<String>,
    /// Facts about the table for those who draw it: `bucket_span_millis`, `timechart` ...
    pub notes: Vec<(String, String)>,
}

impl ResultTable {
    /// The column called `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|(have, _)| **have == *name).map(|(_, column)| column)
    }

    /// The text in `row` of column `name`; `None` when it is missing.
    #[must_use]
    pub fn text(&self, row: usize, name: &str) -> Option<Cow<'_, str>> {
        self.get(name)?.get(row).map(crate::value::ValueRef::text)
    }

    /// A table of `events`, each a list of fields, in this order; the reference holder of rows for tests and small
    /// inputs. The places of the rows are their `@timestamp`s (milliseconds), then their numbers.
    #[must_use]
    pub fn of_events(events: &[Vec<(String, String)>]) -> ResultTable {
        let mut names: Vec<&str> = Vec::new();
        for (name, _) in events.iter().flatten() {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        let value = |event: &[(String, String)], name: &str| {
            event.iter().find(|(have, _)| have == name).map(|(_, value)| value.clone())
        };
        let column = |name: &str| {
            let mut built = crate::record::ColumnBuilder::with_capacity(events.len());
            for event in events {
                match value(event, name) {
                    Some(text) => built.text(&text),
                    None => built.missing(),
                }
            }
            built.finish()
        };
        let order = (0_u64..).zip(events).map(|(sequence, event)| {
            let millis = value(event, "@timestamp").and_then(|text| text.parse::<i64>().ok());
            OrderKey { nanos: millis.unwrap_or(0).saturating_mul(1_000_000), sequence }
        });
        ResultTable {
            rows: events.len(),
            order: order.collect(),
            columns: names.iter().map(|name| (Arc::from(*name), column(name))).collect(),
            ..ResultTable::default()
        }
    }

    /// The rows `picks` of several tables, one after another: (table, row). Columns are copied, so that nothing of
    /// the tables is kept alive; columns no picked row has a value in are left out.
    #[must_use]
    pub fn pick(tables: &[ResultTable], picks: &[(usize, usize)]) -> ResultTable {
        let mut names: Vec<&Arc<str>> = Vec::new();
        let mut known = HashSet::new();
        for (name, _) in tables.iter().flat_map(|table| &table.columns) {
            if known.insert(name) {
                names.push(name);
            }
        }
        let columns = names.into_iter().filter_map(|name| {
            let missing = |table: &ResultTable| Column::Missing { rows: table.rows };
            let parts: Vec<Column> = tables
                .iter()
                .map(|table| table.get(name).cloned().unwrap_or_else(|| missing(table)))
                .collect();
            let column = Column::weave(&parts, picks.len(), |row| picks.get(row).copied());
            (!matches!(column, Column::Missing { .. })).then(|| (Arc::clone(name), column))
        });
        let order = picks.iter().map(|(table, row)| {
            tables.get(*table).and_then(|table| table.order.get(*row)).copied().unwrap_or_default()
        });
        ResultTable {
            rows: picks.len(),
            columns: columns.collect(),
            order: order.collect(),
            ..ResultTable::default()
        }
    }

    /// Bytes of memory held, an upper estimate.
    #[must_use]
    pub fn bytes(&self) -> usize {
        // Columns may be spans of one text: it counts once.
        let mut arenas: HashSet<*const String, foldhash::fast::FixedState> = HashSet::default();
        let columns = self.columns.iter().map(|(name, column)| {
            let held = match column {
                Column::Text(text) if !arenas.insert(Arc::as_ptr(&text.arena)) => text.spans.len() * 8,
                _ => column.bytes(),
            };
            name.len() + 64 + held
        });
        std::mem::size_of::<ResultTable>() + columns.sum::<usize>() + self.order.len() * 16
    }
}

impl Rows for ResultTable {
    fn len(&self) -> usize {
        self.rows
    }

    fn order(&self) -> Result<Arc<[OrderKey]>, RowsError> {
        if self.order.len() == self.rows {
            return Ok(self.order.as_slice().into());
        }
        // Computed rows keep the order they stand in.
        let place = |row: usize| OrderKey { nanos: 0, sequence: row as u64 };
        Ok((0..self.rows).map(place).collect())
    }

    fn names(&self) -> Vec<Arc<str>> {
        self.columns.iter().map(|(name, _)| Arc::clone(name)).collect()
    }

    fn column(&self, name: &str, _: &Selection) -> Result<Column, RowsError> {
        Ok(self.get(name).cloned().unwrap_or(Column::Missing { rows: self.rows }))
    }

    fn search(&self, matcher: &TextMatcher, within: &Selection) -> Result<Selection, RowsError> {
        search(&self.columns, matcher, within)
    }
}

/// The rows of `within` in which one of the columns that free text looks into passes.
pub(crate) fn search(
    columns: &[(Arc<str>, Column)],
    matcher: &TextMatcher,
    within: &Selection,
) -> Result<Selection, RowsError> {
    let mut found = Selection::none(within.rows());
    let mut left = within.clone();
    let mut buffer = String::new();
    for (_, column) in columns.iter().filter(|(name, _)| is_searched(name)) {
        let more = column.filter(&left, |value| matcher.is_match_value(value, &mut buffer));
        left.subtract(&more);
        found.union(&more);
    }
    Ok(found)
}

/// Whether free text looks into the field: meta fields and tags are left out, `@rawstring` is not.
#[must_use]
pub fn is_searched(name: &str) -> bool {
    name == "@rawstring" || !name.starts_with(['@', '#'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::ColumnBuilder;

    #[test]
    fn texts_of_one_arena_count_once() {
        let mut builder = ColumnBuilder::with_capacity(1);
        builder.text(&"x".repeat(10_000));
        let column = builder.finish();
        let table = |names: &[&str]| {
            let columns = names.iter().map(|name| (Arc::from(*name), column.clone())).collect();
            ResultTable { rows: 1, columns, ..ResultTable::default() }.bytes()
        };
        let (one, many) = (table(&["a"]), table(&["a", "b", "c"]));
        assert!(one > 10_000 && many < one + 500, "{one} and {many}");
    }
}
