//! Functions that pass or drop rows: `in`, `wildcard`, `cidr`, `test`, `text:contains`, `array:contains`, `array:regex`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::compile::{TextMatcher, expression, literals};
use crate::error::Diagnostic;
use crate::functions::lookup::no_column;
use crate::functions::{Arguments, Build, Kind, Parameter, Signature};
use crate::machine::predicate::{Predicate, Relates, ValueTest};
use crate::plan::{Expression, Filter, Test, TextTest};

/// The most networks that `cidr` takes of a lookup table.
pub const MAX_NETWORKS: usize = 10_000;

const IN_TEXT: &[Parameter] = &[
    Parameter::required("string", Kind::Expression).aliased(&["field"]),
    Parameter::required("substring", Kind::Expression),
];

/// The table of this family.
pub const SIGNATURES: &[Signature] = &[
    Signature {
        name: "in",
        aliases: &[],
        parameters: &[
            Parameter::required("field", Kind::Text),
            Parameter::required("values", Kind::Texts).aliased(&["value"]),
            Parameter::with_default("ignoreCase", Kind::Bool, "false"),
        ],
        build: Build::Condition(is_in),
        doc: "The field is one of these values; `*` in one stands for anything.",
    },
    Signature {
        name: "wildcard",
        aliases: &[],
        parameters: &[
            Parameter::required("pattern", Kind::Text),
            Parameter::optional("field", Kind::Texts),
            Parameter::with_default("ignoreCase", Kind::Bool, "false"),
            Parameter::with_default("includeEverythingOnAsterisk", Kind::Bool, "false"),
        ],
        build: Build::Condition(wildcard),
        doc: "A field is of the form `pattern`; without a field, the text or any field contains it.",
    },
    Signature {
        name: "cidr",
        aliases: &[],
        parameters: &[
            Parameter::required("field", Kind::Text),
            Parameter::optional("subnet", Kind::Texts),
            Parameter::optional("file", Kind::Table).aliased(&["table"]),
            Parameter::optional("column", Kind::Text),
            Parameter::with_default("negate", Kind::Bool, "false"),
        ],
        build: Build::Filter(cidr),
        doc: "The field is an address in one of these networks.",
    },
    Signature {
        name: "test",
        aliases: &[],
        parameters: &[Parameter::required("expression", Kind::Expression)],
        build: Build::Filter(test),
        doc: "The expression is true.",
    },
    Signature {
        name: "text:contains",
        aliases: &[],
        parameters: IN_TEXT,
        build: Build::Filter(contains),
        doc: "One text contains another.",
    },
    Signature {
        name: "text:startsWith",
        aliases: &[],
        parameters: IN_TEXT,
        build: Build::Filter(starts_with),
        doc: "One text starts with another.",
    },
    Signature {
        name: "text:endsWith",
        aliases: &[],
        parameters: IN_TEXT,
        build: Build::Filter(ends_with),
        doc: "One text ends with another.",
    },
    Signature {
        name: "array:contains",
        aliases: &[],
        parameters: &[Parameter::required("array", Kind::Text), Parameter::required("value", Kind::Text)],
        build: Build::Filter(array_contains),
        doc: "An element of the array is this value.",
    },
    Signature {
        name: "array:regex",
        aliases: &[],
        parameters: &[
            Parameter::required("array", Kind::Text),
            Parameter::required("regex", Kind::Regex),
            Parameter::with_default("flags", Kind::Text, ""),
        ],
        build: Build::Filter(array_regex),
        doc: "An element of the array matches a regex.",
    },
];

fn is_in(arguments: &Arguments) -> Result<Filter, Diagnostic> {
    let patterns: Vec<String> = arguments.texts("values").iter().map(ToString::to_string).collect();
    if patterns.is_empty() {
        return Ok(Filter::Bool(false));
    }
    Ok(one_of(arguments.text_or_empty("field"), patterns, arguments.is_true("ignoreCase")))
}

fn one_of(field: Arc<str>, patterns: Vec<String>, ignore_case: bool) -> Filter {
    let everything = |pattern: &String| !pattern.is_empty() && pattern.bytes().all(|byte| byte == b'*');
    let test = match patterns.iter().any(everything) {
        true => Test::Present,
        false => Test::Text(TextTest::AnyOf { patterns, ignore_case }),
    };
    Filter::Test { field, test }
}

