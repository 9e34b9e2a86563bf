//! What binds what: queries, their canonical form, and their trees as nested lists.

mod common;

use common::{shape, spanless};
use weir_query::parser::{parse, parse_strict};
use weir_query::print::print;

struct Row {
    query: &'static str,
    printed: &'static str,
    tree: &'static str,
}

const fn row(query: &'static str, printed: &'static str, tree: &'static str) -> Row {
    Row { query, printed, tree }
}

const ROWS: &[Row] = &[
    row("a or not b and c", "(a or not b) and c", "(and (or text:a (not text:b)) text:c)"),
    row("a and not b or c", "a and (not b or c)", "(and text:a (or (not text:b) text:c))"),
    row("not a b", "not a and b", "(and (not text:a) text:b)"),
    row(
        "Workload=X ip=?a OR ip=?b OR ip=?c",
        "Workload=X and (ip=?a or ip=?b or ip=?c)",
        "(and [Workload Equal X] (or [ip Equal ?a] [ip Equal ?b] [ip Equal ?c]))",
    ),
    row(
        "(a=1 and b=2) or c=3 and (d or (e or f))",
        "((a=1 and b=2) or c=3) and (d or e or f)",
        "(and (or (and [a Equal 1] [b Equal 2]) [c Equal 3]) (or text:d text:e text:f))",
    ),
    row("| | count() | |", "count()", "(count)"),
    row("https://a.b/ x", "https://a.b/ and x", "(and text:https://a.b/ text:x)"),
    row("https: //rest", "https: //rest", "text:https:"),
    row(
        "f=m/x/i | a:=m/x/i",
        "f=m/x/i\n| a := m / x / i",
        "[f Equal m/x/i] | (set a (Divide (Divide m x) i))",
    ),
    row(
        "f=/m\\/x/i \"a b\" /free/ *foo*",
        "f=/m\\/x/i and \"a b\" and /free/ and *foo*",
        "(and [f Equal re:m/x:i] text:\"a b\" re:free: text:*foo*)",
    ),
    row(
        "f!=* g=\"\" h=* i=\"*\" j<5 k<= -1.5 l>=1e6 n like \"*x*\"",
        "f!=* and g=\"\" and h=* and i=\"*\" and j < 5 and k <= -1.5 and l >= 1e6 and n like \"*x*\"",
        "(and [f NotEqual *] [g Equal \"\"] [h Equal *] [i Equal \"*\"] [j Less 5] [k LessEqual -1.5] [l GreaterEqual 1e6] [n Like \"*x*\"])",
    ),
    row(
        "\"host name\"=x host.a[0].b=y #tag=z @id=w",
        "\"host name\"=x and host.a[0].b=y and #tag=z and @id=w",
        "(and [host name Equal x] [host.a[0].b Equal y] [#tag Equal z] [@id Equal w])",
    ),
    row(
        "x := -a*b+c/2-3%d == !e",
        "x := -a * b + c / 2 - 3 % d == !e",
        "(set x (Equal (Subtract (Add (Multiply (Negate a) b) (Divide c #2)) (Remainder #3 d)) (Not e)))",
    ),
    row(
        "x := (a+b)*(c-1) | y := \"text\" | z := now()-start() | `key` := 1",
        "x := (a + b) * (c - 1)\n| y := \"text\"\n| z := now() - start()\n| `key` := 1",
        "(set x (Multiply (group (Add a b)) (group (Subtract c #1)))) | (set y \"text\") | (set z (Subtract (now) (start))) | (set-dynamic key #1)",
    ),
    row(
        "a := b- -1 | c := - 1 | d := --e | f := 1e-6-g",
        "a := b - -1\n| c := - 1\n| d := --e\n| f := 1e-6 - g",
        "(set a (Subtract b #-1)) | (set c (Negate #1)) | (set d (Negate (Negate e))) | (set f (Subtract #1e-6 g))",
    ),
    row(
        "x := rename(y) | n := math:abs(-5)",
        "x := rename(y)\n| n := math:abs(-5)",
        "(set x (rename y)) | (set n (math:abs #-5))",
    ),
    row(
        "f =~ in(values=[\"a\",b]) | f=~!cidr(subnet=\"10.0.0.0/8\")",
        "f =~ in(values=[\"a\", b])\n| f =~ !cidr(subnet=\"10.0.0.0/8\")",
        "(f =~ (in values=[\"a\" b])) | (f =~ !(cidr subnet=\"10.0.0.0/8\"))",
    ),
    row(
        "!in(x, values=[1]) not cidr(y, subnet=10.0.0.0/8) or !!z",
        "!in(x, values=[1]) and (!cidr(y, subnet=10.0.0.0/8) or not not z)",
        "(and (not (in x values=[#1])) (or (not (cidr y subnet=10.0.0.0/8)) (not (not text:z))))",
    ),
    row(
        "groupBy([a, b], function=[count(), x := sum(y), {status=500 | count(as=n)}], limit=max)",
        "groupBy([a, b], function=[count(), x := sum(y), {status=500 | count(as=n)}], limit=max)",
        "(groupBy [a b] function=[(count) (set x (sum y)) {[status Equal 500] | (count as=n)}] limit=max)",
    ),
    row(
        "groupBy(aid, function=([count(), avg(b)])) | [count(), \"my sum\" := sum(x)]",
        "groupBy(aid, function=([count(), avg(b)]))\n| [count(), \"my sum\" := sum(x)]",
        "(groupBy aid function=(group [(count) (avg b)])) | (stats (count) (set my sum (sum x)))",
    ),
    row(
        "timeChart(span=1d, timezone=Europe/Copenhagen, function=count()) | bucket(2 hours) | setTimeInterval(start=1d@d+12h, end=now)",
        "timeChart(span=1d, timezone=Europe/Copenhagen, function=count())\n| bucket(2 hours)\n| setTimeInterval(start=1d@d+12h, end=now)",
        "(timeChart span=1d timezone=Europe/Copenhagen function=(count)) | (bucket 2 hours) | (setTimeInterval start=1d@d+12h end=now)",
    ),
    row(
        "case { a=1 | b := 2; test(a > 3) | case { c | d := 1; * }; *; }",
        "case {\n  a=1 | b := 2;\n  test(a > 3)\n  | case {\n      c | d := 1;\n      *;\n    };\n  *;\n}",
        "(case {[a Equal 1] | (set b #2)} {(test (Greater a #3)) | (case {text:c | (set d #1)} {text:*})} {text:*})",
    ),
    row(
        "f match { \"x\" => a := 1; /re/i => *; in(values=[\"p\", \"q\"]) => b := 2 | c := 3; 404 => drop(x); ?p => *; *.exe => dropEvent(); \"*\" => true; ** => false; * => * ; }",
        "f match {\n  \"x\" => a := 1;\n  /re/i => *;\n  in(values=[\"p\", \"q\"]) => b := 2 | c := 3;\n  404 => drop(x);\n  ?p => *;\n  *.exe => dropEvent();\n  \"*\" => true;\n  ** => false;\n  * => *;\n}",
        "(match f \"x\"=>{(set a #1)} re:re:i=>{text:*} (in values=[\"p\" \"q\"])=>{(set b #2) | (set c #3)} 404=>{(drop x)} ?p=>{text:*} *.exe=>{(dropEvent)} \"*\"=>{true} **=>{false} any=>{text:*})",
    ),
    row("f match { a => ; true => x }", "f match {\n  a =>;\n  * => x;\n}", "(match f a=>{} any=>{text:x})"),
    row(
        "?{x=*} | y=?x | values=?\"my p\" | in(z, values=[?p, ?{q=\"a b\"}]) | wildcard(?x)",
        "?{x=*}\n| y=?x\n| values=?\"my p\"\n| in(z, values=[?p, ?{q=\"a b\"}])\n| wildcard(?x)",
        "?x=* | [y Equal ?x] | [values Equal ?my p] | (in z values=[?p ?q=\"a b\"]) | (wildcard ?x)",
    ),
    row(
        "$\"pkg/name\"(a=\"v\", b=2) $q() or $falcon/helper:enrich(field=F)",
        "$pkg/name(a=\"v\", b=2) and ($q() or $falcon/helper:enrich(field=F))",
        "(and ($pkg/name a=\"v\" b=#2) (or ($q) ($falcon/helper:enrich field=F)))",
    ),
    row("$saved()", "$saved()", "($saved)"),
    row(
        "eval(a=b-c, \"d e\"=f*2, g=if(h == \"i\", then=j, else=-k))",
        "eval(a=b - c, \"d e\"=f * 2, g=if(h == \"i\", then=j, else=-k))",
        "(eval a=(Subtract b c) d e=(Multiply f #2) g=(if (Equal h \"i\") then=j else=(Negate k)))",
    ),
    row(
        "test(a==b) test(x[0].y >= now() - 3600000)",
        "test(a == b) and test(x[0].y >= now() - 3600000)",
        "(and (test (Equal a b)) (test (GreaterEqual x[0].y (Subtract (now) #3600000))))",
    ),
    row(
        "correlate(whoami: { #event=x | aid <=> net.aid } include: [aid, b], net: {y cid <=> whoami.cid}, sequence=true, within=1h, globalConstraints=[aid])",
        "correlate(whoami: {#event=x | aid <=> net.aid} include: [aid, b], net: {y and cid <=> whoami.cid}, sequence=true, within=1h, globalConstraints=[aid])",
        "(correlate (whoami: {[#event Equal x] | (aid <=> net.aid)} [aid b]) (net: {(and text:y (cid <=> whoami.cid))}) sequence=true within=1h globalConstraints=[aid])",
    ),
    row(
        "regex(/(?<x>a|b)/i, field=y) | replace(regex=\"\\d+\\\"\", with=\"\\\\n\")",
        "regex(/(?<x>a|b)/i, field=y)\n| replace(regex=\"\\d+\\\"\", with=\"\\\\n\")",
        "(regex re:(?<x>a|b):i field=y) | (replace regex=\"\\\\d+\\\"\" with=\"\\\\n\")",
    ),
    row(
        "array:filter(array=\"x[]\", function={x=/re/}, var=x) | array:length(y[])",
        "array:filter(array=\"x[]\", function={x=/re/}, var=x)\n| array:length(y[])",
        "(array:filter array=\"x[]\" function={[x Equal re:re:]} var=x) | (array:length y[])",
    ),
    row(
        "a=b // trailing\n// own\n| /* block */ c=d /* after */ | e // last",
        "a=b // trailing\n// own\n/* block */\n| c=d /* after */\n| e // last",
        "[a Equal b] | [c Equal d] | text:e",
    ),
    row(
        "case { // about the first\n a; // first\n // second\n b | c; /* x */ }",
        "case {\n  // about the first\n  a; // first\n  // second\n  b | c; /* x */\n}",
        "(case {text:a} {text:b | text:c})",
    ),
    row(
        "f(/* in */ a, {x // inside\n | y})",
        "/* in */\nf(a, {\n  x // inside\n  | y\n})",
        "(f a {text:x | text:y})",
    ),
    row(
        "a and(b)or(c)not(d) | count (x) | foo (bar)",
        "a and (b or c) and not d\n| count(x)\n| foo and bar",
        "(and text:a (or text:b text:c) (not text:d)) | (count x) | (and text:foo text:bar)",
    ),
    row(
        "and=1 or=2 not=3 like=4 case=5",
        "\"and\"=1 and \"or\"=2 and \"not\"=3 and \"like\"=4 and \"case\"=5",
        "(and [and Equal 1] [or Equal 2] [not Equal 3] [like Equal 4] [case Equal 5])",
    ),
    row(
        "true or FALSE | test=x | x=true",
        "true or false\n| test=x\n| x=true",
        "(or true false) | [test Equal x] | [x Equal true]",
    ),
    row(
        "groupBy (x) | T := True | f(True, false, -1, +2, 1h, a-b, *)",
        "groupBy(x)\n| T := True\n| f(true, false, -1, +2, 1h, a-b, *)",
        "(groupBy x) | (set T True) | (f true false #-1 #+2 1h a-b *)",
    ),
    row("a/*b c= ~d e!=~f", "a/*b and c= ~d and e!=~f", "(and text:a/*b [c Equal ~d] [e NotEqual ~f])"),
    row(
        "selfJoinFilter(field=[a], where=[{x=1}, {y=2 | z=3}])",
        "selfJoinFilter(field=[a], where=[{x=1}, {y=2 | z=3}])",
        "(selfJoinFilter field=[a] where=[{[x Equal 1]} {[y Equal 2] | [z Equal 3]}])",
    ),
    row(
        "x := text:length(a-b) | y := length(a-b) | z := concat([a, b]) % 7",
        "x := text:length(a - b)\n| y := length(a-b)\n| z := concat([a, b]) % 7",
        "(set x (text:length (Subtract a b))) | (set y (length a-b)) | (set z (Remainder (concat [a b]) #7))",
    ),
    row("a=\"line\ntwo\"\n| b", "a=\"line\\ntwo\"\n| b", "[a Equal \"line\\ntwo\"] | text:b"),
    row("a <=> b.c", "a <=> b.c", "(a <=> b.c)"),
    row(
        "join(query={a | b}, field=x, include=[*])",
        "join(query={a | b}, field=x, include=[*])",
        "(join query={text:a | text:b} field=x include=[*])",
    ),
    row("f=Request(x or y)", "f=Request and (x or y)", "(and [f Equal Request] (or text:x text:y))"),
    row(
        "type=?msg-level | regex(regex=?msg-regex, field=m) | x := ?a-1 + ?b - c",
        "type=?\"msg-level\"\n| regex(regex=?\"msg-regex\", field=m)\n| x := ?a - 1 + ?b - c",
        "[type Equal ?msg-level] | (regex regex=?msg-regex field=m) | (set x (Subtract (Add (Subtract ?a #1) ?b) c))",
    ),
];

