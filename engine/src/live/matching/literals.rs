//! The literals that queries look for, all at once.
//!
//! One automaton goes over the texts of a batch and reports every literal wherever it ends, those inside of others
//! too: a search for the leftmost or longest would hide `time` in `timeout` from whoever asks for it. Letters match
//! in either case there; where case counts, the bytes of the hit are compared.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use hashbrown::HashMap;

use super::found::{Found, TermId};
use crate::event::EventBatch;

/// Up to so many bytes of literals the automaton has a table of all its moves; beyond that, a more compact form.
const TABLE_BYTES: usize = 32 << 10;

/// A term that asks for a pattern, with its bytes where case counts.
type Asker = (TermId, Option<Box<[u8]>>);

/// Literals by the terms they are.
#[derive(Debug)]
pub(super) struct Literals {
    automaton: AhoCorasick,
    /// By pattern: the terms that ask for it.
    terms: Vec<Vec<Asker>>,
}

impl Literals {
    /// An automaton for `literals`: bytes, whether case counts not, and the term. `None`: there are none, or too many.
    pub(super) fn new(literals: impl IntoIterator<Item = (Box<[u8]>, bool, TermId)>) -> Option<Literals> {
        let mut patterns: Vec<Vec<u8>> = Vec::new();
        let mut terms: Vec<Vec<Asker>> = Vec::new();
        let mut known: HashMap<Vec<u8>, usize, foldhash::fast::FixedState> = HashMap::default();
        for (literal, ignore_case, term) in literals {
            let pattern = literal.to_ascii_lowercase();
            let at = *known.entry(pattern.clone()).or_insert_with(|| {
                patterns.push(pattern);
                terms.push(Vec::new());
                terms.len() - 1
            });
            if let Some(own) = terms.get_mut(at) {
                own.push((term, (!ignore_case).then_some(literal)));
            }
        }
        let bytes: usize = patterns.iter().map(Vec::len).sum();
        let kind = if bytes <= TABLE_BYTES { AhoCorasickKind::DFA } else { AhoCorasickKind::ContiguousNFA };
        let built = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .ascii_case_insensitive(true)
            .kind(Some(kind))
            .build(&patterns);
        let automaton = built.ok().filter(|_| !patterns.is_empty())?;
        Some(Literals { automaton, terms })
    }

    /// Lays the rows of `batch` to the literals in their texts.
    pub(super) fn find(&self, batch: &EventBatch, found: &mut Found) {
        batch.each_literal(&self.automaton, |pattern, bytes, row| {
            for (term, exact) in self.terms.get(pattern).into_iter().flatten() {
                if exact.as_deref().is_none_or(|exact| exact == bytes) {
                    found.add(*term, row);
                }
            }
        });
    }
}
