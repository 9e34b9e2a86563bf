//! `array:exists`, `array:filter`, `array:eval` and their like for arrays of objects: steps run for each element of an array.
//!
//! The steps see the row with the element in a variable, and what they write is gone but for what the function says.
//! An element of objects or arrays is in the variable with its members: `x.name`, `x[0]`.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::compile::steps::Compiler;
use crate::error::Diagnostic;
use crate::functions::arrays::{MAX_ARRAY_ELEMENTS, element};
use crate::functions::elements::{elements, members, present, write_elements};
use crate::functions::{Arguments, Build, Kind, Parameter, RowFunction, Scratch, Signature, Touches};
use crate::machine::predicate::Predicate;
use crate::machine::step::{self, RowStep};
use crate::machine::{StepError, View};
use crate::record::{Column, ColumnBuilder, RowsError, Selection};

const ARRAY: Parameter = Parameter::required("array", Kind::Text);
const VARIABLE: Parameter = Parameter::optional("var", Kind::Text);

const CONDITION: &[Parameter] = &[ARRAY, Parameter::required("condition", Kind::Pipeline), VARIABLE];
const FUNCTION: &[Parameter] = &[
    ARRAY,
    Parameter::required("function", Kind::Pipeline),
    VARIABLE,
    Parameter::optional("asArray", Kind::Text),
];

const fn of_array(
    name: &'static str,
    build: Build,
    parameters: &'static [Parameter],
    doc: &'static str,
) -> Signature {
    Signature { name, aliases: &[], parameters, build, doc }
}

/// The table of this family.
pub const SIGNATURES: &[Signature] = &[
    of_array(
        "array:exists",
        Build::Filter(condition),
        CONDITION,
        "An element of the array passes a condition.",
    ),
    of_array(
        "objectArray:exists",
        Build::Filter(condition),
        CONDITION,
        "An element of an array of objects passes a condition.",
    ),
    of_array("array:filter", Build::Row(build), FUNCTION, "The elements of an array that pass a condition."),
    of_array("array:eval", Build::Row(build), FUNCTION, "What steps make of each element of an array."),
    of_array(
        "objectArray:eval",
        Build::Row(build),
        &[
            ARRAY,
            Parameter::required("asArray", Kind::Text),
            Parameter::required("function", Kind::Pipeline),
            VARIABLE,
        ],
        "What steps make of each element of an array of objects.",
    ),
];

/// A compiled function of this family.
#[derive(Debug)]
pub struct EachElement {
    array: Arc<str>,
    /// What an element is called in the steps.
    variables: Vec<Arc<str>>,
    steps: Vec<RowStep>,
    /// Elements have members.
    structured: bool,
    what: What,
}

#[derive(Debug)]
enum What {
    /// Passes rows of which one element passes.
    Exists,
    /// Writes the elements that pass to this array.
    Filter(Arc<str>),
    /// Writes to this array what is in this field after the steps.
    Eval(Arc<str>, Arc<str>),
}

fn condition(arguments: &Arguments) -> Result<Predicate, Diagnostic> {
    build(arguments).map(|function| Predicate::Survives(Box::new(function)))
}

fn build(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let name = arguments.signature().name;
    let array = arguments.text_or_empty("array");
    let bare: Arc<str> = array.strip_suffix("[]").unwrap_or(&array).into();
    let structured = name.starts_with("object");
    let variables = match arguments.text("var") {
        Some(variable) if variable.contains(['[', ']']) || (structured && variable.contains('.')) => {
            return Err(arguments.fault("var", format!("`{variable}` is no plain name for an element")));
        }
        Some(variable) => vec![variable],
        // Both `array[].member` and `array.member` are written.
        None if structured => vec![Arc::clone(&bare), format!("{bare}[]").into()],
        None => vec![Arc::clone(&bare)],
    };
    let output = arguments.text("asArray").unwrap_or_else(|| Arc::clone(&array));
    let field = output.strip_suffix("[]").unwrap_or(&output).into();
    let (what, steps) = match name {
        "array:filter" => (What::Filter(output), "function"),
        "array:eval" | "objectArray:eval" => (What::Eval(output, field), "function"),
        _ => (What::Exists, "condition"),
    };
    let mut compiler = Compiler::default();
    let steps = compiler.row_steps(arguments.pipeline(steps));
    match compiler.faults.into_iter().next() {
        Some(fault) => Err(fault),
        None => Ok(RowFunction::Each(EachElement { array, variables, steps, structured, what })),
    }
}

