//! `{ filter | count() | transform }`: row steps around an aggregate, and aggregates over aggregates.

use std::sync::Arc;

use super::body::{Body, Run};
use super::coding::SlotCoding;
use super::slots::{NO_SLOT, SlotTable, Slots};
use super::spec::{AggregateSpec, PipelineId, Stage};
use super::{Derived, Input, Pipelines, Source};
use crate::coding::{DecodeError, Reader};
use crate::machine::{Context, StepError};
use crate::record::{OrderKey, Selection};

/// The state of the first aggregate, and what stands around it.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    before: Vec<PipelineId>,
    body: Box<Body>,
    after: Vec<Stage>,
}

impl Chain {
    pub(super) fn new(stages: &[Stage], context: &Context, source: Source) -> Chain {
        let before = stages.iter().map_while(|stage| match stage {
            Stage::Rows(id) => Some(*id),
            Stage::Aggregate(_) | Stage::Sequence(_) => None,
        });
        let before: Vec<PipelineId> = before.collect();
        let mut rest = stages.iter().skip(before.len());
        let body = match rest.next() {
            Some(Stage::Aggregate(spec)) => Body::new(spec, context, source),
            // The plan gives every chain an aggregate; without one there is nothing to learn.
            _ => Body::new(&AggregateSpec::Product(Vec::new()), context, source),
        };
        Chain { before, body: Box::new(body), after: rest.cloned().collect() }
    }

    pub(super) fn step(
        &mut self,
        input: &Input<'_>,
        slots: &Slots<'_>,
        pipelines: &mut dyn Pipelines,
    ) -> Result<(), StepError> {
        let Some((first, rest)) = self.before.split_first() else {
            return self.body.step(input, slots, pipelines);
        };
        let mut derived = pipelines.run(*first, input)?;
        let mut owned = slots.of_derived(derived.parents.as_deref(), derived.rows);
        for id in rest {
            let input = input_of(&derived);
            let next = pipelines.run(*id, &input)?;
            owned = owned.and_then(|owned| {
                Slots::each(&owned, slots.count).of_derived(next.parents.as_deref(), next.rows)
            });
            derived = next;
        }
        let input = input_of(&derived);
        match &owned {
            Some(owned) => self.body.step(&input, &Slots::each(owned, slots.count), pipelines),
            None => self.body.step(&input, slots, pipelines),
        }
    }

    pub(super) fn merge(&mut self, other: &Chain, map: &[u32], count: usize) {
        self.body.merge(&other.body, map, count);
    }

    pub(super) fn gather(&mut self, keep: &[u32]) {
        self.body.gather(keep);
    }

    /// As [`Body::clear`].
    pub(super) fn clear(&mut self) {
        self.body.clear();
    }

    /// As [`Body::narrow`].
    pub(super) fn narrow(&mut self, threshold: u64) {
        if !self.wants_all() {
            self.body.narrow(threshold);
        }
    }

    /// As [`Body::threshold`].
    pub(super) fn threshold(&self) -> Option<u64> {
        if self.wants_all() { None } else { self.body.threshold() }
    }

    /// Whether its groups become elements of one array, or rows that stand in an order: without some of them the others
    /// would mean something else.
    fn wants_all(&self) -> bool {
        self.after.iter().any(|stage| matches!(stage, Stage::Sequence(_)))
    }

    pub(super) fn output(&self, count: usize, run: &mut Run<'_>) -> Result<SlotTable, StepError> {
        let mut table = self.body.output(count, run)?;
        for stage in &self.after {
            if let Stage::Sequence(spec) = stage {
                table = spec.output(table, count, run)?;
                continue;
            }
            // Rows that are events still keep their places; others have their numbers.
            let (order, source): (Arc<[OrderKey]>, _) = match table.order.is_empty() {
                true => (row_order(table.rows()), Source::Table),
                false => (table.order.as_slice().into(), Source::Events),
            };
            let within = Selection::all(table.rows());
            let input = Input {
                rows: table.rows(),
                order: &order,
                columns: &table.columns,
                within: &within,
                weights: None,
            };
            match stage {
                Stage::Rows(id) => {
                    let derived = run.pipelines.run(*id, &input)?;
                    let parents = derived.parents.as_deref();
                    let parent = |row: usize| {
                        parents.map_or(row, |parents| parents.get(row).map_or(0, |row| *row as usize))
                    };
                    let mut picks: Vec<u32> =
                        derived.within.iter().filter_map(|row| u32::try_from(row).ok()).collect();
                    let slot = |row: &u32| table.slots.get(parent(*row as usize)).copied().unwrap_or(NO_SLOT);
                    picks.sort_by_key(slot);
                    let slots = picks.iter().map(slot).collect();
                    let whole = SlotTable {
                        slots: vec![0; derived.rows],
                        columns: derived.columns,
                        order: kept_order(&table, &derived.order),
                    };
                    table = whole.gather(&picks, slots);
                }
                // It has been run above.
                Stage::Sequence(_) => {}
                Stage::Aggregate(spec) => {
                    let mut body = Body::new(spec, run.context, source);
                    body.step(&input, &Slots::each(&table.slots, count), run.pipelines)?;
                    table = body.output(count, run)?;
                }
            }
        }
        Ok(table)
    }

    pub(super) fn bytes(&self) -> usize {
        self.body.bytes()
    }
}

/// The states of the first aggregate: what stands behind it runs when the result is asked for.
impl SlotCoding for Chain {
    fn write(&self, slots: &[u32], out: &mut Vec<u8>) {
        self.body.write(slots, out);
    }

    fn read(&mut self, count: usize, from: &mut Reader<'_>) -> Result<(), DecodeError> {
        self.body.read(count, from)
    }
}

fn input_of(derived: &Derived) -> Input<'_> {
    Input {
        rows: derived.rows,
        order: &derived.order,
        columns: &derived.columns,
        within: &derived.within,
        weights: None,
    }
}

/// The places of derived rows, where the rows they were made from are events.
fn kept_order(table: &SlotTable, derived: &[OrderKey]) -> Vec<OrderKey> {
    if table.order.is_empty() { Vec::new() } else { derived.to_vec() }
}

/// The places of the rows of a table: their numbers.
pub(crate) fn row_order(rows: usize) -> Arc<[OrderKey]> {
    (0..rows).map(|row| OrderKey { nanos: 0, sequence: row as u64 }).collect()
}
