//! A list of integers as frames of 256: frame of reference or deltas, bit-packed, with patches.
//!
//! ```text
//! frames n = ceil(count / 256)
//! | head: n bytes, bit 7 = deltas, bits 0..7 = width | bases: signed varints, each relative to the one before |
//! | delta frames: least delta, signed varint          | patches: count varint a frame, then (slot, high bits)   |
//! | packed values, every frame byte-aligned                                                                     |
//! ```
//!
//! A frame of reference holds `value - base`; a delta frame holds its first value as base and then
//! `value - previous - least`. Values whose offset is wider than the frame's width keep their high bits in a patch
//! (after PFOR, Zukowski et al. 2006). Any frame can be read without the others. All arithmetic wraps.
#![allow(
    clippy::indexing_slicing,
    reason = "frame numbers and slots are checked against count where they enter"
)]

use std::ops::Range;

use super::bits::{self, Lane};
use super::wire::{Corrupt, Reader, put_signed, put_varint};

/// Values a frame.
pub(crate) const FRAME: usize = 256;
const DELTA: u8 = 0x80;
/// A patch has its slot and a byte of high bits at least.
const LEAST_PATCH_BITS: usize = 16;
/// From so many values of a frame on it is unpacked whole.
const SINGLES_MAX: usize = 48;

/// Appends `values` in as few bits as their frames need.
pub(crate) fn encode(values: &[i64], out: &mut Vec<u8>) {
    let mut frames = Frames::default();
    for frame in values.chunks(FRAME) {
        frames.push(frame);
    }
    frames.write(out);
}

/// Appends `values` in whole bytes over one base, which is longer but lets repeated runs be found by a compressor;
/// false, and nothing appended, when they take more than four bytes each.
pub(crate) fn encode_aligned(values: &[i64], out: &mut Vec<u8>) -> bool {
    let base = values.iter().copied().min().unwrap_or(0);
    let most = values.iter().copied().max().unwrap_or(0).wrapping_sub(base) as u64;
    let width = bits::width_of(most).next_multiple_of(8);
    if width > 32 {
        return false;
    }
    let mut frames = Frames::default();
    let mut offsets = [0u64; FRAME];
    for frame in values.chunks(FRAME) {
        for (slot, value) in offsets.iter_mut().zip(frame) {
            *slot = value.wrapping_sub(base) as u64;
        }
        frames.bases.push(base);
        frames.heads.push(width as u8);
        frames.pack(&offsets[..frame.len()], width);
    }
    frames.write(out);
    true
}

impl Frames {
    fn write(&self, out: &mut Vec<u8>) {
        let frames = self;
        out.extend_from_slice(&frames.heads);
        let mut before = 0i64;
        for base in &frames.bases {
            put_signed(out, base.wrapping_sub(before));
            before = *base;
        }
        out.extend_from_slice(&frames.least);
        out.extend_from_slice(&frames.patches);
        out.extend_from_slice(&frames.packed);
    }
}

#[derive(Default)]
struct Frames {
    heads: Vec<u8>,
    bases: Vec<i64>,
    least: Vec<u8>,
    patches: Vec<u8>,
    packed: Vec<u8>,
}

impl Frames {
    fn push(&mut self, values: &[i64]) {
        let Some(first) = values.first().copied() else { return };
        let base = values.iter().copied().min().unwrap_or(first);
        let mut offsets = [0u64; FRAME];
        for (slot, value) in values.iter().enumerate() {
            offsets[slot] = value.wrapping_sub(base) as u64;
        }
        let mut deltas = [0u64; FRAME];
        let mut least = i64::MAX;
        for (slot, pair) in values.windows(2).enumerate() {
            let delta = pair[1].wrapping_sub(pair[0]);
            deltas[slot] = delta as u64;
            least = least.min(delta);
        }
        let steps = values.len() - 1;
        for delta in &mut deltas[..steps] {
            *delta = delta.wrapping_sub(least as u64);
        }
        let (plain_width, plain_cost) = best_width(&offsets[..values.len()]);
        // Steps that are as large as the values, taken together, do not take fewer bits: to count them would be in vain.
        let sum = |values: &[u64]| values.iter().map(|value| value >> FRAME.ilog2()).sum::<u64>();
        let is_steady = sum(&deltas) <= sum(&offsets);
        let (delta_width, delta_cost) =
            if is_steady { best_width(&deltas[..steps]) } else { (0, usize::MAX) };
        if steps > 0 && delta_cost.saturating_add(24) < plain_cost {
            self.bases.push(first);
            self.heads.push(delta_width as u8 | DELTA);
            put_signed(&mut self.least, least);
            self.pack(&deltas[..steps], delta_width);
        } else {
            self.bases.push(base);
            self.heads.push(plain_width as u8);
            self.pack(&offsets[..values.len()], plain_width);
        }
    }

