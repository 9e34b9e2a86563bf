//! `parseXml` and `xml:prettyPrint`: the elements of an XML text as fields, and laid out.
//!
//! An element is called by its path: `log.service`; the second of a name under one parent is `log.service[1]`, and so on.
//! An attribute is called like an element of its name. An element without text has no field.

pub mod reader;

use std::sync::Arc;

use hashbrown::HashMap;

use crate::error::Diagnostic;
use crate::functions::dynamic_fields::DynamicFields;
use crate::functions::json::MAX_PARSED_FIELDS;
use crate::functions::mapping::{Map, Mapping};
use crate::functions::{Arguments, Build, Kind, Parameter, RowFunction, Scratch, Signature, Touches};
use crate::machine::{StepError, View};
use crate::record::{ColumnBuilder, Selection};
use crate::value::ValueRef;
use reader::{Piece, decoded, pieces};

/// The table of this family.
pub const SIGNATURES: &[Signature] = &[
    Signature {
        name: "parseXml",
        aliases: &[],
        parameters: &[
            Parameter::with_default("field", Kind::Text, "@rawstring"),
            Parameter::with_default("prefix", Kind::Text, ""),
            Parameter::with_default("strict", Kind::Bool, "false"),
        ],
        build: Build::Row(build_parse),
        doc: "The elements and attributes of an XML text as fields.",
    },
    Signature {
        name: "xml:prettyPrint",
        aliases: &[],
        parameters: &[
            Parameter::with_default("field", Kind::Text, "@rawstring"),
            Parameter::optional("as", Kind::Text),
            Parameter::with_default("step", Kind::Integer { least: 0, most: 40 }, "2"),
            Parameter::with_default("width", Kind::Integer { least: 1, most: 10_000 }, "80"),
            Parameter::with_default("strict", Kind::Bool, "false"),
        ],
        build: Build::Row(build_layout),
        doc: "An XML text with a line for each element.",
    },
];

/// A compiled `parseXml`.
#[derive(Debug)]
pub struct ParseXml {
    field: Arc<str>,
    prefix: Arc<str>,
    /// Rows whose text is no XML are dropped.
    strict: bool,
}

/// A compiled `xml:prettyPrint`.
#[derive(Clone, Copy, Debug)]
pub struct XmlLayout {
    step: usize,
    width: usize,
    strict: bool,
}

fn build_parse(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    Ok(RowFunction::Xml(ParseXml {
        field: arguments.text_or_empty("field"),
        prefix: arguments.text_or_empty("prefix"),
        strict: arguments.is_true("strict"),
    }))
}

fn build_layout(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let number = |name: &str| arguments.integer(name).and_then(|value| usize::try_from(value).ok());
    let (step, width) = (number("step").unwrap_or(2), number("width").unwrap_or(80));
    let layout = XmlLayout { step, width, strict: arguments.is_true("strict") };
    Ok(RowFunction::Mapping(Mapping::new(arguments, Map::Xml(layout))))
}

