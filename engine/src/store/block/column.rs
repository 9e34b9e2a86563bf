//! The columns of a block, as the machine wants them: decoded where asked for, as they are kept where that serves.

use std::ops::Range;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use weir_query::compile::TextMatcher;
use weir_query::record::{
    Column, Dictionary, OrderKey, Rows, RowsError, Selection, TextColumn, TextSpan, Timeline, UnwrittenText,
};
use weir_query::value::Value;

use super::field::{FieldReader, FieldSource, Piece};
use super::node::{Kind, Node, Texts};
use super::number::{Doubles, Form};
use super::part::TextKind;
use super::read::{Block, damaged};
use super::stretch::Stretch;
use super::unwritten::Digits;
use super::wire::Corrupt;
use crate::event::json::unescape_into;
use crate::event::{META_FIELDS, push_event_id};

pub(super) const NANOS_PER_MILLI: i64 = 1_000_000;

/// With fewer rows wanted than one in so many, their texts are picked one by one.
const SPARSE_ROWS: usize = 4;

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
        let tags = self.tag_names();
        let parts = [Some(&self.raw), self.attributes.as_ref()];
        let places = parts.into_iter().flatten().flat_map(|part| &part.places);
        let fields = places.filter(|place| place.repeat < u32::MAX - 1).map(|place| &*place.path);
        let fields = fields.filter(|name| !name.starts_with('#'));
        let names = META_FIELDS.into_iter().chain(tags).chain(fields);
        let names: Vec<Arc<str>> = names.filter(|name| seen.insert(name)).map(Arc::from).collect();
        names
    }

    fn column(&self, name: &str, within: &Selection) -> Result<Column, RowsError> {
        self.column_of(name, within, &(0..self.rows())).map_err(damaged)
    }

    fn stretch(&self, range: Range<usize>) -> Option<Box<dyn Rows + '_>> {
        Some(Box::new(Stretch::of(self, range)?))
    }

    fn places(&self, rows: &[u32]) -> Result<Vec<OrderKey>, RowsError> {
        self.keys_at(rows).map_err(damaged)
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
        self.matching_of(name, matcher, within).map_err(damaged)
    }
}

impl Block {
    /// The column of field `name` for the rows `rows`, a slot each of these; `within` are rows of the block.
    pub(super) fn column_of(
        &self,
        name: &str,
        within: &Selection,
        rows: &Range<usize>,
    ) -> Result<Column, Corrupt> {
        let millis = |nanos: i64| nanos.div_euclid(NANOS_PER_MILLI);
        let times = || self.times().map(|times| times.get(rows.clone()).unwrap_or_default().to_vec());
        Ok(match name {
            "@timestamp" => ints(times()?.into_iter().map(millis)),
            "@timestamp.nanos" => ints(times()?.into_iter().map(|time| time.rem_euclid(NANOS_PER_MILLI))),
            "@ingesttimestamp" => ints(self.ingest(rows.clone())?.into_iter().map(millis)),
            "@id" => self.id_column(within, rows)?,
            "@rawstring" => self.raw_column(within, rows)?,
            _ if name.starts_with('#') => self.tag_column(name, within, rows)?,
            _ => self.field_column(name, within, rows)?,
        })
    }

    fn id_column(&self, within: &Selection, rows: &Range<usize>) -> Result<Column, Corrupt> {
        let mut arena = String::new();
        let mut spans = vec![TextSpan::MISSING; rows.len()];
        for range in self.granules(within) {
            for (row, sequence) in range.clone().zip(self.sequences(range)?) {
                let start = arena.len();
                push_event_id(sequence as u64, &mut arena);
                set_span(&mut spans, row - rows.start, start, arena.len());
            }
        }
        Ok(text_column(arena, spans))
    }

