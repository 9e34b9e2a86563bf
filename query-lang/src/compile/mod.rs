//! From a plan to a program: predicates, necessary conditions, folding.

pub mod aggregate;
pub mod automaton;
mod collected;
pub mod condition;
pub(crate) mod dead;
pub mod expression;
mod known;
pub mod literals;
pub mod matcher;
pub mod pattern;
pub mod regex;
pub mod required;
pub(crate) mod sequence;
mod shared;
pub mod steps;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use automaton::Automaton;
pub use known::{Known, Tables, Texts};
pub use matcher::TextMatcher;
pub use required::Required;

/// What a query text is compiled with besides itself.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Values for `?param`, by name; several values are any-of.
    pub arguments: BTreeMap<String, Vec<String>>,
    /// Saved queries that `$name()` may call, name to text.
    pub saved: Arc<Texts>,
    /// Lookup tables, by name.
    pub tables: Arc<Tables>,
    /// What a query without an aggregate ends in.
    pub ending: Ending,
    /// It is to be kept standing: it may end in `emit(...)`, and no other may.
    pub is_standing: bool,
    /// It is a parser, compiled by [`crate::program::Program::parser`]: `dropEvent()` discards the event.
    pub is_parser: bool,
}

/// What a query without an aggregate ends in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// An implicit `tail(200)`: query jobs.
    #[default]
    Tail,
    /// Nothing: every match is handed out as it is found.
    Stream,
}
