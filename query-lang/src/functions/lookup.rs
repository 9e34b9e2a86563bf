//! `match`, `matchAsArray`: rows that meet a row of a lookup table, with what that row says.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::error::Diagnostic;
use crate::functions::arrays::element;
use crate::functions::unfold::bare;
use crate::functions::{Arguments, Build, Kind, Parameter, RowFunction, Scratch, Signature, Touches};
use crate::machine::{StepError, View};
use crate::record::{Column, ColumnBuilder, Selection};
use crate::table::{KeyColumn, MatchMode, Table, TableIndex};

/// The most rows that `match` makes of one.
pub const MAX_MATCHED_ROWS: i64 = 500;
/// Values whose rows are remembered while a batch is gone through.
const REMEMBERED: usize = 4_096;
/// Rows of the table that are remembered for them.
const REMEMBERED_ROWS: usize = 1 << 20;
/// Bytes of memory that a row made of another takes at least: its place in the table, in the view and among events.
const MADE_ROW_BYTES: usize = 24;

const MODES: &[&str] = &["string", "glob", "cidr"];

/// The table of this family.
pub const SIGNATURES: &[Signature] = &[MATCH, MATCH_AS_ARRAY];

const MATCH: Signature = Signature {
    name: "match",
    aliases: &["lookup"],
    parameters: &[
        Parameter::required("file", Kind::Table).aliased(&["table"]),
        Parameter::required("field", Kind::Texts).aliased(&["on"]),
        Parameter::optional("column", Kind::Texts).aliased(&["key"]),
        Parameter::optional("include", Kind::Texts),
        Parameter::with_default("mode", Kind::Choices(MODES), "string"),
        Parameter::with_default("strict", Kind::Bool, "true"),
        Parameter::with_default("ignoreCase", Kind::Bool, "false"),
        Parameter::with_default("nrows", Kind::Limit { most: MAX_MATCHED_ROWS }, "1"),
    ],
    build: Build::Row(build),
    doc: "Rows that meet a row of a lookup table, with the columns of that row; `strict=false` keeps the others, too.",
};

const MATCH_AS_ARRAY: Signature = Signature {
    name: "matchAsArray",
    aliases: &[],
    parameters: &[
        Parameter::required("file", Kind::Table).aliased(&["table"]),
        Parameter::required("field", Kind::Texts),
        Parameter::optional("column", Kind::Texts),
        Parameter::optional("include", Kind::Texts),
        Parameter::with_default("strict", Kind::Bool, "true"),
        Parameter::with_default("ignoreCase", Kind::Bool, "false"),
        Parameter::with_default("nrows", Kind::Limit { most: MAX_MATCHED_ROWS }, "max"),
        Parameter::with_default("asArray", Kind::Text, "_now"),
    ],
    build: Build::Row(build),
    doc: "Rows that meet rows of a lookup table, with the columns of each of these as an element of an array.",
};

/// What is copied: the field written and the table's column.
pub(super) type Outputs = Vec<(Arc<str>, Column)>;

/// A compiled `match`.
#[derive(Debug)]
pub struct Lookup {
    fields: Vec<Arc<str>>,
    /// `None`: the table is not there yet, and nothing is found.
    index: Option<Arc<TableIndex>>,
    outputs: Outputs,
    /// Rows that meet none are dropped.
    strict: bool,
    limit: usize,
    /// The rows met become elements of this array, instead of a row each.
    array: Option<Arc<str>>,
}

fn build(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let fields = arguments.texts("field").to_vec();
    let columns = match arguments.texts("column") {
        [] => &fields,
        columns if columns.len() == fields.len() => columns,
        columns => {
            let message =
                format!("{} fields and {} columns: each field needs its column", fields.len(), columns.len());
            return Err(arguments.fault("column", message));
        }
    };
    let keys = keys(arguments, columns)?;
    let limit = usize::try_from(arguments.integer("nrows").unwrap_or(1)).unwrap_or(1);
    let strict = arguments.is_true("strict");
    let array = arguments.text("asArray").map(|array| bare(&array));
    let Some(table) = arguments.table("file") else {
        let nothing = Lookup { fields, index: None, outputs: Vec::new(), strict, limit, array };
        return Ok(RowFunction::Lookup(Box::new(nothing)));
    };
    let outputs = outputs(arguments, table, columns)?;
    let index = table.index(keys).map_err(|name| no_column(arguments, "column", table, &name))?;
    Ok(RowFunction::Lookup(Box::new(Lookup { fields, index: Some(index), outputs, strict, limit, array })))
}

