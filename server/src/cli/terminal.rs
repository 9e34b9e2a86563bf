//! Text for a terminal: control codes made visible, so that an event cannot move the cursor or forge a prompt.

use std::borrow::Cow;
use std::io::IsTerminal;

/// `text` with control characters shown as `\n`, `\t`, `\x1b` ... Everything printable stays as it is.
///
/// C0 and C1 controls, DEL, and the bidirectional overrides that reorder what a reader sees are escaped.
#[must_use]
pub fn safe(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        match letter {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if is_unsafe(letter) && (letter as u32) < 0x100 => {
                out.push_str(&format!("\\x{:02x}", letter as u32))
            }
            _ if is_unsafe(letter) => out.push_str(&format!("\\u{{{:x}}}", letter as u32)),
            _ => out.push(letter),
        }
    }
    Cow::Owned(out)
}

/// Whether a terminal obeys `letter` instead of showing it.
#[must_use]
pub fn is_unsafe(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

/// Whether to colour what goes to standard output: only on a terminal, and never when `NO_COLOR` is set.
#[must_use]
pub fn colour_out() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Whether to colour what goes to standard error.
#[must_use]
pub fn colour_err() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_codes_become_visible() {
        for (text, shown) in [
            ("plain ü 漢", "plain ü 漢"),
            ("\u{1b}[2Jgone", "\\x1b[2Jgone"),
            ("a\r\nb\tc", "a\\r\\nb\\tc"),
            ("\u{9b}31m", "\\x9b31m"),
            ("abc\u{202e}txt.exe", "abc\\u{202e}txt.exe"),
            ("del\u{7f}", "del\\x7f"),
        ] {
            assert_eq!(safe(text), shown);
        }
    }
}
