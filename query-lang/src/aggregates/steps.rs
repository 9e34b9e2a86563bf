//! The buckets of integers, found without a logarithm.

use std::sync::{Arc, Mutex};

use super::sketch::Scale;

/// The buckets of integers, found without a logarithm.
///
/// Integers are put into cells as in an HdrHistogram (Tene): by their highest bits. A cell is narrower than a bucket,
/// so its integers fall into one bucket, or from some integer on into the next. Which bucket that is
/// [`Scale::bucket`] has said: both ways agree on every integer.
#[derive(Debug)]
pub(super) struct Steps {
    /// Bits that a cell's number has below the leading one.
    bits: u32,
    scale: Scale,
    cells: Vec<Cell>,
    /// The places of the integers below [`SMALL_BELOW`], without a look at cells.
    small: Box<[u16; SMALL_BELOW as usize]>,
    /// How many places there are.
    pub(super) places: usize,
}

#[derive(Clone, Copy, Debug)]
struct Cell {
    /// The greatest integer in the first bucket.
    last: i64,
    /// 0 for the integer 0, else one more than the first bucket.
    place: u32,
}

/// Most integers there are, as durations go, at 8 KiB.
pub(super) const SMALL_BELOW: i64 = 1 << 12;
/// Integers from here on are left to the logarithm.
pub(super) const STEPPED_BELOW: i64 = 1 << 40;
/// Most bits of [`Steps::bits`]: finer scales are left to the logarithm.
const STEP_BITS_MAX: u32 = 8;
/// Most different accuracies for which steps are kept.
const SHARED_STEPS_MAX: usize = 16;

impl Steps {
    /// The steps of `scale`, made once a process; `None` when it is too fine, or there are too many.
    pub(super) fn shared(scale: Scale) -> Option<Arc<Steps>> {
        static SHARED: Mutex<Vec<Arc<Steps>>> = Mutex::new(Vec::new());
        let bits = (1..=STEP_BITS_MAX).find(|bits| 1.0 + 0.5_f64.powi(*bits as i32) < scale.gamma)?;
        let mut shared = SHARED.lock().ok()?;
        if let Some(known) = shared.iter().find(|known| known.scale.gamma == scale.gamma) {
            return Some(Arc::clone(known));
        }
        if shared.len() >= SHARED_STEPS_MAX {
            return None;
        }
        let steps = Arc::new(Steps::new(scale, bits));
        shared.push(Arc::clone(&steps));
        Some(steps)
    }

    fn new(scale: Scale, bits: u32) -> Steps {
        let place = |value: i64| if value == 0 { 0 } else { scale.bucket(value as f64) as u32 + 1 };
        let places = place(STEPPED_BELOW - 1) as usize + 1;
        let mut steps =
            Steps { bits, scale, cells: Vec::new(), small: Box::new([0; SMALL_BELOW as usize]), places };
        let mut first = 0;
        while first < STEPPED_BELOW {
            let width = 1_i64 << steps.shift(first);
            let (mut low, mut high) = (first, first + width - 1);
            let cell = place(first);
            // The greatest integer of the cell in its first bucket, by bisection.
            while low < high {
                let middle = low + (high - low + 1) / 2;
                if place(middle) == cell { low = middle } else { high = middle - 1 }
            }
            let last = if low == first + width - 1 { i64::MAX } else { low };
            steps.cells.push(Cell { last, place: cell });
            first += width;
        }
        // The finest scale that has steps has a place of 16 bits for every integer.
        let mut small = Box::new([0; SMALL_BELOW as usize]);
        (0..).zip(small.iter_mut()).for_each(|(value, place)| *place = steps.place_by_cell(value) as u16);
        steps.small = small;
        steps
    }

    /// How many low bits of `value`, which is not negative, its cell leaves out.
    #[inline(always)]
    fn shift(&self, value: i64) -> u32 {
        // Of numbers below 2^(bits + 1) none.
        u64::BITS - 1 - self.bits - (value as u64 | 1 << self.bits).leading_zeros()
    }

    /// As [`Steps::place`], of any integer; `None` for one that has none.
    #[inline(always)]
    pub(super) fn place_of(&self, value: i64) -> Option<u32> {
        // Small ones first: one comparison tells them from negative ones, too.
        match self.small.get(value as usize) {
            Some(place) => Some(u32::from(*place)),
            None => self.place_of_large(value),
        }
    }

    /// Apart, so that the loops that meet small ones stay small themselves.
    #[inline(never)]
    fn place_of_large(&self, value: i64) -> Option<u32> {
        self.place_in_loop(value)
    }

    /// As [`Steps::place_of`], for loops in which many are large and no call shall be made.
    #[inline(always)]
    pub(super) fn place_in_loop(&self, value: i64) -> Option<u32> {
        (0..STEPPED_BELOW).contains(&value).then(|| self.place(value))
    }

    /// One more than the bucket of `value`, which is in `0..STEPPED_BELOW`; 0 for 0.
    #[inline(always)]
    pub(super) fn place(&self, value: i64) -> u32 {
        match self.small.get(value as usize) {
            Some(place) => u32::from(*place),
            None => self.place_by_cell(value),
        }
    }

    /// The place of each integer below [`SMALL_BELOW`].
    pub(super) fn small(&self) -> &[u16; SMALL_BELOW as usize] {
        &self.small
    }

    #[inline(always)]
    fn place_by_cell(&self, value: i64) -> u32 {
        let shift = self.shift(value);
        let cell = ((shift as usize) << self.bits) + (value >> shift) as usize;
        self.cells.get(cell).map_or(0, |cell| cell.place + u32::from(value > cell.last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_and_logarithm_agree() {
        for accuracy in [0.5, 0.1, 0.01, 0.005] {
            let steps = Steps::shared(Scale::new(accuracy)).unwrap();
            let place = |value: i64| if value == 0 { 0 } else { steps.scale.bucket(value as f64) as u32 + 1 };
            let mut value = 0;
            while value < STEPPED_BELOW {
                for near in value.saturating_sub(2).max(0)..(value + 3).min(STEPPED_BELOW) {
                    assert_eq!(steps.place(near), place(near), "{near} at {accuracy}");
                }
                value += 1 + value / 977;
            }
            let last = STEPPED_BELOW - 1;
            assert_eq!(steps.place(last), place(last));
        }
        assert!(Steps::shared(Scale::new(0.001)).is_none(), "finer than cells are");
    }
}
