//! Runs a program over rows, a batch at a time.
//!
//! ```text
//! Rows --View--> row steps --+--> State (the first aggregate; or the newest rows, or rows in passing)
//!                            |      |
//!                            +------+--finish--> table --View--> row steps --> aggregate --> ... --> ResultTable
//! ```

pub(crate) mod composite;
mod created;
mod digest;
pub mod expression;
pub mod frame;
pub mod predicate;
mod runs;
pub mod state;
pub mod step;
pub mod tail;
pub mod view;

use std::sync::Arc;

pub use frame::Frame;
pub use state::State;
pub use view::View;

pub use crate::coding::DecodeError;

use crate::aggregates::sequence::SequenceError;
use crate::aggregates::{AggregateState, Input, Source, TIMESTAMP, row_order};
use crate::compile::Ending;
use crate::compile::steps::Stage;
use crate::functions::Scratch;
use crate::machine::composite::Composite;
use crate::machine::digest::Digest;
use crate::machine::state::Learnt;
use crate::machine::tail::{IMPLICIT_TAIL_ROWS, Tail};
use crate::program::{Program, Times};
use crate::record::{Column, OrderKey, Rows, RowsError, Selection, Summary};
use crate::result::ResultTable;
use crate::value::Value;

const NANOS_PER_MILLI: i64 = 1_000_000;

/// What a run knows besides its program and its rows. The language never reads a clock: whoever runs it says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// What `now()` answers, milliseconds since the epoch.
    pub now_millis: i64,
    /// The queried time range, nanoseconds, start inclusive.
    pub start_nanos: i64,
    /// The queried time range, nanoseconds, end exclusive.
    pub end_nanos: i64,
    /// The zone for time functions and charts that name none: an IANA name or offset; empty is UTC.
    pub timezone: String,
    /// The most bytes one [`State`] may hold; 0 is [`state::DEFAULT_STATE_BYTES`].
    pub max_state_bytes: usize,
    /// The most bytes that the fields may take which a step makes of rows and whose names show only in these; 0 is
    /// [`DEFAULT_COLUMN_BYTES`]. Of more rows than that is enough for each half is stepped over by itself.
    pub max_column_bytes: usize,
}

/// [`Context::max_column_bytes`] where that is 0.
pub const DEFAULT_COLUMN_BYTES: usize = 64 << 20;

impl Context {
    /// The most bytes that fields may take whose names show only in the rows.
    #[must_use]
    pub fn column_limit(&self) -> usize {
        if self.max_column_bytes == 0 { DEFAULT_COLUMN_BYTES } else { self.max_column_bytes }
    }

    /// The most bytes one [`State`] may hold.
    #[must_use]
    pub fn state_limit(&self) -> usize {
        if self.max_state_bytes == 0 { state::DEFAULT_STATE_BYTES } else { self.max_state_bytes }
    }
}

/// Why a step stopped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StepError {
    /// The rows could not be read; the state is as before the step.
    #[error(transparent)]
    Rows(#[from] RowsError),
    /// Rows do not stand as a function over them needs.
    #[error(transparent)]
    Sequence(#[from] SequenceError),
    /// A regex that looks around or refers back took too many steps in one text.
    #[error(
        "the regex `{regex}` takes more than {limit} steps in one text: it looks around or refers back, which is tried"
    )]
    RegexSteps {
        /// It.
        regex: Arc<str>,
        /// The most steps it may take.
        limit: usize,
    },
    /// The fields that a row makes would outgrow [`Context::max_column_bytes`].
    #[error("the fields made of an event take {bytes} bytes, over their limit of {limit}")]
    ColumnsTooLarge {
        /// Bytes they would take.
        bytes: usize,
        /// Bytes they may take.
        limit: usize,
    },
    /// The state would outgrow [`Context::max_state_bytes`].
    #[error("query state of {bytes} bytes is over its limit of {limit}")]
    StateTooLarge {
        /// Bytes it would hold.
        bytes: usize,
        /// Bytes it may hold.
        limit: usize,
    },
}

/// A program with its scratch space. One a thread; states may move between machines of the same program.
#[derive(Debug)]
pub struct Machine {
    program: Arc<Program>,
    context: Arc<Context>,
    scratch: Scratch,
    passed: u64,
}

