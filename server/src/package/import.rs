//! What of a package is kept: saved queries, parsers and lookup files. Of everything else it is said why it is not.

use std::collections::BTreeSet;

use std::sync::Arc;

use weir_engine::lookups::Lookups;
use weir_engine::parsers::{Parser, ParserLimits, Parsers, Trial};
use weir_engine::saved::SavedQueries;
use weir_query::compile::Known;

use super::check::{CheckedItem, PackageCheck};
use super::content::{Item, ItemKind, Package};

/// What became of a package.
#[derive(Clone, Debug, Default)]
pub struct Import {
    /// What is kept now.
    pub imported: Vec<Imported>,
    /// What is not.
    pub left_out: Vec<LeftOut>,
}

/// Something that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The file it came in.
    pub path: String,
    /// What it is.
    pub kind: ItemKind,
    /// What queries call it.
    pub name: String,
    /// There was none of that name.
    pub is_new: bool,
    /// What is not as it should be with it.
    pub note: Option<String>,
}

/// Something that is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The file it came in.
    pub path: String,
    /// What it is, where that is known.
    pub kind: Option<ItemKind>,
    /// Why it is not kept.
    pub reason: String,
}

impl Import {
    /// Keeps what there is a home for. Saved queries and files are called `owner/package:name` and
    /// `owner/package/name`; what queries of the package call by its name alone is kept under that name, too, unless there
    /// is one that somebody else made.
    #[must_use]
    pub fn of(package: &Package, check: &PackageCheck, homes: &Homes) -> Import {
        let mut import = Import::default();
        let plain: BTreeSet<&String> =
            check.items.iter().flat_map(|item| &item.queries).flat_map(|query| &query.plain).collect();
        let mut checked = check.items.iter();
        // Files first, then queries: what looks things up in them is then right from the start.
        let mut items: Vec<(&Item, Option<&CheckedItem>)> =
            package.items.iter().map(|item| (item, checked.next())).collect();
        items.sort_by_key(|(item, _)| (item.kind != ItemKind::LookupFile, item.kind == ItemKind::Parser));
        for (item, checked) in items {
            if let Some(reason) = homeless(item.kind) {
                import.leave(item, runs(checked) + reason);
                continue;
            }
            let qualified = package.qualified(item);
            // What an earlier version of the package brought is its own.
            let is_own = homes.are_same(item.kind, &qualified, &item.name);
            import.take(item, homes, qualified, true);
            // Senders name a parser by its own name.
            if plain.contains(&item.name) || item.kind == ItemKind::Parser {
                import.take(item, homes, item.name.clone(), is_own);
            }
        }
        let passed = check.passed.iter();
        import.left_out.extend(passed.map(|(path, reason)| LeftOut {
            path: path.clone(),
            kind: None,
            reason: reason.clone(),
        }));
        import
    }

    fn leave(&mut self, item: &Item, reason: String) {
        self.left_out.push(LeftOut { path: item.path.clone(), kind: Some(item.kind), reason });
    }

    fn take(&mut self, item: &Item, homes: &Homes, name: String, replaces: bool) {
        if !replaces && homes.has_other(item, &name) {
            return self.leave(item, format!("there is another `{name}` already; its full name is kept"));
        }
        match homes.put(item, &name) {
            Ok((is_new, note)) => {
                let (path, kind) = (item.path.clone(), item.kind);
                self.imported.push(Imported { path, kind, name, is_new, note });
            }
            Err(reason) => self.leave(item, reason),
        }
    }
}

/// Where things are kept.
#[derive(Debug)]
pub struct Homes {
    /// Saved queries.
    pub saved: Arc<SavedQueries>,
    /// Lookup files.
    pub lookups: Arc<Lookups>,
    /// Parsers.
    pub parsers: Arc<Parsers>,
    /// How much a parser may make of events.
    pub limits: ParserLimits,
    /// When it is, nanoseconds since the epoch.
    pub now_nanos: i64,
}

