//! `format`: a text made of fields by a pattern of the printf kind.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::error::Diagnostic;
use crate::functions::{Arguments, Build, Kind, Parameter, RowFunction, Scratch, Signature, Touches};
use crate::machine::{StepError, View};
use crate::record::{Column, ColumnBuilder};
use crate::value::{Number, ValueRef};

/// The widest a value may be padded to.
pub const MAX_FORMAT_WIDTH: usize = 1_000;
/// The most places after the point.
pub const MAX_FORMAT_PLACES: usize = 100;

/// The table of this family.
pub const SIGNATURES: &[Signature] = &[Signature {
    name: "format",
    aliases: &[],
    parameters: &[
        Parameter::required("format", Kind::Text),
        Parameter::required("field", Kind::Texts).aliased(&["fields"]),
        Parameter::with_default("as", Kind::Text, "_format"),
        Parameter::optional("timezone", Kind::Text),
    ],
    build: Build::Row(build),
    doc: "A text made of fields: `format(\"%s took %.1f ms\", field=[name, time])`.",
}];

/// A compiled format.
#[derive(Debug)]
pub struct Format {
    pieces: Vec<Piece>,
    fields: Vec<Arc<str>>,
    output: Arc<str>,
}

#[derive(Debug, PartialEq)]
enum Piece {
    Literal(String),
    Value(Spec),
}

/// One `%..`.
#[derive(Clone, Debug, Default, PartialEq)]
struct Spec {
    /// Which field.
    field: usize,
    left: bool,
    zeros: bool,
    plus: bool,
    space: bool,
    group: bool,
    prefix: bool,
    width: usize,
    places: Option<usize>,
    kind: char,
}

fn build(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let text = arguments.text_or_empty("format");
    let fields = arguments.texts("field").to_vec();
    let pieces = parse(&text).map_err(|message| arguments.fault("format", message))?;
    for piece in &pieces {
        if let Piece::Value(spec) = piece
            && spec.field >= fields.len()
        {
            let message = format!("the format names field {}, there are {}", spec.field + 1, fields.len());
            return Err(arguments.fault("format", message));
        }
    }
    Ok(RowFunction::Format(Format { pieces, fields, output: arguments.text_or_empty("as") }))
}

/// Reads `%[n$|<][-+ #0,][width][.places]type`.
fn parse(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut next_field = 0;
    let mut last_field = 0;
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        literal.push_str(before);
        let (mut spec, after, explicit) = parse_spec(after, last_field)?;
        rest = after;
        match spec.kind {
            '%' => literal.push('%'),
            'n' => literal.push('\n'),
            _ => {
                if !explicit {
                    spec.field = next_field;
                    next_field += 1;
                }
                last_field = spec.field;
                if !literal.is_empty() {
                    pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                }
                pieces.push(Piece::Value(spec));
            }
        }
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Ok(pieces)
}

