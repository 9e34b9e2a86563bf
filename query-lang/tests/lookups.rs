//! Lookups in tables, and queries inside a query: a query, events, the rows expected.
//!
//! Rows are written as `field=value field=value`; only the fields named by an expected row's query are compared.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::sync::Arc;

use weir_query::compile::Options;
use weir_query::machine::{Context, Machine};
use weir_query::program::Program;
use weir_query::record::Selection;
use weir_query::result::ResultTable;
use weir_query::table::Table;

const EVENTS: &[&str] = &[
    "ip=10.0.0.1 user=ann action=login",
    "ip=10.0.0.2 user=bob action=login",
    "ip=10.9.0.7 user=ann action=delete",
    "ip=192.168.1.5 user=cyd action=login",
    "user=bob action=logout",
];

const TABLES: &[(&str, &str)] = &[
    ("hosts.csv", "ip,name,owner\n10.0.0.1,web,ops\n10.0.0.2,db,\n10.0.0.1,web2,dev\n"),
    ("nets.csv", "net,zone\n10.0.0.0/8,inside\n10.0.0.0/16,dmz\n"),
    (
        "ip-location.csv",
        "network,country,city,lat,lon\n10.0.0.0/16,DE,Berlin,52.52,13.4\n10.0.0.2/32,SE,Lund,55.7,13.19\n",
    ),
    ("asn.csv", "network,asn,org\n10.0.0.0/8,64512,Example\n"),
    (
        "ioc.csv",
        "indicator,type,labels,malicious_confidence\n10.0.0.1,ip_address,bot,high\n192.168.1.5,ip_address,scan,low\nANN,domain,test,high\n",
    ),
    ("users.csv", "who,team\nA*,red\n*b,blue\n"),
    ("roles.json", r#"[{"user":"ann","role":"admin"},{"user":"cyd","role":"guest","until":{"year":2027}}]"#),
];

fn event(line: &str) -> Vec<(String, String)> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap();
        (name.to_owned(), value.to_owned())
    };
    line.split(' ').map(pair).collect()
}

fn options() -> Options {
    let table = |(name, text): &(&str, &str)| {
        ((*name).to_owned(), Arc::new(Table::read(name, text.as_bytes()).unwrap()))
    };
    Options { tables: Arc::new(TABLES.iter().map(table).collect()), ..Options::default() }
}

fn run(program: Arc<Program>, events: &ResultTable) -> ResultTable {
    let mut machine = Machine::new(program, Context::default());
    let created = machine.created();
    let rows = created.as_ref().unwrap_or(events);
    let mut state = machine.new_state();
    machine.step(rows, Selection::all(rows.rows), &mut state).unwrap();
    machine.finish(&state).unwrap()
}

/// Runs the queries inside `text`, then itself.
fn answer(text: &str) -> ResultTable {
    let events: Vec<_> = EVENTS
        .iter()
        .enumerate()
        .map(|(at, line)| {
            let mut fields = event(line);
            fields.push(("@timestamp".to_owned(), ((at + 1) * 1000).to_string()));
            fields
        })
        .collect();
    let events = ResultTable::of_events(&events);
    let program = Program::compile(text, &options())
        .unwrap_or_else(|faults| panic!("{text}\n{}", faults.render(text, false)));
    let mut tables = Vec::new();
    for (number, query) in program.queries().iter().enumerate() {
        let inner = program.query(number, &tables, &|| false).unwrap().unwrap();
        tables.push(Arc::new(Table::of_result(query, run(inner, &events)).unwrap()));
    }
    run(program.with_tables(&tables, Vec::new(), &|| false).unwrap(), &events)
}

/// Checks the rows of `text`, given oldest event first.
#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let table = answer(text);
    let row = |row: usize| {
        let mut cells: Vec<String> = table
            .columns
            .iter()
            .filter(|(name, _)| !name.starts_with('@'))
            .filter_map(|(name, _)| table.text(row, name).map(|text| format!("{name}={text}")))
            .collect();
        cells.sort();
        cells.join(" ")
    };
    let mut rows: Vec<String> = (0..table.rows).map(row).collect();
    if !table.order.is_empty() {
        rows.reverse();
    }
    let expected: Vec<String> = expected
        .iter()
        .map(|line| {
            let mut cells: Vec<&str> = line.split(' ').collect();
            cells.sort_unstable();
            cells.join(" ")
        })
        .collect();
    assert_eq!(rows, expected, "{text}");
}

