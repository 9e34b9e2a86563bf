//! `concat`, `concatArray`, `splitString`, `split` and `lowercase`: functions of several fields at once.

use std::sync::Arc;

use crate::compile::pattern::Pattern;
use crate::compile::regex::CompiledRegex;
use crate::error::Diagnostic;
use crate::functions::{Arguments, Build, Kind, Parameter, RowFunction, Scratch, Signature, Touches};
use crate::machine::{StepError, View};
use crate::record::{Column, ColumnBuilder};
use crate::value::ValueRef;

/// Elements of one array looked at or made at most.
pub const MAX_ARRAY_ELEMENTS: usize = 10_000;

const ELEMENTS: i64 = MAX_ARRAY_ELEMENTS as i64;

/// The table of this family.
pub const SIGNATURES: &[Signature] = &[
    Signature {
        name: "concat",
        aliases: &[],
        parameters: &[
            Parameter::required("field", Kind::Texts).aliased(&["fields"]),
            Parameter::with_default("as", Kind::Text, "_concat"),
        ],
        build: Build::Row(build_concat),
        doc: "The values of fields one after another.",
    },
    Signature {
        name: "concatArray",
        aliases: &[],
        parameters: &[
            Parameter::required("field", Kind::Text),
            Parameter::with_default("separator", Kind::Text, ""),
            Parameter::with_default("prefix", Kind::Text, ""),
            Parameter::with_default("suffix", Kind::Text, ""),
            Parameter::with_default("from", Kind::Integer { least: 0, most: ELEMENTS }, "0"),
            Parameter::optional("to", Kind::Integer { least: 0, most: ELEMENTS }),
            Parameter::with_default("as", Kind::Text, "_concatArray"),
        ],
        build: Build::Row(build_concat_array),
        doc: "The elements of an array in one text.",
    },
    Signature {
        name: "splitString",
        aliases: &[],
        parameters: &[
            Parameter::with_default("field", Kind::Text, "@rawstring"),
            Parameter::required("by", Kind::Regex),
            Parameter::with_default("as", Kind::Text, "_splitstring"),
            Parameter::optional("index", Kind::Integer { least: -ELEMENTS, most: ELEMENTS }),
        ],
        build: Build::Row(build_split_string),
        doc: "The parts of a text between matches of a regex, as an array or one of them.",
    },
    Signature {
        name: "split",
        aliases: &[],
        parameters: &[
            Parameter::with_default("field", Kind::Text, "_events"),
            Parameter::with_default("strip", Kind::Bool, "false"),
        ],
        build: Build::Row(build_split),
        doc: "A row for each element of an array.",
    },
    Signature {
        name: "lowercase",
        aliases: &[],
        parameters: &[
            Parameter::required("field", Kind::Texts).aliased(&["fields"]),
            Parameter::with_default("include", Kind::Choice(&["values", "fields", "both"]), "values"),
        ],
        build: Build::Row(build_lowercase),
        doc: "Values or names of fields in small letters, in place.",
    },
];

/// A compiled function of this family.
#[derive(Debug)]
pub enum ArrayFunction {
    /// Fields one after another.
    Concat {
        /// Which.
        fields: Vec<Arc<str>>,
        /// The field written.
        output: Arc<str>,
    },
    /// Elements one after another.
    ConcatArray(ConcatArray),
    /// The parts of a text.
    SplitString {
        /// The text.
        field: Arc<str>,
        /// Between them.
        by: CompiledRegex,
        /// The array, or the field of one part.
        output: Arc<str>,
        /// Which part, from the end if negative.
        index: Option<i64>,
    },
    /// A row an element.
    Split {
        /// The array.
        field: Arc<str>,
        /// Fields of elements lose the array's name.
        strip: bool,
    },
    /// Small letters in place.
    Lowercase {
        /// Which; none: all.
        fields: Option<Vec<Arc<str>>>,
        /// Their values.
        values: bool,
        /// Their names.
        names: bool,
    },
}

/// A compiled `concatArray`.
#[derive(Debug)]
pub struct ConcatArray {
    field: Arc<str>,
    separator: Arc<str>,
    prefix: Arc<str>,
    suffix: Arc<str>,
    from: usize,
    to: usize,
    output: Arc<str>,
}

fn build_concat(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let (fields, output) = (arguments.texts("field").to_vec(), arguments.text_or_empty("as"));
    Ok(RowFunction::Array(ArrayFunction::Concat { fields, output }))
}

