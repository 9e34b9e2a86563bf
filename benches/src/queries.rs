//! The kinds of query that are compared, each with what `rg` would be asked for on the raw file.

use weir_server::generate::Dataset;

/// One kind of query.
#[derive(Clone, Debug)]
pub struct Kind {
    /// What it is.
    pub name: &'static str,
    /// In CQL.
    pub query: String,
    /// The arguments after `rg -c`, for kinds that `rg` can answer; its count must equal ours.
    pub rg: Option<Vec<String>>,
    /// What the design asks for at most; `None`: nothing.
    pub target: Option<Target>,
}

/// What a kind may cost at most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// As a multiple of what `rg -c` takes for the needle.
    OfBase(f64),
    /// As a multiple of what `rg -c` takes for the same query.
    OfSame(f64),
}

use Target::{OfBase, OfSame};

/// The kinds for `dataset`; `needle` is what its first line of interest holds, see [`needle_mark`].
#[must_use]
pub fn kinds(dataset: Dataset, needle: &str) -> Vec<Kind> {
    match dataset {
        Dataset::Application => application(needle),
        Dataset::Access => access(),
        Dataset::Syslog => syslog(),
        Dataset::Kubernetes => kubernetes(),
        Dataset::Windows => windows(needle),
        Dataset::Devices => devices(needle),
    }
}

