//! One thing that may stand at the cursor, and how well it fits what is written there.

use super::position::Range;

/// Something that may stand at the cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What it is called.
    pub label: String,
    /// What it is.
    pub kind: ItemKind,
    /// What comes into the text: quoted where it must be, calls with their `(`, parameters with their `=`.
    pub insert: String,
    /// What it replaces: the word that the cursor is in.
    pub replace: Range,
    /// One line: a signature, how often a field is seen.
    pub detail: String,
    /// What it does, where that is known.
    pub documentation: Option<String>,
}

/// What an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ItemKind {
    /// A parameter of the call around.
    Parameter,
    /// One of the words that a parameter takes.
    Choice,
    /// A value that the field has.
    Value,
    /// A field.
    Field,
    /// A lookup table.
    Table,
    /// A column of one.
    Column,
    /// A saved query.
    SavedQuery,
    /// A parameter of the query.
    QueryParameter,
    /// A function.
    Function,
    /// A word of the language.
    Keyword,
}

impl ItemKind {
    /// A stable word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            ItemKind::Parameter => "parameter",
            ItemKind::Choice => "choice",
            ItemKind::Value => "value",
            ItemKind::Field => "field",
            ItemKind::Table => "table",
            ItemKind::Column => "column",
            ItemKind::SavedQuery => "saved-query",
            ItemKind::QueryParameter => "query-parameter",
            ItemKind::Function => "function",
            ItemKind::Keyword => "keyword",
        }
    }
}

/// How well `label` fits what has been written, less being better; `None`: not at all. `typed` is in small letters.
pub(super) fn fit(label: &str, typed: &str) -> Option<u8> {
    if typed.is_empty() {
        return Some(0);
    }
    let begins = |text: &str| {
        text.get(..typed.len()).is_some_and(|start| start.eq_ignore_ascii_case(typed))
            || text.to_lowercase().starts_with(typed)
    };
    if begins(label) {
        return Some(0);
    }
    // A member without its family, an inner field without those around, a tag without its sign.
    let ends = label.match_indices([':', '.', '#', '@', '_', '/', '-']);
    if ends.into_iter().any(|(at, sign)| label.get(at + sign.len()..).is_some_and(begins)) {
        return Some(1);
    }
    label.to_lowercase().contains(typed).then_some(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings_fit_better_than_middles() {
        for (label, typed, expect) in [
            ("groupBy", "gr", Some(0)),
            ("time:hour", "hour", Some(1)),
            ("#service", "ser", Some(1)),
            ("geo.city", "ci", Some(1)),
            ("timeChart", "chart", Some(2)),
            ("\u{c4}pfel", "\u{e4}p", Some(0)),
            ("count", "x", None),
            ("count", "", Some(0)),
        ] {
            assert_eq!(fit(label, typed), expect, "{label} {typed}");
        }
    }
}
