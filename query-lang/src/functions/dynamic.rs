//! `getField` and `setField`: fields whose names are computed.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::compile::expression as compile;
use crate::error::Diagnostic;
use crate::functions::{Arguments, Build, Kind, Parameter, RowFunction, Scratch, Signature, Touches};
use crate::machine::expression::Expression;
use crate::machine::step;
use crate::machine::{StepError, View};
use crate::record::{Column, ColumnBuilder};

/// The table of this family.
pub const SIGNATURES: &[Signature] = &[
    Signature {
        name: "getField",
        aliases: &[],
        parameters: &[
            Parameter::required("source", Kind::Expression),
            Parameter::with_default("as", Kind::Text, "_getField"),
        ],
        build: Build::Row(build_get),
        doc: "The value of the field whose name is the value of an expression.",
    },
    Signature {
        name: "setField",
        aliases: &[],
        parameters: &[
            Parameter::required("target", Kind::Expression),
            Parameter::required("value", Kind::Expression),
        ],
        build: Build::Row(build_set),
        doc: "Writes the field whose name is the value of an expression.",
    },
];

/// A compiled function of this family.
#[derive(Debug)]
pub enum DynamicField {
    /// `getField`
    Get {
        /// The name of the field read.
        source: Expression,
        /// The field written.
        output: Arc<str>,
    },
    /// `setField`
    Set {
        /// The name of the field written.
        target: Expression,
        /// What is written.
        value: Expression,
    },
}

fn expression(arguments: &Arguments, name: &str) -> Result<Expression, Diagnostic> {
    let missing = || arguments.fault(name, format!("no `{name}`"));
    compile::compile(arguments.expression(name).ok_or_else(missing)?)
}

fn build_get(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let (source, output) = (expression(arguments, "source")?, arguments.text_or_empty("as"));
    Ok(RowFunction::Dynamic(DynamicField::Get { source, output }))
}

fn build_set(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let (target, value) = (expression(arguments, "target")?, expression(arguments, "value")?);
    Ok(RowFunction::Dynamic(DynamicField::Set { target, value }))
}

impl DynamicField {
    /// Runs over the rows in play.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn apply(&self, view: &mut View<'_>, scratch: &mut Scratch) -> Result<(), StepError> {
        match self {
            DynamicField::Get { source, output } => {
                let names = source.evaluate(view, view.selection(), scratch)?;
                let made = named(&names, view, &mut scratch.text)?;
                Ok(view.assign(output, made)?)
            }
            DynamicField::Set { target, value } => {
                let names = target.evaluate(view, view.selection(), scratch)?;
                let values = value.evaluate(view, view.selection(), scratch)?;
                step::assign_named(&names, &values, view, scratch)
            }
        }
    }

    /// Notes what it reads and writes.
    pub fn touches(&self, touches: &mut Touches) {
        match self {
            DynamicField::Get { source, output } => {
                source.touches(touches);
                match constant(source) {
                    Some(name) => touches.read(&name),
                    None => touches.reads_all = true,
                }
                touches.read(output);
                touches.write(output);
            }
            DynamicField::Set { target, value } => {
                target.touches(touches);
                value.touches(touches);
                match constant(target) {
                    Some(name) => {
                        // Null leaves what was there.
                        touches.read(&name);
                        touches.write(&name);
                    }
                    None => {
                        touches.reads_all = true;
                        touches.writes_any = true;
                    }
                }
            }
        }
    }

    /// The field a call inside an expression yields.
    #[must_use]
    pub fn output(&self) -> Option<Arc<str>> {
        match self {
            DynamicField::Get { output, .. } => Some(Arc::clone(output)),
            DynamicField::Set { .. } => None,
        }
    }
}

/// The name that is the same in all rows.
fn constant(name: &Expression) -> Option<Arc<str>> {
    match name {
        Expression::Constant(value) => Some(value.borrow().text().into()),
        _ => None,
    }
}

/// For each row the value of the field that `names` names there.
fn named(names: &Column, view: &View<'_>, scratch: &mut String) -> Result<Column, StepError> {
    if let Column::Constant { value, .. } = names {
        return Ok(view.column(&value.borrow().text())?);
    }
    let mut columns: HashMap<String, Column> = HashMap::new();
    let mut out = ColumnBuilder::with_capacity(view.rows());
    for row in view.selection().iter() {
        let Some(name) = names.get(row) else { continue };
        let name = name.text_in(scratch);
        if !columns.contains_key(name) {
            columns.insert(name.to_owned(), view.column(name)?);
        }
        if let Some(value) = columns.get(name).and_then(|column| column.get(row)) {
            out.pad(row);
            out.push(Some(value));
        }
    }
    out.pad(view.rows());
    Ok(out.finish())
}
