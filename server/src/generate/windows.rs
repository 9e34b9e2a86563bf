//! Wide JSON: Windows events with dozens of fields each, few of them alike from one kind of event to the next, and a
//! message of many lines that says the fields again.

use super::draw::{Draw, rfc3339, time};

/// A kind of event: its number, task, category, and how it is told apart from the others.
struct Kind {
    id: u32,
    task: u32,
    category: &'static str,
    says: &'static str,
    fields: &'static [Field],
}

/// A field and what stands in it.
type Field = (&'static str, Holds);

/// What stands in a field.
#[derive(Clone, Copy)]
enum Holds {
    Account,
    Domain,
    Sid,
    Handle,
    Process,
    Image,
    Command,
    Address,
    Port,
    Guid,
    Mask,
    Word(&'static str),
}

use Holds::{Account, Address, Command, Domain, Guid, Handle, Image, Mask, Port, Process, Sid, Word};

const KINDS: [Kind; 5] = [
    Kind {
        id: 4_624,
        task: 12_544,
        category: "Logon",
        says: "An account was successfully logged on.",
        fields: &[
            ("SubjectUserSid", Sid),
            ("SubjectUserName", Account),
            ("SubjectDomainName", Domain),
            ("SubjectLogonId", Handle),
            ("TargetUserSid", Sid),
            ("TargetUserName", Account),
            ("TargetDomainName", Domain),
            ("TargetLogonId", Handle),
            ("LogonType", Word("3")),
            ("LogonProcessName", Word("Kerberos")),
            ("AuthenticationPackageName", Word("Kerberos")),
            ("WorkstationName", Word("-")),
            ("LogonGuid", Guid),
            ("KeyLength", Word("0")),
            ("ProcessId", Process),
            ("ProcessName", Image),
            ("IpAddress", Address),
            ("IpPort", Port),
            ("ImpersonationLevel", Word("%%1833")),
            ("ElevatedToken", Word("%%1842")),
        ],
    },
    Kind {
        id: 4_688,
        task: 13_312,
        category: "Process Creation",
        says: "A new process has been created.",
        fields: &[
            ("SubjectUserSid", Sid),
            ("SubjectUserName", Account),
            ("SubjectDomainName", Domain),
            ("SubjectLogonId", Handle),
            ("NewProcessId", Process),
            ("NewProcessName", Image),
            ("TokenElevationType", Word("%%1938")),
            ("ProcessId", Process),
            ("CommandLine", Command),
            ("ParentProcessName", Image),
            ("MandatoryLabel", Word("S-1-16-8192")),
        ],
    },
    Kind {
        id: 5_156,
        task: 12_810,
        category: "Filtering Platform Connection",
        says: "The Windows Filtering Platform has permitted a connection.",
        fields: &[
            ("ProcessID", Process),
            ("Application", Image),
            ("Direction", Word("%%14593")),
            ("SourceAddress", Address),
            ("SourcePort", Port),
            ("DestAddress", Address),
            ("DestPort", Port),
            ("Protocol", Word("6")),
            ("FilterRTID", Port),
            ("LayerName", Word("%%14611")),
            ("LayerRTID", Word("48")),
        ],
    },
    Kind {
        id: 4_663,
        task: 12_800,
        category: "File System",
        says: "An attempt was made to access an object.",
        fields: &[
            ("SubjectUserSid", Sid),
            ("SubjectUserName", Account),
            ("SubjectDomainName", Domain),
            ("SubjectLogonId", Handle),
            ("ObjectServer", Word("Security")),
            ("ObjectType", Word("File")),
            ("ObjectName", Image),
            ("HandleId", Handle),
            ("AccessList", Word("%%4416")),
            ("AccessMask", Mask),
            ("ProcessId", Process),
            ("ProcessName", Image),
            ("ResourceAttributes", Word("S:AI")),
        ],
    },
    Kind {
        id: 7_036,
        task: 0,
        category: "Service State",
        says: "A service entered another state.",
        fields: &[("param1", Word("Background Transfer")), ("param2", Word("running")), ("Binary", Guid)],
    },
];

const HOSTS: [&str; 6] = ["WORKSTATION5", "DC01", "WORKSTATION6", "FILE02", "WEC", "MAIL01"];
const ACCOUNTS: [&str; 6] = ["SYSTEM", "svc_backup", "pgustavo", "WORKSTATION5$", "lrodriguez", "DC01$"];
const IMAGES: [&str; 6] = ["svchost", "powershell", "lsass", "cmd", "WmiPrvSE", "explorer"];

/// Appends one event, the `count`-th, without its line feed.
pub(super) fn line(draw: &mut Draw, nanos: i64, count: u64, out: &mut Vec<u8>) {
    let at = usize::try_from(draw.skewed_below(KINDS.len() as u64)).unwrap_or(0);
    let Some(kind) = KINDS.get(at).or(KINDS.first()) else { return };
    let host = draw.skewed(&HOSTS);
    out.extend_from_slice(br#"{"@timestamp":""#);
    rfc3339(nanos, out);
    let head = format!(
        r#"","EventTime":"{}","Hostname":"{host}.shop.example","Keywords":-9214364837600034816,"EventType":"AUDIT_SUCCESS","SeverityValue":2,"Severity":"INFO","EventID":{},"SourceName":"Microsoft-Windows-Security-Auditing","ProviderGuid":"{{54849625-5478-4994-A5BA-3E3B0328C30D}}","Version":{},"Task":{},"OpcodeValue":0,"RecordNumber":{},"ExecutionProcessID":{},"ExecutionThreadID":{},"Channel":"Security","Category":"{}","Opcode":"Info""#,
        time(nanos, "%Y-%m-%d %H:%M:%S"),
        kind.id,
        draw.below(3),
        kind.task,
        1_000_000 + count,
        4 * draw.between(1, 3),
        4 * draw.between(10, 3_000),
        kind.category,
    );
    out.extend_from_slice(head.as_bytes());
    let values: Vec<(&str, String)> =
        kind.fields.iter().map(|(name, holds)| (*name, value(draw, *holds, host))).collect();
    for (name, value) in &values {
        out.extend_from_slice(format!(r#","{name}":"{value}""#).as_bytes());
    }
    out.extend_from_slice(format!(r#","Message":"{}\r\n\r\nSubject:"#, kind.says).as_bytes());
    for (name, value) in &values {
        out.extend_from_slice(format!(r"\r\n\t{name}:\t\t{value}").as_bytes());
    }
    let tail = format!(
        r#"","EventReceivedTime":"{}","SourceModuleName":"eventlog","SourceModuleType":"im_msvistalog"}}"#,
        time(nanos + 900_000_000, "%Y-%m-%d %H:%M:%S")
    );
    out.extend_from_slice(tail.as_bytes());
}

fn value(draw: &mut Draw, holds: Holds, host: &str) -> String {
    match holds {
        Account => draw.skewed(&ACCOUNTS).to_owned(),
        Domain => "SHOP".to_owned(),
        Sid => match draw.below(3) {
            0 => "S-1-5-18".to_owned(),
            _ => format!("S-1-5-21-4228717743-1032521047-1810997296-{}", 1_100 + draw.skewed_below(400)),
        },
        Handle => format!("0x{:x}", draw.below(1 << 24)),
        Process => format!("0x{:x}", 4 * draw.between(1, 2_000)),
        Image => format!(r"C:\\Windows\\System32\\{}.exe", draw.skewed(&IMAGES)),
        Command => format!(
            r"C:\\Windows\\System32\\{}.exe -k netsvcs -p -s job{} \\\\{host}\\c$",
            draw.skewed(&IMAGES),
            draw.below(10_000)
        ),
        Address => draw.address(),
        Port => draw.between(1_024, 65_535).to_string(),
        Guid => format!(
            "{{{:08x}-{:04x}-{:04x}-{:04x}-{:012x}}}",
            draw.below(1 << 32),
            draw.below(1 << 16),
            draw.below(1 << 16),
            draw.below(1 << 16),
            draw.below(1 << 48)
        ),
        Mask => format!("0x{:x}", 1 << draw.below(8)),
        Word(word) => word.to_owned(),
    }
}
