//! The slow, obvious evaluator: one event at a time, plain maps, every value kept until the end.
//!
//! It is what the machine is tested against, and shares with it the plan, the rules of [`crate::value`] and the
//! kernels that turn one text into another; it has its own conditions, expressions, field functions, cases and
//! aggregates, and no columns, selections, dictionaries, states or merging. Functions it has no version of its own
//! of are run by the machine's, on a table of one row.

mod aggregate;
mod arrays;
mod collected;
mod condition;
mod lookup;
mod sequence;
mod steps;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::compile::{Ending, Options};
use crate::error::Diagnostics;
use crate::functions::Build;
use crate::machine::Context;
use crate::plan::{Call, Created, Plan, Step, TableSource};
use crate::record::OrderKey;
use crate::result::ResultTable;
use crate::table::Table;

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

    /// The row as it is now, to which free text in braces is applied.
    fn anew(&self) -> Row {
        Row { searched: self.event.fields.clone(), event: self.event.clone() }
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
    let mut plan = crate::plan::lower(&crate::parser::parse_strict(text)?, options)?;
    let mut tables = Vec::new();
    for query in std::mem::take(&mut plan.queries) {
        let mut inner = Plan { steps: query.steps.clone(), ..Plan::default() };
        crate::plan::queries::fill(&mut inner.steps, &tables, &|| false)?;
        let rows = answer(&inner, options.ending, context, events);
        let rows: Vec<_> =
            rows.into_iter().take(query.limit).map(|event| event.fields.into_iter().collect()).collect();
        let table = Table::of_result(&query, ResultTable::of_events(&rows));
        tables.push(Arc::new(table.map_err(|error| fault(error.to_string()))?));
    }
    crate::plan::queries::fill(&mut plan.steps, &tables, &|| false)?;
    Ok(answer(&plan, options.ending, context, events).into_iter().map(|event| event.fields).collect())
}

/// The rows that `plan` makes of `events`, in order.
#[must_use]
pub fn answer(plan: &Plan, ending: Ending, context: &Context, events: &[Event]) -> Vec<Event> {
    let mut events = events.to_vec();
    let mut are_events = true;
    let mut aggregated = false;
    let mut steps: &[Step] = &plan.steps;
    if let Some((Step::Create(created), rest)) = steps.split_first() {
        (events, steps) = (self::created(created, context), rest);
    }
    loop {
        let end = steps.iter().position(is_aggregate);
        let (before, rest) = steps.split_at(end.unwrap_or(steps.len()));
        let rows = start(events, !aggregated || are_events);
        let rows: Vec<Row> = rows.into_iter().flat_map(|row| steps::run(before, row, context)).collect();
        let Some((Step::Call(call), after)) = rest.split_first() else {
            events = rows.into_iter().map(|row| row.event).collect();
            break;
        };
        if is_sequence(call) {
            let rows = if aggregated { rows } else { oldest_first(rows) };
            are_events = are_events && sequence::keeps_rows(call);
            events = sequence::apply(call, rows, context);
        } else {
            are_events = are_events && aggregate::keeps_events(call);
            events = aggregate::apply(call, rows, context);
        }
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
    let is_one = |call: &Call| matches!(call.arguments.signature().build, Build::Aggregate);
    matches!(step, Step::Call(call) if is_one(call) || is_sequence(call))
}

fn is_sequence(call: &Call) -> bool {
    matches!(call.arguments.signature().build, Build::Sequence)
}

fn oldest_first(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort_by(|a, b| (a.event.place, &a.event.fields).cmp(&(b.event.place, &b.event.fields)));
    rows
}

/// The events that a query makes itself.
fn created(created: &Created, context: &Context) -> Vec<Event> {
    let rows: Vec<BTreeMap<String, String>> = match created {
        Created::Events(texts) => {
            let event = |(at, text): (usize, &Arc<str>)| {
                let now = context.now_millis.to_string();
                let fields = [("@timestamp", now), ("@id", at.to_string()), ("@rawstring", text.to_string())];
                fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
            };
            texts.iter().enumerate().map(event).collect()
        }
        Created::Tables { tables, include, limit } => {
            let known = tables.iter().filter_map(|table| match table {
                TableSource::Known(table) => Some(table),
                TableSource::Query(_) => None,
            });
            let rows = known.flat_map(|table| {
                (0..table.rows()).map(|at| {
                    let shown = table.names().filter(|name| include.is_empty() || include.contains(name));
                    let cell = |name: &Arc<str>| {
                        Some((name.to_string(), table.column(name)?.get(at)?.text().into_owned()))
                    };
                    shown.filter_map(cell).collect()
                })
            });
            rows.take(*limit).collect()
        }
        Created::Correlated(_) => Vec::new(),
    };
    let placed = |(sequence, fields)| Event { fields, place: OrderKey { nanos: 0, sequence } };
    (0..).zip(rows).map(placed).collect()
}

fn fault(message: String) -> Diagnostics {
    let span = crate::span::Span::default();
    Diagnostics { list: vec![crate::error::Diagnostic { code: "table", message, span, hint: None }] }
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
