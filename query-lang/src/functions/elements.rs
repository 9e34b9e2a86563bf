//! `array:append`, `array:dedup`, `array:drop`, `array:length`, `array:rename` and `array:sort`: functions of the elements
//! of one array.
//!
//! An array ends at its first gap. What is made is written over the elements of the array it is written to; where an
//! array becomes shorter, what is left of it is taken away.

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::HashSet;

use crate::compile::expression as compile;
use crate::error::Diagnostic;
use crate::functions::arrays::{MAX_ARRAY_ELEMENTS, element, member};
use crate::functions::{Arguments, Build, Kind, Parameter, RowFunction, Scratch, Signature, Touches};
use crate::machine::expression::Expression;
use crate::machine::{StepError, View};
use crate::record::{Column, ColumnBuilder, RowsError, Selection};
use crate::value::{SortType, ValueRef};

const ARRAY: Parameter = Parameter::required("array", Kind::Text);
const AS_ARRAY: Parameter = Parameter::optional("asArray", Kind::Text);

const fn of_array(name: &'static str, parameters: &'static [Parameter], doc: &'static str) -> Signature {
    Signature { name, aliases: &[], parameters, build: Build::Row(build), doc }
}

/// The table of this family.
pub const SIGNATURES: &[Signature] = &[
    of_array(
        "array:append",
        &[ARRAY, Parameter::required("values", Kind::Expressions)],
        "More elements behind those of an array.",
    ),
    of_array("array:dedup", &[ARRAY, AS_ARRAY], "An array without elements that were there before."),
    of_array("array:drop", &[ARRAY], "Takes an array away."),
    of_array(
        "array:length",
        &[ARRAY, Parameter::with_default("as", Kind::Text, "_length")],
        "How many elements an array has.",
    ),
    of_array(
        "array:rename",
        &[ARRAY, Parameter::required("asArray", Kind::Text)],
        "Another name for an array.",
    ),
    of_array(
        "array:sort",
        &[
            ARRAY,
            AS_ARRAY,
            Parameter::with_default(
                "order",
                Kind::Choice(&["asc", "desc", "ascending", "descending"]),
                "asc",
            ),
            Parameter::with_default("type", Kind::Choice(&["string", "number"]), "string"),
        ],
        "An array in the order of its elements.",
    ),
];

/// A compiled function of this family.
#[derive(Debug)]
pub struct ElementFunction {
    array: Arc<str>,
    what: What,
}

#[derive(Debug)]
enum What {
    Append(Vec<Expression>),
    Dedup(Arc<str>),
    Drop,
    Length(Arc<str>),
    Rename(Arc<str>),
    Sort { output: Arc<str>, kind: SortType, descending: bool },
}

fn build(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let array = arguments.text_or_empty("array");
    let output = arguments.text("asArray").unwrap_or_else(|| Arc::clone(&array));
    let what = match arguments.signature().name {
        "array:append" => {
            let values = arguments.expressions("values").iter().map(compile::compile);
            What::Append(values.collect::<Result<_, _>>()?)
        }
        "array:dedup" => What::Dedup(output),
        "array:drop" => What::Drop,
        "array:length" => What::Length(arguments.text_or_empty("as")),
        "array:rename" => What::Rename(output),
        _ => What::Sort {
            output,
            kind: if *arguments.text_or_empty("type") == *"number" {
                SortType::Number
            } else {
                SortType::Text
            },
            descending: arguments.text_or_empty("order").starts_with("desc"),
        },
    };
    Ok(RowFunction::Elements(ElementFunction { array, what }))
}

