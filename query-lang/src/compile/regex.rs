//! The language's regexes in terms of the `regex` crate: the dialect translated, named groups listed, size limited.

use std::sync::Arc;

use crate::compile::pattern::Pattern;
use crate::error::Diagnostic;
use crate::plan;
use crate::span::Span;

/// The longest pattern, in bytes.
pub const MAX_REGEX_BYTES: usize = 64 << 10;
/// The most memory a compiled regex may take, in bytes.
pub const MAX_REGEX_PROGRAM_BYTES: usize = 4 << 20;

/// A compiled regex with the named groups it extracts.
#[derive(Clone, Debug)]
pub struct CompiledRegex {
    /// It.
    pub regex: Pattern,
    /// Group number and field name, in the order of the pattern; a name may be there twice.
    pub groups: Vec<(usize, Arc<str>)>,
}

/// Compiles `regex` with its own flags and `flags`, for whom it is all the same where a match ends: a look-ahead at the very end
/// is then what follows, in linear time.
///
/// # Errors
/// When it is no regex or too large.
pub fn compile(regex: &plan::Regex, flags: &str) -> Result<CompiledRegex, Diagnostic> {
    build(regex, flags, false)
}

/// [`compile`] for those that go on behind a match, or put something in its place.
///
/// # Errors
/// When it is no regex or too large.
pub fn compile_whole(regex: &plan::Regex, flags: &str) -> Result<CompiledRegex, Diagnostic> {
    build(regex, flags, true)
}

fn build(regex: &plan::Regex, flags: &str, whole: bool) -> Result<CompiledRegex, Diagnostic> {
    let fault =
        |code: &'static str, message: String| Diagnostic { code, message, span: regex.place.0, hint: None };
    if regex.pattern.len() > MAX_REGEX_BYTES {
        return Err(fault("limit", format!("the regex is longer than {MAX_REGEX_BYTES} bytes")));
    }
    let mut translated = translate(&regex.pattern).map_err(|message| fault("regex", message))?;
    if !whole {
        translated.follow();
    }
    // The flags go into the pattern, so that it says all there is to know about the regex.
    let mut inline = String::new();
    for flag in regex.flags.chars().chain(flags.chars()) {
        match flag {
            'i' | 'm' => inline.push(flag),
            'd' => inline.push('s'),
            // `g` is a matter of the caller, `F` names another engine of the same dialect.
            'g' | 'F' => {}
            other => {
                return Err(fault("regex", format!("unknown regex flag `{other}`: flags are d, g, i, m, F")));
            }
        }
    }
    let pattern = match ['i', 'm', 's'].into_iter().filter(|flag| inline.contains(*flag)).collect::<String>()
    {
        flags if flags.is_empty() => translated.pattern,
        flags => format!("(?{flags}){}", translated.pattern),
    };
    if translated.tries > 0 {
        return match Pattern::trying(&pattern, MAX_REGEX_PROGRAM_BYTES) {
            Ok(regex) => Ok(CompiledRegex { regex, groups: translated.groups }),
            Err(reason) => Err(fault("regex", format!("not a regex: {reason}"))),
        };
    }
    let mut builder = regex::RegexBuilder::new(&pattern);
    builder.size_limit(MAX_REGEX_PROGRAM_BYTES);
    match builder.build() {
        Ok(built) => Ok(CompiledRegex { regex: Pattern::Linear(built), groups: translated.groups }),
        Err(regex::Error::CompiledTooBig(limit)) => {
            Err(fault("limit", format!("the regex takes more than {limit} bytes when compiled")))
        }
        Err(error) => {
            let text = error.to_string();
            let reason = text.rsplit("error: ").next().unwrap_or(&text).trim();
            let span = place_of_fault(regex, &pattern).unwrap_or(regex.place.0);
            Err(Diagnostic { span, ..fault("regex", format!("not a regex: {reason}")) })
        }
    }
}

