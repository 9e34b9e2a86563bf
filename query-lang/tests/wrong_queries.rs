//! What people are told of wrong queries: a table that is read by people, `wrong_queries.txt`.
//!
//! Beside the text itself it is held that every fault points into its query, that a suggested replacement mends what it is
//! suggested for, and that nothing suggested names what is not there.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;

use weir_query::compile::Options;
use weir_query::editing::{NoCatalogue, apply, check};
use weir_query::error::Diagnostics;
use weir_query::program::Program;
use weir_query::table::Table;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/wrong_queries.txt");
/// Fewer would not be the whole language.
const LEAST: usize = 150;
const QUERY: &str = "\n==========\n";
const SAID: &str = "\n----------\n";

fn options() -> Options {
    let saved = [
        ("errors", "level=?{level=ERROR}"),
        ("broken", "level=ERROR | gruopBy(service)"),
        ("loop_a", "$loop_b()"),
        ("loop_b", "$loop_a()"),
        ("self", "a | $self()"),
    ];
    let table = Table::read("hosts.csv", b"ip,owner\n10.0.0.1,ann\n").unwrap();
    Options {
        saved: Arc::new(saved.map(|(name, text)| (name.to_owned(), text.to_owned())).into()),
        tables: Arc::new(BTreeMap::from([("hosts.csv".to_owned(), Arc::new(table))])),
        ..Options::default()
    }
}

fn blesses() -> bool {
    std::env::var_os("WEIR_BLESS").is_some()
}

fn faults(query: &str) -> Option<Diagnostics> {
    Program::compile(query, &options()).err()
}

#[test]
fn wrong_queries_are_told_so() {
    let file = std::fs::read_to_string(PATH).unwrap();
    let (head, rest) = file.split_once(QUERY).unwrap();
    let mut written = head.to_owned();
    let mut count = 0;
    let mut differences = String::new();
    for part in rest.split(QUERY).filter(|part| !part.is_empty()) {
        let (query, said) =
            part.split_once(SAID).unwrap_or_else(|| (part.trim_end_matches("\n----------"), ""));
        // A heading stands behind the last query of a section.
        let said = format!("\n{said}");
        let (said, heading) =
            said.split_once("\n## ").map_or((&*said, None), |(said, name)| (said, Some(name)));
        let Some(found) = faults(query) else {
            assert!(blesses(), "`{query}` is right");
            println!("right: {query}");
            written += &heading.map(|name| format!("\n## {name}")).unwrap_or_default();
            continue;
        };
        let shown = found.render(query, false);
        if said.trim() != shown.trim() {
            differences += &format!("{query}\n{SAID}{shown}\n");
        }
        for fault in &found.list {
            let range = fault.span.range();
            assert!(query.get(range.clone()).is_some(), "{query}: {range:?} is not in it");
            assert!(!fault.message.is_empty() && !fault.message.ends_with('.'), "{query}: {}", fault.message);
        }
        written += &format!("{QUERY}{query}{SAID}{}", shown.trim_end());
        if let Some(name) = heading {
            written += &format!("\n## {name}");
        }
        count += 1;
    }
    written += QUERY;
    if blesses() {
        std::fs::write(PATH, written).unwrap();
    } else {
        assert!(differences.is_empty(), "said otherwise now:\n{differences}");
    }
    assert!(count >= LEAST, "only {count} wrong queries");
}

#[test]
fn what_is_suggested_mends() {
    let file = std::fs::read_to_string(PATH).unwrap();
    let mut mended = 0;
    for part in file.split(QUERY).skip(1).filter(|part| !part.is_empty()) {
        let query = part.split_once(SAID).map_or(part, |(query, _)| query);
        for fault in check(query, &options(), &NoCatalogue).faults {
            let Some(fix) = &fault.fix else { continue };
            let after = apply(query, fix);
            let left = check(&after, &options(), &NoCatalogue).faults;
            let same = left.iter().any(|other| {
                (other.code, &other.message, other.range.start)
                    == (fault.code, &fault.message, fault.range.start)
            });
            assert!(!same, "{query}\nwith {fix:?} is\n{after}\nand still {}", fault.message);
            mended += 1;
        }
    }
    assert!(mended >= 20, "only {mended} suggestions");
}