fn build_concat_array(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let at = |name: &str| arguments.integer(name).and_then(|at| usize::try_from(at).ok());
    Ok(RowFunction::Array(ArrayFunction::ConcatArray(ConcatArray {
        field: arguments.text_or_empty("field"),
        separator: arguments.text_or_empty("separator"),
        prefix: arguments.text_or_empty("prefix"),
        suffix: arguments.text_or_empty("suffix"),
        from: at("from").unwrap_or(0),
        to: at("to").unwrap_or(MAX_ARRAY_ELEMENTS),
        output: arguments.text_or_empty("as"),
    })))
}

fn build_split_string(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let Some(by) = arguments.regex("by") else { return Err(arguments.fault("by", "no regex")) };
    Ok(RowFunction::Array(ArrayFunction::SplitString {
        field: arguments.text_or_empty("field"),
        by: crate::compile::regex::compile_whole(by, "")?,
        output: arguments.text_or_empty("as"),
        index: arguments.integer("index"),
    }))
}

fn build_split(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let field = arguments.text_or_empty("field");
    let field = field.strip_suffix("[]").map_or_else(|| Arc::clone(&field), Arc::from);
    Ok(RowFunction::Array(ArrayFunction::Split { field, strip: arguments.is_true("strip") }))
}

fn build_lowercase(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let include = arguments.text_or_empty("include");
    let fields = arguments.texts("field");
    Ok(RowFunction::Array(ArrayFunction::Lowercase {
        fields: (!fields.iter().any(|field| **field == *"*")).then(|| fields.to_vec()),
        values: *include != *"fields",
        names: *include != *"values",
    }))
}

/// The name of element `at` of `array`: `a[0]`, and `a[0].b` for `a[].b`.
#[must_use]
pub fn element(array: &str, at: usize) -> Arc<str> {
    match array.split_once("[]") {
        Some((before, after)) => format!("{before}[{at}]{after}").into(),
        None => format!("{array}[{at}]").into(),
    }
}

/// The parts of `text` between the matches of `by`, at most [`MAX_ARRAY_ELEMENTS`]; empty matches part nothing.
pub fn parts<'t>(by: &Pattern, text: &'t str) -> Vec<&'t str> {
    let mut parts = Vec::new();
    let mut start = 0;
    by.read_each(text, |found, _| {
        if !found.is_empty() && parts.len() < MAX_ARRAY_ELEMENTS - 1 {
            parts.push(text.get(start..found.start).unwrap_or_default());
            start = found.end;
        }
    });
    parts.push(text.get(start..).unwrap_or_default());
    parts
}

impl ArrayFunction {
    /// Runs over the rows in play.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn apply(&self, view: &mut View<'_>, scratch: &mut Scratch) -> Result<(), StepError> {
        match self {
            ArrayFunction::Concat { fields, output } => {
                let columns: Result<Vec<Column>, _> = fields.iter().map(|field| view.column(field)).collect();
                let made = join_rows(view, &columns?, |text, value| value.write_text(text));
                view.assign(output, made)?;
            }
            ArrayFunction::ConcatArray(function) => function.apply(view)?,
            ArrayFunction::SplitString { field, by, output, index } => {
                split_string(view, field, by, output, *index, &mut scratch.text)?;
            }
            ArrayFunction::Split { field, strip } => split(view, field, *strip)?,
            ArrayFunction::Lowercase { fields, values, names } => {
                let fields = fields.clone().unwrap_or_else(|| view.names());
                for field in fields {
                    lowercase(view, &field, *values, *names)?;
                }
            }
        }
        Ok(())
    }

    /// Notes what it reads and writes.
    pub fn touches(&self, touches: &mut Touches) {
        match self {
            ArrayFunction::Concat { fields, output } => {
                fields.iter().for_each(|field| touches.read(field));
                touches.read(output);
                touches.write(output);
            }
            ArrayFunction::ConcatArray(function) => {
                // How many elements there are shows only in the rows.
                touches.reads_all = true;
                touches.read(&function.output);
                touches.write(&function.output);
            }
            ArrayFunction::SplitString { field, output, index, .. } => {
                touches.read(field);
                touches.read(output);
                touches.write(output);
                if index.is_none() {
                    touches.reads_all = true;
                    touches.writes_any = true;
                }
            }
            ArrayFunction::Split { .. } | ArrayFunction::Lowercase { .. } => {
                touches.reads_all = true;
                touches.writes_any = true;
            }
        }
    }

    /// The field a call inside an expression yields.
    #[must_use]
    pub fn output(&self) -> Option<Arc<str>> {
        match self {
            ArrayFunction::Concat { output, .. } => Some(Arc::clone(output)),
            ArrayFunction::ConcatArray(function) => Some(Arc::clone(&function.output)),
            ArrayFunction::SplitString { output, index, .. } => index.map(|_| Arc::clone(output)),
            ArrayFunction::Split { .. } | ArrayFunction::Lowercase { .. } => None,
        }
    }
}

