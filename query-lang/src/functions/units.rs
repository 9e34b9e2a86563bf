//! `unit:convert`: `5 MB` is 5000000, `514 ms` is 0.514, and a plain number in `to=G` is a billionth.
//!
//! A unit is a prefix, a base and, of rates, `/` and a time. Factors are fractions of integers, so that what can be
//! exact is.

use crate::error::Diagnostic;
use crate::functions::mapping::{Map, Mapping};
use crate::functions::{Arguments, Build, Kind, Parameter, RowFunction, Signature};
use crate::record::ColumnBuilder;
use crate::value::{Number, ValueRef};

/// The table of this family.
pub const SIGNATURES: &[Signature] = &[Signature {
    name: "unit:convert",
    aliases: &[],
    parameters: &[
        Parameter::required("field", Kind::Text),
        Parameter::optional("from", Kind::Text),
        Parameter::optional("to", Kind::Text),
        Parameter::optional("unit", Kind::Text),
        Parameter::with_default("binary", Kind::Bool, "false"),
        Parameter::with_default("keepUnit", Kind::Bool, "false"),
        Parameter::optional("as", Kind::Text),
    ],
    build: Build::Row(build),
    doc: "A quantity in another unit, or in its base unit.",
}];

/// Prefixes of large quantities in front of any unit, with their power of 1000 or 1024.
const LARGE: &[(char, u32)] =
    &[('k', 1), ('K', 1), ('M', 2), ('G', 3), ('T', 4), ('P', 5), ('E', 6), ('Z', 7), ('Y', 8)];
/// Prefixes of small quantities, with their power of a thousandth.
const SMALL: &[(char, u32)] = &[('m', 1), ('u', 2), ('µ', 2), ('μ', 2), ('n', 3)];
/// Units that small prefixes go with: many other words begin with these letters.
const SMALL_UNITS: &[&str] = &["", "s", "sec", "g", "m", "l", "A", "V", "W", "J", "Hz", "B", "b", "bit"];
/// Times, in seconds.
const TIMES: &[(&[&str], i64)] = &[
    (&["s", "sec", "secs", "second", "seconds"], 1),
    (&["min", "mins", "minute", "minutes"], 60),
    (&["h", "hr", "hrs", "hour", "hours"], 3_600),
    (&["d", "day", "days"], 86_400),
    (&["w", "week", "weeks"], 604_800),
];

/// A unit in terms of its base: `km/h` is 1000 / 3600 of `m/s`.
#[derive(Clone, Debug, PartialEq)]
pub struct Unit {
    base: String,
    per_second: bool,
    /// So many over so many of the base.
    over: Number,
    under: Number,
}

/// A compiled `unit:convert`.
#[derive(Debug)]
pub struct UnitConversion {
    from: Option<Unit>,
    to: Option<(Unit, String)>,
    base: Option<String>,
    binary: bool,
    keep_unit: bool,
}

fn build(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let base = arguments.text("unit").map(|base| base.to_string());
    let binary = arguments.is_true("binary");
    let unit = |name: &str| {
        let Some(text) = arguments.text(name) else { return Ok(None) };
        let message = || match &base {
            Some(base) => {
                format!("`{text}` does not end in the unit `{base}` behind a prefix like `k` or `M`")
            }
            None => format!("`{text}` is no unit like `MB`, `ms`, `KiB` or `km/h`"),
        };
        // With the base known, the prefix alone will do.
        let whole = format!("{text}{}", base.as_deref().unwrap_or_default());
        let unit = Unit::parse(&text, base.as_deref(), binary)
            .or_else(|| Unit::parse(&whole, base.as_deref(), binary))
            .ok_or_else(|| arguments.fault(name, message()))?;
        Ok(Some((unit, text.trim().to_owned())))
    };
    let (from, to) = (unit("from")?, unit("to")?);
    if let (Some((from, _)), Some((to, _))) = (&from, &to)
        && from.factor_to(to).is_none()
    {
        return Err(arguments.fault("to", "`from` and `to` are units of different things"));
    }
    let from = from.map(|(unit, _)| unit);
    let keep_unit = arguments.is_true("keepUnit");
    let conversion = UnitConversion { from, to, base, binary, keep_unit };
    Ok(RowFunction::Mapping(Mapping::new(arguments, Map::Unit(Box::new(conversion)))))
}

