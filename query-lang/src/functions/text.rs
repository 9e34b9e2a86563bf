//! `lower`, `upper`, `length`, `replace` and `text:*`: functions of one text.

use crate::compile::regex::CompiledRegex;
use crate::error::Diagnostic;
use crate::functions::mapping::{Map, Mapping};
use crate::functions::{Arguments, Build, Kind, Parameter, RowFunction, Signature};
use crate::record::ColumnBuilder;
use crate::value::ValueRef;

const FIELD: Parameter = Parameter::required("field", Kind::Text);

/// The table of this family.
pub const SIGNATURES: &[Signature] = &[
    Signature {
        name: "lower",
        aliases: &[],
        parameters: &[
            FIELD,
            Parameter::with_default("as", Kind::Text, "_lower"),
            Parameter::optional("locale", Kind::Text),
        ],
        build: Build::Row(build),
        doc: "In small letters.",
    },
    Signature {
        name: "upper",
        aliases: &[],
        parameters: &[
            FIELD,
            Parameter::with_default("as", Kind::Text, "_upper"),
            Parameter::optional("locale", Kind::Text),
        ],
        build: Build::Row(build),
        doc: "In capital letters.",
    },
    Signature {
        name: "length",
        aliases: &["text:length"],
        parameters: &[FIELD, Parameter::with_default("as", Kind::Text, "_length")],
        build: Build::Row(build),
        doc: "How many characters it has.",
    },
    Signature {
        name: "text:trim",
        aliases: &[],
        parameters: &[FIELD, Parameter::with_default("as", Kind::Text, "_trim")],
        build: Build::Row(build),
        doc: "Without white space at its ends.",
    },
    Signature {
        name: "replace",
        aliases: &[],
        parameters: &[
            Parameter::required("regex", Kind::Regex),
            Parameter::with_default("with", Kind::Text, "").aliased(&["replacement"]),
            Parameter::with_default("field", Kind::Text, "@rawstring"),
            Parameter::optional("as", Kind::Text),
            Parameter::with_default("flags", Kind::Text, "m"),
        ],
        build: Build::Row(build),
        doc: "Every match of a regex replaced; `$1` is what a group matched.",
    },
];

/// A function of one text.
#[derive(Debug)]
pub enum TextMap {
    /// In small letters.
    Lower,
    /// In capital letters.
    Upper,
    /// Its characters.
    Length,
    /// Without white space at its ends.
    Trim,
    /// Matches replaced.
    Replace(CompiledRegex, Vec<Piece>),
}

/// A part of a replacement.
#[derive(Debug, PartialEq)]
pub enum Piece {
    /// As it is.
    Literal(String),
    /// What this group matched.
    Group(usize),
}

fn build(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let map = match arguments.signature().name {
        "lower" => TextMap::Lower,
        "upper" => TextMap::Upper,
        "length" => TextMap::Length,
        "text:trim" => TextMap::Trim,
        _ => {
            let Some(regex) = arguments.regex("regex") else {
                return Err(arguments.fault("regex", "no regex"));
            };
            let regex = crate::compile::regex::compile_whole(regex, &arguments.text_or_empty("flags"))?;
            let pieces = replacement(&arguments.text_or_empty("with"), regex.regex.groups())
                .map_err(|message| arguments.fault("with", message))?;
            TextMap::Replace(regex, pieces)
        }
    };
    Ok(RowFunction::Mapping(Mapping::new(arguments, Map::Text(map))))
}

/// Reads a replacement: `$n` is group `n`, of as many digits as make a group there is, `\` takes the next character
/// as it is.
fn replacement(text: &str, groups: usize) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = text.chars().peekable();
    while let Some(next) = rest.next() {
        match next {
            '\\' => literal.extend(rest.next()),
            '$' => {
                let mut group: Option<usize> = None;
                while let Some(digit) = rest.peek().and_then(|next| next.to_digit(10)) {
                    let longer = group.unwrap_or(0).saturating_mul(10).saturating_add(digit as usize);
                    if group.is_some() && longer >= groups {
                        break;
                    }
                    group = Some(longer);
                    rest.next();
                }
                match group {
                    Some(group) if group < groups => {
                        if !literal.is_empty() {
                            pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                        }
                        pieces.push(Piece::Group(group));
                    }
                    Some(group) => return Err(format!("the regex has no group {group}")),
                    None => literal.push('$'),
                }
            }
            other => literal.push(other),
        }
    }
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Ok(pieces)
}

