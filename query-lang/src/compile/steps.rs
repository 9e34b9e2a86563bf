//! Steps of the plan as row steps and stages between aggregates.

use std::sync::Arc;

use crate::aggregates::sequence::SequenceSpec;
use crate::aggregates::spec::{RowOrder, RowsSpec};
use crate::aggregates::{AggregateSpec, PipelineId, TIMESTAMP};
use crate::compile::{aggregate, condition, dead, expression, sequence, shared};
use crate::error::Diagnostic;
use crate::functions::{Build, RowFunction, Touches};
use crate::machine::step::{self, RowStep};
use crate::plan::{Call, Step};
use crate::value::SortType;

/// What compiling a plan gathers: its parts, and the pipelines of composite arguments.
#[derive(Debug, Default)]
pub struct Compiler {
    /// Row steps of composite arguments, by [`PipelineId`].
    pub pipelines: Vec<Vec<RowStep>>,
    /// Faults so far.
    pub faults: Vec<Diagnostic>,
    /// Some aggregate lays its buckets over the queried time range.
    pub charts_time: bool,
    /// What is evaluated once though it occurs more often, as people read it.
    pub shared: Vec<String>,
    /// What is compiled now runs over the table of an aggregate.
    pub(super) is_behind_aggregate: bool,
}

/// Row steps, and the aggregate or the function over rows in their order that ends them; only the last stage may lack
/// both. The first has no such function.
#[derive(Debug, Default)]
pub struct Stage {
    /// The row steps.
    pub steps: Vec<RowStep>,
    /// The numbers of those that nothing needs, in order; of the first stage only.
    unneeded: Vec<usize>,
    /// The aggregate.
    pub aggregate: Option<AggregateSpec>,
    /// The function over rows in their order.
    pub sequence: Option<SequenceSpec>,
}

impl Stage {
    /// How many filters it begins with.
    #[must_use]
    pub fn leading_filters(&self) -> usize {
        self.steps.iter().take_while(|step| matches!(step, RowStep::Filter(_))).count()
    }

    /// Drops the steps that nothing needs; gives the numbers they had.
    pub(crate) fn drop_unneeded(&mut self) -> Vec<usize> {
        let unneeded = std::mem::take(&mut self.unneeded);
        unneeded.iter().rev().for_each(|at| drop(self.steps.remove(*at)));
        unneeded
    }

    /// Events sorted by their time are events in their order, as long as no step wrote that time; in that order the
    /// scan reads them, and stops when it has enough.
    fn rank_by_place(&mut self) {
        let Some(AggregateSpec::Rows(rows)) = &mut self.aggregate else { return };
        let RowOrder::By(fields) = &rows.order else { return };
        let Some(first) = fields.first() else { return };
        let by_time = *first.field == *TIMESTAMP && first.kind == SortType::Number;
        let mut touched = Touches::default();
        step::touches(&self.steps, &mut touched);
        if by_time && !touched.writes_any && !touched.writes.contains(TIMESTAMP) {
            rows.order = if first.descending { RowOrder::NewestFirst } else { RowOrder::Oldest };
        }
    }
}

impl Compiler {
    /// Splits steps at their aggregates.
    pub fn stages(&mut self, steps: &[Step]) -> Vec<Stage> {
        let mut stages = Vec::new();
        let mut stage = Stage::default();
        let mut start = 0;
        for (at, step) in steps.iter().enumerate() {
            match step {
                Step::Call(call) if matches!(call.arguments.signature().build, Build::Aggregate) => {
                    stage.aggregate = self.aggregate(call);
                    if stages.is_empty()
                        && let Some(aggregate) = &stage.aggregate
                    {
                        stage.unneeded = dead::unneeded(&stage.steps, aggregate, &self.pipelines);
                        stage.rank_by_place();
                    }
                    self.share(steps.get(start..at), &mut stage);
                    start = at + 1;
                    stages.push(std::mem::take(&mut stage));
                }
                Step::Call(call) if matches!(call.arguments.signature().build, Build::Sequence) => {
                    self.share(steps.get(start..at), &mut stage);
                    start = at + 1;
                    self.sequence(call, &mut stage, &mut stages);
                }
                step => stage.steps.extend(self.step(step)),
            }
            self.is_behind_aggregate = !stages.is_empty();
        }
        self.share(steps.get(start..), &mut stage);
        if !stage.steps.is_empty() || stages.is_empty() {
            stages.push(stage);
        }
        stages
    }

