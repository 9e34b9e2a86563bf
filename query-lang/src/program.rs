//! A compiled query: immutable, shared by every machine that runs it.

mod parser;

use std::fmt::Write as _;
use std::sync::Arc;

use crate::aggregates::TIMESTAMP;
use crate::aggregates::buckets::BUCKET;
use crate::aggregates::sequence::SequenceSpec;
use crate::aggregates::spec::{AggregateSpec, RowOrder};
use crate::compile::dead::fed;
use crate::compile::steps::{Compiler, Stage};
use crate::compile::{Ending, Options, Required};
use crate::error::Diagnostics;
use crate::functions::{Build, RowFunction, Touches};
use crate::machine::Context;
use crate::machine::step::{self, RowStep};
use crate::plan::{self, Plan, Step};
pub(crate) use crate::plan::{Created, TableSource};

pub use crate::plan::{Emission, Interval, SubQuery};
use crate::table::Table;

/// A compiled query. Immutable; the scratch space is the [`crate::machine::Machine`]'s.
#[derive(Debug)]
pub struct Program {
    pub(crate) stages: Vec<Stage>,
    /// Row steps of composite arguments, by [`crate::aggregates::PipelineId`].
    pub(crate) pipelines: Vec<Vec<RowStep>>,
    /// The events it makes itself instead of those it is fed.
    pub(crate) created: Option<Created>,
    pub(crate) ending: Ending,
    /// The fields the first aggregate is fed; `None`: all.
    pub(crate) fed: Option<Vec<Arc<str>>>,
    /// Those of them that it looks at as numbers and nothing else.
    pub(crate) fed_numbers: Vec<Arc<str>>,
    /// The first aggregate asks for the places of rows.
    pub(crate) needs_order: bool,
    /// The first aggregate can learn from rows that stand for several.
    pub(crate) takes_weights: bool,
    /// What `@timestamp` is to it.
    pub(crate) times: Times,
    reads_clock: bool,
    fields: Option<Vec<Arc<str>>>,
    required: Required,
    charts_time: bool,
    interval: Option<Interval>,
    emission: Option<Emission>,
    fingerprint: u64,
    first_fingerprint: u64,
    /// How many filters it begins with.
    pub(crate) leading: usize,
    leading_fingerprint: Option<u64>,
    looks_up: bool,
    /// With queries inside it is kept to be compiled again with their results.
    plan: Option<Box<Plan>>,
    /// Free text is looked for in what steps wrote, too: it is a parser.
    pub(crate) searches_written: bool,
    /// What is told with every result.
    pub(crate) warnings: Vec<String>,
    described: Vec<String>,
    /// Steps of the plan, by their number from 0, that are not run.
    dropped: Vec<usize>,
    /// What occurs more than once and is evaluated once, as people read it.
    shared: Vec<String>,
}

/// What a program up to the end of its first aggregate makes of `@timestamp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Times {
    /// It cuts rows into the buckets of the first aggregate, and nothing else.
    Buckets,
    /// A field like any other.
    Field,
}

/// The order in which a program wants its rows, so that a scan can stop early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanOrder {
    /// Any order gives the same result at the same cost.
    Any,
    /// Newest first: the program may be satisfied early (`tail`, an implicit tail, streams of events).
    NewestFirst,
    /// Oldest first (`head`).
    OldestFirst,
}

/// Whether a result's rows are events or computed rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputKind {
    /// Rows are events, with their `@id` and `@timestamp`.
    Events,
    /// Rows are computed.
    Aggregate,
}

/// The columns whose values tell the rows of a result apart, as far as the query says. Steps behind an aggregate may
/// have rewritten them: whoever relies on them looks whether they do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// Their names; none: there is one row.
    pub columns: Vec<Arc<str>>,
    /// The order of rows says something, as behind `sort` and `top`.
    pub ordered: bool,
}

