//! `json:prettyPrint`, `json:extract` and `writeJson`: JSON as text, laid out, cut and made of fields.

use std::sync::Arc;

use crate::error::Diagnostic;
use crate::functions::json::{MAX_JSON_DEPTH, MAX_PARSED_FIELDS, Reader, is_under};
use crate::functions::mapping::{Map, Mapping};
use crate::functions::{Arguments, Build, Kind, Parameter, RowFunction, Scratch, Signature, Touches};
use crate::machine::{StepError, View};
use crate::record::{Column, ColumnBuilder};
use crate::value::ValueRef;

/// The table of this family.
pub const SIGNATURES: &[Signature] = &[
    Signature {
        name: "json:prettyPrint",
        aliases: &[],
        parameters: &[
            Parameter::with_default("field", Kind::Text, "@rawstring"),
            Parameter::optional("as", Kind::Text),
            Parameter::with_default("step", Kind::Integer { least: 0, most: 40 }, "2"),
            Parameter::with_default("strict", Kind::Bool, "false"),
        ],
        build: Build::Row(build_layout),
        doc: "A JSON text with a line for each member.",
    },
    Signature {
        name: "json:extract",
        aliases: &[],
        parameters: &[
            Parameter::required("path", Kind::Text),
            Parameter::with_default("field", Kind::Text, "@rawstring"),
            Parameter::with_default("as", Kind::Text, "_extract"),
        ],
        build: Build::Row(build_extract),
        doc: "The value at a path of a JSON text.",
    },
    Signature {
        name: "writeJson",
        aliases: &[],
        parameters: &[
            Parameter::with_default("field", Kind::Texts, "@rawstring").aliased(&["fields"]),
            Parameter::with_default("as", Kind::Text, "_json"),
        ],
        build: Build::Row(build_write),
        doc: "A JSON text made of fields; `a.b` and `a[0]` are members and elements.",
    },
];

/// A function of one JSON text.
#[derive(Debug)]
pub enum JsonText {
    /// A line a member.
    Layout {
        /// Spaces a level.
        step: usize,
        /// What is no JSON gives nothing, instead of itself.
        strict: bool,
    },
    /// The value at this path.
    Extract(Vec<Part>),
}

/// A part of a path into a JSON text.
#[derive(Debug, PartialEq, Eq)]
pub enum Part {
    /// The member of this name.
    Member(String),
    /// The element at this place.
    Element(usize),
}

/// A compiled `writeJson`.
#[derive(Debug)]
pub struct WriteJson {
    patterns: Vec<Arc<str>>,
    output: Arc<str>,
}

fn build_layout(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let step = arguments.integer("step").and_then(|step| usize::try_from(step).ok()).unwrap_or(2);
    let layout = JsonText::Layout { step, strict: arguments.is_true("strict") };
    Ok(RowFunction::Mapping(Mapping::new(arguments, Map::Json(layout))))
}

fn build_extract(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let text = arguments.text_or_empty("path");
    let Some(path) = path(&text).filter(|path| !path.is_empty()) else {
        return Err(arguments.fault("path", format!("expected a path like `a.b[0].c`, not `{text}`")));
    };
    Ok(RowFunction::Mapping(Mapping::new(arguments, Map::Json(JsonText::Extract(path)))))
}

fn build_write(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let (patterns, output) = (arguments.texts("field").to_vec(), arguments.text_or_empty("as"));
    Ok(RowFunction::WriteJson(WriteJson { patterns, output }))
}

/// Reads `a.b[0].c`; indexes stand behind a name or at the front.
fn path(text: &str) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(index) = rest.strip_prefix('[') {
            let (number, after) = index.split_once(']')?;
            let plain = number.bytes().all(|byte| byte.is_ascii_digit());
            parts.push(Part::Element(number.parse().ok().filter(|_| plain)?));
            rest = after;
            continue;
        }
        let name = if parts.is_empty() { rest } else { rest.strip_prefix('.')? };
        let end = name.find(['.', '[']).unwrap_or(name.len());
        let (name, after) = name.split_at_checked(end).filter(|(name, _)| !name.is_empty())?;
        parts.push(Part::Member(name.to_owned()));
        rest = after;
    }
    Some(parts)
}