#[test]
fn rows_meet_rows_of_a_table() {
    check(
        "match(hosts.csv, field=ip) | select([ip, name, owner])",
        &["ip=10.0.0.1 name=web2 owner=dev", "ip=10.0.0.2 name=db owner="],
    );
    check(
        "match(file=\"hosts.csv\", field=ip, include=name, strict=false) | select([user, name])",
        &["user=ann name=web2", "user=bob name=db", "user=ann", "user=cyd", "user=bob"],
    );
    check(
        "match(hosts.csv, field=ip, nrows=5, include=[name]) | select([user, name])",
        &["user=ann name=web", "user=ann name=web2", "user=bob name=db"],
    );
    check(
        "match(roles.json, field=user) | select([user, role, until.year])",
        &["user=ann role=admin", "user=ann role=admin", "user=cyd role=guest until.year=2027"],
    );
    check("cidr(ip, file=nets.csv, column=net) | count()", &["_count=3"]);
    check("!cidr(ip, subnet=\"192.168.0.0/16\", file=nets.csv, column=net) | select(user)", &["user=bob"]);
    check(
        "defineTable(query={action=delete}, include=[ip], name=gone) | cidr(ip, file=gone, column=ip) | select(user)",
        &["user=ann"],
    );
    check(
        "ip =~ match(nets.csv, column=net, mode=cidr) | select([ip, zone])",
        &["ip=10.0.0.1 zone=dmz", "ip=10.0.0.2 zone=dmz", "ip=10.9.0.7 zone=inside"],
    );
    check(
        "match(users.csv, field=user, column=who, mode=glob, ignoreCase=true) | groupBy(team) | sort(team, type=string, order=asc)",
        &["team=blue _count=2", "team=red _count=2"],
    );
    check(
        "groupBy(ip) | match(hosts.csv, field=ip, include=name) | select([name, _count]) | sort(name, type=string, order=asc)",
        &["name=db _count=1", "name=web2 _count=1"],
    );
}

#[test]
fn meeting_is_a_condition() {
    check("!match(hosts.csv, field=ip) | select(user)", &["user=ann", "user=cyd", "user=bob"]);
    check("action=delete or match(hosts.csv, field=ip) | count()", &["_count=3"]);
    check(
        "case { match(hosts.csv, field=ip) | known := true; * | known := false } | groupBy(known) | sort(known, type=string, order=asc)",
        &["known=false _count=3", "known=true _count=2"],
    );
}

#[test]
fn tables_are_read_as_rows() {
    check(
        "readFile(hosts.csv) | select([name, owner])",
        &["name=web owner=ops", "name=db owner=", "name=web2 owner=dev"],
    );
    check("* | readFile(\"hosts.csv\", include=name, limit=2) | count()", &["_count=2"]);
    check("readFile(hosts.csv) | owner=ops | select([ip])", &["ip=10.0.0.1"]);
    check(
        "defineTable(query={action=delete}, name=deleters, include=[user, name])
         | readFile([hosts.csv, deleters], include=[name, user], limit=4) | select([name, user])",
        &["name=web", "name=db", "name=web2", "user=ann"],
    );
    check("readFile(file=[hosts.csv, hosts.csv], limit=4) | count()", &["_count=4"]);
}

#[test]
fn queries_inside_become_tables() {
    check(
        "defineTable(query={action=login | groupBy(user, function=count(as=logins))}, name=logins, include=[user, logins])
         | action=delete | match(logins, field=user) | select([user, logins])",
        &["user=ann logins=1"],
    );
    check(
        "defineTable(query={action=delete}, name=deleters, include=[user, ip])
         | action=login | match(deleters, field=user, include=[ip]) | select([user, ip])",
        &["user=ann ip=10.9.0.7"],
    );
    check(
        "defineTable(query={action=login}, name=one, include=[user])
         | defineTable(query={action=delete | match(one, field=user)}, name=two, include=*)
         | readFile(two) | select([user, action])",
        &["user=ann action=delete"],
    );
}

#[test]
fn joins() {
    check(
        "action=login | join({action=delete}, field=user, include=ip) | select([user, ip])",
        &["user=ann ip=10.9.0.7"],
    );
    check(
        "action=login | join(query={action=logout | left := true}, field=user, include=left, mode=left) | select([user, left])",
        &["user=ann", "user=bob left=true", "user=cyd"],
    );
    check("action=login | !join({action=delete}, field=user) | select(user)", &["user=bob", "user=cyd"]);
    check(
        "action=delete | join({action=login | rename(ip, as=from)}, field=user, key=user, include=[from]) | select([from])",
        &["from=10.0.0.1"],
    );
    check(
        "action=login | join({groupBy(user)}, field=user, include=_count) | select([user, _count])",
        &["user=ann _count=2", "user=bob _count=2", "user=cyd _count=1"],
    );
}

