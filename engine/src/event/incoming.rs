//! Events as a parser finds them: texts, times, tags and what was sent beside them. What stands in the texts is for the
//! parser to find.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use weir_query::compile::TextMatcher;
use weir_query::record::{Column, Dictionary, OrderKey, Rows, RowsError, Selection, TextColumn};
use weir_query::value::Value;

use super::batch::{EventBatch, Row};
use super::columns::{META_FIELDS, NANOS_PER_MILLI};

/// The meta fields that an event shows before it is stored.
const KNOWN: [&str; 3] = ["@timestamp", "@ingesttimestamp", "@rawstring"];

/// Events `rows` of a batch before a parser has seen them. The sequence of a row is its number in the batch.
#[derive(Clone, Debug)]
pub struct Incoming<'b> {
    batch: &'b EventBatch,
    rows: Range<usize>,
    /// What their `#type` is.
    kind: Arc<str>,
    /// Fields that are not shown.
    hidden: &'b [String],
}

impl<'b> Incoming<'b> {
    /// The events `rows` of `batch`, of type `kind`, without the fields `hidden` that were sent beside them.
    #[must_use]
    pub fn new(
        batch: &'b EventBatch,
        rows: Range<usize>,
        kind: Arc<str>,
        hidden: &'b [String],
    ) -> Incoming<'b> {
        let rows = rows.start.min(batch.len())..rows.end.min(batch.len());
        Incoming { batch, rows, kind, hidden }
    }

    fn entries(&self) -> &'b [Row] {
        self.batch.data.rows.get(self.rows.clone()).unwrap_or_default()
    }

    fn ints(&self, value: impl Fn(&Row) -> i64) -> Column {
        Column::Ints { values: self.entries().iter().map(value).collect(), present: None }
    }

    fn tag_column(&self, name: &str) -> Column {
        let mut dictionary = Dictionary::default();
        let mut by_value: HashMap<&str, u32, foldhash::fast::FixedState> = HashMap::default();
        let mut by_set: HashMap<u32, u32, foldhash::fast::FixedState> = HashMap::default();
        let tag_sets = &self.batch.data.tag_sets;
        let code = |row: &Row| {
            *by_set.entry(row.tag_set).or_insert_with(|| {
                let value = tag_sets.get(row.tag_set as usize).and_then(|tags| tags.get(name));
                value.map_or(Dictionary::MISSING, |value| {
                    *by_value.entry(value).or_insert_with(|| dictionary.push(value))
                })
            })
        };
        let codes: Arc<[u32]> = self.entries().iter().map(code).collect();
        match dictionary.is_empty() {
            true => Column::Missing { rows: codes.len() },
            false => Column::Dictionary { codes, dictionary: Arc::new(dictionary) },
        }
    }

    fn is_hidden(&self, name: &str) -> bool {
        self.hidden.iter().any(|hidden| hidden == name)
    }
}

impl Rows for Incoming<'_> {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn order(&self) -> Result<Arc<[OrderKey]>, RowsError> {
        let place = |(row, entry): (usize, &Row)| OrderKey { nanos: entry.timestamp, sequence: row as u64 };
        Ok(self.rows.clone().zip(self.entries()).map(place).collect())
    }

    fn names(&self) -> Vec<Arc<str>> {
        let data = &self.batch.data;
        let shapes: HashSet<u32, foldhash::fast::FixedState> =
            self.entries().iter().map(|row| row.attributes_shape).collect();
        let shapes = (0_u32..).zip(&data.shapes).filter(|(number, _)| shapes.contains(number));
        let fields = shapes.flat_map(|(_, shape)| (0..shape.holes()).map(|hole| shape.path(hole)));
        let fields = fields
            .filter(|name| !name.starts_with('#') && !META_FIELDS.contains(name) && !self.is_hidden(name));
        let sets: BTreeSet<u32> = self.entries().iter().map(|row| row.tag_set).collect();
        let sets = sets.iter().filter_map(|number| data.tag_sets.get(*number as usize));
        let tags = sets.flat_map(|tags| tags.iter().map(|(name, _)| name));
        let mut seen: HashSet<&str, foldhash::fast::FixedState> = HashSet::default();
        let names = KNOWN.into_iter().chain(["#type"]).chain(tags).chain(fields);
        names.filter(|name| seen.insert(name)).map(Arc::from).collect()
    }

    fn column(&self, name: &str, _: &Selection) -> Result<Column, RowsError> {
        let (data, rows) = (&self.batch.data, self.rows.len());
        Ok(match name {
            "@timestamp" => self.ints(|row| row.timestamp.div_euclid(NANOS_PER_MILLI)),
            "@ingesttimestamp" => {
                let value = Value::Int(data.ingest_nanos.div_euclid(NANOS_PER_MILLI));
                Column::Constant { value, rows }
            }
            // What is below the millisecond is the parser's to say, and an id comes with the place in the store.
            "@timestamp.nanos" | "@id" => Column::Missing { rows },
            "@rawstring" => {
                let spans = self.entries().iter().map(|row| row.raw).collect();
                Column::Text(TextColumn { arena: Arc::clone(&data.arena), spans })
            }
            "#type" => Column::Constant { value: Value::Text(Arc::clone(&self.kind)), rows },
            name if name.starts_with('#') => self.tag_column(name),
            name if self.is_hidden(name) => Column::Missing { rows },
            name => match self.batch.attribute_spans(name, self.entries()) {
                Some(spans) => Column::Text(TextColumn { arena: Arc::clone(&data.arena), spans }),
                None => Column::Missing { rows },
            },
        })
    }

    fn search(&self, matcher: &TextMatcher, within: &Selection) -> Result<Selection, RowsError> {
        let mut found = within.clone();
        let first = self.rows.start;
        found.retain(|row| {
            matcher.is_match(self.batch.raw_text(first + row))
                || self.batch.attributes(first + row).is_some_and(|part| {
                    let mut values = (0..part.shape().holes()).map(|hole| (part.shape().path(hole), hole));
                    values.any(|(name, hole)| !self.is_hidden(name) && matcher.is_match(part.value(hole)))
                })
        });
        Ok(found)
    }
}