impl JsonText {
    /// Writes the answer for `value`; nothing where there is none.
    pub(crate) fn write(&self, value: ValueRef<'_>, scratch: &mut String, out: &mut ColumnBuilder) {
        let text = value.text_in(scratch);
        match self {
            JsonText::Layout { step, strict } => match laid_out(text, *step) {
                Some(laid_out) => out.text(&laid_out),
                None if !strict => out.text(text),
                None => {}
            },
            JsonText::Extract(path) => {
                if let Some(found) = extracted(text, path) {
                    out.text(&found);
                }
            }
        }
    }
}

/// `text` with a line for each member and element, `step` spaces a level; none when it is no JSON.
#[must_use]
pub fn laid_out(text: &str, step: usize) -> Option<String> {
    let mut reader = Reader::new(text);
    let mut out = String::with_capacity(text.len() * 2);
    lay_out(&mut reader, step, 0, &mut out)?;
    reader.end()?;
    Some(out)
}

fn lay_out(reader: &mut Reader<'_>, step: usize, depth: usize, out: &mut String) -> Option<()> {
    reader.space();
    let (open, close) = match reader.next_byte()? {
        b'{' => ("{", "}"),
        b'[' => ("[", "]"),
        _ => {
            out.push_str(reader.scalar_as_written()?);
            return Some(());
        }
    };
    reader.take(open)?;
    if depth >= MAX_JSON_DEPTH {
        return None;
    }
    out.push_str(open);
    reader.space();
    if reader.take(close).is_some() {
        out.push_str(close);
        return Some(());
    }
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', step * depth));
    };
    loop {
        line(out, depth + 1);
        if open == "{" {
            reader.space();
            (reader.next_byte()? == b'"').then_some(())?;
            out.push_str(reader.scalar_as_written()?);
            reader.space();
            reader.take(":")?;
            out.push_str(": ");
        }
        lay_out(reader, step, depth + 1, out)?;
        reader.space();
        if reader.take(",").is_none() {
            reader.take(close)?;
            line(out, depth);
            out.push_str(close);
            return Some(());
        }
        out.push(',');
    }
}

/// The value at `path` of the JSON `text`: a text as it reads, other scalars, objects and arrays as they are written.
/// None when there is none, or `text` is no JSON.
#[must_use]
pub fn extracted(text: &str, path: &[Part]) -> Option<String> {
    let mut reader = Reader::new(text);
    let mut found = None;
    find(&mut reader, path, true, 0, &mut found)?;
    reader.end()?;
    found
}

/// Reads one value; `on_path` with what is left of the path. The last of equal names wins.
fn find(
    reader: &mut Reader<'_>,
    path: &[Part],
    on_path: bool,
    depth: usize,
    found: &mut Option<String>,
) -> Option<()> {
    reader.space();
    let before = reader.rest();
    let first = reader.next_byte()?;
    if on_path {
        // Something else may have been found where the same names stood before.
        *found = None;
    }
    match first {
        b'"' if on_path && path.is_empty() => {
            *found = Some(reader.string()?);
            return Some(());
        }
        b'{' | b'[' => {
            let close = if first == b'{' { "}" } else { "]" };
            reader.take(if first == b'{' { "{" } else { "[" })?;
            if depth >= MAX_JSON_DEPTH {
                return None;
            }
            reader.space();
            let mut at = 0;
            let mut more = reader.take(close).is_none();
            while more {
                reader.space();
                let here = if first == b'{' {
                    let key = reader.string()?;
                    reader.space();
                    reader.take(":")?;
                    matches!(path.first(), Some(Part::Member(name)) if *name == key)
                } else {
                    matches!(path.first(), Some(Part::Element(place)) if *place == at)
                };
                at += 1;
                find(reader, path.get(1..).unwrap_or_default(), on_path && here, depth + 1, found)?;
                reader.space();
                more = reader.take(",").is_some();
                if !more {
                    reader.take(close)?;
                }
            }
        }
        _ => {
            reader.scalar_as_written()?;
        }
    }
    if on_path && path.is_empty() {
        let length = before.len() - reader.rest().len();
        *found = before.get(..length).map(str::to_owned);
    }
    Some(())
}