/// The specifier after a `%`, what follows it, and whether it names its field.
fn parse_spec(text: &str, last_field: usize) -> Result<(Spec, &str, bool), String> {
    let mut spec = Spec::default();
    let mut rest = text;
    let mut explicit = false;
    if let Some(after) = rest.strip_prefix('<') {
        (spec.field, explicit, rest) = (last_field, true, after);
    } else if let (Some(number), after) = number(rest)
        && let Some(after) = after.strip_prefix('$')
    {
        let field = number.checked_sub(1).ok_or("fields are numbered from 1 in a format")?;
        (spec.field, explicit, rest) = (field, true, after);
    }
    while let Some(flag) = rest.chars().next() {
        match flag {
            '-' => spec.left = true,
            '0' => spec.zeros = true,
            '+' => spec.plus = true,
            ' ' => spec.space = true,
            ',' => spec.group = true,
            '#' => spec.prefix = true,
            _ => break,
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    let (width, after) = number(rest);
    spec.width = width.unwrap_or(0);
    rest = after;
    if let Some(after) = rest.strip_prefix('.') {
        let (places, after) = number(after);
        // A point alone is no places, as in C.
        spec.places = Some(places.unwrap_or(0));
        rest = after;
    }
    if spec.width > MAX_FORMAT_WIDTH || spec.places.is_some_and(|places| places > MAX_FORMAT_PLACES) {
        return Err(format!("a format is at most {MAX_FORMAT_WIDTH} wide, with {MAX_FORMAT_PLACES} places"));
    }
    // Lengths of C: they say nothing here.
    let rest = rest.trim_start_matches(['h', 'l']);
    let Some(kind) = rest.chars().next() else { return Err("the format ends inside a `%`".to_owned()) };
    match kind {
        'd' | 'i' | 'o' | 'x' | 'X' | 'f' | 'F' | 'e' | 'E' | 'g' | 'G' | 'b' | 'c' | 's' | 'S' | 'n'
        | '%' => {}
        't' | 'T' => return Err("`%t` is not built yet: use formatTime()".to_owned()),
        other => return Err(format!("`%{other}` is not known in a format")),
    }
    spec.kind = kind;
    Ok((spec, rest.get(kind.len_utf8()..).unwrap_or_default(), explicit))
}

fn number(text: &str) -> (Option<usize>, &str) {
    let end = text.find(|next: char| !next.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    (digits.parse().ok(), rest)
}

impl Format {
    /// The field it writes.
    #[must_use]
    pub fn output(&self) -> Arc<str> {
        Arc::clone(&self.output)
    }

    /// Runs over the rows in play.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn apply(&self, view: &mut View<'_>, scratch: &mut Scratch) -> Result<(), StepError> {
        if let [field] = self.fields.as_slice() {
            // One field: a dictionary is formatted once a text.
            let column = view.column(field)?;
            if matches!(column, Column::Dictionary { .. } | Column::Constant { .. })
                && column.present(view.selection()) == *view.selection()
            {
                let made = column.map(view.selection(), |value, out| {
                    self.write(&mut scratch.text, |_| Some(value));
                    out.text(&scratch.text);
                });
                view.assign(&self.output, made)?;
                return Ok(());
            }
        }
        let columns = self.fields.iter().map(|field| view.column(field));
        let columns: Vec<Column> = columns.collect::<Result<_, _>>()?;
        let mut out = ColumnBuilder::with_capacity(view.rows());
        for row in view.selection().iter() {
            out.pad(row);
            self.write(&mut scratch.text, |field| columns.get(field).and_then(|column| column.get(row)));
            out.text(&scratch.text);
        }
        out.pad(view.rows());
        view.assign(&self.output, out.finish())?;
        Ok(())
    }

    fn write<'v>(&self, out: &mut String, value: impl Fn(usize) -> Option<ValueRef<'v>>) {
        out.clear();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => out.push_str(text),
                Piece::Value(spec) => spec.write(value(spec.field), out),
            }
        }
    }

    /// Notes what it reads and writes.
    pub fn touches(&self, touches: &mut Touches) {
        self.fields.iter().for_each(|field| touches.read(field));
        touches.read(&self.output);
        touches.write(&self.output);
    }
}

impl Spec {
    fn write(&self, value: Option<ValueRef<'_>>, out: &mut String) {
        if matches!(self.kind, 's' | 'S' | 'c' | 'b') {
            let text = value.map_or("null".into(), ValueRef::text);
            let shown: &str = match self.kind {
                'c' => text.get(..text.chars().next().map_or(0, char::len_utf8)).unwrap_or_default(),
                _ => self.cut(&text),
            };
            return match self.kind {
                'S' => self.pad("", &shown.to_uppercase(), out),
                _ => self.pad("", shown, out),
            };
        }
        let Some(number) = value.and_then(ValueRef::number) else { return self.pad("", "null", out) };
        let (negative, digits) = self.digits(number);
        let sign = match () {
            () if negative => "-",
            () if self.plus => "+",
            () if self.space => " ",
            () => "",
        };
        self.pad(sign, &digits, out);
    }