impl Machine {
    /// A machine for `program`.
    #[must_use]
    pub fn new(program: Arc<Program>, context: Context) -> Machine {
        let scratch = Scratch { context: context.clone(), ..Scratch::default() };
        Machine { program, context: Arc::new(context), scratch, passed: 0 }
    }

    /// The program.
    #[must_use]
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// The context it runs in.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// How many rows have passed the row steps so far, in [`Machine::step`] and [`Machine::select`].
    #[must_use]
    pub fn passed(&self) -> u64 {
        self.passed
    }

    /// An empty state.
    #[must_use]
    pub fn new_state(&self) -> State {
        let learnt = match self.program.stages.first().and_then(|stage| stage.aggregate.as_ref()) {
            Some(spec) => {
                Learnt::Aggregate(Box::new(AggregateState::new(spec, &self.context, Source::Events)))
            }
            None => match self.program.ending {
                Ending::Tail => Learnt::Tail(Tail::default()),
                Ending::Stream => Learnt::Stream(Vec::new()),
            },
        };
        State { learnt, limit: self.context.state_limit() }
    }

    /// Feeds the rows of `within` to the program; the same as [`Machine::select`], then [`Machine::absorb`] of all
    /// of it, without copying what the first aggregate does not keep.
    ///
    /// # Errors
    /// When the rows cannot be read or the state outgrows its limit.
    pub fn step(&mut self, rows: &dyn Rows, within: Selection, state: &mut State) -> Result<(), StepError> {
        let program = Arc::clone(&self.program);
        let mut within = within;
        if let Learnt::Tail(tail) = &state.learnt
            && let Some(floor) = tail.floor()
        {
            // Rows too old to count are not even looked at.
            let numbers: Vec<u32> = within.iter().filter_map(|row| u32::try_from(row).ok()).collect();
            let mut places = rows.places(&numbers)?.into_iter();
            within.retain(|_| places.next().is_some_and(|place| place >= floor));
        }
        match self.run_first(&program, rows, within.clone()) {
            Ok(view) => self.take_in(&program, &view, state),
            Err(StepError::ColumnsTooLarge { .. }) => self.step_in_parts(&program, rows, within, state),
            Err(fault) => Err(fault),
        }
    }

