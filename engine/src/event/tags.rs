//! The tags of an event: a few names and values that whole streams share.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, LazyLock};

/// A set of tags, sorted by name; names carry their `#`. Events share sets, so a batch keeps each once. There may be as
/// many sets as events, so one is a single piece of memory.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct TagSet {
    /// Each name and each value, behind its length.
    texts: Box<[u8]>,
    count: u32,
}

impl fmt::Debug for TagSet {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_map().entries(self.iter()).finish()
    }
}

/// The tags of a set that are still to come.
struct Tags<'a> {
    texts: &'a [u8],
    left: usize,
}

impl<'a> Tags<'a> {
    fn text(&mut self) -> &'a [u8] {
        let Some((len, rest)) = self.texts.split_first_chunk() else { return &[] };
        let (text, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize).unwrap_or_default();
        self.texts = rest;
        text
    }

    fn pair(&mut self) -> Option<(&'a [u8], &'a [u8])> {
        self.left = self.left.checked_sub(1)?;
        Some((self.text(), self.text()))
    }
}

/// A name with its `#`.
fn marked(name: &str) -> Cow<'_, str> {
    if name.starts_with('#') { name.into() } else { format!("#{name}").into() }
}

/// The text that was put in as one.
fn as_text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

impl<'a> Iterator for Tags<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<(&'a str, &'a str)> {
        self.pair().map(|(name, value)| (as_text(name), as_text(value)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Tags<'_> {}

impl TagSet {
    /// The set of these tags. A `#` is put before names that lack it; of equal names the last wins.
    #[must_use]
    pub fn new<N: AsRef<str>, V: AsRef<str>>(tags: impl IntoIterator<Item = (N, V)>) -> TagSet {
        let given: Vec<(N, V)> = tags.into_iter().collect();
        let mut tags: Vec<(Cow<'_, str>, &str)> =
            given.iter().map(|(name, value)| (marked(name.as_ref()), value.as_ref())).collect();
        // The last of equal names comes first, and is kept.
        tags.reverse();
        tags.sort_by(|one, other| one.0.cmp(&other.0));
        tags.dedup_by(|later, earlier| later.0 == earlier.0);
        let mut texts =
            Vec::with_capacity(tags.iter().map(|(name, value)| name.len() + value.len() + 8).sum());
        for text in tags.iter().flat_map(|(name, value)| [&**name, *value]) {
            texts.extend_from_slice(&(text.len() as u32).to_le_bytes());
            texts.extend_from_slice(text.as_bytes());
        }
        TagSet { texts: texts.into_boxed_slice(), count: tags.len() as u32 }
    }

    /// No tags; all that have none share them.
    #[must_use]
    pub fn none() -> Arc<TagSet> {
        static NONE: LazyLock<Arc<TagSet>> = LazyLock::new(Arc::default);
        Arc::clone(&NONE)
    }

    /// The value of the tag `name`, which carries its `#`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut tags = self.tags();
        std::iter::from_fn(|| tags.pair()).find(|tag| tag.0 == name.as_bytes()).map(|tag| as_text(tag.1))
    }

    fn tags(&self) -> Tags<'_> {
        Tags { texts: &self.texts, left: self.len() }
    }

    /// Names (with their `#`) and values, by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.tags()
    }

    /// How many tags.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// There are no tags.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes of memory held, with the counts of the `Arc` that sets are shared by.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.texts.len() + size_of::<TagSet>() + 2 * size_of::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_marked_sorted_and_unique() {
        let set = TagSet::new([("host", "a"), ("#app", "x"), ("#host", "b")]);
        assert_eq!(set.iter().collect::<Vec<_>>(), [("#app", "x"), ("#host", "b")]);
        assert_eq!(set.get("#host"), Some("b"));
        assert_eq!(set.get("host"), None);
        assert_eq!(set, TagSet::new([("#host", "b"), ("app", "x")]));
    }
}
