//! What of a package is kept: saved queries and lookup files. Of everything else it is said why it is not.

use std::collections::BTreeSet;

use weir_engine::lookups::Lookups;
use weir_engine::saved::SavedQueries;

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
    pub fn of(package: &Package, check: &PackageCheck, saved: &SavedQueries, lookups: &Lookups) -> Import {
        let mut import = Import::default();
        let plain: BTreeSet<&String> =
            check.items.iter().flat_map(|item| &item.queries).flat_map(|query| &query.plain).collect();
        let mut checked = check.items.iter();
        let homes = Homes { saved, lookups };
        // Files first: queries that look things up in them are then right from the start.
        let mut items: Vec<(&Item, Option<&CheckedItem>)> =
            package.items.iter().map(|item| (item, checked.next())).collect();
        items.sort_by_key(|(item, _)| item.kind != ItemKind::LookupFile);
        for (item, checked) in items {
            if let Some(reason) = homeless(item.kind) {
                import.leave(item, runs(checked) + reason);
                continue;
            }
            import.take(item, &homes, package.qualified(item), true);
            if plain.contains(&item.name) {
                import.take(item, &homes, item.name.clone(), false);
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

    fn take(&mut self, item: &Item, homes: &Homes<'_>, name: String, replaces: bool) {
        if !replaces && homes.has_other(item, &name) {
            return self.leave(item, format!("there is another `{name}` already; its full name is kept"));
        }
        match homes.put(item, &name) {
            Ok(is_new) => {
                self.imported.push(Imported { path: item.path.clone(), kind: item.kind, name, is_new });
            }
            Err(reason) => self.leave(item, reason),
        }
    }
}

/// Where things are kept.
struct Homes<'h> {
    saved: &'h SavedQueries,
    lookups: &'h Lookups,
}

impl Homes<'_> {
    fn put(&self, item: &Item, name: &str) -> Result<bool, String> {
        match item.kind {
            ItemKind::LookupFile => self
                .lookups
                .put(name, &item.bytes)
                .map(|(is_new, _)| is_new)
                .map_err(|error| error.to_string()),
            _ => {
                let text = item.queries.first().map(|query| query.text.as_str()).unwrap_or_default();
                self.saved.put(name, text).map_err(|error| error.to_string())
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
        ItemKind::SavedQuery | ItemKind::LookupFile => return None,
        ItemKind::Parser => "Weir keeps no parsers yet",
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
