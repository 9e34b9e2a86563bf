//! Small batches made one: a search then looks at one arena, not at thousands.
//!
//! Nothing an event answers changes: a joined batch keeps, for each batch in it, the first sequence and the time of
//! arrival ([`Arrival`]).

use std::hash::Hash;
use std::sync::Arc;

use hashbrown::HashMap;
use weir_query::record::TextSpan;

use super::batch::{BatchData, Escaped, EventBatch, Row, SideRow};
use super::shape::Shape;
use super::tags::TagSet;

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

    /// The events of this batch and then those of `next`, as [`EventBatch::join`].
    #[must_use]
    pub fn joined(&self, next: &EventBatch) -> EventBatch {
        EventBatch::join(&[self, next])
    }

    /// The events of `batches`, which have ascending sequences and are of the same repository, in a batch of their own.
    /// Together they must be far below [`super::EventLimits::MAX_ARENA_BYTES`].
    #[must_use]
    pub fn join(batches: &[&EventBatch]) -> EventBatch {
        let Some(first) = batches.first() else { return EventBatch::default() };
        let sum = |of: fn(&BatchData) -> usize| batches.iter().map(|batch| of(&batch.data)).sum();
        let mut joint = Joint {
            arena: String::with_capacity(sum(|data| data.arena.len())),
            data: BatchData {
                rows: Vec::with_capacity(sum(|data| data.rows.len())),
                values: Vec::with_capacity(sum(|data| data.values.len())),
                escaped: Vec::with_capacity(sum(|data| data.escaped.len())),
                side: Vec::with_capacity(sum(|data| data.side.len())),
                side_rows: Vec::with_capacity(sum(|data| data.side_rows.len())),
                arrivals: Vec::with_capacity(batches.len()),
                ingest_nanos: first.data.ingest_nanos,
                ..BatchData::default()
            },
            shapes: Numbers::default(),
            tag_sets: Numbers::default(),
        };
        batches.iter().for_each(|batch| joint.add(batch));
        EventBatch {
            data: Arc::new(joint.finish()),
            base_sequence: first.base_sequence,
            repository: first.repository.clone(),
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

/// Batches on their way into one.
struct Joint {
    arena: String,
    data: BatchData,
    shapes: Numbers<Shape>,
    tag_sets: Numbers<TagSet>,
}

impl Joint {
    fn add(&mut self, batch: &EventBatch) {
        let (joint, other) = (&mut self.data, &*batch.data);
        let shape_numbers: Vec<u32> = other.shapes.iter().map(|shape| self.shapes.number(shape)).collect();
        let tag_numbers: Vec<u32> = other.tag_sets.iter().map(|tags| self.tag_sets.number(tags)).collect();
        // What is no shape stays none.
        let shape = |number: u32| shape_numbers.get(number as usize).copied().unwrap_or(number);
        let texts = self.arena.len() as u32;
        let shift = |span: TextSpan| match span {
            TextSpan::MISSING => span,
            TextSpan { start, len } => TextSpan { start: start + texts, len },
        };
        let (values, sides) = (joint.values.len() as u32, joint.side.len() as u32);
        let first_row = joint.rows.len() as u32;
        joint.rows.extend(other.rows.iter().map(|row| Row {
            raw: shift(row.raw),
            attributes: shift(row.attributes),
            raw_shape: shape(row.raw_shape),
            attributes_shape: shape(row.attributes_shape),
            first_value: row.first_value + values,
            tag_set: tag_numbers.get(row.tag_set as usize).copied().unwrap_or(row.tag_set),
            ..*row
        }));
        joint.escaped.extend(
            other
                .escaped
                .iter()
                .map(|escaped| Escaped { value: escaped.value + values, token: shift(escaped.token) }),
        );
        joint.side_rows.extend(other.side_rows.iter().map(|side| SideRow {
            row: side.row + first_row,
            start: side.start + sides,
            len: side.len,
        }));
        let arrivals = batch.arrivals();
        joint
            .arrivals
            .extend(arrivals.iter().map(|arrival| Arrival { row: arrival.row + first_row, ..*arrival }));
        joint.values.extend(other.values.iter().copied().map(shift));
        joint.side.extend_from_slice(&other.side);
        joint.raw_bytes += other.raw_bytes;
        self.arena.push_str(&other.arena);
    }

    fn finish(self) -> BatchData {
        BatchData {
            arena: Arc::new(self.arena),
            shapes: self.shapes.items,
            tag_sets: self.tag_sets.items,
            ..self.data
        }
    }
}

/// Numbers of different things, in order of their first mention.
struct Numbers<T> {
    items: Vec<Arc<T>>,
    known: HashMap<Arc<T>, u32, foldhash::fast::RandomState>,
}

impl<T> Default for Numbers<T> {
    fn default() -> Numbers<T> {
        Numbers { items: Vec::new(), known: HashMap::default() }
    }
}

impl<T: Hash + Eq> Numbers<T> {
    fn number(&mut self, item: &Arc<T>) -> u32 {
        if let Some(number) = self.known.get(item) {
            return *number;
        }
        let number = self.items.len() as u32;
        self.items.push(Arc::clone(item));
        self.known.insert(Arc::clone(item), number);
        number
    }
}
