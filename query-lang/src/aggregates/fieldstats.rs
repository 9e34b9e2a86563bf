//! `fieldstats`: which fields there are, in how many rows, with how many distinct values.

use std::sync::Arc;

use hashbrown::HashMap;

use super::Input;
use super::coding::{SlotCoding, read_slots, write_slots};
use super::distinct::Distinct;
use super::read::each_hash;
use super::slots::{SlotTable, Slots, gather, grow, merge_slots};
use crate::coding::{Coding, DecodeError, Reader, read_text, write_count, write_text, write_varint};
use crate::record::ColumnBuilder;

/// Statistics by field, a slot each.
#[derive(Clone, Debug)]
pub(super) struct FieldStats {
    limit: usize,
    slots: Vec<HashMap<Arc<str>, Field, foldhash::fast::FixedState>>,
}

#[derive(Clone, Debug, Default)]
struct Field {
    count: u64,
    distinct: Distinct,
}

impl FieldStats {
    pub(super) fn new(limit: usize) -> FieldStats {
        FieldStats { limit, slots: Vec::new() }
    }

    pub(super) fn step(&mut self, input: &Input<'_>, slots: &Slots<'_>) {
        grow(&mut self.slots, slots.count);
        for (name, column) in input.columns {
            each_hash(column, input.within, |row, hash| {
                if let Some(fields) = self.slots.get_mut(slots.of(row) as usize) {
                    let field = fields.entry_ref(name).or_default();
                    field.count += 1;
                    field.distinct.insert(hash);
                }
            });
        }
    }

    pub(super) fn merge(&mut self, other: &FieldStats, map: &[u32], count: usize) {
        merge_slots(&mut self.slots, &other.slots, map, count, |mine, theirs| {
            for (name, field) in theirs {
                let mine = mine.entry_ref(name).or_default();
                mine.count += field.count;
                mine.distinct.merge(&field.distinct);
            }
        });
    }

    pub(super) fn gather(&mut self, keep: &[u32]) {
        gather(&mut self.slots, keep);
    }

    pub(super) fn output(&self, count: usize) -> SlotTable {
        let [mut names, mut counts, mut distinct] = [(); 3].map(|()| ColumnBuilder::default());
        let mut rows = Vec::new();
        for (slot, fields) in (0_u32..).zip(self.slots.iter().take(count)) {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by(|a, b| b.1.count.cmp(&a.1.count).then_with(|| a.0.cmp(b.0)));
            for (name, field) in fields.into_iter().take(self.limit) {
                rows.push(slot);
                names.text(name);
                counts.int(i64::try_from(field.count).unwrap_or(i64::MAX));
                distinct.int(i64::try_from(field.distinct.count()).unwrap_or(i64::MAX));
            }
        }
        let columns = [("field", names), ("_count", counts), ("_distinct", distinct)]
            .into_iter()
            .map(|(name, column)| (Arc::from(name), column.finish()))
            .collect();
        SlotTable { slots: rows, columns, order: Vec::new() }
    }

    pub(super) fn bytes(&self) -> usize {
        let field = |field: &Field| field.distinct.heap_bytes();
        self.slots
            .iter()
            .map(|fields| fields.allocation_size() + fields.values().map(field).sum::<usize>())
            .sum()
    }
}

/// A slot is varint fields, and for each in the order of the alphabet its name by what it adds to the one before, varint
/// rows, and its distinct values.
impl SlotCoding for FieldStats {
    fn write(&self, slots: &[u32], out: &mut Vec<u8>) {
        write_slots(&self.slots, slots, out, |fields, out| {
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_unstable_by_key(|(name, _)| *name);
            write_count(sorted.len(), out);
            let mut before = "";
            for (name, field) in sorted {
                write_text(before, name, out);
                write_varint(field.count, out);
                field.distinct.write(out);
                before = name;
            }
        });
    }

    fn read(&mut self, count: usize, from: &mut Reader<'_>) -> Result<(), DecodeError> {
        self.slots = read_slots(count, from, |from| {
            let fields = from.count(3)?;
            let mut slot = HashMap::with_capacity_and_hasher(fields, Default::default());
            let mut name = String::new();
            for _ in 0..fields {
                read_text(&mut name, from)?;
                let field = Field { count: from.rows()?, distinct: Distinct::read(from)? };
                if slot.insert(Arc::from(name.as_str()), field).is_some() {
                    return Err(DecodeError::Damaged("a field is there twice"));
                }
            }
            Ok(slot)
        })?;
        Ok(())
    }
}
