//! Wrong queries: where the fault is, what is said about it, what to do about it, and what is read nevertheless.

mod common;

use common::shape;
use weir_query::parser::{parse, parse_strict};

/// First byte, one past the last, message, hint (empty: none).
type Fault = (u32, u32, &'static str, &'static str);

struct Wrong {
    query: &'static str,
    faults: &'static [Fault],
    /// The shape of what could be read.
    tree: &'static str,
}

const fn wrong(query: &'static str, faults: &'static [Fault], tree: &'static str) -> Wrong {
    Wrong { query, faults, tree }
}

const WRONG: &[Wrong] = &[
    wrong("groupBy(a", &[(9, 9, "expected `)` for the `(` on line 1, found the end of the query", "")], ""),
    wrong("groupBy(a | count()", &[(10, 11, "expected `)` for the `(` on line 1, found `|`", "")], "(count)"),
    wrong("groupBy([a, b)", &[(13, 14, "expected `]` for the `[` on line 1, found `)`", "")], "(groupBy)"),
    wrong("a = | b", &[(4, 5, "expected a value after `a =`, found `|`", "")], "text:b"),
    wrong("a and | b", &[(6, 7, "expected a condition, found `|`", "")], "text:b"),
    wrong("a or", &[(4, 4, "expected a condition, found the end of the query", "")], ""),
    wrong("and b", &[(0, 3, "expected a condition before `and`", "quote it to search for the word")], ""),
    wrong("a not", &[(5, 5, "expected a condition, found the end of the query", "")], ""),
    wrong(
        "a == b",
        &[(
            2,
            4,
            "`==` compares in expressions; a filter compares with `=`",
            "write `=`, or `test(a == b)` to compare two fields",
        )],
        "[a Equal b]",
    ),
    wrong("a <> b", &[(2, 4, "unknown operator `<>`", "write `!=`")], "[a NotEqual b]"),
    wrong(
        "a > b",
        &[(4, 5, "`>` compares with a number, found `b`", "to compare with the field write `test(a > b)`")],
        "[a Greater b]",
    ),
    wrong(
        "a >= \"x\" | b < /re/",
        &[
            (5, 8, "`>=` compares with a number, found `x`", "to compare with a field write `test(a >= ..)`"),
            (
                15,
                19,
                "`<` compares with a number, found a regex",
                "to compare with a field write `test(b < ..)`",
            ),
        ],
        "[a GreaterEqual \"x\"] | [b Less re:re:]",
    ),
    wrong(
        "x = now()",
        &[(
            4,
            7,
            "the right side of a comparison in a filter is a value, not a call",
            "write `test(x == now(..))`",
        )],
        "",
    ),
    wrong("a := b = c", &[(7, 8, "an expression compares with `==`", "write `==`")], ""),
    wrong(
        "a := b and c",
        &[(7, 10, "an expression has no `and`", "use two `test(..)` in a filter, or nested `if(..)`")],
        "",
    ),
    wrong("a := b < c < d", &[(11, 12, "comparisons do not chain", "put one of them in parentheses")], ""),
    wrong(
        "a := /x/",
        &[(
            5,
            6,
            "a regex is no operand of an expression",
            "write `field=/../` as a filter, or use `regex(..)`",
        )],
        "",
    ),
    wrong("a :=", &[(4, 4, "expected a value, found the end of the query", "")], ""),
    wrong("a := b c", &[(7, 8, "expected `|` or the end of the query, found `c`", "")], "(set a b)"),
    wrong("a b := c", &[(4, 6, "an assignment is a step of its own", "write `| b := ..`")], ""),
    wrong(
        "\"abc",
        &[(
            0,
            4,
            "the string does not end on its line: expected `\"`",
            "write a line break inside a string as `\\n`, and a quote as `\\\"`",
        )],
        "",
    ),
    wrong(
        "a=\"b | c=\"d\"",
        &[(
            10,
            11,
            "expected a space between `\"b | c=\"` and `d`",
            "a value that needs quotes stands inside them as a whole",
        )],
        "",
    ),
    wrong(
        "a=/b",
        &[(
            2,
            4,
            "the regex does not end on its line: expected `/`",
            "quote text that starts with `/`, and write a slash inside a regex as `\\/`",
        )],
        "",
    ),
    wrong(
        "a=/b/xyz",
        &[(
            2,
            8,
            "`xyz` are no regex flags: these are `d i m g F`",
            "write `\"/b/xyz\"`, or escape the slashes of a regex",
        )],
        "",
    ),
    wrong(
        "a=/usr/local/bin",
        &[(
            2,
            16,
            "`local` are no regex flags: these are `d i m g F`",
            "write `\"/usr/local/bin\"`, or escape the slashes of a regex",
        )],
        "",
    ),
    wrong("a='b'", &[(2, 5, "expected a value after `a =`, found `'b'`", "write `\"b\"`")], ""),
    wrong("a=“b”", &[(2, 9, "expected a value after `a =`, found `“b”`", "write `\"b\"`")], ""),
    wrong(
        "foo\"bar\"",
        &[(
            3,
            4,
            "expected a space between `foo` and `\"`",
            "a value that needs quotes stands inside them as a whole",
        )],
        "",
    ),
    wrong(
        "a=\"b\"c",
        &[(
            5,
            6,
            "expected a space between `\"b\"` and `c`",
            "a value that needs quotes stands inside them as a whole",
        )],
        "",
    ),
    wrong(
        "a=1, b=2",
        &[(3, 4, "expected `|` or the end of the query, found `,`", "join conditions with `and` or `or`")],
        "[a Equal 1]",
    ),
    wrong("a && b", &[(2, 4, "unknown operator `&&`", "write `and`")], ""),
    wrong(
        "a; b",
        &[(1, 2, "`;` ends a clause of `case` or `match`, and stands nowhere else", "write `|`")],
        "text:a | text:b",
    ),
    wrong("a) | b", &[(1, 2, "`)` closes nothing", "")], "text:a | text:b"),
    wrong("a | } | b", &[(4, 5, "`}` closes nothing", "")], "text:a | text:b"),
    wrong("(a | b) | c", &[(3, 4, "expected `)` for the `(` on line 1, found `|`", "")], "text:c"),
    wrong("(a=1 b=2", &[(8, 8, "expected `)` for the `(` on line 1, found the end of the query", "")], ""),
    wrong(
        "case { a | b",
        &[(12, 12, "expected `}` for the `{` on line 1, found the end of the query", "")],
        "",
    ),
    wrong(
        "case { }",
        &[(
            5,
            8,
            "`case` has no clause",
            "a clause is a condition and what to do: `case { level=ERROR | x := 1; * }`",
        )],
        "(case)",
    ),
    wrong(
        "case { a=1 b:=2; * }",
        &[(12, 14, "an assignment is a step of its own", "write `| b := ..`")],
        "(case {text:*})",
    ),
    wrong(
        "f match { \"x\" = y }",
        &[(14, 15, "expected `=>` after the guard, found `=`", "write `=>`")],
        "(match f)",
    ),
    wrong(
        "f match { }",
        &[(
            8,
            11,
            "`match` has no arm",
            "an arm is a guard and what to do: `level match { ERROR => x := 1; * => * }`",
        )],
        "(match f)",
    ),
    wrong(
        "f match { \"x\" => a b:= ; * => * }",
        &[(20, 22, "an assignment is a step of its own", "write `| b := ..`")],
        "(match f \"x\"=>{} any=>{text:*})",
    ),
    wrong(
        "host-name=x",
        &[(0, 9, "the field name `host-name` needs quotes", "write `\"host-name\"`")],
        "[host-name Equal x]",
    ),
    wrong(
        "host-name := x",
        &[(0, 9, "the field name `host-name` needs quotes", "write `\"host-name\"`")],
        "(set host-name x)",
    ),
    wrong("f =~ g", &[(6, 6, "expected `(` after the function `g`, found the end of the query", "")], ""),
    wrong("f =~", &[(4, 4, "expected a filter function after `=~`, found the end of the query", "")], ""),
    wrong("?{a=} | b", &[(4, 5, "expected the default value of the parameter, found `}`", "")], "text:b"),
    wrong("?", &[(1, 1, "expected a parameter name, found the end of the query", "")], ""),
    wrong(
        "$q | b",
        &[(
            3,
            4,
            "expected `(` and the arguments of the saved query, found `|`",
            "without arguments it is `$q()`",
        )],
        "text:b",
    ),
    wrong("$(x)", &[(1, 2, "expected the name of a saved query, found `(`", "")], ""),
    wrong(
        "count(,)",
        &[(6, 7, "expected an argument, found `,`", ""), (7, 8, "expected an argument, found `)`", "")],
        "(count)",
    ),
    wrong("count(a,)", &[(8, 9, "expected an argument, found `)`", "")], "(count a)"),
    wrong("count(a b)", &[(8, 9, "expected `,` or `)`, found `b`", "")], "(count a)"),
    wrong(
        "groupBy(a, function=) | b",
        &[(20, 21, "expected a value, found `)`", "")],
        "(groupBy a) | text:b",
    ),
    wrong("/* open", &[(0, 2, "the comment does not end: expected `*/`", "")], ""),
    wrong("a | /* open", &[(4, 6, "the comment does not end: expected `*/`", "")], "text:a"),
    wrong("foo like", &[(8, 8, "expected a value after `foo like`, found the end of the query", "")], ""),
    wrong(
        "like",
        &[(0, 4, "`like` is a keyword", "`field like text` is a condition; quote it to search for the word")],
        "text:like",
    ),
    wrong(
        "a in [1, 2]",
        &[(
            5,
            6,
            "expected a condition, found `[`",
            "to look for several values write `in(field, values=[..])`",
        )],
        "",
    ),
    wrong("`a := b", &[(2, 3, "expected a closing backtick, found ` `", "")], ""),
    wrong(
        "a.b(c)",
        &[(
            0,
            3,
            "`a.b` is not the name of a function",
            "put a space before the parenthesis to search for the text",
        )],
        "",
    ),
    wrong(
        "a := b:c",
        &[(
            5,
            8,
            "`b:c` is no operand of an expression",
            "write `\"b:c\"` for the text, or `getField(\"b:c\")` for the field",
        )],
        "(set a b:c)",
    ),
    wrong(
        "test(a == b or c)",
        &[(12, 14, "an expression has no `or`", "use two `test(..)` in a filter, or nested `if(..)`")],
        "(test)",
    ),
    wrong(
        "a = | groupBy( | c := * | d",
        &[
            (4, 5, "expected a value after `a =`, found `|`", ""),
            (15, 16, "expected a value, found `|`", ""),
            (22, 23, "expected a value, found `*`", ""),
        ],
        "text:d",
    ),
    wrong(
        "{a}",
        &[(
            0,
            1,
            "expected a condition, found `{`",
            "braces stand inside calls, behind `case` and behind `field match`",
        )],
        "",
    ),
    wrong("x := ()", &[(5, 7, "expected a value inside the parentheses", "")], ""),
    wrong(
        "correlate(a: {x} include [b])",
        &[(25, 26, "expected `:` after `include`, found `[`", "")],
        "(correlate)",
    ),
    wrong("a !b= c ! | d", &[(10, 11, "expected a condition, found `|`", "")], "text:d"),
    wrong(
        "count(as=\"x)\n| sort(y)",
        &[(
            9,
            12,
            "the string does not end on its line: expected `\"`",
            "write a line break inside a string as `\\n`, and a quote as `\\\"`",
        )],
        "(sort y)",
    ),
    wrong("a | | b = = c", &[(10, 11, "expected a value after `b =`, found `=`", "")], "text:a"),
    wrong(
        "f(a, \"b)",
        &[(
            5,
            8,
            "the string does not end on its line: expected `\"`",
            "write a line break inside a string as `\\n`, and a quote as `\\\"`",
        )],
        "",
    ),
    wrong(
        "a=b\"c\" d",
        &[(
            3,
            4,
            "expected a space between `b` and `\"`",
            "a value that needs quotes stands inside them as a whole",
        )],
        "",
    ),
    wrong(
        "a=?b*",
        &[(
            4,
            5,
            "expected a space between `?b` and `*`",
            "a value that needs quotes stands inside them as a whole",
        )],
        "",
    ),
];