fn wildcard(arguments: &Arguments) -> Result<Filter, Diagnostic> {
    let pattern = arguments.text_or_empty("pattern").to_string();
    let ignore_case = arguments.is_true("ignoreCase");
    let inner = pattern.trim_matches('*').to_owned();
    if inner.is_empty() && !pattern.is_empty() && arguments.is_true("includeEverythingOnAsterisk") {
        return Ok(Filter::Bool(true));
    }
    let fields = arguments.texts("field");
    if fields.is_empty() {
        return Ok(match inner.is_empty() {
            true => Filter::Bool(true),
            false => Filter::Text(TextTest::Contains { pattern: inner, ignore_case }),
        });
    }
    let tests = fields.iter().map(|field| one_of(Arc::clone(field), vec![pattern.clone()], ignore_case));
    Ok(Filter::Or(tests.collect()))
}

fn cidr(arguments: &Arguments) -> Result<Predicate, Diagnostic> {
    let networks = networks(arguments)?;
    let test = Predicate::Value { field: arguments.text_or_empty("field"), test: ValueTest::Cidr(networks) };
    Ok(if arguments.is_true("negate") { Predicate::Not(Box::new(test)) } else { test })
}

/// The networks that `cidr` is given, and those in the column of a lookup table: what is none there is left out, as files
/// have remarks.
///
/// # Errors
/// When one that is written is no network, none are asked for, there is no such column, or it has too many.
pub(crate) fn networks(arguments: &Arguments) -> Result<Vec<Network>, Diagnostic> {
    let written = arguments.texts("subnet").iter().map(|text| {
        let fault = || arguments.fault("subnet", format!("`{text}` is no network like `10.0.0.0/8`"));
        Network::parse(text).ok_or_else(fault)
    });
    let mut networks: Vec<Network> = written.collect::<Result<_, _>>()?;
    match (arguments.get("file"), arguments.text("column")) {
        (None, None) if arguments.get("subnet").is_some() => return Ok(networks),
        (None, None) => {
            return Err(arguments.fault("subnet", "`cidr` needs `subnet`, or `file` and `column`"));
        }
        (Some(_), Some(_)) => {}
        _ => return Err(arguments.fault("file", "`file` and `column` go together")),
    }
    // A table that a query makes is not there yet.
    let (Some(table), Some(column)) = (arguments.table("file"), arguments.text("column")) else {
        return Ok(networks);
    };
    let Some(values) = table.column(&column) else {
        return Err(no_column(arguments, "column", table, &column));
    };
    let known = (0..values.len()).filter_map(|row| Network::parse(values.get(row)?.text().trim()));
    networks.extend(known.take(MAX_NETWORKS + 1));
    if networks.len() > MAX_NETWORKS {
        let message = format!(
            "`cidr` tries at most {MAX_NETWORKS} networks, one after another; for more write `match(.., mode=cidr)`"
        );
        return Err(arguments.fault("file", message));
    }
    Ok(networks)
}

fn test(arguments: &Arguments) -> Result<Predicate, Diagnostic> {
    match arguments.expression("expression") {
        Some(condition) => Ok(Predicate::True(Box::new(expression::compile(condition)?))),
        None => Ok(Predicate::Never),
    }
}

fn contains(arguments: &Arguments) -> Result<Predicate, Diagnostic> {
    in_text(arguments, Relates::Contains, TextMatcher::contains)
}

fn starts_with(arguments: &Arguments) -> Result<Predicate, Diagnostic> {
    in_text(arguments, Relates::StartsWith, TextMatcher::starts_with)
}

fn ends_with(arguments: &Arguments) -> Result<Predicate, Diagnostic> {
    in_text(arguments, Relates::EndsWith, TextMatcher::ends_with)
}

fn in_text(
    arguments: &Arguments,
    relates: Relates,
    matcher: fn(&str) -> TextMatcher,
) -> Result<Predicate, Diagnostic> {
    let (Some(string), Some(substring)) = (arguments.expression("string"), arguments.expression("substring"))
    else {
        return Ok(Predicate::Never);
    };
    if let (Expression::Field(field), Expression::Text(literal)) = (string, substring) {
        return Ok(Predicate::Text { field: Arc::clone(field), matcher: matcher(literal) });
    }
    let sides = Box::new((expression::compile(string)?, expression::compile(substring)?));
    Ok(Predicate::Relates { relates, sides })
}

