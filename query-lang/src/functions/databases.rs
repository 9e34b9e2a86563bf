//! What is known of addresses, domains and hosts: `ipLocation`, `asn`, `rdns`, `ioc:lookup`.
//!
//! The databases are lookup tables that the operator uploads, with names of their own; a query over one that is not
//! there runs, leaves its fields missing, and says so once with its result.
//!
//! | function | table | columns |
//! |---|---|---|
//! | `ipLocation` | `ip-location.csv` | `network`, then what is told: `country`, `city`, `lat`, `lon` .. |
//! | `asn` | `asn.csv` | `network`, then `asn`, `org` .. |
//! | `rdns` | `rdns.csv` | `ip`, `hostname` |
//! | `ioc:lookup` | `ioc.csv` | `indicator`, `type`, `malicious_confidence`, then what is told |

use std::sync::Arc;

use crate::error::Diagnostic;
use crate::functions::lookup::{Lookup, no_column};
use crate::functions::{Arguments, Build, Kind, Parameter, RowFunction, Scratch, Signature, Touches};
use crate::machine::{StepError, View};
use crate::record::{Column, ColumnBuilder, Selection};
use crate::table::{KeyColumn, MatchMode, Table, TableIndex};

const NETWORK: &str = "network";
const INDICATOR: &str = "indicator";
const KIND: &str = "type";
const CONFIDENCE: &str = "malicious_confidence";
/// How sure a source is of an indicator, from the least.
const LEVELS: &[&str] = &["unverified", "low", "medium", "high"];

/// The table of this family.
pub const SIGNATURES: &[Signature] = &[
    Signature {
        name: "ipLocation",
        aliases: &[],
        parameters: &[
            Parameter::with_default("field", Kind::Text, "ip"),
            Parameter::optional("as", Kind::Text),
            Parameter::with_default("table", Kind::Database, "ip-location.csv"),
        ],
        build: Build::Row(by_network),
        doc: "Where an address is: `as.country`, `as.city`, `as.lat`, `as.lon`.",
    },
    Signature {
        name: "asn",
        aliases: &[],
        parameters: &[
            Parameter::with_default("field", Kind::Text, "ip"),
            Parameter::optional("as", Kind::Text),
            Parameter::with_default("table", Kind::Database, "asn.csv"),
        ],
        build: Build::Row(by_network),
        doc: "The autonomous system an address is in: `as.asn`, `as.org`.",
    },
    Signature {
        name: "rdns",
        aliases: &["reverseDns"],
        parameters: &[
            Parameter::required("field", Kind::Text),
            Parameter::with_default("as", Kind::Text, "hostname"),
            Parameter::optional("server", Kind::Text),
            Parameter::optional("limit", Kind::Text),
            Parameter::with_default("table", Kind::Database, "rdns.csv"),
        ],
        build: Build::Row(rdns),
        doc: "The name of the host with an address.",
    },
    Signature {
        name: "ioc:lookup",
        aliases: &[],
        parameters: &[
            Parameter::required("field", Kind::Texts),
            Parameter::required(
                "type",
                Kind::Choice(&["ip_address", "domain", "url", "hash_md5", "hash_sha1", "hash_sha256"]),
            ),
            Parameter::with_default("confidenceThreshold", Kind::Choice(LEVELS), "high"),
            Parameter::with_default("strict", Kind::Bool, "false"),
            Parameter::optional("include", Kind::Texts),
            Parameter::with_default("prefix", Kind::Text, "ioc"),
            Parameter::with_default("table", Kind::Database, "ioc.csv"),
        ],
        build: Build::Row(ioc),
        doc: "What is known of an indicator of compromise: `ioc.detected`, `ioc[0].indicator` ..",
    },
];

fn by_network(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let field = arguments.text_or_empty("field");
    let prefix = arguments.text("as").unwrap_or_else(|| Arc::clone(&field));
    let key = KeyColumn { name: NETWORK.into(), mode: MatchMode::Cidr, ignore_case: false };
    let found = arguments.table("table").map(|table| {
        let told = table.data().columns.iter().filter(|(name, _)| **name != *NETWORK);
        let outputs = told.map(|(name, column)| (Arc::from(format!("{prefix}.{name}")), column.clone()));
        Ok::<_, Diagnostic>((indexed(arguments, table, vec![key])?, outputs.collect()))
    });
    Ok(RowFunction::Lookup(Box::new(Lookup::lenient(field, found.transpose()?))))
}

fn rdns(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let key = KeyColumn { name: "ip".into(), mode: MatchMode::Exact, ignore_case: true };
    let found = arguments.table("table").map(|table| {
        let names = column(arguments, table, "hostname")?.clone();
        let outputs = vec![(arguments.text_or_empty("as"), names)];
        Ok::<_, Diagnostic>((indexed(arguments, table, vec![key])?, outputs))
    });
    let field = arguments.text_or_empty("field");
    Ok(RowFunction::Lookup(Box::new(Lookup::lenient(field, found.transpose()?))))
}

fn indexed(
    arguments: &Arguments,
    table: &Table,
    keys: Vec<KeyColumn>,
) -> Result<Arc<TableIndex>, Diagnostic> {
    table.index(keys).map_err(|name| no_column(arguments, "table", table, &name))
}