impl Keys {
    /// The keys of what `aggregate` makes of rows with the keys `before`.
    fn behind(aggregate: &AggregateSpec, before: Option<Keys>) -> Option<Keys> {
        let of = |columns: &[Arc<str>], ordered| Some(Keys { columns: columns.to_vec(), ordered });
        match aggregate {
            AggregateSpec::GroupBy(group) => of(&group.keys, false),
            AggregateSpec::Top(top) => of(&top.keys, true),
            AggregateSpec::Bucket(bucket) => {
                let columns: Vec<Arc<str>> =
                    std::iter::once(Arc::from(BUCKET)).chain(bucket.keys.iter().cloned()).collect();
                of(&columns, false)
            }
            AggregateSpec::Count(_)
            | AggregateSpec::Number(_)
            | AggregateSpec::Percentile(_)
            | AggregateSpec::LinReg(_) => of(&[], false),
            AggregateSpec::Product(list) => {
                let single = |part: &AggregateSpec| {
                    Keys::behind(part, None).is_some_and(|keys| keys.columns.is_empty())
                };
                list.iter().all(single).then_some(Keys { columns: Vec::new(), ordered: false })
            }
            AggregateSpec::Rows(_) => before.map(|keys| Keys { ordered: true, ..keys }),
            _ => None,
        }
    }
}

impl Program {
    /// Compiles `text`.
    ///
    /// # Errors
    /// Every fault found, each with its span.
    pub fn compile(text: &str, options: &Options) -> Result<Arc<Program>, Diagnostics> {
        Program::compile_text(text, options).map_err(|faults| faults.narrowed(text))
    }

    fn compile_text(text: &str, options: &Options) -> Result<Arc<Program>, Diagnostics> {
        let parsed = crate::parser::parse(text);
        if !parsed.diagnostics.list.is_empty() {
            // A tree with holes would report faults that are not there: only unknown names are worth adding.
            return Err(parsed.diagnostics);
        }
        let plan = plan::lower(&parsed.query, options)?;
        let mut program = Program::from_plan(&plan, options.ending)?;
        if !plan.queries.is_empty() {
            // Faults in the queries inside show now, not when they run.
            for query in &plan.queries {
                Program::from_plan(&Program::inner(query), options.ending)?;
            }
            program.plan = Some(Box::new(plan));
        }
        Ok(Arc::new(program))
    }

    /// The queries inside, which run in this order before it: see [`Program::query`] and [`Program::with_tables`]. As
    /// it is it finds nothing in their tables.
    #[must_use]
    pub fn queries(&self) -> &[SubQuery] {
        self.plan.as_ref().map(|plan| plan.queries.as_slice()).unwrap_or_default()
    }

    /// The program of query `number` inside, given the results of those before it; `None` when there is no such query.
    /// `is_enough` is asked now and then whether there is time for more: what `correlate` puts together may take long.
    ///
    /// # Errors
    /// When a column that is asked for is not in one of the tables.
    pub fn query(
        &self,
        number: usize,
        tables: &[Arc<Table>],
        is_enough: &dyn Fn() -> bool,
    ) -> Option<Result<Arc<Program>, Diagnostics>> {
        let mut inner = Program::inner(self.queries().get(number)?);
        let made = plan::queries::fill(&mut inner.steps, tables, is_enough).and_then(|warnings| {
            inner.warnings = warnings;
            Program::from_plan(&inner, self.ending)
        });
        Some(made.map(Arc::new))
    }

    /// The program with the results of its queries; itself when it has none. `warnings` are told with its own results.
    /// `is_enough` as in [`Program::query`].
    ///
    /// # Errors
    /// When a column that is asked for is not in one of the tables.
    pub fn with_tables(
        self: &Arc<Self>,
        tables: &[Arc<Table>],
        warnings: Vec<String>,
        is_enough: &dyn Fn() -> bool,
    ) -> Result<Arc<Program>, Diagnostics> {
        let Some(plan) = self.plan.as_deref() else { return Ok(Arc::clone(self)) };
        let mut plan = Plan { queries: Vec::new(), ..plan.clone() };
        let told = plan::queries::fill(&mut plan.steps, tables, is_enough)?;
        plan.warnings.extend(told);
        let mut program = Program::from_plan(&plan, self.ending)?;
        program.warnings.extend(warnings);
        Ok(Arc::new(program))
    }

    fn inner(query: &SubQuery) -> Plan {
        Plan { steps: query.steps.clone(), ..Plan::default() }
    }

