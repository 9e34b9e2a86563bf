//! `array:reduceAll`, `array:reduceColumn`, `array:union`, `array:intersection`: aggregates over the elements of an array of
//! all rows.
//!
//! They are two steps in one: a row for each element, which is in a variable beside the row's own fields, and aggregates over
//! these rows.

use std::sync::Arc;

use crate::error::Diagnostic;
use crate::functions::elements::elements;
use crate::functions::{
    Argument, Arguments, Build, Kind, Parameter, RowFunction, Scratch, Signature, Touches,
};
use crate::machine::{StepError, View};
use crate::plan::Call;
use crate::record::ColumnBuilder;

/// The table of this family.
pub const SIGNATURES: &[Signature] = &[Signature {
    name: "array:reduceAll",
    aliases: &[],
    parameters: &[
        Parameter::required("array", Kind::Text),
        Parameter::required("function", Kind::Aggregates),
        Parameter::optional("var", Kind::Text),
    ],
    build: Build::Plan,
    doc: "Aggregates over the elements of an array of all rows.",
}];

/// The first of the two steps. No query calls it by name.
static UNFOLD: Signature = Signature {
    name: "a row for each element",
    aliases: &[],
    parameters: &[
        Parameter::required("array", Kind::Text),
        Parameter::required("var", Kind::Text),
        Parameter::optional("index", Kind::Text),
    ],
    build: Build::Row(build),
    doc: "A row for each element of an array.",
};

/// A row for each element of an array; rows without the array are dropped.
#[derive(Debug)]
pub struct Unfold {
    array: Arc<str>,
    variable: Arc<str>,
    /// The field that says which element it is.
    index: Option<Arc<str>>,
}

/// The step that makes the rows which `array:reduceAll` and its like aggregate; `index` is to have the place of the element.
#[must_use]
pub fn step(arguments: &Arguments, index: Option<&Arc<str>>) -> Call {
    let array = arguments.text_or_empty("array");
    let variable = arguments.text("var").unwrap_or_else(|| bare(&array));
    let mut values: Vec<_> = [(array, "array"), (variable, "var")]
        .map(|(text, name)| Some((Argument::Text(text), arguments.span_of(name))))
        .into();
    values.push(index.map(|index| (Argument::Text(Arc::clone(index)), arguments.span)));
    Call { arguments: Arguments::new(&UNFOLD, values, arguments.span) }
}

/// An array's name without brackets.
#[must_use]
pub fn bare(array: &Arc<str>) -> Arc<str> {
    array.strip_suffix("[]").map_or_else(|| Arc::clone(array), Arc::from)
}

fn build(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let (array, variable) = (arguments.text_or_empty("array"), arguments.text_or_empty("var"));
    Ok(RowFunction::Unfold(Unfold { array, variable, index: arguments.text("index") }))
}

impl Unfold {
    /// Runs over the rows in play.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn apply(&self, view: &mut View<'_>, _scratch: &mut Scratch) -> Result<(), StepError> {
        let columns = elements(view, &self.array)?;
        let mut picks = Vec::new();
        let (mut out, mut places) = (ColumnBuilder::default(), ColumnBuilder::default());
        for row in view.selection().iter() {
            let pick = u32::try_from(row).unwrap_or(u32::MAX);
            for (at, value) in (0..).zip(columns.iter().map_while(|column| column.get(row))) {
                picks.push(pick);
                out.push(Some(value));
                places.int(at);
            }
        }
        view.multiply(&picks)?;
        view.set(&self.variable, out.finish());
        if let Some(index) = &self.index {
            view.set(index, places.finish());
        }
        Ok(())
    }

    /// Notes what it reads and writes.
    pub fn touches(&self, touches: &mut Touches) {
        touches.reads_all = true;
        touches.write(&self.variable);
        self.index.iter().for_each(|index| touches.write(index));
    }
}