impl ParseXml {
    /// Runs over the rows in play.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn apply(&self, view: &mut View<'_>, scratch: &mut Scratch) -> Result<(), StepError> {
        let column = view.column(&self.field)?;
        let mut outputs = DynamicFields::new(view, scratch);
        let mut wrong = Selection::none(view.rows());
        for row in view.selection().iter() {
            let Some(value) = column.get(row) else { continue };
            match self.fields(value.text_in(&mut scratch.text)) {
                Ok(fields) => fields.iter().try_for_each(|(name, text)| outputs.put(name, row, text))?,
                Err(message) => {
                    wrong.insert(row);
                    if !self.strict {
                        let told = format!("field {} is no XML: {message}", self.field);
                        outputs.put("@error", row, "true")?;
                        outputs.put("@error_msg", row, &told)?;
                    }
                }
            }
        }
        if self.strict {
            view.retain(|row| !wrong.contains(row));
        }
        outputs.assign(view)
    }

    /// The fields of `text`, in its order.
    ///
    /// # Errors
    /// What is wrong with it, when it is no XML.
    pub fn fields(&self, text: &str) -> Result<Vec<(String, String)>, String> {
        let mut fields = Vec::new();
        let mut open = vec![Element { path: self.prefix.to_string(), ..Element::default() }];
        for piece in pieces(text)? {
            match piece {
                Piece::Open { name, attributes, closed } => {
                    let Some(parent) = open.last_mut() else { continue };
                    let mut element = Element { path: parent.child(name), ..Element::default() };
                    element.path.push('.');
                    for (name, value) in attributes {
                        let value = value.get(1..value.len() - 1).unwrap_or_default();
                        fields.push((element.child(name), decoded(value).into_owned()));
                    }
                    if !closed {
                        open.push(element);
                    }
                }
                Piece::Text(text) => {
                    open.last_mut().into_iter().for_each(|open| open.text.push_str(&decoded(text)))
                }
                Piece::Verbatim(text) => {
                    open.last_mut().into_iter().for_each(|open| open.text.push_str(text))
                }
                Piece::Close(_) => {
                    let Some(element) = open.pop() else { continue };
                    let text = element.text.trim();
                    if !text.is_empty() {
                        fields.push((element.path.trim_end_matches('.').to_owned(), text.to_owned()));
                    }
                }
                Piece::Other(_) => {}
            }
            if fields.len() >= MAX_PARSED_FIELDS {
                fields.truncate(MAX_PARSED_FIELDS);
                break;
            }
        }
        Ok(fields)
    }

    /// Notes what it reads and writes.
    pub fn touches(&self, touches: &mut Touches) {
        touches.read(&self.field);
        touches.reads_all = true;
        touches.writes_any = true;
    }
}

/// An element that is open.
#[derive(Debug, Default)]
struct Element {
    /// What the names of its children begin with.
    path: String,
    /// How many children and attributes there are of a name.
    children: HashMap<String, usize>,
    text: String,
}

impl Element {
    /// The path of the next child or attribute called `name`.
    fn child(&mut self, name: &str) -> String {
        let before = self.children.entry_ref(name).or_insert(0);
        let path = match *before {
            0 => format!("{}{name}", self.path),
            index => format!("{}{name}[{index}]", self.path),
        };
        *before += 1;
        path
    }
}

impl XmlLayout {
    /// Writes the answer for `value`; nothing where there is none.
    pub(crate) fn write(self, value: ValueRef<'_>, scratch: &mut String, out: &mut ColumnBuilder) {
        let text = value.text_in(scratch);
        match pieces(text) {
            Ok(pieces) => out.text(&self.laid_out(&pieces)),
            Err(_) if !self.strict => out.text(text),
            Err(_) => {}
        }
    }

