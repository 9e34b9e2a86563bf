//! `parseJson`: the members of a JSON text as fields, nested ones as `a.b` and `a[0]`.
//!
//! Numbers keep their text. Empty objects and arrays give no field. Text that is no JSON gives nothing at all.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::error::Diagnostic;
use crate::functions::{Arguments, Build, Kind, Parameter, RowFunction, Scratch, Signature, Touches};
use crate::machine::{StepError, View};
use crate::record::ColumnBuilder;

/// Objects and arrays inside one another at most.
pub const MAX_JSON_DEPTH: usize = 128;
/// Fields taken from one text at most; the rest is left out.
pub const MAX_PARSED_FIELDS: usize = 10_000;
/// The most bytes of their names together, paths written out: a text with more is no JSON to `parseJson`.
pub const MAX_PARSED_NAME_BYTES: usize = 512 << 10;

/// The table of this family.
pub const SIGNATURES: &[Signature] = &[Signature {
    name: "parseJson",
    aliases: &[],
    parameters: &[
        Parameter::with_default("field", Kind::Text, "@rawstring"),
        Parameter::with_default("prefix", Kind::Text, ""),
        Parameter::optional("removePrefixes", Kind::Texts),
        Parameter::optional("exclude", Kind::Texts),
        Parameter::optional("include", Kind::Texts),
        Parameter::with_default("excludeEmpty", Kind::Bool, "false"),
        Parameter::with_default("handleNull", Kind::Choice(&["keep", "discard", "empty"]), "keep"),
    ],
    build: Build::Row(build),
    doc: "The members of a JSON text as fields.",
}];

/// A compiled `parseJson`.
#[derive(Debug)]
pub struct ParseJson {
    field: Arc<str>,
    prefix: Arc<str>,
    remove_prefixes: Vec<Arc<str>>,
    exclude: Vec<Arc<str>>,
    include: Vec<Arc<str>>,
    exclude_empty: bool,
    nulls: Nulls,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nulls {
    Keep,
    Discard,
    Empty,
}

fn build(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    Ok(RowFunction::Json(ParseJson {
        field: arguments.text_or_empty("field"),
        prefix: arguments.text_or_empty("prefix"),
        remove_prefixes: arguments.texts("removePrefixes").to_vec(),
        exclude: arguments.texts("exclude").to_vec(),
        include: arguments.texts("include").to_vec(),
        exclude_empty: arguments.is_true("excludeEmpty"),
        nulls: match arguments.text_or_empty("handleNull").as_ref() {
            "discard" => Nulls::Discard,
            "empty" => Nulls::Empty,
            _ => Nulls::Keep,
        },
    }))
}

impl ParseJson {
    /// Runs over the rows in play.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn apply(&self, view: &mut View<'_>, scratch: &mut Scratch) -> Result<(), StepError> {
        let column = view.column(&self.field)?;
        let mut outputs = DynamicFields::default();
        for row in view.selection().iter() {
            if let Some(value) = column.get(row)
                && let Some(fields) = self.fields(value.text_in(&mut scratch.text))
            {
                fields.iter().for_each(|(name, text)| outputs.put(name, row, text));
            }
        }
        outputs.assign(view)
    }

    /// The fields of `text`, in its order; none when it is no JSON.
    #[must_use]
    pub fn fields(&self, text: &str) -> Option<Vec<(String, String)>> {
        let mut reader = Reader::new(text);
        let mut path = self.prefix.to_string();
        reader.value(&mut path, 0)?;
        reader.end()?;
        let fields = reader.fields.into_iter().filter_map(|(full, value)| {
            let name = self.named(&full);
            let text = match value {
                Scalar::Null if self.nulls == Nulls::Discard => return None,
                Scalar::Null if self.nulls == Nulls::Empty => String::new(),
                Scalar::Null => "null".to_owned(),
                Scalar::Text(text) => text,
            };
            (self.wants(&full, &name) && !(self.exclude_empty && text.is_empty())).then_some((name, text))
        });
        Some(fields.collect())
    }