    fn from_plan(plan: &Plan, ending: Ending) -> Result<Program, Diagnostics> {
        let mut compiler = Compiler::default();
        let (created, steps) = match plan.steps.split_first() {
            Some((Step::Create(created), rest)) => (Some(created.clone()), rest),
            _ => (None, plan.steps.as_slice()),
        };
        let mut stages = compiler.stages(steps);
        if !compiler.faults.is_empty() {
            return Err(Diagnostics { list: compiler.faults });
        }
        let required = match created {
            Some(_) => Required::Anything,
            None => {
                let compiled = stages.first().map(|stage| stage.steps.as_slice()).unwrap_or_default();
                Required::of_steps(steps, compiled)
            }
        };
        let leading = stages.first().map_or(0, Stage::leading_filters);
        let dropped = stages.first_mut().map(Stage::drop_unneeded).unwrap_or_default();
        let first = First::of(&stages, &compiler.pipelines);
        let leading_steps = steps.get(..leading).filter(|steps| !steps.is_empty() && !first.reads_clock);
        Ok(Program {
            stages,
            pipelines: compiler.pipelines,
            created,
            ending,
            fed: first.fed,
            fed_numbers: first.fed_numbers,
            needs_order: first.needs_order,
            takes_weights: first.takes_weights,
            times: first.times,
            reads_clock: first.reads_clock,
            fields: first.fields,
            required,
            charts_time: compiler.charts_time,
            interval: plan.interval.clone(),
            emission: plan.emission.clone(),
            fingerprint: fingerprint(plan, ending),
            first_fingerprint: first_fingerprint(&plan.steps, ending),
            leading,
            leading_fingerprint: leading_steps.map(|steps| {
                let text = format!("1 {steps:?}");
                xxhash_rust::xxh3::xxh3_64(text.as_bytes())
            }),
            looks_up: plan.looks_up,
            plan: None,
            searches_written: false,
            warnings: plan.warnings.clone(),
            described: plan.steps.iter().map(|step| step.to_string()).collect(),
            shared: compiler.shared,
            dropped: dropped.iter().map(|at| at + usize::from(plan.steps.len() > steps.len())).collect(),
        })
    }

    /// What every event must have to matter to this program.
    #[must_use]
    pub fn required(&self) -> &Required {
        &self.required
    }

    /// Some aggregate lays its buckets over the queried time range, so that a range without ends should be cut to what
    /// there is before the program runs.
    #[must_use]
    pub fn charts_time(&self) -> bool {
        self.charts_time
    }

    /// The order in which it wants its rows.
    #[must_use]
    pub fn scan_order(&self) -> ScanOrder {
        match self.stages.first().map(|stage| &stage.aggregate) {
            Some(Some(AggregateSpec::Rows(rows))) => match rows.order {
                RowOrder::Oldest => ScanOrder::OldestFirst,
                RowOrder::Newest | RowOrder::NewestFirst => ScanOrder::NewestFirst,
                RowOrder::By(_) => ScanOrder::Any,
            },
            Some(Some(_)) => ScanOrder::Any,
            Some(None) | None => ScanOrder::NewestFirst,
        }
    }

    /// What its result rows are.
    #[must_use]
    pub fn output_kind(&self) -> OutputKind {
        let keeps_events = |stage: &Stage| match &stage.aggregate {
            None => stage.sequence.as_ref().is_none_or(SequenceSpec::keeps_rows),
            Some(AggregateSpec::Rows(rows)) => rows.fields.is_none(),
            Some(_) => false,
        };
        match self.stages.iter().all(keeps_events) {
            true => OutputKind::Events,
            false => OutputKind::Aggregate,
        }
    }

    /// The source fields it reads, tags and meta fields included; `None`: it may read any, or hands out whole
    /// events. Free text is searched besides, by [`crate::record::Rows::search`].
    #[must_use]
    pub fn fields(&self) -> Option<&[Arc<str>]> {
        self.fields.as_deref()
    }

    /// The keys of its result's rows; `None`: it has none that are known.
    #[must_use]
    pub fn keys(&self) -> Option<Keys> {
        self.stages.iter().fold(None, |keys, stage| match (&stage.aggregate, &stage.sequence) {
            (Some(aggregate), _) => Keys::behind(aggregate, keys),
            (None, Some(sequence)) => keys.filter(|_| sequence.keeps_rows()),
            (None, None) => keys,
        })
    }

