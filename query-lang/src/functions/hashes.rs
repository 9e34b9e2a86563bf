//! `hash`, `tokenHash` and `sample`: hashes that spread values, and nothing more. They are the same on every machine.

use std::sync::Arc;

use crate::error::Diagnostic;
use crate::functions::mapping::{Map, Mapping};
use crate::functions::{Arguments, Build, Kind, Parameter, RowFunction, Scratch, Signature, Touches};
use crate::machine::predicate::{Predicate, ValueTest};
use crate::machine::{StepError, View};
use crate::record::{Column, ColumnBuilder};
use crate::value::{ValueRef, hash_bytes, hash_text};

/// The table of this family.
pub const SIGNATURES: &[Signature] = &[
    Signature {
        name: "hash",
        aliases: &[],
        parameters: &[
            Parameter::required("field", Kind::Texts).aliased(&["fields"]),
            Parameter::with_default("as", Kind::Text, "_hash"),
            Parameter::optional("limit", Kind::Integer { least: 1, most: 1 << 32 }),
            Parameter::with_default("seed", Kind::Text, ""),
        ],
        build: Build::Row(build_hash),
        doc: "A whole number made of the values of fields, equal for equal values.",
    },
    Signature {
        name: "tokenHash",
        aliases: &[],
        parameters: &[
            Parameter::required("field", Kind::Text),
            Parameter::with_default("as", Kind::Text, "_tokenHash"),
        ],
        build: Build::Row(build_tokens),
        doc: "A hash of the words of a text, whatever their order.",
    },
    Signature {
        name: "sample",
        aliases: &[],
        parameters: &[
            Parameter::with_default("percentage", Kind::Number, "1"),
            Parameter::with_default("field", Kind::Text, "@timestamp"),
        ],
        build: Build::Filter(sample),
        doc: "Passes so many of a hundred values of a field, always the same ones.",
    },
];

/// A compiled `hash`.
#[derive(Debug)]
pub struct FieldsHash {
    fields: Vec<Arc<str>>,
    seed: Arc<str>,
    /// Hashes are below this.
    limit: u64,
    output: Arc<str>,
}

fn build_hash(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    Ok(RowFunction::Hash(FieldsHash {
        fields: arguments.texts("field").to_vec(),
        seed: arguments.text_or_empty("seed"),
        limit: arguments.integer("limit").and_then(|limit| u64::try_from(limit).ok()).unwrap_or(1 << 32),
        output: arguments.text_or_empty("as"),
    }))
}

fn build_tokens(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    Ok(RowFunction::Mapping(Mapping::new(arguments, Map::TokenHash)))
}

fn sample(arguments: &Arguments) -> Result<Predicate, Diagnostic> {
    let percentage = arguments.number("percentage").unwrap_or(1.0);
    if !(percentage > 0.0 && percentage <= 100.0) {
        let message = format!("expected more than 0 and up to 100, not `{percentage}`");
        return Err(arguments.fault("percentage", message));
    }
    // 2^32 hashes, of which a share is below the bound.
    let bound = (percentage / 100.0 * (1_u64 << 32) as f64).ceil() as u64;
    Ok(Predicate::Value { field: arguments.text_or_empty("field"), test: ValueTest::HashBelow(bound) })
}

/// The hash of a text that samples are taken by: 32 bits.
#[must_use]
pub fn sampled(text: &str) -> u64 {
    hash_text(text) >> 32
}

/// The sum of the hashes of the words of `text`, 8 hexadecimal digits.
pub(crate) fn write_token_hash(value: ValueRef<'_>, scratch: &mut String, out: &mut ColumnBuilder) {
    out.text(&token_hash(value.text_in(scratch)));
}

fn token_hash(text: &str) -> String {
    let words = text.split_whitespace().map(|word| (hash_text(word) >> 32) as u32);
    format!("{:08x}", words.fold(0_u32, u32::wrapping_add))
}

impl FieldsHash {
    /// Runs over the rows in play. A field that is missing is told from an empty one; where all are, there is no hash.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn apply(&self, view: &mut View<'_>, _scratch: &mut Scratch) -> Result<(), StepError> {
        let columns: Result<Vec<Column>, _> = self.fields.iter().map(|field| view.column(field)).collect();
        let columns = columns?;
        let mut out = ColumnBuilder::with_capacity(view.rows());
        for row in view.selection().iter() {
            let values: Vec<Option<ValueRef<'_>>> = columns.iter().map(|column| column.get(row)).collect();
            if values.iter().any(Option::is_some) {
                out.pad(row);
                out.int(i64::try_from(self.of(&values)).unwrap_or(i64::MAX));
            }
        }
        out.pad(view.rows());
        Ok(view.assign(&self.output, out.finish())?)
    }

    /// The hash of `values`, below the limit.
    fn of(&self, values: &[Option<ValueRef<'_>>]) -> u64 {
        // Lengths keep `ab, c` and `a, bc` apart.
        let mut bytes = Vec::new();
        let mut add = |text: Option<&str>| {
            bytes.extend(text.map_or(u64::MAX, |text| text.len() as u64).to_le_bytes());
            bytes.extend(text.unwrap_or_default().bytes());
        };
        add(Some(&self.seed));
        values.iter().for_each(|value| add(value.map(ValueRef::text).as_deref()));
        (hash_bytes(&bytes) >> 32) % self.limit
    }

    /// Notes what it reads and writes.
    pub fn touches(&self, touches: &mut Touches) {
        self.fields.iter().for_each(|field| touches.read(field));
        touches.read(&self.output);
        touches.write(&self.output);
    }

    /// The field written.
    #[must_use]
    pub fn output(&self) -> Arc<str> {
        Arc::clone(&self.output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(seed: &str, limit: u64, values: &[Option<&str>]) -> u64 {
        let values: Vec<_> = values.iter().map(|value| value.map(ValueRef::Text)).collect();
        FieldsHash { fields: Vec::new(), seed: seed.into(), limit, output: "h".into() }.of(&values)
    }

    #[test]
    fn hashes_tell_values_apart() {
        let all = [
            hash("", 1 << 32, &[Some("a"), Some("bc")]),
            hash("", 1 << 32, &[Some("ab"), Some("c")]),
            hash("", 1 << 32, &[Some("abc"), Some("")]),
            hash("", 1 << 32, &[Some("abc"), None]),
            hash("", 1 << 32, &[Some("abc")]),
            hash("x", 1 << 32, &[Some("abc")]),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(!all.iter().skip(at + 1).any(|other| one == other), "{at}");
            assert!(*one < 1 << 32);
        }
        assert!((0..100).all(|n| hash("", 10, &[Some(&n.to_string())]) < 10));
        assert_eq!(hash("", 1, &[Some("x")]), 0);
    }

    #[test]
    fn words_in_any_order_hash_alike() {
        assert_eq!(token_hash("abc def  ghi"), token_hash("def ghi abc"));
        assert_ne!(token_hash("abc def"), token_hash("abc"));
        assert_ne!(token_hash("abc abc"), token_hash("abc"));
        assert_eq!(token_hash(""), "00000000");
    }
}
