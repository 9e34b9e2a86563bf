//! Whole rows, few of many: every value is decoded once, into the column of its field, and the texts are composed of
//! those columns when somebody looks at them.

use std::ops::Range;
use std::sync::Arc;

use weir_query::record::{Column, Dictionary, Selection, TextColumn, TextSpan, UnwrittenText};

use super::column::{NANOS_PER_MILLI, checked_text_column};
use super::compose::{FieldColumns, Picked};
use super::read::Block;
use super::wire::Corrupt;
use crate::event::push_event_id;

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
        let texts = match whole || !wanted.is_empty() {
            true => Some(Picked::of(self, &wanted, whole, rows, &times)?),
            false => None,
        };
        let mut columns = Vec::with_capacity(names.len());
        for (name, field) in names.iter().zip(&fields) {
            let column = if let Some(field) = field {
                texts.as_ref().map(|texts| texts.field(field)).transpose()?.flatten()
            } else if &**name == "@rawstring" {
                let composed = texts.as_ref().map(|texts| UnwrittenText::new(Arc::new(texts.composed())));
                composed.map(Column::Unwritten)
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
    pub(super) fn picked_column(
        &self,
        name: &str,
        within: &Selection,
        rows: &Range<usize>,
    ) -> Result<Column, Corrupt> {
        let wanted: Vec<u32> = within.iter().map(|row| row as u32).collect();
        let picked = self.pick_rows(&[Arc::from(name)], &wanted)?;
        let Some((_, column)) = picked.into_iter().next() else {
            return Ok(Column::Missing { rows: rows.len() });
        };
        let mut at = vec![u32::MAX; rows.len()];
        for (slot, row) in (0..).zip(&wanted) {
            at.iter_mut().skip(*row as usize - rows.start).take(1).for_each(|at| *at = slot);
        }
        Ok(match column.written() {
            Column::Text(texts) => {
                let span = |at: &u32| texts.spans.get(*at as usize).copied().unwrap_or(TextSpan::MISSING);
                Column::Text(TextColumn { spans: at.iter().map(span).collect(), arena: texts.arena })
            }
            Column::Dictionary { codes, dictionary } => {
                let code = |at: &u32| codes.get(*at as usize).copied().unwrap_or(Dictionary::MISSING);
                Column::Dictionary { codes: at.iter().map(code).collect(), dictionary }
            }
            // One for all rows that are asked for.
            Column::Constant { value, .. } => Column::Constant { value, rows: rows.len() },
            other => {
                let place =
                    |row: usize| at.get(row).filter(|at| **at != u32::MAX).map(|at| (0, *at as usize));
                Column::weave(&[other], rows.len(), place)
            }
        })
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

    /// A field that may come from several parts.
    fn pick_column(&self, name: &str, rows: &[u32]) -> Result<Option<Column>, Corrupt> {
        let mut within = Selection::none(self.rows());
        rows.iter().for_each(|row| within.insert(*row as usize));
        Ok(self.column_of(name, &within, &(0..self.rows()))?.copied(rows))
    }
}

fn set_span(spans: &mut [TextSpan], at: usize, start: usize, end: usize) {
    if let Some(slot) = spans.get_mut(at) {
        *slot = TextSpan { start: start as u32, len: (end - start) as u32 };
    }
}
