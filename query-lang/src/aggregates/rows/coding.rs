//! Kept rows as bytes.
//!
//! ```text
//! varint names; each in the order of the alphabet by what it adds to the one before; of rows of a table also varint
//!        where in its input it stood first
//! varint a slot: how many rows it has
//! a row, in the order of slots and ranks: its place, its sort keys
//! a name: the texts that rows have in that field, a column of all rows
//! ```
//!
//! Rows that the result would leave out are left out, and so are names that none of the others has.

use std::sync::Arc;

use super::{Kept, RowStore, Slot};
use crate::aggregates::Source;
use crate::aggregates::coding::SlotCoding;
use crate::aggregates::spec::RowOrder;
use crate::coding::{
    DecodeError, Places, Reader, SHORT, read_cells, read_text, write_cells, write_count, write_text,
    write_varint,
};
use crate::value::SortKey;

/// A name that is written: its number, and its texts by row.
type Named<'a> = (u32, Vec<(usize, &'a str)>);

impl SlotCoding for RowStore {
    fn write(&self, slots: &[u32], out: &mut Vec<u8>) {
        let cut = |slot: &u32| {
            let mut slot = self.slots.get(*slot as usize).cloned().unwrap_or_default();
            slot.cut(&self.spec, &self.names, true);
            slot.rows
        };
        let slots: Vec<Vec<Kept>> = slots.iter().map(cut).collect();
        let rows: Vec<&Kept> = slots.iter().flatten().collect();
        let named = self.named(&rows);
        write_count(named.len(), out);
        let mut before = "";
        for (number, _) in &named {
            let Some((name, position)) = self.names.list.get(*number as usize) else { continue };
            write_text(before, name, out);
            if self.source == Source::Table {
                write_varint((*position).into(), out);
            }
            before = name;
        }
        slots.iter().for_each(|rows| write_count(rows.len(), out));
        let mut places = Places::default();
        for row in &rows {
            places.write(row.place, out);
            row.keys.iter().for_each(|key| key.write(out));
        }
        for (_, cells) in named {
            write_cells(cells.into_iter(), rows.len(), out);
        }
    }

    fn read(&mut self, count: usize, from: &mut Reader<'_>) -> Result<(), DecodeError> {
        let names = self.read_names(from)?;
        let mut sizes = Vec::with_capacity(from.fits(count as u64, 1)?);
        let mut all = 0_u64;
        for _ in 0..count {
            let size = from.count(Places::LEAST)?;
            if size > self.spec.limit.max(1) {
                return Err(DecodeError::Damaged("more rows than are kept"));
            }
            all = all.saturating_add(size as u64);
            sizes.push(size);
        }
        let all = from.fits(all, Places::LEAST)?;
        let mut places = Places::default();
        let mut rows = Vec::with_capacity(all);
        for _ in 0..all {
            let place = places.read(from)?;
            let keys = match &self.spec.order {
                RowOrder::By(fields) => {
                    fields.iter().map(|field| SortKey::read(field.kind, from)).collect::<Result<_, _>>()?
                }
                _ => Default::default(),
            };
            rows.push(Row {
                kept: Kept { keys, place, ..Kept::default() },
                fields: Vec::new(),
                text: String::new(),
            });
        }
        for name in names {
            read_cells(all, from, |row, text| {
                if let Some(row) = rows.get_mut(row) {
                    row.push(name, text);
                }
            })?;
        }
        let mut rows = rows.into_iter().map(Row::finish);
        for size in sizes {
            let rows: Vec<Kept> = rows.by_ref().take(size).collect();
            let mut slot = Slot { bytes: rows.iter().map(Kept::bytes).sum(), rows, bound: None };
            slot.cut(&self.spec, &self.names, true);
            self.slots.push(slot);
        }
        Ok(())
    }
}

/// A row that is being read.
struct Row {
    kept: Kept,
    fields: Vec<(u32, u32)>,
    text: String,
}

impl Row {
    fn push(&mut self, name: u32, text: &str) {
        self.text.push_str(text);
        self.fields.push((name, u32::try_from(self.text.len()).unwrap_or(u32::MAX)));
    }

    fn finish(self) -> Kept {
        Kept { fields: self.fields.into(), text: self.text.into(), ..self.kept }
    }
}

impl RowStore {
    /// The names that some of `rows` has, in the order of the alphabet, with its texts.
    fn named<'a>(&self, rows: &[&'a Kept]) -> Vec<Named<'a>> {
        let mut named: Vec<Named<'a>> =
            (0_u32..).take(self.names.list.len()).map(|name| (name, Vec::new())).collect();
        for (at, row) in rows.iter().enumerate() {
            for (name, text) in row.values() {
                if let Some((_, cells)) = named.get_mut(name as usize) {
                    cells.push((at, text));
                }
            }
        }
        named.retain(|(_, cells)| !cells.is_empty());
        named.sort_by_key(|(name, _)| self.names.list.get(*name as usize).map(|(name, _)| name));
        named
    }

    /// The numbers that the names have here.
    fn read_names(&mut self, from: &mut Reader<'_>) -> Result<Vec<u32>, DecodeError> {
        let count = from.count(1)?;
        let mut numbers = Vec::with_capacity(count);
        let (mut name, mut before) = (String::new(), None);
        for _ in 0..count {
            read_text(&mut name, from)?;
            if before.as_ref().is_some_and(|before| *before >= name) {
                return Err(DecodeError::Damaged("names are out of order"));
            }
            before = Some(name.clone());
            // Where a field of events stood is not asked for.
            let position = match self.source {
                Source::Table => u32::try_from(from.varint()?).map_err(|_| SHORT)?,
                Source::Events => u32::MAX,
            };
            numbers.push(self.names.number(&Arc::from(name.as_str()), position));
        }
        Ok(numbers)
    }
}
