//! The slow, obvious evaluator: one event at a time, plain maps, every value kept until the end.
//!
//! It is what the machine is tested against, and shares with it the plan, the rules of [`crate::value`] and the
//! kernels that turn one text into another; it has its own conditions, expressions, field functions, cases and
//! aggregates, and no columns, selections, dictionaries, states or merging. Functions it has no version of its own
//! of are run by the machine's, on a table of one row.

mod aggregate;
mod arrays;
mod condition;
mod steps;

use std::collections::BTreeMap;

use crate::compile::{Ending, Options};
use crate::error::Diagnostics;
use crate::functions::Build;
use crate::machine::Context;
use crate::plan::{Plan, Step};
use crate::record::OrderKey;

/// Rows of a query that ends without an aggregate.
const TAIL_ROWS: usize = 200;

/// An event, or a row made of some.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// Its fields.
    pub fields: BTreeMap<String, String>,
    /// Its place among all events.
    pub place: OrderKey,
}

/// A row on its way through the steps.
#[derive(Clone, Debug, Default)]
struct Row {
    event: Event,
    /// The fields it came with: what free text searches.
    searched: BTreeMap<String, String>,
}

impl Row {
    fn get(&self, field: &str) -> Option<&str> {
        self.event.fields.get(field).map(String::as_str)
    }

    fn set(&mut self, field: &str, text: String) {
        self.event.fields.insert(field.to_owned(), text);
    }
}

/// The rows that the query `text` makes of `events`, in order.
///
/// # Errors
/// Every fault found in the text.
pub fn run(
    text: &str,
    options: &Options,
    context: &Context,
    events: &[Event],
) -> Result<Vec<BTreeMap<String, String>>, Diagnostics> {
    let plan = crate::plan::lower(&crate::parser::parse_strict(text)?, options)?;
    Ok(answer(&plan, options.ending, context, events).into_iter().map(|event| event.fields).collect())
}

/// The rows that `plan` makes of `events`, in order.
#[must_use]
pub fn answer(plan: &Plan, ending: Ending, context: &Context, events: &[Event]) -> Vec<Event> {
    let mut events = events.to_vec();
    let mut are_events = true;
    let mut aggregated = false;
    let mut steps: &[Step] = &plan.steps;
    loop {
        let end = steps.iter().position(is_aggregate);
        let (before, rest) = steps.split_at(end.unwrap_or(steps.len()));
        let rows = start(events, !aggregated || are_events);
        let rows: Vec<Row> = rows.into_iter().flat_map(|row| steps::run(before, row, context)).collect();
        let Some((Step::Call(call), after)) = rest.split_first() else {
            events = rows.into_iter().map(|row| row.event).collect();
            break;
        };
        are_events = are_events && aggregate::keeps_events(call);
        events = aggregate::apply(call, rows, context);
        aggregated = true;
        steps = after;
        if steps.is_empty() {
            break;
        }
    }
    if !aggregated && ending == Ending::Tail {
        events.sort_by_key(|event| std::cmp::Reverse(event.place));
        events.truncate(TAIL_ROWS);
    }
    events
}

fn is_aggregate(step: &Step) -> bool {
    matches!(step, Step::Call(call) if matches!(call.arguments.signature().build, Build::Aggregate))
}

/// Events on their way; rows that are no events have their number for a place.
fn start(events: Vec<Event>, are_events: bool) -> Vec<Row> {
    let number = |(number, mut event): (u64, Event)| {
        if !are_events {
            event.place = OrderKey { nanos: 0, sequence: number };
        }
        Row { searched: event.fields.clone(), event }
    };
    (0..).zip(events).map(number).collect()
}
