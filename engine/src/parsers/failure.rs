//! How what a parser makes of an example differs from what is expected.

use std::fmt;

/// How much of an example is shown, characters.
const SHOWN_CHARS: usize = 80;
/// Failures that are told; a parser with more has other problems.
const TOLD_FAILURES: usize = 10;

/// A test case that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which of the test cases, from 0.
    pub case: usize,
    /// The example.
    pub input: String,
    /// In what; never empty.
    pub differences: Vec<Difference>,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The parser failed.
    Failed(String),
    /// An event came of it, and none should, or the other way round.
    Dropped {
        /// No event came of it.
        is_dropped: bool,
    },
    /// There is no such event.
    Event(usize),
    /// A field has another value, is missing or should be.
    Field {
        /// Of which event.
        event: usize,
        /// Its name.
        name: String,
        /// The value expected; `None`: the field is not.
        expected: Option<String>,
        /// The value found; `None`: the field is missing.
        found: Option<String>,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Difference::Failed(why) => write!(out, "the parser failed: {why}"),
            Difference::Dropped { is_dropped: true } => write!(out, "the event is dropped"),
            Difference::Dropped { is_dropped: false } => write!(out, "the event is not dropped"),
            Difference::Event(event) => write!(out, "there is no event {event}"),
            Difference::Field { event, name, expected, found } => {
                let shown = |value: &Option<String>| {
                    value.as_ref().map_or("no value".into(), |value| format!("{value:?}"))
                };
                let event = if *event == 0 { String::new() } else { format!("event {event}, ") };
                write!(out, "{event}{name}: expected {}, found {}", shown(expected), shown(found))
            }
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = if self.input.chars().nth(SHOWN_CHARS).is_some() { "..." } else { "" };
        let start: String = self.input.chars().take(SHOWN_CHARS).collect();
        write!(out, "test {}, {start:?}{more}", self.case + 1)?;
        self.differences.iter().try_for_each(|difference| write!(out, "\n  {difference}"))
    }
}

/// The failures for people, a line each and one a difference.
pub(super) fn told(failures: &[Failure]) -> String {
    let mut lines: Vec<String> = failures.iter().take(TOLD_FAILURES).map(ToString::to_string).collect();
    if failures.len() > TOLD_FAILURES {
        lines.push(format!("and {} more", failures.len() - TOLD_FAILURES));
    }
    lines.join("\n")
}
