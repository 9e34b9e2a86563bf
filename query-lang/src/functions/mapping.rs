//! Functions of one field that write one field: value in, value out, missing stays missing.
//!
//! Where the function has no answer for a value, the field written keeps what it had.

use std::sync::Arc;

use crate::functions::characters::Characters;
use crate::functions::duration::DurationFormat;
use crate::functions::encoding::Coding;
use crate::functions::hashes;
use crate::functions::integers::{HexText, ParseInteger};
use crate::functions::jsontext::JsonText;
use crate::functions::math::Operation;
use crate::functions::network::Subnet;
use crate::functions::text::TextMap;
use crate::functions::timeformat::FormatTime;
use crate::functions::units::UnitConversion;
use crate::functions::xml::XmlLayout;
use crate::functions::{Arguments, Scratch, Touches};
use crate::machine::{StepError, View};
use crate::record::ColumnBuilder;
use crate::value::ValueRef;

/// A function of one field.
#[derive(Debug)]
pub struct Mapping {
    /// The field read.
    pub input: Arc<str>,
    /// The field written.
    pub output: Arc<str>,
    /// What is done.
    pub map: Map,
}

/// What is done to a value.
#[derive(Debug)]
pub enum Map {
    /// `round`, `math:*`
    Math(Operation),
    /// `lower`, `upper`, `length`, `replace` ...
    Text(TextMap),
    /// `formatTime`
    Time(FormatTime),
    /// `formatDuration`
    Duration(DurationFormat),
    /// `urlDecode`, `base64Decode` ...
    Coding(Coding),
    /// `unit:convert`
    Unit(Box<UnitConversion>),
    /// `parseInt`
    Integer(ParseInteger),
    /// `parseHexString`
    Hex(HexText),
    /// `shannonEntropy`, `stripAnsiCodes`
    Characters(Characters),
    /// `json:prettyPrint`, `json:extract`
    Json(JsonText),
    /// `xml:prettyPrint`
    Xml(XmlLayout),
    /// `subnet`
    Subnet(Subnet),
    /// `tokenHash`
    TokenHash,
}

impl Mapping {
    /// Reads `field` and `as` of a call; without `as`, the field itself is written.
    #[must_use]
    pub fn new(arguments: &Arguments, map: Map) -> Mapping {
        let input = arguments.text_or_empty("field");
        Mapping { output: arguments.text("as").unwrap_or_else(|| Arc::clone(&input)), input, map }
    }

    /// Runs over the rows in play.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn apply(&self, view: &mut View<'_>, scratch: &mut Scratch) -> Result<(), StepError> {
        let text = &mut scratch.text;
        let context = &scratch.context;
        let write = |value: ValueRef<'_>, out: &mut ColumnBuilder| match &self.map {
            Map::Math(operation) => operation.write(value, out),
            Map::Text(map) => map.write(value, text, out),
            Map::Time(format) => format.write(value, context, out),
            Map::Duration(format) => format.write(value, out),
            Map::Coding(coding) => coding.write(value, text, out),
            Map::Unit(conversion) => conversion.write(value, text, out),
            Map::Integer(integer) => integer.write(value, text, out),
            Map::Hex(hex) => hex.write(value, text, out),
            Map::Characters(characters) => characters.write(value, text, out),
            Map::Json(json) => json.write(value, text, out),
            Map::Xml(layout) => layout.write(value, text, out),
            Map::Subnet(subnet) => subnet.write(value, text, out),
            Map::TokenHash => hashes::write_token_hash(value, text, out),
        };
        view.map(&self.input, &self.output, write)?;
        Ok(())
    }

    /// Notes what it reads and writes.
    pub fn touches(&self, touches: &mut Touches) {
        touches.read(&self.input);
        touches.read(&self.output);
        touches.write(&self.output);
    }

    /// The field written.
    #[must_use]
    pub fn output(&self) -> Arc<str> {
        Arc::clone(&self.output)
    }
}
