//! The labels of a series.

use std::collections::BTreeMap;
use std::sync::Arc;

/// The label that holds the name.
pub(super) const NAME: &str = "__name__";

/// Names and values of labels. Cloning shares them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels(Arc<BTreeMap<String, String>>);

impl Labels {
    /// The value of a label; empty where there is none, which is the same to Prometheus.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// Names and values, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// All labels but the name.
    #[must_use]
    pub(super) fn without_name(&self) -> Labels {
        match self.0.contains_key(NAME) {
            true => self.filter(|label| label != NAME),
            false => self.clone(),
        }
    }

    /// Those whose names pass.
    pub(super) fn filter(&self, mut passes: impl FnMut(&str) -> bool) -> Labels {
        self.iter().filter(|(name, _)| passes(name)).collect()
    }

    /// As a JSON object.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        for (at, (name, value)) in self.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            crate::encode::write_string(name, out);
            out.push(b':');
            crate::encode::write_string(value, out);
        }
        out.push(b'}');
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Labels {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(pairs: I) -> Labels {
        let there = pairs.into_iter().filter(|(_, value)| !value.is_empty());
        Labels(Arc::new(there.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()))
    }
}

/// A label's name as Prometheus allows it.
pub(super) fn label_name(field: &str) -> String {
    sanitised(field, false)
}

/// `name` with an underscore for each character that a name may not have.
pub(super) fn sanitised(name: &str, colons: bool) -> String {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || colons && letter == ':';
    let mut out: String = name.chars().map(|letter| if fits(letter) { letter } else { '_' }).collect();
    if out.is_empty() || out.starts_with(|letter: char| letter.is_ascii_digit()) {
        out.insert(0, '_');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_to_fit() {
        for (field, name) in [
            ("service", "service"),
            ("#type", "_type"),
            ("resp.status", "resp_status"),
            ("2nd", "_2nd"),
            ("", "_"),
            ("a:b", "a_b"),
            ("ü", "_"),
        ] {
            assert_eq!(label_name(field), name);
        }
        assert_eq!(sanitised("a:b", true), "a:b");
    }

    #[test]
    fn empty_values_are_none() {
        let labels: Labels = [("b", "2"), ("a", "1"), ("c", "")].into_iter().collect();
        assert_eq!(labels.iter().collect::<Vec<_>>(), [("a", "1"), ("b", "2")]);
        let mut out = Vec::new();
        labels.write_json(&mut out);
        assert_eq!(out, br#"{"a":"1","b":"2"}"#);
    }
}
