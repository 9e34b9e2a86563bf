//! `counterAsRate`: how fast a counter grows, from its first value to its last.
//!
//! A counter that was set back somewhere has no rate. That is seen where a value is below the first or above the last; a
//! counter that was set back and has overtaken its first value since is taken for one that grew slowly.

use super::Input;
use super::coding::{SlotCoding, read_slots, write_slots};
use super::slots::{SlotTable, Slots, gather, grow, merge_slots};
use super::spec::RateSpec;
use super::{TIMESTAMP, read::each_number};
use crate::coding::{Coding, DecodeError, Reader, write_signed};
use crate::record::{ColumnBuilder, Selection};
use crate::value::{Number, ValueRef};

/// Counters, a slot each.
#[derive(Clone, Debug)]
pub(super) struct Rates {
    spec: RateSpec,
    states: Vec<Option<Counter>>,
}

/// Its first and its last value, each with its time in milliseconds, and the bounds of all.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Counter {
    first: (i64, Number),
    last: (i64, Number),
    least: Number,
    greatest: Number,
}

impl Counter {
    fn of(millis: i64, value: Number) -> Counter {
        Counter { first: (millis, value), last: (millis, value), least: value, greatest: value }
    }

    fn add(&mut self, other: &Counter) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.least = self.least.min(other.least);
        self.greatest = self.greatest.max(other.greatest);
    }

    /// Per second; none where no time passes or it was set back.
    fn rate(&self) -> Option<Number> {
        let grows = self.least >= self.first.1 && self.greatest <= self.last.1;
        let millis = self.last.0.checked_sub(self.first.0).filter(|millis| *millis > 0 && grows)?;
        self.last.1.subtract(self.first.1)?.multiply(Number::Int(1_000))?.divide(Number::Int(millis))
    }
}

fn join(mine: &mut Option<Counter>, theirs: &Counter) {
    match mine {
        Some(mine) => mine.add(theirs),
        None => *mine = Some(*theirs),
    }
}

impl Rates {
    pub(super) fn new(spec: &RateSpec) -> Rates {
        Rates { spec: spec.clone(), states: Vec::new() }
    }

    pub(super) fn step(&mut self, input: &Input<'_>, slots: &Slots<'_>) {
        grow(&mut self.states, slots.count);
        let times = input.column(TIMESTAMP);
        let within: &Selection = input.within;
        each_number(&input.column(&self.spec.field), within, |row, value| {
            let millis = times.get(row).and_then(ValueRef::number).and_then(Number::truncate);
            if let (Some(millis), Some(state)) = (millis, self.states.get_mut(slots.of(row) as usize)) {
                join(state, &Counter::of(millis, value));
            }
        });
    }

    pub(super) fn merge(&mut self, other: &Rates, map: &[u32], count: usize) {
        merge_slots(&mut self.states, &other.states, map, count, |mine, theirs| {
            theirs.iter().for_each(|theirs| join(mine, theirs));
        });
    }

    pub(super) fn gather(&mut self, keep: &[u32]) {
        gather(&mut self.states, keep);
    }

    pub(super) fn output(&self, count: usize) -> SlotTable {
        let (mut column, mut slots) = (ColumnBuilder::default(), Vec::new());
        for (slot, state) in (0_u32..).zip(self.states.iter().take(count)) {
            if let Some(rate) = state.as_ref().and_then(Counter::rate) {
                column.push(Some(rate.to_value().borrow()));
                slots.push(slot);
            }
        }
        SlotTable { slots, columns: vec![(self.spec.output.clone(), column.finish())], order: Vec::new() }
    }

    pub(super) fn bytes(&self) -> usize {
        self.states.capacity() * size_of::<Option<Counter>>()
    }
}

/// A slot is its first value, or no number, and where there is one the time of it, the last value and its time, and the
/// least and the greatest.
impl SlotCoding for Rates {
    fn write(&self, slots: &[u32], out: &mut Vec<u8>) {
        write_slots(&self.states, slots, out, |state, out| {
            state.map(|counter| counter.first.1).write(out);
            let Some(counter) = state else { return };
            write_signed(counter.first.0, out);
            [counter.last.1, counter.least, counter.greatest]
                .iter()
                .for_each(|value| Some(*value).write(out));
            write_signed(counter.last.0, out);
        });
    }

    fn read(&mut self, count: usize, from: &mut Reader<'_>) -> Result<(), DecodeError> {
        self.states = read_slots(count, from, |from| {
            let Some(first) = Option::<Number>::read(from)? else { return Ok(None) };
            let millis = from.signed()?;
            let mut number =
                || Option::<Number>::read(from)?.ok_or(DecodeError::Damaged("a counter without a value"));
            let (last, least, greatest) = (number()?, number()?, number()?);
            let last = (from.signed()?, last);
            Ok(Some(Counter { first: (millis, first), last, least, greatest }))
        })?;
        Ok(())
    }
}
