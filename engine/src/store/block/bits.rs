//! Numbers packed in as many bits as the widest of them needs, low bits first.
//!
//! Unpacking is branch-free inside groups of eight values, which fill `width` whole bytes: one routine a width,
//! every shift a constant (the idea of Lemire and Boytsov's bit packing, without their lane layout). Values come out in the type they are used
//! in, with the base of their frame added, so that nothing has to be copied once more.
#![allow(
    clippy::indexing_slicing,
    reason = "unpack checks once that the input holds every group and eight spare bytes"
)]

/// Bytes that must follow packed values in memory, so that a group may be read in whole words.
pub(crate) const SPARE_BYTES: usize = 16;

/// How many bytes `count` values of `width` bits take.
pub(crate) fn packed_len(count: usize, width: u32) -> usize {
    (count * width as usize).div_ceil(8)
}

/// How many bits `value` needs.
pub(crate) fn width_of(value: u64) -> u32 {
    64 - value.leading_zeros()
}

/// Appends `values`, each cut to `width` bits.
pub(crate) fn pack(values: &[u64], width: u32, out: &mut Vec<u8>) {
    if width == 0 {
        return;
    }
    let end = out.len() + packed_len(values.len(), width);
    out.reserve(packed_len(values.len(), width) + 8);
    let mask = u64::MAX >> (64 - width);
    let (mut word, mut filled) = (0u64, 0u32);
    for value in values {
        let value = value & mask;
        word |= value << filled;
        if filled + width >= 64 {
            out.extend_from_slice(&word.to_le_bytes());
            word = if filled == 0 { 0 } else { value >> (64 - filled) };
            filled = filled + width - 64;
        } else {
            filled += width;
        }
    }
    out.extend_from_slice(&word.to_le_bytes());
    out.truncate(end);
}

/// An integer that values are unpacked into. All arithmetic wraps.
pub(crate) trait Lane: Copy + Default {
    /// The low bits of `word`.
    fn of(word: u64) -> Self;
    /// `self + other`.
    fn plus(self, other: Self) -> Self;
}

macro_rules! lanes {
    ($($lane:ty)*) => {
        $(impl Lane for $lane {
            #[inline(always)]
            fn of(word: u64) -> $lane {
                word as $lane
            }

            #[inline(always)]
            fn plus(self, other: $lane) -> $lane {
                self.wrapping_add(other)
            }
        })*
    };
}
lanes!(u32 u64 i64);

/// Reads `out.len()` values of `width` bits from the start of `packed` and adds `base` to each; false when
/// `packed` lacks the bytes (including [`SPARE_BYTES`]) or `width` is over 64.
#[must_use]
pub(crate) fn unpack<T: Lane>(packed: &[u8], width: u32, base: T, out: &mut [T]) -> bool {
    if packed.len() < packed_len(out.len(), width) + SPARE_BYTES || width > 64 {
        return false;
    }
    macro_rules! widths {
        ($($width:literal)*) => {
            match width {
                0 => out.fill(base),
                // Whole bytes, as the compressor likes them: plain enough for the compiler to do many at once.
                8 => bytes(packed, base, out, |[byte]: [u8; 1]| u64::from(byte)),
                16 => bytes(packed, base, out, |pair| u64::from(u16::from_le_bytes(pair))),
                32 => bytes(packed, base, out, |quad| u64::from(u32::from_le_bytes(quad))),
                $($width => narrow::<$width, T>(packed, base, out),)*
                _ => wide(packed, width as usize, base, out),
            }
        };
    }
    widths!(1 2 3 4 5 6 7 9 10 11 12 13 14 15 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31);
    true
}

/// Value `slot` of what [`unpack`] would read; 0 when `packed` lacks the bytes.
pub(crate) fn get(packed: &[u8], width: u32, slot: usize) -> u64 {
    if width == 0 || width > 64 {
        return 0;
    }
    let bit = slot * width as usize;
    let Some(bytes) = packed.get(bit / 8..bit / 8 + 9) else { return 0 };
    let wide = u128::from(word(bytes, 0)) | u128::from(bytes[8]) << 64;
    (wide >> (bit % 8)) as u64 & (u64::MAX >> (64 - width))
}

#[inline(always)]
fn bytes<T: Lane, const BYTES: usize>(
    packed: &[u8],
    base: T,
    out: &mut [T],
    value: impl Fn([u8; BYTES]) -> u64,
) {
    let (values, _) = packed.as_chunks();
    for (slot, bytes) in out.iter_mut().zip(values) {
        *slot = T::of(value(*bytes)).plus(base);
    }
}

fn narrow<const WIDTH: usize, T: Lane>(packed: &[u8], base: T, out: &mut [T]) {
    let mask = u64::MAX >> (64 - WIDTH);
    let mut groups = out.chunks_exact_mut(8);
    let mut at = 0;
    for group in &mut groups {
        let bytes = &packed[at..at + WIDTH + 8];
        for (slot, value) in group.iter_mut().enumerate() {
            let bit = slot * WIDTH;
            *value = T::of((word(bytes, bit / 8) >> (bit % 8)) & mask).plus(base);
        }
        at += WIDTH;
    }
    let bytes = &packed[at..];
    for (slot, value) in groups.into_remainder().iter_mut().enumerate() {
        let bit = slot * WIDTH;
        *value = T::of((word(bytes, bit / 8) >> (bit % 8)) & mask).plus(base);
    }
}

fn wide<T: Lane>(packed: &[u8], width: usize, base: T, out: &mut [T]) {
    let mask = u64::MAX >> (64 - width);
    for (slot, value) in out.iter_mut().enumerate() {
        let bit = slot * width;
        let low = word(packed, bit / 8);
        let high = u128::from(packed[bit / 8 + 8]) << 64;
        *value = T::of(((u128::from(low) | high) >> (bit % 8)) as u64 & mask).plus(base);
    }
}

#[inline(always)]
fn word(bytes: &[u8], at: usize) -> u64 {
    // The callers have the bytes; zero stands for what cannot be.
    bytes[at..].first_chunk().map_or(0, |word| u64::from_le_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_width_comes_back() {
        for width in 0..=64u32 {
            for count in [0usize, 1, 7, 8, 9, 64, 255, 256] {
                let values: Vec<u64> = (0..count as u64)
                    .map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(width))
                    .map(|v| if width == 0 { 0 } else { v & (u64::MAX >> (64 - width)) })
                    .collect();
                let mut out = Vec::new();
                pack(&values, width, &mut out);
                assert_eq!(out.len(), packed_len(count, width));
                let mut back = vec![0; count];
                let bare = unpack(&out, width, 0, &mut back);
                assert!(!bare, "spare bytes are demanded");
                out.extend_from_slice(&[0xff; SPARE_BYTES]);
                assert!(unpack(&out, width, 0, &mut back));
                assert_eq!(back, values, "width {width} count {count}");
                assert!((0..count).all(|slot| get(&out, width, slot) == values[slot]));
                let mut short = vec![0u32; count];
                assert!(unpack(&out, width, 7, &mut short));
                let slow: Vec<u32> = values.iter().map(|value| (*value as u32).wrapping_add(7)).collect();
                assert_eq!(short, slow, "width {width} count {count}");
            }
        }
    }
}
