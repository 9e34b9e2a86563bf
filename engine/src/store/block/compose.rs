//! Chosen rows as columns with a slot a row, and their texts as what is composed of those.

use std::sync::Arc;

use weir_query::record::{Column, Composed, Dictionary, Shape, TextColumn, TextSpan};
use weir_query::value::Value;

use super::column::{checked_text_column, unescaped};
use super::node::{Kind, Node, Texts};
use super::part::{Part, TextKind};
use super::pick::{Chosen, Values};
use super::read::Block;
use super::wire::Corrupt;

/// A field that is in the raw texts: for every skeleton the column that has it.
pub(super) type FieldColumns = Vec<Option<u32>>;

/// A dictionary with more values than this for every row is not handed out whole.
const VALUES_A_ROW: usize = 2;

/// Chosen rows of a block.
pub(super) struct Picked<'a> {
    part: &'a Part,
    skeletons: &'a [super::node::Skeleton],
    /// A skeleton a row.
    codes: Vec<u32>,
    /// Those that some row has, ascending.
    used: Vec<u32>,
    /// The values as written in the texts, a slot a row.
    columns: Vec<Column>,
}

impl<'a> Picked<'a> {
    /// The rows `rows` of `block`, which are at `times`: all columns, if their texts are wanted `whole`, else those of
    /// the fields `wanted`.
    pub(super) fn of(
        block: &'a Block,
        wanted: &[&FieldColumns],
        whole: bool,
        rows: &[u32],
        times: &[i64],
    ) -> Result<Picked<'a>, Corrupt> {
        let (part, body) = (&block.raw, block.body());
        let node = part.skeletons()?;
        let codes = node.codes_at(body, rows)?;
        let mut used = codes.clone();
        used.sort_unstable();
        used.dedup();
        let mut asked = vec![whole; node.columns.len()];
        wanted.iter().flat_map(|columns| columns.iter().flatten()).for_each(|column| {
            asked.iter_mut().skip(*column as usize).take(1).for_each(|asked| *asked = true);
        });
        let chosen = node.chosen(body, rows, &codes, |column| asked.get(column as usize) == Some(&true))?;
        let mut picked = Picked { part, skeletons: &node.skeletons, codes, used, columns: Vec::new() };
        for ((number, column), chosen) in (0u32..).zip(&node.columns).zip(chosen) {
            let missing = Column::Missing { rows: rows.len() };
            picked.columns.push(match chosen {
                None => missing,
                Some(Chosen::Each) => picked.column(block, (number, column), rows, None, Some(times))?,
                Some(Chosen::At(at)) => {
                    let own = column.is_relative().then(|| node.times_of(number, &picked.codes, times));
                    let slots = picked.slots(number);
                    picked.column(block, (number, column), &at, Some(&slots), own.as_deref())?
                }
            });
        }
        Ok(picked)
    }

    /// The values of column `number` at `places`, in the rows `slots`, or all.
    fn column(
        &self,
        block: &Block,
        (number, node): (u32, &Node),
        places: &[u32],
        slots: Option<&[u32]>,
        times: Option<&[i64]>,
    ) -> Result<Column, Corrupt> {
        let rows = self.codes.len();
        if let Kind::Constant(value) = &node.kind {
            let value = self.text(number, value.to_vec())?;
            return Ok(match slots {
                None => Column::Constant { value: Value::Text(value.into()), rows },
                Some(slots) => {
                    let span = TextSpan { start: 0, len: value.len() as u32 };
                    let spans = spread(slots.iter().map(|_| span), Some(slots), rows, TextSpan::MISSING);
                    Column::Text(TextColumn { arena: Arc::new(value), spans })
                }
            });
        }
        let escaped = self.is_escaped(number);
        match node.pick_values(block.body(), places, times)? {
            Values::Coded { codes, texts } => {
                let few = texts.len() <= rows.saturating_mul(VALUES_A_ROW);
                let as_it_is = few && !self.is_bytes(number);
                let dictionary = if as_it_is { block.verbatim(node, escaped)? } else { None };
                let Some(dictionary) = dictionary else {
                    let mut each = Texts::default();
                    codes.iter().for_each(|code| each.push(texts.get(*code as usize).unwrap_or_default()));
                    return self.texts(number, each, slots);
                };
                let codes = codes.iter().map(|code| *code as u32);
                Ok(Column::Dictionary { codes: spread(codes, slots, rows, Dictionary::MISSING), dictionary })
            }
            Values::Each(texts) => self.texts(number, texts, slots),
        }
    }

    /// A column of `texts` in the rows `slots`, or all.
    fn texts(&self, number: u32, texts: Texts, slots: Option<&[u32]>) -> Result<Column, Corrupt> {
        let mut texts = texts;
        if self.is_bytes(number) && std::str::from_utf8(&texts.bytes).is_err() {
            let mut lossy = Texts::default();
            for at in 0..texts.len() {
                lossy.push(String::from_utf8_lossy(texts.get(at).unwrap_or_default()).as_bytes());
            }
            texts = lossy;
        }
        if texts.bytes.len() > u32::MAX as usize {
            return Err(Corrupt("values larger than a block"));
        }
        let mut start = 0;
        let spans = texts.ends.iter().map(|end| {
            let span = TextSpan { start, len: end - start };
            start = *end;
            span
        });
        let spans = spread(spans, slots, self.codes.len(), TextSpan::MISSING);
        let arena = String::from_utf8(texts.bytes).map_err(|_| Corrupt("text is not utf-8"))?;
        Ok(Column::Text(TextColumn { arena: Arc::new(arena), spans }))
    }

    fn text(&self, number: u32, value: Vec<u8>) -> Result<String, Corrupt> {
        match self.is_bytes(number) {
            true => Ok(String::from_utf8_lossy(&value).into_owned()),
            false => String::from_utf8(value).map_err(|_| Corrupt("text is not utf-8")),
        }
    }

    /// The values are whole texts that may be anything: what is not UTF-8 is replaced.
    fn is_bytes(&self, number: u32) -> bool {
        let is_bytes = |code: &u32| self.part.kinds.get(*code as usize) == Some(&TextKind::Bytes);
        self.used.iter().any(|code| is_bytes(code) && self.has(*code, number))
    }

    fn is_escaped(&self, number: u32) -> bool {
        self.part.escaped.get(number as usize) == Some(&true)
    }

    /// Whether skeleton `code` has a hole for column `number`.
    fn has(&self, code: u32, number: u32) -> bool {
        self.skeletons.get(code as usize).is_some_and(|skeleton| skeleton.columns.contains(&number))
    }

    /// The rows that have column `number`.
    fn slots(&self, number: u32) -> Vec<u32> {
        let has: Vec<bool> = (0..self.skeletons.len()).map(|code| self.has(code as u32, number)).collect();
        let rows = (0..).zip(&self.codes).filter(|(_, code)| has.get(**code as usize) == Some(&true));
        rows.map(|(row, _)| row).collect()
    }

    /// The texts. All columns were asked for.
    pub(super) fn composed(&self) -> Composed {
        let mut numbers = vec![0; self.skeletons.len()];
        for (number, code) in (0..).zip(&self.used) {
            numbers.iter_mut().skip(*code as usize).take(1).for_each(|slot| *slot = number);
        }
        let shape = |code: &u32| {
            let skeleton = self.skeletons.get(*code as usize).cloned().unwrap_or_default();
            // Pieces are what stands between values of a text.
            let literal = String::from_utf8(skeleton.literal).unwrap_or_default();
            Shape { literal, ends: skeleton.ends, columns: skeleton.columns }
        };
        Composed {
            shapes: self.used.iter().map(shape).collect(),
            codes: self.codes.iter().filter_map(|code| numbers.get(*code as usize).copied()).collect(),
            columns: self.columns.clone(),
        }
    }

    /// The field that is in the columns `field`; `None` when no row has it.
    pub(super) fn field(&self, field: &FieldColumns) -> Result<Option<Column>, Corrupt> {
        let own = |code: u32| field.get(code as usize).copied().flatten();
        let mut numbers: Vec<u32> = self.used.iter().filter_map(|code| own(*code)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        // A column is the field where it is in no text beside the one that counts.
        let is_whole =
            |number: u32| self.used.iter().all(|code| own(*code) == Some(number) || !self.has(*code, number));
        match numbers.as_slice() {
            [] => Ok(None),
            [number] if is_whole(*number) => self.meant(*number).map(Some),
            several => {
                let parts = several.iter().map(|number| self.meant(*number));
                let parts: Vec<Column> = parts.collect::<Result<_, Corrupt>>()?;
                let at = |row: usize| {
                    let number = own(*self.codes.get(row)?)?;
                    Some((several.binary_search(&number).ok()?, row))
                };
                Ok(Some(Column::weave(&parts, self.codes.len(), at)))
            }
        }
    }

    /// What the values of column `number` mean.
    fn meant(&self, number: u32) -> Result<Column, Corrupt> {
        let column = self.columns.get(number as usize).ok_or(Corrupt("hole without a column"))?;
        if !self.is_escaped(number) {
            return Ok(column.clone());
        }
        match column {
            Column::Constant { value: Value::Text(value), rows } => {
                Ok(Column::constant(&unescaped(value.as_bytes(), true)?, *rows))
            }
            Column::Text(text) if text.arena.contains('\\') => {
                let (mut arena, mut spans) = (Vec::with_capacity(text.arena.len()), Vec::new());
                for row in 0..text.spans.len() {
                    let start = arena.len();
                    spans.push(match text.get(row) {
                        None => TextSpan::MISSING,
                        Some(value) => {
                            arena.extend_from_slice(unescaped(value.as_bytes(), true)?.as_bytes());
                            TextSpan { start: start as u32, len: (arena.len() - start) as u32 }
                        }
                    });
                }
                checked_text_column(arena, spans)
            }
            // A dictionary is one only where its texts are what they mean.
            same => Ok(same.clone()),
        }
    }
}

/// `values` in the rows `slots` of `rows`, or all of them, and `missing` in the others.
fn spread<T: Copy>(
    values: impl Iterator<Item = T>,
    slots: Option<&[u32]>,
    rows: usize,
    missing: T,
) -> Arc<[T]> {
    let Some(slots) = slots else { return values.collect() };
    let mut spread = vec![missing; rows];
    for (value, slot) in values.zip(slots) {
        spread.iter_mut().skip(*slot as usize).take(1).for_each(|own| *own = value);
    }
    spread.into()
}