/// Where in the query the fault of `compiled` stands, where that can be told: nothing of what is written was translated
/// or stood for something else, so that places in the pattern are places in the text.
fn place_of_fault(regex: &plan::Regex, compiled: &str) -> Option<Span> {
    let written = regex.place.0.range();
    let flags = compiled.strip_suffix(regex.pattern.as_str())?.len();
    // One sign before the pattern, `/` or a quote, and one behind it.
    if written.len() != regex.pattern.len() + 2 + regex.flags.len() {
        return None;
    }
    let span = match regex_syntax::parse(compiled).err()? {
        regex_syntax::Error::Parse(fault) => *fault.span(),
        regex_syntax::Error::Translate(fault) => *fault.span(),
        _ => return None,
    };
    let start = written.start + 1 + span.start.offset.checked_sub(flags)?;
    let end = written.start + 1 + span.end.offset.checked_sub(flags)?;
    (start < end && end < written.end).then(|| Span::new(start, end))
}

/// A regex that matches a text literally, stars standing for anything, letters in either case.
pub(super) fn ignore_case(pattern: &str, anchored: bool) -> plan::Regex {
    let pieces: Vec<String> = pattern.split('*').map(regex::escape).collect();
    let body = pieces.join(".*");
    let pattern = if anchored { format!(r"(?is)\A(?:{body})\z") } else { format!("(?is){body}") };
    plan::Regex { pattern, flags: String::new(), place: plan::Place::default() }
}

/// Whether `pattern` has groups that name a field.
#[must_use]
pub fn has_named_groups(pattern: &str) -> bool {
    translate(pattern).is_ok_and(|translated| !translated.groups.is_empty())
}

/// A pattern in the dialect of the `regex` crate.
#[derive(Default)]
pub(crate) struct Translated {
    pub(crate) pattern: String,
    pub(crate) groups: Vec<(usize, Arc<str>)>,
    /// How often it looks around, refers back or holds on to what it took.
    tries: usize,
    /// Where a look-ahead begins that is the last there is of the pattern.
    follows: Option<usize>,
}

impl Translated {
    /// Takes a look-ahead at the very end for what follows.
    pub(super) fn follow(&mut self) {
        if let Some(at) = self.follows.take() {
            self.pattern.replace_range(at..at + "(?=".len(), "(?:");
            self.tries -= 1;
        }
    }
}

/// Translates what differs: group names with any characters (they become plain groups), `\Q..\E`, `\Z`, `\<`,
/// classes (see [`class`]), literal `{`.
pub(crate) fn translate(pattern: &str) -> Result<Translated, String> {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut told = Translated::default();
    let mut captures = 0;
    // How many classes are open, one in another.
    let mut depth = 0_usize;
    // Where the groups begin that are open.
    let mut open: Vec<usize> = Vec::new();
    let mut rest = pattern;
    while let Some(next) = rest.chars().next() {
        let tail = rest.get(next.len_utf8()..).unwrap_or_default();
        rest = match next {
            '\\' if depth == 0 && tail.starts_with(['1', '2', '3', '4', '5', '6', '7', '8', '9']) => {
                told.tries += 1;
                out.push('\\');
                tail
            }
            '\\' if depth == 0 && tail.starts_with("k<") => {
                told.tries += 1;
                named_reference(tail.get(2..).unwrap_or_default(), &told.groups, &mut out)?
            }
            '\\' => escape(tail, depth > 0, &mut out)?,
            '[' if depth == 0 => {
                depth = 1;
                open_class(tail, &mut out)
            }
            _ if depth > 0 => class(next, tail, &mut depth, &mut out),
            '(' => {
                open.push(out.len());
                group(tail, &mut out, &mut captures, &mut told)?
            }
            ')' => {
                let began = open.pop();
                out.push(')');
                told.follows = began.filter(|at| {
                    tail.is_empty()
                        && open.is_empty()
                        && out.get(*at..).is_some_and(|group| group.starts_with("(?="))
                });
                tail
            }
            '{' if !is_repetition(tail) => {
                out.push_str("\\{");
                tail
            }
            other => {
                out.push(other);
                tail
            }
        };
    }
    Ok(Translated { pattern: out, ..told })
}

/// What follows `\k<`, a reference to a group by its name; gives what is left.
fn named_reference<'p>(
    tail: &'p str,
    groups: &[(usize, Arc<str>)],
    out: &mut String,
) -> Result<&'p str, String> {
    let (name, after) = tail.split_once('>').ok_or("the name of the group referred to has no end")?;
    let found = groups.iter().find(|(_, known)| **known == *name);
    let (group, _) =
        found.ok_or_else(|| format!("no group `{name}` stands in front of the reference to it"))?;
    // A digit behind it is none of its number.
    out.push_str(&format!("(?:\\{group})"));
    Ok(after)
}

