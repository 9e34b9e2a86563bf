//! The states of one aggregate over its slots, whichever aggregate it is.

mod coding;

use std::sync::Arc;

use super::buckets::BucketStates;
use super::chain::Chain;
use super::collect::Collect;
use super::counts::{Counts, DistinctCounts};
use super::fieldstats::FieldStats;
use super::group::Groups;
use super::last::{SelectFrom, SelectLast};
use super::linreg::LinReg;
use super::numbers::Numbers;
use super::percentile::Percentiles;
use super::product::Product;
use super::rate::Rates;
use super::read::Range;
use super::rows::RowStore;
use super::series::Series;
use super::session::Sessions;
use super::slots::{SlotTable, Slots};
use super::spec::AggregateSpec;
use super::tally::{Coded, Wanted};
use super::top::Top;
use super::{Input, Pipelines, Source};
use crate::machine::{Context, StepError};
use crate::record::{Column, OrderKey, RowsError, Selection};

/// States, one for each slot.
#[derive(Clone, Debug)]
pub(super) enum Body {
    Counts(Counts),
    Distinct(DistinctCounts),
    Numbers(Numbers),
    Percentiles(Percentiles),
    LinReg(LinReg),
    Rates(Rates),
    Series(Series),
    Sessions(Box<Sessions>),
    Groups(Box<Groups>),
    Top(Box<Top>),
    Buckets(Box<BucketStates>),
    Collect(Collect),
    SelectLast(SelectLast),
    SelectFrom(SelectFrom),
    Rows(Box<RowStore>),
    FieldStats(FieldStats),
    Product(Product),
    Chain(Chain),
}

/// What writing a table needs besides the states.
pub(super) struct Run<'a> {
    pub(super) pipelines: &'a mut dyn Pipelines,
    pub(super) context: &'a Context,
    pub(super) warnings: &'a mut Vec<String>,
    pub(super) notes: &'a mut Vec<(String, String)>,
}

impl Body {
    pub(super) fn new(spec: &AggregateSpec, context: &Context, source: Source) -> Body {
        match spec {
            AggregateSpec::Count(spec) if spec.distinct => Body::Distinct(DistinctCounts::new(spec)),
            AggregateSpec::Count(spec) => Body::Counts(Counts::new(spec)),
            AggregateSpec::Number(spec) => Body::Numbers(Numbers::new(spec)),
            AggregateSpec::Percentile(spec) => Body::Percentiles(Percentiles::new(spec)),
            AggregateSpec::LinReg(spec) => Body::LinReg(LinReg::new(spec)),
            AggregateSpec::Rate(spec) => Body::Rates(Rates::new(spec)),
            AggregateSpec::Series(spec) => Body::Series(Series::new(spec)),
            AggregateSpec::Session(spec) => Body::Sessions(Box::new(Sessions::new(spec, context, source))),
            AggregateSpec::GroupBy(spec) => Body::Groups(Box::new(Groups::new(spec, context, source))),
            AggregateSpec::Top(spec) => Body::Top(Box::new(Top::new(spec))),
            AggregateSpec::Bucket(spec) => Body::Buckets(Box::new(BucketStates::new(spec, context, source))),
            AggregateSpec::Collect(spec) => Body::Collect(Collect::new(spec)),
            AggregateSpec::SelectLast(fields) => Body::SelectLast(SelectLast::new(fields)),
            AggregateSpec::SelectFrom(spec) => Body::SelectFrom(SelectFrom::new(spec)),
            AggregateSpec::Rows(spec) => Body::Rows(Box::new(RowStore::new(spec, source))),
            AggregateSpec::FieldStats { limit } => Body::FieldStats(FieldStats::new(*limit)),
            AggregateSpec::Product(list) => Body::Product(Product::new(list, context, source)),
            AggregateSpec::Chain(stages) => Body::Chain(Chain::new(stages, context, source)),
        }
    }

    /// Puts each row of `input` into the state of its slot.
    pub(super) fn step(
        &mut self,
        input: &Input<'_>,
        slots: &Slots<'_>,
        pipelines: &mut dyn Pipelines,
    ) -> Result<(), StepError> {
        match self {
            Body::Counts(states) => states.step(input, slots),
            Body::Distinct(states) => states.step(input, slots),
            Body::Numbers(states) => states.step(input, slots),
            Body::Percentiles(states) => states.step(input, slots),
            Body::LinReg(states) => states.step(input, slots),
            Body::Rates(states) => states.step(input, slots),
            Body::Series(states) => states.step(input, slots),
            Body::Sessions(states) => states.step(input, slots, pipelines)?,
            Body::Groups(states) => states.step(input, slots, pipelines)?,
            Body::Top(states) => states.step(input, slots),
            Body::Buckets(states) => states.step(input, slots, pipelines)?,
            Body::Collect(states) => states.step(input, slots),
            Body::SelectLast(states) => states.step(input, slots),
            Body::SelectFrom(states) => states.step(input, slots),
            Body::Rows(states) => states.step(input, slots),
            Body::FieldStats(states) => states.step(input, slots),
            Body::Product(states) => states.step(input, slots, pipelines)?,
            Body::Chain(states) => states.step(input, slots, pipelines)?,
        }
        Ok(())
    }

