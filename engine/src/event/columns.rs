//! A batch as rows with columns: what the machine steps over.
//!
//! The place of a field is looked up once a shape, then each row is one load: no hashing an event.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use weir_query::compile::TextMatcher;
use weir_query::record::{Column, Dictionary, OrderKey, Rows, RowsError, Selection, TextColumn, TextSpan};
use weir_query::value::{Value, ValueRef};

use super::batch::{EventBatch, Row};

/// The nanoseconds in a millisecond.
pub(super) const NANOS_PER_MILLI: i64 = 1_000_000;

/// The meta fields every event has.
pub const META_FIELDS: [&str; 5] =
    ["@timestamp", "@timestamp.nanos", "@ingesttimestamp", "@id", "@rawstring"];

/// Appends the `@id` of the event with this sequence: the number in base 36.
pub fn push_event_id(sequence: u64, out: &mut String) {
    let mut digits = [0u8; 13];
    let mut left = sequence;
    let mut used = 0;
    for slot in digits.iter_mut().rev() {
        let digit = (left % 36) as u8;
        *slot = if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
        left /= 36;
        used += 1;
        if left == 0 {
            break;
        }
    }
    out.extend(digits.iter().skip(digits.len() - used).map(|digit| char::from(*digit)));
}

/// The sequence that an `@id` names.
#[must_use]
pub fn parse_event_id(id: &str) -> Option<u64> {
    let plain = id.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase());
    plain.then(|| u64::from_str_radix(id, 36).ok()).flatten()
}

impl Rows for EventBatch {
    fn len(&self) -> usize {
        EventBatch::len(self)
    }

    fn order(&self) -> Result<Arc<[OrderKey]>, RowsError> {
        let order =
            self.order.get_or_init(|| (0..self.data.rows.len()).map(|row| self.order_key(row)).collect());
        Ok(Arc::clone(order))
    }

    fn names(&self) -> Vec<Arc<str>> {
        let mut seen: HashSet<&str, foldhash::fast::RandomState> = HashSet::default();
        let mut names: Vec<Arc<str>> = Vec::new();
        let repository = self.repository.is_some().then_some("#repo");
        let tags = self.data.tag_sets.iter().flat_map(|tags| tags.iter().map(|(name, _)| name));
        let shapes = self.data.shapes.iter();
        let fields = shapes.flat_map(|shape| (0..shape.holes()).map(|hole| shape.path(hole)));
        // A field named like a tag is part of the raw text only: see `tag_column`.
        let fields = fields.filter(|name| !name.starts_with('#'));
        for name in META_FIELDS.into_iter().chain(repository).chain(tags).chain(fields) {
            if seen.insert(name) {
                names.push(name.into());
            }
        }
        names
    }

    fn column(&self, name: &str, within: &Selection) -> Result<Column, RowsError> {
        let rows = self.data.rows.len();
        let ints = |value: fn(&Row) -> i64| Column::Ints {
            values: self.data.rows.iter().map(value).collect(),
            present: None,
        };
        Ok(match name {
            "@timestamp" => ints(|row| row.timestamp.div_euclid(NANOS_PER_MILLI)),
            "@timestamp.nanos" => ints(|row| row.timestamp.rem_euclid(NANOS_PER_MILLI)),
            "@ingesttimestamp" => match self.ingest_range() {
                (first, last) if first == last => {
                    Column::Constant { value: Value::Int(first.div_euclid(NANOS_PER_MILLI)), rows }
                }
                _ => {
                    let millis = |row| self.ingest_nanos_of(row).div_euclid(NANOS_PER_MILLI);
                    Column::Ints { values: (0..rows).map(millis).collect(), present: None }
                }
            },
            "@id" => self.id_column(within),
            "@rawstring" => self.text_column(self.data.rows.iter().map(|row| row.raw).collect()),
            _ if name.starts_with('#') => self.tag_column(name),
            _ => self.codes.column(name, within, |within| self.field_column(name, within)),
        })
    }

    fn search(&self, matcher: &TextMatcher, within: &Selection) -> Result<Selection, RowsError> {
        Ok(self.search_text(matcher, within))
    }
}

impl EventBatch {
    /// The value of field `name` in `row`, as its column has it; numbers come as their text. For the few rows of a
    /// result; whoever reads many takes the column.
    #[must_use]
    pub fn value(&self, row: usize, name: &str) -> Option<String> {
        let mut only = Selection::none(self.len());
        only.insert(row);
        let column = self.column(name, &only).ok()?;
        Some(match column.get(row)? {
            ValueRef::Text(text) => text.to_owned(),
            ValueRef::Int(int) => int.to_string(),
            ValueRef::Float(float) => float.to_string(),
        })
    }

    fn text_column(&self, spans: Arc<[TextSpan]>) -> Column {
        Column::Text(TextColumn { arena: Arc::clone(&self.data.arena), spans })
    }

    fn id_column(&self, within: &Selection) -> Column {
        let mut arena = String::new();
        let spans = (0..self.data.rows.len())
            .map(|row| {
                if !within.contains(row) {
                    return TextSpan::MISSING;
                }
                let start = arena.len() as u32;
                push_event_id(self.sequence(row), &mut arena);
                TextSpan { start, len: arena.len() as u32 - start }
            })
            .collect();
        Column::Text(TextColumn { arena: Arc::new(arena), spans })
    }

