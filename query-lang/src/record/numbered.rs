//! Texts that differ in one number: `user17`, `node-4.example`.

/// Numbers from here on are not read. It bounds arrays that have a place a number.
pub const NUMBERED_BELOW: u32 = 1 << 20;
/// Digits that such a number has at most.
const DIGITS_MAX: usize = 7;

/// The numbers of texts all of which have the same text before their number and the same behind it. Numbers are in
/// plain decimal form, so that different texts have different numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbered {
    before: Box<str>,
    behind: Box<str>,
    numbers: Box<[u32]>,
    greatest: u32,
}

impl Numbered {
    /// The numbers of `texts`; `None` when one of them has none, or another text around it, or there are no texts.
    pub(super) fn of<'a>(mut texts: impl Iterator<Item = Option<&'a str>> + Clone) -> Option<Numbered> {
        let mut rest = texts.clone();
        let first = rest.next()??;
        let end = first.rfind(|letter: char| letter.is_ascii_digit())? + 1;
        let start = first.get(..end)?.trim_end_matches(|letter: char| letter.is_ascii_digit()).len();
        let (before, behind) = (first.get(..start)?, first.get(end..)?);
        let number = |text: Option<&str>| plain(text?.strip_prefix(before)?.strip_suffix(behind)?);
        let numbers: Box<[u32]> = texts.by_ref().map(number).collect::<Option<_>>()?;
        let greatest = numbers.iter().copied().max()?;
        Some(Numbered { before: before.into(), behind: behind.into(), numbers, greatest })
    }

    /// What texts have before their number, and behind it.
    #[must_use]
    pub fn around(&self) -> (&str, &str) {
        (&self.before, &self.behind)
    }

    /// The number of each text, below [`NUMBERED_BELOW`].
    #[must_use]
    pub fn numbers(&self) -> &[u32] {
        &self.numbers
    }

    /// The greatest of them.
    #[must_use]
    pub fn greatest(&self) -> u32 {
        self.greatest
    }
}

/// The number that `text` is the plain decimal form of.
pub(crate) fn plain(text: &str) -> Option<u32> {
    let digits = text.as_bytes();
    if digits.len() > DIGITS_MAX || digits.is_empty() || (digits.len() > 1 && digits.starts_with(b"0")) {
        return None;
    }
    let mut number = 0;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number * 10 + u32::from(digit);
    }
    (number < NUMBERED_BELOW).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_their_numbers() {
        let check = |texts: &[&str], expected: Option<(&str, &str, &[u32])>| {
            let found = Numbered::of(texts.iter().copied().map(Some));
            let found = found.as_ref().map(|own| (own.around().0, own.around().1, own.numbers()));
            assert_eq!(found, expected, "{texts:?}");
        };
        check(&["user17", "user0", "user4"], Some(("user", "", &[17, 0, 4])));
        check(&["h2-4.lan", "h2-15.lan"], Some(("h2-", ".lan", &[4, 15])));
        check(&["7", "8"], Some(("", "", &[7, 8])));
        check(&["né7ü", "né8ü"], Some(("né", "ü", &[7, 8])));
        check(&["user17", "user017"], None);
        check(&["user17", "user"], None);
        check(&["user", "user17"], None);
        check(&["user17", "host17"], None);
        check(&["user+17", "user18"], None);
        check(&["user18", "user+17"], None);
        check(&["a1b2", "a2b2"], None);
        check(&["a1a", "a"], None);
        check(&[], None);
        check(&["x1048575"], Some(("x", "", &[NUMBERED_BELOW - 1])));
        check(&["x1048576"], None);
        check(&["x99999999999999999999"], None);
        assert_eq!(Numbered::of([Some("a1"), None].into_iter()), None);
    }
}
