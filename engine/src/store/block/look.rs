//! Putting texts together and looking at them: for what cannot be told from what is stored.

use weir_query::record::Selection;

use super::GRANULE_ROWS;
use super::ask::{Ask, Fit};
use super::cursor::Cursor;
use super::needle::Needle;
use super::node::{Chunk, Kind, Node, Packed};
use super::section::Source;
use super::wire::Corrupt;

/// Which of the `wanted` values of `node` are as asked; `times` are those of the rows of all its values, where it is
/// a column of rows that has relative columns.
pub(super) fn look(
    node: &Node,
    ask: Ask,
    needle: &Needle,
    source: Source<'_>,
    wanted: &Selection,
    times: Option<&[i64]>,
) -> Result<Selection, Corrupt> {
    if let (Kind::Text { lengths, chunks, .. }, Fit::Inside) = (&node.kind, ask.fit) {
        return look_through(lengths, chunks, needle, source, wanted);
    }
    let mut found = Selection::none(wanted.rows());
    let mut texts = Vec::new();
    let mut starts: Vec<(usize, usize)> = Vec::new();
    for (group, words) in wanted.words().chunks(GRANULE_ROWS / 64).enumerate() {
        let Some(last) = words.iter().rposition(|word| *word != 0) else { continue };
        let first = group * GRANULE_ROWS + words.iter().take_while(|word| **word == 0).count() * 64;
        let range = first..(group * GRANULE_ROWS + (last + 1) * 64).min(wanted.rows());
        texts.clear();
        starts.clear();
        let own = times.and_then(|times| times.get(range.clone()));
        let mut cursor = Cursor::open(node, source, range.clone(), own)?;
        for value in range {
            if !wanted.contains(value) {
                cursor.skip()?;
                continue;
            }
            let start = texts.len();
            cursor.next(&mut texts)?;
            match ask.fit {
                Fit::Inside => starts.push((start, value)),
                _ => {
                    if ask.holds(needle, texts.get(start..).unwrap_or_default()) {
                        found.insert(value);
                    }
                    texts.clear();
                }
            }
        }
        each_hit(&texts, needle, &starts, |value| found.insert(value));
    }
    Ok(found)
}

/// Which of the `wanted` texts contain the literal, found in the chunks in which they lie end to end.
fn look_through(
    lengths: &Packed,
    chunks: &[Chunk],
    needle: &Needle,
    source: Source<'_>,
    wanted: &Selection,
) -> Result<Selection, Corrupt> {
    let mut found = Selection::none(wanted.rows());
    for (index, chunk) in chunks.iter().enumerate() {
        let values = chunk.first..chunks.get(index + 1).map_or(wanted.rows(), |next| next.first);
        let words = wanted.words().get(values.start / 64..values.end.div_ceil(64));
        if words.is_none_or(|words| words.iter().all(|word| *word == 0)) {
            continue;
        }
        let bytes = chunk.load(source)?;
        let Some(mut hit) = needle.find(bytes) else { continue };
        let mut end = 0usize;
        for (value, len) in values.clone().zip(lengths.values(source, values)?) {
            let len = usize::try_from(len).map_err(|_| Corrupt("text of no length"))?;
            end = bytes.len().min(end.saturating_add(len));
            if hit >= end {
                continue;
            }
            // A hit that goes on in the next text is none, and so are all that start in this one behind it.
            if hit + needle.len() <= end && wanted.contains(value) {
                found.insert(value);
            }
            let next = bytes.get(end..).and_then(|rest| needle.find(rest));
            let Some(next) = next else { break };
            hit = end + next;
        }
    }
    Ok(found)
}

/// Calls `each` with the place of every text that contains the literal. `starts`: where in `texts` each begins, and
/// its place.
pub(crate) fn each_hit(
    texts: &[u8],
    needle: &Needle,
    starts: &[(usize, usize)],
    mut each: impl FnMut(usize),
) {
    let mut at = 0;
    while let Some(hit) = texts.get(at..).and_then(|rest| needle.find(rest)) {
        let hit = at + hit;
        let index = starts.partition_point(|(start, _)| *start <= hit).saturating_sub(1);
        let end = starts.get(index + 1).map_or(texts.len(), |next| next.0);
        if hit + needle.len() <= end {
            if let Some((_, place)) = starts.get(index) {
                each(*place);
            }
            at = end;
        } else {
            at = hit + 1;
        }
    }
}
