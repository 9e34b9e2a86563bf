//! `array:reduceRow`: an aggregate of the elements of each row's own array.

use std::sync::Arc;

use crate::aggregates::AggregateSpec;
use crate::aggregates::elements::reduce;
use crate::compile::aggregate::product;
use crate::compile::steps::Compiler;
use crate::error::Diagnostic;
use crate::functions::elements::elements;
use crate::functions::unfold::bare;
use crate::functions::{Arguments, Build, Kind, Parameter, RowFunction, Scratch, Signature, Touches};
use crate::machine::composite::Composite;
use crate::machine::step::{self, RowStep};
use crate::machine::{StepError, View};
use crate::record::{Column, ColumnBuilder};

/// The table of this family.
pub const SIGNATURES: &[Signature] = &[Signature {
    name: "array:reduceRow",
    aliases: &[],
    parameters: &[
        Parameter::required("array", Kind::Text),
        Parameter::required("function", Kind::Aggregates),
        Parameter::optional("var", Kind::Text),
        Parameter::with_default("as", Kind::Text, "_reduceRow"),
    ],
    build: Build::Row(build),
    doc: "An aggregate of the elements of each row's array.",
}];

/// A compiled `array:reduceRow`.
#[derive(Debug)]
pub struct Reduce {
    array: Arc<str>,
    /// What an element is called in the aggregate.
    variable: Arc<str>,
    function: AggregateSpec,
    /// Row steps in the aggregate.
    pipelines: Vec<Vec<RowStep>>,
    output: Arc<str>,
}

fn build(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let array = arguments.text_or_empty("array");
    let mut compiler = Compiler::default();
    let function = product(arguments.aggregates("function"), &mut compiler)?;
    if let Some(fault) = compiler.faults.into_iter().next() {
        return Err(fault);
    }
    if !function.has_one_row() || function.outputs().len() > 1 {
        let message =
            "`array:reduceRow` takes only an aggregate that gives one value, such as `sum()` or `avg()`";
        return Err(arguments.fault("function", message));
    }
    Ok(RowFunction::Reduce(Box::new(Reduce {
        variable: arguments.text("var").unwrap_or_else(|| bare(&array)),
        array,
        function,
        pipelines: compiler.pipelines,
        output: arguments.text_or_empty("as"),
    })))
}

impl Reduce {
    /// Runs over the rows in play.
    ///
    /// # Errors
    /// When the rows cannot be read, or what is learnt outgrows its limit.
    pub fn apply(&self, view: &mut View<'_>, scratch: &mut Scratch) -> Result<(), StepError> {
        let arrays = elements(view, &self.array)?;
        let (mut rows, mut values) = (Vec::new(), ColumnBuilder::default());
        for row in view.selection().iter() {
            for value in arrays.iter().map_while(|column| column.get(row)) {
                rows.push(u32::try_from(row).unwrap_or(u32::MAX));
                values.push(Some(value));
            }
        }
        let columns = self.columns(view, &rows, values.finish())?;
        let context = scratch.context.clone();
        let mut pipelines = Composite { pipelines: &self.pipelines, scratch };
        let out = reduce(&self.function, &columns, &rows, view.rows(), &context, &mut pipelines)?;
        view.assign(&self.output, out)?;
        Ok(())
    }

    /// What is known of the elements of `rows`: themselves, and the fields of their rows that the aggregate looks at.
    fn columns(
        &self,
        view: &View<'_>,
        rows: &[u32],
        values: Column,
    ) -> Result<Vec<(Arc<str>, Column)>, StepError> {
        let needs = self.function.needs();
        let names = match needs.all || !needs.pipelines.is_empty() {
            true => view.names(),
            false => needs.fields,
        };
        let mut columns = vec![(Arc::clone(&self.variable), values)];
        for name in names.into_iter().filter(|name| *name != self.variable) {
            let column = view.column(&name)?.gather(rows);
            columns.push((name, column));
        }
        Ok(columns)
    }

    /// Notes what it reads and writes.
    pub fn touches(&self, touches: &mut Touches) {
        touches.reads_all = true;
        let mut inner = Touches::default();
        self.pipelines.iter().for_each(|steps| step::touches(steps, &mut inner));
        touches.read_by(inner);
        touches.write(&self.output);
    }

    /// The field it writes.
    #[must_use]
    pub fn output(&self) -> &Arc<str> {
        &self.output
    }
}
