//! Real, public queries parse, and printing them in canonical form loses nothing.
//!
//! The corpus lies beside the repository and is not part of it; without it these tests say so and pass.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod common;

use common::spanless;
use std::time::{Duration, Instant};
use weir_query::parser::{parse, parse_strict};
use weir_query::print::print;

/// Texts of the corpus that are no queries, and why.
const EXCLUDED: [(&str, &str); 8] = [
    ("0f58b6cbef", "a numbered list in English"),
    ("1924af3d3c", "two stray characters (`\u{2202}\u{192}`) behind a field name in a parser"),
    ("44180950dd", "a named argument alone in parentheses"),
    ("47324589d6", "a stray `'` at the end"),
    ("742f12a48e", "a clause without its `;`"),
    ("8c27c3ccdd", "a stray `'` at the end"),
    ("a1216d9ce0", "a `;` behind a step outside `case` and `match`"),
    ("eadc59fbca", "an unquoted regex with `$`"),
];

/// Of a thousand texts, how many must parse without a fault.
const PARSED_PER_MILLE: usize = 995;

struct Text {
    id: String,
    text: String,
}

fn corpus() -> Vec<Text> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/corpus/cql.jsonl");
    let Ok(lines) = std::fs::read_to_string(path) else {
        println!("SKIPPED: there is no corpus at {path}");
        return Vec::new();
    };
    let read = |line: &str| {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        let field = |name: &str| value[name].as_str().unwrap().to_owned();
        Text { id: field("id"), text: field("text") }
    };
    lines.lines().map(read).collect()
}

#[test]
fn the_corpus_parses() {
    let corpus = corpus();
    let start = Instant::now();
    let mut faulty = Vec::new();
    for Text { id, text } in &corpus {
        let diagnostics = parse(text).diagnostics;
        if !diagnostics.list.is_empty() {
            faulty.push((id.as_str(), diagnostics));
        }
    }
    let elapsed = start.elapsed();
    println!("{} texts, {} with faults, parsed in {elapsed:?}", corpus.len(), faulty.len());
    assert!(elapsed < Duration::from_secs(5), "parsing 1.5 MB took {elapsed:?}");
    for (id, diagnostics) in &faulty {
        assert!(EXCLUDED.iter().any(|(excluded, _)| excluded == id), "{id} does not parse: {diagnostics}");
    }
    assert!(faulty.len() * 1000 <= corpus.len() * (1000 - PARSED_PER_MILLE));
    for (excluded, why) in EXCLUDED {
        let known = corpus.is_empty() || faulty.iter().any(|(id, _)| *id == excluded);
        assert!(known, "{excluded} ({why}) parses and need not be excluded");
    }
}

#[test]
fn printing_the_corpus_loses_nothing() {
    for Text { id, text } in corpus() {
        let Ok(query) = parse_strict(&text) else { continue };
        let printed = print(&query);
        let again = match parse_strict(&printed) {
            Ok(again) => again,
            Err(diagnostics) => {
                panic!("{id}: its printed form does not parse: {}", diagnostics.render(&printed, false))
            }
        };
        assert_eq!(spanless(&again), spanless(&query), "{id}: printed as\n{printed}");
        assert_eq!(print(&again), printed, "{id}: printing is not stable");
    }
}