    /// Whether the field of path `path`, which is called `name`, is wanted. Both lists are beginnings of names, the prefix
    /// included; the longest that fits decides, and where two are as long, the field is left out.
    fn wants(&self, path: &str, name: &str) -> bool {
        let longest = |patterns: &[Arc<str>]| {
            let of =
                |pattern: &Arc<str>| [path, name].into_iter().filter_map(|name| covered(name, pattern)).max();
            patterns.iter().filter_map(of).max()
        };
        // What is in neither list is left out only where there is nothing but an `include`.
        let open = self.include.is_empty() || !self.exclude.is_empty();
        let included = longest(&self.include).or(open.then_some(0));
        match (included, longest(&self.exclude)) {
            (Some(included), Some(excluded)) => included > excluded,
            (included, None) => included.is_some(),
            (None, Some(_)) => false,
        }
    }

    /// What the field of path `path` is called: without the first of the prefixes to be removed that its name in the text
    /// has, and with the prefix.
    fn named(&self, path: &str) -> String {
        let bare = path.strip_prefix(&*self.prefix).unwrap_or(path);
        let cut = self.remove_prefixes.iter().find_map(|prefix| bare.strip_prefix(&**prefix));
        match cut.filter(|cut| !cut.is_empty()) {
            Some(cut) => format!("{}{cut}", self.prefix),
            None => path.to_owned(),
        }
    }

    /// Notes what it reads and writes.
    pub fn touches(&self, touches: &mut Touches) {
        touches.read(&self.field);
        touches.reads_all = true;
        touches.writes_any = true;
    }
}

/// How much of the front of `name` is `pattern`, if it is; `[*]` stands for any index.
fn covered(name: &str, pattern: &str) -> Option<usize> {
    let Some((front, rest)) = pattern.split_once("[*]") else {
        return name.starts_with(pattern).then_some(pattern.len());
    };
    let (index, tail) = name.strip_prefix(front)?.strip_prefix('[')?.split_once(']')?;
    let plain = index.bytes().all(|byte| byte.is_ascii_digit());
    Some(front.len() + index.len() + 2 + covered(tail, rest).filter(|_| plain)?)
}

/// Whether `name` is `field` or a member of it.
pub(crate) fn is_under(name: &str, field: &str) -> bool {
    name.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// Fields whose names show only in the rows.
#[derive(Debug, Default)]
pub(crate) struct DynamicFields {
    index: HashMap<String, usize>,
    fields: Vec<(Arc<str>, ColumnBuilder)>,
}

impl DynamicFields {
    /// Writes a field of `row`; rows come in ascending order, and the last of several values wins.
    pub(crate) fn put(&mut self, name: &str, row: usize, text: &str) {
        let at = match self.index.get(name) {
            Some(at) => *at,
            None => {
                self.index.insert(name.to_owned(), self.fields.len());
                self.fields.push((Arc::from(name), ColumnBuilder::default()));
                self.fields.len() - 1
            }
        };
        if let Some((_, column)) = self.fields.get_mut(at)
            && column.len() <= row
        {
            column.pad(row);
            column.text(text);
        }
    }

    /// Writes all fields to `view`.
    pub(crate) fn assign(self, view: &mut View<'_>) -> Result<(), StepError> {
        for (name, mut column) in self.fields {
            column.pad(view.rows());
            view.assign(&name, column.finish())?;
        }
        Ok(())
    }
}

enum Scalar {
    Text(String),
    Null,
}

/// Reads JSON (RFC 8259) from the front of a text.
pub(crate) struct Reader<'t> {
    rest: &'t str,
    fields: Vec<(String, Scalar)>,
    /// Bytes of their names.
    name_bytes: usize,
}

impl<'t> Reader<'t> {
    pub(crate) fn new(text: &'t str) -> Reader<'t> {
        Reader { rest: text, fields: Vec::new(), name_bytes: 0 }
    }

    /// What is not read yet.
    pub(crate) fn rest(&self) -> &'t str {
        self.rest
    }

    pub(crate) fn next_byte(&self) -> Option<u8> {
        self.rest.as_bytes().first().copied()
    }

    pub(crate) fn space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    pub(crate) fn take(&mut self, what: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(what)?;
        Some(())
    }

    /// Nothing but white space is left.
    pub(crate) fn end(&mut self) -> Option<()> {
        self.space();
        self.rest.is_empty().then_some(())
    }

