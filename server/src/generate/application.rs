//! JSON events of a web shop: services, users, latencies, and the troubles an engineer is called for.

use super::draw::{Draw, rfc3339};

/// The services that application events are of (`service`).
pub const SERVICES: [&str; 12] = [
    "frontend",
    "cart",
    "catalog",
    "checkout",
    "payments",
    "search",
    "shipping",
    "auth",
    "inventory",
    "email",
    "recommendation",
    "currency",
];
const METHODS: [&str; 4] = ["GET", "POST", "PUT", "DELETE"];
const PATHS: [&str; 8] = [
    "products",
    "cart/items",
    "orders",
    "search",
    "users/profile",
    "checkout/confirm",
    "login",
    "shipping/quote",
];

/// Every 20 minutes the payments service has a bad 90 seconds.
const TROUBLE_EVERY_SECONDS: i64 = 1_200;
const TROUBLE_SECONDS: i64 = 90;

/// How many devices there are where every event has one of many.
const DEVICES: u64 = 1_000_000;

/// Appends one event, the `count`-th, without its line feed. With `devices` its host is one of a million.
pub(super) fn line(draw: &mut Draw, nanos: i64, count: u64, devices: bool, out: &mut Vec<u8>) {
    let service = draw.skewed(&SERVICES);
    let trouble = nanos.div_euclid(1_000_000_000).rem_euclid(TROUBLE_EVERY_SECONDS) < TROUBLE_SECONDS;
    let failing = draw.chance(if trouble && service == "payments" { 400 } else { 12 });
    let duration = draw.latency(if failing { 900.0 } else { 24.0 });
    let (level, status) = outcome(draw, failing);
    let host = draw.below(if devices { DEVICES } else { 24 });
    out.extend_from_slice(br#"{"@timestamp":""#);
    rfc3339(nanos, out);
    let user = draw.skewed_below(50_000);
    text(
        out,
        &format!(r#"","level":"{level}","service":"{service}","host":"{service}-{host:02}","trace_id":""#),
    );
    draw.hex(32, out);
    let (method, path) = (draw.skewed(&METHODS), draw.skewed(&PATHS));
    let item = draw.between(1, 99_999);
    text(
        out,
        &format!(
            r#"","user":"user{user}","method":"{method}","path":"/api/{path}/{item}","status":{status},"#
        ),
    );
    text(out, &format!(r#""duration_ms":{duration},"bytes":{},"message":""#, draw.latency(1_400.0)));
    message(draw, failing, duration, count, out);
    text(out, r#""}"#);
}

fn outcome(draw: &mut Draw, failing: bool) -> (&'static str, u16) {
    match (failing, draw.below(100)) {
        (true, 0..70) => ("ERROR", 500),
        (true, 70..90) => ("ERROR", 503),
        (true, _) => ("WARN", 429),
        (false, 0..2) => ("WARN", 404),
        (false, 2..10) => ("DEBUG", 200),
        (false, 10..15) => ("INFO", 201),
        (false, _) => ("INFO", 200),
    }
}

fn message(draw: &mut Draw, failing: bool, duration: u64, count: u64, out: &mut Vec<u8>) {
    let said = match (failing, draw.below(100)) {
        (true, 0..45) => format!("upstream timeout after {duration}ms calling {}", draw.skewed(&SERVICES)),
        (true, 45..70) => {
            format!("connection reset by peer {}:{}", draw.address(), draw.between(1_024, 65_000))
        }
        (true, 70..95) => format!("retry {} of 5 failed: circuit breaker open", draw.between(1, 5)),
        (true, _) => format!("payment declined for order {count}: card expired"),
        (false, 0..55) => format!("request completed in {duration}ms"),
        (false, 55..75) => format!("cache hit for key session:{:x}", draw.below(1 << 32)),
        (false, 75..90) => {
            format!("query returned {} rows from replica {}", draw.latency(40.0), draw.below(4))
        }
        (false, _) => {
            format!("order {count} accepted, total {}.{:02} EUR", draw.latency(35.0), draw.below(100))
        }
    };
    text(out, &said);
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}
