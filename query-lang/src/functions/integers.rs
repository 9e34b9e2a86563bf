//! `parseInt` and `parseHexString`: integers and bytes written in digits of other kinds.

use crate::error::Diagnostic;
use crate::functions::encoding::Charset;
use crate::functions::mapping::{Map, Mapping};
use crate::functions::{Arguments, Build, Kind, Parameter, RowFunction, Signature};
use crate::record::ColumnBuilder;
use crate::value::ValueRef;

/// The table of this family.
pub const SIGNATURES: &[Signature] = &[
    Signature {
        name: "parseInt",
        aliases: &[],
        parameters: &[
            Parameter::required("field", Kind::Text),
            Parameter::with_default("radix", Kind::Integer { least: 2, most: 36 }, "16"),
            Parameter::with_default("endian", Kind::Choice(&["big", "little"]), "big"),
            Parameter::optional("as", Kind::Text),
        ],
        build: Build::Row(build_integer),
        doc: "The integer that digits of another base stand for.",
    },
    Signature {
        name: "parseHexString",
        aliases: &[],
        parameters: &[
            Parameter::required("field", Kind::Text),
            Parameter::with_default("as", Kind::Text, "_parsehexstring"),
            Parameter::with_default("charset", Kind::Choice(Charset::NAMES), "UTF-8"),
        ],
        build: Build::Row(build_hex),
        doc: "The text that bytes written in hexadecimal stand for.",
    },
];

/// A compiled `parseInt`.
#[derive(Clone, Copy, Debug)]
pub struct ParseInteger {
    radix: u32,
    little: bool,
}

/// A compiled `parseHexString`.
#[derive(Clone, Copy, Debug)]
pub struct HexText {
    charset: Charset,
}

fn build_integer(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let radix = arguments.integer("radix").and_then(|radix| u32::try_from(radix).ok()).unwrap_or(16);
    let little = *arguments.text_or_empty("endian") == *"little";
    if little && radix != 16 {
        let message = "the order of bytes is a matter of hexadecimal digits: it goes with radix=16";
        return Err(arguments.fault("endian", message));
    }
    Ok(RowFunction::Mapping(Mapping::new(arguments, Map::Integer(ParseInteger { radix, little }))))
}

fn build_hex(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let hex = HexText { charset: Charset::of(arguments) };
    Ok(RowFunction::Mapping(Mapping::new(arguments, Map::Hex(hex))))
}

/// `text` without what says that it is hexadecimal.
fn without_prefix(text: &str) -> &str {
    ["0x", "0X", "16#"].iter().find_map(|prefix| text.strip_prefix(prefix)).unwrap_or(text)
}

impl ParseInteger {
    /// Writes the answer for `value`; nothing where there is none.
    pub(crate) fn write(self, value: ValueRef<'_>, scratch: &mut String, out: &mut ColumnBuilder) {
        let Some(number) = self.apply(value.text_in(scratch)) else { return };
        match i64::try_from(number) {
            Ok(number) => out.int(number),
            Err(_) => out.text(&number.to_string()),
        }
    }

    /// The integer that `text` stands for, below 2^128.
    #[must_use]
    pub fn apply(self, text: &str) -> Option<u128> {
        let text = text.trim();
        let digits = if self.radix == 16 { without_prefix(text) } else { text };
        if !digits.chars().all(|digit| digit.is_digit(self.radix)) {
            return None;
        }
        if !self.little {
            return u128::from_str_radix(digits, self.radix).ok();
        }
        // An odd digit at the front is a byte of its own.
        let whole = format!("{}{digits}", if digits.len() % 2 == 1 { "0" } else { "" });
        let bytes: Vec<&str> =
            (0..whole.len()).step_by(2).rev().filter_map(|at| whole.get(at..at + 2)).collect();
        u128::from_str_radix(&bytes.concat(), 16).ok()
    }
}

impl HexText {
    /// Writes the answer for `value`; nothing where it has no two hexadecimal digits.
    pub(crate) fn write(self, value: ValueRef<'_>, scratch: &mut String, out: &mut ColumnBuilder) {
        if let Some(text) = self.apply(value.text_in(scratch)) {
            out.text(&text);
        }
    }

    /// The text that the hexadecimal digits in `text` stand for; other characters, and an odd digit at the end, are
    /// passed over, and what is no text in the character set becomes U+FFFD.
    #[must_use]
    pub fn apply(self, text: &str) -> Option<String> {
        let digits: Vec<u32> =
            without_prefix(text.trim_start()).chars().filter_map(|c| c.to_digit(16)).collect();
        let pairs = digits.chunks_exact(2);
        let bytes: Vec<u8> =
            pairs.map(|pair| pair.iter().fold(0_u8, |byte, digit| byte << 4 | *digit as u8)).collect();
        (!bytes.is_empty()).then(|| self.charset.decode_lossy(&bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_other_bases() {
        for (text, radix, little, told) in [
            ("FF", 16, false, Some(255)),
            ("0xff", 16, false, Some(255)),
            ("16#ff", 16, false, Some(255)),
            (" 8001 ", 16, false, Some(32769)),
            ("8001", 16, true, Some(384)),
            ("0x123", 16, true, Some(0x2301)),
            ("00011001", 2, false, Some(25)),
            ("77", 8, false, Some(63)),
            ("zz", 36, false, Some(1295)),
            ("ffffffffffffffff", 16, false, Some(18_446_744_073_709_551_615)),
            ("fffffffffffffffffffffffffffffffff", 16, false, None),
            ("-1", 16, false, None),
            ("+1", 16, false, None),
            ("12", 2, false, None),
            ("0x", 16, false, None),
            ("", 16, true, None),
            ("ÿ", 16, true, None),
        ] {
            assert_eq!(ParseInteger { radix, little }.apply(text), told, "{text} {radix}");
        }
    }

    #[test]
    fn bytes_in_hexadecimal() {
        for (charset, text, told) in [
            (Charset::Latin1, "48656c6c6f576f726c64", Some("HelloWorld")),
            (Charset::Utf8, "0x4 865 6c6c6f576f726c6420 plus F09F 98 80", Some("HelloWorld 😀")),
            (Charset::Latin1, "e6F8", Some("æø")),
            (Charset::Utf8, "c3a6ff", Some("æ\u{fffd}")),
            (Charset::Utf16Big, "00e6d83dde00", Some("æ😀")),
            (Charset::Utf16Little, "e6003d", Some("æ\u{fffd}")),
            (Charset::Utf8, "414", Some("A")),
            (Charset::Utf8, "16#41", Some("A")),
            (Charset::Utf8, "no: x", None),
            (Charset::Utf8, "4", None),
            (Charset::Utf8, "", None),
        ] {
            assert_eq!(HexText { charset }.apply(text).as_deref(), told, "{text}");
        }
    }
}
