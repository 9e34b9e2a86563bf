//! `array:reduceRow`: an aggregate of the elements of each row's array.

use std::sync::Arc;

use super::body::{Body, Run};
use super::slots::Slots;
use super::{AggregateSpec, Input, Pipelines, Source};
use crate::machine::{Context, StepError};
use crate::record::{Column, ColumnBuilder, OrderKey, Selection};

/// What `function` tells of each of `count` rows, by number: `rows` has the row of each element, and `columns` what is known of
/// the elements, in their order. None for a row without elements, or of which it tells nothing.
///
/// # Errors
/// When a composite argument's row steps fail, or what is learnt outgrows its limit.
pub(crate) fn reduce(
    function: &AggregateSpec,
    columns: &[(Arc<str>, Column)],
    rows: &[u32],
    count: usize,
    context: &Context,
    pipelines: &mut dyn Pipelines,
) -> Result<Column, StepError> {
    let order: Vec<OrderKey> = (0..rows.len()).map(|at| OrderKey { nanos: 0, sequence: at as u64 }).collect();
    let within = Selection::all(rows.len());
    let input = Input { rows: rows.len(), order: &order, columns, within: &within, weights: None };
    let mut body = Body::new(function, context, Source::Table);
    body.step(&input, &Slots::each(rows, count), pipelines)?;
    let (bytes, limit) = (body.bytes(), context.state_limit());
    if bytes > limit {
        return Err(StepError::StateTooLarge { bytes, limit });
    }
    let (mut warnings, mut notes) = (Vec::new(), Vec::new());
    let mut run = Run { pipelines, context, warnings: &mut warnings, notes: &mut notes };
    let table = body.output(count, &mut run)?;
    let mut have = Selection::none(count);
    rows.iter().for_each(|row| have.insert(*row as usize));
    let mut out = ColumnBuilder::with_capacity(count);
    if let Some((_, column)) = table.columns.first() {
        for (row, slot) in table.slots.iter().enumerate() {
            // An aggregate of one row has one a slot, and counts to zero where there is nothing.
            if out.len() <= *slot as usize && have.contains(*slot as usize) {
                out.pad(*slot as usize);
                out.push(column.get(row));
            }
        }
    }
    out.pad(count);
    Ok(out.finish())
}
