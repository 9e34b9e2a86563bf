//! `partition`: an aggregate of each part of a sequence.

use super::{PartitionSpec, Run, SlotTable};
use crate::aggregates::body::Body;
use crate::aggregates::chain::row_order;
use crate::aggregates::slots::{NO_SLOT, Slots};
use crate::aggregates::{Input, Source};
use crate::machine::StepError;
use crate::record::Selection;

pub(super) fn output(
    spec: &PartitionSpec,
    table: &SlotTable,
    run: &mut Run<'_>,
) -> Result<SlotTable, StepError> {
    let rows = table.rows();
    let (order, within) = (row_order(rows), Selection::all(rows));
    let input = Input { rows, order: &order, columns: &table.columns, within: &within, weights: None };
    let passed = run.pipelines.run(spec.condition, &input)?;
    let mut splits = Selection::none(rows);
    for row in passed.within.iter() {
        match &passed.parents {
            None => splits.insert(row),
            Some(parents) => {
                parents.get(row).into_iter().for_each(|parent| splits.insert(*parent as usize));
            }
        }
    }
    // The part of each row, and the slot of each part. A slot has a part if it has a row.
    let (mut parts, mut owners) = (Vec::with_capacity(rows), Vec::new());
    let mut is_new = true;
    for (row, slot) in table.slots.iter().enumerate().take(rows) {
        let splits = splits.contains(row);
        if is_new || owners.last() != Some(slot) || (splits && !spec.splits_behind) {
            owners.push(*slot);
        }
        is_new = splits && spec.splits_behind;
        parts.push(u32::try_from(owners.len() - 1).unwrap_or(NO_SLOT));
    }
    let mut body = Body::new(&spec.function, run.context, Source::Table);
    body.step(&input, &Slots::each(&parts, owners.len()), run.pipelines)?;
    let mut result = body.output(owners.len(), run)?;
    for slot in &mut result.slots {
        *slot = owners.get(*slot as usize).copied().unwrap_or(NO_SLOT);
    }
    result.order.clear();
    Ok(result)
}
