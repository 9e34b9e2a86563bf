//! `count()`, `count(field)` and `count(field, distinct=true)`.

use super::Input;
use super::coding::{SlotCoding, read_slots, write_slots};
use super::distinct::Distinct;
use super::read::each_distinct_hash;
use super::slots::{SlotTable, Slots, gather, grow, merge_slots};
use super::spec::CountSpec;
use super::tally::Coded;
use crate::coding::{Coding, DecodeError, Reader, write_varint};
use crate::record::ColumnBuilder;

/// Counts, a slot each.
#[derive(Clone, Debug)]
pub(super) struct Counts {
    spec: CountSpec,
    counts: Vec<u64>,
}

impl Counts {
    pub(super) fn new(spec: &CountSpec) -> Counts {
        Counts { spec: spec.clone(), counts: Vec::new() }
    }

    pub(super) fn step(&mut self, input: &Input<'_>, slots: &Slots<'_>) {
        grow(&mut self.counts, slots.count);
        let chosen = match &self.spec.field {
            Some(field) => &input.column(field).present(input.within),
            None => input.within,
        };
        if let (Some(slot), None) = (slots.single(), input.weights) {
            if let Some(count) = self.counts.get_mut(slot as usize) {
                *count += chosen.count() as u64;
            }
            return;
        }
        for row in chosen.iter() {
            if let Some(count) = self.counts.get_mut(slots.of(row) as usize) {
                *count += input.weight(row);
            }
        }
    }

    /// They are of rows, whatever fields these have.
    pub(super) fn are_of_rows(&self) -> bool {
        self.spec.field.is_none()
    }

    /// Adds so many rows of each code to the slot that it stands for.
    pub(super) fn absorb(&mut self, coded: &Coded<'_>) {
        grow(&mut self.counts, coded.count);
        for (rows, slot) in coded.rows.iter().zip(coded.map) {
            if let Some(count) = self.counts.get_mut(*slot as usize) {
                *count += u64::from(*rows);
            }
        }
    }

    pub(super) fn merge(&mut self, other: &Counts, map: &[u32], count: usize) {
        merge_slots(&mut self.counts, &other.counts, map, count, |mine, theirs| *mine += theirs);
    }

    pub(super) fn gather(&mut self, keep: &[u32]) {
        gather(&mut self.counts, keep);
    }

    pub(super) fn output(&self, count: usize) -> SlotTable {
        let at = |slot: usize| self.counts.get(slot).copied().unwrap_or(0);
        count_table(&self.spec, count, at)
    }

    pub(super) fn bytes(&self) -> usize {
        self.counts.capacity() * size_of::<u64>()
    }
}

/// A varint a slot.
impl SlotCoding for Counts {
    fn write(&self, slots: &[u32], out: &mut Vec<u8>) {
        write_slots(&self.counts, slots, out, |count, out| write_varint(*count, out));
    }

    fn read(&mut self, count: usize, from: &mut Reader<'_>) -> Result<(), DecodeError> {
        self.counts = read_slots(count, from, |from| from.rows())?;
        Ok(())
    }
}

/// A table of one count a slot.
pub(super) fn count_table(spec: &CountSpec, count: usize, at: impl Fn(usize) -> u64) -> SlotTable {
    let mut column = ColumnBuilder::with_capacity(count);
    for slot in 0..count {
        column.int(i64::try_from(at(slot)).unwrap_or(i64::MAX));
    }
    let columns = vec![(spec.output.clone(), column.finish())];
    SlotTable { slots: all_slots(count), columns, order: Vec::new() }
}

/// Every slot once.
pub(super) fn all_slots(count: usize) -> Vec<u32> {
    (0..u32::try_from(count).unwrap_or(u32::MAX)).collect()
}

/// Counts of distinct values, a slot each.
#[derive(Clone, Debug)]
pub(super) struct DistinctCounts {
    spec: CountSpec,
    sets: Vec<Distinct>,
}

impl DistinctCounts {
    pub(super) fn new(spec: &CountSpec) -> DistinctCounts {
        DistinctCounts { spec: spec.clone(), sets: Vec::new() }
    }

    pub(super) fn step(&mut self, input: &Input<'_>, slots: &Slots<'_>) {
        grow(&mut self.sets, slots.count);
        let Some(field) = &self.spec.field else { return };
        each_distinct_hash(&input.column(field), input.within, slots, |slot, hashes| {
            if let Some(set) = self.sets.get_mut(slot as usize) {
                set.extend(hashes);
            }
        });
    }

    pub(super) fn merge(&mut self, other: &DistinctCounts, map: &[u32], count: usize) {
        merge_slots(&mut self.sets, &other.sets, map, count, Distinct::merge);
    }

    pub(super) fn gather(&mut self, keep: &[u32]) {
        gather(&mut self.sets, keep);
    }

    pub(super) fn output(&self, count: usize, warnings: &mut Vec<String>) -> SlotTable {
        if self.sets.iter().any(|set| !set.is_exact()) {
            warnings
                .push(format!("{}: distinct counts are estimated (standard error 0.8 %)", self.spec.output));
        }
        count_table(&self.spec, count, |slot| self.sets.get(slot).map_or(0, Distinct::count))
    }

    pub(super) fn bytes(&self) -> usize {
        self.sets.iter().map(|set| size_of::<Distinct>() + set.heap_bytes()).sum()
    }
}

/// A set a slot.
impl SlotCoding for DistinctCounts {
    fn write(&self, slots: &[u32], out: &mut Vec<u8>) {
        write_slots(&self.sets, slots, out, Distinct::write);
    }

    fn read(&mut self, count: usize, from: &mut Reader<'_>) -> Result<(), DecodeError> {
        self.sets = read_slots(count, from, Distinct::read)?;
        Ok(())
    }
}
