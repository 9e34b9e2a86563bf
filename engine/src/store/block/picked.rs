//! Whole rows, few of many: every value is decoded once, into the text of its row, and the fields are spans of it.

use std::sync::Arc;

use weir_query::record::{Column, Dictionary, Selection, TextColumn, TextSpan};
use weir_query::value::Value;

use super::BLOCK_RAW_BYTES_MAX;
use super::column::{NANOS_PER_MILLI, checked_text_column, unescaped};
use super::part::TextKind;
use super::read::Block;
use super::wire::Corrupt;
use crate::event::push_event_id;

/// No field is wanted of a hole.
const NO_FIELD: u32 = u32::MAX;

/// A hole of a skeleton.
#[derive(Clone, Copy)]
struct Hole {
    column: u32,
    /// Which of the wanted fields it is.
    field: u32,
    escaped: bool,
}

/// A field that is in the raw texts: for every skeleton the column that has it.
type FieldColumns = Vec<Option<u32>>;

/// The texts of rows, and where their fields lie.
struct Texts {
    arena: Vec<u8>,
    /// The text of each row; none where texts were not asked for.
    rows: Vec<TextSpan>,
    /// A span a row, for each field.
    fields: Vec<Vec<TextSpan>>,
}

impl Block {
    /// The fields `names` of the rows `rows`, a slot a row; fields that none of them has are left out.
    pub(super) fn pick_rows(
        &self,
        names: &[Arc<str>],
        rows: &[u32],
    ) -> Result<Vec<(Arc<str>, Column)>, Corrupt> {
        if rows.iter().any(|row| *row as usize >= self.rows()) {
            return Err(Corrupt("row outside the block"));
        }
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let in_attributes =
            |name: &str| self.attributes.as_ref().is_some_and(|part| part.columns_of(name).is_some());
        // Meta fields and tags are not in the raw texts, and what attributes may have as well is read one by one.
        let own = |name: &str| !self.is_apart(name) && !in_attributes(name);
        let fields: Vec<Option<FieldColumns>> =
            names.iter().map(|name| own(name).then(|| self.raw.columns_of(name)).flatten()).collect();
        let wanted: Vec<&FieldColumns> = fields.iter().flatten().collect();
        let whole = names.iter().any(|name| &**name == "@rawstring");
        let times = if self.needs_times(names, whole || !wanted.is_empty())? {
            self.times_at(rows)?
        } else {
            Vec::new()
        };
        let texts = self.texts_of(&wanted, whole, rows, &times)?;
        let arena = Arc::new(String::from_utf8(texts.arena).map_err(|_| Corrupt("text is not utf-8"))?);
        let text = |spans: Vec<TextSpan>| {
            Column::Text(TextColumn { arena: Arc::clone(&arena), spans: spans.into() })
        };
        let mut raws = Some(texts.rows);
        let mut spans = texts.fields.into_iter();
        let mut columns = Vec::with_capacity(names.len());
        for (name, field) in names.iter().zip(&fields) {
            let column = if field.is_some() {
                spans.next().filter(|spans| spans.iter().any(|span| *span != TextSpan::MISSING)).map(text)
            } else if &**name == "@rawstring" {
                raws.take().map(text)
            } else if self.is_apart(name) {
                self.pick_apart(name, rows, &times)?
            } else if in_attributes(name) {
                self.pick_column(name, rows)?
            } else {
                None
            };
            columns.extend(column.map(|column| (Arc::clone(name), column)));
        }
        Ok(columns)
    }

    /// The column of raw texts, or of a field that is in them alone, for few rows: what lies between them is not read.
    pub(super) fn picked_column(&self, name: &str, within: &Selection) -> Result<Column, Corrupt> {
        let rows: Vec<u32> = within.iter().map(|row| row as u32).collect();
        let picked = self.pick_rows(&[Arc::from(name)], &rows)?;
        let Some((_, Column::Text(texts))) = picked.into_iter().next() else {
            return Ok(Column::Missing { rows: self.rows() });
        };
        let mut spans = vec![TextSpan::MISSING; self.rows()];
        for (row, span) in rows.iter().zip(texts.spans.iter()) {
            if let Some(slot) = spans.get_mut(*row as usize) {
                *slot = *span;
            }
        }
        Ok(Column::Text(TextColumn { arena: texts.arena, spans: spans.into() }))
    }

