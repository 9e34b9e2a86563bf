//! `parseJson`: the members of a JSON text as fields, nested ones as `a.b` and `a[0]`.
//!
//! Numbers keep their text. Empty objects and arrays give no field. Text that is no JSON gives nothing at all.

mod objects;
mod reader;

use std::sync::Arc;

pub(crate) use objects::Objects;
pub(crate) use reader::Reader;

use self::reader::Scalar;

use crate::error::Diagnostic;
use crate::functions::dynamic_fields::DynamicFields;
use crate::functions::{Arguments, Build, Kind, Parameter, RowFunction, Scratch, Signature, Touches};
use crate::machine::{StepError, View};

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
        let mut outputs = DynamicFields::new(view, scratch);
        for row in view.selection().iter() {
            if let Some(value) = column.get(row)
                && let Some(fields) = self.fields(value.text_in(&mut scratch.text))
            {
                fields.iter().try_for_each(|(name, text)| outputs.put(name, row, text))?;
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
