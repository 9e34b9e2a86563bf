//! Walks of automata over stored blocks against the regex itself on the texts of the batch.

use std::sync::Arc;

use proptest::prelude::*;
use weir_query::compile::{Required, TextMatcher};
use weir_query::record::{Rows, Selection};

use super::rows::{Event, batch, blocks, text};

/// Anchors, words, classes, counts, cases with letters outside ASCII, line breaks, empty matches.
const PATTERNS: [&str; 38] = [
    "^\\{",
    "\\}$",
    "\\bfailed\\b",
    "\\Bailed",
    "(?i)KAS",
    "(?i)STEADY",
    "(?i)straße",
    "é+",
    "a|b|c$",
    "[0-9]{3} [0-9]",
    "\\d{2,3}\\.\\d",
    "\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}",
    "user\\d+ .*ms",
    ".",
    "x*",
    "^$",
    "(?m)^b",
    "\\n",
    "\"q",
    "\\\\",
    "id [0-9a-f]{4}",
    "(?s)a.*z",
    "^user",
    "ms$",
    "^\\d+$",
    "[^a]{60}",
    "\\w+@\\w+",
    "(?-u:\\b)7",
    "0{2}",
    "-[1-9]",
    "\\t",
    "(?:10|01)+[,}]",
    "[0-9a-f]{8}\",\"took",
    "T13:[0-9]0",
    "null|true",
    "after (?<ms>\\d+)ms",
    "(?i)FAILED AFTER [5-9]",
    "\\d{3}ms from \\d+\\.\\d+\\.2",
];

/// A line of one of some kinds, with `draw` in its holes.
fn event(draw: u64) -> Event {
    let (n, small) = (draw >> 8 & 0xffff, draw >> 24 & 0xff);
    let message = match draw % 9 {
        0 => format!("user{small} failed after {n}ms"),
        1 => format!("failed after {small}ms from 10.0.{}.{small}", n & 255),
        2 => format!(r#"say \"q{small}\" then \n b {n} -{small}"#),
        3 => format!("kaſ straſse straße K{small} é {n}"),
        4 => format!(r"path C:\\logs\\{small} caf\u00e9 {n}\t."),
        5 => format!("id {:016x} and {n:05} {small:03} {n}", draw.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
        6 => "steady".to_owned(),
        7 => format!("mail a{small}@b.org quoted 'x{n}' ratio {}.{small:02}", n % 10),
        _ => String::new(),
    };
    let line = match draw / 9 % 8 {
        0 => format!("plain {} number {n}", message.replace('\\', "/")),
        1 => format!(r#"{{"message":"{message}","flag":{}}}"#, if small > 99 { "true" } else { "null" }),
        _ => format!(
            r#"{{"at":"2026-11-20T13:{:02}:{:02}.{:03}Z","user":"user{}","id":"{:016x}","took":{n},"ratio":{}.{},"message":"{message}","end":{}}}"#,
            n % 60,
            small % 60,
            n % 1000,
            small % 7,
            draw.wrapping_mul(0x9e37_79b9_7f4a_7c15),
            small % 4,
            n % 100,
            [10, 101, -7][n as usize % 3],
        ),
    };
    let attributes =
        (draw / 72).is_multiple_of(7).then(|| format!(r#"{{"user":"a\"{small}","message":"{n}"}}"#));
    (line.clone().into_bytes(), line.starts_with('{'), attributes)
}

/// What some of the patterns require.
fn required(pattern: &str) -> Required {
    let text = |literal: &str, ignore_case| Required::Text { literal: literal.into(), ignore_case };
    match pattern {
        "\\bfailed\\b" => text("failed", false),
        "user\\d+ .*ms" => text("user", false),
        // The long s may stand for the first letter.
        "(?i)STEADY" => text("teady", true),
        _ => Required::Anything,
    }
}

fn check(events: &[Event]) {
    let batch = batch(events, 1000);
    for block in blocks(&[Arc::clone(&batch)]) {
        let rows: Vec<usize> =
            block.order().unwrap().iter().map(|key| (key.sequence - 1000) as usize).collect();
        let few = Selection::from_fn(block.rows(), |row| row % 5 == 1 || row < 9);
        // With what the regex requires told, rows without its literal are ruled out before the walk.
        // Of many rows sets are made, rare ones are followed one by one.
        let rare = Selection::from_fn(block.rows(), |row| row % 40 == 3);
        for (within, is_told) in [(Selection::all(block.rows()), false), (few, true), (rare, false)] {
            let mut of_batch = Selection::none(batch.len());
            within.iter().for_each(|row| of_batch.insert(rows[row]));
            let (own, theirs) = (
                block.column("@rawstring", &within).unwrap(),
                batch.column("@rawstring", &of_batch).unwrap(),
            );
            for row in within.iter() {
                assert_eq!(text(own.get(row)), text(theirs.get(rows[row])), "row {row}");
            }
            for pattern in PATTERNS {
                let regex = regex::Regex::new(pattern).unwrap();
                let required = if is_told { required(pattern) } else { Required::Anything };
                let matcher = TextMatcher::regex_requiring(regex, required);
                let found = block.search(&matcher, &within).unwrap();
                let expected = batch.search(&matcher, &of_batch).unwrap();
                let expected = Selection::from_fn(block.rows(), |row| expected.contains(rows[row]));
                assert_eq!(found, expected, "{pattern}");
                for name in ["@rawstring", "at", "user", "id", "took", "ratio", "message", "end", "none"] {
                    let Some(found) = block.matching(name, &matcher, &within).unwrap() else { continue };
                    let column = batch.column(name, &of_batch).unwrap();
                    let passes =
                        |row| text(column.get(rows[row])).is_some_and(|text| matcher.is_match(&text));
                    let mut expected = within.clone();
                    expected.retain(passes);
                    assert_eq!(found, expected, "{name} {pattern}");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn walks_agree_with_the_regex(seed in any::<u64>(), rows in 1usize..400) {
        let mut draw = seed | 1;
        let mut next = || {
            draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            draw >> 20
        };
        let events: Vec<Event> = (0..rows).map(|_| event(next())).collect();
        check(&events);
    }

    #[test]
    fn fields_that_all_rows_have_agree_with_the_regex(seed in any::<u64>(), rows in 1usize..400) {
        let events: Vec<Event> = (0..rows as u64)
            .map(|row| seed.wrapping_add(row).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16)
            .map(|draw| event(draw - draw / 9 % 8 * 9 + 63))
            .collect();
        check(&events);
    }
}

#[test]
fn bytes_that_are_no_text_are_tested_as_they_are_shown() {
    let events: Vec<Event> = (0..30)
        .map(|row| (format!("a{row}").into_bytes(), row))
        .map(|(mut line, row)| {
            line.extend_from_slice(if row % 2 == 0 { b"\xff end" } else { b" end" });
            (line, false, None)
        })
        .collect();
    check(&events);
}