    /// A line for each piece, but for elements of text alone, which stand on one. A tag that is too long has a line for
    /// each attribute.
    fn laid_out(self, pieces: &[Piece<'_>]) -> String {
        let mut out = String::new();
        let mut depth = 0_usize;
        let mut at = 0;
        let line = |out: &mut String, depth: usize, text: &str| {
            if !out.is_empty() {
                out.push('\n');
            }
            out.extend(std::iter::repeat_n(' ', depth * self.step));
            out.push_str(text);
        };
        while let Some(piece) = pieces.get(at) {
            at += 1;
            match piece {
                Piece::Open { name, attributes, closed } => {
                    let mut tag = self.tag(name, attributes, *closed, depth);
                    match (pieces.get(at), pieces.get(at + 1)) {
                        (Some(Piece::Close(_)), _) if !closed => {
                            tag.push_str(&format!("</{name}>"));
                            at += 1;
                        }
                        (Some(Piece::Text(text)), Some(Piece::Close(_))) if !closed => {
                            tag.push_str(&format!("{}</{name}>", text.trim()));
                            at += 2;
                        }
                        _ => {}
                    }
                    let is_open = !closed && !tag.ends_with(&format!("</{name}>"));
                    line(&mut out, depth, &tag);
                    depth += usize::from(is_open);
                }
                Piece::Close(name) => {
                    depth = depth.saturating_sub(1);
                    line(&mut out, depth, &format!("</{name}>"));
                }
                Piece::Text(text) if text.trim().is_empty() => {}
                Piece::Text(text) | Piece::Other(text) => line(&mut out, depth, text.trim()),
                Piece::Verbatim(text) => line(&mut out, depth, &format!("<![CDATA[{text}]]>")),
            }
        }
        out
    }

    fn tag(self, name: &str, attributes: &[(&str, &str)], closed: bool, depth: usize) -> String {
        let end = if closed { "/>" } else { ">" };
        let pairs: Vec<String> = attributes.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let short =
            std::iter::once(name).chain(pairs.iter().map(String::as_str)).collect::<Vec<_>>().join(" ");
        let length = depth * self.step + 1 + short.chars().count() + end.len();
        if length <= self.width || pairs.len() < 2 {
            return format!("<{short}{end}");
        }
        let indent = " ".repeat((depth + 2) * self.step);
        format!("<{name}\n{indent}{}{end}", pairs.join(&format!("\n{indent}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Result<String, String> {
        let parser = ParseXml { field: "f".into(), prefix: "p:".into(), strict: false };
        let fields = parser.fields(text)?;
        Ok(fields.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn elements_become_fields() {
        for (text, told) in [
            (
                "<log><service>userService</service><msg>user with id=47</msg></log>",
                "p:log.service=userService p:log.msg=user with id=47",
            ),
            ("<a><b>1</b><b>2</b><c/><b>3</b></a>", "p:a.b=1 p:a.b[1]=2 p:a.b[2]=3"),
            ("<a b='1' c=\"x &quot;y&quot;\"><b>2</b>text</a>", "p:a.b=1 p:a.c=x \"y\" p:a.b[1]=2 p:a=text"),
            ("<?xml version=\"1.0\"?>\n<!DOCTYPE x [<!ENTITY y \"z\">]>\n<a>&y;</a>\n", "p:a=&y;"),
            ("<!-- c --><a><![CDATA[<b>&amp;]]> x</a>", "p:a=<b>&amp; x"),
            ("<n:a xmlns:n=\"u\"><n:b>&#230;&#xe6;æ &lt;</n:b></n:a>", "p:n:a.xmlns:n=u p:n:a.n:b=æææ <"),
            ("<a>\n  <b> x </b >\n</a>", "p:a.b=x"),
            ("<a/>", ""),
        ] {
            assert_eq!(shown(text).as_deref().map_err(String::as_str), Ok(told), "{text}");
        }
    }

    #[test]
    fn what_is_no_xml_says_why() {
        for (text, told) in [
            ("", "it has no element"),
            ("plain", "there is text outside of its element"),
            ("<a>", "`<a>` is not closed"),
            ("<a></b>", "`</b>` stands where `</a>` is expected"),
            ("</a>", "`</a>` closes nothing"),
            ("<a/><b/>", "it has more than one element"),
            ("<a b></a>", "the attribute `b` has no value"),
            ("<a b=c></a>", "the value of `b` has no quotes"),
            ("<a b=\"c></a>", "the value of `b` does not end"),
            ("<a", "`<a` is not closed"),
            ("<>", "a name is missing in a tag"),
            ("<a><![CDATA[x</a>", "`<![CDATA[` is not closed"),
            ("<!-- x", "`-->` is missing"),
        ] {
            assert_eq!(shown(text).unwrap_err(), told, "{text}");
        }
        let deep = |depth: usize| "<a>".repeat(depth) + &"</a>".repeat(depth);
        assert!(shown(&deep(reader::MAX_XML_DEPTH)).is_ok());
        assert!(shown(&deep(reader::MAX_XML_DEPTH + 1)).is_err());
    }

    #[test]
    fn xml_is_laid_out() {
        let layout =
            |text: &str| XmlLayout { step: 2, width: 30, strict: true }.laid_out(&pieces(text).unwrap());
        assert_eq!(
            layout("<?xml version='1.0'?><a><b>x</b><c/><d></d><!-- n --><e>t<f>&lt;</f></e></a>"),
            "<?xml version='1.0'?>\n<a>\n  <b>x</b>\n  <c/>\n  <d></d>\n  <!-- n -->\n  <e>\n    t\n    <f>&lt;</f>\n  </e>\n</a>"
        );
        assert_eq!(
            layout("<a><long first=\"12345\" second=\"67890\">x</long></a>"),
            "<a>\n  <long\n      first=\"12345\"\n      second=\"67890\">x</long>\n</a>"
        );
    }
}