    /// Steps over the rows of `within` half by half: what is made of all of them does not fit into memory at once.
    fn step_in_parts(
        &mut self,
        program: &Program,
        rows: &dyn Rows,
        within: Selection,
        state: &mut State,
    ) -> Result<(), StepError> {
        let mut left = vec![within];
        while let Some(part) = left.pop() {
            match self.run_alone(program, rows, &part) {
                Ok(view) => self.take_in(program, &view, state)?,
                Err(StepError::ColumnsTooLarge { .. }) if part.count() > 1 => left.extend(part.halves()),
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }

    /// Puts the rows that passed into `state`.
    fn take_in(&mut self, program: &Program, view: &View<'_>, state: &mut State) -> Result<(), StepError> {
        self.passed += view.selection().count() as u64;
        if view.selection().is_empty() {
            return Ok(());
        }
        match &mut state.learnt {
            Learnt::Aggregate(aggregate) => self.learn(program, view, aggregate)?,
            Learnt::Tail(tail) => {
                // Only what can be among the newest is read at all.
                tail.push(frame::whole_rows(view, Some(IMPLICIT_TAIL_ROWS), tail.floor())?);
            }
            Learnt::Stream(tables) => tables.push(frame::whole_rows(view, None, None)?),
            Learnt::Nothing => {}
        }
        state.check()
    }

    /// Does what [`Machine::step`] would do over all rows that `summary` tells about, from that alone. False, and
    /// nothing done: the rows have to be read.
    ///
    /// # Errors
    /// When the state outgrows its limit.
    pub fn absorb_summary(&mut self, summary: &dyn Summary, state: &mut State) -> Result<bool, StepError> {
        let program = Arc::clone(&self.program);
        let Learnt::Aggregate(aggregate) = &mut state.learnt else { return Ok(false) };
        let Some(digest) = Digest::of(&program, summary, aggregate) else { return Ok(false) };
        let seen = self.run_first(&program, &digest, Selection::all(digest.len()));
        let fed = seen.and_then(|view| {
            Ok((frame::columns(&view, program.fed.as_deref(), &program.fed_numbers)?, view))
        });
        let (columns, view) = match fed {
            Ok(fed) => fed,
            // It does not tell something that is asked for after all.
            Err(StepError::Rows(_)) => return Ok(false),
            Err(fault) => return Err(fault),
        };
        let weights = match view.origin() {
            None => digest.weights.clone(),
            Some(origin) => {
                origin.iter().map(|row| digest.weights.get(*row as usize).copied().unwrap_or(0)).collect()
            }
        };
        let input = Input {
            rows: view.rows(),
            order: &[],
            columns: &columns,
            within: view.selection(),
            weights: Some(&weights),
        };
        self.passed += view.selection().iter().map(|row| input.weight(row)).sum::<u64>();
        if !view.selection().is_empty() {
            aggregate.step(&input, &mut composite(&program, &mut self.scratch))?;
        }
        state.check()?;
        Ok(true)
    }

    /// Feeds the rows in play to the first aggregate.
    fn learn(
        &mut self,
        program: &Program,
        view: &View<'_>,
        aggregate: &mut AggregateState,
    ) -> Result<(), StepError> {
        if aggregate.has_shortlist() {
            let (mut rows, mut order) = view.places()?;
            if let Some(chosen) = aggregate.shortlist(&order) {
                rows = chosen.iter().filter_map(|at| rows.get(*at as usize).copied()).collect();
                order = chosen.iter().filter_map(|at| order.get(*at as usize).copied()).collect();
            }
            return self.learn_of(program, view, (&rows, &order), aggregate);
        }
        if let Some(fields) = aggregate.ranked_by() {
            let columns: Vec<Column> =
                fields.iter().map(|field| view.column(field)).collect::<Result<_, RowsError>>()?;
            let (rows, order) = aggregate.leaders(&columns, view.selection(), |rows| view.places_of(rows))?;
            return self.learn_of(program, view, (&rows, &order), aggregate);
        }
        let order = if program.needs_order { view.order()? } else { Arc::default() };
        let runs = match view.timeline() {
            Some(timeline) if program.times == Times::Buckets => {
                runs::of(timeline, view.selection(), aggregate)?
            }
            _ => None,
        };
        let mut pipelines = composite(program, &mut self.scratch);
        let rows = view.rows();
        let Some(runs) = runs else {
            let columns = frame::columns(view, program.fed.as_deref(), &program.fed_numbers)?;
            let within = view.selection();
            let input = Input { rows, order: &order, columns: &columns, within, weights: None };
            return aggregate.step(&input, &mut pipelines);
        };
        let fed: Option<Vec<Arc<str>>> = program
            .fed
            .as_ref()
            .map(|names| names.iter().filter(|name| ***name != *TIMESTAMP).cloned().collect());
        let mut columns = frame::columns(view, fed.as_deref(), &program.fed_numbers)?;
        columns.retain(|(name, _)| **name != *TIMESTAMP);
        for (run, millis) in runs {
            let within = view.selection().within(run);
            columns.push((Arc::from(TIMESTAMP), Column::Constant { value: Value::Int(millis), rows }));
            let input = Input { rows, order: &order, columns: &columns, within: &within, weights: None };
            aggregate.step(&input, &mut pipelines)?;
            columns.pop();
        }
        Ok(())
    }

    /// Feeds `rows`, which are at the places `order`, to the first aggregate; of the others no field is read.
    fn learn_of(
        &mut self,
        program: &Program,
        view: &View<'_>,
        (rows, order): (&[u32], &[OrderKey]),
        aggregate: &mut AggregateState,
    ) -> Result<(), StepError> {
        if rows.is_empty() {
            return Ok(());
        }
        let columns = match &program.fed {
            Some(names) => view.pick(names, rows)?,
            None => view.pick(&view.names(), rows)?,
        };
        let within = Selection::all(rows.len());
        let input = Input { rows: rows.len(), order, columns: &columns, within: &within, weights: None };
        aggregate.step(&input, &mut composite(program, &mut self.scratch))
    }

    /// The rows of `within` that pass the filters the program begins with. For runs of many programs over the same rows:
    /// those that begin with equal filters ([`Program::leading_fingerprint`]) need them once.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn filter(&mut self, rows: &dyn Rows, within: Selection) -> Result<Selection, StepError> {
        let program = Arc::clone(&self.program);
        let mut view = View::new(rows, within);
        if let Some(stage) = program.stages.first() {
            step::run(stage.steps.get(..program.leading).unwrap_or_default(), &mut view, &mut self.scratch)?;
        }
        Ok(view.selection().clone())
    }

    /// As [`Machine::select`], over rows that have passed [`Machine::filter`].
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn select_filtered(&mut self, rows: &dyn Rows, within: Selection) -> Result<Frame, StepError> {
        let program = Arc::clone(&self.program);
        let mut view = View::new(rows, within);
        if let Some(stage) = program.stages.first() {
            step::run(stage.steps.get(program.leading..).unwrap_or_default(), &mut view, &mut self.scratch)?;
        }
        self.passed += view.selection().count() as u64;
        Ok(Frame::of(&view, program.fed.as_deref(), &program.fed_numbers)?)
    }

    /// Runs the row steps (filters, transforms) up to the first aggregate over the rows of `within`.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn select(&mut self, rows: &dyn Rows, within: Selection) -> Result<Frame, StepError> {
        let program = Arc::clone(&self.program);
        let view = self.run_first(&program, rows, within)?;
        self.passed += view.selection().count() as u64;
        Ok(Frame::of(&view, program.fed.as_deref(), &program.fed_numbers)?)
    }

