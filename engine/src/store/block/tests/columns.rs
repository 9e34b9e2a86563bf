//! Columns written and read back.

use proptest::prelude::*;
use weir_query::record::Selection;

use super::super::ask::{Ask, Fit};
use super::super::cursor::Cursor;
use super::super::encode;
use super::super::literal::Plan;
use super::super::marks::marks;
use super::super::needle::Needle;
use super::super::node::{Kind, Node, Texts};
use super::super::section::{Body, Directory, Pool, Source};

fn check(values: &[&[u8]], times: Option<&[i64]>) -> &'static str {
    let mut body = Body::new();
    encode::column(&mut body, values, times);
    body.put_pool();
    let mut directory = Directory::new(&body.directory, body.bytes.len());
    let node = Node::read(&mut directory).unwrap();
    let pool = Pool::new(directory.section().unwrap());
    let source = Source { body: &body.bytes, pool: &pool };
    assert_eq!(directory.reader.left(), 0);
    for range in [0..values.len(), values.len() / 3..values.len() / 2, values.len()..values.len()] {
        let times = times.map(|times| &times[range.clone()]);
        let mut cursor = Cursor::open(&node, source, range.clone(), times).unwrap();
        for (place, value) in values[range].iter().enumerate() {
            if place % 7 == 3 {
                cursor.skip().unwrap();
                continue;
            }
            let mut out = Vec::new();
            cursor.next(&mut out).unwrap();
            assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(value));
        }
    }
    for step in [1, 2, 77] {
        let places: Vec<u32> = (0..values.len() as u32).rev().step_by(step).collect();
        let own: Option<Vec<i64>> =
            times.map(|times| places.iter().map(|place| times[*place as usize]).collect());
        let mut texts = Texts::default();
        node.pick(source, &places, own.as_deref(), &mut texts).unwrap();
        for (at, place) in places.iter().enumerate() {
            assert_eq!(texts.get(at), Some(values[*place as usize]));
        }
    }
    search(&node, source, values, times);
    match node.kind {
        Kind::Constant(_) => "constant",
        Kind::Dictionary { .. } => "dictionary",
        Kind::Number { unit: 0, .. } => "number",
        Kind::Number { .. } => "relative",
        Kind::Hex { .. } => "hex",
        Kind::Text { .. } => "text",
        Kind::Skeletons(_) => "skeletons",
    }
}

/// Looks for parts of values, as they are and a little changed, and compares with a search of each value.
fn search(node: &Node, source: Source<'_>, values: &[&[u8]], times: Option<&[i64]>) {
    let mut literals: Vec<Vec<u8>> = vec![b"e".to_vec(), b"00".to_vec(), b"f8cc38".to_vec()];
    for (at, value) in values.iter().enumerate().step_by(values.len() / 3 + 1) {
        for (start, len) in
            [(0, value.len()), (at % 5, 4), (at % 11, 9), (value.len() / 2, 3), (value.len() / 3, 17)]
        {
            let part = value.iter().skip(start).take(len).copied().collect::<Vec<u8>>();
            let mut other = part.clone();
            other.last_mut().into_iter().for_each(|byte| *byte = byte.wrapping_add(1));
            literals.extend([part.to_ascii_uppercase(), part, other]);
        }
    }
    let all = Selection::all(values.len());
    let some = Selection::from_fn(values.len(), |value| value % 5 > 1 || value / 512 == 1);
    for literal in literals {
        for needle in [Needle::exact(&literal), Needle::either_case(&literal)].into_iter().flatten() {
            for fit in [Fit::Inside, Fit::Prefix, Fit::Suffix, Fit::Whole] {
                let ask = Ask { fit, ..Ask::inside(&needle) };
                // All values, or some of them: which makes little difference to most, so one is enough.
                let wanted = if literal.len() % 2 == 0 { &some } else { &all };
                compare(node, source, values, times, (&needle, ask, &literal), wanted);
            }
        }
    }
}

/// Compares a search on what is stored with one of each value.
fn compare(
    node: &Node,
    source: Source<'_>,
    values: &[&[u8]],
    times: Option<&[i64]>,
    (needle, ask, literal): (&Needle, Ask, &[u8]),
    wanted: &Selection,
) {
    let plan = Plan::of(node, needle, ask, source).unwrap();
    let found = marks(node, &plan, needle, source, wanted, times).unwrap();
    let fold = |text: &[u8]| if needle.is_either_case() { text.to_ascii_lowercase() } else { text.to_vec() };
    let literal = fold(literal);
    let finder = memchr::memmem::Finder::new(&literal);
    for (index, value) in values.iter().enumerate() {
        let text = fold(value);
        let expected = wanted.contains(index)
            && match ask.fit {
                Fit::Inside => finder.find(&text).is_some(),
                Fit::Prefix => text.starts_with(&literal),
                Fit::Suffix => text.ends_with(&literal),
                Fit::Whole => text == literal,
            };
        if found.contains(index) != expected {
            let (value, literal) = (String::from_utf8_lossy(value), String::from_utf8_lossy(&literal));
            panic!("{ask:?} {literal:?} in {value:?}: expected {expected}, {plan:?}");
        }
    }
}

fn check_made(count: u64, make: impl Fn(u64, u64) -> String) -> &'static str {
    let texts: Vec<String> =
        (0..count).map(|i| make(i, i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20)).collect();
    check(&texts.iter().map(String::as_bytes).collect::<Vec<_>>(), None)
}

