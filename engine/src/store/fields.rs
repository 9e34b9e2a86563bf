//! The catalogue of fields: which fields the events of a snapshot have, from facts and from the head.

use std::collections::BTreeMap;

use crate::event::{EventBatch, Part};
use crate::stats::FieldSummary;
use crate::store::snapshot::Snapshot;

/// Rows of a shape in whose values numbers are looked for.
const SAMPLED_ROWS: u64 = 64;

impl Snapshot {
    /// Every field of these events, by name. Segments answer from their facts; of the head some values are looked
    /// at to tell numbers from text.
    #[must_use]
    pub fn fields(&self) -> Vec<FieldSummary> {
        let mut fields = BTreeMap::new();
        for segment in &self.segments {
            let facts = segment.facts();
            for (name, field) in facts.fields() {
                let numbers = if field.numeric { field.rows } else { 0 };
                add(&mut fields, name, field.rows, numbers, (facts.min_timestamp, facts.max_timestamp));
            }
        }
        for batch in &self.batches {
            add_batch(&mut fields, batch);
        }
        fields.into_values().collect()
    }
}

type Fields = BTreeMap<String, FieldSummary>;

fn add(fields: &mut Fields, name: &str, events: u64, numbers: u64, (first, last): (i64, i64)) {
    let field = match fields.get_mut(name) {
        Some(field) => field,
        None => {
            let (since, until) = (i64::MAX, i64::MIN);
            let new = FieldSummary { name: name.to_owned(), since, until, ..FieldSummary::default() };
            fields.entry(name.to_owned()).or_insert(new)
        }
    };
    field.events += events;
    field.numbers += numbers;
    field.since = field.since.min(first);
    field.until = field.until.max(last);
}

/// What is known of the rows of one shape.
#[derive(Clone)]
struct Shaped {
    rows: u64,
    first: i64,
    last: i64,
    /// For each hole: every value looked at is a number.
    numeric: Vec<bool>,
}

fn add_batch(fields: &mut Fields, batch: &EventBatch) {
    let mut shaped: Vec<Option<Shaped>> = vec![None; batch.shapes().len()];
    for row in 0..batch.len() {
        let at = batch.timestamp(row);
        for part in [batch.json(row), batch.attributes(row)].into_iter().flatten() {
            let Some(slot) = shaped.get_mut(part.shape_index()) else { continue };
            let holes = part.shape().holes();
            let shape = slot.get_or_insert_with(|| Shaped {
                rows: 0,
                first: at,
                last: at,
                numeric: vec![true; holes],
            });
            shape.look(&part, at);
        }
    }
    for (shape, found) in batch.shapes().iter().zip(shaped) {
        let Some(found) = found else { continue };
        for hole in (0..shape.holes()).filter(|hole| !shape.path(*hole).starts_with('#')) {
            let is_numeric = found.numeric.get(hole).copied().unwrap_or(false);
            let numbers = if is_numeric { found.rows } else { 0 };
            add(fields, shape.path(hole), found.rows, numbers, (found.first, found.last));
        }
    }
}

impl Shaped {
    fn look(&mut self, part: &Part<'_>, at: i64) {
        if self.rows < SAMPLED_ROWS {
            for (hole, numeric) in self.numeric.iter_mut().enumerate() {
                *numeric = *numeric && part.value(hole).parse::<f64>().is_ok();
            }
        }
        self.rows += 1;
        self.first = self.first.min(at);
        self.last = self.last.max(at);
    }
}