    fn raw_column(&self, within: &Selection, rows: &Range<usize>) -> Result<Column, Corrupt> {
        if within.count() < rows.len() / SPARSE_ROWS {
            return self.picked_column("@rawstring", within, rows);
        }
        let mut arena = Vec::new();
        let mut spans = vec![TextSpan::MISSING; rows.len()];
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
                set_span(&mut spans, row - rows.start, start, arena.len());
            }
        }
        checked_text_column(arena, spans)
    }

    pub(super) fn field_column(
        &self,
        name: &str,
        within: &Selection,
        rows: &Range<usize>,
    ) -> Result<Column, Corrupt> {
        // What the attributes say goes before what the text says.
        let parts = [self.attributes.as_ref(), Some(&self.raw)];
        let sources: Vec<FieldSource<'_>> =
            parts.into_iter().flatten().filter_map(|part| FieldSource::of(part, name)).collect();
        let mut pieces = Vec::new();
        for source in &sources {
            pieces.extend(source.pieces(self)?);
        }
        let coded =
            |piece: &Piece<'_>| matches!(piece.node.kind, Kind::Constant(_) | Kind::Dictionary { .. });
        match pieces.as_slice() {
            [] => return Ok(Column::Missing { rows: rows.len() }),
            [piece] => match &piece.node.kind {
                Kind::Constant(value) if piece.is_everywhere() => {
                    let value = unescaped(value, piece.escaped)?;
                    return Ok(Column::Constant { value: Value::Text(value.into()), rows: rows.len() });
                }
                Kind::Number { form: Form::Plain, .. } => return self.int_column(piece, within, rows),
                Kind::Number { form, .. } => {
                    if let Some(column) = self.float_column(form, piece, within, rows)? {
                        return Ok(column);
                    }
                }
                Kind::Hex { pattern, digits, bytes } if piece.is_everywhere() && !piece.escaped => {
                    let own = rows.start * pattern.width()..rows.end * pattern.width();
                    let digits = self.shared(digits, bytes)?.part(own).ok_or(Corrupt("digits end early"))?;
                    let runs = self.runs(within).iter().map(|run| inside(run, rows)).collect();
                    if let Some(texts) = Digits::new(pattern, digits, rows.len(), runs) {
                        return Ok(Column::Unwritten(UnwrittenText::new(Arc::new(texts))));
                    }
                }
                _ => {}
            },
            _ => {}
        }
        if pieces.iter().all(coded) {
            return self.coded_column(&pieces, within, rows);
        }
        let apart = self.attributes.as_ref().is_some_and(|part| part.columns_of(name).is_some());
        if !apart && within.count() < rows.len() / SPARSE_ROWS {
            return self.picked_column(name, within, rows);
        }
        self.mixed(&sources, within, rows)
    }

    fn int_column(
        &self,
        piece: &Piece<'_>,
        within: &Selection,
        rows: &Range<usize>,
    ) -> Result<Column, Corrupt> {
        let Kind::Number { values, .. } = &piece.node.kind else { return Err(Corrupt("no numbers")) };
        let times = if piece.node.is_relative() { Some(self.times()?) } else { None };
        let numbers = filled(0i64, rows.len(), |numbers| {
            for run in self.runs(within) {
                let own = times.as_ref().map(|times| piece.times(&run, times));
                piece.spread(run, numbers, rows.start, |range, out| match &own {
                    None => values.decode(self.body(), range, out),
                    Some(own) => {
                        let absolute = piece.node.numbers(self.body(), range, Some(own))?;
                        out.iter_mut().zip(absolute).for_each(|(slot, number)| *slot = number);
                        Ok(())
                    }
                })?;
            }
            Ok(())
        })?;
        Ok(Column::Ints { values: numbers, present: piece.present(rows).map(Arc::new) })
    }

    /// Decimals as doubles; `None` where a text is not what its double is written as: then it must be read as text.
    fn float_column(
        &self,
        form: &Form,
        piece: &Piece<'_>,
        within: &Selection,
        rows: &Range<usize>,
    ) -> Result<Option<Column>, Corrupt> {
        let Kind::Number { values, .. } = &piece.node.kind else { return Ok(None) };
        let Some(doubles) = Doubles::of(form).filter(|_| !piece.node.is_relative()) else { return Ok(None) };
        let mut fit = true;
        let mut digits = Vec::new();
        let numbers = filled(0f64, rows.len(), |numbers| {
            for run in self.runs(within) {
                if !fit {
                    break;
                }
                piece.spread(run, numbers, rows.start, |range, out| {
                    digits.clear();
                    digits.resize(out.len(), 0);
                    values.decode(self.body(), range, &mut digits)?;
                    fit &= digits.iter().all(|digits| doubles.fits(*digits));
                    out.iter_mut().zip(&digits).for_each(|(slot, digits)| *slot = doubles.double(*digits));
                    Ok(())
                })?;
            }
            Ok(())
        })?;
        let present = || piece.present(rows).map(Arc::new);
        Ok(fit.then(|| Column::Floats { values: numbers, present: present() }))
    }

    /// A field all of whose columns, the first of which goes before the others, are dictionaries or constants.
    fn coded_column(
        &self,
        pieces: &[Piece<'_>],
        within: &Selection,
        rows: &Range<usize>,
    ) -> Result<Column, Corrupt> {
        let own: Vec<Arc<Coded>> =
            pieces.iter().map(|piece| self.coded(piece)).collect::<Result<_, Corrupt>>()?;
        let (dictionary, maps) = match own.as_slice() {
            [only] => (Arc::clone(&only.dictionary), vec![only.map.clone()]),
            several => {
                let mut merged = Merged::default();
                let maps = several.iter().map(|coded| Some(coded.merge_into(&mut merged))).collect();
                (Arc::new(merged.dictionary), maps)
            }
        };
        let codes = filled(Dictionary::MISSING, rows.len(), |row_codes| {
            for run in self.runs(within) {
                for (piece, map) in pieces.iter().zip(&maps).rev() {
                    piece.spread(run.clone(), row_codes, rows.start, |range, out| {
                        match &piece.node.kind {
                            Kind::Dictionary { codes, .. } => codes.decode(self.body(), range, out)?,
                            _ => out.fill(0),
                        }
                        map.iter().for_each(|map| recode(out, map));
                        Ok(())
                    })?;
                }
            }
            Ok(())
        })?;
        Ok(Column::Dictionary { codes, dictionary })
    }

    /// The distinct values of a dictionary or a constant.
    fn coded(&self, piece: &Piece<'_>) -> Result<Arc<Coded>, Corrupt> {
        match &piece.node.kind {
            Kind::Dictionary { .. } => self.coded_node(piece.node, piece.escaped),
            Kind::Constant(value) => {
                let mut dictionary = Dictionary::default();
                dictionary.push(&unescaped(value, piece.escaped)?);
                Ok(Arc::new(Coded { dictionary: Arc::new(dictionary), map: None }))
            }
            _ => Err(Corrupt("no dictionary")),
        }
    }

    /// The distinct values of a dictionary.
    fn coded_node(&self, node: &Node, escaped: bool) -> Result<Arc<Coded>, Corrupt> {
        let Kind::Dictionary { column, .. } = &node.kind else { return Err(Corrupt("no dictionary")) };
        if let Some(coded) = column.get() {
            return Ok(Arc::clone(coded));
        }
        let coded = Coded::new(&*node.dictionary(self.body())?, escaped)?;
        Ok(Arc::clone(column.get_or_init(|| {
            self.body().count_held(coded.bytes());
            Arc::new(coded)
        })))
    }

    /// The distinct values of a dictionary, where none of them has another meaning than its text.
    pub(super) fn verbatim(&self, node: &Node, escaped: bool) -> Result<Option<Arc<Dictionary>>, Corrupt> {
        let coded = self.coded_node(node, escaped)?;
        Ok(coded.map.is_none().then(|| Arc::clone(&coded.dictionary)))
    }

    /// The granules in which `within` has a row, as ranges of rows, neighbours as one.
    pub(super) fn runs(&self, within: &Selection) -> Vec<Range<usize>> {
        let mut runs: Vec<Range<usize>> = Vec::new();
        for range in self.granules(within) {
            match runs.last_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ => runs.push(range),
            }
        }
        runs
    }

    /// A field from columns of any kind, as text: for each row from the first source that has it.
    fn mixed(
        &self,
        sources: &[FieldSource<'_>],
        within: &Selection,
        rows: &Range<usize>,
    ) -> Result<Column, Corrupt> {
        let mut spans = vec![TextSpan::MISSING; rows.len()];
        let (mut arena, mut plain) = (Vec::new(), String::new());
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
                    let start = arena.len();
                    let Some(escaped) = reader.next(place, &mut arena)? else { continue };
                    found = true;
                    let text = arena.get(start..).unwrap_or_default();
                    if escaped && text.contains(&b'\\') {
                        plain.clear();
                        let token = std::str::from_utf8(text).map_err(|_| Corrupt("text is not utf-8"))?;
                        unescape_into(token, &mut plain).map_err(|_| Corrupt("escape means nothing"))?;
                        arena.truncate(start);
                        arena.extend_from_slice(plain.as_bytes());
                    }
                    set_span(&mut spans, row - rows.start, start, arena.len());
                }
            }
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
        let code = self.dictionary.push(text);
        self.known.insert(text.to_owned(), code);
        code
    }
}

