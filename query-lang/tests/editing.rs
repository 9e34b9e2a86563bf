//! What an editor is told: completion and hover at a cursor, written `¦` in the text, and what is wrong with a text.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;

use weir_query::compile::Options;
use weir_query::editing::{
    Catalogue, Completion, FieldFact, Item, ItemKind, MAX_ITEMS, MAX_MADE_NAMES, MAX_OPEN_BRACKETS,
    NoCatalogue, Severity, Subject, ValueFact, apply, check, complete, hover,
};
use weir_query::error::MAX_QUERY_BYTES;
use weir_query::table::Table;

/// Some fields, values, saved queries and a table.
struct Known;

impl Catalogue for Known {
    fn fields(&self) -> Vec<FieldFact> {
        let field =
            |name: &str, events: u64, numbers: u64| FieldFact { name: name.to_owned(), events, numbers };
        vec![
            field("level", 90, 0),
            field("service", 80, 0),
            field("status", 70, 70),
            field("host-name", 60, 0),
            field("#type", 50, 0),
            field("geo.city", 10, 0),
        ]
    }

    fn values(&self, field: &str) -> Vec<ValueFact> {
        let values: &[(&str, u64)] = match field {
            "level" => &[("INFO", 60), ("ERROR", 30)],
            "host-name" => &[("web 1", 40), ("web 2", 20)],
            _ => &[],
        };
        values
            .iter()
            .map(|(value, events)| ValueFact { value: (*value).to_owned(), events: *events })
            .collect()
    }

    fn saved(&self) -> Arc<BTreeMap<String, String>> {
        let saved = [("errors", "level=?{level=ERROR} | service=?service"), ("acme/web:slow", "ms>1000")];
        Arc::new(saved.map(|(name, text)| (name.to_owned(), text.to_owned())).into())
    }

    fn tables(&self) -> Arc<BTreeMap<String, Arc<Table>>> {
        let table = Table::read("hosts.csv", b"ip,owner\n10.0.0.1,ann\n").unwrap();
        Arc::new([("hosts.csv".to_owned(), Arc::new(table))].into())
    }
}

/// The text without its mark, and where that stood.
fn marked(text: &str) -> (String, usize) {
    let at = text.find('¦').unwrap_or_else(|| panic!("no mark in {text}"));
    (text.replacen('¦', "", 1), at)
}

fn at(text: &str) -> Completion {
    let (text, offset) = marked(text);
    complete(&text, offset, &Known)
}

fn labels(found: &Completion) -> Vec<&str> {
    found.items.iter().map(|item| item.label.as_str()).collect()
}

fn item<'c>(found: &'c Completion, text: &str, label: &str) -> &'c Item {
    found
        .items
        .iter()
        .find(|item| item.label == label)
        .unwrap_or_else(|| panic!("{text}: {:?}", labels(found)))
}

/// What is wrong where the item called `label` is taken and the text is to become `after`.
fn takes(text: &str, label: &str, kind: ItemKind, after: &str) -> Option<String> {
    let found = at(text);
    let Some(item) = found.items.iter().find(|item| item.label == label && item.kind == kind) else {
        return Some(format!("{text}: no {label} in {:?}", labels(&found)));
    };
    let edit = weir_query::editing::Edit { range: item.replace, text: item.insert.clone() };
    let got = apply(&marked(text).0, &edit);
    (got != after).then(|| format!("{text}: {got}"))
}

/// What is wrong where these are to be offered, and those not.
fn offers(text: &str, wanted: &[&str], not: &[&str]) -> Option<String> {
    let found = at(text);
    let names = labels(&found);
    let right =
        wanted.iter().all(|label| names.contains(label)) && !not.iter().any(|label| names.contains(label));
    (!right).then(|| format!("{text}: {names:?}"))
}