fn array_contains(arguments: &Arguments) -> Result<Predicate, Diagnostic> {
    let matcher = TextMatcher::equals_text(&arguments.text_or_empty("value"));
    Ok(Predicate::Element { array: arguments.text_or_empty("array"), matcher })
}

fn array_regex(arguments: &Arguments) -> Result<Predicate, Diagnostic> {
    let Some(regex) = arguments.regex("regex") else { return Err(arguments.fault("regex", "no regex")) };
    let flags = arguments.text_or_empty("flags");
    let compiled = crate::compile::regex::compile(regex, &flags)?;
    let matcher = TextMatcher::regex_requiring(compiled.regex, literals::of_regex(regex, &flags));
    Ok(Predicate::Element { array: arguments.text_or_empty("array"), matcher })
}

/// An IPv4 or IPv6 network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    version_4: bool,
    bits: u128,
    mask: u128,
}

impl Network {
    /// Reads `10.0.0.0/8`, `fe80::/10` or a single address.
    #[must_use]
    pub fn parse(text: &str) -> Option<Network> {
        let text = text.trim();
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length.parse::<u32>().ok()?)),
            None => (text, None),
        };
        let (version_4, bits, width) = match address.parse::<IpAddr>().ok()? {
            IpAddr::V4(address) => (true, u128::from(u32::from(address)), 32),
            IpAddr::V6(address) => (false, u128::from(address), 128),
        };
        Network::new(version_4, bits, length.unwrap_or(width))
    }

    /// The network of this length that holds `address`; `None`: addresses are not as long. An IPv4 address written in
    /// IPv6 form counts as IPv4.
    #[must_use]
    pub fn around(address: IpAddr, length: u32) -> Option<Network> {
        match address.to_canonical() {
            IpAddr::V4(four) => Network::new(true, u128::from(u32::from(four)), length),
            IpAddr::V6(six) => Network::new(false, u128::from(six), length),
        }
    }

    fn new(version_4: bool, bits: u128, length: u32) -> Option<Network> {
        if length > if version_4 { 32 } else { 128 } {
            return None;
        }
        let ones = if length == 0 { 0 } else { u128::MAX << (128 - length) };
        let mask = if version_4 { ones >> 96 } else { ones };
        Some(Network { version_4, bits: bits & mask, mask })
    }

    /// How many bits all its addresses share.
    #[must_use]
    pub fn length(&self) -> u32 {
        self.mask.count_ones()
    }

    /// Whether it holds `address`; an IPv4 address written in IPv6 form counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = match address {
            IpAddr::V6(six) => six.to_ipv4_mapped().map_or(address, IpAddr::V4),
            IpAddr::V4(_) => address,
        };
        match address {
            IpAddr::V4(four) => self.version_4 && u128::from(u32::from(four)) & self.mask == self.bits,
            IpAddr::V6(six) => !self.version_4 && u128::from(six) & self.mask == self.bits,
        }
    }
}

/// Reads an address.
#[must_use]
pub fn address(text: &str) -> Option<IpAddr> {
    // Both readers refuse at the first wrong byte, so that a column of other text costs little.
    text.parse::<Ipv4Addr>().map(IpAddr::V4).or_else(|_| text.parse::<Ipv6Addr>().map(IpAddr::V6)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_addresses() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.1.2", "11.0.0.1"),
            ("192.168.1.7/24", "192.168.1.200", "192.168.2.1"),
            ("0.0.0.0/0", "1.2.3.4", "::1"),
            ("1.2.3.4", "1.2.3.4", "1.2.3.5"),
            ("fe80::/10", "fe80::1", "fd00::1"),
            ("10.0.0.0/8", "::ffff:10.1.1.1", "::ffff:11.1.1.1"),
        ] {
            let network = Network::parse(network).unwrap();
            assert!(network.contains(inside.parse().unwrap()), "{inside}");
            assert!(!network.contains(outside.parse().unwrap()), "{outside}");
        }
        for bad in ["10.0.0.0/33", "x", "10.0.0/8", "::/129", "1.2.3.4/x"] {
            assert_eq!(Network::parse(bad), None, "{bad}");
        }
    }
}
