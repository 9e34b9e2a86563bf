//! Row steps inside composite arguments of aggregates: `function={ filter | count() | transform }`.

use std::sync::Arc;

use crate::aggregates::{Derived, Input, PipelineId, Pipelines};
use crate::compile::TextMatcher;
use crate::functions::Scratch;
use crate::machine::step::{self, RowStep};
use crate::machine::{StepError, View, frame};
use crate::record::{Column, OrderKey, Rows, RowsError, Selection};

/// The row steps of a program's composite arguments, with scratch space to run them.
#[derive(Debug)]
pub(crate) struct Composite<'m> {
    pub(crate) pipelines: &'m [Vec<RowStep>],
    pub(crate) scratch: &'m mut Scratch,
}

impl Pipelines for Composite<'_> {
    fn run(&mut self, id: PipelineId, input: &Input<'_>) -> Result<Derived, StepError> {
        let steps = self.pipelines.get(id.0).map(Vec::as_slice).unwrap_or_default();
        let rows = InputRows(input);
        let mut view = View::new(&rows, input.within.clone());
        step::run(steps, &mut view, self.scratch)?;
        Ok(Derived {
            columns: frame::columns(&view, None, &[])?,
            rows: view.rows(),
            order: if input.order.is_empty() { Arc::default() } else { view.order()? },
            within: view.selection().clone(),
            parents: view.origin().cloned(),
        })
    }
}

/// The rows of a step, as rows to run further steps over.
struct InputRows<'i>(&'i Input<'i>);

impl Rows for InputRows<'_> {
    fn len(&self) -> usize {
        self.0.rows
    }

    fn order(&self) -> Result<Arc<[OrderKey]>, RowsError> {
        Ok(self.0.order.into())
    }

    fn names(&self) -> Vec<Arc<str>> {
        self.0.columns.iter().map(|(name, _)| Arc::clone(name)).collect()
    }

    fn column(&self, name: &str, _: &Selection) -> Result<Column, RowsError> {
        Ok(self.0.column(name))
    }

    fn search(&self, matcher: &TextMatcher, within: &Selection) -> Result<Selection, RowsError> {
        crate::result::search(self.0.columns, matcher, within)
    }
}
