//! `subnet` and `communityId`: functions of addresses.

use std::net::IpAddr;
use std::sync::Arc;

use sha1::{Digest, Sha1};

use crate::error::Diagnostic;
use crate::functions::encoding::base64_encode;
use crate::functions::filters::address;
use crate::functions::mapping::{Map, Mapping};
use crate::functions::{Arguments, Build, Kind, Parameter, RowFunction, Scratch, Signature, Touches};
use crate::machine::{StepError, View};
use crate::record::{Column, ColumnBuilder};
use crate::value::ValueRef;

/// The table of this family.
pub const SIGNATURES: &[Signature] = &[
    Signature {
        name: "subnet",
        aliases: &[],
        parameters: &[
            Parameter::required("field", Kind::Text),
            Parameter::required("bits", Kind::Integer { least: 0, most: 32 }),
            Parameter::with_default("as", Kind::Text, "_subnet"),
        ],
        build: Build::Row(build_subnet),
        doc: "An IPv4 address with all but its first bits zero.",
    },
    Signature {
        name: "communityId",
        aliases: &[],
        parameters: &[
            Parameter::required("proto", Kind::Text),
            Parameter::required("sourceip", Kind::Text),
            Parameter::required("destinationip", Kind::Text),
            Parameter::optional("sourceport", Kind::Text),
            Parameter::optional("destinationport", Kind::Text),
            Parameter::optional("icmptype", Kind::Text),
            Parameter::optional("icmpcode", Kind::Text),
            Parameter::with_default("seed", Kind::Integer { least: 0, most: 65_535 }, "0"),
            Parameter::with_default("as", Kind::Text, "_community_id"),
        ],
        build: Build::Row(build_community),
        doc: "The Community ID of a network flow, the same for both directions.",
    },
];

/// A compiled `subnet`.
#[derive(Clone, Copy, Debug)]
pub struct Subnet {
    mask: u32,
}

/// A compiled `communityId`: the fields it reads.
#[derive(Debug)]
pub struct CommunityId {
    protocol: Arc<str>,
    source: Arc<str>,
    destination: Arc<str>,
    /// Of source and destination.
    ports: Option<[Arc<str>; 2]>,
    /// Type and code.
    icmp: Option<[Arc<str>; 2]>,
    seed: u16,
    output: Arc<str>,
}

fn build_subnet(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let bits = arguments.integer("bits").and_then(|bits| u32::try_from(bits).ok()).unwrap_or(0);
    let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
    Ok(RowFunction::Mapping(Mapping::new(arguments, Map::Subnet(Subnet { mask }))))
}

fn build_community(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let both =
        |first: &'static str, second: &'static str| match (arguments.text(first), arguments.text(second)) {
            (Some(a), Some(b)) => Ok(Some([a, b])),
            (None, None) => Ok(None),
            (Some(_), None) => Err(arguments.fault(first, format!("`{first}` goes with `{second}`"))),
            (None, Some(_)) => Err(arguments.fault(second, format!("`{second}` goes with `{first}`"))),
        };
    Ok(RowFunction::Community(CommunityId {
        protocol: arguments.text_or_empty("proto"),
        source: arguments.text_or_empty("sourceip"),
        destination: arguments.text_or_empty("destinationip"),
        ports: both("sourceport", "destinationport")?,
        icmp: both("icmptype", "icmpcode")?,
        seed: arguments.integer("seed").and_then(|seed| u16::try_from(seed).ok()).unwrap_or(0),
        output: arguments.text_or_empty("as"),
    }))
}

impl Subnet {
    /// Writes the answer for an IPv4 address; nothing for anything else.
    pub(crate) fn write(self, value: ValueRef<'_>, scratch: &mut String, out: &mut ColumnBuilder) {
        let address = address(value.text_in(scratch).trim()).map(|address| address.to_canonical());
        if let Some(IpAddr::V4(address)) = address {
            out.text(&std::net::Ipv4Addr::from(u32::from(address) & self.mask).to_string());
        }
    }
}

