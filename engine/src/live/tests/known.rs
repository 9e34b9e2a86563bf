//! Live queries that name lookup tables and saved queries, and what becomes of them when these change.

use weir_query::table::Table;

use super::*;

/// What queries may name, to be changed.
#[derive(Clone, Default)]
struct Changing(Arc<Mutex<Known>>);

impl Changing {
    fn put(&self, table: &str, content: &str) {
        let table = Arc::new(Table::read(table, content.as_bytes()).unwrap());
        Arc::make_mut(&mut self.0.lock().tables).insert(table.name().to_string(), table);
    }

    fn save(&self, name: &str, text: &str) {
        Arc::make_mut(&mut self.0.lock().saved).insert(name.to_owned(), text.to_owned());
    }

    fn live(&self, store: &Arc<Store>, definitions: Option<PathBuf>) -> Arc<Live> {
        let own = self.clone();
        let known = Arc::new(move || own.0.lock().clone());
        Live::open(LiveOptions { known, ..store.options(definitions) }).unwrap()
    }
}

/// The rows of a metric that has settled, as texts.
fn rows(live: &Live, name: &str) -> Vec<String> {
    assert!(live.settle(PATIENCE));
    shown(&live.read(name).unwrap().table)
}

fn shown(table: &ResultTable) -> Vec<String> {
    let row = |row: usize| {
        let cell = |(name, column): &(Arc<str>, weir_query::record::Column)| {
            Some(format!("{name}={}", column.get(row)?.text()))
        };
        table.columns.iter().filter_map(cell).collect::<Vec<_>>().join(" ")
    };
    (0..table.rows).map(row).collect()
}

fn services(names: &[&str]) -> Vec<Event> {
    let event = |name: &&str| Event { nanos: NOW - SECOND, json: format!("{{\"service\":\"{name}\"}}") };
    names.iter().map(event).collect()
}

#[test]
fn a_new_table_makes_another_metric_of_the_same_events() {
    let (store, known) = (Store::new(64), Changing::default());
    known.put("owners.csv", "service,owner\napi,ann\n");
    let live = known.live(&store, None);
    store.append(&services(&["api", "web", "web"]));
    let by_owner = r#"match(file="owners.csv", field=service, strict=false) | groupBy(owner)"#;
    live.define("owners", definition(by_owner)).unwrap();
    live.define("behind", definition(r#"groupBy(service) | match(file="owners.csv", field=service)"#))
        .unwrap();
    live.define("plain", definition("count()")).unwrap();
    let subscription = live.subscribe("owners", None).unwrap();
    assert_eq!(rows(&live, "owners"), ["owner=ann _count=1"]);
    assert_eq!(live.known_changed().unwrap(), [""; 0], "nothing is another");
    known.put("owners.csv", "service,owner\napi,ann\nweb,bob\n");
    assert_eq!(live.known_changed().unwrap(), ["behind", "owners"]);
    store.append(&services(&["web", "api"]));
    assert_eq!(rows(&live, "owners"), ["owner=ann _count=2", "owner=bob _count=3"]);
    assert_eq!(rows(&live, "behind").len(), 2);
    assert_eq!(rows(&live, "plain"), ["_count=5"]);
    // Who subscribed goes on with the new one.
    let until = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < until, "the new result is not given out");
        let Received::Result { result, .. } = subscription.receive(PATIENCE) else { continue };
        if result.events == 5 && !result.backfilling {
            assert_eq!(result.table.rows, 2);
            break;
        }
    }
}

#[test]
fn what_is_gone_is_told_and_comes_back() {
    let (store, known) = (Store::new(64), Changing::default());
    known.put("owners.csv", "service,owner\napi,ann\n");
    known.save("errors", "service=?{service=*}");
    let live = known.live(&store, None);
    store.append(&services(&["api", "web"]));
    live.define("table", definition(r#"match(file="owners.csv", field=service) | count()"#)).unwrap();
    live.define("saved", definition("$errors(service=web) | count()")).unwrap();
    let database = "ipLocation(service) | count()";
    live.define("database", definition(database)).unwrap();
    let warned = live.read("database").unwrap().table.warnings.join(" ");
    assert!(warned.contains("there is no lookup table `ip-location.csv`"), "{warned}");
    let whole = std::mem::take(&mut *known.0.lock());
    assert_eq!(live.known_changed().unwrap(), [""; 0]);
    for (name, lost) in
        [("table", "there is no lookup table `owners.csv`"), ("saved", "unknown saved query `errors`")]
    {
        assert_eq!(rows(&live, name), ["_count=1"], "it goes on");
        let result = live.read(name).unwrap();
        assert!(result.table.warnings.iter().any(|told| told.contains(lost)), "{:?}", result.table.warnings);
        assert_eq!(result.status, LiveStatus::Partial);
        assert!(live.metric(name).unwrap().problem.contains(lost));
    }
    *known.0.lock() = whole;
    known.put("ip-location.csv", "network,country\n10.0.0.0/8,DK\n");
    assert_eq!(live.known_changed().unwrap(), ["database"]);
    for name in ["table", "saved", "database"] {
        assert!(live.settle(PATIENCE));
        assert_eq!(live.read(name).unwrap().table.warnings, [""; 0], "{name}");
    }
    known.save("errors", "service=api or service=web");
    assert_eq!(live.known_changed().unwrap(), ["saved"]);
    assert_eq!(rows(&live, "saved"), ["_count=2"]);
}

#[test]
fn a_definition_that_lacks_something_at_the_start_runs_when_it_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics");
    let (store, known) = (Store::new(64), Changing::default());
    known.save("web", "service=web");
    known.live(&store, Some(path.clone())).define("web", definition("$web() | count()")).unwrap();
    store.append(&services(&["api", "web"]));
    let lacking = Changing::default();
    let live = lacking.live(&store, Some(path));
    assert!(live.metric("web").is_none() && live.problems().len() == 1, "{:?}", live.problems());
    lacking.save("web", "service=web");
    assert_eq!(live.known_changed().unwrap(), ["web"]);
    assert_eq!(rows(&live, "web"), ["_count=1"]);
    assert_eq!(live.problems(), [""; 0]);
}

#[test]
fn live_tails_go_on_with_what_is_known() {
    let (store, known) = (Store::new(64), Changing::default());
    known.put("owners.csv", "service,owner\napi,ann\n");
    let live = known.live(&store, None);
    let compile = |known: &Known| {
        let options = Options { ending: Ending::Stream, ..known.options(&BTreeMap::new()) };
        Program::compile(r#"match(file="owners.csv", field=service)"#, &options).ok()
    };
    let program = compile(&known.0.lock()).unwrap();
    let context = Context { start_nanos: i64::MIN, end_nanos: i64::MAX, ..Context::default() };
    let tail = live.follow_again(program, context, Some(Box::new(compile))).unwrap();
    let owners = |tail: &super::super::Follow| match tail.receive(PATIENCE) {
        Followed::Rows { table, .. } => shown(&table),
        other => panic!("{other:?}"),
    };
    store.append(&services(&["api", "web"]));
    assert_eq!(owners(&tail).len(), 1);
    known.put("owners.csv", "service,owner\napi,ann\nweb,bob\n");
    live.known_changed().unwrap();
    store.append(&services(&["api", "web"]));
    assert_eq!(owners(&tail).len(), 2);
}
