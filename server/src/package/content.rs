//! What is in a package: saved queries, dashboards, alerts, scheduled searches, parsers, lookup files, and what else there
//! is, each with the query texts in it.

use std::collections::BTreeMap;

use weir_engine::parsers::Parser;

use super::PackageError;
use super::files::{PackageFile, PackageFiles};
use super::yaml::{self, Text, Value};

/// A package.
#[derive(Clone, Debug, Default)]
pub struct Package {
    /// Its name, `owner/name`.
    pub name: String,
    /// Its version, as written.
    pub version: String,
    /// What is in it, by path.
    pub items: Vec<Item>,
    /// Files that are none of it, and why.
    pub passed: Vec<(String, String)>,
}

/// Something in a package.
#[derive(Clone, Debug)]
pub struct Item {
    /// The file.
    pub path: String,
    /// What it is.
    pub kind: ItemKind,
    /// What it is called.
    pub name: String,
    /// The query texts in it.
    pub queries: Vec<QueryText>,
    /// Values that parameters have there, where it says so.
    pub parameters: BTreeMap<String, String>,
    /// The bytes of a lookup file.
    pub bytes: Vec<u8>,
    /// A parser as it is kept.
    pub parser: Option<Parser>,
}

/// What something in a package is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ItemKind {
    /// A saved query.
    SavedQuery,
    /// A lookup file.
    LookupFile,
    /// A parser.
    Parser,
    /// A dashboard.
    Dashboard,
    /// An alert, of any kind.
    Alert,
    /// A scheduled search.
    ScheduledSearch,
    /// What an alert does.
    Action,
    /// A link from an event to somewhere.
    Interaction,
}

impl ItemKind {
    /// A stable word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            ItemKind::SavedQuery => "saved query",
            ItemKind::LookupFile => "lookup file",
            ItemKind::Parser => "parser",
            ItemKind::Dashboard => "dashboard",
            ItemKind::Alert => "alert",
            ItemKind::ScheduledSearch => "scheduled search",
            ItemKind::Action => "action",
            ItemKind::Interaction => "interaction",
        }
    }

    /// Told by the address of its schema, `https://schemas.humio.com/alert/v0.3.0`, else by its folder.
    fn of(schema: Option<&str>, path: &str) -> Option<ItemKind> {
        let part = |text: &str, at: usize| text.rsplit('/').nth(at).unwrap_or_default().to_ascii_lowercase();
        let word = match schema {
            Some(schema) => part(schema, 1),
            None => path.split('/').next().unwrap_or_default().to_ascii_lowercase(),
        };
        Some(match word.replace('-', "").trim_end_matches('s') {
            "query" | "querie" | "savedquery" | "savedquerie" => ItemKind::SavedQuery,
            "dashboard" => ItemKind::Dashboard,
            "alert" | "filteralert" | "aggregatealert" => ItemKind::Alert,
            "scheduledsearch" | "scheduledsearche" | "scheduledreport" => ItemKind::ScheduledSearch,
            "parser" => ItemKind::Parser,
            "action" => ItemKind::Action,
            "viewinteraction" => ItemKind::Interaction,
            "lookupfile" | "datafile" | "data" | "file" => ItemKind::LookupFile,
            _ => return None,
        })
    }
}

/// A query text and where it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueryText {
    /// What it is for: `widget "Errors"`; empty where the item is the query.
    pub what: String,
    /// The text.
    pub text: String,
    /// The line of the file on which its first line stands, from 1.
    pub line: usize,
    /// The column at which its lines begin, from 0; `None` where its lines are not lines of the file.
    pub column: Option<usize>,
}

impl QueryText {
    fn new(what: String, text: &Text) -> QueryText {
        QueryText { what, text: text.text.clone(), line: text.line, column: text.column }
    }
}

impl Package {
    /// The package that these files are.
    ///
    /// # Errors
    /// When there is no manifest that names it.
    pub fn read(files: PackageFiles) -> Result<Package, PackageError> {
        let passed = files.passed.iter().map(|(path, why)| (path.clone(), (*why).to_owned())).collect();
        let mut package = Package { passed, ..Package::default() };
        let files = files.into_package();
        let Some(manifest) = files.iter().find(|file| file.path == "manifest.yaml") else {
            return Err(PackageError::Manifest("there is no manifest.yaml: this is no package".to_owned()));
        };
        package.take_manifest(manifest)?;
        for file in files.iter().filter(|file| file.path != "manifest.yaml") {
            match item(file) {
                Ok(Some(item)) => package.items.push(item),
                Ok(None) => {}
                Err(why) => package.passed.push((file.path.clone(), why)),
            }
        }
        Ok(package)
    }