    /// The texts of `rows`, if they are wanted `whole`, and the fields `wanted`.
    fn texts_of(
        &self,
        wanted: &[&FieldColumns],
        whole: bool,
        rows: &[u32],
        times: &[i64],
    ) -> Result<Texts, Corrupt> {
        let missing = || vec![TextSpan::MISSING; rows.len()];
        // As long as rows of this block are, and a tenth; a few long ones more make it grow.
        let bytes_a_row = (self.raw_bytes() as usize / self.rows().max(1)).min(BLOCK_RAW_BYTES_MAX) * 11 / 10;
        let mut texts = Texts {
            arena: Vec::with_capacity(if whole {
                (bytes_a_row * rows.len()).min(2 * BLOCK_RAW_BYTES_MAX)
            } else {
                0
            }),
            rows: if whole { missing() } else { Vec::new() },
            fields: wanted.iter().map(|_| missing()).collect(),
        };
        if !whole && wanted.is_empty() {
            return Ok(texts);
        }
        let node = self.raw.skeletons()?;
        let ranks = node.ranks(self.body())?;
        let mut used = vec![whole; node.columns.len()];
        wanted.iter().flat_map(|columns| columns.iter().flatten()).for_each(|column| {
            used.iter_mut().skip(*column as usize).take(1).for_each(|used| *used = true);
        });
        let is_used = |column: u32| used.get(column as usize) == Some(&true);
        let mut values = node.pick_holes(self.body(), rows, Some(times), is_used)?;
        let mut holes: Vec<Option<Vec<Hole>>> = vec![None; node.skeletons.len()];
        let mut escapes: Vec<(u32, usize, usize)> = Vec::new();
        for (at, row) in rows.iter().enumerate() {
            let code = ranks.codes.get(*row as usize).copied().unwrap_or(u32::MAX) as usize;
            let (Some(skeleton), Some(holes)) = (node.skeletons.get(code), holes.get_mut(code)) else {
                return Err(Corrupt("unknown skeleton"));
            };
            let holes = holes.get_or_insert_with(|| self.holes_of(code, &skeleton.columns, wanted));
            let arena = &mut texts.arena;
            let begun = arena.len();
            let mut piece = 0;
            for (hole, end) in holes.iter().zip(&skeleton.ends) {
                if whole {
                    let end = *end as usize;
                    arena.extend_from_slice(skeleton.literal.get(piece..end).unwrap_or_default());
                    piece = end;
                }
                let Some(value) = values.next(hole.column) else { continue };
                let start = arena.len();
                arena.extend_from_slice(value);
                if hole.field == NO_FIELD {
                    continue;
                }
                if hole.escaped && value.contains(&b'\\') {
                    escapes.push((hole.field, start, arena.len()));
                } else {
                    texts.fields.iter_mut().skip(hole.field as usize).take(1).for_each(|spans| {
                        set_span(spans, at, start, arena.len());
                    });
                }
            }
            if whole {
                arena.extend_from_slice(skeleton.literal.get(piece..).unwrap_or_default());
                if self.raw.kinds.get(code) == Some(&TextKind::Bytes) {
                    let lossy = String::from_utf8_lossy(arena.get(begun..).unwrap_or_default()).into_owned();
                    arena.truncate(begun);
                    arena.extend_from_slice(lossy.as_bytes());
                }
                set_span(&mut texts.rows, at, begun, arena.len());
            }
            for (field, start, end) in escapes.drain(..) {
                let meant = unescaped(arena.get(start..end).unwrap_or_default(), true)?;
                let start = arena.len();
                arena.extend_from_slice(meant.as_bytes());
                if let Some(spans) = texts.fields.get_mut(field as usize) {
                    set_span(spans, at, start, arena.len());
                }
            }
        }
        match texts.arena.len() > u32::MAX as usize {
            true => Err(Corrupt("values larger than a block")),
            false => Ok(texts),
        }
    }