/// A text a row made of the values it has in `columns`; none for rows that have none.
fn join_rows(
    view: &View<'_>,
    columns: &[Column],
    mut write: impl FnMut(&mut String, ValueRef<'_>),
) -> Column {
    let mut out = ColumnBuilder::with_capacity(view.rows());
    let mut text = String::new();
    for row in view.selection().iter() {
        out.pad(row);
        text.clear();
        let mut any = false;
        for value in columns.iter().filter_map(|column| column.get(row)) {
            any = true;
            write(&mut text, value);
        }
        if any {
            out.text(&text);
        }
    }
    out.pad(view.rows());
    out.finish()
}

impl ConcatArray {
    fn apply(&self, view: &mut View<'_>) -> Result<(), StepError> {
        let mut columns = Vec::new();
        let present = |column: &Column, view: &View<'_>| !column.present(view.selection()).is_empty();
        for at in 0..MAX_ARRAY_ELEMENTS.min(self.to.saturating_add(1)) {
            let column = view.column(&element(&self.field, at))?;
            if !present(&column, view) {
                break;
            }
            columns.push(column);
        }
        let mut out = ColumnBuilder::with_capacity(view.rows());
        for row in view.selection().iter() {
            out.pad(row);
            // The array ends at its first gap.
            let elements = columns.iter().map_while(|column| column.get(row)).skip(self.from);
            let mut text = String::new();
            let mut any = false;
            for value in elements {
                if any {
                    text.push_str(&self.separator);
                }
                any = true;
                text.push_str(&self.prefix);
                value.write_text(&mut text);
                text.push_str(&self.suffix);
            }
            if any {
                out.text(&text);
            }
        }
        out.pad(view.rows());
        view.assign(&self.output, out.finish())?;
        Ok(())
    }
}

fn split_string(
    view: &mut View<'_>,
    field: &str,
    by: &CompiledRegex,
    output: &Arc<str>,
    index: Option<i64>,
    scratch: &mut String,
) -> Result<(), StepError> {
    if let Some(index) = index {
        view.map(field, output, |value, out| {
            let parts = parts(&by.regex, value.text_in(scratch));
            let at = if index < 0 { index + parts.len() as i64 } else { index };
            if let Some(part) = usize::try_from(at).ok().and_then(|at| parts.get(at)) {
                out.text(part);
            }
        })?;
        return Ok(());
    }
    let column = view.column(field)?;
    let mut outputs: Vec<ColumnBuilder> = Vec::new();
    for row in view.selection().iter() {
        let Some(value) = column.get(row) else { continue };
        let parts = parts(&by.regex, value.text_in(scratch));
        if outputs.len() < parts.len() {
            outputs.resize_with(parts.len(), ColumnBuilder::default);
        }
        for (out, part) in outputs.iter_mut().zip(parts) {
            out.pad(row);
            out.text(part);
        }
    }
    for (at, mut out) in outputs.into_iter().enumerate() {
        out.pad(view.rows());
        view.assign(&element(output, at), out.finish())?;
    }
    Ok(())
}

/// The element number and what follows it in the name of a field of an element: `a[3].b` is `(3, ".b")` for `a`.
pub(crate) fn member<'n>(name: &'n str, array: &str) -> Option<(usize, &'n str)> {
    let (number, rest) = name.strip_prefix(array)?.strip_prefix('[')?.split_once(']')?;
    let plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    number.parse().ok().filter(|at| plain && *at < MAX_ARRAY_ELEMENTS).map(|at| (at, rest))
}

