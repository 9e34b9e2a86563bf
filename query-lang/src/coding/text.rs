//! Texts by what they add to the one before.

use super::{DecodeError, Reader, SHORT, write_varint};

/// Most bytes that a text repeats of the one before it: so many times as long as the bytes that tell of it a text can
/// become.
pub(super) const SHARED_MAX: usize = 127;

/// A cell without a value, and how many follow.
const GAP: u64 = 0;

const UTF8: DecodeError = DecodeError::Damaged("a text is not UTF-8");

/// The bytes that `text` has in common with the beginning of `before`, no more than may be repeated, whole characters.
fn shared(before: &str, text: &str) -> usize {
    let same = before.bytes().zip(text.bytes()).take(SHARED_MAX).take_while(|(a, b)| a == b).count();
    text.floor_char_boundary(same)
}

/// Appends `text`, which comes after `before`.
pub(crate) fn write_text(before: &str, text: &str, out: &mut Vec<u8>) {
    let shared = shared(before, text);
    write_varint(head(shared, text), out);
    out.extend_from_slice(text.as_bytes().get(shared..).unwrap_or_default());
}

fn head(shared: usize, text: &str) -> u64 {
    ((text.len() - shared) as u64) << 7 | shared as u64
}

/// Makes of `text` the text that comes after it.
pub(crate) fn read_text(text: &mut String, from: &mut Reader<'_>) -> Result<(), DecodeError> {
    let head = from.varint()?;
    read_behind(head, text, from)
}

fn read_behind(head: u64, text: &mut String, from: &mut Reader<'_>) -> Result<(), DecodeError> {
    let shared = (head & SHARED_MAX as u64) as usize;
    if !text.is_char_boundary(shared) {
        return Err(DecodeError::Damaged("a text repeats more than there is"));
    }
    let more = from.take(usize::try_from(head >> 7).map_err(|_| SHORT)?)?;
    let more = std::str::from_utf8(more).map_err(|_| UTF8)?;
    text.truncate(shared);
    text.push_str(more);
    Ok(())
}

/// Appends a text, or that there is none.
pub(crate) fn write_option(text: Option<&str>, out: &mut Vec<u8>) {
    match text {
        None => write_varint(0, out),
        Some(text) => {
            write_varint(text.len() as u64 + 1, out);
            out.extend_from_slice(text.as_bytes());
        }
    }
}

/// Reads a text, or that there is none.
pub(crate) fn read_option(from: &mut Reader<'_>) -> Result<Option<Box<str>>, DecodeError> {
    let Some(length) = from.varint()?.checked_sub(1) else { return Ok(None) };
    let bytes = from.take(usize::try_from(length).map_err(|_| SHORT)?)?;
    std::str::from_utf8(bytes).map(|text| Some(text.into())).map_err(|_| UTF8)
}

/// Appends the values `cells` of a column of `rows` rows: row and text, ascending. Runs of rows without a value are told
/// as such.
pub(crate) fn write_cells<'a>(cells: impl Iterator<Item = (usize, &'a str)>, rows: usize, out: &mut Vec<u8>) {
    let (mut before, mut next) = ("", 0);
    let gap = |from: usize, to: usize, out: &mut Vec<u8>| {
        if from < to {
            write_varint(GAP, out);
            write_varint((to - from) as u64, out);
        }
    };
    for (row, text) in cells {
        gap(next, row, out);
        let shared = shared(before, text);
        write_varint(head(shared, text) + 1, out);
        out.extend_from_slice(text.as_bytes().get(shared..).unwrap_or_default());
        (before, next) = (text, row + 1);
    }
    gap(next, rows, out);
}

/// Reads the values of a column of `rows` rows, and gives each to `take`.
pub(crate) fn read_cells(
    rows: usize,
    from: &mut Reader<'_>,
    mut take: impl FnMut(usize, &str),
) -> Result<(), DecodeError> {
    let (mut text, mut row) = (String::new(), 0);
    while row < rows {
        match from.varint()?.checked_sub(GAP + 1) {
            Some(head) => {
                read_behind(head, &mut text, from)?;
                take(row, &text);
                row += 1;
            }
            None => {
                let gap = usize::try_from(from.varint()?).map_err(|_| SHORT)?;
                if gap == 0 || gap > rows - row {
                    return Err(DecodeError::Damaged("a gap is longer than its column"));
                }
                row += gap;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts() -> impl Strategy<Value = Vec<Option<String>>> {
        let text =
            prop_oneof!["[ab]{0,4}", "é{0,3}ñ?", (100_usize..300).prop_map(|length| "é".repeat(length))];
        prop::collection::vec(prop::option::of(text), 0..12)
    }

    proptest! {
        #[test]
        fn texts_come_back(texts in texts()) {
            let mut bytes = Vec::new();
            let cells = texts.iter().enumerate().filter_map(|(row, text)| Some((row, text.as_deref()?)));
            write_cells(cells, texts.len(), &mut bytes);
            let mut found = vec![None; texts.len()];
            let mut from = Reader::new(&bytes);
            read_cells(texts.len(), &mut from, |row, text| found[row] = Some(text.to_owned())).unwrap();
            prop_assert_eq!(from.finish(), Ok(()));
            prop_assert_eq!(&found, &texts);

            let plain: Vec<&String> = texts.iter().flatten().collect();
            let mut bytes = Vec::new();
            let mut before = "";
            for text in &plain {
                write_text(before, text, &mut bytes);
                before = text;
            }
            let mut from = Reader::new(&bytes);
            let mut text = String::new();
            for wanted in &plain {
                read_text(&mut text, &mut from).unwrap();
                prop_assert_eq!(&text, *wanted);
            }
            prop_assert_eq!(from.finish(), Ok(()));
        }

        #[test]
        fn damage_is_an_error(bytes in prop::collection::vec(any::<u8>(), 0..40), rows in 0_usize..6) {
            let mut long = 0;
            let read = read_cells(rows, &mut Reader::new(&bytes), |_, text| long += text.len());
            prop_assert!(long <= bytes.len() + rows * SHARED_MAX, "{:?}", read);
        }
    }

    #[test]
    fn little_of_a_text_is_repeated() {
        for (length, bytes) in [(SHARED_MAX, 1), (SHARED_MAX + 1, 3)] {
            let text = "a".repeat(length);
            let mut out = Vec::new();
            write_text(&text, &text, &mut out);
            assert_eq!(out.len(), bytes, "{length}");
        }
        let mut text = "é".to_owned();
        assert!(read_text(&mut text, &mut Reader::new(&[1])).is_err(), "half a character");
        assert!(read_text(&mut text, &mut Reader::new(&[3])).is_err(), "more than there is");
    }
}
