//! Parsers on disk.

use std::path::Path;

use super::*;
use crate::parsers::{Case, Expected, MAX_PARSERS, Parser, ParserError, Parsers, Trial};

fn open(folder: &Path) -> Parsers {
    Parsers::open(folder).unwrap()
}

fn text(text: &str) -> Parser {
    Parser { text: text.to_owned(), ..Parser::default() }
}

fn trial() -> Trial {
    Trial { now_nanos: NOW, ..Trial::default() }
}

#[test]
fn parsers_come_and_go_count_their_versions_and_are_there_again() {
    let folder = tempfile::tempdir().unwrap();
    let parsers = open(folder.path());
    let first = parsers.put("mine", text("kvParse()"), &trial()).unwrap();
    assert!(first.is_new && first.parser.version == 1);
    let second = parsers.put("mine", text("parseJson()"), &trial()).unwrap();
    assert!(!second.is_new && second.parser.version == 2);
    let again = open(folder.path());
    let known = again.get("mine").unwrap();
    assert_eq!((known.version, known.parser.text.as_str()), (2, "parseJson()"));
    assert!(again.remove("mine").unwrap() && !again.remove("mine").unwrap());
    assert!(open(folder.path()).get("mine").is_none());
}

#[test]
fn those_built_in_can_be_replaced_but_not_removed() {
    let folder = tempfile::tempdir().unwrap();
    let parsers = open(folder.path());
    assert!(parsers.get("syslog").unwrap().is_built_in());
    assert!(matches!(parsers.remove("syslog"), Err(ParserError::BuiltIn(_))));
    assert!(parsers.put("syslog", text("*"), &trial()).unwrap().is_new);
    let again = open(folder.path());
    assert_eq!((again.get("syslog").unwrap().version, again.remove("syslog").unwrap()), (1, true));
    assert!(again.get("syslog").unwrap().is_built_in());
    assert!(open(folder.path()).get("syslog").unwrap().is_built_in());
}

#[test]
fn what_can_be_no_parser_is_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let parsers = open(folder.path());
    let told = |source: &str, is_forced: bool| {
        let trial = Trial { is_forced, ..trial() };
        parsers.put("a", text(source), &trial).map_err(|error| error.to_string())
    };
    for (source, message) in [
        ("a=(", "expected"),
        ("count()", "`count` has no place in a parser at byte 0"),
        ("a=1 | groupBy(b)", "`groupBy` has no place in a parser at byte 6"),
        ("createEvents(\"x\")", "a step that makes events of its own has no place in a parser"),
        ("setTimeInterval(start=1h)", "`setTimeInterval` has no place in a parser"),
        ("join({b=1}, field=a)", "has no place in a parser"),
        ("a=1 or dropEvent()", "`dropEvent` is no filter"),
        ("case { a=1 | count(); * }", "the aggregate `count` cannot stand inside"),
    ] {
        for is_forced in [false, true] {
            let error = told(source, is_forced).unwrap_err();
            assert!(error.contains(message), "{source}: {error}");
        }
    }
    // Tables and saved queries may still come.
    assert!(told("match(x.csv, field=a)", false).unwrap_err().contains("x.csv"));
    let forced = told("match(x.csv, field=a)", true).unwrap();
    assert!(forced.faults.unwrap().to_string().contains("x.csv"));
    assert!(matches!(parsers.put("", text("*"), &trial()), Err(ParserError::Name(_))));
}

