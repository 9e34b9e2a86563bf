//! Distinct values as bytes.
//!
//! ```text
//! hashes      varint (2 * how many), each 8 bytes, ascending
//! registers   varint 1, and 6 bits each
//!             varint (2 * how many are not 0, + 1), for each varint (registers before it that are 0 << 6 | value)
//! ```
//!
//! Registers are written in the shorter of the two forms, and in the first where hardly any is not 0.

use hashbrown::HashTable;

use super::{Distinct, EXACT_MAX, REGISTERS, TAIL};
use crate::coding::{Coding, DecodeError, Reader, write_varint};

/// Bits of a register's value.
const VALUE_BITS: u32 = 6;
/// Registers in so many bytes of the first form: 4 in 3.
const PACKED_BYTES: usize = REGISTERS / 4 * 3;
/// With fewer registers than so many that are not 0, all are written, so that none are made of next to no bytes.
const SPARSE_LEAST: usize = REGISTERS / 64;

const REGISTER: DecodeError = DecodeError::Damaged("registers are out of range");

impl Coding for Distinct {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Distinct::Exact(hashes) => {
                let mut sorted: Vec<u64> = hashes.iter().copied().collect();
                sorted.sort_unstable();
                write_varint(2 * sorted.len() as u64, out);
                sorted.iter().for_each(|hash| out.extend_from_slice(&hash.to_le_bytes()));
            }
            Distinct::Registers(registers) => write_registers(registers, out),
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Distinct, DecodeError> {
        let head = from.varint()?;
        match head {
            1 => read_packed(from).map(Distinct::Registers),
            head if head & 1 == 1 => read_sparse(head >> 1, from).map(Distinct::Registers),
            head => {
                let count = from.fits(head >> 1, size_of::<u64>())?;
                if count > EXACT_MAX {
                    return Err(DecodeError::Damaged("too many hashes"));
                }
                let mut hashes = HashTable::with_capacity(count);
                for _ in 0..count {
                    let hash = u64::from_le_bytes(from.array()?);
                    if hashes.find(hash, |known| *known == hash).is_some() {
                        return Err(DecodeError::Damaged("a hash is there twice"));
                    }
                    hashes.insert_unique(hash, hash, |known| *known);
                }
                Ok(Distinct::Exact(hashes))
            }
        }
    }
}

fn write_registers(registers: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    let used = registers.iter().filter(|register| **register > 0).count();
    if used >= SPARSE_LEAST {
        write_varint(2 * used as u64 + 1, out);
        let mut zeros = 0_u64;
        for register in registers {
            match register {
                0 => zeros += 1,
                value => {
                    write_varint(zeros << VALUE_BITS | u64::from(*value), out);
                    zeros = 0;
                }
            }
        }
        if out.len() - start <= PACKED_BYTES {
            return;
        }
        out.truncate(start);
    }
    write_varint(1, out);
    for four in registers.chunks(4) {
        let word = four.iter().rev().fold(0_u32, |word, value| word << VALUE_BITS | u32::from(*value));
        let [a, b, c, _] = word.to_le_bytes();
        out.extend_from_slice(&[a, b, c]);
    }
}

fn checked(value: u32) -> Result<u8, DecodeError> {
    match u8::try_from(value) {
        Ok(value) if usize::from(value) <= TAIL + 1 => Ok(value),
        _ => Err(REGISTER),
    }
}

fn read_packed(from: &mut Reader<'_>) -> Result<Box<[u8]>, DecodeError> {
    let mut registers = Vec::with_capacity(from.fits(REGISTERS as u64 / 4, 3)? * 4);
    while registers.len() < REGISTERS {
        let [a, b, c] = from.array()?;
        let mut word = u32::from_le_bytes([a, b, c, 0]);
        for _ in 0..4 {
            registers.push(checked(word & ((1 << VALUE_BITS) - 1))?);
            word >>= VALUE_BITS;
        }
    }
    Ok(registers.into())
}

fn read_sparse(used: u64, from: &mut Reader<'_>) -> Result<Box<[u8]>, DecodeError> {
    let used = from.fits(used, 1)?;
    if !(SPARSE_LEAST..=REGISTERS).contains(&used) {
        return Err(REGISTER);
    }
    let mut registers = vec![0; REGISTERS].into_boxed_slice();
    let mut at = 0_usize;
    for _ in 0..used {
        let head = from.varint()?;
        at = at.saturating_add(usize::try_from(head >> VALUE_BITS).map_err(|_| REGISTER)?);
        let value = checked((head & ((1 << VALUE_BITS) - 1)) as u32)?;
        *registers.get_mut(at).ok_or(REGISTER)? = value;
        at += 1;
    }
    Ok(registers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::hash_text;

    fn check(set: &Distinct) -> usize {
        let mut bytes = Vec::new();
        set.write(&mut bytes);
        let mut from = Reader::new(&bytes);
        let back = Distinct::read(&mut from).unwrap();
        assert_eq!(from.finish(), Ok(()));
        assert_eq!((back.count(), back.is_exact()), (set.count(), set.is_exact()));
        let mut again = Vec::new();
        back.write(&mut again);
        assert_eq!(again, bytes);
        for cut in [0, bytes.len() / 2, bytes.len() - 1] {
            assert!(Distinct::read(&mut Reader::new(&bytes[..cut])).is_err());
        }
        bytes.len()
    }

    #[test]
    fn sets_come_back_in_few_bytes() {
        for (count, most) in [
            (0, 1),
            (1, 9),
            (EXACT_MAX, 8 * EXACT_MAX + 3),
            (EXACT_MAX + 1, 4_000),
            (8_000, 10_000),
            (100_000, PACKED_BYTES + 1),
        ] {
            let mut set = Distinct::default();
            (0..count).for_each(|value| set.insert(hash_text(&format!("user-{value}"))));
            let bytes = check(&set);
            assert!(bytes <= most, "{count}: {bytes}");
        }
    }

    #[test]
    fn hardly_used_registers_are_written_all() {
        for (used, sparse) in [(1, false), (SPARSE_LEAST - 1, false), (SPARSE_LEAST, true)] {
            let registers = (0..REGISTERS).map(|at| u8::from(at < used)).collect();
            assert_eq!(check(&Distinct::Registers(registers)) < PACKED_BYTES, sparse, "{used}");
        }
        let mut bytes = Vec::new();
        write_varint(2 * SPARSE_LEAST as u64 - 1, &mut bytes);
        bytes.resize(4_000, 1);
        assert!(Distinct::read(&mut Reader::new(&bytes)).is_err(), "too few to be told one by one");
    }
}
