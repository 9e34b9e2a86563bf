//! Fields as such: `rename`, `drop`, `select`, `default`, and the calls the plan lowers into other steps.

use std::sync::Arc;

use crate::error::Diagnostic;
use crate::functions::{Arguments, Build, Kind, Parameter, RowFunction, Scratch, Signature, Touches};
use crate::machine::{StepError, View};
use crate::record::{Column, Selection};
use crate::value::ValueRef;

/// The table of this family.
pub const SIGNATURES: &[Signature] = &[
    Signature {
        name: "rename",
        aliases: &[],
        parameters: &[Parameter::required("field", Kind::Pairs), Parameter::optional("as", Kind::Text)],
        build: Build::Row(rename),
        doc: "Gives fields other names; the target is overwritten, the source removed.",
    },
    Signature {
        name: "drop",
        aliases: &[],
        parameters: &[Parameter::required("fields", Kind::Texts).aliased(&["field"])],
        build: Build::Row(drop_fields),
        doc: "Removes fields.",
    },
    Signature {
        name: "select",
        aliases: &["fields"],
        parameters: &[Parameter::required("fields", Kind::Texts).aliased(&["field"])],
        build: Build::Row(select),
        doc: "Keeps these fields only.",
    },
    Signature {
        name: "default",
        aliases: &[],
        parameters: &[
            Parameter::required("value", Kind::Text),
            Parameter::required("field", Kind::Texts).aliased(&["fields"]),
            Parameter::with_default("replaceEmpty", Kind::Bool, "false"),
        ],
        build: Build::Row(default),
        doc: "Gives fields a value where they have none.",
    },
    Signature {
        name: "dropEvent",
        aliases: &[],
        parameters: &[],
        build: Build::Plan,
        doc: "Drops every row that reaches it.",
    },
    Signature {
        name: "eval",
        aliases: &[],
        parameters: &[Parameter::required("assignments", Kind::Assignments)],
        build: Build::Plan,
        doc: "Writes fields, left to right: `eval(a=b+1, c=a*2)`.",
    },
    Signature {
        name: "if",
        aliases: &[],
        parameters: &[
            Parameter::required("condition", Kind::Expression),
            Parameter::required("then", Kind::Expression),
            Parameter::required("else", Kind::Expression),
            Parameter::with_default("as", Kind::Text, "_if"),
        ],
        build: Build::Plan,
        doc: "One of two values, by a condition; anything but true takes `else`.",
    },
    Signature {
        name: "coalesce",
        aliases: &[],
        parameters: &[
            Parameter::required("expressions", Kind::Expressions).aliased(&["fields", "field"]),
            Parameter::with_default("as", Kind::Text, "_coalesce"),
            Parameter::with_default("ignoreEmpty", Kind::Bool, "true"),
        ],
        build: Build::Plan,
        doc: "The first value that is not null.",
    },
    Signature {
        name: "setTimeInterval",
        aliases: &[],
        parameters: &[
            Parameter::required("start", Kind::Text),
            Parameter::optional("end", Kind::Text),
            Parameter::optional("timezone", Kind::Text),
        ],
        build: Build::Plan,
        doc: "Sets the queried time range from inside the query.",
    },
    Signature {
        name: "emit",
        aliases: &[],
        parameters: &[
            Parameter::optional("trigger", Kind::Text),
            Parameter::optional("refinement", Kind::Text),
        ],
        build: Build::Plan,
        doc: "Says when a standing query gives a result out, and how that relates to the one before it.",
    },
    Signature {
        name: "createEvents",
        aliases: &[],
        parameters: &[Parameter::required("rawstring", Kind::Texts)],
        build: Build::Plan,
        doc: "Replaces the input by events made of these texts.",
    },
];

/// A compiled function of this family.
#[derive(Debug)]
pub enum FieldFunction {
    /// Old name, new name, one after another.
    Rename(Vec<(Arc<str>, Arc<str>)>),
    /// Takes these away.
    Drop(Vec<Arc<str>>),
    /// Keeps only these.
    Select(Vec<Arc<str>>),
    /// Fills gaps.
    Default {
        /// With this.
        value: Arc<str>,
        /// In these.
        fields: Vec<Arc<str>>,
        /// Empty texts are gaps too.
        replace_empty: bool,
    },
}