/// The columns rows are found by; one mode is that of all.
fn keys(arguments: &Arguments, columns: &[Arc<str>]) -> Result<Vec<KeyColumn>, Diagnostic> {
    let modes = arguments.texts("mode");
    if modes.len() > 1 && modes.len() != columns.len() {
        let message =
            format!("{} modes for {} columns: give one for all, or one each", modes.len(), columns.len());
        return Err(arguments.fault("mode", message));
    }
    let mode = |at: usize| match modes.get(at).or(modes.first()).map(|mode| &**mode) {
        Some("glob") => MatchMode::Glob,
        Some("cidr") => MatchMode::Cidr,
        _ => MatchMode::Exact,
    };
    let ignore_case = arguments.is_true("ignoreCase");
    let key =
        |(at, name): (usize, &Arc<str>)| KeyColumn { name: Arc::clone(name), mode: mode(at), ignore_case };
    Ok(columns.iter().enumerate().map(key).collect())
}

/// The columns copied: those asked for, else all but the keys.
fn outputs(
    arguments: &Arguments,
    table: &Table,
    keys: &[Arc<str>],
) -> Result<Vec<(Arc<str>, Column)>, Diagnostic> {
    let include = arguments.texts("include");
    if arguments.get("include").is_none() || matches!(include, [all] if **all == *"*") {
        let others = table.data().columns.iter().filter(|(name, _)| !keys.contains(name));
        return Ok(others.cloned().collect());
    }
    let column = |name: &Arc<str>| match table.column(name) {
        Some(column) => Ok((Arc::clone(name), column.clone())),
        None => Err(no_column(arguments, "include", table, name)),
    };
    include.iter().map(column).collect()
}

/// The fault of asking `table` for a column it has not.
pub(crate) fn no_column(arguments: &Arguments, parameter: &str, table: &Table, name: &str) -> Diagnostic {
    let names: Vec<&str> = table.names().map(|name| &**name).collect();
    let near = crate::suggest::suggest(name, names.iter().copied());
    let hint = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("it has {}", names.join(", ")),
    };
    let message = format!("the table `{}` has no column `{name}`", table.name());
    // A column that is not named is called like the field.
    let parameter = match arguments.get(parameter) {
        None if parameter == "column" => "field",
        _ => parameter,
    };
    let hint = match (parameter, near) {
        ("field", None) => format!("{hint}; `column=` says which of them the field is compared with"),
        _ => hint,
    };
    Diagnostic { code: "unknown-column", hint: Some(hint), ..arguments.fault(parameter, message) }
}

/// Rows found for rows of a view.
#[derive(Default)]
struct Found {
    /// The view's rows.
    rows: Vec<u32>,
    /// The table's, beside them.
    meets: Vec<Option<u32>>,
}

impl Lookup {
    /// A lookup of one field that keeps every row; without an index nothing is found.
    pub(super) fn lenient(field: Arc<str>, found: Option<(Arc<TableIndex>, Outputs)>) -> Lookup {
        let (index, outputs) = found.map_or((None, Vec::new()), |(index, outputs)| (Some(index), outputs));
        Lookup { fields: vec![field], index, outputs, strict: false, limit: 1, array: None }
    }

    /// The lookup that says of each row whether it meets one, and no more.
    #[must_use]
    pub fn as_test(self) -> Lookup {
        Lookup { outputs: Vec::new(), limit: 1, array: None, ..self }
    }

