//! What the values of a column that is no skeleton do to the states of an automaton: all of them at once, by what is
//! known of the column, or one by one.

use std::rc::Rc;

use hashbrown::HashMap;
use weir_query::compile::Automaton;
use weir_query::compile::automaton::State;

use super::cursor::Cursor;
use super::node::{Chunk, Kind, Node, Texts, load_bytes};
use super::number::Form;
use super::reach::Reach;
use super::section::Source;
use super::span::Span;
use super::wire::Corrupt;

/// The states that a text may lead to, ascending; `None` when too many, or nothing is known of the text.
pub(super) type Exits = Option<Rc<[State]>>;

/// Most states that are followed at once.
pub(super) const EXITS_MAX: usize = 256;
/// Dictionaries and texts of up to this many bytes are walked value by value for every state; of larger ones it is
/// known which bytes they have.
const EXACT_BYTES: usize = 4 << 10;
/// Most states for which it is kept what each value of a dictionary leads to.
const TABLES_MAX: usize = 64;
/// Stands for what has not been worked out. Automata have fewer states.
pub(super) const UNSEEN: State = State::MAX;
/// Stands for what hangs on more than has been looked at.
const MIXED: State = UNSEEN - 1;
/// Most digits of a number without a fraction.
const LENGTHS: usize = 21;

/// A column, and what has been found out about it.
pub(super) struct Leaf<'a> {
    node: &'a Node,
    source: Source<'a>,
    exits: HashMap<State, Exits, foldhash::fast::FixedState>,
    runs: Option<Option<Vec<Run>>>,
    /// For a state what each distinct value leads to, or each number of digits.
    tables: Vec<(State, Vec<State>)>,
}

/// A [`Span`] as an automaton sees it.
struct Run {
    /// One byte of each class.
    bytes: Vec<u8>,
    least: usize,
    most: usize,
}

impl Run {
    fn of(automaton: &Automaton, span: &Span) -> Run {
        let mut classes = [false; 256];
        let is_new = |byte: &u8| {
            let slot = classes.get_mut(usize::from(automaton.class(*byte)));
            slot.is_some_and(|slot| !std::mem::replace(slot, true))
        };
        Run { bytes: span.bytes.iter().filter(is_new).collect(), least: span.least, most: span.most }
    }
}

/// Values of a column, ascending, and the rows they belong to.
#[derive(Default)]
pub(super) struct Cells {
    /// Their numbers in the column.
    pub(super) values: Vec<u32>,
    /// Their rows.
    pub(super) rows: Vec<u32>,
}

