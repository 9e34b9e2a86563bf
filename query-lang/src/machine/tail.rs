//! The newest rows, and rows in passing: what a query without an aggregate ends in.

use crate::record::OrderKey;
use crate::result::ResultTable;

/// How many rows the implicit tail keeps.
pub const IMPLICIT_TAIL_ROWS: usize = 200;

/// The newest rows seen. Rows above the limit are kept until there are several times too many, so that dropping
/// them costs little a row.
#[derive(Clone, Debug, Default)]
pub struct Tail {
    tables: Vec<ResultTable>,
    rows: usize,
    bytes: usize,
    /// The oldest row that counts, once there are enough.
    floor: Option<OrderKey>,
}

/// Rows beyond the limit, as a multiple of it, that are kept before dropping.
const SLACK: usize = 4;

impl Tail {
    /// Takes rows; those too old to count may be among them.
    pub fn push(&mut self, table: ResultTable) {
        if table.rows == 0 {
            return;
        }
        self.rows += table.rows;
        self.bytes += table.bytes();
        self.tables.push(table);
        if self.rows > IMPLICIT_TAIL_ROWS * SLACK || self.tables.len() > IMPLICIT_TAIL_ROWS {
            self.shrink();
        } else if self.floor.is_none() && self.rows >= IMPLICIT_TAIL_ROWS {
            self.floor = self.newest().last().map(|(order, _)| *order);
        }
    }

    /// Adds what `other` has.
    pub fn merge(&mut self, other: &Tail) {
        for table in &other.tables {
            self.push(table.clone());
        }
    }

    /// Rows before this one do not count any more.
    #[must_use]
    pub fn floor(&self) -> Option<OrderKey> {
        self.floor
    }

    /// The newest rows, newest first.
    #[must_use]
    pub fn table(&self) -> ResultTable {
        let picks: Vec<(usize, usize)> = self.newest().into_iter().map(|(_, pick)| pick).collect();
        ResultTable::pick(&self.tables, &picks)
    }

    /// Bytes of memory held, an upper estimate.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn shrink(&mut self) {
        let table = self.table();
        self.rows = table.rows;
        self.bytes = table.bytes();
        if table.rows == IMPLICIT_TAIL_ROWS {
            self.floor = table.order.last().copied();
        }
        self.tables = vec![table];
    }

    fn newest(&self) -> Vec<(OrderKey, (usize, usize))> {
        let places = |at: usize, table: &ResultTable| {
            let rows = table.order.iter().enumerate();
            rows.map(|(row, order)| (*order, (at, row))).collect::<Vec<_>>()
        };
        let mut all: Vec<(OrderKey, (usize, usize))> =
            self.tables.iter().enumerate().flat_map(|(at, table)| places(at, table)).collect();
        // Rows made from one event share its place: they stay in the order they were made in.
        all.sort_by(|(a, at), (b, other)| b.cmp(a).then(at.cmp(other)));
        all.truncate(IMPLICIT_TAIL_ROWS);
        all
    }
}
