//! What a parser made of single events, before it is written.

use std::borrow::Cow;

use weir_query::machine::Frame;
use weir_query::plan::parser::mark;
use weir_query::record::Column;
use weir_query::value::Number;

use crate::event::{EventTime, timestamp};

const NANOS_PER_MILLI: i64 = 1_000_000;

/// What became of an event.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The parser failed on it, and why.
    Failed(String),
    /// These rows of this pass were made of it, in this order; none: the parser lets it through nowhere.
    Made(usize, Vec<u32>),
}

/// The fields of rows that a parser made, sorted by what they are.
pub(super) struct Layout<'f> {
    dropped: Option<&'f Column>,
    time: Option<&'f Column>,
    nanos: Option<&'f Column>,
    text: Option<&'f Column>,
    tags: Vec<(Cow<'f, str>, &'f Column)>,
    fields: Vec<(&'f str, &'f Column)>,
}

impl<'f> Layout<'f> {
    /// The fields of `frame`, those called in `tag_fields` being tags.
    pub(super) fn new(frame: &'f Frame, tag_fields: &[String]) -> Layout<'f> {
        let mut layout = Layout {
            dropped: None,
            time: None,
            nanos: None,
            text: None,
            tags: Vec::new(),
            fields: Vec::new(),
        };
        let mut named = Vec::new();
        for (name, column) in frame.columns() {
            match &**name {
                _ if name == mark() => layout.dropped = Some(column),
                "@timestamp" => layout.time = Some(column),
                "@timestamp.nanos" => layout.nanos = Some(column),
                "@rawstring" => layout.text = Some(column),
                // They come with the place in the store.
                "@id" | "@ingesttimestamp" | "#repo" => {}
                name if name.starts_with('#') => layout.tags.push((name.into(), column)),
                name if tag_fields.iter().any(|tag| tag.trim_start_matches('#') == name) => {
                    named.push((format!("#{name}").into(), column));
                }
                name => layout.fields.push((name, column)),
            }
        }
        layout.tags.extend(named);
        layout
    }

    /// Whether `dropEvent()` took the row.
    pub(super) fn is_dropped(&self, row: usize) -> bool {
        self.dropped.is_some_and(|column| column.get(row).is_some())
    }

    /// Its tags, names with their `#`; of equal names the last counts.
    pub(super) fn tags(&self, row: usize) -> impl Iterator<Item = (&str, Cow<'f, str>)> {
        self.tags.iter().filter_map(move |(name, column)| Some((&**name, column.get(row)?.text())))
    }

    /// Its fields but for tags, time and text, in their order.
    pub(super) fn fields(&self, row: usize) -> impl Iterator<Item = (&'f str, Cow<'f, str>)> {
        self.fields.iter().filter_map(move |(name, column)| Some((*name, column.get(row)?.text())))
    }

    /// Its text.
    pub(super) fn text(&self, row: usize) -> Option<Cow<'f, str>> {
        Some(self.text?.get(row)?.text())
    }

    /// Its time: that of the event `before`, unless the parser gave it another. What `parseTimestamp` has read are
    /// milliseconds; any other text is read as that of a JSON field is, a number by its magnitude, a time without a year as
    /// one around `reference_nanos`.
    ///
    /// # Errors
    /// When what the parser gave is no time.
    pub(super) fn time(
        &self,
        row: usize,
        before: EventTime,
        reference_nanos: i64,
    ) -> Result<EventTime, String> {
        let Some(value) = self.time.and_then(|column| column.get(row)) else { return Ok(before) };
        let number = value.number().and_then(Number::truncate);
        let below = self.nanos.and_then(|column| column.get(row)?.number()).and_then(Number::truncate);
        let nanos = match below.filter(|nanos| (0..NANOS_PER_MILLI).contains(nanos)) {
            // A function has read a time: these are milliseconds, however few.
            Some(below) => number.and_then(|millis| millis.checked_mul(NANOS_PER_MILLI)?.checked_add(below)),
            None if number == Some(before.nanos.div_euclid(NANOS_PER_MILLI)) => return Ok(before),
            None => timestamp::parse(value.text().trim(), reference_nanos),
        };
        nanos
            .map(|nanos| EventTime { nanos, is_arrival: false })
            .ok_or_else(|| format!("@timestamp is {:?}, which is no time", value.text()))
    }
}
