//! `parseCEF` and `parseLEEF`: the header between `|` and the `key=value` pairs of two formats of security products.
//!
//! What stands before the marker is passed over; a text without marker or whole header gives nothing.

use std::sync::Arc;

use crate::error::Diagnostic;
use crate::functions::dynamic_fields::DynamicFields;
use crate::functions::json::MAX_PARSED_FIELDS;
use crate::functions::timeformat::{SECONDS_UP_TO, zone_argument};
use crate::functions::timepattern::Pattern;
use crate::functions::{Arguments, Build, Kind, Parameter, RowFunction, Scratch, Signature, Touches};
use crate::machine::{StepError, View};
use crate::value::Number;
use crate::windows::Zone;

const RAW: Parameter = Parameter::with_default("field", Kind::Text, "@rawstring");
const KEEP_LABELS: Parameter = Parameter::with_default("keeplabels", Kind::Bool, "false");

/// The table of this family.
pub const SIGNATURES: &[Signature] = &[
    Signature {
        name: "parseCEF",
        aliases: &[],
        parameters: &[
            RAW,
            Parameter::with_default("headerprefix", Kind::Text, "cef."),
            Parameter::with_default("prefix", Kind::Text, "cef.ext."),
            Parameter::with_default("labelprefix", Kind::Text, "cef.label."),
            KEEP_LABELS,
        ],
        build: Build::Row(build),
        doc: "The header and pairs of a CEF message as fields.",
    },
    Signature {
        name: "parseLEEF",
        aliases: &[],
        parameters: &[
            RAW,
            Parameter::with_default("headerprefix", Kind::Text, "leef."),
            Parameter::with_default("prefix", Kind::Text, "leef.ext."),
            Parameter::with_default("labelprefix", Kind::Text, "leef.label."),
            KEEP_LABELS,
            Parameter::optional("delimiter", Kind::Text),
            Parameter::with_default("parsetime", Kind::Bool, "true"),
            Parameter::with_default("timezone", Kind::Text, "Z"),
        ],
        build: Build::Row(build),
        doc: "The header and pairs of a LEEF message as fields, and its time.",
    },
];

/// What the parts of a CEF header are called, after the version.
const CEF_HEADER: &[&str] =
    &["device.vendor", "device.product", "device.version", "event_class_id", "name", "severity"];
/// What the parts of a LEEF header are called, after the version.
const LEEF_HEADER: &[&str] = &["device.vendor", "device.product", "device.version", "event_id"];
/// How LEEF writes times when it does not say.
const LEEF_TIMES: &[&str] =
    &["MMM [' ']d yyyy HH:mm:ss[.SSS][' '][z]", "MMM [' ']d HH:mm:ss[.SSS][' '][z]", "iso8601"];

/// A compiled function of this family.
#[derive(Debug)]
pub struct ParseMessage {
    field: Arc<str>,
    header_prefix: Arc<str>,
    prefix: Arc<str>,
    label_prefix: Arc<str>,
    keep_labels: bool,
    /// Of LEEF.
    leef: Option<Leef>,
}

#[derive(Debug)]
struct Leef {
    delimiter: Option<char>,
    /// The zone of `devTime` where it names none; none: the time is not read.
    zone: Option<Zone>,
    patterns: Vec<Pattern>,
}

fn build(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let mut leef = None;
    if arguments.signature().name == "parseLEEF" {
        let delimiter = match arguments.text("delimiter") {
            None => None,
            Some(text) => Some(leef_delimiter(&text).ok_or_else(|| {
                arguments.fault("delimiter", format!("expected one character, not `{text}`"))
            })?),
        };
        let patterns = LEEF_TIMES.iter().map(|format| Pattern::parse(format, false));
        let patterns: Result<Vec<Pattern>, String> = patterns.collect();
        let patterns = patterns.map_err(|message| arguments.fault("timezone", message))?;
        let zone = if arguments.is_true("parsetime") { zone_argument(arguments)? } else { None };
        leef = Some(Leef { delimiter, zone, patterns });
    }
    Ok(RowFunction::Message(ParseMessage {
        field: arguments.text_or_empty("field"),
        header_prefix: arguments.text_or_empty("headerprefix"),
        prefix: arguments.text_or_empty("prefix"),
        label_prefix: arguments.text_or_empty("labelprefix"),
        keep_labels: arguments.is_true("keeplabels"),
        leef,
    }))
}