impl<'a> Leaf<'a> {
    pub(super) fn new(node: &'a Node, source: Source<'a>) -> Leaf<'a> {
        Leaf { node, source, exits: HashMap::default(), runs: None, tables: Vec::new() }
    }

    /// Where the values may lead from `state`.
    pub(super) fn exits(&mut self, automaton: &Automaton, state: State) -> Result<Exits, Corrupt> {
        if let Some(exits) = self.exits.get(&state) {
            return Ok(exits.clone());
        }
        let exits = self.find_exits(automaton, state)?.and_then(kept);
        self.exits.insert(state, exits.clone());
        Ok(exits)
    }

    fn find_exits(&mut self, automaton: &Automaton, state: State) -> Result<Option<Vec<State>>, Corrupt> {
        match &self.node.kind {
            Kind::Constant(value) => return Ok(Some(vec![automaton.run(state, value)])),
            Kind::Dictionary { .. } => {
                let texts = self.node.dictionary(self.source)?;
                if texts.bytes.len() <= EXACT_BYTES {
                    let values = (0..texts.len()).filter_map(|code| texts.get(code));
                    return Ok(Some(values.map(|value| automaton.run(state, value)).collect()));
                }
            }
            Kind::Text { chunks, .. } if chunks.iter().map(Chunk::len).sum::<usize>() <= EXACT_BYTES => {
                let values: Vec<u32> = (0..self.node.count as u32).collect();
                let mut states = vec![state; values.len()];
                self.step_texts(automaton, &values, &mut states)?;
                return Ok(Some(states));
            }
            _ => {}
        }
        if self.runs.is_none() {
            let spans = spans(self.node, self.source)?;
            self.runs = Some(spans.map(|spans| runs(automaton, &spans)));
        }
        let runs = self.runs.as_ref().and_then(Option::as_ref);
        Ok(runs.and_then(|runs| through(automaton, runs, state)))
    }

    /// Puts in place of each of `states` the one behind the value it belongs to; `times` are those of all rows.
    pub(super) fn step(
        &mut self,
        automaton: &Automaton,
        cells: &Cells,
        times: Option<&[i64]>,
        states: &mut [State],
    ) -> Result<(), Corrupt> {
        match &self.node.kind {
            Kind::Constant(value) => {
                states.iter_mut().for_each(|state| *state = automaton.run(*state, value));
                Ok(())
            }
            Kind::Dictionary { codes, .. } => {
                let texts = self.node.dictionary(self.source)?;
                let codes = codes.pick(self.source, &cells.values)?;
                self.step_codes(automaton, &texts, &codes, states)
            }
            Kind::Number { form, unit, values } => {
                let mut numbers = values.pick(self.source, &cells.values)?;
                if *unit > 0 {
                    let times = times.ok_or(Corrupt("relative column without times"))?;
                    for (number, row) in numbers.iter_mut().zip(&cells.rows) {
                        let time = times.get(*row as usize).copied().unwrap_or(0);
                        *number = number.wrapping_add(time.div_euclid(*unit));
                    }
                }
                self.step_numbers(automaton, form, &numbers, states);
                Ok(())
            }
            Kind::Hex { pattern, digits, bytes } => {
                let (width, digits) = (pattern.width(), load_bytes(bytes, digits, self.source)?);
                let mut text = Vec::new();
                for (state, value) in states.iter_mut().zip(&cells.values) {
                    let start = *value as usize * width;
                    let own = digits.get(start..start + width).ok_or(Corrupt("column ends early"))?;
                    text.clear();
                    pattern.append(own, &mut text);
                    *state = automaton.run(*state, &text);
                }
                Ok(())
            }
            Kind::Text { .. } | Kind::Skeletons(_) => self.step_texts(automaton, &cells.values, states),
        }
    }

    fn step_codes(
        &mut self,
        automaton: &Automaton,
        texts: &Texts,
        codes: &[i64],
        states: &mut [State],
    ) -> Result<(), Corrupt> {
        const UNKNOWN: Corrupt = Corrupt("unknown code");
        let mut place = None;
        for (state, code) in states.iter_mut().zip(codes) {
            if place.is_none_or(|(own, _)| own != *state) {
                place = self.table(*state, texts.len()).map(|at| (*state, at));
            }
            let text = || texts.get(*code as usize).ok_or(UNKNOWN);
            let table = place.and_then(|(_, at)| self.tables.get_mut(at));
            *state = match table {
                Some((_, table)) => {
                    let slot = table.get_mut(*code as usize).ok_or(UNKNOWN)?;
                    if *slot == UNSEEN {
                        *slot = automaton.run(*state, text()?);
                    }
                    *slot
                }
                None => automaton.run(*state, text()?),
            };
        }
        Ok(())
    }

    /// Where the table of `state` is; `None` when there are too many.
    fn table(&mut self, state: State, len: usize) -> Option<usize> {
        if let Some(at) = self.tables.iter().position(|(own, _)| *own == state) {
            return Some(at);
        }
        (self.tables.len() < TABLES_MAX).then(|| self.tables.push((state, vec![UNSEEN; len])))?;
        Some(self.tables.len() - 1)
    }

    fn step_numbers(&mut self, automaton: &Automaton, form: &Form, numbers: &[i64], states: &mut [State]) {
        let least = match form {
            Form::Plain => Some(1),
            Form::Padded(width) => Some(usize::from(*width)),
            _ => None,
        };
        let mut text = Vec::new();
        let mut place = None;
        for (state, number) in states.iter_mut().zip(numbers) {
            if let Some(least) = least.filter(|_| *number >= 0) {
                if place.is_none_or(|(own, _)| own != *state) {
                    place = self.table(*state, LENGTHS).map(|at| (*state, at));
                }
                let digits = number.checked_ilog10().map_or(1, |log| log as usize + 1).max(least);
                let table = place.and_then(|(_, at)| self.tables.get_mut(at));
                if let Some(slot) = table.and_then(|(_, table)| table.get_mut(digits)) {
                    if *slot == UNSEEN {
                        *slot = behind_digits(automaton, *state, digits);
                    }
                    if *slot != MIXED {
                        *state = *slot;
                        continue;
                    }
                }
            }
            text.clear();
            form.append(*number, &mut text);
            *state = automaton.run(*state, &text);
        }
    }

    fn step_texts(&self, automaton: &Automaton, values: &[u32], states: &mut [State]) -> Result<(), Corrupt> {
        let (Some(first), Some(last)) = (values.first(), values.last()) else { return Ok(()) };
        let mut at = *first as usize;
        let mut cursor = Cursor::open(self.node, self.source, at..*last as usize + 1, None)?;
        let mut text = Vec::new();
        for (state, value) in states.iter_mut().zip(values) {
            while at < *value as usize {
                cursor.skip()?;
                at += 1;
            }
            text.clear();
            cursor.next(&mut text)?;
            at += 1;
            *state = automaton.run(*state, &text);
        }
        Ok(())
    }
}