    fn pack(&mut self, values: &[u64], width: u32) {
        let high = |value: u64| value.checked_shr(width).unwrap_or(0);
        if high(values.iter().fold(0, |all, value| all | value)) == 0 {
            self.patches.push(0);
        } else {
            let over = values.iter().map(|value| high(*value)).enumerate().filter(|(_, high)| *high != 0);
            put_varint(&mut self.patches, over.clone().count() as u64);
            for (slot, high) in over {
                self.patches.push(slot as u8);
                put_varint(&mut self.patches, high);
            }
        }
        bits::pack(values, width, &mut self.packed);
    }
}

/// The width that takes the fewest bits, patches counted, and those bits.
fn best_width(values: &[u64]) -> (u32, usize) {
    let widest = bits::width_of(values.iter().fold(0, |all, value| all | value)) as usize;
    let mut best = (widest as u32, values.len() * widest);
    if widest == 0 {
        return best;
    }
    let mut widths = [0u8; FRAME];
    widths_of(values, widest, &mut widths);
    for width in (0..widest).rev() {
        let over = wider(&widths, width as u8);
        // A bit less for each value costs the patches a bit and a seventh: no lower width will do if so many have one.
        if over * LEAST_PATCH_BITS >= best.1 || over * 8 >= values.len() * 7 {
            break;
        }
        let cost = values.len() * width + over * patch_bits(widest - width);
        if cost < best.1 {
            best = (width as u32, cost);
        }
    }
    best
}

/// Bits of a patch that holds `high` bits: its slot, and a varint.
fn patch_bits(high: usize) -> usize {
    8 + high.div_ceil(7) * 8
}

/// The width of each of `values`, of which the widest has `widest` bits.
#[inline]
fn widths_of(values: &[u64], widest: usize, widths: &mut [u8; FRAME]) {
    if widest < 32 {
        // The exponent of a number tells its width; without the bits behind its first the number is not rounded up. Unlike
        // a count of leading zeros this is done to many at once.
        for (width, value) in widths.iter_mut().zip(values) {
            let number = (value & !(value >> 1)) as i32 as f32;
            *width = ((number.to_bits() >> 23) as u8).saturating_sub(126);
        }
    } else {
        for (width, value) in widths.iter_mut().zip(values) {
            *width = bits::width_of(*value) as u8;
        }
    }
}

/// How many of `widths` are over `width`.
#[inline]
fn wider(widths: &[u8; FRAME], width: u8) -> usize {
    // Counts of 128 fit a byte, and sixteen of them are counted at once.
    let halves = widths.as_chunks::<{ FRAME / 2 }>().0;
    halves.iter().map(|half| half.iter().map(|own| u8::from(*own > width)).sum::<u8>() as usize).sum()
}

/// An encoded list, ready to be read by frame.
#[derive(Debug)]
pub(crate) struct Ints {
    count: usize,
    frames: Vec<Frame>,
    patches: Vec<(u8, u64)>,
    packed: Vec<u8>,
}

#[derive(Debug)]
struct Frame {
    base: i64,
    least: i64,
    start: u32,
    patch_start: u32,
    patch_end: u32,
    width: u8,
    delta: bool,
}