/// The elements that rows have in one place of the array: the fields of the variable, and which rows there are.
struct Bound {
    fields: Vec<(Arc<str>, Column)>,
    rows: Selection,
}

impl EachElement {
    /// Runs over the rows in play.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn apply(&self, view: &mut View<'_>, scratch: &mut Scratch) -> Result<(), StepError> {
        let rows = view.rows();
        let mut passed = Selection::none(rows);
        let mut left = view.selection().clone();
        let mut outcomes: Vec<(Selection, Column)> = Vec::new();
        for Bound { fields, rows: there } in self.bound(view)? {
            left.intersect(&there);
            if left.is_empty() {
                break;
            }
            let mut fork = view.fork(left.clone());
            if let What::Eval(_, field) = &self.what {
                // What stood in it before is not what the steps make of an element.
                fork.remove(field);
            }
            fields.iter().for_each(|(name, column)| fork.set(name, column.clone()));
            step::run(&self.steps, &mut fork, scratch)?;
            let survivors = fork.survivors(&left);
            match &self.what {
                What::Exists => {
                    left.subtract(&survivors);
                    passed.union(&survivors);
                }
                What::Filter(_) => {
                    let own = fields.into_iter().next().map(|(_, column)| column);
                    outcomes.push((survivors, own.unwrap_or(Column::Missing { rows })));
                }
                What::Eval(_, field) => outcomes.push((survivors, fork.returned(field, rows)?)),
            }
        }
        match &self.what {
            What::Exists => view.set_selection(passed),
            What::Filter(output) | What::Eval(output, _) => self.write(view, output, &outcomes)?,
        }
        Ok(())
    }

    /// Writes what has come of the elements to `output`, without gaps.
    fn write(
        &self,
        view: &mut View<'_>,
        output: &str,
        outcomes: &[(Selection, Column)],
    ) -> Result<(), RowsError> {
        let mut outputs: Vec<ColumnBuilder> = Vec::new();
        for row in view.selection().iter() {
            let passed = outcomes.iter().filter(|(passed, _)| passed.contains(row));
            for (at, value) in passed.filter_map(|(_, column)| column.get(row)).enumerate() {
                if outputs.len() <= at {
                    outputs.push(ColumnBuilder::default());
                }
                if let Some(out) = outputs.get_mut(at) {
                    out.pad(row);
                    out.push(Some(value));
                }
            }
        }
        let replaced = (element(output, 0) == element(&self.array, 0)).then(|| view.selection().clone());
        write_elements(view, output, outputs, replaced)
    }

    /// The elements, by place.
    fn bound(&self, view: &View<'_>) -> Result<Vec<Bound>, RowsError> {
        let named = |rest: &str, column: &Column| -> Vec<(Arc<str>, Column)> {
            self.variables.iter().map(|name| (format!("{name}{rest}").into(), column.clone())).collect()
        };
        if !self.structured {
            let columns = elements(view, &self.array)?.into_iter();
            let bound =
                |column: Column| Bound { rows: column.present(view.selection()), fields: named("", &column) };
            return Ok(columns.map(bound).collect());
        }
        let members = members(view, &self.array)?;
        // A member that this element lacks hides the field of its name, too.
        let rests: BTreeSet<Arc<str>> =
            members.values().flatten().map(|(_, rest, _)| Arc::clone(rest)).collect();
        let mut all = Vec::new();
        for (at, (index, fields)) in members.into_iter().enumerate().take(MAX_ARRAY_ELEMENTS) {
            if at != index {
                break;
            }
            let missing = Column::Missing { rows: view.rows() };
            let of = |rest: &Arc<str>| {
                let own = fields.iter().find(|(_, known, _)| known == rest);
                named(rest, own.map_or(&missing, |(_, _, column)| column))
            };
            let rows = present(&fields, view.selection());
            all.push(Bound { fields: rests.iter().flat_map(of).collect(), rows });
        }
        Ok(all)
    }

    /// Notes what it reads and writes.
    pub fn touches(&self, touches: &mut Touches) {
        touches.reads_all = true;
        let mut inner = Touches::default();
        step::touches(&self.steps, &mut inner);
        touches.read_by(inner);
        touches.writes_any |= !matches!(self.what, What::Exists);
    }
}