/// The state behind any `digits` digits; [`MIXED`] where it hangs on which. Where all digits mean the same, a number is
/// as good as its number of digits.
fn behind_digits(automaton: &Automaton, state: State, digits: usize) -> State {
    let mut state = state;
    for _ in 0..digits {
        let next = automaton.step(state, b'0');
        if (b'1'..=b'9').any(|digit| automaton.step(state, digit) != next) {
            return MIXED;
        }
        state = next;
    }
    state
}

fn runs(automaton: &Automaton, spans: &[Span]) -> Vec<Run> {
    spans.iter().map(|span| Run::of(automaton, span)).collect()
}

/// Where texts that look like `spans` may lead from `state`.
pub(super) fn exits_of(automaton: &Automaton, spans: &[Span], state: State) -> Exits {
    through(automaton, &runs(automaton, spans), state).and_then(kept)
}

/// What the values of `node` look like; `None` when anything is possible.
fn spans(node: &Node, source: Source<'_>) -> Result<Option<Vec<Span>>, Corrupt> {
    Ok(match &node.kind {
        Kind::Number { form, unit, values } => {
            // Those that are relative to the times of their rows may be any.
            let bounds = if *unit > 0 { None } else { values.load(source)?.bounds() };
            Some(form.spans(bounds.unwrap_or((i64::MIN, i64::MAX))))
        }
        Kind::Hex { pattern, .. } => Some(pattern.spans()),
        Kind::Dictionary { .. } => Reach::of_decoded(node, source)?.span().map(|span| vec![span]),
        Kind::Text { .. } => Reach::of(node, source)?.span().map(|span| vec![span]),
        Kind::Constant(_) | Kind::Skeletons(_) => None,
    })
}

/// Longest least length of a run that is followed byte by byte.
const ROUNDS_MAX: usize = 4_096;

/// Where texts that look like `runs` may lead from `state`.
fn through(automaton: &Automaton, runs: &[Run], state: State) -> Option<Vec<State>> {
    let mut states = vec![state];
    // Long ways are walked for each of their bytes where they do not end in the same states again.
    if runs.iter().any(|run| run.least > ROUNDS_MAX) {
        return None;
    }
    for run in runs {
        let behind = |states: &[State]| {
            let ways = |state: &State| {
                let state = *state;
                run.bytes.iter().map(move |byte| automaton.step(state, *byte))
            };
            let mut next: Vec<State> = states.iter().flat_map(ways).collect();
            next.sort_unstable();
            next.dedup();
            next
        };
        for _ in 0..run.least {
            let next = behind(&states);
            if next == states {
                break;
            }
            states = next;
            if states.len() > EXITS_MAX {
                return None;
            }
        }
        let mut fresh = states.clone();
        for _ in run.least..run.most {
            fresh = behind(&fresh);
            fresh.retain(|state| states.binary_search(state).is_err());
            if fresh.is_empty() {
                break;
            }
            states.extend_from_slice(&fresh);
            states.sort_unstable();
            if states.len() > EXITS_MAX {
                return None;
            }
        }
    }
    Some(states)
}

/// `states` ascending and each once; `None` when they are too many.
pub(super) fn kept(mut states: Vec<State>) -> Exits {
    states.sort_unstable();
    states.dedup();
    (states.len() <= EXITS_MAX).then(|| states.into())
}
