//! What is told of a package.

use serde::{Deserialize, Serialize};

use crate::package::{CheckedItem, CheckedQuery, Import, PackageCheck, PlacedFault};

/// What stands behind the question mark of `POST …/packages`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PackageParameters {
    /// Only say what would run; nothing is kept.
    #[serde(default)]
    pub check: bool,
}

/// Answer to `POST …/packages`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PackageReport {
    /// The package's name, `owner/name`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// How many queries it has.
    pub queries: usize,
    /// How many of them run.
    pub run: usize,
    /// What is in it.
    pub items: Vec<PackageItem>,
    /// Files that are none of it.
    pub passed: Vec<PassedFile>,
    /// What is kept now; absent where it was only checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub imported: Option<Vec<ImportedItem>>,
    /// What is not, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out: Option<Vec<LeftOutItem>>,
}

/// Something in a package.
#[derive(Clone, Debug, Serialize)]
pub struct PackageItem {
    /// The file.
    pub path: String,
    /// What it is: `saved query`, `lookup file`, `parser`, `dashboard`, `alert`, `scheduled search`, `action` or
    /// `interaction`.
    pub kind: &'static str,
    /// What it is called.
    pub name: String,
    /// What is wrong with a lookup file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// Its queries.
    pub queries: Vec<PackageQuery>,
}

/// A query in a package.
#[derive(Clone, Debug, Serialize)]
pub struct PackageQuery {
    /// What it is for; empty where the item is the query.
    pub what: String,
    /// The line of the file on which it begins.
    pub line: usize,
    /// What it wants that the package has not; with that it runs.
    pub needs: Vec<String>,
    /// Why it does not run.
    pub faults: Vec<PackageFault>,
}

/// A fault in a file.
#[derive(Clone, Debug, Serialize)]
pub struct PackageFault {
    /// The line of the file, from 1.
    pub line: usize,
    /// The character of the line, from 1; 0 where lines of the query are not lines of the file.
    pub column: usize,
    /// A stable word for the kind of fault.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// A file that is none of a package.
#[derive(Clone, Debug, Serialize)]
pub struct PassedFile {
    /// The file.
    pub path: String,
    /// Why.
    pub reason: String,
}

/// Something that is kept.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportedItem {
    /// The file it came in.
    pub path: String,
    /// What it is.
    pub kind: &'static str,
    /// What queries call it.
    pub name: String,
    /// There was none of that name.
    pub is_new: bool,
    /// What is not as it should be with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Something that is not kept.
#[derive(Clone, Debug, Serialize)]
pub struct LeftOutItem {
    /// The file it came in.
    pub path: String,
    /// What it is; empty where that is not known.
    pub kind: &'static str,
    /// Why it is not kept.
    pub reason: String,
}

impl PackageReport {
    /// What `check` found, and what became of the package, if it was to be kept.
    #[must_use]
    pub fn new(check: &PackageCheck, import: Option<&Import>) -> PackageReport {
        let (queries, run) = check.counts();
        let passed = check.passed.iter();
        let passed = passed.map(|(path, reason)| PassedFile { path: path.clone(), reason: reason.clone() });
        PackageReport {
            name: check.name.clone(),
            version: check.version.clone(),
            queries,
            run,
            items: check.items.iter().map(PackageItem::new).collect(),
            passed: passed.collect(),
            imported: import.map(|import| {
                let list = import.imported.iter().map(|one| ImportedItem {
                    path: one.path.clone(),
                    kind: one.kind.word(),
                    name: one.name.clone(),
                    is_new: one.is_new,
                    note: one.note.clone(),
                });
                list.collect()
            }),
            left_out: import.map(|import| {
                let list = import.left_out.iter().map(|one| LeftOutItem {
                    path: one.path.clone(),
                    kind: one.kind.map_or("", |kind| kind.word()),
                    reason: one.reason.clone(),
                });
                list.collect()
            }),
        }
    }
}

impl PackageItem {
    fn new(item: &CheckedItem) -> PackageItem {
        PackageItem {
            path: item.path.clone(),
            kind: item.kind.word(),
            name: item.name.clone(),
            fault: item.fault.clone(),
            queries: item.queries.iter().map(PackageQuery::new).collect(),
        }
    }
}

impl PackageQuery {
    fn new(query: &CheckedQuery) -> PackageQuery {
        PackageQuery {
            what: query.what.clone(),
            line: query.line,
            needs: query.needs.iter().cloned().collect(),
            faults: query.faults.iter().map(PackageFault::new).collect(),
        }
    }
}

impl PackageFault {
    fn new(fault: &PlacedFault) -> PackageFault {
        PackageFault {
            line: fault.line,
            column: fault.column,
            code: fault.code,
            message: fault.message.clone(),
            hint: fault.hint.clone(),
        }
    }
}
