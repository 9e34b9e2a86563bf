//! `bitfield:extractFlags`, `bitfield:extractFlagsAsArray` and `bitfield:extractFlagsAsString`: the bits of an integer, by name.

use std::sync::Arc;

use crate::error::Diagnostic;
use crate::functions::elements::write_elements;
use crate::functions::{Arguments, Build, Kind, Parameter, RowFunction, Scratch, Signature, Touches};
use crate::machine::{StepError, View};
use crate::record::ColumnBuilder;
use crate::value::{Number, ValueRef};

const FIELD: Parameter = Parameter::required("field", Kind::Text);
const FLAG_NAMES: Parameter = Parameter::required("flagNames", Kind::Pairs);

const fn of_bits(name: &'static str, parameters: &'static [Parameter], doc: &'static str) -> Signature {
    Signature { name, aliases: &[], parameters, build: Build::Row(build), doc }
}

/// The table of this family.
pub const SIGNATURES: &[Signature] = &[
    of_bits(
        "bitfield:extractFlags",
        &[
            FIELD,
            Parameter::required("output", Kind::Pairs),
            Parameter::with_default("onlyTrue", Kind::Bool, "false"),
        ],
        "Bits of an integer as fields that are true or false.",
    ),
    of_bits(
        "bitfield:extractFlagsAsArray",
        &[FIELD, FLAG_NAMES, Parameter::with_default("asArray", Kind::Text, "_flags[]")],
        "The names of the bits that are set in an integer, as an array.",
    ),
    of_bits(
        "bitfield:extractFlagsAsString",
        &[
            FIELD,
            FLAG_NAMES,
            Parameter::with_default("as", Kind::Text, "_flags"),
            Parameter::with_default("separator", Kind::Text, " "),
        ],
        "The names of the bits that are set in an integer, as one text.",
    ),
];

/// A compiled call.
#[derive(Debug)]
pub struct ExtractFlags {
    field: Arc<str>,
    /// Bits and what they are called, lowest first where all go to one place.
    flags: Vec<(u32, Arc<str>)>,
    told: Told,
}

/// What is told of the bits.
#[derive(Debug)]
enum Told {
    /// Of each, in a field of its own, whether it is set.
    Each { only_true: bool },
    /// The names of those that are set, as elements of this array.
    Array(Arc<str>),
    /// The names of those that are set, in one text.
    Text { output: Arc<str>, separator: Arc<str> },
}

fn build(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let (told, names) = match arguments.signature().name {
        "bitfield:extractFlagsAsArray" => (Told::Array(arguments.text_or_empty("asArray")), "flagNames"),
        "bitfield:extractFlagsAsString" => {
            let output = arguments.text_or_empty("as");
            (Told::Text { output, separator: arguments.text_or_empty("separator") }, "flagNames")
        }
        _ => (Told::Each { only_true: arguments.is_true("onlyTrue") }, "output"),
    };
    let is_each = matches!(told, Told::Each { .. });
    let mut flags: Vec<(u32, Arc<str>)> = Vec::new();
    for pair in arguments.pairs(names) {
        let [bit, name] = pair.as_slice() else {
            let message = "expected pairs of a bit and a name: `[[0, first], [1, second]]`";
            return Err(arguments.fault(names, message));
        };
        let Some(bit) = bit.trim().parse().ok().filter(|bit| *bit < u64::BITS) else {
            return Err(arguments.fault(names, format!("expected a bit from 0 to 63, not `{bit}`")));
        };
        if flags.iter().any(|(_, known)| known == name) {
            return Err(arguments.fault(names, format!("two bits are called `{name}`")));
        }
        if !is_each && flags.iter().any(|(known, _)| *known == bit) {
            return Err(arguments.fault(names, format!("bit {bit} has two names")));
        }
        flags.push((bit, Arc::clone(name)));
    }
    if !is_each {
        flags.sort();
    }
    Ok(RowFunction::Flags(ExtractFlags { field: arguments.text_or_empty("field"), flags, told }))
}

impl ExtractFlags {
    /// Runs over the rows in play.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn apply(&self, view: &mut View<'_>, _scratch: &mut Scratch) -> Result<(), StepError> {
        match &self.told {
            Told::Each { only_true } => self.each(view, *only_true),
            Told::Array(array) => self.array(view, array),
            Told::Text { output, separator } => Ok(view.map(&self.field, output, |value, out| {
                if let Some(bits) = bits(value) {
                    out.text(&self.set(bits).collect::<Vec<&str>>().join(separator));
                }
            })?),
        }
    }

    fn each(&self, view: &mut View<'_>, only_true: bool) -> Result<(), StepError> {
        let column = view.column(&self.field)?;
        let (columns, _) = column.map_many(view.selection(), self.flags.len(), |value, outputs| {
            let Some(bits) = bits(value) else { return false };
            for ((bit, _), out) in self.flags.iter().zip(outputs) {
                match bits >> bit & 1 {
                    1 => out.text("true"),
                    _ if !only_true => out.text("false"),
                    _ => {}
                }
            }
            true
        });
        for ((_, name), column) in self.flags.iter().zip(columns) {
            view.assign(name, column)?;
        }
        Ok(())
    }

    fn array(&self, view: &mut View<'_>, array: &str) -> Result<(), StepError> {
        let column = view.column(&self.field)?;
        let mut outputs: Vec<ColumnBuilder> = Vec::new();
        let mut replaced = view.selection().clone();
        replaced.retain(|row| {
            let Some(bits) = column.get(row).and_then(bits) else { return false };
            for (at, name) in self.set(bits).enumerate() {
                outputs.resize_with(outputs.len().max(at + 1), ColumnBuilder::default);
                if let Some(out) = outputs.get_mut(at) {
                    out.pad(row);
                    out.text(name);
                }
            }
            true
        });
        Ok(write_elements(view, array, outputs, Some(replaced))?)
    }

    /// The names of the bits that are set.
    fn set(&self, bits: u64) -> impl Iterator<Item = &str> {
        self.flags.iter().filter(move |(bit, _)| bits >> bit & 1 == 1).map(|(_, name)| &**name)
    }

    /// Notes what it reads and writes.
    pub fn touches(&self, touches: &mut Touches) {
        touches.read(&self.field);
        match &self.told {
            Told::Each { .. } => {
                for (_, name) in &self.flags {
                    touches.read(name);
                    touches.write(name);
                }
            }
            Told::Array(_) => {
                // How many elements were there shows only in the rows.
                touches.reads_all = true;
                touches.writes_any = true;
            }
            Told::Text { output, .. } => {
                touches.read(output);
                touches.write(output);
            }
        }
    }

    /// The field a call inside an expression yields.
    #[must_use]
    pub fn output(&self) -> Option<Arc<str>> {
        match &self.told {
            Told::Text { output, .. } => Some(Arc::clone(output)),
            Told::Each { .. } | Told::Array(_) => None,
        }
    }
}

/// The bits of an integer from -2^63 to 2^64 - 1.
fn bits(value: ValueRef<'_>) -> Option<u64> {
    let (digits, scale) = value.number().and_then(Number::decimal)?;
    let signed = || i64::try_from(digits).ok().map(i64::cast_unsigned);
    (scale == 0).then_some(())?;
    u64::try_from(digits).ok().or_else(signed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_of_integers() {
        for (text, told) in [
            ("5", Some(5)),
            ("5.0", Some(5)),
            ("-1", Some(u64::MAX)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("5.5", None),
            ("x", None),
        ] {
            assert_eq!(bits(ValueRef::Text(text)), told, "{text}");
        }
    }
}
