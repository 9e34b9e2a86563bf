//! Texts as JSON strings.

use super::pen::Pen;

/// Bytes looked at together.
const CHUNK: usize = 16;
/// Bytes escaped together.
const WORD: usize = 8;
/// Room for a word escaped, and for what is written too much.
const MADE: usize = 3 * WORD;
/// What stands behind the backslash for a byte: 0 where the byte stands for itself, `u` where it is spelled out.
#[allow(clippy::indexing_slicing, reason = "evaluated at compile time")]
const ESCAPES: [u8; 256] = {
    let mut escapes = [0; 256];
    let mut byte = 0;
    while byte < 0x20 {
        escapes[byte] = b'u';
        byte += 1;
    }
    escapes[b'\n' as usize] = b'n';
    escapes[b'\r' as usize] = b'r';
    escapes[b'\t' as usize] = b't';
    escapes[b'"' as usize] = b'"';
    escapes[b'\\' as usize] = b'\\';
    escapes
};

/// Appends `text` as a JSON string.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    let mut pen = Pen::take(out);
    string(text, &mut pen);
    pen.leave(out);
}

/// As [`write_string`].
pub(super) fn string(text: &str, pen: &mut Pen) {
    pen.byte(b'"');
    escaped(text.as_bytes(), pen);
    pen.byte(b'"');
}

/// Appends what stands between the quotes of a JSON string.
pub(super) fn escaped(text: &[u8], out: &mut Pen) {
    let (chunks, rest) = text.as_chunks::<CHUNK>();
    let plain = chunks.iter().take_while(|chunk| is_plain(*chunk)).count();
    if plain == chunks.len() && is_plain(rest) {
        return out.put(text);
    }
    let (before, rest) = text.split_at_checked(plain * CHUNK).unwrap_or_default();
    out.put(before);
    let (words, rest) = rest.as_chunks::<WORD>();
    for word in words {
        escape(*word, WORD, out);
    }
    let mut last = [b' '; WORD];
    last.iter_mut().zip(rest).for_each(|(into, byte)| *into = *byte);
    escape(last, rest.len(), out);
}

/// No byte needs an escape. Without an exit in the middle, so that it is done for many bytes at once.
#[inline]
pub(super) fn is_plain(text: &[u8]) -> bool {
    let special = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
    !text.iter().fold(false, |any, byte| any | special(byte))
}

/// The highest bit of each byte of `word` that needs an escape, first byte lowest; after the zero-byte tests of Warren,
/// Hacker's Delight, section 6-1, which are exact.
#[inline]
fn specials(word: u64) -> u64 {
    const EACH: u64 = u64::from_ne_bytes([1; WORD]);
    const LOW: u64 = EACH * 0x7f;
    let equal = |byte: u8| {
        let other = word ^ (EACH * u64::from(byte));
        !(((other & LOW) + LOW) | other | LOW)
    };
    // Below 32 neither the sum nor the byte itself has its highest bit set.
    let control = !(((word & LOW) + EACH * 0x60) | word) & !LOW;
    equal(b'"') | equal(b'\\') | control
}

/// Escapes the first `count` bytes of `word`; the others are plain. Where escapes are as frequent as in JSON inside of
/// JSON, what stands before one is not copied byte by byte: all that is left is written, and written over from behind
/// the escape on.
#[inline]
fn escape(word: [u8; WORD], count: usize, out: &mut Pen) {
    let mut left = u64::from_le_bytes(word);
    let mut special = specials(left);
    let (mut made, mut len, mut done) = ([0u8; MADE], 0, 0);
    while special != 0 {
        let plain = special.trailing_zeros() / 8;
        put(&mut made, len, left);
        len += plain as usize;
        left >>= 8 * plain;
        let byte = left as u8;
        let letter = ESCAPES.get(usize::from(byte)).copied().unwrap_or_default();
        if letter == b'u' {
            return spell(word.get(..count).unwrap_or_default(), out);
        }
        put(&mut made, len, u64::from_le_bytes([b'\\', letter, 0, 0, 0, 0, 0, 0]));
        len += 2;
        left >>= 8;
        special = special >> (8 * plain) >> 8;
        done += plain as usize + 1;
    }
    put(&mut made, len, left);
    out.put_part(&made, len + count - done);
}

/// Puts a word at `at`, at most twice its length.
#[inline]
#[allow(clippy::indexing_slicing, reason = "a word behind the greatest place is inside")]
fn put(made: &mut [u8; MADE], at: usize, word: u64) {
    made[at.min(2 * WORD)..][..WORD].copy_from_slice(&word.to_le_bytes());
}

/// As [`escape`], byte by byte, where some have to be spelled out.
#[cold]
fn spell(text: &[u8], out: &mut Pen) {
    for byte in text {
        match ESCAPES.get(usize::from(*byte)) {
            None | Some(0) => out.byte(*byte),
            Some(b'u') => out.put(format!("\\u{byte:04x}").as_bytes()),
            Some(letter) => out.put(&[b'\\', *letter]),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The plain way to write a string: character by character, as this module's first version did.
    fn slow_string(text: &str) -> String {
        let escaped = |letter: char| match letter {
            '"' => "\\\"".to_owned(),
            '\\' => "\\\\".to_owned(),
            '\n' => "\\n".to_owned(),
            '\r' => "\\r".to_owned(),
            '\t' => "\\t".to_owned(),
            '\0'..='\x1f' => format!("\\u{:04x}", letter as u32),
            plain => plain.to_string(),
        };
        format!("\"{}\"", text.chars().map(escaped).collect::<String>())
    }

    pub(crate) fn any_text() -> impl Strategy<Value = String> {
        prop_oneof!["\\PC*", "[\\x00-\\x7f]*", "[a-z0-9 ]{0,80}", "(\"[a-z]{0,9}\":[0-9]{1,4},){0,20}"]
    }

    #[test]
    fn words_of_escapes_alone_are_escaped() {
        for text in ["\"".repeat(23), "\\\"\n\t\r".repeat(9), "a\"".repeat(20), "\u{1}\"".repeat(9)] {
            for end in 0..=text.len() {
                let (text, mut out) = (text.get(..end).unwrap(), Vec::new());
                write_string(text, &mut out);
                assert_eq!(std::str::from_utf8(&out).unwrap(), slow_string(text));
            }
        }
    }

    proptest! {
        #[test]
        fn strings_read_back(text in any_text()) {
            let mut out = Vec::new();
            write_string(&text, &mut out);
            prop_assert_eq!(std::str::from_utf8(&out).unwrap(), slow_string(&text));
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
    }
}
