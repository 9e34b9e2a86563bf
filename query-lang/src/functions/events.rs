//! `copyEvent`, `eventSize`, `eventFieldCount` and `eventInternals`: functions of whole rows.

use std::sync::Arc;

use crate::error::Diagnostic;
use crate::functions::{Arguments, Build, Kind, Parameter, RowFunction, Scratch, Signature, Touches};
use crate::machine::{StepError, View};
use crate::record::{Column, ColumnBuilder};

/// The table of this family.
pub const SIGNATURES: &[Signature] = &[
    Signature {
        name: "copyEvent",
        aliases: &[],
        parameters: &[Parameter::required("type", Kind::Text)],
        build: Build::Row(build),
        doc: "A copy of each row behind it, with another `#type`.",
    },
    Signature {
        name: "eventSize",
        aliases: &[],
        parameters: &[Parameter::with_default("as", Kind::Text, "_eventSize")],
        build: Build::Row(build),
        doc: "The bytes of an event's text; 0 for a row that is none.",
    },
    Signature {
        name: "eventFieldCount",
        aliases: &[],
        parameters: &[Parameter::with_default("as", Kind::Text, "_eventFieldCount")],
        build: Build::Row(build),
        doc: "How many fields a row has, tags not counted.",
    },
    Signature {
        name: "eventInternals",
        aliases: &[],
        parameters: &[Parameter::with_default("prefix", Kind::Text, "@")],
        build: Build::Row(build),
        doc: "Where an event is kept: `datasourceId`, its tags.",
    },
];

/// A compiled function of this family.
#[derive(Debug)]
pub enum EventFunction {
    /// A copy with this type.
    Copy(Arc<str>),
    /// Bytes.
    Size(Arc<str>),
    /// Fields.
    FieldCount(Arc<str>),
    /// Tags, as one text.
    Source(Arc<str>),
}

fn build(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let output = arguments.text_or_empty("as");
    Ok(RowFunction::Event(match arguments.signature().name {
        "copyEvent" => EventFunction::Copy(arguments.text_or_empty("type")),
        "eventSize" => EventFunction::Size(output),
        "eventFieldCount" => EventFunction::FieldCount(output),
        _ => EventFunction::Source(format!("{}datasourceId", arguments.text_or_empty("prefix")).into()),
    }))
}

impl EventFunction {
    /// Runs over the rows in play.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn apply(&self, view: &mut View<'_>, scratch: &mut Scratch) -> Result<(), StepError> {
        match self {
            EventFunction::Copy(kind) => return copy(view, kind),
            EventFunction::Size(output) => {
                let raw = view.column("@rawstring")?;
                let mut out = ColumnBuilder::with_capacity(view.rows());
                for row in view.selection().iter() {
                    let bytes = raw.get(row).map_or(0, |value| value.text_in(&mut scratch.text).len());
                    out.pad(row);
                    out.int(i64::try_from(bytes).unwrap_or(i64::MAX));
                }
                out.pad(view.rows());
                view.assign(output, out.finish())?;
            }
            EventFunction::FieldCount(output) => {
                let mut counts = vec![0_i64; view.rows()];
                for name in view.names().iter().filter(|name| !name.starts_with('#')) {
                    for row in view.column(name)?.present(view.selection()).iter() {
                        counts.get_mut(row).into_iter().for_each(|count| *count += 1);
                    }
                }
                view.assign(output, Column::Ints { values: counts.into(), present: None })?;
            }
            EventFunction::Source(output) => {
                let mut names: Vec<Arc<str>> =
                    view.names().into_iter().filter(|name| name.starts_with('#')).collect();
                names.sort_unstable();
                let tags: Result<Vec<Column>, _> = names.iter().map(|name| view.column(name)).collect();
                let tags = tags?;
                let mut out = ColumnBuilder::with_capacity(view.rows());
                for row in view.selection().iter() {
                    let has = names.iter().zip(&tags).filter_map(|(name, tag)| Some((name, tag.get(row)?)));
                    let parts: Vec<String> =
                        has.map(|(name, value)| format!("{name}={}", value.text())).collect();
                    out.pad(row);
                    out.text(&parts.join(","));
                }
                out.pad(view.rows());
                view.assign(output, out.finish())?;
            }
        }
        Ok(())
    }

    /// Notes what it reads and writes.
    pub fn touches(&self, touches: &mut Touches) {
        let (reads, writes): (&[&str], &[&str]) = match self {
            EventFunction::Copy(_) => (&["#type", "@id"], &["#type", "@id"]),
            EventFunction::Size(output) => (&["@rawstring", output], &[output]),
            EventFunction::FieldCount(output) | EventFunction::Source(output) => {
                touches.reads_all = true;
                (&[output], &[output])
            }
        };
        reads.iter().for_each(|field| touches.read(&Arc::from(*field)));
        writes.iter().for_each(|field| touches.write(&Arc::from(*field)));
    }

    /// The field a call inside an expression yields.
    #[must_use]
    pub fn output(&self) -> Option<Arc<str>> {
        match self {
            EventFunction::Copy(_) => None,
            EventFunction::Size(output)
            | EventFunction::FieldCount(output)
            | EventFunction::Source(output) => Some(Arc::clone(output)),
        }
    }
}

/// Each row twice, the second of type `kind` and with an id of its own.
fn copy(view: &mut View<'_>, kind: &str) -> Result<(), StepError> {
    let (types, ids) = (view.column("#type")?, view.column("@id")?);
    let rows = view.selection().iter().filter_map(|row| u32::try_from(row).ok());
    let picks: Vec<u32> = rows.flat_map(|row| [row, row]).collect();
    view.multiply(&picks)?;
    let (mut new_types, mut new_ids) = (ColumnBuilder::default(), ColumnBuilder::default());
    for (at, pick) in picks.iter().enumerate() {
        let (before, id) = (types.get(*pick as usize), ids.get(*pick as usize));
        if at % 2 == 0 {
            new_types.push(before);
            new_ids.push(id);
            continue;
        }
        new_types.text(kind);
        match id {
            Some(id) => new_ids.text(&format!("{}_copy", id.text())),
            None => new_ids.missing(),
        }
    }
    view.set(&Arc::from("#type"), new_types.finish());
    view.set(&Arc::from("@id"), new_ids.finish());
    Ok(())
}
