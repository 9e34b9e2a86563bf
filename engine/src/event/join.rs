//! Small batches made one: a search then looks at one arena, not at thousands.
//!
//! Nothing an event answers changes: a joined batch keeps, for each batch in it, the first sequence and the time of
//! arrival ([`Arrival`]).

use std::borrow::Borrow;
use std::sync::Arc;

use weir_query::record::TextSpan;

use super::batch::{BatchData, Escaped, EventBatch, Row, SideRow};
use super::numbers::Numbers;
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

    /// The events of `batches`, which have ascending sequences and are of the same repository, in a batch of their own.
    /// Together they must be far below [`super::EventLimits::MAX_ARENA_BYTES`].
    #[must_use]
    pub fn join<B: Borrow<EventBatch>>(batches: &[B]) -> EventBatch {
        let batches = || batches.iter().map(Borrow::borrow);
        let Some(first) = batches().next() else { return EventBatch::default() };
        let sum = |of: fn(&BatchData) -> usize| batches().map(|batch| of(&batch.data)).sum();
        let mut joint = Joint {
            arena: String::with_capacity(sum(|data| data.arena.len())),
            data: BatchData {
                rows: Vec::with_capacity(sum(|data| data.rows.len())),
                values: Vec::with_capacity(sum(|data| data.values.len())),
                escaped: Vec::with_capacity(sum(|data| data.escaped.len())),
                side: Vec::with_capacity(sum(|data| data.side.len())),
                side_rows: Vec::with_capacity(sum(|data| data.side_rows.len())),
                arrivals: Vec::with_capacity(sum(|data| data.arrivals.len().max(1))),
                ingest_nanos: first.data.ingest_nanos,
                ..BatchData::default()
            },
            shapes: Numbers::default(),
            tag_sets: Numbers::default(),
            shape_numbers: Vec::new(),
            tag_numbers: Vec::new(),
        };
        batches().for_each(|batch| joint.add(batch));
        EventBatch::of(Arc::new(joint.finish()), first.base_sequence, first.repository.clone())
    }

    /// The batches in it: itself alone when it was not joined.
    fn arrivals(&self) -> impl Iterator<Item = Arrival> {
        let ingest_nanos = self.data.ingest_nanos;
        let alone = Arrival { row: 0, sequence: self.base_sequence, ingest_nanos };
        let arrivals = &self.data.arrivals;
        arrivals.is_empty().then_some(alone).into_iter().chain(arrivals.iter().copied())
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
    /// Of the batch that is added: its shapes' and its tag sets' numbers in the joint one.
    shape_numbers: Vec<u32>,
    tag_numbers: Vec<u32>,
}

impl Joint {
    fn add(&mut self, batch: &EventBatch) {
        let Joint { arena, data: joint, shapes, tag_sets, shape_numbers, tag_numbers } = self;
        let other = &*batch.data;
        shape_numbers.clear();
        shape_numbers.extend(other.shapes.iter().map(|shape| shapes.number(shape)));
        tag_numbers.clear();
        tag_numbers.extend(other.tag_sets.iter().map(|tags| tag_sets.number(tags)));
        // What is no shape stays none.
        let shape = |number: u32| shape_numbers.get(number as usize).copied().unwrap_or(number);
        let texts = arena.len() as u32;
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
        joint.arrivals.extend(arrivals.map(|arrival| Arrival { row: arrival.row + first_row, ..arrival }));
        joint.values.extend(other.values.iter().copied().map(shift));
        joint.side.extend_from_slice(&other.side);
        joint.raw_bytes += other.raw_bytes;
        arena.push_str(&other.arena);
    }

    fn finish(self) -> BatchData {
        let Joint { arena, mut data, mut shapes, mut tag_sets, .. } = self;
        (data.shapes, data.tag_sets) = (shapes.take(), tag_sets.take());
        data.arena = Arc::new(arena);
        data
    }
}
