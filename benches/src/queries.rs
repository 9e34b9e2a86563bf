//! The kinds of query that are compared, each with what `rg` would be asked for on the raw file.

/// One kind of query.
#[derive(Clone, Debug)]
pub struct Kind {
    /// What it is.
    pub name: &'static str,
    /// In CQL.
    pub query: String,
    /// The arguments after `rg -c`, for kinds that `rg` can answer; its count must equal ours.
    pub rg: Option<Vec<String>>,
}

/// The kinds for application events. `needle` is an id that occurs once.
#[must_use]
pub fn application(needle: &str) -> Vec<Kind> {
    let fragment = needle.get(5..17).unwrap_or(needle);
    vec![
        grep("unique id", needle, needle),
        grep("unique id, absent", "ffffffff0000ffff1111ffff2222ffff", "ffffffff0000ffff1111ffff2222ffff"),
        grep("fragment of an id", fragment, fragment),
        grep("rare phrase", "\"card expired\"", "card expired"),
        grep("frequent word", "completed", "completed"),
        grep("substring inside a token", "mplete", "mplete"),
        grep("rare substring inside a token", "ircui", "ircui"),
        grep("regex with a literal", r"/timeout after \d{4,}ms/", r"timeout after \d{4,}ms"),
        grep("regex, case-insensitive", "/circuit BREAKER/i", "(?i)circuit BREAKER"),
        grep("regex without a literal", r"/[0-9]{6} [0-9]{3}/", r"[0-9]{6} [0-9]{3}"),
        grep(
            "regex for an address",
            r"/\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}/",
            r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}",
        ),
        own("count by service", "groupBy(service)"),
        own("count per minute", "bucket(span=1m)"),
        own("count per minute and level", "bucket(span=1m, field=level)"),
        own(
            "p99 of latency by service",
            "groupBy(service, function=percentile(duration_ms, percentiles=[99]))",
        ),
        own("avg and max by host", "groupBy(host, function=[avg(duration_ms), max(duration_ms)])"),
        own("top 10 users", "top(user)"),
        own("distinct users", "count(user, distinct=true)"),
        own("distinct of all ids", "count(trace_id, distinct=true)"),
        own("last 200 events", "tail(200)"),
        own("fetch many rows", "level=ERROR"),
    ]
}

/// The kinds for access log lines.
#[must_use]
pub fn access(needle: &str) -> Vec<Kind> {
    vec![
        grep("rare id", &format!("\"{needle}\""), needle),
        grep("absent id", "\"id=999999999\"", "id=999999999"),
        grep("frequent word", "Mozilla", "Mozilla"),
        grep("phrase", "\"POST /api/v1/cart\"", "POST /api/v1/cart"),
        grep("regex with a literal", r"/GET \/search\?id=\d{5} /", r"GET /search\?id=\d{5} "),
        grep("regex without a literal", r"/[0-9]{5} [0-9]{3}/", r"[0-9]{5} [0-9]{3}"),
        own("count per minute", "bucket(span=1m)"),
        own("last 200 events", "tail(200)"),
    ]
}

fn grep(name: &'static str, text: &str, pattern: &str) -> Kind {
    let rg = vec!["-e".to_owned(), pattern.to_owned()];
    Kind { name, query: format!("{text} | count()"), rg: Some(rg) }
}

fn own(name: &'static str, query: &str) -> Kind {
    Kind { name, query: query.to_owned(), rg: None }
}