impl Homes {
    /// Whether it is new, and what is not as it should be.
    fn put(&self, item: &Item, name: &str) -> Result<(bool, Option<String>), String> {
        match (item.kind, &item.parser) {
            (ItemKind::LookupFile, _) => self
                .lookups
                .put(name, &item.bytes)
                .map(|(is_new, _)| (is_new, None))
                .map_err(|error| error.to_string()),
            (ItemKind::Parser, Some(parser)) => self.put_parser(parser, name),
            _ => {
                let text = item.queries.first().map(|query| query.text.as_str()).unwrap_or_default();
                self.saved.put(name, text).map(|is_new| (is_new, None)).map_err(|error| error.to_string())
            }
        }
    }

    /// A parser is kept although its examples fail or what it names is not there: it says so.
    fn put_parser(&self, parser: &Parser, name: &str) -> Result<(bool, Option<String>), String> {
        let trial = Trial {
            known: Known { tables: self.lookups.tables(), saved: self.saved.texts() },
            limits: self.limits,
            now_nanos: self.now_nanos,
            is_forced: true,
        };
        let put = self.parsers.put(name, parser.clone(), &trial).map_err(|error| error.to_string())?;
        let note = match (&put.faults, put.failures.len()) {
            (Some(faults), _) => Some(format!("it does not run yet: {faults}")),
            (None, 0) => None,
            (None, failed) => Some(format!("{failed} of its {} examples fail", parser.tests.len())),
        };
        Ok((put.is_new, note))
    }

    /// There are things of both names, and they are the same.
    fn are_same(&self, kind: ItemKind, one: &str, other: &str) -> bool {
        match kind {
            ItemKind::LookupFile => {
                let content = |name: &str| self.lookups.content(name).ok().flatten();
                content(one).is_some_and(|bytes| content(other) == Some(bytes))
            }
            ItemKind::Parser => {
                let own = self.parsers.get(one);
                own.is_some_and(|own| self.parsers.get(other).is_some_and(|other| other.parser == own.parser))
            }
            _ => {
                let texts = self.saved.texts();
                texts.get(one).is_some_and(|text| texts.get(other) == Some(text))
            }
        }
    }

    /// There is something else of that name.
    fn has_other(&self, item: &Item, name: &str) -> bool {
        match item.kind {
            ItemKind::LookupFile => {
                let known = self.lookups.content(name).ok().flatten();
                known.is_some_and(|bytes| bytes != item.bytes)
            }
            ItemKind::Parser => {
                let known = self.parsers.get(name);
                known.is_some_and(|known| item.parser.as_ref() != Some(&known.parser))
            }
            _ => {
                let texts = self.saved.texts();
                let own = item.queries.first().map(|query| query.text.as_str());
                texts.get(name).is_some_and(|text| Some(text.as_str()) != own)
            }
        }
    }
}

/// Why things of a kind are not kept; `None` where they are.
fn homeless(kind: ItemKind) -> Option<&'static str> {
    Some(match kind {
        ItemKind::SavedQuery | ItemKind::LookupFile | ItemKind::Parser => return None,
        ItemKind::Dashboard => "Weir keeps no dashboards yet",
        ItemKind::Alert => "Weir keeps no alerts yet; a metric with a trigger watches a query",
        ItemKind::ScheduledSearch => "Weir keeps no scheduled searches yet",
        ItemKind::Action => "Weir sends no messages",
        ItemKind::Interaction => "Weir has no links from events yet",
    })
}

/// What would become of its queries.
fn runs(checked: Option<&CheckedItem>) -> String {
    let queries = checked.map(|item| item.queries.as_slice()).unwrap_or_default();
    let run = queries.iter().filter(|query| query.faults.is_empty()).count();
    match queries.len() {
        0 => String::new(),
        1 if run == 1 => "its query runs; ".to_owned(),
        all => format!("{run} of its {all} queries run; "),
    }
}
