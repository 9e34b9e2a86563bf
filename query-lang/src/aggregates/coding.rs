//! States of slots as bytes: the form of a slot does not depend on its number.
//!
//! Whoever has the slots says which are written, in which order. Groups and buckets are written in the order of their
//! keys, so that equal things learnt from equal rows are equal bytes, however the rows came and were merged; each
//! file here draws the bytes of its own states.

use crate::coding::{DecodeError, Reader};

/// States, one for each slot, that can be written and read back.
pub(super) trait SlotCoding {
    /// Appends the states of `slots`, in that order. A slot that has none yet has learnt nothing.
    fn write(&self, slots: &[u32], out: &mut Vec<u8>);

    /// Reads the states of `count` slots, numbered in the order they were written in. What is there already has learnt
    /// nothing yet.
    ///
    /// # Errors
    /// When the bytes end early or say what cannot be. It is then good for nothing.
    fn read(&mut self, count: usize, from: &mut Reader<'_>) -> Result<(), DecodeError>;
}

/// Calls `write` with the state of each of `slots`.
pub(super) fn write_slots<T: Default>(
    states: &[T],
    slots: &[u32],
    out: &mut Vec<u8>,
    mut write: impl FnMut(&T, &mut Vec<u8>),
) {
    let nothing = T::default();
    slots.iter().for_each(|slot| write(states.get(*slot as usize).unwrap_or(&nothing), out));
}

/// The states of `count` slots, by `read`, for which each has a byte at least.
pub(super) fn read_slots<T>(
    count: usize,
    from: &mut Reader<'_>,
    mut read: impl FnMut(&mut Reader<'_>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let mut states = Vec::with_capacity(from.fits(count as u64, 1)?);
    for _ in 0..count {
        states.push(read(from)?);
    }
    Ok(states)
}

/// For each slot its place among `slots`, by number; [`super::slots::NO_SLOT`] for one that is not among them.
pub(super) fn ranks(slots: &[u32]) -> Vec<u32> {
    let size = slots.iter().max().map_or(0, |greatest| *greatest as usize + 1);
    let mut ranks = vec![super::slots::NO_SLOT; size];
    for (rank, slot) in (0_u32..).zip(slots) {
        if let Some(at) = ranks.get_mut(*slot as usize) {
            *at = rank;
        }
    }
    ranks
}