/// Behind which text the needle of `dataset` stands, and how long it is; `None` where no needle is taken from the file.
#[must_use]
pub fn needle_mark(dataset: Dataset) -> Option<(&'static str, usize)> {
    match dataset {
        Dataset::Application | Dataset::Devices => Some((r#""trace_id":""#, 32)),
        Dataset::Windows => Some((r#""RecordNumber":"#, 7)),
        Dataset::Access | Dataset::Syslog | Dataset::Kubernetes => None,
    }
}

fn application(needle: &str) -> Vec<Kind> {
    let fragment = needle.get(5..17).unwrap_or(needle);
    let absent = "ffffffff0000ffff1111ffff2222ffff";
    vec![
        grep("unique id", needle, needle).at_most(OfBase(0.01)),
        grep("unique id, absent", absent, absent).at_most(OfBase(0.01)),
        grep("fragment of an id", fragment, fragment),
        grep("rare phrase", "\"card expired\"", "card expired").at_most(OfBase(0.03)),
        grep("frequent word", "completed", "completed").at_most(OfBase(0.4)),
        grep("substring inside a token", "mplete", "mplete").at_most(OfBase(0.4)),
        grep("rare substring inside a token", "ircui", "ircui").at_most(OfBase(0.05)),
        grep("regex with a literal", r"/timeout after \d{4,}ms/", r"timeout after \d{4,}ms")
            .at_most(OfBase(0.5)),
        grep("regex, case-insensitive", "/circuit BREAKER/i", "(?i)circuit BREAKER").at_most(OfBase(0.5)),
        grep("regex without a literal", r"/[0-9]{6} [0-9]{3}/", r"[0-9]{6} [0-9]{3}"),
        grep("regex for an address", ADDRESS, ADDRESS_RG),
        own("regex without a literal, over the message", r"message=/[0-9]{6} [0-9]{3}/ | count()")
            .beside(r"[0-9]{6} [0-9]{3}")
            .at_most(OfSame(0.3)),
        own("count", "count()"),
        own("count by service", "groupBy(service)").at_most(OfBase(0.01)),
        own("count per minute", "bucket(span=1m)").at_most(OfBase(0.05)),
        own("count per minute and level", "bucket(span=1m, field=level)").at_most(OfBase(0.15)),
        own(
            "p99 of latency by service",
            "groupBy(service, function=percentile(duration_ms, percentiles=[99]))",
        )
        .at_most(OfBase(0.2)),
        own("avg and max by host", "groupBy(host, function=[avg(duration_ms), max(duration_ms)])")
            .at_most(OfBase(0.15)),
        own("top 10 users", "top(user)").at_most(OfBase(0.3)),
        own("distinct users", "count(user, distinct=true)").at_most(OfBase(0.3)),
        own("distinct of all ids", "count(trace_id, distinct=true)").at_most(OfBase(0.5)),
        own("last 200 events", "tail(200)").at_most(OfBase(0.05)),
        own("extract from the message, group", r"message=/after (?<ms>\d+)ms/ | groupBy(ms)")
            .at_most(OfBase(0.8)),
        own("errors by service", "level=ERROR status>=500 | groupBy(service)"),
        own("fetch many rows, all fields", "level=ERROR OR status=404"),
        own("fetch many rows, raw lines", "level=ERROR OR status=404 | select([@rawstring])")
            .at_most(OfBase(2.0)),
    ]
}

const ADDRESS: &str = r"/\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}/";
const ADDRESS_RG: &str = r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}";

fn access() -> Vec<Kind> {
    vec![
        grep("rare id", "\"id=99999\"", "id=99999").at_most(OfSame(1.0)),
        grep("absent id", "\"id=999999999\"", "id=999999999").at_most(OfSame(1.0)),
        grep("frequent word", "Mozilla", "Mozilla").at_most(OfSame(1.0)),
        grep("phrase", "\"POST /api/v1/cart\"", "POST /api/v1/cart").at_most(OfSame(1.0)),
        grep("regex with a literal", r"/GET \/search\?id=\d{5} /", r"GET /search\?id=\d{5} "),
        grep("regex without a literal", r"/[0-9]{5} [0-9]{3}/", r"[0-9]{5} [0-9]{3}"),
        own("count per minute", "bucket(span=1m)"),
        own("last 200 events", "tail(200)"),
    ]
}

fn syslog() -> Vec<Kind> {
    vec![
        grep("absent word", "zzqqxxyy", "zzqqxxyy").at_most(OfSame(1.0)),
        grep("frequent word", "Failed", "Failed").at_most(OfSame(1.0)),
        grep("phrase", "\"Failed password for invalid user\"", "Failed password for invalid user")
            .at_most(OfSame(1.0)),
        grep("substring over a border", "\"ailed passw\"", "ailed passw").at_most(OfSame(1.0)),
        grep("rare word", "\"user oracle from 11\"", "user oracle from 11").at_most(OfSame(1.0)),
        grep("an address", "\"72.249.69.216\"", r"72\.249\.69\.216").at_most(OfSame(1.0)),
        grep("regex with a literal", r"/port \d{5} ssh2/", r"port \d{5} ssh2"),
        grep("regex, case-insensitive", "/failed PASSWORD/i", "(?i)failed PASSWORD"),
        grep("regex for an address", ADDRESS, ADDRESS_RG),
        own("count per minute", "bucket(span=1m)"),
        own("last 200 events", "tail(200)"),
    ]
}

fn kubernetes() -> Vec<Kind> {
    let pod = "gateway-7c9d4f6b51-x1k21";
    vec![
        grep("absent word", "zzqqxxyy", "zzqqxxyy").at_most(OfSame(1.0)),
        grep("frequent word", "OrderService", "OrderService").at_most(OfSame(1.0)),
        grep("phrase", "\"Get stations of route\"", "Get stations of route").at_most(OfSame(1.0)),
        grep("a pod", &format!("\"{pod}\""), pod).at_most(OfSame(1.0)),
        grep("regex with a literal", r"/took: \d{3} ms/", r"took: \d{3} ms"),
        own("count by app", "groupBy(kubernetes.labels.app)"),
        own("last 200 events", "tail(200)"),
    ]
}

fn windows(record: &str) -> Vec<Kind> {
    vec![
        grep("a record number", record, record).at_most(OfSame(1.5)),
        grep("absent word", "zzqqxxyy", "zzqqxxyy").at_most(OfSame(1.5)),
        grep("frequent word", "svchost", "svchost").at_most(OfSame(1.5)),
        grep("phrase", "\"has permitted a connection\"", "has permitted a connection").at_most(OfSame(1.5)),
        grep("account", "pgustavo", "pgustavo").at_most(OfSame(1.5)),
        own("count by event", "groupBy(EventID)"),
        own("top images", "top(NewProcessName)"),
        own("last 200 events", "tail(200)"),
    ]
}

fn devices(needle: &str) -> Vec<Kind> {
    vec![
        grep("unique id", needle, needle).at_most(OfBase(0.015)),
        grep("a device", "\"frontend-12345\"", "frontend-12345"),
        own("one device by field", "host=\"frontend-12345\" | count()"),
        own("top devices", "top(host)"),
        own("distinct devices", "count(host, distinct=true)"),
        own("count by service", "groupBy(service)"),
    ]
}

fn grep(name: &'static str, text: &str, pattern: &str) -> Kind {
    own(name, &format!("{text} | count()")).beside(pattern)
}

fn own(name: &'static str, query: &str) -> Kind {
    Kind { name, query: query.to_owned(), rg: None, target: None }
}

impl Kind {
    fn beside(mut self, pattern: &str) -> Kind {
        self.rg = Some(vec!["-e".to_owned(), pattern.to_owned()]);
        self
    }

    fn at_most(mut self, target: Target) -> Kind {
        self.target = Some(target);
        self
    }
}
