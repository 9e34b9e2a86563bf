//! The columns of a block, as the machine wants them: decoded where asked for, as they are kept where that serves.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use weir_query::compile::TextMatcher;
use weir_query::record::{Column, Dictionary, OrderKey, Rows, RowsError, Selection, TextColumn, TextSpan};
use weir_query::value::Value;

use super::cursor::Cursor;
use super::node::{Kind, Node, Ranks, Skeleton, Texts};
use super::number::Form;
use super::part::{Part, TextKind};
use super::read::{Block, damaged};
use super::wire::Corrupt;
use crate::event::json::unescape_into;
use crate::event::{META_FIELDS, push_event_id};

const NANOS_PER_MILLI: i64 = 1_000_000;

impl Rows for Block {
    fn len(&self) -> usize {
        self.rows()
    }

    fn order(&self) -> Result<Arc<[OrderKey]>, RowsError> {
        self.keys().map_err(damaged)
    }

    fn names(&self) -> Vec<Arc<str>> {
        let mut seen: HashSet<&str, foldhash::fast::FixedState> = HashSet::default();
        let tags = self.tag_sets.iter().flatten().map(|(name, _)| name.as_str());
        let parts = [Some(&self.raw), self.attributes.as_ref()];
        let places = parts.into_iter().flatten().flat_map(|part| &part.places);
        let fields = places.filter(|place| place.repeat < u32::MAX - 1).map(|place| &*place.path);
        let names = META_FIELDS.into_iter().chain(tags).chain(fields);
        names.filter(|name| seen.insert(name)).map(Arc::from).collect()
    }

    fn column(&self, name: &str, within: &Selection) -> Result<Column, RowsError> {
        self.column_of(name, within).map_err(damaged)
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
                let hits: Vec<bool> = (0..dictionary.len() as u32)
                    .map(|code| dictionary.text(code).is_some_and(|text| matcher.is_match(text)))
                    .collect();
                let mut rows = within.clone();
                rows.retain(|row| {
                    codes.get(row).and_then(|code| hits.get(*code as usize)).copied().unwrap_or(false)
                });
                Some(rows)
            }
            Column::Missing { rows } => Some(Selection::none(rows)),
            _ => None,
        })
    }
}

impl Block {
    fn column_of(&self, name: &str, within: &Selection) -> Result<Column, Corrupt> {
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

    /// A tag, or a field whose name happens to start like one where no row has such a tag.
    fn tag_column(&self, name: &str, within: &Selection) -> Result<Column, Corrupt> {
        let value = |tags: &super::gather::Tags| {
            tags.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone())
        };
        let values: Vec<Option<String>> = self.tag_sets.iter().map(value).collect();
        if values.iter().all(Option::is_none) {
            return self.field_column(name, within);
        }
        let first = values.first().cloned().flatten();
        if let Some(value) = first.filter(|_| values.iter().all(|value| Some(value) == values.first())) {
            return Ok(Column::Constant { value: Value::Text(value.into()), rows: self.rows() });
        }
        let mut merged = Merged::default();
        let codes: Vec<u32> = values
            .iter()
            .map(|value| value.as_ref().map_or(Dictionary::MISSING, |text| merged.code(text)))
            .collect();
        let mut row_codes = vec![Dictionary::MISSING; self.rows()];
        for range in self.granules(within) {
            let sets = self.tag_codes(range.clone())?;
            for (slot, set) in row_codes.get_mut(range).unwrap_or_default().iter_mut().zip(sets) {
                *slot = codes.get(set as usize).copied().unwrap_or(Dictionary::MISSING);
            }
        }
        Ok(Column::Dictionary { codes: row_codes.into(), dictionary: Arc::new(merged.dictionary) })
    }

    fn field_column(&self, name: &str, within: &Selection) -> Result<Column, Corrupt> {
        let raw = Source::of(self, &self.raw, name)?;
        let attributes = match &self.attributes {
            Some(part) => Source::of(self, part, name)?,
            None => None,
        };
        match (raw, attributes) {
            (None, None) => Ok(Column::Missing { rows: self.rows() }),
            (Some(raw), None) => self.one_source(raw, within),
            (None, Some(attributes)) => self.one_source(attributes, within),
            (Some(raw), Some(attributes)) => self.mixed(&[attributes, raw], within),
        }
    }

