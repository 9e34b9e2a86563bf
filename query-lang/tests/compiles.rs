//! Real, public queries compile, but for functions that are not built yet.
//!
//! The corpus lies beside the repository and is not part of it; without it the test says so and passes.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;

use weir_query::compile::Options;
use weir_query::error::Diagnostics;
use weir_query::program::Program;
use weir_query::result::ResultTable;
use weir_query::table::Table;

/// Codes of faults that a text of the corpus may have: what is not built, texts that are no queries, parameters whose made-up value is none of the words it may be, or no time span, and a field
/// collected under the name of a sum beside it.
const ALLOWED: [&str; 5] = [
    "not-built",
    "syntax",
    "argument: one of unverified, low, medium, high is expected here, not `1`",
    "argument: `1` is no time span like `5m` or `1 hour`",
    "argument: `DistinctHostUsage` is written twice",
];

/// Compiles `text`; values for parameters and bodies for saved queries, which only their owners know, are made up. Gives them,
/// and the faults that are left.
fn compile(text: &str) -> (Options, Result<(), Diagnostics>) {
    let mut options = Options::default();
    let mut columns: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for _ in 0..32 {
        let Err(faults) = Program::compile(text, &options) else { return (options, Ok(())) };
        let mut more = false;
        for fault in &faults.list {
            let mut names = fault.message.split('`').skip(1).step_by(2).map(str::to_owned);
            let name = names.next().unwrap_or_default();
            match fault.code {
                // Lookup files are their owners', too: they have the columns that are asked for.
                "unknown-table" => {
                    more |= columns.insert(name.clone(), Vec::new()).is_none();
                    let table = Table::new(&name, ResultTable::default()).unwrap();
                    Arc::make_mut(&mut options.tables).insert(name, Arc::new(table));
                }
                "unknown-column" => {
                    more = true;
                    let own = columns.entry(name.clone()).or_default();
                    let asked = names.next().filter(|column| !own.contains(column));
                    own.extend(asked);
                    let table = Table::read(&format!("{name}.csv"), own.join(",").as_bytes()).unwrap();
                    Arc::make_mut(&mut options.tables).insert(name, Arc::new(table));
                }
                "parameter" => more |= options.arguments.insert(name, vec!["1".into()]).is_none(),
                "unknown-saved-query" => {
                    more |= Arc::make_mut(&mut options.saved).insert(name, String::new()).is_none();
                }
                _ => {}
            }
        }
        if !more {
            return (options, Err(faults));
        }
    }
    (options, Ok(()))
}

/// The texts of the corpus, where it is.
fn corpus() -> Option<Vec<String>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/corpus/cql.jsonl");
    let Ok(lines) = std::fs::read_to_string(path) else {
        println!("SKIPPED: there is no corpus at {path}");
        return None;
    };
    let text = |line: &str| {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        value["text"].as_str().unwrap().to_owned()
    };
    Some(lines.lines().map(text).collect())
}

/// Processor time of this thread so far, where the system tells.
fn processor() -> std::time::Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = told.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0);
    std::time::Duration::from_nanos(nanos)
}

/// `cargo test --release --workspace --test compiles -- --ignored --nocapture`
#[test]
#[ignore = "it measures"]
fn what_the_corpus_costs() {
    let Some(texts) = corpus() else { return };
    let known: Vec<Options> = texts.iter().map(|text| compile(text).0).collect();
    let (mut parse, mut whole) = (Vec::new(), Vec::new());
    for (text, options) in texts.iter().zip(&known) {
        let start = processor();
        let parsed = weir_query::parser::parse(text);
        parse.push(processor() - start);
        drop(parsed);
        let start = processor();
        let program = Program::compile(text, options);
        whole.push((processor() - start, text));
        drop(program);
    }
    let all: std::time::Duration = whole.iter().map(|(time, _)| *time).sum();
    println!(
        "{} texts: parse {:?}, parse and compile {all:?}",
        texts.len(),
        parse.iter().sum::<std::time::Duration>()
    );
    whole.sort_by_key(|(time, _)| std::cmp::Reverse(*time));
    for (time, text) in whole.iter().take(12) {
        println!(
            "{time:?} of {} bytes: {}",
            text.len(),
            text.chars().take(100).collect::<String>().replace('\n', " ")
        );
    }
}

#[test]
fn the_corpus_compiles() {
    let Some(texts) = corpus() else { return };
    let (mut all, mut whole) = (0, 0);
    let mut faults: BTreeMap<String, (usize, String)> = BTreeMap::new();
    for text in &texts {
        all += 1;
        let (_, Err(found)) = compile(text) else {
            whole += 1;
            continue;
        };
        for fault in &found.list {
            let known = faults.entry(format!("{}: {}", fault.code, fault.message));
            let part = text.get(fault.span.range()).unwrap_or_default().chars().take(100).collect();
            known.or_insert_with(|| (0, part)).0 += 1;
        }
    }
    println!("{whole} of {all} compile");
    let mut list: Vec<_> = faults.into_iter().collect();
    list.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
    for (message, (count, part)) in &list {
        println!("{count:5} {message}   << {part}");
    }
    let wrong: Vec<&String> = list
        .iter()
        .map(|(message, _)| message)
        .filter(|message| !ALLOWED.iter().any(|code| message.starts_with(code)))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn functions_are_built_or_not() {
    use weir_query::functions::{NOT_BUILT, find, signatures};
    for name in NOT_BUILT {
        assert!(find(name).is_none(), "{name} is built");
    }
    let mut names: Vec<String> = Vec::new();
    for signature in signatures() {
        assert!(!signature.doc.is_empty() && signature.doc.ends_with('.'), "{}", signature.name);
        for name in std::iter::once(&signature.name).chain(signature.aliases) {
            let name = name.to_ascii_lowercase();
            assert!(!names.contains(&name), "{name} is there twice");
            names.push(name);
        }
    }
}
