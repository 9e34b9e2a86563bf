//! Rows of series as bytes.
//!
//! ```text
//! a slot: varint: rows << 1 | are there rows that have no room, the place of the first of these where there are some
//! a row: its place; varint: ends << 2 | starts << 1 | has a time; the time, signed; for each field its text, or that there is
//!        none
//! ```
//!
//! Rows are written in their order, and what has no room is left out.

use super::{Kept, Series, Slot};
use crate::aggregates::coding::{SlotCoding, read_slots, write_slots};
use crate::coding::{DecodeError, Places, Reader, read_option, write_option, write_signed, write_varint};

const HEAD: DecodeError = DecodeError::Damaged("a row of a series says what is not known");

impl SlotCoding for Series {
    fn write(&self, slots: &[u32], out: &mut Vec<u8>) {
        let mut places = Places::default();
        write_slots(&self.slots, slots, out, |slot, out| {
            let mut slot = slot.clone();
            slot.cut(&self.spec, true);
            write_varint((slot.rows.len() as u64) << 1 | u64::from(slot.bound.is_some()), out);
            slot.bound.iter().for_each(|bound| places.write(*bound, out));
            for row in &slot.rows {
                places.write(row.place, out);
                let head = u64::from(row.ends) << 2 | u64::from(row.starts) << 1;
                write_varint(head | u64::from(row.millis.is_some()), out);
                row.millis.iter().for_each(|millis| write_signed(*millis, out));
                row.values.iter().for_each(|value| write_option(value.as_deref(), out));
            }
        });
    }

    fn read(&mut self, count: usize, from: &mut Reader<'_>) -> Result<(), DecodeError> {
        let (fields, separator) = (self.spec.fields.len(), self.spec.separator.len());
        let mut places = Places::default();
        self.slots = read_slots(count, from, |from| {
            let head = from.varint()?;
            let bound = if head & 1 == 1 { Some(places.read(from)?) } else { None };
            let mut rows = Vec::with_capacity(from.fits(head >> 1, Places::LEAST + 1)?);
            for _ in 0..head >> 1 {
                let (place, head) = (places.read(from)?, from.varint()?);
                if head > 7 {
                    return Err(HEAD);
                }
                let millis = if head & 1 == 1 { Some(from.signed()?) } else { None };
                let values = (0..fields).map(|_| read_option(from)).collect::<Result<_, _>>()?;
                rows.push(Kept { place, millis, starts: head & 2 > 0, ends: head & 4 > 0, values });
            }
            let taken = rows.iter().map(|row| row.size(separator)).sum();
            Ok(Slot { rows, taken, bound })
        })?;
        Ok(())
    }
}
