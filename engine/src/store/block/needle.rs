//! A literal that is looked for, exactly or in either case of its ASCII letters.

use std::ops::Range;

use memchr::memmem::Finder;

/// A literal, at least one byte.
pub(crate) struct Needle {
    literal: Vec<u8>,
    form: Form,
}

enum Form {
    Exact(Box<Finder<'static>>),
    /// Which byte of the literal is looked for first.
    EitherCase(usize),
}

/// Bytes from the most frequent in logs on; those that are not here are taken for rare.
const FREQUENT: &[u8] = b" e0taoinrsl1-2d3c:.4u5m6p7/8h9,g=\"_fybwvk";

impl Needle {
    /// Looks for `literal`; `None` when it is empty.
    pub(crate) fn exact(literal: &[u8]) -> Option<Needle> {
        let finder = || Form::Exact(Box::new(Finder::new(literal).into_owned()));
        (!literal.is_empty()).then(|| Needle { literal: literal.to_vec(), form: finder() })
    }

    /// Looks for `literal` in any case of its ASCII letters; `None` when it is empty.
    pub(crate) fn either_case(literal: &[u8]) -> Option<Needle> {
        let rank = |byte: &u8| FREQUENT.iter().position(|own| own.eq_ignore_ascii_case(byte));
        let rarity = |byte: &u8| rank(byte).unwrap_or(FREQUENT.len());
        let (rarest, _) = literal.iter().enumerate().max_by_key(|(_, byte)| rarity(byte))?;
        Some(Needle { literal: literal.to_vec(), form: Form::EitherCase(rarest) })
    }

    /// A needle of another literal, looked for in the same way; `None` when it is empty.
    pub(crate) fn alike(&self, literal: &[u8]) -> Option<Needle> {
        match self.form {
            Form::Exact(_) => Needle::exact(literal),
            Form::EitherCase(_) => Needle::either_case(literal),
        }
    }

    /// Bytes of the literal.
    pub(crate) fn len(&self) -> usize {
        self.literal.len()
    }

    /// The bytes of a part of the literal.
    pub(crate) fn part(&self, part: Range<usize>) -> &[u8] {
        self.literal.get(part).unwrap_or_default()
    }

    /// The case of its letters does not count.
    pub(crate) fn is_either_case(&self) -> bool {
        matches!(self.form, Form::EitherCase(_))
    }

    /// Where in `text` it first stands.
    #[inline]
    pub(crate) fn find(&self, text: &[u8]) -> Option<usize> {
        match &self.form {
            Form::Exact(finder) => finder.find(text),
            Form::EitherCase(rarest) => self.find_either_case(*rarest, text),
        }
    }

    fn find_either_case(&self, rarest: usize, text: &[u8]) -> Option<usize> {
        let byte = *self.literal.get(rarest)?;
        let (lower, upper) = (byte.to_ascii_lowercase(), byte.to_ascii_uppercase());
        let mut places = memchr::memchr2_iter(lower, upper, text.get(rarest..)?);
        places.find(|place| {
            let there = text.get(*place..*place + self.literal.len());
            there.is_some_and(|there| there.eq_ignore_ascii_case(&self.literal))
        })
    }

    /// Whether byte `at` of the literal is `byte`.
    #[inline]
    pub(crate) fn has_at(&self, at: usize, byte: u8) -> bool {
        let Some(own) = self.literal.get(at) else { return false };
        *own == byte || self.is_either_case() && own.eq_ignore_ascii_case(&byte)
    }

    /// Whether `text` is the part of the literal that starts at `at`.
    #[inline]
    pub(crate) fn fits(&self, at: usize, text: &[u8]) -> bool {
        let Some(own) = self.literal.get(at..at + text.len()) else { return false };
        match self.form {
            Form::Exact(_) => own == text,
            Form::EitherCase(_) => own.eq_ignore_ascii_case(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_case_is_found_where_it_first_stands() {
        for (literal, text, place) in [
            ("Circuit BREAKER", "the circuit Breaker is", Some(4)),
            ("a", "BAa", Some(1)),
            ("ab", "a", None),
            ("k", "\u{212a}", None),
            ("é1", "É1é1", Some(3)),
            ("=x", "a==X", Some(2)),
        ] {
            let needle = Needle::either_case(literal.as_bytes()).unwrap();
            assert_eq!(needle.find(text.as_bytes()), place, "{literal} in {text}");
        }
        assert!(Needle::either_case(b"").is_none() && Needle::exact(b"").is_none());
    }
}
