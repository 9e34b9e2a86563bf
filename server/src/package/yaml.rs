//! YAML as packages use it: one document of maps, lists and texts, each text with the line it stands on.
//!
//! Anchors, aliases and tags are no part of it: a file with an alias is refused, so that no small file stands for much.

use saphyr_parser::{Event, Parser, ScalarStyle};

/// The most values of a file.
pub(super) const MAX_YAML_VALUES: usize = 200_000;
/// The deepest nesting.
pub(super) const MAX_YAML_DEPTH: usize = 64;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Text(Text),
    List(Vec<Value>),
    /// In the order of the file; of equal keys the last counts.
    Map(Vec<(String, Value)>),
}

/// A text, number or truth value, as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) text: String,
    /// The line on which its first line stands, from 1.
    pub(super) line: usize,
    /// The column of the file at which its lines begin, from 0; `None` where lines of the text are not lines of the file.
    pub(super) column: Option<usize>,
}

/// What is wrong with a file, and on which line.
pub(super) type YamlFault = (usize, String);

/// A list or map that is being read.
enum Open {
    List(Vec<Value>),
    Map(Vec<(String, Value)>, Option<String>),
}

/// Reads a document.
///
/// # Errors
/// When it is no YAML, has aliases or more than one document, or is too large.
pub(super) fn read(text: &str) -> Result<Value, YamlFault> {
    let mut open: Vec<Open> = Vec::new();
    let mut whole = None;
    let mut values = 0;
    let lines: Vec<&str> = text.lines().collect();
    let mut cursor = Cursor { chars: 0, rest: text };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| (error.marker().line(), error.info().to_owned()))?;
        let line = span.start.line();
        let value = match event {
            Event::Scalar(text, style, _, _) => {
                let at = cursor.advance(span.start.index());
                Value::Text(placed(text.into_owned(), style, (line, span.start.col()), at, &lines))
            }
            Event::SequenceStart(..) => {
                open.push(Open::List(Vec::new()));
                within(open.len(), line)?;
                continue;
            }
            Event::MappingStart(..) => {
                open.push(Open::Map(Vec::new(), None));
                within(open.len(), line)?;
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List(list)) => Value::List(list),
                Some(Open::Map(map, _)) => Value::Map(map),
                None => continue,
            },
            Event::Alias(_) => return Err((line, "aliases (`*name`) are not read".to_owned())),
            _ => continue,
        };
        values += 1;
        if values > MAX_YAML_VALUES {
            return Err((line, format!("a file of a package has at most {MAX_YAML_VALUES} values")));
        }
        match open.last_mut() {
            Some(Open::List(list)) => list.push(value),
            Some(Open::Map(map, key)) => match key.take() {
                Some(name) => map.push((name, value)),
                None => match value {
                    Value::Text(text) => *key = Some(text.text),
                    _ => return Err((line, "a key that is no text".to_owned())),
                },
            },
            None if whole.is_some() => return Err((line, "a file of a package is one document".to_owned())),
            None => whole = Some(value),
        }
    }
    Ok(whole.unwrap_or(Value::Map(Vec::new())))
}

fn within(depth: usize, line: usize) -> Result<(), YamlFault> {
    match depth {
        0..=MAX_YAML_DEPTH => Ok(()),
        _ => Err((line, format!("the file is nested more than {MAX_YAML_DEPTH} deep"))),
    }
}

/// What of a text is behind a place in it; places only grow, so that all of them together cost one walk.
struct Cursor<'t> {
    chars: usize,
    rest: &'t str,
}

impl<'t> Cursor<'t> {
    /// The text from character `at` on.
    fn advance(&mut self, at: usize) -> &'t str {
        let skipped = at.saturating_sub(self.chars);
        let byte = self.rest.char_indices().nth(skipped).map_or(self.rest.len(), |(byte, _)| byte);
        self.rest = self.rest.get(byte..).unwrap_or_default();
        self.chars += skipped;
        self.rest
    }
}

