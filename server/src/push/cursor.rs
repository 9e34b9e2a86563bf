//! What a reader knows, as the id of an event: with it, a reader that comes back goes on where it was.
//!
//! Results of all channels are numbered in the order they are published. A reader that has everything up to a number is
//! told by that number alone; channels of which it knows less, because it was slow, are named besides. So an id is a
//! few bytes long for a reader that keeps up, and never longer than its list of metrics.
//!
//! ```text
//! run . set . number [ -channel : number ]…        all in base 36
//! ```

use std::fmt::Write as _;

const BASE: u32 = 36;

/// What a reader knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// Which run of the server its numbers are of.
    pub(super) run: u64,
    /// Which metrics the stream is of.
    pub(super) set: u64,
    /// Everything published up to here is known, but for what is behind.
    pub(super) known: u64,
    /// Channels of which less is known: their numbers, and up to where.
    pub(super) behind: Vec<(u64, u64)>,
}

impl Cursor {
    /// Reads an id; `None`: it is not one of ours.
    #[must_use]
    pub fn parse(text: &str) -> Option<Cursor> {
        let mut parts = text.trim().split('-');
        let mut head = parts.next()?.split('.').map(number);
        let (run, set, known) = (head.next()??, head.next()??, head.next()??);
        let pair =
            |part: &str| part.split_once(':').and_then(|(one, two)| Some((number(one)?, number(two)?)));
        let behind = parts.map(pair).take(super::MAX_STREAM_METRICS).collect::<Option<Vec<_>>>()?;
        head.next().is_none().then_some(Cursor { run, set, known, behind })
    }

    /// Up to where the channel of this number is known.
    pub(super) fn known_of(&self, channel: u64) -> u64 {
        let behind = self.behind.iter().find(|(number, _)| *number == channel);
        behind.map_or(self.known, |(_, known)| *known)
    }

    /// Appends the id.
    pub(super) fn write(&self, out: &mut String) {
        // Writing to a String cannot fail.
        let _ = write!(out, "{}.{}.{}", Shown(self.run), Shown(self.set), Shown(self.known));
        for (channel, known) in &self.behind {
            let _ = write!(out, "-{}:{}", Shown(*channel), Shown(*known));
        }
    }
}

fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric()).then(|| u64::from_str_radix(text, BASE).ok())?
}

/// A number in base 36.
struct Shown(u64);

impl std::fmt::Display for Shown {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut digits = Vec::with_capacity(13);
        let mut left = self.0;
        loop {
            let digit = u32::try_from(left % u64::from(BASE)).unwrap_or(0);
            digits.push(char::from_digit(digit, BASE).unwrap_or('0'));
            left /= u64::from(BASE);
            if left == 0 {
                break;
            }
        }
        digits.iter().rev().try_for_each(|digit| out.write_char(*digit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back() {
        for (cursor, text) in [
            (Cursor { run: 0, set: 35, known: 36, behind: vec![] }, "0.z.10"),
            (
                Cursor { run: u64::MAX, set: 1, known: 2, behind: vec![(3, 1), (40, 0)] },
                "3w5e11264sgsf.1.2-3:1-14:0",
            ),
        ] {
            let mut written = String::new();
            cursor.write(&mut written);
            assert_eq!(written, text);
            assert_eq!(Cursor::parse(text), Some(cursor));
        }
        for text in
            ["", "17", "1.2", "1.2.3.4", "1.2.3-4", "1.2.-3:4", "+1.2.3", "1.2.3-4:", "1.2.zzzzzzzzzzzzzz"]
        {
            assert_eq!(Cursor::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn channels_behind_are_known_less() {
        let cursor = Cursor::parse("1.1.a-5:3").unwrap();
        assert_eq!((cursor.known_of(5), cursor.known_of(6)), (3, 10));
    }
}
