//! Sessions as bytes.
//!
//! ```text
//! varint a slot: how many sessions it has
//! a session, in the order of slots and times: signed, its first time, from that of the one before in its slot, from 0 for the
//!          first; varint, how long it is
//! the states of the function inside
//! ```

use super::{Session, Sessions};
use crate::aggregates::coding::SlotCoding;
use crate::coding::{DecodeError, Reader, write_count, write_signed, write_varint};

const SPAN: DecodeError = DecodeError::Damaged("a session is out of order, or longer than time");

impl SlotCoding for Sessions {
    fn write(&self, slots: &[u32], out: &mut Vec<u8>) {
        if self.has_led() {
            return self.settled().write(slots, out);
        }
        let of = |slot: &u32| self.list.range((*slot, i64::MIN)..=(*slot, i64::MAX));
        slots.iter().for_each(|slot| write_count(of(slot).count(), out));
        let mut numbers = Vec::new();
        for slot in slots {
            let mut before = 0_i64;
            for ((_, first), session) in of(slot) {
                write_signed(first.wrapping_sub(before), out);
                write_varint(session.last.wrapping_sub(*first) as u64, out);
                before = *first;
                numbers.push(session.number);
            }
        }
        self.body.write(&numbers, out);
    }

    fn read(&mut self, count: usize, from: &mut Reader<'_>) -> Result<(), DecodeError> {
        let mut sizes = Vec::with_capacity(from.fits(count as u64, 1)?);
        let mut all = 0_u64;
        for _ in 0..count {
            let size = from.count(2)?;
            all = all.saturating_add(size as u64);
            sizes.push(size);
        }
        self.leads = Vec::with_capacity(from.fits(all, 2)?);
        for (size, slot) in sizes.into_iter().zip(0_u32..) {
            let mut before = 0_i64;
            let mut end = None;
            for _ in 0..size {
                let first = before.wrapping_add(from.signed()?);
                let last = first.wrapping_add_unsigned(from.varint()?);
                let follows = end.is_none_or(|end| end < first);
                if last < first || !follows {
                    return Err(SPAN);
                }
                let number = u32::try_from(self.leads.len()).map_err(|_| SPAN)?;
                self.leads.push(number);
                self.list.insert((slot, first), Session { last, number });
                (before, end) = (first, Some(last));
            }
        }
        self.body.read(self.leads.len(), from)
    }
}