/// A delimiter as LEEF 2.0 writes it: itself, or its code in hexadecimal behind `x`.
fn leef_delimiter(text: &str) -> Option<char> {
    let mut letters = text.chars();
    match (letters.next(), letters.next()) {
        (Some(only), None) => Some(only),
        _ => {
            let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix('x'))?;
            char::from_u32(u32::from_str_radix(digits, 16).ok()?)
        }
    }
}

impl ParseMessage {
    /// Runs over the rows in play.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn apply(&self, view: &mut View<'_>, scratch: &mut Scratch) -> Result<(), StepError> {
        let now = scratch.context.now_millis;
        let column = view.column(&self.field)?;
        let mut outputs = DynamicFields::new(view, scratch);
        for row in view.selection().iter() {
            let Some(value) = column.get(row) else { continue };
            for (name, text) in self.fields(value.text_in(&mut scratch.text), now).into_iter().flatten() {
                outputs.put(&name, row, &text)?;
            }
        }
        outputs.assign(view)
    }

    /// The fields of the message in `text`; none when there is none.
    #[must_use]
    pub fn fields(&self, text: &str, now_millis: i64) -> Option<Vec<(String, String)>> {
        match &self.leef {
            None => {
                let after = text.get(text.find("CEF:")? + 4..)?;
                let (header, body) = header(after, CEF_HEADER.len() + 1, true)?;
                (header.first()? == "0" || header.first()? == "1").then_some(())?;
                Some(self.named(CEF_HEADER, &header, spaced_pairs(body), true))
            }
            Some(leef) => self.leef_fields(leef, text, now_millis),
        }
    }

    fn leef_fields(&self, leef: &Leef, text: &str, now_millis: i64) -> Option<Vec<(String, String)>> {
        let after = text.get(text.find("LEEF:")? + 5..)?;
        let (header, body) = header(after, LEEF_HEADER.len() + 1, false)?;
        let version = header.first()?.as_str();
        let (pairs, labelled) = match version {
            "2.0" => {
                let (said, rest) = body.split_once('|').unwrap_or(("", body));
                match leef_delimiter(said.trim()) {
                    Some(delimiter) => (parted_pairs(rest, delimiter), false),
                    None if said.trim().is_empty() => (parted_pairs(rest, '\t'), false),
                    // The part with the delimiter is left out.
                    None => (parted_pairs(body, '\t'), false),
                }
            }
            "1.0" | "0" => match leef.delimiter.or_else(|| body.contains('\t').then_some('\t')) {
                Some(delimiter) if version == "1.0" => (parted_pairs(body, delimiter), true),
                // Some write it like CEF.
                _ => (spaced_pairs(body), true),
            },
            _ => return None,
        };
        let of = |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone());
        let time = leef.millis(of("devTime").as_deref(), of("devTimeFormat").as_deref(), now_millis);
        let mut fields = self.named(LEEF_HEADER, &header, pairs, labelled);
        fields.extend(time.map(|millis| ("@timestamp".to_owned(), millis.to_string())));
        Some(fields)
    }

    /// Header and pairs by the names of fields. With `labelled`, a pair `csLabel=name` says what the pair `cs` is.
    fn named(
        &self,
        names: &[&str],
        header: &[String],
        pairs: Vec<(&str, String)>,
        labelled: bool,
    ) -> Vec<(String, String)> {
        let parts = std::iter::once(&"version").chain(names).zip(header);
        let mut fields: Vec<(String, String)> =
            parts.map(|(name, text)| (format!("{}{name}", self.header_prefix), text.clone())).collect();
        let label_of = |key: &str| {
            let label = pairs.iter().find(|(known, _)| known.strip_suffix("Label") == Some(key))?;
            labelled.then(|| label.1.clone()).filter(|label| !label.is_empty())
        };
        let labels = |key: &str| {
            let own = key.strip_suffix("Label").filter(|_| labelled);
            own.is_some_and(|own| pairs.iter().any(|(known, _)| *known == own))
        };
        for (key, value) in &pairs {
            let label = label_of(key);
            if let Some(label) = &label {
                fields.push((format!("{}{label}", self.label_prefix), value.clone()));
            }
            if self.keep_labels || !(label.is_some() || labels(key)) {
                fields.push((format!("{}{key}", self.prefix), value.clone()));
            }
        }
        fields
    }

    /// Notes what it reads and writes.
    pub fn touches(&self, touches: &mut Touches) {
        touches.read(&self.field);
        touches.reads_all = true;
        touches.writes_any = true;
        touches.reads_clock |= self.leef.is_some();
    }
}