/// A text with its place, `written` being the file from there on. The lines of a literal block (`|`) are lines of the file behind the one that opens it; the first
/// line of any other text is its place.
fn placed(
    text: String,
    style: ScalarStyle,
    (line, column): (usize, usize),
    written: &str,
    lines: &[&str],
) -> Text {
    if style != ScalarStyle::Literal {
        let quote = usize::from(matches!(style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted));
        let one_line = !text.contains('\n')
            && written.get(quote..).is_some_and(|written| written.starts_with(text.as_str()));
        return Text { text, line, column: one_line.then_some(column + quote) };
    }
    // Wherever the block is said to begin: its first line that is not empty is one of the file.
    let first = text.lines().find(|own| !own.trim().is_empty()).unwrap_or_default();
    let before = text.lines().position(|own| !own.trim().is_empty()).unwrap_or(0);
    let mut near = line.saturating_sub(1)..lines.len().min(line + before + 2);
    let found = near.find(|at| lines.get(*at).is_some_and(|own| own.ends_with(first)));
    let Some(at) = found.filter(|_| !first.is_empty()) else { return Text { text, line, column: None } };
    let indent = lines.get(at).map_or(0, |own| own.len() - first.len());
    Text { line: (at + 1).saturating_sub(before).max(1), column: Some(indent), text }
}

impl Value {
    /// The value under `name` of a map.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Value::Map(map) => map.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The text under `name` of a map.
    pub(super) fn text(&self, name: &str) -> Option<&Text> {
        match self.get(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The members of a map.
    pub(super) fn members(&self) -> &[(String, Value)] {
        match self {
            Value::Map(map) => map,
            _ => &[],
        }
    }

    /// The elements of a list.
    pub(super) fn elements(&self) -> &[Value] {
        match self {
            Value::List(list) => list,
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_know_their_lines() {
        let file = "name: A\nqueryString: |-\n  // first\n  level=ERROR\n  | count()\nother: 'one line'\nfolded: >-\n  a\n  b\nlist:\n- x\n- {k: v}\nlate: |2-\n\n    indented\n";
        let value = read(file).unwrap();
        let check = |name: &str, text: &str, line: usize, column: Option<usize>| {
            let found = value.text(name).unwrap();
            assert_eq!((found.text.as_str(), found.line, found.column), (text, line, column), "{name}");
        };
        check("name", "A", 1, Some(6));
        check("queryString", "// first\nlevel=ERROR\n| count()", 3, Some(2));
        check("other", "one line", 6, Some(8));
        assert_eq!(value.text("folded").unwrap().text, "a b");
        assert_eq!(value.text("folded").unwrap().column, None);
        check("late", "\n  indented", 14, Some(2));
        assert_eq!(value.get("list").unwrap().elements().len(), 2);
        assert_eq!(value.get("list").unwrap().elements()[1].text("k").unwrap().text, "v");
    }

    #[test]
    fn texts_of_one_line_know_their_columns() {
        let file = format!("{{é: ü, b: \"o\\n\", long: [{}], c: 'x'}}", "y, ".repeat(50_000));
        let value = read(&file).unwrap();
        let column = |name: &str| value.text(name).unwrap().column;
        // A text that is not written as it is has no column.
        assert_eq!((column("é"), column("b"), column("c")), (Some(4), None, Some(150_031)));
    }

    #[test]
    fn what_is_no_plain_document_is_refused() {
        let told = |file: &str| read(file).unwrap_err();
        assert_eq!(told("a: &x 1\nb: *x\n"), (2, "aliases (`*name`) are not read".to_owned()));
        assert_eq!(told("a: 1\n---\nb: 2\n").1, "a file of a package is one document");
        assert_eq!(told("? [a]\n: b\n").1, "a key that is no text");
        assert_eq!(told("a: 'open\n").0, 1);
        assert_eq!(read("").unwrap(), Value::Map(Vec::new()));
    }

    #[test]
    fn files_are_limited_at_their_edges() {
        let nested = |depth: usize| read(&format!("{}a{}", "[".repeat(depth), "]".repeat(depth)));
        assert!(nested(MAX_YAML_DEPTH).is_ok());
        assert!(nested(MAX_YAML_DEPTH + 1).unwrap_err().1.contains("64 deep"));
        assert!(read(&"[".repeat(200_000)).is_err());
        let list = |values: usize| read(&"- a\n".repeat(values));
        // The list itself is one.
        assert!(list(MAX_YAML_VALUES - 1).is_ok());
        assert!(list(MAX_YAML_VALUES).unwrap_err().1.contains("200000 values"));
    }
}
