//! Whether a regex matches the texts of a column, on what is stored.
//!
//! The automaton of the regex walks every skeleton once, piece by piece and hole by hole, with all states it may be
//! in: a piece leads from one state to one, a hole from one to those its column allows. Where all ways end alike,
//! the texts of that skeleton are decided by their code; where one hole decides, by the values of its column ([`sets`]).
//! Of what is left the states are followed a column at a time, a state a row: over a hole only if the column matters for
//! the state, and no further than to where the rest of the skeleton is decided again. Texts are never put together.
//! (Running automata over grammars and compressed strings goes back to Amir, Benson and Farach 1996; deciding by
//! templates is what CLP, OSDI '21, does for wildcards.)
//!
//! Skeletons lie in holes of skeletons, so what a state means there depends on where it goes on behind: a [`Frame`] is
//! a column of skeletons at one such place.

mod exits;
mod group;
mod holders;
mod sets;

use std::rc::Rc;

use hashbrown::HashMap;
use weir_query::compile::Automaton;
use weir_query::compile::automaton::State;

use self::group::{Group, groups};
use self::holders::Holders;
use super::leaf::{Cells, Exits, Leaf, UNSEEN};
use super::node::{Kind, Node, Ranks, Skeletons};
use super::read::Block;
use super::span::Outline;
use super::wire::Corrupt;

/// Stands for a skeleton whose texts do not all end alike.
const DEPENDS: State = UNSEEN - 1;

type Known<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

/// A walk over columns of a block, with what it found out so far.
pub(super) struct Walk<'a> {
    automaton: &'a Automaton,
    block: &'a Block,
    leaves: Known<usize, Leaf<'a>>,
    frames: Vec<Frame<'a>>,
    holders: Known<usize, Rc<Holders>>,
    /// Where a skeleton may lead from a state before one of its pieces.
    through: Known<(usize, Point, State), Exits>,
    /// Where a column of skeletons may lead from a state.
    exits: Known<(usize, State), Exits>,
    /// Where whole numbers may lead from a state.
    numbers: Known<(State, Outline), Exits>,
    /// From a state before a hole: the next hole before which all texts are in one state, and the state.
    meets: Known<(usize, Point, State), Option<(u32, State)>>,
}

/// A skeleton, and a place in it: before that piece.
type Point = (u32, u32);

/// A column of skeletons at a place where its texts stand.
struct Frame<'a> {
    node: &'a Skeletons,
    /// The frame and the point where it goes on behind these texts; `None` when nothing follows.
    after: Option<(usize, Point)>,
    /// Skeletons that are left open without a look.
    opaque: Vec<bool>,
    /// How it ends from a state at a point: a final state, or it depends.
    verdicts: Known<(Point, State), Option<State>>,
    /// The same from before the first piece, a state and then a skeleton.
    entries: Vec<(State, Vec<State>)>,
    inner: Known<Point, usize>,
}

/// The state behind `text`.
fn run(automaton: &Automaton, state: State, text: &[u8]) -> State {
    if Automaton::is_final(state) { state } else { automaton.run(state, text) }
}

fn put<T>(list: &mut [T], at: usize, value: T) {
    if let Some(slot) = list.get_mut(at) {
        *slot = value;
    }
}