#[test]
fn faults_are_pointed_at() {
    for Wrong { query, faults, tree } in WRONG {
        let parsed = parse(query);
        let found: Vec<(u32, u32, &str, &str)> = parsed
            .diagnostics
            .list
            .iter()
            .map(|fault| {
                assert_eq!(fault.code, "syntax");
                let hint = fault.hint.as_deref().unwrap_or("");
                (fault.span.start, fault.span.end, fault.message.as_str(), hint)
            })
            .collect();
        assert_eq!(found, *faults, "faults of {query}");
        assert_eq!(shape(&parsed.query), *tree, "what is read of {query}");
        assert_eq!(parse_strict(query).unwrap_err(), parsed.diagnostics);
    }
}

#[test]
fn faults_are_rendered_with_carets() {
    let query = "level=ERROR\n| groupBy(host | count()\n| x > y";
    let expect = "\
error[syntax]: expected `)` for the `(` on line 2, found `|`
  |
2 | | groupBy(host | count()
  |                ^

error[syntax]: `>` compares with a number, found `y`
  |
3 | | x > y
  |       ^
  |
  = help: to compare with the field write `test(x > y)`
";
    let diagnostics = parse(query).diagnostics;
    assert_eq!(diagnostics.render(query, false), expect);
    assert!(diagnostics.render(query, true).contains("\u{1b}["));
    // A place that is not in the text, or not between characters, still renders.
    assert!(diagnostics.render("\u{e6}\u{e6}", false).contains("expected"));
    assert!(diagnostics.render("", false).contains("expected"));
}
