//! What came since a metric took it last, by bucket.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use weir_query::machine::{Machine, State, StepError};

use super::ring::Part;

/// What came since it was taken last: a metric whose results are discarding gives out this and not the ring. It is by
/// bucket, as what came early for the next window is of that one.
#[derive(Debug, Default)]
pub(super) struct Pane {
    /// What was learnt, and from how many events.
    buckets: BTreeMap<i64, (Arc<State>, u64)>,
    bytes: usize,
}

impl Pane {
    /// Changes what is known of `bucket` through `change`, by `events` events.
    pub(super) fn change(
        &mut self,
        bucket: i64,
        events: u64,
        machine: &mut Machine,
        change: impl FnOnce(&mut Machine, &mut State) -> Result<(), StepError>,
    ) -> Result<(), StepError> {
        let (state, known) = self.buckets.entry(bucket).or_insert_with(|| (Arc::new(machine.new_state()), 0));
        let before = if *known == 0 { 0 } else { state.bytes() };
        let changed = change(machine, Arc::make_mut(state));
        self.bytes = self.bytes.saturating_sub(before) + state.bytes();
        *known += events;
        changed
    }

    /// Everything in `buckets`, merged into `into`, and from how many events. It is gone then, and so is what is of
    /// buckets before them: it left the window before it was taken.
    pub(super) fn take(&mut self, buckets: &Range<i64>, mut into: State) -> Result<(State, u64), StepError> {
        let mut events = 0;
        while let Some(first) = self.buckets.first_entry().filter(|first| *first.key() < buckets.end) {
            let (bucket, (state, known)) = first.remove_entry();
            self.bytes = self.bytes.saturating_sub(state.bytes());
            if bucket >= buckets.start {
                into.merge(&state)?;
                events += known;
            }
        }
        Ok((into, events))
    }

    /// What there is of each bucket, in order; states are shared until they change.
    pub(super) fn cut(&self) -> Vec<(i64, Part)> {
        let part = |(state, events): &(Arc<State>, u64)| Part::of_all(Some(Arc::clone(state)), *events, 0);
        self.buckets.iter().map(|(bucket, known)| (*bucket, part(known))).collect()
    }

    /// Takes up what [`Pane::cut`] gave, in place of all there is.
    pub(super) fn take_up(&mut self, cut: Vec<(i64, Part)>) {
        let known = |(bucket, part): (i64, Part)| {
            let events = part.events();
            Some((bucket, (part.into_state()?, events)))
        };
        self.buckets = cut.into_iter().filter_map(known).collect();
        self.bytes = self.buckets.values().map(|(state, _)| state.bytes()).sum();
    }

    /// Bytes the states hold.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}