#[test]
fn rows_of_keys_that_pass_each_condition() {
    for prefilter in ["false", "true"] {
        let text = format!(
            "selfJoinFilter(user, where=[{{action=login}}, {{action=delete}}], prefilter={prefilter}) | select([user, action])"
        );
        check(&text, &["user=ann action=login", "user=ann action=delete"]);
    }
    check("selfJoinFilter([user], where=[{action=login}, {action=logout}]) | count()", &["_count=2"]);
}

#[test]
fn keys_of_a_self_join_are_those_that_the_steps_before_make() {
    check(
        "who := upper(user) | selfJoinFilter([who], where=[{action=login}, {action=delete}]) | select([who, action])",
        &["who=ANN action=login", "who=ANN action=delete"],
    );
    // A row that does not come so far meets no condition.
    check(
        "action!=delete | selfJoinFilter([user], where=[{action=login}, {action=delete}]) | count()",
        &["_count=0"],
    );
    // Nor does it inside a condition or a clause.
    check(
        "who := upper(user) | !selfJoinFilter([who], where=[{action=login}, {action=delete}]) | who=ANN | count()",
        &["_count=0"],
    );
    check(
        "who := upper(user) | case { action=* | selfJoinFilter([who], where=[{action=login}, {action=delete}]) } | select([who, action])",
        &["who=ANN action=login", "who=ANN action=delete"],
    );
}

#[test]
fn no_more_rows_are_made_than_a_query_may_hold() {
    let rows = |nrows: usize, max_state_bytes: usize| {
        let mut options = Options::default();
        let table = format!("a\n{}", "1\n".repeat(500));
        Arc::make_mut(&mut options.tables)
            .insert("t.csv".into(), Arc::new(Table::read("t.csv", table.as_bytes()).unwrap()));
        let text = format!("match(t.csv, field=a, nrows={nrows}) | count()");
        let program = Program::compile(&text, &options).unwrap();
        let mut machine = Machine::new(program, Context { max_state_bytes, ..Context::default() });
        let mut state = machine.new_state();
        let events = ResultTable::of_events(&vec![vec![("a".to_owned(), "1".to_owned())]; 100]);
        machine.step(&events, Selection::all(events.rows), &mut state).map_err(|error| error.to_string())?;
        Ok::<_, String>(machine.finish(&state).unwrap().text(0, "_count").unwrap().into_owned())
    };
    assert_eq!(rows(500, 1_200_000), Ok("50000".to_owned()));
    assert_eq!(
        rows(500, 1_199_999).unwrap_err(),
        "query state of 1200000 bytes is over its limit of 1199999"
    );
    assert_eq!(rows(1, 2_000), Ok("100".to_owned()));
}

#[test]
fn databases_are_tables() {
    check(
        "ip=10.* | ipLocation(ip) | asn(ip) | select([ip.country, ip.city, ip.asn])",
        &[
            "ip.country=DE ip.city=Berlin ip.asn=64512",
            "ip.country=SE ip.city=Lund ip.asn=64512",
            "ip.asn=64512",
        ],
    );
    check(
        "ipLocation(field=ip, as=at) | at.country=* | select([at.country])",
        &["at.country=DE", "at.country=SE"],
    );
    check(
        "ioc:lookup(field=ip, type=ip_address, strict=true) | select([ioc.detected, ioc[0].labels])",
        &["ioc.detected=true ioc[0].labels=bot"],
    );
    check(
        "ioc:lookup(field=[ip], type=ip_address, confidenceThreshold=low) | ioc.detected=true | select(ioc[0].indicator)",
        &["ioc[0].indicator=10.0.0.1", "ioc[0].indicator=192.168.1.5"],
    );
    check(
        "!ioc:lookup(field=[user], type=domain, strict=true) | select(user)",
        &["user=bob", "user=cyd", "user=bob"],
    );
    let table = answer("rdns(ip, as=host) | count()");
    assert_eq!(table.warnings, ["there is no lookup table `rdns.csv`: what would be found in it is missing"]);
    check("rdns(ip, as=host) | rdns(ip) | count()", &["_count=5"]);
}

