//! The literals that queries look for, all at once.
//!
//! Long ones are found by [`Grams`]; one automaton goes over the texts for the short ones. Either reports every literal
//! wherever it is, those inside of others too: a search for the leftmost or longest would hide `time` in `timeout` from
//! whoever asks for it. Letters match in either case there; where case counts, the bytes of the hit are compared.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use hashbrown::HashMap;

use super::found::{Found, TermId};
use super::grams::{self, Grams};
use crate::event::EventBatch;

/// Up to so many bytes of literals the automaton has a table of all its moves; beyond that, a more compact form.
const TABLE_BYTES: usize = 32 << 10;

/// A term that asks for a pattern, with its bytes where case counts.
type Asker = (TermId, Option<Box<[u8]>>);

/// Literals by the terms they are.
#[derive(Debug)]
pub(super) struct Literals {
    long: Option<Grams>,
    short: Option<Automaton>,
    /// By literal: the terms that ask for it.
    terms: Vec<Vec<Asker>>,
}

#[derive(Debug)]
struct Automaton {
    automaton: AhoCorasick,
    /// By pattern: which literal it is.
    numbers: Vec<usize>,
}

impl Literals {
    /// `literals` as bytes, whether case counts not, and the term. `None`: there are none, or too many.
    pub(super) fn new(literals: impl IntoIterator<Item = (Box<[u8]>, bool, TermId)>) -> Option<Literals> {
        let mut terms: Vec<Vec<Asker>> = Vec::new();
        let mut known: HashMap<Vec<u8>, usize, foldhash::fast::FixedState> = HashMap::default();
        for (literal, ignore_case, term) in literals {
            let number = *known.entry(literal.to_ascii_lowercase()).or_insert_with(|| {
                terms.push(Vec::new());
                terms.len() - 1
            });
            if let Some(own) = terms.get_mut(number) {
                own.push((term, (!ignore_case).then_some(literal)));
            }
        }
        let (long, short): (Vec<_>, Vec<_>) =
            known.into_iter().partition(|(literal, _)| literal.len() >= grams::MIN_BYTES);
        let short = if short.is_empty() { None } else { Some(Automaton::new(short)?) };
        let long = Grams::new(long);
        (long.is_some() || short.is_some()).then_some(Literals { long, short, terms })
    }

    /// Lays the rows of `batch` to the literals in their texts.
    pub(super) fn find(&self, batch: &EventBatch, found: &mut Found) {
        let mut add = |number: usize, bytes: &[u8], row: u32| {
            for (term, exact) in self.terms.get(number).into_iter().flatten() {
                if exact.as_deref().is_none_or(|exact| exact == bytes) {
                    found.add(*term, row);
                }
            }
        };
        if let Some(long) = &self.long {
            batch.each_literal(|texts, each| long.find(texts, each), &mut add);
        }
        if let Some(Automaton { automaton, numbers }) = &self.short {
            let find = |texts: &[u8], each: &mut dyn FnMut(usize, std::ops::Range<usize>)| {
                for hit in automaton.find_overlapping_iter(texts) {
                    numbers
                        .get(hit.pattern().as_usize())
                        .into_iter()
                        .for_each(|number| each(*number, hit.range()));
                }
            };
            batch.each_literal(find, &mut add);
        }
    }
}

impl Automaton {
    fn new(literals: Vec<(Vec<u8>, usize)>) -> Option<Automaton> {
        let (patterns, numbers): (Vec<Vec<u8>>, Vec<usize>) = literals.into_iter().unzip();
        let bytes: usize = patterns.iter().map(Vec::len).sum();
        let kind = if bytes <= TABLE_BYTES { AhoCorasickKind::DFA } else { AhoCorasickKind::ContiguousNFA };
        let built = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .ascii_case_insensitive(true)
            .kind(Some(kind))
            .build(&patterns);
        Some(Automaton { automaton: built.ok()?, numbers })
    }
}