    /// The holes of skeleton `code`. Where a field is in several of them, the last counts.
    fn holes_of(&self, code: usize, columns: &[u32], wanted: &[&FieldColumns]) -> Vec<Hole> {
        let field = |column: u32| {
            let at = wanted.iter().position(|columns| columns.get(code).copied().flatten() == Some(column));
            at.map_or(NO_FIELD, |at| at as u32)
        };
        let escaped = |column: u32| self.raw.escaped.get(column as usize) == Some(&true);
        let hole = |column: &u32| Hole { column: *column, field: field(*column), escaped: escaped(*column) };
        columns.iter().map(hole).collect()
    }

    /// Whether the times of rows are needed: as fields, or for texts with times in them.
    fn needs_times(&self, names: &[Arc<str>], texts: bool) -> Result<bool, Corrupt> {
        let asked = names.iter().any(|name| matches!(&**name, "@timestamp" | "@timestamp.nanos"));
        Ok(asked || texts && self.raw.skeletons()?.columns.iter().any(|column| column.is_relative()))
    }

    /// A field that is neither in the texts nor in the attributes.
    fn is_apart(&self, name: &str) -> bool {
        matches!(name, "@timestamp" | "@timestamp.nanos" | "@ingesttimestamp" | "@id")
            || name.starts_with('#')
    }

    /// A meta field that is not in the texts, or a tag.
    fn pick_apart(&self, name: &str, rows: &[u32], times: &[i64]) -> Result<Option<Column>, Corrupt> {
        let ints = |values: Vec<i64>| Column::Ints { values: values.into(), present: None };
        let millis = |nanos: i64| nanos.div_euclid(NANOS_PER_MILLI);
        Ok(match name {
            "@timestamp" => Some(ints(times.iter().map(|time| millis(*time)).collect())),
            "@timestamp.nanos" => {
                Some(ints(times.iter().map(|time| time.rem_euclid(NANOS_PER_MILLI)).collect()))
            }
            "@ingesttimestamp" => Some(ints(self.ingest_at(rows)?.into_iter().map(millis).collect())),
            "@id" => {
                let mut arena = String::with_capacity(rows.len() * 8);
                let mut spans = vec![TextSpan::MISSING; rows.len()];
                for (at, sequence) in self.sequences_at(rows)?.into_iter().enumerate() {
                    let start = arena.len();
                    push_event_id(sequence as u64, &mut arena);
                    set_span(&mut spans, at, start, arena.len());
                }
                Some(checked_text_column(arena.into_bytes(), spans)?)
            }
            _ => self.pick_tag(name, rows)?,
        })
    }

    fn pick_tag(&self, name: &str, rows: &[u32]) -> Result<Option<Column>, Corrupt> {
        let Some(tag) = self.tags()?.get(name) else { return Ok(None) };
        if let Some(value) = tag.constant() {
            return Ok(Some(Column::Constant { value: Value::Text(value.into()), rows: rows.len() }));
        }
        let codes: Vec<u32> = self.tag_codes_at(rows)?.into_iter().map(|set| tag.code(set)).collect();
        let any = codes.iter().any(|code| *code != Dictionary::MISSING);
        let dictionary = Arc::clone(&tag.dictionary);
        Ok(any.then(|| Column::Dictionary { codes: codes.into(), dictionary }))
    }

    /// A field that may come from several parts.
    fn pick_column(&self, name: &str, rows: &[u32]) -> Result<Option<Column>, Corrupt> {
        let mut within = Selection::none(self.rows());
        rows.iter().for_each(|row| within.insert(*row as usize));
        Ok(self.column_of(name, &within)?.copied(rows))
    }
}

fn set_span(spans: &mut [TextSpan], at: usize, start: usize, end: usize) {
    if let Some(slot) = spans.get_mut(at) {
        *slot = TextSpan { start: start as u32, len: (end - start) as u32 };
    }
}
