//! The abstract half of a walk: where texts may lead, told from skeletons and columns without a look at a value.

use weir_query::compile::Automaton;
use weir_query::compile::automaton::State;

use super::{Point, Walk, run};
use crate::store::block::leaf::{EXITS_MAX, Exits, exits_of, kept};
use crate::store::block::node::{Kind, Node, Skeletons};
use crate::store::block::number::Form;
use crate::store::block::span::Outline;
use crate::store::block::wire::Corrupt;

impl Skeletons {
    /// Behind `point` there is nothing but skeletons of one column: they are better looked at one by one, as far as
    /// they are asked for.
    fn is_whole(&self, (code, piece): Point) -> bool {
        let Some(skeleton) = self.skeletons.get(code as usize) else { return false };
        let column = skeleton.columns.first().and_then(|column| self.columns.get(*column as usize));
        let is_in_skeletons = column.is_some_and(|column| matches!(column.kind, Kind::Skeletons(_)));
        piece == 0 && skeleton.literal.is_empty() && skeleton.columns.len() == 1 && is_in_skeletons
    }
}

impl<'a> Walk<'a> {
    /// Where the values of `node` may lead from `state`.
    pub(super) fn exits(&mut self, node: &'a Node, state: State) -> Result<Exits, Corrupt> {
        let skeletons = match &node.kind {
            Kind::Skeletons(skeletons) => skeletons,
            Kind::Number { form: form @ (Form::Plain | Form::Padded(_)), unit, values } => {
                // Mostly that they are numbers says enough, and they are not even loaded.
                let any = self.numbers_exits(form.outline((i64::MIN, i64::MAX)), state);
                if *unit > 0 || any.as_ref().is_some_and(|exits| exits.len() == 1) {
                    return Ok(any);
                }
                let Some(bounds) = values.load(self.block.body())?.bounds() else { return Ok(any) };
                return Ok(self.numbers_exits(form.outline(bounds), state));
            }
            _ => {
                let automaton = self.automaton;
                return self.leaf(node).exits(automaton, state);
            }
        };
        let key = (std::ptr::from_ref(node).addr(), state);
        if let Some(exits) = self.exits.get(&key) {
            return Ok(exits.clone());
        }
        let mut states = Vec::new();
        let mut codes = 0..skeletons.skeletons.len() as u32;
        let known = loop {
            let Some(code) = codes.next() else { break true };
            match self.through(skeletons, (code, 0), state)? {
                Some(own) => states.extend_from_slice(&own),
                None => break false,
            }
        };
        let exits = if known { kept(states) } else { None };
        self.exits.insert(key, exits.clone());
        Ok(exits)
    }

    /// Where whole numbers may lead from `state`. Many columns differ in nothing that counts.
    fn numbers_exits(&mut self, outline: Option<Outline>, state: State) -> Exits {
        let outline = outline?;
        let known = self.numbers.entry((state, outline));
        known.or_insert_with(|| exits_of(self.automaton, &outline.spans(), state)).clone()
    }

    /// Where a skeleton of `node` may lead from `state` at `point`.
    fn through(&mut self, node: &'a Skeletons, point: Point, state: State) -> Result<Exits, Corrupt> {
        let key = (std::ptr::from_ref(node).addr(), point, state);
        if let Some(exits) = self.through.get(&key) {
            return Ok(exits.clone());
        }
        let exits = self.find_through(node, point, state)?;
        self.through.insert(key, exits.clone());
        Ok(exits)
    }

    fn find_through(
        &mut self,
        node: &'a Skeletons,
        (code, first): Point,
        state: State,
    ) -> Result<Exits, Corrupt> {
        let skeleton = node.skeletons.get(code as usize).ok_or(Corrupt("unknown skeleton"))?;
        if self.holders(node).twice.get(code as usize) == Some(&true) {
            return Ok(kept(vec![Automaton::OPEN]));
        }
        let mut states = vec![state];
        for (hole, piece) in skeleton.pieces().enumerate().skip(first as usize) {
            states.iter_mut().for_each(|state| *state = run(self.automaton, *state, piece));
            states.sort_unstable();
            states.dedup();
            if states.iter().all(|state| Automaton::is_final(*state)) {
                break;
            }
            let Some(column) = skeleton.columns.get(hole) else { break };
            let column = node.columns.get(*column as usize).ok_or(Corrupt("unknown column"))?;
            let Some(next) = self.over(column, &states)? else { return Ok(None) };
            states = next;
        }
        Ok(kept(states))
    }