    fn take_manifest(&mut self, file: &PackageFile) -> Result<(), PackageError> {
        let wrong = |reason: String| PackageError::Manifest(format!("manifest.yaml: {reason}"));
        let text = std::str::from_utf8(&file.bytes).map_err(|error| wrong(error.to_string()))?;
        let manifest = yaml::read(text).map_err(|(line, reason)| wrong(format!("line {line}: {reason}")))?;
        let read = |name: &str| manifest.text(name).map(|text| text.text.clone()).unwrap_or_default();
        self.name = read("name");
        self.version = read("version");
        if self.name.is_empty() {
            return Err(wrong("it has no `name`".to_owned()));
        }
        Ok(())
    }

    /// How something of this package is called in queries: `owner/package:name`.
    #[must_use]
    pub fn qualified(&self, item: &Item) -> String {
        match item.kind {
            ItemKind::LookupFile => format!("{}/{}", self.name, item.name),
            _ => format!("{}:{}", self.name, item.name),
        }
    }
}

/// What a file is; nothing for documents and pictures.
///
/// # Errors
/// When it cannot be told, or is not what it should be.
fn item(file: &PackageFile) -> Result<Option<Item>, String> {
    let (stem, ending) = file.path.rsplit_once('.').unwrap_or((&file.path, ""));
    let name = stem.rsplit('/').next().unwrap_or_default().to_owned();
    let made = |kind: ItemKind, name: String| Item {
        path: file.path.clone(),
        kind,
        name,
        queries: Vec::new(),
        parameters: BTreeMap::new(),
        bytes: Vec::new(),
        parser: None,
    };
    match ending.to_ascii_lowercase().as_str() {
        "yaml" | "yml" => {}
        "csv" | "json" if ItemKind::of(None, &file.path) == Some(ItemKind::LookupFile) => {
            let item = made(ItemKind::LookupFile, format!("{name}.{ending}"));
            return Ok(Some(Item { bytes: file.bytes.clone(), ..item }));
        }
        "csv" | "json" => return Err("not in a folder of lookup files".to_owned()),
        _ => return Ok(None),
    }
    let text = std::str::from_utf8(&file.bytes).map_err(|_| "it is not UTF-8".to_owned())?;
    let value = yaml::read(text).map_err(|(line, reason)| format!("line {line}: {reason}"))?;
    let schema = value.text("$schema").map(|text| text.text.as_str());
    let Some(kind) = ItemKind::of(schema, &file.path) else {
        return Err("neither its `$schema` nor its folder tells what it is".to_owned());
    };
    let name = value.text("name").map_or(name, |text| text.text.clone());
    let mut item = made(kind, name);
    match kind {
        ItemKind::Dashboard => dashboard(&value, &mut item),
        ItemKind::Parser => {
            item.queries.extend(value.text("script").map(|text| QueryText::new(String::new(), text)));
            item.parser = Some(super::parser::read(&value));
        }
        ItemKind::SavedQuery | ItemKind::Alert | ItemKind::ScheduledSearch => {
            item.queries.extend(value.text("queryString").map(|text| QueryText::new(String::new(), text)));
        }
        ItemKind::Interaction | ItemKind::Action | ItemKind::LookupFile => {}
    }
    if item.queries.is_empty()
        && matches!(kind, ItemKind::SavedQuery | ItemKind::Alert | ItemKind::ScheduledSearch)
    {
        return Err("it has no `queryString`".to_owned());
    }
    if item.queries.is_empty() && kind == ItemKind::Parser {
        return Err("it has no `script`".to_owned());
    }
    Ok(Some(item))
}

/// The queries of a dashboard: of its widgets, and of the parameters whose values are looked up.
fn dashboard(value: &Value, item: &mut Item) {
    for (name, parameter) in value.get("parameters").map(Value::members).unwrap_or_default() {
        if let Some(query) = parameter.text("query") {
            item.queries.push(QueryText::new(format!("parameter `{name}`"), query));
        }
        let first = parameter.get("values").map(Value::elements).unwrap_or_default().first();
        let listed = first.and_then(|first| match first {
            Value::Text(text) => Some(text.text.clone()),
            _ => None,
        });
        let default = parameter.text("defaultValue").map(|text| text.text.clone()).or(listed);
        item.parameters
            .insert(name.clone(), default.filter(|text| !text.is_empty()).unwrap_or("*".to_owned()));
    }
    for (name, widget) in value.get("widgets").map(Value::members).unwrap_or_default() {
        let Some(query) = widget.text("queryString") else { continue };
        let title = widget.text("title").map(|text| text.text.as_str()).filter(|title| !title.is_empty());
        item.queries.push(QueryText::new(format!("widget `{}`", title.unwrap_or(name)), query));
    }
}