impl Leef {
    /// The time of a message in milliseconds.
    fn millis(&self, text: Option<&str>, format: Option<&str>, now_millis: i64) -> Option<i64> {
        let (zone, text) = (self.zone.as_ref()?, text?);
        let read = |pattern: &Pattern| Some(pattern.read(text)?.resolve(None, zone, now_millis)?.millis);
        match format {
            Some(format) => read(&Pattern::parse(format, false).ok()?),
            None => epoch_millis(text).or_else(|| self.patterns.iter().find_map(read)),
        }
    }
}

/// A time since the epoch in seconds, or, of more than 100,000,000,000, in milliseconds.
fn epoch_millis(text: &str) -> Option<i64> {
    match Number::parse(text)? {
        Number::Int(count) if (0..=SECONDS_UP_TO).contains(&count) => Some(count * 1000),
        Number::Int(count) => (count > 0).then_some(count),
        _ => None,
    }
}

/// The `parts` parts of a header, each before a `|`, and what follows. A backslash takes `|` and itself as they are,
/// where the format `escapes`.
fn header(text: &str, parts: usize, escapes: bool) -> Option<(Vec<String>, &str)> {
    let mut found = Vec::with_capacity(parts);
    let mut part = String::new();
    let mut letters = text.chars();
    while let Some(next) = letters.next() {
        match next {
            '\\' if escapes && letters.as_str().starts_with(['|', '\\']) => part.extend(letters.next()),
            '|' => {
                found.push(std::mem::take(&mut part).trim().to_owned());
                if found.len() == parts {
                    return Some((found, letters.as_str()));
                }
            }
            other => part.push(other),
        }
    }
    // A message may end with its header.
    found.push(part.trim().to_owned());
    (found.len() == parts).then_some((found, ""))
}

fn is_key(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '[' | ']')
}

/// The pairs of a CEF body: a value runs to the white space before the next key. `\=`, `\\`, `\n`, `\r` and `\t` are
/// escapes.
fn spaced_pairs(text: &str) -> Vec<(&str, String)> {
    // Where keys start, and where their values do.
    let mut places: Vec<(usize, usize)> = Vec::new();
    for (at, _) in text.match_indices('=') {
        let before = text.get(..at).unwrap_or_default();
        let start = before.trim_end_matches(is_key).len();
        let begins =
            before.get(..start).is_some_and(|front| front.is_empty() || front.ends_with(char::is_whitespace));
        if start < at && begins && places.len() < MAX_PARSED_FIELDS {
            places.push((start, at + 1));
        }
    }
    let ends = places.iter().skip(1).map(|(start, _)| *start).chain([text.len()]);
    let pair = |((start, value), end): (&(usize, usize), usize)| {
        let written = text.get(*value..end)?.trim_end();
        Some((text.get(*start..value - 1)?, unescaped(written)))
    };
    places.iter().zip(ends).filter_map(pair).collect()
}

fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(next) = letters.next() {
        if next != '\\' {
            out.push(next);
            continue;
        }
        match letters.next() {
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some(itself @ ('=' | '\\' | '|')) => out.push(itself),
            other => {
                out.push('\\');
                out.extend(other);
            }
        }
    }
    out
}

