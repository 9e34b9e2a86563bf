//! `parseTimestamp` and `findTimestamp`: text to an instant.
//!
//! `parseTimestamp` writes milliseconds to `as` (`@timestamp` unless said otherwise), the zone to `timezoneAs`,
//! and, for `@timestamp`, the nanoseconds below the millisecond to `@timestamp.nanos`. A row whose text does not
//! parse keeps its fields and gets `@error` and `@error_msg`, unless `addErrors=false`.

use std::sync::Arc;

use crate::error::Diagnostic;
use crate::functions::timeformat::zone_argument;
use crate::functions::timepattern::{Parsed, Pattern};
use crate::functions::{Arguments, Build, Kind, Parameter, RowFunction, Scratch, Signature, Touches};
use crate::machine::{StepError, View};
use crate::record::ColumnBuilder;
use crate::windows::Zone;

/// Characters in which `findTimestamp` looks.
pub const FIND_CHARACTERS: usize = 128;
const NANOS_PER_SECOND: i128 = 1_000_000_000;
const NANOS_PER_MILLI: i128 = 1_000_000;
const TIMESTAMP: &str = "@timestamp";
const NANOS: &str = "@timestamp.nanos";

/// The table of this family.
pub const SIGNATURES: &[Signature] = &[
    Signature {
        name: "parseTimestamp",
        aliases: &[],
        parameters: &[
            Parameter::with_default("format", Kind::Text, "iso8601"),
            Parameter::required("field", Kind::Text),
            Parameter::optional("timezone", Kind::Text),
            Parameter::with_default("as", Kind::Text, "@timestamp"),
            Parameter::with_default("timezoneAs", Kind::Text, "@timezone"),
            Parameter::with_default("addErrors", Kind::Bool, "true"),
            Parameter::with_default("caseSensitive", Kind::Bool, "true"),
        ],
        build: Build::Row(build),
        doc: "A text as an instant, by a pattern like `yyyy-MM-dd HH:mm:ss`.",
    },
    Signature {
        name: "findTimestamp",
        aliases: &[],
        parameters: &[
            Parameter::with_default("field", Kind::Text, "@rawstring"),
            Parameter::optional("timezone", Kind::Text),
            Parameter::with_default("as", Kind::Text, "@timestamp"),
            Parameter::with_default("timezoneAs", Kind::Text, "@timezone"),
            Parameter::with_default("addErrors", Kind::Bool, "true"),
        ],
        build: Build::Row(build),
        doc: "The first instant found in a text.",
    },
];

/// Formats `findTimestamp` knows, the more telling first.
const FOUND: &[&str] = &[
    "yyyy-MM-dd['T'][' ']HH:mm:ss[,SSS][.SSSSSSSSS][' '][XXX]",
    "dd/MMM/yyyy:HH:mm:ss[.SSS][' '][XX]",
    "yyyy/MM/dd HH:mm:ss[.SSS]",
    "EEE MMM [' ']d HH:mm:ss yyyy",
    "EEE',' d MMM yyyy HH:mm:ss[' '][z][XX]",
    "MMM [' ']d HH:mm:ss[.SSS]",
];

/// A compiled function of this family.
#[derive(Debug)]
pub struct ParseTimestamp {
    patterns: Vec<Pattern>,
    /// Look anywhere in the text, not at all of it.
    find: bool,
    field: Arc<str>,
    zone: Option<Zone>,
    output: Arc<str>,
    zone_output: Arc<str>,
    add_errors: bool,
}

fn build(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let find = arguments.signature().name == "findTimestamp";
    let sensitive = arguments.is_true("caseSensitive");
    let patterns = match find {
        true => FOUND.iter().map(|format| Pattern::parse(format, false)).collect::<Result<Vec<_>, _>>(),
        false => Pattern::parse(&arguments.text_or_empty("format"), sensitive).map(|pattern| vec![pattern]),
    };
    Ok(RowFunction::Timestamp(ParseTimestamp {
        patterns: patterns.map_err(|message| arguments.fault("format", message))?,
        find,
        field: arguments.text_or_empty("field"),
        zone: zone_argument(arguments)?,
        output: arguments.text_or_empty("as"),
        zone_output: arguments.text_or_empty("timezoneAs"),
        add_errors: arguments.is_true("addErrors"),
    }))
}

