//! Many texts at once: all start in one state, so what skeletons decide, or a column of theirs, makes sets.
//!
//! A skeleton that does not decide by itself is followed in its one state to the first hole that matters. Is the
//! column of that hole one of skeletons, these are asked the same; is it another and each way out of it is decided,
//! its values are tested one by one. What the skeletons of a column make of its values is what they make of the
//! texts they stand in. What is left are texts on which more than one hole has a say.

use std::borrow::Cow;

use weir_query::compile::Automaton;
use weir_query::compile::automaton::State;
use weir_query::record::Selection;

use super::{Point, Walk, run};
use crate::store::block::leaf::Cells;
use crate::store::block::lists::Lists;
use crate::store::block::node::{Kind, Node, Skeletons};
use crate::store::block::wire::Corrupt;

/// How values of a column end.
#[derive(Debug)]
pub(in crate::store::block) struct Sets {
    /// They match.
    pub(in crate::store::block) found: Selection,
    /// The automaton cannot tell.
    pub(in crate::store::block) open: Selection,
    /// They have to be followed one by one.
    pub(in crate::store::block) left: Selection,
}

impl Sets {
    fn none(values: usize) -> Sets {
        let none = Selection::none(values);
        Sets { found: none.clone(), open: none.clone(), left: none }
    }

    /// The set of what ends in `state`; there is none of what does not match.
    fn of(&mut self, state: State) -> Option<&mut Selection> {
        match state {
            Automaton::NEVER => None,
            Automaton::MATCH => Some(&mut self.found),
            _ => Some(&mut self.open),
        }
    }

    /// Adds what `inner` says of the values that have skeleton `code`, in their order.
    fn add(&mut self, inner: &Sets, code: u32, lists: &Lists) {
        let all = lists.is_all(code);
        let values = lists.values(code);
        for (own, inner) in
            [(&mut self.found, &inner.found), (&mut self.open, &inner.open), (&mut self.left, &inner.left)]
        {
            if all {
                own.union(inner);
            } else {
                let values = inner.iter().filter_map(|at| values.get(at));
                values.for_each(|value| own.insert(usize::from(*value)));
            }
        }
    }
}

/// A hole that matters: its column, the state before it, and where it goes on.
struct Crux<'a> {
    index: u32,
    column: &'a Node,
    state: State,
    after: Point,
}

impl<'a> Walk<'a> {
    /// How each of the values `wanted` of `node` ends, as far as that makes sets; `opaque` as in [`Walk::ends`].
    pub(in crate::store::block) fn sets(
        &mut self,
        node: &'a Node,
        opaque: Vec<bool>,
        wanted: &Selection,
    ) -> Result<Sets, Corrupt> {
        let Kind::Skeletons(skeletons) = &node.kind else {
            return Ok(Sets { left: wanted.clone(), ..Sets::none(wanted.rows()) });
        };
        let frame = self.frame(skeletons, None, opaque);
        self.part(frame, self.automaton.start(), wanted)
    }

    /// The same for values of the column of `frame`, all in `state`; the ends are those of the whole texts.
    fn part(&mut self, frame: usize, state: State, wanted: &Selection) -> Result<Sets, Corrupt> {
        let mut sets = Sets::none(wanted.rows());
        let Some(node) = self.frames.get(frame).map(|frame| frame.node) else { return Ok(sets) };
        let lists = node.lists(self.block.body())?;
        let is_all = wanted.is_all();
        let is_wanted = |code: &u32| {
            let mut values = lists.values(*code).iter();
            lists.uses(*code) > 0
                && (is_all || lists.is_all(*code) || values.any(|value| wanted.contains(usize::from(*value))))
        };
        for code in (0..node.skeletons.len() as u32).filter(is_wanted) {
            if let Some(end) = self.verdict(frame, (code, 0), state)? {
                if let Some(set) = sets.of(end) {
                    lists.add_to(code, set);
                }
                continue;
            }
            let inner = match self.crux(node, code, state)? {
                Some(crux) => self.turn(frame, code, &crux, wanted)?,
                None => None,
            };
            match inner {
                Some(inner) => sets.add(&inner, code, lists),
                None => lists.add_to(code, &mut sets.left),
            }
        }
        [&mut sets.found, &mut sets.open, &mut sets.left].into_iter().for_each(|set| set.intersect(wanted));
        Ok(sets)
    }