impl CommunityId {
    /// Runs over the rows in play.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn apply(&self, view: &mut View<'_>, _scratch: &mut Scratch) -> Result<(), StepError> {
        let pair = |fields: &Option<[Arc<str>; 2]>| -> Result<Option<[Column; 2]>, StepError> {
            let Some([a, b]) = fields else { return Ok(None) };
            Ok(Some([view.column(a)?, view.column(b)?]))
        };
        let (ports, icmp) = (pair(&self.ports)?, pair(&self.icmp)?);
        let (protocols, sources) = (view.column(&self.protocol)?, view.column(&self.source)?);
        let destinations = view.column(&self.destination)?;
        let mut out = ColumnBuilder::with_capacity(view.rows());
        for row in view.selection().iter() {
            let text = |column: &Column| column.get(row).map(|value| value.text().trim().to_owned());
            let (Some(protocol), Some(source), Some(destination)) =
                (text(&protocols), text(&sources), text(&destinations))
            else {
                continue;
            };
            let id = protocol_number(&protocol).and_then(|protocol| {
                let given = if is_icmp(protocol) { icmp.as_ref().or(ports.as_ref()) } else { ports.as_ref() };
                let number = |column: &Column| text(column)?.parse::<u16>().ok();
                let ports = match given.filter(|_| has_ports(protocol)) {
                    Some([a, b]) => Some([number(a)?, number(b)?]),
                    None => None,
                };
                community_id(self.seed, protocol, [address(&source)?, address(&destination)?], ports)
            });
            out.pad(row);
            out.text(&id.unwrap_or_default());
        }
        out.pad(view.rows());
        Ok(view.assign(&self.output, out.finish())?)
    }

    /// Notes what it reads and writes.
    pub fn touches(&self, touches: &mut Touches) {
        let more = self.ports.iter().chain(&self.icmp).flatten();
        for field in [&self.protocol, &self.source, &self.destination, &self.output].into_iter().chain(more) {
            touches.read(field);
        }
        touches.write(&self.output);
    }

    /// The field written.
    #[must_use]
    pub fn output(&self) -> Arc<str> {
        Arc::clone(&self.output)
    }
}

const ICMP: u8 = 1;
const ICMP6: u8 = 58;

/// Protocols by keyword (IANA's protocol numbers).
const PROTOCOLS: &[(&str, u8)] = &[
    ("icmp", ICMP),
    ("igmp", 2),
    ("tcp", 6),
    ("egp", 8),
    ("igp", 9),
    ("udp", 17),
    ("dccp", 33),
    ("ipv6", 41),
    ("rsvp", 46),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("icmp6", ICMP6),
    ("icmpv6", ICMP6),
    ("ipv6-icmp", ICMP6),
    ("eigrp", 88),
    ("ospf", 89),
    ("ospfigp", 89),
    ("pim", 103),
    ("vrrp", 112),
    ("l2tp", 115),
    ("sctp", 132),
    ("udplite", 136),
];

fn protocol_number(text: &str) -> Option<u8> {
    let named =
        || PROTOCOLS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, number)| *number);
    text.parse().ok().or_else(named)
}

fn is_icmp(protocol: u8) -> bool {
    matches!(protocol, ICMP | ICMP6)
}

/// Flows of these are told apart by ports, or type and code.
fn has_ports(protocol: u8) -> bool {
    matches!(protocol, ICMP | 6 | 17 | ICMP6 | 132)
}

/// The type that answers to an ICMP message of a type, where there is one.
fn counterpart(protocol: u8, kind: u16) -> Option<u16> {
    const PAIRS: &[(u16, u16)] = &[(8, 0), (13, 14), (15, 16), (10, 9), (17, 18)];
    const PAIRS_6: &[(u16, u16)] = &[(128, 129), (130, 131), (133, 134), (135, 136), (139, 140), (144, 145)];
    let pairs = if protocol == ICMP { PAIRS } else { PAIRS_6 };
    pairs.iter().find_map(|(ask, answer)| match kind {
        kind if kind == *ask => Some(*answer),
        kind if kind == *answer => Some(*ask),
        _ => None,
    })
}