#[test]
fn items_are_taken_into_the_text() {
    use ItemKind::{
        Choice, Column, Field, Function, Keyword, Parameter, QueryParameter, SavedQuery, Table, Value,
    };
    let mut wrong = Vec::new();
    for (text, label, kind, after) in [
        ("level=ERROR | gr¦", "groupBy", Function, "level=ERROR | groupBy("),
        ("level=ERROR | gr¦(service)", "groupBy", Function, "level=ERROR | groupBy(service)"),
        ("hour¦", "time:hour", Function, "time:hour("),
        ("a | field¦", "fieldset", Function, "a | fieldset()"),
        ("lev¦", "level", Field, "level"),
        ("lev¦el=x", "level", Field, "level=x"),
        ("hos¦", "host-name", Field, "\"host-name\""),
        ("typ¦", "#type", Field, "#type"),
        ("city¦ = x", "geo.city", Field, "geo.city = x"),
        ("level=¦", "ERROR", Value, "level=ERROR"),
        ("level=er¦ | count()", "ERROR", Value, "level=ERROR | count()"),
        ("level=\"er¦\" | count()", "ERROR", Value, "level=\"ERROR\" | count()"),
        ("level=\"er¦ | count()", "ERROR", Value, "level=\"ERROR\" | count()"),
        ("\"host-name\"=w¦", "web 2", Value, "\"host-name\"=\"web 2\""),
        ("level != ¦", "INFO", Value, "level != INFO"),
        ("groupBy(service, lim¦", "limit", Parameter, "groupBy(service, limit="),
        ("groupBy(service, lim¦=5)", "limit", Parameter, "groupBy(service, limit=5)"),
        ("groupBy(ser¦", "service", Field, "groupBy(service"),
        ("groupBy([level, ser¦])", "service", Field, "groupBy([level, service])"),
        ("groupBy(service, function=pe¦", "percentile", Function, "groupBy(service, function=percentile("),
        (
            "groupBy(service, function=[count(), av¦",
            "avg",
            Function,
            "groupBy(service, function=[count(), avg(",
        ),
        ("sort(x, order=d¦)", "desc", Choice, "sort(x, order=desc)"),
        ("top(service, percent=t¦", "true", Choice, "top(service, percent=true"),
        ("groupBy(a, limit=m¦", "max", Choice, "groupBy(a, limit=max"),
        ("$er¦", "errors", SavedQuery, "$errors("),
        ("$er¦()", "errors", SavedQuery, "$errors()"),
        ("$\"acme/w¦", "acme/web:slow", SavedQuery, "$acme/web:slow("),
        ("a | $¦", "errors", SavedQuery, "a | $errors("),
        ("$errors(le¦)", "level", QueryParameter, "$errors(level=)"),
        ("a=?x | b=?¦", "x", QueryParameter, "a=?x | b=?x"),
        ("match(file=ho¦", "hosts.csv", Table, "match(file=hosts.csv"),
        ("match(file=\"ho¦\", field=x)", "hosts.csv", Table, "match(file=\"hosts.csv\", field=x)"),
        ("readFile(¦)", "hosts.csv", Table, "readFile(hosts.csv)"),
        (
            "match(hosts.csv, field=x, include=[ow¦",
            "owner",
            Column,
            "match(hosts.csv, field=x, include=[owner",
        ),
        ("ca¦", "case", Keyword, "case { "),
        ("level ma¦", "match", Keyword, "level match { "),
        ("x := len¦", "length", Function, "x := length("),
        ("x := 1 + stat¦", "status", Field, "x := 1 + status"),
        ("x := hos¦", "host-name", Field, "x := getField(\"host-name\")"),
        ("in(level, values=[ER¦", "ERROR", Value, "in(level, values=[ERROR"),
        ("level match { ER¦", "ERROR", Value, "level match { ERROR"),
        ("level match { INFO => * ; ¦ }", "*", Keyword, "level match { INFO => * ; * =>  }"),
    ] {
        wrong.extend(takes(text, label, kind, after));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_what_may_stand_there_is_offered() {
    let cases: &[(&str, &[&str], &[&str])] = &[
        ("case { ¦", &["level", "rename", "*"], &["count", "groupBy"]),
        ("case { a | ¦", &["rename"], &["count"]),
        ("case { a=1; b¦", &["base64Decode"], &["bucket"]),
        ("level=ERROR ¦", &["and", "or", "service"], &["groupBy", "INFO"]),
        ("not ¦", &["level", "cidr"], &["count"]),
        ("ip =~ ¦", &["cidr", "in"], &["count", "level"]),
        ("groupBy(service, ¦)", &["function", "limit"], &["field", "service"]),
        ("groupBy(service, function=count(), ¦)", &["limit"], &["field", "function"]),
        ("groupBy(¦)", &["field", "function", "service"], &[]),
        ("ip =~ cidr(¦)", &["subnet", "negate"], &["field"]),
        ("level match { in(¦", &["values"], &["field"]),
        ("eval(¦", &[], &["assignments", "level"]),
        ("eval(x=¦", &["level", "upper"], &["count"]),
        ("eval(x=status*¦", &["status"], &["count"]),
        ("x := ¦", &["level", "count", "upper"], &["groupBy", "case"]),
        ("x := y + ¦", &["level", "upper"], &["count"]),
        // What the query makes before the cursor.
        ("x := 1 | regex(\"(?<user>a)\") | b:=length(c, as=len) | ¦", &["x", "user", "len"], &[]),
        ("/(?<id>\\d+)/ | groupBy(service) | sort(¦", &["id", "_count"], &[]),
        ("defineTable(name=\"mine\", query={a}, include=[b]) | match(file=¦", &["mine", "hosts.csv"], &[]),
        // Behind a fault.
        ("a = | groupBy( | cou¦", &["count"], &[]),
        ("groupBy(a)) | cou¦", &["count"], &[]),
        ("f(x, [a | cou¦", &["count"], &[]),
    ];
    let wrong: Vec<String> =
        cases.iter().filter_map(|(text, wanted, not)| offers(text, wanted, not)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    for nothing in [
        "// level¦",
        "a /* lev¦ */",
        "/lev¦/",
        "a=/lev¦",
        "status > ¦",
        "nothing=¦",
        "unknown(¦",
        "x := level ¦",
        "regex(\"¦",
        "groupBy(service, limit=max, a, ¦b=1",
    ] {
        let found = at(nothing);
        let labels = labels(&found);
        let is_parameters = found.items.iter().all(|item| item.kind == ItemKind::Parameter);
        assert!(found.items.is_empty() || nothing.ends_with("b=1") && is_parameters, "{nothing}: {labels:?}");
    }
}

#[test]
fn the_best_stand_first() {
    let first = |text: &str| at(text).items.first().map(|item| item.label.clone()).unwrap_or_default();
    assert_eq!(first("¦"), "level");
    assert_eq!(first("cou¦"), "count");
    assert_eq!(first("level=¦"), "INFO");
    assert_eq!(first("mx := 1 | m¦"), "mx");
    let found = at("groupBy(service, ¦");
    assert!(found.items[0].kind == ItemKind::Parameter, "{:?}", found.items[0]);
    let count = at("gro¦");
    let count = item(&count, "gro", "groupBy");
    assert_eq!(count.detail, "groupBy(field, [function], [limit], [other])");
    assert_eq!(count.documentation.as_deref(), Some("Computes aggregates for each combination of values."));
    assert_eq!(item(&at("lev¦"), "lev", "level").detail, "text, in 90 events");
}

#[test]
fn places_are_told_in_every_unit() {
    let (text, offset) = marked("// \u{1f600}\nlevel=\"\u{e6}\" | gro¦upBy(a)");
    let found = complete(&text, offset, &Known);
    let place = item(&found, &text, "groupBy").replace;
    assert_eq!(
        (place.start.offset, place.start.utf16, place.start.line, place.start.column),
        (21, 18, 2, 13)
    );
    assert_eq!((place.end.offset, place.end.line, place.end.column), (28, 2, 20));
}

struct Many(usize);

impl Catalogue for Many {
    fn fields(&self) -> Vec<FieldFact> {
        (0..self.0).map(|at| FieldFact { name: format!("f{at}"), events: at as u64, numbers: 0 }).collect()
    }

    fn values(&self, _: &str) -> Vec<ValueFact> {
        (0..self.0).map(|at| ValueFact { value: format!("v{at}"), events: 1 }).collect()
    }

    fn saved(&self) -> Arc<BTreeMap<String, String>> {
        Arc::default()
    }

    fn tables(&self) -> Arc<BTreeMap<String, Arc<Table>>> {
        Arc::default()
    }
}

#[test]
fn limits_hold_at_their_edges() {
    let values = |count: usize| complete("f=", 2, &Many(count));
    assert!(values(MAX_ITEMS).items.len() == MAX_ITEMS && !values(MAX_ITEMS).is_incomplete);
    let over = values(MAX_ITEMS + 1);
    assert!(over.items.len() == MAX_ITEMS && over.is_incomplete);
    // Fields that are not asked for by a letter leave room for functions.
    let unasked = complete("", 0, &Many(10_000));
    assert!(unasked.items.iter().any(|item| item.kind == ItemKind::Function));
    assert_eq!(unasked.items[0].label, "f9999");

    let nested = |times: usize| {
        let text = "(".repeat(times);
        complete(&text, times, &Known).items.is_empty()
    };
    assert!(!nested(MAX_OPEN_BRACKETS - 1) && nested(MAX_OPEN_BRACKETS));

    let long = |bytes: usize| {
        let text = format!("{}cou", " ".repeat(bytes - 3));
        complete(&text, bytes, &Known).items.is_empty()
    };
    assert!(!long(MAX_QUERY_BYTES) && long(MAX_QUERY_BYTES + 1));
    assert!(hover(&"level ".repeat(MAX_QUERY_BYTES / 6 + 1), 1, &Known).is_none());

    let made = |count: usize| {
        let text: String = (0..count).map(|at| format!("m{at}:=1|")).collect();
        let text = format!("{text}m{}", count - 1);
        complete(&text, text.len(), &NoCatalogue)
            .items
            .iter()
            .any(|item| item.label == format!("m{}", count - 1))
    };
    assert!(made(MAX_MADE_NAMES) && !made(MAX_MADE_NAMES + 1));
}

#[test]
fn long_and_strange_texts_end() {
    for unit in [
        "a=1 | ",
        "\"",
        "/a",
        "(",
        "f(",
        "[",
        "{",
        "case { ",
        "a match { b => ",
        "?{",
        "$a(",
        "/*",
        "//\n",
        "x := ",
        "`",
        "\u{e6}=\u{1f600} ",
        "a,",
        ";",
        "\"\n",
        "f(a, b=",
        "as=",
    ] {
        let text = unit.repeat(MAX_QUERY_BYTES / 16 / unit.len());
        let _ = complete(&text, text.len(), &Known);
        let _ = hover(&text, text.len() / 2, &Known);
    }
    let longest = "a=1 | ".repeat(MAX_QUERY_BYTES / 6);
    assert!(!complete(&longest, longest.len(), &Known).items.is_empty());
}

#[test]
fn every_place_of_broken_texts_is_answered() {
    let texts = [
        "level=\"ERROR\" and (service=pay or not status>=500) | x := if(a > 1, then=\"b\", else=c) // why\n| groupBy([x, level], function=[count(), p := percentile(ms)], limit=max)",
        "case { a=1 | $errors(level=?{l=INFO}); b=/x(?<y>\\d+)/i | match(file=\"hosts.csv\", field=[a], include=owner); * }",
        "\u{e6}\u{1f600} level match { \"x\" => in(values=[1]) ; /re/ => * ; * => rename([[a, b]]) ; } | `d` := math:abs(x) * -2 /* end",
    ];
    for text in texts {
        for cut in (0..=text.len()).filter(|cut| text.is_char_boundary(*cut)) {
            for part in [&text[..cut], &text[cut..]] {
                for offset in (0..=part.len() + 1).step_by(7) {
                    let found = complete(part, offset, &Known);
                    for item in found.items.iter().take(3) {
                        let edit =
                            weir_query::editing::Edit { range: item.replace, text: item.insert.clone() };
                        assert!(item.replace.start.offset <= item.replace.end.offset);
                        let _ = apply(part, &edit);
                    }
                    let _ = hover(part, offset, &Known);
                }
            }
            let _ = check(&text[..cut], &Options::default(), &Known);
        }
    }
}

#[test]
fn things_are_explained() {
    let told = |text: &str| {
        let (text, offset) = marked(text);
        let found = hover(&text, offset, &Known)?;
        let part = text[found.range.bytes()].to_owned();
        Some((found.subject, part, found.title, found.lines.join("\n")))
    };
    let explained = |text: &str, subject: Subject, part: &str, title: &str, line: &str| {
        let (found, shown, name, lines) = told(text).unwrap_or_else(|| panic!("{text}: nothing"));
        assert_eq!((found, shown.as_str(), name.as_str()), (subject, part, title), "{text}");
        assert!(lines.contains(line), "{text}: {lines}");
    };
    explained(
        "a | gro¦upBy(b)",
        Subject::Function,
        "groupBy",
        "groupBy(field, [function], [limit], [other])",
        "`limit`: a whole number",
    );
    explained(
        "a | ¦groupBy(b)",
        Subject::Function,
        "groupBy",
        "groupBy(field, [function], [limit], [other])",
        "an aggregate",
    );
    explained(
        "groupBy(b, function=co¦unt)",
        Subject::Function,
        "count",
        "count([field], [distinct], [as])",
        "Counts",
    );
    explained(
        "groupBy(b, li¦mit=5)",
        Subject::Parameter,
        "limit",
        "groupBy(limit=a whole number from 1 to 1000000, or `max`)",
        "`20000` when not given",
    );
    explained("le¦vel=ERROR", Subject::Field, "level", "level", "text, in 90 events");
    explained("groupBy([x, sta¦tus])", Subject::Field, "status", "status", "number, in 70 events");
    explained("\"host¦-name\"=x", Subject::Field, "\"host-name\"", "host-name", "in 60 events");
    explained("mine := 1 | mi¦ne=1", Subject::Field, "mine", "mine", "this query makes");
    explained("level=ERR¦OR", Subject::Value, "ERROR", "ERROR", "in 30 events");
    explained("$err¦ors()", Subject::SavedQuery, "$errors", "$errors", "level=?{level=ERROR}");
    explained("match(host¦s.csv, field=a)", Subject::Table, "hosts.csv", "hosts.csv", "1 rows: ip, owner");
    for nothing in ["// lev¦el", "nothi¦ng=1", "a | ¦", "nofunc¦tion(a)", "\"¦"] {
        assert_eq!(told(nothing), None, "{nothing}");
    }
}

#[test]
fn faults_are_told_with_what_mends_them() {
    let faults = |text: &str| check(text, &Options::default(), &Known).faults;
    let mended = |text: &str, after: &str| {
        let found = faults(text);
        let fix =
            found.iter().find_map(|fault| fault.fix.clone()).unwrap_or_else(|| panic!("{text}: {found:?}"));
        assert_eq!(apply(text, &fix), after);
    };
    mended("level=ERROR | gruopBy(service)", "level=ERROR | groupBy(service)");
    mended("groupBy(service, limt=5)", "groupBy(service, limit=5)");
    mended("a <> b", "a != b");
    mended("a == b", "a = b");
    mended("a && b", "a and b");
    mended("host-name=x", "\"host-name\"=x");
    mended("lvel=ERROR", "level=ERROR");
    mended("a=1 level:ERROR*", "a=1 level=ERROR*");
    mended("sort(x, order=dsc)", "sort(x, order=desc)");
    // Faults of whole steps are told beside those of broken ones.
    let both = faults("lvel=x | gruopBy(a) | b = | count(");
    let codes: Vec<(&str, u32)> = both.iter().map(|fault| (fault.code, fault.range.start.offset)).collect();
    assert_eq!(codes, [("unknown-field", 0), ("unknown-function", 9), ("syntax", 26), ("syntax", 34)]);
    assert_eq!(both[0].severity, Severity::Warning);
    let told = check("lvel=x", &Options::default(), &Known);
    assert!(told.is_whole() && told.faults.len() == 1);
    // Nobody knows which fields there are behind a parser, and a field asked for as missing may be missing.
    for right in
        ["parseJson() | lvel=x", "lvel!=*", "/(?<lvel>x)/ | lvel=x", "level=ERROR", "lvl_of_nothing=1"]
    {
        assert!(faults(right).is_empty(), "{right}: {:?}", faults(right));
    }
    assert!(check("lvel=x", &Options::default(), &NoCatalogue).faults.is_empty());
    let place = faults("level=ERROR\n| \u{e6} | x > y")[0].range.start;
    assert_eq!((place.line, place.column), (2, 11));
}
