//! Distinct values in the order they were first seen, as bytes.
//!
//! ```text
//! slot     varint sets
//! set      varint (values << 1 | were there more than the limit), then the values, those first seen first
//! value    its place, and one text for each of its fields, or that it has none
//! ```
//!
//! Of more values than the limit those are written that the result would tell.

use super::{Collect, FirstSeen, Slot};
use crate::aggregates::coding::{SlotCoding, read_slots, write_slots};
use crate::coding::{DecodeError, Places, Reader, read_option, write_count, write_option, write_varint};

impl SlotCoding for Collect {
    fn write(&self, slots: &[u32], out: &mut Vec<u8>) {
        let limit = self.spec.limit;
        write_slots(&self.slots, slots, out, |slot, out| {
            let is_used = slot.sets.iter().any(|set| !set.places.is_empty());
            let sets = if is_used { slot.sets.as_slice() } else { &[] };
            write_count(sets.len(), out);
            sets.iter().for_each(|set| set.write(limit, out));
        });
    }

    fn read(&mut self, count: usize, from: &mut Reader<'_>) -> Result<(), DecodeError> {
        // One set of combinations, or a set of values for each field.
        let (sets, arity) = match self.spec.separator {
            None => (1, self.spec.fields.len()),
            Some(_) => (self.spec.fields.len(), 1),
        };
        self.slots = read_slots(count, from, |from| match from.count(1)? {
            0 => Ok(Slot::default()),
            told if told == sets => {
                let read = |_| FirstSeen::read(arity, self.spec.limit, from);
                Ok(Slot { sets: (0..sets).map(read).collect::<Result<_, _>>()? })
            }
            _ => Err(DecodeError::Damaged("sets of other fields")),
        })?;
        Ok(())
    }
}

impl FirstSeen {
    fn write(&self, limit: usize, out: &mut Vec<u8>) {
        let is_cut = self.is_cut || self.places.len() > limit;
        let first = self.first(limit);
        write_varint((first.len() as u64) << 1 | u64::from(is_cut), out);
        let mut places = Places::default();
        for (values, place) in first {
            places.write(*place, out);
            values.iter().for_each(|value| write_option(value.as_deref(), out));
        }
    }

    /// Reads the values of `arity` fields, at most `limit`.
    fn read(arity: usize, limit: usize, from: &mut Reader<'_>) -> Result<FirstSeen, DecodeError> {
        let head = from.varint()?;
        let count = from.fits(head >> 1, Places::LEAST + arity)?;
        if count > limit {
            return Err(DecodeError::Damaged("more values than are kept"));
        }
        let (mut set, mut places) = (FirstSeen::default(), Places::default());
        for held in 0..count {
            let place = places.read(from)?;
            let values: Vec<Option<Box<str>>> =
                (0..arity).map(|_| read_option(from)).collect::<Result<_, _>>()?;
            let values: Vec<Option<&str>> = values.iter().map(Option::as_deref).collect();
            set.see(&values, place, limit);
            if set.places.len() == held {
                return Err(DecodeError::Damaged("a value is there twice"));
            }
        }
        set.is_cut = head & 1 == 1;
        Ok(set)
    }
}
