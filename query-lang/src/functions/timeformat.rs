//! `formatTime`: an instant as text, by letters after `%`.
//!
//! | letters | |
//! |---|---|
//! | `Y y C` | year, its last two digits, its century |
//! | `m B b h` | month: number, name, short name (twice) |
//! | `d e j` | day of the month with and without a zero, of the year |
//! | `A a` | day of the week: name, short name |
//! | `H k I l p` | hour of 24, of 12, each with and without a zero; am or pm |
//! | `M S L N` | minute, second, millisecond, nanosecond of the second |
//! | `z Z` | offset `+0100`; zone name |
//! | `s Q` | seconds, milliseconds since the epoch |
//! | `F T R D r c` | `Y-m-d`, `H:M:S`, `H:M`, `m/d/y`, `I:M:S AM`, `a b d H:M:S Z Y` |
//! | `n t %` | line break, tab, percent sign |
//!
//! Names are English whatever the locale.

use std::fmt::Write as _;

use jiff::civil::DateTime;

use crate::error::Diagnostic;
use crate::functions::mapping::{Map, Mapping};
use crate::functions::{Arguments, Build, Kind, Parameter, RowFunction, Signature};
use crate::machine::Context;
use crate::record::ColumnBuilder;
use crate::value::{Number, ValueRef};
use crate::windows::Zone;

/// Numbers up to this are seconds when `unit=auto`, greater ones milliseconds.
pub(crate) const SECONDS_UP_TO: i64 = 100_000_000_000;

/// Names of months.
pub const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// Names of days, Monday first.
pub const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// The table of this family.
pub const SIGNATURES: &[Signature] = &[Signature {
    name: "formatTime",
    aliases: &[],
    parameters: &[
        Parameter::required("format", Kind::Text),
        Parameter::with_default("field", Kind::Text, "@timestamp"),
        Parameter::with_default("as", Kind::Text, "_formatTime"),
        Parameter::with_default("unit", Kind::Choice(&["auto", "seconds", "milliseconds"]), "auto"),
        Parameter::optional("timezone", Kind::Text),
        Parameter::optional("locale", Kind::Text),
    ],
    build: Build::Row(build),
    doc: "An instant as text: `formatTime(\"%F %T\", as=when)`.",
}];

/// A compiled `formatTime`.
#[derive(Debug)]
pub struct FormatTime {
    format: TimeFormat,
    unit: Unit,
    /// None: the query's zone.
    zone: Option<Zone>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Auto,
    Seconds,
    Milliseconds,
}

fn build(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let format = TimeFormat::parse(&arguments.text_or_empty("format"))
        .map_err(|message| arguments.fault("format", message))?;
    let unit = match arguments.text_or_empty("unit").as_ref() {
        "seconds" => Unit::Seconds,
        "milliseconds" => Unit::Milliseconds,
        _ => Unit::Auto,
    };
    let zone = zone_argument(arguments)?;
    Ok(RowFunction::Mapping(Mapping::new(arguments, Map::Time(FormatTime { format, unit, zone }))))
}

/// The zone of parameter `timezone`.
///
/// # Errors
/// When there is no such zone.
pub(crate) fn zone_argument(arguments: &Arguments) -> Result<Option<Zone>, Diagnostic> {
    let Some(name) = arguments.text("timezone") else { return Ok(None) };
    match Zone::parse(&name) {
        Some(zone) => Ok(Some(zone)),
        None => {
            let hint = "zones are like `Europe/Berlin` or `+02:00`".to_owned();
            let fault = arguments.fault("timezone", format!("unknown time zone `{name}`"));
            Err(Diagnostic { hint: Some(hint), ..fault })
        }
    }
}

impl FormatTime {
    /// Writes the answer for an integer; nothing for anything else.
    pub(crate) fn write(&self, value: ValueRef<'_>, context: &Context, out: &mut ColumnBuilder) {
        let Some(Number::Int(count)) = value.number() else { return };
        let seconds = match self.unit {
            Unit::Seconds => true,
            Unit::Milliseconds => false,
            Unit::Auto => count.abs() <= SECONDS_UP_TO,
        };
        let millis = if seconds { count.checked_mul(1000) } else { Some(count) };
        let query_zone;
        let zone = match &self.zone {
            Some(zone) => zone,
            None => {
                query_zone = Zone::parse(&context.timezone).unwrap_or(Zone::UTC);
                &query_zone
            }
        };
        if let Some(text) = millis.and_then(|millis| self.format.apply(millis, zone)) {
            out.text(&text);
        }
    }
}

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeFormat {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Letter(char),
}

impl TimeFormat {
    /// Reads a pattern.
    ///
    /// # Errors
    /// For letters it does not know, with a message.
    pub fn parse(text: &str) -> Result<TimeFormat, String> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text.chars();
        while let Some(next) = rest.next() {
            if next != '%' {
                literal.push(next);
                continue;
            }
            match rest.next() {
                Some('%') => literal.push('%'),
                Some('n') => literal.push('\n'),
                Some('t') => literal.push('\t'),
                Some(letter) if "YyCmBbhdejAaHkIlpMSLNzZsQFTRDrc".contains(letter) => {
                    if !literal.is_empty() {
                        pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                    }
                    pieces.push(Piece::Letter(letter));
                }
                Some(letter) => return Err(format!("unknown letter `%{letter}` in a time format")),
                None => return Err("a letter is expected after `%` in a time format".to_owned()),
            }
        }
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Ok(TimeFormat { pieces })
    }

    /// The text of the instant `millis` in `zone`; none outside the years -9999 to 9999.
    #[must_use]
    pub fn apply(&self, millis: i64, zone: &Zone) -> Option<String> {
        let civil = zone.civil(millis)?;
        let mut out = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => out.push_str(text),
                Piece::Letter(letter) => write_letter(*letter, civil, millis, zone, &mut out),
            }
        }
        Some(out)
    }
}