    /// Runs over the rows in play.
    ///
    /// # Errors
    /// When the rows cannot be read, or more would be made of them than the query may hold.
    pub fn apply(&self, view: &mut View<'_>, scratch: &mut Scratch) -> Result<(), StepError> {
        let Some(index) = &self.index else {
            if self.strict {
                view.set_selection(Selection::none(view.rows()));
            }
            return Ok(());
        };
        let found = self.find(index, view, scratch.context.state_limit())?;
        let makes_rows = self.makes_rows();
        if makes_rows {
            view.multiply(&found.rows)?;
        } else if self.strict {
            let mut chosen = Selection::none(view.rows());
            found.rows.iter().for_each(|row| chosen.insert(*row as usize));
            view.set_selection(chosen);
        }
        if let Some(array) = &self.array {
            return self.write_array(array, &found, view);
        }
        for (name, column) in &self.outputs {
            let mut written = ColumnBuilder::with_capacity(view.rows());
            for (at, (row, meets)) in found.rows.iter().zip(&found.meets).enumerate() {
                let Some(meets) = meets else { continue };
                written.pad(if makes_rows { at } else { *row as usize });
                written.push(column.get(*meets as usize));
            }
            written.pad(view.rows());
            view.assign(name, written.finish())?;
        }
        Ok(())
    }

    /// A row becomes several.
    fn makes_rows(&self) -> bool {
        self.limit > 1 && self.array.is_none()
    }

    /// The columns of what each row meets, as the members of the elements of `array`.
    fn write_array(&self, array: &str, found: &Found, view: &mut View<'_>) -> Result<(), StepError> {
        // What is met by each row stands together.
        let runs = || found.rows.chunk_by(|a, b| a == b);
        let most = runs().map(<[u32]>::len).max().unwrap_or(0);
        for at in 0..most {
            for (name, column) in &self.outputs {
                let (mut written, mut first) = (ColumnBuilder::with_capacity(view.rows()), 0);
                for run in runs() {
                    let meets = found.meets.get(first + at).copied().flatten().filter(|_| at < run.len());
                    first += run.len();
                    let (Some(meets), Some(row)) = (meets, run.first()) else { continue };
                    written.pad(*row as usize);
                    written.push(column.get(meets as usize));
                }
                written.pad(view.rows());
                view.assign(&format!("{}.{name}", element(array, at)).into(), written.finish())?;
            }
        }
        Ok(())
    }

    fn find(&self, index: &TableIndex, view: &View<'_>, max_bytes: usize) -> Result<Found, StepError> {
        let columns: Vec<Column> =
            self.fields.iter().map(|field| view.column(field)).collect::<Result<_, _>>()?;
        let mut known: HashMap<String, Vec<u32>> = HashMap::new();
        let (mut found, mut fresh, mut key) = (Found::default(), Vec::new(), String::new());
        let mut remembered = 0;
        for row in view.selection().iter() {
            let values: Option<Vec<_>> =
                columns.iter().map(|column| column.get(row).map(|value| value.text())).collect();
            let texts: Vec<&str> = values.iter().flatten().map(|value| &**value).collect();
            key.clear();
            for text in &texts {
                crate::table::push_part(&mut key, text);
            }
            let meets = match known.get(&key) {
                _ if values.is_none() => &[][..],
                Some(rows) => rows,
                None => {
                    index.find(&texts, self.limit, &mut fresh);
                    if known.len() < REMEMBERED && remembered + fresh.len() <= REMEMBERED_ROWS {
                        remembered += fresh.len();
                        known.insert(key.clone(), fresh.clone());
                    }
                    &fresh
                }
            };
            if meets.is_empty() && !self.strict {
                found.rows.push(row as u32);
                found.meets.push(None);
            }
            let bytes = (found.rows.len() + meets.len()).saturating_mul(MADE_ROW_BYTES);
            if self.limit > 1 && bytes > max_bytes {
                return Err(StepError::StateTooLarge { bytes, limit: max_bytes });
            }
            for meets in meets {
                found.rows.push(row as u32);
                found.meets.push(Some(*meets));
            }
        }
        Ok(found)
    }

    /// Notes what it reads and writes.
    pub fn touches(&self, touches: &mut Touches) {
        self.fields.iter().for_each(|field| touches.read(field));
        if self.array.is_some() && !self.outputs.is_empty() {
            touches.reads_all = true;
            touches.writes_any = true;
            return;
        }
        for (name, _) in &self.outputs {
            touches.read(name);
            touches.write(name);
        }
    }
}
