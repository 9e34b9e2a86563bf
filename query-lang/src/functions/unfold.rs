//! `array:reduceAll`: aggregates over the elements of an array of all rows.
//!
//! It is two steps in one: a row for each element, which is in a variable beside the row's own fields, and aggregates over
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
    parameters: &[Parameter::required("array", Kind::Text), Parameter::required("var", Kind::Text)],
    build: Build::Row(build),
    doc: "A row for each element of an array.",
};

/// A row for each element of an array; rows without the array are dropped.
#[derive(Debug)]
pub struct Unfold {
    array: Arc<str>,
    variable: Arc<str>,
}

/// The step that makes the rows which `array:reduceAll` aggregates.
#[must_use]
pub fn step(arguments: &Arguments) -> Call {
    let array = arguments.text_or_empty("array");
    let bare = || array.strip_suffix("[]").map_or_else(|| Arc::clone(&array), Arc::from);
    let variable = arguments.text("var").unwrap_or_else(bare);
    let values = [(array.clone(), "array"), (variable, "var")]
        .map(|(text, name)| Some((Argument::Text(text), arguments.span_of(name))));
    Call { arguments: Arguments::new(&UNFOLD, values.to_vec(), arguments.span) }
}

fn build(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let (array, variable) = (arguments.text_or_empty("array"), arguments.text_or_empty("var"));
    Ok(RowFunction::Unfold(Unfold { array, variable }))
}

impl Unfold {
    /// Runs over the rows in play.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn apply(&self, view: &mut View<'_>, _scratch: &mut Scratch) -> Result<(), StepError> {
        let columns = elements(view, &self.array)?;
        let mut picks = Vec::new();
        let mut out = ColumnBuilder::default();
        for row in view.selection().iter() {
            let pick = u32::try_from(row).unwrap_or(u32::MAX);
            for value in columns.iter().map_while(|column| column.get(row)) {
                picks.push(pick);
                out.push(Some(value));
            }
        }
        view.multiply(&picks)?;
        view.set(&self.variable, out.finish());
        Ok(())
    }

    /// Notes what it reads and writes.
    pub fn touches(&self, touches: &mut Touches) {
        touches.reads_all = true;
        touches.write(&self.variable);
    }
}
