//! Real, public parsers run on the sample events that come with them.
//!
//! The corpus lies beside the repository and is not part of it; without it the test says so and passes. What parsers find
//! was reviewed, and is kept as a digest: a line an event, with its time, how many fields it has, and hashes of their names
//! and values. `WEIR_SHOW=1` with `--nocapture` shows the fields, `WEIR_SNAPSHOT=write` writes the digest anew.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::fmt::Write as _;

use serde_json::Value;
use weir_engine::parsers::{Case, Chosen, Expected, Parser, ParserLimits, StoredParser, attempt, failures};
use xxhash_rust::xxh3::xxh3_64;

/// 2026-05-17T10:05:03Z: the year of times that have none.
const NOW: i64 = 1_779_012_303_000_000_000;
const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/corpus/cql.jsonl");
const SNAPSHOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus_parsers.snapshot");

/// Two stray characters behind a field name in one of the parsers, which is none with them.
const STRAY: &str = "\u{2202}\u{192}";

struct Entry {
    id: String,
    parser: Parser,
}

fn entries(lines: &str) -> Vec<Entry> {
    let values = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    values
        .filter(|value| value["kind"] == "parser")
        .map(|value| {
            let tests: Vec<Case> = value["tests"].as_array().into_iter().flatten().map(case).collect();
            let asserted = tests.iter().flat_map(|case| &case.expected).flat_map(|expected| &expected.has);
            // Which fields become tags is said beside the text, and not part of the corpus.
            let tags = asserted.filter_map(|(name, _)| name.strip_prefix('#'));
            let mut tag_fields: Vec<String> = tags.map(str::to_owned).collect();
            tag_fields.sort();
            tag_fields.dedup();
            let text = value["text"].as_str().unwrap().replace(STRAY, "");
            let parser = Parser { text, tag_fields, tests, ..Parser::default() };
            Entry { id: value["id"].as_str().unwrap().to_owned(), parser }
        })
        .collect()
}

fn case(value: &Value) -> Case {
    if let Some(text) = value.as_str() {
        return Case { input: text.to_owned(), ..Case::default() };
    }
    let expected = value["assertions"].as_array().into_iter().flatten().map(|assertion| {
        let fields = assertion["fieldsHaveValues"].as_object().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Expected {
            event: assertion["outputEventIndex"].as_u64().unwrap() as usize,
            has: fields.iter().map(|(name, value)| (name.clone(), text(value))).collect(),
            lacks: Vec::new(),
        }
    });
    let input = value["event"]["rawString"].as_str().unwrap().to_owned();
    Case { input, expected: expected.collect(), ..Case::default() }
}

/// What a parser makes of its samples, a line an event.
fn digest(entry: &Entry, chosen: &Chosen, out: &mut String) {
    let shows = std::env::var_os("WEIR_SHOW").is_some();
    for (number, case) in entry.parser.tests.iter().enumerate() {
        let tried = attempt(chosen, case, &ParserLimits::default(), NOW).unwrap();
        if tried.account.dropped > 0 {
            writeln!(out, "{} {number} dropped", entry.id).unwrap();
        }
        for (at, event) in tried.events.iter().enumerate() {
            let of = |name: &str| event.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str());
            let mut fields: Vec<&(String, String)> =
                event.iter().filter(|(name, _)| name != "@rawstring" && name != "@timestamp").collect();
            fields.sort();
            if shows {
                println!("== {} sample {number} event {at}: {}", entry.id, case.input);
                fields.iter().for_each(|(name, value)| println!("   {name} = {value}"));
                println!("   @timestamp = {}", of("@timestamp").unwrap());
            }
            let names: String = fields.iter().map(|(name, _)| format!("{name}\n")).collect();
            let values: String = fields.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
            let fault = if of("@error").is_some() { " error" } else { "" };
            let (time, count) = (of("@timestamp").unwrap(), fields.len());
            let (names, values) = (xxh3_64(names.as_bytes()) as u32, xxh3_64(values.as_bytes()));
            writeln!(out, "{} {number}.{at} {time} {count} {names:08x} {values:016x}{fault}", entry.id)
                .unwrap();
        }
    }
}

#[test]
fn parsers_of_the_corpus_find_what_they_should() {
    let Ok(lines) = std::fs::read_to_string(CORPUS) else {
        println!("SKIPPED: there is no corpus at {CORPUS}");
        return;
    };
    let (mut found, mut wrong) = (String::new(), Vec::new());
    let entries = entries(&lines);
    for entry in &entries {
        let stored = StoredParser::new(&entry.id, 1, entry.parser.clone());
        let program = match stored.program(&weir_query::compile::Known::default()) {
            Ok(program) => program,
            Err(faults) => {
                wrong.push(format!("{}: {}", entry.id, faults.render(&entry.parser.text, false)));
                continue;
            }
        };
        let chosen = Chosen::new(&entry.id, &entry.parser, Ok(program));
        digest(entry, &chosen, &mut found);
        let asserted: Vec<Case> =
            entry.parser.tests.iter().filter(|case| !case.expected.is_empty()).cloned().collect();
        let failed = failures(&chosen, &asserted, &ParserLimits::default(), NOW);
        wrong.extend(failed.iter().map(|failure| format!("{}: {failure}", entry.id)));
    }
    println!("{} parsers, {} events", entries.len(), found.lines().count());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    if std::env::var("WEIR_SNAPSHOT").as_deref() == Ok("write") {
        std::fs::write(SNAPSHOT, &found).unwrap();
    }
    let known = std::fs::read_to_string(SNAPSHOT).unwrap_or_default();
    let changed: Vec<&str> = found.lines().filter(|line| !known.lines().any(|own| own == *line)).collect();
    assert!(changed.is_empty(), "what is found is not what was reviewed:\n{}", changed.join("\n"));
    assert_eq!(found.lines().count(), known.lines().count());
}
