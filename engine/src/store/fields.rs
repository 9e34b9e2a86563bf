//! The catalogue of fields: which fields the events of a snapshot have, and values of theirs, from facts and from the
//! head.

use std::collections::BTreeMap;

use crate::event::{EventBatch, Part};
use crate::stats::FieldSummary;
use crate::store::snapshot::Snapshot;

/// Rows of a shape in whose values numbers are looked for.
const SAMPLED_ROWS: u64 = 64;
/// The most values told of a field.
const MAX_LISTED_VALUES: usize = 200;
/// Blocks whose facts are asked for values, the newest.
const MAX_VALUE_BLOCKS: usize = 4_096;
/// Rows of the head that are looked at for values, the newest.
const MAX_VALUE_ROWS: usize = 4_096;

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

    /// Every tag, with its `#`, by name, and how many events of the segments are known to have it.
    #[must_use]
    pub fn tags(&self) -> Vec<(String, u64)> {
        let mut tags: BTreeMap<String, u64> = BTreeMap::new();
        for segment in &self.segments {
            let fields = segment.facts().blocks.iter().flat_map(|block| &block.fields);
            for field in fields.filter(|field| field.name.starts_with('#')) {
                match tags.get_mut(&field.name) {
                    Some(events) => *events += u64::from(field.rows),
                    None => drop(tags.insert(field.name.clone(), u64::from(field.rows))),
                }
            }
        }
        for set in self.batches.iter().flat_map(|batch| batch.tag_sets()) {
            for (name, _) in set.iter() {
                tags.entry(name.to_owned()).or_default();
            }
        }
        tags.into_iter().collect()
    }

    /// Values of `field`, each with how many events are known to have it, the most frequent first: those that facts list
    /// and those of the newest events. A field with many values may have none here, and others than these.
    #[must_use]
    pub fn values(&self, field: &str) -> Vec<(String, u64)> {
        let mut values: BTreeMap<String, u64> = BTreeMap::new();
        let mut add = |value: &str, rows: u64| match values.get_mut(value) {
            Some(events) => *events += rows,
            None => drop(values.insert(value.to_owned(), rows)),
        };
        let blocks = self.segments.iter().rev().flat_map(|segment| segment.facts().blocks.iter().rev());
        for block in blocks.take(MAX_VALUE_BLOCKS) {
            let facts = block.fields.iter().find(|facts| facts.name == field);
            let listed = facts.and_then(|facts| facts.values.as_ref()).into_iter().flatten();
            listed.for_each(|value| add(&value.value, u64::from(value.rows)));
        }
        let rows =
            self.batches.iter().rev().flat_map(|batch| (0..batch.len()).rev().map(move |row| (batch, row)));
        rows.take(MAX_VALUE_ROWS)
            .for_each(|(batch, row)| each_value(batch, row, field, |value| add(value, 1)));
        let mut list: Vec<(String, u64)> = values.into_iter().collect();
        list.sort_by_key(|(_, events)| std::cmp::Reverse(*events));
        list.truncate(MAX_LISTED_VALUES);
        list
    }
}

/// Calls `each` with the value of `field` in a row; what is written with escapes is passed.
fn each_value(batch: &EventBatch, row: usize, field: &str, mut each: impl FnMut(&str)) {
    if field.starts_with('#') {
        let tags = batch.tag_set(row).into_iter().flat_map(|set| set.iter());
        return tags.filter(|(name, _)| *name == field).for_each(|(_, value)| each(value));
    }
    for part in [batch.json(row), batch.attributes(row)].into_iter().flatten() {
        let hole = (0..part.shape().holes()).find(|hole| part.shape().path(*hole) == field);
        let value = hole.map(|hole| part.value(hole));
        value.filter(|value| !value.contains('\\')).into_iter().for_each(&mut each);
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