/// Whether `pattern` names `name`: itself, something it is under (`a` and `a.b`, `a[0]`), or, where it ends in `.`, what
/// begins with it. `[*]` stands for any index, `*` alone for every field that is no tag and no meta field.
fn names(pattern: &str, name: &str) -> bool {
    if pattern == "*" {
        return !name.starts_with(['@', '#']);
    }
    match pattern.split_once("[*]") {
        Some((front, rest)) => {
            name.strip_prefix(front).and_then(|tail| tail.strip_prefix('[')?.split_once(']')).is_some_and(
                |(index, tail)| index.bytes().all(|byte| byte.is_ascii_digit()) && names(rest, tail),
            )
        }
        None if pattern.is_empty() || pattern.ends_with('.') => name.starts_with(pattern),
        None => is_under(name, pattern),
    }
}

/// A JSON value being made: objects keep the order in which members come.
#[derive(Debug)]
enum Node<'v> {
    Text(ValueRef<'v>),
    Object(Vec<(String, Node<'v>)>),
    Array(Vec<(usize, Node<'v>)>),
}

impl<'v> Node<'v> {
    /// Puts `value` where `path` leads from here. Where it cannot (a member of a text), the first one stays.
    fn put(&mut self, path: &[Part], value: ValueRef<'v>) {
        let Some((part, rest)) = path.split_first() else { return };
        let inner = match (self, part) {
            (Node::Object(members), Part::Member(name)) => {
                let at = members.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
                    members.push((name.clone(), Node::of(rest, value)));
                    members.len() - 1
                });
                members.get_mut(at).map(|(_, node)| node)
            }
            (Node::Array(elements), Part::Element(index)) => {
                let at = elements.iter().position(|(known, _)| known == index).unwrap_or_else(|| {
                    elements.push((*index, Node::of(rest, value)));
                    elements.len() - 1
                });
                elements.get_mut(at).map(|(_, node)| node)
            }
            _ => None,
        };
        if let Some(inner) = inner {
            inner.put(rest, value);
        }
    }

    fn of(path: &[Part], value: ValueRef<'v>) -> Node<'v> {
        match path.first() {
            None => Node::Text(value),
            Some(Part::Member(_)) => Node::Object(Vec::new()),
            Some(Part::Element(_)) => Node::Array(Vec::new()),
        }
    }

    fn write(mut self, out: &mut String) {
        match &mut self {
            Node::Text(value) => write_string(&value.text(), out),
            Node::Object(members) => {
                out.push('{');
                for (at, (name, node)) in std::mem::take(members).into_iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    write_string(&name, out);
                    out.push(':');
                    node.write(out);
                }
                out.push('}');
            }
            Node::Array(elements) => {
                // Elements that are missing leave no gap.
                elements.sort_by_key(|(index, _)| *index);
                out.push('[');
                for (at, (_, node)) in std::mem::take(elements).into_iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    node.write(out);
                }
                out.push(']');
            }
        }
    }
}

/// Writes a JSON string (RFC 8259).
pub(crate) fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

impl WriteJson {
    /// Runs over the rows in play.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn apply(&self, view: &mut View<'_>, _scratch: &mut Scratch) -> Result<(), StepError> {
        let mut fields: Vec<(Vec<Part>, Column)> = Vec::new();
        for pattern in &self.patterns {
            let mut found: Vec<Arc<str>> =
                view.names().into_iter().filter(|name| names(pattern, name)).collect();
            // What the source lists in which order must not show.
            found.sort_unstable();
            for name in found.into_iter().take(MAX_PARSED_FIELDS) {
                let parts = path(&name).unwrap_or_else(|| vec![Part::Member(name.to_string())]);
                if !fields.iter().any(|(known, _)| *known == parts) {
                    fields.push((parts, view.column(&name)?));
                }
            }
        }
        let mut out = ColumnBuilder::with_capacity(view.rows());
        let mut text = String::new();
        for row in view.selection().iter() {
            let mut root = Node::Object(Vec::new());
            for (path, column) in &fields {
                if let Some(value) = column.get(row) {
                    root.put(path, value);
                }
            }
            text.clear();
            root.write(&mut text);
            out.pad(row);
            out.text(&text);
        }
        out.pad(view.rows());
        Ok(view.assign(&self.output, out.finish())?)
    }

    /// Notes what it reads and writes.
    pub fn touches(&self, touches: &mut Touches) {
        touches.reads_all = true;
        touches.read(&self.output);
        touches.write(&self.output);
    }

    /// The field written.
    #[must_use]
    pub fn output(&self) -> Arc<str> {
        Arc::clone(&self.output)
    }
}
