//! What becomes of events.

use super::*;

const AT: &str = "#type=p @timestamp=1779012303000";
const FAILED: &str = "#error=true #type=p @error=true @error_msg=";

#[test]
fn fields_times_and_tags() {
    for (text, line, told) in [
        ("kvParse()", "a=1 b=x", format!("{AT} a=1 b=x")),
        ("*", "plain", AT.to_owned()),
        ("a := \"1\" | drop(a)", "plain", AT.to_owned()),
        ("`#kind` := \"x\"", "plain", AT.to_owned()),
        ("setField(target=\"#kind\", value=\"x\")", "plain", format!("#kind=x {AT}")),
        ("`t` := 1", "plain", AT.to_owned()),
        ("\"#type\" := \"q\"", "plain", "#type=q @timestamp=1779012303000".to_owned()),
        // Times: read by a function, taken over, and none at all.
        (
            "/at (?<t>\\S+)/ | parseTimestamp(field=t)",
            "at 2026-01-02T03:04:05.123456Z",
            "#type=p @timestamp=1767323045123 @timestamp.nanos=456000 @timezone=Z t=2026-01-02T03:04:05.123456Z"
                .to_owned(),
        ),
        ("/(?<@timestamp>\\d+)$/", "at 1539602562000", "#type=p @timestamp=1539602562000".to_owned()),
        ("/(?<@timestamp>\\d+)$/", "at 1539602562", "#type=p @timestamp=1539602562000".to_owned()),
        (
            "@timestamp := \"1970-01-02\" | parseTimestamp(\"yyyy-MM-dd\", field=@timestamp)",
            "x",
            "#type=p @timestamp=86400000 @timezone=Z".to_owned(),
        ),
        (
            "/(?<@timestamp>\\S+)$/",
            "at 2026-01-02T03:04:05+01:00",
            "#type=p @timestamp=1767319445000".to_owned(),
        ),
        ("select(a)", "x", AT.to_owned()),
        ("*", "2026-01-02T03:04:05.5Z front", "#type=p @timestamp=1767323045500".to_owned()),
        (
            "@timestamp := \"soon\" | a := 1",
            "x",
            format!("{FAILED}@timestamp is \"soon\", which is no time @event_parsed=false @timestamp=1779012303000 a=1"),
        ),
        (
            "@timestamp := 99999999999999999999",
            "x",
            format!("{FAILED}@timestamp is \"99999999999999999999\", which is no time @event_parsed=false @timestamp=1779012303000"),
        ),
        (
            "a := 1 | parseTimestamp(field=b)",
            "x",
            format!("{FAILED}field b is missing @event_parsed=false @timestamp=1779012303000 a=1"),
        ),
        // Events that are dropped, and those that are merely let through nowhere.
        ("dropEvent()", "x", String::new()),
        ("case { /x/ | dropEvent(); * | a := 1 }", "x", String::new()),
        ("case { /x/ | dropEvent(); * | a := 1 }", "y", format!("{AT} a=1")),
        ("case { /x/ | dropEvent(); * } | y | a := 1", "x", String::new()),
        ("case { case { /x/ | dropEvent(); * } | b := 1; * } | case { b=1 | a := 2; * }", "x", String::new()),
        (
            "case { case { /x/ | dropEvent(); * } | b := 1; * } | case { b=1 | a := 2; * }",
            "y",
            format!("{AT} a=2 b=1"),
        ),
        ("@rawstring match { \"x\" => dropEvent(); * => a := 1 }", "x", String::new()),
        (
            "a=1",
            "x",
            format!("{FAILED}parser `p`: no filter of it lets the event through @event_parsed=false @timestamp=1779012303000"),
        ),
        (
            "case { a=1 | b := 1; /no/ }",
            "x",
            format!("{FAILED}parser `p`: no filter of it lets the event through @event_parsed=false @timestamp=1779012303000"),
        ),
        // Free text is looked for in what steps wrote.
        ("a := \"needle\" | case { needle | b := 1; * }", "hay", format!("{AT} a=needle b=1")),
        ("a := \"needle\" | drop(a) | case { needle | b := 1; * }", "hay", AT.to_owned()),
        ("case { /hay/ | b := 1; * }", "hay", format!("{AT} b=1")),
        // Several events of one.
        (
            "parseJson() | split(e)",
            "{\"e\":[{\"n\":1},{\"n\":2}],\"x\":\"y\"}",
            "#type=p @timestamp=1779012303000 _index=0 e.n=1 x=y\n#type=p @timestamp=1779012303000 _index=1 e.n=2 x=y"
                .to_owned(),
        ),
        (
            "parseJson() | split(e) | case { e.n=1 | dropEvent(); * }",
            "{\"e\":[{\"n\":1},{\"n\":2}]}",
            "#type=p @timestamp=1779012303000 _index=1 e.n=2".to_owned(),
        ),
    ] {
        assert_eq!(shown(&chosen(text), line), told, "{text}");
    }
}