    fn one_source(&self, source: Source<'_>, within: &Selection) -> Result<Column, Corrupt> {
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
    fn mixed(&self, sources: &[Source<'_>], within: &Selection) -> Result<Column, Corrupt> {
        let coded = sources
            .iter()
            .flat_map(Source::nodes)
            .all(|(node, _)| matches!(node.kind, Kind::Constant(_) | Kind::Dictionary { .. }));
        let mut merged = Merged::default();
        let mut codes = vec![Dictionary::MISSING; if coded { self.rows() } else { 0 }];
        let mut spans = vec![TextSpan::MISSING; if coded { 0 } else { self.rows() }];
        let (mut arena, mut text, mut plain) = (Vec::new(), Vec::new(), String::new());
        for range in self.granules(within) {
            let mut readers: Vec<Reader<'_>> =
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
    fn code(&mut self, text: &str) -> u32 {
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

/// Where a field is in one part of a block.
struct Source<'a> {
    part: &'a Part,
    /// The column of the field, a skeleton.
    columns: Vec<Option<u32>>,
    ranks: Option<Arc<Ranks>>,
}

impl<'a> Source<'a> {
    fn of(block: &Block, part: &'a Part, name: &str) -> Result<Option<Source<'a>>, Corrupt> {
        let Some(columns) = part.columns_of(name) else { return Ok(None) };
        let mut source = Source { part, columns, ranks: None };
        if !source.everywhere() || source.single().is_none() {
            source.ranks = Some(part.skeletons()?.ranks(block.body())?);
        }
        Ok(Some(source))
    }

    /// Every row has the field.
    fn everywhere(&self) -> bool {
        // Skeleton 0 is no text, which every row of the raw part has and which only the attributes may lack.
        let count = self.part.node.count;
        let mut kinds = self.columns.iter().zip(&self.part.kinds);
        kinds.all(|(column, kind)| column.is_some() || *kind == TextKind::None)
            && self.nodes().next().is_some_and(|(node, _)| node.count == count)
    }

    /// The one column that has the field, whether it has escapes, and its number.
    fn single(&self) -> Option<(&'a Node, bool, u32)> {
        let mut used = self.columns.iter().flatten();
        let first = *used.next()?;
        if used.any(|column| *column != first) {
            return None;
        }
        let node = self.part.skeletons().ok()?.columns.get(first as usize)?;
        Some((node, self.part.escaped.get(first as usize) == Some(&true), first))
    }

    /// The columns that have the field, and whether they have escapes.
    fn nodes(&self) -> impl Iterator<Item = (&'a Node, bool)> {
        let mut used: Vec<u32> = self.columns.iter().flatten().copied().collect();
        used.sort_unstable();
        used.dedup();
        let part = self.part;
        used.into_iter().filter_map(move |column| {
            let node = part.skeletons().ok()?.columns.get(column as usize)?;
            Some((node, part.escaped.get(column as usize) == Some(&true)))
        })
    }

    /// Calls `each` with the values of column `column` and the rows they belong to, for the granules of `within`.
    fn scatter(
        &self,
        block: &Block,
        column: u32,
        within: &Selection,
        mut each: impl FnMut(std::ops::Range<usize>, &mut dyn Iterator<Item = usize>) -> Result<(), Corrupt>,
    ) -> Result<(), Corrupt> {
        // With one column for the field, a skeleton holds it exactly where it counts.
        let has: Vec<bool> = self.columns.iter().map(|own| *own == Some(column)).collect();
        for range in block.granules(within) {
            let Some(ranks) = &self.ranks else {
                each(range.clone(), &mut range.clone())?;
                continue;
            };
            let start = self.first(ranks, column, range.start)?;
            let codes = ranks.codes(range.clone());
            let mut rows: Vec<usize> = Vec::with_capacity(codes.len());
            rows.extend(
                range
                    .zip(codes)
                    .filter(|(_, code)| has.get(**code as usize) == Some(&true))
                    .map(|(row, _)| row),
            );
            each(start..start + rows.len(), &mut rows.into_iter())?;
        }
        Ok(())
    }

    /// The first value of `column` at or behind `row`.
    fn first(&self, ranks: &Ranks, column: u32, row: usize) -> Result<usize, Corrupt> {
        let before = ranks.before(row);
        let skeletons = &self.part.skeletons()?.skeletons;
        let having = skeletons.iter().zip(&before).filter(|(skeleton, _)| skeleton.columns.contains(&column));
        Ok(having.map(|(_, count)| *count as usize).sum())
    }

    /// Opens all columns that have the field, for the rows of `range`.
    fn open(&self, block: &'a Block, range: std::ops::Range<usize>) -> Result<Reader<'a>, Corrupt> {
        let skeletons = self.part.skeletons()?;
        let ranks = skeletons.ranks(block.body())?;
        let codes = ranks.codes(range.clone());
        let mut used: Vec<u32> = self.columns.iter().flatten().copied().collect();
        used.sort_unstable();
        used.dedup();
        let mut cursors = Vec::with_capacity(used.len());
        for column in &used {
            let node = skeletons.columns.get(*column as usize).ok_or(Corrupt("unknown column"))?;
            let start = self.first(&ranks, *column, range.start)?;
            let holds: Vec<bool> =
                skeletons.skeletons.iter().map(|skeleton| skeleton.columns.contains(column)).collect();
            let count = codes.iter().filter(|code| holds.get(**code as usize) == Some(&true)).count();
            let times = if node.is_relative() { Some(block.times()?) } else { None };
            let times = times.as_ref().and_then(|times| times.get(range.clone()));
            let own = times.map(|times| skeletons.times_of(*column, codes, times));
            cursors.push(Cursor::open(node, block.body(), start..start + count, own.as_deref())?);
        }
        // A skeleton with a repeated key holds columns besides the one that counts; their values are passed over.
        let held = |skeleton: &Skeleton| {
            let places = used.iter().enumerate().filter(|(_, column)| skeleton.columns.contains(column));
            places.map(|(place, _)| place).collect()
        };
        let chosen = |column: &Option<u32>| {
            let column = (*column)?;
            let escaped = self.part.escaped.get(column as usize) == Some(&true);
            used.binary_search(&column).ok().map(|place| (place, escaped))
        };
        Ok(Reader {
            held: skeletons.skeletons.iter().map(held).collect(),
            chosen: self.columns.iter().map(chosen).collect(),
            codes: codes.to_vec(),
            cursors,
        })
    }
}

/// The values of a field, row by row.
struct Reader<'a> {
    codes: Vec<u32>,
    /// For each skeleton the cursors whose values it holds.
    held: Vec<Vec<usize>>,
    /// For each skeleton the cursor whose value counts, and whether it may have escapes.
    chosen: Vec<Option<(usize, bool)>>,
    cursors: Vec<Cursor<'a>>,
}

impl Reader<'_> {
    /// Appends the value of the row at `place`, if it has one, and tells whether it may have escapes.
    fn next(&mut self, place: usize, out: &mut Vec<u8>) -> Result<Option<bool>, Corrupt> {
        let code = self.codes.get(place).copied().unwrap_or(u32::MAX) as usize;
        let chosen = self.chosen.get(code).copied().flatten();
        for held in self.held.get(code).map_or(&[][..], Vec::as_slice) {
            let Some(cursor) = self.cursors.get_mut(*held) else { continue };
            if chosen.is_some_and(|(own, _)| own == *held) { cursor.next(out)? } else { cursor.skip()? }
        }
        Ok(chosen.map(|(_, escaped)| escaped))
    }

    /// Passes over the row at `place`.
    fn skip(&mut self, place: usize) -> Result<(), Corrupt> {
        let code = self.codes.get(place).copied().unwrap_or(u32::MAX) as usize;
        for held in self.held.get(code).map_or(&[][..], Vec::as_slice) {
            if let Some(cursor) = self.cursors.get_mut(*held) {
                cursor.skip()?;
            }
        }
        Ok(())
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

fn checked_text_column(arena: Vec<u8>, spans: Vec<TextSpan>) -> Result<Column, Corrupt> {
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
