//! Values from one row as bytes.
//!
//! ```text
//! selectLast   varint: 0 nothing, 1 something; then for each field its text, or that there is none, and its place
//! selectFrom   the number, or no number; then the place, and for each field its text, or that there is none
//! ```

use super::{Best, Seen, SelectFrom, SelectLast};
use crate::aggregates::coding::{SlotCoding, read_slots, write_slots};
use crate::coding::{Coding, DecodeError, Places, Reader, read_option, write_count, write_option};
use crate::value::Number;

impl SlotCoding for SelectLast {
    fn write(&self, slots: &[u32], out: &mut Vec<u8>) {
        let mut places = Places::default();
        write_slots(&self.slots, slots, out, |slot, out| {
            write_count(usize::from(!slot.is_empty()), out);
            for seen in slot {
                write_option(seen.as_ref().map(|seen| &*seen.text), out);
                if let Some(seen) = seen {
                    places.write(seen.place, out);
                }
            }
        });
    }

    fn read(&mut self, count: usize, from: &mut Reader<'_>) -> Result<(), DecodeError> {
        let (fields, mut places) = (self.fields.len(), Places::default());
        let mut seen = |from: &mut Reader<'_>| match read_option(from)? {
            None => Ok(None),
            Some(text) => Ok(Some(Seen { place: places.read(from)?, text })),
        };
        self.slots = read_slots(count, from, |from| match from.varint()? {
            0 => Ok(Vec::new()),
            1 => (0..from.fits(fields as u64, 1)?).map(|_| seen(from)).collect(),
            _ => Err(DecodeError::Damaged("values of other fields")),
        })?;
        Ok(())
    }
}

impl SlotCoding for SelectFrom {
    fn write(&self, slots: &[u32], out: &mut Vec<u8>) {
        let mut places = Places::default();
        write_slots(&self.slots, slots, out, |best, out| {
            best.as_ref().map(|best| best.number).write(out);
            if let Some(best) = best {
                places.write(best.place, out);
                best.values.iter().for_each(|value| write_option(value.as_deref(), out));
            }
        });
    }

    fn read(&mut self, count: usize, from: &mut Reader<'_>) -> Result<(), DecodeError> {
        let (fields, mut places) = (self.spec.include.len(), Places::default());
        self.slots = read_slots(count, from, |from| {
            let Some(number) = Option::<Number>::read(from)? else { return Ok(None) };
            let place = places.read(from)?;
            let values = (0..fields).map(|_| read_option(from)).collect::<Result<_, _>>()?;
            Ok(Some(Best { number, place, values }))
        })?;
        Ok(())
    }
}
