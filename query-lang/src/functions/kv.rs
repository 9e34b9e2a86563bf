//! `kvParse`: `key=value` pairs in a text as fields.
//!
//! A key is a run of characters other than white space, quotes, brackets, `,`, `;` and the separator. A value is
//! quoted (`"` or `'`, a backslash taking the next character as it is) or runs to the next white space, without a
//! `,` or `;` at its end. What is no pair is passed over.

use std::sync::Arc;

use crate::error::Diagnostic;
use crate::functions::dynamic_fields::DynamicFields;
use crate::functions::json::MAX_PARSED_FIELDS;
use crate::functions::{Arguments, Build, Kind, Parameter, RowFunction, Scratch, Signature, Touches};
use crate::machine::{StepError, View};

/// The table of this family.
pub const SIGNATURES: &[Signature] = &[Signature {
    name: "kvParse",
    aliases: &[],
    parameters: &[
        Parameter::with_default("field", Kind::Texts, "@rawstring").aliased(&["fields"]),
        Parameter::optional("as", Kind::Text).aliased(&["prefix"]),
        Parameter::with_default("override", Kind::Bool, "false"),
        Parameter::with_default("onDuplicate", Kind::Choice(&["keepFirst", "keepLast"]), "keepLast"),
        Parameter::with_default("separator", Kind::Text, "="),
        Parameter::with_default("separatorPadding", Kind::Choice(&["unknown", "yes", "no"]), "unknown")
            .aliased(&["separator_padding"]),
        Parameter::with_default("excludeEmpty", Kind::Bool, "false"),
    ],
    build: Build::Row(build),
    doc: "The `key=value` pairs of a text as fields.",
}];

/// A compiled `kvParse`.
#[derive(Debug)]
pub struct ParseKeyValues {
    fields: Vec<Arc<str>>,
    prefix: Option<Arc<str>>,
    replace: bool,
    keep_first: bool,
    separator: Arc<str>,
    padding: bool,
    exclude_empty: bool,
}

fn build(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let separator = arguments.text_or_empty("separator");
    if separator.is_empty() {
        return Err(arguments.fault("separator", "the separator is empty"));
    }
    Ok(RowFunction::KeyValues(ParseKeyValues {
        fields: arguments.texts("field").to_vec(),
        prefix: arguments.text("as"),
        replace: arguments.is_true("override"),
        keep_first: *arguments.text_or_empty("onDuplicate") == *"keepFirst",
        separator,
        padding: *arguments.text_or_empty("separatorPadding") != *"no",
        exclude_empty: arguments.is_true("excludeEmpty"),
    }))
}

impl ParseKeyValues {
    /// Runs over the rows in play.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn apply(&self, view: &mut View<'_>, scratch: &mut Scratch) -> Result<(), StepError> {
        let columns: Result<Vec<_>, _> = self.fields.iter().map(|field| view.column(field)).collect();
        let columns = columns?;
        let mut outputs = DynamicFields::new(view, scratch);
        let mut known = hashbrown::HashMap::new();
        for row in view.selection().iter() {
            let mut pairs = Vec::new();
            for value in columns.iter().filter_map(|column| column.get(row)) {
                pairs.extend(self.pairs(value.text_in(&mut scratch.text)));
            }
            if !self.keep_first {
                // The first value written to a row stays, so the last one goes first.
                pairs.reverse();
            }
            for (name, text) in pairs {
                if !self.replace {
                    let before = match known.entry_ref(name.as_str()) {
                        hashbrown::hash_map::EntryRef::Occupied(entry) => entry.into_mut(),
                        hashbrown::hash_map::EntryRef::Vacant(entry) => entry.insert(view.column(&name)?),
                    };
                    if before.get(row).is_some() {
                        continue;
                    }
                }
                outputs.put(&name, row, &text)?;
            }
        }
        outputs.assign(view)
    }

    /// The pairs of `text`, in its order.
    #[must_use]
    pub fn pairs(&self, text: &str) -> Vec<(String, String)> {
        let mut pairs = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find(&*self.separator).filter(|_| pairs.len() < MAX_PARSED_FIELDS) {
            let (before, after) = rest.split_at(at);
            let after = after.get(self.separator.len()..).unwrap_or_default();
            let key = self.key(before);
            // `a = b` has white space on both sides; `a= b` is an empty value and the word `b`.
            let spaced = before.ends_with(char::is_whitespace);
            let after = if self.padding && spaced { after.trim_start() } else { after };
            let (value, left) = value(after);
            rest = left;
            let left_out = key.is_empty() || (self.exclude_empty && value.is_empty());
            if !left_out {
                let name =
                    self.prefix.as_ref().map_or_else(|| key.to_owned(), |prefix| format!("{prefix}.{key}"));
                pairs.push((name, value));
            }
        }
        pairs
    }

    /// The key at the end of what stands before a separator.
    fn key<'t>(&self, before: &'t str) -> &'t str {
        let before = if self.padding { before.trim_end() } else { before };
        let ends = |c: char| c.is_whitespace() || "\"',;()[]{}<>".contains(c);
        before.rsplit(ends).next().unwrap_or(before)
    }
}

/// The value at the front of `text`, and what is left.
fn value(text: &str) -> (String, &str) {
    let quote = text.chars().next().filter(|first| matches!(first, '"' | '\''));
    if let Some(quote) = quote {
        let mut value = String::new();
        let mut chars = text.char_indices().skip(1);
        while let Some((at, next)) = chars.next() {
            match next {
                '\\' => value.extend(chars.next().map(|(_, next)| next)),
                next if next == quote => return (value, text.get(at + 1..).unwrap_or_default()),
                next => value.push(next),
            }
        }
        // Without an end the quote is a character like others.
    }
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (value, rest) = text.split_at(end);
    (value.trim_end_matches([',', ';']).to_owned(), rest)
}

impl ParseKeyValues {
    /// Notes what it reads and writes.
    pub fn touches(&self, touches: &mut Touches) {
        self.fields.iter().for_each(|field| touches.read(field));
        touches.reads_all = true;
        touches.writes_any = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(separator: &str, padding: bool, text: &str) -> String {
        let parser = ParseKeyValues {
            fields: Vec::new(),
            prefix: None,
            replace: false,
            keep_first: false,
            separator: separator.into(),
            padding,
            exclude_empty: false,
        };
        parser.pairs(text).iter().map(|(name, value)| format!("[{name}={value}]")).collect()
    }

    #[test]
    fn pairs_are_found() {
        for (separator, padding, text, told) in [
            ("=", true, "a=1 b=two", "[a=1][b=two]"),
            ("=", true, r#"x a="b c" d='e "f"' g="h\"i""#, r#"[a=b c][d=e "f"][g=h"i]"#),
            ("=", true, "a=1, b=2; c=3,", "[a=1][b=2][c=3]"),
            ("=", true, "(k=v) [q=r]", "[k=v)][q=r]]"),
            ("=", true, "a = 1 b = 2", "[a=1][b=2]"),
            ("=", false, "a = 1", ""),
            ("=", true, "a= b=2", "[a=][b=2]"),
            ("=", true, "url=http://x/?q=1", "[url=http://x/?q=1]"),
            ("=", true, "=x", ""),
            ("=", true, "no pairs here", ""),
            ("=", true, "", ""),
            ("=", true, r#"a="open"#, r#"[a="open]"#),
            (":", true, "a:1 b:2", "[a=1][b=2]"),
            ("=>", true, "æ=>ø", "[æ=ø]"),
        ] {
            assert_eq!(shown(separator, padding, text), told, "{text}");
        }
    }
}