impl Ints {
    /// Takes apart what [`encode`] wrote for `count` values.
    pub(crate) fn parse(bytes: &[u8], count: usize) -> Result<Ints, Corrupt> {
        let mut reader = Reader::new(bytes);
        let heads = reader.take(count.div_ceil(FRAME))?;
        let mut frames = Vec::with_capacity(heads.len());
        let (mut before, mut start) = (0i64, 0usize);
        for (index, head) in heads.iter().enumerate() {
            before = before.wrapping_add(reader.signed()?);
            let (width, delta) = (head & !DELTA, head & DELTA != 0);
            if width > 64 {
                return Err(Corrupt("width over 64"));
            }
            let held = (count - index * FRAME).min(FRAME) - usize::from(delta);
            frames.push(Frame {
                base: before,
                least: 0,
                start: start as u32,
                patch_start: 0,
                patch_end: 0,
                width,
                delta,
            });
            start += bits::packed_len(held, u32::from(width));
        }
        for frame in frames.iter_mut().filter(|frame| frame.delta) {
            frame.least = reader.signed()?;
        }
        let mut patches = Vec::new();
        for frame in &mut frames {
            frame.patch_start = patches.len() as u32;
            let mut last = None;
            for _ in 0..reader.count(FRAME)? {
                let (slot, high) = (reader.byte()?, reader.varint()?);
                if last.replace(slot).is_some_and(|last| last >= slot) {
                    return Err(Corrupt("patches out of order"));
                }
                patches.push((slot, high));
            }
            frame.patch_end = patches.len() as u32;
        }
        let rest = reader.take(reader.left())?;
        if rest.len() != start {
            return Err(Corrupt("packed values of another length"));
        }
        let mut packed = Vec::with_capacity(rest.len() + bits::SPARE_BYTES);
        packed.extend_from_slice(rest);
        packed.resize(rest.len() + bits::SPARE_BYTES, 0);
        Ok(Ints { count, frames, patches, packed })
    }