    /// A string, number, truth value or null, as it is written.
    pub(crate) fn scalar_as_written(&mut self) -> Option<&'t str> {
        let before = self.rest;
        match self.next_byte()? {
            b'"' => drop(self.string()?),
            b't' => self.take("true")?,
            b'f' => self.take("false")?,
            b'n' => self.take("null")?,
            _ => drop(self.number()?.len()),
        }
        before.get(..before.len() - self.rest.len())
    }

    fn value(&mut self, path: &mut String, depth: usize) -> Option<()> {
        self.space();
        let scalar = match self.rest.as_bytes().first()? {
            b'{' => return self.object(path, depth),
            b'[' => return self.array(path, depth),
            b'"' => Scalar::Text(self.string()?),
            b't' => self.take("true").map(|()| Scalar::Text("true".to_owned()))?,
            b'f' => self.take("false").map(|()| Scalar::Text("false".to_owned()))?,
            b'n' => self.take("null").map(|()| Scalar::Null)?,
            _ => Scalar::Text(self.number()?.to_owned()),
        };
        // A scalar by itself has no name, and no field.
        if !path.is_empty() && self.fields.len() < MAX_PARSED_FIELDS {
            self.name_bytes += path.len();
            if self.name_bytes > MAX_PARSED_NAME_BYTES {
                return None;
            }
            self.fields.push((path.clone(), scalar));
        }
        Some(())
    }

    fn object(&mut self, path: &mut String, depth: usize) -> Option<()> {
        self.take("{")?;
        if depth >= MAX_JSON_DEPTH {
            return None;
        }
        self.space();
        if self.take("}").is_some() {
            return Some(());
        }
        let outer = path.len();
        loop {
            self.space();
            let key = self.string()?;
            if outer > 0 && !(depth == 0 && path.ends_with('.')) {
                path.push('.');
            }
            path.push_str(&key);
            self.space();
            self.take(":")?;
            self.value(path, depth + 1)?;
            path.truncate(outer);
            self.space();
            if self.take(",").is_none() {
                return self.take("}");
            }
        }
    }

    fn array(&mut self, path: &mut String, depth: usize) -> Option<()> {
        self.take("[")?;
        if depth >= MAX_JSON_DEPTH {
            return None;
        }
        self.space();
        if self.take("]").is_some() {
            return Some(());
        }
        let outer = path.len();
        for at in 0.. {
            path.push_str(&format!("[{at}]"));
            self.value(path, depth + 1)?;
            path.truncate(outer);
            self.space();
            if self.take(",").is_none() {
                return self.take("]");
            }
        }
        None
    }

    fn number(&mut self) -> Option<&'t str> {
        let text = self.rest;
        let digits = |at: usize| text.bytes().skip(at).take_while(u8::is_ascii_digit).count();
        let byte = |at: usize| text.as_bytes().get(at).copied();
        let mut at = usize::from(byte(0) == Some(b'-'));
        let whole = digits(at);
        if whole == 0 || (whole > 1 && byte(at) == Some(b'0')) {
            return None;
        }
        at += whole;
        if byte(at) == Some(b'.') {
            let places = digits(at + 1);
            at = (places > 0).then_some(at + 1 + places)?;
        }
        if matches!(byte(at), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(byte(at + 1), Some(b'+' | b'-')));
            let exponent = digits(at + 1 + sign);
            at = (exponent > 0).then_some(at + 1 + sign + exponent)?;
        }
        let (number, rest) = text.split_at_checked(at)?;
        self.rest = rest;
        Some(number)
    }

    /// A string, without quotes and escapes.
    pub(crate) fn string(&mut self) -> Option<String> {
        self.take("\"")?;
        let mut out = String::new();
        loop {
            let stop = self.rest.find(|c: char| c == '"' || c == '\\' || c < ' ')?;
            let (plain, rest) = self.rest.split_at_checked(stop)?;
            out.push_str(plain);
            self.rest = rest;
            if self.take("\"").is_some() {
                return Some(out);
            }
            self.take("\\")?;
            let escape = self.rest.chars().next()?;
            self.rest = self.rest.get(escape.len_utf8()..)?;
            out.push(match escape {
                '"' | '\\' | '/' => escape,
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'u' => self.unicode()?,
                _ => return None,
            });
        }
    }

    /// What follows `\u`; a lone surrogate becomes U+FFFD.
    fn unicode(&mut self) -> Option<char> {
        let high = self.hex4()?;
        if !(0xd800..0xdc00).contains(&high) {
            return Some(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let before = self.rest;
        if self.take("\\u").is_some() {
            let low = self.hex4()?;
            if (0xdc00..0xe000).contains(&low) {
                return char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
            }
            self.rest = before;
        }
        Some(char::REPLACEMENT_CHARACTER)
    }

    fn hex4(&mut self) -> Option<u32> {
        let (digits, rest) = self.rest.split_at_checked(4)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        self.rest = rest;
        u32::from_str_radix(digits, 16).ok()
    }
}

/// The objects of an array, one after the other.
pub(crate) struct Objects<'t> {
    text: &'t str,
    rest: &'t str,
    state: Reading,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    Start,
    Inside,
    Ended,
}

