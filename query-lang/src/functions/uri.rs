//! `parseUri` and `parseUrl`: the parts of a URI as fields.
//!
//! Parts are taken as they are written, by the generic syntax of RFC 3986: nothing is decoded or made canonical, and more
//! characters are accepted than it allows. A part that is missing or empty has no field; what has white space or a port
//! that is no number gives nothing at all.

use std::sync::Arc;

use crate::error::Diagnostic;
use crate::functions::{Arguments, Build, Kind, Parameter, RowFunction, Scratch, Signature, Touches};
use crate::machine::{StepError, View};

/// The table of this family.
pub const SIGNATURES: &[Signature] = &[
    Signature {
        name: "parseUri",
        aliases: &[],
        parameters: &[
            Parameter::required("field", Kind::Text),
            Parameter::optional("prefix", Kind::Text).aliased(&["as"]),
            Parameter::optional("defaultBase", Kind::Text),
        ],
        build: Build::Row(build),
        doc: "The parts of a URI as fields, also of one that lacks its scheme.",
    },
    Signature {
        name: "parseUrl",
        aliases: &[],
        parameters: &[
            Parameter::with_default("field", Kind::Text, "url"),
            Parameter::optional("as", Kind::Text).aliased(&["prefix"]),
        ],
        build: Build::Row(build),
        doc: "The parts of a URL as fields.",
    },
];

/// What the parts are called, in the order of [`Parts`].
const NAMES: [&str; 8] = ["scheme", "username", "password", "host", "port", "path", "query", "fragment"];

/// The parts of a URI; empty ones are not there.
pub type Parts<'t> = [&'t str; NAMES.len()];

/// A compiled function of this family.
#[derive(Debug)]
pub struct ParseUri {
    field: Arc<str>,
    outputs: [Arc<str>; NAMES.len()],
    base: Option<Base>,
}

/// What a URI lacks: `//`, or a scheme as well.
#[derive(Debug)]
struct Base {
    /// Without `://`.
    scheme: Option<String>,
}

fn build(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let field = arguments.text_or_empty("field");
    let prefix = arguments.text("prefix").unwrap_or_else(|| Arc::clone(&field));
    if prefix.is_empty() {
        return Err(arguments.fault("prefix", "the prefix is empty"));
    }
    let base = match arguments.text("defaultBase") {
        None => None,
        Some(text) => match text.strip_suffix("//").map(|scheme| scheme.strip_suffix(':')) {
            Some(Some(scheme)) if is_scheme(scheme) => Some(Base { scheme: Some(scheme.to_owned()) }),
            _ if *text == *"//" => Some(Base { scheme: None }),
            _ => {
                let message = format!("expected `//` or a scheme like `http://`, not `{text}`");
                return Err(arguments.fault("defaultBase", message));
            }
        },
    };
    let outputs = NAMES.map(|name| format!("{prefix}.{name}").into());
    Ok(RowFunction::Uri(ParseUri { field, outputs, base }))
}

impl ParseUri {
    /// Runs over the rows in play.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn apply(&self, view: &mut View<'_>, scratch: &mut Scratch) -> Result<(), StepError> {
        let column = view.column(&self.field)?;
        let (columns, _) = column.map_many(view.selection(), NAMES.len(), |value, outputs| {
            let text = value.text_in(&mut scratch.text).trim();
            let based;
            let text = match &self.base {
                Some(base) if !has_authority(text) => {
                    based = base.resolve(text);
                    &based
                }
                _ => text,
            };
            let Some(parts) = parts(text) else { return false };
            for (part, out) in parts.into_iter().zip(outputs) {
                if !part.is_empty() {
                    out.text(part);
                }
            }
            true
        });
        for (name, column) in self.outputs.iter().zip(columns) {
            view.assign(name, column)?;
        }
        Ok(())
    }

    /// Notes what it reads and writes.
    pub fn touches(&self, touches: &mut Touches) {
        touches.read(&self.field);
        for name in &self.outputs {
            touches.read(name);
            touches.write(name);
        }
    }
}

impl Base {
    /// `text` with what it lacks.
    fn resolve(&self, text: &str) -> String {
        let scheme = self.scheme.as_ref().map_or(String::new(), |scheme| format!("{scheme}:"));
        let slashes = if text.starts_with("//") { "" } else { "//" };
        format!("{scheme}{slashes}{text}")
    }
}

fn is_scheme(text: &str) -> bool {
    let rest = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(rest)
}

/// It says scheme and authority by itself.
fn has_authority(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, _)| is_scheme(scheme))
}

/// The parts of `text`; none when it is no URI.
#[must_use]
pub fn parts(text: &str) -> Option<Parts<'_>> {
    if text.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return None;
    }
    let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
    let (text, query) = text.split_once('?').unwrap_or((text, ""));
    let (scheme, rest) = match text.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => (scheme, rest),
        _ => ("", text),
    };
    let Some(rest) = rest.strip_prefix("//") else {
        return Some([scheme, "", "", "", "", rest, query, fragment]);
    };
    let (authority, path) = rest.split_at_checked(rest.find('/').unwrap_or(rest.len()))?;
    let (user, address) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (username, password) = user.split_once(':').unwrap_or((user, ""));
    let (host, port) = match address.rsplit_once(':') {
        // The colons of `[::1]` are its own.
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (address, ""),
    };
    port.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some([scheme, username, password, host, port, path, query, fragment])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_have_parts() {
        for (text, told) in [
            (
                "https://me:pw@example.com:8080/a/b?q=1&r=%20#top",
                Some("https|me|pw|example.com|8080|/a/b|q=1&r=%20|top"),
            ),
            ("http://example.com", Some("http|||example.com||||")),
            ("http://[::1]:80/", Some("http|||[::1]|80|/||")),
            ("http://[::1]", Some("http|||[::1]||||")),
            ("/api/v1?x=/", Some("|||||/api/v1|x=/|")),
            ("//host/p", Some("|||host||/p||")),
            ("example.com:8080/foo", Some("example.com|||||8080/foo||")),
            ("mailto:a@b.c", Some("mailto|||||a@b.c||")),
            ("http://blåbær.dk/æ", Some("http|||blåbær.dk||/æ||")),
            ("http://a:b:c@h/", Some("http|a|b:c|h||/||")),
            ("http://h:/x", Some("http|||h||/x||")),
            ("www.example.com/path", Some("|||||www.example.com/path||")),
            ("?q", Some("||||||q|")),
            ("http://h:80x/", None),
            ("not a uri", None),
            ("", None),
        ] {
            assert_eq!(parts(text).map(|parts| parts.join("|")).as_deref(), told, "{text}");
        }
    }

    #[test]
    fn bases_complete_what_lacks_them() {
        for (scheme, text, told) in [
            (Some("http"), "example.com:8080/foo", "http://example.com:8080/foo"),
            (Some("http"), "//example.com", "http://example.com"),
            (None, "example.com", "//example.com"),
            (None, "//example.com", "//example.com"),
        ] {
            let base = Base { scheme: scheme.map(str::to_owned) };
            assert_eq!(base.resolve(text), told);
        }
        assert!(has_authority("ftp://example.com") && !has_authority("example.com:80//"));
    }
}
