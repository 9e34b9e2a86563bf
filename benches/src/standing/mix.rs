//! Standing queries as there may be in one repository: boards of services, hosts and users, and alerts.

use weir_server::generate::SERVICES;

/// Single queries of the usual kinds.
pub(super) const ONE: &[&str] = &[
    "level=ERROR | count()",
    "/timeout after \\d{4,}ms/ | count()",
    "groupBy(service)",
    "groupBy(service, function=percentile(duration_ms, percentiles=[50, 99]))",
];

/// Over all events.
const OVERALL: &[&str] = &[
    "groupBy(service, function=[count(), avg(duration_ms)])",
    "level=ERROR | groupBy([service, status])",
    "percentile(duration_ms, percentiles=[50, 95, 99])",
    "groupBy(status)",
    "top(user, limit=20)",
    "count(user, distinct=true)",
    "/timeout after (?<ms>\\d+)ms calling (?<callee>\\w+)/ | groupBy(callee)",
    "status>=500 | groupBy(host)",
    "sum(bytes)",
    "timeChart(service, span=10s)",
    "level=WARN | groupBy(service)",
    "duration_ms > 5000 | groupBy([service, method])",
    "groupBy([service, level])",
    "kilobytes := bytes / 1024 | groupBy(service, function=avg(kilobytes))",
    "\"circuit breaker open\" | groupBy(service)",
    "\"connection reset\" | groupBy(host)",
    "/order (?<order>\\d+) accepted, total (?<total>[\\d.]+)/ | sum(total)",
    "method=POST | groupBy(path, limit=50)",
    "max(duration_ms)",
    "count()",
];

const HOSTS_OF_A_SERVICE: usize = 24;
const USERS: usize = 50_000;

/// What a board shows.
const BOARD: [&str; 10] = [
    "count()",
    "level=ERROR | count()",
    "status >= 500 | count()",
    "level=WARN | groupBy(method)",
    "groupBy(status)",
    "percentile(duration_ms, percentiles=[50, 95, 99])",
    "avg(duration_ms)",
    "\"timeout\" | count()",
    "top(user, limit=10)",
    "method=POST | max(bytes)",
];

/// `count` different queries: in ten of them up to two over all events, one or two of the board of a service, and
/// then boards of single hosts and users and alerts in equal parts.
pub(crate) fn mixed(count: usize) -> Vec<String> {
    let mut overall = OVERALL.iter().map(|query| (*query).to_owned()).take(count / 20);
    let mut services = boards(SERVICES.iter().map(|service| format!("service={service}"))).take(count / 5);
    let hosts = (0..SERVICES.len() * HOSTS_OF_A_SERVICE).map(|at| {
        let (service, number) = (service(at), at / SERVICES.len());
        format!("host={service}-{number:02}")
    });
    let mut hosts = boards(hosts).take(count * 3 / 10);
    // Every 7th, from those with many events to those with few.
    let mut users = boards((0..USERS / 7).map(|at| format!("user=user{}", at * 7)));
    let mut alerts = (0..).map(alert);
    let mut queries: Vec<String> = overall.by_ref().chain(services.by_ref()).chain(hosts.by_ref()).collect();
    while queries.len() < count {
        queries.extend(alerts.next());
        queries.extend(users.next());
    }
    queries.truncate(count);
    queries
}

fn service(at: usize) -> &'static str {
    SERVICES.get(at % SERVICES.len()).copied().unwrap_or_default()
}

fn boards(entities: impl Iterator<Item = String>) -> impl Iterator<Item = String> {
    entities.flat_map(|entity| BOARD.map(|rest| format!("{entity} | {rest}")))
}

fn alert(at: usize) -> String {
    let service = service(at);
    match at % 8 {
        0 => format!("service={service} duration_ms > {} | count()", 500 + at),
        1 => format!("/order {}\\d+ accepted/ | count()", at + 10),
        2 => format!("\"card expired\" user=user{at} | count()"),
        3 => format!(
            "service={service} message=/retry \\d of 5 failed/ host={service}-{:02} | count()",
            at % 24
        ),
        4 => format!("path=\"/api/orders/{at}\" | groupBy(status)"),
        5 => format!("bytes > {} | groupBy(service)", 100_000 + at),
        6 => format!("\"session:{at:x}\" | groupBy(host)"),
        _ => format!("level=ERROR message=/calling {service}$/ user=user{} | groupBy(host)", at * 3),
    }
}

/// `count` different queries none of which any event passes.
pub(super) fn matching_nothing(count: usize) -> Vec<String> {
    let one = |at: usize| match at % 5 {
        0 => format!("user=nobody{at} | count()"),
        1 => format!("service=cart host=nowhere-{at} | groupBy(status)"),
        2 => format!("\"never said {at}\" | count()"),
        3 => format!("duration_ms > {} | percentile(bytes)", 1_000_000_000_u64 + at as u64),
        _ => format!("/no such thing {at}[a-z]+/ | count()"),
    };
    (0..count).map(one).collect()
}
