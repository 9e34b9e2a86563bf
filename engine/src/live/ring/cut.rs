//! A ring as it is at one moment, and a ring that goes on from there.
//!
//! Parts are handed out as they are, their states shared: what changes afterwards is copied where it changes. So a
//! moment costs a count a part, however much they hold, and can be looked at for as long as it takes.

use super::Ring;
use super::part::Part;

/// What a ring has at one moment. The totals of sliders are not in it: they are made again of the parts.
#[derive(Debug, Default)]
pub(in crate::live) struct RingCut {
    /// Buckets before this one are in the roll-ups.
    pub(in crate::live) closed: i64,
    /// Parts of each level by number, in order: the buckets, then roll-ups.
    pub(in crate::live) levels: Vec<Vec<(i64, Part)>>,
    /// The roll-ups below which parts were given up.
    pub(in crate::live) folds: Vec<FoldCut>,
}

/// A roll-up below which parts were given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::live) struct FoldCut {
    pub(in crate::live) level: usize,
    pub(in crate::live) number: i64,
    /// They cannot be had again.
    pub(in crate::live) is_lost: bool,
}

impl Ring {
    /// What is in it now. Parts that are being read back count as given up: all that came is in what covers them.
    pub(in crate::live) fn cut(&self) -> RingCut {
        let (closed, levels) = self.levels.cut();
        RingCut { closed, levels, folds: self.folds.given_up() }
    }

    /// Takes up what `cut` has, in place of all there is; windows of `buckets` buckets are coming.
    pub(in crate::live) fn take_up(&mut self, cut: RingCut, buckets: i64) {
        self.sliders.clear();
        self.held = 0;
        self.exhausted = None;
        self.levels.take_up(cut.closed, cut.levels, &mut self.held);
        self.folds.take_up(cut.folds);
        self.reach(buckets);
    }
}
