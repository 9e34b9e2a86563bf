//! A literal that is looked for, exactly or in either case of its ASCII letters.

use memchr::memmem::Finder;

/// Longest literal of which it is worked out whether it can reach over the border of a piece: positions are bits.
pub(crate) const POSITIONS_MAX: usize = 128;

/// A literal, at least one byte.
pub(crate) struct Needle {
    literal: Vec<u8>,
    form: Form,
    /// For every byte the positions of the literal at which it may stand.
    positions: Box<[u128; 256]>,
}

enum Form {
    Exact(Box<Finder<'static>>),
    EitherCase(regex::bytes::Regex),
}

impl Needle {
    /// Looks for `literal`; `None` when it is empty.
    pub(crate) fn exact(literal: &[u8]) -> Option<Needle> {
        let form = Form::Exact(Box::new(Finder::new(literal).into_owned()));
        Needle::of(literal, form, |own, byte| own == byte)
    }

    /// Looks for `literal` in any case of its ASCII letters; `None` when it is empty or not UTF-8.
    pub(crate) fn either_case(literal: &[u8]) -> Option<Needle> {
        let pattern = regex::escape(std::str::from_utf8(literal).ok()?);
        let mut builder = regex::bytes::RegexBuilder::new(&pattern);
        let regex = builder.unicode(false).case_insensitive(true).build().ok()?;
        Needle::of(literal, Form::EitherCase(regex), |own, byte| own.eq_ignore_ascii_case(&byte))
    }

    fn of(literal: &[u8], form: Form, same: impl Fn(u8, u8) -> bool) -> Option<Needle> {
        if literal.is_empty() {
            return None;
        }
        let mut positions = Box::new([0u128; 256]);
        for (at, own) in literal.iter().enumerate().take(POSITIONS_MAX) {
            for (byte, slot) in positions.iter_mut().enumerate() {
                *slot |= u128::from(same(*own, byte as u8)) << at;
            }
        }
        Some(Needle { literal: literal.to_vec(), form, positions })
    }

    /// Bytes of the literal.
    pub(crate) fn len(&self) -> usize {
        self.literal.len()
    }

    /// Where in `text` it first stands.
    #[inline]
    pub(crate) fn find(&self, text: &[u8]) -> Option<usize> {
        match &self.form {
            Form::Exact(finder) => finder.find(text),
            Form::EitherCase(regex) => regex.find(text).map(|found| found.start()),
        }
    }

    /// The positions below [`POSITIONS_MAX`] at which `byte` may stand, as bits.
    #[inline]
    pub(crate) fn positions(&self, byte: u8) -> u128 {
        self.positions.get(usize::from(byte)).copied().unwrap_or(0)
    }

    /// Whether `byte` may stand at position `at`.
    pub(crate) fn fits(&self, at: usize, byte: u8) -> bool {
        let same = |own: &u8| match self.form {
            Form::Exact(_) => *own == byte,
            Form::EitherCase(_) => own.eq_ignore_ascii_case(&byte),
        };
        self.literal.get(at).is_some_and(same)
    }

    /// Whether it has a byte, in each case that counts, that `never` occurs.
    pub(crate) fn needs_one(&self, never: impl Fn(u8) -> bool) -> bool {
        self.literal.iter().any(|byte| match self.form {
            Form::Exact(_) => never(*byte),
            Form::EitherCase(_) => never(byte.to_ascii_lowercase()) && never(byte.to_ascii_uppercase()),
        })
    }
}