impl ParseTimestamp {
    /// Runs over the rows in play.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn apply(&self, view: &mut View<'_>, scratch: &mut Scratch) -> Result<(), StepError> {
        let now = scratch.context.now_millis;
        let default_zone = Zone::parse(&scratch.context.timezone).unwrap_or(Zone::UTC);
        let column = view.column(&self.field)?;
        let [mut millis, mut nanos, mut zones, mut errors, mut messages] =
            [(); 5].map(|()| ColumnBuilder::default());
        for row in view.selection().iter() {
            let found = match column.get(row) {
                Some(value) => {
                    let text = value.text_in(&mut scratch.text);
                    let found = self.instant(text, now, &default_zone);
                    found.ok_or_else(|| format!("Could not parse timestamp from value '{text}'"))
                }
                None => Err(format!("field {} is missing", self.field)),
            };
            match found {
                Ok(Instant { millis: at, nanos: below, zone }) => {
                    millis.pad(row);
                    millis.int(at);
                    nanos.pad(row);
                    nanos.int(below);
                    zones.pad(row);
                    zones.text(&zone);
                }
                Err(message) => {
                    errors.pad(row);
                    errors.text("true");
                    messages.pad(row);
                    messages.text(&message);
                }
            }
        }
        let mut write = |name: &str, mut column: ColumnBuilder| {
            column.pad(view.rows());
            view.assign(&Arc::from(name), column.finish())
        };
        write(&self.output, millis)?;
        write(&self.zone_output, zones)?;
        if *self.output == *TIMESTAMP {
            write(NANOS, nanos)?;
        }
        if self.add_errors {
            write("@error", errors)?;
            write("@error_msg", messages)?;
        }
        Ok(())
    }

    /// The instant `text` means.
    #[must_use]
    pub fn instant(&self, text: &str, now_millis: i64, default_zone: &Zone) -> Option<Instant> {
        let resolve = |parsed: Parsed| parsed.resolve(self.zone.as_ref(), default_zone, now_millis);
        if !self.find {
            return resolve(self.patterns.first()?.read(text)?);
        }
        if let Some(found) = epoch_at_front(text) {
            return Some(found);
        }
        let starts = text.char_indices().take(FIND_CHARACTERS);
        let mut before = ' ';
        for (at, next) in starts {
            // A timestamp does not begin inside a word or a number.
            if next.is_ascii_alphanumeric() && !before.is_ascii_alphanumeric() {
                let rest = text.get(at..)?;
                let found = self.patterns.iter().find_map(|pattern| resolve(pattern.read_prefix(rest)?.0));
                if found.is_some() {
                    return found;
                }
            }
            before = next;
        }
        None
    }

    /// Notes what it reads and writes.
    pub fn touches(&self, touches: &mut Touches) {
        touches.read(&self.field);
        // A date without a year is of the year of the query.
        touches.reads_clock = true;
        for field in [&*self.output, &*self.zone_output, NANOS, "@error", "@error_msg"] {
            touches.read(&Arc::from(field));
            touches.write(&Arc::from(field));
        }
    }

    /// The field a call inside an expression yields.
    #[must_use]
    pub fn output(&self) -> Arc<str> {
        Arc::clone(&self.output)
    }
}

/// The time since the epoch that a text begins with, in seconds, milliseconds, microseconds or nanoseconds by how many
/// digits it has. Anywhere else in a text a number is just one.
fn epoch_at_front(text: &str) -> Option<Instant> {
    let text = text.trim_start_matches([' ', '\t', '[']);
    let is_digit = |byte: &u8| byte.is_ascii_digit();
    let digits = text.bytes().take_while(is_digit).count();
    let (whole, rest) = text.split_at_checked(digits)?;
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at_checked(rest.bytes().take_while(is_digit).count())?,
        None => ("", rest),
    };
    let ends =
        rest.chars().next().is_none_or(|next| !next.is_alphanumeric() && !matches!(next, '.' | '-' | '/'));
    // Units in a second.
    let units: i128 = match digits {
        10 => 1,
        13 => 1_000,
        16 => 1_000_000,
        19 => 1_000_000_000,
        _ => return None,
    };
    if !ends || whole.starts_with('0') || fraction.len() > 9 {
        return None;
    }
    let unit = NANOS_PER_SECOND / units;
    let below = if fraction.is_empty() { 0 } else { fraction.parse::<i128>().ok()? };
    let nanos = whole.parse::<i128>().ok()? * unit + below * unit / 10_i128.pow(fraction.len() as u32);
    Some(Instant {
        millis: i64::try_from(nanos.div_euclid(NANOS_PER_MILLI)).ok()?,
        nanos: i64::try_from(nanos.rem_euclid(NANOS_PER_MILLI)).ok()?,
        zone: "Z".to_owned(),
    })
}