/// Where in the text something is wrong, and what.
pub(crate) type JsonFault = (usize, &'static str);

/// The members of an object by path; nothing where one is null.
pub(crate) type Members = Vec<(String, Option<String>)>;

impl<'t> Objects<'t> {
    pub(crate) fn new(text: &'t str) -> Objects<'t> {
        Objects { text, rest: text, state: Reading::Start }
    }

    /// The members of the next object; `None` behind the last.
    pub(crate) fn next_object(&mut self) -> Result<Option<Members>, JsonFault> {
        let mut reader = Reader { rest: self.rest, fields: Vec::new(), name_bytes: 0 };
        let at = |reader: &Reader<'_>| self.text.len() - reader.rest.len();
        reader.space();
        match self.state {
            Reading::Start if reader.take("[").is_none() => {
                return Err((at(&reader), "an array of objects is expected"));
            }
            Reading::Start => {}
            Reading::Inside if reader.take(",").is_some() => {}
            Reading::Inside | Reading::Ended => return self.end(reader),
        }
        reader.space();
        if self.state == Reading::Start && reader.rest.starts_with(']') {
            return self.end(reader);
        }
        if !reader.rest.starts_with('{') {
            return Err((at(&reader), "an object is expected, a row of the table"));
        }
        if reader.value(&mut String::new(), 0).is_none() {
            return Err((at(&reader), "this is no JSON"));
        }
        (self.rest, self.state) = (reader.rest, Reading::Inside);
        let text = |scalar| match scalar {
            Scalar::Text(text) => Some(text),
            Scalar::Null => None,
        };
        Ok(Some(reader.fields.into_iter().map(|(name, scalar)| (name, text(scalar))).collect()))
    }

    fn end(&mut self, mut reader: Reader<'t>) -> Result<Option<Members>, JsonFault> {
        let closed = self.state == Reading::Ended || reader.take("]").is_some();
        reader.space();
        let at = self.text.len() - reader.rest.len();
        (self.rest, self.state) = (reader.rest, Reading::Ended);
        match (closed, reader.rest.is_empty()) {
            (true, true) => Ok(None),
            (true, false) => Err((at, "the array has ended, but the text goes on")),
            (false, _) => Err((at, "`,` or `]` is expected")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parser() -> ParseJson {
        ParseJson {
            field: "@rawstring".into(),
            prefix: "".into(),
            remove_prefixes: Vec::new(),
            exclude: Vec::new(),
            include: Vec::new(),
            exclude_empty: false,
            nulls: Nulls::Keep,
        }
    }

    fn shown(parser: &ParseJson, text: &str) -> Option<String> {
        let fields = parser.fields(text)?;
        Some(fields.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn names_of_all_fields_are_bounded() {
        // A name and an index, twice.
        let text = |bytes: usize| format!("{{\"{}\":[1,2]}}", "k".repeat(bytes));
        let most = MAX_PARSED_NAME_BYTES / 2 - "[0]".len();
        assert_eq!(parser().fields(&text(most)).map(|fields| fields.len()), Some(2));
        assert!(parser().fields(&text(most + 1)).is_none());
    }

    #[test]
    fn members_become_fields() {
        for (text, told) in [
            (
                r#"{"a":1,"b":{"c":"x","d":[true,null,{"e":-0.0}]}}"#,
                Some("a=1 b.c=x b.d[0]=true b.d[1]=null b.d[2].e=-0.0"),
            ),
            (r#" { "id" : 12345678901234567890 , "e" : 1E+2 } "#, Some("id=12345678901234567890 e=1E+2")),
            (r#"{"a":{},"b":[],"c":""}"#, Some("c=")),
            (r#"["x",["y"]]"#, Some("[0]=x [1][0]=y")),
            (r#"{"s":"\u00e6\n\"\\\ud83d\ude00\ud800"}"#, Some("s=æ\n\"\\😀\u{fffd}")),
            (r#""scalar""#, Some("")),
            ("7", Some("")),
            ("", None),
            ("{", None),
            (r#"{"a":1,}"#, None),
            (r#"{"a" 1}"#, None),
            (r#"{"a":01}"#, None),
            (r#"{"a":1.}"#, None),
            (r#"{"a":"\x"}"#, None),
            (r#"{"a":tru}"#, None),
            (r#"{"a":1} tail"#, None),
            ("{'a':1}", None),
        ] {
            assert_eq!(shown(&parser(), text).as_deref(), told, "{text}");
        }
        assert!(
            shown(&parser(), &("[".repeat(100_000) + &"]".repeat(100_000))).is_none(),
            "deep text is refused"
        );
        let edge = "[".repeat(MAX_JSON_DEPTH) + &"]".repeat(MAX_JSON_DEPTH);
        assert!(shown(&parser(), &edge).is_some());
    }

    #[test]
    fn beginnings_of_names() {
        for (name, pattern, told) in [
            ("a.b", "", Some(0)),
            ("a.b", "a.", Some(2)),
            ("a[12].b", "a[*].b", Some(7)),
            ("a[12].b", "a[*]", Some(5)),
            ("a[x].b", "a[*]", None),
            ("a.b", "b", None),
        ] {
            assert_eq!(covered(name, pattern), told, "{name} {pattern}");
        }
    }

    #[test]
    fn names_and_values_are_chosen() {
        let text = r#"{"a":{"b":"1","c":null},"d":"","ab":2}"#;
        let with = |change: fn(&mut ParseJson)| {
            let mut parser = parser();
            change(&mut parser);
            shown(&parser, text).unwrap()
        };
        assert_eq!(with(|_| {}), "a.b=1 a.c=null d= ab=2");
        assert_eq!(with(|parser| parser.prefix = "p.".into()), "p.a.b=1 p.a.c=null p.d= p.ab=2");
        assert_eq!(with(|parser| parser.remove_prefixes = vec!["a.".into()]), "b=1 c=null d= ab=2");
        assert_eq!(with(|parser| parser.include = vec!["a".into()]), "a.b=1 a.c=null ab=2");
        assert_eq!(with(|parser| parser.include = vec!["a.".into()]), "a.b=1 a.c=null");
        assert_eq!(with(|parser| parser.exclude = vec!["a".into()]), "d=");
        assert_eq!(with(|parser| parser.exclude = vec!["a.".into()]), "d= ab=2");
        fn both(parser: &mut ParseJson, include: &[&str], exclude: &[&str]) {
            parser.prefix = "p.".into();
            parser.include = include.iter().map(|name| (*name).into()).collect();
            parser.exclude = exclude.iter().map(|name| (*name).into()).collect();
        }
        assert_eq!(with(|parser| both(parser, &["p.a."], &[""])), "p.a.b=1 p.a.c=null");
        assert_eq!(with(|parser| both(parser, &[""], &["p.a.", "p.d"])), "p.ab=2");
        // Names without the prefix are others.
        assert_eq!(with(|parser| both(parser, &[""], &["a.", "d"])), "p.a.b=1 p.a.c=null p.d= p.ab=2");
        let moved = |parser: &mut ParseJson| {
            parser.prefix = "p.".into();
            parser.remove_prefixes = vec!["a.".into()];
        };
        assert_eq!(with(moved), "p.b=1 p.c=null p.d= p.ab=2");
        assert_eq!(with(|parser| both(parser, &["p.a.c"], &["p.a"])), "p.a.c=null p.d=");
        assert_eq!(with(|parser| parser.exclude_empty = true), "a.b=1 a.c=null ab=2");
        assert_eq!(with(|parser| parser.nulls = Nulls::Discard), "a.b=1 d= ab=2");
        assert_eq!(with(|parser| parser.nulls = Nulls::Empty), "a.b=1 a.c= d= ab=2");
    }
}