fn split(view: &mut View<'_>, array: &Arc<str>, strip: bool) -> Result<(), StepError> {
    let names = view.names();
    let mut members: Vec<(usize, &str, Arc<str>, Column)> = Vec::new();
    for name in &names {
        if let Some((at, rest)) = member(name, array) {
            members.push((at, rest, Arc::clone(name), view.column(name)?));
        }
    }
    if members.is_empty() {
        return Ok(());
    }
    members.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
    let has = |row: usize, at: usize| {
        let from = members.partition_point(|member| member.0 < at);
        let of_element = members.iter().skip(from).take_while(|member| member.0 == at);
        of_element.map(|member| &member.3).any(|column| column.get(row).is_some())
    };
    let (mut picks, mut elements) = (Vec::new(), Vec::new());
    for row in view.selection().iter() {
        let pick = u32::try_from(row).unwrap_or(u32::MAX);
        let count = (0..MAX_ARRAY_ELEMENTS).take_while(|at| has(row, *at)).count();
        // A row without the array stays as it is.
        for at in 0..count.max(1) {
            picks.push(pick);
            elements.push((count > 0).then_some(at));
        }
    }
    let mut suffixes: Vec<&str> = members.iter().map(|member| member.1).collect();
    suffixes.sort_unstable();
    suffixes.dedup();
    let mut outputs: Vec<(Arc<str>, Column)> = Vec::new();
    for suffix in suffixes {
        let mut out = ColumnBuilder::with_capacity(picks.len());
        for (pick, element) in picks.iter().zip(&elements) {
            let found =
                element.and_then(|at| members.binary_search_by(|m| (m.0, m.1).cmp(&(at, suffix))).ok());
            out.push(found.and_then(|found| members.get(found)?.3.get(*pick as usize)));
        }
        let name = match (strip, suffix.strip_prefix('.')) {
            (true, Some(bare)) => Arc::from(bare),
            _ => Arc::from(format!("{array}{suffix}")),
        };
        outputs.push((name, out.finish()));
    }
    let ids = view.column("@id")?;
    let removed: Vec<Arc<str>> = members.into_iter().map(|member| member.2).collect();
    view.multiply(&picks)?;
    removed.iter().for_each(|name| view.remove(name));
    for (name, column) in outputs {
        view.assign(&name, column)?;
    }
    let (mut index, mut id) = (ColumnBuilder::default(), ColumnBuilder::default());
    for (pick, element) in picks.iter().zip(&elements) {
        let Some(at) = element else {
            index.missing();
            id.missing();
            continue;
        };
        index.int(i64::try_from(*at).unwrap_or(i64::MAX));
        match ids.get(*pick as usize) {
            Some(value) => id.text(&format!("{}_{at}", value.text())),
            None => id.missing(),
        }
    }
    view.assign(&Arc::from("_index"), index.finish())?;
    view.assign(&Arc::from("@id"), id.finish())?;
    Ok(())
}

fn lowercase(view: &mut View<'_>, field: &Arc<str>, values: bool, names: bool) -> Result<(), StepError> {
    if values {
        view.map(field, field, |value, out| out.text(&value.text().to_lowercase()))?;
    }
    let lower = field.to_lowercase();
    if names && lower != **field {
        let column = view.column(field)?;
        view.assign(&lower.into(), column)?;
        view.remove(field);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_parted() {
        let parted =
            |by: &str, text: &'static str| parts(&Pattern::from(regex::Regex::new(by).unwrap()), text);
        assert_eq!(parted(",", "a,b,,c"), ["a", "b", "", "c"]);
        assert_eq!(parted(",", ""), [""]);
        assert_eq!(parted(r"\s*;\s*", "a ; b;c"), ["a", "b", "c"]);
        assert_eq!(parted("x", "none"), ["none"]);
        assert_eq!(parted("", "ab"), ["ab"]);
    }

    #[test]
    fn members_of_arrays() {
        for (name, told) in [
            ("a[0]", Some((0, ""))),
            ("a[12].b.c", Some((12, ".b.c"))),
            ("a[0][1]", Some((0, "[1]"))),
            ("a[]", None),
            ("a[x]", None),
            ("ab[0]", None),
            ("a.b[0]", None),
            ("a[99999999999]", None),
        ] {
            assert_eq!(member(name, "a"), told, "{name}");
        }
        assert_eq!(&*element("a", 3), "a[3]");
        assert_eq!(&*element("a[].b", 3), "a[3].b");
    }
}
