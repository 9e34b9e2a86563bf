//! `urlDecode`, `urlEncode`, `base64Decode` and `base64Encode`. What does not decode to text gives nothing.

use crate::error::Diagnostic;
use crate::functions::mapping::{Map, Mapping};
use crate::functions::{Arguments, Build, Kind, Parameter, RowFunction, Signature};
use crate::record::ColumnBuilder;
use crate::value::ValueRef;

const CHARSET: Parameter = Parameter::with_default("charset", Kind::Choice(Charset::NAMES), "UTF-8");

macro_rules! coding {
    ($name:literal, $as:literal, $doc:literal) => {
        Signature {
            name: $name,
            aliases: &[],
            parameters: &[
                Parameter::required("field", Kind::Text),
                Parameter::with_default("as", Kind::Text, $as),
                CHARSET,
            ],
            build: Build::Row(build),
            doc: $doc,
        }
    };
}

/// The table of this family.
pub const SIGNATURES: &[Signature] = &[
    coding!("urlDecode", "_urldecode", "Without percent escapes; `+` is a space."),
    coding!("urlEncode", "_urlencode", "With percent escapes."),
    coding!("base64Decode", "_base64Decode", "What base64 stands for, in either alphabet."),
    coding!("base64Encode", "_base64Encode", "In base64."),
];

/// How texts are bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charset {
    /// UTF-8.
    Utf8,
    /// A byte a character.
    Latin1,
    /// Two bytes a unit, the high one first.
    Utf16Big,
    /// Two bytes a unit, the low one first.
    Utf16Little,
}

impl Charset {
    /// What they are called.
    pub const NAMES: &[&str] = &["UTF-8", "ISO-8859-1", "UTF-16BE", "UTF-16LE"];

    /// The one that parameter `charset` names.
    #[must_use]
    pub fn of(arguments: &Arguments) -> Charset {
        match &*arguments.text_or_empty("charset") {
            "ISO-8859-1" => Charset::Latin1,
            "UTF-16BE" => Charset::Utf16Big,
            "UTF-16LE" => Charset::Utf16Little,
            _ => Charset::Utf8,
        }
    }

    /// The text that `bytes` are; none when they are none.
    #[must_use]
    pub fn decode(self, bytes: Vec<u8>) -> Option<String> {
        match self {
            Charset::Utf8 => String::from_utf8(bytes).ok(),
            Charset::Latin1 => Some(bytes.iter().map(|byte| char::from(*byte)).collect()),
            _ if bytes.len() % 2 == 1 => None,
            _ => String::from_utf16(&self.units(&bytes)).ok(),
        }
    }

    /// The text that `bytes` are, with U+FFFD for what is none.
    #[must_use]
    pub fn decode_lossy(self, bytes: &[u8]) -> String {
        match self {
            Charset::Utf8 => String::from_utf8_lossy(bytes).into_owned(),
            Charset::Latin1 => bytes.iter().map(|byte| char::from(*byte)).collect(),
            _ => String::from_utf16_lossy(&self.units(bytes)),
        }
    }

    /// The bytes of `text`; none when it has characters that there are none for.
    #[must_use]
    pub fn encode(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Charset::Utf8 => Some(text.as_bytes().to_vec()),
            Charset::Latin1 => text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect(),
            Charset::Utf16Big => Some(text.encode_utf16().flat_map(u16::to_be_bytes).collect()),
            Charset::Utf16Little => Some(text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        }
    }

    /// Units of UTF-16. A byte too many stands for nothing, as half a pair of surrogates does.
    fn units(self, bytes: &[u8]) -> Vec<u16> {
        let read = if self == Charset::Utf16Big { u16::from_be_bytes } else { u16::from_le_bytes };
        bytes.chunks(2).map(|pair| <[u8; 2]>::try_from(pair).map_or(0xd800, read)).collect()
    }
}

/// A way to write text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Percent escapes taken out.
    UrlDecode,
    /// Percent escapes put in.
    UrlEncode,
    /// Out of base64.
    Base64Decode,
    /// Into base64.
    Base64Encode,
}

/// A way to write the bytes of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coding {
    /// How.
    pub way: Way,
    /// The bytes of what.
    pub charset: Charset,
}