/// `next` inside a class; gives what is left. Classes of the `regex` crate know more than those of the dialect:
/// what would be an operator there (`--`, `~~`, a nested class) is the character itself here, but for POSIX items
/// (`[:alpha:]`) and intersections with a class (`&&[..]`).
fn class<'p>(next: char, tail: &'p str, depth: &mut usize, out: &mut String) -> &'p str {
    match next {
        '[' => match posix_item(tail) {
            Some(length) => {
                out.push('[');
                out.push_str(tail.get(..length).unwrap_or_default());
                return tail.get(length..).unwrap_or_default();
            }
            None => out.push_str("\\["),
        },
        ']' => {
            *depth -= 1;
            out.push(']');
        }
        '&' => match tail.strip_prefix('&') {
            Some(after) => {
                if let Some(nested) = after.strip_prefix('[').filter(|nested| posix_item(nested).is_none()) {
                    *depth += 1;
                    out.push_str("&&");
                    return open_class(nested, out);
                }
                out.push_str("\\&\\&");
                return after;
            }
            None => out.push('&'),
        },
        '~' => out.push_str("\\~"),
        // `[\w-.]`, `[+--]`: behind a class and beside another, a `-` is itself.
        '-' if ends_in_class(out) => out.push_str("\\-"),
        // `--` ends a range where it can, and is two characters where not.
        '-' if tail.starts_with('-') => match out.chars().next_back() {
            Some('!'..=',') => {
                out.push_str("-\\-");
                return tail.get(1..).unwrap_or_default();
            }
            Some('[' | '^') => out.push_str("\\-"),
            _ => {
                out.push_str("\\-\\-");
                return tail.get(1..).unwrap_or_default();
            }
        },
        other => out.push(other),
    }
    tail
}

/// The length of what follows `[` in a POSIX item: `:alpha:]`, `:^digit:]`.
fn posix_item(tail: &str) -> Option<usize> {
    let body = tail.strip_prefix(':')?;
    let body = body.strip_prefix('^').unwrap_or(body);
    let name = body.bytes().take_while(u8::is_ascii_lowercase).count();
    let is_item = name > 0 && body.get(name..)?.starts_with(":]");
    is_item.then(|| tail.len() - body.len() + name + 2)
}

/// POSIX classes of the dialect (`\p{Alpha}`), which are ASCII, by the name they have in a bracket.
const POSIX_CLASSES: [(&str, &str); 11] = [
    ("{Alpha}", "alpha"),
    ("{Digit}", "digit"),
    ("{Alnum}", "alnum"),
    ("{Upper}", "upper"),
    ("{Lower}", "lower"),
    ("{Punct}", "punct"),
    ("{Space}", "space"),
    ("{XDigit}", "xdigit"),
    ("{Blank}", "blank"),
    ("{Cntrl}", "cntrl"),
    ("{ASCII}", "ascii"),
];

fn ends_in_class(out: &str) -> bool {
    let mut last = out.chars().rev();
    matches!(last.next(), Some('w' | 'd' | 's' | 'W' | 'D' | 'S'))
        && last.take_while(|one| *one == '\\').count() % 2 == 1
}

/// What follows a backslash; gives what is left.
fn escape<'p>(tail: &'p str, in_class: bool, out: &mut String) -> Result<&'p str, String> {
    let Some(next) = tail.chars().next() else { return Err("the regex ends in a backslash".to_owned()) };
    let after = tail.get(next.len_utf8()..).unwrap_or_default();
    match next {
        'Q' => {
            let (literal, after) = after.split_once("\\E").unwrap_or((after, ""));
            out.push_str(&regex::escape(literal));
            return Ok(after);
        }
        'E' => {}
        'p' | 'P'
            if let Some((name, posix)) = POSIX_CLASSES.iter().find(|(name, _)| after.starts_with(name)) =>
        {
            let item = format!("[:{}{posix}:]", if next == 'P' { "^" } else { "" });
            // An item stands in a class: in the one around it, or one of its own.
            out.push_str(&if in_class { item } else { format!("[{item}]") });
            return Ok(after.get(name.len()..).unwrap_or_default());
        }
        // Braces that belong to the escape: `\p{L}`, `\x{41}`.
        'p' | 'P' | 'x' | 'u' | 'U' if after.starts_with('{') => {
            let (name, rest) = after.split_at(after.find('}').map_or(after.len(), |at| at + 1));
            out.extend(['\\', next]);
            out.push_str(name);
            return Ok(rest);
        }
        'Z' if !in_class => out.push_str(r"(?:\n?\z)"),
        'e' => out.push_str(r"\x1B"),
        'h' => out.push_str(if in_class { r"\t " } else { r"[\t ]" }),
        '<' | '>' => out.push(next),
        other if !other.is_ascii() => out.push(other),
        other => {
            out.push('\\');
            out.push(other);
        }
    }
    Ok(after)
}

