//! Events of every make and questions about them, drawn from any source of numbers: `draw(n)` is a number below `n`.
//!
//! A question is cut out of the events and changed a little, so that most find something, and some nearly.

/// A source of numbers.
pub type Draw<'d> = &'d mut dyn FnMut(u64) -> u64;

/// One event to be.
#[derive(Clone, Debug)]
pub struct Given {
    /// Its raw bytes.
    pub raw: Vec<u8>,
    /// They are a JSON object.
    pub json: bool,
    /// Fields beside them.
    pub attributes: Option<String>,
    /// A tag.
    pub tag: Option<String>,
    /// Milliseconds after the first.
    pub millis: i64,
}

const WORDS: [&str; 16] = [
    "--", "aba", "connect", "Failed", "timeout", "kiss", "user", "ünder", "a", "port", "GET", "id", "closed",
    "0x", "Ж", "-",
];
const LEVELS: [&str; 5] = ["info", "warn", "error", "INFO", "debug"];

fn pick<'a>(draw: Draw<'_>, of: &[&'a str]) -> &'a str {
    of.get(draw(of.len() as u64) as usize).copied().unwrap_or("")
}

/// What may stand in a hole of a template.
fn hole(draw: Draw<'_>, kind: u64) -> String {
    match kind {
        0 => draw(10).to_string(),
        1 => draw(100_000).to_string(),
        2 => format!("{}.{}.{}.{}", draw(256), draw(256), draw(3), draw(256)),
        // Ids with runs of zeros: what is looked for in them may overlap itself.
        3 if draw(2) == 0 => format!("{:016x}", draw(256) << (4 * draw(15))),
        3 => format!("{:016x}", draw(u64::MAX)),
        4 => format!(
            "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
            draw(1 << 32),
            draw(1 << 16),
            draw(1 << 12),
            draw(1 << 12),
            draw(1 << 48)
        ),
        5 => format!("\"{}\"", pick(draw, &WORDS)),
        6 => format!("user{}", draw(40)),
        7 => format!("{:04}", draw(300)),
        8 => format!("{}.{:02}", draw(50), draw(100)),
        9 => format!("2026-01-{:02}T{:02}:00:{:02}.{:03}Z", 1 + draw(28), draw(24), draw(60), draw(1_000)),
        10 => format!("-{}", draw(9)),
        11 => pick(draw, &["", "k", "\\", "\t", "a\nb", "\"", "é", "/"]).to_owned(),
        _ => pick(draw, &WORDS).to_owned(),
    }
}

/// Texts are made after a few templates.
fn template(draw: Draw<'_>) -> Vec<Result<&'static str, u64>> {
    let pieces = 1 + draw(6);
    (0..pieces).map(|_| if draw(2) == 0 { Ok(pick(draw, &WORDS)) } else { Err(draw(14)) }).collect()
}

fn fill(draw: Draw<'_>, template: &[Result<&'static str, u64>], gap: &str) -> String {
    let mut out = String::new();
    for (at, piece) in template.iter().enumerate() {
        if at > 0 {
            out.push_str(gap);
        }
        match piece {
            Ok(word) => out.push_str(word),
            Err(kind) => out.push_str(&hole(draw, *kind)),
        }
    }
    out
}

fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for symbol in text.chars() {
        match symbol {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\u0009"),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

/// `count` events in about the order of their time.
pub fn events(draw: Draw<'_>, count: usize) -> Vec<Given> {
    let templates: Vec<_> = (0..1 + draw(5)).map(|_| template(draw)).collect();
    let gap = pick(draw, &[" ", "", ", ", "="]);
    let (json, tags) = (draw(4), draw(3));
    let mut millis = 0;
    let one = |_| {
        millis += draw(40) as i64;
        let template = templates.get(draw(templates.len() as u64) as usize).map_or(&[][..], Vec::as_slice);
        let text = fill(draw, template, gap);
        let is_json = draw(4) < json;
        let raw = match is_json {
            true => object(draw, &text).into_bytes(),
            false if draw(60) == 0 => [text.as_bytes(), b" \xff\xfe"].concat(),
            false => text.into_bytes(),
        };
        let attributes =
            (draw(9) == 0).then(|| format!(r#"{{"n":{},"extra":{}}}"#, draw(50), quoted(&hole(draw, 12))));
        let tag = (tags > 0 && draw(4) > 0).then(|| format!("t{}", draw(if tags == 1 { 3 } else { 400 })));
        let late = if draw(20) == 0 { draw(5_000) as i64 } else { 0 };
        Given { raw, json: is_json, attributes, tag, millis: (millis - late).max(0) }
    };
    (0..count).map(one).collect()
}

/// A value that is not what its field usually holds: no number, a number in another form, nothing.
fn odd(draw: Draw<'_>) -> String {
    match draw(12) {
        0 => "null".to_owned(),
        1 => "true".to_owned(),
        2 => "\"\"".to_owned(),
        3 => format!("\"{}\"", pick(draw, &WORDS)),
        4 => format!("\"{:03}\"", draw(40)),
        5 => format!("{}e{}", 1 + draw(9), draw(4)),
        6 => format!("-{}.{}", draw(4), draw(100)),
        7 => format!("{}", u64::MAX - draw(3)),
        _ => draw(40).to_string(),
    }
}

fn object(draw: Draw<'_>, text: &str) -> String {
    let mut out = format!(r#"{{"level":"{}""#, pick(draw, &LEVELS));
    if draw(3) > 0 {
        out += &format!(r#","n":{}"#, draw(50));
    }
    if draw(4) == 0 {
        out += &format!(r#","d":{}.{}"#, draw(20), 1 + draw(8));
    }
    if draw(3) == 0 {
        out += &format!(r#","odd":{}"#, odd(draw));
    }
    if draw(5) == 0 {
        out += r#","nested":{"a":[1,{"b":"user7"}]}"#;
    }
    out + &format!(r#","message":{}}}"#, quoted(text))
}

/// A text that may stand in an event: mostly a part of one.
fn literal(draw: Draw<'_>, events: &[Given]) -> String {
    let raw = events.get(draw(events.len().max(1) as u64) as usize).map_or(&b""[..], |given| &given.raw);
    let text: Vec<char> = String::from_utf8_lossy(raw).chars().collect();
    let start = draw(text.len().max(1) as u64) as usize;
    let len = 1 + draw(11) as usize;
    let mut part: Vec<char> = text.iter().skip(start).take(len).copied().collect();
    if draw(6) == 0 {
        let at = draw(part.len().max(1) as u64) as usize;
        if let Some(symbol) = part.get_mut(at) {
            *symbol = ['0', 'e', ' ', 'K'].get(draw(4) as usize).copied().unwrap_or('x');
        }
    }
    part.into_iter().filter(|symbol| !symbol.is_control() && *symbol != '\u{fffd}').collect()
}

fn in_quotes(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A regex after a literal: parts of it made general.
fn regex(draw: Draw<'_>, events: &[Given]) -> String {
    let mut out = String::new();
    for symbol in literal(draw, events).chars() {
        match draw(8) {
            0 if symbol.is_ascii_digit() => out.push_str("\\d+"),
            1 if symbol.is_ascii_digit() => out.push_str("[0-9]{1,3}"),
            2 if symbol.is_alphanumeric() => out.push_str("\\w"),
            3 => out.push('.'),
            _ if symbol.is_alphanumeric() || symbol == ' ' => out.push(symbol),
            _ => {
                out.push('\\');
                out.push(symbol);
            }
        }
    }
    let body = match draw(9) {
        0 => format!("^{out}"),
        1 => format!("{out}$"),
        2 => format!("\\b{out}"),
        3 => format!("(a|{out})"),
        4 => format!("{out}.*\\d"),
        _ => out,
    };
    let body = body.replace('/', "\\/").replace("\\\\/", "\\/");
    if body.is_empty() { "/a/".to_owned() } else { format!("/{body}/{}", pick(draw, &["", "", "i"])) }
}

fn condition(draw: Draw<'_>, events: &[Given], depth: u32) -> String {
    match draw(if depth == 0 { 12 } else { 15 }) {
        0..3 => in_quotes(&literal(draw, events)),
        3 | 4 => regex(draw, events),
        5 => format!("level={}", pick(draw, &["info", "error", "*", "nope", "INFO"])),
        6 => format!("n{}{}", pick(draw, &["=", ">", "<=", "!=", "<"]), draw(50)),
        7 => format!("message=*{}*", in_quotes(&literal(draw, events)).trim_matches('"').replace('*', "")),
        8 => format!("message={}", regex(draw, events)),
        9 => format!("#kind=t{}", draw(5)),
        10 => format!("#kind{}", pick(draw, &["=*", "=/t[0-3]+$/", "!=t1", "=t1*", "=nope", "!=*"])),
        11 => format!("odd{}{}", pick(draw, &["=", ">", "<=", "!=", "<"]), draw(40)),
        12 => format!("not {}", condition(draw, events, depth - 1)),
        13 => format!("({} or {})", condition(draw, events, depth - 1), condition(draw, events, depth - 1)),
        _ => format!("{} {}", condition(draw, events, depth - 1), condition(draw, events, depth - 1)),
    }
}

/// A step that keeps the number of rows or lowers it, and its fields, `x` and `y`, if it makes any.
fn middle(draw: Draw<'_>, events: &[Given]) -> (String, bool) {
    const CAPTURES: [&str; 9] = [
        r"(?<x>\d+)",
        r"user(?<x>\d+)",
        r"(?<x>\w+) (?<y>\S+)",
        r"(?<x>[0-9a-f]{4,})-?(?<y>[0-9a-f]*)",
        r"(?<x>[A-Z])(?<y>[a-z]+)",
        r"^(?<x>.{3})",
        r"(?<y>\d+)\.(?<x>\d+)",
        r"level.{3}(?<x>[a-z]+)",
        r"(?<x>a)|(?<y>k\S*)",
    ];
    let regex = pick(draw, &CAPTURES);
    match draw(6) {
        0 => (format!("/{regex}/{}", pick(draw, &["", "i"])), true),
        1 => (format!("message=/{regex}/"), true),
        2 => {
            let regex = regex.replace('\\', "\\\\");
            let rest = pick(draw, &["", ", field=message", ", strict=false", ", repeat=true", ", flags=i"]);
            (format!("regex(\"{regex}\"{rest})"), true)
        }
        3 => (
            format!("select([{}])", pick(draw, &["n, level", "message", "n, d, odd, #kind", "@rawstring"])),
            false,
        ),
        4 => (condition(draw, events, 1), false),
        _ => (
            pick(draw, &["x := n * 2", "y := lower(level)", "x := length(message)", "x := odd"]).to_owned(),
            true,
        ),
    }
}

const ENDINGS: [&str; 44] = [
    "count()",
    "count()",
    "count(n)",
    "groupBy(level)",
    "groupBy(level, function=[count(), max(n)])",
    "groupBy([level, n])",
    "groupBy(#kind)",
    "groupBy(n, function=percentile(d, percentiles=[50, 99]))",
    "bucket(span=10s)",
    "bucket(span=7s, field=level)",
    "timeChart(level, span=20s)",
    "top(message)",
    "top(n, limit=3)",
    "count(message, distinct=true)",
    "[min(n), max(d), sum(n), avg(n)]",
    "percentile(n, percentiles=[10, 90])",
    "tail(5)",
    "head(4)",
    "sort(n, limit=7)",
    "groupBy(level, function=selectLast([n, @timestamp]))",
    "sort(odd, limit=9)",
    "sort([level, n], order=[asc, desc], type=[string, number], limit=20)",
    "sort(@timestamp, limit=6)",
    "sort(@timestamp, order=asc, limit=6)",
    "sort(message, type=string, limit=5)",
    "sort(odd, type=any, order=asc, limit=30)",
    "table([level, n, #kind], limit=8)",
    "table([@timestamp, message], sortby=n, order=asc, limit=8)",
    "table([odd, d], limit=2000)",
    "select([n, level]) | tail(9)",
    "groupBy(#kind, function=count(message, distinct=true))",
    "groupBy([#kind, level], function=[count(odd), sum(odd)])",
    "groupBy(level, function=percentile(n))",
    "groupBy(odd, limit=5)",
    "count(n, distinct=true)",
    "count(#kind, distinct=true)",
    "top([level, n], limit=4)",
    "top(level, sum=n)",
    "top(#kind, limit=2, rest=other)",
    "top(message, max=odd)",
    "[stdDev(odd), variance(n), range(odd), count(odd)]",
    "timeChart(#kind, span=13s, function=max(odd))",
    "collect([level, n], limit=6)",
    "fieldstats()",
];

/// What can be asked of `x` and `y`.
const OF_CAPTURES: [&str; 8] = [
    "groupBy(x)",
    "groupBy([x, y])",
    "groupBy(level, function=count(x, distinct=true))",
    "top(x, limit=5)",
    "sort(x, limit=5)",
    "[sum(x), max(y), count(x)]",
    "table([x, y, n], limit=6)",
    "timeChart(y, span=11s)",
];

/// A question about `events`.
pub fn query(draw: Draw<'_>, events: &[Given]) -> String {
    let filter = if draw(5) == 0 { "*".to_owned() } else { condition(draw, events, 2) };
    if draw(3) > 0 {
        return format!("{filter} | {}", pick(draw, &ENDINGS));
    }
    let (step, has_fields) = middle(draw, events);
    let ending = if has_fields && draw(4) > 0 { pick(draw, &OF_CAPTURES) } else { pick(draw, &ENDINGS) };
    format!("{filter} | {step} | {ending}")
}