impl Unit {
    /// Reads a unit; with `base`, it is that behind a prefix.
    #[must_use]
    pub fn parse(text: &str, base: Option<&str>, binary: bool) -> Option<Unit> {
        let text = text.trim();
        if let Some(base) = base {
            let (over, under) = prefix(text.strip_suffix(base)?.trim(), binary)?;
            return Some(Unit { base: base.to_owned(), per_second: false, over, under });
        }
        if text.starts_with(|first: char| first.is_ascii_digit() || ",.;:+-".contains(first)) {
            return None;
        }
        let (what, seconds) = match text.rsplit_once('/') {
            Some((what, time)) => (what.trim(), Some(time_in_seconds(time.trim())?)),
            None => (text, None),
        };
        let mut unit = Unit::plain(what, binary)?;
        if let Some((over, under)) = seconds {
            unit.per_second = true;
            unit.over = unit.over.multiply(under)?;
            unit.under = unit.under.multiply(over)?;
        }
        Some(unit)
    }

    fn plain(text: &str, binary: bool) -> Option<Unit> {
        if let Some((over, under)) = time_in_seconds(text) {
            return Some(Unit { base: "s".to_owned(), per_second: false, over, under });
        }
        let mut letters = text.chars();
        let (first, second) = (letters.next(), letters.next());
        let is_large = first.is_some_and(|first| LARGE.iter().any(|(letter, _)| *letter == first));
        let length = match first {
            Some(first) if is_large => first.len_utf8() + usize::from(first != 'k' && second == Some('i')),
            Some(first) if is_small(text) => first.len_utf8(),
            _ => 0,
        };
        let (front, base) = text.split_at_checked(length)?;
        let (over, under) = prefix(front, binary)?;
        Some(Unit { base: base.trim().to_owned(), per_second: false, over, under })
    }

    /// What to multiply with and divide by to get from this unit to `other`; none when they are of different things.
    fn factor_to(&self, other: &Unit) -> Option<(Number, Number)> {
        let any = self.is_any() || other.is_any();
        let agree = self.base == other.base || self.base.is_empty() || other.base.is_empty();
        if !any && (!agree || self.per_second != other.per_second) {
            return None;
        }
        Some((self.over.multiply(other.under)?, self.under.multiply(other.over)?))
    }

    /// It says how many, not of what.
    fn is_any(&self) -> bool {
        self.base.is_empty() && !self.per_second
    }

    fn none() -> Unit {
        Unit { base: String::new(), per_second: false, over: Number::Int(1), under: Number::Int(1) }
    }
}

fn is_small(text: &str) -> bool {
    let mut letters = text.chars();
    let is_prefix = letters.next().is_some_and(|first| SMALL.iter().any(|(letter, _)| *letter == first));
    is_prefix && SMALL_UNITS.contains(&letters.as_str())
}

/// The factor of a prefix as a fraction: `k`, `Mi`, `m`, or nothing.
fn prefix(text: &str, binary: bool) -> Option<(Number, Number)> {
    let mut letters = text.chars();
    let Some(first) = letters.next() else { return Some((Number::Int(1), Number::Int(1))) };
    let power = |base: i128, power: u32| Number::from_decimal(base.saturating_pow(power), 0);
    let large = LARGE.iter().find(|(letter, _)| *letter == first);
    match (large, letters.as_str()) {
        (Some((_, times)), "") => Some((power(if binary { 1024 } else { 1000 }, *times), Number::Int(1))),
        (Some((_, times)), "i") => Some((power(1024, *times), Number::Int(1))),
        (None, "") => {
            let (_, times) = SMALL.iter().find(|(letter, _)| *letter == first)?;
            Some((Number::Int(1), power(1000, *times)))
        }
        _ => None,
    }
}

/// The length of a time as a fraction of seconds: `min`, `ms`.
fn time_in_seconds(text: &str) -> Option<(Number, Number)> {
    let named = |text: &str| TIMES.iter().find(|(names, _)| names.contains(&text)).map(|(_, length)| *length);
    if let Some(length) = named(text) {
        return Some((Number::Int(length), Number::Int(1)));
    }
    let first = text.chars().next()?;
    let rest = text.get(first.len_utf8()..)?;
    SMALL.iter().any(|(letter, _)| *letter == first).then_some(())?;
    (named(rest)? == 1).then_some(())?;
    prefix(text.get(..first.len_utf8())?, false)
}

/// The number at the front of `text`, and what follows it.
fn split(text: &str) -> Option<(Number, &str)> {
    let digits = |from: usize| {
        let of = text.bytes().skip(from).take_while(u8::is_ascii_digit).count();
        from + of
    };
    let byte = |at: usize| text.as_bytes().get(at).copied();
    let mut end = digits(usize::from(matches!(byte(0), Some(b'+' | b'-'))));
    if byte(end) == Some(b'.') {
        end = digits(end + 1);
    }
    // `5e3`, but not `5 EB`.
    if matches!(byte(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(byte(end + 1), Some(b'+' | b'-')));
        let exponent = digits(end + 1 + sign);
        if exponent > end + 1 + sign {
            end = exponent;
        }
    }
    let (number, rest) = text.split_at_checked(end)?;
    Some((Number::parse(number)?, rest.trim()))
}

