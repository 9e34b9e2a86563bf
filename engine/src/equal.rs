//! Whether two texts are the same, found out where they are asked for.
//!
//! What is compared by the million (values of columns, pieces of skeletons) is mostly shorter than 32 bytes: the call
//! of `memcmp`, and its way to the right length, take longer than the two or four words there are to compare.

/// Whether `one` and `other` are the same bytes.
#[inline]
pub(crate) fn is_same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    match one.len() {
        0 => true,
        1..4 => ends_alike::<1>(one, other) && middle(one) == middle(other),
        4..8 => ends_alike::<4>(one, other),
        8..16 => ends_alike::<8>(one, other),
        16..=32 => ends_alike::<16>(one, other),
        _ => one == other,
    }
}

/// Whether `text` begins with `piece`.
#[inline]
pub(crate) fn begins_with(text: &[u8], piece: &[u8]) -> bool {
    text.get(..piece.len()).is_some_and(|start| is_same(start, piece))
}

/// Whether the first and the last `N` bytes are the same; together they are all, where there are `N` to twice as many.
#[inline]
fn ends_alike<const N: usize>(one: &[u8], other: &[u8]) -> bool {
    let starts = one.first_chunk::<N>() == other.first_chunk::<N>();
    starts & (one.last_chunk::<N>() == other.last_chunk::<N>())
}

/// The byte in the middle.
#[inline]
fn middle(text: &[u8]) -> Option<&u8> {
    text.get(text.len() / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_every_length_are_told_apart_by_any_byte() {
        for len in 0..80usize {
            let one: Vec<u8> = (0..len as u8).collect();
            let mut other = one.clone();
            assert!(is_same(&one, &other), "{len}");
            for at in 0..len {
                other[at] ^= 0x40;
                assert!(!is_same(&one, &other), "{len}, byte {at}");
                other[at] ^= 0x40;
            }
            other.push(0);
            assert!(!is_same(&one, &other) && !is_same(&other, &one), "{len}");
            assert!(begins_with(&other, &one) && !begins_with(&one, &other), "{len}");
        }
    }
}