#[test]
fn test_cases_have_to_pass() {
    let folder = tempfile::tempdir().unwrap();
    let parsers = open(folder.path());
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let case = |input: &str, has: Vec<(String, String)>, lacks: &[&str]| Case {
        input: input.to_owned(),
        expected: vec![Expected { event: 0, has, lacks: lacks.iter().map(ToString::to_string).collect() }],
        ..Case::default()
    };
    let parser = |tests: Vec<Case>| Parser { tests, ..text("case { /^#/ | dropEvent(); * | kvParse() }") };
    let good = vec![
        case("a=1", vec![pair("a", "1"), pair("@timestamp", "1779012303000")], &["b"]),
        Case { is_dropped: true, ..case("# comment", vec![], &[]) },
    ];
    assert!(parsers.put("p", parser(good), &trial()).is_ok());
    let bad = vec![
        case("a=1 b=2", vec![pair("a", "2"), pair("c", "3")], &["b"]),
        Case { is_dropped: true, ..case("x", vec![], &[]) },
        case("# x", vec![], &[]),
        Case { expected: vec![Expected { event: 1, ..Expected::default() }], ..case("x", vec![], &[]) },
    ];
    let told = parsers.put("p", parser(bad.clone()), &trial()).unwrap_err().to_string();
    let expected = "test 1, \"a=1 b=2\"\n  a: expected \"2\", found \"1\"\n  c: expected \"3\", found no value\n  \
                    b: expected no value, found \"2\"\ntest 2, \"x\"\n  the event is not dropped\ntest 3, \"# x\"\n  \
                    the event is dropped\ntest 4, \"x\"\n  there is no event 1";
    assert_eq!(told, expected);
    assert_eq!(parsers.get("p").unwrap().version, 1);
    let put = parsers.put("p", parser(bad), &Trial { is_forced: true, ..trial() }).unwrap();
    assert_eq!((put.failures.len(), put.parser.version), (4, 2));
}

#[test]
fn a_case_that_fails_has_to_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let parsers = open(folder.path());
    let parser = |has: &[(&str, &str)]| {
        let has = has.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let expected = vec![Expected { event: 0, has, lacks: Vec::new() }];
        let case = Case { input: "x".to_owned(), expected, ..Case::default() };
        Parser { tests: vec![case], ..text("parseTimestamp(field=@rawstring)") }
    };
    assert!(parsers.put("p", parser(&[("@error", "true")]), &trial()).is_ok());
    let told = parsers.put("p", parser(&[]), &trial()).unwrap_err().to_string();
    assert!(told.contains("the parser failed: Could not parse timestamp from value 'x'"), "{told}");
}

#[test]
fn one_is_the_default() {
    let folder = tempfile::tempdir().unwrap();
    let parsers = open(folder.path());
    assert_eq!(parsers.default(), None);
    assert!(matches!(parsers.set_default(Some("none")), Err(ParserError::Unknown(_))));
    parsers.set_default(Some("syslog")).unwrap();
    assert_eq!(open(folder.path()).default().as_deref(), Some("syslog"));
    parsers.set_default(None).unwrap();
    parsers.set_default(None).unwrap();
    assert_eq!(open(folder.path()).default(), None);
}

#[test]
fn there_are_so_many_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let parsers = open(folder.path());
    assert!((0..MAX_PARSERS).all(|at| parsers.put(&format!("{at}"), text("*"), &trial()).is_ok()));
    assert!(matches!(parsers.put("more", text("*"), &trial()), Err(ParserError::TooMany)));
    assert!(parsers.put("7", text("a=1"), &trial()).is_ok());
}

#[test]
fn a_parser_follows_the_tables_there_are() {
    use weir_query::compile::{Known, Tables};
    use weir_query::table::Table;
    let folder = tempfile::tempdir().unwrap();
    let parsers = open(folder.path());
    let forced = Trial { is_forced: true, ..trial() };
    parsers.put("p", text("a := @rawstring | match(t.csv, field=a)"), &forced).unwrap();
    let known = |content: &str| {
        let table = Arc::new(Table::read("t.csv", content.as_bytes()).unwrap());
        Known { tables: Arc::new(Tables::from([("t.csv".to_owned(), table)])), ..Known::default() }
    };
    let value = |known: &Known| {
        let chosen = parsers.chosen("p", known).unwrap();
        run(&chosen, &batch_of(&[b"x"]), &ParserLimits::default()).batch.value(0, "b")
    };
    assert_eq!(value(&Known::default()), None);
    assert_eq!(value(&known("a,b\nx,1\n")).as_deref(), Some("1"));
    assert_eq!(value(&known("a,b\nx,2\n")).as_deref(), Some("2"));
}