impl ElementFunction {
    /// Runs over the rows in play.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn apply(&self, view: &mut View<'_>, scratch: &mut Scratch) -> Result<(), StepError> {
        match &self.what {
            What::Append(values) => self.append(values, view, scratch)?,
            What::Dedup(output) => self.made(view, output, |elements| {
                let mut known = HashSet::new();
                elements.retain(|value| known.insert(value.text()));
            })?,
            What::Drop => drop_elements(view, &self.array, view.selection().clone())?,
            What::Length(output) => {
                let columns = elements(view, &self.array)?;
                let mut out = ColumnBuilder::with_capacity(view.rows());
                for row in view.selection().iter() {
                    out.pad(row);
                    let length = columns.iter().take_while(|column| column.get(row).is_some()).count();
                    out.int(i64::try_from(length).unwrap_or(i64::MAX));
                }
                out.pad(view.rows());
                view.assign(output, out.finish())?;
            }
            What::Rename(output) => rename(view, &self.array, output)?,
            What::Sort { output, kind, descending } => {
                self.made(view, output, |elements| sort(elements, *kind, *descending))?;
            }
        }
        Ok(())
    }

    /// Writes what `change` makes of the elements of each row.
    fn made(
        &self,
        view: &mut View<'_>,
        output: &str,
        mut change: impl FnMut(&mut Vec<ValueRef<'_>>),
    ) -> Result<(), StepError> {
        let columns = elements(view, &self.array)?;
        let mut outputs: Vec<ColumnBuilder> = Vec::new();
        for row in view.selection().iter() {
            let mut list: Vec<ValueRef<'_>> = columns.iter().map_while(|column| column.get(row)).collect();
            change(&mut list);
            outputs.resize_with(outputs.len().max(list.len()), ColumnBuilder::default);
            for (out, value) in outputs.iter_mut().zip(list) {
                out.pad(row);
                out.push(Some(value));
            }
        }
        let replaced = (element(output, 0) == element(&self.array, 0)).then(|| view.selection().clone());
        Ok(write_elements(view, output, outputs, replaced)?)
    }

    fn append(
        &self,
        values: &[Expression],
        view: &mut View<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), StepError> {
        let columns = elements(view, &self.array)?;
        let values = values.iter().map(|value| value.evaluate(view, view.selection(), scratch));
        let values: Vec<Column> = values.collect::<Result<_, _>>()?;
        let mut outputs: Vec<ColumnBuilder> = Vec::new();
        for row in view.selection().iter() {
            let length = columns.iter().take_while(|column| column.get(row).is_some()).count();
            let free = length..MAX_ARRAY_ELEMENTS;
            for (at, value) in free.zip(values.iter().filter_map(|column| column.get(row))) {
                outputs.resize_with(outputs.len().max(at + 1), ColumnBuilder::default);
                if let Some(out) = outputs.get_mut(at) {
                    out.pad(row);
                    out.push(Some(value));
                }
            }
        }
        Ok(write_elements(view, &self.array, outputs, None)?)
    }

    /// Notes what it reads and writes.
    pub fn touches(&self, touches: &mut Touches) {
        // How many elements there are shows only in the rows.
        touches.reads_all = true;
        match &self.what {
            What::Length(output) => {
                touches.read(output);
                touches.write(output);
            }
            What::Append(values) => {
                values.iter().for_each(|value| value.touches(touches));
                touches.writes_any = true;
            }
            _ => touches.writes_any = true,
        }
    }

    /// The field a call inside an expression yields.
    #[must_use]
    pub fn output(&self) -> Option<Arc<str>> {
        match &self.what {
            What::Length(output) => Some(Arc::clone(output)),
            _ => None,
        }
    }
}

/// The elements of `array`, a column each, as far as any row in play has them.
///
/// # Errors
/// When the rows cannot be read.
pub(crate) fn elements(view: &View<'_>, array: &str) -> Result<Vec<Column>, RowsError> {
    let mut columns = Vec::new();
    let mut left = view.selection().clone();
    for at in 0..MAX_ARRAY_ELEMENTS {
        let column = view.column_within(&element(array, at), &left)?;
        left = column.present(&left);
        if left.is_empty() {
            break;
        }
        columns.push(column);
    }
    Ok(columns)
}

/// Writes elements over those of `array`; in the rows of `replaced`, old ones behind the new ones are taken away, up to
/// the first gap.
///
/// # Errors
/// When the rows cannot be read.
pub(crate) fn write_elements(
    view: &mut View<'_>,
    array: &str,
    outputs: Vec<ColumnBuilder>,
    replaced: Option<Selection>,
) -> Result<(), RowsError> {
    let rows = view.rows();
    let mut old = replaced.unwrap_or_else(|| Selection::none(rows));
    let mut outputs = outputs.into_iter();
    for at in 0..MAX_ARRAY_ELEMENTS {
        let name = element(array, at);
        let made = outputs.next().map(|mut made| {
            made.pad(rows);
            made.finish()
        });
        let before = view.column(&name)?;
        old = before.present(&old);
        if made.is_none() && old.is_empty() {
            break;
        }
        let made = made.unwrap_or(Column::Missing { rows });
        let written = made.present(view.selection());
        let woven = Column::weave(&[before, made], rows, |row| match () {
            () if written.contains(row) => Some((1, row)),
            () if old.contains(row) => None,
            () => Some((0, row)),
        });
        view.set(&name, woven);
    }
    Ok(())
}