    /// The first hole of skeleton `code` behind which texts that start in `state` may differ.
    fn crux(&mut self, node: &'a Skeletons, code: u32, state: State) -> Result<Option<Crux<'a>>, Corrupt> {
        let skeleton = node.skeletons.get(code as usize).ok_or(Corrupt("unknown skeleton"))?;
        let mut state = state;
        // The hole up to whose piece all is known.
        let mut known = 0;
        for ((hole, piece), index) in (0u32..).zip(skeleton.pieces()).zip(&skeleton.columns) {
            if hole >= known {
                state = run(self.automaton, state, piece);
            } else if hole + 1 < known {
                continue;
            }
            if Automaton::is_final(state) {
                return Ok(None);
            }
            match self.meet(node, (code, hole), state)? {
                Some((next, behind)) => (known, state) = (next + 1, behind),
                None => {
                    let column = node.columns.get(*index as usize).ok_or(Corrupt("unknown column"))?;
                    return Ok(Some(Crux { index: *index, column, state, after: (code, hole + 1) }));
                }
            }
        }
        Ok(None)
    }

    /// What the column at `crux` makes of the values that have skeleton `code`, numbered among themselves; `None`
    /// when it does not decide, or its values are not theirs alone.
    fn turn(
        &mut self,
        frame: usize,
        code: u32,
        crux: &Crux<'a>,
        wanted: &Selection,
    ) -> Result<Option<Sets>, Corrupt> {
        let Some(node) = self.frames.get(frame).map(|frame| frame.node) else { return Ok(None) };
        let lists = node.lists(self.block.body())?;
        let is_own = self.holders(node).only.get(crux.index as usize) == Some(&Some(code));
        if !is_own && !lists.is_all(code) || crux.column.count != lists.uses(code) {
            return Ok(None);
        }
        let wanted = match lists.is_all(code) {
            true => Cow::Borrowed(wanted),
            false => {
                let values = lists.values(code);
                Cow::Owned(Selection::from_fn(values.len(), |at| {
                    values.get(at).is_some_and(|value| wanted.contains(usize::from(*value)))
                }))
            }
        };
        match &crux.column.kind {
            Kind::Skeletons(inner) => {
                let inner = self.inner(inner, (frame, crux.after));
                self.part(inner, crux.state, &wanted).map(Some)
            }
            _ if crux.column.is_relative() => Ok(None),
            _ => self.values(frame, crux, &wanted),
        }
    }

    /// The ends of texts by the `wanted` values of a column, each way out of which is decided.
    fn values(&mut self, frame: usize, crux: &Crux<'a>, wanted: &Selection) -> Result<Option<Sets>, Corrupt> {
        let Some(exits) = self.exits(crux.column, crux.state)? else { return Ok(None) };
        let mut ends = Vec::with_capacity(exits.len());
        for exit in &*exits {
            let Some(end) = self.verdict(frame, crux.after, *exit)? else { return Ok(None) };
            ends.push((*exit, end));
        }
        let cells = Cells { values: wanted.iter().map(|value| value as u32).collect(), rows: Vec::new() };
        let mut states = vec![crux.state; cells.values.len()];
        self.step(crux.column, &cells, &mut states)?;
        let mut sets = Sets::none(wanted.rows());
        for (value, state) in cells.values.iter().zip(states) {
            let end = ends.iter().find(|(exit, _)| *exit == state).map_or(Automaton::OPEN, |(_, end)| *end);
            if let Some(set) = sets.of(end) {
                set.insert(*value as usize);
            }
        }
        Ok(Some(sets))
    }
}
