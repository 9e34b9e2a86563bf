//! `stats` and `[a(), b()]`: the product of the rows of several functions.

use super::body::{Body, Run};
use super::coding::SlotCoding;
use super::counts::all_slots;
use super::read::Range;
use super::slots::{NO_SLOT, SlotTable, Slots};
use super::spec::AggregateSpec;
use super::tally::{Coded, Wanted};
use super::{Input, Pipelines, Source};
use crate::coding::{DecodeError, Reader};
use crate::machine::{Context, StepError};

/// Several functions over the same slots.
#[derive(Clone, Debug)]
pub(super) struct Product {
    parts: Vec<Body>,
}

impl Product {
    pub(super) fn new(list: &[AggregateSpec], context: &Context, source: Source) -> Product {
        Product { parts: list.iter().map(|spec| Body::new(spec, context, source)).collect() }
    }

    pub(super) fn step(
        &mut self,
        input: &Input<'_>,
        slots: &Slots<'_>,
        pipelines: &mut dyn Pipelines,
    ) -> Result<(), StepError> {
        self.parts.iter_mut().try_for_each(|part| part.step(input, slots, pipelines))
    }

    /// What a tally has to hold to be all that the functions learn; `None` when none can.
    pub(super) fn wanted(&self) -> Option<Wanted<'_>> {
        let mut all: Option<Wanted<'_>> = None;
        for part in self.parts.iter().filter(|part| !part.counts_rows()) {
            let own = part.wanted()?;
            let ranges = own.ranges || all.is_some_and(|all| all.ranges);
            if all.is_some_and(|all| all.field != own.field) {
                return None;
            }
            all = Some(Wanted { ranges, ..own });
        }
        all
    }

    /// As [`Body::seen`].
    pub(super) fn seen(&self, slot: usize) -> Range {
        // Functions of one field have seen the same, or do not keep it.
        let ranges = self.parts.iter().map(|part| part.seen(slot));
        ranges.into_iter().find(|range| range.ends().is_some()).unwrap_or(Range::NONE)
    }

    /// As [`Body::absorb`].
    pub(super) fn absorb(&mut self, coded: &Coded<'_>) {
        self.parts.iter_mut().for_each(|part| part.absorb(coded));
    }

    pub(super) fn merge(&mut self, other: &Product, map: &[u32], count: usize) {
        for (mine, theirs) in self.parts.iter_mut().zip(&other.parts) {
            mine.merge(theirs, map, count);
        }
    }

    pub(super) fn gather(&mut self, keep: &[u32]) {
        self.parts.iter_mut().for_each(|part| part.gather(keep));
    }

    /// As [`Body::clear`].
    pub(super) fn clear(&mut self) {
        self.parts.iter_mut().for_each(Body::clear);
    }

    /// As [`Body::narrow`].
    pub(super) fn narrow(&mut self, threshold: u64) {
        self.parts.iter_mut().for_each(|part| part.narrow(threshold));
    }

    /// As [`Body::threshold`].
    pub(super) fn threshold(&self) -> Option<u64> {
        self.parts.iter().filter_map(Body::threshold).max()
    }

    pub(super) fn output(&self, count: usize, run: &mut Run<'_>) -> Result<SlotTable, StepError> {
        let mut product = SlotTable { slots: all_slots(count), columns: Vec::new(), order: Vec::new() };
        for part in &self.parts {
            let right = part.output(count, run)?;
            product = cross(&product, &right, count);
        }
        Ok(product)
    }

    pub(super) fn bytes(&self) -> usize {
        self.parts.iter().map(Body::bytes).sum()
    }
}

/// The states of each function, one after another.
impl SlotCoding for Product {
    fn write(&self, slots: &[u32], out: &mut Vec<u8>) {
        self.parts.iter().for_each(|part| part.write(slots, out));
    }

    fn read(&mut self, count: usize, from: &mut Reader<'_>) -> Result<(), DecodeError> {
        self.parts.iter_mut().try_for_each(|part| part.read(count, from))
    }
}

/// Every row of `left` with every row of `right` in the same slot; a slot without rows on the right keeps its rows
/// on the left. `left` has a row for every slot.
fn cross(left: &SlotTable, right: &SlotTable, count: usize) -> SlotTable {
    let starts = right.starts(count);
    let (mut lefts, mut rights, mut slots) = (Vec::new(), Vec::new(), Vec::new());
    for (row, slot) in (0_u32..).zip(&left.slots) {
        let mut add = |pick: u32| {
            lefts.push(row);
            rights.push(pick);
            slots.push(*slot);
        };
        match (starts.get(*slot as usize), starts.get(*slot as usize + 1)) {
            (Some(start), Some(end)) if start < end => (*start..*end).for_each(add),
            _ => add(NO_SLOT),
        }
    }
    let mut table = left.gather(&lefts, slots);
    let right = right.gather(&rights, Vec::new());
    for (name, column) in right.columns {
        // The plan refuses two functions that write one field; were they to meet here, the later one wins.
        table.columns.retain(|(have, _)| *have != name);
        table.columns.push((name, column));
    }
    table.order.clear();
    table
}
