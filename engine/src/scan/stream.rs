//! Puts the matches of a streaming scan in order: newest first over all blocks, even where blocks overlap in time.
//!
//! Matches are held back until no block that is still unread, wholly or in part, can have a newer one. What may be
//! held and what may wait for the reader is bounded: over it the scan waits; if waiting cannot help, because too
//! many blocks overlap, what is held is handed out as it is and counted.

use std::collections::VecDeque;
use std::sync::Arc;

use weir_query::record::OrderKey;
use weir_query::result::ResultTable;

use super::Matches;

/// Matches on their way to the reader.
pub(super) struct Output {
    held: Vec<Held>,
    held_bytes: usize,
    ready: VecDeque<(Matches, usize)>,
    ready_rows: usize,
    ready_bytes: usize,
    max_held_bytes: usize,
    max_ready_rows: usize,
    unordered: u64,
    closed: bool,
}

/// A table of which rows are still to be handed out: `rows[at..]`, newest first.
struct Held {
    table: Arc<ResultTable>,
    rows: Vec<u32>,
    at: usize,
    bytes: usize,
}

impl Held {
    fn key(&self) -> Option<OrderKey> {
        self.table.order.get(*self.rows.get(self.at)? as usize).copied()
    }

    fn left(&self) -> u64 {
        self.rows.len().saturating_sub(self.at) as u64
    }
}

impl Output {
    pub(super) fn new(max_held_bytes: usize, max_ready_rows: usize) -> Output {
        Output {
            held: Vec::new(),
            held_bytes: 0,
            ready: VecDeque::new(),
            ready_rows: 0,
            ready_bytes: 0,
            max_held_bytes,
            max_ready_rows: max_ready_rows.max(1),
            unordered: 0,
            closed: false,
        }
    }

    /// Takes matches, in any order.
    pub(super) fn hold(&mut self, table: ResultTable) {
        if table.rows == 0 || self.closed {
            return;
        }
        let bytes = table.bytes();
        let mut rows: Vec<u32> = (0..u32::try_from(table.rows).unwrap_or(u32::MAX)).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(table.order.get(*row as usize).copied()));
        self.held_bytes += bytes;
        self.held.push(Held { table: Arc::new(table), rows, at: 0, bytes });
    }

    /// Hands out what is newer than `bound`, the newest place an unread row can have; all of it when there is no
    /// unread row. Where more is held than may be, everything goes.
    pub(super) fn release(&mut self, bound: Option<OrderKey>) {
        self.release_down_to(bound);
        if bound.is_some() && self.held_bytes > self.max_held_bytes.saturating_mul(2) {
            self.unordered += self.held.iter().map(Held::left).sum::<u64>();
            self.release_down_to(None);
        }
    }

    /// Merges the heads of what is held: the table with the newest row gives rows for as long as it has the newest.
    fn release_down_to(&mut self, bound: Option<OrderKey>) {
        let mut heads: std::collections::BinaryHeap<(OrderKey, usize)> =
            self.held.iter().enumerate().filter_map(|(index, held)| Some((held.key()?, index))).collect();
        while let Some((key, index)) = heads.pop() {
            if bound.is_some_and(|bound| key <= bound) {
                break;
            }
            let floor = bound.max(heads.peek().map(|(next, _)| *next));
            let Some(held) = self.held.get_mut(index) else { continue };
            let start = held.at;
            held.at += 1;
            while held.key().is_some_and(|key| floor.is_none_or(|floor| key > floor)) {
                held.at += 1;
            }
            let rows: Vec<u32> = held.rows.get(start..held.at).map(<[u32]>::to_vec).unwrap_or_default();
            let matches = Matches { table: Arc::clone(&held.table), rows };
            self.ready_rows += matches.rows.len();
            self.ready_bytes += share(&matches, held.bytes);
            self.ready.push_back((matches, held.bytes));
            if let Some(key) = held.key() {
                heads.push((key, index));
            }
        }
        let held_bytes = &mut self.held_bytes;
        self.held.retain(|held| {
            let keep = held.left() > 0;
            if !keep {
                *held_bytes -= held.bytes.min(*held_bytes);
            }
            keep
        });
    }

    /// Hands out `table` as it is, after everything else.
    pub(super) fn append(&mut self, table: ResultTable) {
        if table.rows > 0 {
            let rows: Vec<u32> = (0..u32::try_from(table.rows).unwrap_or(u32::MAX)).collect();
            self.ready_rows += rows.len();
            self.ready.push_back((Matches { table: Arc::new(table), rows }, 0));
        }
    }

    /// The next matches for the reader.
    pub(super) fn next(&mut self) -> Option<Matches> {
        let (matches, bytes) = self.ready.pop_front()?;
        self.ready_bytes -= share(&matches, bytes).min(self.ready_bytes);
        self.ready_rows -= matches.rows.len().min(self.ready_rows);
        Some(matches)
    }

    /// The reader has enough to read for now.
    pub(super) fn is_full(&self) -> bool {
        self.ready_rows >= self.max_ready_rows || self.ready_bytes >= self.max_held_bytes
    }

    /// More is held back than should be: only the block with the newest unread row should be read on.
    pub(super) fn is_holding_much(&self) -> bool {
        self.held_bytes > self.max_held_bytes
    }

    /// There is something to read.
    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Rows handed out of order.
    pub(super) fn unordered(&self) -> u64 {
        self.unordered
    }

    /// Forgets what is held and what waits, and takes no more: a thread that is at a group of granules when its scan is
    /// cancelled brings matches later.
    pub(super) fn close(&mut self) {
        self.closed = true;
        self.held.clear();
        self.ready.clear();
        self.held_bytes = 0;
        self.ready_rows = 0;
        self.ready_bytes = 0;
    }
}

