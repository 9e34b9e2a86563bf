//! What a parser is: a text in the query language, what becomes of the fields it finds, and examples.

use weir_query::error::Diagnostics;

use super::failure::Failure;
use crate::error::StoreError;
use crate::named::MAX_NAME_BYTES;

/// The most parsers of a repository.
pub const MAX_PARSERS: usize = 1_000;
/// The most test cases of a parser.
pub const MAX_CASES: usize = 1_000;
/// The most bytes of a parser with its test cases, as it is kept.
pub const MAX_PARSER_BYTES: usize = 16 << 20;

/// A parser.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parser {
    /// Filters, `case` and transforms in the query language.
    pub text: String,
    /// What it is for.
    pub description: String,
    /// Fields that become tags, by their names without `#`.
    pub tag_fields: Vec<String>,
    /// Fields sent beside the text that are taken away before it runs.
    pub removed_fields: Vec<String>,
    /// What it makes of examples.
    pub tests: Vec<Case>,
}

/// An example, and what is expected to become of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Case {
    /// The text of an event.
    pub input: String,
    /// Fields sent beside it.
    pub fields: Vec<(String, String)>,
    /// When it arrives, milliseconds since the epoch; `None`: when the example is looked at.
    pub arrival_millis: Option<i64>,
    /// No event comes of it.
    pub is_dropped: bool,
    /// What is expected of the events that come of it.
    pub expected: Vec<Expected>,
}

/// What is expected of an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// Which of the events that come of the example, from 0.
    pub event: usize,
    /// Fields and their values.
    pub has: Vec<(String, String)>,
    /// Fields that it has not.
    pub lacks: Vec<String>,
}

/// How much a parser may make of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParserLimits {
    /// Bytes of its text.
    pub max_bytes: usize,
    /// Fields of one event.
    pub max_fields_per_event: usize,
    /// Bytes of the names and values of these fields together.
    pub max_field_bytes_per_event: usize,
    /// Events made of one (`split`, `regex(repeat=true)`).
    pub max_events_per_event: usize,
    /// Bytes of memory that what it makes of some events may take at once.
    pub max_state_bytes: usize,
}

impl Default for ParserLimits {
    fn default() -> ParserLimits {
        ParserLimits {
            max_bytes: 256 << 10,
            max_fields_per_event: 1_000,
            max_field_bytes_per_event: 1 << 20,
            max_events_per_event: 10_000,
            max_state_bytes: 128 << 20,
        }
    }
}

/// Why a parser was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ParserError {
    /// Its name cannot be one.
    #[error("{0:?} is no name for a parser: 1 to {MAX_NAME_BYTES} bytes without control characters are")]
    Name(String),
    /// It does not compile.
    #[error(transparent)]
    Text(#[from] Diagnostics),
    /// Its text, or all of it with its test cases, is too long.
    #[error("a parser of {bytes} bytes is over the limit of {limit}")]
    TooLong {
        /// Bytes it has.
        bytes: usize,
        /// Bytes it may have.
        limit: usize,
    },
    /// It has too many test cases.
    #[error("a parser has at most {MAX_CASES} test cases")]
    TooManyCases,
    /// It does not do what its test cases expect.
    #[error("{}", super::failure::told(.0))]
    Tests(Vec<Failure>),
    /// There are too many.
    #[error("a repository has at most {MAX_PARSERS} parsers")]
    TooMany,
    /// There is none of that name.
    #[error("there is no parser `{0}`")]
    Unknown(String),
    /// It is one that comes with the program.
    #[error("the parser `{0}` is built in: it can be replaced, not removed")]
    BuiltIn(String),
    /// The disk said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}
