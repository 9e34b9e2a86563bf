//! `crypto:md5`, `crypto:sha1`, `crypto:sha256`, `hashRewrite` and `hashMatch`: cryptographic digests, in hexadecimal.

use std::sync::Arc;

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use crate::compile::TextMatcher;
use crate::error::Diagnostic;
use crate::functions::{Arguments, Build, Kind, Parameter, RowFunction, Scratch, Signature, Touches};
use crate::machine::predicate::Predicate;
use crate::machine::{StepError, View};
use crate::record::{Column, ColumnBuilder};

const RAW: &str = "@rawstring";
const SALT: Parameter = Parameter::required("salt", Kind::Text);
const HASH: Parameter = Parameter::with_default("hash", Kind::Choice(&["sha256", "sha512"]), "sha256");
const BITS: Parameter = Parameter::with_default("bits", Kind::Integer { least: 8, most: 512 }, "256");

const fn of_fields(name: &'static str, parameters: &'static [Parameter], doc: &'static str) -> Signature {
    Signature { name, aliases: &[], parameters, build: Build::Row(build_digest), doc }
}

macro_rules! fields_as {
    ($as:literal) => {
        &[
            Parameter::required("field", Kind::Texts).aliased(&["fields"]),
            Parameter::with_default("as", Kind::Text, $as),
        ]
    };
}

/// The table of this family.
pub const SIGNATURES: &[Signature] = &[
    of_fields("crypto:md5", fields_as!("_md5"), "The MD5 digest of the values of fields, one after another."),
    of_fields(
        "crypto:sha1",
        fields_as!("_sha1"),
        "The SHA-1 digest of the values of fields, one after another.",
    ),
    of_fields(
        "crypto:sha256",
        fields_as!("_sha256"),
        "The SHA-256 digest of the values of fields, one after another.",
    ),
    Signature {
        name: "hashRewrite",
        aliases: &[],
        parameters: &[
            Parameter::required("field", Kind::Text),
            Parameter::optional("as", Kind::Text),
            SALT,
            HASH,
            BITS,
            Parameter::with_default("replaceInRawstring", Kind::Bool, "true"),
        ],
        build: Build::Row(build_rewrite),
        doc: "A salted digest in the place of a value that is not to be read.",
    },
    Signature {
        name: "hashMatch",
        aliases: &[],
        parameters: &[
            Parameter::required("input", Kind::Text),
            Parameter::optional("field", Kind::Text),
            SALT,
            HASH,
            BITS,
        ],
        build: Build::Filter(build_match),
        doc: "The field is what `hashRewrite` makes of this value; without a field, the text contains it.",
    },
];

/// A way to digest bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// MD5 (RFC 1321).
    Md5,
    /// SHA-1 (FIPS 180).
    Sha1,
    /// SHA-256 (FIPS 180).
    Sha256,
    /// SHA-512 (FIPS 180).
    Sha512,
}

/// A compiled `crypto:*`.
#[derive(Debug)]
pub struct FieldsDigest {
    algorithm: Algorithm,
    fields: Vec<Arc<str>>,
    output: Arc<str>,
}

/// A compiled `hashRewrite`.
#[derive(Debug)]
pub struct Rewrite {
    /// The field read.
    pub(crate) field: Arc<str>,
    /// The field written.
    pub(crate) output: Arc<str>,
    salted: Salted,
    /// In the text of the event as well.
    everywhere: bool,
}

/// A digest behind a salt, cut to some of its bits.
#[derive(Debug)]
struct Salted {
    algorithm: Algorithm,
    salt: Arc<str>,
    letters: usize,
}

fn build_digest(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let algorithm = match arguments.signature().name {
        "crypto:md5" => Algorithm::Md5,
        "crypto:sha1" => Algorithm::Sha1,
        _ => Algorithm::Sha256,
    };
    let (fields, output) = (arguments.texts("field").to_vec(), arguments.text_or_empty("as"));
    Ok(RowFunction::Digest(FieldsDigest { algorithm, fields, output }))
}

fn build_rewrite(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let field = arguments.text_or_empty("field");
    Ok(RowFunction::Rewrite(Rewrite {
        output: arguments.text("as").unwrap_or_else(|| Arc::clone(&field)),
        field,
        salted: Salted::of(arguments)?,
        everywhere: arguments.is_true("replaceInRawstring"),
    }))
}

fn build_match(arguments: &Arguments) -> Result<Predicate, Diagnostic> {
    let wanted = Salted::of(arguments)?.digest(&arguments.text_or_empty("input"));
    Ok(match arguments.text("field") {
        Some(field) => Predicate::Text { field, matcher: TextMatcher::equals_text(&wanted) },
        None => Predicate::Text { field: RAW.into(), matcher: TextMatcher::contains(&wanted) },
    })
}

