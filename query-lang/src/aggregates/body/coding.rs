//! The states of an aggregate as bytes: those of its kind, and nothing that its spec tells.

use super::Body;
use crate::aggregates::coding::SlotCoding;
use crate::coding::{DecodeError, Reader};

impl SlotCoding for Body {
    fn write(&self, slots: &[u32], out: &mut Vec<u8>) {
        match self {
            Body::Counts(states) => states.write(slots, out),
            Body::Distinct(states) => states.write(slots, out),
            Body::Numbers(states) => states.write(slots, out),
            Body::Percentiles(states) => states.write(slots, out),
            Body::LinReg(states) => states.write(slots, out),
            Body::Rates(states) => states.write(slots, out),
            Body::Series(states) => states.write(slots, out),
            Body::Sessions(states) => states.write(slots, out),
            Body::Groups(states) => states.write(slots, out),
            Body::Top(states) => states.write(slots, out),
            Body::Buckets(states) => states.write(slots, out),
            Body::Collect(states) => states.write(slots, out),
            Body::SelectLast(states) => states.write(slots, out),
            Body::SelectFrom(states) => states.write(slots, out),
            Body::Rows(states) => states.write(slots, out),
            Body::FieldStats(states) => states.write(slots, out),
            Body::Product(states) => states.write(slots, out),
            Body::Chain(states) => states.write(slots, out),
        }
    }

    fn read(&mut self, count: usize, from: &mut Reader<'_>) -> Result<(), DecodeError> {
        match self {
            Body::Counts(states) => states.read(count, from),
            Body::Distinct(states) => states.read(count, from),
            Body::Numbers(states) => states.read(count, from),
            Body::Percentiles(states) => states.read(count, from),
            Body::LinReg(states) => states.read(count, from),
            Body::Rates(states) => states.read(count, from),
            Body::Series(states) => states.read(count, from),
            Body::Sessions(states) => states.read(count, from),
            Body::Groups(states) => states.read(count, from),
            Body::Top(states) => states.read(count, from),
            Body::Buckets(states) => states.read(count, from),
            Body::Collect(states) => states.read(count, from),
            Body::SelectLast(states) => states.read(count, from),
            Body::SelectFrom(states) => states.read(count, from),
            Body::Rows(states) => states.read(count, from),
            Body::FieldStats(states) => states.read(count, from),
            Body::Product(states) => states.read(count, from),
            Body::Chain(states) => states.read(count, from),
        }
    }
}