/// The part of the `bytes` of a table that the rows of `matches` stand for.
fn share(matches: &Matches, bytes: usize) -> usize {
    bytes / matches.table.rows.max(1) * matches.rows.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn table(keys: &[i64]) -> ResultTable {
        let order: Vec<OrderKey> = keys.iter().map(|nanos| OrderKey { nanos: *nanos, sequence: 0 }).collect();
        ResultTable { rows: order.len(), order, ..ResultTable::default() }
    }

    fn drain(output: &mut Output) -> Vec<i64> {
        std::iter::from_fn(|| output.next())
            .flat_map(|matches| {
                let key = |row: &u32| matches.table.order[*row as usize].nanos;
                matches.rows.iter().map(key).collect::<Vec<_>>()
            })
            .collect()
    }

    proptest! {
        /// Blocks are read newest first; whatever their overlap, rows come out newest first and none is lost.
        #[test]
        fn rows_come_newest_first(mut blocks in prop::collection::vec(prop::collection::btree_set(-500_i64..500, 1..40), 1..12)) {
            let mut seen = std::collections::BTreeSet::new();
            blocks.iter_mut().for_each(|block| block.retain(|nanos| seen.insert(*nanos)));
            blocks.retain(|block| !block.is_empty());
            blocks.sort_by_key(|block| std::cmp::Reverse(block.last().copied()));
            let newest = |block: &std::collections::BTreeSet<i64>| OrderKey { nanos: *block.last().unwrap(), sequence: 0 };
            let mut output = Output::new(usize::MAX / 4, 1_000_000);
            let mut came = Vec::new();
            for (at, block) in blocks.iter().enumerate() {
                output.hold(table(&block.iter().copied().collect::<Vec<_>>()));
                output.release(blocks.get(at + 1).map(newest));
                came.extend(drain(&mut output));
            }
            prop_assert_eq!(came, seen.into_iter().rev().collect::<Vec<_>>());
            prop_assert_eq!((output.held_bytes, output.ready_rows, output.ready_bytes, output.unordered()), (0, 0, 0, 0));
        }
    }

    #[test]
    fn what_comes_after_a_cancellation_is_not_taken() {
        let mut output = Output::new(usize::MAX / 4, 1_000);
        for nanos in [1, 2] {
            output.hold(table(&[nanos]));
            output.release(None);
            output.close();
            assert!(output.next().is_none(), "{nanos}");
        }
    }

    #[test]
    fn what_is_held_is_bounded() {
        let mut output = Output::new(10 * table(&[0]).bytes(), 1_000);
        let bound = Some(OrderKey { nanos: 100, sequence: 0 });
        for nanos in 0..20 {
            output.hold(table(&[nanos]));
            output.release(bound);
            assert_eq!(output.is_holding_much(), nanos >= 10, "{nanos}");
        }
        assert_eq!(drain(&mut output), Vec::<i64>::new());
        output.hold(table(&[20]));
        output.release(bound);
        assert_eq!(drain(&mut output), (0..=20).rev().collect::<Vec<_>>());
        assert_eq!(output.unordered(), 21);
    }
}
