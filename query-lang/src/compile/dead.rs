//! Steps that nothing needs: what they write, no later step reads and no aggregate is fed.

use crate::aggregates::AggregateSpec;
use crate::compile::steps::Stage;
use crate::functions::{RowFunction, Touches};
use crate::machine::step::RowStep;

/// Drops from `stage` the steps that only write what neither a step behind them reads nor the aggregate, which is fed `fed`;
/// gives the numbers they had. Rows that are handed out whole need everything.
pub(crate) fn drop_steps(stage: &mut Stage, fed: &Touches) -> Vec<usize> {
    let hands_out = matches!(stage.aggregate, None | Some(AggregateSpec::Rows(_)));
    let mut dropped = Vec::new();
    let mut needed = fed.clone();
    for (at, step) in stage.steps.iter().enumerate().rev() {
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
    dropped.iter().for_each(|at| drop(stage.steps.remove(*at)));
    dropped.reverse();
    dropped
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