    /// What a tally has to hold to be all that is learnt from integers; `None` when none can.
    pub(super) fn wanted(&self) -> Option<Wanted<'_>> {
        match self {
            Body::Numbers(states) => states.wanted(),
            Body::Product(states) => states.wanted(),
            _ => None,
        }
    }

    /// Only rows are counted.
    pub(super) fn counts_rows(&self) -> bool {
        matches!(self, Body::Counts(states) if states.are_of_rows())
    }

    /// The range of the integers that `slot` has seen, where that is kept.
    pub(super) fn seen(&self, slot: usize) -> Range {
        match self {
            Body::Numbers(states) => states.seen(slot),
            Body::Product(states) => states.seen(slot),
            _ => Range::NONE,
        }
    }

    /// Learns what [`Body::wanted`] asked for.
    pub(super) fn absorb(&mut self, coded: &Coded<'_>) {
        match self {
            Body::Counts(states) => states.absorb(coded),
            Body::Numbers(states) => states.absorb(coded.tally, Some(coded.map), coded.count),
            Body::Product(states) => states.absorb(coded),
            // They want nothing.
            _ => {}
        }
    }

    /// Adds each state of `other` to the one `map` sends it to, of `count` there are.
    pub(super) fn merge(&mut self, other: &Body, map: &[u32], count: usize) {
        match (self, other) {
            (Body::Counts(mine), Body::Counts(theirs)) => mine.merge(theirs, map, count),
            (Body::Distinct(mine), Body::Distinct(theirs)) => mine.merge(theirs, map, count),
            (Body::Numbers(mine), Body::Numbers(theirs)) => mine.merge(theirs, map, count),
            (Body::Percentiles(mine), Body::Percentiles(theirs)) => mine.merge(theirs, map, count),
            (Body::LinReg(mine), Body::LinReg(theirs)) => mine.merge(theirs, map, count),
            (Body::Rates(mine), Body::Rates(theirs)) => mine.merge(theirs, map, count),
            (Body::Series(mine), Body::Series(theirs)) => mine.merge(theirs, map, count),
            (Body::Sessions(mine), Body::Sessions(theirs)) => mine.merge(theirs, map),
            (Body::Groups(mine), Body::Groups(theirs)) => mine.merge(theirs, map),
            (Body::Top(mine), Body::Top(theirs)) => mine.merge(theirs, map),
            (Body::Buckets(mine), Body::Buckets(theirs)) => mine.merge(theirs, map),
            (Body::Collect(mine), Body::Collect(theirs)) => mine.merge(theirs, map, count),
            (Body::SelectLast(mine), Body::SelectLast(theirs)) => mine.merge(theirs, map, count),
            (Body::SelectFrom(mine), Body::SelectFrom(theirs)) => mine.merge(theirs, map, count),
            (Body::Rows(mine), Body::Rows(theirs)) => mine.merge(theirs, map, count),
            (Body::FieldStats(mine), Body::FieldStats(theirs)) => mine.merge(theirs, map, count),
            (Body::Product(mine), Body::Product(theirs)) => mine.merge(theirs, map, count),
            (Body::Chain(mine), Body::Chain(theirs)) => mine.merge(theirs, map, count),
            // States of different aggregates never meet: both come from one program.
            _ => {}
        }
    }

    /// Keeps the states of `keep`, in that order.
    pub(super) fn gather(&mut self, keep: &[u32]) {
        match self {
            Body::Counts(states) => states.gather(keep),
            Body::Distinct(states) => states.gather(keep),
            Body::Numbers(states) => states.gather(keep),
            Body::Percentiles(states) => states.gather(keep),
            Body::LinReg(states) => states.gather(keep),
            Body::Rates(states) => states.gather(keep),
            Body::Series(states) => states.gather(keep),
            Body::Sessions(states) => states.gather(keep),
            Body::Groups(states) => states.gather(keep),
            Body::Top(states) => states.gather(keep),
            Body::Buckets(states) => states.gather(keep),
            Body::Collect(states) => states.gather(keep),
            Body::SelectLast(states) => states.gather(keep),
            Body::SelectFrom(states) => states.gather(keep),
            Body::Rows(states) => states.gather(keep),
            Body::FieldStats(states) => states.gather(keep),
            Body::Product(states) => states.gather(keep),
            Body::Chain(states) => states.gather(keep),
        }
    }

    /// Adds each state to the one `map` sends it to, of `count` there are then.
    pub(super) fn regroup(&mut self, map: &[u32], count: usize) {
        let before = self.clone();
        self.clear();
        self.merge(&before, map, count);
    }

    /// Forgets what was learnt, but not what is turned away.
    pub(super) fn clear(&mut self) {
        match self {
            Body::Groups(states) => states.clear(),
            Body::Sessions(states) => states.clear(),
            Body::Top(states) => states.clear(),
            Body::Buckets(states) => states.clear(),
            Body::Product(states) => states.clear(),
            Body::Chain(states) => states.clear(),
            _ => self.gather(&[]),
        }
    }

    /// Groups of a `groupBy` whose keys have a greater hash than `threshold` are turned away from now on.
    pub(super) fn narrow(&mut self, threshold: u64) {
        match self {
            Body::Groups(states) => states.narrow(threshold),
            Body::Sessions(states) => states.narrow(threshold),
            Body::Buckets(states) => states.narrow(threshold),
            Body::Product(states) => states.narrow(threshold),
            Body::Chain(states) => states.narrow(threshold),
            // Their states hold no groups, or all of them for what they rank.
            _ => {}
        }
    }

    /// The greatest hash of a key that stays, of all groups; `None`: there are none to be turned away.
    pub(super) fn threshold(&self) -> Option<u64> {
        match self {
            Body::Groups(states) => Some(states.threshold()),
            Body::Sessions(states) => states.threshold(),
            Body::Buckets(states) => states.threshold(),
            Body::Product(states) => states.threshold(),
            Body::Chain(states) => states.threshold(),
            _ => None,
        }
    }

    /// The table of slots `0..count`.
    pub(super) fn output(&self, count: usize, run: &mut Run<'_>) -> Result<SlotTable, StepError> {
        Ok(match self {
            Body::Counts(states) => states.output(count),
            Body::Distinct(states) => states.output(count, run.warnings),
            Body::Numbers(states) => states.output(count),
            Body::Percentiles(states) => states.output(count),
            Body::LinReg(states) => states.output(count),
            Body::Rates(states) => states.output(count),
            Body::Series(states) => states.output(count, run.warnings),
            Body::Sessions(states) => states.output(count, run)?,
            Body::Groups(states) => states.output(count, run)?,
            Body::Top(states) => states.output(count, run),
            Body::Buckets(states) => states.output(count, run)?,
            Body::Collect(states) => states.output(count, run.warnings),
            Body::SelectLast(states) => states.output(count),
            Body::SelectFrom(states) => states.output(count),
            Body::Rows(states) => states.output(count),
            Body::FieldStats(states) => states.output(count),
            Body::Product(states) => states.output(count, run)?,
            Body::Chain(states) => states.output(count, run)?,
        })
    }

    /// Bytes held, an upper estimate.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Body::Counts(states) => states.bytes(),
            Body::Distinct(states) => states.bytes(),
            Body::Numbers(states) => states.bytes(),
            Body::Percentiles(states) => states.bytes(),
            Body::LinReg(states) => states.bytes(),
            Body::Rates(states) => states.bytes(),
            Body::Series(states) => states.bytes(),
            Body::Sessions(states) => states.bytes(),
            Body::Groups(states) => states.bytes(),
            Body::Top(states) => states.bytes(),
            Body::Buckets(states) => states.bytes(),
            Body::Collect(states) => states.bytes(),
            Body::SelectLast(states) => states.bytes(),
            Body::SelectFrom(states) => states.bytes(),
            Body::Rows(states) => states.bytes(),
            Body::FieldStats(states) => states.bytes(),
            Body::Product(states) => states.bytes(),
            Body::Chain(states) => states.bytes(),
        }
    }

    /// The end of a stretch of time from `millis` on within which it does not matter when a row is, milliseconds,
    /// exclusive; none when that is not known.
    pub(super) fn until(&mut self, millis: i64) -> Option<i64> {
        match self {
            Body::Buckets(states) => Some(states.until(millis)),
            _ => None,
        }
    }

    /// Which of the rows at `places` can still change the result; `None`: their places do not tell.
    pub(super) fn shortlist(&self, places: &[OrderKey]) -> Option<Vec<u32>> {
        match self {
            Body::Rows(states) => states.shortlist(places),
            _ => None,
        }
    }

    /// The aggregate keeps rows whole, and the places of rows tell which ([`Body::shortlist`]).
    pub(super) fn has_shortlist(&self) -> bool {
        matches!(self, Body::Rows(states) if states.is_by_place())
    }

    /// The fields that tell which rows it keeps whole ([`Body::leaders`]).
    pub(super) fn ranked_by(&self) -> Option<Vec<Arc<str>>> {
        match self {
            Body::Rows(states) => states.ranked_by(),
            _ => None,
        }
    }

    /// Which rows of `within` can still change the result, and their places.
    pub(super) fn leaders(
        &self,
        columns: &[Column],
        within: &Selection,
        places: impl FnOnce(&[u32]) -> Result<Vec<OrderKey>, RowsError>,
    ) -> Result<(Vec<u32>, Vec<OrderKey>), RowsError> {
        match self {
            Body::Rows(states) => states.leaders(columns, within, places),
            _ => Ok(Default::default()),
        }
    }

    /// The place that bounds which rows may still change the result.
    pub(super) fn horizon(&self) -> Option<OrderKey> {
        match self {
            Body::Rows(states) => states.horizon(),
            _ => None,
        }
    }
}
