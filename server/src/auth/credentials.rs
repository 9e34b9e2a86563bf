//! Reads an `Authorization` header: what clients of Humio, Splunk and Elastic send.

/// The longest header value that is looked at, in bytes.
pub const MAX_CREDENTIAL_BYTES: usize = 4096;

/// The tokens a header value may mean: one for `Bearer T` and `Splunk T`; user and password for `Basic`, since
/// shippers put the token in either. Empty when the scheme is unknown.
#[must_use]
pub fn candidates(header: &str) -> Vec<String> {
    if header.len() > MAX_CREDENTIAL_BYTES {
        return Vec::new();
    }
    let Some((scheme, rest)) = header.trim().split_once(' ') else { return Vec::new() };
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("splunk") {
        return vec![rest.to_owned()];
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Vec::new();
    }
    let Some(plain) = decode_base64(rest).and_then(|bytes| String::from_utf8(bytes).ok()) else {
        return Vec::new();
    };
    let (user, password) = plain.split_once(':').unwrap_or((&plain, ""));
    [user, password].iter().filter(|part| !part.is_empty()).map(|part| (*part).to_owned()).collect()
}

/// Base64 with the standard alphabet (RFC 4648 section 4), padding optional.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut held, mut bits) = (0_u32, 0_u32);
    for symbol in text.trim_end_matches('=').bytes() {
        let six = match symbol {
            b'A'..=b'Z' => symbol - b'A',
            b'a'..=b'z' => symbol - b'a' + 26,
            b'0'..=b'9' => symbol - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        held = (held << 6 | u32::from(six)) & 0xFFFF;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits & 0xFF) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_rfc_4648() {
        for (text, plain) in [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg", "foob"),
            ("Zm9vYmFy", "foobar"),
        ] {
            assert_eq!(decode_base64(text).as_deref(), Some(plain.as_bytes()), "{text}");
        }
        assert_eq!(decode_base64("Zm9*"), None);
    }

    #[test]
    fn schemes() {
        let table: [(&str, &[&str]); 7] = [
            ("Bearer abc", &["abc"]),
            ("SPLUNK  abc ", &["abc"]),
            ("Basic dXNlcjpwYXNz", &["user", "pass"]),
            ("Basic OnBhc3M=", &["pass"]),
            ("Digest abc", &[]),
            ("abc", &[]),
            ("Basic ***", &[]),
        ];
        for (header, expected) in table {
            assert_eq!(candidates(header), expected, "{header}");
        }
        assert!(candidates(&format!("Bearer {}", "x".repeat(MAX_CREDENTIAL_BYTES))).is_empty());
    }
}
