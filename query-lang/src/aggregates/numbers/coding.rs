//! Sums, extremes and moments as bytes.
//!
//! ```text
//! mean      varint count; unless that is 0, the sum
//! extremes  the least, or no number; then the greatest, no number where it is the same
//! moments   varint (count << 1 | was a square beyond the doubles); unless the count is 0, sum and sum of squares
//! ```

use super::{Extremes, Kept, Mean, Moments, Numbers};
use crate::aggregates::coding::{SlotCoding, read_slots, write_slots};
use crate::coding::{Coding, DecodeError, Reader, checked_rows, write_varint};
use crate::value::{ExactSum, Number};

impl SlotCoding for Numbers {
    fn write(&self, slots: &[u32], out: &mut Vec<u8>) {
        match &self.kept {
            Kept::Means(states) => write_slots(states, slots, out, Mean::write),
            Kept::Extremes(states) => write_slots(states, slots, out, Option::<Extremes>::write),
            Kept::Moments(states) => write_slots(states, slots, out, Moments::write),
        }
    }

    fn read(&mut self, count: usize, from: &mut Reader<'_>) -> Result<(), DecodeError> {
        match &mut self.kept {
            Kept::Means(states) => *states = read_slots(count, from, Mean::read)?,
            Kept::Extremes(states) => *states = read_slots(count, from, Option::<Extremes>::read)?,
            Kept::Moments(states) => *states = read_slots(count, from, Moments::read)?,
        }
        Ok(())
    }
}

impl Coding for Mean {
    fn write(&self, out: &mut Vec<u8>) {
        write_varint(self.count, out);
        if self.count > 0 {
            self.sum.write(out);
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Mean, DecodeError> {
        match from.rows()? {
            0 => Ok(Mean::default()),
            count => Ok(Mean { count, sum: ExactSum::read(from)? }),
        }
    }
}

impl Coding for Option<Extremes> {
    fn write(&self, out: &mut Vec<u8>) {
        self.map(|extremes| extremes.least).write(out);
        if let Some(Extremes { least, greatest }) = self {
            Some(*greatest).filter(|greatest| greatest != least).write(out);
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Option<Extremes>, DecodeError> {
        let Some(least) = Option::<Number>::read(from)? else { return Ok(None) };
        let greatest = Option::<Number>::read(from)?.unwrap_or(least);
        if least > greatest {
            return Err(DecodeError::Damaged("the least is greater than the greatest"));
        }
        Ok(Some(Extremes { least, greatest }))
    }
}

impl Coding for Moments {
    fn write(&self, out: &mut Vec<u8>) {
        write_varint(self.count << 1 | u64::from(self.beyond), out);
        if self.count > 0 {
            self.sum.write(out);
            self.squares.write(out);
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Moments, DecodeError> {
        let head = from.varint()?;
        let (count, beyond) = (checked_rows(head >> 1)?, head & 1 == 1);
        if count == 0 {
            return Ok(Moments { beyond, ..Moments::default() });
        }
        Ok(Moments { count, sum: ExactSum::read(from)?, squares: ExactSum::read(from)?, beyond })
    }
}
