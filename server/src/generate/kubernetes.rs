//! Container log lines with Kubernetes metadata, as a node's shipper sends them.

use super::draw::{Draw, rfc3339, time};

const APPS: [&str; 6] = ["orders", "gateway", "stations", "tickets", "notify", "config"];
const CLASSES: [&str; 4] =
    ["o.s.OrderService#65", "c.g.RouteFilter#112", "c.s.StationCache#31", "o.t.TicketClient#204"];

/// Appends one event without its line feed.
pub(super) fn line(draw: &mut Draw, nanos: i64, out: &mut Vec<u8>) {
    let app = draw.skewed(&APPS);
    let (replica, node) = (draw.below(5), draw.below(9));
    out.extend_from_slice(br#"{"@timestamp":""#);
    rfc3339(nanos, out);
    let head = format!(
        r#"","stream":"{}","kubernetes":{{"namespace_name":"shop","pod_name":"{app}-7c9d4f6b5{replica}-x{replica}k2{replica}","container_name":"{app}","host":"node-{node}","labels":{{"app":"{app}","tier":"backend","version":"v{}"}}}},"log":""#,
        if draw.chance(60) { "stderr" } else { "stdout" },
        1 + replica % 2
    );
    out.extend_from_slice(head.as_bytes());
    let class = draw.skewed(&CLASSES);
    let said = match draw.below(10) {
        0..6 => format!(
            "INFO  {class} [query][Get stations of route][id: {}, took: {} ms]",
            draw.below(10_000),
            draw.latency(9.0)
        ),
        6..9 => format!(
            "INFO  {class} [preserve][Step {}][OrderId: {:08x}-{:04x}]",
            draw.between(1, 9),
            draw.below(1 << 32),
            draw.below(1 << 16)
        ),
        _ => format!(
            "ERROR {class} [send][Delivery failed][reason: \\\"{}\\\", attempt: {}]",
            "mailbox full",
            draw.between(1, 5)
        ),
    };
    out.extend_from_slice(format!("{} {said}\"}}", time(nanos, "%H:%M:%S%.3f")).as_bytes());
}