fn column<'t>(arguments: &Arguments, table: &'t Table, name: &str) -> Result<&'t Column, Diagnostic> {
    table.column(name).ok_or_else(|| no_column(arguments, "table", table, name))
}

/// A compiled `ioc:lookup`.
#[derive(Debug)]
pub struct Indicators {
    fields: Vec<Arc<str>>,
    kind: Arc<str>,
    prefix: Arc<str>,
    /// Rows in which nothing is detected are dropped.
    strict: bool,
    known: Option<Known>,
}

#[derive(Debug)]
struct Known {
    index: Arc<TableIndex>,
    /// The rows that are sure enough.
    sure: Selection,
    /// What is told of an indicator.
    told: Vec<(Arc<str>, Column)>,
}

/// Rows of one indicator that are looked at before all of them are.
const ROWS_FIRST: usize = 16;

fn ioc(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let known = arguments.table("table").map(|table| {
        let key = |name: &str| KeyColumn { name: name.into(), mode: MatchMode::Exact, ignore_case: true };
        let index = indexed(arguments, table, vec![key(KIND), key(INDICATOR)])?;
        let level = |word: &str| LEVELS.iter().position(|level| level.eq_ignore_ascii_case(word));
        let least = level(&arguments.text_or_empty("confidenceThreshold")).unwrap_or(0);
        let levels = table.column(CONFIDENCE);
        let sure = Selection::from_fn(table.rows(), |row| {
            let own = levels.and_then(|levels| levels.get(row)).and_then(|word| level(&word.text()));
            // A source that does not say how sure it is is believed.
            levels.is_none() || own.is_some_and(|own| own >= least)
        });
        let include = arguments.texts("include");
        let told =
            table.data().columns.iter().filter(|(name, _)| include.is_empty() || include.contains(name));
        Ok::<_, Diagnostic>(Known { index, sure, told: told.cloned().collect() })
    });
    Ok(RowFunction::Indicators(Box::new(Indicators {
        fields: arguments.texts("field").to_vec(),
        kind: arguments.text_or_empty("type"),
        prefix: arguments.text_or_empty("prefix"),
        strict: arguments.is_true("strict"),
        known: known.transpose()?,
    })))
}

impl Known {
    /// The newest row of an indicator that is sure enough.
    fn find(&self, kind: &str, value: &str, rows: &mut Vec<u32>) -> Option<u32> {
        let sure = |rows: &[u32]| rows.iter().copied().find(|row| self.sure.contains(*row as usize));
        self.index.find(&[kind, value], ROWS_FIRST, rows);
        if rows.len() == ROWS_FIRST && sure(rows).is_none() {
            self.index.find(&[kind, value], usize::MAX, rows);
        }
        sure(rows)
    }
}

impl Indicators {
    /// Runs over the rows in play.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn apply(&self, view: &mut View<'_>, _: &mut Scratch) -> Result<(), StepError> {
        let mut detected = Selection::none(view.rows());
        // For each number of a detection: the view's rows and the table's.
        let mut found: Vec<Vec<(usize, u32)>> = vec![Vec::new(); self.fields.len()];
        if let Some(known) = &self.known {
            let columns: Vec<Column> =
                self.fields.iter().map(|field| view.column(field)).collect::<Result<_, _>>()?;
            let mut rows = Vec::new();
            for row in view.selection().iter() {
                let mut number = 0;
                for value in columns.iter().filter_map(|column| column.get(row)) {
                    let Some(sure) = known.find(&self.kind, &value.text(), &mut rows) else { continue };
                    if let Some(list) = found.get_mut(number) {
                        list.push((row, sure));
                    }
                    number += 1;
                    detected.insert(row);
                }
            }
            self.write(view, known, &found)?;
        }
        let mut flag = ColumnBuilder::with_capacity(view.rows());
        detected.iter().for_each(|row| {
            flag.pad(row);
            flag.text("true");
        });
        flag.pad(view.rows());
        view.assign(&format!("{}.detected", self.prefix).into(), flag.finish())?;
        if self.strict {
            view.set_selection(detected);
        }
        Ok(())
    }

    fn write(
        &self,
        view: &mut View<'_>,
        known: &Known,
        found: &[Vec<(usize, u32)>],
    ) -> Result<(), StepError> {
        for (number, rows) in found.iter().enumerate().filter(|(_, rows)| !rows.is_empty()) {
            for (name, column) in &known.told {
                let mut written = ColumnBuilder::with_capacity(view.rows());
                for (row, from) in rows {
                    written.pad(*row);
                    written.push(column.get(*from as usize));
                }
                written.pad(view.rows());
                view.assign(&format!("{}[{number}].{name}", self.prefix).into(), written.finish())?;
            }
        }
        Ok(())
    }

    /// Notes what it reads and writes.
    pub fn touches(&self, touches: &mut Touches) {
        self.fields.iter().for_each(|field| touches.read(field));
        let mut written = |name: String| {
            let name: Arc<str> = name.into();
            touches.read(&name);
            touches.write(&name);
        };
        written(format!("{}.detected", self.prefix));
        for number in 0..self.fields.len() {
            for (name, _) in self.known.iter().flat_map(|known| &known.told) {
                written(format!("{}[{number}].{name}", self.prefix));
            }
        }
    }
}