#[test]
fn fields_become_tags_and_others_are_taken_away() {
    let mut parser = chosen("kvParse() | other := host");
    parser.tag_fields = vec!["a".to_owned(), "#b".to_owned()];
    parser.removed_fields = vec!["host".to_owned()];
    let mut builder = EventBatchBuilder::new(EventLimits::default());
    let beside = Some("{\"host\":\"h\",\"@source\":\"s\"}");
    builder.push_text(b"a=1 b=2 c=3", Some(NOW), &tags(&[("#type", "q"), ("#host", "t")]), beside).unwrap();
    let parsed = run(&parser, &builder.finish(NOW), &ParserLimits::default());
    let of = |name: &str| parsed.batch.value(0, name);
    for (name, value) in [
        ("#a", Some("1")),
        ("a", None),
        ("#b", Some("2")),
        ("c", Some("3")),
        ("host", None),
        ("other", None),
        ("@source", Some("s")),
        ("#host", Some("t")),
        ("#type", Some("p")),
    ] {
        assert_eq!(of(name).as_deref(), value, "{name}");
    }
}

#[test]
fn what_a_text_answers_is_what_the_parser_says() {
    // Fields of JSON count only if the parser takes them.
    let mut builder = EventBatchBuilder::new(EventLimits::default());
    for line in [r#"{"a":"1","b":{"c":2}}"#, r#"{ "a": "x" }"#] {
        builder.push_json(line.as_bytes(), Some(NOW), &TagSet::none(), None).unwrap();
    }
    let batch = builder.finish(NOW);
    let of = |text: &str| {
        let parsed = run(&chosen(text), &batch, &ParserLimits::default());
        let value = |name| parsed.batch.value(0, name);
        (value("a"), value("b.c"), parsed.batch.json(0).is_some())
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(of("*"), (None, None, false));
    assert_eq!(of("parseJson()"), (some("1"), some("2"), true));
    assert_eq!(of("parseJson() | x := 5"), (some("1"), some("2"), true));
    assert_eq!(of("parseJson() | drop(a)"), (None, some("2"), false));
    assert_eq!(of("parseJson() | a := 7"), (some("7"), some("2"), false));
    let more = run(&chosen("parseJson() | x := 5"), &batch, &ParserLimits::default());
    assert_eq!(more.batch.value(0, "x"), some("5"));
    assert_eq!(more.batch.attributes(0).unwrap().text(), r#"{"x":"5"}"#);
    assert_eq!(more.batch.raw(1), br#"{ "a": "x" }"#);
}

#[test]
fn texts_stay_unless_the_parser_makes_others() {
    let lines: [&[u8]; 3] = [b"<13>text \xff\xfe", b"<13>plain", "<13>ü".as_bytes()];
    let raw = |text: &str| {
        let parsed = run(&chosen(text), &batch_of(&lines), &ParserLimits::default());
        (0..3).map(|row| parsed.batch.raw(row).to_vec()).collect::<Vec<_>>()
    };
    let as_sent: Vec<Vec<u8>> = lines.iter().map(|line| line.to_vec()).collect();
    for text in ["*", "a := @rawstring", "drop(@rawstring)", "rename(@rawstring, as=m)", "select(a)", "x=1"] {
        assert_eq!(raw(text), as_sent, "{text}");
    }
    let cut = raw("replace(\"^<\\d+>\", with=\"\")");
    assert_eq!(cut[1], b"plain");
    assert_eq!(cut[0], "text \u{fffd}\u{fffd}".as_bytes());
}

#[test]
fn each_event_goes_through_its_own_parser_and_the_order_stays() {
    let parsers = [chosen("a := 1"), chosen("b := 1 | case { /2/ | dropEvent(); * }")];
    let lines: Vec<String> = (0..3_000).map(|number| format!("{number}")).collect();
    let lines: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
    let batch = batch_of(&lines);
    let of_row = |row: usize| (row % 3 < 2).then_some(row % 3);
    let limits = ParserLimits::default();
    let parsed = parse(&batch, &parsers, &of_row, &limits, EventLimits::default()).unwrap();
    let kept: Vec<usize> = (0..3_000).filter(|row| row % 3 != 1 || !row.to_string().contains('2')).collect();
    assert_eq!(parsed.batch.len(), kept.len());
    for (at, row) in kept.iter().enumerate() {
        assert_eq!(parsed.batch.raw(at), batch.raw(*row));
        let has = |name| parsed.batch.value(at, name).is_some();
        assert_eq!((has("a"), has("b"), has("#type")), (row % 3 == 0, row % 3 == 1, row % 3 < 2), "{row}");
    }
    let account = account(&parsed);
    assert_eq!((account.given, account.dropped), (2_000, 3_000 - kept.len()));
    assert_eq!(account.parsed + account.dropped, account.given);
}

#[test]
fn a_parser_that_does_not_compile_keeps_events() {
    let mut broken = chosen("*");
    broken.program = Err("there is no lookup table `x`".into());
    assert_eq!(
        shown(&broken, "line"),
        format!(
            "{FAILED}parser `p`: there is no lookup table `x` @event_parsed=false @timestamp=1779012303000"
        )
    );
}