/// A field of an element: its name, what follows the index in that, and its values.
type Member = (Arc<str>, Arc<str>, Column);

/// The fields of the elements of `array`, by index.
///
/// # Errors
/// When the rows cannot be read.
pub(crate) fn members(view: &View<'_>, array: &str) -> Result<BTreeMap<usize, Vec<Member>>, RowsError> {
    let array = array.strip_suffix("[]").unwrap_or(array);
    let mut found: BTreeMap<usize, Vec<Member>> = BTreeMap::new();
    for name in view.names() {
        if let Some((at, rest)) = member(&name, array) {
            let column = view.column(&name)?;
            found.entry(at).or_default().push((Arc::clone(&name), rest.into(), column));
        }
    }
    Ok(found)
}

/// Takes the elements of `array` away, members of theirs included, in the rows of `within`.
fn drop_elements(view: &mut View<'_>, array: &str, within: Selection) -> Result<(), RowsError> {
    let mut left = within;
    for (at, (index, fields)) in members(view, array)?.into_iter().enumerate() {
        left = present(&fields, &left);
        if at != index || left.is_empty() {
            break;
        }
        for (name, _, column) in fields {
            view.set(&name, without(column, &left));
        }
    }
    Ok(())
}

/// The rows of `within` that have one of these fields.
pub(crate) fn present(fields: &[Member], within: &Selection) -> Selection {
    let mut rows = Selection::none(within.rows());
    fields.iter().for_each(|(_, _, column)| rows.union(&column.present(within)));
    rows
}

/// `column` with gaps in `rows`.
fn without(column: Column, rows: &Selection) -> Column {
    let count = column.len();
    Column::weave(&[column], count, |row| (!rows.contains(row)).then_some((0, row)))
}

/// Calls the elements of `array`, and members of theirs, by the name `output`, whose own are taken away.
fn rename(view: &mut View<'_>, array: &str, output: &str) -> Result<(), RowsError> {
    if element(array, 0) == element(output, 0) {
        return Ok(());
    }
    let target = output.strip_suffix("[]").unwrap_or(output);
    let all = members(view, array)?;
    let mut left = match all.get(&0) {
        Some(first) => present(first, view.selection()),
        None => return Ok(()),
    };
    drop_elements(view, output, left.clone())?;
    for (at, (index, fields)) in all.into_iter().enumerate() {
        left = present(&fields, &left);
        if at != index || left.is_empty() {
            break;
        }
        for (name, rest, column) in fields {
            let rows = column.len();
            let moved = Column::weave(std::slice::from_ref(&column), rows, |row| {
                left.contains(row).then_some((0, row))
            });
            view.set(&name, without(column, &left));
            view.assign(&format!("{target}[{index}]{rest}").into(), moved)?;
        }
    }
    Ok(())
}

/// Numbers by value and before other text; text by its letters, in either case.
fn sort(elements: &mut [ValueRef<'_>], kind: SortType, descending: bool) {
    elements.sort_by_cached_key(|value| {
        let number = (kind == SortType::Number).then(|| value.number()).flatten();
        let text = if number.is_some() { String::new() } else { value.text().to_lowercase() };
        Key { number, text, descending }
    });
}

#[derive(PartialEq, Eq)]
struct Key {
    number: Option<crate::value::Number>,
    text: String,
    descending: bool,
}

impl Ord for Key {
    fn cmp(&self, other: &Key) -> std::cmp::Ordering {
        let groups = self.number.is_none().cmp(&other.number.is_none());
        let within = self.number.cmp(&other.number).then_with(|| self.text.cmp(&other.text));
        groups.then(if self.descending { within.reverse() } else { within })
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Key) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
