//! Stands where the states of aggregates will: programs with aggregates are refused until then.

use std::sync::Arc;

use crate::aggregates::{AggregateSpec, Input, Pipelines};
use crate::machine::{Context, StepError};
use crate::record::OrderKey;
use crate::result::ResultTable;

#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    Events,
    Table,
}

#[derive(Clone, Debug)]
pub(super) struct AggregateState;

impl AggregateState {
    pub(super) fn new(_: &AggregateSpec, _: &Arc<Context>, _: Source) -> AggregateState {
        AggregateState
    }
    pub(super) fn step(&mut self, _: &Input<'_>, _: &mut dyn Pipelines) -> Result<(), StepError> {
        Ok(())
    }
    pub(super) fn merge(&mut self, _: &AggregateState) {}
    pub(super) fn result(&self, _: &mut dyn Pipelines) -> Result<ResultTable, StepError> {
        Ok(ResultTable::default())
    }
    pub(super) fn bytes(&self) -> usize {
        0
    }
    pub(super) fn horizon(&self) -> Option<OrderKey> {
        None
    }
}
