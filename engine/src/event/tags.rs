//! The tags of an event: a few names and values that whole streams share.

use std::sync::Arc;

/// A set of tags, sorted by name; names carry their `#`. Events share sets, so a batch keeps each once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TagSet {
    tags: Vec<(Box<str>, Box<str>)>,
}

impl TagSet {
    /// The set of these tags. A `#` is put before names that lack it; of equal names the last wins.
    #[must_use]
    pub fn new<N: AsRef<str>, V: AsRef<str>>(tags: impl IntoIterator<Item = (N, V)>) -> TagSet {
        let mut set = TagSet::default();
        for (name, value) in tags {
            let name = name.as_ref();
            let name: Box<str> =
                if name.starts_with('#') { name.into() } else { format!("#{name}").into_boxed_str() };
            let value: Box<str> = value.as_ref().into();
            match set.tags.binary_search_by(|(known, _)| known.cmp(&name)) {
                Ok(at) => {
                    if let Some(tag) = set.tags.get_mut(at) {
                        tag.1 = value;
                    }
                }
                Err(at) => set.tags.insert(at, (name, value)),
            }
        }
        set
    }

    /// No tags.
    #[must_use]
    pub fn none() -> Arc<TagSet> {
        Arc::default()
    }

    /// The value of the tag `name`, which carries its `#`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let at = self.tags.binary_search_by(|(known, _)| (**known).cmp(name)).ok()?;
        self.tags.get(at).map(|(_, value)| &**value)
    }

    /// Names (with their `#`) and values, by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.tags.iter().map(|(name, value)| (&**name, &**value))
    }

    /// How many tags.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tags.len()
    }

    /// There are no tags.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tags.is_empty()
    }

    /// Bytes of memory held.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let text: usize = self.tags.iter().map(|(name, value)| name.len() + value.len()).sum();
        text + self.tags.len() * size_of::<(Box<str>, Box<str>)>()
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
