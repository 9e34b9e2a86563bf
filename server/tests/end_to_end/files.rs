//! `weir query` over files: queries inside a query.

use crate::support::weir;

const EVENTS: &[u8] = br#"{"@timestamp":"2026-01-01T00:00:00Z","user":"ann","kind":"start"}
{"@timestamp":"2026-01-01T01:00:00Z","user":"bob","kind":"net"}
{"@timestamp":"2026-01-01T02:00:00Z","user":"ann","kind":"net"}
"#;

/// What is printed, and what is said besides.
fn asked(query: &str) -> (String, String) {
    let output = weir(&["query", query], EVENTS);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr))
}

#[test]
fn charts_around_and_inside_are_drawn_over_the_time_of_the_events() {
    let (rows, _) = asked("user=ann | timeChart()");
    assert_eq!(rows.lines().count(), 2, "{rows}");
    assert_eq!(asked("join({kind=start}, field=user) | timeChart()"), (rows.clone(), String::new()));
    let inside = "defineTable(query={user=ann | timeChart()}, name=t, include=[*]) | readFile(t) | sort(_bucket, order=asc)";
    assert_eq!(asked(inside), (rows, String::new()));
}

#[test]
fn what_is_to_be_said_of_queries_inside_is_said() {
    let (rows, told) = asked("join({kind=*}, field=user, limit=1) | select(user)");
    assert_eq!(rows, "{\"user\":\"ann\"}\n{\"user\":\"ann\"}\n");
    assert_eq!(told, "weir: join: only 1 rows are taken; there may be more\n");
    let (rows, told) = asked("join({kind=*}, field=user, view=other)");
    assert_eq!(rows, "");
    assert!(told.contains("there is no repository `other` for `join`: these are files"), "{told}");
}