    /// The time range the query asks for itself (`setTimeInterval`), as written.
    #[must_use]
    pub fn interval(&self) -> Option<&Interval> {
        self.interval.as_ref()
    }

    /// When a standing query gives its results out, as it says itself (`emit`).
    #[must_use]
    pub fn emission(&self) -> Option<&Emission> {
        self.emission.as_ref()
    }

    /// Whether its text names lookup tables or saved queries: with others it may be another program.
    #[must_use]
    pub fn looks_up(&self) -> bool {
        self.looks_up
    }

    /// Whether it makes its rows itself instead of reading events (`createEvents`, `readFile`); see
    /// [`crate::machine::Machine::created`].
    #[must_use]
    pub fn creates_events(&self) -> bool {
        self.created.is_some()
    }

    /// A hash of what the program does: equal programs have equal fingerprints across processes and versions of
    /// the text's layout. Kept beside snapshots of live state.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// A hash of what the program does up to the end of its first aggregate; without one, of all it does and what it
    /// ends in. Programs that have it in common learn the same from the same rows in the same
    /// [`Context`]: a state of one is a state of the others.
    #[must_use]
    pub fn first_fingerprint(&self) -> u64 {
        self.first_fingerprint
    }

    /// A hash of the filters it begins with: in one time zone, programs that agree in it pass the same rows by
    /// [`crate::machine::Machine::filter`]. `None`: it begins with none, or may read the clock.
    #[must_use]
    pub fn leading_fingerprint(&self) -> Option<u64> {
        self.leading_fingerprint
    }

    /// The filters it begins with, where they ask of fields of events to be certain texts and nothing else: each field, and
    /// its text. `None`: they ask for something else, or there are none.
    #[must_use]
    pub fn leading_texts(&self) -> Option<Vec<(&str, &str)>> {
        let filters = self.stages.first()?.steps.get(..self.leading).filter(|steps| !steps.is_empty())?;
        let mut texts = Vec::new();
        for step in filters {
            match step {
                RowStep::Filter(predicate) if predicate.is_of_texts(&mut texts) => {}
                _ => return None,
            }
        }
        Some(texts)
    }

    /// Whether what the program learns hangs on the clock or the queried range, and not on the rows alone.
    #[must_use]
    pub fn depends_on_range(&self) -> bool {
        self.reads_clock || self.charts_time
    }

    /// What the state of one set of rows depends on besides these rows, as a hash: runs with one key learn the same
    /// from the same rows, and may share what was learnt. `None`: what is learnt is not worth keeping or depends on
    /// what was seen before.
    #[must_use]
    pub fn state_key(&self, context: &Context) -> Option<u64> {
        let aggregate = self.stages.first()?.aggregate.as_ref()?;
        if self.creates_events() || self.scan_order() != ScanOrder::Any {
            return None;
        }
        let clock = self.reads_clock.then_some((context.now_millis, context.start_nanos, context.end_nanos));
        let depends = (self.fingerprint, &context.timezone, aggregate.spans(context), clock);
        Some(xxhash_rust::xxh3::xxh3_64(format!("{depends:?}").as_bytes()))
    }

    /// What it does, for people: its steps, the fields it reads, the condition every event must meet.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        for (at, step) in self.described.iter().enumerate() {
            let _ = writeln!(out, "step {}: {step}", at + 1);
        }
        if self.stages.last().is_none_or(|stage| stage.aggregate.is_none()) && self.stages.len() <= 1 {
            let ending = match self.ending {
                Ending::Tail => "the newest 200 rows",
                Ending::Stream => "every row as it is found",
            };
            let _ = writeln!(out, "ends in: {ending}");
        }
        match &self.fields {
            None => out.push_str("reads: every field\n"),
            Some(fields) => {
                let names: Vec<&str> = fields.iter().map(|field| &**field).collect();
                let _ =
                    writeln!(out, "reads: {}", if names.is_empty() { "-".into() } else { names.join(", ") });
            }
        }
        let _ = writeln!(out, "requires: {}", self.required);
        let _ = writeln!(out, "scan order: {:?}", self.scan_order());
        let _ = writeln!(out, "fingerprint: {:016x}", self.fingerprint);
        if !self.dropped.is_empty() {
            let numbers: Vec<String> = self.dropped.iter().map(|at| (at + 1).to_string()).collect();
            let _ = writeln!(out, "not run: step {}: nothing reads what it writes", numbers.join(", "));
        }
        for shared in &self.shared {
            let _ = writeln!(out, "evaluated once: {shared}");
        }
        for step in self.stages.iter().flat_map(|stage| &stage.steps) {
            match step {
                RowStep::Filter(predicate) => {
                    let _ = writeln!(out, "tries: {predicate}");
                }
                RowStep::Function(RowFunction::Regex(extract)) => {
                    let _ = writeln!(out, "extracts: {extract}");
                }
                _ => {}
            }
        }
        out
    }
}