fn rename(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let pairs = arguments.pairs("field");
    let renames = match (arguments.text("as"), pairs) {
        (Some(to), [only]) => match only.as_slice() {
            [from] => Ok(vec![(Arc::clone(from), to)]),
            _ => Err(arguments.fault("field", "`as` goes with a single field")),
        },
        (Some(_), _) => Err(arguments.fault("field", "`as` goes with a single field")),
        (None, pairs) => {
            let pair = |pair: &Vec<Arc<str>>| match pair.as_slice() {
                [from, to] => Ok((Arc::clone(from), Arc::clone(to))),
                _ => Err(arguments.fault("field", "expected pairs of an old and a new name, or `as`")),
            };
            pairs.iter().map(pair).collect()
        }
    };
    Ok(RowFunction::Fields(FieldFunction::Rename(renames?)))
}

fn drop_fields(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    Ok(RowFunction::Fields(FieldFunction::Drop(arguments.texts("fields").to_vec())))
}

fn select(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let mut fields: Vec<Arc<str>> = Vec::new();
    for field in arguments.texts("fields") {
        if !fields.contains(field) {
            fields.push(Arc::clone(field));
        }
    }
    Ok(RowFunction::Fields(FieldFunction::Select(fields)))
}

fn default(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    Ok(RowFunction::Fields(FieldFunction::Default {
        value: arguments.text_or_empty("value"),
        fields: arguments.texts("field").to_vec(),
        replace_empty: arguments.is_true("replaceEmpty"),
    }))
}

impl FieldFunction {
    /// Runs over the rows in play.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn apply(&self, view: &mut View<'_>, _scratch: &mut Scratch) -> Result<(), StepError> {
        match self {
            FieldFunction::Rename(pairs) => {
                // All at once, so that names can be swapped: sources are read and removed, then targets written.
                let columns: Vec<Column> =
                    pairs.iter().map(|(from, _)| view.column(from)).collect::<Result<_, _>>()?;
                for (from, _) in pairs {
                    view.remove(from);
                }
                for ((_, to), column) in pairs.iter().zip(columns) {
                    // Renaming a missing field leaves the target as it is.
                    view.assign(to, column)?;
                }
            }
            FieldFunction::Drop(fields) => fields.iter().for_each(|field| view.remove(field)),
            FieldFunction::Select(fields) => view.keep_only(fields)?,
            FieldFunction::Default { value, fields, replace_empty } => {
                for field in fields {
                    let before = view.column(field)?;
                    let kept = kept_rows(&before, view.selection(), *replace_empty);
                    let filled = if kept == *view.selection() {
                        continue;
                    } else if kept.is_empty() {
                        Column::constant(value, view.rows())
                    } else {
                        let parts = [Column::constant(value, view.rows()), before];
                        Column::weave(&parts, view.rows(), |row| Some((kept.contains(row).into(), row)))
                    };
                    view.set(field, filled);
                }
            }
        }
        Ok(())
    }

    /// Notes what it reads and writes.
    pub fn touches(&self, touches: &mut Touches) {
        match self {
            FieldFunction::Rename(pairs) => {
                for (from, to) in pairs {
                    touches.read(from);
                    touches.read(to);
                    touches.write(from);
                    touches.write(to);
                }
            }
            FieldFunction::Drop(fields) => fields.iter().for_each(|field| touches.write(field)),
            FieldFunction::Select(fields) => {
                fields.iter().for_each(|field| touches.read(field));
                touches.writes_any = true;
            }
            FieldFunction::Default { fields, .. } => {
                for field in fields {
                    touches.read(field);
                    touches.write(field);
                }
            }
        }
    }

    /// The field a call inside an expression yields.
    #[must_use]
    pub fn output(&self) -> Option<Arc<str>> {
        match self {
            FieldFunction::Rename(pairs) => pairs.last().map(|(_, to)| Arc::clone(to)),
            FieldFunction::Default { fields, .. } => fields.first().cloned(),
            FieldFunction::Drop(_) | FieldFunction::Select(_) => None,
        }
    }
}

fn kept_rows(column: &Column, within: &Selection, replace_empty: bool) -> Selection {
    if replace_empty {
        column.filter(within, |value| !matches!(value, ValueRef::Text("")))
    } else {
        column.present(within)
    }
}
