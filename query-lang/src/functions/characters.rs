//! `shannonEntropy` and `stripAnsiCodes`: functions of one text that look at its characters.

use std::collections::BTreeMap;

use crate::error::Diagnostic;
use crate::functions::mapping::{Map, Mapping};
use crate::functions::{Arguments, Build, Kind, Parameter, RowFunction, Signature};
use crate::record::ColumnBuilder;
use crate::value::{Number, ValueRef};

/// The table of this family.
pub const SIGNATURES: &[Signature] = &[
    Signature {
        name: "shannonEntropy",
        aliases: &[],
        parameters: &[
            Parameter::required("field", Kind::Text),
            Parameter::with_default("as", Kind::Text, "_shannonentropy"),
        ],
        build: Build::Row(build),
        doc: "How many bits a character of it says: low in words, high in random text.",
    },
    Signature {
        name: "stripAnsiCodes",
        aliases: &[],
        parameters: &[
            Parameter::with_default("field", Kind::Text, "@rawstring"),
            Parameter::optional("as", Kind::Text),
        ],
        build: Build::Row(build),
        doc: "Without what terminals take for colours and movements.",
    },
];

/// A function of the characters of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Characters {
    /// Bits a character.
    Entropy,
    /// Without control sequences.
    Plain,
}

fn build(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let characters = match arguments.signature().name {
        "shannonEntropy" => Characters::Entropy,
        _ => Characters::Plain,
    };
    Ok(RowFunction::Mapping(Mapping::new(arguments, Map::Characters(characters))))
}

impl Characters {
    /// Writes the answer for `value`.
    pub(crate) fn write(self, value: ValueRef<'_>, scratch: &mut String, out: &mut ColumnBuilder) {
        let text = value.text_in(scratch);
        match self {
            Characters::Entropy => {
                if let Some(bits) = Number::from_f64(entropy(text)) {
                    out.push(Some(bits.to_value().borrow()));
                }
            }
            Characters::Plain => out.text(&plain(text)),
        }
    }
}

/// Shannon's entropy of the code points of `text` (C. E. Shannon, "A Mathematical Theory of Communication", 1948), in
/// bits; 0 for an empty text.
#[must_use]
pub fn entropy(text: &str) -> f64 {
    let mut ascii = [0_u32; 128];
    let mut others: BTreeMap<char, u32> = BTreeMap::new();
    for c in text.chars() {
        match ascii.get_mut(c as usize) {
            Some(count) => *count += 1,
            None => *others.entry(c).or_default() += 1,
        }
    }
    let mut counts: Vec<u32> =
        ascii.into_iter().chain(others.into_values()).filter(|count| *count > 0).collect();
    let all = f64::from(counts.iter().sum::<u32>());
    // Texts with the same counts get the same digits, whatever their letters.
    counts.sort_unstable();
    counts
        .iter()
        .map(|count| f64::from(*count) / all)
        .map(|share| -share * share.log2())
        .sum::<f64>()
        .max(0.0)
}

/// `text` without the escape sequences of ECMA-48: control sequences (`ESC [ .. m`), strings (`ESC ] .. BEL`) and
/// short ones (`ESC c`). One that does not end stays as it is.
#[must_use]
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['\u{1b}', '\u{9b}', '\u{9d}']) {
        let (before, sequence) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(before);
        rest = match after_sequence(sequence) {
            Some(rest) => rest,
            None => {
                let mut letters = sequence.chars();
                out.extend(letters.next());
                letters.as_str()
            }
        };
    }
    out.push_str(rest);
    out
}

/// What follows the escape sequence at the front of `text`.
fn after_sequence(text: &str) -> Option<&str> {
    let mut letters = text.chars();
    let kind = match letters.next()? {
        '\u{9b}' => '[',
        '\u{9d}' => ']',
        _ => letters.next()?,
    };
    match kind {
        '[' => {
            // Parameters, intermediates, and a final byte.
            let body = letters.as_str().trim_start_matches(|c| ('0'..='?').contains(&c));
            let mut end = body.trim_start_matches(|c| (' '..='/').contains(&c)).chars();
            ('@'..='~').contains(&end.next()?).then_some(end.as_str())
        }
        ']' | 'P' | 'X' | '^' | '_' => {
            let body = letters.as_str();
            let (at, end) = ["\u{7}", "\u{1b}\\", "\u{9c}"]
                .iter()
                .filter_map(|end| Some((body.find(end)?, end.len())))
                .min_by_key(|(at, _)| *at)?;
            body.get(at + end..)
        }
        ' '..='/' => {
            let mut end = letters.as_str().trim_start_matches(|c| (' '..='/').contains(&c)).chars();
            ('0'..='~').contains(&end.next()?).then_some(end.as_str())
        }
        '0'..='~' => Some(letters.as_str()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropies() {
        for (text, told) in [
            ("", 0.0),
            ("aaaa", 0.0),
            ("ab", 1.0),
            ("abcd", 2.0),
            ("æøæø", 1.0),
            ("example.com", 3.095_795_255_000_934),
        ] {
            assert!((entropy(text) - told).abs() < 1e-12, "{text}: {}", entropy(text));
        }
        assert_eq!(entropy("aab").to_bits(), entropy("zxz").to_bits());
    }

    #[test]
    fn escape_sequences_are_cut_out() {
        for (text, told) in [
            ("\u{1b}[93;41mColor\u{1b}[0m", "Color"),
            ("a\u{1b}[2Kb\u{1b}[1;1Hc", "abc"),
            ("\u{9b}1mx", "x"),
            ("\u{1b}]0;title\u{7}text", "text"),
            ("\u{1b}]8;;http://a\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link"),
            ("\u{1b}(Bx\u{1b}cy", "xy"),
            ("\u{1b}[31", "\u{1b}[31"),
            ("\u{1b}[31æ", "\u{1b}[31æ"),
            ("\u{1b}]0;open", "\u{1b}]0;open"),
            ("end\u{1b}", "end\u{1b}"),
            ("\\x1b[1mx", "\\x1b[1mx"),
            ("plæin", "plæin"),
        ] {
            assert_eq!(plain(text), told, "{text:?}");
        }
    }
}