fn ints(values: impl Iterator<Item = i64>) -> Column {
    Column::Ints { values: values.collect(), present: None }
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

/// The distinct values of a column, as the machine has them.
#[derive(Debug)]
pub(crate) struct Coded {
    dictionary: Arc<Dictionary>,
    /// The code of each value, where escapes make two of them one.
    map: Option<Vec<u32>>,
}

impl Coded {
    fn new(texts: &Texts, escaped: bool) -> Result<Coded, Corrupt> {
        if escaped && texts.bytes.contains(&b'\\') {
            let mut merged = Merged::default();
            let mut map = Vec::with_capacity(texts.len());
            for index in 0..texts.len() {
                map.push(merged.code(&unescaped(texts.get(index).unwrap_or_default(), true)?));
            }
            return Ok(Coded { dictionary: Arc::new(merged.dictionary), map: Some(map) });
        }
        let arena = String::from_utf8(texts.bytes.clone()).map_err(|_| Corrupt("text is not utf-8"))?;
        let mut spans = Vec::with_capacity(texts.len());
        let mut start = 0;
        for end in &texts.ends {
            spans.push(TextSpan { start, len: end - start });
            start = *end;
        }
        Ok(Coded { dictionary: Arc::new(Dictionary::new(arena, spans)), map: None })
    }

    /// Adds the values to `merged`; tells the code of each.
    fn merge_into(&self, merged: &mut Merged) -> Vec<u32> {
        let codes: Vec<u32> = (0..self.dictionary.len() as u32)
            .map(|code| self.dictionary.text(code).map_or(Dictionary::MISSING, |text| merged.code(text)))
            .collect();
        let through = |code: &u32| codes.get(*code as usize).copied().unwrap_or(Dictionary::MISSING);
        self.map.as_ref().map_or_else(|| codes.clone(), |map| map.iter().map(through).collect())
    }

    fn bytes(&self) -> usize {
        self.dictionary.bytes() + self.map.as_ref().map_or(0, |map| map.len() * size_of::<u32>())
    }
}

/// What `map` says each code has become.
fn recode(codes: &mut [u32], map: &[u32]) {
    for code in codes {
        *code = map.get(*code as usize).copied().unwrap_or(Dictionary::MISSING);
    }
}

/// Where the rows of `run` are among those of `rows`, which begins no later.
fn inside(run: &Range<usize>, rows: &Range<usize>) -> Range<usize> {
    run.start - rows.start..run.end - rows.start
}

/// A shared list of `len` times `value`, changed by `fill` before anybody else has it.
pub(super) fn filled<T: Copy>(
    value: T,
    len: usize,
    fill: impl FnOnce(&mut [T]) -> Result<(), Corrupt>,
) -> Result<Arc<[T]>, Corrupt> {
    let mut list: Arc<[T]> = std::iter::repeat_n(value, len).collect();
    if let Some(slots) = Arc::get_mut(&mut list) {
        fill(slots)?;
    }
    Ok(list)
}
