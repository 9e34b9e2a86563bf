//! Fields against serde_json, and raw bytes against what is rebuilt: odd, generated and mutated objects.

use proptest::prelude::*;
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::Value as Json;

use super::batch_of;
use crate::event::{EventBatch, Shape};

/// The slow obvious twin: the scalars of a text with their paths, in order, as serde_json visits them.
fn flatten(raw: &[u8]) -> serde_json::Result<Vec<(String, Json)>> {
    let mut out = Vec::new();
    let mut reader = serde_json::Deserializer::from_slice(raw);
    Flat { path: String::new(), depth: 0, out: &mut out }.deserialize(&mut reader)?;
    reader.end().map(|()| out)
}

struct Flat<'a> {
    path: String,
    depth: usize,
    out: &'a mut Vec<(String, Json)>,
}

impl Flat<'_> {
    fn scalar<E: serde::de::Error>(self, value: impl Into<Json>) -> Result<(), E> {
        let value = value.into();
        if self.depth == 0 {
            return Err(E::custom("no object"));
        }
        self.out.push((self.path, value));
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Flat<'_> {
    type Value = ();
    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Flat<'_> {
    type Value = ();
    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }
    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        self.scalar(value)
    }
    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.scalar(value)
    }
    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.scalar(value)
    }
    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        self.scalar(value)
    }
    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        self.scalar(value)
    }
    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.scalar(Json::Null)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        if self.depth == 0 {
            return Err(serde::de::Error::custom("no object"));
        }
        for at in 0.. {
            let path = format!("{}[{at}]", self.path);
            let element = Flat { path, depth: self.depth + 1, out: &mut *self.out };
            if elements.next_element_seed(element)?.is_none() {
                break;
            }
        }
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(key) = members.next_key::<String>()? {
            let path = if self.depth == 0 { key } else { format!("{}.{key}", self.path) };
            members.next_value_seed(Flat { path, depth: self.depth + 1, out: &mut *self.out })?;
        }
        Ok(())
    }
}

fn same(ours: &str, theirs: &Json) -> bool {
    match theirs {
        Json::Null => ours == "null",
        Json::Bool(value) => ours == value.to_string(),
        // serde_json may be off by the last bit of a float.
        Json::Number(number) => {
            let (ours_f64, theirs) = (ours.parse::<f64>().unwrap(), number.as_f64().unwrap());
            ours == number.to_string() || (ours_f64 - theirs).abs() <= theirs.abs() * 1e-15
        }
        Json::String(text) => ours == text,
        _ => false,
    }
}

/// Checks one event of a batch against its raw bytes and serde_json.
pub(super) fn check_row(batch: &EventBatch, row: usize, raw: &[u8]) {
    assert_eq!(batch.raw(row), raw);
    let part = batch.json(row);
    let Ok(oracle) = flatten(raw) else {
        // serde_json refuses numbers no f64 holds; those are left to the text they are.
        let number = String::from_utf8_lossy(raw).contains(['e', 'E']);
        assert!(part.is_none() || number, "serde_json refuses {:?}", String::from_utf8_lossy(raw));
        return;
    };
    let part = part.unwrap_or_else(|| panic!("not taken as JSON: {}", String::from_utf8_lossy(raw)));
    let mut rebuilt = Vec::new();
    part.shape().rebuild(part.tokens(), &mut rebuilt);
    assert_eq!(rebuilt, raw);
    assert_eq!(part.shape().holes(), oracle.len());
    for (hole, (path, value)) in oracle.iter().enumerate() {
        assert_eq!(part.shape().path(hole), path);
        assert!(same(part.value(hole), value), "{path}: {:?} is not {value}", part.value(hole));
        let last = oracle.iter().rposition(|(other, _)| other == path);
        assert_eq!(part.shape().position(path), last, "{path}");
    }
}

#[test]
fn odd_objects_survive() {
    let lines: &[&str] = &[
        r#"{}"#,
        r#" { } "#,
        r#"{"a":1}"#,
        r#"{"a":"x"}"#,
        "{ \"a\" :\t-0 , \"b\":[ ] , \"c\" : { } }\r",
        r#"{"a":{"b":[1,{"c":"d"},[true,null]]},"e":1e3,"f":-0.0,"id":1234567890123456789}"#,
        r#"{"a":"q\"q","b":"\\","c":"\u00e9\ud83d\ude00\/","d":"☃"}"#,
        r#"{"k\"ey":1,"\u0061b":2,"with.dot":3,"":4}"#,
        r#"{"a":[1]}"#,
        r#"{"a":[]}"#,
        r#"{"a":[1,2]}"#,
        r#"{"a":""}"#,
    ];
    // Twice: once by a walk, once by the shapes learnt.
    let twice: Vec<&str> = lines.iter().chain(lines).copied().collect();
    let batch = batch_of(&twice);
    for (row, line) in twice.iter().enumerate() {
        check_row(&batch, row, line.as_bytes());
        assert_eq!(batch.value(row, "@error"), None, "{line}");
    }
    // Only the last has the shape of another, `{"a":"x"}`.
    assert_eq!(batch.shapes().len(), lines.len() - 1);
}

