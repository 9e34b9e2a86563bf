//! Small batches made one: a search then looks at one arena, not at thousands.
//!
//! Nothing an event answers changes: a joined batch keeps, for each batch in it, the first sequence and the time of
//! arrival ([`Arrival`]).

use std::hash::Hash;
use std::sync::Arc;

use hashbrown::HashMap;
use weir_query::record::TextSpan;

use super::batch::{BatchData, Escaped, EventBatch, Row, SideRow};

/// Where a batch that arrived on its own begins in a joined one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arrival {
    /// Its first row.
    pub row: u32,
    /// The sequence of that row.
    pub sequence: u64,
    /// When it arrived, nanoseconds since the epoch.
    pub ingest_nanos: i64,
}

impl EventBatch {
    /// About how many bytes it takes to copy; found without looking at the rows.
    #[must_use]
    pub fn copied_bytes(&self) -> usize {
        let data = &*self.data;
        data.arena.len() + data.side.len() + size_of_val(&*data.rows) + size_of_val(&*data.values)
    }

    /// The events of this batch and then those of `next`, which have greater sequences and are of the same repository,
    /// in a batch of their own. Together they must be far below [`super::EventLimits::MAX_ARENA_BYTES`].
    #[must_use]
    pub fn joined(&self, next: &EventBatch) -> EventBatch {
        let (one, other) = (&*self.data, &*next.data);
        let mut shapes = Numbers::new(&one.shapes);
        let mut tag_sets = Numbers::new(&one.tag_sets);
        let shape_numbers: Vec<u32> = other.shapes.iter().map(|shape| shapes.number(shape)).collect();
        let tag_numbers: Vec<u32> = other.tag_sets.iter().map(|tags| tag_sets.number(tags)).collect();
        // What is no shape stays none.
        let shape = |number: u32| shape_numbers.get(number as usize).copied().unwrap_or(number);
        let texts = one.arena.len() as u32;
        let shift = |span: TextSpan| match span {
            TextSpan::MISSING => span,
            TextSpan { start, len } => TextSpan { start: start + texts, len },
        };
        let (values, sides) = (one.values.len() as u32, one.side.len() as u32);
        let first_row = one.rows.len() as u32;
        let rows = other.rows.iter().map(|row| Row {
            raw: shift(row.raw),
            attributes: shift(row.attributes),
            raw_shape: shape(row.raw_shape),
            attributes_shape: shape(row.attributes_shape),
            first_value: row.first_value + values,
            tag_set: tag_numbers.get(row.tag_set as usize).copied().unwrap_or(row.tag_set),
            ..*row
        });
        let escaped = other
            .escaped
            .iter()
            .map(|escaped| Escaped { value: escaped.value + values, token: shift(escaped.token) });
        let side_rows = other.side_rows.iter().map(|side| SideRow {
            row: side.row + first_row,
            start: side.start + sides,
            len: side.len,
        });
        let arrivals = next.arrivals();
        let arrivals = arrivals.iter().map(|arrival| Arrival { row: arrival.row + first_row, ..*arrival });
        let data = BatchData {
            arena: Arc::new([one.arena.as_str(), other.arena.as_str()].concat()),
            rows: chain(&one.rows, rows),
            values: chain(&one.values, other.values.iter().copied().map(shift)),
            escaped: chain(&one.escaped, escaped),
            shapes: shapes.finish(),
            tag_sets: tag_sets.finish(),
            side: chain(&one.side, other.side.iter().copied()),
            side_rows: chain(&one.side_rows, side_rows),
            raw_bytes: one.raw_bytes + other.raw_bytes,
            ingest_nanos: one.ingest_nanos,
            arrivals: chain(&self.arrivals(), arrivals),
        };
        EventBatch {
            data: Arc::new(data),
            base_sequence: self.base_sequence,
            repository: self.repository.clone(),
            ..EventBatch::default()
        }
    }

    /// The batches in it: itself alone when it was not joined.
    fn arrivals(&self) -> Vec<Arrival> {
        if self.data.arrivals.is_empty() {
            let ingest_nanos = self.data.ingest_nanos;
            return vec![Arrival { row: 0, sequence: self.base_sequence, ingest_nanos }];
        }
        self.data.arrivals.clone()
    }

    /// The batch of a row, when it is a joined one.
    fn arrival(&self, row: usize) -> Option<&Arrival> {
        let arrivals = &self.data.arrivals;
        let behind = arrivals.partition_point(|arrival| arrival.row as usize <= row);
        arrivals.get(behind.checked_sub(1)?)
    }

    /// The sequence of an event.
    #[must_use]
    pub fn sequence(&self, row: usize) -> u64 {
        match self.arrival(row) {
            Some(arrival) => arrival.sequence.saturating_add(row as u64 - u64::from(arrival.row)),
            None => self.base_sequence.saturating_add(row as u64),
        }
    }

    /// The sequence of the last event; the one before the first when there is none.
    #[must_use]
    pub fn last_sequence(&self) -> u64 {
        match self.len().checked_sub(1) {
            Some(last) => self.sequence(last),
            None => self.base_sequence.saturating_sub(1),
        }
    }

    /// When an event arrived, nanoseconds since the epoch.
    #[must_use]
    pub fn ingest_nanos_of(&self, row: usize) -> i64 {
        self.arrival(row).map_or(self.data.ingest_nanos, |arrival| arrival.ingest_nanos)
    }

    /// When the event with this sequence arrived, nanoseconds since the epoch.
    #[must_use]
    pub fn ingest_nanos_at(&self, sequence: u64) -> i64 {
        let behind = self.data.arrivals.partition_point(|arrival| arrival.sequence <= sequence);
        let arrival = behind.checked_sub(1).and_then(|at| self.data.arrivals.get(at));
        arrival.map_or(self.data.ingest_nanos, |arrival| arrival.ingest_nanos)
    }

    /// Earliest and latest arrival, nanoseconds since the epoch.
    #[must_use]
    pub fn ingest_range(&self) -> (i64, i64) {
        let first = self.data.ingest_nanos;
        let times = self.data.arrivals.iter().map(|arrival| arrival.ingest_nanos);
        times.fold((first, first), |(min, max), nanos| (min.min(nanos), max.max(nanos)))
    }
}

/// Numbers of different things, in order of their first mention.
struct Numbers<T> {
    items: Vec<Arc<T>>,
    known: HashMap<Arc<T>, u32, foldhash::fast::RandomState>,
}

impl<T: Hash + Eq> Numbers<T> {
    fn new(items: &[Arc<T>]) -> Numbers<T> {
        Numbers { items: items.to_vec(), known: items.iter().cloned().zip(0..).collect() }
    }

    fn number(&mut self, item: &Arc<T>) -> u32 {
        if let Some(number) = self.known.get(item) {
            return *number;
        }
        let number = self.items.len() as u32;
        self.items.push(Arc::clone(item));
        self.known.insert(Arc::clone(item), number);
        number
    }

    fn finish(self) -> Vec<Arc<T>> {
        self.items
    }
}

/// Both, in a vector without slack.
fn chain<T: Copy>(front: &[T], back: impl ExactSizeIterator<Item = T>) -> Vec<T> {
    let mut both = Vec::with_capacity(front.len() + back.len());
    both.extend_from_slice(front);
    both.extend(back);
    both
}