    /// A tag. A field whose name happens to start like one is never taken for it: what an event answers must not hang
    /// on the tags of those it shares a batch with.
    fn tag_column(&self, name: &str) -> Column {
        let rows = self.data.rows.len();
        if name == "#repo"
            && let Some(repository) = &self.repository
        {
            return Column::Constant { value: Value::Text(Arc::clone(repository)), rows };
        }
        let values: Vec<Option<&str>> = self.data.tag_sets.iter().map(|tags| tags.get(name)).collect();
        if values.iter().all(Option::is_none) {
            return Column::Missing { rows };
        }
        if let [Some(value)] = *values {
            return Column::Constant { value: Value::Text(value.into()), rows };
        }
        let mut dictionary = Dictionary::default();
        let mut known: HashMap<&str, u32, foldhash::fast::FixedState> = HashMap::default();
        let codes: Vec<u32> = values
            .iter()
            .map(|value| {
                let Some(value) = *value else { return Dictionary::MISSING };
                *known.entry(value).or_insert_with(|| dictionary.push(value))
            })
            .collect();
        let code = |row: &Row| codes.get(row.tag_set as usize).copied().unwrap_or(Dictionary::MISSING);
        Column::Dictionary {
            codes: self.data.rows.iter().map(code).collect(),
            dictionary: Arc::new(dictionary),
        }
    }

    fn field_column(&self, name: &str, within: &Selection) -> Column {
        let rows = self.data.rows.len();
        let Some(places) = self.places_of(name) else { return Column::Missing { rows } };
        let all = within.is_all();
        let value = |(at, row): (usize, &Row)| {
            if all || within.contains(at) { self.value_span(row, &places) } else { TextSpan::MISSING }
        };
        let spans: Arc<[TextSpan]> = self.data.rows.iter().enumerate().map(value).collect();
        self.spans_column(spans, within)
    }

    /// Where the values of field `name` are that was sent beside the texts of `rows`; `None`: beside none.
    pub(super) fn attribute_spans(&self, name: &str, rows: &[Row]) -> Option<Arc<[TextSpan]>> {
        let Places(places) = self.places_of(name)?;
        let span = |row: &Row| {
            let hole = places.get(row.attributes_shape as usize).and_then(|place| place.hole);
            let before = places.get(row.raw_shape as usize).map_or(0, |place| place.holes);
            hole.map_or(TextSpan::MISSING, |hole| self.value_at(row.first_value + before + hole))
        };
        let spans: Arc<[TextSpan]> = rows.iter().map(span).collect();
        spans.iter().any(|span| *span != TextSpan::MISSING).then_some(spans)
    }

    /// Where field `name` is; `None`: in no row, or it is a meta field or a tag. For whoever reads several fields of
    /// all rows, a stretch of them at a time.
    pub(crate) fn places(&self, name: &str) -> Option<Places> {
        let is_other = name.starts_with('#') || META_FIELDS.contains(&name);
        if is_other { None } else { self.places_of(name) }
    }

    /// Appends where the values of the field are in `rows`.
    pub(crate) fn read(&self, places: &Places, rows: std::ops::Range<usize>, spans: &mut Vec<TextSpan>) {
        let rows = self.data.rows.get(rows).unwrap_or_default();
        spans.extend(rows.iter().map(|row| self.value_span(row, places)));
    }

    /// The column of a field whose values are at `spans` in the rows of `within`.
    pub(crate) fn spans_column(&self, spans: Arc<[TextSpan]>, within: &Selection) -> Column {
        match self.constant(&spans, within) {
            Some(value) => Column::Constant { value, rows: spans.len() },
            None => self.text_column(spans),
        }
    }

    /// The texts of the events in `rows`, as they lie one behind the other.
    pub(crate) fn texts(&self, rows: std::ops::Range<usize>) -> &[u8] {
        let start = |row: usize| self.data.rows.get(row).map(|row| row.raw.start as usize);
        let end = start(rows.end).unwrap_or(self.data.arena.len());
        start(rows.start).and_then(|start| self.data.arena.as_bytes().get(start..end)).unwrap_or_default()
    }

    /// The texts that spans point into.
    pub(crate) fn arena(&self) -> &str {
        &self.data.arena
    }

    fn places_of(&self, name: &str) -> Option<Places> {
        let places: Vec<Place> = self.data.shapes.iter().map(|shape| Place::of(shape, name)).collect();
        places.iter().any(|place| place.hole.is_some()).then_some(Places(places))
    }

    /// Where the value of a field is in `row`, given its place in each shape. Attributes win over the raw text.
    fn value_span(&self, row: &Row, Places(places): &Places) -> TextSpan {
        let raw = places.get(row.raw_shape as usize);
        if let Some(hole) = places.get(row.attributes_shape as usize).and_then(|place| place.hole) {
            let before = raw.map_or(0, |place| place.holes);
            return self.value_at(row.first_value + before + hole);
        }
        match raw.and_then(|place| place.hole) {
            Some(hole) => self.value_at(row.first_value + hole),
            None => TextSpan::MISSING,
        }
    }

    fn value_at(&self, value: u32) -> TextSpan {
        self.data.values.get(value as usize).copied().unwrap_or(TextSpan::MISSING)
    }

    /// The text that all rows of `within` have; found out at the cost of the first row that differs.
    fn constant(&self, spans: &[TextSpan], within: &Selection) -> Option<Value> {
        let arena = &self.data.arena;
        let mut rows = within.iter();
        let first = spans.get(rows.next()?)?.of(arena)?;
        rows.all(|row| spans.get(row).and_then(|span| span.of(arena)) == Some(first))
            .then(|| Value::Text(first.into()))
    }
}

/// Where the shapes of a batch have a field.
pub(crate) struct Places(Vec<Place>);

/// Where a shape has a field.
struct Place {
    hole: Option<u32>,
    /// How many holes the shape has: the values of the attributes come behind those of the raw text.
    holes: u32,
}

impl Place {
    fn of(shape: &super::shape::Shape, name: &str) -> Place {
        Place { hole: shape.position(name).map(|hole| hole as u32), holes: shape.holes() as u32 }
    }
}