#[test]
fn queries_have_the_right_trees() {
    for Row { query, printed, tree } in ROWS {
        let parsed = parse(query);
        assert!(parsed.diagnostics.list.is_empty(), "{}", parsed.diagnostics.render(query, false));
        assert_eq!(shape(&parsed.query), *tree, "tree of {query}");
        assert_eq!(print(&parsed.query), *printed, "canonical form of {query}");
        let again = parse_strict(printed).unwrap();
        assert_eq!(spanless(&again), spanless(&parsed.query), "{query}, printed and parsed");
        assert_eq!(print(&again), *printed, "{query}, printed twice");
    }
}

#[test]
fn spans_point_at_the_text() {
    let text = "a=1 b or c | x := f(y, \"z\") * 2 // end\n| case { d | e; } | g match { h => i } | [count()]";
    let query = parse_strict(text).unwrap();
    let steps: Vec<&str> = query.pipeline.steps.iter().map(|step| &text[step.span.range()]).collect();
    let expect = ["a=1 b or c", "x := f(y, \"z\") * 2", "case { d | e; }", "g match { h => i }", "[count()]"];
    assert_eq!(steps, expect);
    assert_eq!(&text[query.pipeline.span.range()], text);
    assert_eq!(&text[query.comments[0].span.range()], "// end");
}
