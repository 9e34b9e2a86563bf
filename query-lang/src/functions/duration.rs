//! `formatDuration`: `6h30m52s` for 23452000 milliseconds.

use crate::error::Diagnostic;
use crate::functions::mapping::{Map, Mapping};
use crate::functions::{Arguments, Build, Kind, Parameter, RowFunction, Signature};
use crate::record::ColumnBuilder;
use crate::value::{Number, ValueRef};

/// Units with their length in nanoseconds, longest first.
const UNITS: &[(&str, i128)] = &[
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// The table of this family.
pub const SIGNATURES: &[Signature] = &[Signature {
    name: "formatDuration",
    aliases: &[],
    parameters: &[
        Parameter::required("field", Kind::Text),
        Parameter::with_default("from", Kind::Choice(&["ns", "us", "ms", "s", "m", "h", "d"]), "ms"),
        Parameter::with_default("precision", Kind::Integer { least: 0, most: 7 }, "0"),
        Parameter::optional("as", Kind::Text),
    ],
    build: Build::Row(build),
    doc: "A length of time in days, hours, minutes and seconds.",
}];

/// A compiled `formatDuration`.
#[derive(Clone, Copy, Debug)]
pub struct DurationFormat {
    /// Nanoseconds of the unit the field counts.
    unit: i128,
    /// Units written at most; 0: all.
    precision: usize,
}

fn build(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let from = arguments.text_or_empty("from");
    let unit = UNITS.iter().find(|(name, _)| **name == *from).map_or(1_000_000, |(_, nanos)| *nanos);
    let precision = usize::try_from(arguments.integer("precision").unwrap_or(0)).unwrap_or(0);
    Ok(RowFunction::Mapping(Mapping::new(arguments, Map::Duration(DurationFormat { unit, precision }))))
}

impl DurationFormat {
    /// Writes the answer for an integer; nothing for anything else.
    pub(crate) fn write(self, value: ValueRef<'_>, out: &mut ColumnBuilder) {
        if let Some(Number::Int(count)) = value.number() {
            out.text(&self.apply(count));
        }
    }

    /// The text of `count` units.
    #[must_use]
    pub fn apply(self, count: i64) -> String {
        let nanos = i128::from(count) * self.unit;
        let mut left = nanos.abs();
        let mut text = String::from(if nanos < 0 { "-" } else { "" });
        let mut written = 0;
        for (name, unit) in UNITS.iter().filter(|(_, unit)| *unit >= self.unit.min(1_000_000_000)) {
            let whole = left / unit;
            if whole > 0 && (self.precision == 0 || written < self.precision) {
                text.push_str(&format!("{whole}{name}"));
                left %= unit;
                written += 1;
            } else if written > 0 && self.precision > 0 {
                // A unit of zero takes its place among those written.
                written += 1;
            }
        }
        if written == 0 {
            let zero = UNITS.iter().find(|(_, unit)| *unit == self.unit).map_or("ms", |(name, _)| *name);
            return format!("0{zero}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (count, unit, precision, told) in [
            (23_452_000, 1_000_000, 0, "6h30m52s"),
            (0, 1_000_000, 0, "0ms"),
            (1_500, 1_000_000, 0, "1s500ms"),
            (-61, 1_000_000_000, 0, "-1m1s"),
            (90_061_001, 1_000_000, 2, "1d1h"),
            (86_460_000, 1_000_000, 2, "1d"),
            (1_000_001, 1, 0, "1ms1ns"),
            (36, 3_600_000_000_000, 0, "1d12h"),
        ] {
            assert_eq!(DurationFormat { unit, precision }.apply(count), told);
        }
        let mut out = ColumnBuilder::default();
        DurationFormat { unit: 1, precision: 0 }.write(ValueRef::Text("1.5"), &mut out);
        DurationFormat { unit: 1, precision: 0 }.write(ValueRef::Text("x"), &mut out);
        assert!(out.is_empty(), "integers only");
    }
}
