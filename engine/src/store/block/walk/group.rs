//! Rows of one skeleton, and the states they are in.

use weir_query::compile::Automaton;
use weir_query::compile::automaton::State;

use super::{put, run};
use crate::store::block::leaf::Cells;
use crate::store::block::node::{Ranks, Skeletons};
use crate::store::block::wire::Corrupt;

/// Rows of one skeleton whose states are followed.
pub(super) struct Group {
    /// Their places among the cells of the frame.
    pub(super) places: Vec<u32>,
    /// Of each, how many values of the frame's column before it have the same skeleton.
    pub(super) ordinals: Vec<u32>,
    pub(super) states: Vec<State>,
    /// The state of all, where it is the same; `states` then say nothing until they are [`Group::spread`].
    pub(super) common: Option<State>,
}

impl Group {
    /// Finds out whether all have the same state.
    pub(super) fn gather(&mut self) {
        let first = self.states.first().copied();
        self.common = first.filter(|first| self.states.iter().all(|state| state == first));
    }

    /// Gives each row its own state again.
    pub(super) fn spread(&mut self) {
        if let Some(state) = self.common.take() {
            self.states.fill(state);
        }
    }

    /// Takes the states through `piece`.
    pub(super) fn run(&mut self, automaton: &Automaton, piece: &[u8]) {
        if let Some(state) = &mut self.common {
            *state = run(automaton, *state, piece);
            return;
        }
        let mut last = (Automaton::NEVER, Automaton::NEVER);
        for state in &mut self.states {
            if *state != last.0 {
                last = (*state, run(automaton, *state, piece));
            }
            *state = last.1;
        }
        self.gather();
    }

    /// Hands out those for which `decided` knows the end, and keeps the others.
    pub(super) fn settle(
        &mut self,
        states: &mut [State],
        mut decided: impl FnMut(State) -> Result<Option<State>, Corrupt>,
    ) -> Result<(), Corrupt> {
        let mut left = 0;
        let mut last: Option<(State, Option<State>)> = None;
        for at in 0..self.states.len() {
            let Some(state) = self.states.get(at).copied() else { break };
            let end = match last {
                _ if Automaton::is_final(state) => Some(state),
                Some((own, end)) if own == state => end,
                _ => last.insert((state, decided(state)?)).1,
            };
            let (place, ordinal) = (self.places.get(at).copied(), self.ordinals.get(at).copied());
            let (Some(place), Some(ordinal)) = (place, ordinal) else { break };
            if let Some(end) = end {
                put(states, place as usize, end);
            } else {
                put(&mut self.states, left, state);
                put(&mut self.places, left, place);
                put(&mut self.ordinals, left, ordinal);
                left += 1;
            }
        }
        self.states.truncate(left);
        self.places.truncate(left);
        self.ordinals.truncate(left);
        self.gather();
        Ok(())
    }
}

/// The rows at `undecided` by their skeletons.
pub(super) fn groups(
    node: &Skeletons,
    ranks: &Ranks,
    cells: &Cells,
    undecided: &[u32],
    states: &[State],
) -> Vec<Group> {
    let empty = || Group { places: Vec::new(), ordinals: Vec::new(), states: Vec::new(), common: None };
    let value = |place: u32| cells.values.get(place as usize).map_or(0, |value| *value as usize);
    let Some(first) = undecided.first() else { return Vec::new() };
    let mut groups: Vec<Group> = (0..node.skeletons.len()).map(|_| empty()).collect();
    let mut at = value(*first);
    let mut counts = ranks.before(at);
    for place in undecided {
        for code in ranks.codes(at..value(*place)) {
            if let Some(count) = counts.get_mut(*code as usize) {
                *count += 1;
            }
        }
        at = value(*place);
        let Some(code) = ranks.codes.get(at).map(|code| *code as usize) else { continue };
        if let (Some(group), Some(count)) = (groups.get_mut(code), counts.get(code)) {
            group.places.push(*place);
            group.ordinals.push(*count);
            group.states.push(states.get(*place as usize).copied().unwrap_or(Automaton::OPEN));
        }
    }
    groups
}