/// The Community ID, version 1 (the public specification of Corelight), of a flow from the first address and port to
/// the second. Of ICMP the ports are type and code.
#[must_use]
pub fn community_id(
    seed: u16,
    protocol: u8,
    addresses: [IpAddr; 2],
    ports: Option<[u16; 2]>,
) -> Option<String> {
    let bytes = |address: IpAddr| match address {
        IpAddr::V4(four) => four.octets().to_vec(),
        IpAddr::V6(six) => six.octets().to_vec(),
    };
    let [source, destination] = addresses.map(bytes);
    if source.len() != destination.len() {
        return None;
    }
    let mut one_way = false;
    let ports =
        ports.map(|[first, second]| match counterpart(protocol, first).filter(|_| is_icmp(protocol)) {
            Some(answer) => [first, answer],
            None => {
                one_way = is_icmp(protocol);
                [first, second]
            }
        });
    let in_order = source < destination || (source == destination && ports.is_none_or(|[a, b]| a <= b));
    let turn = !(one_way || in_order);
    let (source, destination) = if turn { (destination, source) } else { (source, destination) };
    let ports = ports.map(|[a, b]| if turn { [b, a] } else { [a, b] });
    let mut hash = Sha1::new();
    hash.update(seed.to_be_bytes());
    hash.update(source);
    hash.update(destination);
    hash.update([protocol, 0]);
    ports.iter().flatten().for_each(|port| hash.update(port.to_be_bytes()));
    Some(format!("1:{}", base64_encode(&hash.finalize())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subnets() {
        for (bits, text, told) in [
            (24, "10.1.2.3", Some("10.1.2.0")),
            (23, "10.1.3.3", Some("10.1.2.0")),
            (32, "10.1.2.3", Some("10.1.2.3")),
            (0, "10.1.2.3", Some("0.0.0.0")),
            (8, "::ffff:10.1.2.3", Some("10.0.0.0")),
            (24, "fe80::1", None),
            (24, "10.1.2", None),
            (24, "", None),
        ] {
            let mut out = ColumnBuilder::default();
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            Subnet { mask }.write(ValueRef::Text(text), &mut String::new(), &mut out);
            assert_eq!(out.finish().get(0).map(|value| value.text().into_owned()).as_deref(), told, "{text}");
        }
    }

    #[test]
    fn community_ids_of_the_specification() {
        for (protocol, source, from, destination, to, told) in [
            ("tcp", "128.232.110.120", 34855, "66.35.250.204", 80, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
            ("TCP", "66.35.250.204", 80, "128.232.110.120", 34855, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
            ("17", "192.168.1.52", 54585, "8.8.8.8", 53, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
            ("icmp", "192.168.0.89", 8, "192.168.0.1", 0, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="),
            ("icmp", "192.168.0.1", 0, "192.168.0.89", 0, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="),
            (
                "58",
                "fe80::200:86ff:fe05:80da",
                135,
                "fe80::260:97ff:fe07:69ea",
                0,
                "1:dGHyGvjMfljg6Bppwm3bg0LO8TY=",
            ),
        ] {
            let addresses = [source.parse().unwrap(), destination.parse().unwrap()];
            let id = community_id(0, protocol_number(protocol).unwrap(), addresses, Some([from, to]));
            assert_eq!(id.as_deref(), Some(told), "{protocol} {source}");
        }
        let mixed = [IpAddr::from([10, 0, 0, 1]), IpAddr::from([1_u16; 8])];
        assert_eq!(community_id(0, 6, mixed, None), None);
        let plain = [IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2])];
        assert_ne!(community_id(0, 46, plain, None), community_id(1, 46, plain, None));
        assert_eq!(protocol_number("256"), None);
    }
}
