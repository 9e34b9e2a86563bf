//! Steps that nothing needs: what they write, no later step reads and no aggregate is fed.

use crate::aggregates::AggregateSpec;
use crate::functions::{RowFunction, Touches};
use crate::machine::step::{self, RowStep};

/// The numbers of those of `steps` that only write what neither a step behind them reads nor the aggregate that they end in. Rows
/// that are handed out whole need everything.
pub(super) fn unneeded(
    steps: &[RowStep],
    aggregate: &AggregateSpec,
    pipelines: &[Vec<RowStep>],
) -> Vec<usize> {
    let hands_out = matches!(aggregate, AggregateSpec::Rows(_));
    let mut dropped = Vec::new();
    let mut needed = fed(aggregate, pipelines);
    for (at, step) in steps.iter().enumerate().rev() {
        if hands_out || needed.reads_all {
            break;
        }
        let mut touches = Touches::default();
        step.touches(&mut touches);
        let is_needed =
            touches.writes.iter().any(|name| name.starts_with(['@', '#']) || needed.reads.contains(name));
        if only_writes(step) && !touches.writes.is_empty() && !touches.writes_any && !is_needed {
            dropped.push(at);
        } else {
            needed.read_by(touches);
        }
    }
    dropped.reverse();
    dropped
}

/// What an aggregate reads.
pub(crate) fn fed(aggregate: &AggregateSpec, pipelines: &[Vec<RowStep>]) -> Touches {
    let needs = aggregate.needs();
    let mut fed = Touches { reads_all: needs.all, ..Touches::default() };
    fed.reads.extend(needs.fields.iter().cloned());
    for id in &needs.pipelines {
        let steps = pipelines.get(id.0).map(Vec::as_slice).unwrap_or_default();
        step::touches(steps, &mut fed);
        fed.reads_all |= step::searches(steps);
    }
    fed
}

/// Whether a step keeps the rows as they are but for the fields it writes, the names of which it knows.
pub(super) fn only_writes(step: &RowStep) -> bool {
    match step {
        RowStep::Assign(..) => true,
        RowStep::Function(function) => matches!(
            function,
            RowFunction::Format(_)
                | RowFunction::Mapping(_)
                | RowFunction::Angle(_)
                | RowFunction::Clock(_)
                | RowFunction::TimePart(_)
                | RowFunction::Substring(_)
                | RowFunction::WriteJson(_)
                | RowFunction::Community(_)
                | RowFunction::Geography(_)
                | RowFunction::Digest(_)
                | RowFunction::Hash(_)
                | RowFunction::Reduce(_)
        ),
        RowStep::Filter(_) | RowStep::AssignNamedBy(..) | RowStep::Case(_) => false,
    }
}