impl Salted {
    fn of(arguments: &Arguments) -> Result<Salted, Diagnostic> {
        let algorithm = match &*arguments.text_or_empty("hash") {
            "sha512" => Algorithm::Sha512,
            _ => Algorithm::Sha256,
        };
        let most = if algorithm == Algorithm::Sha512 { 512 } else { 256 };
        let bits = arguments.integer("bits").unwrap_or(256);
        if bits % 8 != 0 || bits > most {
            let message = format!("expected a multiple of 8 up to {most}, not `{bits}`");
            return Err(arguments.fault("bits", message));
        }
        let letters = usize::try_from(bits / 4).unwrap_or(64);
        Ok(Salted { algorithm, salt: arguments.text_or_empty("salt"), letters })
    }

    fn digest(&self, text: &str) -> String {
        let mut digest = self.algorithm.digest(&[&self.salt, text]);
        digest.truncate(self.letters);
        digest
    }
}

impl Algorithm {
    /// The digest of `parts`, one after another, in hexadecimal.
    #[must_use]
    pub fn digest(self, parts: &[&str]) -> String {
        fn of<D: Digest>(parts: &[&str]) -> String {
            let mut digest = D::new();
            parts.iter().for_each(|part| digest.update(part));
            let letter = |bits: u8| char::from_digit(u32::from(bits), 16).unwrap_or('0');
            digest.finalize().iter().flat_map(|byte| [letter(byte >> 4), letter(byte & 15)]).collect()
        }
        match self {
            Algorithm::Md5 => of::<Md5>(parts),
            Algorithm::Sha1 => of::<Sha1>(parts),
            Algorithm::Sha256 => of::<Sha256>(parts),
            Algorithm::Sha512 => of::<Sha512>(parts),
        }
    }
}

impl FieldsDigest {
    /// Runs over the rows in play. Fields that are missing count as empty.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn apply(&self, view: &mut View<'_>, scratch: &mut Scratch) -> Result<(), StepError> {
        let columns: Result<Vec<Column>, _> = self.fields.iter().map(|field| view.column(field)).collect();
        let columns = columns?;
        let mut out = ColumnBuilder::with_capacity(view.rows());
        let text = &mut scratch.text;
        for row in view.selection().iter() {
            text.clear();
            columns.iter().filter_map(|column| column.get(row)).for_each(|value| value.write_text(text));
            out.pad(row);
            out.text(&self.algorithm.digest(&[text]));
        }
        out.pad(view.rows());
        Ok(view.assign(&self.output, out.finish())?)
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

impl Rewrite {
    /// Runs over the rows in play.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn apply(&self, view: &mut View<'_>, scratch: &mut Scratch) -> Result<(), StepError> {
        let column = view.column(&self.field)?;
        let digests = column.map(view.selection(), |value, out| {
            out.text(&self.salted.digest(value.text_in(&mut scratch.text)));
        });
        if self.everywhere {
            let raw = view.column(RAW)?;
            let mut out = ColumnBuilder::with_capacity(view.rows());
            for row in view.selection().iter() {
                let (Some(value), Some(digest)) = (column.get(row), digests.get(row)) else { continue };
                let Some(raw) = raw.get(row) else { continue };
                let value = value.text();
                out.pad(row);
                // An empty value stands between all letters.
                match value.is_empty() {
                    true => out.push(Some(raw)),
                    false => out.text(&raw.text().replace(&*value, &digest.text())),
                }
            }
            out.pad(view.rows());
            view.assign(&RAW.into(), out.finish())?;
        }
        Ok(view.assign(&self.output, digests)?)
    }

    /// Notes what it reads and writes.
    pub fn touches(&self, touches: &mut Touches) {
        let raw: Arc<str> = RAW.into();
        for field in [&self.field, &self.output].into_iter().chain(self.everywhere.then_some(&raw)) {
            touches.read(field);
        }
        for field in std::iter::once(&self.output).chain(self.everywhere.then_some(&raw)) {
            touches.write(field);
        }
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

    #[test]
    fn digests_of_the_standards() {
        for (algorithm, parts, told) in [
            (Algorithm::Md5, &["abc"][..], "900150983cd24fb0d6963f7d28e17f72"),
            (Algorithm::Md5, &[], "d41d8cd98f00b204e9800998ecf8427e"),
            (Algorithm::Sha1, &["a", "", "bc"], "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (Algorithm::Sha256, &["abc"], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ] {
            assert_eq!(algorithm.digest(parts), told);
        }
        assert!(Algorithm::Sha512.digest(&["abc"]).starts_with("ddaf35a193617abacc417349ae204131"));
    }
}
