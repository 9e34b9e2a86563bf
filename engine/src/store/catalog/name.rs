//! What a repository may be called.

use crate::error::EngineError;

/// Longest name, in bytes.
pub(crate) const BYTES_MAX: usize = 100;

/// Checks a repository's name: letters, digits, `-`, `_` and `.`, not starting with a dot. Names never become paths;
/// they are kept short and plain because they stand in addresses and tags.
///
/// # Errors
/// [`EngineError::InvalidName`], with the reason.
pub(crate) fn check(name: &str) -> Result<(), EngineError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let reason = if name.is_empty() {
        "it is empty"
    } else if name.len() > BYTES_MAX {
        "it is longer than 100 bytes"
    } else if name.starts_with('.') {
        "it starts with a dot"
    } else if !name.bytes().all(plain) {
        "only letters, digits, '-', '_' and '.' are allowed"
    } else {
        return Ok(());
    };
    Err(EngineError::InvalidName { name: name.chars().take(BYTES_MAX).collect(), reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        let longest = "a".repeat(BYTES_MAX);
        for good in ["default", "a", "Web-1_x.y", &longest] {
            assert!(check(good).is_ok(), "{good}");
        }
        let too_long = "a".repeat(BYTES_MAX + 1);
        for bad in ["", ".", "..", ".a", "a/b", "a b", "ä", "a\0", "..\\x", &too_long] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
    }
}