    /// Has what the steps of `stage` have in common evaluated once. `steps` are those it was made of.
    fn share(&mut self, steps: Option<&[Step]>, stage: &mut Stage) {
        let steps = steps.unwrap_or_default();
        // With faults there is not a compiled step for each.
        if !self.faults.is_empty() || steps.len() != stage.steps.len() {
            return;
        }
        match shared::share(steps, &mut stage.steps, &stage.unneeded, self.shared.len()) {
            Ok(told) => self.shared.extend(told),
            Err(fault) => self.faults.push(fault),
        }
    }

    /// Row steps only; an aggregate among them is a fault of whoever made the plan, and reported.
    pub fn row_steps(&mut self, steps: &[Step]) -> Vec<RowStep> {
        steps.iter().filter_map(|step| self.step(step)).collect()
    }

    /// Keeps the row steps of a composite argument.
    pub fn pipeline(&mut self, steps: &[Step]) -> PipelineId {
        let compiled = self.row_steps(steps);
        self.pipelines.push(compiled);
        PipelineId(self.pipelines.len() - 1)
    }

    /// Ends `stage` in a function over rows in their order. `transpose` puts events into one by itself: the oldest first.
    fn sequence(&mut self, call: &Call, stage: &mut Stage, stages: &mut Vec<Stage>) {
        self.is_behind_aggregate |= call.arguments.signature().name == "transpose";
        let spec = match sequence::compile(call, self) {
            Ok(spec) => spec,
            Err(fault) => return self.faults.push(fault),
        };
        if let (SequenceSpec::Transpose(spec), true) = (&spec, stages.is_empty()) {
            let rows = RowsSpec { order: RowOrder::Oldest, limit: spec.limit, fields: None };
            stage.aggregate = Some(AggregateSpec::Rows(rows));
            stages.push(std::mem::take(stage));
        }
        stage.sequence = Some(spec);
        stages.push(std::mem::take(stage));
    }

    fn aggregate(&mut self, call: &Call) -> Option<AggregateSpec> {
        match aggregate::compile(call, self) {
            Ok(spec) => Some(spec),
            Err(fault) => {
                self.faults.push(fault);
                None
            }
        }
    }

    fn step(&mut self, step: &Step) -> Option<RowStep> {
        let compiled = match step {
            Step::Filter(filter) => condition::compile(filter).map(RowStep::Filter),
            Step::Assign { target, dynamic, value } => {
                expression::compile(value).map(|value| match dynamic {
                    false => RowStep::Assign(Arc::clone(target), value),
                    true => RowStep::AssignNamedBy(Arc::clone(target), value),
                })
            }
            Step::Call(call) => self::call(call),
            Step::Case(clauses) => {
                Ok(RowStep::Case(clauses.iter().map(|clause| self.row_steps(clause)).collect()))
            }
            // Only the first step of a plan replaces its input, and it is taken off before.
            Step::Create(_) => return None,
        };
        match compiled {
            Ok(step) => Some(step),
            Err(fault) => {
                self.faults.push(fault);
                None
            }
        }
    }
}

fn call(call: &Call) -> Result<RowStep, Diagnostic> {
    let arguments = &call.arguments;
    match arguments.signature().build {
        Build::Row(build) => Ok(match build(arguments)? {
            RowFunction::Filter(predicate) => RowStep::Filter(predicate),
            function => RowStep::Function(function),
        }),
        Build::Filter(_) | Build::Condition(_) => condition::call(call).map(RowStep::Filter),
        Build::Aggregate | Build::Sequence | Build::Plan => Err(Diagnostic {
            code: "position",
            message: format!("`{}` cannot stand here", arguments.signature().name),
            span: arguments.span,
            hint: None,
        }),
    }
}