    /// Bytes of memory it takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.frames.len() * size_of::<Frame>()
            + self.patches.len() * size_of::<(u8, u64)>()
            + self.packed.len()
    }

    /// How many values there are.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Numbers between which all values lie, told from the frames alone: not always the least and the greatest.
    /// `None` when they may be any.
    pub(crate) fn bounds(&self) -> Option<(i64, i64)> {
        let (mut low, mut high) = (i128::from(i64::MAX), i128::from(i64::MIN));
        for (number, frame) in self.frames.iter().enumerate() {
            let steps = (self.count - number * FRAME).min(FRAME) as i128 - 1;
            let patches = &self.patches[frame.patch_start as usize..frame.patch_end as usize];
            // What a damaged frame shifts out of its values is not followed.
            let shifts_out = |bits: &u64| frame.width > 63 || bits.leading_zeros() < u32::from(frame.width);
            if patches.iter().any(|(_, bits)| shifts_out(bits)) {
                return None;
            }
            let patched = patches.iter().map(|(_, bits)| i128::from(bits << frame.width));
            let packed = (1i128 << frame.width) - 1;
            let (base, least) = (i128::from(frame.base), i128::from(frame.least));
            // No sum of a frame comes near the ends of 128 bits.
            let (least, most) = if frame.delta {
                (base + steps * least.min(0), base + steps * (least + packed).max(0) + patched.sum::<i128>())
            } else {
                (base, base + packed + patched.max().unwrap_or(0))
            };
            (low, high) = (low.min(least), high.max(most));
        }
        Some((i64::try_from(low).ok()?, i64::try_from(high).ok()?))
    }

    /// Appends the values of `range`, cut to what there is.
    pub(crate) fn read(&self, range: Range<usize>, out: &mut Vec<i64>) {
        let start = out.len();
        out.resize(start + range.end.min(self.count).saturating_sub(range.start), 0);
        self.decode(range, &mut out[start..]);
    }

    /// Puts the values of `range`, cut to what there is and to their low bits, at the start of `out`, as far as it
    /// reaches; says how many.
    pub(crate) fn decode<T: Lane>(&self, range: Range<usize>, out: &mut [T]) -> usize {
        let end = range.end.min(self.count).min(range.start.saturating_add(out.len()));
        let mut at = range.start;
        while at < end {
            let frame = at / FRAME;
            let held = (self.count - frame * FRAME).min(FRAME);
            let (from, to) = (at - frame * FRAME, held.min(end - frame * FRAME));
            let slots = &mut out[at - range.start..at - range.start + to - from];
            if to - from == held {
                self.frame(&self.frames[frame], slots);
            } else {
                let mut buffer = [T::default(); FRAME];
                self.frame(&self.frames[frame], &mut buffer[..held]);
                slots.copy_from_slice(&buffer[from..to]);
            }
            at += to - from;
        }
        end.saturating_sub(range.start)
    }

    /// Appends the values at `places`, in any order.
    pub(crate) fn pick(&self, places: &[u32], out: &mut Vec<i64>) -> Result<(), Corrupt> {
        let mut buffer = [0i64; FRAME];
        out.reserve(places.len());
        for run in places.chunk_by(|a, b| *a as usize / FRAME == *b as usize / FRAME) {
            let number = run[0] as usize / FRAME;
            let frame = self.frames.get(number).ok_or(Corrupt("column ends early"))?;
            let held = (self.count - number * FRAME).min(FRAME);
            if run.iter().any(|place| *place as usize % FRAME >= held) {
                return Err(Corrupt("column ends early"));
            }
            let slots = run.iter().map(|place| *place as usize % FRAME);
            if run.len() < SINGLES_MAX && !frame.delta {
                self.singles(frame, slots, out);
            } else {
                self.frame(frame, &mut buffer[..held]);
                out.extend(slots.map(|slot| buffer[slot]));
            }
        }
        Ok(())
    }

    /// Appends the values of `slots` in a frame of reference.
    fn singles(&self, frame: &Frame, slots: impl Iterator<Item = usize>, out: &mut Vec<i64>) {
        let (width, base) = (u32::from(frame.width), frame.base);
        let patches = &self.patches[frame.patch_start as usize..frame.patch_end as usize];
        let packed = self.packed.get(frame.start as usize..).unwrap_or_default();
        if width == 0 && patches.is_empty() {
            out.extend(slots.map(|_| base));
            return;
        }
        let patch = |slot: usize| {
            let at = patches.binary_search_by_key(&slot, |(own, _)| usize::from(*own)).ok()?;
            patches.get(at)?.1.checked_shl(width)
        };
        let value = |slot: usize| (bits::get(packed, width, slot) as i64).wrapping_add(base);
        match patches.is_empty() {
            true => out.extend(slots.map(value)),
            false => out.extend(slots.map(|slot| value(slot).wrapping_add(patch(slot).unwrap_or(0) as i64))),
        }
    }

    /// All values of `frame`, which `out` is as long as.
    fn frame<T: Lane>(&self, frame: &Frame, out: &mut [T]) {
        let packed = self.packed.get(frame.start as usize..).unwrap_or_default();
        let width = u32::from(frame.width);
        let (offsets, base) = match out.split_first_mut() {
            Some((first, steps)) if frame.delta => {
                *first = T::of(frame.base as u64);
                (steps, T::of(frame.least as u64))
            }
            _ => (&mut *out, T::of(frame.base as u64)),
        };
        if !bits::unpack(packed, width, base, offsets) {
            // parse compared the lengths, so this cannot be; zeros are better than a panic.
            offsets.fill(T::default());
        }
        for (slot, high) in &self.patches[frame.patch_start as usize..frame.patch_end as usize] {
            if let Some(value) = offsets.get_mut(*slot as usize) {
                *value = value.plus(T::of(high.checked_shl(width).unwrap_or(0)));
            }
        }
        if frame.delta {
            let mut sum = T::default();
            for slot in out {
                sum = sum.plus(*slot);
                *slot = sum;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All values of `ints` lie between its bounds.
    fn check_bounds(ints: &Ints, values: &[i64]) {
        if let Some((low, high)) = ints.bounds() {
            assert!(values.iter().all(|value| (low..=high).contains(value)), "{low}..={high} {values:?}");
        }
    }

    #[test]
    fn bounds_are_close_where_frames_are() {
        for (values, bounds) in [
            (vec![3, 250, 17], (3, 258)),
            (vec![-7, 8], (-7, 8)),
            (vec![5; 300], (5, 5)),
            ((1..=256).collect(), (1, 256)),
        ] {
            let mut bytes = Vec::new();
            encode(&values, &mut bytes);
            assert_eq!(Ints::parse(&bytes, values.len()).unwrap().bounds(), Some(bounds), "{values:?}");
        }
        let mut bytes = Vec::new();
        encode(&[i64::MIN, i64::MAX], &mut bytes);
        assert_eq!(Ints::parse(&bytes, 2).unwrap().bounds(), None);
    }

    #[test]
    fn damaged_frames_have_no_bounds() {
        let frame = |width, delta, patches: &[(u8, u64)]| Ints {
            count: 3,
            frames: vec![Frame {
                base: i64::MAX,
                least: 0,
                start: 0,
                patch_start: 0,
                patch_end: patches.len() as u32,
                width,
                delta,
            }],
            patches: patches.to_vec(),
            packed: vec![0; 64],
        };
        for delta in [false, true] {
            for width in [1, 63, 64] {
                for patches in [&[(0, u64::MAX)][..], &[(0, u64::MAX), (1, u64::MAX)], &[(1, 2)]] {
                    assert_eq!(frame(width, delta, patches).bounds(), None, "{width} {delta}");
                }
            }
        }
    }

    fn check(values: &[i64]) {
        let mut out = Vec::new();
        encode(values, &mut out);
        let ints = Ints::parse(&out, values.len()).unwrap();
        let mut back = Vec::new();
        ints.read(0..values.len() + 5, &mut back);
        assert_eq!(back, values);
        check_bounds(&ints, values);
        let middle = values.len() / 3..values.len() * 2 / 3;
        back.clear();
        ints.read(middle.clone(), &mut back);
        assert_eq!(back, &values[middle.clone()]);
        for step in [1, 3, 7, 100] {
            let places: Vec<u32> = (0..values.len() as u32).rev().step_by(step).collect();
            back.clear();
            ints.pick(&places, &mut back).unwrap();
            assert_eq!(back, places.iter().map(|place| values[*place as usize]).collect::<Vec<_>>());
        }
        assert!(ints.pick(&[values.len() as u32], &mut back).is_err());
        let mut low = vec![7u32; middle.len() + 2];
        assert_eq!(ints.decode(middle.start..usize::MAX, &mut low[..middle.len()]), middle.len());
        assert!(low.iter().zip(&values[middle.clone()]).all(|(low, value)| *low == *value as u32));
        assert_eq!(low[middle.len()..], [7, 7], "no slot beyond is touched");
        out.clear();
        if encode_aligned(values, &mut out) {
            back.clear();
            Ints::parse(&out, values.len()).unwrap().read(0..values.len(), &mut back);
            assert_eq!(back, values);
        }
    }

    #[test]
    fn kinds_of_lists() {
        check(&[]);
        check(&[7]);
        check(&[i64::MIN, i64::MAX, 0, -1]);
        check(&vec![5; 1000]);
        check(&(0..70_000).map(|i| i * 1000 + i % 7).collect::<Vec<_>>());
        check(&(0..1000).map(|i| if i % 100 == 3 { i64::MAX - i } else { i % 5 }).collect::<Vec<_>>());
    }

    #[test]
    fn sorted_lists_take_little() {
        let mut out = Vec::new();
        encode(&(0..65_536).collect::<Vec<_>>(), &mut out);
        assert!(out.len() < 256 * 8, "{}", out.len());
    }

    /// What [`best_width`] finds, of all widths there are.
    fn best_of_all(values: &[u64]) -> usize {
        let widest = values.iter().map(|value| bits::width_of(*value) as usize).max().unwrap_or(0);
        let cost = |width: usize| {
            let over = values.iter().filter(|value| bits::width_of(**value) as usize > width).count();
            values.len() * width + over * patch_bits(widest - width)
        };
        (0..=widest).map(cost).min().unwrap_or(0)
    }

    #[test]
    fn widths_are_told_by_exponents() {
        let values: Vec<u64> =
            (0..31).flat_map(|bit| [1u64 << bit, (1 << bit) - 1, (1 << bit) + 1]).collect();
        let mut widths = [0; FRAME];
        widths_of(&values, 31, &mut widths);
        for (value, width) in values.iter().zip(widths) {
            assert_eq!(u32::from(width), bits::width_of(*value), "{value}");
        }
    }

    proptest! {
        #[test]
        fn no_width_takes_fewer_bits(
            values in prop::collection::vec(prop_oneof![0u64..20, 0u64..5_000, 0u64..1 << 24, any::<u64>(), any::<u64>().prop_map(|bits| bits >> (bits % 64))], 0..=FRAME),
            most in 1u64..64,
        ) {
            for values in [values.clone(), values.iter().map(|value| value & ((1 << most) - 1)).collect()] {
                let (width, cost) = best_width(&values);
                prop_assert_eq!(cost, best_of_all(&values), "{}", width);
            }
        }

        #[test]
        fn any_list_comes_back(values in prop::collection::vec(any::<i64>(), 0..600)) {
            check(&values);
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), count in 0usize..2000) {
            if let Ok(ints) = Ints::parse(&bytes, count) {
                ints.read(0..count, &mut Vec::new());
            }
        }
    }
}