/// Field names; `None`: all there are.
type Names = Option<Vec<Arc<str>>>;

/// What is known of the first stage: of what meets events.
struct First {
    /// The fields it reads.
    fields: Names,
    /// The fields its aggregate is fed.
    fed: Names,
    fed_numbers: Vec<Arc<str>>,
    needs_order: bool,
    takes_weights: bool,
    times: Times,
    reads_clock: bool,
}

impl First {
    fn of(stages: &[Stage], pipelines: &[Vec<RowStep>]) -> First {
        let mut read = Touches::default();
        let stage = stages.first();
        step::touches(stage.map(|stage| stage.steps.as_slice()).unwrap_or_default(), &mut read);
        let Some(aggregate) = stage.and_then(|stage| stage.aggregate.as_ref()) else {
            return First {
                fields: None,
                fed: None,
                fed_numbers: Vec::new(),
                needs_order: true,
                takes_weights: false,
                times: Times::Field,
                reads_clock: read.reads_clock,
            };
        };
        let fed = fed(aggregate, pipelines);
        let times = times(aggregate, &read, pipelines);
        let fed_fields = list(&fed);
        read.read_by(fed);
        let mut needs = aggregate.needs();
        if !needs.pipelines.is_empty() || needs.all {
            // What steps make of them is not known.
            needs.numbers.clear();
        }
        First {
            fields: list(&read),
            fed: fed_fields,
            fed_numbers: needs.numbers,
            needs_order: needs.order,
            takes_weights: aggregate.takes_weights(),
            times,
            reads_clock: read.reads_clock,
        }
    }
}

fn list(touches: &Touches) -> Names {
    (!touches.reads_all).then(|| touches.reads.iter().cloned().collect())
}

fn times(aggregate: &AggregateSpec, steps: &Touches, pipelines: &[Vec<RowStep>]) -> Times {
    let AggregateSpec::Bucket(bucket) = aggregate else { return Times::Field };
    let mut inner = fed(&bucket.function, pipelines);
    for window in &bucket.windows {
        inner.read_by(fed(&window.function, pipelines));
    }
    let has_keys = bucket.keys.iter().any(|key| **key == *TIMESTAMP);
    let touched = |touches: &Touches| {
        touches.reads_all
            || touches.writes_any
            || touches.reads.contains(TIMESTAMP)
            || touches.writes.contains(TIMESTAMP)
    };
    if has_keys || touched(&inner) || touched(steps) { Times::Field } else { Times::Buckets }
}

fn fingerprint(plan: &Plan, ending: Ending) -> u64 {
    let Plan { interval, emission, warnings, queries, steps, looks_up: _ } = plan;
    // The debug form of these is canonical: places print as nothing, texts are quoted. The number in front changes
    // when the meaning of equal plans does.
    let text = format!("3 {ending:?} {interval:?} {emission:?} {warnings:?} {queries:?} {steps:?}");
    xxhash_rust::xxh3::xxh3_64(text.as_bytes())
}

/// The queried interval is left out: what it changes is the context's.
fn first_fingerprint(steps: &[Step], ending: Ending) -> u64 {
    let is_aggregate = |step: &Step| match step {
        Step::Call(call) => matches!(call.arguments.signature().build, Build::Aggregate),
        _ => false,
    };
    let first = steps.iter().position(is_aggregate).and_then(|at| steps.get(..=at));
    let text = match first {
        Some(first) => format!("1 {first:?}"),
        None => format!("1 {ending:?} {steps:?}"),
    };
    xxhash_rust::xxh3::xxh3_64(text.as_bytes())
}