    /// At most `places` characters.
    fn cut<'t>(&self, text: &'t str) -> &'t str {
        let Some(places) = self.places else { return text };
        text.char_indices().nth(places).and_then(|(end, _)| text.get(..end)).unwrap_or(text)
    }

    /// Whether it is negative, and the digits of its magnitude.
    fn digits(&self, number: Number) -> (bool, String) {
        let float = number.to_f64();
        match self.kind {
            'd' | 'i' => {
                let whole = whole(number);
                (whole < 0, self.grouped(whole.unsigned_abs().to_string()))
            }
            'x' | 'X' | 'o' => {
                // Negative numbers show their two's complement, as in Java.
                let bits = i64::try_from(whole(number)).unwrap_or(i64::MAX);
                let digits = match self.kind {
                    'x' => format!("{}{bits:x}", if self.prefix { "0x" } else { "" }),
                    'X' => format!("{}{bits:X}", if self.prefix { "0X" } else { "" }),
                    _ => format!("{}{bits:o}", if self.prefix { "0" } else { "" }),
                };
                (false, digits)
            }
            'e' | 'E' => (float < 0.0, self.scientific(float.abs())),
            'g' | 'G' => {
                let places = self.places.unwrap_or(6).max(1);
                let size = float.abs();
                let small = size != 0.0 && size < 1e-4;
                let large = size >= 10_f64.powi(i32::try_from(places).unwrap_or(i32::MAX));
                let text = if small || large {
                    Spec { places: Some(places - 1), ..self.clone() }.scientific(size)
                } else {
                    // So many significant digits: those before the point count, zeros behind it do not.
                    let magnitude = if size == 0.0 { 0 } else { size.log10().floor() as i64 };
                    let places = i64::try_from(places).unwrap_or(6) - 1 - magnitude;
                    format!("{size:.*}", usize::try_from(places).unwrap_or(0))
                };
                (float < 0.0, text)
            }
            _ => {
                let places = self.places.unwrap_or(6);
                let text = format!("{:.places$}", float.abs());
                // What rounds to zero has no sign.
                let zero = text.bytes().all(|byte| matches!(byte, b'0' | b'.'));
                (float < 0.0 && !zero, self.grouped(text))
            }
        }
    }

    fn scientific(&self, size: f64) -> String {
        let text = format!("{size:.*e}", self.places.unwrap_or(6));
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        let sign = if exponent < 0 { '-' } else { '+' };
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = write!(out, "{mantissa}e{sign}{:02}", exponent.unsigned_abs());
        if self.kind.is_ascii_uppercase() { out.to_ascii_uppercase() } else { out }
    }

    /// Commas between thousands.
    fn grouped(&self, digits: String) -> String {
        if !self.group {
            return digits;
        }
        let (whole, fraction) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
        let mut out = String::with_capacity(digits.len() + whole.len() / 3);
        for (at, digit) in whole.chars().enumerate() {
            if at > 0 && (whole.len() - at) % 3 == 0 {
                out.push(',');
            }
            out.push(digit);
        }
        out.push_str(fraction);
        out
    }

    fn pad(&self, sign: &str, body: &str, out: &mut String) {
        let fill = self.width.saturating_sub(sign.len() + body.chars().count());
        let numeric = body != "null" && !matches!(self.kind, 's' | 'S' | 'c' | 'b');
        let zeros = self.zeros && !self.left && numeric;
        if !self.left && !zeros {
            out.extend(std::iter::repeat_n(' ', fill));
        }
        out.push_str(sign);
        if zeros {
            out.extend(std::iter::repeat_n('0', fill));
        }
        out.push_str(body);
        if self.left {
            out.extend(std::iter::repeat_n(' ', fill));
        }
    }
}

/// The whole part, toward zero.
fn whole(number: Number) -> i128 {
    match number.truncate() {
        Some(value) => i128::from(value),
        None => number.decimal().map_or_else(
            || number.to_f64() as i128,
            |(digits, scale)| digits / 10_i128.checked_pow(u32::from(scale)).unwrap_or(i128::MAX),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_follow_printf() {
        for (format, value, expected) in [
            ("%s", "x", "x"),
            ("%5s|", "ab", "   ab|"),
            ("%-5s|", "ab", "ab   |"),
            ("%.2s", "äöü", "äö"),
            ("%,.100s", "abc", "abc"),
            ("%d", "42", "42"),
            ("%05d", "-42", "-0042"),
            ("%+d", "7", "+7"),
            ("%,d", "1234567", "1,234,567"),
            ("%d", "5.9", "5"),
            ("%d", "abc", "null"),
            ("%x", "255", "ff"),
            ("%#X", "255", "0XFF"),
            ("%.2f", "3.14159", "3.14"),
            ("%,.2f", "1234.5", "1,234.50"),
            ("%f", "1.5", "1.500000"),
            ("%.0f", "-0.2", "0"),
            ("%.f", "1.6", "2"),
            ("%e", "12345", "1.234500e+04"),
            ("%g", "0.5", "0.500000"),
            ("%s%%%n", "a", "a%\n"),
            ("%1$s-%1$s", "a", "a-a"),
            ("%s-%<s", "a", "a-a"),
        ] {
            let pieces = parse(format).unwrap_or_else(|fault| panic!("{format}: {fault}"));
            let format_of = Format { pieces, fields: vec!["f".into()], output: "o".into() };
            let mut out = String::new();
            format_of.write(&mut out, |_| Some(ValueRef::Text(value)));
            assert_eq!(out, expected, "{format} of {value}");
        }
    }

    #[test]
    fn wrong_formats_are_named() {
        for format in ["%", "%q", "%5", "%0$s", "%1001s"] {
            assert!(parse(format).is_err(), "{format}");
        }
        assert!(parse("%1000s").is_ok());
    }
}