impl<'a> Walk<'a> {
    pub(super) fn new(block: &'a Block, automaton: &'a Automaton) -> Walk<'a> {
        Walk {
            automaton,
            block,
            leaves: HashMap::default(),
            frames: Vec::new(),
            holders: HashMap::default(),
            through: HashMap::default(),
            exits: HashMap::default(),
            numbers: HashMap::default(),
            meets: HashMap::default(),
        }
    }

    /// How each of `cells` of `node` ends: one of the three final states of the automaton. What has one of the
    /// skeletons that are `opaque` is left open.
    pub(super) fn ends(
        &mut self,
        node: &'a Node,
        opaque: Vec<bool>,
        cells: &Cells,
    ) -> Result<Vec<State>, Corrupt> {
        let mut states = vec![self.automaton.start(); cells.values.len()];
        match &node.kind {
            Kind::Skeletons(skeletons) => {
                let frame = self.frame(skeletons, None, opaque);
                self.pass(frame, cells, &mut states)?;
            }
            _ => self.step(node, cells, &mut states)?,
        }
        for state in states.iter_mut().filter(|state| !Automaton::is_final(**state)) {
            *state = self.automaton.end(*state);
        }
        Ok(states)
    }

    fn frame(&mut self, node: &'a Skeletons, after: Option<(usize, Point)>, opaque: Vec<bool>) -> usize {
        self.frames.push(Frame {
            node,
            after,
            opaque,
            verdicts: HashMap::default(),
            entries: Vec::new(),
            inner: HashMap::default(),
        });
        self.frames.len() - 1
    }

    /// The frame of `node`, which stands right before `after`.
    fn inner(&mut self, node: &'a Skeletons, (outer, after): (usize, Point)) -> usize {
        let known = self.frames.get(outer).and_then(|frame| frame.inner.get(&after).copied());
        let inner = known.unwrap_or_else(|| self.frame(node, Some((outer, after)), Vec::new()));
        if let Some(outer) = self.frames.get_mut(outer) {
            outer.inner.insert(after, inner);
        }
        inner
    }

    fn holders(&mut self, node: &Skeletons) -> Rc<Holders> {
        let known = self.holders.entry(std::ptr::from_ref(node).addr());
        Rc::clone(known.or_insert_with(|| Rc::new(Holders::of(node))))
    }

    fn leaf(&mut self, node: &'a Node) -> &mut Leaf<'a> {
        let source = self.block.body();
        self.leaves.entry(std::ptr::from_ref(node).addr()).or_insert_with(|| Leaf::new(node, source))
    }

    /// Takes `states` through the texts of `cells`: to the end where that is known, else to behind these texts.
    fn pass(&mut self, frame: usize, cells: &Cells, states: &mut [State]) -> Result<(), Corrupt> {
        let Some(node) = self.frames.get(frame).map(|frame| frame.node) else { return Ok(()) };
        let ranks = node.ranks(self.block.body())?;
        let undecided = self.enter(frame, &ranks, cells, states)?;
        for (code, mut group) in groups(node, &ranks, cells, &undecided, states).into_iter().enumerate() {
            if !group.places.is_empty() {
                group.gather();
                self.follow(frame, code as u32, &mut group, (cells, states))?;
            }
        }
        Ok(())
    }

    /// Decides what the skeletons of `cells` decide; the places of the others.
    fn enter(
        &mut self,
        frame: usize,
        ranks: &Ranks,
        cells: &Cells,
        states: &mut [State],
    ) -> Result<Vec<u32>, Corrupt> {
        let mut undecided = Vec::new();
        let mut entry: (State, Vec<State>) = (Automaton::NEVER, Vec::new());
        for (place, (value, state)) in cells.values.iter().zip(states).enumerate() {
            if Automaton::is_final(*state) {
                continue;
            }
            if entry.0 != *state {
                self.change_entry(frame, &mut entry, *state);
            }
            let code = *ranks.codes.get(*value as usize).ok_or(Corrupt("column ends early"))?;
            let slot = entry.1.get_mut(code as usize).ok_or(Corrupt("unknown skeleton"))?;
            if *slot == UNSEEN {
                *slot = self.verdict(frame, (code, 0), *state)?.unwrap_or(DEPENDS);
            }
            match *slot {
                DEPENDS => undecided.push(place as u32),
                end => *state = end,
            }
        }
        self.change_entry(frame, &mut entry, Automaton::NEVER);
        Ok(undecided)
    }

    /// Puts `entry` back, and takes the one of `state`.
    fn change_entry(&mut self, frame: usize, entry: &mut (State, Vec<State>), state: State) {
        let Some(frame) = self.frames.get_mut(frame) else { return };
        let old = std::mem::replace(entry, (state, Vec::new()));
        if !Automaton::is_final(old.0) {
            frame.entries.push(old);
        }
        if !Automaton::is_final(state) {
            *entry = match frame.entries.iter().position(|(own, _)| *own == state) {
                Some(at) => frame.entries.swap_remove(at),
                None => (state, vec![UNSEEN; frame.node.skeletons.len()]),
            };
        }
    }

    /// Takes the rows of `group`, which have skeleton `code`, through it.
    fn follow(
        &mut self,
        frame: usize,
        code: u32,
        group: &mut Group,
        (cells, states): (&Cells, &mut [State]),
    ) -> Result<(), Corrupt> {
        let Some(node) = self.frames.get(frame).map(|frame| frame.node) else { return Ok(()) };
        let skeleton = node.skeletons.get(code as usize).ok_or(Corrupt("unknown skeleton"))?;
        // The piece up to which all is known, and holes that need no look.
        let mut known = 0;
        for (hole, piece) in skeleton.pieces().enumerate() {
            if hole >= known {
                group.run(self.automaton, piece);
            }
            if hole + 1 < known {
                continue;
            }
            let Some(index) = skeleton.columns.get(hole).copied() else { break };
            let column = node.columns.get(index as usize).ok_or(Corrupt("unknown column"))?;
            if let Some(state) = group.common
                && let Some((next, state)) = self.meet(node, (code, hole as u32), state)?
            {
                group.common = Some(state);
                known = next as usize + 1;
                continue;
            }
            group.spread();
            let own = self.cells_of(node, (code, index), column, group, cells)?;
            let after = (code, hole as u32 + 1);
            match &column.kind {
                Kind::Skeletons(inner) => {
                    let inner = self.inner(inner, (frame, after));
                    self.pass(inner, &own, &mut group.states)?;
                }
                _ => self.step(column, &own, &mut group.states)?,
            }
            group.settle(states, |state| self.verdict(frame, after, state))?;
            if group.states.is_empty() {
                return Ok(());
            }
        }
        group.spread();
        for (place, state) in group.places.iter().zip(&group.states) {
            put(states, *place as usize, *state);
        }
        Ok(())
    }

    /// The values that the rows of `group`, of skeleton `code`, have in column `index`.
    fn cells_of(
        &mut self,
        node: &'a Skeletons,
        (code, index): (u32, u32),
        column: &Node,
        group: &Group,
        cells: &Cells,
    ) -> Result<Cells, Corrupt> {
        let of = |list: &[u32]| -> Vec<u32> {
            if group.places.len() == list.len() {
                return list.to_vec();
            }
            group.places.iter().map(|place| list.get(*place as usize).copied().unwrap_or(0)).collect()
        };
        let rows = of(&cells.rows);
        let ranks = node.ranks(self.block.body())?;
        let values = if self.holders(node).only.get(index as usize) == Some(&Some(code)) {
            group.ordinals.clone()
        } else if column.count == ranks.codes.len() {
            of(&cells.values)
        } else {
            node.values_of(&ranks, index, &of(&cells.values))
        };
        Ok(Cells { values, rows })
    }

    fn step(&mut self, node: &'a Node, cells: &Cells, states: &mut [State]) -> Result<(), Corrupt> {
        let times = if node.is_relative() { Some(self.block.times()?) } else { None };
        let automaton = self.automaton;
        self.leaf(node).step(automaton, cells, times.as_ref().map(|times| times.as_slice()), states)
    }
}

impl Skeletons {
    /// Which values of column `column` belong to the texts `values`, which ascend and whose skeletons have it.
    pub(super) fn values_of(&self, ranks: &Ranks, column: u32, values: &[u32]) -> Vec<u32> {
        let holds = |code: u32| {
            let skeleton = self.skeletons.get(code as usize);
            skeleton.map_or(0, |skeleton| skeleton.columns.iter().filter(|own| **own == column).count())
        };
        let uses: Vec<usize> = (0..self.skeletons.len() as u32).map(holds).collect();
        let Some(mut at) = values.first().map(|first| *first as usize) else { return Vec::new() };
        let before = ranks.before(at);
        let mut count: usize = before.iter().zip(&uses).map(|(before, uses)| *before as usize * uses).sum();
        let mut own = Vec::with_capacity(values.len());
        for value in values {
            let codes = ranks.codes(at..*value as usize);
            count += codes.iter().filter_map(|code| uses.get(*code as usize)).sum::<usize>();
            at = *value as usize;
            own.push(count as u32);
        }
        own
    }
}