impl TextMap {
    /// Writes the answer for `value`.
    pub(crate) fn write(&self, value: ValueRef<'_>, scratch: &mut String, out: &mut ColumnBuilder) {
        let text = value.text_in(scratch);
        match self {
            TextMap::Lower if !text.is_ascii() => out.text(&text.to_lowercase()),
            TextMap::Upper if !text.is_ascii() => out.text(&text.to_uppercase()),
            TextMap::Lower => out.text(&text.to_ascii_lowercase()),
            TextMap::Upper => out.text(&text.to_ascii_uppercase()),
            TextMap::Length => out.int(i64::try_from(text.chars().count()).unwrap_or(i64::MAX)),
            TextMap::Trim => out.text(text.trim()),
            TextMap::Replace(regex, pieces) => {
                let (mut replaced, mut kept) = (String::with_capacity(text.len()), 0);
                regex.regex.read_each(text, |whole, found| {
                    replaced.push_str(text.get(kept..whole.start).unwrap_or_default());
                    kept = whole.end;
                    for piece in pieces {
                        replaced.push_str(match piece {
                            Piece::Literal(text) => text,
                            Piece::Group(group) => {
                                found.get(*group).and_then(|span| text.get(span)).unwrap_or_default()
                            }
                        });
                    }
                });
                replaced.push_str(text.get(kept..).unwrap_or_default());
                out.text(&replaced);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan;

    fn shown(map: &TextMap, value: ValueRef<'_>) -> String {
        let mut out = ColumnBuilder::default();
        map.write(value, &mut String::new(), &mut out);
        out.finish().get(0).unwrap().text().into_owned()
    }

    #[test]
    fn simple_maps() {
        for (map, text, told) in [
            (TextMap::Lower, "AbÇ", "abç"),
            (TextMap::Upper, "straße", "STRASSE"),
            (TextMap::Upper, "x1", "X1"),
            (TextMap::Length, "", "0"),
            (TextMap::Length, "Ünïx", "4"),
            (TextMap::Trim, " \ta b\n", "a b"),
        ] {
            assert_eq!(shown(&map, ValueRef::Text(text)), told);
        }
        assert_eq!(shown(&TextMap::Length, ValueRef::Float(0.5)), "3", "numbers have a text");
    }

    #[test]
    fn matches_are_replaced() {
        for (pattern, with, text, told) in [
            ("a", "b", "banana", "bbnbnb"),
            (r"(\w+)@(\w+)", "$2 at $1", "joe@home", "home at joe"),
            (r"(\d)", "<$1>", "a1b2", "a<1>b<2>"),
            (r"(\d)", "$12", "7", "72"),
            ("x", r"\$1", "axb", "a$1b"),
            ("x", "$", "axb", "a$b"),
            ("^", "> ", "a\nb", "> a\n> b"),
            ("(a)|b", "[$1]", "ab", "[a][]"),
            ("none", "x", "text", "text"),
            ("", "-", "ab", "-a-b-"),
            (r"(?<=\d)(?=(\d{3})+$)", ",", "1234567", "1,234,567"),
            (r"(\w)\1", "<$1>", "aabbc", "<a><b>c"),
        ] {
            let regex = plan::Regex {
                pattern: pattern.to_owned(),
                flags: String::new(),
                place: plan::Place::default(),
            };
            let regex = crate::compile::regex::compile_whole(&regex, "m").unwrap();
            let pieces = replacement(with, regex.regex.groups()).unwrap();
            assert_eq!(
                shown(&TextMap::Replace(regex, pieces), ValueRef::Text(text)),
                told,
                "{pattern} {with}"
            );
        }
        assert!(replacement("$3", 2).is_err());
    }
}
