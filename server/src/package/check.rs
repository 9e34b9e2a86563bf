//! What of a package would run: every query text compiled with what the package has.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use weir_query::compile::{Ending, Options};
use weir_query::editing::{NoCatalogue, check};
use weir_query::error::Diagnostics;
use weir_query::program::Program;
use weir_query::record::Column;
use weir_query::result::ResultTable;
use weir_query::table::Table;

use super::content::{Item, ItemKind, Package, QueryText};

/// So often what a query lacks is made up before it is given up: each time it may name something else.
const MAX_ATTEMPTS: usize = 64;
/// What a parameter is that has no value: anything.
const ANYTHING: &str = "*";
/// The same where a regex is wanted.
const ANY_REGEX: &str = ".*";

/// What of a package would run.
#[derive(Clone, Debug, Default)]
pub struct PackageCheck {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What is in it.
    pub items: Vec<CheckedItem>,
    /// Files that are none of it, and why.
    pub passed: Vec<(String, String)>,
}

/// One thing of it.
#[derive(Clone, Debug)]
pub struct CheckedItem {
    /// The file.
    pub path: String,
    /// What it is.
    pub kind: ItemKind,
    /// What it is called.
    pub name: String,
    /// Its queries.
    pub queries: Vec<CheckedQuery>,
    /// What is wrong with a lookup file.
    pub fault: Option<String>,
}

/// One query of it.
#[derive(Clone, Debug, Default)]
pub struct CheckedQuery {
    /// What it is for; empty where the item is the query.
    pub what: String,
    /// The line on which it begins.
    pub line: usize,
    /// What is wrong; nothing: it runs.
    pub faults: Vec<PlacedFault>,
    /// Lookup tables and saved queries it wants that the package has not.
    pub needs: BTreeSet<String>,
    /// Things of the package that it calls by their names alone.
    pub plain: BTreeSet<String>,
}

/// A fault in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedFault {
    /// The line of the file, from 1.
    pub line: usize,
    /// The character of the line, from 1; 0 where lines of the query are not lines of the file.
    pub column: usize,
    /// A stable word for the kind of fault.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl PackageCheck {
    /// Compiles every query of `package`.
    #[must_use]
    pub fn of(package: &Package) -> PackageCheck {
        let own = Own::of(package);
        let items = package.items.iter().map(|item| own.check(item)).collect();
        PackageCheck {
            name: package.name.clone(),
            version: package.version.clone(),
            items,
            passed: package.passed.clone(),
        }
    }

    /// How many queries there are, and how many of them run.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let queries = || self.items.iter().flat_map(|item| &item.queries);
        (queries().count(), queries().filter(|query| query.faults.is_empty()).count())
    }

    /// Everything runs.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let (all, run) = self.counts();
        all == run && self.items.iter().all(|item| item.fault.is_none())
    }
}

/// What a package has that its queries may name.
struct Own {
    options: Options,
    /// By their names alone: saved queries and lookup tables.
    plain_saved: BTreeMap<String, String>,
    plain_tables: BTreeMap<String, Arc<Table>>,
    faults: BTreeMap<String, String>,
}

impl Own {
    fn of(package: &Package) -> Own {
        let mut own = Own {
            options: Options { ending: Ending::Stream, ..Options::default() },
            plain_saved: BTreeMap::new(),
            plain_tables: BTreeMap::new(),
            faults: BTreeMap::new(),
        };
        for item in &package.items {
            let qualified = package.qualified(item);
            match (item.kind, item.queries.first()) {
                (ItemKind::SavedQuery, Some(query)) => {
                    Arc::make_mut(&mut own.options.saved).insert(qualified, query.text.clone());
                    own.plain_saved.insert(item.name.clone(), query.text.clone());
                }
                (ItemKind::LookupFile, _) => match Table::read(&item.name, &item.bytes) {
                    Ok(table) => {
                        let table = Arc::new(table);
                        Arc::make_mut(&mut own.options.tables).insert(qualified, Arc::clone(&table));
                        own.plain_tables.insert(item.name.clone(), table);
                    }
                    Err(error) => drop(own.faults.insert(item.path.clone(), error.to_string())),
                },
                _ => {}
            }
        }
        own
    }

    fn check(&self, item: &Item) -> CheckedItem {
        let queries = item.queries.iter().map(|query| self.query(item, query)).collect();
        CheckedItem {
            path: item.path.clone(),
            kind: item.kind,
            name: item.name.clone(),
            queries,
            fault: self.faults.get(&item.path).cloned(),
        }
    }

    fn query(&self, item: &Item, query: &QueryText) -> CheckedQuery {
        let mut checked =
            CheckedQuery { what: query.what.clone(), line: query.line, ..CheckedQuery::default() };
        let mut options = self.options.clone();
        let given = item.parameters.iter().map(|(name, value)| (name.clone(), vec![value.clone()]));
        options.arguments.extend(given);
        let mut columns = BTreeMap::new();
        for _ in 0..MAX_ATTEMPTS {
            match compile(item.kind, &query.text, &options) {
                Ok(_) => return checked,
                Err(faults) => {
                    let goes_on = self.supply(&faults, &mut options, &mut columns, &mut checked)
                        || is_of_regex(&faults) && give_regexes(&mut options);
                    if !goes_on {
                        break;
                    }
                }
            }
        }
        checked.faults = placed(item.kind, query, &options);
        checked
    }