#[test]
fn charts_of_flows_and_places() {
    check(
        "sankey(source=user, target=action) | sort([source, target], type=string, order=asc)",
        &[
            "source=ann target=delete weight=1",
            "source=ann target=login weight=1",
            "source=bob target=login weight=1",
            "source=bob target=logout weight=1",
            "source=cyd target=login weight=1",
        ],
    );
    check(
        "sankey(source=action, target=user, weight=count(ip, distinct=true, as=n)) | weight>0 | source=delete",
        &["source=delete target=ann weight=1"],
    );
    check(
        "worldMap(ip=ip) | sort(lat, order=asc) | select([lat, lon, magnitude])",
        &["lat=52.52 lon=13.4 magnitude=1", "lat=55.7 lon=13.19 magnitude=1"],
    );
    check(
        "ipLocation(ip, as=p) | worldMap(lat=p.lat, lon=p.lon, precision=1, magnitude=max(@timestamp)) | select([geohash, magnitude])",
        &["geohash=u magnitude=2000"],
    );
    let faults = Program::compile("worldMap(lat=a)", &options()).map(|_| ()).unwrap_err();
    assert_eq!(faults.to_string(), "`worldMap` takes either `ip`, or `lat` and `lon` at byte 0");
}

#[test]
fn faults_point_at_what_is_wrong() {
    for (text, told) in [
        (
            "match(host.csv, field=ip)",
            "there is no lookup table `host.csv` at byte 6 (did you mean `hosts.csv`?)",
        ),
        (
            "match(hosts.csv, field=ip, include=nam)",
            "the table `hosts.csv` has no column `nam` at byte 35 (did you mean `name`?)",
        ),
        (
            "match(hosts.csv, field=user)",
            "the table `hosts.csv` has no column `user` at byte 23 (it has ip, name, owner; `column=` says which of them the field is compared with)",
        ),
        (
            "match(hosts.csv, field=[ip, user], column=ip)",
            "2 fields and 1 columns: each field needs its column at byte 42",
        ),
        (
            "match(hosts.csv, field=[ip, name], mode=[glob, cidr, glob])",
            "3 modes for 2 columns: give one for all, or one each at byte 40",
        ),
        (
            "match(hosts.csv, field=ip, nrows=501)",
            "`nrows` is a whole number from 1 to 500, or `max`; `501` is not at byte 33",
        ),
        (
            "join({a=1}, field=b, start=soon)",
            "`soon` is no time: `24h`, `1d@d`, `now` or milliseconds are at byte 27",
        ),
        ("join({zzzzzzz()}, field=b)", "unknown function `zzzzzzz` at byte 6"),
        ("join(x, field=b)", "`query` takes a pipeline in braces at byte 5"),
        (
            "defineTable(query={a=1}, name=t, include=a) | defineTable(query={a=1}, name=t, include=a)",
            "the table `t` is defined twice at byte 76",
        ),
        (
            "readFile([hosts.csv, host.csv])",
            "there is no lookup table `host.csv` at byte 21 (did you mean `hosts.csv`?)",
        ),
        (
            "readFile([hosts.csv, hosts.csv], include=nam)",
            "the table `hosts.csv` has no column `nam` at byte 41 (did you mean `name`?)",
        ),
        (
            "selfJoinFilter(a, where=[{b=1}, {count()}])",
            "the aggregate `count` cannot stand in `where` at byte 32",
        ),
    ] {
        let faults = Program::compile(text, &options()).map(|_| ()).unwrap_err();
        assert_eq!(faults.to_string(), told, "{text}");
    }
    let most = weir_query::plan::queries::MAX_QUERIES;
    let many =
        |count: usize| Program::compile(&vec!["join({a=1}, field=b)"; count].join(" | "), &options()).is_ok();
    assert!(many(most) && !many(most + 1));
    let most = weir_query::plan::queries::MAX_TABLES_READ;
    let many = |count: usize| {
        Program::compile(&format!("readFile([{}])", vec!["hosts.csv"; count].join(", ")), &options()).is_ok()
    };
    assert!(many(most) && !many(most + 1));
}

#[test]
fn another_table_is_another_program() {
    let compile = |text: &str| {
        let mut options = Options::default();
        Arc::make_mut(&mut options.tables)
            .insert("t.csv".into(), Arc::new(Table::read("t.csv", text.as_bytes()).unwrap()));
        Program::compile("match(t.csv, field=a) | count()", &options).unwrap().fingerprint()
    };
    assert_eq!(compile("a,b\n1,2\n"), compile("a,b\n1,2\n"));
    assert_ne!(compile("a,b\n1,2\n"), compile("a,b\n1,3\n"));
}
