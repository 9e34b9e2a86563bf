//! What was learnt from the events of a span of time.

use std::sync::Arc;

use weir_query::machine::{Machine, State, StepError};

/// What one span of time comes to: a bucket, a roll-up, or a total of some of them. Parts merge in any order.
#[derive(Debug, Default)]
pub(in crate::live) struct Part {
    /// What was learnt; `None` when nothing was.
    state: Option<Arc<State>>,
    /// From so many events.
    events: u64,
    /// Events that belong here and had no room.
    dropped: u64,
    /// What `state` held when it was last weighed, and the part itself.
    bytes: usize,
}

impl Part {
    /// Of `events` events, from which `state` was learnt.
    pub(super) fn of(state: State, events: u64) -> Part {
        Part { state: Some(Arc::new(state)), events, ..Part::default() }
    }

    /// Of `events` events, from which `state` was learnt, and of `dropped` others; not weighed yet.
    pub(in crate::live) fn of_all(state: Option<Arc<State>>, events: u64, dropped: u64) -> Part {
        Part { state, events, dropped, bytes: 0 }
    }

    /// A copy, not weighed yet, that shares the state until one of both changes.
    pub(super) fn share(&self) -> Part {
        Part::of_all(self.state.clone(), self.events, self.dropped)
    }

    /// Of events that were dropped.
    pub(super) fn of_dropped(dropped: u64) -> Part {
        Part { dropped, ..Part::default() }
    }

    pub(in crate::live) fn events(&self) -> u64 {
        self.events
    }

    pub(in crate::live) fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(in crate::live) fn state(&self) -> Option<&State> {
        self.state.as_deref()
    }

    pub(in crate::live) fn into_state(self) -> Option<Arc<State>> {
        self.state
    }

    /// Adds what `other` is of; `held`, the bytes of all parts, follows.
    pub(super) fn merge(&mut self, other: &Part, held: &mut usize) {
        self.events += other.events;
        self.dropped += other.dropped;
        if let Some(state) = &other.state {
            // One that outgrows the limit of a state has taken everything all the same: the ring keeps its bound
            // over all of them itself.
            drop(Arc::make_mut(self.state.get_or_insert_default()).merge(state));
        }
        self.weigh(held);
    }

    /// Lets `absorb` put `events` events into the state, one of `machine`.
    pub(super) fn absorb(
        &mut self,
        events: u64,
        machine: &mut Machine,
        absorb: impl FnOnce(&mut Machine, &mut State) -> Result<(), StepError>,
        held: &mut usize,
    ) -> Result<(), StepError> {
        let state = Arc::make_mut(self.state.get_or_insert_with(|| Arc::new(machine.new_state())));
        let absorbed = match absorb(machine, state) {
            // As above: everything is in it.
            Ok(()) | Err(StepError::StateTooLarge { .. }) => Ok(()),
            Err(fault) => Err(fault),
        };
        self.events += if absorbed.is_ok() { events } else { 0 };
        self.weigh(held);
        absorbed
    }

    /// As [`State::threshold`].
    pub(super) fn threshold(&self) -> Option<u64> {
        self.state.as_ref()?.threshold()
    }

    /// Groups whose keys have a greater hash than `threshold` are given up, as [`State::narrow`] does; `held` follows.
    pub(super) fn narrow(&mut self, threshold: u64, held: &mut usize) {
        if let Some(state) = self.state.as_mut().filter(|state| state.threshold() >= Some(threshold)) {
            Arc::make_mut(state).narrow(threshold);
            self.weigh(held);
        }
    }

    /// The part goes; `held` follows.
    pub(super) fn release(self, held: &mut usize) {
        *held = held.saturating_sub(self.bytes);
    }

    /// What it holds counts from now on; `held` follows.
    pub(super) fn weigh(&mut self, held: &mut usize) {
        let bytes = size_of::<Part>() + self.state.as_ref().map_or(0, |state| state.bytes());
        *held = held.saturating_sub(self.bytes).saturating_add(bytes);
        self.bytes = bytes;
    }
}
