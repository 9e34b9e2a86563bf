//! The edges of the limits.

use super::*;
use crate::parsers::writer::MAX_MADE_BYTES;
use crate::parsers::{Case, MAX_CASES, Parser, ParserError, Parsers, Trial};

fn message(text: &str, line: &str, limits: &ParserLimits) -> Option<String> {
    let parsed = run(&chosen(text), &batch_of(&[line.as_bytes()]), limits);
    assert_eq!(parsed.batch.raw(0), line.as_bytes());
    parsed.batch.value(0, "@error_msg")
}

#[test]
fn fields_of_an_event() {
    let limits = ParserLimits { max_fields_per_event: 3, ..ParserLimits::default() };
    assert_eq!(message("kvParse()", "a=1 b=2 c=3", &limits), None);
    let told = message("kvParse()", "a=1 b=2 c=3 d=4", &limits).unwrap();
    assert_eq!(told, "parser `p`: it gives an event 4 fields, over the limit of 3");
}

#[test]
fn bytes_of_fields_of_an_event() {
    let limits = ParserLimits { max_field_bytes_per_event: 8, ..ParserLimits::default() };
    assert_eq!(message("kvParse()", "a=123 b=456", &limits), None);
    let told = message("kvParse()", "a=123 b=4567", &limits).unwrap();
    assert_eq!(told, "parser `p`: it gives an event 9 bytes of fields, over the limit of 8");
}

#[test]
fn events_made_of_one() {
    let limits = ParserLimits { max_events_per_event: 2, ..ParserLimits::default() };
    let parser = chosen("regex(\"(?<n>\\\\d)\", repeat=true)");
    let rows = |line: &str| run(&parser, &batch_of(&[line.as_bytes()]), &limits);
    let two = rows("1 2");
    assert_eq!((two.batch.len(), two.account.made, two.account.failed), (2, 1, 0));
    let three = rows("1 2 3");
    assert_eq!((three.batch.len(), three.account.made, three.account.failed), (1, 0, 1));
    let told = three.batch.value(0, "@error_msg").unwrap();
    assert_eq!(told, "parser `p`: it makes 3 events of it, over the limit of 2");
}

#[test]
fn one_event_that_is_too_much_costs_no_other() {
    let limits = ParserLimits { max_state_bytes: 20_000, ..ParserLimits::default() };
    let long = "x".repeat(6_000);
    let lines: Vec<&[u8]> =
        (0..40).map(|row| if row == 17 { long.as_bytes() } else { b"short" as &[u8] }).collect();
    let text = "a := format(\"%s%s%s%s\", field=[@rawstring, @rawstring, @rawstring, @rawstring])";
    let parsed = run(&chosen(text), &batch_of(&lines), &limits);
    assert_eq!(parsed.batch.len(), 40);
    let failed: Vec<usize> = (0..40).filter(|row| parsed.batch.value(*row, "@error").is_some()).collect();
    assert_eq!(failed, [17]);
    assert_eq!(parsed.batch.value(16, "a").as_deref(), Some("shortshortshortshort"));
}

#[test]
fn ever_new_names_are_bounded_while_they_are_made() {
    // Each name is a column with a slot for every event: of all at once they would be gigabytes.
    let line = |row: usize| (0..40).map(|at| format!("n{row}x{at}=1 ")).collect::<String>();
    let mut lines: Vec<String> = (0..400).map(line).collect();
    lines[17] = (0..3_000).map(|at| format!("m{at}=1 ")).collect();
    let lines: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
    let limits = ParserLimits { max_state_bytes: 1 << 20, ..ParserLimits::default() };
    let parsed = run(&chosen("kvParse()"), &batch_of(&lines), &limits);
    assert_eq!((parsed.batch.len(), parsed.account.parsed, parsed.account.failed), (400, 399, 1));
    for (row, line) in lines.iter().enumerate() {
        assert_eq!(parsed.batch.raw(row), *line);
        let value = parsed.batch.value(row, &format!("n{row}x39"));
        assert_eq!(value.as_deref(), (row != 17).then_some("1"), "{row}");
    }
    let told = parsed.batch.value(17, "@error_msg").unwrap();
    assert!(told.contains("over their limit of 1048576"), "{told}");
}

#[test]
fn a_text_that_a_parser_writes_is_searched_anew() {
    let text = "a := test({secret}) | @rawstring := \"gone\" | b := test({secret})";
    let parsed = run(&chosen(text), &batch_of(&[b"my secret"]), &ParserLimits::default());
    let of = |field| parsed.batch.value(0, field);
    assert_eq!((of("a").as_deref(), of("b").as_deref()), (Some("true"), Some("false")));
}

#[test]
fn bytes_of_a_parser_and_cases() {
    let folder = tempfile::tempdir().unwrap();
    let parsers = Parsers::open(folder.path()).unwrap();
    let limits = ParserLimits { max_bytes: 10, ..ParserLimits::default() };
    let trial = Trial { limits, ..Trial::default() };
    let put = |bytes: usize, cases: usize| {
        let text = format!("*{}", " ".repeat(bytes - 1));
        let tests = vec![Case { input: "x".to_owned(), ..Case::default() }; cases];
        parsers.put("a", Parser { text, tests, ..Parser::default() }, &trial)
    };
    assert!(put(10, 1).is_ok());
    assert!(matches!(put(11, 1), Err(ParserError::TooLong { bytes: 11, limit: 10 })));
    assert!(put(5, MAX_CASES).is_ok());
    assert!(matches!(put(5, MAX_CASES + 1), Err(ParserError::TooManyCases)));
}

#[test]
fn bytes_of_the_texts_of_events_made_of_one() {
    let parser = chosen("regex(\"(?<n>\\\\d)\", repeat=true)");
    let made = |bytes: usize| {
        let line = format!("1 2 {}", "x".repeat(bytes - 4));
        let limits = EventLimits { max_event_bytes: 2 * MAX_MADE_BYTES, ..EventLimits::default() };
        let mut builder = EventBatchBuilder::new(limits);
        builder.push_text(line.as_bytes(), None, &TagSet::none(), None).unwrap();
        let batch = builder.finish(0);
        let parsed =
            parse(&batch, std::slice::from_ref(&parser), &|_| Some(0), &ParserLimits::default(), limits);
        parsed.unwrap().batch.len()
    };
    assert_eq!(made(MAX_MADE_BYTES / 2), 2);
    assert_eq!(made(MAX_MADE_BYTES / 2 + 1), 1);
}

#[test]
fn no_text_marks_its_event_as_dropped() {
    for (parser, line) in
        [("kvParse()", "msg=x \u{0}dropped=1 \u{0}dropped 0=1"), ("parseJson()", "{\"\\u0000dropped\":1}")]
    {
        let parsed = run(&chosen(parser), &batch_of(&[line.as_bytes()]), &ParserLimits::default());
        assert_eq!((parsed.batch.len(), parsed.account.dropped), (1, 0), "{parser}");
    }
}