fn write_letter(letter: char, civil: DateTime, millis: i64, zone: &Zone, out: &mut String) {
    let twelve = (civil.hour() + 11) % 12 + 1;
    let month =
        usize::try_from(civil.month() - 1).ok().and_then(|at| MONTHS.get(at)).copied().unwrap_or_default();
    let weekday = usize::try_from(civil.weekday().to_monday_zero_offset()).ok().and_then(|at| DAYS.get(at));
    let weekday = weekday.copied().unwrap_or_default();
    let short = |name: &'static str| name.get(..3).unwrap_or(name);
    let nested = |letters: &str, out: &mut String| {
        for letter in letters.chars() {
            if letter.is_ascii_alphabetic() {
                write_letter(letter, civil, millis, zone, out);
            } else {
                out.push(letter);
            }
        }
    };
    // Writing to a String cannot fail.
    let _ = match letter {
        'Y' => write!(out, "{:04}", civil.year()),
        'y' => write!(out, "{:02}", civil.year().rem_euclid(100)),
        'C' => write!(out, "{:02}", civil.year().div_euclid(100)),
        'm' => write!(out, "{:02}", civil.month()),
        'B' => write!(out, "{month}"),
        'b' | 'h' => write!(out, "{}", short(month)),
        'd' => write!(out, "{:02}", civil.day()),
        'e' => write!(out, "{}", civil.day()),
        'j' => write!(out, "{:03}", civil.day_of_year()),
        'A' => write!(out, "{weekday}"),
        'a' => write!(out, "{}", short(weekday)),
        'H' => write!(out, "{:02}", civil.hour()),
        'k' => write!(out, "{}", civil.hour()),
        'I' => write!(out, "{twelve:02}"),
        'l' => write!(out, "{twelve}"),
        'p' => write!(out, "{}", if civil.hour() < 12 { "am" } else { "pm" }),
        'M' => write!(out, "{:02}", civil.minute()),
        'S' => write!(out, "{:02}", civil.second()),
        'L' => write!(out, "{:03}", civil.subsec_nanosecond() / 1_000_000),
        'N' => write!(out, "{:09}", civil.subsec_nanosecond()),
        'z' => write!(out, "{}", crate::windows::zone::offset_text(zone.offset(millis)).replace(':', "")),
        'Z' => write!(out, "{}", zone.abbreviation(millis)),
        's' => write!(out, "{}", millis.div_euclid(1000)),
        'Q' => write!(out, "{millis}"),
        'r' => {
            nested("I:M:S ", out);
            write!(out, "{}", if civil.hour() < 12 { "AM" } else { "PM" })
        }
        composite => {
            nested(
                match composite {
                    'F' => "Y-m-d",
                    'T' => "H:M:S",
                    'R' => "H:M",
                    'D' => "m/d/y",
                    _ => "a b d H:M:S Z Y",
                },
                out,
            );
            Ok(())
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: i64 = 1_709_251_445_067; // 2024-03-01T00:04:05.067Z, a Friday.

    #[test]
    fn every_letter() {
        for (format, zone, told) in [
            ("%F %T", "", "2024-03-01 00:04:05"),
            ("%Y-%m-%dT%H:%M:%S.%LZ", "", "2024-03-01T00:04:05.067Z"),
            ("%y %C %j %e", "", "24 20 061 1"),
            ("%B %b %h %A %a", "", "March Mar Mar Friday Fri"),
            ("%H|%k|%I|%l|%p", "", "00|0|12|12|am"),
            ("%I %l %p %r", "America/New_York", "07 7 pm 07:04:05 PM"),
            ("%N %s %Q", "", "067000000 1709251445 1709251445067"),
            ("%z %Z", "Europe/Copenhagen", "+0100 CET"),
            ("%z %Z", "-0730", "-0730 -07:30"),
            ("%R %D %c", "", "00:04 03/01/24 Fri Mar 01 00:04:05 UTC 2024"),
            ("100%%%n%tx", "", "100%\n\tx"),
            ("", "", ""),
        ] {
            let zone = Zone::parse(zone).unwrap();
            assert_eq!(
                TimeFormat::parse(format).unwrap().apply(AT, &zone).as_deref(),
                Some(told),
                "{format}"
            );
        }
        assert!(TimeFormat::parse("%q").is_err());
        assert!(TimeFormat::parse("%").is_err());
        assert_eq!(TimeFormat::parse("%F").unwrap().apply(i64::MAX, &Zone::UTC), None);
    }

    #[test]
    fn seconds_or_milliseconds_and_nothing_else() {
        let format = |unit| FormatTime { format: TimeFormat::parse("%F %T").unwrap(), unit, zone: None };
        for (unit, text, told) in [
            (Unit::Auto, "1709251445", Some("2024-03-01 00:04:05")),
            (Unit::Auto, "1709251445067", Some("2024-03-01 00:04:05")),
            (Unit::Seconds, "100000000001", Some("5138-11-16 09:46:41")),
            (Unit::Milliseconds, "1709251445", Some("1970-01-20 18:47:31")),
            (Unit::Auto, "1709251445.5", None),
            (Unit::Auto, "yesterday", None),
            (Unit::Auto, "", None),
        ] {
            let mut out = ColumnBuilder::default();
            format(unit).write(ValueRef::Text(text), &Context::default(), &mut out);
            assert_eq!(out.finish().get(0).map(|value| value.text().into_owned()).as_deref(), told, "{text}");
        }
    }
}