/// An instant read from text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instant {
    /// Milliseconds since the epoch.
    pub millis: i64,
    /// Nanoseconds below the millisecond.
    pub nanos: i64,
    /// The zone it was read in.
    pub zone: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(format: Option<&str>, zone: &str, text: &str) -> Option<String> {
        let patterns = match format {
            Some(format) => vec![Pattern::parse(format, true).unwrap()],
            None => FOUND.iter().map(|format| Pattern::parse(format, false).unwrap()).collect(),
        };
        let parser = ParseTimestamp {
            patterns,
            find: format.is_none(),
            field: "x".into(),
            zone: (!zone.is_empty()).then(|| Zone::parse(zone).unwrap()),
            output: "@timestamp".into(),
            zone_output: "@timezone".into(),
            add_errors: true,
        };
        let now = 1_709_251_445_067; // 2024-03-01T00:04:05.067Z
        let found = parser.instant(text, now, &Zone::UTC)?;
        let nanos = i128::from(found.millis) * 1_000_000 + i128::from(found.nanos);
        Some(format!("{} {}", jiff::Timestamp::from_nanosecond(nanos).unwrap(), found.zone))
    }

    #[test]
    fn patterns_read_text() {
        for (format, zone, text, told) in [
            ("iso8601", "", "2024-02-29T12:30:00.123456789Z", Some("2024-02-29T12:30:00.123456789Z Z")),
            ("iso8601", "", "2024-02-29T12:30:00+02:00", Some("2024-02-29T10:30:00Z +02:00")),
            ("iso8601", "", "2024-02-29 12:30:00", Some("2024-02-29T12:30:00Z Z")),
            (
                "iso8601",
                "Europe/Copenhagen",
                "2024-02-29T12:30:00",
                Some("2024-02-29T11:30:00Z Europe/Copenhagen"),
            ),
            ("yyyy-MM-dd HH:mm:ss", "", "2024-02-29 12:30:00", Some("2024-02-29T12:30:00Z Z")),
            ("yyyy-MM-dd HH:mm:ss", "", "2023-02-29 12:30:00", None),
            ("yyyy-MM-dd HH:mm:ss", "", "2024-02-29 12:30:00 x", None),
            ("yyyy-MM-dd HH:mm:ss[.SSS]", "", "2024-02-29 12:30:00.5", Some("2024-02-29T12:30:00.5Z Z")),
            ("dd/MMM/yyyy:HH:mm:ss Z", "", "29/Feb/2024:12:30:00 -0700", Some("2024-02-29T19:30:00Z -07:00")),
            ("MMM d HH:mm:ss", "", "Feb 29 12:30:00", Some("2024-02-29T12:30:00Z Z")),
            ("MMM d HH:mm:ss", "", "Dec 31 12:30:00", Some("2023-12-31T12:30:00Z Z")),
            ("MMM d HH:mm:ss", "", "Mar 8 12:30:00", Some("2024-03-08T12:30:00Z Z")),
            ("MMM d HH:mm:ss", "", "Mar 10 12:30:00", Some("2023-03-10T12:30:00Z Z")),
            ("M/d/yy h:mm:ss a", "", "2/9/24 1:05:06 PM", Some("2024-02-09T13:05:06Z Z")),
            ("EEEE, d MMMM yyyy", "", "Thursday, 29 February 2024", Some("2024-02-29T00:00:00Z Z")),
            ("yyyyMMddHHmmssSSS", "", "20240229123000123", Some("2024-02-29T12:30:00.123Z Z")),
            ("yyyy-MM-dd'T'HH:mm:ssXXX", "", "2024-02-29T12:30:00Z", Some("2024-02-29T12:30:00Z Z")),
            (
                "yyyy-MM-dd HH:mm:ss VV",
                "",
                "2024-07-01 12:30:00 Europe/Copenhagen",
                Some("2024-07-01T10:30:00Z Europe/Copenhagen"),
            ),
            ("yyyy-MM-dd HH:mm:ss z", "UTC", "2024-07-01 12:30:00 EST", Some("2024-07-01T12:30:00Z Z")),
            ("millis", "", "1709251445067", Some("2024-03-01T00:04:05.067Z Z")),
            ("unixTimeMillis", "", "1709251445067", Some("2024-03-01T00:04:05.067Z Z")),
            ("seconds", "", "1709251445.5", Some("2024-03-01T00:04:05.5Z Z")),
            ("unixtime", "", "1709251445", Some("2024-03-01T00:04:05Z Z")),
            ("nanos", "", "1709251445067000001", Some("2024-03-01T00:04:05.067000001Z Z")),
            ("millis", "", "yesterday", None),
            ("millis", "", "", None),
            ("HH:mm", "", "12:30", None),
        ] {
            assert_eq!(shown(Some(format), zone, text).as_deref(), told, "{format} {text}");
        }
    }

    #[test]
    fn timestamps_are_found_in_text() {
        for (text, told) in [
            ("INFO 2024-02-29T12:30:00.5Z started", Some("2024-02-29T12:30:00.5Z Z")),
            ("[29/Feb/2024:12:30:00 +0100] \"GET /\"", Some("2024-02-29T11:30:00Z +01:00")),
            ("Feb 29 12:30:00 host app: x", Some("2024-02-29T12:30:00Z Z")),
            ("Feb  9 12:30:00 host app: x", Some("2024-02-09T12:30:00Z Z")),
            ("2024-02-29 12:30:00,250 x", Some("2024-02-29T12:30:00.25Z Z")),
            ("1709251445067", Some("2024-03-01T00:04:05.067Z Z")),
            ("1709251445.5 started", Some("2024-03-01T00:04:05.5Z Z")),
            ("[1709251445067000001] x", Some("2024-03-01T00:04:05.067000001Z Z")),
            ("17092514450 is none", None),
            ("id 1709251445067", None),
            ("1709251445-12-x", None),
            ("no time here 12:30", None),
            ("", None),
        ] {
            assert_eq!(shown(None, "", text).as_deref(), told, "{text}");
        }
        let far = " ".repeat(FIND_CHARACTERS) + "2024-02-29T12:30:00Z";
        assert_eq!(shown(None, "", &far), None);
    }
}