/// The pairs of a LEEF body, between delimiters.
fn parted_pairs(text: &str, delimiter: char) -> Vec<(&str, String)> {
    let pairs = text.split(delimiter).filter_map(|pair| pair.split_once('='));
    let pairs = pairs.map(|(key, value)| (key.trim(), value.trim_end_matches(['\r', '\n']).to_owned()));
    pairs.filter(|(key, _)| !key.is_empty()).take(MAX_PARSED_FIELDS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parser(leef: bool, keep_labels: bool) -> ParseMessage {
        let patterns = LEEF_TIMES.iter().map(|format| Pattern::parse(format, false).unwrap()).collect();
        let leef = leef.then_some(Leef { delimiter: None, zone: Some(Zone::UTC), patterns });
        let text = |text: &str| Arc::from(text);
        let (field, header_prefix, prefix, label_prefix) = (text("f"), text("h."), text("e."), text("l."));
        ParseMessage { field, header_prefix, prefix, label_prefix, keep_labels, leef }
    }

    fn shown(parser: &ParseMessage, text: &str) -> Option<String> {
        let fields = parser.fields(text, 1_709_251_445_067)?;
        Some(
            fields
                .iter()
                .map(|(name, value)| format!("{name}={value:?} "))
                .collect::<String>()
                .trim_end()
                .into(),
        )
    }

    #[test]
    fn cef_messages() {
        let head = "h.version=\"0\" h.device.vendor=\"security\" h.device.product=\"manager\" \
                    h.device.version=\"1.0\" h.event_class_id=\"100\" h.name=\"a | b\" h.severity=\"10\"";
        let cef = "Sep 19 08:26:10 host CEF:0|security|manager|1.0|100|a \\| b|10|";
        for (body, told) in [
            (
                "src=10.0.0.1 act=blocked a thing dst=1.1.1.1",
                "e.src=\"10.0.0.1\" e.act=\"blocked a thing\" e.dst=\"1.1.1.1\"",
            ),
            (
                "url=http://x/?a=b&c=d  msg=æ \\= \\\\ \\n",
                "e.url=\"http://x/?a=b&c=d\" e.msg=\"æ = \\\\ \\n\"",
            ),
            ("a=\tb=1", "e.a=\"\" e.b=\"1\""),
            ("cs1Label=My Label cs1=x cs2Label=alone", "l.My Label=\"x\" e.cs2Label=\"alone\""),
            ("", ""),
            ("no pairs here", ""),
        ] {
            let told = format!("{head} {told}");
            assert_eq!(
                shown(&parser(false, false), &format!("{cef}{body}")).as_deref(),
                Some(told.trim_end()),
                "{body}"
            );
        }
        let kept = shown(&parser(false, true), &format!("{cef}cs1Label=L cs1=x")).unwrap();
        assert!(kept.ends_with("e.cs1Label=\"L\" l.L=\"x\" e.cs1=\"x\""), "{kept}");
        for bad in ["", "CEF:0", "CEF:0|a|b|c", "CEF:9|a|b|c|d|e|f|x=1", "cef:0|a|b|c|d|e|f|x=1"] {
            assert_eq!(shown(&parser(false, false), bad), None, "{bad}");
        }
        assert!(
            shown(&parser(false, false), "CEF: 0 | a |b|1|1|n |3| id=1")
                .unwrap()
                .contains("h.device.vendor=\"a\"")
        );
    }

    #[test]
    fn leef_messages() {
        let head = |version: &str| {
            format!(
                "h.version={version:?} h.device.vendor=\"Lancope\" h.device.product=\"SW\" h.device.version=\"1.0\" \
                 h.event_id=\"41\""
            )
        };
        for (version, body, told) in [
            (
                "2.0",
                "^|src=10.0.0.1^act=blocked an X^dst=a=b",
                "e.src=\"10.0.0.1\" e.act=\"blocked an X\" e.dst=\"a=b\"",
            ),
            ("2.0", "x5E|a=1^b=2", "e.a=\"1\" e.b=\"2\""),
            ("2.0", "|a=1\tb=2", "e.a=\"1\" e.b=\"2\""),
            ("1.0", "a=1\tb=two words", "e.a=\"1\" e.b=\"two words\""),
            ("1.0", "a=1 b=two words", "e.a=\"1\" e.b=\"two words\""),
            (
                "1.0",
                "sev=1\tdevTime=1709164800000",
                "e.sev=\"1\" e.devTime=\"1709164800000\" @timestamp=\"1709164800000\"",
            ),
            (
                "2.0",
                "^|devTime=29/02/2024 00.00^devTimeFormat=dd/MM/yyyy HH.mm",
                "e.devTime=\"29/02/2024 00.00\" e.devTimeFormat=\"dd/MM/yyyy HH.mm\" @timestamp=\"1709164800000\"",
            ),
            (
                "1.0",
                "devTime=Feb 29 2024 00:00:00",
                "e.devTime=\"Feb 29 2024 00:00:00\" @timestamp=\"1709164800000\"",
            ),
            ("1.0", "devTime=soon", "e.devTime=\"soon\""),
        ] {
            let text = format!("<13>1 host LEEF:{version}|Lancope|SW|1.0|41|{body}");
            let told = format!("{} {told}", head(version));
            assert_eq!(shown(&parser(true, false), &text).as_deref(), Some(told.as_str()), "{body}");
        }
        for bad in ["", "LEEF:3.0|a|b|c|d|x=1", "LEEF:1.0|a"] {
            assert_eq!(shown(&parser(true, false), bad), None, "{bad}");
        }
    }
}