#[test]
fn the_last_of_equal_keys_counts_and_both_are_kept() {
    let line = r#"{"a":1,"b":{"c":2},"b.c":3,"a":4}"#;
    let batch = batch_of(&[line]);
    assert_eq!(batch.raw(0), line.as_bytes());
    assert_eq!(batch.value(0, "a").as_deref(), Some("4"));
    assert_eq!(batch.value(0, "b.c").as_deref(), Some("3"));
    assert_eq!(batch.json(0).unwrap().tokens().collect::<Vec<_>>(), ["1", "2", "3", "4"]);
}

#[test]
fn what_is_no_json_object_is_text_with_an_error() {
    for (line, error) in [
        ("", "expected a JSON object at byte 0"),
        ("plain text", "expected a JSON object at byte 0"),
        ("[1]", "expected a JSON object at byte 0"),
        ("{\"a\":1", "unexpected end of JSON at byte 6"),
        ("{\"a\":1} x", "trailing characters after the JSON object at byte 8"),
        ("{\"a\":01}", "unexpected character in JSON at byte 6"),
        ("{\"a\":-}", "malformed JSON number at byte 5"),
        ("{\"a\":tru}", "unexpected character in JSON at byte 5"),
        ("{\"a\":\"\\x\"}", "invalid escape in a JSON string at byte 6"),
        ("{\"a\":\"\\ud800\"}", "invalid escape in a JSON string at byte 6"),
        ("{\"a\":\"\t\"}", "control character in a JSON string at byte 6"),
        ("{\"a\":1,}", "unexpected character in JSON at byte 7"),
        ("{a:1}", "unexpected character in JSON at byte 1"),
        ("{\"a\":[1}", "unexpected character in JSON at byte 7"),
    ] {
        // Behind a good line of nearly the same shape, too.
        for lines in [vec![line], vec![r#"{"a":"x"}"#, line], vec![r#"{"a":1}"#, line]] {
            let batch = batch_of(&lines);
            let row = lines.len() - 1;
            assert_eq!(batch.raw(row), line.as_bytes());
            assert_eq!(batch.value(row, "@error").as_deref(), Some(error), "{line:?}");
            assert_eq!(batch.value(row, "a"), None, "{line:?}");
        }
    }
}

pub(super) fn json_text() -> impl Strategy<Value = String> {
    let space = "[ \t\r\n]{0,1}";
    let scalar = prop_oneof![
        "\"([a-z☃:,{}\\[\\] ]|\\\\[\"\\\\/bfnrt]|\\\\u00[0-9a-f]{2}|\\\\ud83d\\\\ude00){0,12}\"",
        "-?(0|[1-9][0-9]{0,18})(\\.[0-9]{1,4})?([eE][-+]?[0-9]{1,2})?",
        "true|false|null",
    ];
    let value = scalar.prop_recursive(3, 24, 4, move |inner| {
        let key = "\"(a|b|c|[a-z.]{0,4}|\\\\u0061|\\\\n)\"";
        prop_oneof![
            prop::collection::vec((space, inner.clone(), space), 0..4).prop_map(|elements| {
                let elements: Vec<_> =
                    elements.iter().map(|(a, value, b)| format!("{a}{value}{b}")).collect();
                format!("[{}]", elements.join(","))
            }),
            prop::collection::vec((space, key, space, inner), 0..4).prop_map(|members| {
                let members: Vec<_> =
                    members.iter().map(|(a, key, b, value)| format!("{a}{key}{b}:{value}{a}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    });
    prop::collection::vec((space, "\"[a-e]\"", value), 0..5).prop_map(|members| {
        let members: Vec<_> = members.iter().map(|(a, key, value)| format!("{a}{key}:{value}")).collect();
        format!("{{{}}}", members.join(","))
    })
}

proptest! {
    #[test]
    fn generated_objects_agree_with_serde_json(
        lines in prop::collection::vec(json_text(), 1..8),
        order in prop::collection::vec(0usize..8, 0..16),
    ) {
        let mut all: Vec<&str> = lines.iter().map(String::as_str).collect();
        all.extend(order.iter().filter_map(|at| lines.get(*at)).map(String::as_str));
        let batch = batch_of(&all);
        for (row, line) in all.iter().enumerate() {
            check_row(&batch, row, line.as_bytes());
        }
    }

    #[test]
    fn mutated_objects_agree_with_serde_json(
        line in json_text(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(br#"{}[]",:\0a-e. tn"#.to_vec())), 1..4),
    ) {
        let mut bytes = line.clone().into_bytes();
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let batch = batch_of(&[line.as_bytes(), &bytes, line.as_bytes(), &bytes]);
        for (row, raw) in [line.as_bytes(), &bytes, line.as_bytes(), &bytes].into_iter().enumerate() {
            check_row(&batch, row, raw);
        }
    }
}

proptest! {
    #[test]
    fn shapes_survive_encoding(line in json_text(), flip in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let shape = Shape::of(&line, &Default::default()).unwrap();
        let mut bytes = Vec::new();
        shape.encode(&mut bytes);
        bytes.extend_from_slice(b"tail");
        let (back, rest) = Shape::decode(&bytes).unwrap();
        prop_assert_eq!(&back, &shape);
        prop_assert_eq!(rest, b"tail");
        let at = flip.index(bytes.len());
        bytes[at] = byte;
        if let Ok((other, rest)) = Shape::decode(&bytes) {
            let mut again = Vec::new();
            other.encode(&mut again);
            prop_assert_eq!(&bytes[..bytes.len() - rest.len()], &again[..]);
        }
    }
}