    /// The states behind a value of `column` from one of `states`, ascending; `None` when they are too many.
    fn over(&mut self, column: &'a Node, states: &[State]) -> Result<Option<Vec<State>>, Corrupt> {
        let mut next = Vec::new();
        for state in states {
            match Automaton::is_final(*state) {
                true => next.push(*state),
                false => match self.exits(column, *state)? {
                    Some(exits) => next.extend_from_slice(&exits),
                    None => return Ok(None),
                },
            }
        }
        next.sort_unstable();
        next.dedup();
        Ok((next.len() <= EXITS_MAX).then_some(next))
    }

    /// The next hole behind the one at `point` before which all texts that were in `state` are in one state again.
    pub(super) fn meet(
        &mut self,
        node: &'a Skeletons,
        point: Point,
        state: State,
    ) -> Result<Option<(u32, State)>, Corrupt> {
        if node.is_whole(point) {
            return Ok(None);
        }
        let key = (std::ptr::from_ref(node).addr(), point, state);
        if let Some(meets) = self.meets.get(&key) {
            return Ok(*meets);
        }
        let meets = self.find_meet(node, point, state)?;
        self.meets.insert(key, meets);
        Ok(meets)
    }

    fn find_meet(
        &mut self,
        node: &'a Skeletons,
        (code, first): Point,
        state: State,
    ) -> Result<Option<(u32, State)>, Corrupt> {
        let skeleton = node.skeletons.get(code as usize).ok_or(Corrupt("unknown skeleton"))?;
        let mut states = vec![state];
        let pieces = skeleton.pieces().enumerate().skip(first as usize + 1);
        for ((hole, piece), column) in pieces.zip(skeleton.columns.iter().skip(first as usize)) {
            let column = node.columns.get(*column as usize).ok_or(Corrupt("unknown column"))?;
            let Some(next) = self.over(column, &states)? else { return Ok(None) };
            // A match and a text that goes on never meet.
            if next.len() > 1 && next.contains(&Automaton::MATCH) {
                return Ok(None);
            }
            states = next;
            states.iter_mut().for_each(|state| *state = run(self.automaton, *state, piece));
            states.sort_unstable();
            states.dedup();
            if let [state] = *states {
                return Ok(Some((hole as u32, state)));
            }
        }
        Ok(None)
    }

    /// How all texts end that are in `state` at `point` of `frame`; `None` when that depends on them.
    pub(super) fn verdict(
        &mut self,
        frame: usize,
        point: Point,
        state: State,
    ) -> Result<Option<State>, Corrupt> {
        if Automaton::is_final(state) {
            return Ok(Some(state));
        }
        let Some(own) = self.frames.get(frame) else { return Ok(None) };
        if let Some(verdict) = own.verdicts.get(&(point, state)) {
            return Ok(*verdict);
        }
        let after = own.after;
        let verdict = match own.opaque.get(point.0 as usize) {
            Some(true) => Some(Automaton::OPEN),
            _ if after.is_none() && own.node.is_whole(point) => None,
            _ => match self.through(own.node, point, state)? {
                Some(exits) => self.agreed(after, &exits)?,
                None => None,
            },
        };
        if let Some(own) = self.frames.get_mut(frame) {
            own.verdicts.insert((point, state), verdict);
        }
        Ok(verdict)
    }

    /// How all texts end that are in one of `states` where it goes on `after`.
    fn agreed(&mut self, after: Option<(usize, Point)>, states: &[State]) -> Result<Option<State>, Corrupt> {
        let mut common = None;
        for state in states {
            let end = match after {
                Some((frame, point)) => self.verdict(frame, point, *state)?,
                None if Automaton::is_final(*state) => Some(*state),
                None => Some(self.automaton.end(*state)),
            };
            if end.is_none() || common.is_some_and(|common| Some(common) != end) {
                return Ok(None);
            }
            common = end;
        }
        Ok(common)
    }
}
