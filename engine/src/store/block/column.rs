//! The columns of a block, as the machine wants them: decoded where asked for, as they are kept where that serves.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use weir_query::compile::TextMatcher;
use weir_query::record::{
    Column, Dictionary, OrderKey, Rows, RowsError, Selection, TextColumn, TextSpan, Timeline,
};
use weir_query::value::Value;

use super::field::{FieldReader, FieldSource};
use super::node::{Kind, Texts};
use super::number::Form;
use super::part::TextKind;
use super::read::{Block, damaged};
use super::tags::TagColumns;
use super::wire::Corrupt;
use crate::event::json::unescape_into;
use crate::event::{META_FIELDS, push_event_id};

pub(super) const NANOS_PER_MILLI: i64 = 1_000_000;

impl Rows for Block {
    fn len(&self) -> usize {
        self.rows()
    }

    fn order(&self) -> Result<Arc<[OrderKey]>, RowsError> {
        self.keys().map_err(damaged)
    }

    fn timeline(&self) -> Option<&dyn Timeline> {
        Some(self)
    }

    fn names(&self) -> Vec<Arc<str>> {
        let mut seen: HashSet<&str, foldhash::fast::FixedState> = HashSet::default();
        // A block whose tags cannot be read says so when one is asked for.
        let tags = self.tags().into_iter().flat_map(TagColumns::names);
        let parts = [Some(&self.raw), self.attributes.as_ref()];
        let places = parts.into_iter().flatten().flat_map(|part| &part.places);
        let fields = places.filter(|place| place.repeat < u32::MAX - 1).map(|place| &*place.path);
        let fields = fields.filter(|name| !name.starts_with('#'));
        let names = META_FIELDS.into_iter().chain(tags).chain(fields);
        let names: Vec<Arc<str>> = names.filter(|name| seen.insert(name)).map(Arc::from).collect();
        names
    }

    fn column(&self, name: &str, within: &Selection) -> Result<Column, RowsError> {
        self.column_of(name, within).map_err(damaged)
    }

    fn pick(&self, names: &[Arc<str>], rows: &[u32]) -> Result<Vec<(Arc<str>, Column)>, RowsError> {
        self.pick_rows(names, rows).map_err(damaged)
    }

    fn search(&self, matcher: &TextMatcher, within: &Selection) -> Result<Selection, RowsError> {
        self.search_rows(matcher, within).map_err(damaged)
    }

    fn matching(
        &self,
        name: &str,
        matcher: &TextMatcher,
        within: &Selection,
    ) -> Result<Option<Selection>, RowsError> {
        let own = name.starts_with('#') || !META_FIELDS.contains(&name);
        if !own {
            return Ok(None);
        }
        let column = self.column_of(name, within).map_err(damaged)?;
        Ok(match column {
            Column::Dictionary { codes, dictionary } => {
                // There may be many more values than rows that are asked about.
                let mut known: Vec<Option<bool>> = vec![None; dictionary.len()];
                let mut rows = within.clone();
                rows.retain(|row| {
                    let Some(code) = codes.get(row) else { return false };
                    let Some(hit) = known.get_mut(*code as usize) else { return false };
                    *hit.get_or_insert_with(|| {
                        dictionary.text(*code).is_some_and(|text| matcher.is_match(text))
                    })
                });
                Some(rows)
            }
            Column::Missing { rows } => Some(Selection::none(rows)),
            _ => None,
        })
    }
}

impl Block {
    pub(super) fn column_of(&self, name: &str, within: &Selection) -> Result<Column, Corrupt> {
        let millis = |nanos: i64| nanos.div_euclid(NANOS_PER_MILLI);
        Ok(match name {
            "@timestamp" => ints(self.times()?.iter().map(|time| millis(*time)).collect()),
            "@timestamp.nanos" => {
                ints(self.times()?.iter().map(|time| time.rem_euclid(NANOS_PER_MILLI)).collect())
            }
            "@ingesttimestamp" => ints(self.ingest(0..self.rows())?.into_iter().map(millis).collect()),
            "@id" => self.id_column(within)?,
            "@rawstring" => self.raw_column(within)?,
            _ if name.starts_with('#') => self.tag_column(name, within)?,
            _ => self.field_column(name, within)?,
        })
    }

    fn id_column(&self, within: &Selection) -> Result<Column, Corrupt> {
        let mut arena = String::new();
        let mut spans = vec![TextSpan::MISSING; self.rows()];
        for range in self.granules(within) {
            for (row, sequence) in range.clone().zip(self.sequences(range)?) {
                let start = arena.len();
                push_event_id(sequence as u64, &mut arena);
                set_span(&mut spans, row, start, arena.len());
            }
        }
        Ok(text_column(arena, spans))
    }

