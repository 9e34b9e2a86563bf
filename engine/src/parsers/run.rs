//! Parsers at work on the events of a batch before they are stored.
//!
//! ```text
//! EventBatch -> Incoming (some rows) -> Machine::select -> columns -> an event a row: text, time, tags, fields -> EventBatch
//! ```
//!
//! No event is lost: one that a parser fails on, or lets through nowhere, stays as it came and says so. Only `dropEvent()`
//! discards. What is decided here is in the batch that is written to the log; nothing is parsed again at replay.

use std::ops::Range;
use std::sync::Arc;

use weir_query::machine::{Context, Frame, Machine};
use weir_query::program::Program;
use weir_query::record::Selection;

use super::outcome::{Layout, Outcome};
use super::parser::{Parser, ParserLimits};
use super::writer::Writer;
use crate::event::{EventBatch, EventLimits, Incoming, PushError};

/// Events that a parser runs over at once: what it makes of them is held meanwhile.
const CHUNK_ROWS: usize = 1_024;
/// And bytes of their texts, unless one has more.
const CHUNK_BYTES: usize = 4 << 20;
const NANOS_PER_MILLI: i64 = 1_000_000;

/// A parser that was chosen for some events.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// Its name: the `#type` of the events.
    pub name: Arc<str>,
    /// Its program, or why there is none: events then stay as they come, and say so.
    pub program: Result<Arc<Program>, Arc<str>>,
    /// Fields that become tags, by their names without `#`.
    pub tag_fields: Vec<String>,
    /// Fields that are taken away before it runs.
    pub removed_fields: Vec<String>,
}

impl Chosen {
    /// `parser`, called `name`, with its program or why there is none.
    #[must_use]
    pub fn new(name: &str, parser: &Parser, program: Result<Arc<Program>, Arc<str>>) -> Chosen {
        Chosen {
            name: Arc::from(name),
            program,
            tag_fields: parser.tag_fields.clone(),
            removed_fields: parser.removed_fields.clone(),
        }
    }
}

/// What parsers made of a batch.
#[derive(Debug, Default)]
pub struct Parsed {
    /// The events, in the order of those they were made of.
    pub batch: EventBatch,
    /// What became of those that came.
    pub account: Account,
    /// The same by parser, as they were given.
    pub by_parser: Vec<Account>,
}

/// What became of the events of a batch: they are either `parsed`, `failed`, `dropped` or had no parser.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Events that came for a parser.
    pub given: usize,
    /// Went through their parser.
    pub parsed: usize,
    /// Are stored with `@error`: as they came, or with what a parser found that could not read a time.
    pub failed: usize,
    /// Are gone.
    pub dropped: usize,
    /// Events beyond the first that were made of one.
    pub made: usize,
}

impl Account {
    pub(super) fn add(&mut self, other: &Account) {
        self.given += other.given;
        self.parsed += other.parsed;
        self.failed += other.failed;
        self.dropped += other.dropped;
        self.made += other.made;
    }
}

/// Runs parsers over a batch: `of_row` says which of `parsers` each event goes through, `None` being none.
///
/// # Errors
/// When what they make of it is too large for one batch.
pub fn parse(
    batch: &EventBatch,
    parsers: &[Chosen],
    of_row: &dyn Fn(usize) -> Option<usize>,
    limits: &ParserLimits,
    event_limits: EventLimits,
) -> Result<Parsed, PushError> {
    let now_millis = batch.ingest_nanos().div_euclid(NANOS_PER_MILLI);
    let context = Context {
        now_millis,
        start_nanos: i64::MIN,
        end_nanos: i64::MAX,
        timezone: String::new(),
        max_state_bytes: limits.max_state_bytes,
        max_column_bytes: limits.max_state_bytes,
    };
    let runs = parsers.iter().map(|chosen| Run {
        chosen,
        machine: chosen
            .program
            .as_ref()
            .ok()
            .map(|program| Machine::new(Arc::clone(program), context.clone())),
    });
    let mut runs: Vec<Run<'_>> = runs.collect();
    let mut writer = Writer::new(batch, parsers.len(), limits, event_limits);
    for rows in chunks(batch) {
        let mut left = vec![rows];
        while let Some(rows) = left.pop() {
            let Some(made) = run_over(&mut runs, batch, &rows, of_row, limits) else {
                // What is made of the first half is written before the other one is looked at.
                let half = rows.start + rows.len() / 2;
                left.extend([half..rows.end, rows.start..half]);
                continue;
            };
            let layouts: Vec<Layout<'_>> =
                made.passes.iter().map(|(chosen, frame)| Layout::new(frame, &chosen.tag_fields)).collect();
            for (row, outcome) in rows.zip(&made.outcomes) {
                let parser = of_row(row).and_then(|number| Some((number, parsers.get(number)?)));
                writer.write(row, parser, outcome.as_ref(), &layouts)?;
            }
        }
    }
    Ok(writer.finish())
}

