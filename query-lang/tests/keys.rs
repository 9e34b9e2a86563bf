//! Which columns tell the rows of a result apart.

use weir_query::compile::Options;
use weir_query::program::Program;

#[test]
fn keys_are_those_of_the_last_groups() {
    for (query, columns, ordered) in [
        ("groupBy([a, b])", Some("a b"), false),
        ("top(a)", Some("a"), true),
        ("bucket(1m, field=a)", Some("_bucket a"), false),
        ("timeChart(a, span=1m)", Some("_bucket a"), false),
        ("count()", Some(""), false),
        ("[count(), max(x)]", Some(""), false),
        ("stats([count(), collect(a)])", None, false),
        ("groupBy(a) | sort(_count)", Some("a"), true),
        ("groupBy(a) | b := _count * 2", Some("a"), false),
        ("groupBy([a, b]) | groupBy(b)", Some("b"), false),
        ("groupBy(a) | count()", Some(""), false),
        ("x=1 | sort(y)", None, false),
        ("x=1", None, false),
        ("collect(a)", None, false),
    ] {
        let program = Program::compile(query, &Options::default());
        let keys = program.map(|program| program.keys());
        let found = keys.map(|keys| keys.map(|keys| (keys.columns.join(" "), keys.ordered)));
        assert_eq!(found.ok(), Some(columns.map(|columns| (columns.to_owned(), ordered))), "{query}");
    }
}
