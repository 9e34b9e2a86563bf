//! Groups given up, where a ring is over its bound and parts cannot be.
//!
//! What stays are the groups whose keys have the smallest hashes: half of them, and half of those again, until the rest
//! fits. A threshold of hashes picks the same groups in every part, so a total of any of them is exact for each group
//! that it shows; the rows of the others are in the row that a query asks for (`groupBy(other=…)`), or counted, and the
//! result says so. The threshold goes up again, for new parts, once there is much room.

use weir_query::machine::State;

use super::{Part, Ring};

/// All groups stay.
pub(super) const ALL: u64 = u64::MAX;
/// A group in a million stays at the least.
const LEAST: u64 = ALL >> 20;
/// Narrowing goes on only while it frees a sixteenth of what is held.
const GAIN: usize = 16;
/// New parts get twice the groups while less than this part of the bound is used.
const ROOMY: usize = 2;

impl Ring {
    /// Gives up groups until no more than `enough` bytes are held, or nothing is gained by it: groups are not what takes the
    /// room then, and stay.
    pub(super) fn narrow(&mut self, enough: usize) {
        // Parts may be narrower than new ones are, as those that come out of a snapshot.
        let Some(widest) = self.levels.parts_mut().filter_map(|part| part.threshold()).max() else { return };
        self.threshold = self.threshold.min(widest);
        while self.held > enough && self.threshold > LEAST {
            let (held, threshold) = (self.held, self.threshold);
            self.threshold /= 2;
            // What is kept for windows is made again of the parts.
            self.sliders.iter_mut().for_each(|(_, slider)| slider.give_up(false, &mut self.held));
            let narrowest = self.threshold;
            self.levels.parts_mut().for_each(|part| part.narrow(narrowest, &mut self.held));
            self.folds.late_mut().for_each(|part| part.narrow(narrowest, &mut self.held));
            if self.held > held - held / GAIN {
                self.threshold = threshold;
                return;
            }
        }
    }

    /// What was learnt elsewhere from `events` events, as narrow as new parts are.
    pub(super) fn narrowed(&self, state: &State, events: u64) -> Part {
        let mut part = Part::of(state.clone(), events);
        // Narrowing looks at every group.
        if self.threshold != ALL {
            part.narrow(self.threshold, &mut 0);
        }
        part
    }

    /// More groups are kept in parts that are made from now on, where there is room.
    pub(super) fn widen(&mut self) {
        if self.threshold != ALL && self.held < self.max_bytes / ROOMY {
            self.threshold = self.threshold.saturating_mul(2);
        }
    }
}