fn build(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let way = match arguments.signature().name {
        "urlDecode" => Way::UrlDecode,
        "urlEncode" => Way::UrlEncode,
        "base64Decode" => Way::Base64Decode,
        _ => Way::Base64Encode,
    };
    let coding = Coding { way, charset: Charset::of(arguments) };
    Ok(RowFunction::Mapping(Mapping::new(arguments, Map::Coding(coding))))
}

impl Coding {
    /// Writes the answer for `value`; nothing where there is none.
    pub(crate) fn write(self, value: ValueRef<'_>, scratch: &mut String, out: &mut ColumnBuilder) {
        if let Some(text) = self.apply(value.text_in(scratch)) {
            out.text(&text);
        }
    }

    /// The answer for `text`.
    #[must_use]
    pub fn apply(self, text: &str) -> Option<String> {
        match self.way {
            Way::UrlDecode => self.charset.decode(url_decode(text)?),
            Way::UrlEncode => Some(url_encode(&self.charset.encode(text)?)),
            Way::Base64Decode => self.charset.decode(base64_decode(text)?),
            Way::Base64Encode => Some(base64_encode(&self.charset.encode(text)?)),
        }
    }
}

fn url_decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                out.push((high * 16 + low) as u8);
            }
            other => out.push(other),
        }
    }
    Some(out)
}

fn url_encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for byte in bytes.iter().copied() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(crate) fn base64_encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits =
            chunk.iter().zip([16, 8, 0]).fold(0_u32, |bits, (byte, shift)| bits | u32::from(*byte) << shift);
        for (place, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let letter = ALPHABET.get((bits >> shift & 63) as usize).copied().unwrap_or(b'=');
            out.push(if place <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

/// Reads either alphabet, with or without padding; line breaks are skipped.
fn base64_decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held) = (0_u32, 0);
    let body = text.trim_end_matches('=');
    if text.len() - body.len() > 2 {
        return None;
    }
    for byte in body.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n')) {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    // Six bits left over are half a byte, and bits set in what is left over belong to none.
    (held < 6 && bits == 0).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codings_and_what_they_refuse() {
        for (way, text, told) in [
            (Way::UrlDecode, "a%20b+c%C3%A6", Some("a b cæ")),
            (Way::UrlDecode, "100%", None),
            (Way::UrlDecode, "%zz", None),
            (Way::UrlDecode, "%ff", None),
            (Way::UrlDecode, "", Some("")),
            (Way::UrlEncode, "a b&æ", Some("a+b%26%C3%A6")),
            (Way::Base64Encode, "", Some("")),
            (Way::Base64Encode, "f", Some("Zg==")),
            (Way::Base64Encode, "fo", Some("Zm8=")),
            (Way::Base64Encode, "foo", Some("Zm9v")),
            (Way::Base64Decode, "Zm9v", Some("foo")),
            (Way::Base64Decode, "Zm8", Some("fo")),
            (Way::Base64Decode, "Zg==", Some("f")),
            (Way::Base64Decode, "Z", None),
            (Way::Base64Decode, "Zh==", None),
            (Way::Base64Decode, "Zg===", None),
            (Way::Base64Decode, "_w", None),
            (Way::Base64Decode, "Zm 9v", None),
        ] {
            let coding = Coding { way, charset: Charset::Utf8 };
            assert_eq!(coding.apply(text).as_deref(), told, "{way:?} {text}");
        }
        for (way, charset, text, told) in [
            (Way::Base64Decode, Charset::Utf16Little, "5gA92ADe", Some("æ😀")),
            (Way::Base64Decode, Charset::Utf16Big, "AOY=", Some("æ")),
            (Way::Base64Decode, Charset::Utf16Little, "5gA9", None),
            (Way::Base64Decode, Charset::Utf16Little, "PdgA", None),
            (Way::Base64Encode, Charset::Utf16Little, "æ😀", Some("5gA92ADe")),
            (Way::UrlDecode, Charset::Latin1, "%e6", Some("æ")),
            (Way::UrlEncode, Charset::Latin1, "æ", Some("%E6")),
            (Way::UrlEncode, Charset::Latin1, "😀", None),
        ] {
            assert_eq!(Coding { way, charset }.apply(text).as_deref(), told, "{way:?} {charset:?} {text}");
        }
    }
}