impl UnitConversion {
    /// Writes the answer for `value`; nothing where there is none.
    pub(crate) fn write(&self, value: ValueRef<'_>, scratch: &mut String, out: &mut ColumnBuilder) {
        let Some((number, unit)) = self.apply(value.text_in(scratch)) else { return };
        match unit {
            Some(unit) if !unit.is_empty() => {
                out.text(&format!("{} {unit}", number.to_value().borrow().text()));
            }
            _ => out.push(Some(number.to_value().borrow())),
        }
    }

    /// The quantity `text` in the unit asked for, with that unit where it is to be kept.
    fn apply(&self, text: &str) -> Option<(Number, Option<String>)> {
        let (number, unit) = split(text.trim())?;
        let own = match unit {
            "" if self.base.is_some() && self.from.is_none() => return None,
            "" => self.from.clone().unwrap_or_else(Unit::none),
            unit => Unit::parse(unit, self.base.as_deref(), self.binary)?,
        };
        let (over, under) = match &self.to {
            Some((to, _)) => own.factor_to(to)?,
            None => (own.over, own.under),
        };
        let converted = number.multiply(over)?.divide(under)?;
        let unit = || match &self.to {
            Some((_, text)) => text.clone(),
            None => format!("{}{}", own.base, if own.per_second { "/s" } else { "" }),
        };
        Some((converted, self.keep_unit.then(unit)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(text: &str, from: &str, to: &str, unit: &str, flags: &str) -> Option<String> {
        let binary = flags.contains('b');
        let base = (!unit.is_empty()).then(|| unit.to_owned());
        let read =
            |text: &str| (!text.is_empty()).then(|| Unit::parse(text, base.as_deref(), binary).unwrap());
        let (from, to) = (read(from), read(to).map(|unit| (unit, to.to_owned())));
        let conversion = UnitConversion { from, to, base, binary, keep_unit: flags.contains('k') };
        let mut out = ColumnBuilder::default();
        conversion.write(ValueRef::Text(text), &mut String::new(), &mut out);
        out.finish().get(0).map(|value| value.text().into_owned())
    }

    #[test]
    fn quantities_are_converted() {
        for (text, from, to, unit, flags, told) in [
            ("5 MB", "", "", "", "", Some("5000000")),
            ("5MiB", "", "", "", "", Some("5242880")),
            ("5 MB", "", "", "", "b", Some("5242880")),
            ("514 ms", "", "", "", "", Some("0.514")),
            ("514ms", "", "", "", "k", Some("0.514 s")),
            ("2048", "", "k", "", "", Some("2.048")),
            ("2048", "", "K", "", "b", Some("2")),
            ("1500000000", "", "G", "", "", Some("1.5")),
            ("3500", "ms", "s", "", "", Some("3.5")),
            ("90", "min", "h", "", "", Some("1.5")),
            ("90", "min", "h", "", "k", Some("1.5 h")),
            ("4", "KiB", "", "", "", Some("4096")),
            ("30 op/min", "", "", "", "", Some("0.5")),
            ("30 kop/min", "", "", "", "k", Some("500 op/s")),
            ("36 kop/h", "", "op/s", "", "", Some("10")),
            ("7 messages", "", "", "", "", Some("7")),
            ("7 Messages", "", "", "", "", Some("7000000")),
            ("7 Messages", "", "", "Messages", "", Some("7")),
            ("7 kMessages", "", "", "Messages", "", Some("7000")),
            ("7 hits", "", "", "Messages", "", None),
            ("7", "", "", "Messages", "", None),
            ("3 µs", "", "ns", "", "", Some("3000")),
            ("3 kr", "", "", "", "k", Some("3000 r")),
            ("-1.5e3 k", "", "", "", "", Some("-1500000")),
            ("1 YB", "", "", "", "", Some("1000000000000000000000000")),
            ("5 MB", "", "s", "", "", None),
            ("5 MB/s", "", "MB", "", "", None),
            ("5 MB", "", "Mb", "", "", None),
            ("5 MB/parsec", "", "", "", "", None),
            ("MB", "", "", "", "", None),
            ("", "", "", "", "", None),
            ("1,5 MB", "", "", "", "", None),
        ] {
            let found = converted(text, from, to, unit, flags);
            assert_eq!(found.as_deref(), told, "{text} {from} {to} {unit} {flags}");
        }
    }
}
