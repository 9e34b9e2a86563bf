//! When the results of a metric are pushed, and how one relates to the one before.

use std::sync::Arc;

use weir_query::compile::{Ending, Options};
use weir_query::machine::{Context, Machine, StepError};
use weir_query::program::{OutputKind, Program};
use weir_query::record::Selection;

use super::refinement::{Refinement, retracted};
use super::trigger::{Armed, Happened, Trigger, TriggerMemory};
use super::{LiveError, LiveResult, MetricDefinition, WindowKind, trigger_text};

/// What a definition and its query say about it, checked.
#[derive(Clone, Debug)]
pub(super) struct Giving {
    trigger: Option<Trigger>,
    conditions: Vec<Arc<Program>>,
    pub(super) refinement: Refinement,
}

impl Giving {
    /// As the query says (`emit`), and where it says nothing as the definition does.
    pub(super) fn of(definition: &MetricDefinition, program: &Program) -> Result<Giving, LiveError> {
        let said = program.emission();
        let trigger = said.and_then(|said| said.trigger.as_deref()).unwrap_or(&definition.trigger);
        let refinement = match said.and_then(|said| said.refinement.as_deref()) {
            None => definition.refinement,
            Some(name) => {
                Refinement::parse(name).ok_or_else(|| LiveError::Refinement { name: name.to_owned() })?
            }
        };
        if refinement == Refinement::Discarding && matches!(definition.kind, WindowKind::Session { .. }) {
            return Err(LiveError::Window("the results of session windows cannot be discarding"));
        }
        if trigger.trim().is_empty() {
            // What is discarded is given out as soon as there is something.
            let trigger = (refinement == Refinement::Discarding).then_some(Trigger::Count(1));
            return Ok(Giving { trigger, conditions: Vec::new(), refinement });
        }
        let (trigger, texts) = trigger_text::parse(trigger)?;
        let conditions = texts.iter().map(|text| condition(text)).collect::<Result<_, _>>()?;
        Ok(Giving { trigger: Some(trigger), conditions, refinement })
    }
}

/// A condition on the rows of a result: a query without an aggregate, true when a row passes.
fn condition(text: &str) -> Result<Arc<Program>, LiveError> {
    let fault = |reason: String| LiveError::Condition { condition: text.to_owned(), reason };
    let options = Options { ending: Ending::Stream, ..Options::default() };
    let program = Program::compile(text, &options).map_err(|faults| fault(faults.to_string()))?;
    match program.output_kind() {
        OutputKind::Aggregate => Err(fault("it may not aggregate".to_owned())),
        _ => Ok(program),
    }
}

/// When the results of one metric are pushed.
pub(super) struct Emission {
    armed: Option<Armed>,
    conditions: Vec<Arc<Program>>,
    pub(super) refinement: Refinement,
    /// Events that had come by the last look, of all that ever came.
    counted: u64,
    /// Up to which bucket nothing more was expected by then.
    ended: Option<i64>,
    /// What was given out last, where rows are retracted.
    before: Option<Arc<LiveResult>>,
}

/// What is remembered of the results of a metric that were pushed, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EmissionCut {
    pub(super) trigger: TriggerMemory,
    /// Events that had come by the last look, of all that ever came.
    pub(super) counted: u64,
    /// Up to which bucket nothing more was expected by then.
    pub(super) ended: Option<i64>,
}

impl Emission {
    /// What is remembered where a trigger says when; `None`: nothing is.
    pub(super) fn cut(&self) -> Option<EmissionCut> {
        let trigger = self.armed.as_ref()?.memory();
        Some(EmissionCut { trigger, counted: self.counted, ended: self.ended })
    }

    /// Goes on from `cut`, which is of the same trigger.
    pub(super) fn take_up(&mut self, cut: EmissionCut) {
        if self.armed.as_mut().is_some_and(|armed| armed.recall(&cut.trigger)) {
            (self.counted, self.ended) = (cut.counted, cut.ended);
        }
    }

    pub(super) fn new(giving: &Giving, counted: u64) -> Emission {
        Emission {
            armed: giving.trigger.as_ref().map(Armed::new),
            conditions: giving.conditions.clone(),
            refinement: giving.refinement,
            counted,
            ended: None,
            before: None,
        }
    }

    /// Whether it is told when, and not by every change.
    pub(super) fn is_triggered(&self) -> bool {
        self.armed.is_some()
    }

    /// Whether the present result is needed to know whether to fire.
    pub(super) fn has_conditions(&self) -> bool {
        !self.conditions.is_empty()
    }

    /// Whether a result is to be given out at `now`, when `counted` events have come in all and nothing more is
    /// expected of the buckets before `ended`. `result`: the present one, where there are conditions.
    pub(super) fn fires(
        &mut self,
        counted: u64,
        ended: Option<i64>,
        result: Option<&LiveResult>,
        now_nanos: i64,
    ) -> Result<bool, StepError> {
        let conditions = match result {
            Some(result) => {
                self.conditions.iter().map(|one| is_true(one, result)).collect::<Result<Vec<_>, _>>()?
            }
            None => Vec::new(),
        };
        let happened = Happened {
            events: counted.saturating_sub(self.counted),
            now_nanos,
            ended: self.ended.is_some() && ended > self.ended,
            conditions: &conditions,
        };
        self.counted = counted;
        self.ended = self.ended.max(ended);
        Ok(self.armed.as_mut().is_none_or(|armed| armed.fires(&happened)))
    }

    /// Another window: triggers begin anew, and nothing of the one before is retracted.
    pub(super) fn begin(&mut self, now_nanos: i64) {
        self.before = None;
        if let Some(armed) = &mut self.armed {
            armed.begin(now_nanos);
        }
    }

    /// When it may fire though nothing happens, nanoseconds.
    pub(super) fn due(&self) -> Option<i64> {
        self.armed.as_ref().and_then(Armed::due)
    }

    /// `result` as it is given out: with the rows that are no longer so.
    pub(super) fn give(&mut self, result: &Arc<LiveResult>) -> Arc<LiveResult> {
        if self.refinement != Refinement::Retracting {
            return Arc::clone(result);
        }
        let mut given = Arc::clone(result);
        if let Some(before) = &self.before {
            Arc::make_mut(&mut given).retracted = retracted(&before.table, &result.table);
        }
        self.before = Some(Arc::clone(&given));
        given
    }

    /// What a new reader gets first: where results build on each other, what the next one builds on.
    pub(super) fn before(&self) -> Option<&Arc<LiveResult>> {
        self.before.as_ref()
    }
}

/// Whether a row of `result` passes.
fn is_true(condition: &Arc<Program>, result: &LiveResult) -> Result<bool, StepError> {
    let context = Context {
        start_nanos: result.start_nanos,
        end_nanos: result.end_nanos,
        now_millis: result.end_nanos.div_euclid(1_000_000),
        ..Context::default()
    };
    let mut machine = Machine::new(Arc::clone(condition), context);
    let frame = machine.select(&result.table, Selection::all(result.table.rows))?;
    Ok(!frame.order().is_empty())
}