/// What parsers made of some events.
struct Made<'p> {
    passes: Vec<(&'p Chosen, Frame)>,
    /// What became of each event.
    outcomes: Vec<Option<Outcome>>,
}

/// Runs parsers over the events `rows`. `None`: there is a fault in one of several, or too much in all of them; each half is to
/// be tried without the other.
fn run_over<'p>(
    runs: &mut [Run<'p>],
    batch: &EventBatch,
    rows: &Range<usize>,
    of_row: &dyn Fn(usize) -> Option<usize>,
    limits: &ParserLimits,
) -> Option<Made<'p>> {
    let mut made = Made { passes: Vec::new(), outcomes: rows.clone().map(|_| None).collect() };
    let mut bytes = 0;
    for (number, run) in runs.iter_mut().enumerate() {
        let is_its = |row: usize| of_row(rows.start + row) == Some(number);
        let within = Selection::from_fn(rows.len(), is_its);
        if within.is_empty() {
            continue;
        }
        let ran = run.over(batch, rows, &within).and_then(|frame| {
            bytes += frame.as_ref().map_or(0, bytes_of);
            match bytes > limits.max_state_bytes {
                true => {
                    Err(format!("it makes {bytes} bytes of it, over the limit of {}", limits.max_state_bytes))
                }
                false => Ok(frame),
            }
        });
        match ran {
            Ok(frame) => made.take(run.chosen, rows, &within, frame),
            Err(_) if rows.len() > 1 => return None,
            Err(why) => made.fail(&within, &why),
        }
    }
    Some(made)
}

impl<'p> Made<'p> {
    fn take(&mut self, chosen: &'p Chosen, rows: &Range<usize>, within: &Selection, frame: Option<Frame>) {
        let Some(frame) = frame else {
            let why: &str = chosen.program.as_ref().err().map_or("it does not compile", |why| why);
            return self.fail(within, why);
        };
        let first = rows.start as u64;
        let made = frame.order().iter().enumerate().filter_map(|(at, place)| {
            let row = usize::try_from(place.sequence.checked_sub(first)?).ok()?;
            Some((row, u32::try_from(at).ok()?))
        });
        let pass = self.passes.len();
        within.iter().for_each(|row| self.put(row, Outcome::Made(pass, Vec::new())));
        for (row, at) in made {
            if let Some(Some(Outcome::Made(_, made))) = self.outcomes.get_mut(row) {
                made.push(at);
            }
        }
        self.passes.push((chosen, frame));
    }

    fn put(&mut self, row: usize, outcome: Outcome) {
        if let Some(slot) = self.outcomes.get_mut(row) {
            *slot = Some(outcome);
        }
    }

    fn fail(&mut self, within: &Selection, why: &str) {
        within.iter().for_each(|row| self.put(row, Outcome::Failed(why.to_owned())));
    }
}

/// The rows of a batch, some at a time.
fn chunks(batch: &EventBatch) -> impl Iterator<Item = Range<usize>> {
    let mut next = 0;
    std::iter::from_fn(move || {
        let start = next;
        let mut bytes = 0;
        while next < batch.len() && next - start < CHUNK_ROWS {
            bytes += batch.raw(next).len();
            if bytes > CHUNK_BYTES && next > start {
                break;
            }
            next += 1;
        }
        (next > start).then_some(start..next)
    })
}

struct Run<'p> {
    chosen: &'p Chosen,
    machine: Option<Machine>,
}

impl Run<'_> {
    /// What it makes of the events `within` of `rows`; none where it has no program.
    fn over(
        &mut self,
        batch: &EventBatch,
        rows: &Range<usize>,
        within: &Selection,
    ) -> Result<Option<Frame>, String> {
        let Some(machine) = &mut self.machine else { return Ok(None) };
        let kind = Arc::clone(&self.chosen.name);
        let incoming = Incoming::new(batch, rows.clone(), kind, &self.chosen.removed_fields);
        machine.select(&incoming, within.clone()).map(Some).map_err(|error| error.to_string())
    }
}

/// Bytes of what a parser made; texts that several fields are parts of count once.
fn bytes_of(frame: &Frame) -> usize {
    let mut arenas: hashbrown::HashSet<*const String, foldhash::fast::FixedState> =
        hashbrown::HashSet::default();
    let columns = frame.columns().iter().map(|(_, column)| match column {
        weir_query::record::Column::Text(text) if !arenas.insert(Arc::as_ptr(&text.arena)) => {
            text.spans.len() * size_of::<weir_query::record::TextSpan>()
        }
        column => column.bytes(),
    });
    columns.sum()
}