    fn raw_column(&self, within: &Selection) -> Result<Column, Corrupt> {
        let mut arena = Vec::new();
        let mut spans = vec![TextSpan::MISSING; self.rows()];
        for range in self.granules(within) {
            let mut cursor = self.open(&self.raw, range.clone())?;
            let kinds = if self.has_bytes() { self.text_kinds(range.clone())? } else { Vec::new() };
            for (place, row) in range.enumerate() {
                if !within.contains(row) {
                    cursor.skip()?;
                    continue;
                }
                let start = arena.len();
                cursor.next(&mut arena)?;
                if kinds.get(place) == Some(&TextKind::Bytes) {
                    let lossy = String::from_utf8_lossy(arena.get(start..).unwrap_or_default()).into_owned();
                    arena.truncate(start);
                    arena.extend_from_slice(lossy.as_bytes());
                }
                set_span(&mut spans, row, start, arena.len());
            }
        }
        checked_text_column(arena, spans)
    }

    /// A tag. A field whose name happens to start like one is never taken for it.
    fn tag_column(&self, name: &str, within: &Selection) -> Result<Column, Corrupt> {
        let missing = Column::Missing { rows: self.rows() };
        let Some(tag) = self.tags()?.get(name) else { return Ok(missing) };
        if let Some(value) = tag.constant() {
            return Ok(Column::Constant { value: Value::Text(value.into()), rows: self.rows() });
        }
        let mut row_codes = vec![Dictionary::MISSING; self.rows()];
        for range in self.granules(within) {
            let sets = self.tag_codes(range.clone())?;
            for (slot, set) in row_codes.get_mut(range).unwrap_or_default().iter_mut().zip(sets) {
                *slot = tag.code(set);
            }
        }
        Ok(Column::Dictionary { codes: row_codes.into(), dictionary: Arc::clone(&tag.dictionary) })
    }

    fn field_column(&self, name: &str, within: &Selection) -> Result<Column, Corrupt> {
        let raw = FieldSource::of(self, &self.raw, name)?;
        let attributes = match &self.attributes {
            Some(part) => FieldSource::of(self, part, name)?,
            None => None,
        };
        match (raw, attributes) {
            (None, None) => Ok(Column::Missing { rows: self.rows() }),
            (Some(raw), None) => self.one_source(raw, within),
            (None, Some(attributes)) => self.one_source(attributes, within),
            (Some(raw), Some(attributes)) => self.mixed(&[attributes, raw], within),
        }
    }

    fn one_source(&self, source: FieldSource<'_>, within: &Selection) -> Result<Column, Corrupt> {
        let Some((node, escaped, column)) = source.single() else { return self.mixed(&[source], within) };
        let everywhere = source.everywhere();
        match &node.kind {
            Kind::Constant(value) if everywhere => {
                let value = unescaped(value, escaped)?;
                Ok(Column::Constant { value: Value::Text(value.into()), rows: self.rows() })
            }
            Kind::Dictionary { codes, .. } => {
                let (dictionary, map) = dictionary_of(&*node.dictionary(self.body())?, escaped)?;
                let mut row_codes = vec![Dictionary::MISSING; self.rows()];
                source.scatter(self, column, within, |values, rows| {
                    for (row, code) in rows.zip(codes.values(self.body(), values)?) {
                        if let Some(slot) = row_codes.get_mut(row) {
                            *slot = match &map {
                                None => code as u32,
                                Some(map) => map.get(code as usize).copied().unwrap_or(Dictionary::MISSING),
                            };
                        }
                    }
                    Ok(())
                })?;
                Ok(Column::Dictionary { codes: row_codes.into(), dictionary: Arc::new(dictionary) })
            }
            Kind::Number { form: Form::Plain, .. } => {
                let mut numbers = vec![0i64; self.rows()];
                let mut present = (!everywhere).then(|| Selection::none(self.rows()));
                let times = if node.is_relative() { Some(self.times()?) } else { None };
                source.scatter(self, column, within, |values, rows| {
                    let rows: Vec<usize> = rows.collect();
                    let own: Option<Vec<i64>> = times
                        .as_ref()
                        .map(|times| rows.iter().map(|row| times.get(*row).copied().unwrap_or(0)).collect());
                    for (row, number) in rows.iter().zip(node.numbers(self.body(), values, own.as_deref())?) {
                        if let Some(slot) = numbers.get_mut(*row) {
                            *slot = number;
                        }
                        if let Some(present) = &mut present {
                            present.insert(*row);
                        }
                    }
                    Ok(())
                })?;
                Ok(Column::Ints { values: numbers.into(), present: present.map(Arc::new) })
            }
            _ => self.mixed(&[source], within),
        }
    }

