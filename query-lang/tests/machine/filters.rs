//! Which events filters let pass.

use weir_query::compile::Options;
use weir_query::program::Program;

use crate::check::{passes, passes_with};

#[test]
fn field_tests() {
    for (query, expected) in [
        ("", &[1, 2, 3, 4][..]),
        ("*", &[1, 2, 3, 4]),
        ("true", &[1, 2, 3, 4]),
        ("false", &[]),
        ("level=ERROR", &[2, 4]),
        ("level=error", &[]),
        ("level!=ERROR", &[1, 3]),
        ("ip!=10.1.2.3", &[1, 2, 4]),
        ("ip=*", &[3, 4]),
        ("ip!=*", &[1, 2]),
        ("status=\"\"", &[3]),
        ("status=*", &[1, 2, 3, 4]),
        ("status=404", &[4]),
        ("status!=404", &[1, 2, 3]),
        ("host=web-*", &[1, 2]),
        ("host=*-01", &[1, 3]),
        ("host=*b-0*", &[1, 2, 3, 4]),
        ("host=*", &[1, 2, 3, 4]),
        ("host=w*1", &[1]),
        ("status>200", &[2, 4]),
        ("status>=200", &[1, 2, 4]),
        ("status<500", &[1, 4]),
        ("status<=500", &[1, 2, 4]),
        ("ms>12.4", &[1, 2]),
        ("host=/^web/", &[1, 2]),
        ("host!=/^web/", &[3, 4]),
        ("msg=/slow/i", &[3]),
        ("msg like \"full\"", &[4]),
        ("msg like \"disk*var\"", &[4]),
        ("#type=access", &[1, 2]),
        ("nothing=x", &[]),
        ("nothing!=x", &[1, 2, 3, 4]),
    ] {
        passes(query, expected);
    }
}

#[test]
fn free_text_and_logic() {
    for (query, expected) in [
        ("timeout", &[2][..]),
        ("\"Slow query\"", &[3]),
        ("slow", &[]),
        ("/slow/i", &[3]),
        ("*full*", &[4]),
        ("disk*var", &[4]),
        ("web", &[1, 2]),
        ("id1", &[]),
        ("level=ERROR timeout", &[2]),
        ("level=ERROR and timeout", &[2]),
        ("level=ERROR | timeout", &[2]),
        ("level=ERROR or level=WARN", &[2, 3, 4]),
        ("level=ERROR OR Slow", &[2, 3, 4]),
        ("timeout or Slow", &[2, 3]),
        ("not level=ERROR", &[1, 3]),
        ("!timeout", &[1, 3, 4]),
        ("not not timeout", &[2]),
        ("level=ERROR and not timeout or Slow", &[4]),
        ("(level=ERROR timeout) or Slow", &[2, 3]),
        // What steps write is not searched: free text sees the event as it came.
        ("x := \"zebra\" | zebra", &[]),
        ("drop(msg) | drop(@rawstring) | timeout", &[2]),
    ] {
        passes(query, expected);
    }
}

#[test]
fn filter_functions() {
    for (query, expected) in [
        ("in(level, values=[ERROR, WARN])", &[2, 3, 4][..]),
        ("in(level, values=[\"err*\"], ignoreCase=true)", &[2, 4]),
        ("in(status, values=[404, 500])", &[2, 4]),
        ("in(status, values=[\"*\"])", &[1, 2, 3, 4]),
        ("in(level, values=[])", &[]),
        ("!in(level, values=[ERROR])", &[1, 3]),
        ("not in(level, values=[ERROR]) and web", &[1]),
        ("level =~ in(values=[ERROR])", &[2, 4]),
        ("level =~ !in(values=[ERROR])", &[1, 3]),
        ("level =~ not in(values=[ERROR])", &[1, 3]),
        ("wildcard(field=host, pattern=\"web*\")", &[1, 2]),
        ("wildcard(field=host, pattern=\"WEB*\", ignoreCase=true)", &[1, 2]),
        ("wildcard(\"*disk*\")", &[4]),
        ("wildcard(field=ip, pattern=\"*\")", &[3, 4]),
        ("wildcard(field=ip, pattern=\"*\", includeEverythingOnAsterisk=true)", &[1, 2, 3, 4]),
        ("cidr(ip, subnet=\"10.0.0.0/8\")", &[3]),
        ("cidr(field=ip, subnet=[\"10.0.0.0/8\", \"192.168.0.0/16\"])", &[3, 4]),
        ("!cidr(ip, subnet=\"10.0.0.0/8\")", &[1, 2, 4]),
        ("ip =~ cidr(\"10.0.0.0/8\")", &[3]),
        ("test(status == 200)", &[1]),
        ("test(ms < status)", &[1, 2]),
        ("test(level == \"ERROR\")", &[2, 4]),
        ("test(nothing == nothing)", &[]),
        ("text:contains(string=msg, substring=\"full\")", &[4]),
        ("text:contains(string=msg, substring=host)", &[]),
        ("text:startsWith(msg, substring=\"disk\")", &[4]),
        ("text:endsWith(string=msg, substring=\"30s\")", &[2]),
        ("regex(\"disk|Slow\", field=msg)", &[3, 4]),
        ("!regex(\"disk|Slow\", field=msg)", &[1, 2]),
        ("dropEvent()", &[]),
    ] {
        passes(query, expected);
    }
}

#[test]
fn parameters_fill_in() {
    let mut options = Options::default();
    options.arguments.insert("level".into(), vec!["ERROR".into(), "WARN".into()]);
    options.arguments.insert("host".into(), vec!["web-*".into()]);
    options.arguments.insert("least".into(), vec!["300".into()]);
    options.arguments.insert("list".into(), vec!["INFO, WARN".into()]);
    for (query, expected) in [
        ("level=?level", &[2, 3, 4][..]),
        ("level!=?level", &[1]),
        ("host=?host", &[1, 2]),
        ("in(level, values=[?level])", &[2, 3, 4]),
        ("in(level, values=[?list])", &[1, 3]),
        ("status>?least", &[2, 4]),
        ("host=?{other=db-*}", &[3, 4]),
        ("host=?late | ?{late=*}", &[1, 2, 3, 4]),
        ("?{text=timeout}", &[2]),
        ("wildcard(field=host, pattern=?host)", &[1, 2]),
        ("test(?least == 300)", &[1, 2, 3, 4]),
    ] {
        passes_with(query, expected, &options);
    }
}

#[test]
fn saved_queries_are_inlined() {
    let mut options = Options::default();
    let saved = std::sync::Arc::make_mut(&mut options.saved);
    saved.insert("errors".into(), "level=ERROR".into());
    saved.insert("pkg/host".into(), "host=?host | errors := \"yes\"".into());
    saved.insert("loop".into(), "$loop()".into());
    saved.insert("wrong".into(), "nosuch()".into());
    passes_with("$errors()", &[2, 4], &options);
    passes_with("not $errors()", &[1, 3], &options);
    passes_with("$\"pkg/host\"(host=\"db*\")", &[3, 4], &options);
    for (query, part) in [
        ("$loop()", "calls itself"),
        ("$wrong()", "in saved query `wrong`: unknown function `nosuch`"),
        ("$erors()", "unknown saved query `erors`"),
    ] {
        let faults = Program::compile(query, &options).unwrap_err().to_string();
        assert!(faults.contains(part), "{query}: {faults}");
    }
}
