//! The dense automaton of `regex-automata` cut down to whether there is a match.

use hashbrown::HashMap;
use regex_automata::Anchored;
use regex_automata::dfa::{Automaton as _, StartKind, dense};
use regex_automata::nfa::thompson;
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;
use regex_syntax::hir::Hir;

use super::{Automaton, MAX_AUTOMATON_BYTES, State};

/// An automaton as `regex-automata` builds it.
type Dense = dense::DFA<Vec<u32>>;

impl Automaton {
    pub(super) fn of_dense(dfa: &Dense, looks: bool, is_anchored: bool) -> Option<Automaton> {
        let byte_classes = dfa.byte_classes();
        let mut classes = Box::new([0u8; 256]);
        let mut bytes: Vec<u8> = Vec::new();
        for byte in 0..=u8::MAX {
            let class = byte_classes.get(byte);
            classes[usize::from(byte)] = class;
            if usize::from(class) == bytes.len() {
                bytes.push(byte);
            }
        }
        let start = dfa.start_state(&start::Config::new().anchored(Anchored::No)).ok()?;
        let mut known: HashMap<StateID, State, foldhash::fast::FixedState> = HashMap::default();
        let mut order = Vec::new();
        let mut number = |id: StateID, order: &mut Vec<StateID>| -> Option<State> {
            if dfa.is_dead_state(id) {
                return Some(Automaton::NEVER);
            }
            if dfa.is_match_state(id) {
                return Some(Automaton::MATCH);
            }
            if dfa.is_quit_state(id) {
                return Some(Automaton::OPEN);
            }
            if let Some(state) = known.get(&id) {
                return Some(*state);
            }
            let state = State::try_from(order.len() + 3).ok()?;
            known.insert(id, state);
            order.push(id);
            Some(state)
        };
        let mut start = number(start, &mut order)?;
        let mut rows: Vec<Vec<State>> = Vec::new();
        while let Some(id) = order.get(rows.len()).copied() {
            let ends = bytes.iter().map(|byte| dfa.next_state(id, *byte)).chain([dfa.next_eoi_state(id)]);
            rows.push(ends.map(|next| number(next, &mut order)).collect::<Option<_>>()?);
        }
        decide(&mut rows, &mut start, looks);
        Automaton::of_rows(classes, bytes.len(), &rows, start, is_anchored)
    }
}

/// The automaton of `hir` in at most `bytes`; `ascii_only` gives up at the first byte that is not ASCII.
pub(super) fn dense(hir: &Hir, ascii_only: bool, bytes: usize) -> Option<Dense> {
    let nfa = thompson::Compiler::new()
        .configure(
            thompson::Config::new()
                .which_captures(thompson::WhichCaptures::None)
                .nfa_size_limit(Some(MAX_AUTOMATON_BYTES)),
        )
        .build_from_hir(hir)
        .ok()?;
    let mut config = dense::Config::new()
        .accelerate(false)
        .start_kind(StartKind::Unanchored)
        // Where words are those of Unicode, it gives up at what is not ASCII.
        .unicode_word_boundary(true)
        .dfa_size_limit(Some(bytes))
        .determinize_size_limit(Some(bytes));
    if ascii_only {
        for byte in 0x80..=u8::MAX {
            config = config.quit(byte, true);
        }
    }
    dense::Builder::new().configure(config).build_from_nfa(&nfa).ok()
}

/// Makes states of which every way leads to a match, or no way to anything but none, those that say so. The automaton
/// tells of a match one byte late, so this also brings it back to where it belongs. Without look-around what follows
/// a match does not matter, so that a byte it gives up at is no objection.
fn decide(rows: &mut [Vec<State>], start: &mut State, looks: bool) {
    loop {
        let is_certain = |nexts: &Vec<State>| {
            let fine = |next: &State| *next == Automaton::MATCH || *next == Automaton::OPEN && !looks;
            nexts.last() == Some(&Automaton::MATCH) && nexts.iter().all(fine)
        };
        let certain: Vec<bool> = rows.iter().map(is_certain).collect();
        if !replace(rows, start, &certain, Automaton::MATCH) {
            break;
        }
    }
    let mut hopeless = vec![true; rows.len()];
    loop {
        let mut changed = false;
        // Most ways lead from earlier states to later ones.
        for (row, nexts) in rows.iter().enumerate().rev() {
            let hope = |next: &State| match usize::from(*next).checked_sub(3) {
                Some(row) => !hopeless[row],
                None => *next != Automaton::NEVER,
            };
            if hopeless[row] && nexts.iter().any(hope) {
                (hopeless[row], changed) = (false, true);
            }
        }
        if !changed {
            break;
        }
    }
    replace(rows, start, &hopeless, Automaton::NEVER);
}

/// Puts `by` in place of the states whose rows are chosen; tells whether there was one.
fn replace(rows: &mut [Vec<State>], start: &mut State, chosen: &[bool], by: State) -> bool {
    let mut changed = false;
    for state in rows.iter_mut().flatten().chain([start]) {
        if usize::from(*state).checked_sub(3).is_some_and(|row| chosen[row]) {
            (*state, changed) = (by, true);
        }
    }
    changed
}