    /// A field from several columns: for each row from the first source that has it. One dictionary when all of
    /// them are dictionaries or constants, else text.
    fn mixed(&self, sources: &[FieldSource<'_>], within: &Selection) -> Result<Column, Corrupt> {
        let coded = sources
            .iter()
            .flat_map(FieldSource::nodes)
            .all(|(node, _)| matches!(node.kind, Kind::Constant(_) | Kind::Dictionary { .. }));
        let mut merged = Merged::default();
        let mut codes = vec![Dictionary::MISSING; if coded { self.rows() } else { 0 }];
        let mut spans = vec![TextSpan::MISSING; if coded { 0 } else { self.rows() }];
        let (mut arena, mut text, mut plain) = (Vec::new(), Vec::new(), String::new());
        for range in self.granules(within) {
            let mut readers: Vec<FieldReader<'_>> =
                sources.iter().map(|source| source.open(self, range.clone())).collect::<Result<_, _>>()?;
            for (place, row) in range.enumerate() {
                let mut found = false;
                for reader in &mut readers {
                    if found || !within.contains(row) {
                        reader.skip(place)?;
                        continue;
                    }
                    text.clear();
                    let Some(escaped) = reader.next(place, &mut text)? else { continue };
                    found = true;
                    let value: &[u8] = if escaped && text.contains(&b'\\') {
                        plain.clear();
                        let token = std::str::from_utf8(&text).map_err(|_| Corrupt("text is not utf-8"))?;
                        unescape_into(token, &mut plain).map_err(|_| Corrupt("escape means nothing"))?;
                        plain.as_bytes()
                    } else {
                        &text
                    };
                    if let Some(slot) = codes.get_mut(row) {
                        let value = std::str::from_utf8(value).map_err(|_| Corrupt("text is not utf-8"))?;
                        *slot = merged.code(value);
                    } else {
                        let start = arena.len();
                        arena.extend_from_slice(value);
                        set_span(&mut spans, row, start, arena.len());
                    }
                }
            }
        }
        if coded {
            return Ok(Column::Dictionary { codes: codes.into(), dictionary: Arc::new(merged.dictionary) });
        }
        checked_text_column(arena, spans)
    }
}

/// A dictionary that grows.
#[derive(Default)]
struct Merged {
    dictionary: Dictionary,
    known: HashMap<String, u32, foldhash::fast::FixedState>,
}

impl Merged {
    pub(super) fn code(&mut self, text: &str) -> u32 {
        if let Some(code) = self.known.get(text) {
            return *code;
        }
        let code = self.dictionary.spans.len() as u32;
        let start = self.dictionary.arena.len() as u32;
        self.dictionary.arena.push_str(text);
        self.dictionary.spans.push(TextSpan { start, len: text.len() as u32 });
        self.known.insert(text.to_owned(), code);
        code
    }
}

fn ints(values: Vec<i64>) -> Column {
    Column::Ints { values: values.into(), present: None }
}

fn set_span(spans: &mut [TextSpan], row: usize, start: usize, end: usize) {
    if let Some(slot) = spans.get_mut(row) {
        *slot = TextSpan { start: start as u32, len: (end - start) as u32 };
    }
}

fn text_column(arena: String, spans: Vec<TextSpan>) -> Column {
    Column::Text(TextColumn { arena: Arc::new(arena), spans: spans.into() })
}

pub(super) fn checked_text_column(arena: Vec<u8>, spans: Vec<TextSpan>) -> Result<Column, Corrupt> {
    if arena.len() > u32::MAX as usize {
        return Err(Corrupt("values larger than a block"));
    }
    Ok(text_column(String::from_utf8(arena).map_err(|_| Corrupt("text is not utf-8"))?, spans))
}

/// What `token` means.
pub(super) fn unescaped(token: &[u8], escaped: bool) -> Result<String, Corrupt> {
    let token = std::str::from_utf8(token).map_err(|_| Corrupt("text is not utf-8"))?;
    if !escaped || !token.contains('\\') {
        return Ok(token.to_owned());
    }
    let mut text = String::new();
    unescape_into(token, &mut text).map_err(|_| Corrupt("escape means nothing"))?;
    Ok(text)
}

/// The dictionary of `texts`, and where escapes make two of them one, the code each has in it.
fn dictionary_of(texts: &Texts, escaped: bool) -> Result<(Dictionary, Option<Vec<u32>>), Corrupt> {
    if escaped {
        let mut merged = Merged::default();
        let mut map = Vec::with_capacity(texts.len());
        for index in 0..texts.len() {
            map.push(merged.code(&unescaped(texts.get(index).unwrap_or_default(), true)?));
        }
        return Ok((merged.dictionary, Some(map)));
    }
    let arena = String::from_utf8(texts.bytes.clone()).map_err(|_| Corrupt("text is not utf-8"))?;
    let mut spans = Vec::with_capacity(texts.len());
    let mut start = 0;
    for end in &texts.ends {
        spans.push(TextSpan { start, len: end - start });
        start = *end;
    }
    Ok((Dictionary { arena, spans }, None))
}