/// What follows `[`: a `^` and a first `]` belong to the opening.
fn open_class<'p>(tail: &'p str, out: &mut String) -> &'p str {
    out.push('[');
    let mut rest = tail;
    if let Some(after) = rest.strip_prefix('^') {
        out.push('^');
        rest = after;
    }
    if let Some(after) = rest.strip_prefix(']') {
        out.push_str("\\]");
        rest = after;
    }
    rest
}

/// What follows `(`; gives what is left.
fn group<'p>(
    tail: &'p str,
    out: &mut String,
    captures: &mut usize,
    told: &mut Translated,
) -> Result<&'p str, String> {
    let Some(kind) = tail.strip_prefix('?') else {
        *captures += 1;
        out.push('(');
        return Ok(tail);
    };
    if let Some(mark) = ["=", "!", "<=", "<!", ">"].iter().find(|mark| kind.starts_with(**mark)) {
        told.tries += 1;
        out.push_str("(?");
        out.push_str(mark);
        return Ok(kind.get(mark.len()..).unwrap_or_default());
    }
    let name = kind.strip_prefix("P<").or_else(|| kind.strip_prefix('<'));
    let Some(name) = name else {
        out.push_str("(?");
        return Ok(kind);
    };
    let Some((name, after)) = name.split_once('>') else {
        return Err("the group's name has no end".to_owned());
    };
    if name.is_empty() {
        return Err("the group has no name".to_owned());
    }
    *captures += 1;
    told.groups.push((*captures, name.into()));
    out.push('(');
    Ok(after)
}

