//! `urlDecode`, `urlEncode`, `base64Decode` and `base64Encode`. What does not decode to UTF-8 gives nothing.

use crate::error::Diagnostic;
use crate::functions::mapping::{Map, Mapping};
use crate::functions::{Arguments, Build, Kind, Parameter, RowFunction, Signature};
use crate::record::ColumnBuilder;
use crate::value::ValueRef;

const CHARSET: Parameter = Parameter::with_default("charset", Kind::Choice(&["UTF-8"]), "UTF-8");

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

/// A way to write text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// Percent escapes taken out.
    UrlDecode,
    /// Percent escapes put in.
    UrlEncode,
    /// Out of base64.
    Base64Decode,
    /// Into base64.
    Base64Encode,
}

fn build(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let coding = match arguments.signature().name {
        "urlDecode" => Coding::UrlDecode,
        "urlEncode" => Coding::UrlEncode,
        "base64Decode" => Coding::Base64Decode,
        _ => Coding::Base64Encode,
    };
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
        match self {
            Coding::UrlDecode => String::from_utf8(url_decode(text)?).ok(),
            Coding::UrlEncode => Some(url_encode(text)),
            Coding::Base64Decode => String::from_utf8(base64_decode(text)?).ok(),
            Coding::Base64Encode => Some(base64_encode(text.as_bytes())),
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

fn url_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
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
        for (coding, text, told) in [
            (Coding::UrlDecode, "a%20b+c%C3%A6", Some("a b cæ")),
            (Coding::UrlDecode, "100%", None),
            (Coding::UrlDecode, "%zz", None),
            (Coding::UrlDecode, "%ff", None),
            (Coding::UrlDecode, "", Some("")),
            (Coding::UrlEncode, "a b&æ", Some("a+b%26%C3%A6")),
            (Coding::Base64Encode, "", Some("")),
            (Coding::Base64Encode, "f", Some("Zg==")),
            (Coding::Base64Encode, "fo", Some("Zm8=")),
            (Coding::Base64Encode, "foo", Some("Zm9v")),
            (Coding::Base64Decode, "Zm9v", Some("foo")),
            (Coding::Base64Decode, "Zm8", Some("fo")),
            (Coding::Base64Decode, "Zg==", Some("f")),
            (Coding::Base64Decode, "Z", None),
            (Coding::Base64Decode, "Zh==", None),
            (Coding::Base64Decode, "Zg===", None),
            (Coding::Base64Decode, "_w", None),
            (Coding::Base64Decode, "Zm 9v", None),
        ] {
            assert_eq!(coding.apply(text).as_deref(), told, "{coding:?} {text}");
        }
    }
}