    /// Makes up what the query lacks, where that is for others to give; whether there was such a thing.
    fn supply(
        &self,
        faults: &Diagnostics,
        options: &mut Options,
        columns: &mut BTreeMap<String, Vec<String>>,
        checked: &mut CheckedQuery,
    ) -> bool {
        let mut more = false;
        for fault in &faults.list {
            let mut names = names_in(&fault.message);
            let Some(name) = names.next() else { continue };
            match fault.code {
                "parameter" => {
                    more |= options.arguments.insert(name, vec![ANYTHING.to_owned()]).is_none();
                }
                "unknown-saved-query" => match self.plain_saved.get(&name) {
                    Some(text) => {
                        more |=
                            Arc::make_mut(&mut options.saved).insert(name.clone(), text.clone()).is_none();
                        checked.plain.insert(name);
                    }
                    None => {
                        more |=
                            Arc::make_mut(&mut options.saved).insert(name.clone(), String::new()).is_none();
                        checked.needs.insert(format!("saved query `{name}`"));
                    }
                },
                "unknown-table" => match self.plain_tables.get(&name) {
                    Some(table) => {
                        more |= Arc::make_mut(&mut options.tables)
                            .insert(name.clone(), Arc::clone(table))
                            .is_none();
                        checked.plain.insert(name);
                    }
                    None => {
                        columns.insert(name.clone(), Vec::new());
                        more |= give_table(options, &name, &[]);
                        checked.needs.insert(format!("lookup table `{name}`"));
                    }
                },
                // A table that was made up has the columns that are asked for.
                "unknown-column" => {
                    let Some(known) = columns.get_mut(&name) else { continue };
                    let Some(column) = names.next().filter(|column| !known.contains(column)) else {
                        continue;
                    };
                    known.push(column);
                    more |= give_table(options, &name, known);
                }
                _ => {}
            }
        }
        more
    }
}

fn is_of_regex(faults: &Diagnostics) -> bool {
    faults.list.iter().any(|fault| fault.code == "regex")
}

/// Makes regexes of parameters that are [`ANYTHING`], which is none; whether there was one.
fn give_regexes(options: &mut Options) -> bool {
    let made_up = options.arguments.values_mut().flatten().filter(|value| *value == ANYTHING);
    made_up.fold(false, |_, value| {
        *value = ANY_REGEX.to_owned();
        true
    })
}

/// What is named in backticks in what is said of the innermost query: `in saved query `a`: there is no lookup table `t``.
fn names_in(message: &str) -> impl Iterator<Item = String> + '_ {
    let mut own = message;
    while let Some((_, inner)) = own.strip_prefix("in saved query `").and_then(|rest| rest.split_once("`: "))
    {
        own = inner;
    }
    own.split('`').skip(1).step_by(2).map(str::to_owned)
}

/// A table without rows.
fn give_table(options: &mut Options, name: &str, columns: &[String]) -> bool {
    let missing = Column::Missing { rows: 0 };
    let columns = columns.iter().map(|column| (column.as_str().into(), missing.clone()));
    let table = Table::new(name, ResultTable { columns: columns.collect(), ..ResultTable::default() });
    table.is_ok_and(|table| {
        Arc::make_mut(&mut options.tables).insert(name.to_owned(), Arc::new(table));
        true
    })
}

/// What is wrong with a query, placed in its file.
/// A parser is compiled as what runs at ingest.
fn compile(kind: ItemKind, text: &str, options: &Options) -> Result<Arc<Program>, Diagnostics> {
    match kind {
        ItemKind::Parser => Program::parser(text, options),
        _ => Program::compile(text, options),
    }
}

fn placed(kind: ItemKind, query: &QueryText, options: &Options) -> Vec<PlacedFault> {
    let mut found = check(&query.text, options, &NoCatalogue).faults;
    let place = |line: u32, column: u32| match query.column {
        Some(first) => (query.line + line as usize - 1, first + column as usize),
        None => (query.line, 0),
    };
    if let (true, Err(faults)) = (found.is_empty(), compile(kind, &query.text, options)) {
        // It would be a query: what it cannot do as a parser has no place in the text.
        let told = faults.list.into_iter().map(|fault| PlacedFault {
            line: query.line,
            column: 0,
            code: fault.code,
            message: fault.message,
            hint: fault.hint,
        });
        return told.collect();
    }
    let faults = found.drain(..).map(|fault| {
        let (line, column) = place(fault.range.start.line, fault.range.start.column);
        PlacedFault { line, column, code: fault.code, message: fault.message, hint: fault.hint }
    });
    faults.collect()
}