#[test]
fn each_kind_of_column_is_found_and_comes_back() {
    for (kind, make) in [
        ("constant", (|_, _| "same".into()) as fn(u64, u64) -> String),
        ("dictionary", |_, r| ["api", "web", "db"][r as usize % 3].into()),
        ("dictionary", |_, r| ["200", "404", "500"][r as usize % 3].into()),
        ("number", |_, r| (r % 100_000).to_string()),
        ("number", |_, r| format!("{}.{:03}", r % 900, r % 997)),
        ("number", |i, r| format!("2026-11-20T13:{:02}:{:02}.{:03}Z", i / 60 % 60, i % 60, r % 1000)),
        ("hex", |_, r| format!("{:016x}", r.wrapping_mul(r))),
        ("skeletons", |i, r| format!("request {i} from 10.0.{}.{} took {}ms", r % 256, r % 199, r % 5000)),
        ("text", |i, r| (i * r).to_string().chars().map(|c| (c as u8 + 60) as char).collect::<String>()),
    ] {
        assert_eq!(check_made(3000, make), kind);
    }
    check_made(0, |_, _| String::new());
    check_made(1, |i, _| i.to_string());
}

#[test]
fn times_of_rows_make_times_of_fields_vanish() {
    let times: Vec<i64> = (0..3000).map(|i| 1_700_000_000_123_456_789 + i * 777_777_777).collect();
    let texts: Vec<String> = times.iter().map(|time| (time / 1_000_000).to_string()).collect();
    let values: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
    assert_eq!(check(&values, Some(&times)), "relative");
}

#[test]
fn lines_of_real_files_come_back() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");
    let Ok(folders) = std::fs::read_dir(root) else {
        println!("absent, not tested: {root}");
        return;
    };
    for folder in folders.flatten() {
        for file in std::fs::read_dir(folder.path()).into_iter().flatten().flatten() {
            let bytes = std::fs::read(file.path()).unwrap();
            let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').take(1000).collect();
            check(&lines, None);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_values_come_back(values in prop::collection::vec(prop_oneof![
        "[0-9]{1,4}", "-?[0-9]{1,3}\\.[0-9]{0,3}", "[a-f0-9]{8}", "[a-z ]{0,8}[0-9]{1,3}", ".{0,12}",
    ], 0..60), repeat in 1usize..30) {
        let values: Vec<&[u8]> = values.iter().map(String::as_bytes).collect();
        let many: Vec<&[u8]> = values.iter().copied().cycle().take(values.len() * repeat).collect();
        check(&many, None);
    }
}

/// Texts with what columns know: templates, addresses, digits, ids, words of few and of many kinds.
fn template() -> impl Strategy<Value = Vec<String>> {
    let part = prop_oneof![
        Just("NUM".to_owned()),
        Just("BYTE.BYTE.BYTE".to_owned()),
        Just("HEX".to_owned()),
        Just("WORD".to_owned()),
        Just("\"WORD NUM\"".to_owned()),
        Just("12:0PAD:07".to_owned()),
        "[a-z =:\\[,-]{0,5}",
        "user",
    ];
    let templates = prop::collection::vec(prop::collection::vec(part, 1..7), 1..4);
    (templates, 20u64..300, any::<u64>()).prop_map(|(templates, count, seed)| {
        let mut state = seed;
        let mut next = move |limit: u64| {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            (state >> 33) % limit
        };
        let mut fill = |part: &str| {
            let mut text = part.to_owned();
            while text.contains("BYTE") {
                text = text.replacen("BYTE", &next(40).to_string(), 1);
            }
            let word = ["ok", "failed", "é", "", "Timeout", "9"][next(6) as usize];
            let digits = next(20) + 1;
            text.replace("NUM", &next(1 << digits).to_string())
                .replace("HEX", &format!("{:08x}", next(1 << 31)))
                .replace("PAD", &next(10).to_string())
                .replace("WORD", word)
        };
        (0..count)
            .map(|row| templates[row as usize % templates.len()].iter().map(|part| fill(part)).collect())
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_part_of_a_text_is_found(
        texts in template(),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0usize..30, 1usize..24, 0usize..40), 8),
    ) {
        let values: Vec<&[u8]> = texts.iter().map(String::as_bytes).collect();
        let mut body = Body::new();
        encode::column(&mut body, &values, None);
        body.put_pool();
        let mut directory = Directory::new(&body.directory, body.bytes.len());
        let node = Node::read(&mut directory).unwrap();
        let pool = Pool::new(directory.section().unwrap());
        let source = Source { body: &body.bytes, pool: &pool };
        let all = Selection::all(values.len());
        let some = Selection::from_fn(values.len(), |value| value % 3 != 1);
        for (row, start, len, change) in cuts {
            let mut literal: Vec<u8> = row.get(&values).iter().skip(start).take(len).copied().collect();
            if let Some(byte) = literal.get_mut(change) {
                *byte = b"0a. 9F"[change % 6];
            }
            for needle in [Needle::exact(&literal), Needle::either_case(&literal)].into_iter().flatten() {
                for fit in [Fit::Inside, Fit::Prefix, Fit::Suffix, Fit::Whole] {
                    let ask = Ask { fit, ..Ask::inside(&needle) };
                    let wanted = if change % 2 == 0 { &all } else { &some };
                    compare(&node, source, &values, None, (&needle, ask, &literal), wanted);
                }
            }
        }
    }
}