    /// As [`Machine::select`], without room for other rows: where what is made of many rows does not fit into memory
    /// ([`StepError::ColumnsTooLarge`]) it is tried on [`Selection::halves`] of them.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn select_alone(&mut self, rows: &dyn Rows, within: &Selection) -> Result<Frame, StepError> {
        let program = Arc::clone(&self.program);
        let view = self.run_alone(&program, rows, within)?;
        self.passed += view.selection().count() as u64;
        Ok(Frame::of(&view, program.fed.as_deref(), &program.fed_numbers)?)
    }

    /// Puts rows of `frame` into `state`. `within` is over the frame's rows, as [`Frame::order`] numbers them; the
    /// live path calls it once a bucket.
    ///
    /// # Errors
    /// When the state outgrows its limit.
    pub fn absorb(&mut self, frame: &Frame, within: &Selection, state: &mut State) -> Result<(), StepError> {
        if within.is_empty() {
            return Ok(());
        }
        let program = Arc::clone(&self.program);
        match &mut state.learnt {
            Learnt::Aggregate(aggregate) => {
                let input = frame.input(within);
                aggregate.step(&input, &mut composite(&program, &mut self.scratch))?;
            }
            Learnt::Tail(tail) => {
                let newest = frame::newest(&frame.order, within, IMPLICIT_TAIL_ROWS, tail.floor());
                tail.push(frame.newest_first(&newest));
            }
            Learnt::Stream(tables) => tables.push(frame.newest_first(within)),
            Learnt::Nothing => {}
        }
        state.check()
    }

    /// The result of `state`: the rest of the pipeline runs over the table of the first aggregate. The state stays
    /// as it was, so partial results cost nothing but time.
    ///
    /// # Errors
    /// When a later aggregate outgrows its limit.
    pub fn finish(&mut self, state: &State) -> Result<ResultTable, StepError> {
        let program = Arc::clone(&self.program);
        let mut table = match &state.learnt {
            Learnt::Aggregate(aggregate) => aggregate.result(&mut composite(&program, &mut self.scratch))?,
            Learnt::Tail(tail) => tail.table(),
            Learnt::Stream(tables) => {
                let picks: Vec<(usize, usize)> = tables
                    .iter()
                    .enumerate()
                    .flat_map(|(at, table)| (0..table.rows).map(move |row| (at, row)))
                    .collect();
                ResultTable::pick(tables, &picks)
            }
            Learnt::Nothing => ResultTable::default(),
        };
        for stage in program.stages.iter().skip(1) {
            table = self.run_later(&program, stage, &table)?;
        }
        table.warnings.extend_from_slice(&program.warnings);
        Ok(table)
    }

    fn run_first<'r>(
        &mut self,
        program: &Program,
        rows: &'r dyn Rows,
        within: Selection,
    ) -> Result<View<'r>, StepError> {
        self.run_steps(program, View::new(rows, within))
    }

    /// As [`Machine::run_first`], without room for rows that are not in `within`.
    fn run_alone<'r>(
        &mut self,
        program: &Program,
        rows: &'r dyn Rows,
        within: &Selection,
    ) -> Result<View<'r>, StepError> {
        let picks: Vec<u32> = within.iter().filter_map(|row| u32::try_from(row).ok()).collect();
        let mut view = View::new(rows, within.clone());
        view.multiply(&picks)?;
        self.run_steps(program, view)
    }

    fn run_steps<'r>(&mut self, program: &Program, mut view: View<'r>) -> Result<View<'r>, StepError> {
        if program.searches_written {
            view.search_written();
        }
        if let Some(stage) = program.stages.first() {
            step::run(&stage.steps, &mut view, &mut self.scratch)?;
        }
        Ok(view)
    }

    /// A stage after the first, over the whole table before it.
    fn run_later(
        &mut self,
        program: &Program,
        stage: &Stage,
        table: &ResultTable,
    ) -> Result<ResultTable, StepError> {
        let mut view = View::new(table, Selection::all(table.rows));
        step::run(&stage.steps, &mut view, &mut self.scratch)?;
        if let Some(spec) = &stage.sequence {
            let rows = self.table_of(&view, table)?;
            return spec.run(rows, &self.context, &mut composite(program, &mut self.scratch));
        }
        let Some(spec) = &stage.aggregate else {
            return self.table_of(&view, table);
        };
        let follows_rows = spec.follows_rows();
        let order = if follows_rows { row_order(view.rows()) } else { view.order()? };
        let columns = frame::columns(&view, None, &[])?;
        let within = view.selection();
        let input = Input { rows: view.rows(), order: &order, columns: &columns, within, weights: None };
        let source = if follows_rows || table.order.is_empty() { Source::Table } else { Source::Events };
        let mut state = AggregateState::new(spec, &self.context, source);
        let mut pipelines = composite(program, &mut self.scratch);
        state.step(&input, &mut pipelines)?;
        let state = State { learnt: Learnt::Aggregate(Box::new(state)), limit: self.context.state_limit() };
        state.check()?;
        let Learnt::Aggregate(state) = &state.learnt else { return Ok(ResultTable::default()) };
        let mut result = state.result(&mut pipelines)?;
        keep_remarks(table, &mut result);
        Ok(result)
    }

    /// The rows in play as a table, in the order they stand in.
    fn table_of(&self, view: &View<'_>, before: &ResultTable) -> Result<ResultTable, StepError> {
        let order = if before.order.is_empty() { Vec::new() } else { view.order()?.to_vec() };
        let ordered = !order.is_empty();
        let whole = ResultTable {
            rows: view.rows(),
            columns: frame::columns(view, None, &[])?,
            order,
            ..ResultTable::default()
        };
        let picks: Vec<(usize, usize)> = view.selection().iter().map(|row| (0, row)).collect();
        let mut result = ResultTable::pick(std::slice::from_ref(&whole), &picks);
        if !ordered {
            result.order.clear();
        }
        keep_remarks(before, &mut result);
        Ok(result)
    }
}

fn composite<'m>(program: &'m Program, scratch: &'m mut Scratch) -> Composite<'m> {
    Composite { pipelines: &program.pipelines, scratch }
}

/// Warnings stay through later stages; what later stages say of the table counts over what earlier ones said.
fn keep_remarks(before: &ResultTable, after: &mut ResultTable) {
    for warning in &before.warnings {
        if !after.warnings.contains(warning) {
            after.warnings.push(warning.clone());
        }
    }
    for (name, value) in &before.notes {
        if !after.notes.iter().any(|(have, _)| have == name) {
            after.notes.push((name.clone(), value.clone()));
        }
    }
}