/// Whether what follows `{` makes it a repetition: `3}`, `3,}`, `3,5}`.
fn is_repetition(tail: &str) -> bool {
    let Some((body, _)) = tail.split_once('}') else { return false };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    match body.split_once(',') {
        None => !body.is_empty() && digits(body),
        Some((least, most)) => !least.is_empty() && digits(least) && digits(most),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regex(pattern: &str) -> plan::Regex {
        plan::Regex { pattern: pattern.to_owned(), flags: String::new(), place: plan::Place::default() }
    }

    #[test]
    fn the_dialect_is_understood() {
        for (pattern, text, groups) in [
            (r"(?<a.b>\d+)", "x12", &["a.b"][..]),
            (r"(?<@ts>a)(b)(?P<#tag>c)", "abc", &["@ts", "#tag"]),
            (r"\Q(a+\E\d", "(a+1", &[]),
            (r"[^[]+\[", "ab[", &[]),
            (r"[]a]x", "]x", &[]),
            (r#"{"a":\s*{"#, "{\"a\": {", &[]),
            (r"a{2,3}", "aa", &[]),
            (r"\<b\>", "<b>", &[]),
            (r"[[:alpha:]]+x", "abx", &[]),
            (r"\u0041\x42", "AB", &[]),
            (r"end\Z", "end\n", &[]),
            (r"^[\w-\.]+@[\w-]+$", "a-b.c@d-e", &[]),
            (r"(?i)AB", "ab", &[]),
            (r"\/path\-x\:", "/path-x:", &[]),
            (r"^\p{L}{2}\x{31}\P{L}[\p{Greek}]$", "\u{e9}a12\u{3b1}", &[]),
        ] {
            let compiled =
                compile(&regex(pattern), "").unwrap_or_else(|fault| panic!("{pattern}: {fault:?}"));
            assert!(compiled.regex.is_match(text), "{pattern} on {text}");
            let names: Vec<&str> = compiled.groups.iter().map(|(_, name)| &**name).collect();
            assert_eq!(names, groups, "{pattern}");
        }
    }

    #[test]
    fn classes_mean_what_they_say() {
        for (pattern, yes, no) in [
            (r"^user[:][a-z]+$", &["user:abc"][..], &["user:", "user:]"][..]),
            (r"^[a[:]x$", &["[x", ":x"], &["]x"]),
            (r"^[[:alpha:]_]+[:]$", &["a_:"], &["1:", "a:]"]),
            (r"^[[:^digit:]]$", &["a"], &["1"]),
            (r"^[[:x]+$", &["[:x"], &["]"]),
            (r"^[~~a]+$", &["~a"], &["b"]),
            (r"^[a~~a]+$", &["~a"], &["b"]),
            (r"^[a--b]+$", &["ab-", "-"], &["c"]),
            (r"^[--a]+$", &["-", "a", "/"], &["b", "+"]),
            (r"^[+--]+$", &["+", ",", "-"], &["."]),
            (r"^[a-z&&[^b]]+$", &["ac"], &["b", "&", "]"]),
            (r"^[a-z&&[^b[:^alpha:]]]x$", &["ax"], &["bx", "a]x"]),
            (r"^[a&&b]+$", &["a&b"], &["c"]),
            (r"^\p{Alpha}[\p{Digit}\P{Upper}]$", &["a1", "az"], &["1a", "aA", "é1"]),
            (r"^\p{Punct}\p{XDigit}\p{Space}\p{Alnum}\p{Lower}$", &["!F 9z"], &["!G 9z"]),
            (r"^\P{Digit}\p{Upper}$", &["aA", "éA"], &["1A"]),
        ] {
            let compiled =
                compile(&regex(pattern), "").unwrap_or_else(|fault| panic!("{pattern}: {fault:?}"));
            for text in yes {
                assert!(compiled.regex.is_match(text), "{pattern} on {text}");
            }
            for text in no {
                assert!(!compiled.regex.is_match(text), "{pattern} not on {text}");
            }
        }
    }

    #[test]
    fn faults_are_named() {
        for (pattern, code, part) in [
            ("(?=a", "regex", "not a regex"),
            (r"(?<n>a)\k<m>", "regex", "no group `m`"),
            (r"(?<n>a)\k<n", "regex", "has no end"),
            (r"(a)\2", "regex", "not a regex"),
            ("(a", "regex", "not a regex"),
            (r"\w{1000}{1000}", "limit", "bytes when compiled"),
        ] {
            let fault = compile(&regex(pattern), "").unwrap_err();
            assert_eq!(fault.code, code, "{fault:?}");
            assert!(fault.message.contains(part), "{fault:?}");
        }
        let long = "a".repeat(MAX_REGEX_BYTES);
        assert!(compile(&regex(&long), "").is_ok());
        assert_eq!(compile(&regex(&(long + "a")), "").unwrap_err().code, "limit");
    }

    #[test]
    fn look_around_and_references_are_tried_where_they_cannot_be_rewritten() {
        for (pattern, linear, texts) in [
            (r"(?<user>\w+)(?=@)", true, &[("joe@x", Some(0..4)), ("joe", None)][..]),
            (r"a(?=b)|c(?=d)", false, &[("xab", Some(1..2)), ("cd", Some(0..2)), ("ac", None)]),
            (r"(a(?=b))", false, &[("ab", Some(0..1))]),
            (r"[(?=](?=\))", true, &[("?)", Some(0..2))]),
            (r"^(?!GET)\w+", false, &[("POST /", Some(0..4)), ("GET /", None)]),
            (r"(?<!a)b", false, &[("ab cb", Some(4..5)), ("ab", None)]),
            (r"(?<x>\w)\k<x>1", false, &[("aa1", Some(0..3)), ("ab1", None)]),
            (r"(\w)(\w)\2\1", false, &[("xabba", Some(1..5)), ("abab", None)]),
            (r"(?>a+)b", false, &[("aab", Some(0..3)), ("aac", None)]),
            (r"(?i)A(?=B)", true, &[("ab", Some(0..2))]),
        ] {
            let compiled =
                compile(&regex(pattern), "").unwrap_or_else(|fault| panic!("{pattern}: {fault:?}"));
            assert_eq!(compiled.regex.as_linear().is_some(), linear, "{pattern}");
            for (text, found) in texts {
                let read = compiled.regex.read(&mut compiled.regex.spans(), text, 0);
                assert_eq!(&read, found, "{pattern} on {text}");
            }
            let whole = compile_whole(&regex(pattern), "").unwrap();
            assert!(whole.regex.as_linear().is_none(), "{pattern}");
        }
    }
}
