//! `linReg`: the least-squares line through two fields, from exact moments.

use std::sync::Arc;

use super::Input;
use super::coding::{SlotCoding, read_slots, write_slots};
use super::numbers::{add_factor, add_product};
use super::slots::{SlotTable, Slots, gather, grow, merge_slots};
use super::spec::LinRegSpec;
use crate::coding::{Coding, DecodeError, Reader, checked_rows, write_varint};
use crate::record::ColumnBuilder;
use crate::value::big::Big;
use crate::value::{ExactSum, Number, ValueRef};

/// Moments, a slot each.
#[derive(Clone, Debug)]
pub(super) struct LinReg {
    spec: LinRegSpec,
    states: Vec<Line>,
}

#[derive(Clone, Debug, Default)]
struct Line {
    count: u64,
    x: ExactSum,
    y: ExactSum,
    xx: ExactSum,
    xy: ExactSum,
    yy: ExactSum,
    beyond: bool,
}

impl Line {
    fn add(&mut self, x: Number, y: Number) {
        self.count += 1;
        add_factor(&mut self.x, x);
        add_factor(&mut self.y, y);
        self.beyond |= !add_product(&mut self.xx, x, x);
        self.beyond |= !add_product(&mut self.xy, x, y);
        self.beyond |= !add_product(&mut self.yy, y, y);
    }

    fn merge(&mut self, other: &Line) {
        self.count += other.count;
        self.x.merge(&other.x);
        self.y.merge(&other.y);
        self.xx.merge(&other.xx);
        self.xy.merge(&other.xy);
        self.yy.merge(&other.yy);
        self.beyond |= other.beyond;
    }

    /// Slope, intercept and r squared; none when all x are equal.
    fn fit(&self) -> Option<[f64; 3]> {
        let count = Big::new(i128::from(self.count), 0);
        let spread = |product: &ExactSum, a: &ExactSum, b: &ExactSum| {
            product.total().multiply(&count).subtract(&a.total().multiply(&b.total()))
        };
        let (xx, xy) = (spread(&self.xx, &self.x, &self.x), spread(&self.xy, &self.x, &self.y));
        let yy = spread(&self.yy, &self.y, &self.y);
        if self.beyond || xx.is_zero() {
            return None;
        }
        let slope = xy.to_f64() / xx.to_f64();
        let mean = |sum: &ExactSum| sum.mean(self.count).map_or(0.0, Number::to_f64);
        let r2 = if yy.is_zero() { 1.0 } else { slope * (xy.to_f64() / yy.to_f64()) };
        Some([slope, slope.mul_add(-mean(&self.x), mean(&self.y)), r2])
    }

    fn heap_bytes(&self) -> usize {
        [&self.x, &self.y, &self.xx, &self.xy, &self.yy].iter().map(|sum| sum.heap_bytes()).sum()
    }
}

impl LinReg {
    pub(super) fn new(spec: &LinRegSpec) -> LinReg {
        LinReg { spec: spec.clone(), states: Vec::new() }
    }

    pub(super) fn step(&mut self, input: &Input<'_>, slots: &Slots<'_>) {
        grow(&mut self.states, slots.count);
        let (x, y) = (input.column(&self.spec.x), input.column(&self.spec.y));
        for row in input.within.iter() {
            let numbers = x.get(row).and_then(ValueRef::number).zip(y.get(row).and_then(ValueRef::number));
            if let (Some((x, y)), Some(state)) = (numbers, self.states.get_mut(slots.of(row) as usize)) {
                state.add(x, y);
            }
        }
    }

    pub(super) fn merge(&mut self, other: &LinReg, map: &[u32], count: usize) {
        merge_slots(&mut self.states, &other.states, map, count, Line::merge);
    }

    pub(super) fn gather(&mut self, keep: &[u32]) {
        gather(&mut self.states, keep);
    }

    pub(super) fn output(&self, count: usize) -> SlotTable {
        let mut columns = [(); 4].map(|()| ColumnBuilder::default());
        let mut slots = Vec::new();
        for (slot, state) in
            (0_u32..).zip(self.states.iter().take(count)).filter(|(_, state)| state.count > 0)
        {
            slots.push(slot);
            let [slope, intercept, r2, n] = &mut columns;
            let fit = state.fit();
            for (column, at) in [slope, intercept, r2].into_iter().zip(0..) {
                let value = fit.as_ref().and_then(|fit| fit.get(at)).filter(|value| value.is_finite());
                column.push(value.map(|value| ValueRef::Float(*value)));
            }
            n.int(i64::try_from(state.count).unwrap_or(i64::MAX));
        }
        let name = |suffix: &str| Arc::from(format!("{}{suffix}", self.spec.prefix));
        let names = ["_slope", "_intercept", "_r2", "_n"].map(name);
        let columns = names.into_iter().zip(columns.map(ColumnBuilder::finish)).collect();
        SlotTable { slots, columns, order: Vec::new() }
    }

    pub(super) fn bytes(&self) -> usize {
        self.states.iter().map(|state| size_of::<Line>() + state.heap_bytes()).sum()
    }
}

/// A slot is varint (count << 1 | was a product beyond the doubles), and unless the count is 0 its sums.
impl SlotCoding for LinReg {
    fn write(&self, slots: &[u32], out: &mut Vec<u8>) {
        write_slots(&self.states, slots, out, Line::write);
    }

    fn read(&mut self, count: usize, from: &mut Reader<'_>) -> Result<(), DecodeError> {
        self.states = read_slots(count, from, Line::read)?;
        Ok(())
    }
}

impl Coding for Line {
    fn write(&self, out: &mut Vec<u8>) {
        write_varint(self.count << 1 | u64::from(self.beyond), out);
        if self.count > 0 {
            [&self.x, &self.y, &self.xx, &self.xy, &self.yy].iter().for_each(|sum| sum.write(out));
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Line, DecodeError> {
        let head = from.varint()?;
        let mut line = Line { count: checked_rows(head >> 1)?, beyond: head & 1 == 1, ..Line::default() };
        if line.count > 0 {
            for sum in [&mut line.x, &mut line.y, &mut line.xx, &mut line.xy, &mut line.yy] {
                *sum = ExactSum::read(from)?;
            }
        }
        Ok(line)
    }
}
