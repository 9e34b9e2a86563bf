//! `now`, `start`, `end` and `duration`: instants and lengths of time the query knows without looking at rows.

use std::sync::Arc;

use crate::error::Diagnostic;
use crate::functions::{Arguments, Build, Kind, Parameter, RowFunction, Scratch, Signature, Touches};
use crate::machine::{Context, StepError, View};
use crate::record::Column;
use crate::value::Value;
use crate::windows::parse_span;

/// The table of this family.
pub const SIGNATURES: &[Signature] = &[
    Signature {
        name: "now",
        aliases: &[],
        parameters: &[Parameter::with_default("as", Kind::Text, "_now")],
        build: Build::Row(build),
        doc: "The time of the query in milliseconds.",
    },
    Signature {
        name: "start",
        aliases: &[],
        parameters: &[Parameter::with_default("as", Kind::Text, "_start")],
        build: Build::Row(build),
        doc: "The start of the queried range in milliseconds.",
    },
    Signature {
        name: "end",
        aliases: &[],
        parameters: &[Parameter::with_default("as", Kind::Text, "_end")],
        build: Build::Row(build),
        doc: "The end of the queried range in milliseconds.",
    },
    Signature {
        name: "duration",
        aliases: &[],
        parameters: &[
            Parameter::required("duration", Kind::Text),
            Parameter::with_default("as", Kind::Text, "_duration"),
        ],
        build: Build::Row(build),
        doc: "A time span like `2h` in milliseconds.",
    },
];

const NANOS_PER_MILLI: i64 = 1_000_000;

/// A compiled function of this family.
#[derive(Debug)]
pub struct Clock {
    hand: Hand,
    output: Arc<str>,
}

#[derive(Clone, Copy, Debug)]
enum Hand {
    Now,
    Start,
    End,
    Millis(i64),
}

fn build(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let hand = match arguments.signature().name {
        "now" => Hand::Now,
        "start" => Hand::Start,
        "end" => Hand::End,
        _ => {
            let text = arguments.text_or_empty("duration");
            let millis = parse_span(&text);
            Hand::Millis(millis.ok_or_else(|| {
                arguments.fault("duration", format!("`{text}` is no time span like `5m` or `1 hour`"))
            })?)
        }
    };
    Ok(RowFunction::Clock(Clock { hand, output: arguments.text_or_empty("as") }))
}

impl Clock {
    /// Writes the instant to all rows.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn apply(&self, view: &mut View<'_>, scratch: &mut Scratch) -> Result<(), StepError> {
        let value = Value::Int(self.millis(&scratch.context));
        view.set(&self.output, Column::Constant { value, rows: view.rows() });
        Ok(())
    }

    /// The value written.
    #[must_use]
    pub fn millis(&self, context: &Context) -> i64 {
        match self.hand {
            Hand::Now => context.now_millis,
            Hand::Start => context.start_nanos.div_euclid(NANOS_PER_MILLI),
            Hand::End => context.end_nanos.div_euclid(NANOS_PER_MILLI),
            Hand::Millis(millis) => millis,
        }
    }

    /// Notes what it writes.
    pub fn touches(&self, touches: &mut Touches) {
        touches.write(&self.output);
        touches.reads_clock |= !matches!(self.hand, Hand::Millis(_));
    }

    /// The field written.
    #[must_use]
    pub fn output(&self) -> Arc<str> {
        Arc::clone(&self.output)
    }
}
